"""The descent: one loop for every strategy, and for batches of every size."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from skgd._data.batches import FullBatch, MiniBatches
from skgd._descent.averaging import Average
from skgd._descent.held_out import Validation
from skgd._descent.momentum import Extrapolation
from skgd._descent.plateau import Plateau
from skgd._descent.schedule import Pace
from skgd._descent.stopping import StoppingRule
from skgd._objective.penalties import Penalty
from skgd.strategies import GradientStrategy

#: Called in each epoch, before its last update, with the number of the epoch, the loss,
#: the strategy, and a function that gives the gradients or what takes their place.
Report = Callable[[int, float, GradientStrategy, Callable[[], Any]], None]


class Outcome(Enum):
    """How a descent ended."""

    ARRIVED = "the stopping rule was met"
    PLATEAU = "the loss, or the validation score, no longer improved"
    OUT_OF_EPOCHS = "max_iter epochs were run"
    OVERFLOW = "the loss is not finite"


class Steps(NamedTuple):
    """The steps of a descent: how long, how far carried on, and whether averaged."""

    pace: Pace
    momentum: float | str  # or "adaptive"; 0.0 is none
    average: Average | None
    last_on_all: bool  # end mini-batches by a proximal step over all rows


class Watch(NamedTuple):
    """What may end a descent before its epochs are used up."""

    stopping: StoppingRule | None  # of a full batch
    plateau: Plateau | None  # of the validation score, or else of the losses
    validation: Validation | None
    report: Report | None


class Descent(NamedTuple):
    """What a descent did, and where it got to."""

    outcome: Outcome
    loss_curve: list[float]  # mean over an epoch's batches, each before its update
    first_step: int  # 0, but where a stream goes on
    start: tuple[Any, Any]  # coefficients and intercept, where there are batches
    last_losses: list[float]  # where the strategy stands, target by target
    smooth_losses: list[float]  # of these, what has a gradient; of a full batch
    gradients: Any  # or what takes the place of them
    coef: Any  # the best on held-out rows; the average; or where the strategy stands
    intercept: Any

    @property
    def n_epochs(self) -> int:
        """Number of epochs begun."""
        return len(self.loss_curve)


def descend(
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
    penalty: Penalty,
    steps: Steps,
    watch: Watch,
    *,
    max_iter: int,
) -> Descent:
    """Run up to `max_iter` epochs from where the strategy was started.

    An epoch evaluates the objective on each batch and takes a step, which the proximal
    operator of the penalty completes, where it has one. The epoch that finds the
    stopping rule met, or the loss not finite, is the last one and does not take its
    last step, unless that is a proximal one: only after such a step are coefficients
    zero that are to be. With momentum, a step begins where the last one is carried on
    to; after the last one nothing is carried on.

    The noise of mini-batches keeps coefficients that are to be zero a little way from
    it, however many steps there are (Lee and Wright 2012, Manifold identification in
    dual averaging for regularized stochastic online learning). So `steps` may ask for a
    last step that has no noise.
    """
    stopping, plateau, validation, report = watch
    walk = _Walk(strategy, penalty, steps, whole=batches.whole)
    first_step = steps.pace.step
    start: tuple[Any, Any] = None, None
    if not batches.whole:
        start = deepcopy((strategy.coef, strategy.intercept))
    loss_curve: list[float] = []

    def ended(outcome: Outcome) -> Descent:
        if steps.last_on_all and isinstance(batches, MiniBatches):
            walk.step_on_all(batches)
        model = walk.model()
        if validation is not None and validation.best is not None:
            model = validation.best
        elif outcome is Outcome.ARRIVED:  # the average has not
            model = strategy.coef, strategy.intercept
        return Descent(
            outcome,
            loss_curve,
            first_step,
            start,
            losses,
            walk.smooth_losses,
            walk.gradients,
            *model,
        )

    # Overflow is an outcome here, not a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(max_iter):
            losses = walk.through(batches)
            loss = sum(losses)
            loss_curve.append(loss)
            if report is not None:
                report(epoch, loss, strategy, lambda: walk.gradients)
            if not math.isfinite(loss):
                return ended(Outcome.OVERFLOW)
            if stopping is not None and stopping.has_arrived(
                walk.smooth_losses, walk.gradients
            ):
                if penalty.has_prox:
                    walk.step()
                    losses = walk.evaluate_again()
                if validation is not None:
                    validation.score(*walk.model())
                return ended(Outcome.ARRIVED)
            walk.step()
            watched = losses
            if validation is not None:
                watched = [-validation.score(*walk.model())]
            if plateau is not None and plateau.reached(watched):
                reduced = steps.pace.schedule.reduce()
                if plateau.ends_descent and not (reduced and plateau.gained):
                    return ended(Outcome.PLATEAU)
        if batches.whole:  # of batches, that would be another pass over the rows
            losses = walk.evaluate_again()
    if not math.isfinite(sum(losses)):
        return ended(Outcome.OVERFLOW)
    if stopping is not None and stopping.has_arrived(
        walk.smooth_losses, walk.gradients
    ):
        return ended(Outcome.ARRIVED)
    return ended(Outcome.OUT_OF_EPOCHS)


class _Walk:
    """A descent under way: what it does from one batch to the next."""

    def __init__(
        self, strategy: GradientStrategy, penalty: Penalty, steps: Steps, *, whole: bool
    ) -> None:
        self.strategy, self.penalty = strategy, penalty
        self.proximal = penalty.has_prox
        # Of mini-batches, nothing asks for a mapping, which costs another prox.
        self.maps = self.proximal and whole
        self.pace, momentum, self.average, _ = steps
        self.extrapolation = Extrapolation(momentum) if momentum != 0 else None
        self.rows: Any = None
        self.n_read = 0  # of the user's rows, by the next step
        self.share_of_batch_size = 1.0  # below 1 where a batch is short of rows
        self.smooth_losses: list[float] = []  # without what has no gradient
        self._mapping: Any = None

    def through(self, batches: FullBatch | MiniBatches) -> list[float]:
        """Go through an epoch, up to its last step; give the loss of each target.

        Each row counts for the same in every epoch: the step of the last batch, where
        it is short of rows, is as much shorter.
        """
        if isinstance(batches, FullBatch):  # a loop of one round, where 1 us matters
            self.rows, self.n_read = batches.placed, batches.n_samples
            return self._numbers(self._evaluate())
        total: Any = None
        for rows in batches:
            if total is not None:
                self.step()
            self.rows, self.n_read = rows, len(rows.y)
            self.share_of_batch_size = self.n_read / batches.batch_size
            losses = self._evaluate()
            if self.penalty.l1 is not None:
                losses = losses + self.penalty.l1_value(self.strategy.coef)
            if self.share_of_batch_size != 1:
                losses = losses * self.share_of_batch_size
            # Left on the device until the end of the epoch.
            total = losses + (0 if total is None else total)
        share = batches.batch_size / batches.n_samples
        return [loss * share for loss in total.tolist()]

    def evaluate_again(self) -> list[float]:
        """Give the loss of each target where the last step has led to."""
        return self._numbers(self._evaluate(extrapolate=False))

    @property
    def gradients(self) -> Any:
        """Gradients of the strategy, or what takes the place of them."""
        if self._mapping is not None:
            return self._mapping
        return self.strategy.gradients

    def _evaluate(self, *, extrapolate: bool = True) -> Any:
        """Evaluate what has a gradient, and see to the rest."""
        strategy, penalty = self.strategy, self.penalty
        if extrapolate and self.extrapolation is not None:
            self.extrapolation.extrapolate(strategy, self._mapping)
        losses = strategy.evaluate(*self.rows)
        if self.maps:
            coef_gradient, intercept_gradient = strategy.gradients
            rate = self.pace.to_measure_by()
            mapping = penalty.gradient_mapping(strategy.coef, coef_gradient, rate)
            self._mapping = mapping, intercept_gradient
        return losses

    def _numbers(self, losses: Any) -> list[float]:
        """Give the whole loss of each target; what has a gradient is kept, too."""
        self.smooth_losses = losses.tolist()
        if self.penalty.l1 is not None:
            losses = losses + self.penalty.l1_value(self.strategy.coef)
            return losses.tolist()
        return self.smooth_losses

    def step(self) -> None:
        """Take the step that the last evaluation makes ready."""
        rate = self.pace.next() * self.share_of_batch_size
        self.strategy.update(rate)
        if self.proximal:
            coef = self.strategy.coef
            coef[...] = self.penalty.prox(coef, rate)
        if self.average is not None:
            coef, intercept = self.strategy.coef, self.strategy.intercept
            self.average.add(coef, intercept, self.n_read)

    def step_on_all(self, batches: MiniBatches) -> None:
        """Take a proximal step along the mean of the gradients of all batches."""
        coef_gradient: Any = 0
        intercept_gradient: Any = 0
        for rows in batches:
            self.strategy.evaluate(*rows)
            share = len(rows.y) / batches.n_samples
            of_coef, of_intercept = self.strategy.gradients
            coef_gradient = coef_gradient + share * of_coef
            if of_intercept is not None:
                intercept_gradient = intercept_gradient + share * of_intercept
        rate = self.pace.learning_rate
        coef, intercept = self.strategy.coef, self.strategy.intercept
        coef[...] = self.penalty.prox(coef - rate * coef_gradient, rate)
        if intercept is not None:
            intercept -= rate * intercept_gradient

    def model(self) -> tuple[Any, Any]:
        """Give the average where there is one, or where the strategy stands."""
        if self.average is not None and self.average.n_averaged:
            return self.average.coef, self.average.intercept
        return self.strategy.coef, self.strategy.intercept
