"""A strategy at work on a problem."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from skgd._data.arrays import placement_of, to_numpy
from skgd._data.rows import Rows
from skgd.strategies import GradientStrategy
from skgd.testing._problems import Problem


class Trial:
    """A strategy started on a problem; what it answers is read in NumPy."""

    def __init__(
        self, strategy: GradientStrategy, problem: Problem, device: Any
    ) -> None:
        self.strategy = clone(strategy)
        self.problem = problem
        self._placement = placement_of(
            device, problem.rows.X.dtype, needs_tensors=self.strategy.needs_tensors
        )
        # A strategy that is not plain may have to start where it likes.
        self.start(problem.coef * 0, _times_zero(problem.intercept))
        if self.strategy.plain:
            self.start(problem.coef, problem.intercept)

    def start(self, coef: np.ndarray, intercept: np.ndarray | None) -> None:
        put = self._placement.put
        intercept = None if intercept is None else intercept.copy()
        objective = self.problem.objective.placed(self._placement, coef.dtype)
        self.strategy.start(put(coef.copy()), put(intercept), objective)

    def evaluate(self, rows: Rows | None = None) -> np.ndarray:
        rows = self.problem.rows if rows is None else rows
        losses = self.strategy.evaluate(*self._placement.put_rows(rows))
        losses = to_numpy(losses)
        expected = (rows.y.shape[1],)
        if losses.shape != expected:
            raise BrokenError(f"evaluate returned shape {losses.shape}, not {expected}")
        return losses

    @property
    def parameters(self) -> list[np.ndarray]:
        return self._read((self.strategy.coef, self.strategy.intercept), "parameters")

    @property
    def gradients(self) -> list[np.ndarray]:
        return self._read(self.strategy.gradients, "gradients")

    def _read(self, arrays: tuple[Any, Any], what: str) -> list[np.ndarray]:
        """Copy a pair of arrays shaped as the coefficients and the intercept."""
        if (arrays[1] is None) != (self.problem.intercept is None):
            raise BrokenError(
                f"{what}[1] must be None just where there is no intercept"
            )
        read = [to_numpy(array).copy() for array in arrays if array is not None]
        n_features, n_targets = self.problem.coef.shape
        shapes = [(n_features, n_targets), (n_targets,)][: len(read)]
        if [array.shape for array in read] != shapes:
            raise BrokenError(
                f"{what} have shapes {[array.shape for array in read]}, not {shapes}"
            )
        return read


def _times_zero(intercept: np.ndarray | None) -> np.ndarray | None:
    return None if intercept is None else intercept * 0


class BrokenError(Exception):
    """A property does not hold."""
