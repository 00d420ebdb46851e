"""Losses: what one row's error costs, and how that cost changes with the prediction.

A loss knows nothing of rows, weights or averages: it maps predictions and targets,
element by element. Those known by name are written once, in operations that NumPy
arrays and torch tensors share; a loss of the user's own is torch's affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from skgd._data.rows import means

if TYPE_CHECKING:
    import torch

#: The names that the estimator's `loss` parameter takes.
LOSS_NAMES = ("squared_error", "huber")


def loss_from(loss: Any, epsilon: float) -> Loss:
    """Build the loss of a name, a torch criterion or a function."""
    if not isinstance(loss, str):
        return CustomLoss(loss)
    return Huber(epsilon) if loss == "huber" else SquaredError()


class Loss(ABC):
    """A loss element by element.

    Attributes
    ----------
    kind : str
        What a strategy has to know of, to descend on it: see its `losses`.
    curvature : float or None
        Largest second derivative with respect to the prediction. None: not known.
    condenses : bool
        Whether the mean over rows depends on the moments of the data alone.
    """

    kind: ClassVar[str]
    curvature: ClassVar[float | None] = 2.0
    condenses: ClassVar[bool] = False

    @abstractmethod
    def value(self, prediction: Any, y: Any) -> Any:
        """Loss of each element."""

    @abstractmethod
    def value_and_influence(self, prediction: Any, y: Any) -> tuple[Any, Any]:
        """Loss of each element and half its derivative; may overwrite `prediction`.

        Half the derivative is what robust statistics calls the influence of a residual
        (Huber, Robust Statistics, 1981); of squared error it is the residual itself.
        Working in the caller's array saves the allocation of another of its size.
        """

    @abstractmethod
    def criterion(self, reduction: str) -> Callable[[Any, Any], torch.Tensor]:
        """Give the same loss as torch has it; `reduction` is "none" or "mean"."""

    def center(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Give a constant to predict each target by, to start from."""
        return means(y, weight)

    def in_range_of(self, dtype: np.dtype) -> Loss:
        """Give the same loss with constants that the dtype holds."""
        return self


class SquaredError(Loss):
    """Squared error ``(prediction - y)**2``: with no 1/2, as in ``nn.MSELoss``."""

    kind = "squared_error"
    condenses = True

    def value(self, prediction: Any, y: Any) -> Any:
        """Square the residuals."""
        return (prediction - y) ** 2

    def value_and_influence(self, prediction: Any, y: Any) -> tuple[Any, Any]:
        """Square the residuals, and give them."""
        prediction -= y
        return prediction**2, prediction

    def criterion(self, reduction: str) -> Callable[[Any, Any], torch.Tensor]:
        """Give ``nn.MSELoss``."""
        from torch.nn import MSELoss

        return MSELoss(reduction=reduction)


class Huber(Loss):
    """Huber's loss: squared error, but linear where the residual exceeds `epsilon`.

    ``r**2`` for ``|r| <= epsilon``, and beyond ``2 epsilon |r| - epsilon**2`` (Huber
    1964, Robust estimation of a location parameter). Twice that of SGDRegressor and of
    ``nn.HuberLoss``, as squared error is, so that it has no 1/2 either.

    Parameters
    ----------
    epsilon : float
        From where on a residual is an outlier, in the units of y.
    """

    kind = "huber"

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def value(self, prediction: Any, y: Any) -> Any:
        """Square the residuals up to epsilon."""
        residual = prediction - y
        influence = residual.clip(-self.epsilon, self.epsilon)
        return influence * (2 * residual - influence)

    def value_and_influence(self, prediction: Any, y: Any) -> tuple[Any, Any]:
        """Square the residuals up to epsilon, and clip them there."""
        prediction -= y
        influence = prediction.clip(-self.epsilon, self.epsilon)
        prediction *= 2
        prediction -= influence
        prediction *= influence
        return prediction, influence

    def criterion(self, reduction: str) -> Callable[[Any, Any], torch.Tensor]:
        """Give twice ``nn.HuberLoss``."""
        from torch.nn import HuberLoss

        half = HuberLoss(reduction=reduction, delta=self.epsilon)
        return lambda prediction, y: 2 * half(prediction, y)

    def in_range_of(self, dtype: np.dtype) -> Loss:
        """Take no residual for an outlier where none can be."""
        return Huber(min(self.epsilon, float(np.finfo(dtype).max)))

    def center(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Give the median, which outliers do not move."""
        weight = np.ones(len(y)) if weight is None else weight
        return np.stack(
            [
                np.quantile(target, 0.5, weights=weight, method="inverted_cdf")
                for target in y.T.astype(np.float64, copy=False)
            ]
        )


class CustomLoss(Loss):
    """A loss of the user's own: a torch criterion, or a function of tensors.

    A criterion is built, or set, to leave the mean to us: with ``reduction="none"``.

    Parameters
    ----------
    loss : torch.nn.Module, class of such, or callable
        Called as ``loss(prediction, target)`` with tensors of shape (n_rows,
        n_targets); gives the loss of each element.
    """

    kind = "custom"
    curvature = None

    def __init__(self, loss: Callable[..., Any]) -> None:
        self.loss = loss
        self._call = loss
        if isinstance(loss, type):
            self._call = self._built(loss)
        elif hasattr(loss, "reduction"):
            self._call = deepcopy(loss)
            self._call.reduction = "none"

    def value(self, prediction: Any, y: Any) -> Any:
        """Ask the user's loss, and check its answer."""
        if isinstance(prediction, np.ndarray):
            import torch

            with torch.no_grad():
                return self.value(torch.tensor(prediction), torch.tensor(y)).numpy()
        try:
            # A copy: y may be the user's own array, and the loss may write into it.
            value = self._call(prediction, y.clone())
        except (TypeError, RuntimeError) as error:
            raise ValueError(
                f"{self._name} must take (prediction, target), tensors of shape "
                f"{tuple(prediction.shape)}, and compute by torch's own functions. It "
                f"raised {error!r}."
            ) from error
        shape = getattr(value, "shape", None)
        if shape != prediction.shape:
            given = f"shape {tuple(shape)}" if shape is not None else repr(value)
            raise ValueError(
                f"{self._name} must return the loss of each element, a tensor of the "
                f"shape of the prediction, {tuple(prediction.shape)}. It returned "
                f"{given}. Leave out the mean or the sum: weights and the mean over "
                "rows are the estimator's."
            )
        if prediction.requires_grad and not value.requires_grad:
            raise ValueError(
                f"{self._name} returned a tensor that torch cannot differentiate with "
                "respect to the prediction. Compute it by torch's own functions, "
                "without detach() or numpy()."
            )
        return value

    def value_and_influence(self, prediction: Any, y: Any) -> tuple[Any, Any]:
        """Let torch differentiate."""
        import torch

        if isinstance(prediction, np.ndarray):
            tensors = torch.tensor(prediction), torch.tensor(y)
            value, influence = self.value_and_influence(*tensors)
            return value.numpy(), influence.numpy()
        with torch.enable_grad():
            leaf = prediction.detach().requires_grad_()
            value = self.value(leaf.clone(), y)  # a leaf cannot be written into
            (slope,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), slope / 2

    def criterion(self, reduction: str) -> Callable[[Any, Any], torch.Tensor]:
        """Give the user's own, and its mean."""
        if reduction == "none":
            return self.value
        return lambda prediction, y: self.value(prediction, y).mean()

    def bad_value(self, prediction: np.ndarray, y: np.ndarray) -> str:
        """Say where a finite prediction has a loss that is not; empty: nowhere."""
        value = self.value(prediction, y)
        bad = ~np.isfinite(value) & np.isfinite(prediction)
        if not bad.any():
            return ""
        first = tuple(np.argwhere(bad)[0])
        return (
            f"{self._name} returned {value[first]} for the prediction "
            f"{prediction[first]:.6g} and the target {y[first]:.6g}. It must be finite "
            "for every finite prediction"
        )

    @property
    def _name(self) -> str:
        return f"loss={self.loss!r}"

    @staticmethod
    def _built(loss: Any) -> Any:
        """Build a criterion from its class."""
        try:
            return loss(reduction="none")
        except TypeError as error:
            raise ValueError(
                f"loss={loss!r} is a class that cannot be built as "
                f"{loss.__name__}(reduction='none'): {error}. Pass an instance of it, "
                "or a function (prediction, target) -> loss of each element."
            ) from error
