"""Where a module's coefficients are: in its parameters, or implied by all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from skgd._objective.objective import Objective
from skgd._typing import Parameters

_N_PROBES = 5
_BASIS_BLOCK = 1024


class View(NamedTuple):
    """A parameter of a module, in the shape of the coefficients or the intercept."""

    parameter: Tensor
    reshape: Callable[[Tensor], Tensor]

    @property
    def value(self) -> Tensor:
        """Return the values, which change with the parameter."""
        return self.reshape(self.parameter.detach())

    @property
    def gradient(self) -> Tensor:
        """Return the gradient of the last ``backward()``."""
        assert self.parameter.grad is not None
        return self.reshape(self.parameter.grad)


class HeldCoefficients:
    """The coefficients of a module whose parameters are the coefficients themselves.

    A gradient step on the one is then a step on the other.

    Parameters
    ----------
    module : nn.Module
        The module.
    views : sequence of View
        Coefficients (n_features, n_targets) and, where there is one, the intercept.
    """

    def __init__(self, module: nn.Module, views: Sequence[View]) -> None:
        self.predict = module
        self._views = views

    @property
    def parameters(self) -> Parameters:
        """Return coefficients and intercept, live also where ``.data`` is replaced."""
        return tuple(view.value for view in self._views)

    def start_at(self, parameters: Parameters) -> None:
        """Set the parameters."""
        for current, value in zip(self.parameters, parameters, strict=True):
            current.copy_(value)

    def penalized_coef(self, objective: Objective) -> Tensor:
        """Return the coefficients in the graph of the parameters."""
        return self._views[0].reshape(self._views[0].parameter)

    def gradients(self, objective: Objective) -> Parameters:
        """Return the gradients of the last ``backward()``."""
        return tuple(view.gradient for view in self._views)

    def set_gradients(self, gradients: Parameters) -> None:
        """Write other gradients in their place."""
        for view, gradient in zip(self._views, gradients, strict=True):
            if view.parameter.grad is None:  # the rows were evaluated elsewhere
                view.parameter.grad = torch.empty_like(view.parameter)
            view.gradient.copy_(gradient)


class ImpliedCoefficients:
    """The coefficients of a module that is affine in X, such as stacked layers.

    They are read off as ``module(I) - module(0)``. Many settings of the parameters
    stand for the same coefficients, so that the module stays where it is built.

    Parameters
    ----------
    module : nn.Module
        A module on the device and of the dtype that it will run on.
    n_features, n_targets : int
        Shape of the model.
    fit_intercept : bool
        Whether the model has an intercept. The module has to agree.

    Raises
    ------
    ValueError
        Where the module does not take X, its output has the wrong shape, it is not
        affine, or it has a bias where ``fit_intercept=False`` or none where True.
    """

    def __init__(
        self, module: nn.Module, n_features: int, n_targets: int, fit_intercept: bool
    ) -> None:
        self._module, self._name = module, " ".join(repr(module).split())
        self._shape = n_features, n_targets
        self._fit_intercept = fit_intercept
        self._trainable = [p for p in module.parameters() if p.requires_grad]
        if not self._trainable:
            raise ValueError(f"The module {self._name} has no trainable parameters.")

    @property
    def parameters(self) -> Parameters:
        """Return the coefficients and the intercept as they are now."""
        with torch.no_grad():
            at_zero = self._module(self._zeros(1))
            return (self._coef(), at_zero[0])[: 1 + self._fit_intercept]

    def start_at(self, parameters: Parameters) -> None:
        """Refuse to start elsewhere than at zero, which stands for no wish."""
        if any(parameter.any() for parameter in parameters):
            raise ValueError(
                "coef_init, intercept_init, warm_start=True, and partial_fit from the "
                "second chunk on need a module whose parameters are the coefficients, "
                f"such as nn.Linear. The parameters of {self._name} have the shapes "
                f"{[tuple(p.shape) for p in self._trainable]}: many settings of them "
                "stand for the same coefficients, so the descent can only start where "
                "the factory leaves them."
            )

    def predict(self, X: Tensor) -> Tensor:
        """Return what the module makes of X, which is to keep its gradient."""
        self._X, self._prediction = X, self._module(X)
        self._prediction.retain_grad()
        return self._prediction

    def penalized_coef(self, objective: Objective) -> Tensor:
        """Return the coefficients in the graph of the parameters.

        Zeros if there is no L2 penalty: reading them off takes as long as predicting
        n_features rows.
        """
        coef = self._coef() if objective.penalty.has_l2 else self._zeros(1).T
        self._evaluated_coef = coef.detach()
        return coef

    def gradients(self, objective: Objective) -> Parameters:
        """Return the gradients of the last ``backward()``, by the chain rule."""
        slope = self._prediction.grad
        coef_gradient = self._X.T @ slope
        objective.add_l2_gradient(self._evaluated_coef, to=coef_gradient)
        return (coef_gradient, slope.sum(0))[: 1 + self._fit_intercept]

    def set_gradients(self, gradients: Parameters) -> None:
        """Refuse: those of the coefficients do not tell those of the parameters."""
        raise ValueError(
            "A learning rate for each target needs a module whose parameters are the "
            f"coefficients, such as nn.Linear; those of {self._name} are not."
        )

    @torch.no_grad()
    def recognized(self) -> HeldCoefficients | ImpliedCoefficients:
        """Check that the module is affine, and find coefficients among its parameters.

        The probes run at random parameters, and at their negatives: at zero, every
        module looks linear, and where they are positive, so does their absolute value.
        """
        initial = [p.detach().clone() for p in self._trainable]
        generator = torch.Generator().manual_seed(0)
        U, V = torch.randn(2, _N_PROBES, self._shape[0], generator=generator).to(
            self._trainable[0].detach()
        )
        for p in self._trainable:
            p.copy_(torch.randn(p.shape, generator=generator))
        candidates = list(self._candidates())
        for _ in range(2):
            at_U = self._check_affine(U, V)
            candidates = [
                (coef, *intercept)
                for coef, *intercept in candidates
                if _equal(sum((b.value for b in intercept), U @ coef.value), at_U)
            ]
            self._check_intercept()
            for p in self._trainable:
                p.neg_()
        for p, value in zip(self._trainable, initial, strict=True):
            p.copy_(value)
        return HeldCoefficients(self._module, candidates[0]) if candidates else self

    def _candidates(self) -> Iterator[tuple[View, ...]]:
        """Yield the parameters that have the shapes of coefficients and intercept."""
        shapes = [self._shape, self._shape[1:]][: 1 + self._fit_intercept]
        if len(self._trainable) == len(shapes):
            yield from product(*(self._views(shape) for shape in shapes))

    def _views(self, shape: tuple[int, ...]) -> Iterator[View]:
        """Yield the parameters in this shape, transposed or not, where they have it."""
        for parameter in self._trainable:
            if len(shape) == 2 and parameter.shape == shape[::-1]:
                yield View(parameter, lambda tensor: tensor.T)
            if parameter.numel() == math.prod(shape):
                yield View(parameter, lambda tensor: tensor.reshape(shape))

    def _check_affine(self, U: Tensor, V: Tensor) -> Tensor:
        """Check that the module maps 2U - V to 2 module(U) - module(V)."""
        at_U, at_V = self._mapped(U), self._mapped(V[:-1])
        extrapolated = 2 * at_U[:-1] - at_V
        mapped = self._mapped((2 * U - V)[:-1])
        if not _equal(mapped, extrapolated, size=at_U):
            raise ValueError(
                "ModuleStrategy needs a module that is affine in X, row by row, such "
                f"as nn.Linear or stacked nn.Linear. {self._name} is not: "
                "module(2u - v) differs from 2 module(u) - module(v) by "
                f"{(mapped - extrapolated).abs().max():.3g} at random rows u, v. "
                "Remove activations and normalization layers."
            )
        return at_U

    def _check_intercept(self) -> None:
        """Check that the module has an intercept just where the model has one."""
        has_intercept = bool(self._mapped(self._zeros(1)).any())
        if has_intercept and not self._fit_intercept:
            raise ValueError(
                f"fit_intercept=False, but the module {self._name} has a bias. Build "
                "it without (functools.partial(nn.Linear, bias=False)), or set "
                "fit_intercept=True."
            )
        if self._fit_intercept and not has_intercept:
            raise ValueError(
                f"fit_intercept=True, but the module {self._name} has no bias: it maps "
                "X = 0 to 0. Give it one, or set fit_intercept=False."
            )

    def _check_draws(self, draws: _RandomDraws) -> None:
        """Check that the module draws no random numbers."""
        if draws.refused:
            raise ValueError(
                "ModuleStrategy needs a module that is affine in X, and the same at "
                f"each call. {self._name} draws random numbers. Remove dropout and "
                "noise."
            ) from None

    def _mapped(self, X: Tensor) -> Tensor:
        """Return what the module makes of X, with its shape checked."""
        draws = _RandomDraws()
        try:
            with draws:
                output = self._module(X)
        except (RuntimeError, ValueError, TypeError) as error:
            self._check_draws(draws)
            raise ValueError(
                f"The module {self._name} does not take X of shape {tuple(X.shape)}, "
                f"(n_rows, n_features): {error}"
            ) from error
        self._check_draws(draws)  # it may have caught the refusal
        expected = (len(X), self._shape[1])
        shape = tuple(output.shape) if isinstance(output, Tensor) else None
        if shape != expected:
            raise ValueError(
                f"The module {self._name} must map X of shape {tuple(X.shape)} to "
                f"shape {expected}, (n_rows, n_targets). It returned "
                f"{f'shape {shape}' if shape is not None else repr(output)}."
            )
        return output

    def _coef(self) -> Tensor:
        """Return the coefficients, a block of rows of the identity at a time."""
        at_zero, blocks = self._module(self._zeros(1)), []
        for first in range(0, self._shape[0], _BASIS_BLOCK):
            block = self._zeros(min(_BASIS_BLOCK, self._shape[0] - first))
            block.diagonal(first).fill_(1)
            blocks.append(self._module(block) - at_zero)
        return torch.cat(blocks)

    def _zeros(self, n_rows: int) -> Tensor:
        return self._trainable[0].new_zeros(n_rows, self._shape[0])


class _RandomDraws(TorchDispatchMode):
    """Refuses torch's random draws in this thread, and leaves all generators alone.

    The state of torch's own generator, which is the whole process's, would change with
    the draws of other threads as well; and outputs hardly tell a dropout of few values.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused = False

    def __torch_dispatch__(
        self,
        operation: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operation of torch's, if it does not draw."""
        if torch.Tag.nondeterministic_seeded in operation.tags:
            self.refused = True
            raise RuntimeError(f"{operation} draws random numbers.")
        return operation(*args, **(kwargs or {}))


def _equal(values: Tensor, expected: Tensor, size: Tensor | None = None) -> bool:
    """Return whether values are equal but for rounding of numbers of this size."""
    size = expected if size is None else size
    rounding = torch.finfo(size.dtype).eps ** 0.5 * size.abs().max()
    return bool((values - expected).abs().max() <= rounding)
