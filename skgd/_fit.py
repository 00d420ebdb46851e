"""One descent, from prepared rows to a model in the user's units.

`params` is the estimator, for its parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from skgd._callbacks import TrainingLog
from skgd._convergence import advice_when_slow, warn_unless_arrived
from skgd._data.arrays import Placement, placement_of, to_numpy
from skgd._data.batches import FullBatch
from skgd._data.coordinates import Parameters
from skgd._descent.loop import Descent, Watch, descend
from skgd._descent.stopping import StoppingRule, sizes_at
from skgd._divergence import raise_if_diverged, raise_if_too_large
from skgd._objective.objective import Objective
from skgd._preparation import Plan, Prepared
from skgd._settings import (
    objective_of,
    plan_of,
    plateau_of,
    refuse_unknown_objective,
    steps_of,
)
from skgd._stream import Stream
from skgd.strategies import GradientStrategy
from skgd.strategies._registry import strategy_from


class Setting(NamedTuple):
    """What a call of fit or partial_fit has found out first."""

    plan: Plan
    strategy: GradientStrategy
    placement: Placement
    dtype: np.dtype  # of X
    y_is_1d: bool


def setting_of(params: Any, dtype: np.dtype, y_is_1d: bool) -> Setting:
    """Build the strategy, and find where it is to run."""
    strategy = strategy_from(params.strategy)
    plan = plan_of(params)
    refuse_unknown_objective(params, plan, strategy)
    needs_tensors = strategy.needs_tensors
    placement = placement_of(params.device, dtype, needs_tensors=needs_tensors)
    return Setting(plan, strategy, placement, dtype, y_is_1d)


class Run(NamedTuple):
    """A descent that has ended, and what it was on."""

    descent: Descent
    model: Parameters  # in the user's units
    ready: Prepared
    objective: Objective
    watch: Watch
    advice: str

    def warn_unless_arrived(self) -> None:
        """Warn where it ended short of what it was to arrive at."""
        warn_unless_arrived(
            self.descent, self.ready.batches, self.objective, self.watch, self.advice
        )


def run(
    params: Any,
    ready: Prepared,
    setting: Setting,
    start: Parameters,
    stream: Stream | None = None,
) -> Run:
    """Descend from `start`, which is in the user's units.

    Within a stream it is an epoch, which goes on from what the stream has kept.
    """
    batches, coordinates, *_ = ready
    plan, strategy, placement, dtype, _ = setting
    objective = objective_of(params, plan, coordinates, batches.dtype)
    placed = objective.placed(placement, batches.dtype)
    log = TrainingLog(params.verbose, ready) if params.verbose else None
    coef, intercept = coordinates.from_user(*start)
    if params.positive:  # the objective is infinite elsewhere
        coef = coef.clip(min=0)
    if params.alpha:  # of what is nothing but a penalty, the minimum is known
        coef = np.where(np.isinf(coordinates.X_scale)[:, None], 0.0, coef)
    if intercept is None:
        intercept = np.zeros(coef.shape[1])
    coef, intercept = (a.astype(batches.dtype) for a in (coef, intercept))
    with _errors_noted(strategy), placement.gradients_on():
        strategy.start(
            placement.put(coef),
            placement.put(intercept) if params.fit_intercept else None,
            placed,
        )
        watch = _watch(params, ready, objective, placed, strategy, log)
        if stream is None:
            max_iter = params.max_iter
            steps = steps_of(params, batches, objective, strategy)
        else:
            max_iter = 1
            steps = stream.steps(
                params, ready, objective, strategy, placement, watch.plateau
            )
        descent = descend(
            strategy, batches, placed.penalty, steps, watch, max_iter=max_iter
        )
        if log:
            log.end(descent, strategy)
        raise_if_diverged(descent, strategy, batches, objective, steps)
        model = coordinates.to_user(
            to_numpy(descent.coef), to_numpy(descent.intercept), dtype
        )
        raise_if_too_large(*model)
        if stream is not None:
            stream.keep(params, steps, strategy, coordinates, watch.plateau)
    advice = advice_when_slow(params, strategy)
    return Run(descent, model, ready, objective, watch, advice)


@contextmanager
def _errors_noted(strategy: GradientStrategy) -> Iterator[None]:
    """Let an error inside a strategy of the user's own point to the check of it."""
    try:
        yield
    except Exception as error:
        if not type(strategy).__module__.startswith("skgd."):
            error.add_note(
                f"If this comes from {type(strategy).__name__}: skgd.testing."
                "check_gradient_strategy tells which part of the contract it breaks."
            )
        raise


def _watch(
    params: Any,
    ready: Prepared,
    objective: Objective,
    placed: Objective,
    strategy: GradientStrategy,
    log: TrainingLog | None,
) -> Watch:
    """Say what may end the descent before `max_iter`."""
    batches, _, validation, _ = ready
    stopping = plateau = None
    if params.tol is not None and isinstance(batches, FullBatch):
        measure = None
        if not objective.loss.condenses:
            measure = sizes_at(strategy, batches.placed, placed)
        stopping = StoppingRule(
            params.tol,
            batches.rows.all,
            objective.penalty,
            fit_intercept=params.fit_intercept,
            measure=measure,
        )
    if validation is not None or not batches.whole or params.schedule == "adaptive":
        plateau = plateau_of(params)
    return Watch(stopping, plateau, validation, log.epoch if log else None)
