"""The descent: one loop for every strategy."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

import numpy as np

from skgd._momentum import Extrapolation
from skgd._rows import Rows
from skgd._stopping import StoppingRule
from skgd.strategies import GradientStrategy

#: Called as ``report(epoch, loss, strategy)`` after each evaluation.
Report = Callable[[int, float, GradientStrategy], None]


class Outcome(Enum):
    """How a descent ended."""

    ARRIVED = "the stopping rule was met"
    OUT_OF_EPOCHS = "max_iter epochs were run"
    OVERFLOW = "the loss is not finite"


class Steps(NamedTuple):
    """The steps of a descent: how long, and how far each is carried on."""

    learning_rate: float
    momentum: float | str  # "adaptive"; 0.0 is none


class Descent(NamedTuple):
    """What a descent did; where it got to is in the strategy."""

    outcome: Outcome
    loss_curve: list[float]  # at the start of each epoch, before its update
    last_losses: list[float]  # where the strategy stands now, target by target

    @property
    def n_epochs(self) -> int:
        """Number of epochs begun."""
        return len(self.loss_curve)


def descend(
    strategy: GradientStrategy,
    rows: Rows,
    steps: Steps,
    *,
    max_iter: int,
    stopping: StoppingRule | None = None,
    report: Report | None = None,
) -> Descent:
    """Take up to `max_iter` steps from where the strategy was started.

    Each epoch evaluates the objective and takes a step. The epoch that finds the
    stopping rule met, or the loss not finite, is the last one and takes no step. With
    momentum, an epoch begins where the last step is carried on to; after the last one
    nothing is carried on.
    """
    extrapolation = Extrapolation(steps.momentum) if steps.momentum != 0 else None
    loss_curve: list[float] = []
    # Overflow is an outcome here, not a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(max_iter):
            if extrapolation is not None:
                extrapolation.extrapolate(strategy)
            losses = strategy.evaluate(*rows).tolist()
            loss = sum(losses)
            loss_curve.append(loss)
            if report is not None:
                report(epoch, loss, strategy)
            if not math.isfinite(loss):
                return Descent(Outcome.OVERFLOW, loss_curve, losses)
            if stopping is not None and stopping.has_arrived(
                losses, strategy.gradients
            ):
                return Descent(Outcome.ARRIVED, loss_curve, losses)
            strategy.update(steps.learning_rate)
        losses = strategy.evaluate(*rows).tolist()
    outcome = Outcome.OUT_OF_EPOCHS
    if not math.isfinite(sum(losses)):
        outcome = Outcome.OVERFLOW
    elif stopping is not None and stopping.has_arrived(losses, strategy.gradients):
        outcome = Outcome.ARRIVED
    return Descent(outcome, loss_curve, losses)
