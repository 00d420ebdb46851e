"""Gradient strategies: three that are interchangeable, and the contract for others.

`GradientStrategy` is the contract: it reads `Rows`, and computes the gradient of an
`Objective`. `ManualStrategy`, `AutogradStrategy` and `ModuleStrategy` implement it.

`AutogradStrategy` and `ModuleStrategy` need torch, and are imported at their first use.
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
