"""Gradient descent as torch users write it: a module, a criterion, an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from skgd._objective.objective import Objective
from skgd.strategies._affine_module import AffineModule
from skgd.strategies._base import GradientStrategy


class ModuleStrategy(GradientStrategy):
    """``nn.Linear``, ``nn.MSELoss`` and ``torch.optim.SGD``, or others in their place.

    Parameters
    ----------
    module : callable or None, default=None
        Factory ``(n_features, n_targets) -> nn.Module`` of a module that is affine in
        X and maps (n_rows, n_features) to (n_rows, n_targets). None is ``nn.Linear``,
        with a bias where the estimator has ``fit_intercept=True``; a factory of your
        own has to agree with `fit_intercept` (``functools.partial(nn.Linear,
        bias=False)`` for False). To pickle the estimator, or to search with
        ``n_jobs``, use a named function or a class rather than a lambda.
    optimizer : callable, default=torch.optim.SGD
        Class of the optimizer, or a factory called like one: ``optimizer(parameters,
        lr=1.0, **optimizer_params)``. At each step the estimator's learning rate
        multiplies the rates that it was built with. Optimizers that need a closure,
        such as ``torch.optim.LBFGS``, get one.
    optimizer_params : dict or None, default=None
        Further arguments of `optimizer`, such as ``{"momentum": 0.9}``. The learning
        rate is the estimator's.

    Attributes
    ----------
    plain : bool
        Set by `start`: whether the optimizer is ``torch.optim.SGD`` without momentum
        and weight decay, on a module whose parameters are the coefficients. The other
        attributes are those of `GradientStrategy`.

    Raises
    ------
    ValueError
        At `fit`, if the factory does not return an ``nn.Module``, or the module is not
        affine in X, draws random numbers, has no trainable parameters, returns the
        wrong shape, or has a bias with ``fit_intercept=False`` or none with
        ``fit_intercept=True``; if `optimizer_params` is no dict, or holds "lr", or
        `optimizer` does not take it, or does not return a torch optimizer; and if a
        module that does not hold its coefficients (see Notes) is to start elsewhere
        than at zero.

    See Also
    --------
    ManualStrategy : The same steps by hand.
    AutogradStrategy : The same loss on leaf tensors.

    Notes
    -----
    If the module's parameters are the coefficients (``nn.Linear``, or a module that
    holds one), the descent starts where the estimator says. A module with more
    parameters than coefficients (two stacked ``nn.Linear``) starts where its factory
    leaves it, since many settings of it stand for the same coefficients: with it,
    `coef_init`, `intercept_init`, a warm start and a second `partial_fit` are refused.
    Its coefficients are read off as ``module(I) - module(0)``. The factory runs with a
    fork of torch's random generator: ``torch.manual_seed`` controls it, and `fit`
    leaves the generator as it was.

    Examples
    --------
    >>> import torch
    >>> from skgd import GDLinearRegressor
    >>> from skgd.strategies import ModuleStrategy
    >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [2.0, 4.0, 6.0, 8.0]
    >>> adam = ModuleStrategy(optimizer=torch.optim.Adam)
    >>> model = GDLinearRegressor(adam, learning_rate=0.1, max_iter=500, tol=None)
    >>> model.fit(X, y).predict([[10.0]]).round(1)
    array([20.])
    """

    needs_tensors = True
    losses = ("squared_error", "huber", "custom")
    penalizes = True

    def __init__(
        self,
        module: Callable[[int, int], nn.Module] | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
        optimizer_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.module = module
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params

    def start(self, coef: Any, intercept: Any, objective: Objective) -> None:
        """Build the module, its criterion and its optimizer.

        For the parameters see `GradientStrategy.start`.
        """
        n_features, n_targets = coef.shape
        fit_intercept = intercept is not None
        with torch.random.fork_rng(devices=[]):
            module = self._build_module(n_features, n_targets, fit_intercept)
            module.to(coef.device, coef.dtype)
            self._affine = AffineModule(module, n_features, n_targets, fit_intercept)
        self._affine.move_to(coef, intercept)
        self._module = module
        self._mean_loss = objective.loss.criterion("mean")
        self._row_losses = objective.loss.criterion("none")
        self._l2 = objective.l2
        self._optimizer = self._build_optimizer()
        # Groups with rates of their own had them as multiples of a rate of one.
        self._rate_factors = [group["lr"] for group in self._optimizer.param_groups]
        self._needs_closure = _needs_closure(self._optimizer)
        self.plain = self._affine.holds_coefficients and _is_plain_sgd(
            self._optimizer, module
        )

    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        """Compute the losses, and the gradients by ``backward()``.

        For the parameters see `GradientStrategy.evaluate`.
        """
        self._optimizer.zero_grad()
        prediction = self._module(X)
        if not self._affine.holds_coefficients:
            prediction.retain_grad()
        losses = self._losses(prediction, y, weight)
        if self._l2 is not None:
            coef = self._affine.differentiable_coef()
            if not self._affine.holds_coefficients:  # nor changes it with the update
                self._evaluated_coef = coef.detach()
            losses = losses + (self._l2 * coef**2).sum(0)
        losses.sum().backward()
        self._batch, self._prediction = (X, y, weight), prediction
        return losses.detach().reshape(-1)

    def update(self, learning_rate: float) -> None:
        """Let the optimizer take its step.

        For the parameters see `GradientStrategy.update`.
        """
        for group, factor in zip(
            self._optimizer.param_groups, self._rate_factors, strict=True
        ):
            group["lr"] = learning_rate * factor
        if self._needs_closure:
            self._optimizer.step(lambda: self.evaluate(*self._batch).sum())
        else:
            self._optimizer.step()

    @property
    def coef(self) -> Any:
        """Current coefficients: live where the module's parameters are them."""
        return self._affine.coef

    @property
    def intercept(self) -> Any:
        """Current intercept: live where the module's bias is it."""
        return self._affine.intercept

    @property
    def gradients(self) -> tuple[Any, Any]:
        """Gradients with respect to the coefficients and the intercept."""
        if self._affine.holds_coefficients:
            return self._affine.parameter_gradients()
        coef_gradient, intercept_gradient = self._affine.chain(
            self._batch[0], self._prediction.grad
        )
        if self._l2 is not None:
            coef_gradient = coef_gradient + 2 * self._l2 * self._evaluated_coef
        return coef_gradient, intercept_gradient

    def _losses(self, prediction: Any, y: Any, weight: Any) -> Any:
        """Average the criterion over the rows, target by target."""
        if weight is None and y.shape[1] == 1:
            return self._mean_loss(prediction, y)  # one kernel instead of two
        value = self._row_losses(prediction, y)
        return value.mean(0) if weight is None else weight @ value / len(y)

    def _build_module(
        self, n_features: int, n_targets: int, fit_intercept: bool
    ) -> nn.Module:
        """Call the factory, and check that it gives a module."""
        if self.module is None:
            return nn.Linear(n_features, n_targets, bias=fit_intercept)
        if isinstance(self.module, nn.Module) or not callable(self.module):
            raise ValueError(
                "The 'module' parameter of ModuleStrategy must be a factory "
                "(n_features, n_targets) -> nn.Module, such as nn.Linear or a function "
                f"that returns a module. Got {self.module!r} instead."
            )
        try:
            module = self.module(n_features, n_targets)
        except TypeError as error:
            raise ValueError(
                "The 'module' parameter of ModuleStrategy must be a factory that takes "
                f"(n_features, n_targets): {self.module!r} called with ({n_features}, "
                f"{n_targets}) raised {error!r}."
            ) from error
        if not isinstance(module, nn.Module):
            raise ValueError(
                "The 'module' parameter of ModuleStrategy must return an nn.Module. "
                f"module({n_features}, {n_targets}) returned {module!r} instead."
            )
        return module

    def _build_optimizer(self) -> torch.optim.Optimizer:
        """Call the optimizer's class; its learning rate comes with each update."""
        params = {} if self.optimizer_params is None else self.optimizer_params
        if not isinstance(params, Mapping):
            raise ValueError(
                "The 'optimizer_params' parameter of ModuleStrategy must be a dict, "
                "such as {'momentum': 0.9}, or None. Got "
                f"{self.optimizer_params!r} instead."
            )
        params = dict(params)
        if "lr" in params:
            raise ValueError(
                "optimizer_params must not hold 'lr' (got "
                f"{params['lr']!r}): set the estimator's learning_rate."
            )
        if not callable(self.optimizer):
            raise ValueError(
                "The 'optimizer' parameter of ModuleStrategy must be a class such as "
                "torch.optim.Adam, or a function called like one. Got "
                f"{self.optimizer!r} instead."
            )
        try:
            optimizer = self.optimizer(self._module.parameters(), lr=1.0, **params)
        except TypeError as error:
            raise ValueError(
                f"optimizer={self.optimizer!r} does not take optimizer_params={params} "
                f"(and lr): {error}."
            ) from error
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise ValueError(
                "The 'optimizer' parameter of ModuleStrategy must return a "
                f"torch.optim.Optimizer. {self.optimizer!r} returned {optimizer!r} "
                "instead."
            )
        return optimizer


def _needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether ``step`` cannot be called without a closure, as L-BFGS's."""
    closure = signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is Parameter.empty


def _is_plain_sgd(optimizer: torch.optim.Optimizer, module: nn.Module) -> bool:
    """Whether a step is ``-lr * gradient`` of all parameters and nothing else."""
    if type(optimizer) is not torch.optim.SGD or len(optimizer.param_groups) != 1:
        return False
    (group,) = optimizer.param_groups
    stepped = {id(parameter) for parameter in group["params"]}
    return (
        stepped.issuperset(id(p) for p in module.parameters() if p.requires_grad)
        and group["lr"] == 1
        and not (group["momentum"] or group["weight_decay"] or group["maximize"])
    )
