"""Penalties and bounds: ElasticNet's minimum, from every strategy, with exact zeros."""

import functools
import warnings
from itertools import product

import numpy as np
import pytest
import torch
from by_hand import descend
from conftest import strategies_on, without_address
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from torch import nn

from skgd import DivergenceError, GDLinearRegressor, Moments
from skgd._objective.penalties import Penalty
from skgd.strategies import ManualStrategy, ModuleStrategy

PENALTIES = [(0.1, 0.0), (1.0, 0.0), (0.5, 0.5), (2.0, 1.0)]


def objective(model, X, y, weight=None):
    """Twice ElasticNet's objective, summed over targets."""
    squares = (model.predict(X) - y).reshape(len(y), -1) ** 2
    ridge, lasso = (model.coef_**2).sum(), np.abs(model.coef_).sum()
    return (
        np.average(squares, axis=0, weights=weight).sum()
        + model.alpha * (1 - model.l1_ratio) * ridge
        + 2 * model.alpha * model.l1_ratio * lasso
    )


@functools.cache
def diabetes(scaled):
    return load_diabetes(return_X_y=True, scaled=scaled)


@functools.cache
def elastic_net(scaled, alpha, l1_ratio, positive=False):
    model = ElasticNet(
        alpha=alpha, l1_ratio=l1_ratio, positive=positive, tol=1e-12, max_iter=10**4
    )
    with warnings.catch_warnings():
        # Its duality gap is not defined without an L1 penalty: it runs to the end.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*diabetes(scaled))


@pytest.mark.parametrize(
    ("strategy", "penalty", "positive", "scaled", "precompute"),
    strategies_on(
        product(PENALTIES, [True, False], [True, False], [True, False]),
        few=product(PENALTIES[1:3], [True, False], [False], [False]),
    ),
)
def test_it_has_the_minimum_of_elastic_net(
    strategy, penalty, positive, scaled, precompute
):
    alpha, l1_ratio = penalty
    X, y = diabetes(scaled)
    model = GDLinearRegressor(
        strategy,
        alpha=alpha,
        l1_ratio=l1_ratio,
        positive=positive,
        precompute=precompute,
        tol=1e-8,
    ).fit(X, y)
    expected = elastic_net(scaled, alpha, l1_ratio, positive)
    assert objective(model, X, y) <= (1 + 1e-6) * objective(expected, X, y)
    assert np.array_equal(model.coef_ == 0, expected.coef_ == 0)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)


@pytest.mark.parametrize(
    ("strategy", "precompute", "scaled"),
    strategies_on(product([True, False], [True, False]), few=[(False, False)]),
)
def test_nonnegative_least_squares_is_that_of_linear_regression(
    strategy, precompute, scaled
):
    X, y = diabetes(scaled)
    expected = LinearRegression(positive=True).fit(X, y)
    model = GDLinearRegressor(
        strategy, positive=True, precompute=precompute, tol=1e-7
    ).fit(X, y)
    assert np.array_equal(model.coef_ == 0, expected.coef_ == 0)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)
    assert model.intercept_ == pytest.approx(expected.intercept_, rel=1e-3)


def test_ridge_is_that_of_alpha_times_the_rows(strategy, two_targets):
    X, Y = two_targets
    expected = Ridge(alpha=0.3 * len(X)).fit(X, Y)
    model = GDLinearRegressor(strategy, alpha=0.3, tol=1e-9).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("precompute", [True, False])
def test_weights_count_as_in_elastic_net(
    strategy, precompute, fit_intercept, regression
):
    X, y = regression
    weight = np.arange(40) % 4
    params = {"alpha": 0.4, "l1_ratio": 0.7, "fit_intercept": fit_intercept}
    expected = ElasticNet(**params, tol=1e-12).fit(X, y, weight)
    model = GDLinearRegressor(strategy, precompute=precompute, tol=1e-9, **params)
    model.fit(X, y, weight)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-6)


@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
def test_targets_do_not_mix(strategy, learning_rate, two_targets):
    X, Y = two_targets
    Y = Y * [1, 1000]
    model = GDLinearRegressor(
        strategy,
        learning_rate=learning_rate,
        alpha=5,
        l1_ratio=0.9,
        max_iter=60,
        tol=None,
    )
    both = clone(model).fit(X, Y)
    for t in range(2):
        one = clone(model).fit(X, Y[:, t])
        np.testing.assert_allclose(both.coef_[t], one.coef_, rtol=1e-9, atol=1e-12)
    assert (both.coef_ == 0).any()


@pytest.mark.parametrize("standardize", [True, False])
def test_standardizing_changes_the_way_and_not_the_penalty(standardize, regression):
    X, y = regression
    X = X * [1, 10, 0.1]
    model = GDLinearRegressor(
        alpha=0.5, l1_ratio=0.5, standardize=standardize, tol=1e-8
    )
    expected = ElasticNet(alpha=0.5, l1_ratio=0.5, tol=1e-12).fit(X, y)
    model.set_params(max_iter=20_000).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-4, atol=1e-12)
    assert (model.coef_ == 0).any()


@pytest.mark.parametrize("batch_size", [40, 12])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.3, 0.0), (0.3, 0.6), (0.3, 1.0)])
def test_a_float_rate_is_textbook_proximal_descent(
    strategy, alpha, l1_ratio, positive, batch_size, regression
):
    X, y = regression
    penalty = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive}
    expected = descend(
        X,
        y,
        0.05,
        epochs=15,
        batch_size=batch_size,
        l2=alpha * (1 - l1_ratio),
        l1=2 * alpha * l1_ratio,
        positive=positive,
    )
    model = GDLinearRegressor(
        strategy,
        learning_rate=0.05,
        batch_size=batch_size,
        shuffle=False,
        max_iter=15,
        tol=None,
        **penalty,
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef, rtol=1e-9, atol=1e-12)
    assert model.intercept_ == pytest.approx(expected.intercept, rel=1e-9)
    np.testing.assert_allclose(model.loss_curve_, expected.losses, rtol=1e-9)


@pytest.mark.parametrize(
    ("strategy", "sparse"), strategies_on([(False,), (True,)], few=[(False,)])
)
def test_batches_come_to_the_minimum_of_the_users_units(strategy, sparse):
    rng = np.random.default_rng(0)
    scale = np.array([1, 10, 0.1, 3, 5, 2])
    X = rng.standard_normal((2000, 6)) * scale * (rng.random((2000, 6)) < 0.7)
    y = X @ (np.array([3, -2, 0, 0.05, 1, 0]) / scale) + rng.standard_normal(2000)
    params = {"alpha": 0.2, "l1_ratio": 0.8}
    expected = ElasticNet(**params, tol=1e-12).fit(X, y)
    model = GDLinearRegressor(strategy, batch_size=64, random_state=0, **params)
    model.fit(csr_array(X) if sparse else X, y)
    assert objective(model, X, y) <= 1.001 * objective(expected, X, y)
    assert np.array_equal(model.coef_ == 0, expected.coef_ == 0)
    assert model.loss_curve_[-1] == pytest.approx(objective(expected, X, y), rel=1e-2)


@pytest.mark.parametrize("n_features", [5, 80])
def test_sparse_rows_have_the_same_minimum(n_features):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, n_features)) * (rng.random((60, n_features)) < 0.3)
    y = X[:, 0] + 0.1 * rng.standard_normal(60) + 3
    params = {"alpha": 0.02, "l1_ratio": 0.5}
    expected = ElasticNet(**params, tol=1e-12).fit(X, y)
    for precompute in (True, False):
        model = GDLinearRegressor(precompute=precompute, tol=1e-8, **params)
        model.fit(csr_array(X), y)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)
        assert np.array_equal(model.coef_ == 0, expected.coef_ == 0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_penalty_large_enough_leaves_the_mean(dtype, regression):
    X, y = (array.astype(dtype) for array in regression)
    model = GDLinearRegressor(alpha=1e6, l1_ratio=0.5).fit(X, y)
    assert np.array_equal(model.coef_, np.zeros(3))
    assert not np.signbit(model.coef_).any()
    assert model.intercept_ == pytest.approx(y.mean(), rel=1e-6)
    assert model.coef_.dtype == dtype
    assert model.n_iter_ <= 3


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 1.0, 1e3, 1e6])
def test_units_are_no_matter_to_the_number_of_epochs(dtype, alpha):
    """With units in its condition number, these would take up to 10^10."""
    rng = np.random.default_rng(0)
    scale = np.array([1e-3, 1, 1e3, 1e5])
    X = (rng.standard_normal((100, 4)) * scale).astype(dtype)
    y = (X @ (1 / scale) + 0.1 * rng.standard_normal(100)).astype(dtype)
    model = GDLinearRegressor(alpha=alpha, tol=1e-6).fit(X, y)
    A = np.vstack([X - X.mean(axis=0), np.sqrt(alpha * 100) * np.eye(4)]) / scale
    expected = np.linalg.lstsq(A, np.append(y - y.mean(), np.zeros(4)))[0] / scale
    tolerance = {"float64": 1e-5, "float32": 1e-3}[dtype]
    atol = tolerance * np.abs(expected * scale).max()
    np.testing.assert_allclose(model.coef_ * scale, expected * scale, atol=atol)
    assert model.n_iter_ < 60


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1e9])
def test_a_constant_column_goes_to_zero(precompute, alpha, regression):
    X, y = regression
    X = np.column_stack([X, np.full(40, 7.0)])
    model = GDLinearRegressor(alpha=alpha, precompute=precompute).fit(X, y)
    assert model.coef_[-1] == 0
    if alpha:
        for l1_ratio in (0.0, 1.0):
            model.set_params(l1_ratio=l1_ratio).fit(X, y, coef_init=[0, 0, 0, 5])
            assert model.coef_[-1] == 0


def test_a_column_of_zeros_goes_to_zero_with_a_float_rate(regression):
    X, y = regression
    X = np.column_stack([X, np.zeros(40)])
    model = GDLinearRegressor(learning_rate=0.1, alpha=0.1, l1_ratio=1.0, max_iter=5000)
    assert model.fit(X, y, coef_init=[0, 0, 0, 5]).coef_[-1] == 0


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_an_alpha_out_of_range_is_named(l1_ratio, regression):
    X, y = regression
    model = GDLinearRegressor(alpha=1e308, l1_ratio=l1_ratio, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"alpha=1e\+308.*overflows float64"):
        model.fit(X, y)


def test_a_start_outside_the_bound_is_brought_in(regression):
    X, y = regression
    least_squares = LinearRegression().fit(X, y)
    assert (least_squares.coef_ < 0).any()  # below the loss of any that is allowed
    for learning_rate in ("auto", 0.05):
        model = GDLinearRegressor(
            positive=True, learning_rate=learning_rate, max_iter=5000
        )
        model.fit(X, y, coef_init=least_squares.coef_)
        assert (model.coef_ >= 0).all()


@pytest.mark.parametrize("params", [{"max_iter": 7, "tol": None}, {"average": True}])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_bounds_hold_wherever_a_descent_ends(params, batch_size, regression):
    X, y = regression
    model = GDLinearRegressor(
        positive=True, batch_size=batch_size, random_state=0, **params
    )
    model.fit(X, -y)
    assert (model.coef_ >= 0).all()
    model.set_params(early_stopping=True).fit(X, -y)
    assert (model.coef_ >= 0).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), log_tol=st.floats(-3, -0.5))
def test_bounds_hold_where_tol_is_met_on_the_way(seed, log_tol):
    """Momentum carries coefficients beyond them, and tol is asked there."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 8)) @ rng.standard_normal((8, 8))
    y = X @ rng.standard_normal(8) + rng.standard_normal(30)
    model = GDLinearRegressor(positive=True, tol=10.0**log_tol).fit(X, y)
    assert (model.coef_ >= 0).all()
    model.set_params(positive=False, alpha=1.0, l1_ratio=1.0).fit(X, y)
    gradient = 2 / 30 * X.T @ (model.predict(X) - y)
    assert (np.abs(gradient[model.coef_ == 0]) < 2 + 10.0**log_tol * 100).all()


def test_a_target_that_can_be_met_is_not_the_minimum_of_a_penalty():
    """With so many columns many models meet it; the lasso wants the sparse one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 60))
    y = X[:, :3] @ [1.0, 2.0, 3.0]
    model = GDLinearRegressor(alpha=1e-3, l1_ratio=1.0, tol=3e-2, max_iter=20_000)
    expected = ElasticNet(alpha=1e-3, l1_ratio=1.0, tol=1e-10, max_iter=10**6)
    least = objective(expected.fit(X, y), X, y)
    assert objective(model.fit(X, y), X, y) <= 1.001 * least


def test_a_stream_ends_where_one_fit_does(regression):
    X, y = regression
    params = {"alpha": 0.5, "l1_ratio": 0.6, "tol": 1e-9}
    whole = GDLinearRegressor(**params).fit(X, y)
    stream = GDLinearRegressor(**params)
    for first in range(0, 40, 10):
        stream.partial_fit(X[first : first + 10], y[first : first + 10])
    np.testing.assert_allclose(stream.coef_, whole.coef_, rtol=1e-6)


def test_a_stream_of_batches_is_penalised_in_the_users_units():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 3)) * [1, 20, 0.2] + [0, 50, 1]
    y = X @ [1.0, 0.05, 0.0] + rng.standard_normal(6000)
    params = {"alpha": 0.3, "l1_ratio": 0.5}
    expected = ElasticNet(**params, tol=1e-12).fit(X, y)
    model = GDLinearRegressor(batch_size=20, random_state=0, **params)
    for first in range(0, 6000, 500):
        model.partial_fit(X[first : first + 500], y[first : first + 500])
    assert objective(model, X, y) <= 1.01 * objective(expected, X, y)


def test_parameters_may_change_between_chunks(regression):
    X, y = regression
    model = GDLinearRegressor(batch_size=5, average=True, random_state=0)
    before = model.partial_fit(X, y).coef_
    assert (before < 0).any()
    model.set_params(alpha=100.0, learning_rate=1e-12, standardize=True)
    np.testing.assert_allclose(model.partial_fit(X, y).coef_, before, rtol=0.5)
    model.set_params(positive=True)
    assert (model.partial_fit(X, y).coef_ >= 0).all()


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(5.0, 0.0), (5.0, 0.5), (0.1, 1.0)])
def test_the_largest_stable_rate_is_that_of_the_penalised_objective(
    alpha, l1_ratio, regression
):
    X, y = regression
    params = {"alpha": alpha, "l1_ratio": l1_ratio}
    model = GDLinearRegressor(learning_rate=1e3, **params)
    with pytest.raises(DivergenceError) as failure:
        model.fit(X, y)
    stable = failure.value.largest_stable_learning_rate
    model.set_params(learning_rate=0.99 * stable, max_iter=5000).fit(X, y)
    expected = ElasticNet(**params, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-3)
    if l1_ratio == 0:
        with pytest.raises(DivergenceError):
            model.set_params(learning_rate=1.01 * stable, max_iter=5000).fit(X, y)


def test_a_path_of_warm_starts_is_that_of_elastic_net():
    X, y = diabetes(True)
    few_rows, few_targets = Moments.from_data(X, y).condense()
    model = GDLinearRegressor(l1_ratio=1.0, warm_start=True, tol=1e-6)
    for alpha in np.geomspace(3, 0.003, 10):
        model.set_params(alpha=alpha).fit(few_rows, few_targets)
        expected = ElasticNet(alpha=alpha, l1_ratio=1.0, tol=1e-12, max_iter=10**6)
        expected.fit(X, y)
        assert np.array_equal(model.coef_ == 0, expected.coef_ == 0)
        assert objective(model, X, y) <= (1 + 1e-6) * objective(expected, X, y)


def test_a_grid_search_finds_an_alpha():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 30))
    y = 2 * X[:, 0] + rng.standard_normal(60)
    search = GridSearchCV(
        GDLinearRegressor(l1_ratio=1.0), {"alpha": [0, 1e-3, 0.2, 10]}
    ).fit(X, y)
    assert search.best_params_ == {"alpha": 0.2}


coefficients = st.lists(st.floats(-5, 5), min_size=3, max_size=3)


@settings(max_examples=200, deadline=None)
@given(
    coef=coefficients,
    gradient=coefficients,
    l1=st.none() | st.lists(st.floats(0, 3), min_size=3, max_size=3),
    positive=st.booleans(),
    rate=st.floats(0.01, 2),
)
def test_the_prox_is_the_minimiser(coef, gradient, l1, positive, rate):
    l1 = None if l1 is None else np.array(l1)[:, None]
    penalty = Penalty(l1=l1, positive=positive or l1 is None)
    coef, gradient = np.array([coef, gradient])[:, :, None]
    point = penalty.prox(coef, rate)
    step = coef - point  # rate times a subgradient at the point
    threshold = 0 if l1 is None else rate * l1
    at_zero = point == 0
    assert (point >= 0).all() or not penalty.positive
    np.testing.assert_allclose(
        (step - threshold * np.sign(point))[~at_zero], 0, atol=1e-12
    )
    inside = (step <= threshold + 1e-12) & (
        penalty.positive | (step >= -threshold - 1e-12)
    )
    assert inside[at_zero].all()
    tensors = Penalty(
        l1=None if l1 is None else torch.tensor(l1), positive=penalty.positive
    )
    assert np.array_equal(tensors.prox(torch.tensor(coef), rate).numpy(), point)
    # A proximal step is one along the mapping.
    mapping = penalty.gradient_mapping(coef, gradient, rate)
    stepped = penalty.prox(coef - rate * gradient, rate)
    np.testing.assert_allclose(coef - rate * mapping, stepped, atol=1e-12)


@given(
    coef=st.one_of(st.just(0.0), st.floats(1e-3, 5), st.floats(-5, -1e-3)),
    gradient=st.one_of(st.just(0.0), st.floats(1e-3, 5), st.floats(-5, -1e-3)),
    l1=st.floats(1e-3, 4),
    bound=st.sampled_from(["none", "alone", "and L1"]),
    log_rate=st.floats(-300, 0),
)
def test_the_mapping_is_zero_just_at_a_minimum_however_small_the_step(
    coef, gradient, l1, bound, log_rate
):
    """By the conditions of a minimum, which know of no step."""
    l1 = 0.0 if bound == "alone" else l1
    penalty = Penalty(l1=np.array([[l1]]) if l1 else None, positive=bound != "none")
    coef = abs(coef) if penalty.positive else coef
    mapping = penalty.gradient_mapping(
        np.array([[coef]]), np.array([[gradient]]), 10**log_rate
    )
    if coef:
        is_minimum = gradient + np.sign(coef) * l1 == 0
    elif penalty.positive:
        is_minimum = gradient + l1 >= 0
    else:
        is_minimum = abs(gradient) <= l1
    assert (mapping == 0) == is_minimum


@pytest.mark.parametrize(
    "penalty", [{"alpha": 0.1, "l1_ratio": 1.0}, {"positive": True}]
)
@pytest.mark.parametrize("first", [0, 3])
def test_steps_of_no_length_are_no_arrival(penalty, first, regression, capsys):
    model = GDLinearRegressor(
        learning_rate=0.05,
        schedule=lambda step: float(step < first),
        max_iter=6,
        verbose=1,
        **penalty,
    )
    with pytest.warns(ConvergenceWarning, match=r"is 0\.\d+, and tol=0.0001"):
        model.fit(*regression)
    assert "nan" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": -1.0}, r"'alpha' parameter .* range \[0.0, inf\) .*Got -1.0"),
        ({"l1_ratio": 1.5}, r"'l1_ratio' parameter .* range \[0.0, 1.0\]\. Got 1.5"),
        ({"l1_ratio": -0.5}, "'l1_ratio' parameter .* Got -0.5"),
        ({"positive": "yes"}, "'positive' parameter .* Got 'yes'"),
        ({"alpha": np.nan}, "'alpha' parameter"),
        ({"alpha": np.inf}, "'alpha' parameter"),
    ],
)
def test_bad_penalties_are_named(params, message, regression):
    model = GDLinearRegressor(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(*regression)
    assert not hasattr(model, "n_features_in_")


def stacked(n_features, n_targets):
    """Two nn.Linear, one on the other."""
    return nn.Sequential(nn.Linear(n_features, 4), nn.Linear(4, n_targets))


OTHER_STEPS = [
    ModuleStrategy(optimizer=torch.optim.Adam),
    ModuleStrategy(optimizer_params={"momentum": 0.9}),
    ModuleStrategy(stacked),
]


@pytest.mark.parametrize("strategy", OTHER_STEPS, ids=without_address)
@pytest.mark.parametrize(
    "params", [{"alpha": 0.1, "l1_ratio": 0.5}, {"positive": True}]
)
def test_proximal_steps_are_refused_where_steps_are_not_plain(
    strategy, params, regression
):
    model = GDLinearRegressor(strategy, learning_rate=0.01, **params)
    with pytest.raises(ValueError, match=r"(alpha|positive).*proximal.*strategy='mod"):
        model.fit(*regression)


@pytest.mark.parametrize("strategy", OTHER_STEPS, ids=without_address)
def test_a_ridge_is_for_every_optimizer_and_module(strategy, two_targets):
    X, Y = two_targets
    torch.manual_seed(0)
    model = GDLinearRegressor(
        strategy, learning_rate=0.02, alpha=0.3, max_iter=5000, tol=1e-4
    ).fit(X, Y)
    expected = Ridge(alpha=0.3 * len(X)).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-2)
    assert model.loss_curve_[-1] == pytest.approx(objective(model, X, Y), rel=1e-3)


class WithoutPenalty(ManualStrategy):
    """Does not declare that it adds squares of the coefficients."""

    penalizes = False


def test_a_strategy_that_adds_no_penalty_is_not_asked_to(regression):
    with pytest.raises(ValueError, match=r"alpha=0.1.*l1_ratio=0.5.*add_l2_gradient"):
        GDLinearRegressor(WithoutPenalty(), alpha=0.1, l1_ratio=0.5).fit(*regression)
    # L1 is the loop's.
    lasso = GDLinearRegressor(WithoutPenalty(), alpha=0.5, l1_ratio=1.0)
    expected = clone(lasso).set_params(strategy="manual").fit(*regression)
    assert np.array_equal(lasso.fit(*regression).coef_, expected.coef_)


def test_the_log_tells_the_norm_of_what_vanishes(regression, capsys):
    GDLinearRegressor(alpha=0.5, l1_ratio=1.0, tol=1e-9, verbose=1).fit(*regression)
    *_, last = capsys.readouterr().out.splitlines()
    assert float(last.split("gradient norm = ")[1].split(",")[0]) < 1e-6
