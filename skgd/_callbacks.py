"""The training log that `verbose` prints."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skgd._data.arrays import to_numpy
from skgd._descent.loop import Descent
from skgd._preparation import Prepared
from skgd.strategies import GradientStrategy


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
    ready : Prepared
        What is descended on.
    """

    def __init__(self, every: int, ready: Prepared) -> None:
        self.every = every
        self.coordinates = ready.coordinates
        self.whole = ready.batches.whole
        self.validation = ready.validation

    def epoch(
        self,
        epoch: int,
        loss: float,
        strategy: GradientStrategy,
        gradients: Callable[[], Any],
    ) -> None:
        """Print the line of an epoch, if it is due."""
        if epoch % self.every == 0:
            print(f"epoch {epoch}: {self._state(loss, strategy, gradients())}")

    def end(self, descent: Descent, strategy: GradientStrategy) -> None:
        """Print where the descent ended."""
        state = self._state(sum(descent.last_losses), strategy, descent.gradients)
        model = self._model(descent.coef, descent.intercept)
        if not state.endswith(model):
            state += f"; the model{model}"
        print(f"after {descent.n_epochs} epochs: {state}")

    def _state(self, loss: float, strategy: GradientStrategy, gradients: Any) -> str:
        """Describe where the strategy stands."""
        state = f"loss = {_number(loss)}"
        if self.whole:
            state += f", gradient norm = {_number(self._gradient_norm(gradients))}"
        if self.validation is not None and self.validation.scores:
            state += f", validation score = {_number(self.validation.scores[-1])}"
        return state + self._model(strategy.coef, strategy.intercept)

    def _model(self, coef: Any, intercept: Any) -> str:
        """Describe a model of one feature; empty for others."""
        if len(coef) != 1:
            return ""
        coef, intercept = map(to_numpy, (coef, intercept))
        coef, intercept = self.coordinates.to_user(coef, intercept, coef.dtype)
        text = f", coef = {_numbers(coef[0])}"
        if intercept is not None:
            text += f", intercept = {_numbers(intercept)}"
        return text

    def _gradient_norm(self, gradients: Any) -> float:
        """Norm of the gradient with respect to the model in the user's units."""
        gradients = self.coordinates.user_gradients(*map(to_numpy, gradients))
        return math.hypot(*(np.linalg.norm(g) for g in gradients if g is not None))


def _numbers(values: np.ndarray) -> str:
    """Format one number as itself, several (one a target) in brackets."""
    numbers = [_number(value) for value in values]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def _number(value: float) -> str:
    """Give five decimals, in powers of ten where the value is small or large."""
    fixed = value == 0 or 1e-3 <= abs(value) < 1e7
    return f"{value:.5f}" if fixed else f"{value:.5e}"
