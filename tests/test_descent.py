"""The loop itself: per target, in parts, and what observers see of it."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from by_hand import descend as descend_by_hand

from skgd._data.batches import FullBatch
from skgd._data.coordinates import ScaledCoordinates
from skgd._data.device import Device, to_numpy
from skgd._data.rows import Rows
from skgd._descent.loop import Outcome, descend
from skgd._descent.problem import Problem
from skgd._descent.steps import Steps, schedule_from
from skgd._descent.stopping import Stopping
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd.strategies._registry import strategy_from

COORDINATES = ScaledCoordinates(
    np.array([1.0, 0, 2]), np.array([2.0, 1, 3]), np.zeros(2)
)


class Recorder:
    """Keeps what an observer can see."""

    def __init__(self):
        self.epochs, self.ended = [], None

    def epoch(self, iterate):
        seen = iterate.coef, iterate.intercept, *iterate.gradients
        self.epochs.append((iterate.epoch, iterate.loss, *map(np.copy, seen)))

    def end(self, iterate, model):
        self.ended = iterate.epoch, iterate.loss, model


def run(named, X, y, penalty, rate, *, ends=None, momentum=0.0, observers=()):
    """Descend from zero for 30 epochs, with the rows in one part or several."""
    strategy = strategy_from(named)
    device = Device(torch.device("cpu") if strategy.needs_tensors else None)
    batches = FullBatch(Rows(X, y), device)
    if ends is not None:
        whole = batches.parts[0]
        batches.parts = tuple(whole.at(slice(*pair)) for pair in pairwise(ends))
    objective = Objective(penalty=penalty)
    problem = Problem(batches, objective, COORDINATES, device, fit_intercept=True)
    zeros = np.zeros((3, y.shape[1])), np.zeros(y.shape[1])
    strategy.start(problem.send_parameters(zeros), problem.device_objective)
    rate = device.send(rate) if isinstance(rate, np.ndarray) else rate
    steps = Steps(
        rate,
        schedule_from("constant", 0.5),
        problem.device_objective.penalty,
        momentum=momentum,
    )
    return descend(
        problem, strategy, steps, Stopping(), max_iter=30, observers=observers
    )


@pytest.mark.parametrize("momentum", [0.0, 0.5, "adaptive"])
@pytest.mark.parametrize("ends", [None, [0, 7, 30, 40]])
def test_rates_and_penalties_may_differ_from_target_to_target(
    strategy, ends, momentum, two_targets
):
    X, y = two_targets
    rng = np.random.default_rng(0)
    l2, l1 = rng.uniform(0, 0.5, (2, 3, 2))
    rates = np.array([0.1, 0.02])
    options = {"ends": ends, "momentum": momentum}
    both = run(strategy, X, y, Penalty(l2=l2, l1=l1), rates, **options)
    for t in (0, 1):
        penalty = Penalty(l2=l2[:, [t]], l1=l1[:, [t]])
        alone = run(strategy, X, y[:, [t]], penalty, rates[t], **options)
        assert both.losses[t] == pytest.approx(alone.losses[0], rel=1e-12)
        for one, other in zip(both.parameters, alone.parameters, strict=True):
            ours, expected = to_numpy(one)[..., t], to_numpy(other)[..., 0]
            np.testing.assert_allclose(ours, expected, rtol=1e-10)


def test_a_descent_in_parts_is_the_descent_by_hand(strategy, two_targets):
    X, y = two_targets
    penalty = Penalty(l2=np.full((3, 1), 0.3))
    result = run(strategy, X, y, penalty, 0.1, ends=[0, 1, 20, 40])
    by_hand = descend_by_hand(X, y, 0.1, 30, l2=0.3)
    assert result.outcome is Outcome.OUT_OF_EPOCHS
    coef, intercept = map(to_numpy, result.parameters)
    np.testing.assert_allclose(coef.T, by_hand.coef, rtol=1e-9)
    np.testing.assert_allclose(intercept, by_hand.intercept, rtol=1e-9)
    np.testing.assert_allclose(result.loss_curve, by_hand.losses, rtol=1e-9)


def test_observers_see_every_epoch_in_the_users_units(strategy, two_targets):
    """What they see of the loss, the model and its gradient fits together."""
    X, y = two_targets
    observers = Recorder(), Recorder()
    result = run(strategy, X, y, Penalty(), 0.1, observers=observers)
    for observer in observers:
        numbers, losses, coefs, intercepts, *gradients = zip(
            *observer.epochs, strict=True
        )
        assert list(numbers) == list(range(30))
        assert list(losses) == result.loss_curve
        user_X = X * COORDINATES.X_scale + COORDINATES.X_offset
        for k in (0, 7, 29):
            residual = user_X @ coefs[k] + intercepts[k] - y
            assert (residual**2).mean(axis=0).sum() == pytest.approx(losses[k])
            expected = 2 / 40 * user_X.T @ residual, 2 / 40 * residual.sum(axis=0)
            for each, right in zip(gradients, expected, strict=True):
                np.testing.assert_allclose(each[k], right, atol=1e-9)
        epoch, loss, model = observer.ended
        assert (epoch, loss) == (30, sum(result.losses))
        last = COORDINATES.to_user(
            tuple(map(to_numpy, result.parameters)), np.dtype(float)
        )
        for ours, right in zip(model, last, strict=True):
            np.testing.assert_array_equal(ours, right)
