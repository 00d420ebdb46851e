"""What a descent is on: rows, an objective, coordinates, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skgd._data.coordinates import (
    Coordinates,
    CoordinatesSideBySide,
    RowCoordinates,
    of_each_target,
)
from skgd._data.device import Device, in_numpy
from skgd._data.moments import ColumnMoments, Moments
from skgd._data.row_sources import RowsHere, RowSource
from skgd._data.rows import Rows, column_sums, predicted
from skgd._data.threads import in_one_torch_thread
from skgd._descent.batches import Batches, FullBatch, SmallBatches
from skgd._descent.stable_rate import Smoothness, largest_stable_learning_rate
from skgd._objective.losses import CustomLoss
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd._typing import Array, NumpyParameters, Parameters, PerTarget

# A product of so many elements of X takes some ten microseconds.
_FEW_ELEMENTS = 2**16


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows and an objective, both in the coordinates of the descent."""

    batches: Batches
    objective: Objective  # in NumPy
    coordinates: Coordinates
    device: Device
    fit_intercept: bool
    held_out: RowsHere | None = None
    validation: bool = False  # whether these are rows that the user passed
    scored_rows: Rows | None = None  # held out for a scorer, in the user's units
    moments: Moments | None = None  # of all rows, in the user's units, where known
    known_targets: ColumnMoments | None = None  # of y, in these coordinates, likewise

    @property
    def is_white(self) -> bool:
        """Return whether the rows of the descent are white, all together."""
        return self.batches.whole and self.coordinates.is_white

    @property
    def rows(self) -> RowSource:
        """Return the rows, in NumPy."""
        return self.batches.rows

    @property
    def full_rows(self) -> Rows:
        """Return the rows of a full batch, in NumPy."""
        assert isinstance(self.batches, FullBatch)
        return self.batches.rows.all

    @property
    def batch_size(self) -> int | None:
        """Return the number of rows a batch; None: all of them."""
        batches = self.batches
        return batches.batch_size if isinstance(batches, SmallBatches) else None

    def in_as_many_threads_as_pay(self) -> AbstractContextManager[object]:
        """Keep torch to one thread where an operation takes microseconds."""
        device = self.device.torch_device
        if device is None or device.type != "cpu":
            return nullcontext()
        n_rows = self.batch_size or len(self.rows)
        few = n_rows * self.rows.n_features <= _FEW_ELEMENTS
        return in_one_torch_thread() if few else nullcontext()

    @cached_property
    def target_moments(self) -> ColumnMoments:
        """Return means and spreads of the targets."""
        if self.known_targets is not None:
            return self.known_targets
        return self.rows.target_moments()

    @cached_property
    def device_objective(self) -> Objective:
        """Return the objective where the descent takes place."""
        return self.objective.to_device(self.device, self.batches.dtype)

    def send_parameters(self, parameters: NumpyParameters) -> Parameters:
        """Return parameters in the dtype of the descent, where it takes place."""
        return tuple(
            self.device.send(parameter.astype(self.batches.dtype))
            for parameter in parameters
        )

    def send_rate(self, learning_rate: PerTarget) -> float | Array:
        """Return a learning rate, or those of the targets, likewise."""
        if isinstance(learning_rate, np.ndarray):
            return self.device.send(learning_rate.astype(self.batches.dtype))
        return float(learning_rate)

    def zeros(self) -> Parameters:
        """Return the parameters of zeros, where the descent takes place."""
        n_targets = len(self.coordinates.y_offset)
        zeros = np.zeros((self.rows.n_features, n_targets)), np.zeros(n_targets)
        return self.send_parameters(zeros[: 1 + self.fit_intercept])

    def in_user_units(
        self, parameters: Parameters, dtype: np.dtype | None = None
    ) -> NumpyParameters:
        """Return parameters of the descent in NumPy, in the user's units."""
        parameters = in_numpy(parameters)
        return self.coordinates.to_user(parameters, dtype or parameters[0].dtype)

    def largest_stable_learning_rate(
        self, momentum: float = 0.0, so_far: Smoothness | None = None
    ) -> PerTarget:
        """Return the rate below which the descent converges.

        Where targets are penalised by different weights, that of each.
        """
        if so_far is None and self.batches.whole:
            extended = (1 + momentum) / (1 + 2 * momentum)
            return self._largest_stable_without_momentum * extended
        return self._largest_stable(momentum, so_far)

    @cached_property
    def _largest_stable_without_momentum(self) -> PerTarget:
        curvature, l2 = self.objective.loss.curvature, self.objective.penalty.l2
        one_for_all = l2 is None or l2.shape[1] == 1
        if self.is_white and one_for_all and curvature is not None:
            return 2 / curvature
        return self._largest_stable(0.0, None)

    def _largest_stable(self, momentum: float, so_far: Smoothness | None) -> PerTarget:
        return largest_stable_learning_rate(
            self.rows,
            self.objective,
            fit_intercept=self.fit_intercept,
            batch_size=self.batch_size,
            momentum=momentum,
            so_far=so_far,
            n_samples=self.batches.n_samples,
        )

    def of_targets(self, targets: np.ndarray) -> Problem:
        """Return the problem of some of the targets of condensed rows."""
        rows, n_samples = self.full_rows, self.batches.n_samples
        rows = rows._replace(y=rows.y[:, targets])
        penalty = self.objective.penalty.of_targets(targets)
        total, mean, spread = self.target_moments
        return replace(
            self,
            batches=FullBatch(rows, self.device, n_samples),
            objective=replace(self.objective, penalty=penalty),
            known_targets=ColumnMoments(total, mean[targets], spread[targets]),
        )

    def losses_at(self, parameters: NumpyParameters) -> np.ndarray:
        """Return the whole objective of a model, of each target."""

        def total(rows: Rows) -> tuple[np.ndarray, ...]:
            value = self.objective.loss.value(predicted(rows.X, parameters), rows.y)
            weight = 1.0 if rows.weight is None else rows.weight[:, None]
            return (column_sums(value * weight),)

        with np.errstate(over="ignore", invalid="ignore"):
            (losses,) = self.rows.sum(total)
            return losses / len(self.rows) + self.objective.penalty.value(parameters[0])

    def losses_of_zero_coef(self) -> np.ndarray:
        """Return the objective of each target where all parameters are zero.

        On standardized data with an intercept, that predicts the mean of y.
        """

        def total(rows: Rows) -> tuple[np.ndarray]:
            value = self.objective.loss.value(0 * rows.y, rows.y)
            weight = 1.0 if rows.weight is None else rows.weight[:, None]
            return (column_sums(value * weight),)

        (losses,) = self.rows.sum(total)
        return losses / len(self.rows)

    def describe_bad_loss(self, parameters: NumpyParameters) -> str:
        """Return where a loss of the user's own made no number of a finite prediction.

        The text begins with a space; it is empty where there is nothing to say.
        """
        if not isinstance(self.objective.loss, CustomLoss):
            return ""
        loss = self.objective.loss

        def found_in(rows: Rows) -> str:
            return loss.bad_value(predicted(rows.X, parameters), rows.y)

        with np.errstate(over="ignore", invalid="ignore"):
            found = next(filter(None, self.rows.each(found_in)), "")
        return f" {found}." if found else ""


def side_by_side(problems: Sequence[Problem]) -> Problem:
    """Return the problem of the targets of several, on which one descent is as many.

    Targets do not mix, so that each takes the steps that it takes alone; only together
    do they stop.

    Parameters
    ----------
    problems : sequence of Problem
        Full batches of the same loss and X, on one device and in one dtype, with or
        without an intercept and a bound at zero. Targets, weights of the penalties, and
        coordinates may differ. What a problem knows of rows held out, or of all rows in
        the user's units, is left out.
    """
    first = problems[0]
    if len(problems) == 1:
        return first
    (X, _, weight), *_ = rows = [problem.full_rows for problem in problems]
    y = np.hstack([each.y for each in rows])
    targets = [problem.target_moments for problem in problems]
    return Problem(
        FullBatch(Rows(X, y, weight), first.device, first.batches.n_samples),
        replace(first.objective, penalty=_penalties_side_by_side(problems)),
        _coordinates_side_by_side([problem.coordinates for problem in problems]),
        first.device,
        first.fit_intercept,
        known_targets=ColumnMoments(
            targets[0].weight,
            np.concatenate([each.mean for each in targets]),
            np.concatenate([each.spread for each in targets]),
        ),
    )


def _penalties_side_by_side(problems: Sequence[Problem]) -> Penalty:
    """Return the penalty with a column for each target."""
    n_targets = [len(problem.coordinates.y_offset) for problem in problems]
    penalties = [problem.objective.penalty for problem in problems]
    l2 = [each.l2 for each in penalties if each.l2 is not None]
    l1 = [each.l1 for each in penalties if each.l1 is not None]
    return Penalty(
        l2=of_each_target(l2, n_targets) if l2 else None,
        l1=of_each_target(l1, n_targets) if l1 else None,
        positive=penalties[0].positive,
    )


def _coordinates_side_by_side(parts: Sequence[Coordinates]) -> Coordinates:
    """Return the coordinates; where all are the same, one product serves all."""
    first = parts[0]
    if isinstance(first, RowCoordinates) and all(part is first for part in parts):
        return first.repeated(len(parts))
    return CoordinatesSideBySide(parts)
