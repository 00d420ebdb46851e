"""Batches of rows that lie in partitions of Dask's: the model goes to the rows.

For the full batch, each partition is evaluated where it lies, and the gradients are
summed up. For mini-batches the model goes from partition to partition, and takes a step
after each batch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.random import RandomState
from sklearn.base import clone

from skgd._data.coordinates import user_coordinates
from skgd._data.device import Device, in_numpy
from skgd._data.partitions import prepared_rows
from skgd._data.row_sources import RowsInPartitions, RowsOnDemand
from skgd._data.rows import Rows, total_of
from skgd._data.threads import in_one_torch_thread
from skgd._descent.batches import (
    MiniBatches,
    Passed,
    SmallBatches,
    Term,
    WholeBatch,
)
from skgd._descent.steps import Steps
from skgd._interrupt import NO_INTERRUPTION, Interruption
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd._typing import Array, NumpyParameters, Parameters
from skgd.strategies import GradientStrategy


@dataclass(frozen=True)
class Evaluation:
    """How rows are evaluated by a strategy, wherever they lie."""

    strategy: GradientStrategy  # not started; cloned by each task
    objective: Objective  # in NumPy
    device: Device
    dtype: np.dtype
    shapes: tuple[tuple[int, ...], ...]  # of the parameters
    n_rows: int  # in all

    def resumed(self, state: Any) -> GradientStrategy:
        """Return a strategy that goes on from the state of another."""
        strategy = clone(self.strategy)
        objective = self.objective.to_device(self.device, self.dtype)
        strategy.start(self.sent(map(np.zeros, self.shapes)), objective)
        strategy.resume(state)
        return strategy

    def sent(self, parameters: Any) -> Parameters:
        """Return copies of NumPy arrays where the descent takes place."""
        send = self.device.send
        return tuple(send(np.array(each, self.dtype)) for each in parameters)

    def of_rows(self, state: Any, rows: Rows) -> NumpyParameters:
        """Return the share of some rows in the losses and the gradients of all."""
        with self.device.gradients_on(), _one_thread(self.device):
            strategy = self.resumed(state)
            losses = strategy.evaluate(self.device.send_rows(rows))
            share = len(rows.y) / self.n_rows
            terms = in_numpy((losses, *strategy.gradients))
        return tuple(share * term for term in terms)


class PartitionedBatch(WholeBatch):
    """All rows of all partitions, as one batch.

    Parameters
    ----------
    rows : RowsInPartitions
        The rows, in the coordinates and the dtype of the descent.
    evaluation : Evaluation
        How a partition is evaluated.
    """

    rows: RowsInPartitions

    def __init__(self, rows: RowsInPartitions, evaluation: Evaluation) -> None:
        self.rows, self._evaluation = rows, evaluation
        self.n_samples, self.dtype = len(rows), rows.dtype

    def evaluate(self, strategy: GradientStrategy) -> Array:
        """Return the losses, and leave the gradients in the strategy."""
        _refuse_steps_on_rows(strategy)
        evaluate = partial(self._evaluation.of_rows, strategy.state())
        losses, *gradients = self.rows.kept.reduce(evaluate, total_of, name="evaluate")
        strategy.gradients = self._evaluation.sent(gradients)
        return self._evaluation.sent((losses,))[0]

    def sum(self, term: Term, parameters: Parameters) -> NumpyParameters:
        """Return sums over the rows, taken where they lie."""
        where = self._evaluation.device
        return self.rows.sum(partial(_terms, term, in_numpy(parameters), where))

    def close(self) -> None:
        """Let go of the rows."""
        self.rows.kept.close()


class PartitionedMiniBatches(SmallBatches):
    """Batches within partitions, which come in a fresh order in each epoch.

    Parameters
    ----------
    rows : RowsInPartitions
        The rows, in the coordinates and the dtype of the descent.
    evaluation : Evaluation
        How a batch is evaluated.
    batch_size : int
        Rows a batch; the last of a partition has what is left.
    shuffle : RandomState or None
        Draws the order of the partitions, and a seed for that of the rows of each.
        None: as they lie.
    """

    rows: RowsInPartitions

    def __init__(
        self,
        rows: RowsInPartitions,
        evaluation: Evaluation,
        batch_size: int,
        shuffle: RandomState | None,
    ) -> None:
        self.rows, self._evaluation = rows, evaluation
        self.batch_size, self._shuffle = batch_size, shuffle
        self.n_samples, self.dtype = len(rows), rows.dtype

    def evaluate(self, strategy: GradientStrategy) -> Array:
        """Return the losses of all rows, and leave the gradients in the strategy."""
        return PartitionedBatch(self.rows, self._evaluation).evaluate(strategy)

    def pass_over(
        self,
        strategy: GradientStrategy,
        steps: Steps,
        penalty: Penalty,
        interruption: Interruption,
    ) -> Passed:
        """Send the model from partition to partition, with a step after each batch.

        An interruption is noted, and waits for the end of the pass.
        """
        import dask

        n_partitions = len(self.rows.kept.tasks)
        order, seeds = np.arange(n_partitions), [None] * n_partitions
        if self._shuffle is not None:
            order = self._shuffle.permutation(n_partitions)
            seeds = self._shuffle.randint(2**31 - 1, size=n_partitions).tolist()
        n_targets = self.rows.kept.n_targets
        model: Any = Model(strategy.state(), steps, np.zeros(n_targets), ())
        go, token = dask.delayed(_gone_over, pure=False), uuid4().hex
        evaluation = dask.delayed(self._evaluation, traverse=False)
        for k in order.tolist():
            model = go(
                evaluation,
                self.batch_size,
                penalty,
                model,
                self.rows.kept.tasks[k],
                seeds[k],
                dask_key_name=f"skgd-epoch-{token}-{k}",
            )
        (model,) = dask.compute(model)
        strategy.resume(model.state)
        if strategy.sums_gradients:
            strategy.gradients = self._evaluation.sent(model.gradients)
        steps.go_on_from(model.steps)
        return Passed((model.losses / self.n_samples).tolist(), None)

    def close(self) -> None:
        """Let go of the rows."""
        self.rows.kept.close()


class Model(NamedTuple):
    """What goes from partition to partition."""

    state: Any  # of the strategy
    steps: Steps
    losses: np.ndarray  # of each target: the sum over the rows so far
    gradients: NumpyParameters  # of the last batch


def _gone_over(
    evaluation: Evaluation,
    batch_size: int,
    penalty: Penalty,
    model: Model,
    block: Any,
    seed: int | None,
) -> Model:
    """Take a step after each batch of a partition; runs in a task."""
    rows = prepared_rows(block)
    if rows is None:
        return model
    coordinates = user_coordinates(rows.n_features, rows.n_targets)
    device, shuffle = evaluation.device, None if seed is None else RandomState(seed)
    # Tasks may share memory, and may be run again.
    steps = deepcopy(model.steps)
    with (
        device.gradients_on(),
        _one_thread(device),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        batches = MiniBatches(
            RowsOnDemand(rows, coordinates, rows.y.dtype), device, batch_size, shuffle
        )
        strategy = evaluation.resumed(model.state)
        losses, last = batches.pass_over(strategy, steps, penalty, NO_INTERRUPTION)
        assert last is not None
        steps.take(strategy, *last)
        gradients = in_numpy(strategy.gradients)
        losses = model.losses + len(rows.y) * np.array(losses)
        return Model(strategy.state(), steps, losses, gradients)


def _terms(
    term: Term, parameters: NumpyParameters, device: Device, rows: Rows
) -> NumpyParameters:
    """Return what a function returns for rows; runs in a task."""
    with _one_thread(device):
        sent = tuple(map(device.send, parameters))
        return in_numpy(term(device.send_rows(rows), sent))


def _one_thread(device: Device) -> AbstractContextManager[object]:
    """Keep torch to one thread: Dask runs as many tasks at once as there are cores."""
    return nullcontext() if device.torch_device is None else in_one_torch_thread()


def _refuse_steps_on_rows(strategy: GradientStrategy) -> None:
    """Raise where a step needs the rows, which are elsewhere."""
    if not strategy.sums_gradients:
        raise ValueError(
            f"{strategy!r} needs the rows for a step, and not their gradients alone, "
            "and these are in partitions. Pass a batch_size: each batch then has its "
            "rows beside it. (A strategy of your own tells by `sums_gradients` that it "
            "needs gradients alone, and by `state` and `resume` how it goes on there.)"
        )
