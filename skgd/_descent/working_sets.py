"""Many penalties at once, on the few columns that their solutions need."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from skgd._data.coordinates import user_coordinates
from skgd._data.device import Device
from skgd._data.moments import Moments
from skgd._data.rows import Rows, divided
from skgd._data.scatter import scatter_of
from skgd._data.shifted import ShiftedMatrix
from skgd._data.threads import in_one_thread
from skgd._descent.batches import FullBatch
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem
from skgd._descent.steps import Steps, constant
from skgd._descent.together import Run, descend_together
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd._typing import Matrix
from skgd.strategies import GradientStrategy

#: With so few columns, an epoch on all of them costs no more than on some; a working
#: set begins with as many.
FEW_COLUMNS = 100

# Up to so many elements, products are left to one thread: where other processes take
# the other core, the path of 500 x 5000 takes 29 s with two threads, and 2 s with one.
_ONE_THREAD = 2**19


class Solutions(NamedTuple):
    """Where descents ended, in the coordinates of the columns."""

    coef: np.ndarray  # (n_features, n_runs * n_targets)
    n_iters: np.ndarray  # (n_runs,)
    converged: np.ndarray  # (n_runs,)
    diverged: np.ndarray  # (n_runs,)


class StandardizedRows:
    """Rows that are centred, if that is asked for, and whose columns have the size one.

    Parameters
    ----------
    rows : Rows
        The rows, in NumPy. Those of sparse X may be shifted ones.
    device : Device
        Where descents take place.
    centered : bool
        Whether the columns have the mean zero.
    """

    def __init__(self, rows: Rows, device: Device, *, centered: bool) -> None:
        self.rows, self.device, self.centered = rows, device, centered
        self.n_features, self.n_targets = rows.n_features, rows.n_targets

    def evaluate(
        self, coef: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean squared errors and their gradient, of models on some columns.

        Parameters
        ----------
        coef : ndarray of shape (n_columns, n_models * n_targets)
            Coefficients of these columns; others are zero.
        columns : ndarray of int
            The columns.

        Returns
        -------
        losses : ndarray of shape (n_models * n_targets,)
            Mean squared errors.
        gradient : ndarray of shape (n_features, n_models * n_targets)
            With respect to the coefficients of all columns.
        """
        X, y, weight = self.rows
        residual = _some(X, columns) @ coef.astype(y.dtype, copy=False)
        residual -= self._repeated(y, coef)
        weighted = residual if weight is None else weight[:, None] * residual
        n_rows = len(y)
        losses = np.einsum("ij,ij->j", residual, weighted, dtype=np.float64) / n_rows
        return losses, (2 / n_rows) * (X.T @ weighted)

    def problem(
        self, columns: np.ndarray, penalty: Penalty, scale: np.ndarray, n_models: int
    ) -> Problem:
        """Return what to descend on with these columns, over a scale.

        The rows are condensed where they are many more than columns.
        """
        X, y, weight = self.rows
        rows = Rows(X if len(columns) == X.shape[1] else _some(X, columns), y, weight)
        if len(y) > 2 * (len(columns) + self.n_targets):
            rows = self._condensed(rows)
        if (scale != 1).any():
            rows = rows._replace(X=_over(rows.X, scale.astype(rows.X.dtype)))
        rows = rows._replace(y=np.tile(rows.y, n_models))
        return Problem(
            FullBatch(rows, self.device),
            Objective(penalty=penalty),
            user_coordinates(len(columns), rows.n_targets),
            self.device,
            fit_intercept=False,
        )

    def _condensed(self, rows: Rows) -> Rows:
        """Return as many rows as columns, with the same moments."""
        X = rows.X.matrix if isinstance(rows.X, ShiftedMatrix) else rows.X
        sums = scatter_of(rows._replace(X=X))._asdict()
        if self.centered:
            sums.update(mean=np.zeros_like(sums["mean"]), mean_rest=0.0)
        few = Rows(*Moments(n_features=rows.n_features, **sums).condense())
        return few if self.device.has_float64 else few.astype(rows.y.dtype)

    def _repeated(self, y: np.ndarray, coef: np.ndarray) -> np.ndarray:
        return np.tile(y, coef.shape[1] // self.n_targets)


def descend_on_working_sets(
    data: StandardizedRows,
    strategy: GradientStrategy,
    penalty: Penalty,
    start: np.ndarray,
    *,
    max_iter: int,
    tol: float,
) -> Solutions:
    """Descend on all penalties together, on a working set of columns that grows.

    It starts with the columns of `start` and those with the steepest slopes. After each
    descent, columns along which the objective still falls join it, at most as many as
    there are; when there are none left, the solutions are those on all columns
    (Johnson & Guestrin 2015, Blitz; Massias, Gramfort & Salmon 2018, Celer).

    Parameters
    ----------
    data : StandardizedRows
        The rows.
    strategy : GradientStrategy
        A strategy whose steps are plain.
    penalty : Penalty
        Of (n_features, n_runs * n_targets) weights; targets of a run are neighbours.
    start : ndarray of shape (n_features, n_runs * n_targets)
        Where to start from.
    max_iter : int
        Most epochs of a run, on all its working sets together.
    tol : float
        As of `StoppingRule`.
    """
    n_targets, coef = data.n_targets, start.copy()
    n_runs = start.shape[1] // n_targets
    n_iters, (converged, diverged) = np.zeros(n_runs, int), np.zeros((2, n_runs), bool)
    columns = _first_columns(data, penalty, coef)
    going_on = np.arange(n_runs)
    while len(going_on):
        targets = (going_on[:, None] * n_targets + np.arange(n_targets)).ravel()
        some = np.ix_(columns, targets)
        runs = [Run(max_iter - n, tol) for n in n_iters[going_on]]
        here = _on(penalty, columns, targets)
        results, coef[some] = _descend(data, strategy, columns, here, coef[some], runs)
        n_iters[going_on] += [result.n_epochs for result in results]
        met = [result.outcome is Outcome.CONVERGED for result in results]
        converged[going_on] = met
        diverged[going_on] = [has_diverged(result) for result in results]
        if diverged.any():
            break
        if len(columns) == data.n_features:
            break
        falls = _falls(data, penalty, coef, columns, targets, tol)
        falls_of_run = falls.reshape(data.n_features, -1, n_targets).max(axis=2)
        wants_more = (falls_of_run > 0).any(axis=0)
        converged[going_on] &= ~wants_more
        goes_on = wants_more & (n_iters[going_on] < max_iter)
        going_on = going_on[goes_on]
        if len(going_on):
            columns = _joined(columns, falls_of_run[:, goes_on].max(axis=1))
    return Solutions(coef, n_iters, converged, diverged)


def has_diverged(result: Result) -> bool:
    """Return whether the loss has risen, as it does not by steps of 1/L.

    Momentum may let it rise for a few epochs, but not above what it was at the start.
    Targets are looked at one by one: the falling loss of one hides the rise of another.
    """
    if result.outcome is Outcome.OVERFLOW:
        return True
    pairs = zip(result.losses, result.first_losses, strict=True)
    return any(last > 2 * first for last, first in pairs)


def _first_columns(
    data: StandardizedRows, penalty: Penalty, coef: np.ndarray
) -> np.ndarray:
    """Return the columns of nonzero coefficients, and as many that are steepest."""
    d, support = data.n_features, np.flatnonzero(coef.any(axis=1))
    size = max(2 * len(support), FEW_COLUMNS)
    if d <= size:
        return np.arange(d)
    everything = np.arange(coef.shape[1])
    falls = _falls(data, penalty, coef, support, everything, tol=0.0).max(axis=1)
    falls[support] = np.inf
    return np.sort(np.argpartition(falls, d - size)[d - size :])


def _joined(columns: np.ndarray, falls: np.ndarray) -> np.ndarray:
    """Return these columns and the steepest others.

    They are those along which it falls, and more if these are few: of columns that go
    together, one that joins makes others fall, and each time is a descent more.
    """
    n_others = len(falls) - len(columns)
    n_joining = np.clip(np.count_nonzero(falls > 0), FEW_COLUMNS // 2, len(columns))
    steepest = np.argsort(-falls, kind="stable")[: min(n_joining, n_others)]
    return np.union1d(columns, steepest)


def _falls(
    data: StandardizedRows,
    penalty: Penalty,
    coef: np.ndarray,
    columns: np.ndarray,
    targets: np.ndarray,
    tol: float,
) -> np.ndarray:
    """Return how much steeper the objective falls along columns than `tol` allows.

    Coefficients of all but `columns` are zero; along these it counts as flat.
    """
    here, wholly = coef[np.ix_(columns, targets)], _of_targets(penalty, targets)
    losses, gradient = data.evaluate(here, columns)
    norms = np.ones((1, 1))
    if wholly.l2 is not None:
        losses = losses + (wholly.l2[columns] * here**2).sum(axis=0)
        norms = np.sqrt(1 + wholly.l2)
    slopes = -gradient if penalty.positive else np.abs(gradient)
    if wholly.l1 is not None:
        slopes = slopes - wholly.l1
    falls = slopes / norms - 2 * tol * np.sqrt(losses)
    falls[columns] = -np.inf
    return falls


def _descend(
    data: StandardizedRows,
    strategy: GradientStrategy,
    columns: np.ndarray,
    penalty: Penalty,
    start: np.ndarray,
    runs: list[Run],
) -> tuple[list[Result], np.ndarray]:
    """Descend with these columns; return results, and coefficients side by side.

    Columns are scaled so that the penalty of squares adds no more to the curvature
    along one than along others.
    """
    scale = np.ones(len(columns))
    if penalty.l2 is not None:
        scale = np.sqrt(1 + penalty.l2.max(axis=1))
    l2, l1 = (
        weights if weights is None else weights / scale[:, None] ** power
        for weights, power in ((penalty.l2, 2), (penalty.l1, 1))
    )
    here = Penalty(l2, l1, penalty.positive)
    size, strategy = len(data.rows.y) * len(columns), clone(strategy)
    with in_one_thread(size) if size <= _ONE_THREAD else nullcontext():
        problem = data.problem(columns, here, scale, len(runs))
        strategy.start(
            problem.send_parameters((start * scale[:, None],)), problem.device_objective
        )
        results = descend_together(problem, strategy, steps_of(problem), runs)
    coef = np.concatenate([result.parameters[0] for result in results], axis=1)
    return results, coef / scale[:, None]


def steps_of(problem: Problem) -> Steps:
    """Return steps of 1/L for each target, with momentum."""
    rate = problem.largest_stable_learning_rate() / 2
    (rates,) = problem.send_parameters((np.full(problem.full_rows.n_targets, rate),))
    return Steps(rates, constant, problem.device_objective.penalty, momentum="adaptive")


def _of_targets(penalty: Penalty, targets: np.ndarray) -> Penalty:
    """Return the penalty of some targets, without a copy where these are all."""
    weights = penalty.l2 if penalty.l1 is None else penalty.l1
    if weights is None or len(targets) == weights.shape[1]:
        return penalty
    return penalty.of_targets(targets)


def _on(penalty: Penalty, columns: np.ndarray, targets: np.ndarray) -> Penalty:
    """Return the penalty on some columns, of some targets."""
    l2, l1 = (
        weights if weights is None else weights[np.ix_(columns, targets)]
        for weights in penalty[:2]
    )
    return Penalty(l2, l1, penalty.positive)


def _some(X: Matrix, columns: np.ndarray) -> Matrix:
    """Return some columns of an array, or of sparse rows."""
    if isinstance(X, ShiftedMatrix):
        return ShiftedMatrix(X.matrix[:, columns], X.left, X.right[:, columns])
    return X[:, columns]


def _over(X: Matrix, scale: np.ndarray) -> Matrix:
    """Return columns divided by a number each."""
    if isinstance(X, ShiftedMatrix):
        return ShiftedMatrix(divided(X.matrix, scale), X.left, X.right / scale)
    return divided(X, scale)
