"""The moments of the sets of each split are those of its rows, read once."""

import re
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)

from skgd import Moments
from skgd._data.folds import Folds
from skgd._data.rows import Rows


def bootstraps(rng, n_rows):
    for _ in range(7):
        yield rng.integers(0, n_rows, n_rows), rng.integers(-n_rows, n_rows, 9)


def overlapping(rng, n_rows):
    for _ in range(7):
        yield rng.random(n_rows) < 0.8, np.flatnonzero(rng.random(n_rows) < 0.9)


SPLITS = {
    "KFold": lambda rng, n: KFold(4).split(np.empty(n)),
    "shuffled": lambda rng, n: KFold(5, shuffle=True, random_state=1).split(
        np.empty(n)
    ),
    "ShuffleSplit": lambda rng, n: ShuffleSplit(9, random_state=2).split(np.empty(n)),
    "GroupKFold": lambda rng, n: GroupKFold(3).split(
        np.empty(n), groups=np.arange(n) % 7
    ),
    "TimeSeriesSplit": lambda rng, n: TimeSeriesSplit(3).split(np.empty(n)),
    "RepeatedKFold": lambda rng, n: RepeatedKFold(
        n_splits=3, n_repeats=4, random_state=3
    ).split(np.empty(n)),
    "LeaveOneOut": lambda rng, n: LeaveOneOut().split(np.empty(n)),
    "PredefinedSplit": lambda rng, n: PredefinedSplit(np.arange(n) % 4 - 1).split(),
    "bootstraps": bootstraps,
    "overlapping": overlapping,
}

LAYOUTS = {
    "C": np.asarray,
    "Fortran": np.asfortranarray,
    "float32": lambda X: X.astype(np.float32),
    "int": lambda X: (10 * X).astype(np.int64),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
}


def drawn(rng, n_rows, n_targets, offset, weighted):
    X = rng.standard_normal((n_rows, 3)) * [1, 10, 0.1] + [0, offset, 1]
    y = rng.standard_normal((n_rows, n_targets)) + X[:, :1]
    weight = rng.uniform(0.1, 4, n_rows) if weighted else None
    if weighted:
        weight[rng.random(n_rows) < 0.1] = 0
    return X, y, weight


def assert_same(moments, expected, rtol):
    assert moments.weight == pytest.approx(expected.weight, rel=1e-13)
    spread = np.sqrt(expected.scatter.diagonal() / expected.weight)
    size = spread + np.abs(expected.mean)
    assert (np.abs(moments.mean - expected.mean) <= 1e-13 * size).all()
    unit = np.outer(spread, spread) * expected.weight
    error = np.abs(moments.scatter - expected.scatter)
    assert (error <= rtol * unit + 1e-13 * expected.weight * (spread == 0)).all()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    splits=st.sampled_from(sorted(SPLITS)),
    layout=st.sampled_from(sorted(LAYOUTS)),
    n_rows=st.integers(40, 90),
    n_targets=st.integers(1, 2),
    offset=st.sampled_from([0.0, 1e4, 1e9]),
    weighted=st.booleans(),
)
def test_moments_of_the_sets_are_those_of_their_rows(
    seed, splits, layout, n_rows, n_targets, offset, weighted
):
    rng = np.random.default_rng(seed)
    X, y, weight = drawn(rng, n_rows, n_targets, offset, weighted)
    X = LAYOUTS[layout](X)
    pairs = list(SPLITS[splits](rng, n_rows))
    rows = Rows(X, y, weight)
    has_weight = np.ones(n_rows) if weight is None else weight
    if not all(has_weight[index].any() for pair in pairs for index in pair):
        with pytest.raises(ValueError, match=r"set of split \d+ has no row with"):
            Folds(rows, iter(pairs))
        return
    folds = Folds(rows, iter(pairs))
    if layout == "float32":  # whose products Moments takes in float32
        X32, X = X, X.astype(np.float64)
    else:
        X32 = X
    rtol = 1e-9
    assert_same(folds.whole, Moments.from_data(X, y, weight), rtol)
    assert folds.n_splits == len(pairs)
    for i, (training, test) in enumerate(pairs):
        for index, moments, restricted in (
            (training, folds.training(i), folds.training_rows(i)),
            (test, folds.test(i), folds.test_rows(i)),
        ):
            few = X.tocsr()[index] if sp.issparse(X) else X[index]
            w = None if weight is None else weight[index]
            expected = Moments.from_data(few, y[index], w)
            assert_same(moments, expected, rtol)
            assert restricted.X is X32
            assert restricted.weight.sum() == pytest.approx(expected.weight)
        assert folds.n_weighted(i) == np.count_nonzero(has_weight[training])
        assert folds.n_training(i) == len(has_weight[training])
        assert folds.n_test(i) == len(has_weight[test])


class Counting(np.ndarray):
    """An array that counts how often its rows are read."""

    def __getitem__(self, index):
        read = getattr(self, "read", None)
        if read is not None:
            read[index if not isinstance(index, tuple) else index[0]] += 1
        return super().__getitem__(index)


@pytest.mark.parametrize("splits", ["KFold", "RepeatedKFold", "bootstraps"])
def test_each_row_is_read_once(splits):
    rng = np.random.default_rng(0)
    X, y, _ = drawn(rng, 30_000, 1, 1e3, weighted=False)
    counting = X.view(Counting)
    counting.read = np.zeros(len(X), int)
    folds = Folds(Rows(counting, y), SPLITS[splits](rng, len(X)))
    folds.training(0), folds.test(0)
    assert (counting.read == 1).all()


def test_little_is_allocated():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200_000, 50)), rng.standard_normal((200_000, 1))
    splits = KFold(5, shuffle=True, random_state=0).split(X)
    pairs = list(splits)
    tracemalloc.start()
    folds = Folds(Rows(X, y), iter(pairs))
    folds.training(0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.25 * X.nbytes


def test_rows_without_weight_and_rows_of_no_set_are_checked_apart():
    X, y = np.arange(8.0)[:, None], np.arange(8.0)[:, None] ** 2
    X[3], weight = np.nan, np.ones(8)
    weight[3] = 0
    folds = Folds(Rows(X, y, weight), KFold(2).split(X))
    assert folds.training(1).weight == 3
    assert folds.n_weighted(1) == 3
    assert folds.n_test(0) == 4
    with pytest.raises(ValueError, match="Input X contains NaN"):
        Folds(Rows(X, y), KFold(2).split(X))


def test_squares_out_of_range_are_refused():
    X, y = np.arange(8.0)[:, None], np.arange(8.0)[:, None]
    with pytest.raises(ValueError, match="column 0 of X, times the weights, overflow"):
        Folds(Rows(X * 1e200, y), KFold(2).split(X))
    with pytest.raises(ValueError, match="column 0 of y underflow"):
        Folds(Rows(X, y * 1e-200), KFold(2).split(X)).training(0)
    mixed = np.append(y[:4] * 1e-200, y[4:], axis=0)  # not in the set of all
    splits = [(np.arange(8), np.arange(8))]
    assert Folds(Rows(X, mixed), splits).training(0).weight == 8


@pytest.mark.parametrize(
    ("splits", "error", "words"),
    [
        ([], ValueError, "cv yielded no splits"),
        ([([0], [1]), ([], [1])], ValueError, "training set of split 1 has no rows"),
        ([([0], [1, 9])], IndexError, "test set of split 0 lists row 9, and X has 4"),
        ([([0, -5], [1])], IndexError, "training set of split 0 lists row -5"),
        ([([True, False], [1])], IndexError, "is a mask of 2 rows, and X has 4"),
        ([([0.5], [1])], ValueError, "must be a one-dimensional array of row numbers"),
        ([([3], [1])], ValueError, "training set of split 0 has no row with"),
    ],
)
def test_bad_splits_are_named(splits, error, words):
    X = np.arange(4.0)[:, None]
    with pytest.raises(error, match=re.escape(words)):
        Folds(Rows(X, X, np.array([1.0, 1, 1, 0])), iter(splits))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_targets=st.integers(1, 3),
    offset=st.sampled_from([0.0, 1e4, 1e8]),
    weighted=st.booleans(),
    exact=st.booleans(),
)
def test_the_loss_of_moments_is_the_mean_of_squares(
    seed, n_targets, offset, weighted, exact
):
    rng = np.random.default_rng(seed)
    X, y, weight = drawn(rng, 50, n_targets, offset, weighted)
    coef, intercept = (
        rng.standard_normal((n_targets, 3)),
        rng.standard_normal(n_targets),
    )
    if exact:
        y = X @ coef.T + intercept
    loss = Moments.from_data(X, y, weight).loss(coef, intercept)
    squares = (X @ coef.T + intercept - y) ** 2
    expected = np.average(squares, axis=0, weights=weight)
    size = (np.abs(X).max(axis=0) @ np.abs(coef.T) + np.abs(y).max(axis=0)) ** 2
    assert loss.shape == (n_targets,)
    assert (loss >= 0).all()
    rounding = 1e-15 * np.sqrt(size)
    spread = y.std(axis=0) ** 2 + (X.std(axis=0) ** 2) @ (coef**2).T
    np.testing.assert_array_less(
        np.abs(loss - expected),
        1e-9 * expected
        + 1e-12 * spread
        + 4 * rounding * (rounding + np.sqrt(expected)),
    )


def test_the_loss_of_one_target_is_a_float():
    moments = Moments.from_data([[1.0], [2.0], [3.0]], [2.0, 4.0, 9.0])
    assert moments.loss([2.0]) == pytest.approx(3)
    assert isinstance(moments.loss([2.0], 1.0), float)
    models = moments.loss([[[2.0]], [[0.0]]], [[1.0], [5.0]])
    np.testing.assert_allclose(models[:, 0], [2.0, moments.loss([0.0], 5.0)])


def test_shapes_that_do_not_fit_are_refused():
    moments = Moments.from_data(np.eye(3), np.eye(3)[:, :2])
    with pytest.raises(ValueError, match=r"coef must have the shape \(\.\.\., 2, 3\)"):
        moments.loss(np.zeros(3))
    with pytest.raises(ValueError, match=r"intercept must be a float, or of the shape"):
        moments.loss(np.zeros((2, 3)), np.zeros(3))


@pytest.mark.parametrize("model", [([np.nan, 1.0], 0.0), ([1.0, 2.0], None)])
def test_a_model_that_is_not_finite_has_no_loss(model):
    moments = Moments.from_data(np.eye(2), [1.0, 2.0])
    with pytest.raises(ValueError, match="must be finite"):
        moments.loss(*model)
