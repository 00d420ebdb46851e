"""The training log that `verbose` prints."""

from __future__ import annotations

import numpy as np

from skgd._coordinates import Coordinates
from skgd._descent import Report
from skgd._placement import to_numpy
from skgd.strategies import GradientStrategy


def epoch_printer(every: int, coordinates: Coordinates) -> Report:
    """Print a line every so many epochs: the numbers before the epoch's update.

    Where there is one feature, the coefficient and the intercept are part of it, in
    the user's units.
    """

    def print_epoch(epoch: int, loss: float, strategy: GradientStrategy) -> None:
        if epoch % every:
            return
        gradients = [to_numpy(g) for g in strategy.gradients if g is not None]
        norm = np.sqrt(sum(np.vdot(g, g) for g in gradients))
        line = f"epoch {epoch}: loss = {loss:.5f}, gradient norm = {norm:.5f}"
        coef = to_numpy(strategy.coef)
        if len(coef) == 1:
            line += f", coef = {_numbers(coef[0])}"
            if strategy.intercept is not None:
                intercept = to_numpy(strategy.intercept)
                intercept = coordinates.user_intercept(coef, intercept)
                line += f", intercept = {_numbers(intercept)}"
        print(line)

    return print_epoch


def _numbers(values: np.ndarray) -> str:
    """One number as itself, several (one a target) in brackets."""
    numbers = [f"{value:.5f}" for value in values]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"
