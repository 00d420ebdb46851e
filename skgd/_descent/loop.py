"""The descent: one loop for every strategy, and for batches of every size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from enum import Enum
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skgd._data.device import in_numpy, to_numpy
from skgd._descent.batches import Prepared, SmallBatches
from skgd._descent.problem import Problem
from skgd._descent.steps import Steps
from skgd._descent.stopping import Stopping, StoppingRule
from skgd._interrupt import NO_INTERRUPTION, Interruption
from skgd._typing import NumpyParameters, Parameters
from skgd.strategies import GradientStrategy


class Outcome(Enum):
    """How a descent ended."""

    CONVERGED = "the stopping rule was met"
    PLATEAU = "the loss, or the validation score, no longer improved"
    STOPPED = "an observer asked to stop"
    OUT_OF_EPOCHS = "max_iter epochs were run"
    INTERRUPTED = "an interruption came"
    OVERFLOW = "the loss is not finite"


class Result(NamedTuple):
    """Where a descent ended, and how; in the coordinates of the descent."""

    outcome: Outcome
    parameters: Parameters  # the best on held-out rows, the average, or the last
    last: Parameters  # where the last step led to
    losses: list[float]  # there, target by target
    first_losses: list[float]  # those of the first epoch
    smooth_losses: list[float]  # these without the L1 term; of a full batch
    gradients: Parameters  # there, or what takes their place; of a full batch
    loss_curve: list[float]  # mean over an epoch's batches, each before its update
    start: Parameters  # of mini-batches; empty for a full batch
    first_step: int  # 0, but where a stream goes on

    @property
    def n_epochs(self) -> int:
        """Number of epochs begun."""
        return len(self.loss_curve)


class Observer:
    """Sees the epochs of a descent. A class of its own has the methods that it needs.

    An iterate is valid until the method that got it returns.
    """

    def epoch_begins(self, iterate: Iterate) -> None:
        """Receive where an epoch begins; its loss is not known yet."""

    def epoch_evaluated(self, iterate: Iterate) -> None:
        """Receive the loss and the gradients of an epoch, before its last update."""

    def epoch_ends(self, iterate: Iterate) -> bool:
        """Receive where the updates of an epoch led; return whether to stop there."""
        return False

    def descent_ends(self, iterate: Iterate, model: NumpyParameters) -> None:
        """Receive the last iterate, and the model in the user's units."""


def descend(
    problem: Problem,
    strategy: GradientStrategy,
    steps: Steps,
    stopping: Stopping,
    *,
    max_iter: int,
    observers: Sequence[Observer] = (),
    interruption: Interruption = NO_INTERRUPTION,
) -> Result:
    """Run up to `max_iter` epochs from where the strategy was started.

    An epoch evaluates the objective on each batch and takes a step, which the proximal
    operator of the penalty completes, where it has one. The epoch that finds the
    stopping rule met, or the loss not finite, is the last one and does not take its
    last step, unless that is a proximal one, since only such a step sets coefficients
    to exactly zero. With momentum, a step begins at the extrapolation of the last one;
    the last epoch ends without. An interruption ends it after the batch in which it
    comes, as `max_iter` would; an observer may end it after any epoch.

    It never raises or warns by itself: whether the result will do is for others to say.
    """
    descent = Descent(problem, strategy, steps, stopping, observers, interruption)
    ignored = np.errstate(over="ignore", invalid="ignore")  # an outcome, no warning
    with ignored, problem.in_as_many_threads_as_pay():
        return descent.run(max_iter)


class Descent:
    """A descent under way."""

    def __init__(
        self,
        problem: Problem,
        strategy: GradientStrategy,
        steps: Steps,
        stopping: Stopping,
        observers: Sequence[Observer],
        interruption: Interruption,
    ) -> None:
        self.problem, self.strategy, self.steps = problem, strategy, steps
        self.stopping, self.observers = stopping, observers
        self.interruption = interruption
        self.penalty = problem.device_objective.penalty
        self.loss_curve: list[float] = []
        self.losses: list[float] = []  # of each target
        self.first_losses: list[float] = []  # of the first epoch
        self.smooth_losses: list[float] = []  # without the L1 term
        self.converged = False
        self._mapping: Parameters = ()
        # Of mini-batches, nothing asks for a mapping, which costs another prox.
        self._maps = self.penalty.has_prox and problem.batches.whole
        # The next step; None: it was taken.
        self._prepared: Prepared | None = Prepared(problem.batches.n_samples)

    def run(self, max_iter: int) -> Result:
        """Run the epochs, and return the result."""
        whole, first_step = self.problem.batches.whole, self.steps.step
        start = () if whole else deepcopy(self.strategy.parameters)
        outcome = self._run_epochs(max_iter)
        if self.steps.last_on_all and outcome is not Outcome.OVERFLOW:
            self._step_on_all()
        result = Result(
            outcome,
            self.model(),
            self.strategy.parameters,
            self.losses,
            self.first_losses,
            self.smooth_losses,
            self.gradients if whole else (),
            self.loss_curve,
            start,
            first_step,
        )
        for observer in self.observers:
            iterate = Iterate(result.n_epochs, sum(self.losses), self)
            model = self.problem.in_user_units(result.parameters)
            observer.descent_ends(iterate, model)
        return result

    @property
    def gradients(self) -> Parameters:
        """Gradients of the strategy, or the gradient mapping in their place."""
        return self._mapping or self.strategy.gradients

    def _run_epochs(self, max_iter: int) -> Outcome:
        rule, may_plateau = self.stopping.rule, any(self.stopping[1:])
        observers, early = self.observers, None
        for epoch in range(max_iter):
            if observers:
                self._tell_begin(epoch)
            self.losses = self._evaluate_epoch()
            self.first_losses = self.first_losses or self.losses
            loss = sum(self.losses)
            self.loss_curve.append(loss)
            if observers:
                self._tell_evaluated(epoch, loss)
            if not math.isfinite(loss):
                self._tell_end(epoch, loss)
                return Outcome.OVERFLOW
            if self._meets(rule):
                if self.penalty.has_prox:
                    self._step()
                    self.losses = self._evaluate_all()
                self.stopping.score(self.steps.model(self.strategy))
                self.converged = True
                self._tell_end(epoch, loss)
                return Outcome.CONVERGED
            self._step()
            if may_plateau and self._end_epoch():
                early = Outcome.PLATEAU
            if observers and self._tell_end(epoch, loss):
                early = early or Outcome.STOPPED
            if early or self.interruption.came:
                break
        if self.problem.batches.whole:  # of batches, that would be another pass
            self.losses = self._evaluate_all()
            if self.steps.settle(self.strategy, self.smooth_losses):
                self.losses = self._evaluate_all()
        if not math.isfinite(sum(self.losses)):
            return Outcome.OVERFLOW
        if self.interruption.came:
            return Outcome.INTERRUPTED
        if early:
            return early
        if self._meets(rule):
            self.converged = True
            return Outcome.CONVERGED
        return Outcome.OUT_OF_EPOCHS

    def _tell_begin(self, epoch: int) -> None:
        """Tell observers where an epoch begins."""
        for observer in self.observers:
            observer.epoch_begins(Iterate(epoch, math.nan, self))

    def _tell_evaluated(self, epoch: int, loss: float) -> None:
        """Tell observers of the loss and the gradients of an epoch."""
        for observer in self.observers:
            observer.epoch_evaluated(Iterate(epoch, loss, self))

    def _tell_end(self, epoch: int, loss: float) -> bool:
        """Tell observers where an epoch led; return whether one asks to stop."""
        iterate = Iterate(epoch, loss, self)
        asked = [observer.epoch_ends(iterate) for observer in self.observers]
        return any(asked)

    def _meets(self, rule: StoppingRule | None) -> bool:
        """Return whether there is a rule, and it is met where the descent may end."""
        return (
            rule is not None
            and rule.is_met(
                self.smooth_losses, self.gradients, self.strategy.parameters
            )
            and self.steps.stands(self.strategy, self.smooth_losses)
        )

    def _evaluate_epoch(self) -> list[float]:
        """Evaluate an epoch, up to its last step, and return the losses of targets."""
        batches = self.problem.batches
        if isinstance(batches, SmallBatches):
            losses, self._prepared = batches.pass_over(
                self.strategy, self.steps, self.penalty, self.interruption
            )
            return losses
        if self.steps.momentum:
            self.steps.extrapolate(self.strategy, self._mapping)
        return self._evaluate_all()

    def _evaluate_all(self) -> list[float]:
        """Evaluate the full batch, and return the whole loss of each target."""
        strategy, penalty = self.strategy, self.penalty
        losses = self.problem.batches.evaluate(strategy)
        if self._maps:
            gradient, *others = strategy.gradients
            coef, rate = strategy.parameters[0], self.steps.rate_to_measure_by()
            self._mapping = (penalty.gradient_mapping(coef, gradient, rate), *others)
        self.smooth_losses = losses.tolist()
        if penalty.l1 is None:
            return self.smooth_losses
        return (losses + penalty.l1_value(strategy.parameters[0])).tolist()

    def _step(self) -> None:
        """Take the step that the last evaluation has prepared."""
        if self._prepared is not None:
            self.steps.take(self.strategy, *self._prepared, self.smooth_losses)

    def _step_on_all(self) -> None:
        """Take a proximal step along the gradients of all batches together.

        The noise of mini-batches keeps coefficients that are to be zero a little way
        from it, however many steps there are (Lee and Wright 2012, Manifold
        identification in dual averaging for regularized stochastic online learning).
        """
        self.problem.batches.evaluate(self.strategy)
        self.steps.take_last(self.strategy)

    def _end_epoch(self) -> bool:
        """Score held-out rows, reduce the rate at a plateau; return whether to stop."""
        plateau, watched = self.stopping.plateau, self.losses
        if self.stopping.held_out is not None:
            model = self.steps.model(self.strategy)
            watched = [-self.stopping.held_out.score(model)]
        if plateau is None or not plateau.reached(watched):
            return False
        reduced = self.steps.reduce()
        return plateau.ends_descent and not (reduced and plateau.gained)

    def model(self) -> Parameters:
        """Return the best on held-out rows, the average, or where the last step led."""
        held_out = self.stopping.held_out
        if held_out is not None and held_out.best:
            return held_out.best
        if self.converged:  # which the average has not
            return self.strategy.parameters
        return self.steps.model(self.strategy)


class Iterate:
    """Where a descent stands, in the user's units; computed when it is asked for.

    Attributes
    ----------
    epoch : int
        Number of epochs that were finished before the one under way.
    loss : float
        The whole objective of that epoch, summed over targets: that at its beginning,
        or with mini-batches the mean over them. nan where it is not known yet.
    """

    def __init__(self, epoch: int, loss: float, descent: Descent) -> None:
        self.epoch, self.loss = epoch, loss
        self._descent = descent

    @cached_property
    def parameters(self) -> NumpyParameters:
        """Coefficients (n_features, n_targets) and, if there is one, the intercept."""
        parameters = self._descent.strategy.parameters
        return self._descent.problem.in_user_units(parameters)

    def model(self, dtype: np.dtype | None = None) -> NumpyParameters:
        """Return what the model would be if the descent ended here, in a dtype.

        It is the best on held-out rows, the average, or `parameters`.
        """
        return self._descent.problem.in_user_units(self._descent.model(), dtype)

    def diverges_beyond(self, dtype: np.dtype) -> bool:
        """Return whether the loss has risen so far that a dtype does not hold it."""
        descent = self._descent
        if self.loss <= sum(descent.first_losses):
            return False
        parameters = in_numpy(descent.model())
        return not (descent.problem.losses_at(parameters) < np.finfo(dtype).max).all()

    @property
    def whole(self) -> bool:
        """Whether all rows are one batch."""
        return self._descent.problem.batches.whole

    @property
    def loss_curve(self) -> list[float]:
        """Losses of all epochs so far, a copy."""
        return self._descent.loss_curve.copy()

    @property
    def n_steps(self) -> int:
        """Number of steps taken so far."""
        return self._descent.steps.step

    @property
    def learning_rate(self) -> np.ndarray:
        """Learning rate of the last step, (1,) or (n_targets,); nan before the first.

        In the coordinates of the descent.
        """
        return np.atleast_1d(to_numpy(self._descent.steps.last_rate))

    @property
    def coef(self) -> np.ndarray:
        """Coefficients, (n_features, n_targets)."""
        return self.parameters[0]

    @property
    def intercept(self) -> np.ndarray:
        """Intercept, (n_targets,); zeros where there is none."""
        coef, *intercept = self.parameters
        return intercept[0] if intercept else np.zeros_like(coef[0])

    @cached_property
    def gradients(self) -> NumpyParameters:
        """Gradients with respect to `parameters`, or the gradient mapping.

        Those of the last batch, with mini-batches.
        """
        gradients = in_numpy(self._descent.gradients)
        return self._descent.problem.coordinates.user_gradients(gradients)

    @property
    def score(self) -> float | None:
        """The last score on held-out rows; None where there is none yet."""
        held_out = self._descent.stopping.held_out
        return held_out.scores[-1] if held_out and held_out.scores else None
