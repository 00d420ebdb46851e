"""The same training run three times: by hand, by autograd, by nn.Linear and SGD.

    python examples/three_gradients.py

Prints the training logs of two notebook problems from each strategy, side by side, and
the largest difference between them: none to speak of.
"""

import io
import re
from contextlib import redirect_stdout

import numpy as np
import pandas as pd

from skgd import GDLinearRegressor

STRATEGIES = ("manual", "autograd", "module")


def training_log(
    model: GDLinearRegressor, X: np.ndarray, y: np.ndarray
) -> pd.DataFrame:
    """Fit, and give the numbers that `verbose` prints: a row an epoch."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        model.fit(X, y)
    *lines, _ = printed.getvalue().splitlines()
    epochs = [re.findall(r"([a-z ]+) = (\S+?)(?:,|$)", line) for line in lines]
    log = pd.DataFrame([{name.strip(): number for name, number in e} for e in epochs])
    log.index = [int(re.match(r"epoch (\d+)", line)[1]) for line in lines]
    return log.rename_axis("epoch")


def compare(title: str, X: np.ndarray, y: np.ndarray, **params: object) -> None:
    models = {
        strategy: GDLinearRegressor(strategy, tol=None, verbose=2, **params)
        for strategy in STRATEGIES
    }
    logs = {name: training_log(model, X, y) for name, model in models.items()}
    side_by_side = pd.concat(logs, axis=1).swaplevel(axis=1)
    quantities = side_by_side.columns.get_level_values(0).unique()

    print(f"{title}\n")
    print(side_by_side[list(quantities)].head(6).to_string())

    coefs = np.array([model.coef_ for model in models.values()])
    losses = np.array([model.loss_curve_ for model in models.values()])
    print(f"\nafter {losses.shape[1]} epochs: coef = {coefs[:, 0]}")
    print(
        f"largest difference: coef {np.ptp(coefs, axis=0).max():.1e}, "
        f"loss {np.ptp(losses, axis=0).max():.1e}\n\n"
    )


def main() -> None:
    compare(
        "y = 2 x, no intercept, learning rate 0.0003, float32",
        np.array([[10], [20], [30], [40], [50]], dtype="float32"),
        np.array([20, 40, 60, 80, 100], dtype="float32"),
        fit_intercept=False,
        learning_rate=0.0003,
        max_iter=20,
    )
    compare(
        "y = 2 x + 1, learning rate 0.05, float64",
        np.array([[1.0], [2.0], [3.0], [4.0]]),
        np.array([3.0, 5.0, 7.0, 9.0]),
        learning_rate=0.05,
        max_iter=100,
    )


if __name__ == "__main__":
    main()
