"""Moments of the training and the test rows of each split, in one pass over rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from skgd._data.moments import Moments, moments_of
from skgd._data.partitions import Partitions
from skgd._data.rows import Rows, blocks, canonical, slices
from skgd._data.scatter import (
    Scatter,
    least_variance,
    name_of_column,
    scatter_of_block,
    two_sum,
)
from skgd._data.threads import in_threads
from skgd._data.user_input import check_values, refuse_nan_and_infinity
from skgd._typing import ArrayLike

# The products of so many rows of 50 columns take 60 us, and what else there is to do
# about the rows of an atom in a block 80 us. There may be so many atoms a group that a
# block has as many rows of each, and a few in any case.
_LEAST_ROWS_A_RUN, _FEW_ATOMS = 500, 8

# Up to so many runs of atoms in a block are read where they lie, and not gathered.
_MOST_RUNS = 64

# Atoms' scatters take so many bytes, or such a part of those of X, at a time.
_MOST_BYTES, _MOST_PART = 2**26, 0.05

# Labels are looked up so many at a time.
_BLOCK_LABELS = 2**16

# Each atom's scatter is held by the sum of all blocks and by those of some threads.
_COPIES = 4

# Moments of more columns are larger than most data: 32 MB for each atom.
_MOST_COLUMNS = 2000

# Rows of weight zero are in no atom; their label is that of none.
_NONE = 0


class Folds:
    """Moments of the training and the test rows of each split of the data.

    Rows that lie in the same training and test sets, as often, are an atom. The moments
    of each set are sums of those of atoms, and never differences, which lose digits.
    Where all splits together would make too many atoms, they are grouped, and each
    block of rows that is read is added to the atoms of all groups.

    Parameters
    ----------
    rows : Rows or Partitions
        Validated rows, but for NaN and infinity in X; with the user's weights.
    splits : iterable of pairs of array-likes
        Indices, or masks, of the training and the test rows of each split. A row whose
        index is there twice counts twice.

    Attributes
    ----------
    rows : Rows or Partitions
        The rows.
    n_splits : int
        Number of splits.
    condenses : bool
        Whether there are few enough columns to hold the moments of all splits. If not,
        they are computed where they are asked for, by reading the rows of the set.

    Raises
    ------
    IndexError
        If an index is out of range.
    ValueError
        If there is no split, or one without training or test rows that have a weight;
        on NaN and infinity in X, and squares that leave the range of float64.
    """

    def __init__(
        self,
        rows: Rows | Partitions,
        splits: Iterable[tuple[ArrayLike, ArrayLike]],
    ) -> None:
        self.rows = rows
        n_columns = rows.n_features + rows.n_targets
        self.condenses = n_columns <= _MOST_COLUMNS
        if isinstance(rows, Partitions):
            if not self.condenses:
                raise ValueError(
                    f"X and y have {n_columns} columns together. With more than "
                    f"{_MOST_COLUMNS}, the rows of each fold are read by themselves, "
                    "for which Dask collections would have to be in memory. Search on "
                    "fewer columns, or on rows that fit into memory."
                )
            has_weight = np.concatenate(rows.have_weight)
            self._ends = np.cumsum([len(part) for part in rows.have_weight])[:-1]
        elif rows.weight is None:
            has_weight = np.ones(len(rows.y), bool)
        else:
            has_weight = rows.weight > 0
        self._groups = _groups_of(has_weight, n_columns, splits)
        self._places = [
            (group, i) for group in self._groups for i in range(group.n_splits)
        ]
        self.n_splits = len(self._places)
        if isinstance(rows, Partitions):
            self._sum_up_partitions(rows)
        elif self.condenses:
            _sum_up(rows, self._groups)
        else:
            check_values(rows)

    @property
    def whole(self) -> Moments:
        """Moments of all rows that have a weight."""
        first = self._groups[0]
        counts = np.ones(first.n_labels, np.intp)
        counts[_NONE] = 0
        return self._moments(first, counts)

    def training(self, split: int) -> Moments:
        """Return the moments of the training rows of a split."""
        group, i = self._places[split]
        return self._moments(group, group.training[i])

    def test(self, split: int) -> Moments:
        """Return the moments of the test rows of a split."""
        group, i = self._places[split]
        return self._moments(group, group.test[i])

    def training_rows(self, split: int) -> Rows | Partitions:
        """Return all rows, those not in the training set with a weight of zero."""
        group, i = self._places[split]
        return self._weighted(group, group.training[i])

    def test_rows(self, split: int) -> Rows | Partitions:
        """Return all rows, those not in the test set with a weight of zero."""
        group, i = self._places[split]
        return self._weighted(group, group.test[i])

    @property
    def n_with_weight(self) -> int:
        """Number of rows that have a weight."""
        return int(self._groups[0].sizes.sum())

    def n_weighted(self, split: int) -> int:
        """Return the number of training rows that have a weight, each as listed."""
        group, i = self._places[split]
        return int(group.sizes @ group.training[i])

    def n_training(self, split: int) -> int:
        """Return the number of training rows, whether they have a weight or not."""
        group, i = self._places[split]
        return group.n_training[i]

    def n_test(self, split: int) -> int:
        """Return the number of test rows, whether they have a weight or not."""
        group, i = self._places[split]
        return group.n_test[i]

    def _moments(self, group: _Group, counts: np.ndarray) -> Moments:
        if self.condenses:
            return group.atoms.sum(counts, self.rows.n_features)
        rows = self._weighted(group, counts)
        assert isinstance(rows, Rows)
        return moments_of(rows)

    def _weighted(self, group: _Group, counts: np.ndarray) -> Rows | Partitions:
        if isinstance(self.rows, Partitions):
            small = counts.astype(np.min_scalar_type(counts.max()))
            return self.rows.weighted(np.split(small[group.labels], self._ends))
        weight = counts.astype(np.float64)[group.labels]
        if self.rows.weight is not None:
            weight *= self.rows.weight
        return self.rows._replace(weight=weight)

    def _sum_up_partitions(self, rows: Partitions) -> None:
        """Sum up the atoms of all groups, each partition's where it lies."""
        n_columns = rows.n_features + rows.n_targets
        for some in _passes(self._groups, _MOST_BYTES / (8 * _COPIES * n_columns**2)):
            parts = zip(
                *(np.split(group.labels, self._ends) for group in some), strict=True
            )
            n_labels = [group.n_labels for group in some]
            sums = rows.reduce(
                partial(_atoms_of_partition, n_labels),
                _merged_atoms,
                name="folds",
                each=parts,
            )
            for group, atoms in zip(some, sums, strict=True):
                group.atoms = atoms


class _Group:
    """Some splits, and which of their sets each row lies in.

    Attributes
    ----------
    labels : ndarray of shape (n_rows,)
        The atom of each row, or `_NONE`.
    n_labels : int
        One more than the largest label.
    sizes : ndarray of shape (n_labels,)
        Number of rows of each atom.
    training, test : list of ndarray of shape (n_labels,)
        How often each split's sets list the rows of each atom.
    n_training, n_test : list of int
        Number of rows that each split's sets list.
    """

    def __init__(self, has_weight: np.ndarray, most_atoms: int) -> None:
        self._most_atoms = most_atoms
        self.labels = has_weight.astype(np.uint8)
        self.n_labels = 2
        self.sizes = np.array([0, np.count_nonzero(has_weight)])
        self.training: list[np.ndarray] = []
        self.test: list[np.ndarray] = []
        self.n_training: list[int] = []
        self.n_test: list[int] = []
        self.atoms: _Atoms

    @property
    def n_splits(self) -> int:
        """Number of splits."""
        return len(self.training)

    def add(self, training: np.ndarray, test: np.ndarray) -> bool:
        """Divide the atoms by one more split, unless they would be too many."""
        radix = int(training.max()) + 1, int(test.max()) + 1
        n_codes = self.n_labels * math.prod(radix)
        codes = self.labels.astype(np.min_scalar_type(n_codes))
        for counts, n in zip((training, test), radix, strict=True):
            codes *= n
            codes += counts.astype(codes.dtype)
        if self.sizes.sum() < len(codes):  # there are rows without a weight
            codes[self.labels == _NONE] = _NONE
        if n_codes <= len(codes):
            sizes = np.zeros(n_codes, np.intp)
            for block in slices(len(codes), _BLOCK_LABELS):  # widened to 8 bytes each
                sizes += np.bincount(codes[block], minlength=n_codes)
            sizes[_NONE] = 0
            there = sizes > 0
            there[_NONE] = True
            old = np.flatnonzero(there)
            labels = np.cumsum(there) - 1
            sizes = sizes[old]
        else:
            old, labels, sizes = np.unique(
                np.append(codes, _NONE).astype(np.uint64),
                return_inverse=True,
                return_counts=True,
            )
            sizes[_NONE] = 0
        if self.n_splits and len(old) > self._most_atoms + 1:
            return False
        dtype = np.min_scalar_type(len(old))
        if n_codes <= len(codes):
            table, self.labels = labels.astype(dtype), np.empty(len(codes), dtype)
            for block in slices(len(codes), _BLOCK_LABELS):
                self.labels[block] = table.take(codes[block])
        else:
            self.labels = labels[:-1].astype(dtype)
        self.n_labels, self.sizes = len(old), sizes
        old, of_test = np.divmod(old, radix[1])
        old, of_training = np.divmod(old, radix[0])
        old = old.astype(np.intp)
        self.training = [counts[old] for counts in self.training]
        self.test = [counts[old] for counts in self.test]
        self.training.append(of_training.astype(np.intp))
        self.test.append(of_test.astype(np.intp))
        self.n_training.append(int(training.sum()))
        n_test = np.count_nonzero(test) if test.dtype == bool else test.sum()
        self.n_test.append(int(n_test))
        return True


def _groups_of(
    has_weight: np.ndarray,
    n_columns: int,
    splits: Iterable[tuple[ArrayLike, ArrayLike]],
) -> list[_Group]:
    """Return the splits in order, in groups that have few atoms each."""
    block_rows = blocks(len(has_weight), n_columns + 1)[0].stop
    most_atoms = max(block_rows // _LEAST_ROWS_A_RUN, _FEW_ATOMS)
    groups: list[_Group] = []
    for number, (training, test) in enumerate(splits):
        counts = (
            _counts(training, has_weight, f"The training set of split {number}"),
            _counts(test, has_weight, f"The test set of split {number}"),
        )
        if not groups or not groups[-1].add(*counts):
            groups.append(_Group(has_weight, most_atoms))
            groups[-1].add(*counts)
    if not groups:
        raise ValueError(
            "cv yielded no splits. Pass a number of folds, a splitter of "
            "sklearn.model_selection, or a list of pairs of arrays of row numbers."
        )
    return groups


def _counts(index: ArrayLike, has_weight: np.ndarray, name: str) -> np.ndarray:
    """Return how often each row is listed: a mask, if at most once."""
    n_rows = len(has_weight)
    index = np.asarray(index)
    if index.size == 0:
        raise ValueError(f"{name} has no rows. Use fewer splits, or pass more rows.")
    if index.ndim != 1 or index.dtype.kind not in "iub":
        raise ValueError(
            f"{name} must be a one-dimensional array of row numbers, or a mask. Got "
            f"an array of shape {index.shape} and dtype {index.dtype}."
        )
    if index.dtype.kind == "b" and len(index) != n_rows:
        raise IndexError(
            f"{name} is a mask of {len(index)} rows, and X has {n_rows}. Pass a value "
            "for each row."
        )
    counts = index
    if index.dtype.kind != "b":
        low, high = int(index.min()), int(index.max())
        if low < -n_rows or high >= n_rows:
            row = low if low < -n_rows else high
            raise IndexError(
                f"{name} lists row {row}, and X has {n_rows} rows, numbered from 0. "
                "Pass positions of rows, not labels of an index."
            )
        counts = np.zeros(n_rows, bool)
        counts[index] = True
        if np.count_nonzero(counts) < len(index):
            from_0 = np.where(index < 0, index + n_rows, index) if low < 0 else index
            counts = np.bincount(from_0, minlength=n_rows)
    if not counts.any():
        raise ValueError(f"{name} has no rows. Use fewer splits, or pass more rows.")
    if not (counts.astype(bool) & has_weight).any():
        raise ValueError(
            f"{name} has no row with a positive sample weight. Use fewer splits, or "
            "shuffle the rows, so that each set has one."
        )
    return counts


@dataclass
class _Atoms:
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
    def empty(cls, n_labels: int, n_columns: int) -> _Atoms:
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

    def merge(self, other: _Atoms) -> None:
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


def _sum_up(rows: Rows, groups: list[_Group]) -> None:
    """Read the rows once, and sum up the atoms of all groups that fit into memory."""
    n_columns = rows.n_features + rows.n_targets
    if issparse(rows.X):
        rows = canonical(rows)
        for group in groups:
            group.atoms = _sparse_atoms(rows, group)
        return
    most = max(_MOST_BYTES, _MOST_PART * rows.X.nbytes)
    for some in _passes(groups, most / (8 * _COPIES * n_columns**2)):
        for group, atoms in zip(some, _dense_atoms(rows, some), strict=True):
            group.atoms = atoms


def _passes(groups: list[_Group], most_atoms: float) -> Iterator[list[_Group]]:
    """Yield groups that together have so many atoms, or one at least."""
    some: list[_Group] = []
    for group in groups:
        if some and sum(each.n_labels for each in (*some, group)) > most_atoms:
            yield some
            some = []
        some.append(group)
    yield some


class _Labels(NamedTuple):
    """Which atom of a group each row of a partition belongs to."""

    labels: np.ndarray
    n_labels: int


def _atoms_of_partition(
    n_labels: Sequence[int], rows: Rows, labels: Sequence[np.ndarray]
) -> list[_Atoms]:
    """Return the sums over the rows of a partition, of all groups."""
    if len(labels[0]) != len(rows.y):
        raise ValueError(
            f"The partition has {len(rows.y)} rows, and {len(labels[0])} as they were "
            "counted before. Pass a collection that is the same each time."
        )
    groups = [_Labels(*each) for each in zip(labels, n_labels, strict=True)]
    if issparse(rows.X):
        rows = canonical(rows)
        return [_sparse_atoms(rows, group) for group in groups]
    return _dense_atoms(rows, groups)


def _merged_atoms(parts: list[list[_Atoms]]) -> list[_Atoms]:
    """Return the sums over all parts, group by group."""
    merged = []
    for group in zip(*parts, strict=True):
        atoms = _Atoms.empty(*group[0].mean.shape)
        for part in group:
            atoms.merge(part)
        merged.append(atoms)
    return merged


def _sparse_atoms(rows: Rows, group: _Group | _Labels) -> _Atoms:
    """Return the sums over sparse rows, atom by atom."""
    atoms = _Atoms.empty(group.n_labels, rows.n_features + rows.n_targets)
    unbounded = np.full(atoms.mean.shape[1], np.inf)
    for atom in np.unique(group.labels[group.labels != _NONE]):
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


def _dense_atoms(rows: Rows, groups: Sequence[_Group | _Labels]) -> list[_Atoms]:
    """Return the sums over dense rows, of all groups from the same blocks."""
    n_columns = rows.n_features + rows.n_targets
    all_blocks = blocks(len(rows.y), n_columns + 1)

    def empty() -> list[_Atoms]:
        return [_Atoms.empty(group.n_labels, n_columns) for group in groups]

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
        if labels[first] != _NONE:
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

    def __init__(self, sums: list[_Atoms]) -> None:
        self._sums, self._next, self._lock = sums, 0, Lock()
        self._waiting: dict[int, tuple[int, list[_Atoms]]] = {}

    def hand_in(self, share: list[slice], atoms: list[_Atoms]) -> None:
        """Add the atoms of these blocks, or keep them until their turn."""
        with self._lock:
            self._waiting[share[0].start] = share[-1].stop, atoms
            while self._next in self._waiting:
                self._next, part = self._waiting.pop(self._next)
                for total, each in zip(self._sums, part, strict=True):
                    total.merge(each)
