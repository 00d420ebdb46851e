"""A device that is none: MPS, acted by tensors on the CPU, so that mixing is found.

Tensors of the class `OnDevice` report the device "mps". With them and others in one
operation it raises, as torch does, and so does float64, which MPS has not.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE, CPU = torch.device("mps"), torch.device("cpu")

#: These take tensors of both, or tell of one without reading it.
BOTH = {"copy_", "__setitem__", "to", "cpu"}
TELL = {"as_subclass", "untyped_storage", "dtype", "shape"}


class OnDevice(torch.Tensor):
    """A tensor that acts as if it were on the device."""

    def __deepcopy__(self, memo):
        return self.clone()


class FakeDevice(TorchFunctionMode):
    """Lets `OnDevice` tensors act."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", str(function))
        tensors = [a for a in tree_leaves((args, kwargs)) if is_tensor(a)]
        there = [a for a in tensors if type(a) is OnDevice]
        if function == torch.Tensor.device.__get__:
            return DEVICE if there else CPU
        if name in TELL:
            return function(*args, **kwargs)
        if function is torch.Tensor.numpy and there:
            assert kwargs.get("force"), "numpy() of a tensor on a device"
            return function(args[0].as_subclass(torch.Tensor), force=True)
        args, kwargs, target = without_device(function, args, kwargs)
        into_cpu = name in BOTH and type(args[0]) is not OnDevice
        if target is None and there and name not in BOTH and name != "__getitem__":
            strangers = [a for a in tensors if type(a) is not OnDevice and a.dim()]
            if strangers:
                raise RuntimeError(f"tensors of two devices in {name}")
        result = function(*args, **kwargs)
        if name in ("copy_", "__setitem__"):
            return result
        if target is None and there and not into_cpu:
            target = DEVICE

        def placed(value):
            if not is_tensor(value) or target is None:
                return value
            if target == CPU:
                return value.as_subclass(torch.Tensor)
            if value.dtype == torch.float64:
                raise TypeError(f"MPS has no float64 ({name})")
            return value.as_subclass(OnDevice)

        return tree_map(placed, result)


def is_tensor(value):
    return isinstance(value, torch.Tensor)


def without_device(function, args, kwargs):
    """Return arguments for the CPU, and which device was asked for, if any was."""
    target, args = kwargs.get("device"), list(args)
    if function is torch.Tensor.cpu:
        target = CPU
    for i, value in enumerate(args):
        if isinstance(value, torch.device):
            target, args[i] = value, CPU
        elif i and is_tensor(value) and function is torch.Tensor.to:
            target = DEVICE if type(value) is OnDevice else CPU
    if kwargs.get("device") is not None:
        kwargs["device"] = CPU
    return tuple(args), kwargs, None if target is None else torch.device(target)
