"""The three strategies take the same steps; modules and optimizers plug in."""

import functools
import gc
import weakref
from copy import deepcopy
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import STRATEGIES, without_address
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skgd import GDLinearRegressor
from skgd._data.device import Device, to_numpy
from skgd._descent.batches import evaluate_parts
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd.strategies import ManualStrategy, ModuleStrategy, Rows
from skgd.strategies._registry import strategy_from
from skgd.testing import check_gradient_strategy


def iterates_by_hand(X, y, weight, fit_intercept, objective, learning_rate, epochs):
    """Proximal gradient descent in a few lines of NumPy, in float64."""
    W, b = np.zeros((X.shape[1], y.shape[1])), np.zeros(y.shape[1])
    weight = np.ones((len(y), 1)) if weight is None else weight[:, None]
    epsilon = objective["epsilon"] if objective["loss"] == "huber" else np.inf
    l2 = objective["alpha"] * (1 - objective["l1_ratio"])
    l1 = 2 * objective["alpha"] * objective["l1_ratio"]
    losses = []
    for _ in range(epochs):
        r = X @ W + b - y
        clipped = np.clip(r, -epsilon, epsilon)
        value = (weight / weight.sum() * clipped * (2 * r - clipped)).sum()
        losses.append(value + l2 * (W**2).sum() + l1 * np.abs(W).sum())
        slope = 2 * weight / weight.sum() * clipped
        W = W - learning_rate * (X.T @ slope + 2 * l2 * W)
        b = b - fit_intercept * learning_rate * slope.sum(axis=0)
        W = np.sign(W) * np.maximum(np.abs(W) - learning_rate * l1, 0)
        W = np.maximum(W, 0) if objective["positive"] else W
    return W, b, losses


@st.composite
def problems(draw):
    """Random rows with weights or none, one or several targets, tall or wide.

    And an objective: squared error or Huber's loss, with penalties and bounds or none.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples = draw(st.integers(1, 30))
    n_features = draw(st.integers(1, 8))
    n_targets = draw(st.integers(1, 3))
    scale = 10.0 ** draw(st.integers(-3, 3))
    X = scale * (rng.standard_normal((n_samples, n_features)) + draw(st.floats(-2, 2)))
    y = 3 * rng.standard_normal((n_samples, n_targets)) - 1
    weight = rng.uniform(0.1, 5, n_samples) if draw(st.booleans()) else None
    objective = {
        "loss": draw(st.sampled_from(["squared_error", "huber"])),
        "epsilon": draw(st.floats(0.1, 5)),
        "alpha": draw(st.sampled_from([0.0, 0.01, 1.0])),
        "l1_ratio": draw(st.sampled_from([0.0, 0.3, 1.0])),
        "positive": draw(st.booleans()),
    }
    # A stable rate: L is at most twice the trace of the second moments, and the ridge.
    L = 2 * ((X**2).sum(axis=1).max() + 1 + objective["alpha"])
    return X, y, weight, draw(st.booleans()), objective, draw(st.floats(0.01, 1)) / L


@settings(max_examples=25, deadline=None)
@given(problem=problems(), dtype=st.sampled_from(["float64", "float32"]))
def test_fifty_epochs_agree_with_each_other_and_with_numpy(problem, dtype):
    X, y, weight, fit_intercept, objective, learning_rate = problem
    X, y = X.astype(dtype), y.astype(dtype)
    rtol = {"float64": 1e-9, "float32": 1e-4}[dtype]
    W, b, losses = iterates_by_hand(
        X.astype(float),
        y.astype(float),
        weight,
        fit_intercept,
        objective,
        learning_rate,
        50,
    )
    for strategy in STRATEGIES:
        model = GDLinearRegressor(
            strategy,
            fit_intercept=fit_intercept,
            learning_rate=learning_rate,
            max_iter=50,
            tol=None,
            **objective,
        ).fit(X, y, weight)
        assert model.coef_.dtype == dtype
        # Relative to the largest: a coefficient near zero is a difference.
        np.testing.assert_allclose(
            model.coef_, W.T, rtol=rtol, atol=rtol * np.abs(W).max()
        )
        np.testing.assert_allclose(
            model.intercept_, b, rtol=rtol, atol=rtol * np.abs(y).max()
        )
        # Relative to the first: on an exact fit only rounding is left.
        np.testing.assert_allclose(
            model.loss_curve_, losses, rtol=rtol, atol=rtol * losses[0]
        )


class Wrapped(nn.Module):
    """nn.Linear inside."""

    def __init__(self, n_features, n_targets):
        super().__init__()
        self.linear = nn.Linear(n_features, n_targets)

    def forward(self, X):
        return self.linear(X)


class Transposed(nn.Module):
    """Parameters of its own, in another order and layout than nn.Linear's."""

    def __init__(self, n_features, n_targets):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(1, n_targets))
        self.weight = nn.Parameter(torch.ones(n_features, n_targets))

    def forward(self, X):
        return X @ self.weight + self.bias


def stacked(n_features, n_targets):
    """Two nn.Linear, one on the other."""
    return nn.Sequential(nn.Linear(n_features, 4), nn.Linear(4, n_targets))


def scaled(n_features, n_targets):
    """As many parameters as coefficients, but not the coefficients."""

    class Scaled(Wrapped):
        def forward(self, X):
            return 2 * self.linear(X)

    return Scaled(n_features, n_targets)


def positive(n_features, n_targets):
    """Affine in X, and linear in its parameters where they are positive."""

    class Positive(Transposed):
        def forward(self, X):
            return X @ self.weight.abs() + self.bias

    return Positive(n_features, n_targets)


class OnTensors(ManualStrategy):
    """The manual formula as it runs on a GPU: on torch tensors."""

    needs_tensors = True


@pytest.mark.parametrize("name", STRATEGIES)
def test_built_in_strategies_keep_the_contract(name):
    check_gradient_strategy(strategy_from(name))


def test_the_manual_formula_keeps_the_contract_on_tensors():
    check_gradient_strategy(OnTensors())


@pytest.mark.parametrize(
    ("module", "optimizer"),
    [
        (Transposed, torch.optim.SGD),
        (stacked, torch.optim.SGD),
        (positive, torch.optim.Adam),
    ],
)
def test_modules_and_optimizers_keep_the_contract(module, optimizer):
    strategy = ModuleStrategy(module, optimizer)
    check_gradient_strategy(strategy, fit_intercept=True)


def test_a_module_without_bias_keeps_the_contract():
    without_bias = functools.partial(nn.Linear, bias=False)
    check_gradient_strategy(ModuleStrategy(without_bias), fit_intercept=False)


@pytest.mark.parametrize("module", [Wrapped, Transposed, nn.Linear])
def test_modules_that_hold_the_coefficients_take_the_same_steps(module, two_targets):
    manual, other = (
        GDLinearRegressor(strategy, learning_rate=0.1, max_iter=30, tol=None).fit(
            *two_targets, coef_init=np.ones((2, 3)), intercept_init=[1, 2]
        )
        for strategy in ("manual", ModuleStrategy(module))
    )
    np.testing.assert_allclose(other.coef_, manual.coef_, rtol=1e-12)
    np.testing.assert_allclose(other.loss_curve_, manual.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize(
    ("strategy", "learning_rate"),
    [
        (ModuleStrategy(stacked), 0.02),
        (ModuleStrategy(scaled), 0.02),
        (ModuleStrategy(optimizer=torch.optim.Adam), 0.1),
        (ModuleStrategy(optimizer_params={"momentum": 0.9}), 0.01),
        (ModuleStrategy(stacked, torch.optim.LBFGS), 1.0),
        (
            ModuleStrategy(
                optimizer=torch.optim.LBFGS,
                optimizer_params={"line_search_fn": "strong_wolfe"},
            ),
            1.0,
        ),
    ],
    ids=without_address,
)
def test_other_modules_and_optimizers_reach_the_minimum(
    strategy, learning_rate, two_targets
):
    X, y = two_targets
    torch.manual_seed(0)
    model = GDLinearRegressor(strategy, learning_rate=learning_rate, max_iter=5000)
    # L-BFGS has a stopping rule of its own; one of the targets can be met exactly.
    model.set_params(tol=3e-3).fit(X, y)
    expected, *_ = np.linalg.lstsq(np.column_stack([X, np.ones(40)]), y, rcond=None)
    np.testing.assert_allclose(model.coef_, expected[:3].T, atol=1e-2)
    np.testing.assert_allclose(model.intercept_, expected[3], atol=1e-2)


def test_a_stacked_module_is_seeded_by_torch_and_leaves_the_generator(regression):
    model = GDLinearRegressor(ModuleStrategy(stacked), learning_rate=0.01, max_iter=5)
    model.set_params(tol=None)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = model.fit(*regression).coef_
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(model.fit(*regression).coef_, first)
    torch.manual_seed(1)
    assert not np.array_equal(model.fit(*regression).coef_, first)


def halves(n_features, n_targets):
    """Stacked layers that start where the factory says: y = sum(x) / 2."""
    module = nn.Sequential(
        nn.Linear(n_features, 1), nn.Linear(1, n_targets, bias=False)
    )
    for parameter in module.parameters():
        nn.init.constant_(parameter, parameter.ndim - 1)
    nn.init.constant_(module[1].weight, 0.5)
    return module


@pytest.mark.parametrize("n_features", [1, 3, 2500])
def test_a_stacked_module_starts_where_its_factory_leaves_it(n_features):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5, n_features)), rng.standard_normal(5)
    model = GDLinearRegressor(
        ModuleStrategy(halves), learning_rate=1e-12, max_iter=1, tol=None
    ).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(np.mean((X.sum(axis=1) / 2 - y) ** 2))
    np.testing.assert_allclose(model.coef_, 0.5, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, 0, atol=1e-6)


def relu(n_features, n_targets):
    return nn.Sequential(nn.Linear(n_features, 8), nn.ReLU(), nn.Linear(8, n_targets))


def normalized(n_features, n_targets):
    return nn.Sequential(nn.BatchNorm1d(n_features), nn.Linear(n_features, n_targets))


def dropout(n_features, n_targets):
    return nn.Sequential(nn.Dropout(0.001), nn.Linear(n_features, n_targets))


def squeezed(n_features, n_targets):
    return nn.Sequential(nn.Linear(n_features, n_targets), nn.Flatten(0))


@pytest.mark.parametrize(
    ("module", "fit_intercept", "message"),
    [
        (relu, True, "affine in X"),
        (normalized, True, "affine in X"),
        (dropout, True, "draws random numbers"),
        (squeezed, True, r"to shape \(5, 1\).*returned shape \(5,\)"),
        (lambda d, t: nn.Linear(d, t + 1), True, r"to shape \(5, 1\)"),
        (lambda d, t: nn.Linear(d + 1, t), True, "does not take X of shape"),
        (lambda d, t: nn.LSTM(d, t), True, "must map X"),
        (lambda d, t: nn.Linear(d, t, bias=False), True, "has no bias"),
        (nn.Linear, False, "has a bias"),
        (lambda d, t: nn.Identity(), True, "no trainable parameters"),
        (lambda d, t: "linear", True, "must return an nn.Module"),
        (lambda: nn.Linear(3, 1), True, r"takes \(n_features, n_targets\).*TypeError"),
        (nn.Linear(3, 1), True, "must be a factory"),
        ("linear", True, "must be a factory"),
    ],
)
def test_a_module_that_does_not_fit_is_refused(
    module, fit_intercept, message, regression
):
    model = GDLinearRegressor(
        ModuleStrategy(module), learning_rate=0.1, fit_intercept=fit_intercept
    )
    with pytest.raises(ValueError, match=message):
        model.fit(*regression)
    assert not hasattr(model, "n_features_in_")


def test_a_module_with_more_parameters_than_coefficients_starts_of_itself(regression):
    model = GDLinearRegressor(ModuleStrategy(stacked), learning_rate=0.01, tol=1e-2)
    with pytest.raises(ValueError, match="coef_init"):
        model.fit(*regression, coef_init=np.ones(3))
    with pytest.raises(ValueError, match="intercept_init"):
        model.fit(*regression, intercept_init=1.0)
    model.fit(*regression)
    with pytest.raises(ValueError, match="warm_start"):
        model.set_params(warm_start=True).fit(*regression)


@pytest.mark.parametrize(
    "strategy",
    [
        ModuleStrategy(optimizer=torch.optim.Adam),
        ModuleStrategy(optimizer_params={"momentum": 0.9}),
        ModuleStrategy(optimizer_params={"weight_decay": 0.1}),
        ModuleStrategy(optimizer_params={"maximize": True}),
        ModuleStrategy(stacked),
    ],
    ids=without_address,
)
def test_auto_learning_rate_is_refused_where_steps_are_not_plain(strategy, regression):
    with pytest.raises(ValueError, match=r"learning_rate='auto'.*Pass a float"):
        GDLinearRegressor(strategy).fit(*regression)


def test_what_a_module_predicts_is_what_its_coefficients_predict():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 1))
    y = 1 - 2 * X[:, 0]  # which a nonnegative slope cannot follow
    model = GDLinearRegressor(
        ModuleStrategy(positive), learning_rate=0.1, tol=None, max_iter=300
    ).fit(X, y)
    residual = model.predict(X) - y
    assert model.loss_curve_[-1] == pytest.approx(np.mean(residual**2))
    assert model.coef_ >= 0


def only_the_weight(parameters, lr):
    return torch.optim.SGD(list(parameters)[:1], lr=lr)


def slow_bias(parameters, lr):
    weight, bias = parameters
    groups = [{"params": [weight]}, {"params": [bias], "lr": lr / 100}]
    return torch.optim.SGD(groups, lr=lr)


@pytest.mark.parametrize("optimizer", [only_the_weight, slow_bias])
def test_an_optimizer_factory_decides_what_is_stepped(optimizer, regression):
    with pytest.raises(ValueError, match="learning_rate='auto'"):
        GDLinearRegressor(ModuleStrategy(optimizer=optimizer)).fit(*regression)
    one_epoch = {"learning_rate": 0.1, "max_iter": 1, "tol": None}
    plain = GDLinearRegressor("module", **one_epoch).fit(*regression)
    model = GDLinearRegressor(ModuleStrategy(optimizer=optimizer), **one_epoch)
    model.fit(*regression)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-12)
    factor = 0.01 if optimizer is slow_bias else 0
    np.testing.assert_allclose(model.intercept_, factor * plain.intercept_, rtol=1e-12)


def test_the_learning_rate_is_not_an_optimizer_param(regression):
    strategy = ModuleStrategy(optimizer_params={"lr": 0.1})
    with pytest.raises(ValueError, match=r"'lr' \(got 0.1\).*learning_rate"):
        GDLinearRegressor(strategy, learning_rate=0.1).fit(*regression)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": "adam"}, "'optimizer' parameter .* Got 'adam'"),
        (
            {"optimizer": torch.optim.Adam, "optimizer_params": {"momentum": 0.9}},
            "Adam.* does not take optimizer_params={'momentum': 0.9}",
        ),
    ],
)
def test_a_bad_optimizer_is_named(params, message, regression):
    with pytest.raises(ValueError, match=message):
        GDLinearRegressor(ModuleStrategy(**params), learning_rate=0.1).fit(*regression)


def test_fit_works_on_a_clone_of_the_strategy(regression):
    given = ModuleStrategy(Wrapped)
    GDLinearRegressor(given).fit(*regression)
    assert vars(given) == vars(ModuleStrategy(Wrapped))


@pytest.mark.parametrize("switched_off", [torch.no_grad, torch.inference_mode])
def test_gradients_are_computed_also_where_the_user_switched_them_off(
    switched_off, strategy, regression
):
    with switched_off():
        model = GDLinearRegressor(strategy).fit(*regression)
    assert model.score(*regression) > 0.99


def test_unknown_names_are_not_in_the_subpackage():
    from skgd import strategies

    assert set(dir(strategies)) >= {"AutogradStrategy", "ModuleStrategy"}
    with pytest.raises(AttributeError, match="no attribute 'Missing'"):
        strategies.Missing  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize("precompute", [True, False])
@pytest.mark.parametrize(
    ("strategy", "learning_rate"),
    [
        (ModuleStrategy(stacked), 0.02),
        (ModuleStrategy(optimizer=torch.optim.Adam), 0.1),
        (ModuleStrategy(optimizer_params={"momentum": 0.9}), 0.02),
    ],
    ids=without_address,
)
def test_they_descend_on_standardized_data(strategy, learning_rate, precompute):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3)) * [1, 1e3, 1e-3] + [0, 1e4, 5]
    y = X @ [1, 1e-3, 1e3] + rng.standard_normal(60)
    torch.manual_seed(0)
    model = GDLinearRegressor(
        strategy, learning_rate=learning_rate, standardize=True, precompute=precompute
    )
    model.set_params(max_iter=5000, tol=1e-3).fit(X, y)
    scaled_coef = model.coef_ * [1, 1e3, 1e-3]
    expected = np.linalg.lstsq(
        np.c_[(X - X.mean(axis=0)) / [1, 1e3, 1e-3], np.ones(60)], y
    )[0]
    np.testing.assert_allclose(scaled_coef, expected[:3], rtol=1e-2)


def started(named, n_targets=2, l2=None):
    """Start a strategy at zero, for three features; tell where its arrays are."""
    strategy = strategy_from(named)
    device = Device(torch.device("cpu") if strategy.needs_tensors else None)
    l2 = None if l2 is None else np.full((3, 1), l2)
    objective = Objective(penalty=Penalty(l2=l2)).to_device(device, np.dtype(float))
    zeros = np.zeros((3, n_targets)), np.zeros(n_targets)
    strategy.start(tuple(map(device.send, zeros)), objective)
    return strategy, device


@pytest.mark.parametrize(
    "named", [*STRATEGIES, ModuleStrategy(stacked)], ids=without_address
)
@pytest.mark.parametrize("l2", [None, 0.5])
def test_gradients_stay_what_they_were_after_a_step(named, l2, two_targets):
    strategy, device = started(named, l2=l2)
    strategy.evaluate(device.send_rows(Rows(*two_targets)))
    before = deepcopy(strategy.gradients)
    strategy.update(0.1)
    for after, g in zip(strategy.gradients, before, strict=True):
        np.testing.assert_array_equal(after, g)


def test_an_evaluation_in_parts_equals_that_in_one(strategy, two_targets):
    rows = Rows(*two_targets, np.random.default_rng(0).uniform(0.5, 2, 40))
    found = []
    for ends in ([0, 40], [0, 7, 30, 40]):
        descent, device = started(strategy, l2=0.5)
        parts = [device.send_rows(rows.at(slice(*pair))) for pair in pairwise(ends)]
        for _ in range(2):  # at zero, an L2 penalty has no gradient
            losses = evaluate_parts(descent, parts, 40)
            gradients = deepcopy(descent.gradients)
            descent.update(0.1)
        found.append(map(to_numpy, [losses, *gradients, *descent.parameters]))
    for in_one, in_parts in zip(*found, strict=True):
        np.testing.assert_allclose(in_parts, in_one, rtol=1e-12)


def test_a_rate_for_each_target_equals_descents_with_one_rate_each(
    strategy, two_targets
):
    X, y = two_targets

    def descended(y, rate):
        descent, device = started(strategy, n_targets=y.shape[1], l2=0.5)
        rate = device.send(rate) if isinstance(rate, np.ndarray) else rate
        for _ in range(20):
            descent.evaluate(device.send_rows(Rows(X, y)))
            descent.update(rate)
        return map(to_numpy, descent.parameters)

    alone = descended(y[:, [0]], 0.1), descended(y[:, [1]], 0.01)
    for parameter, *each in zip(
        descended(y, np.array([0.1, 0.01])), *alone, strict=True
    ):
        expected = np.concatenate(each, axis=-1)
        np.testing.assert_allclose(parameter, expected, rtol=1e-12)


def test_stacked_layers_refuse_a_rate_for_each_target(two_targets):
    strategy, device = started(ModuleStrategy(stacked))
    strategy.evaluate(device.send_rows(Rows(*two_targets)))
    with pytest.raises(ValueError, match=r"rate for each target needs .* Sequential"):
        strategy.update(device.send(np.array([0.1, 0.01])))


@pytest.mark.parametrize("given", [5, "abc", [("momentum", 0.9)]])
def test_optimizer_params_that_are_no_dict_are_named(given, regression):
    model = GDLinearRegressor(ModuleStrategy(optimizer_params=given))
    with pytest.raises(ValueError, match=r"'optimizer_params' .* must be a dict") as e:
        model.fit(*regression)
    assert f"Got {given!r}" in str(e.value)


@pytest.mark.parametrize("made", [None, "SGD", torch.optim.SGD])
def test_a_factory_that_makes_no_optimizer_is_named(made, regression):
    strategy = ModuleStrategy(optimizer=lambda parameters, lr: made)
    with pytest.raises(ValueError, match=r"'optimizer' .* must return a torch\.optim"):
        GDLinearRegressor(strategy).fit(*regression)


class Rebinds(torch.optim.SGD):
    """Gives the parameters new memory at each step."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.data = p.data - group["lr"] * p.grad


def test_an_optimizer_may_replace_the_data_of_the_parameters(regression):
    fitted = [
        GDLinearRegressor(
            ModuleStrategy(optimizer=optimizer),
            learning_rate=0.1,
            max_iter=50,
            tol=None,
        ).fit(*regression)
        for optimizer in (torch.optim.SGD, Rebinds)
    ]
    assert np.array_equal(fitted[0].coef_, fitted[1].coef_)
    assert fitted[0].intercept_ == fitted[1].intercept_


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.LBFGS])
def test_a_fit_leaves_no_module_or_rows_to_the_garbage_collector(optimizer, regression):
    built = []

    def factory(n_features, n_targets):
        module = nn.Linear(n_features, n_targets)
        built.append(weakref.ref(module))
        return module

    strategy = ModuleStrategy(factory, optimizer)
    model = GDLinearRegressor(strategy, learning_rate=0.1, max_iter=2, tol=None)
    model.fit(*regression)  # torch imports more of itself, and makes cycles
    gc.disable()
    try:
        model.fit(*regression)
        assert built[1]() is None
    finally:
        gc.enable()
