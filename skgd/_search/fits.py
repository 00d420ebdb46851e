"""Fits of all candidates on the training rows of one split."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skgd._data.folds import Folds
from skgd._data.partitions import Partitions
from skgd._data.rows import Rows
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem, side_by_side
from skgd._descent.steps import Steps, schedule_from
from skgd._descent.together import Run, descend_together
from skgd._divergence import divergence_error, raise_if_out_of_range, what_happened
from skgd._fit import in_strategy, run, set_up, steps_of
from skgd._partitioned import problem_of_data
from skgd._preparation import (
    condensed,
    coordinates_of,
    penalized,
    rescaled,
)
from skgd._search.candidates import Candidate
from skgd._settings import Settings
from skgd._typing import Array, NumpyParameters
from skgd.strategies import GradientStrategy

# The factor of the learning rate depends on the number of the step alone.
_SCHEDULES_THAT_RIDE = ("auto", "constant", "invscaling")


class Model(NamedTuple):
    """What a candidate became on the training rows of a split."""

    parameters: NumpyParameters  # in the user's units and the dtype of X
    loss_curve: np.ndarray  # (n_epochs,)
    converged: bool  # or it was not to


#: Returns the error of a fit; it takes a while to write, and few are read.
Failure = Callable[[], Exception]


class Descent(NamedTuple):
    """What a candidate is to do on the training rows of a split."""

    number: int  # of the candidate
    settings: Settings
    problem: Problem
    steps: Steps
    shared: Shared


class Shared(NamedTuple):
    """A problem in coordinates whose scales are not those of its penalty.

    There X is the same whatever the penalty. Steps are those of the problem's own
    coordinates, if the learning rates of coefficients are multiplied by `factors`.
    """

    key: Hashable  # equal where X is
    problem: Problem
    factors: np.ndarray  # (n_features, 1)


def fit_candidates(
    candidates: Sequence[Candidate], folds: Folds, split: int
) -> list[Model | Failure]:
    """Fit each candidate on the training rows of a split, as its own `fit` would.

    Those that differ in what a target may have of its own (its learning rate, the
    weights of its penalty, its `tol` and `max_iter`) descend together, as targets of
    the same rows. A step of all of them is then one product of matrices.
    """
    preparation = Preparation(folds, split)
    fits: dict[int, Model | Failure] = {}
    together: dict[Hashable, list[Descent]] = {}
    for number, candidate in enumerate(candidates):
        if candidate.settings is None:
            fits[number] = _failure(candidate.error)
            continue
        settings = candidate.settings
        try:
            with settings.device.gradients_on():  # tensors are made here
                problem, shared = preparation.problem(settings)
            steps = steps_of(settings, problem)
        except Exception as error:
            fits[number] = _failure(error)
            continue
        descent = Descent(number, settings, problem, steps, shared)
        if _may_ride(settings):
            key = candidate.strategy, *_ride_key(descent)
            together.setdefault(key, []).append(descent)
        else:
            fits[number] = _fit_alone(descent)
    for descents in together.values():
        fits.update(_fit_together(descents))
    return [fits[number] for number in range(len(candidates))]


class Preparation:
    """Problems on the training rows of a split, each of which is prepared once.

    Parameters
    ----------
    folds : Folds
        The rows and their moments.
    split : int
        Number of the split.
    """

    def __init__(self, folds: Folds, split: int) -> None:
        self._folds, self._split = folds, split
        self._moments = folds.training(split) if folds.condenses else None
        self._n_rows = folds.n_weighted(split)
        self._prepared: dict[Hashable, Problem] = {}
        self._problems: dict[Hashable, tuple[Problem, Shared]] = {}

    def problem(self, settings: Settings) -> tuple[Problem, Shared]:
        """Return what to descend on, and the same on rows that others share."""
        key = self._key(settings), self._penalty_key(settings)
        if key not in self._problems:
            self._problems[key] = self._problem(settings)
        return self._problems[key]

    def _problem(self, settings: Settings) -> tuple[Problem, Shared]:
        """Return the same, made anew."""
        key = self._key(settings)
        if key not in self._prepared:
            self._prepared[key] = self._prepare(settings)
        prepared = self._prepared[key]
        factors = np.ones((prepared.rows.n_features, 1))
        if self._moments is None:
            problem = penalized(prepared, settings)
            return problem, Shared(key, problem, factors)
        if prepared.is_white:  # whose rows are those of `white_rows`, penalty included
            few = prepared.full_rows
            rank = int(np.count_nonzero(few.X.any(axis=0)))
            key = rank, len(few.y), settings.fit_intercept, settings.device
            return prepared, Shared(key, prepared, factors)
        shared = problem = penalized(prepared, settings)
        if settings.standardize and np.any(settings.l2):
            coordinates = coordinates_of(self._moments, settings)
            problem = penalized(rescaled(prepared, coordinates), settings)
            scales = prepared.coordinates.coef_scale / coordinates.coef_scale
            factors = scales**2
        return problem, Shared(key, shared, factors)

    def _prepare(self, settings: Settings) -> Problem:
        """Return the problem; where it is not white, in coordinates of no penalty."""
        if self._moments is None:
            return problem_of_data(self._rows, settings)
        if not settings.whiten:
            settings, rows = replace(settings, alpha=0.0), self._folds.rows
        else:
            rows = self._rows
        return condensed(self._moments, settings, self._n_rows, None, rows)

    @cached_property
    def _rows(self) -> Rows | Partitions:
        """The training rows; others have no weight."""
        return self._folds.training_rows(self._split)

    def _key(self, settings: Settings) -> Hashable:
        """Return what is equal for settings of which `_prepare` makes the same."""
        of_penalty: Hashable = None
        if self._moments is None or settings.whiten:
            of_penalty = self._penalty_key(settings)
        return (
            settings.whiten,
            settings.standardize,
            settings.fit_intercept,
            settings.device,
            of_penalty,
        )

    def _penalty_key(self, settings: Settings) -> Hashable:
        """Return what is equal for settings whose penalty is."""
        return _hashable(settings.alpha), settings.l1_ratio, settings.positive


def _hashable(value: float | np.ndarray) -> Hashable:
    return tuple(value.tolist()) if isinstance(value, np.ndarray) else value


def _failure(error: Exception | None) -> Failure:
    """Return the failure of an error that was raised already."""

    def failure() -> Exception:
        assert error is not None
        return error

    return failure


def _may_ride(settings: Settings) -> bool:
    """Return whether a descent is one that may be a target among others.

    A strategy of the user's own may treat several targets as it likes, and so may the
    factory of a module: these see their own targets alone.
    """
    strategy = settings.strategy
    return (
        type(strategy).__module__.startswith("skgd.strategies.")
        and getattr(strategy, "module", None) is None
        and settings.schedule in _SCHEDULES_THAT_RIDE
        and not (settings.average or settings.verbose)
    )


def _ride_key(descent: Descent) -> tuple[Hashable, ...]:
    """Return what all targets of a descent have in common."""
    settings, shared = descent.settings, descent.shared
    penalty = shared.problem.objective.penalty
    return (
        shared.key,
        descent.steps.momentum,
        settings.schedule == "invscaling" and settings.power_t,
        penalty.l2 is None,
        penalty.l1 is None,
        penalty.positive,
    )


def _fit_together(descents: Sequence[Descent]) -> dict[int, Model | Failure]:
    """Fit candidates as targets of the same rows."""
    settings = descents[0].settings
    if len(descents) > 1:
        problem = side_by_side([descent.shared.problem for descent in descents])
        with in_strategy(settings):
            if _start(settings.strategy, problem):
                results = _descend_together(descents, problem, settings.strategy)
                return _models(descents, problem, results)
    return {descent.number: _fit_alone(descent) for descent in descents}


def _start(strategy: GradientStrategy, problem: Problem) -> bool:
    """Start a strategy, and return whether it moves the targets independently."""
    try:
        strategy.start(problem.zeros(), problem.device_objective)
    except Exception:  # it has wrong parameters, of which its own descent will tell
        return False
    return strategy.plain


def _descend_together(
    descents: Sequence[Descent], problem: Problem, strategy: GradientStrategy
) -> list[Result]:
    """Descend from zero on all targets; the strategy has been started."""
    n_targets = descents[0].problem.full_rows.n_targets
    rates = [
        np.broadcast_to(descent.steps.learning_rate, n_targets) for descent in descents
    ]
    (rate,) = problem.send_parameters((np.concatenate(rates),))
    settings = descents[0].settings
    schedule = "invscaling" if settings.schedule == "invscaling" else "constant"
    steps = Steps(
        rate,
        schedule_from(schedule, settings.power_t),
        problem.device_objective.penalty,
        momentum=descents[0].steps.momentum,
        preconditioner=_preconditioner(descents, problem),
    )
    runs = [Run(each.settings.max_iter, each.settings.tol) for each in descents]
    return descend_together(problem, strategy, steps, runs)


def _preconditioner(descents: Sequence[Descent], problem: Problem) -> Array | None:
    """Return the factors of all learning rates; None if they are ones."""
    n_targets = problem.full_rows.n_targets // len(descents)
    factors = [descent.shared.factors for descent in descents]
    if all((each == 1).all() for each in factors):
        return None
    stacked = np.repeat(np.hstack(factors), n_targets, axis=1)
    (preconditioner,) = problem.send_parameters((stacked,))
    return preconditioner


def _models(
    descents: Sequence[Descent], problem: Problem, results: Sequence[Result]
) -> dict[int, Model | Failure]:
    """Return the models that descents led to, or why there is none."""
    stacked = tuple(
        np.concatenate(each, axis=-1)
        for each in zip(*(result.parameters for result in results), strict=True)
    )
    of_dtype, exact = (
        [
            np.split(each, len(descents), axis=-1)
            for each in problem.in_user_units(stacked, dtype)
        ]
        for dtype in (descents[0].settings.dtype, np.dtype(np.float64))
    )
    models = {}
    for i, (descent, result) in enumerate(zip(descents, results, strict=True)):
        its, its_exact = (tuple(each[i] for each in all_) for all_ in (of_dtype, exact))
        models[descent.number] = _model(descent, result, its, its_exact)
    return models


def _model(
    descent: Descent,
    result: Result,
    parameters: NumpyParameters,
    exact: NumpyParameters,
) -> Model | Failure:
    """Return the model that a descent led to, or why there is none."""
    settings = descent.settings
    try:
        diverged, happened = what_happened(result, descent.shared.problem, plain=True)
        if diverged.any():  # the largest stable rate is that of its own coordinates
            its_own = result, descent.problem, descent.steps
            return partial(divergence_error, diverged, happened, *its_own, plain=True)
        raise_if_out_of_range(parameters, exact)
    except ValueError as error:
        return _failure(error)
    return Model(parameters, np.array(result.loss_curve), _converged(settings, result))


def _converged(settings: Settings, result: Result) -> bool:
    """Return whether a descent met `tol`, if it was to."""
    return settings.tol is None or result.outcome is not Outcome.OUT_OF_EPOCHS


def _fit_alone(descent: Descent) -> Model | Failure:
    """Fit a candidate by a descent and a strategy of its own, which starts once."""
    problem, strategy = descent.problem, clone(descent.settings.strategy)
    settings = replace(descent.settings, strategy=strategy)
    zeros = np.zeros((problem.rows.n_features, problem.full_rows.n_targets))
    try:
        with in_strategy(settings):
            setup = set_up(settings, problem, (zeros,))
            fitted = run(setup, max_iter=settings.max_iter)
    except Exception as error:
        return _failure(error)
    curve = np.array(fitted.result.loss_curve)
    return Model(fitted.parameters, curve, _converged(settings, fitted.result))
