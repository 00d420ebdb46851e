"""The stopping rule is LSQR's, and does not depend on units."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skgd import GDLinearRegressor
from skgd._data.device import Device
from skgd._data.row_sources import RowsInMemory
from skgd._data.rows import Rows
from skgd._descent.batches import FullBatch
from skgd._descent.stopping import Sizes, StoppingRule, sizes_at
from skgd._objective.losses import CustomLoss, Huber
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd.strategies import ManualStrategy


def lsqr_rule(X, y, weight, residual, fit_intercept):
    """Least tol at which one target has arrived, from the definition."""
    root = np.sqrt(np.ones(len(y)) if weight is None else weight)
    A = X
    if fit_intercept:
        A = np.column_stack([X - np.average(X, axis=0, weights=weight), np.ones(9)])
        y = y - np.average(y, weights=weight)
    A, r, y = A * root[:, None], residual * root, y * root
    norms = np.linalg.norm(A, axis=0) * np.linalg.norm(r)
    correlations = np.abs(A.T @ r)[norms > 0] / norms[norms > 0]
    return min(correlations.max(), np.sqrt(np.linalg.norm(r) / np.linalg.norm(y)))


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_targets=st.integers(1, 3),
    weighted=st.booleans(),
    fit_intercept=st.booleans(),
    log_tol=st.floats(-3, 0.5),
)
def test_it_is_the_definition(seed, n_targets, weighted, fit_intercept, log_tol):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((9, 4)) * 10.0 ** rng.integers(-3, 4, 4)
    X[:, 1] *= rng.random() < 0.8  # at times a column of zeros
    Y = rng.standard_normal((9, n_targets)) * 10.0 ** rng.integers(-3, 4, n_targets)
    weight = rng.uniform(0.1, 3, 9) if weighted else None
    if weighted:
        weight /= weight.mean()
    R = Y * rng.uniform(0.01, 1) + 0.1 * rng.standard_normal(Y.shape)
    averaged = (np.ones(9) if weight is None else weight)[:, None] * R / 9
    losses = (averaged * R).sum(axis=0).tolist()
    gradients = 2 * X.T @ averaged, *[2 * averaged.sum(axis=0)] * fit_intercept

    rule = StoppingRule(
        10.0**log_tol,
        RowsInMemory(Rows(X, Y, weight)),
        Penalty(),
        fit_intercept=fit_intercept,
    )
    expected = max(
        lsqr_rule(X, Y[:, t], weight, R[:, t], fit_intercept) for t in range(n_targets)
    )
    assert rule.achieved(losses, gradients)[0] == pytest.approx(expected, rel=1e-9)
    arrived = expected <= 10.0**log_tol
    # Whatever it remembers of an earlier epoch, it answers for this one.
    zeros = np.zeros((4, n_targets)), *[np.zeros(n_targets)] * fit_intercept
    rule.is_met(losses, tuple(1e9 * g for g in gradients), zeros)
    # The second answer comes by way of the remembered feature.
    assert [rule.is_met(losses, gradients, zeros) for _ in range(2)] == [arrived] * 2


@pytest.mark.parametrize("penalized", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sizes_are_those_of_pseudo_residual_and_residual(weighted, penalized):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((9, 3)), rng.standard_normal((9, 2))
    w = rng.uniform(0.1, 3, 9) if weighted else np.ones(9)
    w /= w.mean()
    rows = Rows(X, y, w if weighted else None)
    l2 = rng.uniform(1, 5, (3, 1))
    objective = Objective(Huber(0.5), Penalty(l2=l2 if penalized else None))
    strategy = ManualStrategy()
    coef, intercept = rng.standard_normal((3, 2)), rng.standard_normal(2)
    strategy.start((coef, intercept), objective)
    batches = FullBatch(rows, Device(None))
    r = X @ coef + intercept - y
    pseudo_residual = (w[:, None] * np.clip(r, -0.5, 0.5) ** 2).mean(axis=0)
    pseudo_residual += penalized * (l2 * coef**2).sum(axis=0)
    sizes = sizes_at(strategy, batches, objective)()
    np.testing.assert_allclose(sizes.pseudo_residual**2, pseudo_residual)
    np.testing.assert_allclose(sizes.residual**2, (w[:, None] * r**2).mean(axis=0))
    own = Objective(CustomLoss(lambda p, t: abs(p - t)))  # may be least elsewhere
    assert np.isinf(sizes_at(strategy, batches, own)().residual).all()


def test_a_size_that_has_grown_is_measured_before_long():
    rows = Rows(np.ones((2, 1)), np.ones((2, 1)), None)
    size = np.array([1e-3])
    rule = StoppingRule(
        1e-2,
        RowsInMemory(rows),
        Penalty(),
        fit_intercept=False,
        measure=lambda: Sizes(size, size),
    )
    gradients = (np.array([[1.0]]),)
    zeros = (np.zeros((1, 1)),)
    assert not rule.is_met([1.0], gradients, zeros)
    size = np.array([1e3])
    assert any(rule.is_met([1.0], gradients, zeros) for _ in range(12))


def test_large_float32_values_do_not_overflow():
    rows = Rows(np.full((2, 1), 1e30, "float32"), np.ones((2, 1), "float32"), None)
    rule = StoppingRule(1e-4, RowsInMemory(rows), Penalty(), fit_intercept=False)
    gradients = (2 * np.array([[1e30]]),)  # all of the residual is along X
    assert rule.achieved([1.0], gradients)[0] == pytest.approx(1)
    assert not rule.is_met([1.0], gradients, (np.zeros((1, 1)),))


@pytest.mark.parametrize("size", [1e-170, 1e200])
def test_columns_whose_squares_leave_float64_count(size):
    rows = Rows(np.array([[1.0, 3], [2, 4]]) * [1, size], np.ones((2, 1)), None)
    rule = StoppingRule(1e-4, RowsInMemory(rows), Penalty(), fit_intercept=False)
    gradients = (np.array([[0], [2 * size * np.sqrt(12.5)]]),)
    assert rule.achieved([1.0], gradients)[0] == pytest.approx(1)
    assert not rule.is_met([1.0], gradients, (np.zeros((2, 1)),))


def test_a_gradient_of_nan_has_not_arrived():
    rule = StoppingRule(
        1e-4,
        RowsInMemory(Rows(np.eye(2), np.ones((2, 1)))),
        Penalty(),
        fit_intercept=False,
    )
    assert not rule.is_met([1.0], (np.array([[0.0], [np.nan]]),), (np.zeros((2, 1)),))


@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
def test_an_offset_of_the_target_does_not_hide_the_residual(
    learning_rate, strategy, regression
):
    X, y = regression
    model = GDLinearRegressor(strategy, learning_rate=learning_rate)
    score = model.fit(X, y + 1e6).score(X, y + 1e6)
    assert score == pytest.approx(model.fit(X, y).score(X, y), abs=1e-6)


@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
def test_the_epoch_does_not_depend_on_the_target_s_units(
    learning_rate, strategy, regression
):
    X, y = regression
    model = GDLinearRegressor(strategy, learning_rate=learning_rate, max_iter=5000)
    epochs = {model.fit(X, scale * y).n_iter_ for scale in (1e-6, 1, 1e6)}
    assert len(epochs) == 1
    assert 1 < epochs.pop() < 5000


def test_the_epoch_does_not_depend_on_the_number_of_rows(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(strategy)
    once = model.fit(X, y).n_iter_
    assert model.fit(np.tile(X, (7, 1)), np.tile(y, 7)).n_iter_ == once


def test_a_target_that_is_met_at_the_start_stops_at_once(strategy):
    X = np.array([[1.0], [2.0], [4.0]])
    for y in (np.zeros(3), np.full(3, 5.0)):
        model = GDLinearRegressor(strategy).fit(X, y)
        assert model.n_iter_ == 1
        np.testing.assert_allclose(model.predict(X), y)


def test_a_constant_column_does_no_harm(strategy, regression):
    X, y = regression
    expected = GDLinearRegressor(strategy).fit(X, y)
    model = GDLinearRegressor(strategy).fit(np.column_stack([X, np.full(40, 7.0)]), y)
    np.testing.assert_allclose(model.coef_, [*expected.coef_, 0], rtol=1e-12)
