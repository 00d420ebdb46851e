"""Callbacks for `set_callbacks` of an estimator, beside those of `sklearn.callback`.

A callback of your own has four methods, as in scikit-learn. It ends the descent after
an epoch by returning True:

>>> from skgd import GDLinearRegressor
>>> class StopAbove:
...     # Ends the descent when R^2 on the training rows is above a level.
...
...     def __init__(self, level):
...         self.level = level
...
...     def setup(self, estimator, context):
...         pass
...
...     def on_fit_task_begin(self, estimator, context):
...         pass
...
...     def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
...         if context.task_name != "epoch" or fitted_estimator is None:
...             return False  # there is no estimator where the descent diverges
...         return fitted_estimator.score(X, y) > self.level
...
...     def teardown(self, estimator, context):
...         pass
>>> X, y = [[1.0], [2.0], [3.0], [4.0]], [1.0, 3.0, 5.0, 6.0]
>>> model = GDLinearRegressor(learning_rate=0.01, max_iter=1000, tol=None)
>>> model.set_callbacks(StopAbove(0.9)).fit(X, y).n_iter_
14
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackContext
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils.validation import _check_feature_names_in

from skgd._descent.loop import Iterate, Observer
from skgd._regressor import GDLinearRegressor
from skgd._typing import NumpyParameters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DescentHistory"]

Quantity = Literal[
    "loss", "learning_rate", "gradient_norm", "coef", "intercept", "seconds"
]

QUANTITIES: tuple[Quantity, ...] = (
    "loss",
    "learning_rate",
    "gradient_norm",
    "coef",
    "intercept",
    "seconds",
)


class DescentHistory:
    """Callback that records a descent, epoch by epoch, in the data's units.

    Set it on a regressor by ``GDLinearRegressor().set_callbacks(history)``, also if the
    regressor is a step of a pipeline. It holds the descent of the last `fit` that
    began: after a search with `refit`, that of the best candidate. Fits in other
    processes are recorded there and are lost, and `partial_fit` is not recorded. A
    descent that diverged is kept, up to the epoch in which its loss overflowed.

    Row k is the start of epoch k; the last row is the end of the descent, and its epoch
    is `n_iter_`. An epoch that finds `tol` met takes no step, so that the last row
    equals the row before. With `average` or `early_stopping`, the last row is the last
    iterate, while `coef_` is the average, or the best model on the rows held out.

    The full batch records the loss and the gradient at the start of each epoch. With
    momentum, which "auto" uses where it does not whiten, rows are the extrapolated
    parameters. Mini-batches record the loss of epoch k, ``loss_curve_[k]``, which is
    the mean over its batches, each before its update, and the gradient of the last
    batch; in the last row neither is known. A descent on standardized columns starts
    with the mean of y as prediction.

    Parameters
    ----------
    every : int, default=1
        Number of epochs from one record to the next. The start and the end are always
        recorded.
    record : sequence of str, default=("loss", "learning_rate", "gradient_norm", \
            "coef", "intercept", "seconds")
        What to record:

        - "loss": the whole objective, summed over targets.
        - "learning_rate": the rate of the step from there (the last step of the epoch),
          nan if there is none. It is in the coordinates of the descent, which are those
          of the data if neither `standardize` nor `whiten` is on.
        - "gradient_norm": the Euclidean norm of the gradient with respect to the
          coefficients and the intercepts of all targets. With L1 or `positive`, it is
          the norm of the gradient mapping: the proximal step over the learning rate, in
          the data's units.
        - "coef" and "intercept": the coefficients and the intercepts.
        - "seconds": the seconds since the descent began.
    max_records : int, default=10_000
        Largest number of rows to keep, at least 3. When it is reached, every second row
        is dropped, and from then on only every second row is recorded. For d features
        and t targets, a row takes some 8 (d + 1) t + 200 bytes.

    Attributes
    ----------
    records_ : dict of str to ndarray
        Recorded values by name, with the rows along the first axis, and "epoch". "coef"
        has the shape (n_records, n_features), and "intercept" (n_records,); for a y of
        two dimensions (n_records, n_targets, n_features) and (n_records, n_targets).
        Defined once a descent has begun.
    estimator_ : GDLinearRegressor
        An unfitted copy of the estimator whose descent it is. Defined once a descent
        has begun.
    feature_names_ : list of str
        Names of the features; "x0", "x1", ... if they have none. Defined once a descent
        has begun.

    See Also
    --------
    sklearn.callback.ScoringMonitor : Scores after each epoch.
    skgd.LossCurveDisplay, skgd.DescentPathDisplay : Pictures of a history.

    Examples
    --------
    >>> from skgd import GDLinearRegressor
    >>> from skgd.callback import DescentHistory
    >>> history = DescentHistory(record=["loss", "coef"])
    >>> model = GDLinearRegressor(
    ...     learning_rate=0.05, fit_intercept=False, max_iter=4, tol=None
    ... ).set_callbacks(history)
    >>> _ = model.fit([[1.0], [2.0], [3.0], [4.0]], [2.0, 4.0, 6.0, 8.0])
    >>> print(history.to_frame().reset_index().to_string(index=False))
     epoch      loss  coef_x0
         0 30.000000 0.000000
         1  1.875000 1.500000
         2  0.117188 1.875000
         3  0.007324 1.968750
         4  0.000458 1.992188
    """

    def __init__(
        self,
        every: int = 1,
        *,
        record: Iterable[Quantity] = QUANTITIES,
        max_records: int = 10_000,
    ) -> None:
        constraints = {
            "every": [Interval(Integral, 1, None, closed="left")],
            "max_records": [Interval(Integral, 3, None, closed="left")],
        }
        values = {"every": every, "max_records": max_records}
        validate_parameter_constraints(constraints, values, type(self).__name__)
        names = [record] if isinstance(record, str) else list(record)
        unknown = [name for name in names if name not in QUANTITIES]
        if unknown or not names:
            raise ValueError(
                "The 'record' parameter must hold names, one at least, of "
                f"{', '.join(map(repr, QUANTITIES))}. Got "
                f"{', '.join(map(repr, unknown)) or 'none'}."
            )
        self.every = every
        self.record = tuple(dict.fromkeys(names))
        self.max_records = max_records
        self._descent: _Recorder | None = None

    @property
    def records_(self) -> dict[str, np.ndarray]:
        """Recorded values by name."""
        return self._last_descent.records()

    @property
    def estimator_(self) -> GDLinearRegressor:
        """Unfitted copy of the estimator whose descent it is."""
        return self._last_descent.estimator

    @property
    def feature_names_(self) -> list[str]:
        """Names of the features."""
        return self._last_descent.feature_names

    def to_frame(self) -> pd.DataFrame:
        """Return the records as a table.

        Returns
        -------
        table : pandas.DataFrame
            A table with one row for each record, and the epoch as index. There is a
            column for each coefficient, named "coef_" and its feature; if y has two
            dimensions, there is one for each target as well, with "_y0", "_y1", ...
            appended.

        Raises
        ------
        NotFittedError
            If no descent was recorded.
        ImportError
            If pandas is not installed.

        Examples
        --------
        >>> import pandas as pd
        >>> from skgd import GDLinearRegressor
        >>> from skgd.callback import DescentHistory
        >>> history = DescentHistory(every=10, record=["loss", "coef", "intercept"])
        >>> model = GDLinearRegressor(learning_rate=0.1, max_iter=20, tol=None)
        >>> X, y = pd.DataFrame({"hours": [1.0, 2.0, 3.0]}), [3.0, 5.0, 7.0]
        >>> _ = model.set_callbacks(history).fit(X, y)
        >>> print(history.to_frame().reset_index().round(2).to_string(index=False))
         epoch  loss  coef_hours  intercept
             0 27.67        0.00       0.00
            10  0.00        2.03       0.92
            20  0.00        2.03       0.94
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "DescentHistory.to_frame needs pandas: pip install pandas. records_ "
                "has the same in NumPy."
            ) from error
        records = self.records_
        index = pd.Index(records.pop("epoch"), name="epoch")
        columns: dict[str, np.ndarray] = {}
        for name, values in records.items():
            columns.update(self._last_descent.columns(name, values))
        return pd.DataFrame(columns, index=index)

    def __repr__(self) -> str:
        """Tell how much is recorded."""
        if self._descent is None:
            return "<DescentHistory of no descent yet>"
        epochs = self._descent.epochs
        return (
            f"<DescentHistory of {len(epochs)} records, up to epoch "
            f"{epochs[-1] if epochs else 0}>"
        )

    @property
    def _last_descent(self) -> _Recorder:
        if self._descent is None or not self._descent.epochs:
            raise NotFittedError(
                "This DescentHistory holds no descent. Set it on a regressor before "
                "that is fitted: GDLinearRegressor().set_callbacks(history).fit(X, y). "
                "Fits in other processes, as those of a search with n_jobs, are "
                "recorded there, and partial_fit is not."
            )
        return self._descent

    def descent_observer(self, estimator: BaseEstimator, *, y_is_1d: bool) -> Observer:
        """Return the recorder of a descent, which the history holds from now on.

        `fit` calls it when the descent begins.

        Parameters
        ----------
        estimator : GDLinearRegressor
            The estimator that is fitted.
        y_is_1d : bool
            Whether y has one dimension, and so the records.

        Returns
        -------
        recorder : Observer
            The object that the loop calls in each epoch.
        """
        # A search may fit in several threads: each descent has a recorder of its own.
        self._descent = recorder = _Recorder(self, estimator, y_is_1d=y_is_1d)
        return recorder

    def setup(self, estimator: BaseEstimator, context: CallbackContext) -> None:
        """Raise unless the estimator is one whose descent can be recorded.

        Parameters
        ----------
        estimator : BaseEstimator
            The estimator that the callback is set on.
        context : CallbackContext
            Not used.

        Raises
        ------
        TypeError
            If the estimator is not a GDLinearRegressor.
        """
        if not isinstance(estimator, GDLinearRegressor):
            raise TypeError(
                "A DescentHistory records the descent of a GDLinearRegressor, and was "
                f"set on {type(estimator).__name__}. Set it on the regressor, before "
                "that becomes a step of a pipeline or the estimator of a search: "
                "GDLinearRegressor().set_callbacks(history)."
            )

    def on_fit_task_begin(
        self, estimator: BaseEstimator, context: CallbackContext
    ) -> None:
        """Do nothing: the loop tells the recorder of `descent_observer` instead.

        Parameters
        ----------
        estimator : BaseEstimator
            Not used.
        context : CallbackContext
            Not used.
        """

    def on_fit_task_end(
        self, estimator: BaseEstimator, context: CallbackContext
    ) -> None:
        """Do nothing: the loop tells the recorder of `descent_observer` instead.

        Parameters
        ----------
        estimator : BaseEstimator
            Not used.
        context : CallbackContext
            Not used.
        """

    def teardown(self, estimator: BaseEstimator, context: CallbackContext) -> None:
        """Do nothing: the records stay.

        Parameters
        ----------
        estimator : BaseEstimator
            Not used.
        context : CallbackContext
            Not used.
        """


class _Recorder(Observer):
    """Records one descent."""

    def __init__(
        self, history: DescentHistory, estimator: BaseEstimator, *, y_is_1d: bool
    ) -> None:
        self.estimator = clone(estimator).set_callbacks()
        self.feature_names: list[str] = _check_feature_names_in(estimator).tolist()
        self.epochs: list[int] = []
        self._y_is_1d = y_is_1d
        self._every, self._most = history.every, history.max_records
        self._values: dict[str, list[Any]] = {name: [] for name in history.record}
        self._row: dict[str, Any] = {}
        self._begin, self._n_steps = 0.0, 0

    def epoch_begins(self, iterate: Iterate) -> None:
        """Note where mini-batches begin, which their updates soon leave."""
        self._begin = self._begin or perf_counter()
        self._row, self._n_steps = {}, iterate.n_steps
        if iterate.epoch % self._every == 0 and not iterate.whole:
            self._note_place(iterate)

    def epoch_evaluated(self, iterate: Iterate) -> None:
        """Note the loss and the gradient, and where these are."""
        if iterate.epoch % self._every:
            return
        if iterate.whole:
            self._note_place(iterate)
        self._note_slope(iterate)

    def epoch_ends(self, iterate: Iterate) -> bool:
        """Record the row, now that the step from there is known."""
        if self._row:
            took_a_step = iterate.n_steps > self._n_steps
            rate = iterate.learning_rate if took_a_step else np.array([np.nan])
            self._append(iterate.epoch, rate)
        return False

    def descent_ends(self, iterate: Iterate, model: NumpyParameters) -> None:
        """Record where the last step led."""
        self._row = {}
        self._note_place(iterate)
        if iterate.whole:
            self._note_slope(iterate)
        self._append(iterate.epoch, np.array([np.nan]), is_last=True)

    def records(self) -> dict[str, np.ndarray]:
        """Return what was recorded."""
        n = len(self.epochs)
        records = {"epoch": np.array(self.epochs[:n], dtype=np.int64)}
        for name, values in self._values.items():
            rows = np.broadcast_arrays(*values[:n]) if n else []
            records[name] = np.array(rows, dtype=np.float64)
            one_for_all = name == "learning_rate" and records[name].shape[1:] == (1,)
            if one_for_all or (self._y_is_1d and records[name].ndim > 1):
                records[name] = records[name][:, 0]
        return records

    def columns(self, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
        """Return the columns of a table, by their names."""
        features = [f"_{each}" for each in self.feature_names]
        targets = [""]
        if values.ndim > 1 and not (name == "coef" and self._y_is_1d):
            targets = [f"_y{k}" for k in range(values.shape[1])]
        suffixes = [
            feature + target
            for target in targets
            for feature in (features if name == "coef" else [""])
        ]
        flat = values.reshape(len(values), len(suffixes))
        return {name + suffix: flat[:, i] for i, suffix in enumerate(suffixes)}

    def _note_place(self, iterate: Iterate) -> None:
        """Note the coefficients, the intercept, and the time."""
        self._row["seconds"] = perf_counter() - self._begin
        if "coef" in self._values:
            self._row["coef"] = iterate.coef.T.copy()
        if "intercept" in self._values:
            self._row["intercept"] = iterate.intercept.copy()

    def _note_slope(self, iterate: Iterate) -> None:
        """Note the loss and the norm of its gradient."""
        self._row["loss"] = iterate.loss
        if "gradient_norm" in self._values:
            norms = [np.linalg.norm(each) for each in iterate.gradients]
            self._row["gradient_norm"] = math.hypot(*norms)

    def _append(
        self, epoch: int, learning_rate: np.ndarray, *, is_last: bool = False
    ) -> None:
        """Record the row; where there are too many, only every second one stays."""
        if len(self.epochs) == self._most:
            self._every *= 2
            for values in self._values.values():
                del values[1::2]
            del self.epochs[1::2]
            if epoch % self._every and not is_last:
                return
        self._row["learning_rate"] = learning_rate
        for name, values in self._values.items():
            values.append(self._row.get(name, np.nan))
        self.epochs.append(epoch)
