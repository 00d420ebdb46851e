"""Default parameters on data as they come: raw units, ill-conditioned, or odd."""

from itertools import product

import numpy as np
import pytest
from by_hand import excess_loss
from conftest import strategies_on
from problems import PROBLEMS, wide
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from skgd import GDLinearRegressor


def assert_least_squares(model, X, y, weight=None):
    weight = None if weight is None else weight / weight.max()
    assert excess_loss(model.predict(X), X, y, weight) <= 1e-3


@pytest.mark.parametrize(
    ("strategy", "problem", "precompute"),
    strategies_on(product(PROBLEMS, [True, False]), few=product(PROBLEMS, [False])),
)
def test_defaults_reach_least_squares(problem, precompute, strategy):
    X, y = problem()  # a ConvergenceWarning would be an error
    model = GDLinearRegressor(strategy, precompute=precompute).fit(X, y)
    assert_least_squares(model, X, y)


def test_a_wide_table_is_met():
    X, y = wide()
    assert GDLinearRegressor().fit(X, y).score(X, y) >= 0.999


@pytest.mark.parametrize("precompute", [True, False])
def test_duplicated_columns_share_a_coefficient(precompute, regression):
    X, y = regression
    model = GDLinearRegressor(precompute=precompute).fit(X[:, [0, 0, 1, 2]], y)
    assert_least_squares(model, X[:, [0, 0, 1, 2]], y)
    assert model.coef_[0] == pytest.approx(model.coef_[1], rel=1e-12)


@pytest.mark.parametrize("precompute", [True, False])
def test_where_nothing_varies_the_mean_is_left(precompute, regression):
    X, y = regression
    model = GDLinearRegressor(precompute=precompute)
    model.fit(np.full((40, 3), 0.1), y)
    np.testing.assert_array_equal(model.coef_, 0)
    assert model.intercept_ == pytest.approx(y.mean(), rel=1e-12)
    model.fit(X, np.full(40, 0.1))
    np.testing.assert_allclose(model.coef_, 0, atol=1e-15)
    assert model.intercept_ == pytest.approx(0.1, rel=1e-12)
    model.fit(X[:1], y[:1])
    np.testing.assert_array_equal(model.coef_, 0)
    assert model.intercept_ == pytest.approx(y[0], rel=1e-12)


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("heavy", [1, 5, 20])
def test_weights_of_very_different_size_count(heavy, precompute, regression):
    X, y = regression
    weight = np.full(40, 1e-12)
    weight[:heavy] = 1e12
    model = GDLinearRegressor(precompute=precompute).fit(X, y, weight)
    assert_least_squares(model, X, y, weight)
    weight = 10 ** np.linspace(-12, 12, 40)
    assert_least_squares(model.fit(X, y, weight), X, y, weight)


@pytest.mark.parametrize("noise", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("own_ones", [False, True])
def test_a_target_that_can_be_met_almost_is_met_as_well(noise, own_ones):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 3)) * [1e5, 1, 1] + 10
    y = X @ [1, 5, -3] + noise * 1e5 * rng.standard_normal(2000)
    if own_ones:
        X, y = np.column_stack([X, np.ones(2000)]), y + 1e4
    model = GDLinearRegressor(fit_intercept=not own_ones).fit(X, y)
    assert_least_squares(model, X, y)


@pytest.mark.parametrize("offset", [0, 100])
def test_float32_that_is_ill_conditioned_is_fitted_as_float64_is(offset, strategy):
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    X = rng.standard_normal((2000, 6)) * np.logspace(0, -2, 6) @ rotation + offset / 6
    y = X @ rng.standard_normal(6) + 1e-2 * rng.standard_normal(2000)
    X, y = X.astype("float32"), y.astype("float32")
    model = GDLinearRegressor(strategy, tol=1e-6, max_iter=5000).fit(X, y)
    assert model.coef_.dtype == np.float32
    assert excess_loss(model.predict(X.astype(float)), X.astype(float), y) <= 1e-3


@pytest.mark.parametrize("precompute", ["auto", False])
@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
def test_many_rows_of_weight_zero_are_left_out(precompute, learning_rate):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3000, 4)), rng.standard_normal(3000)
    weight = rng.integers(0, 3, 3000).astype(float)
    X[:, 1] = np.where(weight > 0, 1.0, X[:, 1])  # constant where it counts
    model = GDLinearRegressor(
        precompute=precompute, learning_rate=learning_rate, tol=1e-8
    )
    model.fit(X, y, weight)
    repeated = np.repeat(np.arange(3000), weight.astype(int))
    expected = clone(model).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=1e-9)
    y = np.where(weight > 0, 2.0, y)
    assert model.fit(X, y, weight).intercept_ == pytest.approx(
        2 - model.coef_ @ [0, 1, 0, 0], rel=1e-6
    )


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("size", [3e38, 1e30, 1e-30, 1e-36])
def test_float32_reaches_to_its_limits(size, precompute, regression):
    X, y = regression
    X, y = X / np.abs(X).max(), y / np.abs(y).max()
    expected = LinearRegression().fit(X, y).coef_
    model = GDLinearRegressor(precompute=precompute)
    one_column = np.array([1, size, 1])
    for X_size, y_size in [(size, 1), (1, size), (size, size), (one_column, 1)]:
        model.fit((X * X_size).astype("float32"), (y * y_size).astype("float32"))
        assert model.coef_.dtype == np.float32
        coef = model.coef_.astype(float) * X_size / y_size
        np.testing.assert_allclose(coef, expected, rtol=1e-3)
        assert np.isfinite(model.predict((X * X_size).astype("float32"))).all()


def test_coefficients_that_overflow_float32_are_named(regression):
    X, y = (array.astype("float32") for array in regression)
    with pytest.raises(ValueError, match=r"overflow float32.*Rescale.*float64"):
        GDLinearRegressor().fit(1e-30 * X, 1e30 * y)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "bool"])
@pytest.mark.parametrize("n_samples", [100, 2000])
def test_other_dtypes_are_those_numbers(dtype, n_samples):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 100, (n_samples, 3)).astype(dtype)
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(n_samples)
    model = GDLinearRegressor().fit(X, y)
    assert model.coef_.dtype == np.float64
    expected = GDLinearRegressor().fit(X.astype(float), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_row_of_weight_zero_has_no_say_in_the_scale(batch_size, container):
    """Beside it, the other rows would be nothing."""
    X = np.array([[1e-170], [2e-170], [4e-170], [1.0]])
    y, weight = np.array([1.0, 2.0, 4.0, 0.0]), [1.0, 1.0, 1.0, 0.0]
    model = GDLinearRegressor(precompute=False, batch_size=batch_size, random_state=0)
    model.fit(container(X), y, weight)
    assert model.score(X[:3], y[:3]) > 0.99


@pytest.mark.parametrize("batch_size", [None, 2**16])
def test_a_row_of_weight_zero_has_no_say_in_the_dtype(batch_size):
    seen = set()

    def loss(prediction, target):
        seen.add(str(prediction.dtype))
        return (prediction - target) ** 2

    # So many rows that float32 saves time.
    X = np.ones((2**18 + 1, 1), "float32")
    X[-1] = 1e25
    y, weight = np.ones(len(X)), np.ones(len(X))
    weight[-1] = 0
    GDLinearRegressor(
        "autograd",
        loss=loss,
        learning_rate=0.01,
        max_iter=2,
        tol=None,
        batch_size=batch_size,
    ).fit(X, y, weight)
    assert seen == {"torch.float32"}
