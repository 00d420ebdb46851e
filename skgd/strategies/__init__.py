"""Gradient strategies: three that are interchangeable, and the contract for others.

`GradientStrategy` is the contract, `Objective` what it descends on, and `Rows` what it
reads; `ManualStrategy`, `AutogradStrategy` and `ModuleStrategy` keep it.

`AutogradStrategy` and `ModuleStrategy` are imported when first asked for, since they
bring in torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from skgd._data.rows import Rows
from skgd._objective.objective import Objective
from skgd.strategies._base import GradientStrategy
from skgd.strategies._manual import ManualStrategy

if TYPE_CHECKING:
    from skgd.strategies._autograd import AutogradStrategy
    from skgd.strategies._module import ModuleStrategy

__all__ = [
    "AutogradStrategy",
    "GradientStrategy",
    "ManualStrategy",
    "ModuleStrategy",
    "Objective",
    "Rows",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import what needs torch when it is first asked for."""
        modules = {"AutogradStrategy": "_autograd", "ModuleStrategy": "_module"}
        if name not in modules:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{modules[name]}"), name)


def __dir__() -> list[str]:
    return __all__
