"""Huber's loss on every strategy, and losses of one's own."""

import copy
import functools
import pickle
from itertools import product

import numpy as np
import pytest
import torch
from conftest import STRATEGIES, strategies_on
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.model_selection import GridSearchCV

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ManualStrategy, ModuleStrategy

DIFFERENTIATING = [name for name in STRATEGIES if name != "manual"]


@pytest.fixture(params=DIFFERENTIATING)
def differentiating(request):
    """Each strategy that takes a loss of one's own."""
    return request.param


@functools.cache
def diabetes(scaled):
    return load_diabetes(return_X_y=True, scaled=scaled)


def huber_objective(w, X, y, epsilon, alpha=0.0):
    """Objective and gradient, from the definition, of (coefficients, intercept)."""
    r = X @ w[:-1] + w[-1] - y
    inlier = np.abs(r) <= epsilon
    value = np.where(inlier, r**2, 2 * epsilon * np.abs(r) - epsilon**2)
    slope = np.where(inlier, 2 * r, 2 * epsilon * np.sign(r)) / len(y)
    gradient = np.append(X.T @ slope + 2 * alpha * w[:-1], slope.sum())
    return value.mean() + alpha * (w[:-1] ** 2).sum(), gradient


@functools.cache
def least_huber(scaled, epsilon, alpha):
    """Least objective that SciPy's L-BFGS finds, on standardized columns."""
    X, y = diabetes(scaled)
    scale = X.std(axis=0)

    def objective(v):
        value, gradient = huber_objective(
            np.append(v[:-1] / scale, v[-1]), X - X.mean(axis=0), y, epsilon, alpha
        )
        return value, np.append(gradient[:-1] / scale, gradient[-1])

    start = np.append(np.zeros(X.shape[1]), np.median(y))
    options = {"maxiter": 10**5, "maxfun": 10**6, "ftol": 1e-15, "gtol": 1e-10}
    return minimize(objective, start, jac=True, method="L-BFGS-B", options=options).fun


@pytest.mark.parametrize(
    ("strategy", "scaled", "epsilon", "alpha"),
    strategies_on(
        product([True, False], [5.0, 30.0, 1000.0], [0.0, 1.0]),
        few=product([False], [30.0], [0.0, 1.0]),
    ),
)
def test_huber_has_the_minimum_that_l_bfgs_finds(strategy, scaled, epsilon, alpha):
    X, y = diabetes(scaled)
    model = GDLinearRegressor(strategy, loss="huber", epsilon=epsilon, alpha=alpha)
    model.set_params(tol=1e-5).fit(X, y)
    w = np.append(model.coef_, model.intercept_)
    value, _ = huber_objective(w, X, y, epsilon, alpha)
    assert value <= (1 + 1e-5) * least_huber(scaled, epsilon, alpha)
    assert model.loss_curve_[-1] == pytest.approx(value, rel=1e-9)


def test_outliers_do_not_draw_the_model_after_them():
    X, y = diabetes(True)
    with_outliers = y.copy()
    with_outliers[np.random.default_rng(0).choice(len(y), 10, replace=False)] += 5000
    moved = []
    for model in (
        LinearRegression(),
        GDLinearRegressor(loss="huber", epsilon=20, tol=1e-6),
    ):
        before = clone(model).fit(X, y).coef_
        moved.append(np.linalg.norm(clone(model).fit(X, with_outliers).coef_ - before))
    assert moved[1] < moved[0] / 10


@pytest.mark.parametrize("size", [1e13, 1e15])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_huge_outlier_does_not_end_the_descent_early(size, dtype, regression):
    X, y = regression[0].astype(dtype), regression[1].copy()
    y[5] = 1e3
    expected = GDLinearRegressor(loss="huber", tol=1e-6).fit(X, y).coef_
    y[5] = size
    model = GDLinearRegressor(loss="huber").fit(X, y)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-3)


def test_an_epsilon_below_the_rounding_of_targets_is_not_silently_met(regression):
    X, y = regression
    with pytest.warns(ConvergenceWarning, match="used up max_iter"):
        GDLinearRegressor(loss="huber", max_iter=50).fit(X, 1e200 * y)


def test_epsilon_may_be_of_any_kind_of_float(strategy, regression):
    models = [
        GDLinearRegressor(strategy, loss="huber", epsilon=kind(0.5)).fit(*regression)
        for kind in (float, np.float32)
    ]
    assert np.array_equal(models[0].coef_, models[1].coef_)


def test_no_outliers_is_least_squares(strategy, two_targets):
    params = {"learning_rate": 0.1, "max_iter": 20, "tol": None}
    expected = GDLinearRegressor(strategy, **params).fit(*two_targets)
    model = GDLinearRegressor(strategy, loss="huber", epsilon=1e6, **params)
    model.fit(*two_targets)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-12)
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize(
    ("strategy", "learning_rate", "weighted", "n_targets"),
    strategies_on(
        product(["auto", 0.05], [False, True], [1, 2]), few=[("auto", True, 2)]
    ),
)
def test_a_descent_has_arrived_by_the_definition(
    strategy, learning_rate, weighted, n_targets
):
    """And not an epoch late by more than the rule may miss one."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3)) + 1
    Y = X @ rng.standard_normal((3, n_targets)) + rng.standard_t(2, (80, n_targets))
    weight = rng.uniform(0.1, 3, 80) if weighted else None
    model = GDLinearRegressor(
        strategy, loss="huber", learning_rate=learning_rate, tol=1e-3, epsilon=0.5
    )
    model.set_params(max_iter=5000).fit(X, Y, weight)

    def correlations(model):
        influence = np.clip(model.predict(X) - Y, -0.5, 0.5)
        w = np.ones((80, 1)) if weight is None else weight[:, None] / weight.mean()
        A = X - np.average(X, axis=0, weights=weight)
        if learning_rate == "auto":  # all columns together
            A = A @ np.linalg.inv(np.linalg.qr(np.sqrt(w) * A, mode="r"))
        A = np.column_stack([A, np.ones(80)])
        norms = np.sqrt((w * A**2).sum(axis=0))[:, None]
        norms = norms * np.sqrt((w * influence**2).sum(axis=0))
        each = np.abs(A.T @ (w * influence)) / norms
        together = np.linalg.norm(each, axis=0)
        return (each if learning_rate != "auto" else together).max()

    assert correlations(model) <= 1e-3
    early = clone(model).set_params(max_iter=max(model.n_iter_ - 12, 1), tol=None)
    assert correlations(early.fit(X, Y, weight)) > 1e-3


def heavy_tailed(seed, n, n_targets):
    """Correlated columns, outliers in X and y, targets of very different sizes."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, (n, 4)) + 2 * rng.standard_normal((n, 1))
    sizes = np.logspace(0, 3, n_targets)
    noise = rng.standard_t(1, (n, n_targets))
    return X, X @ rng.standard_normal((4, n_targets)) + sizes * noise


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.sampled_from([6, 30, 100]),
    log_epsilon=st.floats(-4, 1),
    alpha=st.sampled_from([0.0, 0.0, 0.1]),
    weighted=st.booleans(),
    share=st.floats(0, 1),
)
def test_wherever_it_is_cut_the_loss_has_not_risen(
    seed, n, log_epsilon, alpha, weighted, share
):
    X, y = heavy_tailed(seed, n, 2)
    epsilon = float(10**log_epsilon * np.std(y))
    weight = np.random.default_rng(seed).exponential(1, n) if weighted else None
    model = GDLinearRegressor(loss="huber", epsilon=epsilon, alpha=alpha)
    epochs = model.set_params(max_iter=5000).fit(X, y, weight).n_iter_
    last = model.loss_curve_[-1]
    assert last <= model.loss_curve_[0]
    model.set_params(max_iter=max(int(share * epochs), 1), tol=None)
    model.fit(X, y, weight)
    w = np.vstack([model.coef_.T, model.intercept_])
    weight = np.ones(n) if weight is None else weight / weight.mean()
    objective = sum(
        np.mean(weight * np.where(r <= epsilon, r**2, 2 * epsilon * r - epsilon**2))
        for r in np.abs(X @ w[:-1] + w[-1] - y).T
    )
    objective += alpha * (w[:-1] ** 2).sum()
    assert last * (1 - 1e-3) <= objective <= model.loss_curve_[0] * (1 + 1e-9)


@pytest.mark.parametrize(
    ("epsilon", "most"), [(0.1, 400), (1.0, 150), (8.0, 50), (80.0, 30)]
)
def test_few_rows_inside_epsilon_take_few_epochs(epsilon, most):
    """Steps of 1/L would take 5400 with Nesterov's momentum for an epsilon of 0.1."""
    model = GDLinearRegressor(loss="huber", epsilon=epsilon, max_iter=most)
    model.fit(*diabetes(False))  # else a ConvergenceWarning


@pytest.mark.parametrize("epsilon", [1e-9, 1e-6, 1e-3])
def test_an_epsilon_far_from_every_row_is_soon_near_some(epsilon, regression):
    """Steps of 1/L would be of the size of epsilon; the minimum is 6000 away."""
    X, y = regression
    model = GDLinearRegressor(loss="huber", epsilon=epsilon, max_iter=100, tol=None)
    least = QuantileRegressor(alpha=0).fit(X, 1000 * y)
    error, least_error = (
        np.abs(each.predict(X) - 1000 * y).mean()
        for each in (model.fit(X, 1000 * y), least)
    )
    assert error <= 1.01 * least_error


@pytest.mark.parametrize("epochs", [1, 2, 6, 18])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_targets_do_not_mix_and_strategies_take_the_same_steps(epochs, alpha):
    X, y = heavy_tailed(0, 50, 3)
    params = {"loss": "huber", "epsilon": 0.5, "alpha": alpha}
    params |= {"max_iter": epochs, "tol": None}
    coef = GDLinearRegressor(**params).fit(X, y).coef_
    for name in DIFFERENTIATING:
        other = GDLinearRegressor(name, **params).fit(X, y).coef_
        np.testing.assert_allclose(other, coef, rtol=1e-7)
    for t in range(3):
        alone = GDLinearRegressor(**params).fit(X, y[:, t]).coef_
        np.testing.assert_allclose(alone, coef[t], rtol=1e-7)


def test_no_step_leads_far_away_where_hardly_a_row_is_inside_epsilon():
    """Nor does the descent end at the end of a step that it would not keep.

    Of twenty rows and thirty targets, the curvature along some steps is nearly zero.
    """
    rng = np.random.default_rng(930)
    X = rng.standard_normal((20, 3))
    Y = X @ rng.standard_normal((3, 30)) + rng.standard_normal((20, 30))
    model = GDLinearRegressor(loss="huber", epsilon=0.003).fit(X, Y)
    assert max(model.loss_curve_) < 10 * model.loss_curve_[0]
    alone = [
        GDLinearRegressor(loss="huber", epsilon=0.003).fit(X, y).loss_curve_[-1]
        for y in Y.T
    ]
    assert model.loss_curve_[-1] == pytest.approx(sum(alone), rel=1e-4)


@pytest.mark.parametrize("params", [{"momentum": 0.0}, {"schedule": lambda step: 1.0}])
def test_what_is_said_of_the_steps_holds_for_huber_too(params, regression):
    """The rate is then 1/L; without curvature in reach a step is 2 epsilon / L."""
    X, y = regression
    model = GDLinearRegressor(loss="huber", epsilon=1e-6, max_iter=50, **params)
    model.set_params(tol=None).fit(X, y)
    assert model.loss_curve_[-1] > 0.99 * model.loss_curve_[0]


def test_a_huge_offset_of_some_targets_is_no_start(regression):
    """From the mean of y, that many epsilons away, it would take 10^5 epochs."""
    X, y = regression
    y = np.where(np.arange(40) < 4, 1e6, y)
    model = GDLinearRegressor(loss="huber", epsilon=1.0, tol=1e-3).fit(X, y)
    assert np.median(np.abs(model.predict(X) - y)) < 0.5


@pytest.mark.parametrize(
    ("strategy", "sparse"), strategies_on([(False,), (True,)], few=[(False,)])
)
def test_batches_come_to_hubers_minimum(strategy, sparse):
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 4)) * (rng.random((1000, 4)) < 0.6) * [1, 5, 0.1, 1]
    y = X @ [1, -1, 3, 0] + rng.standard_t(2, 1000)
    full = GDLinearRegressor(strategy, loss="huber", epsilon=1.0, tol=1e-6).fit(X, y)
    model = GDLinearRegressor(
        strategy, loss="huber", epsilon=1.0, batch_size=32, random_state=0
    ).fit(csr_array(X) if sparse else X, y)
    least = full.loss_curve_[-1]
    w = np.append(model.coef_, model.intercept_)
    assert huber_objective(w, X, y, 1.0)[0] <= 1.002 * least


def test_a_stream_takes_an_epoch_a_chunk():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 3))
    y = X @ [1, 2, 3] + rng.standard_t(2, 4000)
    model = GDLinearRegressor(loss="huber", epsilon=1.0, batch_size=20, random_state=0)
    for first in range(0, 4000, 400):
        model.partial_fit(X[first : first + 400], y[first : first + 400])
    np.testing.assert_allclose(model.coef_, [1, 2, 3], atol=0.2)
    assert not hasattr(model, "moments_")
    one_step = GDLinearRegressor(loss="huber").partial_fit(X, y)
    assert one_step.n_iter_ == 1


def test_a_stream_starts_from_the_median(regression):
    X, y = regression
    y = np.where(np.arange(40) < 4, 1e4, y)
    params = {"loss": "huber", "epsilon": 1.0, "random_state": 0}
    for batch_size in (5, None):
        model = GDLinearRegressor(batch_size=batch_size, **params)
        for _ in range(10):
            model.partial_fit(X, y)
        assert abs(model.intercept_ - 4) < 20


def test_epsilon_may_be_out_of_reach(strategy, regression):
    X, y = (array.astype("float32") for array in regression)
    expected = GDLinearRegressor(strategy, precompute=False).fit(X, y)
    model = GDLinearRegressor(strategy, loss="huber", epsilon=1e39).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_only_squared_error_is_condensed(call, regression):
    model = GDLinearRegressor(loss="huber", precompute=True)
    with pytest.raises(ValueError, match=r"precompute=True.*loss='huber'.*'auto'"):
        getattr(model, call)(*regression)


def test_a_rate_that_is_too_large_is_named(regression):
    model = GDLinearRegressor(loss="huber", epsilon=50, learning_rate=1e3)
    with pytest.raises(DivergenceError) as failure:
        model.fit(*regression)
    stable = failure.value.largest_stable_learning_rate
    model.set_params(learning_rate=0.99 * stable, max_iter=5000).fit(*regression)
    with pytest.raises(DivergenceError):
        model.set_params(learning_rate=1.01 * stable, epsilon=1e6).fit(*regression)


def test_a_small_epsilon_warns_and_says_so():
    with pytest.warns(UserWarning, match=r"correlation.*larger epsilon than 0.1"):
        GDLinearRegressor(loss="huber", max_iter=50).fit(*diabetes(False))


# Losses of one's own.


def pinball(prediction, target):
    """The loss of the 0.8-quantile."""
    return torch.maximum(0.8 * (target - prediction), 0.2 * (prediction - target))


def log_cosh(prediction, target):
    """Smooth, and known to nobody by name."""
    return (prediction - target).cosh().log()


@pytest.mark.parametrize(
    ("loss", "like"),
    [
        (torch.nn.MSELoss(reduction="none"), {}),
        (torch.nn.MSELoss(), {}),
        (torch.nn.MSELoss, {}),
        (lambda prediction, target: (prediction - target) ** 2, {}),
        (lambda p, t: 2 * torch.nn.functional.huber_loss(p, t, reduction="none"),
         {"loss": "huber", "epsilon": 1.0}),
    ],
    ids=["built", "to be set", "class", "function", "huber"],
)  # fmt: skip
@pytest.mark.parametrize(
    "params", [{}, {"batch_size": 16}, {"alpha": 0.1, "l1_ratio": 0.5}]
)
def test_a_loss_of_ones_own_walks_the_iterates_of_the_same_by_name(
    differentiating, loss, like, params, two_targets
):
    X, Y = two_targets
    weight = np.arange(40) % 3
    params = {"learning_rate": 0.05, "max_iter": 20, "tol": None, **params}
    params |= {"random_state": 0}
    own, named = (
        GDLinearRegressor(differentiating, **params, **which).fit(X, Y, weight)
        for which in ({"loss": loss}, like)
    )
    np.testing.assert_allclose(own.coef_, named.coef_, rtol=1e-9)
    np.testing.assert_allclose(own.loss_curve_, named.loss_curve_, rtol=1e-9)


def test_it_stops_where_the_same_by_name_does(differentiating, two_targets):
    params = {"learning_rate": 0.1, "max_iter": 5000, "alpha": 0.1, "tol": 1e-6}
    own, named = (
        GDLinearRegressor(differentiating, **params, **which).fit(*two_targets)
        for which in (
            {
                "loss": lambda p, t: (
                    2 * torch.nn.functional.huber_loss(p, t, reduction="none")
                )
            },
            {"loss": "huber", "epsilon": 1.0},
        )
    )
    assert own.n_iter_ == named.n_iter_ < 5000
    np.testing.assert_allclose(own.coef_, named.coef_, rtol=1e-9)


def test_what_a_loss_writes_into_is_not_the_data(differentiating, regression):
    def in_place(prediction, target):
        return (prediction.sub_(target.mul_(2).div_(2))) ** 2

    def forgetful(prediction, target):
        return (prediction - target.mul_(3).div_(3).add_(1).sub_(1)) ** 2

    X, y = regression
    before = y.copy()
    params = {"learning_rate": 0.1, "tol": 1e-4, "max_iter": 2000}
    expected = GDLinearRegressor(differentiating, **params).fit(X, y)
    for loss in (in_place, forgetful):
        model = GDLinearRegressor(differentiating, loss=loss, **params).fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-3)
        assert np.array_equal(y, before)


def test_a_criterion_is_left_as_it_was(differentiating, regression):
    criterion = torch.nn.SmoothL1Loss()
    model = GDLinearRegressor(differentiating, loss=criterion, learning_rate=0.1)
    model.set_params(max_iter=3, tol=None).fit(*regression)
    assert model.loss is criterion
    assert criterion.reduction == "mean"


def test_a_pinball_loss_is_quantile_regression(differentiating):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 2))
    y = X @ [1, 2] + rng.exponential(1, 300)
    expected = QuantileRegressor(quantile=0.8, alpha=0).fit(X, y)
    model = GDLinearRegressor(
        differentiating,
        loss=pinball,
        learning_rate=0.5,
        schedule="invscaling",
        power_t=0.5,
        tol=None,
    ).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=0.05)
    share_above = np.mean(y > model.predict(X))
    assert share_above == pytest.approx(0.2, abs=0.02)


def test_steps_on_kinks_may_end_above_where_they_began(differentiating, regression):
    X, y = regression
    y = np.round(y)
    model = GDLinearRegressor(
        differentiating, loss=torch.nn.L1Loss(), learning_rate=0.01, tol=None
    ).fit(X, y)
    model.set_params(learning_rate=1.0, warm_start=True, max_iter=21).fit(X, y)
    assert model.loss_curve_[-1] > model.loss_curve_[0]


def test_it_is_copied_pickled_and_searched(differentiating, regression):
    model = GDLinearRegressor(differentiating, loss=log_cosh, learning_rate=0.1)
    model.set_params(max_iter=50, tol=None).fit(*regression)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other.predict([[1, 2, 3]]), model.predict([[1, 2, 3]]))
    search = GridSearchCV(
        model, {"loss": ["squared_error", "huber", log_cosh, torch.nn.L1Loss()]}
    )
    assert search.fit(*regression).best_score_ > 0.9


@pytest.mark.parametrize("loss", [log_cosh, torch.nn.L1Loss()])
@pytest.mark.parametrize("strategy", ["manual", ManualStrategy()])
def test_the_manual_strategy_names_those_that_can(strategy, loss, regression):
    model = GDLinearRegressor(strategy, loss=loss, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"ManualStrategy.*'autograd' or 'module'"):
        model.fit(*regression)
    assert not hasattr(model, "n_features_in_")


class SquaredErrorAlone(ManualStrategy):
    """Declares no other loss."""

    losses = ("squared_error",)


def test_a_strategy_that_knows_no_huber_is_not_asked_to(regression):
    with pytest.raises(ValueError, match=r"'huber'.*SquaredErrorAlone.*'manual' or"):
        GDLinearRegressor(SquaredErrorAlone(), loss="huber").fit(*regression)


def test_an_automatic_rate_is_not_for_them(differentiating, regression):
    for batch_size in (None, 8):
        model = GDLinearRegressor(differentiating, loss=log_cosh, batch_size=batch_size)
        with pytest.raises(ValueError, match=r"learning_rate='auto'.*Pass a float"):
            model.fit(*regression)


def returns_mean(prediction, target):
    return ((prediction - target) ** 2).mean()


def returns_column(prediction, target):
    return ((prediction - target) ** 2).sum(1)


def returns_number(prediction, target):
    return 1.0


def returns_detached(prediction, target):
    return (prediction.detach() - target) ** 2


def leaves_torch(prediction, target):
    return np.square(prediction.numpy() - target.numpy())


def returns_nan(prediction, target):
    return ((prediction - target) ** 2 + 1) * float("nan")


def takes_logarithm(prediction, target):
    return (prediction.log() - target.abs().log()) ** 2


class Reduces(torch.nn.Module):
    """A criterion without the parameter reduction."""

    def forward(self, prediction, target):
        return returns_mean(prediction, target)


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (returns_mean, r"returns_mean.*shape of the prediction.*returned shape \(\)"),
        (Reduces(), r"loss=Reduces\(\).*returned shape \(\)"),
        (returns_column, r"prediction, \((40|8), 1\).*returned shape \((40|8),\)"),
        (returns_number, r"returned 1\.0"),
        (returns_detached, "cannot differentiate"),
        (leaves_torch, r"leaves_torch.*by torch's own functions.*RuntimeError"),
        (returns_nan, "returned nan for the prediction 0 and the target"),
        (takes_logarithm, "takes_logarithm.*returned inf for the prediction 0 and"),
        (torch.nn.TripletMarginLoss(), r"TripletMarginLoss\(\).*raised TypeError"),
        (Reduces, r"Reduces.*cannot be built as Reduces\(reduction='none'\)"),
        ("absolute", "'loss' parameter.*'huber'.*callable.*'absolute'"),
        (3, "'loss' parameter"),
    ],
)
def test_a_loss_that_does_not_fit_is_named(
    differentiating, batch_size, loss, message, regression
):
    model = GDLinearRegressor(
        differentiating, loss=loss, learning_rate=0.1, batch_size=batch_size
    )
    with pytest.raises(ValueError, match=message):
        model.fit(*regression)
    assert not hasattr(model, "n_features_in_")


def test_nan_later_on_names_what_it_is_of(differentiating):
    def square_root(prediction, target):
        return (prediction - 2).sqrt() * prediction**2

    X, y = np.ones((4, 1)), np.ones(4)
    model = GDLinearRegressor(
        differentiating, loss=square_root, learning_rate=0.1, fit_intercept=False
    )
    with pytest.raises(DivergenceError, match=r"returned nan for the prediction [01]"):
        model.fit(X, y, coef_init=[3.0])


@pytest.mark.parametrize("epsilon", [0, -1.0, np.nan])
def test_a_bad_epsilon_is_named(epsilon, regression):
    with pytest.raises(ValueError, match=r"'epsilon' parameter.*range"):
        GDLinearRegressor(loss="huber", epsilon=epsilon).fit(*regression)


def test_other_optimizers_descend_on_them(regression):
    X, y = regression
    y = np.where(np.arange(40) < 3, 500, y)
    clean = LinearRegression().fit(X[3:], y[3:])
    adam = ModuleStrategy(optimizer=torch.optim.Adam)
    for loss in ("huber", torch.nn.HuberLoss(delta=0.1)):
        model = GDLinearRegressor(adam, loss=loss, learning_rate=0.1, max_iter=600)
        model.set_params(tol=None).fit(X, y)
        np.testing.assert_allclose(model.coef_, clean.coef_, atol=0.1)


@pytest.mark.parametrize("offset", [-100.0, 0.0, 100.0])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_what_is_added_to_a_loss_makes_no_divergence_and_hides_none(
    differentiating, batch_size, offset, regression
):
    def shifted(prediction, target):
        return (prediction - target) ** 2 + offset

    params = {"batch_size": batch_size, "random_state": 0, "tol": None, "max_iter": 20}
    model = GDLinearRegressor(differentiating, loss=shifted, **params)
    squares = GDLinearRegressor(differentiating, learning_rate=0.01, **params)
    model.set_params(learning_rate=0.01).fit(*regression)
    np.testing.assert_allclose(model.coef_, squares.fit(*regression).coef_, rtol=1e-10)
    with pytest.raises(DivergenceError):
        model.set_params(learning_rate=1.0).fit(*regression)


def test_a_warning_about_a_loss_of_ones_own_comes_also_without_gradients(regression):
    model = GDLinearRegressor("autograd", loss=log_cosh, learning_rate=1e-3, max_iter=2)
    with torch.inference_mode(), pytest.warns(ConvergenceWarning, match="correlation"):
        model.fit(*regression)


def log_cosh(prediction, target):
    return torch.log(torch.cosh(prediction - target))
