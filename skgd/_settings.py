"""Settings: the estimator's parameters, checked together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.random import RandomState
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skgd._data.array_api import Origin
from skgd._data.containers import readable
from skgd._data.device import Device, device_of
from skgd._descent.held_out import Scoring, scoring_from
from skgd._objective.losses import Loss, loss_from
from skgd._typing import ArrayLike, PerTarget
from skgd.strategies import GradientStrategy
from skgd.strategies._registry import names_of_strategies_with, strategy_from

if TYPE_CHECKING:
    import torch


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
    origin: Origin | None  # where X is from, and results go; None: NumPy
    loss: Loss
    alpha: PerTarget
    l1_ratio: float
    positive: bool
    fit_intercept: bool
    learning_rate: PerTarget | Literal["auto"]
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
    def l2(self) -> PerTarget:
        """Weight of the squares of the coefficients, in the user's units."""
        return self.alpha * (1 - self.l1_ratio)

    @property
    def l2_range(self) -> tuple[float, float]:
        """The least and the largest of these weights."""
        l2 = self.l2
        return (l2.min(), l2.max()) if isinstance(l2, np.ndarray) else (l2, l2)

    @property
    def penalizes(self) -> bool | np.ndarray:
        """Whether coefficients are penalised: of all targets, or of each."""
        return self.alpha > 0

    @property
    def has_prox(self) -> bool:
        """Whether there is an L1 penalty or a bound, of any target."""
        return self.positive or (self.l1_ratio > 0 and bool(np.any(self.penalizes)))

    @property
    def penalty(self) -> str:
        """The penalty, as it stands in messages."""
        return f"alpha={in_words(self.alpha)} with l1_ratio={self.l1_ratio:g}"

    @property
    def has_auto_rate(self) -> bool:
        """Whether the learning rate is left to us."""
        return isinstance(self.learning_rate, str)


# The estimator has parameters of these names.
_PARAMETERS = {field.name for field in fields(Settings)} - {
    "dtype",
    "y_is_1d",
    "origin",
}


def settings_of(
    estimator: BaseEstimator,
    dtype: np.dtype,
    *,
    n_targets: int,
    y_is_1d: bool,
    origin: Origin | None = None,
    device_of_rows: torch.device | None = None,
) -> Settings:
    """Return the settings of an estimator.

    Raises
    ------
    ValueError
        On parameters that exclude each other, on arrays that do not fit the targets,
        and on a device that is not there, or not that of the rows.
    """
    strategy = strategy_from(estimator.strategy)
    loss = loss_from(estimator.loss, estimator.epsilon)
    resolved = {
        "strategy": strategy,
        "dtype": dtype,
        "y_is_1d": y_is_1d,
        "origin": origin,
        "loss": loss,
        "alpha": _of_targets(
            "alpha", estimator.alpha, n_targets, "of at least 0", np.greater_equal
        ),
        "learning_rate": _of_targets(
            "learning_rate", estimator.learning_rate, n_targets, "above 0", np.greater
        ),
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
        estimator.device,
        dtype,
        needs_tensors=strategy.needs_tensors,
        of_rows=device_of_rows,
    )
    for name in _PARAMETERS:
        resolved.setdefault(name, getattr(estimator, name))
    settings = _with_coordinates(Settings(**resolved), estimator.standardize)
    _refuse_unknown_objective(settings)
    return settings


def _of_targets(
    name: str,
    value: float | str | ArrayLike,
    n_targets: int,
    allowed: str,
    compares: np.ufunc,
) -> PerTarget | str:
    """Return a parameter that may be an array; as many equal numbers are one.

    A number, or "auto", has been checked before.
    """
    if isinstance(value, (Real, str)):
        return value
    message = (
        f"The {name!r} parameter must be one number for all targets, or an array-like "
        "of shape (n_targets,) of finite numbers "
        f"{allowed}. Got {' '.join(repr(value).split())} instead, and y has "
        f"n_targets={n_targets}."
    )
    try:
        array = np.asarray(readable(name, value))
    except ValueError as error:  # lists of different lengths
        raise ValueError(message) from error
    if array.dtype.kind in "US" or "auto" in array.ravel().tolist():
        raise ValueError(f"{message} 'auto' cannot stand beside numbers.")
    if array.dtype.kind not in "fiu":
        raise ValueError(message)
    if array.shape != (n_targets,):
        raise ValueError(f"{message} Its shape is {array.shape}.")
    array = array.astype(np.float64)
    if not (np.isfinite(array) & compares(array, 0)).all():
        raise ValueError(message)
    return array if np.ptp(array) > 0 else float(array[0])


def in_words(value: PerTarget) -> str:
    """Return a number, or the few first and last of many, as it stands in messages."""
    return np.array2string(
        np.asarray(value),
        separator=", ",
        threshold=6,
        formatter={"float_kind": "{:g}".format, "int_kind": "{:g}".format},
    )


def _with_coordinates(
    settings: Settings, standardize: bool | Literal["auto"]
) -> Settings:
    """Return the settings with `standardize` and `whiten` resolved."""
    auto, whiten = settings.has_auto_rate, settings.whiten
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
    if settings.has_auto_rate:
        raise ValueError(
            "learning_rate='auto' is derived for plain gradient steps on the "
            f"coefficients, and {strategy!r} takes others. Pass a float; several "
            "powers of ten in a GridSearchCV find one that fits."
        )
    if isinstance(settings.learning_rate, np.ndarray):
        raise ValueError(
            f"learning_rate={in_words(settings.learning_rate)} is one for each target, "
            "which presumes plain gradient steps on the coefficients, and "
            f"{strategy!r} takes others. Pass a float, or fit each target by itself "
            "(sklearn.multioutput.MultiOutputRegressor fits all with one setting)."
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
    if settings.l2_range[1] > 0 and not strategy.penalizes:
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
