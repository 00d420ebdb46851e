"""An nn.Module that is affine in X, seen as coefficients and an intercept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import nn

_N_PROBES = 5
_BASIS_BLOCK = 1024


class AffineModule:
    """The linear model that a module stands for.

    Parameters
    ----------
    module : nn.Module
        A module on the device and of the dtype that it will run on.
    n_features, n_targets : int
        Shape of the model.
    fit_intercept : bool
        Whether the model has an intercept. The module has to agree.

    Attributes
    ----------
    holds_coefficients : bool
        Whether the module's trainable parameters are the coefficients and the
        intercept themselves, so that a gradient step on the one is a step on the
        other. Not so for stacked layers.

    Raises
    ------
    ValueError
        Where the module does not take X, its output has the wrong shape, it is not
        affine, or it has a bias where ``fit_intercept=False`` or none where True.
    """

    def __init__(
        self, module: nn.Module, n_features: int, n_targets: int, fit_intercept: bool
    ) -> None:
        self.module = module
        self.n_features, self.n_targets = n_features, n_targets
        self.fit_intercept = fit_intercept
        self._trainable = [p for p in module.parameters() if p.requires_grad]
        if not self._trainable:
            raise ValueError(f"The module {_name(module)} has no trainable parameters.")
        self._like = self._trainable[0].detach()
        self._coef, self._intercept = self._recognise()
        self.holds_coefficients = self._coef is not None

    @property
    def coef(self) -> torch.Tensor:
        """Coefficients (n_features, n_targets): live where the module holds them."""
        if self._coef is not None:
            return self._coef.value
        with torch.no_grad():
            return self.differentiable_coef()

    def differentiable_coef(self) -> torch.Tensor:
        """Coefficients (n_features, n_targets), in the graph of the parameters."""
        if self._coef is not None:
            return self._coef.differentiable
        at_zero = self.module(self._zeros(1))
        return torch.cat([self.module(E) - at_zero for E in self._basis()])

    @property
    def intercept(self) -> torch.Tensor | None:
        """Intercept (n_targets,): live where the module holds it."""
        if not self.fit_intercept:
            return None
        if self._intercept is not None:
            return self._intercept.value
        return self._map(self._zeros(1))[0]

    def parameter_gradients(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Read the gradients off the parameters of a module that holds them."""
        assert self._coef is not None
        intercept = self._intercept
        return self._coef.gradient, intercept.gradient if intercept else None

    def chain(
        self, X: torch.Tensor, slope: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Give the gradients by the chain rule, from that of the module's output."""
        return X.T @ slope, slope.sum(0) if self.fit_intercept else None

    @torch.no_grad()
    def move_to(self, coef: torch.Tensor, intercept: torch.Tensor | None) -> None:
        """Set the coefficients and the intercept; zero elsewhere than here is refused.

        A module that does not hold its coefficients stays where its factory left it.
        """
        if self._coef is not None:
            self._coef.value.copy_(coef)
            if self._intercept is not None and intercept is not None:
                self._intercept.value.copy_(intercept)
        elif coef.any() or (intercept is not None and intercept.any()):
            raise ValueError(
                "coef_init, intercept_init, warm_start=True, and partial_fit from the "
                "second chunk on need a module whose parameters are the coefficients, "
                "such as nn.Linear. The parameters of "
                f"{_name(self.module)} have the shapes "
                f"{[tuple(p.shape) for p in self._trainable]}: many settings of them "
                "stand for the same coefficients, so the descent can only start where "
                "the factory leaves them."
            )

    @torch.no_grad()
    def _recognise(self) -> tuple[_View | None, _View | None]:
        """Check that the module is affine, and find coefficients among parameters.

        The probes run at random parameters, and at their negatives: at zero, every
        module looks linear, and where they are positive, so does their absolute value.
        """
        initial = [p.detach().clone() for p in self._trainable]
        generator = torch.Generator().manual_seed(0)
        U, V = torch.randn(2, _N_PROBES, self.n_features, generator=generator).to(
            self._like
        )
        for p in self._trainable:
            p.copy_(torch.randn(p.shape, generator=generator))
        at_U = self._check_affine(U, V)
        self._check_intercept()
        views = [pair for pair in self._pairs_of_views() if _computes(U, at_U, *pair)]
        for p in self._trainable:
            p.neg_()
        at_U = self._check_affine(U, V)
        views = [pair for pair in views if _computes(U, at_U, *pair)]
        for p, value in zip(self._trainable, initial, strict=True):
            p.copy_(value)
        return views[0] if views else (None, None)

    def _check_affine(self, U: torch.Tensor, V: torch.Tensor) -> torch.Tensor:
        """Check that the module maps 2U - V to 2 module(U) - module(V)."""
        before = self._generator_state()
        at_U, at_V = self._map(U), self._map(V[:-1])
        if not torch.equal(self._generator_state(), before):
            raise ValueError(
                "ModuleStrategy needs a module that is affine in X, and the same at "
                f"each call. {_name(self.module)} draws random numbers. Remove dropout "
                "and noise."
            )
        deviation = (self._map((2 * U - V)[:-1]) - (2 * at_U[:-1] - at_V)).abs().max()
        if not deviation <= _rounding(at_U):
            raise ValueError(
                "ModuleStrategy needs a module that is affine in X, row by row, such "
                f"as nn.Linear or stacked nn.Linear. {_name(self.module)} is not: "
                "module(2u - v) differs from 2 module(u) - module(v) by "
                f"{deviation.item():.3g} at random rows u, v. Remove activations and "
                "normalization layers."
            )
        return at_U

    def _check_intercept(self) -> None:
        """Check that the module has an intercept just where the model has one."""
        has_intercept = bool(self._map(self._zeros(1)).any())
        if has_intercept and not self.fit_intercept:
            raise ValueError(
                f"fit_intercept=False, but the module {_name(self.module)} has a bias. "
                "Build it without (functools.partial(nn.Linear, bias=False)), or set "
                "fit_intercept=True."
            )
        if self.fit_intercept and not has_intercept:
            raise ValueError(
                f"fit_intercept=True, but the module {_name(self.module)} has no bias: "
                "it maps X = 0 to 0. Give it one, or set fit_intercept=False."
            )

    def _pairs_of_views(self) -> Iterator[tuple[_View, _View | None]]:
        """Pair all parameters that have the shapes of coefficients and intercept."""
        if len(self._trainable) != (2 if self.fit_intercept else 1):
            return
        intercepts = self._views((self.n_targets,)) if self.fit_intercept else [None]
        yield from product(self._views((self.n_features, self.n_targets)), intercepts)

    def _views(self, shape: tuple[int, ...]) -> Iterator[_View]:
        """View the parameters, transposed or not, in this shape where they have it."""
        for parameter in self._trainable:
            if len(shape) == 2 and parameter.shape == shape[::-1]:
                yield _View(parameter, lambda tensor: tensor.T)
            if parameter.numel() == math.prod(shape):
                yield _View(parameter, lambda tensor: tensor.reshape(shape))

    def _map(self, X: torch.Tensor) -> torch.Tensor:
        """Map rows through the module, and check the shape of what comes out."""
        with torch.no_grad():
            try:
                output = self.module(X)
            except (RuntimeError, ValueError, TypeError) as error:
                raise ValueError(
                    f"The module {_name(self.module)} does not take X of shape "
                    f"{tuple(X.shape)}, (n_rows, n_features): {error}"
                ) from error
        expected = (len(X), self.n_targets)
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else None
        if shape != expected:
            raise ValueError(
                f"The module {_name(self.module)} must map X of shape "
                f"{tuple(X.shape)} to shape {expected}, (n_rows, n_targets). It "
                f"returned {f'shape {shape}' if shape is not None else repr(output)}."
            )
        return output

    def _basis(self) -> Iterator[torch.Tensor]:
        """Rows of the identity matrix, a block at a time."""
        for first in range(0, self.n_features, _BASIS_BLOCK):
            size = min(_BASIS_BLOCK, self.n_features - first)
            block = self._zeros(size)
            block.diagonal(first).fill_(1)
            yield block

    def _zeros(self, n_rows: int) -> torch.Tensor:
        return self._like.new_zeros(n_rows, self.n_features)

    def _generator_state(self) -> torch.Tensor:
        """State of the random generator that the module would draw from."""
        device = self._like.device
        if device.type == "cpu":
            return torch.get_rng_state()
        return torch.get_device_module(device).get_rng_state()


def _computes(
    U: torch.Tensor, at_U: torch.Tensor, coef: _View, intercept: _View | None
) -> bool:
    """Whether ``U @ coef + intercept`` is what the module gave."""
    prediction = U @ coef.value + (0 if intercept is None else intercept.value)
    return bool((prediction - at_U).abs().max() <= _rounding(at_U))


def _rounding(output: torch.Tensor) -> float:
    """Deviation that rounding explains in values of the size of `output`."""
    return float(torch.finfo(output.dtype).eps ** 0.5 * output.abs().max())


def _name(module: nn.Module) -> str:
    """Give the repr of a module on one line."""
    return " ".join(repr(module).split())


class _View:
    """A parameter in the shape of the coefficients or the intercept."""

    def __init__(
        self,
        parameter: nn.Parameter,
        reshape: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        self._parameter, self._reshape = parameter, reshape

    @property
    def value(self) -> torch.Tensor:
        return self._reshape(self._parameter.detach())

    @property
    def differentiable(self) -> torch.Tensor:
        return self._reshape(self._parameter)

    @property
    def gradient(self) -> torch.Tensor:
        gradient = self._parameter.grad
        assert gradient is not None  # backward() has been called
        return self._reshape(gradient)
