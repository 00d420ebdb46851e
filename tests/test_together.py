"""Runs side by side: each ends where it would end alone, whatever becomes of others."""

import numpy as np
import pytest
import torch

from skgd._data.coordinates import user_coordinates
from skgd._data.device import Device, to_numpy
from skgd._data.rows import Rows
from skgd._descent.batches import FullBatch
from skgd._descent.loop import Outcome, descend
from skgd._descent.problem import Problem, side_by_side
from skgd._descent.steps import Steps, schedule_from
from skgd._descent.stopping import Stopping, StoppingRule
from skgd._descent.together import Run, descend_together
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd.strategies._registry import strategy_from

#: Shares of the rate below which a descent converges: the last of them diverge.
RATES = [1e-3, 0.02, 0.1, 0.3, 0.5, 1.0, 2.0, 1e4]

PENALTIES = {
    "none": (),
    "l2": ("l2",),
    "l1": ("l1",),
    "elastic net": ("l2", "l1"),
    "positive": ("positive",),
    "positive lasso": ("l1", "positive"),
}


class Stack:
    """Runs on the same rows, of a few targets each, all of their own kind.

    Parameters
    ----------
    named : str
        The strategy.
    kind : str
        A key of `PENALTIES`.
    n_targets : int
        Targets of a run.
    momentum, schedule
        As of `Steps`, by name.
    fit_intercept : bool
        Whether there is an intercept.
    runs : sequence of Run
        The runs.
    seed : int, default=0
        Of the rows, the weights of the penalties and the learning rates.
    noise : float, default=1.0
        Spread of what the rows do not explain.
    """

    def __init__(
        self,
        named,
        kind,
        n_targets,
        momentum,
        schedule,
        fit_intercept,
        runs,
        *,
        seed=0,
        noise=1.0,
    ):
        self.named, self.runs = named, runs
        self.momentum, self.schedule = momentum, schedule
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((12, 4)) + 0.3
        self.device = Device(
            torch.device("cpu") if strategy_from(named).needs_tensors else None
        )
        self.problems = []
        for _ in runs:
            y = X @ rng.standard_normal((4, n_targets))
            y += noise * rng.standard_normal(y.shape)
            weights = {
                name: True if name == "positive" else rng.uniform(0, 0.3, (4, 1))
                for name in PENALTIES[kind]
            }
            self.problems.append(
                Problem(
                    FullBatch(Rows(X, y), self.device),
                    Objective(penalty=Penalty(**weights)),
                    user_coordinates(4, n_targets),
                    self.device,
                    fit_intercept,
                )
            )
        most = 1.0 if momentum == "adaptive" else momentum
        stable = [
            problem.largest_stable_learning_rate(most) for problem in self.problems
        ]
        # Not at the edge, where a descent neither converges nor diverges.
        self.rates = np.resize(RATES, len(runs)) * min(stable) * 0.8

    def alone(self, i):
        """Return the result of a run's own descent."""
        problem, run = self.problems[i], self.runs[i]
        rule = None
        if run.tol is not None:
            rule = StoppingRule(
                run.tol,
                problem.rows,
                problem.objective.penalty,
                fit_intercept=problem.fit_intercept,
            )
        strategy, steps = self._start(problem, float(self.rates[i]))
        return descend(problem, strategy, steps, Stopping(rule), max_iter=run.max_iter)

    def together(self):
        """Return the results of all runs."""
        problem = side_by_side(self.problems)
        n_targets = self.problems[0].rows.targets()[0].shape[1]
        (rates,) = problem.send_parameters((np.repeat(self.rates, n_targets),))
        strategy, steps = self._start(problem, rates)
        return descend_together(problem, strategy, steps, self.runs)

    def _start(self, problem, rate):
        strategy = strategy_from(self.named)
        n_targets = problem.rows.targets()[0].shape[1]
        zeros = (np.zeros((4, n_targets)), np.zeros(n_targets))
        strategy.start(
            problem.send_parameters(zeros[: 1 + problem.fit_intercept]),
            problem.device_objective,
        )
        steps = Steps(
            rate,
            schedule_from(self.schedule, 0.3),
            problem.device_objective.penalty,
            momentum=self.momentum,
        )
        return strategy, steps

    def check(self):
        """Check that each run ends as its own descent, and return how."""
        results = self.together()
        assert len(results) == len(self.runs)
        for i, result in enumerate(results):
            expected = self.alone(i)
            assert_same(result, expected)
        return [result.outcome for result in results]


def assert_same(result, expected):
    """Check outcome, epochs, losses and parameters."""
    assert result.outcome is expected.outcome
    assert result.n_epochs == expected.n_epochs
    np.testing.assert_allclose(result.loss_curve, expected.loss_curve, rtol=1e-10)
    if expected.outcome is Outcome.OVERFLOW:
        return  # what is not finite is not compared: one may be inf, the other nan
    np.testing.assert_allclose(sum(result.losses), sum(expected.losses), rtol=1e-10)
    for ours, theirs in zip(result.parameters, expected.parameters, strict=True):
        size = np.abs(to_numpy(theirs)).max()
        np.testing.assert_allclose(
            ours, to_numpy(theirs), rtol=1e-10, atol=1e-10 * size
        )


def random_runs(seed, n_runs=24):
    """Return runs that end at different times, and in different ways."""
    rng = np.random.default_rng(seed)
    tols = [None, 1e-1, 1e-2, 1e-3, 1e-8]
    return [
        Run(int(rng.integers(1, 300)), tols[rng.integers(len(tols))])
        for _ in range(n_runs)
    ]


@pytest.mark.parametrize("kind", PENALTIES)
@pytest.mark.parametrize("momentum", [0.0, 0.9, "adaptive"])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
def test_each_run_ends_as_it_would_alone(kind, momentum, n_targets, schedule):
    fit_intercept = schedule == "constant"
    runs = random_runs(1)
    stack = Stack("manual", kind, n_targets, momentum, schedule, fit_intercept, runs)
    outcomes = stack.check()
    assert set(outcomes) == {
        Outcome.CONVERGED,
        Outcome.OUT_OF_EPOCHS,
        Outcome.OVERFLOW,
    }


@pytest.mark.parametrize("kind", ["l2", "positive lasso"])
def test_they_do_with_every_strategy(strategy, kind):
    runs = random_runs(1, 8)
    Stack(strategy, kind, 2, "adaptive", "constant", True, runs).check()


@pytest.mark.parametrize("max_iter", [1, 2, 30])
def test_all_may_end_by_the_same_number_of_epochs(max_iter):
    runs = [Run(max_iter, tol) for tol in (None, 1e-3, 0.1, 1e-3)]
    for kind in PENALTIES:
        Stack("manual", kind, 1, "adaptive", "constant", True, runs).check()


def test_a_run_without_a_tolerance_goes_on_to_the_last_epoch():
    runs = [Run(500, None), Run(500, 1e-3), Run(500, None)]
    stack = Stack("manual", "none", 1, "adaptive", "constant", True, runs)
    stack.rates[:] = 0.1
    ran_all = [
        result.outcome is Outcome.OUT_OF_EPOCHS and result.n_epochs == 500
        for result in stack.together()
    ]
    assert ran_all == [True, False, True]


def test_a_target_that_is_met_ends_its_run():
    runs = [Run(2000, tol) for tol in (0.3, 0.03, 0.1, 0.3, 0.03, 0.1)]
    stack = Stack("manual", "none", 1, 0.0, "constant", True, runs, noise=0.0)
    assert stack.check()[2:] == [Outcome.CONVERGED] * 4
