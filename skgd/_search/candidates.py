"""Candidates of a search: the settings that a grid asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import ParameterGrid

from skgd._data.array_api import Origin
from skgd._settings import Settings, settings_of
from skgd.strategies import GradientStrategy

#: Combinations of parameters, as `ParameterGrid` takes them.
Grid = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]]

#: Ridge penalties over powers of ten, and none.
DEFAULT_GRID = {"alpha": [0.0, *np.logspace(-4, 2, 7).tolist()]}

#: What cannot be had from the moments of the rows, and which value can.
_NEEDS_ROWS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "batch_size": (lambda value: value is not None, "reads them a batch at a time"),
    "early_stopping": (bool, "holds some of them out"),
    "loss": (lambda value: value != "squared_error", "is a sum over them"),
    "precompute": (lambda value: value is False, "keeps them"),
}


class Candidate(NamedTuple):
    """One combination of parameters, and what they ask for."""

    parameters: dict[str, Any]
    settings: Settings | None  # None: they are refused
    error: Exception | None  # by which
    strategy: tuple[Any, ...] | None  # equal for those that descend in the same way


def parameters_of(param_grid: Grid | None) -> list[dict[str, Any]]:
    """Return the combinations of parameters in a grid, in scikit-learn's order.

    Raises
    ------
    ValueError, TypeError
        Where there are none, or the grid is not one.
    """
    grid = DEFAULT_GRID if param_grid is None else param_grid
    combinations = list(ParameterGrid(grid))
    if not combinations:
        raise ValueError(
            f"param_grid={param_grid!r} holds no candidates. Pass a dict from names of "
            "parameters to lists of values, such as {'learning_rate': [0.01, 0.1]}, a "
            f"list of such dicts, or None, which is {DEFAULT_GRID}."
        )
    return combinations


def candidates_of(
    estimator: BaseEstimator,
    combinations: list[dict[str, Any]],
    dtype: np.dtype,
    n_targets: int,
    *,
    y_is_1d: bool,
    origin: Origin | None,
) -> list[Candidate]:
    """Return a candidate for each combination of parameters.

    Raises
    ------
    ValueError
        On a parameter that is not the estimator's, and on one that needs the rows.
    """
    candidates = []
    for parameters in combinations:
        changed = with_parameters(estimator, parameters)
        _refuse_what_needs_rows(changed)
        settings = error = strategy = None
        try:
            changed._validate_params()
            settings = settings_of(
                changed, dtype, n_targets=n_targets, y_is_1d=y_is_1d, origin=origin
            )
            strategy = _identity(changed.strategy, settings.strategy)
        except (ValueError, TypeError) as refusal:
            error = refusal
        candidates.append(Candidate(parameters, settings, error, strategy))
    return candidates


def with_parameters(
    estimator: BaseEstimator, parameters: dict[str, Any]
) -> BaseEstimator:
    """Return an unfitted estimator with some parameters changed."""
    changed = copy(estimator)  # clone takes ten times as long
    if any("__" in name for name in parameters):  # of a strategy, which is shared
        changed.strategy = clone(estimator.strategy, safe=False)
    return changed.set_params(**clone(parameters, safe=False))


def _refuse_what_needs_rows(estimator: BaseEstimator) -> None:
    """Raise where the moments of the rows do not tell what is asked for."""
    for name, (needs_rows, why) in _NEEDS_ROWS.items():
        value = getattr(estimator, name)
        if needs_rows(value):
            raise ValueError(
                f"{name}={value!r} needs the rows of each fold, as it {why}, and "
                "GDLinearRegressorCV knows of a fold the moments alone. Leave it at "
                f"{_default_of(estimator, name)!r}, or search with "
                "sklearn.model_selection.GridSearchCV."
            )


def _default_of(estimator: BaseEstimator, name: str) -> Any:
    return getattr(type(estimator)(), name)


def _identity(
    asked_for: str | GradientStrategy, strategy: GradientStrategy
) -> tuple[Any, ...]:
    """Return what is equal for strategies of the same class and parameters."""
    if isinstance(asked_for, str):
        return (asked_for,)
    parameters = strategy.get_params(deep=False)
    return type(strategy), *((name, id(value)) for name, value in parameters.items())
