"""Bad input is refused: the parameter, the value, and what is allowed are named."""

import numpy as np
import pytest
import scipy.sparse as sp

from skgd import GDLinearRegressor

X = np.arange(12.0).reshape(6, 2) % 5
Y = np.array([1.0, 2, 3, 5, 8, 13])
TOO_LARGE = np.array([1e300, 0, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strategy": "magic"}, "'strategy' parameter .* Got 'magic'"),
        ({"strategy": GDLinearRegressor}, "'strategy' parameter"),
        ({"strategy": None}, "'strategy' parameter .* Got None"),
        ({"device": "gpu"}, r"'device' parameter .*'cuda:N'.* Got 'gpu'.*here: 'cpu'"),
        ({"device": 1.5}, "'device' parameter .* Got 1.5"),
        ({"device": "cuda:99"}, "device='cuda:99' is not on this machine"),
        ({"device": "meta"}, "device='meta' is not on this machine"),
        ({"learning_rate": 0}, r"'learning_rate' .* range \(0.0, inf\).* Got 0 "),
        ({"learning_rate": -0.1}, "'learning_rate' .* Got -0.1 "),
        ({"learning_rate": np.nan}, "'learning_rate' .* Got nan "),
        ({"learning_rate": np.inf}, "'learning_rate' .* Got inf "),
        ({"learning_rate": "fast"}, "'learning_rate' .* Got 'fast' "),
        ({"max_iter": 0}, "'max_iter' .* Got 0 "),
        ({"max_iter": 1.5}, "'max_iter' .* Got 1.5 "),
        ({"tol": -1e-3}, "'tol' .* Got -0.001 "),
        ({"standardize": "yes"}, "'standardize' .* Got 'yes' "),
        ({"precompute": 2}, "'precompute' .* Got 2 "),
        ({"tol": "tight"}, "'tol' .* Got 'tight' "),
        ({"fit_intercept": "yes"}, "'fit_intercept' .* Got 'yes' "),
        ({"warm_start": 2}, "'warm_start' .* Got 2 "),
        ({"verbose": -1}, "'verbose' .* Got -1 "),
    ],
)
def test_a_bad_parameter_is_named(params, message):
    model = GDLinearRegressor(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.where(X == 4, np.nan, X), Y), "X contains NaN"),
        ((np.where(X == 4, np.inf, X), Y), "X contains infinity"),
        ((X, np.where(Y == 5, np.nan, Y)), "y contains NaN"),
        ((X, np.where(Y == 5, np.inf, Y)), "y contains infinity"),
        ((X[:, 0], Y), "Expected 2D array, got 1D"),
        ((X[None], Y), "dim 3"),
        ((X, Y[None, None]), "dim 3|Found array"),
        ((X, Y[:-1]), "inconsistent numbers of samples"),
        ((X[:0], Y[:0]), "0 sample"),
        ((X[:, :0], Y), "0 feature"),
        ((X + 1j, Y), "Complex data not supported"),
        ((X, Y + 1j), "Complex data not supported"),
        ((X, None), "requires y to be passed"),
        ((X, ["a"] * 6), "could not convert string"),
        ((X, sp.csr_array(Y[:, None])), "y is a sparse matrix"),
        ((X.astype("float32"), TOO_LARGE), r"too large for float32.*1e\+300"),
        ((X, 1e-200 * Y), r"underflow float64.* 1.3e-199\. Rescale y\.$"),
        ((X, Y, -np.ones(6)), "[Nn]egative values in data passed to `sample_weight`"),
        ((X, Y, np.zeros(6)), "at least one non-zero"),
        ((X, Y, np.ones(5)), r"sample_weight.shape == \(5,\)"),
        ((X, Y, np.ones((6, 1))), "Sample weights must be 1D"),
        ((X, Y, np.full(6, np.nan)), "sample_weight contains NaN"),
        ((X, Y, None, np.ones(3)), r"coef_init has shape \(3,\).*\(2,\)"),
        ((X, Y, None, 1.0), r"coef_init has shape \(\)"),
        ((X, Y, None, [np.nan, 1]), "coef_init contains NaN"),
        ((X, Y, None, [1j, 1]), "Complex data not supported"),
        ((X, Y, None, None, [1, 2]), r"intercept_init has shape \(2,\).*\(1,\)"),
        ((X, Y, None, None, np.inf), "intercept_init contains infinity"),
    ],
)
def test_bad_data_are_named(arguments, message):
    model = GDLinearRegressor()
    with pytest.raises(ValueError, match=message):
        model.fit(*arguments)
    assert not hasattr(model, "n_features_in_")


def test_an_intercept_to_start_from_needs_an_intercept():
    model = GDLinearRegressor(fit_intercept=False)
    with pytest.raises(ValueError, match=r"intercept_init=1.0 .*fit_intercept=False"):
        model.fit(X, Y, intercept_init=1.0)
    model.fit(X, Y, intercept_init=0.0)


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
@pytest.mark.parametrize("values", [(1e200 * X, Y), (X, 1e200 * Y)])
def test_overflowing_squares_are_named(learning_rate, values, precompute):
    model = GDLinearRegressor(
        learning_rate=learning_rate, standardize=False, precompute=precompute
    )
    with pytest.raises(ValueError, match=r"overflow .*float64.* Rescale"):
        model.fit(*values)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_value_among_many_rows_is_named(bad, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5000, 3)).astype(dtype), rng.standard_normal(5000)
    X[4321, 1] = bad
    model = GDLinearRegressor()
    name = "NaN" if np.isnan(bad) else "infinity"
    for weight in (None, rng.uniform(0, 1, 5000)):
        with pytest.raises(ValueError, match=f"X contains {name}"):
            model.fit(X, y, weight)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("precompute", [True, False])
def test_missing_values_are_refused_in_the_name_of_the_estimator(
    convert, precompute, regression
):
    X, y = regression
    X[3, 1] = np.nan
    model = GDLinearRegressor(precompute=precompute)
    with pytest.raises(ValueError, match="GDLinearRegressor does not accept missing"):
        model.fit(convert(X), y)


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_squares_out_of_range_are_told_the_way_out_and_it_leads_there(
    convert, size, regression
):
    X, y = regression
    X[:, 0] *= size * (np.arange(len(y)) % 3 == 0)
    model = GDLinearRegressor(precompute=True)
    with pytest.raises(ValueError, match="or pass precompute=False"):
        model.fit(convert(X), y)
    model.set_params(precompute=False).fit(convert(X), y)
    unscaled = GDLinearRegressor(precompute=False)
    unscaled.fit(convert(X / [size, 1, 1]), y)
    np.testing.assert_allclose(model.coef_ * [size, 1, 1], unscaled.coef_, rtol=1e-6)
