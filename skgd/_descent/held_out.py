"""Early stopping: the score on rows held out, and the model that is best on them."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from skgd._data.batches import RowSource
from skgd._data.device import Device, to_numpy
from skgd._data.rows import (
    Rows,
    means,
    peaks,
    predicted,
    root_mean_squares,
    sum_over,
)
from skgd._typing import Parameters


class HeldOutScore:
    """Scores a descent on rows held out, epoch by epoch, and keeps the best model.

    The score is R^2, averaged over targets, as that of the estimator's `score`.

    Parameters
    ----------
    rows : RowSource
        The rows, in NumPy, in the coordinates of the descent; brought to the device
        once where they are in memory, and otherwise read for each score anew.
    device : Device
        Where the descent takes place.

    Attributes
    ----------
    scores : list of float
        The scores so far.
    best : tuple of arrays
        Coefficients and intercept at the largest of them; empty before the first.
    """

    def __init__(self, rows: RowSource, device: Device) -> None:
        self._rows, self._device = rows, device
        self._on_device: list[Rows] | None = None
        if rows.in_memory or device.has_memory:
            self._on_device = list(map(device.send_rows, rows))
        y, weight = rows.targets()
        self._variance = root_mean_squares(y, weight, means(y, weight)) ** 2
        if not np.isfinite(self._variance).all():
            largest = float(peaks(y).max())
            raise ValueError(
                "The squares of the targets that early_stopping=True holds out "
                f"overflow float64: the largest is {largest:.3g}. Rescale y, or leave "
                "out outliers."
            )
        self.scores: list[float] = []
        self.best: Parameters = ()

    def score(self, parameters: Parameters) -> float:
        """Score a model, and keep a copy of it if it is the best so far."""

        def squares(rows: Rows) -> tuple[np.ndarray]:
            squares = (predicted(rows.X, parameters) - rows.y) ** 2
            total = squares.sum(0) if rows.weight is None else rows.weight @ squares
            return (to_numpy(total).astype(np.float64),)

        on_device = self._on_device or map(self._device.send_rows, self._rows)
        (total,) = sum_over(on_device, squares)
        score = float(_r2(total / len(self._rows), self._variance).mean())
        if not self.best or score > max(self.scores):
            self.best = deepcopy(parameters)
        self.scores.append(score)
        return score


def _r2(losses: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return R^2 of each target; 1 or 0 if it does not vary, as scikit-learn does."""
    varies = variance > 0
    share = np.divide(losses, variance, out=(losses > 0) * 1.0, where=varies)
    return 1 - share
