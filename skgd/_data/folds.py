"""Moments of the training and the test rows of each split, in one pass over rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
from scipy.sparse import issparse

from skgd._data.atoms import (
    COPIES,
    NONE,
    Atoms,
    Labels,
    atoms_of_partition,
    dense_atoms,
    merged_atoms,
    sparse_atoms,
)
from skgd._data.moments import Moments, moments_of
from skgd._data.partitions import Partitions
from skgd._data.rows import Rows, blocks, canonical, slices
from skgd._data.user_input import check_values
from skgd._typing import ArrayLike

# The products of so many rows of 50 columns take 60 us, and what else there is to do
# about the rows of an atom in a block 80 us. There may be so many atoms a group that a
# block has as many rows of each, and a few in any case.
_LEAST_ROWS_A_RUN, _FEW_ATOMS = 500, 8

# Atoms' scatters take so many bytes, or such a part of those of X, at a time.
_MOST_BYTES, _MOST_PART = 2**26, 0.05

# Labels are looked up so many at a time.
_BLOCK_LABELS = 2**16

# Moments of more columns are larger than most data: 32 MB for each atom.
_MOST_COLUMNS = 2000


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
        counts[NONE] = 0
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
        for some in _passes(self._groups, _MOST_BYTES / (8 * COPIES * n_columns**2)):
            parts = zip(
                *(np.split(group.labels, self._ends) for group in some), strict=True
            )
            n_labels = [group.n_labels for group in some]
            sums = rows.reduce(
                partial(atoms_of_partition, n_labels),
                merged_atoms,
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
        The atom of each row, or `NONE`.
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
        self.atoms: Atoms

    @property
    def labeled(self) -> Labels:
        """Which atom each row belongs to."""
        return Labels(self.labels, self.n_labels)

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
            codes[self.labels == NONE] = NONE
        if n_codes <= len(codes):
            sizes = np.zeros(n_codes, np.intp)
            for block in slices(len(codes), _BLOCK_LABELS):  # widened to 8 bytes each
                sizes += np.bincount(codes[block], minlength=n_codes)
            sizes[NONE] = 0
            there = sizes > 0
            there[NONE] = True
            old = np.flatnonzero(there)
            labels = np.cumsum(there) - 1
            sizes = sizes[old]
        else:
            old, labels, sizes = np.unique(
                np.append(codes, NONE).astype(np.uint64),
                return_inverse=True,
                return_counts=True,
            )
            sizes[NONE] = 0
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


def _sum_up(rows: Rows, groups: list[_Group]) -> None:
    """Read the rows once, and sum up the atoms of all groups that fit into memory."""
    n_columns = rows.n_features + rows.n_targets
    if issparse(rows.X):
        rows = canonical(rows)
        for group in groups:
            group.atoms = sparse_atoms(rows, group.labeled)
        return
    most = max(_MOST_BYTES, _MOST_PART * rows.X.nbytes)
    for some in _passes(groups, most / (8 * COPIES * n_columns**2)):
        sums = dense_atoms(rows, [group.labeled for group in some])
        for group, atoms in zip(some, sums, strict=True):
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
