"""Sparse columns with a number subtracted from each, which are not filled."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.sparse import csc_array, csr_array


class ShiftedMatrix:
    """A sparse matrix minus an outer product, ``matrix - left @ right``.

    ``@`` with arrays on either side, ``.T``, `astype`, selected rows and products with
    a number work as of an array; it is never formed.

    Parameters
    ----------
    matrix : csr_array or csc_array of shape (n, d)
        The matrix.
    left : ndarray of shape (n, 1)
        Of the dtype of the matrix, as is `right`.
    right : ndarray of shape (1, d)
        Where `left` is ones, what is subtracted from each column.
    """

    ndim = 2
    __array_ufunc__ = None  # so that NumPy leaves ``array @ self`` to it

    def __init__(
        self, matrix: csr_array | csc_array, left: np.ndarray, right: np.ndarray
    ) -> None:
        self.matrix, self.left, self.right = matrix, left, right
        self.shape, self.dtype = matrix.shape, matrix.dtype

    @classmethod
    def of(cls, matrix: csr_array | csc_array, offset: np.ndarray) -> ShiftedMatrix:
        """Return the matrix minus an offset of each column."""
        ones = np.ones((matrix.shape[0], 1), matrix.dtype)
        return cls(matrix, ones, offset[None].astype(matrix.dtype))

    @cached_property
    def T(self) -> ShiftedMatrix:  # noqa: N802 (as in NumPy)
        """The transposed matrix."""
        return ShiftedMatrix(self.matrix.T, self.right.T, self.left.T)

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, dense: np.ndarray) -> np.ndarray:
        product = self.matrix @ dense
        if dense.shape[1:] == (1,):
            # By einsum, since BLAS starts its threads for it: where other processes
            # take the other core, these 0.05 ms become 8.
            product -= self.left * np.einsum("j,jk->k", self.right[0], dense)
        else:
            product -= self.left @ (self.right @ dense)
        return product

    def __mul__(self, factor: float) -> ShiftedMatrix:
        return ShiftedMatrix(self.matrix * factor, self.left * factor, self.right)

    __rmul__ = __mul__

    def __rmatmul__(self, dense: np.ndarray) -> np.ndarray:
        return (self.T @ dense.T).T

    def __getitem__(self, index: np.ndarray | slice) -> ShiftedMatrix:
        return ShiftedMatrix(self.matrix[index], self.left[index], self.right)

    def astype(self, dtype: np.dtype, copy: bool = True) -> ShiftedMatrix:
        """Cast, without a copy where it has the dtype."""
        if dtype == self.dtype and not copy:
            return self
        parts = (self.matrix, self.left, self.right)
        return ShiftedMatrix(*(part.astype(dtype) for part in parts))
