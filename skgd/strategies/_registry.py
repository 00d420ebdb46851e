"""The built-in strategies by name."""

from __future__ import annotations

from sklearn.base import clone

import skgd.strategies  # of which a class is asked for by name, since some need torch
from skgd.strategies._base import GradientStrategy

#: The names that the estimator's `strategy` parameter takes.
STRATEGY_NAMES = {
    "manual": "ManualStrategy",
    "autograd": "AutogradStrategy",
    "module": "ModuleStrategy",
}


def strategy_from(strategy: str | GradientStrategy) -> GradientStrategy:
    """Build the strategy of a name, or clone the one given."""
    if isinstance(strategy, GradientStrategy):
        return clone(strategy)
    return getattr(skgd.strategies, STRATEGY_NAMES[strategy])()


def names_of_strategies_with(kind: str) -> list[str]:
    """Return the names of strategies that differentiate a loss; imports torch."""
    return [
        name
        for name, class_name in STRATEGY_NAMES.items()
        if kind in getattr(skgd.strategies, class_name).losses
    ]
