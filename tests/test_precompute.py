"""Condensed data: the same iterates, at a cost that does not depend on the rows."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from skgd import GDLinearRegressor, Moments
from skgd._data.row_sources import RowsInMemory
from skgd._data.rows import Rows
from skgd._descent.stable_rate import largest_stable_learning_rate
from skgd._objective.objective import Objective
from skgd.strategies import ManualStrategy


class CountsRows(ManualStrategy):
    """Knows how many rows it saw."""

    seen = 0

    def evaluate(self, rows):
        type(self).seen = len(rows.y)
        return super().evaluate(rows)


def both(strategy, X, y, weight=None, max_iter=200, **params):
    """Fit with and without."""
    return [
        GDLinearRegressor(
            strategy, precompute=precompute, max_iter=max_iter, tol=None, **params
        ).fit(X, y, weight)
        for precompute in (True, False)
    ]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(1, 60),
    n_targets=st.integers(1, 3),
    weighted=st.booleans(),
    collinear=st.booleans(),
    fit_intercept=st.booleans(),
    auto=st.booleans(),
    name=st.sampled_from(["manual", "autograd", "module"]),
)
def test_the_iterates_are_those_of_the_rows(
    seed, n_samples, n_targets, weighted, collinear, fit_intercept, auto, name
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 4)) + rng.standard_normal(4)
    if collinear:
        X = np.column_stack([X, X @ [1, 2, 3, 4], np.ones(n_samples)])
    y = rng.standard_normal((n_samples, n_targets)) + 2
    weight = rng.uniform(0.1, 3, n_samples) if weighted else None
    learning_rate = "auto" if auto else 0.5 / (X**2).sum(axis=1).max()
    with_it, without = both(
        name,
        X,
        y,
        weight,
        max_iter=50,
        fit_intercept=fit_intercept,
        learning_rate=learning_rate,
    )
    scale = np.abs(without.coef_).max() + 1e-9
    np.testing.assert_allclose(
        with_it.coef_, without.coef_, rtol=1e-9, atol=1e-9 * scale
    )
    np.testing.assert_allclose(
        with_it.intercept_, without.intercept_, rtol=1e-9, atol=1e-9
    )
    # On an exact fit only rounding is left.
    np.testing.assert_allclose(
        with_it.loss_curve_, without.loss_curve_, rtol=1e-9, atol=1e-12
    )


def test_float32_iterates_are_those_of_the_rows_to_its_digits(strategy, two_targets):
    X, Y = (array.astype("float32") for array in two_targets)
    with_it, without = both(strategy, X, Y, learning_rate=0.05)
    assert with_it.coef_.dtype == np.float32
    np.testing.assert_allclose(with_it.coef_, without.coef_, atol=1e-4)


def test_an_offset_of_a_million_spreads_costs_six_digits(regression):
    X, y = regression
    X = X + 1e6
    # The rows themselves are rounded to 1e-16 of 1e6.
    with_it, without = both("manual", X, y)
    np.testing.assert_allclose(with_it.coef_, without.coef_, rtol=1e-6)
    expected = LinearRegression().fit(X, y).coef_
    np.testing.assert_allclose(with_it.coef_, expected, rtol=1e-6)


@pytest.mark.parametrize("spread", [1e4, 1.0, 1e-2])
def test_timestamps_keep_their_digits(spread):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 2)) * [spread, 1] + [1.7e9, 0]
    y = (X[:, 0] - 1.7e9) / spread + X[:, 1] + rng.standard_normal(2000)
    with_it, without = (
        GDLinearRegressor(precompute=precompute, tol=1e-10).fit(X, y).coef_
        for precompute in (True, False)
    )
    np.testing.assert_allclose(with_it, without, rtol=1e-9)


def test_float32_with_an_offset_keeps_its_digits():
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((5000, 3)) + 1e3).astype("float32")
    y = (X.astype(float) @ [1, 2, 3]).astype("float32")
    model = GDLinearRegressor().fit(X, y)
    expected = LinearRegression().fit(X.astype(float), y.astype(float))
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)


@pytest.mark.parametrize(
    ("n_samples", "precompute", "seen"),
    [
        (2000, "auto", 5),
        (2000, True, 5),
        (2000, False, 2000),
        (500, "auto", 500),
        (500, True, 5),
    ],
)
@pytest.mark.parametrize("whiten", [False, "auto"])
def test_auto_condenses_where_it_pays(n_samples, precompute, seen, whiten):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n_samples, 3)), rng.standard_normal(n_samples)
    model = GDLinearRegressor(CountsRows(), precompute=precompute, whiten=whiten)
    model.fit(X, y)
    # White rows are a by-product of the triangle that makes them white.
    always = whiten == "auto" and precompute == "auto"
    assert CountsRows.seen == (5 if always else seen)


def test_the_largest_stable_rate_is_that_of_the_rows(regression):
    X, y = (np.asarray(array).reshape(40, -1) for array in regression)
    rates = [
        largest_stable_learning_rate(
            RowsInMemory(Rows(*rows, weight=None)), Objective(), fit_intercept=True
        )
        for rows in ((X, y), Moments.from_data(X, y).condense())
    ]
    assert rates[0] == pytest.approx(rates[1], rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
@pytest.mark.parametrize("mapped", [False, True])
def test_a_fit_allocates_little_beside_the_rows(mapped, dtype, tmp_path):
    rng = np.random.default_rng(0)
    X = (10 * rng.standard_normal((200_000, 50)) + 500).astype(dtype)
    y = X[:, 0] + rng.standard_normal(len(X)).astype("float32")
    if mapped:
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    tracemalloc.start()  # NumPy tells it of its arrays
    GDLinearRegressor().fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak <= 0.1 * X.nbytes
