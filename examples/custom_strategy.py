"""A gradient of your own: forward-mode differentiation.

    python examples/custom_strategy.py

Reverse mode (backpropagation) is what `strategy="autograd"` uses. Forward mode pushes
one direction at a time through the loss; for every coefficient that is one pass more.
Here torch.func does it. The strategy is checked with `check_gradient_strategy`, then
used as an instance in a pipeline like any other.
"""

from typing import Any

import torch
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor
from skgd.strategies import GradientStrategy, Objective
from skgd.testing import check_gradient_strategy


class ForwardModeStrategy(GradientStrategy):
    """Prediction, loss and update by hand; the gradient by forward-mode autodiff."""

    needs_tensors = True
    losses = ("squared_error", "huber", "custom")  # whatever the objective's loss is
    penalizes = True

    def start(self, coef: Any, intercept: Any, objective: Objective) -> None:
        self.coef, self.intercept = coef, intercept
        self.objective = objective

    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        def losses(coef: Any, intercept: Any) -> Any:
            prediction = X @ coef
            if intercept is not None:
                prediction = prediction + intercept
            value = self.objective.loss.value(prediction, y)
            mean = value.mean(0) if weight is None else weight @ value / len(y)
            l2 = self.objective.l2
            return mean if l2 is None else mean + (l2 * coef**2).sum(0)

        def total(coef: Any, intercept: Any) -> Any:
            return losses(coef, intercept).sum()

        arguments = (0,) if self.intercept is None else (0, 1)
        gradients = torch.func.jacfwd(total, arguments)(self.coef, self.intercept)
        self.gradients = (*gradients, None)[:2]
        return losses(self.coef, self.intercept)

    def update(self, learning_rate: float) -> None:
        self.coef -= learning_rate * self.gradients[0]
        if self.intercept is not None:
            self.intercept -= learning_rate * self.gradients[1]


class WithoutTheTwo(ForwardModeStrategy):
    """The same with a slip, as it happens in a derivation: (1/n) X'r, not (2/n) X'r."""

    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        losses = super().evaluate(X, y, weight)
        self.gradients = tuple(g if g is None else g / 2 for g in self.gradients)
        return losses


def main() -> None:
    check_gradient_strategy(ForwardModeStrategy())
    print("ForwardModeStrategy keeps the contract.\n")
    try:
        check_gradient_strategy(WithoutTheTwo())
    except AssertionError as error:
        print(error, end="\n\n")

    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    for strategy in (ForwardModeStrategy(), "manual"):
        model = make_pipeline(
            StandardScaler(), GDLinearRegressor(strategy, max_iter=500, tol=None)
        )
        print(f"R2 {model.fit(X, y).score(X, y):.12f} with {strategy!r}")


if __name__ == "__main__":
    main()
