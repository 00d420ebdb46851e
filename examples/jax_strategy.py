"""A gradient of your own: by JAX.

    pip install 'skgd[jax]'
    python examples/jax_strategy.py

The arrays of a descent stay NumPy's. JAX differentiates the objective with respect to
the predictions and, for the L2 penalty, the coefficients; the rest of the chain rule is
a product with X, which JAX never sees: it may be sparse. The strategy is checked with
`check_gradient_strategy`, then used as an instance in a pipeline like any other.
"""

from functools import partial

import jax
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor
from skgd.strategies import GradientStrategy, Objective, Rows
from skgd.testing import check_gradient_strategy


# One function for all fits: JAX compiles it once for each shape and dtype. One of each
# fit's own, made in `start`, would cost every fit 0.08 s.
@jax.jit
@partial(jax.value_and_grad, argnums=(0, 1), has_aux=True)
def total_and_each(prediction, coef, rows, penalty):
    """Return the sum of the objectives of all targets, and each of them."""
    each = Objective(penalty=penalty).value(prediction, rows, coef)
    return each.sum(), each


class JaxStrategy(GradientStrategy):
    """Prediction and update by NumPy; the gradient by JAX. For device="cpu" only."""

    losses = ("squared_error",)  # the loss of `Objective` by default
    penalizes = True

    def evaluate(self, rows: Rows) -> np.ndarray:
        coef, *intercept = self.parameters
        prediction = sum(intercept, start=rows.X @ coef)
        # By default, JAX computes in float32, and on a GPU if there is one.
        with jax.enable_x64(True), jax.default_device("cpu"):
            (_, losses), gradients = total_and_each(
                prediction, coef, rows._replace(X=None), self.objective.penalty
            )
        of_prediction, of_penalty = map(np.asarray, gradients)
        of_coef = rows.X.T @ of_prediction + of_penalty
        self.gradients = of_coef, *(of_prediction.sum(0) for _ in intercept)
        return np.asarray(losses)

    def update(self, learning_rate: float | np.ndarray) -> None:
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter -= learning_rate * gradient


def main() -> None:
    check_gradient_strategy(JaxStrategy())
    print("JaxStrategy keeps the contract.\n")

    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    for alpha in (0.0, 0.1):
        print(f"L2 penalty alpha={alpha}")
        for strategy in (JaxStrategy(), "manual"):
            regressor = GDLinearRegressor(
                strategy, alpha=alpha, l1_ratio=0.0, max_iter=500, tol=None
            )
            model = make_pipeline(StandardScaler(), regressor).fit(X, y)
            print(f"R2 {model.score(X, y):.12f} with {strategy!r}")


if __name__ == "__main__":
    main()
