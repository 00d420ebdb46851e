"""What holds a user's data: arrays, frames and tensors, as scikit-learn reads them."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from functools import cache
from itertools import pairwise
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np
from scipy.sparse import csc_array, issparse

from skgd._data.array_api import at_least_float32, is_dispatched, read_array
from skgd._data.tensors import dtype_of, is_tensor
from skgd._typing import Array

#: Data as a user passes them: array-likes, sparse matrices, frames, tensors.
Container = Any


def readable(name: str, data: Container) -> Container:
    """Return data in a form that scikit-learn reads, without a copy where it can be.

    Tensors become NumPy arrays, those of narwhals the frames that they wrap, and lists
    arrays, so that their dtype is known. Under scikit-learn's array API dispatch, so do
    arrays of other libraries; those on another device than the CPU become tensors.

    Raises
    ------
    ValueError
        Where these are no rows, or rows that cannot be read, with what to pass instead.
    """
    if isinstance(data, np.ndarray):
        _refuse_masked(name, data)
        return data
    if issparse(data) or isinstance(data, Real):
        return data
    if isinstance(data, (list, tuple)):
        return np.asarray(data)
    if is_tensor(data):
        _refuse_layouts(name, data)
    if is_dispatched(data):
        return read_array(data)
    if "torch" in sys.modules:  # there are no tensors where it is not imported
        if is_tensor(data):
            return _tensor_in_numpy(name, data)
        _refuse_loaders(name, data)
    frame = nw.from_native(data, pass_through=True)
    if isinstance(frame, nw.LazyFrame) and not hasattr(data, "__array__"):
        raise ValueError(
            f"{name} is a {type_of(data)}, of which no rows have been read. Pass "
            f"{name}.collect() instead."
        )
    return nw.to_native(data, pass_through=True)


def is_frame(X: Container) -> bool:
    """Return whether data are a frame: pandas', polars', pyarrow's, modin's, ..."""
    return not isinstance(X, np.ndarray) and nw.dependencies.is_into_dataframe(X)


def dtype_names(X: Container) -> list[str]:
    """Return the dtypes of the columns of a frame, or that of anything else.

    By their names, in lower case: pandas, polars and pyarrow call them alike.
    """
    dtypes: list[Hashable]
    if is_tensor(X):
        dtypes = [dtype_of(X)]
    elif not is_frame(X):
        dtypes = [getattr(X, "dtype", None)]
    elif hasattr(X, "dtypes"):
        dtypes = list(X.dtypes)
    else:
        dtypes = list(nw.from_native(X).schema.values())
    names = {dtype: _dtype_name(dtype) for dtype in dict.fromkeys(dtypes)}
    return [names[dtype] for dtype in dtypes]


def are_floats(data: Container) -> bool:
    """Return whether all columns are floats by their dtypes."""
    return all(name.startswith("float") for name in dtype_names(data))


def labeled_columns(name: str, data: Container) -> Iterator[tuple[str, Array]]:
    """Yield each column, or its stored values, and what to call it in a message."""
    if is_frame(data):
        for series in nw.from_native(data).iter_columns():
            yield f"column {series.name!r}", series.to_numpy()
        return
    if issparse(data):
        columns = csc_array(data)
        for j, (first, last) in enumerate(pairwise(columns.indptr)):
            yield f"column {j}", columns.data[first:last]
        return
    array = data if is_tensor(data) else _in_numpy(data)
    if array.ndim == 1 and name != "X":
        yield name, array
    elif array.ndim == 2:
        for j, column in enumerate(array.T):
            yield f"column {j}{'' if name == 'X' else f' of {name}'}", column


def _in_numpy(data: Container) -> np.ndarray:
    """Return an array of any dtype; of objects, where rows are of different lengths."""
    try:
        return np.asarray(data)
    except ValueError:
        return np.asarray(data, dtype=object)


def _dtype_name(dtype: Hashable) -> str:
    """Return the name of a dtype, in lower case."""
    if isinstance(dtype, np.dtype):
        return _numpy_dtype_name(dtype)
    return str(dtype).lower()


@cache
def _numpy_dtype_name(dtype: np.dtype) -> str:
    """Return a name that does not depend on the order of bytes; NumPy takes 5 us."""
    return str(dtype.newbyteorder("="))


def _tensor_in_numpy(name: str, tensor: Container) -> np.ndarray:
    """Return a tensor on the CPU in NumPy, also where it requires a gradient."""
    if tensor.device.type != "cpu":
        raise ValueError(
            f"{name} is a torch tensor on the device {str(tensor.device)!r}. Call "
            "sklearn.set_config(array_api_dispatch=True) to compute there and to get "
            f"tensors back. Or pass {name}.cpu(); the parameter `device` says where to "
            "descend."
        )
    array: np.ndarray = at_least_float32(tensor).numpy(force=True)
    return array


def _refuse_layouts(name: str, tensor: Container) -> None:
    """Raise where a tensor is sparse."""
    import torch

    if tensor.layout != torch.strided:
        how = "csr_array((values, col_indices, crow_indices))"
        if tensor.layout == torch.sparse_coo:
            how = "coo_array((values, indices))"
        raise ValueError(
            f"{name} is a torch tensor of layout {tensor.layout}. Pass a SciPy sparse "
            f"array instead: scipy.sparse.{how}."
        )


def _refuse_loaders(name: str, data: Container) -> None:
    """Raise where data are a Dataset or a DataLoader of torch."""
    from torch.utils.data import DataLoader, Dataset

    if not isinstance(data, (DataLoader, Dataset)):
        return
    loader = "loader"
    if isinstance(data, Dataset):
        loader = "torch.utils.data.DataLoader(dataset, batch_size=1024)"
    raise ValueError(
        f"{name} is a torch {type(data).__name__}. Pass arrays or tensors X and y, or "
        f"its batches one by one: for X, y in {loader}: model.partial_fit(X, y)."
    )


def _refuse_masked(name: str, array: np.ndarray) -> None:
    """Raise where values are masked, which scikit-learn would read all the same."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        n_missing = np.ma.getmaskarray(array).sum()
        raise ValueError(
            f"{name} is a masked array, of which {n_missing} values "
            f"are missing. Impute {name}.filled(numpy.nan), or leave out these rows."
        )


def type_of(data: Container) -> str:
    """Return the package and the class of an object."""
    kind = type(data)
    return f"{kind.__module__.partition('.')[0]} {kind.__name__}"
