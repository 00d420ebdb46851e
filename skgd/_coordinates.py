"""The coordinates of the descent, and the way there and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgd._rows import Rows


class Coordinates(NamedTuple):
    """A shift of X and y under which the coefficients stay the same.

    The prediction ``(x - X_offset) W + b`` stands for ``y - y_offset``, so the loss of
    a model is the same in both coordinates; only the intercept moves.

    The offsets are float64 whatever the dtype of the rows: rounded to float32, a mean
    of 10,000 would leave 0.0005 of it behind.
    """

    X_offset: np.ndarray  # (n_features,)
    y_offset: np.ndarray  # (n_targets,)

    def rows(self, rows: Rows) -> Rows:
        """Shift rows from the user's units."""
        if not (self.X_offset.any() or self.y_offset.any()):
            return rows
        return rows._replace(
            X=_shifted(rows.X, self.X_offset), y=_shifted(rows.y, self.y_offset)
        )

    def intercept(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Shift an intercept from the user's units."""
        shifted = intercept + self.X_offset @ coef - self.y_offset
        return shifted.astype(coef.dtype)

    def user_intercept(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Shift an intercept back to the user's units."""
        shifted = intercept + self.y_offset - self.X_offset @ coef
        return shifted.astype(coef.dtype)

    def user_coef_gradient(
        self, coef_gradient: np.ndarray, intercept_gradient: np.ndarray
    ) -> np.ndarray:
        """Give the gradient with the intercept held fixed in the user's units."""
        return coef_gradient + np.outer(self.X_offset, intercept_gradient)


def users_coordinates(rows: Rows) -> Coordinates:
    """Leave everything where it is."""
    return Coordinates(np.zeros(rows.X.shape[1]), np.zeros(rows.y.shape[1]))


def centred_coordinates(rows: Rows) -> Coordinates:
    """Put the weighted means at the origin, where the best intercept is zero.

    Centring takes the means' share out of the condition number; what is left is the
    spread of the features.
    """
    return Coordinates(_mean(rows.X, rows.weight), _mean(rows.y, rows.weight))


def _shifted(columns: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Subtract a float64 offset from columns of any dtype, without a float64 copy."""
    rounded = offset.astype(columns.dtype)
    shifted = columns - rounded
    if columns.dtype != np.float64:
        shifted -= (offset - rounded).astype(columns.dtype)
    return shifted


def _mean(columns: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weighted mean of each column, in float64."""
    if weight is None:
        return columns.mean(axis=0, dtype=np.float64)
    total = np.einsum("i,ij->j", weight, columns, dtype=np.float64, casting="same_kind")
    return total / weight.sum(dtype=np.float64)
