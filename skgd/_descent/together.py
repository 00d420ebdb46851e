"""Descents side by side: each ends by itself, as if it were alone."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skgd._data.device import to_numpy
from skgd._descent.batches import FullBatch
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem
from skgd._descent.steps import Steps
from skgd._descent.stopping import TargetRules
from skgd._typing import Parameters
from skgd.strategies import GradientStrategy


class Run(NamedTuple):
    """A descent among others, on some targets of the same rows."""

    max_iter: int
    tol: float | None


def descend_together(
    problem: Problem, strategy: GradientStrategy, steps: Steps, runs: Sequence[Run]
) -> list[Result]:
    """Descend on all targets at once, and end each run where it would end alone.

    The rows are all in one part, the loss is squared error, steps are plain, and their
    schedule depends on the number of the step alone; there is no average. An iterate of
    a run, its outcome and its number of epochs are those that `descend` has for it, to
    rounding. Where a run has ended, its targets go on unheeded; when as many have ended
    as are under way, the descent goes on without them.

    Parameters
    ----------
    problem : Problem
        All targets: those of the first run, of the second, and so on, as many each.
    strategy : GradientStrategy
        It has been started on all of them.
    steps : Steps
        With a learning rate for each target.
    runs : sequence of Run
        The runs.

    Returns
    -------
    results : list of Result
        Of each run, in NumPy.
    """
    ignored = np.errstate(over="ignore", invalid="ignore")  # an outcome, no warning
    with ignored, problem.in_as_many_threads_as_pay():
        return Together(problem, strategy, steps, runs).run()


class Together:
    """Runs under way."""

    def __init__(
        self,
        problem: Problem,
        strategy: GradientStrategy,
        steps: Steps,
        runs: Sequence[Run],
    ) -> None:
        self.strategy, self.steps, self.n_runs = strategy, steps, len(runs)
        self.results: list[Result | None] = [None] * len(runs)
        self._tols = np.array([-1.0 if tol is None else tol for _, tol in runs])
        self._max_iters = np.array([max_iter for max_iter, _ in runs])
        self._numbers = np.arange(len(runs))  # of the runs whose targets these are
        self._n_targets = problem.full_rows.n_targets // len(runs)
        self._curves: list[np.ndarray] = []  # an epoch each, nan where a run has ended
        self._smooth_losses = np.empty(0)
        self._gradients: Parameters = ()  # or the gradient mapping
        self._begin(problem)

    def run(self) -> list[Result]:
        """Run the epochs, and return the results."""
        prox, n_epochs = self.penalty.has_prox, 0
        while self._n_under_way:
            if 2 * self._n_under_way <= len(self._under_way):
                self._drop_ended()
            if self.steps.momentum:
                self.steps.extrapolate(self.strategy, self._gradients)
            losses = self._evaluate()
            if not n_epochs:
                self._first_losses = self._losses
            self._add_to_curves(losses)
            n_epochs += 1
            finite = np.isfinite(losses)
            if not finite.all():
                self._end(~finite, Outcome.OVERFLOW)
            met = self._meet()
            if met is not None and not prox:
                self._end(met, Outcome.CONVERGED)
            self.steps.take(self.strategy, self._n_rows)
            if met is not None and prox:
                self._end(met, Outcome.CONVERGED, stepped=True)
            if n_epochs == self._least_max_iter:
                self._end_last_epoch(n_epochs)
        return [result for result in self.results if result is not None]

    def _begin(self, problem: Problem) -> None:
        """Take up a problem on the targets of the runs under way."""
        assert isinstance(problem.batches, FullBatch)
        self.problem = problem
        self.penalty = problem.device_objective.penalty
        (self._rows,) = problem.batches.parts
        self._n_rows = problem.batches.n_samples
        self._under_way = np.ones(len(self._numbers), bool)
        self._n_under_way = len(self._numbers)
        self._least_max_iter = self._max_iters[self._numbers].min()
        tols = self._tols[self._numbers]
        self._rules = TargetRules(
            np.repeat(tols, self._n_targets),
            problem.batches.rows,
            problem.objective.penalty,
            fit_intercept=problem.fit_intercept,
            white=problem.is_white,
            targets=problem.target_moments,
        )
        self._ask(tols >= 0)

    def _evaluate(self) -> np.ndarray:
        """Evaluate the rows, and return the loss of each run."""
        strategy, penalty = self.strategy, self.penalty
        losses = strategy.evaluate(self._rows)
        self._smooth_losses, self._gradients = to_numpy(losses), strategy.gradients
        if penalty.has_prox:
            gradient, *others = self._gradients
            coef, rate = strategy.parameters[0], self.steps.rate_to_measure_by()
            self._gradients = penalty.gradient_mapping(coef, gradient, rate), *others
            if penalty.l1 is not None:
                losses = losses + penalty.l1_value(coef)
        self._losses = to_numpy(losses)
        return self._summed(self._losses)

    def _summed(self, losses: np.ndarray) -> np.ndarray:
        """Return the sum over the targets of each run."""
        if self._n_targets == 1:
            return losses
        return losses.reshape(-1, self._n_targets).sum(axis=1)

    def _add_to_curves(self, losses: np.ndarray) -> None:
        """Add the losses of an epoch to the curves of the runs at hand."""
        if len(losses) < self.n_runs:
            of_these, losses = losses, np.full(self.n_runs, np.nan)
            losses[self._numbers] = of_these
        self._curves.append(losses)

    def _ask(self, asked: np.ndarray) -> None:
        """Ask for these runs whether they meet their rules."""
        self._asked = asked
        self._asked_targets = np.flatnonzero(np.repeat(asked, self._n_targets))

    def _meet(self) -> np.ndarray | None:
        """Return which runs under way meet their rules; None: none does."""
        if not len(self._asked_targets):
            return None
        met = self._rules.met(
            self._smooth_losses,
            self._gradients,
            self.strategy.parameters,
            self._asked_targets,
        )
        if met is None:
            return None
        return self._asked & met.reshape(-1, self._n_targets).all(axis=1)

    def _end_last_epoch(self, n_epochs: int) -> None:
        """End runs that have used up their epochs.

        The loss there is without the extrapolation of the next step, for which the
        gradients of the others stay what they are.
        """
        last = self._max_iters[self._numbers] == n_epochs
        if (last & self._under_way).any():
            gradients = tuple(map(deepcopy, self._gradients))
            losses, met = self._evaluate(), self._meet()
            self._end(last & ~np.isfinite(losses), Outcome.OVERFLOW)
            if met is not None:
                self._end(last & met, Outcome.CONVERGED)
            self._end(last, Outcome.OUT_OF_EPOCHS)
            self._gradients = gradients
        max_iters = self._max_iters[self._numbers[self._under_way]]
        self._least_max_iter = max_iters.min(initial=self._max_iters.max())

    def _end(
        self, mask: np.ndarray, outcome: Outcome, *, stepped: bool = False
    ) -> None:
        """End runs where they stand, which may be a step after the last evaluation."""
        ended = np.flatnonzero(mask & self._under_way).tolist()
        if not ended:
            return
        here = tuple(to_numpy(x).copy() for x in self.strategy.parameters)
        losses = self.problem.losses_at(here) if stepped else self._losses
        curves = np.stack(self._curves, axis=1)[self._numbers[ended]].tolist()
        for i, curve in zip(ended, curves, strict=True):
            number, targets = self._numbers[i], self._targets_of(i)
            parameters = tuple(x[..., targets] for x in here)
            self.results[number] = Result(
                outcome,
                parameters,
                parameters,
                losses[targets].tolist(),
                self._first_losses[self._targets_of(number)].tolist(),
                smooth_losses=[],
                gradients=(),
                loss_curve=curve,
                start=(),
                first_step=0,
            )
        self._under_way[ended] = False
        self._n_under_way -= len(ended)
        self._ask(self._asked & self._under_way)

    def _targets_of(self, i: int) -> slice:
        return slice(i * self._n_targets, (i + 1) * self._n_targets)

    def _drop_ended(self) -> None:
        """Go on with the runs under way alone."""
        targets = np.flatnonzero(np.repeat(self._under_way, self._n_targets))
        self._numbers = self._numbers[self._under_way]
        problem = self.problem.of_targets(targets)
        self._gradients = tuple(x[..., targets] for x in self._gradients)
        parameters = tuple(x[..., targets] for x in self.strategy.parameters)
        self.strategy = clone(self.strategy)  # which starts once
        self.strategy.start(parameters, problem.device_objective)
        self.steps.keep_targets(targets, problem.device_objective.penalty)
        self._begin(problem)
