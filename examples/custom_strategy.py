"""A gradient of your own: forward-mode differentiation.

    python examples/custom_strategy.py

Reverse mode (backpropagation) is what `strategy="autograd"` uses. Forward mode pushes
one direction at a time through the loss; for every coefficient that is one pass more.
Here torch.func does it. The strategy is checked with `check_gradient_strategy`, then
used as an instance in a pipeline like any other.
"""

import torch
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor
from skgd.strategies import GradientStrategy, Rows
from skgd.testing import check_gradient_strategy


class ForwardModeStrategy(GradientStrategy):
    """Prediction, loss and update by hand; the gradient by forward-mode autodiff."""

    needs_tensors = True
    losses = ("squared_error", "huber", "custom")  # whatever the objective's loss is
    penalizes = True

    def evaluate(self, rows: Rows) -> torch.Tensor:
        def losses(coef: torch.Tensor, *intercept: torch.Tensor) -> torch.Tensor:
            prediction = sum(intercept, start=rows.X @ coef)
            return self.objective.value(prediction, rows, coef)

        def total(*parameters: torch.Tensor) -> torch.Tensor:
            return losses(*parameters).sum()

        arguments = tuple(range(len(self.parameters)))
        self.gradients = torch.func.jacfwd(total, arguments)(*self.parameters)
        return losses(*self.parameters)

    def update(self, learning_rate: float | torch.Tensor) -> None:
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter -= learning_rate * gradient


class WithoutTheTwo(ForwardModeStrategy):
    """The same with a slip, as it happens in a derivation: (1/n) X'r, not (2/n) X'r."""

    def evaluate(self, rows: Rows) -> torch.Tensor:
        losses = super().evaluate(rows)
        self.gradients = tuple(gradient / 2 for gradient in self.gradients)
        return losses


def main() -> None:
    check_gradient_strategy(ForwardModeStrategy(), fit_intercept=True)
    print("ForwardModeStrategy keeps the contract.\n")
    try:
        check_gradient_strategy(WithoutTheTwo(), fit_intercept=True)
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
