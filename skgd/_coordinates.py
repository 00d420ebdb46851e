"""The coordinates of the descent, and the way there and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgd._rows import Rows, means, root_mean_squares

Parameters = tuple[np.ndarray, np.ndarray | None]


class Coordinates(NamedTuple):
    """A shift and a scale of X, and a shift of y.

    In ``(x - X_offset) / X_scale`` and ``y - y_offset``, a linear model has the
    coefficients ``X_scale W`` and the intercept ``b + X_offset W - y_offset``, and the
    residuals and the loss that it has in the user's units.

    Offsets and scales are float64 whatever the dtype of the rows: rounded to float32, a
    mean of 10,000 would leave 0.0005 of it behind.
    """

    X_offset: np.ndarray  # (n_features,)
    X_scale: np.ndarray  # (n_features,)
    y_offset: np.ndarray  # (n_targets,)

    def rows(self, rows: Rows) -> Rows:
        """Bring rows here from the user's units."""
        X, y, weight = rows
        centring = bool(self.X_offset.any() or self.y_offset.any())
        if centring:
            X, y = _shifted(X, self.X_offset), _shifted(y, self.y_offset)
        if (self.X_scale != 1).any():
            X = np.divide(X, self.X_scale.astype(X.dtype), out=X if centring else None)
        return Rows(X, y, weight)

    def from_user(self, coef: np.ndarray, intercept: np.ndarray | None) -> Parameters:
        """Bring a linear model here from the user's units, in float64."""
        if intercept is not None:
            intercept = intercept + self.X_offset @ coef - self.y_offset
        return coef * self.X_scale[:, None], intercept

    def to_user(
        self, coef: np.ndarray, intercept: np.ndarray | None, dtype: np.dtype
    ) -> Parameters:
        """Bring a linear model back to the user's units and dtype.

        The intercept goes with the rounded coefficients: at the mean of X, where it
        matters most, their rounding then cancels.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            coef = (coef / self.X_scale[:, None]).astype(dtype)
            if intercept is not None:
                intercept = intercept + self.y_offset - self.X_offset @ coef
                intercept = intercept.astype(dtype)
        return coef, intercept

    def user_gradients(
        self, coef_gradient: np.ndarray, intercept_gradient: np.ndarray | None
    ) -> Parameters:
        """Give the gradients with respect to the model in the user's units."""
        coef_gradient = coef_gradient * self.X_scale[:, None]
        if intercept_gradient is not None:
            coef_gradient += np.outer(self.X_offset, intercept_gradient)
        return coef_gradient, intercept_gradient


def users_coordinates(rows: Rows) -> Coordinates:
    """Leave everything where it is."""
    n_features, n_targets = rows.X.shape[1], rows.y.shape[1]
    return Coordinates(np.zeros(n_features), np.ones(n_features), np.zeros(n_targets))


def standardized_coordinates(rows: Rows, *, fit_intercept: bool) -> Coordinates:
    """Give every feature the spread 1, about a mean of 0 where there is an intercept.

    Centring takes the means' share out of the condition number, scaling that of the
    units; what is left is how the features correlate. Without an intercept nothing is
    centred, and the spread is that about 0. A feature that does not vary has the scale
    1, and is 0 once centred.
    """
    coordinates = users_coordinates(rows)
    X_mean = means(rows.X, rows.weight)
    about = X_mean if fit_intercept else coordinates.X_offset
    spread = root_mean_squares(rows.X, rows.weight, about)
    # The mean of equal values is not always that value.
    constant = spread <= 32 * np.finfo(np.float64).eps * np.abs(about)
    spread[constant] = 1.0
    if not fit_intercept:
        return coordinates._replace(X_scale=spread)
    X_mean = np.where(constant, rows.X[0], X_mean)
    return Coordinates(X_mean, spread, means(rows.y, rows.weight))


def _shifted(columns: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Subtract a float64 offset from columns of any dtype, without a float64 copy."""
    rounded = offset.astype(columns.dtype)
    shifted = columns - rounded
    if columns.dtype != np.float64:
        shifted -= (offset - rounded).astype(columns.dtype)
    return shifted
