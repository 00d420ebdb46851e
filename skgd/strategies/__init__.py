"""Gradient strategies: three rungs of one ladder, and the contract for a fourth.

`GradientStrategy` is the contract, and `Objective` what it descends on;
`ManualStrategy`, `AutogradStrategy` and `ModuleStrategy` keep it.

`AutogradStrategy` and `ModuleStrategy` are imported when first asked for, since they
bring in torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
]

_IMPORTED_ON_DEMAND = {
    "AutogradStrategy": "skgd.strategies._autograd",
    "ModuleStrategy": "skgd.strategies._module",
}


def __getattr__(name: str) -> Any:
    if name in _IMPORTED_ON_DEMAND:
        return getattr(import_module(_IMPORTED_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
