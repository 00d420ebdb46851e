"""What the estimator's parameters stand for, "auto" above all.

`params` is the estimator, for its parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skgd._data.batches import FullBatch, MiniBatches
from skgd._data.coordinates import Coordinates
from skgd._descent.averaging import Average
from skgd._descent.loop import Steps
from skgd._descent.plateau import Plateau
from skgd._descent.schedule import Adaptive, Pace, schedule_from
from skgd._descent.step_size import largest_stable_learning_rate
from skgd._objective.losses import loss_from
from skgd._objective.objective import Objective
from skgd._objective.penalties import penalty_of
from skgd._preparation import Plan
from skgd.strategies import GradientStrategy
from skgd.strategies._registry import names_of_strategies_with


def plan_of(params: Any) -> Plan:
    """Say what is to be done with the rows; a float rate is the textbook's."""
    standardize = params.standardize
    if standardize == "auto":
        standardize = params.learning_rate == "auto"
    loss = loss_from(params.loss, params.epsilon)
    precompute = params.precompute
    if not loss.condenses:
        if precompute is True:
            raise ValueError(
                "precompute=True condenses rows to a few that have the same moments, "
                f"which is all that squared error knows of them; loss={params.loss!r} "
                "needs the rows themselves. Leave precompute at 'auto'."
            )
        precompute = False
    return Plan(
        fit_intercept=params.fit_intercept,
        standardize=bool(standardize),
        precompute=precompute,
        loss=loss,
        l2=params.alpha * (1 - params.l1_ratio),
        batch_size=params.batch_size,
        shuffle=params.shuffle,
        validation_fraction=(
            params.validation_fraction if params.early_stopping else None
        ),
    )


def objective_of(
    params: Any, plan: Plan, coordinates: Coordinates, dtype: np.dtype
) -> Objective:
    """Give the objective in the coordinates of the descent, in NumPy."""
    scale = coordinates.coef_scale
    with np.errstate(over="ignore"):
        penalty = penalty_of(params.alpha, params.l1_ratio, params.positive, scale)
    weights = [w.max() for w in (penalty.l2, penalty.l1) if w is not None]
    if weights and not max(weights) < np.finfo(dtype).max / 4:
        raise ValueError(
            f"alpha={params.alpha:g} with l1_ratio={params.l1_ratio:g} overflows "
            f"{dtype} in the units of the descent. Use a smaller alpha"
            f"{', or pass X as float64' if dtype == np.float32 else ''}."
        )
    return Objective(plan.loss, penalty)


def plateau_of(params: Any) -> Plateau:
    """Watch for an end of improvement: of the score, or else of the losses."""
    relative = not params.early_stopping
    return Plateau(params.tol, params.n_iter_no_change, relative=relative)


def steps_of(
    params: Any,
    batches: FullBatch | MiniBatches,
    objective: Objective,
    strategy: GradientStrategy,
) -> Steps:
    """Resolve learning rate, schedule, momentum and average."""
    auto = params.learning_rate == "auto"
    momentum: float | str = "adaptive" if auto and batches.whole else 0.0
    if params.momentum != "auto":
        momentum = float(params.momentum)
    if not strategy.plain:
        _refuse_derived_steps(params, strategy)
    if auto and objective.loss.curvature is None:
        raise ValueError(
            "learning_rate='auto' is derived from the curvature of the loss, which is "
            f"not known of loss={params.loss!r}. Pass a float; several powers of ten "
            "in a GridSearchCV find one that fits."
        )
    rate = float(params.learning_rate) if not auto else 0.0
    if auto:
        rate = _auto_rate(params, batches, objective)
    schedule = schedule_from(params.schedule, params.power_t)
    if params.schedule == "auto" and auto and not batches.whole:
        schedule = Adaptive()
    average = Average(int(params.average)) if params.average else None
    # The model is where the steps lead to, and not an average or the best on the way.
    steps_count = average is None and not params.early_stopping
    noisy = auto and not batches.whole
    last_on_all = noisy and steps_count and objective.penalty.has_prox
    return Steps(Pace(rate, schedule), momentum, average, last_on_all)


def _auto_rate(
    params: Any, batches: FullBatch | MiniBatches, objective: Objective
) -> float:
    """Give 1/L; of batches half of that, and less the more momentum there is."""
    largest = largest_stable_learning_rate(
        batches.rows,
        objective,
        fit_intercept=params.fit_intercept,
        batch_size=None if batches.whole else batches.batch_size,
    )
    if batches.whole:
        return largest / 2
    momentum = 0.0 if params.momentum == "auto" else float(params.momentum)
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
    if params.positive or params.alpha * params.l1_ratio > 0:
        given = f"alpha={params.alpha:g} with l1_ratio={params.l1_ratio:g}"
        if params.positive:
            given = "positive=True"
        raise ValueError(
            f"{given} makes each step a proximal one, which presumes plain gradient "
            f"steps on the coefficients, and {strategy!r} takes others. Use "
            "torch.optim.SGD without momentum on nn.Linear (strategy='module'), or "
            "another strategy, or leave L1 and bounds out."
        )


def refuse_unknown_objective(
    params: Any, plan: Plan, strategy: GradientStrategy
) -> None:
    """Raise where the strategy does not descend on what is asked for."""
    kind = plan.loss.kind
    if isinstance(strategy.losses, str):
        raise ValueError(losses_in_a_string(strategy))
    if kind not in strategy.losses:
        able = [repr(name) for name in names_of_strategies_with(kind)]
        raise ValueError(
            f"The 'loss' parameter is {params.loss!r}, but {strategy!r} knows the "
            f"gradient of these losses alone: {', '.join(strategy.losses)}. Use "
            f"strategy={' or '.join(able)}. Or let one of your own keep the objective "
            "that `start` gets, differentiate its objective.loss, and name it in the "
            "tuple `losses`; skgd.testing.check_gradient_strategy tells whether it "
            "does."
        )
    if plan.l2 > 0 and not strategy.penalizes:
        raise ValueError(
            f"alpha={params.alpha:g} with l1_ratio={params.l1_ratio:g} adds squares of "
            f"the coefficients to the objective, and {strategy!r} does not add them: "
            "let it keep the objective that `start` gets, and add (objective.l2 * "
            "coef**2).sum(0) and the gradient of that in `evaluate`, unless l2 is "
            "None; then set `penalizes` to True. Or use alpha=0, or l1_ratio=1."
        )


def losses_in_a_string(strategy: GradientStrategy) -> str:
    """Say what to write where a strategy's `losses` is the name of one."""
    return (
        f"{type(strategy).__name__}.losses must be a tuple of names. Got "
        f"{strategy.losses!r} instead; write ({strategy.losses!r},)."
    )
