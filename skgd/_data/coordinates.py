"""The coordinates of the descent, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from skgd._data.moments import ColumnMoments, Moments
from skgd._data.rows import Rows, divided
from skgd._data.shifted import ShiftedMatrix
from skgd._typing import NumpyParameters


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A shift and a scale of X, and a shift of y.

    In ``(x - X_offset) / X_scale`` and ``y - y_offset``, a linear model has the
    coefficients ``X_scale W`` and the intercept ``b + X_offset W - y_offset``, and the
    residuals and the loss that it has in the user's units.

    Offsets and scales are float64 whatever the dtype of the rows: rounded to float32, a
    mean of 10,000 would leave 0.0005 of it behind. Sparse rows that are shifted are a
    `ShiftedMatrix`, which does not fill them.
    """

    X_offset: np.ndarray  # (n_features,)
    X_scale: np.ndarray  # (n_features,); inf: the feature becomes 0
    y_offset: np.ndarray  # (n_targets,)
    scale_of_zeroed: float = 1.0  # of the coefficient of such a feature

    @cached_property
    def is_zeroed(self) -> np.ndarray:
        """Whether each feature becomes 0, (n_features,)."""
        return np.isinf(self.X_scale)

    @cached_property
    def coef_scale(self) -> np.ndarray:
        """What coefficients are multiplied by, (n_features, 1)."""
        return np.where(self.is_zeroed, self.scale_of_zeroed, self.X_scale)[:, None]

    def rows(self, rows: Rows) -> Rows:
        """Return the user's rows in these coordinates."""
        X, y, weight = rows
        shifted = None  # an array that may be written into
        if self._shifts_features and issparse(X):
            X = divided(X, self.X_scale.astype(X.dtype))
            X = ShiftedMatrix.of(X, self.X_offset / self.X_scale)
            return Rows(X, self.targets(y), weight)
        if self._shifts_features:
            X = shifted = _shifted(X, self.X_offset)
        if self._scales:
            X = divided(X, self.X_scale.astype(X.dtype), out=shifted)
        return Rows(X, self.targets(y), weight)

    def targets(self, y: np.ndarray) -> np.ndarray:
        """Return the user's targets in these coordinates."""
        return _shifted(y, self.y_offset) if self._shifts_targets else y

    def moments(self, moments: Moments) -> Moments:
        """Return the moments of the user's rows in these coordinates."""
        offset = np.concatenate([self.X_offset, self.y_offset])
        scale = np.concatenate([self.X_scale, np.ones_like(self.y_offset)])
        return replace(
            moments,
            mean=(moments.mean - offset) / scale,
            scatter=moments.scatter / scale[:, None] / scale,
        )

    def from_user(self, parameters: NumpyParameters) -> NumpyParameters:
        """Return a model of the user's units in these coordinates, in float64."""
        coef, *intercept = parameters
        return (
            coef * self.coef_scale,
            *(b + self.X_offset @ coef - self.y_offset for b in intercept),
        )

    def to_user(self, parameters: NumpyParameters, dtype: np.dtype) -> NumpyParameters:
        """Return a model of these coordinates in the user's units and dtype.

        The intercept goes with the rounded coefficients: at the mean of X, where it
        matters most, their rounding then cancels.
        """
        coef, *intercept = parameters
        with np.errstate(over="ignore", invalid="ignore"):
            coef = (coef / self.coef_scale).astype(dtype)
            shift = self.X_offset @ coef
            return coef, *((b + self.y_offset - shift).astype(dtype) for b in intercept)

    def user_gradients(self, gradients: NumpyParameters) -> NumpyParameters:
        """Return gradients with respect to the model in the user's units."""
        coef_gradient, *intercept_gradient = gradients
        coef_gradient = coef_gradient * self.coef_scale
        for gradient in intercept_gradient:
            coef_gradient += np.outer(self.X_offset, gradient)
        return coef_gradient, *intercept_gradient

    @property
    def changes_rows(self) -> bool:
        """Whether these are not the user's own."""
        return self._shifts_features or self._shifts_targets or self._scales

    @cached_property
    def _shifts_features(self) -> bool:
        return bool(self.X_offset.any())

    @cached_property
    def _shifts_targets(self) -> bool:
        return bool(self.y_offset.any())

    @cached_property
    def _scales(self) -> bool:
        return bool((self.X_scale != 1).any())


def user_coordinates(n_features: int, n_targets: int) -> Coordinates:
    """Return the coordinates of the user's units."""
    return Coordinates(np.zeros(n_features), np.ones(n_features), np.zeros(n_targets))


def standardized_coordinates(
    columns: ColumnMoments, y_offset: np.ndarray, *, centered: bool, l2: float
) -> Coordinates:
    """Return coordinates in which every feature has the same curvature.

    Centring takes the means' share out of the condition number, scaling that of the
    units; what is left is how the features correlate. Without an intercept nothing is
    centred, and the spread is that about 0; so is that of sparse rows in batches, whose
    curvature is mostly that of single rows. A feature that does not vary, but for
    rounding, becomes 0.

    The curvature along a coefficient is the feature's variance and the weight `l2` of
    its square; the scale is the root of both. With the spread alone, a penalty of the
    user's units would weigh most on the smallest features, and bring their units back
    into the condition number.

    Parameters
    ----------
    columns : ColumnMoments
        Means and spreads of the columns of X.
    y_offset : ndarray of shape (n_targets,)
        What to subtract from y.
    centered : bool
        Whether to subtract the means from X.
    l2 : float
        Weight of the squares of the coefficients, in the user's units.
    """
    X_offset, spread = columns.mean, columns.spread
    if not centered:
        X_offset, spread = np.zeros_like(X_offset), np.hypot(spread, X_offset)
    constant = spread <= 32 * np.finfo(np.float64).eps * np.abs(X_offset)
    scale = np.where(constant, np.inf, np.hypot(spread, np.sqrt(l2)))
    return Coordinates(X_offset, scale, y_offset, np.sqrt(l2) if l2 else 1.0)


def _shifted(columns: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Subtract a float64 offset from columns of any dtype, without a float64 copy."""
    rounded = offset.astype(columns.dtype)
    shifted = columns - rounded
    if columns.dtype != np.float64:
        shifted -= (offset - rounded).astype(columns.dtype)
    return shifted
