"""White coordinates change the way to the answer, and not the answer or its units."""

import warnings

import numpy as np
import pytest
from by_hand import excess_loss
from conftest import strategies_on
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from skgd import GDLinearRegressor, Moments
from skgd._data.rows import Rows
from skgd._data.whitening import triangle_of, white_coordinates, white_rows


@pytest.fixture(scope="module")
def cancer():
    """Thirty columns, many of which say the same: condition number 316."""
    X, y = load_breast_cancer(return_X_y=True)
    return X, y.astype(float)


def table(rng, n_samples, n_features, n_targets=1):
    """Draw columns that correlate, of any units, and targets."""
    mix = rng.standard_normal((n_features, n_features))
    X = rng.standard_normal((n_samples, n_features)) @ mix
    X = X * 10.0 ** rng.integers(-3, 4, n_features) + rng.integers(0, 50, n_features)
    Y = rng.standard_normal((n_samples, n_targets)) + 3
    return X, Y + (X - X.mean(axis=0)) / X.std(axis=0) @ rng.standard_normal(
        (n_features, n_targets)
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    centered=st.booleans(),
    weighted=st.booleans(),
    collinear=st.booleans(),
    l2=st.sampled_from([0.0, 1e-3, 10.0]),
)
def test_columns_do_not_correlate_and_models_stay_what_they_are(
    seed, centered, weighted, collinear, l2
):
    rng = np.random.default_rng(seed)
    X, Y = table(rng, 40, 4, 2)
    if collinear:
        X[:, 3] = -2 * X[:, 0]  # to the last digit
    w = rng.uniform(0.1, 3, 40) if weighted else np.ones(40)
    w /= w.mean()
    rows = Rows(X, Y, w)
    moments = Moments.from_data(X, Y, w)
    triangle = triangle_of(moments, rows, centered=centered, l2=l2)
    mean = moments.mean * centered
    coordinates = white_coordinates(triangle, mean[:4], mean[4:], mean[:4], l2=l2)
    A, B, _ = coordinates.rows(rows)

    # With the squares of the coefficients there, that the objective adds.
    penalty = np.zeros(4)
    if l2:
        penalty = l2 / coordinates.coef_scale[:, 0] ** 2
    kept = 4 if l2 or not collinear else 3
    identity = np.diag(np.arange(4) < kept)
    if l2:
        identity = np.eye(4)
    np.testing.assert_allclose(
        A.T @ (w[:, None] * A) / 40 + np.diag(penalty), identity, atol=1e-7
    )

    coef, intercept = rng.standard_normal((4, 2)), [rng.standard_normal(2)] * centered
    there = coordinates.from_user((coef, *intercept))
    residuals = X @ coef + sum(intercept) - Y
    scale = np.abs(residuals).max()
    np.testing.assert_allclose(
        A @ there[0] + sum(there[1:]) - B, residuals, atol=1e-8 * scale
    )
    back = coordinates.keeping(coef).to_user(there, coef.dtype)
    for one, other in zip(back, (coef, *intercept), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7 * scale)
    gradients = A.T @ residuals, *[residuals.sum(axis=0)] * centered
    user_gradient, *_ = coordinates.user_gradients(gradients)
    expected = X.T @ residuals
    np.testing.assert_allclose(
        user_gradient, expected, atol=1e-7 * np.abs(X).max() * 40 * scale
    )
    if l2:  # the penalty is that of the user's units
        np.testing.assert_allclose(
            (penalty[:, None] * there[0] ** 2).sum(axis=0),
            l2 * (coef**2).sum(axis=0),
            rtol=1e-4,
        )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    centered=st.booleans(),
    l2=st.sampled_from([0.0, 0.1]),
)
def test_few_white_rows_have_the_loss_of_all(seed, centered, l2):
    """And that of a penalty of squares, which is data there."""
    rng = np.random.default_rng(seed)
    X, Y = table(rng, 40, 4, 2)
    moments = Moments.from_data(X, Y)
    triangle = triangle_of(moments, Rows(X, Y, None), centered=centered, l2=l2)
    mean = moments.mean * centered
    coordinates = white_coordinates(triangle, mean[:4], mean[4:], mean[:4])
    few = white_rows(triangle, centered=centered)
    coef = rng.standard_normal((4, 2))
    intercept = [rng.standard_normal(2)] * centered
    there = coordinates.from_user((coef, *intercept))
    loss = ((few.X @ there[0] + sum(there[1:]) - few.y) ** 2).mean(axis=0)
    expected = ((X @ coef + sum(intercept) - Y) ** 2).mean(axis=0)
    np.testing.assert_allclose(loss, expected + l2 * (coef**2).sum(axis=0), rtol=1e-7)


@pytest.mark.parametrize("precompute", ["auto", False])
@pytest.mark.parametrize("alpha", [0.0, 0.01])
def test_the_answer_is_one_step_away(strategy, cancer, alpha, precompute):
    X, y = cancer
    model = GDLinearRegressor(strategy, alpha=alpha, precompute=precompute).fit(X, y)
    assert model.n_iter_ == 2
    direct = Ridge(alpha * len(y), solver="svd") if alpha else LinearRegression()
    expected = direct.fit(X - X.mean(axis=0), y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-7, atol=1e-9)
    penalty = alpha * np.sum(model.coef_**2)
    assert model.loss_curve_[0] == pytest.approx(y.var())
    assert model.loss_curve_[1] == pytest.approx(
        ((model.predict(X) - y) ** 2).mean() + penalty
    )


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": 0.1},
        {"learning_rate": 0.1, "alpha": 0.1, "precompute": False},
        {"learning_rate": 0.05, "batch_size": 16, "shuffle": False},
        {"learning_rate": 0.3, "loss": "huber", "epsilon": 30.0},
        {"learning_rate": 0.1, "early_stopping": True, "random_state": 0},
    ],
    ids=str,
)
def test_the_strategies_walk_the_same_white_iterates(params):
    X, y = load_diabetes(return_X_y=True, scaled=False)
    Y = np.column_stack([y, X[:, 0] + y])
    models = [
        GDLinearRegressor(s, whiten=True, max_iter=20, tol=None, **params).fit(X, Y)
        for s in ("manual", "autograd", "module")
    ]
    for model in models[1:]:
        np.testing.assert_allclose(model.coef_, models[0].coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(model.loss_curve_, models[0].loss_curve_, rtol=1e-9)


def test_a_float_rate_takes_its_share_of_newton_s_step(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(
        strategy, learning_rate=0.1, whiten=True, max_iter=3, tol=None
    ).fit(X, y)
    expected = (1 - (1 - 2 * 0.1) ** 3) * LinearRegression().fit(X, y).coef_
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)


def test_tol_bounds_the_excess_loss(cancer):
    """By tol^2 / (1 - tol^2) of the least loss."""
    X, y = cancer
    for tol in (0.5, 0.1, 1e-2, 1e-3):
        for rate in (0.05, 0.3):
            model = GDLinearRegressor(learning_rate=rate, whiten=True, tol=tol)
            excess = excess_loss(model.fit(X, y).predict(X), X, y)
            assert excess <= tol**2 / (1 - tol**2) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("strategy", "whiten"),
    strategies_on([("auto",), (False,)], few=[("auto",)]),
)
def test_batches_come_far_nearer(strategy, whiten, cancer):
    X, y = cancer
    model = GDLinearRegressor(strategy, whiten=whiten, batch_size=64, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.set_params(max_iter=60).fit(X, y)
    excess = excess_loss(model.predict(X), X, y)
    assert (excess < 1e-3) == (whiten == "auto")


@pytest.mark.parametrize("params", [{}, {"loss": "huber"}], ids=str)
def test_a_stream_is_whitened_by_all_rows_so_far(params, strategy):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 6)) + 5 * rng.standard_normal((6000, 1))
    y = X @ np.arange(6.0) + rng.standard_normal(6000) + 10
    model = GDLinearRegressor(strategy, batch_size=32, random_state=0, **params)
    excess = {}
    for whiten in ("auto", False):
        stream = clone(model).set_params(whiten=whiten, epsilon=30.0)
        for first in range(0, 6000, 100):
            part = slice(first, first + 100)
            stream.partial_fit(X[part], y[part])
        excess[whiten] = excess_loss(stream.predict(X), X, y)
    assert excess["auto"] < 0.1
    assert excess["auto"] < 0.5 * excess[False]


@pytest.mark.parametrize("batch_size", [1, 10, 100])
@pytest.mark.parametrize("change", ["tiny at first", "collinear at first"])
def test_directions_that_appear_late_do_not_ruin_a_stream(change, batch_size):
    """Of what a first chunk hardly shows, a coefficient is mostly noise."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        model = GDLinearRegressor(batch_size=batch_size, random_state=0)
        for k in range(20):
            X = rng.standard_normal((100, 5))
            if k < 3 and change == "tiny at first":
                X[:, 0] *= 1e-6
            elif k < 3:
                X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]
            y = X @ [1.0, 2, 3, 4, 5] + 0.1 * rng.standard_normal(100)
            model.partial_fit(X, y)
        X = rng.standard_normal((500, 5))
        assert model.score(X, X @ [1.0, 2, 3, 4, 5]) > 0.98


def test_a_stream_without_intercept_is_about_zero(strategy):
    """Columns far from zero vary along their mean as well."""
    rng = np.random.default_rng(0)
    model = GDLinearRegressor(
        strategy, batch_size=20, fit_intercept=False, random_state=0
    )
    for _ in range(40):
        X = 5 + rng.standard_normal((100, 3))
        model.partial_fit(X, X @ [1.0, 2, 3] + 0.1 * rng.standard_normal(100))
    assert abs(X @ model.coef_ - X @ [1.0, 2, 3]).max() < 0.2


def test_slow_batches_are_told_of_whitening_where_it_was_not_chosen():
    X = np.random.default_rng(0).standard_normal((2000, 501))
    X += X[:, :1] * 3
    model = GDLinearRegressor(batch_size=64, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"use whiten=True, or batch_size=None"):
        model.fit(X, X[:, 0] + X[:, 1])


def streamed(X, y, **params):
    """Fit in five chunks; return the model, and what was said."""
    model = GDLinearRegressor(**params)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for part in np.array_split(np.arange(len(y)), 5):
            model.partial_fit(X[part], y[part])
    return model, " ".join(str(warning.message) for warning in caught)


def test_a_stream_says_what_its_moments_do_not_resolve():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(3000)
    near = np.column_stack([x, x + 1e-9 * rng.standard_normal(3000)])
    year = rng.integers(1950, 2024, 3000).astype(float)
    powers = np.vander(year, 5)[:, :-1]
    for X in (near, powers):
        y = X[:, 0] / X[:, 0].std() + rng.standard_normal(3000)
        _, said = streamed(X, y)
        assert "moments of a stream tell them apart poorly" in said
    assert "moments of a stream" in streamed(powers, y, alpha=1e-12)[1]
    dummies = np.eye(4)[rng.integers(0, 4, 3000)]
    for X in (dummies, np.column_stack([dummies, year, x, x, dummies[:, ::-1]])):
        y = X[:, 0] + rng.standard_normal(3000)
        model, said = streamed(X, y)
        assert not said
        expected = LinearRegression().fit(X, y).predict(X)
        np.testing.assert_allclose(model.predict(X), expected, atol=1e-6)


def test_weights_decide_which_sparse_columns_are_filled():
    rng = np.random.default_rng(0)
    X = 1e8 * np.eye(2)[:1] + rng.standard_normal((2000, 2))
    X[:25, 0] = 0
    y = np.where(X[:, 0] == 0, 0, X[:, 0] - 1e8) + X[:, 1]
    for weight in (1e-20, 0.0):
        w = np.where(X[:, 0] == 0, weight, 1.0)
        model = GDLinearRegressor().fit(csr_array(X), y, w)
        assert model.score(X[25:], y[25:]) > 1 - 1e-6
        moments = Moments.from_data(csr_array(X), y, w)
        expected = Moments.from_data(X, y, w)
        np.testing.assert_allclose(moments.scatter, expected.scatter, rtol=1e-6)


@pytest.mark.parametrize("params", [{}, {"batch_size": 8}, {"loss": "huber"}], ids=str)
def test_huge_values_do_no_more_than_they_should(params):
    X = np.random.default_rng(0).standard_normal((50, 3)) * 1e160
    y = X[:, 0] / 1e160
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model = GDLinearRegressor(random_state=0, **params).fit(X, y)
    assert model.score(X, y) > 0.99


def test_a_target_far_from_zero_is_named_as_the_cause():
    X = np.random.default_rng(0).standard_normal((50, 3)).astype("float32")
    with pytest.warns(ConvergenceWarning, match="intercept is too large.*y lies far"):
        GDLinearRegressor().fit(X, X[:, 0] + 1e5)


def test_sparse_rows_that_are_few_are_white_as_well(strategy, cancer):
    X, y = cancer
    for params in ({"batch_size": 64, "random_state": 0}, {"loss": "huber"}):
        model = GDLinearRegressor(strategy, max_iter=60, **params)
        dense = clone(model).fit(X, y)
        sparse = model.fit(csr_array(X), y)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": 0.1, "l1_ratio": 0.5}, r"whiten=True mixes.*alpha=0.1.*l1_ratio"),
        ({"positive": True}, r"whiten=True mixes.*positive=True"),
        ({"standardize": False}, r"whiten=True includes.*standardize=False"),
    ],
)
def test_what_white_coordinates_exclude_is_named(params, message, regression):
    with pytest.raises(ValueError, match=message):
        GDLinearRegressor(whiten=True, **params).fit(*regression)


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_matrix_that_is_too_large_is_said_in_gigabytes(batch_size):
    X = csr_array(np.eye(4, 100_000))
    model = GDLinearRegressor(whiten=True, batch_size=batch_size)
    with pytest.raises(ValueError, match=r"whiten=True.*100000 80\.0 GB"):
        model.fit(X, np.arange(4.0))
    assert not hasattr(model, "coef_")
    model.set_params(whiten="auto").fit(X, np.arange(4.0))


@pytest.mark.parametrize(
    "parameter",
    [{"early_stopping": True}, {"positive": True}, {"alpha": 1.0, "l1_ratio": 1.0}],
    ids=str,
)
def test_auto_leaves_out_where_another_path_matters(parameter, regression):
    model = GDLinearRegressor(max_iter=500, random_state=0, **parameter)
    one = clone(model).fit(*regression)
    other = clone(model).set_params(whiten=False).fit(*regression)
    assert np.array_equal(one.coef_, other.coef_)
    assert one.n_iter_ == other.n_iter_


def test_the_model_that_rounding_spoils_is_warned_of():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200)
    near = x + 1e-6 * rng.standard_normal(200)
    X, y = np.column_stack([x, near]).astype("float32"), (near - x) * 1e6
    with pytest.warns(ConvergenceWarning, match=r"too large for float32.*float64"):
        GDLinearRegressor().fit(X, y)
    X = np.column_stack([x, near])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert GDLinearRegressor().fit(X, y).score(X, y) > 1 - 1e-6


def test_a_tol_that_rounding_puts_out_of_reach_is_said():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200_000, 2)).astype("float32")
    y = (X @ [1.0, 2.0] + 1e-3 * rng.standard_normal(200_000)).astype("float32")
    model = GDLinearRegressor(
        learning_rate=0.4, precompute=False, tol=1e-6, max_iter=200
    )
    with pytest.warns(ConvergenceWarning, match=r"tol=1e-06 is out of reach.*float64"):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(tol=0.0).fit(X, y)


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"whiten": False},
        {"fit_intercept": False},
        {"learning_rate": 0.05, "standardize": True},
        {"learning_rate": 0.05, "whiten": True},
        {"loss": "huber", "epsilon": 0.5},
        {"batch_size": 4, "random_state": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", [np.asarray, csr_array])
def test_coefficients_of_collinear_columns_are_shortest_where_standardized(
    params, wide, layout
):
    X, y = collinear(wide=wide)
    model = GDLinearRegressor(max_iter=5000, **params).fit(layout(X), y)
    scale = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / scale
    if not model.fit_intercept:
        scale = np.sqrt((X**2).mean(axis=0))
        Z = X / scale
    standardized = scale * model.coef_
    predict_zero = null_space(Z, rcond=1e-10)
    assert predict_zero.shape[1] > 0
    components = predict_zero.T @ standardized
    assert np.linalg.norm(components) < 1e-7 * np.linalg.norm(standardized)


def test_in_the_user_s_units_the_shortest_count_the_intercept():
    X, y = collinear(wide=False)
    model = GDLinearRegressor(learning_rate=0.01, max_iter=20_000).fit(X, y)
    parameters = np.append(model.coef_, model.intercept_)
    predict_zero = null_space(np.column_stack([X, np.ones(len(X))]), rcond=1e-10)
    assert predict_zero.shape[1] > 0
    components = predict_zero.T @ parameters
    assert np.linalg.norm(components) < 1e-7 * np.linalg.norm(parameters)


def test_what_predicts_zero_stays_as_the_descent_starts_with_it():
    X, y = collinear(wide=False)
    (predicts_zero,) = null_space((X - X.mean(axis=0)), rcond=1e-10).T
    model, moved = GDLinearRegressor().fit(X, y), GDLinearRegressor()
    moved.fit(X, y, coef_init=5 * predicts_zero)
    np.testing.assert_allclose(moved.coef_, model.coef_ + 5 * predicts_zero)
    np.testing.assert_allclose(moved.predict(X), model.predict(X))


def collinear(*, wide):
    """Return a table whose last column is a sum of others, or with few rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8 if wide else 40, 12 if wide else 3)) + 1
    X[:, 1] *= 3
    X[:, 2] = 2 * X[:, 0] + X[:, 1]
    return X, X[:, 0] + X[:, 1] + rng.standard_normal(len(X))
