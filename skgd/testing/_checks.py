"""The check of a gradient strategy against its contract, and its report."""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from skgd._data.device import device_of
from skgd._objective.losses import LOSS_NAMES, CustomLoss
from skgd.strategies import GradientStrategy
from skgd.testing._problems import Problem, problems_for
from skgd.testing._properties import PLAIN_PROPERTIES, PROPERTIES, BrokenError, Trial

if TYPE_CHECKING:
    import torch

#: The problems on which each property fails, and how.
Failures: TypeAlias = dict[str, list[tuple[Problem, Exception]]]


def check_gradient_strategy(
    strategy: GradientStrategy,
    *,
    device: str | torch.device = "cpu",
    fit_intercept: bool | None = None,
    rtol: float = 0.0,
) -> None:
    """Check that a gradient strategy keeps the contract of `GradientStrategy`.

    It does for a strategy what :func:`sklearn.utils.estimator_checks.check_estimator`
    does for an estimator. It runs the strategy on small problems: one and several
    targets, with and without intercept and weights, more rows than features and fewer,
    float64 and float32, and with the losses and the penalty that the strategy declares
    (see `losses` and `penalizes` of `GradientStrategy`). It checks these properties:

    - Losses are the objective, gradients its finite differences.
    - Losses and gradients are those of the derived formula.
    - Two evaluations give the same, and move nothing.
    - Weight 2 equals the row twice, weight 0 the row left out.
    - Losses of a part of the rows are the mean of weight * loss over them.
    - Sparse rows give what dense ones do.
    - All data are left as they were.
    - All answers have the dtype of the data.
    - Clones share nothing.
    - Another goes on from its state.

    If `plain` is True after `start`, it also checks these properties. (If it is False,
    the properties above are checked at the parameters where the strategy starts by
    itself.)

    - Parameters are those that start was given, each time.
    - Targets do not mix.
    - Plain steps are -learning_rate * gradient.
    - Learning rates, one for each target, multiply its gradients.
    - Update follows gradients that are assigned.
    - Parameters that are written into are where it evaluates next.
    - In an estimator, it takes the same steps as strategy="manual".

    On "mps", float64 and sparse rows are left out, since it has neither.

    Parameters
    ----------
    strategy : GradientStrategy
        An instance. Only clones of it are used.
    device : str or torch.device, default="cpu"
        Where to run it, as for `GDLinearRegressor`.
    fit_intercept : bool or None, default=None
        True checks only problems with an intercept, and False only problems without,
        for a strategy that is made for one of them. None checks both.
    rtol : float, default=0.0
        Deviation to allow in gradients that are approximations, relative to the largest
        value compared. Rounding is always allowed for: 1e-11 in float64, 1e-4 in
        float32. For central differences with steps of 1e-3, 1e-3 is enough; with
        smaller steps, the differences are lost in the rounding of float32.

    Raises
    ------
    AssertionError
        If a property does not hold, or if `losses` is empty or holds an unknown name.
        The message says which properties fail, on what problem, and how.
    TypeError
        If `strategy` is not an instance of a subclass of `GradientStrategy`.
    ValueError
        If `device` is not on this machine, or `fit_intercept` is none of the three.

    See Also
    --------
    skgd.strategies.GradientStrategy : The contract.

    Examples
    --------
    >>> from skgd.strategies import ManualStrategy
    >>> from skgd.testing import check_gradient_strategy
    >>> check_gradient_strategy(ManualStrategy())
    >>> class Forgetful(ManualStrategy):
    ...     def evaluate(self, rows):
    ...         return super().evaluate(rows._replace(weight=None))
    >>> try:
    ...     check_gradient_strategy(Forgetful())
    ... except AssertionError as error:
    ...     print("Losses are the objective" in str(error))
    True
    """
    _check_arguments(strategy, fit_intercept)
    # A missing device is the caller's affair, not the strategy's.
    needs_tensors = strategy.needs_tensors
    where = device_of(device, np.dtype("float32"), needs_tensors=needs_tensors)
    dtypes = ("float64", "float32") if where.has_float64 else ("float32",)
    intercepts = (True, False) if fit_intercept is None else (fit_intercept,)
    problems = problems_for(strategy, dtypes, intercepts)
    failures: Failures = defaultdict(list)
    for problem, check in product(problems, PROPERTIES + PLAIN_PROPERTIES):
        try:
            trial = Trial(strategy, problem._replace(rtol=rtol), where)
            if trial.strategy.plain or check in PROPERTIES:
                check(trial)
        except Exception as error:  # whatever a foreign strategy raises is a result
            title = (check.__doc__ or check.__name__).rstrip(".")
            failures[title].append((problem, error))
    if failures:
        (_, cause), *_ = next(iter(failures.values()))
        raise AssertionError(_report(strategy, failures)) from cause


def _check_arguments(strategy: GradientStrategy, fit_intercept: bool | None) -> None:
    """Raise where there is nothing that could be checked."""
    if not isinstance(strategy, GradientStrategy):
        raise TypeError(
            f"strategy must be an instance of GradientStrategy. Got {strategy!r}."
        )
    kinds = (*LOSS_NAMES, CustomLoss.kind)
    if not strategy.losses or not set(strategy.losses).issubset(kinds):
        raise AssertionError(
            f"{type(strategy).__name__}.losses must be a tuple of one or more of "
            f"{kinds}. Got {strategy.losses!r} instead."
        )
    if fit_intercept not in (None, True, False):
        raise ValueError(
            f"fit_intercept must be True, False or None. Got {fit_intercept!r} instead."
        )


def _report(strategy: GradientStrategy, failures: Failures) -> str:
    """Return what fails, and how; properties that fail in the same way together."""
    titles = defaultdict(list)
    for title, broken in failures.items():
        problem, error = broken[0]
        how = str(error) if isinstance(error, BrokenError) else f"raised {error!r}"
        others = list(dict.fromkeys(other.name for other, _ in broken))[1:]
        also = f" (also on: {'; '.join(others)})" if others else ""
        titles[f"on {problem}: {how}{also}"].append(title)
    lines = [f"{strategy!r} breaks the contract of GradientStrategy:"]
    lines += [f"- {'; '.join(same)}: {how}" for how, same in titles.items()]
    return "\n".join(lines)
