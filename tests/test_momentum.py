"""Momentum is Nesterov's extrapolation, and ends the sooner."""

import numpy as np
import pytest
import torch
from by_hand import descend
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ManualStrategy, ModuleStrategy


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_constant_momentum_is_nesterovs(momentum, strategy, regression):
    X, y = regression
    model = GDLinearRegressor(
        strategy, learning_rate=0.05, momentum=momentum, max_iter=60, tol=None
    ).fit(X, y)
    expected = descend(X, y, 0.05, epochs=60, momentum=momentum)
    np.testing.assert_allclose(model.coef_, expected.coef, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, expected.intercept, rtol=1e-9)
    np.testing.assert_allclose(model.loss_curve_, expected.losses, rtol=1e-9)


def test_adaptive_momentum_is_that_of_odonoghue_and_candes(strategy, regression):
    X, y = regression
    L = 2 * np.linalg.norm(np.c_[X, np.ones(40)], 2) ** 2 / 40
    model = GDLinearRegressor(strategy, standardize=False, max_iter=60, tol=None)
    model.fit(X, y)
    expected = descend(X, y, 1 / L, epochs=60, momentum="adaptive")
    np.testing.assert_allclose(model.coef_, expected.coef, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, expected.intercept, rtol=1e-9)
    np.testing.assert_allclose(model.loss_curve_, expected.losses, rtol=1e-9)


def test_a_float_rate_has_no_momentum_unless_asked_for(regression):
    model = GDLinearRegressor(learning_rate=0.05, max_iter=20, tol=None)
    expected = model.fit(*regression).loss_curve_
    plain = model.set_params(momentum=0.0, standardize=False).fit(*regression)
    assert plain.loss_curve_ == expected


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), log_condition=st.floats(0, 3))
def test_it_ends_no_higher_than_it_began_and_at_least_squares(seed, log_condition):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, 4)) @ np.diag(np.logspace(0, -log_condition, 4))
    X = X @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
    y = X.sum(axis=1) + rng.standard_normal(30)
    model = GDLinearRegressor(max_iter=50, tol=None).fit(X, y)
    assert ((model.predict(X) - y) ** 2).mean() <= model.loss_curve_[0]
    model.set_params(max_iter=100_000, tol=1e-6).fit(X, y)
    best, loss = (
        ((m.predict(X) - y) ** 2).mean() for m in (LinearRegression().fit(X, y), model)
    )
    assert loss <= best * (1 + 1e-3)


def test_it_takes_far_fewer_epochs():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6)) + 10 * rng.standard_normal((200, 1))
    y = X @ np.arange(6) + rng.standard_normal(200)
    model = GDLinearRegressor(max_iter=20_000, whiten=False)
    epochs = model.fit(X, y).n_iter_
    assert 5 * epochs < model.set_params(momentum=0.0).fit(X, y).n_iter_


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_the_largest_stable_rate_is_that_with_momentum(momentum, regression):
    model = GDLinearRegressor(learning_rate=10.0, momentum=momentum)
    with pytest.raises(DivergenceError, match=f"momentum={momentum}") as e:
        model.fit(*regression)
    stable = e.value.largest_stable_learning_rate
    model.set_params(learning_rate=0.99 * stable, max_iter=1000, tol=None)
    curve = model.fit(*regression).loss_curve_
    assert curve[-1] < curve[0]
    with pytest.raises(DivergenceError):
        model.set_params(learning_rate=1.01 * stable).fit(*regression)


class Uphill(ManualStrategy):
    """A gradient of the wrong sign."""

    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self.gradients = tuple(-gradient for gradient in self.gradients)
        return losses


@pytest.mark.parametrize(
    "params", [{}, {"loss": "huber"}, {"learning_rate": 0.01, "momentum": 0.5}]
)
def test_a_wrong_gradient_is_told_with_momentum_too(params, regression):
    model = GDLinearRegressor(Uphill(), max_iter=50, tol=None, **params)
    with pytest.raises(DivergenceError, match="gradient is wrong"):
        model.fit(*regression)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.01, 0.999),
    momentum=st.floats(0, 0.999),
    epochs=st.integers(1, 60),
)
def test_a_stable_rate_never_ends_above_its_start(seed, share, momentum, epochs):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    A = np.column_stack([X, np.ones(20)])
    stable = 20 / np.linalg.norm(A, 2) ** 2 * (1 + momentum) / (1 + 2 * momentum)
    model = GDLinearRegressor(
        learning_rate=share * stable, momentum=momentum, max_iter=epochs, tol=None
    )
    model.fit(X, y, coef_init=rng.standard_normal(3))  # else a DivergenceError


@pytest.mark.parametrize(
    "params", [{"optimizer": torch.optim.Adam}, {"optimizer_params": {"momentum": 0.9}}]
)
def test_an_optimizer_has_a_momentum_of_its_own(params, regression):
    model = GDLinearRegressor(ModuleStrategy(**params), learning_rate=0.01)
    model.set_params(momentum=0.5, tol=None, max_iter=5)
    with pytest.raises(ValueError, match=r"momentum=0.5 .*optimizer_params"):
        model.fit(*regression)
    for momentum in (0.0, "auto"):
        model.set_params(momentum=momentum).fit(*regression)


@pytest.mark.parametrize("momentum", [1.0, -0.1, "nesterov", None])
def test_other_values_are_refused(momentum, regression):
    with pytest.raises(ValueError, match="'momentum' parameter"):
        GDLinearRegressor(momentum=momentum).fit(*regression)


@pytest.mark.parametrize("kind", [np.float32, np.float64, float])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_stable_rate_heeds_a_momentum_of_any_kind(kind, batch_size, regression):
    stable = []
    for momentum in (0.5, kind(0.5)):
        model = GDLinearRegressor(
            learning_rate=1e3, momentum=momentum, batch_size=batch_size
        )
        with pytest.raises(DivergenceError, match=r"and momentum=0\.5") as caught:
            model.fit(*regression)
        stable.append(caught.value.largest_stable_learning_rate)
    assert stable[0] == stable[1]
