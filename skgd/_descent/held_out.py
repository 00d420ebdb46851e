"""Early stopping: rows held out, and the model that is best on them."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.random import RandomState
from sklearn.model_selection import train_test_split

from skgd._data.arrays import Placement
from skgd._data.batches import LazyRows, ReadyRows
from skgd._data.rows import Rows, means, root_mean_squares


class Validation:
    """Scores a descent on rows held out, epoch by epoch, and keeps the best model.

    The score is R^2, averaged over targets, as that of the estimator's `score`.

    Parameters
    ----------
    rows : ReadyRows or LazyRows
        The rows, in NumPy, in the coordinates of the descent; placed once where they
        are ready, and otherwise prepared for each score anew.
    placement : Placement
        Where the descent takes place.

    Attributes
    ----------
    scores : list of float
        The scores so far.
    best : tuple of (array, array or None)
        Coefficients and intercept at the largest of them.
    """

    def __init__(self, rows: ReadyRows | LazyRows, placement: Placement) -> None:
        self._rows, self._placement = rows, placement
        self._placed: list[Rows] | None = None
        if rows.ready or placement.is_elsewhere:
            self._placed = list(map(placement.put_rows, rows))
        y, weight = rows.targets()
        self._variance = root_mean_squares(y, weight, means(y, weight)) ** 2
        self._n_rows = len(y)
        self.scores: list[float] = []
        self.best: tuple[Any, Any] | None = None

    def score(self, coef: Any, intercept: Any) -> float:
        """Score a model, and keep a copy of it if it is the best so far."""
        losses = np.zeros(len(self._variance))
        for X, y, weight in self._placed or map(self._placement.put_rows, self._rows):
            residual = X @ coef - y
            if intercept is not None:
                residual = residual + intercept
            squares = residual**2
            losses += (squares.sum(0) if weight is None else weight @ squares).tolist()
        score = float(_r2(losses / self._n_rows, self._variance).mean())
        if self.best is None or score > max(self.scores):
            self.best = deepcopy((coef, intercept))
        self.scores.append(score)
        return score


def split(
    weight: np.ndarray | None,
    n_rows: int,
    validation_fraction: float,
    random_state: RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw which rows to train on, and which to hold out; both in ascending order.

    Rows of weight zero are in neither. At least two rows are held out: R^2 compares
    with the spread of y.
    """
    candidates = np.arange(n_rows) if weight is None else np.flatnonzero(weight)
    n = len(candidates)
    n_held_out = max(math.ceil(validation_fraction * n), 2)
    if n_held_out >= n:
        raise ValueError(
            f"early_stopping=True with validation_fraction={validation_fraction:g} "
            f"would hold {n_held_out} rows out of n_samples={n}"
            f"{'' if weight is None else ' with a weight'}, and leave none to train on "
            "(at least two are held out). Pass more rows, a smaller "
            "validation_fraction, or early_stopping=False."
        )
    parts = train_test_split(
        candidates, test_size=n_held_out, random_state=random_state
    )
    training, held_out = (np.sort(part) for part in parts)
    return training, held_out


def _r2(losses: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """R^2 of each target; as scikit-learn's, 1 or 0 of one that does not vary."""
    varies = variance > 0
    share = np.divide(losses, variance, out=(losses > 0) * 1.0, where=varies)
    return 1 - share
