"""Squared errors of linear models on rows, here or elsewhere."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np

from skgd._data.moments import ColumnMoments
from skgd._data.partitions import Partitions
from skgd._data.rows import Rows, RowsAnywhere, blocks, without_zero_weights
from skgd._data.user_input import refuse_nan_and_infinity


class SquaredErrors(NamedTuple):
    """What the scores of models are made of; those of several parts add up."""

    total: np.ndarray  # (n_models, n_targets): sums of the squared residuals
    targets: ColumnMoments
    n_rows: int  # of which some may have no weight

    @property
    def mean(self) -> np.ndarray:
        """Return mean squared errors, (n_models, n_targets)."""
        return self.total / self.targets.weight

    @property
    def variance(self) -> np.ndarray:
        """Return the variances of the targets, (n_targets,)."""
        return self.targets.spread**2


@singledispatch
def squared_errors(
    rows: RowsAnywhere, coef: np.ndarray, intercept: np.ndarray
) -> SquaredErrors:
    """Return the squared errors of models.

    Parameters
    ----------
    rows : Rows or Partitions
        The rows, of which those without a weight do not count.
    coef : ndarray of shape (n_models, n_targets, n_features)
        Coefficients.
    intercept : ndarray of shape (n_models, n_targets)
        Intercepts.
    """
    raise TypeError(type(rows))


@squared_errors.register(Rows)
def _on_rows(rows: Rows, coef: np.ndarray, intercept: np.ndarray) -> SquaredErrors:
    n_models, n_targets, d = coef.shape
    stacked = coef.reshape(-1, d).T
    squares = np.zeros((n_models, n_targets))
    for block in blocks(len(rows.y), d + stacked.shape[1]):
        X, y, weight = without_zero_weights(rows.at(block))
        prediction = (X @ stacked).reshape(-1, n_models, n_targets) + intercept
        prediction -= y[:, None]
        prediction *= prediction
        if weight is not None:
            prediction *= weight[:, None, None]
        squares += prediction.sum(axis=0)
    targets = ColumnMoments.from_columns(rows.y, rows.weight)
    return SquaredErrors(squares, targets, rows.n_rows)


@squared_errors.register(Partitions)
def _on_partitions(
    partitions: Partitions, coef: np.ndarray, intercept: np.ndarray
) -> SquaredErrors:
    def on_rows(rows: Rows) -> SquaredErrors:
        refuse_nan_and_infinity(rows.X)
        return _on_rows(rows, coef, intercept)

    return partitions.reduce(on_rows, _together, name="score")


def _together(parts: list[SquaredErrors]) -> SquaredErrors:
    """Return the squared errors on all parts together."""
    first, *others = parts
    total, targets, n_rows = first
    for other in others:
        total, targets = total + other.total, targets.merge(other.targets)
        n_rows += other.n_rows
    return SquaredErrors(total, targets, n_rows)
