"""Check of gradient strategies, those of this package and your own."""

from skgd.testing._checks import check_gradient_strategy

__all__ = ["check_gradient_strategy"]
