"""The check of a gradient strategy against its contract, and its report."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgd._data.arrays import placement_of
from skgd._objective.losses import LOSS_NAMES, CustomLoss
from skgd._settings import losses_in_a_string
from skgd.strategies import GradientStrategy
from skgd.testing._problems import Problem, problems_for
from skgd.testing._properties import CHECKS, SPARSE_ROWS, Check
from skgd.testing._trial import BrokenError

# What `losses` may name.
_KINDS = (*LOSS_NAMES, CustomLoss.kind)


def check_gradient_strategy(
    strategy: GradientStrategy,
    *,
    device: Any = "cpu",
    fit_intercept: bool | None = None,
    rtol: float = 0.0,
) -> None:
    """Check that a gradient strategy keeps the contract of `GradientStrategy`.

    It is to a strategy what :func:`sklearn.utils.estimator_checks.check_estimator` is
    to an estimator. It runs the strategy on small problems: one and several targets,
    with and without intercept and weights, more rows than features and fewer, float64
    and float32, and with the losses and the penalty that the strategy declares (see
    `losses` and `penalizes` of `GradientStrategy`). It checks that

    - it starts where it is told, and starts afresh each time;
    - its losses are the objective, target by target;
    - its gradients are those of finite differences, and of the derived formula;
    - evaluating twice gives the same, and moves nothing;
    - weight 2 equals the row twice, weight 0 the row left out;
    - on a part of the rows it is the mean of weight * loss over that part;
    - sparse rows give what dense ones do (left out on "mps", which has none);
    - targets do not mix;
    - it writes into none of the data;
    - a plain step is ``-learning_rate * gradient``;
    - what is written into `coef` and `intercept` is where it evaluates next;
    - it keeps float32, and its clones share nothing;
    - in an estimator it walks the iterates of ``strategy="manual"``.

    If ``strategy.plain`` is False after `start`, what presumes plain gradient steps is
    left out, and the rest is checked where the strategy starts of itself.

    Parameters
    ----------
    strategy : GradientStrategy
        An instance. Only clones of it are used.
    device : str or torch.device, default="cpu"
        Where to run it, as for `GDLinearRegressor`.
    fit_intercept : bool or None, default=None
        True: only problems with an intercept. False: only problems without. For a
        strategy that is made for one of them. None: both.
    rtol : float, default=0.0
        Deviation to allow in gradients that are approximations, relative to the largest
        value compared. Rounding is always allowed for: 1e-11 in float64, 1e-4 in
        float32. For central differences with steps of 1e-3, 1e-3 will do; smaller steps
        drown in float32's rounding.

    Raises
    ------
    AssertionError
        If a property does not hold, or if `losses` names none, or one that there is
        not. The message says which properties fail, on what problem, and how.
    TypeError
        If `strategy` is not an instance of a subclass of `GradientStrategy`.
    ValueError
        If `device` is not on this machine, or `fit_intercept` is none of the three.

    Examples
    --------
    >>> from skgd.strategies import ManualStrategy
    >>> from skgd.testing import check_gradient_strategy
    >>> check_gradient_strategy(ManualStrategy())
    >>> class Forgetful(ManualStrategy):
    ...     def evaluate(self, X, y, weight):
    ...         return super().evaluate(X, y, None)
    >>> try:
    ...     check_gradient_strategy(Forgetful())
    ... except AssertionError as error:
    ...     print("losses are the objective" in str(error))
    True
    """
    if not isinstance(strategy, GradientStrategy):
        raise TypeError(
            "check_gradient_strategy takes an instance of a subclass of "
            f"GradientStrategy. Got {strategy!r} instead."
        )
    if isinstance(strategy.losses, str):
        raise AssertionError(losses_in_a_string(strategy))
    unknown = set(strategy.losses).difference(_KINDS)
    if unknown:
        raise AssertionError(
            f"{strategy!r} declares losses={strategy.losses!r}. Those that there are: "
            f"{_KINDS}."
        )
    if fit_intercept not in (None, True, False):
        raise ValueError(
            f"fit_intercept must be True, False or None. Got {fit_intercept!r} instead."
        )
    # A missing device is the caller's affair, not the strategy's.
    placement = placement_of(device, np.dtype("float32"), needs_tensors=True)
    on_mps = placement.device is not None and placement.device.type == "mps"
    problems = [
        problem._replace(rtol=rtol)
        for problem in problems_for(
            strategy, ["float32"] if on_mps else ["float64", "float32"]
        )
        if fit_intercept in (None, problem.intercept is not None)
    ]
    if not problems:
        raise AssertionError(
            f"{strategy!r} declares losses={strategy.losses!r}, so there is nothing to "
            f"check it on. Name those that it differentiates, of {_KINDS}."
        )
    causes: list[Exception] = []
    titles: dict[str, list[str]] = {}  # of the properties that fail in the same way
    checks = dict(CHECKS)
    if on_mps:
        del checks[SPARSE_ROWS]
    for title, check in checks.items():
        broken = _run_on_all(check, strategy, problems, device)
        if broken:
            titles.setdefault(_describe(broken), []).append(title)
            causes.append(broken[0][1])
    if causes:
        lines = [f"- {'; '.join(each)}: {how}" for how, each in titles.items()]
        raise AssertionError(
            f"{strategy!r} breaks the contract of GradientStrategy: {len(causes)} of "
            f"{len(checks)} properties do not hold.\n" + "\n".join(lines)
        ) from causes[0]


def _run_on_all(
    check: Check, strategy: GradientStrategy, problems: list[Problem], device: Any
) -> list[tuple[Problem, Exception]]:
    """Run a check on all problems; give those that it fails on, and how."""
    broken = []
    for problem in problems:
        try:
            check(strategy, problem, device)
        except Exception as error:  # whatever a foreign strategy raises is a result
            broken.append((problem, error))
    return broken


def _describe(broken: list[tuple[Problem, Exception]]) -> str:
    """Describe the first failure of a property in full, and name the other problems."""
    problem, error = broken[0]
    what = str(error) if isinstance(error, BrokenError) else f"raised {error!r}"
    others = ", ".join(
        dict.fromkeys(p.name for p, _ in broken if p.name != problem.name)
    )
    return f"on {problem}: {what}{f' (also on: {others})' if others else ''}"
