"""One fit: from a problem to a model in the user's units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from skgd._convergence import Fitted, warn_unless_converged
from skgd._descent.batches import WholeBatch
from skgd._descent.loop import Observer, Outcome, descend
from skgd._descent.problem import Problem
from skgd._descent.secant_steps import SecantSteps
from skgd._descent.stable_rate import Smoothness
from skgd._descent.steps import Steps, schedule_from
from skgd._descent.stopping import Plateau, Stopping, StoppingRule, sizes_at
from skgd._divergence import raise_if_diverged, raise_if_out_of_range
from skgd._interrupt import (
    NO_INTERRUPTION,
    deferred_interrupts,
    raises_keyboard_interrupt,
)
from skgd._observers import TrainingLog
from skgd._settings import Settings, refuse_derived_steps
from skgd._typing import NumpyParameters, Parameters, PerTarget


class Setup(NamedTuple):
    """A descent that is set up: its strategy has been started."""

    settings: Settings
    problem: Problem
    steps: Steps
    stopping: Stopping


def fit(
    settings: Settings,
    problem: Problem,
    start: NumpyParameters,
    *,
    observers: Sequence[Observer] = (),
    interruptible: bool = False,
) -> Fitted:
    """Descend from a model in the user's units, up to `max_iter` epochs.

    For `observers` and `interruptible` see `run`.

    Raises
    ------
    DivergenceError, ValueError
        If the descent ended where it may not.

    Warns
    -----
    ConvergenceWarning
        If it ended short of the minimum.
    """
    with in_strategy(settings):
        setup = set_up(settings, problem, start)
        fitted = run(
            setup,
            max_iter=settings.max_iter,
            observers=observers,
            interruptible=interruptible,
        )
    with settings.device.gradients_on():  # a loss of the user's own is asked once more
        warn_unless_converged(fitted, setup.problem, settings)
    return fitted


def set_up(
    settings: Settings,
    problem: Problem,
    start: NumpyParameters,
    so_far: Smoothness | None = None,
) -> Setup:
    """Start the strategy, and find out its steps and what may end them.

    Where the rows are a chunk of a stream, `so_far` is about all rows of it.
    """
    # A penalty leads to zero what the rows do not see.
    unpenalized = np.where(settings.penalizes, 0.0, start[0])
    problem = replace(problem, coordinates=problem.coordinates.keeping(unpenalized))
    settings.strategy.start(
        _starting_parameters(settings, problem, start), problem.device_objective
    )
    refuse_derived_steps(settings)
    steps = steps_of(settings, problem, so_far)
    return Setup(settings, problem, steps, stopping_of(settings, problem))


def run(
    setup: Setup,
    *,
    max_iter: int,
    observers: Sequence[Observer] = (),
    interruptible: bool = False,
) -> Fitted:
    """Run the descent, and return the model if it did not diverge.

    Observers see each epoch, after the log that `verbose` prints. If it is
    `interruptible`, the first Ctrl-C ends it early, and the model is where it stands
    then; otherwise, and the second time, it raises.
    """
    settings, problem, steps, stopping = setup
    strategy = settings.strategy
    if settings.verbose:
        log = TrainingLog(settings.verbose, whole=problem.batches.whole)
        observers = [log, *observers]
    noted = interruptible and raises_keyboard_interrupt()
    with (
        deferred_interrupts(only_first=True) if noted else nullcontext(NO_INTERRUPTION)
    ) as interruption:
        result = descend(
            problem,
            strategy,
            steps,
            stopping,
            max_iter=max_iter,
            observers=observers,
            interruption=interruption,
        )
        if result.outcome is Outcome.INTERRUPTED:
            interruption.answer()
    raise_if_diverged(result, problem, steps, plain=strategy.plain)
    parameters = problem.in_user_units(result.parameters, settings.dtype)
    exact = parameters
    if settings.dtype != np.float64:
        exact = problem.in_user_units(result.parameters, np.dtype(np.float64))
    raise_if_out_of_range(parameters, exact)
    return Fitted(parameters, exact, result, stopping)


@contextmanager
def in_strategy(settings: Settings) -> Iterator[None]:
    """Record torch's gradients, and note on an error how to check a strategy."""
    strategy = settings.strategy
    try:
        with settings.device.gradients_on():
            yield
    except Exception as error:
        if not type(strategy).__module__.startswith("skgd."):
            error.add_note(
                f"If this comes from {type(strategy).__name__}: skgd.testing."
                "check_gradient_strategy tells which part of the contract it breaks."
            )
        raise


def steps_of(
    settings: Settings, problem: Problem, so_far: Smoothness | None = None
) -> Steps:
    """Return the steps: learning rate, schedule, momentum and average resolved."""
    auto, whole = settings.has_auto_rate, problem.batches.whole
    momentum: float | Literal["adaptive"] = "adaptive" if auto and whole else 0.0
    if settings.momentum != "auto":
        momentum = float(settings.momentum)
    schedule = settings.schedule
    if schedule == "auto":
        schedule = "adaptive" if auto and not whole else "constant"
    # Not an average, or the best on held-out rows; and the rows are all of the data.
    ends_on_all = not (settings.average or settings.early_stopping or so_far)
    if _steps_by_secants(settings, problem) and not so_far:
        penalty = problem.device_objective.penalty
        return SecantSteps(
            _auto_rate(settings, problem), penalty, problem.send_parameters
        )
    rate = settings.learning_rate
    if isinstance(rate, str):
        rate = _auto_rate(settings, problem, so_far)
    return Steps(
        problem.send_rate(rate),
        schedule_from(schedule, settings.power_t),
        problem.device_objective.penalty,
        reduces=schedule == "adaptive",
        momentum=momentum,
        average_from=int(settings.average) if settings.average else None,
        last_on_all=auto and not whole and ends_on_all and settings.has_prox,
    )


def _steps_by_secants(settings: Settings, problem: Problem) -> bool:
    """Return whether all about the steps is left to us, and 1/L would be too short."""
    return (
        settings.has_auto_rate
        and settings.momentum == "auto"
        and settings.schedule in ("auto", "constant")
        and problem.batches.whole
        and problem.objective.loss.curvature_varies
        and not (settings.average or settings.early_stopping or settings.has_prox)
    )


def stopping_of(settings: Settings, problem: Problem) -> Stopping:
    """Return what may end the descent before `max_iter`."""
    rule = plateau = held_out = None
    batches, objective = problem.batches, problem.objective
    if settings.tol is not None and isinstance(batches, WholeBatch):
        measure = None
        if not objective.loss.condenses:
            measure = sizes_at(settings.strategy, batches, problem.device_objective)
        rule = StoppingRule(
            settings.tol,
            batches.rows,
            objective.penalty,
            fit_intercept=settings.fit_intercept,
            white=problem.is_white,
            condition=problem.coordinates.condition,
            targets=problem.target_moments,
            measure=measure,
            largest_pseudo_residual=objective.loss.largest_pseudo_residual,
        )
    if settings.early_stopping:
        held_out = settings.scoring.on(problem)
    if held_out or not batches.whole or settings.schedule == "adaptive":
        plateau = Plateau(
            settings.tol, settings.n_iter_no_change, relative=held_out is None
        )
    return Stopping(rule, plateau, held_out)


def _auto_rate(
    settings: Settings, problem: Problem, so_far: Smoothness | None = None
) -> PerTarget:
    """Return 1/L; of batches half of that, and less the more momentum there is."""
    if problem.objective.loss.curvature is None:
        raise ValueError(
            "learning_rate='auto' is derived from the curvature of the loss, which is "
            f"not known of loss={settings.loss!r}. Pass a float; several powers of ten "
            "in a GridSearchCV find one that fits."
        )
    largest = problem.largest_stable_learning_rate(so_far=so_far)
    if problem.batches.whole:
        return largest / 2
    momentum = 0.0 if settings.momentum == "auto" else float(settings.momentum)
    return largest / 4 * (1 - momentum)


def _starting_parameters(
    settings: Settings, problem: Problem, start: NumpyParameters
) -> Parameters:
    """Return where to start, in the coordinates of the descent."""
    coef, *intercept = problem.coordinates.from_user(start)
    if settings.positive:  # the objective is infinite elsewhere
        coef = coef.clip(min=0)
    # A feature that became zero is only penalised: to 0.
    coef = np.where(problem.coordinates.is_zeroed & settings.penalizes, 0.0, coef)
    intercept = intercept or [np.zeros(coef.shape[1])]
    return problem.send_parameters((coef, *intercept)[: 1 + settings.fit_intercept])
