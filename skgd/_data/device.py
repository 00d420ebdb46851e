"""Where the arrays of a descent live: NumPy on the CPU, or torch on a device."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse

from skgd._data.rows import Rows
from skgd._data.shifted import ShiftedMatrix
from skgd._data.tensors import is_tensor, tensor_of
from skgd._typing import Array, Matrix, NumpyParameters, Parameters

if TYPE_CHECKING:
    import torch


# Devices of which torch may cast float32 to fewer digits, for networks.
_AUTOCASTING = "cpu", "cuda", "mps", "xpu"


class Device(NamedTuple):
    """NumPy where `torch_device` is None, and otherwise torch on that device."""

    torch_device: torch.device | None

    @property
    def has_float64(self) -> bool:
        """Whether double precision can be had here."""
        return self.torch_device is None or self.torch_device.type != "mps"

    @property
    def has_memory(self) -> bool:
        """Whether it has a memory of its own, to which arrays have to be sent."""
        return self.torch_device is not None and self.torch_device.type != "cpu"

    def send(self, array: Matrix | None) -> Array:
        """Return a NumPy or sparse array (or None) here; on the CPU without a copy.

        Tensors are here already.
        """
        if self.torch_device is None or array is None or is_tensor(array):
            return array
        if issparse(array) or isinstance(array, ShiftedMatrix):
            return self._sparse(array)
        if array.dtype == np.float64 and not self.has_float64:
            raise ValueError(
                "MPS computes in float32, whose range the squares of the values in X "
                "or y leave. Rescale the columns, or descend on the CPU: with tensors "
                "X.cpu() and y.cpu(), or device='cpu'."
            )
        return tensor_of(array).to(self.torch_device)

    def _sparse(self, array: Matrix) -> Array:
        """Return what torch multiplies in place of a sparse array."""
        if self.torch_device is not None and self.torch_device.type == "mps":
            raise ValueError(
                "device='mps' has no sparse matrices. Pass X.toarray() if it fits into "
                "memory, or use device='cpu'."
            )
        from skgd._data.sparse_tensor import SparseMatrix

        if isinstance(array, ShiftedMatrix):
            outer = self.send(array.left), self.send(array.right)
            return SparseMatrix(csr_array(array.matrix), self.send, outer)
        return SparseMatrix(csr_array(array), self.send)

    def gradients_on(self) -> AbstractContextManager[object]:
        """Return a context in which torch records gradients, whatever the user's."""
        if self.torch_device is None:
            return nullcontext()
        import torch

        context = ExitStack()
        context.enter_context(torch.inference_mode(False))
        context.enter_context(torch.enable_grad())
        return context

    def send_parts(self, parts: Iterable[Rows]) -> Rows:
        """Return all rows here, sent part by part: there is no copy of all in NumPy."""
        import torch

        pieces = list(zip(*(self.send_rows(part) for part in parts), strict=True))
        return Rows(*(None if p[0] is None else torch.cat(p) for p in pieces))

    def send_rows(self, rows: Rows) -> Rows:
        """Return rows here, with a column-major y.

        Column-major, each target's residuals are contiguous: with three targets a
        manual epoch on 100,000 rows takes 0.65 of its row-major time.
        """
        if rows.are_tensors:
            return rows
        y = rows.y if rows.n_targets == 1 else np.asfortranarray(rows.y)
        if self.torch_device is None:
            return rows._replace(y=y)
        return Rows(self.send(rows.X), self.send(y), self.send(rows.weight))


def plain_arithmetic() -> AbstractContextManager[object]:
    """Return a context in which NumPy does not warn, and torch does not autocast."""
    silence = np.errstate(all="ignore")
    torch = sys.modules.get("torch")
    casting = [
        kind for kind in _AUTOCASTING if torch and torch.is_autocast_enabled(kind)
    ]
    if torch is None or not casting:
        return silence
    context = ExitStack()
    context.enter_context(silence)
    for kind in casting:
        context.enter_context(torch.autocast(kind, enabled=False))
    return context


def device_of(
    device: str | torch.device | None,
    dtype: np.dtype,
    *,
    needs_tensors: bool,
    of_rows: torch.device | None = None,
) -> Device:
    """Return where a strategy keeps its arrays when it runs on `device`.

    Rows that are tensors are descended on where they lie; this is then the place of the
    few that they are condensed to.

    Parameters
    ----------
    device : str, torch.device or None
        The estimator's parameter. torch is imported only where it is needed.
    dtype : numpy.dtype
        Of the arrays.
    needs_tensors : bool
        Whether the strategy wants tensors also on the CPU.
    of_rows : torch.device or None, default=None
        Where rows lie that are tensors.

    Raises
    ------
    ValueError
        Where there is no such device, or it does not compute in `dtype`, or the rows
        lie on another one.
    """
    if device is None or (str(device) == "auto" and of_rows is not None):
        device = "cpu"
    elif of_rows is not None:
        _refuse_another(_available_device(device, dtype), of_rows)
    if str(device) == "cpu" and not needs_tensors:
        return Device(None)
    resolved = _available_device(device, dtype)
    if resolved.type == "cpu" and not needs_tensors:
        return Device(None)
    return Device(resolved)


def _refuse_another(device: torch.device, of_rows: torch.device) -> None:
    """Raise where the descent is to take place where the rows are not."""
    index = device.index
    if device.type == of_rows.type and index in (None, of_rows.index):
        return
    raise ValueError(
        f"device={str(device)!r}, but X lies on {str(of_rows)!r}, and rows are "
        "descended on where they lie. Leave device at None, which follows X, or pass "
        f"X.to({str(device)!r}) and y likewise."
    )


def _available_device(device: str | torch.device, dtype: np.dtype) -> torch.device:
    """Return the torch.device that the `device` parameter stands for."""
    import torch

    mps_fits = torch.backends.mps.is_available() and dtype == np.float32
    if str(device) == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if mps_fits else "cpu")

    available = ["'cpu'", "'auto'"]
    available += [f"'cuda:{i}'" for i in range(torch.cuda.device_count())]
    available += ["'mps'"] if torch.backends.mps.is_available() else []
    here = f"Available here: {', '.join(available)}."
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            "The 'device' parameter must be None, 'cpu', 'cuda', 'cuda:N', 'mps', "
            f"'auto' or a torch.device. Got {device!r} instead. {here}"
        ) from error

    if resolved.type == "mps" and torch.backends.mps.is_available() and not mps_fits:
        raise ValueError(
            "device='mps' computes in float32, but X is float64: pass X.astype("
            "numpy.float32), or use device='cpu'."
        )
    if not is_here(resolved):
        raise ValueError(f"device={str(device)!r} is not on this machine. {here}")
    return resolved


def is_here(device: torch.device) -> bool:
    """Return whether this machine has a device."""
    import torch

    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or (
        device.type == "mps" and torch.backends.mps.is_available()
    )


def to_numpy(array: Array) -> np.ndarray:
    """Return an array of any library and device in NumPy."""
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "numpy"):
        return array.numpy(force=True)
    if hasattr(array, "__dlpack__"):
        return np.from_dlpack(array, device="cpu")
    return np.asarray(array)


def in_numpy(parameters: Parameters) -> NumpyParameters:
    """Return parameters in NumPy, without a copy on the CPU."""
    return tuple(map(to_numpy, parameters))
