"""Losses other than squared error: Huber's, and one of your own.

    python examples/robust_losses.py

Ten gross outliers in the diabetes table, and how far they move each model; then the
pinball loss, which fits a quantile, as a function of tensors.
"""

import numpy as np
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from skgd import GDLinearRegressor


def pinball(quantile: float):
    """Make the loss that is least at a quantile of y."""

    def loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        above = target - prediction
        return torch.maximum(quantile * above, (quantile - 1) * above)

    return loss


def main() -> None:
    X, y = load_diabetes(return_X_y=True)
    with_outliers = y.copy()
    with_outliers[np.random.default_rng(0).choice(len(y), 10, replace=False)] += 5000

    print(f"{'':<74} moved by")
    for model in (
        LinearRegression(),
        GDLinearRegressor(),
        *(
            GDLinearRegressor(strategy, loss="huber", epsilon=20, tol=1e-6)
            for strategy in ("manual", "autograd", "module")
        ),
    ):
        before = clone(model).fit(X, y).coef_
        after = clone(model).fit(X, with_outliers).coef_
        name = " ".join(repr(model).split())
        print(f"{name:<74} {np.linalg.norm(after - before):>8.1f}")

    print("\nshare of y below the prediction, by the quantile asked for")
    for quantile in (0.1, 0.5, 0.9):
        model = GDLinearRegressor(
            "autograd",
            loss=pinball(quantile),
            learning_rate=20.0,
            standardize=True,
            schedule="invscaling",
            tol=None,  # the derivative jumps, and never vanishes
        ).fit(X, y)
        print(f"{quantile:.1f}  {np.mean(y <= model.predict(X)):.3f}")


if __name__ == "__main__":
    main()
