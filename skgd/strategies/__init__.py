"""Gradient strategies: three rungs of one ladder, and the contract for a fourth.

`AutogradStrategy` and `ModuleStrategy` are imported when first asked for, since they
bring in torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from skgd.strategies._base import GradientStrategy
from skgd.strategies._manual import ManualStrategy

if TYPE_CHECKING:
    from skgd.strategies._autograd import AutogradStrategy
    from skgd.strategies._module import ModuleStrategy

__all__ = ["AutogradStrategy", "GradientStrategy", "ManualStrategy", "ModuleStrategy"]

#: The names that the estimator's `strategy` parameter takes.
STRATEGY_NAMES = {
    "manual": "ManualStrategy",
    "autograd": "AutogradStrategy",
    "module": "ModuleStrategy",
}

_IMPORTED_ON_DEMAND = {
    "AutogradStrategy": "skgd.strategies._autograd",
    "ModuleStrategy": "skgd.strategies._module",
}


def strategy_from(strategy: str | GradientStrategy) -> GradientStrategy:
    """Build the strategy of a name, or clone the one given."""
    if isinstance(strategy, GradientStrategy):
        return clone(strategy)
    return getattr(import_module(__name__), STRATEGY_NAMES[strategy])()


def names_of_strategies_with(kind: str) -> list[str]:
    """Name the strategies that descend on a kind of loss; brings in torch."""
    module = import_module(__name__)
    return [
        name
        for name, class_name in STRATEGY_NAMES.items()
        if kind in getattr(module, class_name).losses
    ]


def __getattr__(name: str) -> Any:
    if name in _IMPORTED_ON_DEMAND:
        return getattr(import_module(_IMPORTED_ON_DEMAND[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
