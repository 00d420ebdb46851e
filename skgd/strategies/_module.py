"""Gradient descent as torch users write it: a module, a criterion, an optimizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from skgd._data.rows import Rows
from skgd._objective.losses import Criterion
from skgd._objective.objective import Objective
from skgd._typing import Array, Parameters
from skgd.strategies._affine_module import HeldCoefficients, ImpliedCoefficients, View
from skgd.strategies._base import GradientStrategy


class ModuleStrategy(GradientStrategy):
    """``nn.Linear``, ``nn.MSELoss`` and ``torch.optim.SGD``, or others in their place.

    Parameters
    ----------
    module : callable or None, default=None
        Factory ``(n_features, n_targets) -> nn.Module`` of a module that is affine in X
        and maps (n_rows, n_features) to (n_rows, n_targets). None is ``nn.Linear``,
        with a bias if the estimator has ``fit_intercept=True``; a factory of your own
        has to agree with `fit_intercept` (``functools.partial(nn.Linear, bias=False)``
        for False). To pickle the estimator, or to search with ``n_jobs``, use a named
        function or a class instead of a lambda. If fits run in several threads at once,
        the factory must not rely on seeding torch's generator, which all threads share:
        it has to draw from a ``torch.Generator`` of its own.
    optimizer : callable, default=torch.optim.SGD
        Class of the optimizer, or a factory called like one: ``optimizer(parameters,
        lr=1.0, **optimizer_params)``. At each step its learning rates are multiplied by
        the estimator's. Optimizers that need a closure, such as ``torch.optim.LBFGS``,
        get one.
    optimizer_params : dict or None, default=None
        Further arguments of `optimizer`, such as ``{"momentum": 0.9}``. The learning
        rate is not among them: it is the estimator's.

    Attributes
    ----------
    plain : bool
        Set by `start`: whether the optimizer is ``torch.optim.SGD`` without momentum
        and weight decay, on a module whose parameters are the coefficients. The other
        attributes are those of `GradientStrategy`.

    Raises
    ------
    ValueError
        At `fit`: if the factory does not return an ``nn.Module``; if the module is not
        affine in X, draws random numbers, has no trainable parameters, returns the
        wrong shape, or has a bias with ``fit_intercept=False`` or none with
        ``fit_intercept=True``; if `optimizer_params` is not a dict, or holds "lr"; if
        `optimizer` does not take these, or does not return a torch optimizer; and if a
        module whose parameters are not the coefficients (see Notes) is asked to start
        elsewhere than at zero.

    See Also
    --------
    ManualStrategy : The same steps by hand.
    AutogradStrategy : The same loss on leaf tensors.

    Notes
    -----
    If the module's parameters are the coefficients (``nn.Linear``, or a module that
    contains one), the descent starts where the estimator says. A module with more
    parameters than coefficients (two stacked ``nn.Linear``) starts where its factory
    leaves it, since many values of its parameters give the same coefficients:
    `coef_init`, `intercept_init`, a warm start and a second `partial_fit` are then
    refused. The coefficients of such a module are computed as ``module(I) -
    module(0)``.

    The factory runs with a fork of torch's random generator: ``torch.manual_seed``
    controls it, and `fit` leaves the generator as it was. Without a factory, no random
    numbers are drawn.

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

    def start(self, parameters: Parameters, objective: Objective) -> None:
        """Build the module, its criterion and its optimizer.

        Parameters
        ----------
        parameters : tuple of Tensor
            (coef,) or (coef, intercept); see `GradientStrategy.start`.
        objective : Objective
            The loss and the L2 penalty to descend on.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import ModuleStrategy, Objective
        >>> strategy = ModuleStrategy(optimizer=torch.optim.Adam)
        >>> strategy.start((torch.zeros(2, 1), torch.zeros(1)), Objective())
        >>> strategy.plain
        False
        """
        self._module, self._model = build_model(self.module, parameters)
        self._model.start_at(parameters)
        self._optimizer = build_optimizer(self, self._module)
        # Built with lr=1: a group's lr is its multiple of the estimator's.
        self._rate_factors = [group["lr"] for group in self._optimizer.param_groups]
        self._needs_closure = needs_closure(self._optimizer)
        self.objective = replace(objective, loss=Criterion(objective.loss))
        self.plain = is_plain(self._optimizer, self._module, self._model)

    def evaluate(self, rows: Rows) -> Array:
        """Compute the losses, and the gradients by ``backward()``.

        Parameters
        ----------
        rows : Rows
            All rows, or those of a batch, as tensors; see `GradientStrategy.evaluate`.

        Returns
        -------
        losses : Tensor of shape (n_targets,)
            The objective of each target, without L1 penalties.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import ModuleStrategy, Objective, Rows
        >>> strategy = ModuleStrategy()
        >>> strategy.start((torch.zeros(1, 1),), Objective())
        >>> rows = Rows(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]))
        >>> strategy.evaluate(rows)
        tensor([10.])
        >>> strategy.gradients
        (tensor([[-10.]]),)
        """
        self._rows = rows
        self._optimizer.zero_grad()
        prediction = self._model.predict(rows.X)
        coef = self._model.penalized_coef(self.objective)
        losses = self.objective.value(prediction, rows, coef)
        losses.sum().backward()
        return losses.detach().reshape(-1)  # a criterion's mean has no shape

    def update(self, learning_rate: float | Array) -> None:
        """Let the optimizer take its step.

        An optimizer takes one learning rate. Where each target has its own, the
        gradients of each target are multiplied by its rate, as if the rate multiplied
        its loss, and the optimizer steps with the rate 1.

        Parameters
        ----------
        learning_rate : float or Tensor of shape (n_targets,)
            The factor of the optimizer's own learning rates, or one factor for each
            target.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import ModuleStrategy, Objective, Rows
        >>> strategy = ModuleStrategy()
        >>> strategy.start((torch.zeros(1, 1),), Objective())
        >>> rows = Rows(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]))
        >>> losses = strategy.evaluate(rows)
        >>> strategy.update(0.1)  # 0 - 0.1 * (-10)
        >>> strategy.parameters
        (tensor([[1.]]),)
        """
        if isinstance(learning_rate, torch.Tensor):
            gradients = tuple(gradient.clone() for gradient in self.gradients)
            self.gradients = tuple(learning_rate * gradient for gradient in gradients)
            self.update(1.0)
            self.gradients = gradients
            return
        for group, factor in zip(self._optimizer.param_groups, self._rate_factors):
            group["lr"] = learning_rate * factor
        if self._needs_closure:
            self._optimizer.step(lambda: self.evaluate(self._rows).sum())
        else:
            self._optimizer.step()

    @property
    def sums_gradients(self) -> bool:
        """Whether the optimizer needs only the gradients of the coefficients."""
        return isinstance(self._model, HeldCoefficients) and not self._needs_closure

    def state(self) -> Any:
        """Return the states of the module and of the optimizer.

        Returns
        -------
        state : tuple of dict
            Copies of the ``state_dict()`` of both.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import ModuleStrategy, Objective
        >>> strategy = ModuleStrategy()
        >>> strategy.start((torch.zeros(2, 1), torch.zeros(1)), Objective())
        >>> of_module, of_optimizer = strategy.state()
        >>> list(of_module), list(of_optimizer)
        (['weight', 'bias'], ['state', 'param_groups'])
        """
        return deepcopy((self._module.state_dict(), self._optimizer.state_dict()))

    def resume(self, state: Any) -> None:
        """Load the states of the module and of the optimizer.

        Parameters
        ----------
        state : tuple of dict
            The return value of the `state` of a strategy with the same module and
            optimizer.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import ModuleStrategy, Objective
        >>> strategy, other = ModuleStrategy(), ModuleStrategy()
        >>> strategy.start((torch.ones(1, 1),), Objective())
        >>> other.start((torch.zeros(1, 1),), Objective())
        >>> other.resume(strategy.state())
        >>> other.parameters
        (tensor([[1.]]),)
        """
        of_module, of_optimizer = state
        self._module.load_state_dict(of_module)
        self._optimizer.load_state_dict(of_optimizer)

    @property
    def parameters(self) -> Parameters:  # type: ignore[override]  # read off the module
        """Current coefficients and intercept, read off the module."""
        return self._model.parameters

    @property
    def gradients(self) -> Parameters:
        """Gradients with respect to the coefficients and the intercept."""
        return self._model.gradients(self.objective)

    @gradients.setter
    def gradients(self, gradients: Parameters) -> None:
        self._model.set_gradients(gradients)


def build_model(
    factory: Callable[[int, int], nn.Module] | None, parameters: Parameters
) -> tuple[nn.Module, HeldCoefficients | ImpliedCoefficients]:
    """Build the module, and find the coefficients in it."""
    coef, *intercept = parameters
    (n_features, n_targets), fit_intercept = coef.shape, bool(intercept)
    if factory is None:
        linear = _UnsetLinear(
            n_features,
            n_targets,
            bias=fit_intercept,
            device=coef.device,
            dtype=coef.dtype,
        )
        views = [View(p, torch.t) for p in linear.parameters()]
        return linear, HeldCoefficients(linear, views)
    with torch.random.fork_rng(devices=[]):
        module = call_factory(factory, n_features, n_targets)
    module.to(coef.device, coef.dtype)
    implied = ImpliedCoefficients(module, n_features, n_targets, fit_intercept)
    return module, implied.recognized()


class _UnsetLinear(nn.Linear):
    """``nn.Linear`` that draws no numbers, which the start would replace."""

    def reset_parameters(self) -> None:
        """Leave the parameters unset."""


def call_factory(
    factory: Callable[[int, int], nn.Module], n_features: int, n_targets: int
) -> nn.Module:
    """Call a factory of the user's, and check that it returns a module."""
    if isinstance(factory, nn.Module) or not callable(factory):
        raise ValueError(
            "The 'module' parameter of ModuleStrategy must be a factory "
            "(n_features, n_targets) -> nn.Module, such as nn.Linear or a function "
            f"that returns a module. Got {factory!r} instead."
        )
    try:
        module = factory(n_features, n_targets)
    except TypeError as error:
        raise ValueError(
            "The 'module' parameter of ModuleStrategy must be a factory that takes "
            f"(n_features, n_targets): {factory!r} called with ({n_features}, "
            f"{n_targets}) raised {error!r}."
        ) from error
    if not isinstance(module, nn.Module):
        raise ValueError(
            "The 'module' parameter of ModuleStrategy must return an nn.Module. "
            f"module({n_features}, {n_targets}) returned {module!r} instead."
        )
    return module


def build_optimizer(
    strategy: ModuleStrategy, module: nn.Module
) -> torch.optim.Optimizer:
    """Build the optimizer; its learning rate comes with each update."""
    factory, params = strategy.optimizer, strategy.optimizer_params
    if not isinstance(params, Mapping | None):
        raise ValueError(
            "The 'optimizer_params' parameter of ModuleStrategy must be a dict, such "
            f"as {{'momentum': 0.9}}, or None. Got {params!r} instead."
        )
    params = dict(params or {})
    if "lr" in params:
        raise ValueError(
            f"optimizer_params must not hold 'lr' (got {params['lr']!r}): set the "
            "estimator's learning_rate."
        )
    if not callable(factory):
        raise ValueError(
            "The 'optimizer' parameter of ModuleStrategy must be a class such as "
            "torch.optim.Adam, or a function called like one. Got "
            f"{factory!r} instead."
        )
    try:
        optimizer = factory(module.parameters(), lr=1.0, **params)
    except TypeError as error:
        raise ValueError(
            f"optimizer={factory!r} does not take optimizer_params={params} (and lr): "
            f"{error}."
        ) from error
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            "The 'optimizer' parameter of ModuleStrategy must return a "
            f"torch.optim.Optimizer. {factory!r} returned {optimizer!r} instead."
        )
    return optimizer


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether ``step`` cannot be called without a closure, as L-BFGS's."""
    closure = signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is Parameter.empty


def is_plain(
    optimizer: torch.optim.Optimizer,
    module: nn.Module,
    model: HeldCoefficients | ImpliedCoefficients,
) -> bool:
    """Return whether a step is ``-lr * gradient`` of all coefficients, and no more."""
    if type(optimizer) is not torch.optim.SGD or len(optimizer.param_groups) != 1:
        return False
    if not isinstance(model, HeldCoefficients):
        return False
    (group,) = optimizer.param_groups
    stepped = {id(parameter) for parameter in group["params"]}
    return (
        stepped.issuperset(id(p) for p in module.parameters() if p.requires_grad)
        and group["lr"] == 1
        and not (group["momentum"] or group["weight_decay"] or group["maximize"])
    )
