"""Settings: the estimator's parameters, checked together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.random import RandomState
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skgd._data.device import Device, device_of
from skgd._descent.held_out import Scoring, scoring_from
from skgd._objective.losses import Loss, loss_from
from skgd.strategies import GradientStrategy
from skgd.strategies._registry import names_of_strategies_with, strategy_from


@dataclass(frozen=True)
class Settings:
    """What a fit is to do; built once from the estimator.

    The names are the estimator's. `strategy` is a strategy to be started, `loss`,
    `scoring` and `device` are objects, and `random_state` draws. What "auto" means is
    resolved here for `standardize`, and for `whiten` but for the number of columns; for
    `learning_rate`, `momentum` and `schedule` it depends on the batches, and is
    resolved in `_fit`; for `precompute` on the rows, in `_preparation`.
    """

    strategy: GradientStrategy
    device: Device
    dtype: np.dtype  # of X
    y_is_1d: bool
    loss: Loss
    alpha: float
    l1_ratio: float
    positive: bool
    fit_intercept: bool
    learning_rate: float | Literal["auto"]
    standardize: bool
    whiten: bool | Literal["auto"]  # "auto": unless there are too many columns
    momentum: float | Literal["auto"]
    batch_size: float | None
    shuffle: bool
    random_state: RandomState
    schedule: str | Callable[[int], float]
    power_t: float
    average: bool | int
    precompute: bool | Literal["auto"]
    max_iter: int
    tol: float | None
    early_stopping: bool
    scoring: Scoring
    validation_fraction: float
    n_iter_no_change: int
    verbose: int

    @property
    def l2(self) -> float:
        """Weight of the squares of the coefficients, in the user's units."""
        return self.alpha * (1 - self.l1_ratio)

    @property
    def has_prox(self) -> bool:
        """Whether there is an L1 penalty or a bound."""
        return self.positive or self.alpha * self.l1_ratio > 0

    @property
    def penalty(self) -> str:
        """The penalty, as it stands in messages."""
        return f"alpha={self.alpha:g} with l1_ratio={self.l1_ratio:g}"


# The estimator has parameters of these names.
_PARAMETERS = {field.name for field in fields(Settings)} - {"dtype", "y_is_1d"}


def settings_of(
    estimator: BaseEstimator, dtype: np.dtype, *, y_is_1d: bool
) -> Settings:
    """Return the settings of an estimator.

    Raises
    ------
    ValueError
        On parameters that exclude each other, and on a device that is not there.
    """
    strategy = strategy_from(estimator.strategy)
    loss = loss_from(estimator.loss, estimator.epsilon)
    resolved = {
        "strategy": strategy,
        "dtype": dtype,
        "y_is_1d": y_is_1d,
        "loss": loss,
        "random_state": check_random_state(estimator.random_state),
        "scoring": scoring_from(estimator, dtype, y_is_1d=y_is_1d),
    }
    if not loss.condenses:
        if estimator.precompute is True:
            raise ValueError(
                "precompute=True condenses rows to a few that have the same moments, "
                f"which is all that squared error knows of them; loss={loss!r} needs "
                "the rows themselves. Leave precompute at 'auto'."
            )
        resolved["precompute"] = False
    resolved["device"] = device_of(
        estimator.device, dtype, needs_tensors=strategy.needs_tensors
    )
    for name in _PARAMETERS:
        resolved.setdefault(name, getattr(estimator, name))
    settings = _with_coordinates(Settings(**resolved), estimator.standardize)
    _refuse_unknown_objective(settings)
    return settings


def _with_coordinates(
    settings: Settings, standardize: bool | Literal["auto"]
) -> Settings:
    """Return the settings with `standardize` and `whiten` resolved."""
    auto, whiten = settings.learning_rate == "auto", settings.whiten
    if whiten == "auto":
        # Stopping early regularizes by the path to the minimum, which is another one.
        if not (auto and standardize) or settings.has_prox or settings.early_stopping:
            whiten = False
    elif whiten and settings.has_prox:
        raise ValueError(
            "whiten=True mixes the columns, so that "
            f"{'positive=True' if settings.positive else settings.penalty}, which is "
            "about each coefficient in the user's columns alone, has no proximal step "
            "there. Use whiten='auto' (standardized columns), or leave L1 and bounds "
            "out."
        )
    elif whiten and standardize is False:
        raise ValueError(
            "whiten=True includes standardizing, and standardize=False excludes it. "
            "Leave standardize at 'auto'."
        )
    if standardize == "auto":
        standardize = auto or bool(whiten)
    return replace(settings, standardize=standardize, whiten=whiten)


def refuse_derived_steps(settings: Settings) -> None:
    """Raise where parameters presume plain gradient steps, and the strategy has others.

    The strategy has been started: it may know of its steps no earlier.
    """
    strategy = settings.strategy
    if strategy.plain:
        return
    if settings.learning_rate == "auto":
        raise ValueError(
            "learning_rate='auto' is derived for plain gradient steps on the "
            f"coefficients, and {strategy!r} takes others. Pass a float; several "
            "powers of ten in a GridSearchCV find one that fits."
        )
    if settings.momentum not in ("auto", 0):
        raise ValueError(
            f"momentum={settings.momentum!r} extrapolates plain gradient steps on the "
            f"coefficients, and {strategy!r} takes others. Leave it at 'auto', and "
            "give the optimizer a momentum of its own: "
            "ModuleStrategy(optimizer_params={'momentum': 0.9})."
        )
    if settings.has_prox:
        raise ValueError(
            f"{'positive=True' if settings.positive else settings.penalty} makes each "
            "step a proximal one, which presumes plain gradient steps on the "
            f"coefficients, and {strategy!r} takes others. Use torch.optim.SGD without "
            "momentum on nn.Linear (strategy='module'), or another strategy, or leave "
            "L1 and bounds out."
        )


def _refuse_unknown_objective(settings: Settings) -> None:
    """Raise where the strategy does not descend on what is asked for."""
    strategy, loss = settings.strategy, settings.loss
    if isinstance(strategy.losses, str):
        raise ValueError(losses_in_a_string(strategy))
    if loss.kind not in strategy.losses:
        able = [repr(name) for name in names_of_strategies_with(loss.kind)]
        raise ValueError(
            f"The 'loss' parameter is {loss!r}, but {strategy!r} knows the gradient of "
            f"these losses alone: {', '.join(strategy.losses)}. Use "
            f"strategy={' or '.join(able)}. Or let one of your own differentiate the "
            "value of the objective that `start` gets, and name the loss in the tuple "
            "`losses`; skgd.testing.check_gradient_strategy tells whether it does."
        )
    if settings.l2 > 0 and not strategy.penalizes:
        raise ValueError(
            f"{settings.penalty} adds squares of the coefficients to the objective, "
            f"and {strategy!r} does not add them: let its `evaluate` use the methods "
            "of the objective that `start` gets, which do (and `add_l2_gradient` for a "
            "formula of its own); then set `penalizes` to True. Or use alpha=0, or "
            "l1_ratio=1."
        )


def losses_in_a_string(strategy: GradientStrategy) -> str:
    """Return what to write where a strategy's `losses` is the name of one."""
    return (
        f"{type(strategy).__name__}.losses must be a tuple of names. Got "
        f"{strategy.losses!r} instead; write ({strategy.losses!r},)."
    )
