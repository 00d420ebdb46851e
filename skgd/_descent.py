"""The descent: one loop for every strategy, and for batches of every size."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from skgd._averaging import Average
from skgd._batches import FullBatch, MiniBatches
from skgd._early_stopping import Validation
from skgd._momentum import Extrapolation
from skgd._plateau import Plateau
from skgd._schedule import Pace
from skgd._stopping import StoppingRule
from skgd.strategies import GradientStrategy

#: Called as ``report(epoch, loss, strategy)`` in each epoch, before its last update.
Report = Callable[[int, float, GradientStrategy], None]


class Outcome(Enum):
    """How a descent ended."""

    ARRIVED = "the stopping rule was met"
    PLATEAU = "the loss, or the validation score, no longer improved"
    OUT_OF_EPOCHS = "max_iter epochs were run"
    OVERFLOW = "the loss is not finite"


class Steps(NamedTuple):
    """The steps of a descent: how long, how far carried on, and whether averaged."""

    pace: Pace
    momentum: float | str = 0.0  # or "adaptive"; 0.0 is none
    average: Average | None = None


class Watch(NamedTuple):
    """What may end a descent before its epochs are used up."""

    stopping: StoppingRule | None = None  # of a full batch
    plateau: Plateau | None = None  # of the validation score, or else of the losses
    validation: Validation | None = None
    report: Report | None = None


class Descent(NamedTuple):
    """What a descent did, and where it got to."""

    outcome: Outcome
    loss_curve: list[float]  # mean over an epoch's batches, each before its update
    first_step: int  # 0, but where a stream goes on
    start: tuple[Any, Any]  # coefficients and intercept, where there are batches
    last_losses: list[float]  # where the strategy stands, target by target
    coef: Any  # the best on held-out rows; the average; or where the strategy stands
    intercept: Any

    @property
    def n_epochs(self) -> int:
        """Number of epochs begun."""
        return len(self.loss_curve)


def descend(
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
    steps: Steps,
    watch: Watch | None = None,
    *,
    max_iter: int,
) -> Descent:
    """Run up to `max_iter` epochs from where the strategy was started.

    An epoch evaluates the objective on each batch and takes a step. The epoch that
    finds the stopping rule met, or the loss not finite, is the last one and does not
    take its last step. With momentum, a step begins where the last one is carried on
    to; after the last one nothing is carried on.
    """
    stopping, plateau, validation, report = watch or Watch()
    walk, first_step = _Walk(strategy, steps), steps.pace.step
    start: tuple[Any, Any] = None, None
    if not batches.whole:
        start = deepcopy((strategy.coef, strategy.intercept))
    loss_curve: list[float] = []

    def ended(outcome: Outcome) -> Descent:
        model = walk.model()
        if validation is not None and validation.best is not None:
            model = validation.best
        elif outcome is Outcome.ARRIVED:  # the average has not
            model = strategy.coef, strategy.intercept
        return Descent(outcome, loss_curve, first_step, start, losses, *model)

    # Overflow is an outcome here, not a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(max_iter):
            losses = walk.through(batches)
            loss = sum(losses)
            loss_curve.append(loss)
            if report is not None:
                report(epoch, loss, strategy)
            if not math.isfinite(loss):
                return ended(Outcome.OVERFLOW)
            if stopping is not None and stopping.has_arrived(
                losses, strategy.gradients
            ):
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
            losses = strategy.evaluate(*walk.rows).tolist()
    if not math.isfinite(sum(losses)):
        return ended(Outcome.OVERFLOW)
    if stopping is not None and stopping.has_arrived(losses, strategy.gradients):
        return ended(Outcome.ARRIVED)
    return ended(Outcome.OUT_OF_EPOCHS)


class _Walk:
    """A descent under way: what it does from one batch to the next."""

    def __init__(self, strategy: GradientStrategy, steps: Steps) -> None:
        self.strategy = strategy
        self.pace, momentum, self.average = steps
        self.extrapolation = Extrapolation(momentum) if momentum != 0 else None
        self.rows: Any = None
        self.n_read = 0  # of the user's rows, by the next step

    def through(self, batches: FullBatch | MiniBatches) -> list[float]:
        """Go through an epoch, up to its last step; give the loss of each target."""
        if isinstance(batches, FullBatch):  # a loop of one round, where 1 us matters
            self.rows, self.n_read = batches.placed, batches.n_samples
            return self._evaluate(batches.placed).tolist()
        total: Any = None
        for rows in batches:
            if total is not None:
                self.step()
            self.rows, self.n_read = rows, len(rows.y)
            # Left on the device until the end of the epoch.
            total = self._evaluate(rows) + (0 if total is None else total)
        return [loss * batches.share for loss in total.tolist()]

    def _evaluate(self, rows: Any) -> Any:
        if self.extrapolation is not None:
            self.extrapolation.extrapolate(self.strategy)
        return self.strategy.evaluate(*rows)

    def step(self) -> None:
        """Take the step that the last evaluation makes ready."""
        self.strategy.update(self.pace.next())
        if self.average is not None:
            coef, intercept = self.strategy.coef, self.strategy.intercept
            self.average.add(coef, intercept, self.n_read)

    def model(self) -> tuple[Any, Any]:
        """Give the average where there is one, or where the strategy stands."""
        if self.average is not None and self.average.n_averaged:
            return self.average.coef, self.average.intercept
        return self.strategy.coef, self.strategy.intercept
