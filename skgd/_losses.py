"""Losses: what one row's error costs, and how that cost changes with the prediction.

A loss knows nothing of rows, weights or averages: it maps predictions and targets,
element by element. It is written once, in operations that NumPy arrays and torch
tensors share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


class SquaredError:
    """Squared error ``(prediction - y)**2``: with no 1/2, as in ``nn.MSELoss``."""

    #: Largest second derivative with respect to the prediction.
    curvature = 2.0

    def value(self, prediction: Any, y: Any) -> Any:
        """Loss of each element."""
        return (prediction - y) ** 2

    def value_and_influence(self, prediction: Any, y: Any) -> tuple[Any, Any]:
        """Loss of each element and half its derivative; overwrites `prediction`.

        Half the derivative is what robust statistics calls the influence of a residual
        (Huber, Robust Statistics, 1981); of squared error it is the residual itself.
        Working in the caller's array saves the allocation of another of its size.
        """
        prediction -= y
        return prediction**2, prediction

    def criterion(self, reduction: str) -> torch.nn.Module:
        """Give the same loss as torch has it; `reduction` is "none" or "mean"."""
        from torch.nn import MSELoss

        return MSELoss(reduction=reduction)
