"""Checks of gradient strategies, ours and yours."""

from skgd.testing._check_gradient_strategy import check_gradient_strategy

__all__ = ["check_gradient_strategy"]
