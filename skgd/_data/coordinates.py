"""The coordinates of the descent, and the way there and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse import issparse

from skgd._data import tensors
from skgd._data.moments import ColumnMoments, Moments
from skgd._data.rows import Rows, blocks, divided
from skgd._data.shifted import ShiftedMatrix
from skgd._data.tensors import beside, dtype_of, is_tensor
from skgd._typing import Array, Matrix, NumpyParameters, PerTarget


class Coordinates(ABC):
    """Where a linear model has other coefficients, and the residuals of the user's.

    Offsets and maps are float64 whatever the dtype of the rows: rounded to float32, a
    mean of 10,000 would leave 0.0005 of it behind.

    Attributes
    ----------
    y_offset : ndarray of shape (n_targets,)
        What is subtracted from y.
    coef_scale : ndarray of shape (n_features, 1 or n_targets)
        What the weight of a penalty on the coefficients of the user's units is to be
        divided by: of their sizes once, of their squares twice.
    is_zeroed : ndarray of shape (n_features, 1 or n_targets)
        Which features become 0.
    column_sizes : ndarray of shape (n_features, 1 or n_targets)
        Root mean square of each column of X; 0 where it is not known.
    condition : float
        About how many digits of columns are lost by the map, as a factor.
    is_white : bool
        Whether columns do not correlate here, and all have the variance one.
    resolved : bool
        Whether directions in which X counts as constant are known to be so.
    """

    y_offset: np.ndarray
    coef_scale: np.ndarray
    is_zeroed: np.ndarray
    column_sizes: np.ndarray
    condition: float
    is_white: bool
    resolved: bool

    @property
    @abstractmethod
    def changes_rows(self) -> bool:
        """Whether these are not the user's own."""

    @abstractmethod
    def keeping(self, coef: np.ndarray) -> Coordinates:
        """Return coordinates that keep what of these user's coefficients X misses.

        Along a direction in which X does not vary, they stay what they are.
        """

    @abstractmethod
    def from_user(self, parameters: NumpyParameters) -> NumpyParameters:
        """Return a model of the user's units in these coordinates, in float64."""

    @abstractmethod
    def to_user(self, parameters: NumpyParameters, dtype: np.dtype) -> NumpyParameters:
        """Return a model of these coordinates in the user's units and dtype."""

    @abstractmethod
    def user_gradients(self, gradients: NumpyParameters) -> NumpyParameters:
        """Return gradients with respect to the model in the user's units."""


class RowCoordinates(Coordinates):
    """A shift and a linear map of X, and a shift of y, by which rows become others.

    In ``(x - X_offset) T`` and ``y - y_offset``, a linear model has other coefficients
    and another intercept, and the residuals and the loss that it has in the user's
    units. There are as many coordinates as features.

    Attributes
    ----------
    X_offset : ndarray of shape (n_features,)
        What is subtracted from X. The other attributes are those of `Coordinates`.
    """

    X_offset: np.ndarray

    @abstractmethod
    def features(self, X: Matrix) -> Matrix:
        """Return the user's features in these coordinates."""

    @abstractmethod
    def coef_from_user(self, coef: np.ndarray) -> np.ndarray:
        """Return the coefficients here of the user's, (n_features, n_targets)."""

    @abstractmethod
    def coef_to_user(self, coef: np.ndarray) -> np.ndarray:
        """Return the user's coefficients of those here."""

    @abstractmethod
    def gradient_to_user(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient with respect to the user's coefficients, but for a shift.

        Columns of X that are shifted have the gradients of shifted columns.
        """

    @abstractmethod
    def moments(self, moments: Moments) -> Moments:
        """Return the moments of the user's rows in these coordinates."""

    @property
    @abstractmethod
    def changes_features(self) -> bool:
        """Whether X becomes another here."""

    @abstractmethod
    def repeated(self, n: int) -> RowCoordinates:
        """Return the coordinates of the same X and n times the targets."""

    @property
    def changes_rows(self) -> bool:
        """Whether these are not the user's own."""
        return self.changes_features or self._shifts_targets

    def keeping(self, coef: np.ndarray) -> Coordinates:
        """Return coordinates that keep what of these user's coefficients X misses."""
        return self

    def rows(self, rows: Rows) -> Rows:
        """Return the user's rows in these coordinates."""
        return Rows(self.features(rows.X), self.targets(rows.y), rows.weight)

    def of_tensors(self, rows: Rows) -> Callable[[Rows], Rows]:
        """Return `rows` for tensors like these, to whose device it is sent once."""
        features = self._tensor_features(rows.X)
        targets = _shift_of(rows.y, self.y_offset)
        return lambda some: Rows(features(some.X), targets(some.y), some.weight)

    @abstractmethod
    def _tensor_features(self, X: Array) -> Callable[[Array], Array]:
        """Return what brings tensors of the device and dtype of X here."""

    def targets(self, y: Array) -> Array:
        """Return the user's targets in these coordinates."""
        if is_tensor(y):
            return _shift_of(y, self.y_offset)(y)
        return _shifted(y, self.y_offset) if self._shifts_targets else y

    def from_user(self, parameters: NumpyParameters) -> NumpyParameters:
        """Return a model of the user's units in these coordinates, in float64."""
        coef, *intercept = parameters
        return (
            self.coef_from_user(coef),
            *(b + self.X_offset @ coef - self.y_offset for b in intercept),
        )

    def to_user(self, parameters: NumpyParameters, dtype: np.dtype) -> NumpyParameters:
        """Return a model of these coordinates in the user's units and dtype.

        The intercept goes with the rounded coefficients: at the mean of X, where it
        matters most, their rounding then cancels.
        """
        coef, *intercept = parameters
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            coef = self.coef_to_user(coef).astype(dtype)
            shift = self.X_offset @ coef
            return coef, *((b + self.y_offset - shift).astype(dtype) for b in intercept)

    def user_gradients(self, gradients: NumpyParameters) -> NumpyParameters:
        """Return gradients with respect to the model in the user's units."""
        coef_gradient, *intercept_gradient = gradients
        coef_gradient = self.gradient_to_user(coef_gradient)
        for gradient in intercept_gradient:
            coef_gradient += np.outer(self.X_offset, gradient)
        return coef_gradient, *intercept_gradient

    @cached_property
    def _shifts_targets(self) -> bool:
        return bool(self.y_offset.any())


@dataclass(frozen=True, eq=False)
class ScaledCoordinates(RowCoordinates):
    """Those in which every column of X is divided by a number of its own.

    Coefficients are multiplied by it. Sparse rows that are shifted are a
    `ShiftedMatrix`, which does not fill them.
    """

    X_offset: np.ndarray
    X_scale: np.ndarray  # (n_features,); inf: the feature becomes 0
    y_offset: np.ndarray
    scale_of_zeroed: float = 1.0  # of the coefficient of such a feature
    knows_sizes: bool = False  # whether scales are root mean squares, or more
    condition: float = 1.0
    is_white: bool = field(default=False, init=False)
    resolved: bool = field(default=True, init=False)
    is_zeroed: np.ndarray = field(init=False)
    coef_scale: np.ndarray = field(init=False)  # what coefficients are multiplied by
    column_sizes: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Set what follows from the scales."""
        is_zeroed = np.isinf(self.X_scale)[:, None]
        scale, offset = self.X_scale[:, None], self.X_offset[:, None]
        coef_scale = np.where(is_zeroed, self.scale_of_zeroed, scale)
        spread = np.where(is_zeroed, 0, scale) * self.knows_sizes
        object.__setattr__(self, "is_zeroed", is_zeroed)
        object.__setattr__(self, "coef_scale", coef_scale)
        object.__setattr__(self, "column_sizes", np.hypot(offset, spread))

    def features(self, X: Matrix) -> Matrix:
        """Return shifted columns, divided by their scales."""
        if is_tensor(X):
            return self._tensor_features(X)(X)
        if self._shifts_features and issparse(X):
            X = divided(X, self.X_scale.astype(X.dtype))
            return ShiftedMatrix.of(X, self.X_offset / self.X_scale)
        shifted = None  # an array that may be written into
        if self._shifts_features:
            X = shifted = _shifted(X, self.X_offset)
        if self._scales:
            X = divided(X, self.X_scale.astype(X.dtype), out=shifted)
        return X

    def _tensor_features(self, X: Array) -> Callable[[Array], Array]:
        """Return what shifts the columns of tensors, and divides them."""
        shift, scale = _shift_of(X, self.X_offset), beside(self.X_scale, X)
        if not self._shifts_features:
            return (lambda X: X / scale) if self._scales else (lambda X: X)
        return (lambda X: shift(X).div_(scale)) if self._scales else shift

    def moments(self, moments: Moments) -> Moments:
        """Return the moments, in O(r^2)."""
        offset = np.concatenate([self.X_offset, self.y_offset])
        scale = np.concatenate([self.X_scale, np.ones_like(self.y_offset)])
        return replace(
            moments,
            mean=(moments.mean - offset + moments.mean_rest) / scale,
            mean_rest=0.0,
            scatter=moments.scatter / scale[:, None] / scale,
        )

    def coef_from_user(self, coef: np.ndarray) -> np.ndarray:
        """Return them times the scales."""
        return coef * self.coef_scale

    def coef_to_user(self, coef: np.ndarray) -> np.ndarray:
        """Return them over the scales."""
        return coef / self.coef_scale

    def gradient_to_user(self, gradient: np.ndarray) -> np.ndarray:
        """Return it times the scales."""
        return gradient * self.coef_scale

    def repeated(self, n: int) -> RowCoordinates:
        """Return the coordinates of the same X and n times the targets."""
        return replace(self, y_offset=np.tile(self.y_offset, n))

    @property
    def changes_features(self) -> bool:
        """Whether X is shifted or scaled."""
        return self._shifts_features or self._scales

    @cached_property
    def _shifts_features(self) -> bool:
        return bool(self.X_offset.any())

    @cached_property
    def _scales(self) -> bool:
        return bool((self.X_scale != 1).any())


@dataclass(frozen=True, eq=False)
class WhiteCoordinates(RowCoordinates):
    """Those in which columns do not correlate, and all have the variance one.

    They are ``(x - X_offset) matrix``. Where columns are collinear, there are fewer
    directions than columns in which X varies: the other coordinates are zero, and
    coefficients have no part along what does not vary but that of `origin`.
    """

    X_offset: np.ndarray
    y_offset: np.ndarray
    matrix: np.ndarray  # (n_features, n_features)
    inverse: np.ndarray  # (n_features, n_features): of X that varies, matrix's inverse
    coef_scale: np.ndarray  # (n_features, 1), for a penalty of squares
    column_sizes: np.ndarray  # (n_features, 1): root mean squares of the columns of X
    resolved: bool  # whether directions that count as collinear are so
    rank: int  # in how many directions X varies
    condition: float  # largest over smallest spread along them, roughly; standardized
    origin: np.ndarray | float = 0.0  # the user's coefficients of zero ones here
    is_white: bool = field(default=True, init=False)
    is_zeroed: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        """Set what is zeroed: no feature is by itself."""
        object.__setattr__(self, "is_zeroed", np.zeros((len(self.X_offset), 1), bool))

    def features(self, X: Matrix) -> Array:
        """Return white columns; sparse ones become dense."""
        if is_tensor(X):
            return self._tensor_features(X)(X)
        matrix = self.matrix.astype(X.dtype)
        white = np.empty(X.shape, X.dtype)
        for rows in blocks(*X.shape):
            some = X[rows].toarray() if issparse(X) else X[rows]
            np.matmul(_shifted(some, self.X_offset), matrix, out=white[rows])
        return white

    def _tensor_features(self, X: Array) -> Callable[[Array], Array]:
        """Return what shifts the columns of tensors, and multiplies them."""
        import torch

        shift, matrix = _shift_of(X, self.X_offset), beside(self.matrix, X)

        def features(X: Array) -> Array:
            white = X.new_empty(X.shape)
            for rows in tensors.blocks(X):
                torch.matmul(shift(X[rows]), matrix, out=white[rows])
            return white

        return features

    def moments(self, moments: Moments) -> Moments:
        """Return the moments, by the map of rows and columns."""
        offset = np.concatenate([self.X_offset, self.y_offset])
        T = block_diag(self.matrix, np.eye(moments.n_targets))
        mean = (moments.mean - offset + moments.mean_rest) @ T
        scatter = T.T @ moments.scatter @ T
        return replace(moments, mean=mean, mean_rest=0.0, scatter=scatter)

    def coef_from_user(self, coef: np.ndarray) -> np.ndarray:
        """Return the same predictions' coefficients."""
        return self.inverse @ coef

    def coef_to_user(self, coef: np.ndarray) -> np.ndarray:
        """Return the shortest vectors of standardized columns' coefficients."""
        return self.matrix @ coef + self.origin

    def gradient_to_user(self, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient by the chain rule."""
        return self.inverse.T @ gradient

    def repeated(self, n: int) -> RowCoordinates:
        """Return the coordinates of the same X and n times the targets."""
        origin = self.origin
        if isinstance(origin, np.ndarray):
            origin = np.tile(origin, n)
        return replace(self, y_offset=np.tile(self.y_offset, n), origin=origin)

    def of_target(self, target: int) -> WhiteCoordinates:
        """Return the coordinates of one of the targets."""
        return replace(self, y_offset=self.y_offset[[target]])

    def keeping(self, coef: np.ndarray) -> Coordinates:
        """Return the coordinates whose origin is what X does not see of `coef`."""
        if self.rank == len(self.X_offset) or not coef.any():
            return self
        unseen = coef - self.matrix @ (self.inverse @ coef)
        unseen -= self.matrix @ (self.inverse @ unseen)  # and of its rounding
        return replace(self, origin=unseen)

    @property
    def changes_features(self) -> bool:
        """X always becomes another."""
        return True


class CoordinatesSideBySide(Coordinates):
    """Coordinates of several problems, each of which has targets of its own.

    Each part applies to its own targets. In the user's units X may differ from part to
    part, so that there are no rows to bring here.

    Parameters
    ----------
    parts : sequence of Coordinates
        The coordinates, one for each problem.
    """

    def __init__(self, parts: Sequence[Coordinates]) -> None:
        self._parts = tuple(parts)
        sizes = [len(part.y_offset) for part in parts]
        self._ends = np.cumsum(sizes)[:-1]
        self.y_offset = np.concatenate([part.y_offset for part in parts])
        self.coef_scale = of_each_target([part.coef_scale for part in parts], sizes)
        self.is_zeroed = of_each_target([part.is_zeroed for part in parts], sizes)
        self.column_sizes = of_each_target([part.column_sizes for part in parts], sizes)
        self.condition = max(part.condition for part in parts)
        self.is_white = all(part.is_white for part in parts)
        self.resolved = all(part.resolved for part in parts)

    @property
    def changes_rows(self) -> bool:
        """Whether any part's rows are not the user's own."""
        return any(part.changes_rows for part in self._parts)

    def keeping(self, coef: np.ndarray) -> Coordinates:
        """Return those whose parts keep what X misses of their own coefficients."""
        coefs = np.split(coef, self._ends, axis=1)
        parts = zip(self._parts, coefs, strict=True)
        return CoordinatesSideBySide([part.keeping(its) for part, its in parts])

    def from_user(self, parameters: NumpyParameters) -> NumpyParameters:
        """Return each part's model of the user's units in its coordinates."""
        return self._in_each(lambda part, its: part.from_user(its), parameters)

    def to_user(self, parameters: NumpyParameters, dtype: np.dtype) -> NumpyParameters:
        """Return each part's model in the user's units and dtype."""
        return self._in_each(lambda part, its: part.to_user(its, dtype), parameters)

    def user_gradients(self, gradients: NumpyParameters) -> NumpyParameters:
        """Return each part's gradients with respect to the model of the user's."""
        return self._in_each(lambda part, its: part.user_gradients(its), gradients)

    def _in_each(
        self,
        function: Callable[[Coordinates, NumpyParameters], NumpyParameters],
        parameters: NumpyParameters,
    ) -> NumpyParameters:
        """Apply a function to each part and its targets, and put them side by side."""
        split = (np.split(each, self._ends, axis=-1) for each in parameters)
        parts = zip(self._parts, zip(*split, strict=True), strict=True)
        results = (function(part, its) for part, its in parts)
        return tuple(
            np.concatenate(each, axis=-1) for each in zip(*results, strict=True)
        )


def of_each_target(
    arrays: Sequence[np.ndarray], n_targets: Sequence[int]
) -> np.ndarray:
    """Return arrays of shapes (n_features, 1 or n_targets) with a column a target."""
    return np.concatenate(
        [
            np.broadcast_to(a, (len(a), n))
            for a, n in zip(arrays, n_targets, strict=True)
        ],
        axis=1,
    )


def user_coordinates(n_features: int, n_targets: int) -> ScaledCoordinates:
    """Return the coordinates of the user's units."""
    return ScaledCoordinates(
        np.zeros(n_features), np.ones(n_features), np.zeros(n_targets)
    )


def standardized_coordinates(
    columns: ColumnMoments, y_offset: np.ndarray, *, centered: bool, l2: PerTarget
) -> ScaledCoordinates:
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
    l2 : float or ndarray of shape (n_targets,)
        Weight of the squares of the coefficients, in the user's units. Of several, the
        scale has one between them; see `shared_l2`.
    """
    X_offset, spread = columns.mean, columns.spread
    if not centered:
        X_offset, spread = np.zeros_like(X_offset), np.hypot(spread, X_offset)
    l2 = shared_l2(l2, columns, centered=centered)
    scale = np.where(varies(X_offset, spread), np.hypot(spread, np.sqrt(l2)), np.inf)
    scale_of_zeroed = np.sqrt(l2) if l2 else 1.0
    return ScaledCoordinates(X_offset, scale, y_offset, scale_of_zeroed, True)


def shared_l2(l2: PerTarget, columns: ColumnMoments, *, centered: bool) -> float:
    """Return the weight of squares that coordinates are made for, if targets differ.

    Where a column has the variance v and the coordinates are made for the weight m, a
    target of the weight l2 has the curvature (v + l2) / (v + m) along it, which should
    be the same for all columns. It is the least different, for the worst of the
    targets, where ``v + m`` is the geometric mean of the least and the largest
    ``v + l2`` at the least v.
    """
    if not isinstance(l2, np.ndarray):
        return l2
    spread = columns.spread if centered else np.hypot(columns.spread, columns.mean)
    least = spread[varies(columns.mean * centered, spread)].min(initial=1e150)
    v, low, high = float(least) ** 2, l2.min(), l2.max()
    if v == 0:
        return float(high)
    # sqrt((v + low) (v + high)) - v, with all digits
    total = np.sqrt(v + low) * np.sqrt(v + high) + v
    return float(v * ((low + high) / total) + low * (high / total))


def varies(mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return which columns vary by more than their rounding."""
    return spread > 4 * np.finfo(np.float64).eps * np.abs(mean)


def _shifted(columns: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Subtract a float64 offset from columns of any dtype, without a float64 copy."""
    rounded, rest = _in_two(offset, columns.dtype)
    shifted = columns - rounded
    if rest is not None:
        shifted -= rest
    return shifted


def _shift_of(columns: Array, offset: np.ndarray) -> Callable[[Array], Array]:
    """Return what does that to tensors of the dtype and device of these."""
    if not offset.any():
        return lambda columns: columns
    parts = _in_two(offset, dtype_of(columns))
    rounded, rest = (None if p is None else beside(p, columns) for p in parts)
    if rest is None:
        return lambda columns: columns - rounded
    return lambda columns: (columns - rounded).sub_(rest)


def _in_two(
    offset: np.ndarray, dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return an offset in this dtype, and what rounding leaves of it, if it does."""
    rounded = offset.astype(dtype)
    if dtype == np.float64:
        return rounded, None
    return rounded, (offset - rounded).astype(dtype)
