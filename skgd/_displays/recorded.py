"""What a picture of a descent shows: iterates, the objective around them, a minimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import _check_feature_names_in

from skgd._data.array_api import refuse_elsewhere
from skgd._data.user_input import check_values, naming_columns, validated_rows
from skgd._displays.objective import Objective, View, hides, profile
from skgd._settings import settings_of
from skgd._typing import ArrayLike, SparseLike
from skgd._warn import noting, warn
from skgd.callback import DescentHistory

#: A feature by its index or its name.
Feature: TypeAlias = int | str

# Points of the grid along each axis: of a curve, of contours, and of contours whose
# every point is a fit to condensed rows.
_CURVE_POINTS, _POINTS, _PATH_POINTS = 201, 201, 61

# Where the loss is evaluated on all rows, there are fewer points: so many evaluations
# in all, or a grid of that many points; and where each point is a fit to all rows.
_EVALUATIONS, _FEWEST_POINTS = 2**26, 41
_FITTED_ROWS, _FEWEST_FITS, _MOST_FITS = 2**18, 21, 31

# What is around the path, as a share of its extent.
_MARGIN = 0.2

# Of a path that leads away, what is shown exceeds the minimum by so many times what the
# start does; but at least so many iterates are shown.
_MOST_RISE, _FEWEST = 10.0, 3

# A loss that is a smaller share of the largest, or of that of zero coefficients, is
# rounding; and how near losses of float32 on the same data are to those of float64.
_ROUNDING, _SAME_LOSS = 1e-12, 1e-3


@dataclass(frozen=True)
class Descent:
    """What was recorded of a descent on data of one target."""

    objective: Objective
    coef: np.ndarray  # (n_iterates, n_features)
    intercept: np.ndarray
    loss: np.ndarray
    epochs: np.ndarray
    feature_names: list[str]


def descent_of(
    history: DescentHistory,
    X: ArrayLike | SparseLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
) -> Descent:
    """Return what a history has of a descent on these data."""
    records, model = history.records_, clone(history.estimator_)
    needed = ["coef", "intercept"] if model.fit_intercept else ["coef"]
    missing = [name for name in needed if name not in records]
    if missing:
        raise ValueError(
            f"The history has no {' and no '.join(missing)}: it was to record "
            f"{', '.join(history.record)}. Use DescentHistory(record=['loss', 'coef', "
            "'intercept'])."
        )
    refuse_elsewhere("pictures are drawn from rows that the CPU reads", X=X)
    with naming_columns(X):
        rows, dtype, y_is_1d = validated_rows(model, X, y, sample_weight, reset=True)
        check_values(rows)
    if rows.n_targets > 1:
        raise ValueError(
            f"y has {rows.n_targets} targets, each with a path of its own. Pass one "
            "target, and the history of a fit to it."
        )
    names = _check_feature_names_in(model).tolist()
    _refuse_other_features(history.feature_names_, names)
    coef = records["coef"]
    if coef.ndim == 3 and coef.shape[1] > 1:
        raise ValueError(
            f"The history is of {coef.shape[1]} targets, and y has one. Fit that one "
            "with a history of its own."
        )
    settings = settings_of(model, dtype, n_targets=1, y_is_1d=y_is_1d)
    objective = Objective.of_rows(settings, rows)
    coef = coef.reshape(len(coef), -1)
    intercept = records.get("intercept", np.zeros(len(coef))).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        loss = objective.value(coef, intercept)
    if settings.batch_size is None and "loss" in records:
        of_zero = objective.value(np.zeros_like(coef[:1]), np.zeros(1))[0]
        rounding = np.sqrt(np.finfo(dtype).eps) * max(of_zero, records["loss"][0])
        _refuse_other_data(records["loss"], loss, rounding)
    return Descent(objective, coef, intercept, loss, records["epoch"], names)


def _refuse_other_features(recorded: list[str], passed: list[str]) -> None:
    """Raise where the features of a history are not those of X."""
    if recorded != passed:
        raise ValueError(
            "The history is of another model: its features are "
            f"{_listed(recorded)}, and those of X are {_listed(passed)}. Pass X as it "
            "was fitted to: with the names that it had, and of a step of a pipeline "
            "pipeline[:-1].transform(X)."
        )


def _refuse_other_data(
    recorded: np.ndarray, computed: np.ndarray, rounding: float
) -> None:
    """Raise where the losses of a history are not those of its models on X and y."""
    known = np.isfinite(recorded) & np.isfinite(computed)
    differ = known & ~np.isclose(recorded, computed, rtol=1e-3, atol=rounding)
    if not differ.any():
        return
    k = int(differ.argmax())
    raise ValueError(
        f"The history is of other data: it has the loss {recorded[k]:.6g}, and its "
        f"model at that time has {computed[k]:.6g} on X and y. Pass the rows, targets "
        "and weights that were fitted to; with early_stopping, those that were not "
        "held out."
    )


def _listed(names: Sequence[str]) -> str:
    """Return the number of names, and the first of them."""
    shown = ", ".join(names[:10])
    return f"{len(names)} ({shown}{', ...' if len(names) > 10 else ''})"


def view_of(features: Feature | Sequence[Feature] | None, descent: Descent) -> View:
    """Return the parameters to show."""
    names, settings = descent.feature_names, descent.objective.settings
    if features is None:
        if len(names) > 2:
            raise ValueError(
                f"There are {_listed(names)} features, and a picture shows one or two. "
                "Pass features=(i, j), two of them by index or name, or one."
            )
        intercept = len(names) == 1 and settings.fit_intercept
        return View(tuple(range(len(names))), intercept)
    given = (
        [features] if isinstance(features, (str, int, float, Integral)) else [*features]
    )
    index = tuple(_index_of(each, names) for each in given)
    if len(set(index)) != len(index) or len(index) not in (1, 2):
        raise ValueError(
            f"features={features!r} must be one feature, or two different ones, of "
            f"{_listed(names)}."
        )
    return View(index, intercept=False)


def _index_of(feature: Feature, names: list[str]) -> int:
    """Return the index of a feature that is given by its index or its name."""
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    is_number = isinstance(feature, Integral) and not isinstance(feature, bool)
    if is_number and -len(names) <= int(feature) < len(names):
        return range(len(names))[int(feature)]
    raise ValueError(f"{feature!r} is not a feature of {_listed(names)}.")


def picture_of(descent: Descent, view: View) -> dict[str, Any]:
    """Return what a display shows of a descent."""
    loss = descent.objective.settings.loss
    if loss.kind == "custom" and hides(descent.objective, view):
        raise ValueError(
            "For a loss of your own, all parameters have to be in the picture: X has "
            "to have one feature, and features to be None. The least loss over other "
            "parameters is known of squared error and of Huber's loss."
        )
    with noting() as notes, np.errstate(over="ignore", invalid="ignore"):
        picture = _drawn(descent, view)
    if notes:
        message, category = notes[0]
        warn(f"Of the fits that the picture takes: {message}", category)
    return picture


def _drawn(descent: Descent, view: View) -> dict[str, Any]:
    """Return the same, of parameters that may be drawn."""
    objective = descent.objective
    finite = np.isfinite(descent.loss)
    best = np.where(finite, descent.loss, np.inf).argmin()
    near = np.append(descent.coef[best], descent.intercept[best])
    minimiser = objective.minimiser(near)
    least = float(objective.value(*minimiser)[0])
    n_shown = _n_shown(descent.loss - least)
    path = view.of(descent.coef, descent.intercept)[:n_shown]
    minimum = view.of(*minimiser)[0]
    grid = _grid(np.vstack([path, minimum]), _n_points(objective, view))
    if objective.settings.positive:
        for axis, shown in zip(grid, path.T[: len(view.features)], strict=False):
            lowest = max(axis[0], min(shown.min(), 0.0))  # the bound is at the edge
            axis[:] = np.linspace(lowest, axis[-1], len(axis))
    points = np.stack(np.meshgrid(*grid), axis=-1)
    loss = profile(objective, view, points.reshape(-1, len(grid)))
    names = [f"coefficient of {descent.feature_names[j]}" for j in view.features]
    return {
        "path": path,
        "path_loss": descent.loss[:n_shown],
        "epochs": descent.epochs[:n_shown],
        "grid": grid,
        "loss": loss.reshape(points.shape[:-1]),
        "minimum": minimum,
        "minimum_loss": least,
        "parameter_names": names + ["intercept"] * view.intercept,
        "is_profile": hides(objective, view),
        "last_epoch": None if n_shown == len(finite) else int(descent.epochs[-1]),
    }


def _n_shown(excess: np.ndarray) -> int:
    """Return how many iterates are shown: the first few of a path that leads away."""
    most, finite = _MOST_RISE * excess[0], excess[np.isfinite(excess)]
    if excess[-1] <= max(most, _ROUNDING * np.abs(finite).max(initial=0)):
        return len(excess)
    n_near = int((~(excess <= most)).argmax())
    n_finite = int(np.isfinite(excess).cumprod().sum())
    return max(n_near, min(_FEWEST, n_finite))


def _n_points(objective: Objective, view: View) -> int:
    """Return how many values of each parameter the objective is evaluated at."""
    n_parameters = len(view.features) + view.intercept
    most = _CURVE_POINTS if n_parameters == 1 else _POINTS
    if objective.moments is not None:
        hides_coef = objective.n_features > len(view.features)
        fits = hides_coef and objective.settings.has_prox
        return min(most, _PATH_POINTS) if fits else most
    n_all, fewest = _EVALUATIONS, _FEWEST_POINTS
    if hides(objective, view):
        n_all, fewest, most = _FITTED_ROWS, _FEWEST_FITS, min(most, _MOST_FITS)
    n_affordable = (n_all / objective.rows.n_rows) ** (1 / n_parameters)
    return int(np.clip(n_affordable, fewest, most))


def _grid(points: np.ndarray, n_points: int) -> tuple[np.ndarray, ...]:
    """Return values of each parameter that reach beyond some points."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.maximum(abs(low), abs(high))
    # Where a parameter hardly moves, a tenth of its size is shown.
    extent = np.maximum(high - low, 1e-3 * size)
    extent[extent == 0] = 1.0
    margin = _MARGIN * extent
    return tuple(
        np.linspace(first, last, n_points)
        for first, last in zip(low - margin, high + margin, strict=True)
    )
