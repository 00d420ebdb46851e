"""Atoms of rows: those that lie in the same sets, as often, and their sums.

The moments of each set are sums of those of atoms, and never differences, which lose
digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skgd._data.moments import Moments, moments_of
from skgd._data.rows import Rows, blocks, canonical
from skgd._data.scatter import (
    Scatter,
    least_variance,
    name_of_column,
    scatter_of_block,
    two_sum,
)
from skgd._data.threads import in_threads
from skgd._data.user_input import refuse_nan_and_infinity

# Rows of weight zero are in no atom; their label is that of none.
NONE = 0

# Each atom's scatter is held by the sum of all blocks and by those of some threads.
COPIES = 4

# Up to so many runs of atoms in a block are read where they lie, and not gathered.
_MOST_RUNS = 64


class Labels(NamedTuple):
    """Which atom each row belongs to."""

    labels: np.ndarray  # (n_rows,); NONE: none
    n_labels: int  # one more than the largest


@dataclass
class Atoms:
    """The sums over the rows of each atom of a group, and the range of some columns.

    `lowest` and `highest` are those of values in columns whose squares underflow, or
    infinite.
    """

    weight: np.ndarray
    mean: np.ndarray
    rest: np.ndarray
    scatter: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def empty(cls, n_labels: int, n_columns: int) -> Atoms:
        """Return those of no rows."""
        shape = n_labels, n_columns
        return cls(
            np.zeros(n_labels),
            np.zeros(shape),
            np.zeros(shape),
            np.zeros((*shape, n_columns)),
            np.full(shape, np.inf),
            np.full(shape, -np.inf),
        )

    def add(
        self, atom: int, part: Scatter, lowest: np.ndarray, highest: np.ndarray
    ) -> None:
        """Add the sums over more rows of an atom (Chan, Golub & LeVeque 1979)."""
        np.minimum(self.lowest[atom], lowest, out=self.lowest[atom])
        np.maximum(self.highest[atom], highest, out=self.highest[atom])
        before = self.weight[atom]
        weight = before + part.weight
        if before == 0:
            self.mean[atom], self.rest[atom] = part.mean, part.mean_rest
            self.scatter[atom] = part.scatter
        else:
            share = part.weight / weight
            step = part.mean - self.mean[atom] + (part.mean_rest - self.rest[atom])
            self.scatter[atom] += part.scatter
            self.scatter[atom] += np.outer(before * share * step, step)
            self.mean[atom], self.rest[atom] = two_sum(
                self.mean[atom], share * step + self.rest[atom]
            )
        self.weight[atom] = weight

    def merge(self, other: Atoms) -> None:
        """Add the sums over other rows of all atoms."""
        for atom in np.flatnonzero(other.weight):
            part = Scatter(
                other.weight[atom],
                other.mean[atom],
                other.scatter[atom],
                other.rest[atom],
            )
            self.add(int(atom), part, other.lowest[atom], other.highest[atom])

    def sum(self, counts: np.ndarray, n_features: int) -> Moments:
        """Return the moments of all atoms, each as often as it counts."""
        some = np.flatnonzero(counts * (self.weight > 0))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            weights = counts[some] * self.weight[some]
            weight = float(weights.sum())
            first = some[0]
            step = self.mean[some] - self.mean[first]
            step += self.rest[some] - self.rest[first]
            shift = (weights / weight) @ step
            mean, rest = two_sum(self.mean[first], shift + self.rest[first])
            step -= shift
            scatter = np.zeros_like(self.scatter[first])
            for atom in some:
                scatter += counts[atom] * self.scatter[atom]
            scatter += (weights[:, None] * step).T @ step
        variances = scatter.diagonal() / weight
        if not (weight < np.inf and np.isfinite(scatter.diagonal()).all()):
            raise ValueError(
                "The sum of the weights, or of the squares of a column, of a split "
                "overflows float64. Multiply all weights by a small factor, or rescale "
                "the columns."
            )
        varies = self.lowest[some].min(axis=0) < self.highest[some].max(axis=0)
        for j in np.flatnonzero((variances < least_variance(np.float64)) & varies):
            raise ValueError(
                f"The squares of the values in {name_of_column(int(j), n_features)} "
                "underflow in float64. Rescale the columns."
            )
        return Moments(weight, mean, scatter, n_features, mean_rest=rest)


def atoms_of_partition(
    n_labels: Sequence[int], rows: Rows, labels: Sequence[np.ndarray]
) -> list[Atoms]:
    """Return the sums over the rows of a partition, of all groups; runs in a task."""
    if len(labels[0]) != len(rows.y):
        raise ValueError(
            f"The partition has {len(rows.y)} rows, and {len(labels[0])} as they were "
            "counted before. Pass a collection that is the same each time."
        )
    groups = [Labels(*each) for each in zip(labels, n_labels, strict=True)]
    if issparse(rows.X):
        rows = canonical(rows)
        return [sparse_atoms(rows, group) for group in groups]
    return dense_atoms(rows, groups)


def merged_atoms(parts: list[list[Atoms]]) -> list[Atoms]:
    """Return the sums over all parts, group by group."""
    merged = []
    for group in zip(*parts, strict=True):
        atoms = Atoms.empty(*group[0].mean.shape)
        for part in group:
            atoms.merge(part)
        merged.append(atoms)
    return merged


def sparse_atoms(rows: Rows, group: Labels) -> Atoms:
    """Return the sums over sparse rows, atom by atom."""
    atoms = Atoms.empty(group.n_labels, rows.n_features + rows.n_targets)
    unbounded = np.full(atoms.mean.shape[1], np.inf)
    for atom in np.unique(group.labels[group.labels != NONE]):
        weight = (group.labels == atom).astype(np.float64)
        if rows.weight is not None:
            weight *= rows.weight
        moments = moments_of(rows._replace(weight=weight))
        part = Scatter(
            moments.weight,
            moments.mean,
            moments.scatter,
            moments.mean_rest + np.zeros_like(moments.mean),
        )
        constant = moments.scatter.diagonal() == 0
        lowest = np.where(constant, moments.mean, -unbounded)
        atoms.add(atom, part, lowest, np.where(constant, moments.mean, unbounded))
    return atoms


def dense_atoms(rows: Rows, groups: Sequence[Labels]) -> list[Atoms]:
    """Return the sums over dense rows, of all groups from the same blocks."""
    n_columns = rows.n_features + rows.n_targets
    all_blocks = blocks(len(rows.y), n_columns + 1)

    def empty() -> list[Atoms]:
        return [Atoms.empty(group.n_labels, n_columns) for group in groups]

    sums = empty()
    in_order = _InOrder(sums)

    def add_up(share: list[slice]) -> None:
        all_atoms = empty()
        buffer = np.empty((all_blocks[0].stop, rows.n_features))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for block in share:
                part = Rows(*(a if a is None else np.asarray(a[block]) for a in rows))
                for group, atoms in zip(groups, all_atoms, strict=True):
                    labels = group.labels[block]
                    for atom, run in _runs(part, labels, buffer):
                        gathered = np.may_share_memory(run.X, buffer)
                        out = run.X if gathered else buffer[: len(run.y)]
                        run_sums = scatter_of_block(*run, out)
                        limits = _checked_range(run_sums, part, labels == atom)
                        atoms.add(atom, run_sums, *limits)
            in_order.hand_in(share, all_atoms)

    in_threads(add_up, all_blocks, rows.n_features)
    return sums


def _runs(
    rows: Rows, labels: np.ndarray, buffer: np.ndarray
) -> Iterator[tuple[int, Rows]]:
    """Yield each atom and its rows, gathered where they do not lie together."""
    steps = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    if len(steps) > _MOST_RUNS or (np.diff(labels[np.append(0, steps)]) < 0).any():
        order = np.argsort(labels, kind="stable")  # of small integers: by counting
        labels = labels[order]
        if rows.X.dtype == np.float64 and rows.X.flags.c_contiguous:
            X = rows.X.take(order, axis=0, out=buffer[: len(order)], mode="clip")
        else:
            X = rows.X[order]
        weight = None if rows.weight is None else rows.weight[order]
        rows = Rows(X, rows.y[order], weight)
        steps = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    for first, after in zip([0, *steps], [*steps, len(labels)], strict=True):
        if labels[first] != NONE:
            yield int(labels[first]), rows.at(slice(first, after))


def _checked_range(
    sums: Scatter, rows: Rows, is_of_atom: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of columns whose squares underflow, and infinity for others.

    Raise by NaN or infinity in X, or by squares that overflow. That squares underflow
    is no error while other rows of a set may have larger ones.
    """
    n_features, variances = rows.n_features, sums.scatter.diagonal() / sums.weight
    lowest, highest = np.full(len(variances), -np.inf), np.full(len(variances), np.inf)
    for j in np.flatnonzero(~(variances >= least_variance(np.float64))):
        columns, column = (rows.X, j) if j < n_features else (rows.y, j - n_features)
        values = columns[is_of_atom, column]
        lowest[j], highest[j] = values.min(), values.max()
    for j in np.flatnonzero(~np.isfinite(variances)):
        refuse_nan_and_infinity(rows.X[is_of_atom])
        raise ValueError(
            f"The squares of the values in {name_of_column(int(j), n_features)}, times "
            "the weights, overflow in float64. Rescale the columns, or the weights."
        )
    return lowest, highest


class _InOrder:
    """Sums up what threads hand in, in the order of the rows, for the same digits.

    What comes too early waits; so no more is held than threads are ahead.
    """

    def __init__(self, sums: list[Atoms]) -> None:
        self._sums, self._next, self._lock = sums, 0, Lock()
        self._waiting: dict[int, tuple[int, list[Atoms]]] = {}

    def hand_in(self, share: list[slice], atoms: list[Atoms]) -> None:
        """Add the atoms of these blocks, or keep them until their turn."""
        with self._lock:
            self._waiting[share[0].start] = share[-1].stop, atoms
            while self._next in self._waiting:
                self._next, part = self._waiting.pop(self._next)
                for total, each in zip(self._sums, part, strict=True):
                    total.merge(each)
