"""A sparse matrix among torch tensors, with a fast gradient."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

_MATMUL = {torch.matmul, torch.mm, torch.Tensor.matmul, torch.Tensor.__matmul__}
_MATMUL |= {torch.Tensor.mm, torch.Tensor.__rmatmul__, torch.sparse.mm}

with warnings.catch_warnings():
    # The first such tensor of a process brings a notice to torch's users, not to ours:
    # what is used here is tested. Filters are the whole process's, and not for threads.
    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in")
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


class SparseMatrix:
    """A CSR matrix that torch multiplies, and differentiates the product of.

    ``matrix @ dense``, ``dense @ matrix`` and ``nn.Linear(...)(matrix)`` work as with a
    tensor, and so does ``matrix.T``. Other functions and methods of torch's get its own
    CSR tensor, and are refused where something is subtracted from that. It is what
    multiplies, too; but its ``backward()`` makes a transposed
    copy each time: of 20,000 x 100,000 with 2,000,000 entries in 77 ms, where a copy
    that is kept takes 2 ms to multiply.

    Parameters
    ----------
    matrix : csr_array
        The matrix.
    to_device : callable
        Brings a NumPy array to the device, as a tensor.
    outer : pair of tensors or None, default=None
        Of shapes (n, 1) and (1, d): their product is subtracted from the matrix, which
        it does not fill.
    """

    ndim = 2

    def __init__(
        self,
        matrix: csr_array,
        to_device: Callable[[np.ndarray], torch.Tensor],
        outer: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> None:
        self.shape = matrix.shape
        self._matrix, self._to_device, self._outer = matrix, to_device, outer
        self.tensor = torch.sparse_csr_tensor(
            to_device(matrix.indptr),
            to_device(matrix.indices),
            to_device(matrix.data),
            matrix.shape,
            check_invariants=False,  # SciPy's are kept
        )
        self.dtype, self.device = self.tensor.dtype, self.tensor.device

    @cached_property
    def T(self) -> SparseMatrix:  # noqa: N802 (as in NumPy and torch)
        """The transposed matrix, kept for the next time."""
        outer = self._outer
        if outer is not None:
            outer = outer[1].T, outer[0].T
        transposed = SparseMatrix(self._matrix.T.tocsr(), self._to_device, outer)
        transposed.__dict__["T"] = self
        return transposed

    def __getattr__(self, name: str) -> Any:
        if name in ("tensor", "_outer"):  # not there yet: a copy is being made
            raise AttributeError(name)
        return getattr(_unwrapped(self), name)

    def __len__(self) -> int:
        return self.shape[0]

    def __matmul__(self, dense: torch.Tensor) -> torch.Tensor:
        product = _Product.apply(dense, lambda: self)
        if self._outer is None:
            return product
        left, right = self._outer
        return product - left @ (right @ dense)

    def matmul(self, dense: torch.Tensor) -> torch.Tensor:
        """Multiply, as ``@`` does."""
        return self @ dense

    mm = matmul

    def __rmatmul__(self, dense: torch.Tensor) -> torch.Tensor:
        return (self.T @ dense.T).T

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run a function of torch's that got such a matrix."""
        kwargs = dict(kwargs or {})
        if function is torch.nn.functional.linear and isinstance(args[0], cls):
            return _linear(*args, **kwargs)
        if function in _MATMUL:
            left, right = *args, *kwargs.values()
            if isinstance(left, cls):
                return left @ right
            return right.__rmatmul__(left)
        args = [_unwrapped(a) for a in args]
        return function(*args, **{name: _unwrapped(a) for name, a in kwargs.items()})


def _unwrapped(argument: Any) -> Any:
    """Return torch's tensor in place of a matrix, also in a list of them."""
    if isinstance(argument, list | tuple):
        return type(argument)(_unwrapped(each) for each in argument)
    if not isinstance(argument, SparseMatrix):
        return argument
    if argument._outer is not None:
        raise TypeError(
            "Sparse rows that are centred can be multiplied by @, .T and nn.Linear "
            "alone. Other functions of torch's get a tensor with standardize=False."
        )
    return argument.tensor


def _linear(
    input: SparseMatrix, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Compute what ``nn.Linear`` calls for."""
    product = input @ weight.T
    return product if bias is None else product + bias


class _Product(torch.autograd.Function):
    """``matrix.tensor @ dense``, differentiable in `dense`, backward and forward.

    It is passed a function that gives the matrix: among its arguments, torch would take
    the matrix itself for a tensor.
    """

    @staticmethod
    def forward(dense: torch.Tensor, matrix: Callable[[], SparseMatrix]) -> Any:
        return matrix().tensor @ dense

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.matrix = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _Product.apply(gradient, lambda: ctx.matrix().T), None

    @staticmethod
    def jvp(ctx: Any, tangent: torch.Tensor, _: None) -> torch.Tensor:
        return _Product.apply(tangent, ctx.matrix)

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, dense: torch.Tensor, matrix: Callable[[], SparseMatrix]
    ) -> Any:
        """Multiply the columns of a whole batch at once, for torch.func."""
        columns = dense.movedim(in_dims[0], -1)
        product = _Product.apply(columns.flatten(1), matrix)
        return product.unflatten(1, columns.shape[1:]), 2
