"""The loop itself: per target, in parts, and what observers see of it."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from by_hand import descend as descend_by_hand

from skgd._data.coordinates import ScaledCoordinates
from skgd._data.device import Device, to_numpy
from skgd._data.moments import ColumnMoments, Moments
from skgd._data.rows import Rows
from skgd._data.whitening import triangle_of, white_coordinates, white_rows
from skgd._descent.batches import FullBatch
from skgd._descent.loop import Observer, Outcome, descend
from skgd._descent.problem import Problem, side_by_side
from skgd._descent.steps import Steps, constant, schedule_from
from skgd._descent.stopping import Stopping
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd.strategies._registry import strategy_from

COORDINATES = ScaledCoordinates(
    np.array([1.0, 0, 2]), np.array([2.0, 1, 3]), np.zeros(2)
)


class Recorder(Observer):
    """Keeps what an observer can see."""

    def __init__(self, stop_after=None):
        self.epochs, self.ended, self.stop_after = [], None, stop_after
        self.begun, self.left = [], []

    def epoch_begins(self, iterate):
        assert np.isnan(iterate.loss)
        self.begun.append(np.copy(iterate.coef))

    def epoch_evaluated(self, iterate):
        seen = iterate.coef, iterate.intercept, *iterate.gradients
        self.epochs.append((iterate.epoch, iterate.loss, *map(np.copy, seen)))

    def epoch_ends(self, iterate):
        self.left.append(np.copy(iterate.model()[0]))
        return iterate.epoch == self.stop_after

    def descent_ends(self, iterate, model):
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
        np.testing.assert_array_equal(observer.begun, coefs)
        np.testing.assert_array_equal(observer.left, [*coefs[1:], model[0]])


def test_a_descent_ends_after_the_epoch_in_which_an_observer_asks(
    strategy, two_targets
):
    X, y = two_targets
    short, watching = Recorder(stop_after=4), Recorder()
    result = run(strategy, X, y, Penalty(), 0.1, observers=[short, watching])
    assert result.outcome is Outcome.STOPPED
    assert result.n_epochs == len(short.left) == len(watching.left) == 5
    whole = Recorder()
    run(strategy, X, y, Penalty(), 0.1, observers=[whole])
    np.testing.assert_array_equal(short.left, whole.left[:5])
    assert short.ended[1] == whole.epochs[5][1]  # the loss after the last step


def problems_of_one_x(case, X, y, device):
    """Problems whose X is the same in the coordinates of the descent."""
    moments = Moments.from_data(X, y)
    ridges, (l2, l1) = (
        [0.0, 0.1, 10.0],
        np.random.default_rng(0).uniform(0, 0.2, (2, 3, 3, 2)),
    )
    if case == "ridges on white rows":
        for each in ridges:
            triangle = triangle_of(moments, Rows(X, y), centered=True, l2=each)
            columns, targets = ColumnMoments.from_moments(moments)
            coordinates = white_coordinates(
                triangle, columns.mean, targets.mean, columns.spread[:, None]
            )
            yield white_rows(triangle, centered=True), Penalty(), coordinates
    elif case == "penalties":
        for k in range(3):
            penalty = Penalty(l2=l2[k], l1=l1[k, :, :1])
            yield Rows(X, y), penalty, COORDINATES
    else:
        for k in range(3):
            offset = np.arange(3.0) + k
            scaled = ScaledCoordinates(offset, offset + 1, np.array([3.0, k]))
            yield Rows(X, y), Penalty(positive=True), scaled


@pytest.mark.parametrize("momentum", [0.5, "adaptive"])
@pytest.mark.parametrize(
    "case", ["ridges on white rows", "penalties", "other units and a bound"]
)
def test_problems_side_by_side_are_each_alone(strategy, case, momentum, two_targets):
    X, y = two_targets
    device = Device(torch.device("cpu") if strategy != "manual" else None)
    start = np.array([[1.0, 2, 3], [0, 5, 2]]).T, np.array([3.0, 4])

    def descended(problem, start):
        named, penalty = strategy_from(strategy), problem.device_objective.penalty
        there = problem.send_parameters(problem.coordinates.from_user(start))
        named.start(there, problem.device_objective)
        steps = Steps(0.1, constant, penalty, momentum=momentum)
        seen = Recorder()
        result = descend(
            problem, named, steps, Stopping(), max_iter=9, observers=[seen]
        )
        return result, seen

    problems = [
        Problem(
            FullBatch(rows, device, 40),
            Objective(penalty=penalty),
            coordinates,
            device,
            fit_intercept=True,
        )
        for rows, penalty, coordinates in problems_of_one_x(case, X, y, device)
    ]
    together, seen = descended(
        side_by_side(problems), [np.concatenate([a] * 3, axis=-1) for a in start]
    )
    for k, problem in enumerate(problems):
        alone, seen_alone = descended(problem, start)
        its = slice(2 * k, 2 * k + 2)
        np.testing.assert_allclose(together.losses[its], alone.losses, rtol=1e-12)
        for model, expected in zip(seen.ended[2], seen_alone.ended[2], strict=True):
            np.testing.assert_allclose(model[..., its], expected, rtol=1e-9)
        for epoch, expected in zip(seen.epochs, seen_alone.epochs, strict=True):
            for each, right in zip(epoch[2:], expected[2:], strict=True):
                np.testing.assert_allclose(each[..., its], right, atol=1e-9)


@pytest.mark.parametrize("case", ["ridges on white rows", "other units and a bound"])
def test_problems_side_by_side_know_what_each_knows(case, two_targets):
    device, (X, y) = Device(None), two_targets
    parts = [
        Problem(
            FullBatch(rows, device, 40), Objective(penalty=penalty), where, device, True
        )
        for rows, penalty, where in problems_of_one_x(case, X, y, device)
    ]
    together = side_by_side(parts)
    assert together.is_white == parts[0].is_white == (case == "ridges on white rows")
    assert together.batches.n_samples == 40
    for name in ("mean", "spread"):
        expected = [getattr(part.target_moments, name) for part in parts]
        ours = getattr(together.target_moments, name)
        np.testing.assert_allclose(ours, np.concatenate(expected), atol=1e-12)
    rates = [part.largest_stable_learning_rate() for part in parts]
    assert together.largest_stable_learning_rate() == pytest.approx(min(rates))
