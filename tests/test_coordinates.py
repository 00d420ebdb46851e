"""Standardizing changes the way to the answer, and not the answer or its units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, issparse
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor
from skgd._data.coordinates import ScaledCoordinates, standardized_coordinates
from skgd._data.moments import ColumnMoments
from skgd._data.rows import Rows


def standardized(rows: Rows, fit_intercept: bool) -> ScaledCoordinates:
    """Those of squared error without a penalty."""
    columns = ColumnMoments.from_columns(rows.X, rows.weight)
    y_offset = np.average(rows.y, axis=0, weights=rows.weight) * fit_intercept
    centered = fit_intercept and not issparse(rows.X)
    return standardized_coordinates(columns, y_offset, centered=centered, l2=0.0)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    fit_intercept=st.booleans(),
    weighted=st.booleans(),
    n_targets=st.integers(1, 2),
)
def test_a_model_has_the_same_residuals_and_gradient_in_both(
    seed, fit_intercept, weighted, n_targets
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((9, 3)) * 10.0 ** rng.integers(-3, 4, 3) + 5
    y = rng.standard_normal((9, n_targets)) + 100
    weight = rng.uniform(0.1, 3, 9) if weighted else None
    rows = Rows(X, y, weight)
    coef = rng.standard_normal((3, n_targets))
    intercept = [rng.standard_normal(n_targets)] * fit_intercept
    coordinates = standardized(rows, fit_intercept)
    A, b, _ = coordinates.rows(rows)
    there = coordinates.from_user((coef, *intercept))

    residuals = X @ coef + sum(intercept) - y
    np.testing.assert_allclose(A @ there[0] + sum(there[1:]) - b, residuals, atol=1e-9)
    back, *back_intercept = coordinates.to_user(there, coef.dtype)
    np.testing.assert_allclose(back, coef, rtol=1e-9)
    gradients = A.T @ residuals, *[residuals.sum(axis=0)] * fit_intercept
    user_gradient, *_ = coordinates.user_gradients(gradients)
    np.testing.assert_allclose(
        user_gradient, X.T @ residuals, atol=1e-9 * np.abs(X).max() * 900
    )
    np.testing.assert_allclose(back_intercept, intercept, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_coordinates_are_those_of_standard_scaler(weighted, dtype):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4)) * [1, 100, 1e-3, 0] + [0, 1e3, 1, 0.1]
    X = X.astype(dtype)
    weight = rng.uniform(0.1, 3, 30) if weighted else None
    rows = Rows(X, np.ones((30, 1), dtype), weight)
    coordinates = standardized(rows, True)
    scaler = StandardScaler().fit(X.astype(float), sample_weight=weight)
    np.testing.assert_allclose(coordinates.coef_scale[:, 0], scaler.scale_, rtol=1e-9)
    expected = scaler.transform(X.astype(float))
    np.testing.assert_allclose(coordinates.rows(rows).X, expected, atol=1e-4)


def test_standardized_steps_are_those_on_scaled_data(strategy, two_targets):
    X, Y = two_targets
    X = X * [1, 30, 1e-2] + [5, 0, 1]
    scaler = StandardScaler().fit(X)
    params = {"learning_rate": 0.1, "max_iter": 20, "tol": None}
    model = GDLinearRegressor(strategy, standardize=True, **params).fit(X, Y)
    expected = GDLinearRegressor(strategy, **params)
    expected.fit(scaler.transform(X), Y - Y.mean(axis=0))
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(
        model.predict(X) - Y.mean(axis=0), expected.predict(scaler.transform(X))
    )


def test_without_an_intercept_features_are_scaled_and_nothing_is_centred():
    rng = np.random.default_rng(0)
    X, scale = rng.standard_normal((50, 3)) + 2, np.array([1, 1e3, 1e-3])
    y = X @ [1, 1, 1] + 3
    model = GDLinearRegressor(fit_intercept=False, tol=1e-9).fit(X * scale, y)
    # On X itself: LinearRegression takes columns a millionth of others for rounding.
    expected = LinearRegression(fit_intercept=False).fit(X, y)
    np.testing.assert_allclose(model.coef_ * scale, expected.coef_, rtol=1e-6)


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, 1e9 / 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_constant_column_has_the_coefficient_zero(
    dtype, value, precompute, regression
):
    X, y = regression
    X = np.column_stack([X, np.full(len(X), value)]).astype(dtype)
    model = GDLinearRegressor(precompute=precompute).fit(X, y)
    assert model.coef_[-1] == 0
    expected = LinearRegression().fit(X[:, :-1], y)
    np.testing.assert_allclose(model.coef_[:-1], expected.coef_, rtol=1e-3)


def test_a_start_and_a_log_are_in_the_users_units(strategy, capsys):
    X, y = np.array([[1000.0], [3000.0], [8000.0]]), np.array([5.0, 6.0, 9.0])
    model = GDLinearRegressor(strategy, max_iter=1, tol=None, verbose=1)
    model.fit(X, y, coef_init=[0.002], intercept_init=1.0)
    first = capsys.readouterr().out.splitlines()[0]
    assert "coef = 0.00200, intercept = 1.00000" in first
    residual = 0.002 * X[:, 0] + 1 - y
    norm = np.hypot(2 / 3 * X[:, 0] @ residual, 2 / 3 * residual.sum())
    assert f"loss = {(residual**2).mean():.5f}" in first
    assert f"gradient norm = {norm:.5f}" in first


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("value", [0.3, 1.0, 273.15, 1e9 + 0.1])
def test_so_has_one_that_is_constant_but_for_rounding(value, precompute, regression):
    X, y = regression
    rounded = np.where(np.arange(40) % 3, value, np.nextafter(value, 0))
    X = np.column_stack([rounded, X])
    model = GDLinearRegressor(precompute=precompute).fit(X, y)
    assert model.coef_[0] == 0
    expected = LinearRegression().fit(X[:, 1:], y)
    np.testing.assert_allclose(model.coef_[1:], expected.coef_, rtol=1e-3)


@pytest.mark.parametrize("n_samples", [400, 1000, 20_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_so_has_one_of_many_rows(n_samples, weighted):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.standard_normal((n_samples, 2)), np.full(n_samples, 0.1)])
    y = X[:, 0] + rng.standard_normal(n_samples) + 50
    weight = rng.uniform(0, 3, n_samples) if weighted else None
    for precompute in (True, False):
        model = GDLinearRegressor(precompute=precompute).fit(X, y, weight)
        assert model.coef_[-1] == 0


@pytest.mark.parametrize("precompute", [True, False])
def test_a_constant_column_keeps_a_coefficient_that_it_starts_with(
    precompute, regression
):
    X, y = regression
    X = np.column_stack([X, np.full(40, 0.1)])
    model = GDLinearRegressor(precompute=precompute)
    without = model.fit(X, y).predict(X)
    model.fit(X, y, coef_init=[0, 0, 0, 5])
    assert model.coef_[-1] == pytest.approx(5, rel=1e-12)
    np.testing.assert_allclose(model.predict(X), without, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_sparse_rows_are_scaled_by_their_root_mean_square(weighted, fit_intercept):
    rng = np.random.default_rng(0)
    X = (
        rng.standard_normal((30, 4))
        * (rng.random((30, 4)) < 0.5)
        * [1, 1e200, 1e-200, 0]
    )
    weight = rng.integers(0, 3, 30) / 1.0 if weighted else None
    rows = Rows(csr_array(X), rng.standard_normal((30, 1)), weight)
    coordinates = standardized(rows, fit_intercept)
    peak = np.where(abs(X).max(axis=0) > 0, abs(X).max(axis=0), 1)
    expected = peak * np.sqrt(np.average((X / peak) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(coordinates.X_scale[:3], expected[:3], rtol=1e-12)
    assert np.isinf(coordinates.X_scale[3])
    assert not coordinates.X_offset.any()
    assert coordinates.y_offset.any() == fit_intercept
    scaled = coordinates.rows(rows).X.toarray()
    np.testing.assert_allclose(scaled[:, :3], X[:, :3] / expected[:3], rtol=1e-12)
