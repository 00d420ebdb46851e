"""What an epoch reads: all rows at once, or in a fresh order a batch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.random import RandomState

from skgd._data.device import Device, in_numpy
from skgd._data.row_sources import RowsInMemory, RowsOnDemand, RowSource
from skgd._data.rows import Rows, slices, sum_over
from skgd._descent.steps import Steps
from skgd._interrupt import Interruption
from skgd._objective.penalties import Penalty
from skgd._typing import Array, NumpyParameters, Parameters
from skgd.strategies import GradientStrategy

#: Returns arrays for rows and a model, written in what NumPy and torch share.
Term = Callable[[Rows, Parameters], tuple[Array, ...]]


class Prepared(NamedTuple):
    """A step that the evaluation of a batch has prepared."""

    n_rows: int  # of the batch
    share: float = 1.0  # of the batch size; below 1 where it is short of rows


class Passed(NamedTuple):
    """A pass over all batches, with a step after each, but for the last."""

    losses: list[float]  # of each target: the mean, each before the step of its batch
    last: Prepared | None  # None: that step is taken as well


class Batches(ABC):
    """What an epoch reads.

    Attributes
    ----------
    whole : bool
        Whether a batch is all that an epoch reads.
    rows : RowSource
        All rows, for what is asked of them before the descent or after it.
    n_samples : int
        How many rows these are, or stand for where they are condensed.
    dtype : numpy.dtype
        That of the descent.
    """

    whole: bool
    rows: RowSource
    n_samples: int
    dtype: np.dtype

    @abstractmethod
    def evaluate(self, strategy: GradientStrategy) -> Array:
        """Return the losses of all rows, and leave the gradients in the strategy."""

    def close(self) -> None:  # noqa: B027 - there mostly is nothing
        """Let go of what is kept elsewhere."""


class WholeBatch(Batches):
    """All rows, as one batch."""

    whole = True

    @abstractmethod
    def sum(self, term: Term, parameters: Parameters) -> NumpyParameters:
        """Return sums over the rows, which are taken where the descent takes place."""


class SmallBatches(Batches):
    """Rows a batch at a time.

    Attributes
    ----------
    batch_size : int
        Rows a batch.
    """

    whole = False
    batch_size: int

    @abstractmethod
    def pass_over(
        self,
        strategy: GradientStrategy,
        steps: Steps,
        penalty: Penalty,
        interruption: Interruption,
    ) -> Passed:
        """Evaluate each batch, in a fresh order, and take a step after each.

        Each row counts for the same in every epoch: the step of a batch that is short
        of rows is as much shorter. An interrupted pass is as much shorter, and its loss
        that of the batches evaluated.
        """


class FullBatch(WholeBatch):
    """All rows, here, as one batch.

    Parameters
    ----------
    rows : Rows
        Rows in the coordinates and the dtype of the descent.
    device : Device
        Where the descent takes place.
    n_samples : int or None, default=None
        How many rows these stand for, where they are condensed.

    Attributes
    ----------
    rows : RowsInMemory
        All rows, as they were passed.
    parts : tuple of Rows
        The rows, where the descent takes place. An evaluation is a sum over the parts.
    """

    rows: RowsInMemory

    def __init__(
        self, rows: Rows, device: Device, n_samples: int | None = None
    ) -> None:
        self.rows = RowsInMemory(rows)
        self.n_samples = rows.n_rows if n_samples is None else n_samples
        self.dtype = self.rows.dtype
        self.parts = (device.send_rows(rows),)

    def evaluate(self, strategy: GradientStrategy) -> Array:
        """Return the losses, and leave the gradients in the strategy."""
        if len(self.parts) == 1:  # where 1 us matters
            return strategy.evaluate(self.parts[0])
        return evaluate_parts(strategy, self.parts, len(self.rows))

    def sum(self, term: Term, parameters: Parameters) -> NumpyParameters:
        """Return sums over the rows."""
        return in_numpy(sum_over(self.parts, lambda rows: term(rows, parameters)))


class MiniBatches(SmallBatches):
    """Rows a batch at a time; each iteration is an epoch in a fresh order.

    A batch is gathered from the rows where they lie, brought to the coordinates of the
    descent, cast and sent to the device, so that there is never a copy of X. But torch
    gathers dense rows itself where they need no preparation; and to a device with
    memory of its own NumPy rows are sent once, prepared.

    Parameters
    ----------
    rows : RowsOnDemand
        What to read.
    device : Device
        Where the descent takes place.
    batch_size : int
        Rows a batch.
    shuffle : RandomState or None
        Draws the order of an epoch. None: as the rows lie.
    """

    rows: RowsOnDemand

    def __init__(
        self,
        rows: RowsOnDemand,
        device: Device,
        batch_size: int,
        shuffle: RandomState | None,
    ) -> None:
        self.rows = rows
        self.n_samples = len(rows)
        self.batch_size = batch_size
        self.dtype = rows.dtype
        self._device = device
        self._shuffle = shuffle
        self._tensors: Rows | None = None
        if device.has_memory and not (rows.is_sparse or rows.are_tensors):
            self._tensors = device.send_parts(rows)
        elif device.torch_device is not None and rows.as_passed is not None:
            self._tensors = device.send_rows(rows.as_passed)

    def __iter__(self) -> Iterator[Rows]:
        order: Array | None = None
        if self._shuffle is not None:
            order = self._shuffle.permutation(self.n_samples)
            if self._tensors or self.rows.are_tensors:
                order = self._device.send(order)
        for batch in slices(self.n_samples, self.batch_size):
            yield self._gathered(batch if order is None else order[batch])

    def _gathered(self, index: Array) -> Rows:
        """Return a batch, where the descent takes place."""
        if self._tensors is None:
            return self._device.send_rows(self.rows[index])
        if isinstance(index, slice):
            return self._tensors.at(index)
        return Rows(
            *(a if a is None else a.index_select(0, index) for a in self._tensors)
        )

    def evaluate(self, strategy: GradientStrategy) -> Array:
        """Return the losses of all batches together, and leave the gradients."""
        return evaluate_parts(strategy, self, self.n_samples)

    def pass_over(
        self,
        strategy: GradientStrategy,
        steps: Steps,
        penalty: Penalty,
        interruption: Interruption,
    ) -> Passed:
        """Evaluate each batch, and take a step after each but the last."""
        total: Array = 0
        last, n_rows = Prepared(0), self.n_samples
        for i, rows in enumerate(self):
            if i > 0:
                if interruption.came:
                    n_rows = i * self.batch_size
                    break
                steps.take(strategy, *last)
            last = Prepared(len(rows.y), len(rows.y) / self.batch_size)
            if steps.momentum:
                steps.extrapolate(strategy)
            losses = strategy.evaluate(rows)
            if penalty.l1 is not None:
                losses = losses + penalty.l1_value(strategy.parameters[0])
            if last.share != 1:
                losses = losses * last.share
            total = losses + total  # left on the device until the end of the epoch
        share = self.batch_size / n_rows
        return Passed([loss * share for loss in total.tolist()], last)


def evaluate_parts(
    strategy: GradientStrategy, parts: Iterable[Rows], n_rows: int
) -> Array:
    """Return the losses of all parts of the rows together, and leave the gradients.

    Both are means over the rows, hence those of the parts, weighted by their sizes.
    """
    sums: list[Array] = []
    for rows in parts:
        share = len(rows.y) / n_rows
        losses = strategy.evaluate(rows)
        terms = [share * term for term in (losses, *strategy.gradients)]
        sums = [s + t for s, t in zip(sums, terms, strict=True)] if sums else terms
    losses, *gradients = sums
    strategy.gradients = tuple(gradients)
    return losses
