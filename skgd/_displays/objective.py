"""Objectives as functions of models: their values, their minima, and their profiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from skgd._data.moments import Moments, factor_of, mean_squared_errors, moments_of
from skgd._data.rows import Rows, averaging_one, blocks
from skgd._objective.penalties import penalty_of
from skgd._path import gd_path
from skgd._regressor import GDLinearRegressor
from skgd._settings import Settings

# Correlations of residuals that are left at a minimum, whose square is the excess loss:
# of squared error, which has a direct solution, and of Huber's loss.
_TOL, _TOL_OF_HUBER = 1e-9, 1e-6
_MOST_EPOCHS = 20_000

# Fits to the rows have so many targets at a time that these have so many elements.
_TARGET_ELEMENTS = 2**22


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
    moments : Moments or None
        For squared error, of the data.
    rows : Rows or None
        For other losses, the data.
    """

    settings: Settings
    moments: Moments | None = None
    rows: Rows | None = None

    @classmethod
    def of_rows(cls, settings: Settings, rows: Rows) -> Objective:
        """Return the objective on rows, whose weights may be of any unit."""
        rows = rows._replace(weight=averaging_one(rows.weight)[0])
        if settings.loss.condenses:
            return cls(settings, moments=moments_of(rows))
        positive = slice(None) if rows.weight is None else np.flatnonzero(rows.weight)
        return cls(settings, rows=rows.at(positive))

    @property
    def n_features(self) -> int:
        """Number of features."""
        data = self.rows if self.moments is None else self.moments
        assert data is not None
        return data.n_features

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
            moments = replace(self.moments, y_is_1d=False)
            losses = mean_squared_errors(moments, coef[:, None], intercept[:, None])
            value = losses[:, 0]
        else:
            value = self._mean_over_rows(coef, intercept)
        return value + self.penalty_of(coef)

    def penalty_of(self, coef: np.ndarray) -> np.ndarray:
        """Return the penalty of models, but for bounds."""
        settings = self.settings
        unscaled = np.ones((coef.shape[1], 1))
        penalty = penalty_of(
            settings.alpha, settings.l1_ratio, settings.positive, unscaled
        )
        return np.zeros(len(coef)) + penalty.value(coef.T)

    def minimiser(self, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coefficients and intercept of a minimum, (1, n_features) and (1,).

        Parameters
        ----------
        near : ndarray of shape (n_features + 1,)
            Where to look for it first, where the loss is one of the user's own.
        """
        settings = self.settings
        if self.moments is not None:
            path = gd_path(
                self.moments,
                alphas=np.atleast_1d(settings.alpha),
                l1_ratio=settings.l1_ratio,
                positive=settings.positive,
                fit_intercept=settings.fit_intercept,
                max_iter=_MOST_EPOCHS,
                tol=_TOL,
            )
            coefs = path.coefs.reshape(self.n_features, 1)
            return coefs.T, path.intercepts.reshape(1)
        assert self.rows is not None
        X, y, weight = self.rows
        if settings.loss.kind == "huber":
            return _fitted(settings, X, y, weight)
        return self._searched(near)

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
                options={"xatol": 1e-8, "fatol": 0},
            ).x
        return found[None, :d], found[d:] if n_parameters > d else np.zeros(1)

    def _mean_over_rows(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Return the mean loss of models, block by block."""
        assert self.rows is not None
        n_rows, n_models = len(self.rows.y), len(coef)
        total = np.zeros(n_models)
        for block in blocks(n_rows, n_models):
            rows = self.rows.at(block)
            prediction = rows.X @ coef.T + intercept
            targets = np.repeat(rows.y.astype(np.float64), n_models, axis=1)
            mean = self.settings.loss.mean(prediction, rows._replace(y=targets))
            total += len(targets) * mean
        return total / n_rows


def least_objective(moments: Moments, settings: Settings) -> float:
    """Return the least objective of squared error, summed over the targets."""
    alphas = np.broadcast_to(settings.alpha, moments.n_targets)
    total = 0.0
    for target, alpha in enumerate(alphas):
        one = replace(settings, alpha=float(alpha))
        objective = Objective(one, moments=_of_target(moments, target))
        best = objective.minimiser(np.zeros(moments.n_features + 1))
        total += float(objective.value(*best)[0])
    return total


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
        values = least(objective, view, others, shown) + objective.penalty_of(shown)
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
        max_iter=_MOST_EPOCHS,
    )
    residuals = X[:, others] @ path.coefs[..., 0].T + path.intercepts.T - targets
    penalty = objective.penalty_of(path.coefs[..., 0])
    return np.einsum("ip,ip->p", residuals, residuals) / len(y) + penalty


def _profile_by_fits(
    objective: Objective, view: View, others: np.ndarray, shown: np.ndarray
) -> np.ndarray:
    """Return the profile of Huber's loss: each point is a target of its own."""
    assert objective.rows is not None
    X, y, weight = objective.rows
    # Where the intercept alone is free, a column of zeros stands for no column.
    free = X[:, others] if len(others) else np.zeros((len(y), 1))
    values = []
    for few in blocks_of_points(len(shown), len(y)):
        targets = y - X[:, list(view.features)] @ shown[few].T
        coef, intercept = _fitted(objective.settings, free, targets, weight)
        loss = objective.settings.loss.mean(
            free @ coef.T + intercept, Rows(free, targets, weight)
        )
        values.append(loss + objective.penalty_of(coef))
    return np.concatenate(values)


def blocks_of_points(n_points: int, n_rows: int) -> list[slice]:
    """Return slices of points, of which each has a target for every row."""
    size = max(_TARGET_ELEMENTS // n_rows, 1)
    return [slice(first, first + size) for first in range(0, n_points, size)]


def _fitted(
    settings: Settings, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None
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
        max_iter=_MOST_EPOCHS,
        tol=_TOL_OF_HUBER,
    )
    model.fit(X, y, sample_weight=weight)
    return model.coef_, np.broadcast_to(model.intercept_, len(model.coef_))


def _of_target(moments: Moments, target: int) -> Moments:
    """Return the moments of the features and one target."""
    kept = [*range(moments.n_features), moments.n_features + target]
    rest = np.broadcast_to(moments.mean_rest, moments.mean.shape)
    return Moments(
        moments.weight,
        moments.mean[kept],
        moments.scatter[np.ix_(kept, kept)],
        moments.n_features,
        True,
        rest[kept],
    )
