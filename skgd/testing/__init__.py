"""Checks of gradient strategies, ours and yours."""

from skgd.testing._checks import check_gradient_strategy

__all__ = ["check_gradient_strategy"]
