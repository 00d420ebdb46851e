"""Tensors that stay where they lie, and what is asked of their columns there.

Rows are NumPy arrays, sparse arrays or, on a device of torch's, tensors. The functions
here do for tensors what those of the same names in `rows`, `scatter` and `whitening` do
for arrays: large tensors are read a block at a time, and results, which are small, are
NumPy's. Sums are float64, on a device that has none (MPS) those of each block are taken
to the CPU.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from skgd._typing import Array

if TYPE_CHECKING:
    import torch

# Blocks have so many elements, and of large tensors a 64th part: large enough that a
# GPU is busy, and small beside X.
_MOST_BLOCK_ELEMENTS, _LEAST_BLOCK_ELEMENTS, _BLOCKS = 2**24, 2**18, 64

# Products are those of so many rows each, summed up in float64: float32 keeps its
# digits (beside an outlier, those of 2048 rows were off by 4e-5, these by 5e-6), and a
# GPU is busy where there are few columns.
_ROWS_OF_A_PRODUCT = 256


def is_tensor(array: object) -> bool:
    """Return whether an array is a tensor; torch is not imported for that."""
    if type(array) is np.ndarray:
        return False
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def tensor_of(array: np.ndarray) -> torch.Tensor:
    """Return a tensor of the memory of an array, whatever torch's default device."""
    import torch

    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()  # torch knows no such strides
    if not array.flags.writeable:
        array = np.asarray(_Writable(array))
    return torch.from_numpy(array)


class _Writable:
    """Read-only memory as such that may be written: torch warns of other, and reads.

    Filters of warnings, which are the whole process's, are not for threads.
    """

    def __init__(self, array: np.ndarray) -> None:
        self._array = array  # kept as long as what is made of it
        address, _ = array.__array_interface__["data"]
        self.__array_interface__ = {
            **array.__array_interface__,
            "data": (address, False),
        }


def dtype_of(array: Array) -> np.dtype:
    """Return the dtype of an array or a tensor, as NumPy's."""
    if is_tensor(array):
        return np.dtype(str(array.dtype).removeprefix("torch."))
    dtype: np.dtype = array.dtype
    return dtype


def cast(array: Array, dtype: np.dtype) -> Array:
    """Return an array or a tensor in this dtype, without a copy where it has it.

    Where a tensor's device has no float64, that is float32.
    """
    if is_tensor(array):
        wants_most = np.dtype(dtype) == np.float64
        return array.to(widest_dtype(array) if wants_most else _torch_dtype(dtype))
    return array.astype(dtype, copy=False)


def beside(array: Array, tensor: torch.Tensor) -> torch.Tensor:
    """Return an array or a number as a tensor of the same dtype and device."""
    if not is_tensor(array):
        array = tensor_of(np.asarray(array))
    return array.to(device=tensor.device, dtype=tensor.dtype)


def sent(array: Array, device: torch.device) -> torch.Tensor:
    """Return an array as a tensor of its dtype on a device."""
    import torch

    tensor = array if is_tensor(array) else tensor_of(np.asarray(array))
    if device.type == "mps" and tensor.dtype == torch.float64:
        tensor = tensor.float()
    return tensor.to(device)


def for_autograd(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor that autograd takes: those of inference_mode are copied."""
    import torch

    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False):
        return tensor.clone()


def ones_like(tensor: torch.Tensor) -> torch.Tensor:
    """Return as many ones, in the dtype of weights."""
    import torch

    return torch.ones_like(tensor, dtype=widest_dtype(tensor))


def widest_dtype(tensor: torch.Tensor) -> torch.dtype:
    """Return the dtype of the most digits that the tensor's device has."""
    import torch

    return torch.float32 if tensor.device.type == "mps" else torch.float64


def numpy_of(tensor: Array) -> np.ndarray:
    """Return a small tensor in NumPy."""
    array: np.ndarray = tensor.numpy(force=True)
    return array


def blocks(columns: torch.Tensor, a_multiple_of: int = 1) -> list[slice]:
    """Return slices that cut the rows of a tensor into blocks, of so many rows each.

    The last may be shorter.
    """
    n_rows, n_columns = columns.shape
    n_elements = n_rows * n_columns // _BLOCKS
    n_elements = max(min(n_elements, _MOST_BLOCK_ELEMENTS), _LEAST_BLOCK_ELEMENTS)
    n_multiples = max(n_elements // n_columns // a_multiple_of, 1)
    length = n_multiples * a_multiple_of
    return [slice(i, min(i + length, n_rows)) for i in range(0, n_rows, length)]


def means(columns: torch.Tensor, weight: torch.Tensor | None) -> np.ndarray:
    """Return the weighted mean of each column, from the first row with a weight."""
    first = columns[0] if weight is None else columns[weight.nonzero()[0, 0]]
    first = _wide(first)
    total: Array = 0
    for block, counts in _weighted(columns, weight):
        distance = block - first
        total = total + (distance.sum(0) if counts is None else counts @ distance)
    return numpy_of(first + total / _sum_of(weight, len(columns)))


def root_mean_squares(
    columns: torch.Tensor, weight: torch.Tensor | None, about: np.ndarray | None
) -> np.ndarray:
    """Return the root mean square of each column's distance from `about`, or from 0.

    Columns whose squares leave the range of float64 are scaled first.
    """
    about = np.zeros(columns.shape[1]) if about is None else about.astype(np.float64)
    total, center = _sum_of(weight, len(columns)), beside(about, _wide(columns[:1]))
    squares: Array = 0
    for block, counts in _weighted(columns, weight):
        distance = block - center
        squares = squares + _weighted_squares(distance, counts)
    norms = np.sqrt(numpy_of(squares / total))
    for j in np.flatnonzero((norms == 0) | ~np.isfinite(norms)):
        distance, counts = _wide(columns[:, j]) - about[j], weight
        if weight is not None:  # a row of weight zero may be of any size
            distance, counts = distance[weight > 0], _wide(weight[weight > 0])
        peak = float(distance.abs().max())
        if peak > 0:
            square = _weighted_squares((distance / peak)[:, None], counts)
            norms[j] = peak * np.sqrt(float(square / total))
    return norms


def highest_and_lowest(columns: torch.Tensor) -> np.ndarray:
    """Return the largest and the smallest value of each column, as two rows."""
    return np.stack([numpy_of(columns.amax(0)), numpy_of(columns.amin(0))])


def column_sums(columns: torch.Tensor) -> np.ndarray:
    """Return the sum of each column."""
    total: Array = 0
    for rows in blocks(columns):
        total = total + _wide(columns[rows]).sum(0)
    return numpy_of(total)


def squared_norms(columns: torch.Tensor) -> torch.Tensor:
    """Return the square of the norm of each row."""
    import torch

    return torch.linalg.vector_norm(columns, dim=1).square()


def medians(columns: torch.Tensor, weight: torch.Tensor | None) -> np.ndarray:
    """Return the lower weighted median of each column."""
    import torch

    found = []
    for column in columns.T:
        ordered, order = column.sort()
        if weight is None:
            found.append(float(ordered[(len(column) - 1) // 2]))
            continue
        sums = _wide(weight[order])
        if torch.are_deterministic_algorithms_enabled():
            sums = sums.cpu()  # cumsum of CUDA's has an order of its own
        sums = sums.cumsum(0)
        at = torch.searchsorted(sums, sums[-1:] / 2)
        found.append(float(ordered[at[0].to(ordered.device)]))
    return np.array(found)


def products(
    X: torch.Tensor,
    y: torch.Tensor,
    weight: torch.Tensor | None,
    pilots: tuple[np.ndarray, np.ndarray],
    dtype: np.dtype,
) -> tuple[np.ndarray, ...]:
    """Return the products of ``[X, y] - pilots`` and ones, each with each.

    Parameters
    ----------
    X, y : tensor of shape (n_rows, n_features) and (n_rows, n_targets)
        The rows.
    weight : tensor of shape (n_rows,) or None
        What the products are weighted by.
    pilots : tuple of ndarrays
        What is subtracted from the columns of X and y.
    dtype : numpy.dtype
        In which X is multiplied; those of float32 are summed up in float64.

    Returns
    -------
    weight, X_sum, y_sum, XX, Xy, yy : ndarray
        The sums over all rows.
    """
    import torch

    d, n_targets = X.shape[1], y.shape[1]
    in_float32 = dtype == np.float32 and X.dtype == torch.float32
    in_float32 = in_float32 and not cuts_digits(X.device)
    like = X[:1] if in_float32 else _wide(X[:1])
    X_pilot = beside(pilots[0], like)
    y_pilot = beside(pilots[1], y.new_empty(0, dtype=widest_dtype(y)))
    n_columns = d + n_targets + 1
    parts = blocks(X, a_multiple_of=_rows_of_a_product(n_columns))
    Z = like.new_empty((parts[0].stop, n_columns))
    of_X: Array = 0
    for rows in parts:  # few operations for each: a GPU waits for them
        part = Z[: rows.stop - rows.start]
        torch.subtract(X[rows].to(Z.device), X_pilot, out=part[:, :d])
        part[:, d:-1] = y[rows] - y_pilot
        part[:, -1] = 1
        if weight is not None:
            part *= _wide(weight[rows])[:, None].sqrt().to(Z)
        of_X = of_X + _product_of_parts(part, d)
    n_together = max(d // (n_targets + 1), 1)
    of_y: Array = 0
    for some in range(0, len(parts), n_together):
        rows = slice(parts[some].start, parts[some : some + n_together][-1].stop)
        B = _wide(y[rows] - y_pilot)
        B = torch.cat([B, torch.ones_like(B[:, :1])], 1)
        if weight is not None:
            B *= _wide(weight[rows])[:, None].sqrt()
        of_y = of_y + _product_of_parts(B, n_targets + 1)
    XZ, YZ = numpy_of(of_X), numpy_of(of_y)
    XX, Xy, X_sum = XZ[:, :d], XZ[:, d:-1], XZ[:, -1]
    return YZ[-1, -1], X_sum, YZ[-1, :-1], (XX + XX.T) / 2, Xy, YZ[:-1, :-1]


def triangular_factor(
    X: torch.Tensor,
    y: torch.Tensor,
    weight: torch.Tensor | None,
    mean: np.ndarray,
    scale: np.ndarray,
) -> np.ndarray:
    """Return that of a column of ones and of ``([X, y] - mean) / scale``.

    By orthogonal transformations of a block of rows at a time, in float64.
    """
    import torch

    d, triangle = X.shape[1], None
    center, unit = (beside(each, _wide(X[:1])) for each in (mean, scale))
    for rows in blocks(X):
        block = _wide(X[rows])
        Z = block.new_ones((len(block), 1 + len(mean)))
        Z[:, 1 : 1 + d], Z[:, 1 + d :] = block, _wide(y[rows])
        Z[:, 1:] -= center
        Z[:, 1:] /= unit
        if weight is not None:
            Z *= _wide(weight[rows])[:, None].sqrt()
        if triangle is not None:
            Z = torch.cat([triangle, Z])
        triangle = torch.linalg.qr(Z, mode="r").R
    assert triangle is not None
    return numpy_of(triangle)


def mean_squares_along(
    X: torch.Tensor,
    weight: torch.Tensor | None,
    about: np.ndarray,
    directions: np.ndarray,
) -> np.ndarray:
    """Return the weighted mean square of ``(X - about) directions`` of each column."""
    center, along_which = (beside(a, _wide(X[:1])) for a in (about, directions))
    squares: Array = 0
    for block, counts in _weighted(X, weight):
        along = (block - center) @ along_which
        squares = squares + _weighted_squares(along, counts)
    return numpy_of(squares / _sum_of(weight, len(X)))


def predictions(
    X: torch.Tensor, coef: np.ndarray, intercept: float | np.ndarray
) -> torch.Tensor:
    """Return what a model predicts, in the wider dtype of X and the coefficients.

    A block of rows at a time, so that X is not copied to become float64.
    """
    import torch

    dtype = torch.promote_types(X.dtype, _torch_dtype(coef.dtype))
    if dtype == X.dtype and not (dtype == torch.float32 and cuts_digits(X.device)):
        return X @ beside(coef, X) + beside(intercept, X)
    parts = []
    for rows in blocks(X):
        block = _wide(X[rows])
        part = block @ beside(coef, block) + beside(intercept, block)
        parts.append(part.to(device=X.device, dtype=dtype))
    return torch.cat(parts)


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return numbers in float64; where the device has none, on the CPU."""
    import torch

    if tensor.device.type == "mps":
        tensor = tensor.cpu()
    return tensor.to(torch.float64)


def cuts_digits(device: torch.device) -> bool:
    """Return whether products of float32 have TensorFloat-32's three digits there.

    Users may have allowed that for their networks.
    """
    import torch

    if device.type != "cuda":
        return False
    of_products = torch.backends.cuda.matmul
    if hasattr(of_products, "fp32_precision"):  # where the older name may raise
        return of_products.fp32_precision == "tf32"
    return bool(of_products.allow_tf32)


def _rows_of_a_product(n_columns: int) -> int:
    """Return of how many rows products are taken, to be summed up in float64."""
    return max(_ROWS_OF_A_PRODUCT, 4 * n_columns)


def _product_of_parts(Z: torch.Tensor, d: int) -> torch.Tensor:
    """Return the product of the first d columns with all of them, in float64."""
    length = _rows_of_a_product(Z.shape[1])
    n_parts = len(Z) // length
    total: Array = 0
    if n_parts:
        parts = Z[: n_parts * length].view(n_parts, length, -1)
        total = _wide_sum(parts[..., :d].mT @ parts)
    rest = Z[n_parts * length :]
    return total + _wide(rest[:, :d].T @ rest) if len(rest) else total


def _wide_sum(parts: torch.Tensor) -> torch.Tensor:
    """Return the sum of the parts, in float64."""
    import torch

    if parts.device.type == "mps":
        parts = parts.cpu()
    return parts.sum(0, dtype=torch.float64)


def _weighted(
    columns: torch.Tensor, weight: torch.Tensor | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    """Yield blocks of rows in float64, and their weights."""
    for rows in blocks(columns):
        counts = None if weight is None else _wide(weight[rows])
        yield _wide(columns[rows]), counts


def _weighted_squares(
    distance: torch.Tensor, counts: torch.Tensor | None
) -> torch.Tensor:
    """Return the weighted sum of the squares of each column."""
    if counts is None:
        return distance.square().sum(0)
    return counts @ distance.square()


def _sum_of(weight: torch.Tensor | None, n_rows: int) -> Array:
    """Return the sum of the weights, or the number of rows."""
    return n_rows if weight is None else _wide(weight).sum()


def _torch_dtype(dtype: np.dtype) -> torch.dtype:
    """Return torch's dtype of the same name."""
    import torch

    found: torch.dtype = getattr(torch, np.dtype(dtype).name)
    return found
