"""The coordinates of the descent, and the way there and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import issparse

from skgd._data.moments import Moments
from skgd._data.rows import Rows, divided, means, root_mean_squares
from skgd._objective.losses import Loss

Parameters = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A shift and a scale of X, and a shift of y.

    In ``(x - X_offset) / X_scale`` and ``y - y_offset``, a linear model has the
    coefficients ``X_scale W`` and the intercept ``b + X_offset W - y_offset``, and the
    residuals and the loss that it has in the user's units.

    Offsets and scales are float64 whatever the dtype of the rows: rounded to float32, a
    mean of 10,000 would leave 0.0005 of it behind. Sparse rows are scaled, but not
    shifted, which would fill them.
    """

    X_offset: np.ndarray  # (n_features,)
    X_scale: np.ndarray  # (n_features,); inf: the feature becomes 0
    y_offset: np.ndarray  # (n_targets,)
    scale_of_zeroed: float = 1.0  # of the coefficient of such a feature

    @cached_property
    def coef_scale(self) -> np.ndarray:
        """What coefficients are multiplied by, (n_features, 1)."""
        zeroed = np.isinf(self.X_scale)
        return np.where(zeroed, self.scale_of_zeroed, self.X_scale)[:, None]

    def rows(self, rows: Rows) -> Rows:
        """Bring rows here from the user's units."""
        X, y, weight = rows
        own = None  # an array that may be written into
        if self._shifts_features:
            X = own = _shifted(X, self.X_offset)
        if self._scales:
            X = divided(X, self.X_scale.astype(X.dtype), out=own)
        return Rows(X, self.targets(y), weight)

    def targets(self, y: np.ndarray) -> np.ndarray:
        """Bring targets here from the user's units."""
        return _shifted(y, self.y_offset) if self._shifts_targets else y

    def moments(self, moments: Moments) -> Moments:
        """Bring moments here from the user's units."""
        offset = np.concatenate([self.X_offset, self.y_offset])
        scale = np.concatenate([self.X_scale, np.ones_like(self.y_offset)])
        return replace(
            moments,
            mean=(moments.mean - offset) / scale,
            scatter=moments.scatter / scale[:, None] / scale,
        )

    def from_user(self, coef: np.ndarray, intercept: np.ndarray | None) -> Parameters:
        """Bring a linear model here from the user's units, in float64."""
        if intercept is not None:
            intercept = intercept + self.X_offset @ coef - self.y_offset
        return coef * self.coef_scale, intercept

    def to_user(
        self, coef: np.ndarray, intercept: np.ndarray | None, dtype: np.dtype
    ) -> Parameters:
        """Bring a linear model back to the user's units and dtype.

        The intercept goes with the rounded coefficients: at the mean of X, where it
        matters most, their rounding then cancels.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            coef = (coef / self.coef_scale).astype(dtype)
            if intercept is not None:
                intercept = intercept + self.y_offset - self.X_offset @ coef
                intercept = intercept.astype(dtype)
        return coef, intercept

    def user_gradients(
        self, coef_gradient: np.ndarray, intercept_gradient: np.ndarray | None
    ) -> Parameters:
        """Give the gradients with respect to the model in the user's units."""
        coef_gradient = coef_gradient * self.coef_scale
        if intercept_gradient is not None:
            coef_gradient += np.outer(self.X_offset, intercept_gradient)
        return coef_gradient, intercept_gradient

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


def users_coordinates(data: Rows | Moments) -> Coordinates:
    """Leave everything where it is."""
    d, t = data.n_features, data.n_targets
    return Coordinates(np.zeros(d), np.ones(d), np.zeros(t))


def standardized_coordinates(
    data: Rows | Moments, loss: Loss, *, fit_intercept: bool, l2: float
) -> Coordinates:
    """Give every feature the same curvature, about 0 where there is an intercept.

    Centring takes the means' share out of the condition number, scaling that of the
    units; what is left is how the features correlate. Without an intercept nothing is
    centred, and the spread is that about 0; so is that of sparse rows, whose columns
    are mostly zero, and do not correlate with the intercept by much. A feature that
    does not vary, but for rounding, becomes 0.

    The curvature along a coefficient is the feature's variance and the weight `l2` of
    its square; the scale is the root of both. With the spread alone, a penalty of the
    user's units would weigh most on the smallest features, and bring their units back
    into the condition number.
    """
    if isinstance(data, Moments):
        return zeroing_constants(*_of_moments(data, fit_intercept), l2)
    X, y, weight = data
    X_offset, y_offset = np.zeros(data.n_features), np.zeros(data.n_targets)
    if fit_intercept:
        y_offset = loss.center(y, weight)
        if not issparse(X):
            X_offset = means(X, weight)
    spread = root_mean_squares(X, weight, X_offset)
    return zeroing_constants(X_offset, spread, y_offset, l2)


def zeroing_constants(
    X_offset: np.ndarray, spread: np.ndarray, y_offset: np.ndarray, l2: float
) -> Coordinates:
    """Scale by the curvature, but make a column 0 that is rounding or nothing."""
    scale = curvature_scale(X_offset, spread, l2)
    return Coordinates(X_offset, scale, y_offset, np.sqrt(l2) if l2 else 1.0)


def curvature_scale(
    X_offset: np.ndarray, spread: np.ndarray, l2: float = 0.0
) -> np.ndarray:
    """Root of the curvature along each coefficient; inf of a column to make 0."""
    constant = spread <= 32 * np.finfo(np.float64).eps * np.abs(X_offset)
    return np.where(constant, np.inf, np.hypot(spread, np.sqrt(l2)))


def _of_moments(
    moments: Moments, fit_intercept: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offset and spread of X, and offset of y, that moments tell."""
    n_features = moments.n_features
    squares = np.maximum(np.diag(moments.scatter), 0) / moments.weight
    if fit_intercept:
        offset = moments.mean.copy()
    else:
        offset, squares = np.zeros_like(squares), squares + moments.mean**2
    spread = np.sqrt(squares[:n_features])
    return offset[:n_features], spread, offset[n_features:]


def _shifted(columns: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Subtract a float64 offset from columns of any dtype, without a float64 copy."""
    rounded = offset.astype(columns.dtype)
    shifted = columns - rounded
    if columns.dtype != np.float64:
        shifted -= (offset - rounded).astype(columns.dtype)
    return shifted
