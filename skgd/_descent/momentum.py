"""Nesterov's extrapolation between a descent's steps."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from skgd.strategies import GradientStrategy


class Extrapolation:
    """Carries the parameters on along their last step (Nesterov 1983).

    The next gradient is taken at ``z = x + mu (x - x_last)``, where x and x_last are
    where the last two gradient steps led to. The strategy's own step stays plain
    gradient descent from z.

    Adaptive, mu is k / (k + 3) at the k-th step (FISTA: Beck & Teboulle 2009), and k
    goes back to 0 when the step went uphill, ``<gradient(z), x - x_last> > 0``
    (O'Donoghue & Candes 2015, the gradient scheme): it finds the pace that a strongly
    convex objective allows without knowing how convex it is. Every target has a k of
    its own, so that targets do not mix. After proximal steps the gradient mapping
    takes the gradient's place.

    Parameters
    ----------
    momentum : float or "adaptive"
        Constant mu, or the above.
    """

    def __init__(self, momentum: float | str) -> None:
        self.momentum = momentum
        self._last: list[Any] = []
        self._k: Any = None

    def extrapolate(self, strategy: GradientStrategy, mapping: Any = None) -> None:
        """Move the parameters on, in place; before the first step there is nowhere to.

        `mapping` is what the last step was taken along, where that was not the
        strategy's gradients. Written in operations that NumPy arrays and torch tensors
        share.
        """
        here = _blocks(strategy.coef, strategy.intercept)
        if not self._last:
            self._last = deepcopy(here)
            n_targets = here[0].shape[1]
            # For several targets in their dtype; a single number costs less.
            self._k = 0 if n_targets == 1 else 0 * here[0][0]
            return
        steps = [x - last for x, last in zip(here, self._last, strict=True)]
        mu = self._next_momentum(steps, mapping or strategy.gradients)
        for x, last, step in zip(here, self._last, steps, strict=True):
            last[...] = x
            step *= mu
            x += step

    def _next_momentum(self, steps: list[Any], gradients: Any) -> Any:
        """Give mu: a number, or one for each target."""
        if self.momentum != "adaptive":
            return self.momentum
        pairs = zip(_blocks(*gradients), steps, strict=True)
        slope = sum((gradient * step).sum(0) for gradient, step in pairs)
        went_down = slope <= 0
        if isinstance(self._k, int):
            went_down = bool(went_down)
        k = self._k * went_down
        self._k = k + 1
        return k / (k + 3)


def _blocks(coef: Any, intercept: Any) -> list[Any]:
    """View coefficients and intercept as arrays of one column a target."""
    return [coef] if intercept is None else [coef, intercept[None]]
