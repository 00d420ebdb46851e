"""Observers of a descent: the training log that `verbose` prints."""

from __future__ import annotations

import math

import numpy as np

from skgd._descent.loop import Iterate
from skgd._typing import NumpyParameters


class TrainingLog:
    """Prints a line every so many epochs, and one at the end.

    A line holds the numbers before the epoch's (last) update: the loss, the norm of its
    gradient (of a full batch), the validation score (where rows are held out) and,
    where there is one feature, the coefficient and the intercept, all in the user's
    units. The last line adds those of the model where it is not where the steps led to,
    but an average of them, or the best on the way.

    Parameters
    ----------
    every : int
        Print every so many epochs.
    whole : bool
        Whether all rows are one batch.
    """

    def __init__(self, every: int, *, whole: bool) -> None:
        self.every = every
        self.whole = whole

    def epoch(self, iterate: Iterate) -> None:
        """Print the line of an epoch, if it is due."""
        if iterate.epoch % self.every == 0:
            print(f"epoch {iterate.epoch}: {self._line(iterate)}")

    def end(self, iterate: Iterate, model: NumpyParameters) -> None:
        """Print where the descent ended."""
        line = self._line(iterate)
        if not line.endswith(_described(model)):
            line += f"; the model{_described(model)}"
        print(f"after {iterate.epoch} epochs: {line}")

    def _line(self, iterate: Iterate) -> str:
        """Return the numbers of an iterate."""
        line = f"loss = {_number(iterate.loss)}"
        if self.whole:
            norm = math.hypot(*(np.linalg.norm(g) for g in iterate.gradients))
            line += f", gradient norm = {_number(norm)}"
        if iterate.score is not None:
            line += f", validation score = {_number(iterate.score)}"
        return line + _described(iterate.parameters)


def _described(parameters: NumpyParameters) -> str:
    """Return a model of one feature in words; empty for others."""
    if len(parameters[0]) != 1:
        return ""
    text = f", coef = {_numbers(parameters[0][0])}"
    return text + "".join(f", intercept = {_numbers(b)}" for b in parameters[1:])


def _numbers(values: np.ndarray) -> str:
    """Format one number as itself, several (one a target) in brackets."""
    numbers = [_number(value) for value in values]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def _number(value: float) -> str:
    """Return five decimals, in powers of ten where the value is small or large."""
    fixed = value == 0 or 1e-3 <= abs(value) < 1e7
    return f"{value:.5f}" if fixed else f"{value:.5e}"
