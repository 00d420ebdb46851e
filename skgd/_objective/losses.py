"""Losses: what one row's error costs, and how that cost changes with the prediction.

A loss maps predictions and targets, element by element. Those known by name are
written once, in operations that NumPy arrays and torch tensors share; a loss of the
user's own is computed and differentiated by torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from skgd._data.rows import Rows, means
from skgd._data.tensors import is_tensor, medians, numpy_of
from skgd._typing import Array

if TYPE_CHECKING:
    import torch

#: The names that the estimator's `loss` parameter takes.
LOSS_NAMES = ("squared_error", "huber")


def loss_from(loss: str | Callable[..., Any], epsilon: float) -> Loss:
    """Build the loss of a name, a torch criterion or a function."""
    if not isinstance(loss, str):
        return CustomLoss(loss)
    return {"squared_error": SquaredError(), "huber": Huber(epsilon)}[loss]


class Loss(ABC):
    """A loss element by element.

    Attributes
    ----------
    kind : str
        The name by which a strategy lists it in its `losses`.
    curvature : float or None
        Largest second derivative with respect to the prediction. None: not known.
    curvature_varies : bool
        Whether the second derivative is far below `curvature` for some residuals.
    condenses : bool
        Whether the mean over rows depends on the moments of the data alone.
    largest_pseudo_residual : float
        Largest size of half the derivative.
    """

    kind: ClassVar[str]
    largest_pseudo_residual: float = np.inf
    curvature: ClassVar[float | None] = None
    curvature_varies: ClassVar[bool] = False
    condenses: ClassVar[bool] = False

    @abstractmethod
    def value(self, prediction: Array, y: Array) -> Array:
        """Return the loss of each element."""

    @abstractmethod
    def value_and_residual(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each element, and half its derivative.

        Of squared error the latter is the residual itself; of other losses it is what
        gradient boosting calls the pseudo-residual, and robust statistics the influence
        of a residual (Huber, Robust Statistics, 1981). It may overwrite `prediction`:
        working in the caller's array saves the allocation of another of its size.
        """

    @abstractmethod
    def criterion(self, reduction: str) -> Callable[[Array, Array], torch.Tensor]:
        """Return the same loss as torch has it; `reduction` is "none" or "mean"."""

    def mean(self, prediction: Array, rows: Rows) -> Array:
        """Return the weighted mean over the rows, of each target."""
        value = self.value(prediction, rows.y)
        if rows.weight is None:
            return value.mean(0)
        return rows.weight @ value / len(rows.y)

    def mean_and_residual(self, prediction: Array, rows: Rows) -> tuple[Array, Array]:
        """Return the weighted mean, and the pseudo-residuals times their weights."""
        value, residual = self.value_and_residual(prediction, rows.y)
        if rows.weight is not None:
            value *= rows.weight[:, None]
            residual *= rows.weight[:, None]
        return (1 / len(rows.y)) * value.sum(0), residual

    def center(self, y: Array, weight: Array | None) -> np.ndarray:
        """Return a constant to predict each target by, to start from."""
        return means(y, weight)

    def in_range_of(self, dtype: np.dtype) -> Loss:
        """Return the same loss with constants that the dtype holds."""
        return self

    def __repr__(self) -> str:
        """Return what the estimator's parameter `loss` was."""
        return repr(self.kind)


class SquaredError(Loss):
    """Squared error ``(prediction - y)**2``: with no 1/2, as in ``nn.MSELoss``."""

    kind = "squared_error"
    curvature = 2.0
    condenses = True

    def value(self, prediction: Array, y: Array) -> Array:
        """Return the squares of the residuals."""
        return (prediction - y) ** 2

    def value_and_residual(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return the squares of the residuals, and the residuals."""
        prediction -= y
        return prediction**2, prediction

    def mean_and_residual(self, prediction: Array, rows: Rows) -> tuple[Array, Array]:
        """Return the same; without weights, one target's is a product of residuals."""
        if rows.weight is not None or rows.y.shape[1] > 1:
            return super().mean_and_residual(prediction, rows)
        prediction -= rows.y
        return (1 / len(rows.y)) * (prediction.T @ prediction)[0], prediction

    def criterion(self, reduction: str) -> Callable[[Array, Array], torch.Tensor]:
        """Return ``nn.MSELoss``."""
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
    curvature = 2.0
    curvature_varies = True

    def __init__(self, epsilon: float) -> None:
        self.epsilon = self.largest_pseudo_residual = float(epsilon)

    def value(self, prediction: Array, y: Array) -> Array:
        """Return the loss of each element."""
        residual = prediction - y
        clipped = residual.clip(-self.epsilon, self.epsilon)
        return clipped * (2 * residual - clipped)

    def value_and_residual(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each element, and the residuals clipped at epsilon."""
        prediction -= y
        clipped = prediction.clip(-self.epsilon, self.epsilon)
        prediction *= 2
        prediction -= clipped
        prediction *= clipped
        return prediction, clipped

    def criterion(self, reduction: str) -> Callable[[Array, Array], torch.Tensor]:
        """Return twice ``nn.HuberLoss``."""
        from torch.nn import HuberLoss

        half = HuberLoss(reduction=reduction, delta=self.epsilon)
        return lambda prediction, y: 2 * half(prediction, y)

    def in_range_of(self, dtype: np.dtype) -> Loss:
        """Return the loss whose epsilon is at most the largest number of the dtype."""
        return Huber(min(self.epsilon, float(np.finfo(dtype).max)))

    def center(self, y: Array, weight: Array | None) -> np.ndarray:
        """Return the median, which outliers do not move."""
        if is_tensor(y):
            return medians(y, weight)
        weight = np.ones(len(y)) if weight is None else weight
        return np.stack(
            [
                np.quantile(target, 0.5, weights=weight, method="inverted_cdf")
                for target in y.T.astype(np.float64, copy=False)
            ]
        )


class Criterion(Loss):
    """Another loss, computed as torch users write it: by its criterion.

    Parameters
    ----------
    loss : Loss
        The loss.
    """

    kind = "criterion"

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._each, self._mean = loss.criterion("none"), loss.criterion("mean")

    def value(self, prediction: Array, y: Array) -> Array:
        """Return what the criterion makes of each element."""
        return self._each(prediction, y)

    def mean(self, prediction: Array, rows: Rows) -> Array:
        """Return the weighted mean; that of one target by one kernel, of no shape."""
        if rows.weight is None and rows.y.shape[1] == 1:
            return self._mean(prediction, rows.y)
        return super().mean(prediction, rows)

    def value_and_residual(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return what the loss itself does."""
        return self._loss.value_and_residual(prediction, y)

    def criterion(self, reduction: str) -> Callable[[Array, Array], torch.Tensor]:
        """Return what the loss itself does."""
        return self._loss.criterion(reduction)


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

    def __init__(self, loss: Callable[..., Any]) -> None:
        self.loss = loss
        self._call: Any = loss
        if isinstance(loss, type):
            self._call = self._built(loss)
        elif hasattr(loss, "reduction"):
            self._call = deepcopy(loss)
            self._call.reduction = "none"

    def value(self, prediction: Array, y: Array) -> Array:
        """Return what the user's loss makes of each element, checked."""
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

    def value_and_residual(self, prediction: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each element, and half of what torch differentiates."""
        import torch

        if isinstance(prediction, np.ndarray):
            tensors = torch.tensor(prediction), torch.tensor(y)
            value, residual = self.value_and_residual(*tensors)
            return value.numpy(), residual.numpy()
        with torch.enable_grad():
            leaf = prediction.detach().requires_grad_()
            value = self.value(leaf.clone(), y)  # a leaf cannot be written into
            (slope,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), slope / 2

    def criterion(self, reduction: str) -> Callable[[Array, Array], torch.Tensor]:
        """Return the user's own loss, or its mean."""
        if reduction == "none":
            return self.value
        return lambda prediction, y: self.value(prediction, y).mean()

    def bad_value(self, prediction: Array, y: Array) -> str:
        """Return where a finite prediction has a loss that is not; empty: nowhere."""
        value = self.value(prediction, y)
        if is_tensor(value):
            value, prediction, y = map(numpy_of, (value, prediction, y))
        bad = ~np.isfinite(value) & np.isfinite(prediction)
        if not bad.any():
            return ""
        first = tuple(np.argwhere(bad)[0])
        return (
            f"{self._name} returned {value[first]} for the prediction "
            f"{prediction[first]:.6g} and the target {y[first]:.6g}. It must be finite "
            "for every finite prediction"
        )

    def __repr__(self) -> str:
        return repr(self.loss)

    @property
    def _name(self) -> str:
        return f"loss={self!r}"

    @staticmethod
    def _built(loss: type) -> Callable[..., Any]:
        """Build a criterion from its class."""
        try:
            return loss(reduction="none")
        except TypeError as error:
            raise ValueError(
                f"loss={loss!r} is a class that cannot be built as "
                f"{loss.__name__}(reduction='none'): {error}. Pass an instance of it, "
                "or a function (prediction, target) -> loss of each element."
            ) from error
