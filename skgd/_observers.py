"""Observers of a descent: the log that `verbose` prints, and scikit-learn's callbacks.

A fit is a task of scikit-learn's callbacks, and each epoch a subtask. Where no callback
is set there are no tasks, and nothing of this costs anything.
"""

from __future__ import annotations

import math
from copy import copy
from functools import partial
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext, ProgressBar

from skgd._data.user_input import shaped_as_targets
from skgd._descent.loop import Iterate, Observer
from skgd._settings import Settings
from skgd._typing import NumpyParameters

# A bar shows whole percents.
_MOST_TICKS = 100

# What draws need not be told of epochs that take microseconds one by one.
_SECONDS_BETWEEN_TICKS = 0.05


@runtime_checkable
class DescentCallback(Protocol):
    """A callback that sees the descent itself, beside what scikit-learn tells it."""

    def descent_observer(self, estimator: BaseEstimator, *, y_is_1d: bool) -> Observer:
        """Return what observes a descent of an estimator, which knows its features."""


class FitTask:
    """A fit, as scikit-learn's callbacks are told of it.

    Parameters
    ----------
    estimator : GDLinearRegressor
        Its callbacks are told. It is not changed.
    X, y, sample_weight
        What was passed to its `fit`.
    """

    def __init__(
        self, estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any
    ) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        n_epochs = estimator.max_iter
        self._context = context = estimator._init_callback_context(
            max_subtasks=n_epochs
        )
        callbacks = context._callbacks
        bars = [each for each in callbacks if isinstance(each, ProgressBar)]
        self._ticks = _Ticks(context, bars, n_epochs, self._told) if bars else None
        context._callbacks = [each for each in callbacks if each not in bars]

    def begin(self) -> None:
        """Tell that the fit begins."""
        if self._ticks is not None:
            self._ticks.context.call_on_fit_task_begin(**self._told)
        self._context.call_on_fit_task_begin(**self._told)

    def observers(self, fitted: BaseEstimator, settings: Settings) -> list[Observer]:
        """Return what observes the descent of a copy that is being fitted."""
        observers: list[Observer] = []
        of_epochs = []
        for callback in self._context._callbacks:
            if isinstance(callback, DescentCallback):
                observer = callback.descent_observer(fitted, y_is_1d=settings.y_is_1d)
                observers.append(observer)
            else:
                of_epochs.append(callback)
        if self._ticks is not None:
            observers.append(self._ticks)
        if of_epochs:
            tasks = _EpochTasks(self._context, of_epochs, self._told, fitted, settings)
            observers.append(tasks)
        return observers

    def end(self, fitted: BaseEstimator) -> None:
        """Tell that the fit ends, and what the estimator is about to become."""
        told = {**self._told, "reconstruction_attributes": partial(vars, fitted)}
        if self._ticks is not None:
            self._ticks.context.call_on_fit_task_end(**told)
        self._context.call_on_fit_task_end(**told)


def begin_fit_task(
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any
) -> FitTask | None:
    """Tell callbacks that a fit begins, and return it; None where there are none.

    The caller tells of its end, and has scikit-learn tear the callbacks down.
    """
    if not getattr(estimator, "_skl_callbacks", None):
        return None
    task = FitTask(estimator, X, y, sample_weight)
    task.begin()
    return task


class _EpochTasks(Observer):
    """Tells callbacks of each epoch, and of the model that it leads to."""

    def __init__(
        self,
        context: CallbackContext,
        callbacks: list[Any],
        told: dict[str, Any],
        fitted: BaseEstimator,
        settings: Settings,
    ) -> None:
        self._context, self._callbacks, self._told = context, callbacks, told
        self._fitted, self._settings = fitted, settings
        self._task = context

    def epoch_begins(self, iterate: Iterate) -> None:
        """Tell of a subtask, with the model as it is."""
        self._task = self._context.subcontext(task_name="epoch")
        self._task._callbacks = self._callbacks
        self._task.call_on_fit_task_begin(
            **self._told,
            reconstruction_attributes=partial(self._attributes, iterate),
        )

    def epoch_ends(self, iterate: Iterate) -> bool:
        """Tell that it ends, with the model as it is then, unless that diverged."""
        asked: bool = self._task.call_on_fit_task_end(
            **self._told,
            reconstruction_attributes=partial(self._attributes, iterate),
        )
        return asked

    def _attributes(self, iterate: Iterate) -> dict[str, Any] | None:
        """Return the fitted attributes of an estimator that would stop here."""
        dtype = self._settings.dtype
        model = iterate.model(dtype)
        # Scorers raise on what leaves its range; the descent is about to, and says why.
        in_range = all(np.isfinite(each).all() for each in model)
        if not in_range or iterate.diverges_beyond(dtype):
            return None
        coef, intercept = shaped_as_targets(
            model, self._settings.y_is_1d, self._settings.origin
        )
        return {
            **vars(self._fitted),  # with the features that it has seen
            "coef_": coef,
            "intercept_": intercept,
            "loss_curve_": iterate.loss_curve,
            "n_iter_": len(iterate.loss_curve),
        }


class _Ticks(Observer):
    """Tells progress bars how many percent of the epochs have been run.

    For each subtask that ends, scikit-learn's bar adds up all that ended before, which
    for epochs of microseconds takes longer than the descent.
    """

    def __init__(
        self,
        context: CallbackContext,
        bars: list[Any],
        n_epochs: int,
        told: dict[str, Any],
    ) -> None:
        self.context = copy(context)  # the same task, with subtasks of its own
        self.context._callbacks, self.context._children_map = bars, {}
        self.context.max_subtasks = min(n_epochs, _MOST_TICKS)
        self._n_epochs, self._told = n_epochs, told
        self._n_told, self._last = 0, perf_counter()

    def epoch_ends(self, iterate: Iterate) -> bool:
        """Tell of ticks, if there are any and the last ones are some time ago."""
        n_due = (iterate.epoch + 1) * self.context.max_subtasks // self._n_epochs
        if n_due == self._n_told:
            return False
        now = perf_counter()
        if now - self._last < _SECONDS_BETWEEN_TICKS:
            return False
        self._last = now
        asked = False
        while self._n_told < n_due:
            self._n_told += 1
            task = self.context.subcontext(task_name="epochs")
            task.call_on_fit_task_begin(**self._told)
            asked |= task.call_on_fit_task_end(**self._told)
        return asked


class TrainingLog(Observer):
    """Prints a line every so many epochs, and one at the end.

    A line holds the numbers before the epoch's (last) update: the loss, the norm of its
    gradient (of a full batch), the validation score (where rows are held out) and,
    where there is one feature, the coefficient and the intercept, all in the user's
    units. The last line adds those of the model where it is not where the steps led to,
    but an average of them, or the best on the way.

    Parameters
    ----------
    every : int
        Print every so many epochs.
    whole : bool
        Whether all rows are one batch.
    """

    def __init__(self, every: int, *, whole: bool) -> None:
        self.every = every
        self.whole = whole

    def epoch_evaluated(self, iterate: Iterate) -> None:
        """Print the line of an epoch, if it is due."""
        if iterate.epoch % self.every == 0:
            print(f"epoch {iterate.epoch}: {self._line(iterate)}")

    def descent_ends(self, iterate: Iterate, model: NumpyParameters) -> None:
        """Print where the descent ended."""
        line = self._line(iterate)
        if not line.endswith(_described(model)):
            line += f"; the model{_described(model)}"
        print(f"after {iterate.epoch} epochs: {line}")

    def _line(self, iterate: Iterate) -> str:
        """Return the numbers of an iterate."""
        line = f"loss = {_number(iterate.loss)}"
        if self.whole:
            norm = math.hypot(*(np.linalg.norm(g) for g in iterate.gradients))
            line += f", gradient norm = {_number(norm)}"
        if iterate.score is not None:
            line += f", validation score = {_number(iterate.score)}"
        return line + _described(iterate.parameters)


def _described(parameters: NumpyParameters) -> str:
    """Return a model of one feature in words; empty for others."""
    if len(parameters[0]) != 1:
        return ""
    text = f", coef = {_numbers(parameters[0][0])}"
    return text + "".join(f", intercept = {_numbers(b)}" for b in parameters[1:])


def _numbers(values: np.ndarray) -> str:
    """Format one number as itself, several (one a target) in brackets."""
    numbers = [_number(value) for value in values]
    return numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"


def _number(value: float) -> str:
    """Return five decimals, in powers of ten where the value is small or large."""
    fixed = value == 0 or 1e-3 <= abs(value) < 1e7
    return f"{value:.5f}" if fixed else f"{value:.5e}"
