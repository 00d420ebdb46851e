"""The training log that `verbose` prints."""

from __future__ import annotations

import math

import numpy as np

from skgd._coordinates import Coordinates
from skgd._placement import to_numpy
from skgd.strategies import GradientStrategy


class TrainingLog:
    """Prints a line every so many epochs, and one at the end.

    A line holds the numbers before the epoch's update: the loss, the norm of its
    gradient and, where there is one feature, the coefficient and the intercept, all in
    the user's units.

    Parameters
    ----------
    every : int
        Print every so many epochs.
    coordinates : Coordinates
        Those of the descent.
    """

    def __init__(self, every: int, coordinates: Coordinates) -> None:
        self.every = every
        self.coordinates = coordinates

    def epoch(self, epoch: int, loss: float, strategy: GradientStrategy) -> None:
        """Print the line of an epoch, if it is due."""
        if epoch % self.every == 0:
            print(f"epoch {epoch}: {self._state(loss, strategy)}")

    def end(self, n_epochs: int, loss: float, strategy: GradientStrategy) -> None:
        """Print where the descent ended."""
        print(f"after {n_epochs} epochs: {self._state(loss, strategy)}")

    def _state(self, loss: float, strategy: GradientStrategy) -> str:
        """Describe where the strategy stands."""
        coef = to_numpy(strategy.coef)
        norm = self._gradient_norm(strategy)
        state = f"loss = {_number(loss)}, gradient norm = {_number(norm)}"
        if len(coef) == 1:
            state += f", coef = {_numbers(coef[0])}"
            if strategy.intercept is not None:
                intercept = to_numpy(strategy.intercept)
                intercept = self.coordinates.user_intercept(coef, intercept)
                state += f", intercept = {_numbers(intercept)}"
        return state

    def _gradient_norm(self, strategy: GradientStrategy) -> float:
        """Norm of the gradient with respect to the user's coef and intercept."""
        coef_gradient, intercept_gradient = map(to_numpy, strategy.gradients)
        if strategy.intercept is None:
            return float(np.linalg.norm(coef_gradient))
        coef_gradient = self.coordinates.user_coef_gradient(
            coef_gradient, intercept_gradient
        )
        norms = np.linalg.norm(coef_gradient), np.linalg.norm(intercept_gradient)
        return math.hypot(*norms)


def _numbers(values: np.ndarray) -> str:
    """Format one number as itself, several (one a target) in brackets."""
    numbers = [_number(value) for value in values]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def _number(value: float) -> str:
    """Give five decimals, in powers of ten where the value is small or large."""
    fixed = value == 0 or 1e-3 <= abs(value) < 1e7
    return f"{value:.5f}" if fixed else f"{value:.5e}"
