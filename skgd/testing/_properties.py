"""The properties that a gradient strategy is held to, each on one problem."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from copy import deepcopy
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import clone

from skgd._data.device import Device, to_numpy
from skgd._data.rows import Rows
from skgd._data.shifted import ShiftedMatrix
from skgd._typing import Array, NumpyParameters, Parameters
from skgd.strategies import GradientStrategy, ManualStrategy
from skgd.testing._problems import Evaluation, Problem

Arrays: TypeAlias = Sequence[np.ndarray]

# A learning rate at which the descents on all problems are stable.
_RATE = 0.01
# Relative to the largest value compared: 45,000 roundings, and 840.
_ROUNDING = {"float64": 1e-11, "float32": 1e-4}
# Ten times what finite differences may deviate by.
_DIFFERENCES = 1e-5


class BrokenError(Exception):
    """A property does not hold."""


def objective(trial: Trial) -> None:
    """Losses are the objective, gradients its finite differences."""
    expected = trial.problem.evaluation(trial.rows, trial.parameters)
    trial.compare(trial.evaluate(), expected, _DIFFERENCES)


def formula(trial: Trial) -> None:
    """Losses and gradients are those of the derived formula."""
    manual = Trial(ManualStrategy(), trial.problem, Device(None))
    manual.start(trial.parameters)
    trial.compare(trial.evaluate(), manual.evaluate())


def twice(trial: Trial) -> None:
    """Two evaluations give the same, and move nothing."""
    before, first = trial.parameters, trial.evaluate()
    trial.compare_arrays("parameters before and after", trial.parameters, before)
    trial.compare(trial.evaluate(), first)


def weights(trial: Trial) -> None:
    """Weight 2 equals the row twice, weight 0 the row left out."""
    if trial.rows.weight is not None:
        index = np.arange(len(trial.rows.y)).repeat(np.arange(len(trial.rows.y)) % 4)
        repeated = trial.rows.at(index)._replace(weight=None)
        trial.compare(trial.evaluate(), trial.evaluate(repeated))


def part(trial: Trial) -> None:
    """Losses of a part of the rows are the mean of weight * loss over them."""
    trial.evaluate()
    # As in mini-batches, the weights of a part need not average one.
    half = trial.rows.at(slice(len(trial.rows.y) // 2 + 1))
    expected = trial.problem.evaluation(half, trial.parameters)
    trial.compare(trial.evaluate(half), expected, _DIFFERENCES)


def sparse(trial: Trial) -> None:
    """Sparse rows give what dense ones do."""
    if "mps" in str(trial.device.torch_device):  # which has none
        return
    X = trial.rows.X
    offset = np.ones(X.shape[1], X.dtype)
    centered = ShiftedMatrix.of(csr_array(X + offset), offset)  # is not filled
    for matrix in (csr_array(X), centered):
        rows = trial.rows._replace(X=matrix)
        trial.compare(trial.evaluate(rows), trial.evaluate())


def data(trial: Trial) -> None:
    """All data are left as they were."""
    trial.step()
    trial.evaluate()
    for name, *pair in zip(Rows._fields, trial.rows, trial.problem.rows, strict=True):
        if not np.array_equal(*pair):
            raise BrokenError(f"{name} was changed")


def dtype(trial: Trial) -> None:
    """All answers have the dtype of the data."""
    losses, gradients = trial.step()
    found = {array.dtype for array in (losses, *gradients, *trial.parameters)}
    if found != {trial.rows.y.dtype}:
        raise BrokenError(f"losses, gradients and parameters have dtypes {found}")


def clones(trial: Trial) -> None:
    """Clones share nothing."""
    before = trial.parameters
    Trial(trial.strategy, trial.problem, trial.device).step()
    trial.compare_arrays("parameters after another's step", trial.parameters, before)


def state(trial: Trial) -> None:
    """Another goes on from its state."""
    trial.step()
    defines_it = type(trial.strategy).state is not GradientStrategy.state
    if not (trial.strategy.plain or defines_it):  # fit refuses it where it is asked
        return
    kept = trial.strategy.state()
    other = Trial(trial.strategy, trial.problem, trial.device)
    other.start(tuple(0 * parameter for parameter in trial.problem.parameters))
    other.strategy.resume(pickle.loads(pickle.dumps(kept)))
    for _ in range(2):
        what = "parameters of another that resumed"
        trial.compare_arrays(what, other.parameters, trial.parameters)
        trial.step()
        other.step()


def start(trial: Trial) -> None:
    """Parameters are those that start was given, each time."""
    expected = trial.problem.parameters
    trial.compare_arrays("parameters after start", trial.parameters, expected)
    trial.step()
    trial.start(expected)
    trial.compare_arrays("parameters after a restart", trial.parameters, expected)


def targets(trial: Trial) -> None:
    """Targets do not mix."""
    losses, gradients = trial.evaluate()
    for t in range(len(losses)):
        alone = Trial(trial.strategy, trial.problem.target(t), trial.device)
        together = losses[[t]], tuple(gradient[..., [t]] for gradient in gradients)
        trial.compare(alone.evaluate(), together)


def step(trial: Trial) -> None:
    """Plain steps are -learning_rate * gradient."""
    trial.evaluate()
    _compare_step(trial, _RATE)


def rates(trial: Trial) -> None:
    """Learning rates, one for each target, multiply its gradients."""
    losses, _ = trial.evaluate()
    learning_rates = _RATE * np.arange(1, 1 + len(losses), dtype=trial.rows.y.dtype)
    _compare_step(trial, trial.device.send(learning_rates))


def assigned_gradients(trial: Trial) -> None:
    """Update follows gradients that are assigned."""
    trial.evaluate()
    assigned = tuple(3 * gradient + 1 for gradient in trial.strategy.gradients)
    trial.strategy.gradients = assigned
    expected = [to_numpy(gradient) for gradient in assigned]
    trial.compare_arrays("gradients after assignment", trial.gradients, expected)
    _compare_step(trial, _RATE)


def writes(trial: Trial) -> None:
    """Parameters that are written into are where it evaluates next."""
    trial.evaluate()
    for parameter in trial.strategy.parameters:
        parameter += 1
    moved = tuple(parameter + 1 for parameter in trial.problem.parameters)
    expected = trial.problem.evaluation(trial.rows, moved)
    trial.compare(trial.evaluate(), expected, _DIFFERENCES)


def descent(trial: Trial) -> None:
    """In an estimator, it takes the same steps as strategy="manual"."""
    if callable(trial.problem.model.loss):  # which that one does not take
        return
    models, device = [], trial.device.torch_device or "cpu"
    for strategy in (trial.strategy, ManualStrategy()):
        model = clone(trial.problem.model).set_params(strategy=strategy, device=device)
        model.set_params(learning_rate=_RATE, max_iter=5, tol=None).fit(*trial.rows)
        models.append((model.coef_, np.atleast_1d(model.intercept_)))
    what, rtol = "parameters after 5 epochs", trial.problem.rtol
    trial.compare_arrays(what, models[0], models[1], rtol)


#: What every strategy is held to; the docstrings are what a report says.
PROPERTIES = (
    objective,
    formula,
    twice,
    weights,
    part,
    sparse,
    data,
    dtype,
    clones,
    state,
)

#: What a strategy is held to besides, if its steps are plain.
PLAIN_PROPERTIES = (start, targets, step, rates, assigned_gradients, writes, descent)


def _compare_step(trial: Trial, learning_rate: float | Array) -> None:
    """Take a step, and compare it with ``-learning_rate * gradient``."""
    gradients, rate = trial.gradients, to_numpy(learning_rate)
    expected = [p - rate * g for p, g in zip(trial.parameters, gradients, strict=True)]
    trial.strategy.update(learning_rate)
    trial.compare_arrays("gradients after update", trial.gradients, gradients)
    trial.compare_arrays("parameters after update", trial.parameters, expected)


class Trial:
    """A clone of a strategy, started on a problem; what it answers is read in NumPy."""

    def __init__(
        self, strategy: GradientStrategy, problem: Problem, device: Device
    ) -> None:
        self.strategy, self.device = clone(strategy), device
        self.problem, self.rows = problem, deepcopy(problem.rows)
        # A strategy that is not plain may have to start where it likes.
        self.start(tuple(0 * parameter for parameter in problem.parameters))
        if self.strategy.plain:
            self.start(problem.parameters)

    def start(self, parameters: NumpyParameters) -> None:
        """Start the strategy, on copies of the parameters."""
        objective = self.problem.objective.to_device(self.device, self.rows.y.dtype)
        on_device = tuple(self.device.send(p.copy()) for p in parameters)
        self.strategy.start(on_device, objective)

    def evaluate(self, rows: Rows | None = None) -> Evaluation:
        """Evaluate the strategy on all rows, or on others."""
        on_device = self.device.send_rows(self.rows if rows is None else rows)
        losses = self.strategy.evaluate(on_device)
        if losses is None:
            raise BrokenError("evaluate returned None, not the loss of each target")
        return _copies("losses", (losses,), (self.rows.y[0],))[0], self.gradients

    def step(self) -> Evaluation:
        """Evaluate all rows, and take a step."""
        evaluation = self.evaluate()
        self.strategy.update(_RATE)
        return evaluation

    @property
    def parameters(self) -> NumpyParameters:
        """Copies of the parameters."""
        return _copies("parameters", self.strategy.parameters, self.problem.parameters)

    @property
    def gradients(self) -> NumpyParameters:
        """Copies of the gradients."""
        return _copies("gradients", self.strategy.gradients, self.problem.parameters)

    def compare(
        self, actual: Evaluation, expected: Evaluation, rtol: float = 0.0
    ) -> None:
        """Compare the losses and, within `rtol` or the problem's, the gradients."""
        self.compare_arrays("losses", actual[:1], expected[:1])
        rtol = max(rtol, self.problem.rtol)
        self.compare_arrays("gradients", actual[1], expected[1], rtol)

    def compare_arrays(
        self, what: str, actual: Arrays, expected: Arrays, rtol: float = 0.0
    ) -> None:
        """Compare arrays, relative to the largest value expected in any of them.

        The terms of one may happen to cancel, and leave little but their rounding.
        """
        rtol = max(rtol, _ROUNDING[str(self.rows.y.dtype)])
        scale = max(1e-3, *(float(np.abs(array).max()) for array in expected))
        names = (
            (what,) if len(actual) == 1 else (f"{what} (coef)", f"{what} (intercept)")
        )
        for name, one, other in zip(names, actual, expected, strict=True):
            difference = float(np.abs(one - other).max()) / scale
            if difference <= rtol:
                continue
            factor = float((one * other).sum() / ((other**2).sum() or np.nan))
            multiplied = float(np.abs(one - factor * other).max()) / scale <= rtol
            if multiplied and abs(factor - 1) > 0.01:  # nearer, it is an approximation
                raise BrokenError(f"{name} are {factor:.4g} times what they should be")
            raise BrokenError(
                f"{name} are off by {difference:.2g}, as a fraction of the largest "
                f"value; {rtol:.0e} is allowed"
            )


def _copies(what: str, arrays: Parameters, like: NumpyParameters) -> NumpyParameters:
    """Copy arrays to NumPy, if they have the shapes that they are to have."""
    shapes, expected = ([tuple(np.shape(a)) for a in each] for each in (arrays, like))
    if shapes != expected:
        raise BrokenError(f"{what} have shapes {shapes}, not {expected}")
    return tuple(to_numpy(array).copy() for array in arrays)
