"""Arrays of alpha and of learning rates: each target is fitted as it is alone."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.utils import estimator_html_repr

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ModuleStrategy

ALPHAS, RATES = [0.0, 0.1, 3.0], [0.02, 0.01, 0.005]


@pytest.fixture(scope="module")
def three_targets():
    """Correlated columns of different units, and targets of different ones."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 4)) @ rng.standard_normal((4, 4)) * [1, 2, 0.5, 1] + 1
    coef = rng.standard_normal((4, 3)) * [1, 10, 0.1]
    return X, X @ coef + 3 + rng.standard_normal((120, 3)) * [1, 3, 0.2]


def alone(model, X, y, target):
    """Return the model of one target, with its own alpha and rate."""
    params = {
        name: float(value[target])
        for name in ("alpha", "learning_rate")
        if np.ndim(value := getattr(model, name))
    }
    return clone(model).set_params(**params), X, y[:, target]


def check_each_is_as_alone(model, X, y, tolerance, calls=1):
    """Compare predictions with those of each target, over the spread of the target."""
    method = "fit" if calls == 1 else "partial_fit"
    for rows in np.array_split(np.arange(len(X)), calls):
        getattr(model, method)(X[rows], y[rows])
    for target in range(y.shape[1]):
        single, _, its = alone(model, X, y, target)
        for rows in np.array_split(np.arange(len(X)), calls):
            getattr(single, method)(X[rows], its[rows])
        error = model.predict(X)[:, target] - single.predict(X)
        assert np.abs(error).max() <= tolerance * its.std(), target


TEXTBOOK = {"learning_rate": RATES, "tol": None, "max_iter": 15}


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"alpha": ALPHAS, "precompute": True, "momentum": 0.5},
        {"alpha": ALPHAS, "l1_ratio": 0.5, "positive": True},
        {"alpha": ALPHAS, "loss": "huber", "epsilon": 0.5, "average": True},
        {"alpha": ALPHAS, "batch_size": 16, "random_state": 0, "l1_ratio": 0.3},
        {"alpha": np.array(ALPHAS), "whiten": True},
        {"alpha": 0.1, "schedule": "invscaling", "fit_intercept": False},
    ],
    ids=str,
)
def test_with_float_rates_each_target_takes_the_steps_it_takes_alone(
    strategy, params, three_targets
):
    model = GDLinearRegressor(strategy, **{**TEXTBOOK, **params})
    check_each_is_as_alone(model, *three_targets, 1e-9)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"precompute": False},
        {"whiten": False},
        {"fit_intercept": False},
        {"l1_ratio": 1.0},
        {"l1_ratio": 0.5, "positive": True},
        {"loss": "huber", "epsilon": 1.0},
        {"loss": "huber", "epsilon": 1.0, "whiten": False},
    ],
    ids=str,
)
def test_with_the_automatic_rate_each_target_has_the_model_it_has_alone(
    params, three_targets
):
    model = GDLinearRegressor(alpha=ALPHAS, tol=1e-8, **params)
    check_each_is_as_alone(model, *three_targets, 1e-6)


def test_automatic_mini_batches_end_where_each_target_does_alone(three_targets):
    X, Y = three_targets
    model = GDLinearRegressor(alpha=ALPHAS, batch_size=16, random_state=0).fit(X, Y)
    minimum = GDLinearRegressor(alpha=ALPHAS, tol=1e-9).fit(X, Y)

    def objective(model):
        squares = ((model.predict(X) - Y) ** 2).mean(axis=0)
        return squares + ALPHAS * (model.coef_**2).sum(axis=1)

    assert (objective(model) <= 1.01 * objective(minimum)).all()


@pytest.mark.parametrize(
    ("params", "tolerance"),
    [
        ({"alpha": ALPHAS}, 1e-9),
        ({"alpha": ALPHAS, **TEXTBOOK, "batch_size": 16, "random_state": 0}, 1e-9),
        ({"alpha": ALPHAS, **TEXTBOOK, "precompute": False, "average": True}, 1e-9),
    ],
    ids=str,
)
def test_a_stream_is_one_of_each_target(params, tolerance, three_targets):
    check_each_is_as_alone(GDLinearRegressor(**params), *three_targets, tolerance, 4)


def test_ridge_of_each_target_is_a_step_away(strategy, three_targets):
    X, Y = three_targets
    model = GDLinearRegressor(strategy, alpha=np.logspace(-6, 6, 3)).fit(X, Y)
    assert model.n_iter_ == 2
    expected = Ridge(alpha=np.logspace(-6, 6, 3) * len(X)).fit(X, Y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-6)


@pytest.mark.parametrize("precompute", [True, False])
def test_collinear_columns_matter_to_targets_without_a_penalty_alone(
    precompute, three_targets
):
    X, Y = three_targets
    X = np.column_stack([X, X[:, 0] + X[:, 1], np.ones(len(X))])
    model = GDLinearRegressor(alpha=ALPHAS, precompute=precompute, tol=1e-8)
    check_each_is_as_alone(model, X, Y, 1e-6)
    start = np.full((3, 6), 2.0)
    model.fit(X, Y, coef_init=start)  # the last column says nothing of its own
    np.testing.assert_allclose(model.coef_[:, -1], [2, 0, 0], atol=1e-12)


def test_held_out_rows_are_scored_where_every_target_is(three_targets):
    X, Y = three_targets
    for whiten in (True, False):
        model = GDLinearRegressor(
            alpha=ALPHAS, whiten=whiten, early_stopping=True, random_state=0
        ).fit(X[20:], Y[20:], X_val=X[:20], y_val=Y[:20])
        assert model.best_validation_score_ == pytest.approx(
            model.score(X[:20], Y[:20])
        )


def test_a_warm_start_begins_with_each_targets_model(three_targets):
    X, Y = three_targets
    model = GDLinearRegressor(alpha=ALPHAS, warm_start=True, tol=1e-6).fit(X, Y)
    coef = model.coef_.copy()
    assert model.fit(X, Y).n_iter_ == 1
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-9)


def test_float32_stays_float32(strategy, three_targets):
    X, Y = (each.astype(np.float32) for each in three_targets)
    for params in ({"precompute": False}, {"batch_size": 16, "random_state": 0}):
        model = GDLinearRegressor(strategy, alpha=ALPHAS, **TEXTBOOK, **params)
        assert model.fit(X, Y).coef_.dtype == np.float32
        check_each_is_as_alone(model, X, Y, 1e-4)


@pytest.mark.parametrize("value", [[0.02], np.array([0.02]), torch.tensor([0.02])])
def test_a_target_of_its_own_may_have_an_array_of_one(value, three_targets):
    X, Y = three_targets
    for y in (Y[:, 0], Y[:, :1]):
        model = GDLinearRegressor(alpha=value, learning_rate=value, max_iter=5)
        model.set_params(tol=None).fit(X, y)
        expected = clone(model).set_params(
            alpha=float(value[0]), learning_rate=float(value[0])
        )
        np.testing.assert_array_equal(model.coef_, expected.fit(X, y).coef_)


def test_arrays_are_parameters_as_any(three_targets):
    X, Y = three_targets
    alphas = np.array(ALPHAS)
    model = GDLinearRegressor(alpha=alphas).fit(X, Y)
    assert model.get_params()["alpha"] is alphas
    assert model.penalty == "l2"
    assert GDLinearRegressor(alpha=[0.0, 0.0]).penalty is None
    for same in (clone(model).fit(X, Y), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(same.coef_, model.coef_)
    assert "alpha=array([0. , 0.1, 3. ])" in repr(model)
    assert "0.1" in estimator_html_repr(model)
    search = GridSearchCV(
        GDLinearRegressor(), {"alpha": [alphas, 0.1, 10 * alphas]}, cv=3
    ).fit(X, Y)
    assert len(search.cv_results_["param_alpha"]) == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_one_target_that_diverges_is_found_among_others(strategy, three_targets):
    """The losses of the others fall by far more than its own rises."""
    X, Y = three_targets
    Y = Y * [1e3, 1e-3, 1e3]
    rates = [0.02, 0.3, 0.03]
    model = GDLinearRegressor(strategy, learning_rate=rates, max_iter=4, tol=None)
    for batch_size in (None, 64):
        model.set_params(batch_size=batch_size, random_state=0)
        with pytest.raises(DivergenceError, match=r"of target\(s\) 1 .* for target 1"):
            model.fit(X, Y)
    with pytest.raises(DivergenceError) as caught:
        model.set_params(batch_size=None).fit(X, Y)
    assert caught.value.learning_rate == 0.3
    assert caught.value.largest_stable_learning_rate < 0.3
    model.set_params(learning_rate=[0.02, 0.02, 0.03]).fit(X, Y)


def test_slow_targets_are_told_in_readable_words(three_targets):
    X, Y = three_targets
    model = GDLinearRegressor(alpha=[1e-9, 1.0, 1e9], l1_ratio=0.1, max_iter=20)
    with pytest.warns(ConvergenceWarning, match="alpha differ by much one by one"):
        model.fit(X * [1, 1e3, 1e-3, 1], Y)


def test_steps_that_are_not_plain_have_one_rate(three_targets):
    adam = ModuleStrategy(optimizer=torch.optim.Adam)
    model = GDLinearRegressor(adam, learning_rate=RATES)
    with pytest.raises(ValueError, match=r"=\[0\.02, 0\.01, 0\.005\] is one for each"):
        model.fit(*three_targets)
    model.set_params(learning_rate=0.1, alpha=ALPHAS, max_iter=2, tol=None)
    model.fit(*three_targets)


@pytest.mark.parametrize("name", ["alpha", "learning_rate"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0.1], r"n_targets=3\. Its shape is \(1,\)"),
        ([0.1, 0.2], r"one number for all .*\[0.1, 0.2\] instead.* \(2,\)"),
        (np.ones((3, 1)), r"Its shape is \(3, 1\)"),
        (np.array(0.1), r"Its shape is \(\)"),
        ([0.1, -0.2, 0.3], "finite numbers"),
        ([0.1, np.nan, 0.3], "finite numbers"),
        ([0.1, np.inf, 0.3], "finite numbers"),
        ([0.1, "auto", 0.3], "'auto' cannot stand beside numbers"),
        ([0.1, None, 0.3], "finite numbers"),
        ([0.1, 1j, 0.3], "finite numbers"),
        ([[0.1], [0.2, 0.3], []], "finite numbers"),
        ([], r"Its shape is \(0,\)"),
        ({"a": 0.1}, "finite numbers"),
    ],
    ids=str,
)
def test_bad_arrays_are_named(name, value, message, three_targets):
    model = GDLinearRegressor(**{name: value})
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"'{name}' parameter .*{message}"):
            method(*three_targets)
        assert not hasattr(model, "n_features_in_")


def test_a_rate_is_above_zero_and_an_alpha_may_be_zero(three_targets):
    model = GDLinearRegressor(learning_rate=[0.1, 0.0, 0.1])
    with pytest.raises(ValueError, match="finite numbers above 0"):
        model.fit(*three_targets)
    GDLinearRegressor(alpha=[0.1, 0.0, 0.1]).fit(*three_targets)
