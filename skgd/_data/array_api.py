"""Arrays of other libraries, under scikit-learn's ``array_api_dispatch``.

What lies in the memory of the CPU is read as NumPy's, without a copy. What lies on
another device becomes a tensor of torch's there, without a copy where it speaks DLPack.
Results go back to the library and the device of X.
"""

from __future__ import annotations

from contextlib import suppress
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import BaseEstimator

from skgd._data.device import is_here, to_numpy
from skgd._data.tensors import is_tensor, sent
from skgd._typing import Array

# What DLPack calls the memory of the CPU.
_CPU_OF_DLPACK = 1

# Where a pickle tells on which devices the arrays of a fitted model were.
_DEVICES = "_devices"


class Origin(NamedTuple):
    """The library and the device that the user's X is from."""

    namespace: ModuleType | None  # None: torch
    device: Any

    def back(self, array: Array) -> Array:
        """Return an array, a tensor or a number there."""
        if not is_tensor(array):
            array = numbers_of_torch(array)
        if self.namespace is None:
            return sent(array, self.device)
        from sklearn.utils._array_api import move_to

        return move_to(array, xp=self.namespace, device=self.device)


def origin_of(X: Any) -> Origin | None:
    """Return where results belong; None: in NumPy, as without dispatch."""
    if not is_dispatched(X):
        return None
    if is_tensor(X):
        return Origin(None, X.device)
    from sklearn.utils._array_api import get_namespace_and_device

    namespace, _, device = get_namespace_and_device(X)
    return Origin(namespace, device)


def is_dispatched(data: object) -> bool:
    """Return whether data are an array of another library, and dispatch is on."""
    if type(data) is np.ndarray or not get_config()["array_api_dispatch"]:
        return False
    if is_tensor(data):
        return True
    # Not at the top: of scikit-learn's private names, NumPy's users need none.
    from sklearn.utils._array_api import (
        _is_numpy_namespace,
        array_api_compat,
        get_namespace_and_device,
    )

    of_dask = hasattr(data, "__dask_graph__")
    if of_dask or not array_api_compat.is_array_api_obj(data):
        return False
    namespace, *_ = get_namespace_and_device(data)
    return not _is_numpy_namespace(namespace)


def read_array(data: Any) -> Array:
    """Return an array of another library in NumPy, or as a tensor where it lies.

    Tensors are detached from their graph. They are left to torch where they are not on
    the CPU, and where they are of a class of their own, whose memory is not for others.
    """
    if not is_tensor(data):
        if not lies_elsewhere(data):
            from sklearn.utils._array_api import move_to

            return move_to(data, xp=np, device="cpu")
        from torch.utils.dlpack import from_dlpack

        data = from_dlpack(data)
    tensor = at_least_float32(data.detach())
    return tensor if lies_elsewhere(tensor) else tensor.numpy(force=True)


def check_library_of_fit(estimator: BaseEstimator, X: Any, method: str) -> None:
    """Raise where X is not of the library and device of `coef_`, under dispatch."""
    if not get_config()["array_api_dispatch"]:
        return
    from sklearn.utils._array_api import check_same_namespace

    check_same_namespace(X, estimator, attribute="coef_", method=method)


def lies_elsewhere(array: Any) -> bool:
    """Return whether data are an array that is not to be read as NumPy's."""
    if not is_dispatched(array):
        return False
    if not is_tensor(array):
        return array.__dlpack_device__()[0] != _CPU_OF_DLPACK
    import torch

    own_class = type(array) not in (torch.Tensor, torch.nn.Parameter)
    return array.device.type != "cpu" or own_class


def refuse_elsewhere(what: str, **named: object) -> None:
    """Raise where data lie on another device, and something reads the CPU's alone."""
    data: Any
    for name, data in named.items():
        if not lies_elsewhere(data):
            continue
        origin = origin_of(data)
        assert origin is not None
        where, way_out = f"lies on {str(origin.device)!r}", f"{name}.cpu()"
        if is_tensor(data) and data.device.type == "cpu":
            where = f"is a tensor of the class {type(data).__name__}"
            way_out = f"{name}.as_subclass(torch.Tensor)"
        raise ValueError(
            f"{name} {where}, and {what}. Pass {name} on the CPU instead: of torch, "
            f"{way_out}."
        )


def at_least_float32(tensor: Array) -> Array:
    """Return a tensor whose floats have at least the digits of float32."""
    import torch

    kept = torch.float64, torch.float32
    if tensor.is_floating_point() and tensor.dtype not in kept:
        return tensor.float()
    return tensor


def follow(X: Array, data: Array) -> Array:
    """Return data where X has been read: in NumPy, or as a tensor on its device."""
    if not is_tensor(X):
        return data.numpy(force=True) if is_tensor(data) else data
    if is_tensor(data):
        return data.to(X.device)
    if issparse(data):
        raise ValueError(
            "A sparse matrix cannot stand beside tensors on a device. Pass its "
            "toarray(), or all data on the CPU."
        )
    return sent(numbers_of_torch(data), X.device)


def numbers_of_torch(data: Any) -> np.ndarray:
    """Return numbers in a dtype that torch has."""
    array = np.asarray(data)
    native = array.dtype.isnative and array.dtype != np.longdouble
    return array if native and array.dtype.kind in "fiub" else array.astype(np.float64)


def without_devices(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state to be pickled, in which fitted tensors are NumPy's.

    Where these were is kept, for `on_devices`.
    """
    fitted: dict[str, Any]
    fitted = {name: state.get(name) for name in ("coef_", "intercept_")}
    devices = {
        name: str(value.device) for name, value in fitted.items() if is_tensor(value)
    }
    if not devices:
        return state
    arrays = {name: to_numpy(state[name]) for name in devices}
    return {**state, **arrays, _DEVICES: devices}


def on_devices(state: dict[str, Any]) -> dict[str, Any]:
    """Return such a state with its tensors; NumPy's where their device is not here."""
    devices = state.get(_DEVICES)
    if devices is None:
        return state
    state = {name: value for name, value in state.items() if name != _DEVICES}
    for name, device in devices.items():
        with suppress(ImportError):  # predictions in NumPy need no torch
            import torch

            if is_here(torch.device(device)):
                state[name] = sent(state[name], torch.device(device))
    return state
