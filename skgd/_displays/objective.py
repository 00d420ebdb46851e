"""Objectives as functions of models: their values, their minima, and their profiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.optimize import minimize

from skgd._data.device import to_numpy
from skgd._data.moments import Moments, factor_of, mean_squared_errors, moments_of
from skgd._data.rows import Rows, averaging_one, slices
from skgd._objective.penalties import penalty_of
from skgd._path import gd_path
from skgd._regressor import GDLinearRegressor
from skgd._settings import Settings
from skgd._typing import ArrayLike, Matrix, PerTarget, SparseLike

# Correlations of residuals that are left at a minimum, and at each of many: the excess
# loss is their square.
_TOL, _TOL_OF_MANY = 1e-8, 1e-5
_MOST_EPOCHS = 20_000

# Predictions of many models are made so many at a time.
_ELEMENTS = 2**22


#: X, y and sample_weight; or Moments, None and None.
Data: TypeAlias = tuple[
    ArrayLike | SparseLike | Moments | None, ArrayLike | None, ArrayLike | None
]


class View(NamedTuple):
    """The one or two parameters that a picture shows."""

    features: tuple[int, ...]
    intercept: bool

    def of(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return these parameters of models, (n_models, n_parameters)."""
        shown = coef[:, list(self.features)]
        return np.column_stack([shown, intercept]) if self.intercept else shown


@dataclass(frozen=True)
class Objective:
    """The objective of an estimator on data of one target, in the data's units.

    Parameters
    ----------
    settings : Settings
        The estimator's.
    rows : Rows
        The data.
    moments : Moments or None
        Of these, for squared error.
    """

    settings: Settings
    rows: Rows
    moments: Moments | None = None

    @classmethod
    def of_rows(cls, settings: Settings, rows: Rows) -> Objective:
        """Return the objective on rows, whose weights may be of any unit."""
        rows = rows._replace(weight=averaging_one(rows.weight)[0])
        if rows.weight is not None:
            rows = rows.at(np.flatnonzero(rows.weight))
        return cls(
            settings, rows, moments_of(rows) if settings.loss.condenses else None
        )

    @property
    def n_features(self) -> int:
        """Number of features."""
        return self.rows.n_features

    def value(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return the values of models, whether they keep to a bound or not.

        Parameters
        ----------
        coef : ndarray of shape (n_models, n_features)
            Coefficients.
        intercept : ndarray of shape (n_models,)
            Intercepts.
        """
        if self.moments is not None:
            value = mean_squared_errors(
                self.moments, coef[:, None], intercept[:, None]
            )[:, 0]
        else:
            value = self._mean_over_rows(coef, intercept)
        return value + _penalty(self.settings, coef)

    def minimiser(self, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients and intercept of a minimum, (1, n_features) and (1,).

        Parameters
        ----------
        near : ndarray of shape (n_features + 1,)
            Where to look for it first, where the loss is one of the user's own.
        """
        X, y, weight = self.rows
        if self.settings.loss.kind == "custom":
            return self._searched(near)
        if self.settings.loss.kind == "huber":
            return _fitted(self.settings, X, y, weight, _TOL)
        # By the rows, which tell columns apart that have the same moments, to rounding.
        return _least_squares(self.settings, (X, y, weight), self.settings.alpha)

    def _searched(self, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a minimum that is found without gradients: a loss may have kinks."""
        d = self.n_features
        n_parameters = d + self.settings.fit_intercept

        def value(parameters: np.ndarray) -> float:
            model = np.zeros((1, d + 1))
            model[0, :n_parameters] = parameters
            return float(self.value(model[:, :d], model[:, d])[0])

        found = near[:n_parameters]
        bounds = [(0 if self.settings.positive else None, None)] * d
        bounds += [(None, None)] * (n_parameters - d)
        for _ in range(2):  # a simplex that has collapsed on the way starts anew
            found = minimize(
                value,
                found,
                method="Nelder-Mead",
                bounds=bounds,
                options={"xatol": 1e-7 * np.abs(near).max(), "fatol": np.inf},
            ).x
        return found[None, :d], found[d:] if n_parameters > d else np.zeros(1)

    def _mean_over_rows(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return the mean loss of models, block by block."""
        n_rows, n_models = len(self.rows.y), len(coef)
        total = np.zeros(n_models)
        for block in slices(n_rows, max(_ELEMENTS // n_models, 1)):
            rows = self.rows.at(block)
            prediction = rows.X @ coef.T + intercept
            targets = np.repeat(rows.y.astype(np.float64), n_models, axis=1)
            mean = self.settings.loss.mean(prediction, rows._replace(y=targets))
            total += len(targets) * mean
        return total / n_rows


def least_objective(
    data: Data, moments: Moments, settings: Settings
) -> tuple[float, float]:
    """Return the least objective of squared error, summed over the targets.

    And the largest of the squares that it is computed from, whose rounding it has: of
    columns that nearly repeat each other, these may be far larger than it is.
    """
    alphas = np.broadcast_to(settings.alpha, moments.n_targets)
    models = {alpha: _least_squares(settings, data, alpha) for alpha in {*alphas}}
    coef = np.stack([models[alpha][0][t] for t, alpha in enumerate(alphas)])
    intercept = np.stack([models[alpha][1][t] for t, alpha in enumerate(alphas)])
    losses = mean_squared_errors(moments, coef[None], intercept[None])
    squares = np.diag(moments.scatter) / moments.weight
    squares[: moments.n_features] *= (coef**2).sum(axis=0)
    return float(losses.sum() + _penalty(settings, coef).sum()), float(squares.max())


def _least_squares(
    settings: Settings, data: Data, alpha: PerTarget
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients, (n_targets, n_features), and intercepts of a minimum."""
    X, y, weight = data
    assert X is not None
    path = gd_path(
        X,
        y,
        sample_weight=weight,
        alphas=np.atleast_1d(alpha),
        l1_ratio=settings.l1_ratio,
        positive=settings.positive,
        fit_intercept=settings.fit_intercept,
        max_iter=_MOST_EPOCHS,
        tol=_TOL,
    )
    return np.atleast_2d(path.coefs[..., 0]), np.atleast_1d(path.intercepts[..., 0])


def _penalty(settings: Settings, coef: np.ndarray) -> np.ndarray:
    """Return the penalty of models or targets, but for bounds."""
    unscaled = np.ones((coef.shape[1], 1))
    penalty = penalty_of(settings.alpha, settings.l1_ratio, settings.positive, unscaled)
    return np.zeros(len(coef)) + penalty.value(coef.T)


def profile(objective: Objective, view: View, points: np.ndarray) -> np.ndarray:
    """Return the least objective of all models that have some parameters in common.

    Parameters
    ----------
    objective : Objective
        The objective.
    view : View
        Which parameters these are.
    points : ndarray of shape (n_points, n_parameters)
        Their values.

    Returns
    -------
    values : ndarray of shape (n_points,)
        The objective with all other parameters at their optimum; infinity where a bound
        is overstepped.
    """
    others = np.setdiff1d(np.arange(objective.n_features), view.features)
    shown = points[:, : len(view.features)]
    if not hides(objective, view):
        coef = np.empty_like(shown)
        coef[:, list(view.features)] = shown
        intercept = points[:, -1] if view.intercept else np.zeros(len(points))
        values = objective.value(coef, intercept)
    else:
        if objective.moments is None:
            least = _profile_by_fits
        elif objective.settings.has_prox and len(others):
            least = _profile_by_path
        else:
            least = _profile_by_projection
        values = least(objective, view, others, shown) + _penalty(
            objective.settings, shown
        )
    if objective.settings.positive:
        values[(shown < 0).any(axis=1)] = np.inf
    return values


def hides(objective: Objective, view: View) -> bool:
    """Return whether there are parameters that a view does not show."""
    frees_intercept = objective.settings.fit_intercept and not view.intercept
    return frees_intercept or objective.n_features > len(view.features)


def _profile_by_projection(
    objective: Objective, view: View, others: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """Return the profile of squared error, but for the penalty of what is shown.

    Of rows that have the moments (and a row for each ridge penalty), what is left of
    the columns when the others are projected out.
    """
    moments, settings = objective.moments, objective.settings
    assert moments is not None
    d = moments.n_features
    # The sum of the squares of these rows is the mean square of the data. With an
    # intercept, which takes up the mean, it is that about the mean.
    rows = factor_of(moments.scatter) / np.sqrt(moments.weight)
    if not settings.fit_intercept:
        rows = np.vstack([rows, moments.mean + moments.mean_rest])
    ridge = np.zeros((len(others), d + 1))
    ridge[np.arange(len(others)), others] = np.sqrt(settings.l2)
    rows = np.vstack([rows, ridge])
    scale = np.linalg.norm(rows, axis=0)
    rows /= np.where(scale > 0, scale, 1)
    free = _orthonormal(rows[:, others])
    seen = [*view.features, d]
    kept = rows[:, seen] * scale[seen]
    _, root = np.linalg.qr(kept - free @ (free.T @ kept))
    residual = shown @ root[:, :-1].T - root[:, -1]
    return np.einsum("pr,pr->p", residual, residual)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return orthonormal columns that span the same, but for rounding."""
    U, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    rounding = max(columns.shape, default=0) * np.finfo(np.float64).eps
    return U[:, sizes > rounding * sizes.max(initial=0)]


def _profile_by_path(
    objective: Objective, view: View, others: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """Return the profile of squared error where the others have L1 or a bound.

    Each point is a target of its own, on rows that have the moments.
    """
    moments, settings = objective.moments, objective.settings
    assert moments is not None
    if settings.fit_intercept:  # it takes up the mean
        zeros = np.zeros_like(moments.mean)
        moments = replace(moments, mean=zeros, mean_rest=0.0)
    X, y = replace(moments, y_is_1d=True).condense()
    targets = y[:, None] - X[:, list(view.features)] @ shown.T
    path = gd_path(
        X[:, others],
        targets,
        alphas=np.atleast_1d(settings.alpha),
        l1_ratio=settings.l1_ratio,
        positive=settings.positive,
        fit_intercept=settings.fit_intercept,
        tol=_TOL_OF_MANY,
    )
    residuals = X[:, others] @ path.coefs[..., 0].T + path.intercepts.T - targets
    penalty = _penalty(objective.settings, path.coefs[..., 0])
    return np.einsum("ip,ip->p", residuals, residuals) / len(y) + penalty


def _profile_by_fits(
    objective: Objective, view: View, others: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """Return the profile of Huber's loss: each point is a target of its own."""
    X, y, weight = objective.rows
    # Where the intercept alone is free, a column of zeros stands for no column.
    free = X[:, others] if len(others) else np.zeros((len(y), 1))
    values = []
    for few in slices(len(shown), max(_ELEMENTS // len(y), 1)):
        targets = y - X[:, list(view.features)] @ shown[few].T
        coef, intercept = _fitted(
            objective.settings, free, targets, weight, _TOL_OF_MANY
        )
        loss = objective.settings.loss.mean(
            free @ coef.T + intercept, Rows(free, targets, weight)
        )
        values.append(loss + _penalty(objective.settings, coef))
    return np.concatenate(values)


def _fitted(
    settings: Settings,
    X: Matrix,
    y: np.ndarray,
    weight: np.ndarray | None,
    tol: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and intercepts of Huber's loss, (n_targets, n_features)."""
    assert settings.loss.kind == "huber"
    model = GDLinearRegressor(
        loss="huber",
        epsilon=settings.loss.largest_pseudo_residual,
        alpha=settings.alpha,
        l1_ratio=settings.l1_ratio,
        positive=settings.positive,
        fit_intercept=settings.fit_intercept,
        tol=tol,
    )
    model.fit(X, y, sample_weight=weight)
    coef = to_numpy(model.coef_)
    return coef, np.broadcast_to(to_numpy(model.intercept_), len(coef))
