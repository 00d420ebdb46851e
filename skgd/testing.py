"""Checks for gradient strategies, ours and yours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone

from skgd._batches import ReadyRows
from skgd._losses import LOSS_NAMES, CustomLoss, loss_from
from skgd._objective import Objective
from skgd._penalties import penalty_of
from skgd._placement import placement_of, to_numpy
from skgd._regressor import GDLinearRegressor
from skgd._rows import Rows
from skgd._step_size import largest_stable_learning_rate
from skgd.strategies import GradientStrategy, ManualStrategy

__all__ = ["check_gradient_strategy"]

# Relative to the largest value compared: 45,000 roundings, and 840.
_ROUNDING = {"float64": 1e-11, "float32": 1e-4}
# Central differences, of steps _H, of a quadratic are exact but for rounding; this is
# that in float64, and more than the third derivative of the others' loss makes of _H^2.
_H, _DIFFERENCES_ROUNDING = 1e-4, 1e-7


def check_gradient_strategy(
    strategy: GradientStrategy,
    *,
    device: Any = "cpu",
    fit_intercept: bool | None = None,
    rtol: float = 0.0,
) -> None:
    """Check that a gradient strategy keeps the contract of `GradientStrategy`.

    It is to a strategy what :func:`sklearn.utils.estimator_checks.check_estimator` is
    to an estimator. On problems with one and several targets, with and without
    intercept and weights, tall and wide, in float64 and float32, with penalties and
    with every loss that the strategy declares (see `losses` and `penalizes` of
    `GradientStrategy`), it holds the strategy to these properties:

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

    Where ``strategy.plain`` is False, those that presume plain gradient steps are left
    out, and the others hold where the strategy starts of itself.

    Parameters
    ----------
    strategy : GradientStrategy
        An instance; only clones of it are used.
    device : str or torch.device, default="cpu"
        Where to run it, as for `GDLinearRegressor`.
    fit_intercept : bool or None, default=None
        True: only problems with an intercept, False: only problems without, for a
        strategy that is made for the one or the other. None: both.
    rtol : float, default=0.0
        Deviation to allow in gradients, relative to the largest value compared, where
        they are an approximation. Rounding is always allowed for: 1e-11 in float64,
        1e-4 in float32. For central differences with steps of 1e-3, 1e-3 will do;
        smaller steps drown in float32's rounding.

    Raises
    ------
    AssertionError
        When a property does not hold. The message has a line for each failure: which
        property, on what input, by how much.

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
    unknown = set(strategy.losses) - {*LOSS_NAMES, CustomLoss.kind}
    if unknown:
        raise AssertionError(
            f"{strategy!r} declares losses={strategy.losses!r}. Those that there are: "
            f"{(*LOSS_NAMES, CustomLoss.kind)}."
        )
    # A missing device is the caller's affair, not the strategy's.
    placement = placement_of(device, np.dtype("float32"), needs_tensors=True)
    on_mps = placement.device is not None and placement.device.type == "mps"
    problems = [
        problem._replace(rtol=rtol)
        for problem in _problems(
            strategy, ["float32"] if on_mps else ["float64", "float32"]
        )
        if fit_intercept in (None, problem.intercept is not None)
    ]
    causes: list[Exception] = []
    titles: dict[str, list[str]] = {}  # of the properties that fail in the same way
    checks = dict(_CHECKS)
    if on_mps:
        del checks[_SPARSE_ROWS]
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
    check: Check, strategy: GradientStrategy, problems: list[_Problem], device: Any
) -> list[tuple[_Problem, Exception]]:
    """Run a check on all problems; give those that it fails on, and how."""
    broken = []
    for problem in problems:
        try:
            check(strategy, problem, device)
        except Exception as error:  # whatever a foreign strategy raises is a result
            broken.append((problem, error))
    return broken


def _describe(broken: list[tuple[_Problem, Exception]]) -> str:
    """Describe the first failure of a property in full, and name the other problems."""
    problem, error = broken[0]
    what = str(error) if isinstance(error, _BrokenError) else f"raised {error!r}"
    others = ", ".join(
        dict.fromkeys(p.name for p, _ in broken if p.name != problem.name)
    )
    return f"on {problem}: {what}{f' (also on: {others})' if others else ''}"


Check = Callable[[GradientStrategy, "_Problem", Any], None]

_SPARSE_ROWS = "sparse rows give what dense ones do"

#: What a strategy is held to, and the check of it, in the order of this file.
_CHECKS: dict[str, Check] = {}


def _property(title: str) -> Callable[[Check], Check]:
    """Register a check under the property that it stands for."""

    def register(check: Check) -> Check:
        _CHECKS[title] = check
        return check

    return register


class _BrokenError(Exception):
    """A property does not hold."""


class _Problem(NamedTuple):
    """Rows to run a strategy on, what to descend on, and a place to start from."""

    name: str
    rows: Rows  # NumPy
    coef: np.ndarray
    intercept: np.ndarray | None
    loss: Any = "squared_error"  # as a parameter of the estimator
    epsilon: float = 0.1  # likewise
    alpha: float = 0.0
    l1_ratio: float = 0.0
    rtol: float = 0.0  # beyond rounding

    @property
    def objective(self) -> Objective:
        scale = np.ones((self.rows.n_features, 1))
        penalty = penalty_of(self.alpha, self.l1_ratio, False, scale)
        return Objective(loss_from(self.loss, self.epsilon), penalty)

    @property
    def rounding(self) -> float:
        return _ROUNDING[str(self.rows.X.dtype)]

    @property
    def tolerance(self) -> float:
        return max(self.rtol, self.rounding)

    def __str__(self) -> str:
        n_rows, n_features = self.rows.X.shape
        return (
            f"{self.name} (n_rows={n_rows}, n_features={n_features}, "
            f"n_targets={self.rows.y.shape[1]}, {self.rows.X.dtype}"
            f"{', no intercept' if self.intercept is None else ''})"
        )


def _problems(strategy: GradientStrategy, dtypes: Sequence[str]) -> Iterator[_Problem]:
    """Yield the problems that every check runs on."""
    losses, l1_ratio = strategy.losses, 0.4 if strategy.penalizes else 1.0
    for dtype, fit_intercept in product(dtypes, (True, False)):
        draw = partial(_problem, dtype=dtype, fit_intercept=fit_intercept)
        if "squared_error" in losses:
            yield draw("one feature", 5, 1, 1)
            yield draw("several features", 12, 4, 1)
            yield draw("weights", 12, 4, 1, weighted=True)
            yield draw("several targets", 12, 4, 3)
            yield draw("weights and targets", 12, 4, 3, weighted=True)
            yield draw("more features than rows", 3, 7, 1)
            yield draw("one row", 1, 2, 1)
            penalized = draw("a penalty", 12, 4, 3, weighted=True)
            yield penalized._replace(alpha=0.7, l1_ratio=l1_ratio)
        if "huber" in losses:
            robust = partial(draw, loss="huber")
            yield robust("Huber's loss", 12, 4, 1)
            yield robust("Huber's loss, weights, targets", 12, 4, 3, weighted=True)
            penalized = robust("Huber's loss and a penalty", 12, 4, 1)
            yield penalized._replace(alpha=0.7, l1_ratio=l1_ratio)
        if "custom" in losses:
            own = draw("a loss of one's own", 12, 4, 3, weighted=True, loss=_log_cosh)
            yield own._replace(alpha=0.7, l1_ratio=l1_ratio)


def _log_cosh(prediction: Any, y: Any) -> Any:
    """Give a smooth loss that skgd has no name for, on tensors."""
    return (prediction - y).cosh().log()


def _problem(
    name: str,
    n_rows: int,
    n_features: int,
    n_targets: int,
    *,
    dtype: str,
    fit_intercept: bool,
    weighted: bool = False,
    loss: Any = "squared_error",
) -> _Problem:
    """Draw a problem, always the same.

    Huber's epsilon is where the sizes of the residuals leave the widest gap, so that
    there are none at its kinks, and some on either side.
    """
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    weight = None
    if weighted:
        # Whole numbers, so that rows can be repeated; zero and two among them.
        weight = np.arange(n_rows).astype(dtype) % 4
        weight /= weight.mean()
    problem = _Problem(
        name,
        Rows(draw(n_rows, n_features) + 1, 3 * draw(n_rows, n_targets), weight),
        coef=draw(n_features, n_targets),
        intercept=draw(n_targets) if fit_intercept else None,
        loss=loss,
    )
    start = [p for p in (problem.coef, problem.intercept) if p is not None]
    sizes = np.sort(np.abs(_residual(problem, problem.rows, start)), axis=None)
    middle = sizes[len(sizes) // 4 : -(len(sizes) // 4) or None]
    if len(middle) < 2:
        return problem
    widest = np.diff(middle).argmax()
    return problem._replace(epsilon=float(middle[widest : widest + 2].mean()))


class _Trial:
    """A strategy started on a problem; what it answers is read in NumPy."""

    def __init__(
        self, strategy: GradientStrategy, problem: _Problem, device: Any
    ) -> None:
        self.strategy = clone(strategy)
        self.problem = problem
        self._placement = placement_of(
            device, problem.rows.X.dtype, needs_tensors=self.strategy.needs_tensors
        )
        # A strategy that is not plain may have to start where it likes.
        self.start(problem.coef * 0, _times_zero(problem.intercept))
        if self.strategy.plain:
            self.start(problem.coef, problem.intercept)

    def start(self, coef: np.ndarray, intercept: np.ndarray | None) -> None:
        put = self._placement.put
        intercept = None if intercept is None else intercept.copy()
        objective = self.problem.objective.placed(self._placement, coef.dtype)
        self.strategy.start(put(coef.copy()), put(intercept), objective)

    def evaluate(self, rows: Rows | None = None) -> np.ndarray:
        rows = self.problem.rows if rows is None else rows
        losses = self.strategy.evaluate(*self._placement.put_rows(rows))
        losses = to_numpy(losses)
        expected = (rows.y.shape[1],)
        if losses.shape != expected:
            raise _BrokenError(
                f"evaluate returned shape {losses.shape}, not {expected}"
            )
        return losses

    @property
    def parameters(self) -> list[np.ndarray]:
        return self._read((self.strategy.coef, self.strategy.intercept), "parameters")

    @property
    def gradients(self) -> list[np.ndarray]:
        return self._read(self.strategy.gradients, "gradients")

    def _read(self, arrays: tuple[Any, Any], what: str) -> list[np.ndarray]:
        """Copy a pair of arrays shaped as the coefficients and the intercept."""
        if (arrays[1] is None) != (self.problem.intercept is None):
            raise _BrokenError(
                f"{what}[1] must be None just where there is no intercept"
            )
        read = [to_numpy(array).copy() for array in arrays if array is not None]
        n_features, n_targets = self.problem.coef.shape
        shapes = [(n_features, n_targets), (n_targets,)][: len(read)]
        if [array.shape for array in read] != shapes:
            raise _BrokenError(
                f"{what} have shapes {[array.shape for array in read]}, not {shapes}"
            )
        return read


def _times_zero(intercept: np.ndarray | None) -> np.ndarray | None:
    return None if intercept is None else intercept * 0


def _residual(
    problem: _Problem, rows: Rows, parameters: list[np.ndarray]
) -> np.ndarray:
    """Prediction minus target, in float64."""
    prediction = rows.X.astype(float) @ parameters[0].astype(float)
    return sum(parameters[1:], start=prediction) - rows.y


def _objective(
    problem: _Problem, rows: Rows, parameters: list[np.ndarray]
) -> np.ndarray:
    """Objective of a strategy in float64, target by target."""
    objective = problem.objective
    residual = _residual(problem, rows, parameters)
    # All losses here are of the residual alone.
    value = objective.loss.value(residual, np.zeros_like(residual))
    weight = 1.0 if rows.weight is None else rows.weight.astype(float)[:, None]
    losses = (weight * value).mean(axis=0)
    if objective.l2 is not None:
        losses += (objective.l2 * parameters[0].astype(float) ** 2).sum(axis=0)
    return losses


def _compare(
    actual: np.ndarray,
    expected: np.ndarray,
    what: str,
    tolerance: float,
    scale: float = 1e-3,
) -> None:
    """Compare arrays, relative to the largest expected value, or to a larger scale."""
    scale = max(float(np.abs(expected).max()), scale)
    difference = float(np.abs(actual - expected).max()) / scale
    if difference <= tolerance:
        return
    factor = float((actual * expected).sum() / ((expected**2).sum() or np.nan))
    if float(np.abs(actual - factor * expected).max()) / scale <= tolerance:
        raise _BrokenError(f"{what} are {factor:.4g} times what they should be")
    raise _BrokenError(
        f"{what} are off by {difference:.2g}, as a fraction of the largest value; "
        f"{tolerance:.0e} is allowed"
    )


def _compare_all(
    actual: list[np.ndarray], expected: list[np.ndarray], what: str, tolerance: float
) -> None:
    """Compare what belongs to the coefficients, and what to the intercept.

    Relative to the largest of both: the terms of either may happen to cancel, and leave
    little but their rounding.
    """
    names = "coef", "intercept"
    scale = max(1e-3, *(float(np.abs(other).max()) for other in expected))
    for name, one, other in zip(names, actual, expected, strict=False):
        _compare(one, other, f"{what} ({name})", tolerance, scale)


@_property("starts where it is told, and starts afresh each time")
def _starts_where_told(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    expected = [a for a in (problem.coef, problem.intercept) if a is not None]
    _compare_all(trial.parameters, expected, "parameters after start", problem.rounding)
    trial.evaluate()
    trial.strategy.update(0.01)
    trial.start(problem.coef, problem.intercept)
    _compare_all(
        trial.parameters, expected, "parameters after a restart", problem.rounding
    )


@_property("losses are the objective")
def _losses(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    losses = trial.evaluate()
    expected = _objective(problem, problem.rows, trial.parameters)
    _compare(losses, expected, "losses", problem.rounding)


@_property("gradients are those of finite differences")
def _differences(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    trial.evaluate()
    if _near_a_kink(problem, problem.rows, trial.parameters):
        return
    expected = _finite_differences(problem, problem.rows, trial.parameters)
    tolerance = max(problem.tolerance, _DIFFERENCES_ROUNDING)
    _compare_all(trial.gradients, expected, "gradients", tolerance)


def _near_a_kink(problem: _Problem, rows: Rows, parameters: list[np.ndarray]) -> bool:
    """Whether central differences would cross from one side of Huber's to the other.

    Not so where the problem says that the descent starts, but a strategy that is not
    plain may start anywhere.
    """
    if problem.loss != "huber":
        return False
    distance = np.abs(np.abs(_residual(problem, rows, parameters)) - problem.epsilon)
    return bool(distance.min() < 2 * _H * (1 + np.abs(rows.X).max()))


def _finite_differences(
    problem: _Problem, rows: Rows, parameters: list[np.ndarray]
) -> list[np.ndarray]:
    """Central differences of the sum of the objectives: exact for a quadratic."""
    parameters = [p.astype(float) for p in parameters]
    gradients = [np.empty_like(p) for p in parameters]
    h = _H
    for p, gradient in zip(parameters, gradients, strict=True):
        for index in np.ndindex(p.shape):
            value = p[index]
            p[index] = value + h
            above = _objective(problem, rows, parameters).sum()
            p[index] = value - h
            below = _objective(problem, rows, parameters).sum()
            p[index] = value
            gradient[index] = (above - below) / (2 * h)
    return gradients


@_property("gradients are those of the derived formula")
def _derived_formula(strategy: Any, problem: _Problem, device: Any) -> None:
    if problem.objective.loss.kind not in ManualStrategy.losses:
        return
    trial = _Trial(strategy, problem, device)
    trial.evaluate()
    manual = _Trial(ManualStrategy(), problem, "cpu")
    coef, *intercept = trial.parameters
    manual.start(coef, intercept[0] if intercept else None)
    manual.evaluate()
    _compare_all(trial.gradients, manual.gradients, "gradients", problem.tolerance)


@_property("evaluating twice gives the same, and moves nothing")
def _evaluates_twice(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    before = trial.parameters
    losses, gradients = trial.evaluate(), trial.gradients
    _compare_all(
        trial.parameters, before, "parameters before and after", problem.rounding
    )
    _compare(trial.evaluate(), losses, "losses", problem.rounding)
    _compare_all(trial.gradients, gradients, "gradients", problem.rounding)


@_property("weight 2 equals the row twice, weight 0 the row left out")
def _weights(strategy: Any, problem: _Problem, device: Any) -> None:
    rows = problem.rows
    if rows.weight is None:
        return
    trial = _Trial(strategy, problem, device)
    losses, gradients = trial.evaluate(), trial.gradients
    times = np.arange(len(rows.y)) % 4
    repeated = Rows(rows.X.repeat(times, axis=0), rows.y.repeat(times, axis=0), None)
    _compare(trial.evaluate(repeated), losses, "losses", problem.rounding)
    _compare_all(trial.gradients, gradients, "gradients", problem.tolerance)


@_property("losses of a part of the rows are the mean of weight * loss over them")
def _parts(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    trial.evaluate()
    # As in mini-batches, the weights of a part need not average one.
    half = slice(len(problem.rows.y) // 2 + 1)
    X, y, weight = problem.rows
    part = Rows(X[half], y[half], None if weight is None else weight[half])
    expected = _objective(problem, part, trial.parameters)
    _compare(trial.evaluate(part), expected, "losses", problem.rounding)
    if _near_a_kink(problem, part, trial.parameters):
        return
    _compare_all(
        trial.gradients,
        _finite_differences(problem, part, trial.parameters),
        "gradients",
        max(problem.tolerance, _DIFFERENCES_ROUNDING),
    )


@_property(_SPARSE_ROWS)
def _sparse(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    losses, gradients = trial.evaluate(), trial.gradients
    rows = problem.rows._replace(X=csr_array(problem.rows.X))
    _compare(trial.evaluate(rows), losses, "losses", problem.rounding)
    _compare_all(trial.gradients, gradients, "gradients", problem.tolerance)


@_property("targets do not mix")
def _targets(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    losses = trial.evaluate()
    gradients = trial.gradients
    for t in range(len(losses)):
        one = problem._replace(
            rows=problem.rows._replace(y=problem.rows.y[:, [t]]),
            coef=problem.coef[:, [t]],
            intercept=None if problem.intercept is None else problem.intercept[[t]],
        )
        alone = _Trial(strategy, one, device)
        _compare(
            alone.evaluate(), losses[[t]], f"losses of target {t}", problem.rounding
        )
        _compare_all(
            alone.gradients,
            [g[..., [t]] for g in gradients],
            f"gradients of target {t}",
            problem.tolerance,
        )


@_property("writes into none of the data")
def _data_untouched(strategy: Any, problem: _Problem, device: Any) -> None:
    copies = [None if part is None else part.copy(order="K") for part in problem.rows]
    trial = _Trial(strategy, problem._replace(rows=Rows(*copies)), device)
    trial.evaluate()
    trial.strategy.update(0.01)
    trial.evaluate()
    for name, before, after in zip(Rows._fields, problem.rows, copies, strict=True):
        if before is not None and not (before == after).all():
            raise _BrokenError(f"{name} was changed")


@_property("a plain step is -learning_rate * gradient")
def _plain_step(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    trial.evaluate()
    pairs = zip(trial.parameters, trial.gradients, strict=True)
    expected = [p - 0.01 * gradient for p, gradient in pairs]
    gradients = trial.gradients
    trial.strategy.update(0.01)
    _compare_all(trial.gradients, gradients, "gradients after update", problem.rounding)
    _compare_all(
        trial.parameters,
        expected,
        "parameters after update",
        problem.tolerance,
    )


@_property("what is written into coef and intercept is where it evaluates next")
def _live_parameters(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    trial.evaluate()
    for array in (trial.strategy.coef, trial.strategy.intercept):
        if array is not None:
            array += 1
    expected = [a + 1 for a in (problem.coef, problem.intercept) if a is not None]
    _compare(
        trial.evaluate(),
        _objective(problem, problem.rows, expected),
        "losses after moving the parameters",
        problem.tolerance,
    )


@_property("keeps float32")
def _dtype(strategy: Any, problem: _Problem, device: Any) -> None:
    trial = _Trial(strategy, problem, device)
    losses = trial.evaluate()
    gradients = trial.gradients
    trial.strategy.update(0.01)
    found = {array.dtype for array in (losses, *gradients, *trial.parameters)}
    if found != {problem.rows.X.dtype}:
        raise _BrokenError(f"losses, gradients and parameters have dtypes {found}")


@_property("clones share nothing")
def _clones(strategy: Any, problem: _Problem, device: Any) -> None:
    one = _Trial(strategy, problem, device)
    before = one.parameters
    other = _Trial(one.strategy, problem, device)
    other.evaluate()
    other.strategy.update(0.01)
    _compare_all(
        one.parameters, before, "parameters after another's step", problem.rounding
    )


@_property('in an estimator, walks the iterates of strategy="manual"')
def _descent(strategy: Any, problem: _Problem, device: Any) -> None:
    objective = problem.objective
    known = objective.loss.kind in ManualStrategy.losses
    if not known or not _Trial(strategy, problem, device).strategy.plain:
        return
    rows = problem.rows
    fit_intercept = problem.intercept is not None
    stable = largest_stable_learning_rate(
        ReadyRows(rows), objective, fit_intercept=fit_intercept
    )
    manual, model = (
        GDLinearRegressor(
            each,
            device=where,
            loss=problem.loss,
            epsilon=problem.epsilon,
            alpha=problem.alpha,
            l1_ratio=problem.l1_ratio,
            fit_intercept=fit_intercept,
            learning_rate=stable / 2,
            max_iter=20,
            tol=None,
        ).fit(rows.X, rows.y, rows.weight)
        for each, where in (("manual", "cpu"), (strategy, device))
    )
    actual, expected = (
        [fitted.coef_, fitted.intercept_][: 1 + fit_intercept]
        for fitted in (model, manual)
    )
    _compare_all(actual, expected, "the model after 20 epochs", problem.tolerance)
