"""Moments add up, and condense to a dataset on which nothing is different."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from skgd import GDLinearRegressor, Moments


def draw(seed, n_samples, n_features, n_targets, weighted=True):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)) * 10.0 ** rng.integers(-3, 4)
    y = rng.standard_normal((n_samples, n_targets)) + 5
    return (
        X + rng.standard_normal(n_features),
        y,
        (rng.uniform(0.1, 4, n_samples) if weighted else None),
    )


def assert_same(one, other, rtol=1e-9):
    assert one.weight == pytest.approx(other.weight, rel=1e-12)
    scale = np.sqrt(np.diag(other.scatter)) + 1e-300
    spread = scale / np.sqrt(other.weight)
    np.testing.assert_allclose(
        (one.mean - other.mean) / (spread + np.abs(other.mean)), 0, atol=rtol
    )
    np.testing.assert_allclose(
        (one.scatter - other.scatter) / np.outer(scale, scale), 0, atol=rtol
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(2, 60),
    n_features=st.integers(1, 6),
    n_targets=st.integers(1, 3),
    weighted=st.booleans(),
    n_parts=st.integers(1, 6),
)
def test_any_split_merged_in_any_order_is_the_whole(
    seed, n_samples, n_features, n_targets, weighted, n_parts
):
    X, y, weight = draw(seed, n_samples, n_features, n_targets, weighted)
    part = np.random.default_rng(seed).integers(0, n_parts, n_samples)
    parts = [
        Moments.from_data(
            X[part == k], y[part == k], None if weight is None else weight[part == k]
        )
        for k in np.unique(part)
    ]
    assert_same(sum(reversed(parts)), Moments.from_data(X, y, weight))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(1, 60),
    n_features=st.integers(1, 6),
    n_targets=st.integers(1, 3),
    collinear=st.booleans(),
)
def test_condensed_data_have_the_moments_and_the_loss_of_the_data(
    seed, n_samples, n_features, n_targets, collinear
):
    X, y, weight = draw(seed, n_samples, n_features, n_targets)
    if collinear:
        X = np.column_stack([X, X.sum(axis=1), np.full(n_samples, 3.0)])
    moments = Moments.from_data(X, y, weight)
    X_tiny, y_tiny = moments.condense()
    n_rows = X.shape[1] + n_targets + 1
    assert X_tiny.shape == (n_rows, X.shape[1])
    assert y_tiny.shape == (n_rows, n_targets)

    share = np.full(n_rows, moments.weight / n_rows)
    again = Moments.from_data(X_tiny, y_tiny, share)
    np.testing.assert_allclose(again.mean, moments.mean, rtol=1e-9, atol=1e-9)
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((X.shape[1], n_targets)), rng.standard_normal(n_targets)
    loss = np.average((X @ W + b - y) ** 2, axis=0, weights=weight)
    tiny_loss = np.mean((X_tiny @ W + b - y_tiny) ** 2, axis=0)
    np.testing.assert_allclose(tiny_loss, loss, rtol=1e-9)


def test_gradient_descent_on_condensed_data_walks_the_same_iterates(
    strategy, two_targets
):
    X, Y = two_targets
    weight = np.linspace(1, 3, 40)
    whole, tiny = (
        GDLinearRegressor(strategy, learning_rate=0.05, max_iter=200, tol=None)
        for _ in range(2)
    )
    whole.fit(X, Y, weight)
    tiny.fit(*Moments.from_data(X, Y, weight).condense())
    np.testing.assert_allclose(tiny.coef_, whole.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(tiny.loss_curve_, whole.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: X[::-1].copy()[::-1],
        sp.csr_array,
        sp.csc_matrix,
        lambda X: X.astype(int),
        lambda X: X.tolist(),
    ],
)
def test_any_kind_of_rows_gives_the_same(convert):
    rng = np.random.default_rng(0)
    X = rng.integers(-5, 5, (500, 4)).astype(float)
    y, weight = rng.standard_normal(500), rng.uniform(0, 2, 500)
    expected = Moments.from_data(X, y, weight)
    assert_same(Moments.from_data(convert(X), y, weight), expected)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("offset", [0, 5, 1e5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_features", [5, 20])  # several blocks, in threads or not
def test_many_rows_have_the_moments_of_the_definition(
    n_features, weighted, offset, order
):
    X, y, weight = draw(0, 70_000, n_features, 2, weighted)
    X = np.asarray(X + offset * X.std(axis=0), order=order)
    moments = Moments.from_data(X, y, weight)
    z = np.column_stack([X, y])
    weight = np.ones(len(z)) if weight is None else weight
    mean = np.average(z, axis=0, weights=weight)
    scatter = (z - mean).T @ (weight[:, None] * (z - mean))
    scale = np.sqrt(np.diag(scatter))
    assert moments.weight == pytest.approx(weight.sum(), rel=1e-12)
    np.testing.assert_allclose(moments.mean, mean, rtol=1e-10)
    np.testing.assert_allclose(
        (moments.scatter - scatter) / np.outer(scale, scale), 0, atol=1e-10
    )


def test_memory_maps_give_the_same(tmp_path):
    X, y, weight = draw(0, 70_000, 5, 1)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = Moments.from_data(X, y, weight)
    assert_same(Moments.from_data(mapped, y, weight), expected, rtol=1e-14)


def test_threads_leave_the_threads_of_blas_as_they_were():
    X, y, _ = draw(0, 70_000, 5, 1)
    expected = Moments.from_data(X, y)
    before = threadpool_info()
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(lambda _: Moments.from_data(X, y), range(8)))
    assert threadpool_info() == before
    for moments in several:
        assert_same(moments, expected, rtol=1e-14)


def test_float32_is_good_to_its_digits():
    X, y, weight = draw(0, 70_000, 5, 1)
    X = X.astype("float32")
    expected = Moments.from_data(X.astype(float), y, weight)
    assert_same(Moments.from_data(X, y, weight), expected, rtol=1e-5)


def test_an_offset_costs_no_digits():
    rng = np.random.default_rng(0)
    X, y = rng.integers(-10_000, 10_000, (50_000, 2)), rng.standard_normal(50_000)
    plain = Moments.from_data(X, y)
    shifted = Moments.from_data(X + 1_700_000_000, y)
    np.testing.assert_allclose(shifted.scatter[:2], plain.scatter[:2], rtol=1e-9)
    for rows in (X, sp.csr_array(X)):
        shifted = Moments.from_data(rows, y + 1e6)
        np.testing.assert_allclose(shifted.scatter[2], plain.scatter[2], rtol=1e-7)


@pytest.mark.parametrize("kind", ["dense", "weighted", "sparse"])
@pytest.mark.parametrize("order", ["in turn", "at random"])
def test_an_offset_costs_no_digits_however_often_parts_are_merged(order, kind):
    rng = np.random.default_rng(0)
    X = 1e9 + rng.standard_normal((10_000, 2))
    y = X @ [1.0, 2.0]
    weight = rng.uniform(1, 2, len(y)) if kind == "weighted" else np.ones(len(y))
    parts = [
        Moments.from_data(
            sp.csr_array(X[i : i + 10]) if kind == "sparse" else X[i : i + 10],
            y[i : i + 10],
            weight[i : i + 10],
        )
        for i in range(0, len(y), 10)
    ]
    while len(parts) > 1:
        i, j = (0, 1) if order == "in turn" else rng.permutation(len(parts))[:2]
        merged = parts[i] + parts[j]
        parts = [part for k, part in enumerate(parts) if k not in (i, j)]
        parts.insert(0, merged)
    Z = np.column_stack([X, y]).astype(np.longdouble)
    Z -= weight @ Z / weight.sum()
    scatter = (Z.T @ (weight[:, None] * Z)).astype(float)
    np.testing.assert_allclose(parts[0].scatter, scatter, rtol=1e-13)


def test_the_shape_of_y_is_kept():
    X, y, _ = draw(0, 20, 3, 1)
    assert Moments.from_data(X, y).condense()[1].shape == (5, 1)
    assert Moments.from_data(X, y[:, 0]).condense()[1].shape == (5,)


def test_bad_input_is_named():
    X, y, _ = draw(0, 20, 3, 1)
    for bad, name in ((np.nan, "NaN"), (np.inf, "infinity")):
        rows = np.vstack([X[1:], np.full(3, bad)])
        for convert in (np.asarray, np.float32, sp.csr_array):
            with pytest.raises(ValueError, match=f"X contains {name}"):
                Moments.from_data(convert(rows), y)
    for size in (1e200, 1e-200):
        for convert in (np.asarray, sp.csr_array):
            with pytest.raises(ValueError, match=r"column 1 of X (over|under)flow"):
                Moments.from_data(convert(X * [1, size, 1]), y)
    with pytest.raises(ValueError, match="inconsistent"):
        Moments.from_data(X, y[1:])
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        Moments.from_data(X, y, -np.ones(20))
    with pytest.raises(ValueError, match=r"3 features and 1 targets .* 2 features"):
        Moments.from_data(X, y) + Moments.from_data(X[:, :2], y)
    with pytest.raises(TypeError):
        Moments.from_data(X, y) + 1


def test_times_multiplies_the_weights():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    weight = rng.uniform(1, 2, 20)
    moments = Moments.from_data(X, y, weight).times(3)
    expected = Moments.from_data(X, y, 3 * weight)
    assert moments.weight == pytest.approx(expected.weight)
    np.testing.assert_allclose(moments.mean, expected.mean)
    np.testing.assert_allclose(moments.scatter, expected.scatter)


@pytest.mark.parametrize("factor", [0, -1.0, np.inf, np.nan])
def test_a_factor_that_leaves_no_weights_is_named(factor):
    moments = Moments.from_data(*draw(0, 10, 2, 1))
    with pytest.raises(ValueError, match=f"factor={factor!r}"):
        moments.times(factor)


@pytest.mark.parametrize("factor", [1e-310, 1e307])
def test_a_factor_that_leaves_the_range_of_float64_is_named(factor):
    moments = Moments.from_data(*draw(0, 10, 2, 1))
    with pytest.raises(ValueError, match=f"factor={re.escape(repr(factor))} takes"):
        moments.times(factor)


def test_weights_whose_sum_overflows_are_not_merged():
    moments = Moments(1e308, np.zeros(2), np.eye(2), 1)
    with pytest.raises(ValueError, match=r"sum of the weights.* overflows float64"):
        moments + moments


def test_targets_in_more_than_float64_have_sums_in_float64():
    X, y, _ = draw(0, 50, 3, 1)
    moments = Moments.from_data(X, y.astype(np.longdouble))
    assert moments.mean.dtype == moments.scatter.dtype == np.float64


@pytest.mark.parametrize(
    ("mean", "scatter", "n_features"),
    [
        (np.zeros(2), np.eye(2), 5),
        (np.zeros(2), np.eye(2), 2),
        (np.zeros(2), np.eye(2), 0),
        (np.zeros(2), np.eye(3), 1),
        (np.zeros((2, 1)), np.eye(2), 1),
        (0.0, np.eye(2), 1),
    ],
)
def test_parts_that_do_not_fit_are_refused(mean, scatter, n_features):
    with pytest.raises(ValueError, match=f"n_features={n_features}"):
        Moments(1.0, mean, scatter, n_features)


def test_targets_beyond_the_range_of_float32_features_have_finite_moments():
    X, y = np.zeros((50, 2), dtype="float32"), 1e60 * np.arange(50.0)
    moments = Moments.from_data(X, y)
    assert np.isfinite(moments.scatter).all()
    np.testing.assert_allclose(moments.scatter[2, 2], 50 * y.var())
