import tracemalloc
from itertools import product

import numpy as np
import pytest
import torch
from by_hand import descend, excess_loss
from conftest import STRATEGIES, strategies_on
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import diabetes
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

from skgd import DivergenceError, GDLinearRegressor
from skgd._data.coordinates import standardized_coordinates, user_coordinates
from skgd._data.device import Device, to_numpy
from skgd._data.moments import ColumnMoments
from skgd._data.row_sources import RowsOnDemand
from skgd._data.rows import Rows
from skgd._descent.batches import MiniBatches


@pytest.mark.parametrize("batch_size", [1, 7, 40])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_walks_like_the_loop_by_hand(
    strategy, batch_size, fit_intercept, dtype, weighted, two_targets
):
    X, Y = two_targets
    weight = np.arange(40) % 3.0 if weighted else None
    for y in (Y, Y[:, 0]):
        model = GDLinearRegressor(
            strategy,
            learning_rate=0.01,
            batch_size=min(batch_size, 40 if weight is None else 26),
            shuffle=False,
            fit_intercept=fit_intercept,
            max_iter=2,
            tol=None,
            precompute=False,
        ).fit(X.astype(dtype), y, weight)
        expected = descend(
            X,
            y,
            0.01,
            epochs=2,
            batch_size=model.batch_size,
            weight=weight,
            fit_intercept=fit_intercept,
        )
        rtol = 1e-12 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(model.coef_, expected.coef, rtol=rtol)
        np.testing.assert_allclose(model.intercept_, expected.intercept, rtol=rtol)
        np.testing.assert_allclose(model.loss_curve_, expected.losses, rtol=rtol)
        assert model.coef_.dtype == dtype


@pytest.mark.parametrize("batch_size", [40, 1.0])
@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
def test_a_batch_of_all_rows_is_the_full_batch(
    strategy, batch_size, learning_rate, regression
):
    model = GDLinearRegressor(strategy, learning_rate=learning_rate)
    full = model.fit(*regression)
    coef, curve = full.coef_, full.loss_curve_
    model.set_params(batch_size=batch_size).fit(*regression)
    assert np.array_equal(model.coef_, coef)
    assert model.loss_curve_ == curve


@given(
    n_rows=st.integers(1, 60),
    batch_size=st.integers(1, 60),
    shuffle=st.booleans(),
    n_without_weight=st.integers(0, 10),
)
@settings(max_examples=60, deadline=None)
def test_every_row_is_seen_once_an_epoch(n_rows, batch_size, shuffle, n_without_weight):
    X = np.arange(n_rows, dtype=float)[:, None]
    weight = np.ones(n_rows)
    weight[: min(n_without_weight, n_rows - 1)] = 0
    rows = Rows(X, -X, weight)
    batches = MiniBatches(
        RowsOnDemand(rows, user_coordinates(1, 1), X.dtype),
        Device(None),
        batch_size,
        np.random.RandomState(0) if shuffle else None,
    )
    orders = []
    for _ in range(2):
        epoch = list(batches)
        assert all(len(batch.y) == batch_size for batch in epoch[:-1])
        seen = np.concatenate([batch.X[:, 0] for batch in epoch])
        assert np.array_equal(seen, -np.concatenate([b.y[:, 0] for b in epoch]))
        assert sorted(seen) == np.flatnonzero(weight).tolist()
        orders.append(seen)
    if not shuffle:
        assert np.array_equal(seen, sorted(seen))
    elif len(seen) > 10:
        assert not np.array_equal(*orders)


class Elsewhere(Device):
    """A device that is treated as if its memory were its own, as a GPU's is."""

    has_memory = True


@pytest.mark.parametrize("batch_size", [1, 7, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_device_with_memory_of_its_own_sees_the_same_batches(batch_size, weighted):
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 3, 30) / 1.0 if weighted else None
    rows = Rows(rng.standard_normal((30, 3)) + 5, rng.standard_normal((30, 2)), weight)
    columns = ColumnMoments.from_columns(rows.X, rows.weight)
    coordinates = standardized_coordinates(
        columns, rows.y.mean(axis=0), centered=True, l2=0.0
    )
    epochs = [
        [
            [None if part is None else to_numpy(part) for part in batch]
            for batch in MiniBatches(
                RowsOnDemand(rows, coordinates, np.dtype("float64")),
                device,
                batch_size,
                np.random.RandomState(0),
            )
        ]
        for device in (Device(None), Elsewhere(torch.device("cpu")))
    ]
    for here, there in zip(*epochs, strict=True):
        for one, other in zip(here, there, strict=True):
            assert np.array_equal(one, other) or (one is other is None)


def test_the_same_random_state_gives_the_same_model(regression):
    def fit(seed):
        model = GDLinearRegressor(
            learning_rate=0.01, batch_size=8, random_state=seed, max_iter=3
        )
        return model.set_params(tol=None).fit(*regression).coef_

    assert np.array_equal(fit(0), fit(0))
    assert not np.allclose(fit(0), fit(1), rtol=1e-6)
    state = np.random.RandomState(0)
    assert not np.allclose(fit(state), fit(state), rtol=1e-6)


@given(seed=st.integers(0, 100), batch_size=st.integers(1, 40))
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
def test_the_strategies_walk_the_same_iterates(learning_rate, seed, batch_size):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3)) * [1, 10, 0.1] + 5
    X = X if learning_rate == "auto" else X / [10, 100, 10]
    Y = X @ rng.standard_normal((3, 2)) + 0.1 * rng.standard_normal((40, 2))
    weight = rng.integers(1, 3, 40) if seed % 2 else None
    fits = [
        GDLinearRegressor(
            strategy,
            learning_rate=learning_rate,
            batch_size=batch_size,
            random_state=seed,
            max_iter=5,
            tol=None,
        ).fit(X, Y, weight)
        for strategy in STRATEGIES
    ]
    for model in fits[1:]:
        np.testing.assert_allclose(model.coef_, fits[0].coef_, rtol=1e-8)
        np.testing.assert_allclose(model.loss_curve_, fits[0].loss_curve_, rtol=1e-8)


def test_weight_zero_is_the_row_left_out(regression):
    X, y = regression
    weight = (np.arange(40) % 3 > 0) * 2.0
    X[weight == 0] = y[weight == 0] = 1e20  # the first row is one of them
    model = GDLinearRegressor(batch_size=8, random_state=0, max_iter=20)
    with_zeros = model.set_params(tol=None).fit(X, y, weight).coef_
    left_out = model.fit(X[weight > 0], y[weight > 0]).coef_
    np.testing.assert_allclose(with_zeros, left_out, rtol=1e-12)


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(strategy, learning_rate=1e-12, batch_size=7, max_iter=2)
    model.set_params(tol=None).fit(X, y)  # as good as not moving
    np.testing.assert_allclose(model.loss_curve_, np.mean(y**2), rtol=1e-6)
    weight = np.arange(40.0)
    model.fit(X, y, weight)
    expected = np.average(y**2, weights=weight)
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-6)


OFFSETS = {
    "centred": (0, np.ones(12)),
    "offset 5": (5, np.ones(12)),
    "offset 50, scales 1 to 30": (50, np.linspace(1, 30, 12)),
}


@pytest.mark.parametrize(
    ("strategy", "problem", "dtype"),
    strategies_on(
        product(OFFSETS, ["float64", "float32"]),
        few=product(["offset 50, scales 1 to 30"], ["float64", "float32"]),
    ),
)
def test_defaults_end_at_the_least_squares_answer(strategy, problem, dtype):
    offset, scale = OFFSETS[problem]
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((2000, 12)) * scale + offset).astype(dtype)
    y = X @ rng.standard_normal(12) + 10 * rng.standard_normal(2000)
    model = GDLinearRegressor(strategy, batch_size=64, max_iter=60, random_state=0)
    assert excess_loss(model.fit(X, y).predict(X), X, y) < 1e-3


@pytest.mark.parametrize("tol", [1e-4, None])
def test_targets_of_any_size_end_there_together(tol, two_targets):
    X, Y = two_targets
    X, Y = np.tile(X, (10, 1)), np.tile(Y, (10, 1))
    Y[:, 1] += np.random.default_rng(0).standard_normal(400)
    Y[:, 1] *= 1e-6
    model = GDLinearRegressor(batch_size=16, tol=tol, random_state=0)
    model.set_params(max_iter=150).fit(X, Y)
    for t in range(2):
        assert excess_loss(model.predict(X)[:, t], X, Y[:, t]) < 1e-2


def test_an_epoch_goes_on_while_any_target_improves():
    """One that is met at once does not end the descent of the other."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 2)) * [1, 0.02]
    Y = np.column_stack([1e6 * rng.standard_normal(200), X[:, 1]])
    model = GDLinearRegressor(
        learning_rate=0.05, batch_size=20, shuffle=False, max_iter=400
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, Y)
    assert model.n_iter_ == 400


def test_momentum_of_ones_own_converges_as_well(regression):
    X, y = regression
    model = GDLinearRegressor(batch_size=8, momentum=0.9, random_state=0)
    assert excess_loss(model.fit(X, y).predict(X), X, y) < 1e-2


@pytest.mark.parametrize(
    ("strategy", "dtype", "order"),
    strategies_on(
        product(["float64", "float32", "int64"], ["C", "F"]),
        few=[("float64", "C"), ("int64", "F")],
    ),
)
def test_no_copy_of_the_rows_is_made(strategy, dtype, order):
    rng = np.random.default_rng(0)
    X = np.asarray(10 * rng.standard_normal((80_000, 20)) + 20, dtype, order=order)
    y = X @ rng.standard_normal(20)
    model = GDLinearRegressor(strategy, batch_size=256, max_iter=2, tol=None)
    model.fit(X[:1000], y[:1000])
    tracemalloc.start()
    model.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # One block of 2 MiB and its working copies, against 6 to 12 MiB of X.
    assert peak < 0.7 * 80_000 * 20 * 8
    model.set_params(learning_rate=1e-5)
    tracemalloc.start()
    model.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4 * 40_000 * 20 * 8


def test_a_memory_map_is_read_a_batch_at_a_time(tmp_path, regression):
    X, y = regression
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = GDLinearRegressor(batch_size=8, random_state=0)
    coef = model.fit(X, y).coef_
    assert np.array_equal(model.fit(mapped, y).coef_, coef)


def test_a_fraction_is_of_the_rows(regression):
    X, y = regression
    model = GDLinearRegressor(learning_rate=0.01, random_state=0, max_iter=3, tol=None)
    coef = model.set_params(batch_size=0.2).fit(X, y).coef_
    assert np.array_equal(model.set_params(batch_size=8).fit(X, y).coef_, coef)
    coef = model.set_params(batch_size=0.24).fit(X, y).coef_  # 9.6, nearest to 10
    assert np.array_equal(model.set_params(batch_size=10).fit(X, y).coef_, coef)
    model.set_params(batch_size=1e-9).fit(X, y)  # one row


def test_more_rows_a_batch_than_there_are_is_said(regression):
    model = GDLinearRegressor(batch_size=41)
    with pytest.warns(UserWarning, match="batch_size=41 is larger .* n_samples=40"):
        model.fit(*regression)
    assert np.array_equal(model.coef_, GDLinearRegressor().fit(*regression).coef_)


@pytest.mark.parametrize("batch_size", [0, -1, 0.0, 1.5, "8", np.nan])
def test_a_wrong_batch_size_is_named(batch_size, regression):
    with pytest.raises(ValueError, match=r"'batch_size' parameter .* Got"):
        GDLinearRegressor(batch_size=batch_size).fit(*regression)


def test_batches_are_not_condensed(regression):
    model = GDLinearRegressor(batch_size=8, precompute=True)
    with pytest.raises(ValueError, match=r"precompute=True .* batch_size=8"):
        model.fit(*regression)
    with pytest.raises(ValueError, match=r"precompute=True .* batch_size=8"):
        model.partial_fit(*regression)


def test_a_rate_that_is_too_large_leaves_no_model(strategy, regression):
    model = GDLinearRegressor(strategy, learning_rate=100.0, batch_size=8)
    with pytest.raises(DivergenceError, match="larger batch_size"):
        model.fit(*regression)
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("batch_size", [1, 8])
def test_a_rate_that_is_too_large_is_named_with_one_that_is_not(batch_size, regression):
    model = GDLinearRegressor(learning_rate=100.0, batch_size=batch_size)
    with pytest.raises(DivergenceError) as failure:
        model.fit(*regression)
    stable = failure.value.largest_stable_learning_rate
    model.set_params(learning_rate=0.99 * stable, tol=None, max_iter=50)
    for seed in range(3):
        model.set_params(random_state=seed).fit(*regression)  # noisy, but it stays


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize("max_iter", [1, 30])
def test_noise_is_no_divergence(batch_size, max_iter):
    """Where y is noise, that of the steps takes them above the zero model."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 8)), rng.standard_normal(100)
    for seed in range(3):
        model = GDLinearRegressor(batch_size=batch_size, random_state=seed)
        model.set_params(max_iter=max_iter, tol=None, schedule="constant").fit(X, y)


def test_epochs_that_do_not_suffice_are_said(regression):
    model = GDLinearRegressor(batch_size=8, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs. The loss still"):
        model.fit(*regression)
    assert model.n_iter_ == len(model.loss_curve_) == 2


@pytest.mark.parametrize(
    "params",
    [{"schedule": lambda t: 0.1**t}, {"learning_rate": 1e-5}, {"learning_rate": 3e-6}],
    ids=["decay", "slow", "slower"],
)
@pytest.mark.parametrize("container", [np.asarray, csr_array])
def test_a_plateau_far_from_the_answer_is_said(params, container):
    X, y = diabetes()
    model = GDLinearRegressor(batch_size=32, random_state=0, **params)
    with pytest.warns(ConvergenceWarning, match=r"plateau .* correlation .* still"):
        model.fit(container(X), y)


def test_a_divergence_names_what_the_schedule_made_of_the_rate(regression):
    model = GDLinearRegressor(batch_size=8, schedule=lambda t: 1e6)
    with pytest.raises(DivergenceError, match="which the schedule made of"):
        model.fit(*regression)


def test_a_start_far_away_is_no_divergence():
    """The first batch may know nothing of it."""
    X, y = np.zeros((100, 2)), np.ones(100)
    X[50:] = np.random.default_rng(0).standard_normal((50, 2))
    model = GDLinearRegressor(
        learning_rate=1e-6, batch_size=5, shuffle=False, max_iter=1, tol=None
    )
    model.fit(X, y, coef_init=[100.0, 100.0])


def test_a_plateau_far_above_the_best_epoch_is_said(regression):
    X, y = regression
    model = GDLinearRegressor(
        learning_rate=0.418,
        batch_size=20,
        shuffle=False,
        n_iter_no_change=3,
    )
    with pytest.warns(ConvergenceWarning, match="times that of the best"):
        model.fit(X, y)


def test_float32_whose_squares_leave_its_range_is_descended_on_in_float64():
    rng = np.random.default_rng(0)
    X = (1e25 * rng.standard_normal((200, 3))).astype("float32")
    y = (X / 1e25 @ [1.0, 2.0, 3.0]).astype("float32")
    model = GDLinearRegressor(batch_size=16, random_state=0)
    assert model.fit(X, y).score(X.astype(float), y) > 0.999
    model.set_params(learning_rate=1e-52, max_iter=5, tol=None).fit(X, y)
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_nan_is_refused(regression):
    X, y = regression
    X[3, 1] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        GDLinearRegressor(batch_size=8).fit(X, y)


def test_a_warm_start_goes_on(regression):
    model = GDLinearRegressor(
        learning_rate=0.01,
        batch_size=8,
        shuffle=False,
        max_iter=3,
        tol=None,
        warm_start=True,
    )
    first = model.fit(*regression).loss_curve_
    second = model.fit(*regression).loss_curve_
    whole = model.set_params(max_iter=6, warm_start=False).fit(*regression)
    np.testing.assert_allclose(first + second, whole.loss_curve_, rtol=1e-12)
