"""What the estimator's parameters stand for, "auto" above all.

`params` is the estimator, for its parameters.
"""

from __future__ import annotations

from typing import Any

from skgd._averaging import Average
from skgd._batches import FullBatch, MiniBatches
from skgd._descent import Steps
from skgd._plateau import Plateau
from skgd._preparation import Plan
from skgd._schedule import Adaptive, Pace, schedule_from
from skgd._step_size import largest_stable_learning_rate
from skgd.strategies import GradientStrategy


def plan_of(params: Any) -> Plan:
    """Say what is to be done with the rows; a float rate is the textbook's."""
    standardize = params.standardize
    if standardize == "auto":
        standardize = params.learning_rate == "auto"
    return Plan(
        fit_intercept=params.fit_intercept,
        standardize=bool(standardize),
        precompute=params.precompute,
        batch_size=params.batch_size,
        shuffle=params.shuffle,
        validation_fraction=(
            params.validation_fraction if params.early_stopping else None
        ),
    )


def plateau_of(params: Any) -> Plateau:
    """Watch for an end of improvement: of the score, or else of the losses."""
    relative = not params.early_stopping
    return Plateau(params.tol, params.n_iter_no_change, relative=relative)


def steps_of(
    params: Any, batches: FullBatch | MiniBatches, strategy: GradientStrategy
) -> Steps:
    """Resolve learning rate, schedule, momentum and average."""
    auto = params.learning_rate == "auto"
    momentum = params.momentum
    if momentum == "auto":
        momentum = "adaptive" if auto and batches.whole else 0.0
    if not strategy.plain:
        _refuse_derived_steps(params, strategy)
    rate = _auto_rate(params, batches) if auto else float(params.learning_rate)
    schedule = schedule_from(params.schedule, params.power_t)
    if params.schedule == "auto" and auto and not batches.whole:
        schedule = Adaptive()
    average = Average(int(params.average)) if params.average else None
    return Steps(Pace(rate, schedule), momentum, average)


def faster(params: Any, strategy: GradientStrategy) -> str:
    """Say what takes fewer epochs than these parameters."""
    if not strategy.plain:
        return "or try a larger learning_rate."
    if params.learning_rate != "auto":
        return "or use learning_rate='auto', which takes fewer epochs."
    if params.batch_size is not None:
        return "or use batch_size=None: the full batch has momentum='auto'."
    if params.momentum != "auto":
        return "or use momentum='auto', which takes fewer epochs."
    if not params.standardize:
        return "or use standardize=True, which takes fewer epochs."
    return (
        "or, where columns are nearly collinear, use a direct solver such as "
        "sklearn.linear_model.LinearRegression."
    )


def _auto_rate(params: Any, batches: FullBatch | MiniBatches) -> float:
    """Give 1/L; of batches half of that, and less the more momentum there is."""
    if batches.whole:
        return (
            largest_stable_learning_rate(
                batches.rows, fit_intercept=params.fit_intercept
            )
            / 2
        )
    largest = largest_stable_learning_rate(
        batches.rows,
        fit_intercept=params.fit_intercept,
        batch_size=batches.batch_size,
    )
    momentum = 0.0 if params.momentum == "auto" else params.momentum
    return largest / 4 * (1 - momentum)


def _refuse_derived_steps(params: Any, strategy: GradientStrategy) -> None:
    """Raise where parameters presume plain gradient steps."""
    if params.learning_rate == "auto":
        raise ValueError(
            "learning_rate='auto' is derived for plain gradient steps on the "
            f"coefficients, and {strategy!r} takes others. Pass a float; several "
            "powers of ten in a GridSearchCV find one that fits."
        )
    if params.momentum not in ("auto", 0):
        raise ValueError(
            f"momentum={params.momentum!r} extrapolates plain gradient steps on the "
            f"coefficients, and {strategy!r} takes others. Leave it at 'auto', and "
            "give the optimizer a momentum of its own: "
            "ModuleStrategy(optimizer_params={'momentum': 0.9})."
        )
