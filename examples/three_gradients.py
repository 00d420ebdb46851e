"""The same training run three times: by hand, by autograd, by nn.Linear and SGD.

    python examples/three_gradients.py

Prints the descents of two textbook problems by each strategy, side by side, and the
largest difference between them: none to speak of. `three_gradients.ipynb` explains
each of them step by step.
"""

import numpy as np
import pandas as pd

from skgd import GDLinearRegressor
from skgd.callback import DescentHistory

STRATEGIES = ("manual", "autograd", "module")


def compare(title: str, X: pd.DataFrame, y: np.ndarray, **params: object) -> None:
    """Print the first epochs of each strategy, and how far apart any epoch is."""
    tables = {}
    for strategy in STRATEGIES:
        history = DescentHistory(record=["loss", "gradient_norm", "coef", "intercept"])
        model = GDLinearRegressor(strategy, tol=None, **params)
        model.set_callbacks(history).fit(X, y)
        tables[strategy] = history.to_frame()
    side_by_side = pd.concat(tables, axis=1).swaplevel(axis=1)
    quantities = tables["manual"].columns

    print(f"{title}\n")
    print(side_by_side[quantities].head(6).to_string(float_format="{:.5f}".format))
    coefs = side_by_side["coef_x"].to_numpy()
    print(f"\nafter {model.n_iter_} epochs: coef = {coefs[-1]}")
    print("largest difference between strategies in any epoch")
    for name in quantities:
        print(f"{name:>15} {np.ptp(side_by_side[name], axis=1).max():.1e}")
    print()


def main() -> None:
    compare(
        "y = 2 x, no intercept, learning rate 0.0003, float32",
        pd.DataFrame({"x": [10, 20, 30, 40, 50]}, dtype="float32"),
        np.array([20, 40, 60, 80, 100], dtype="float32"),
        fit_intercept=False,
        learning_rate=0.0003,
        max_iter=20,
    )
    compare(
        "y = 2 x + 1, learning rate 0.05, float64",
        pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]}),
        np.array([3.0, 5.0, 7.0, 9.0]),
        learning_rate=0.05,
        max_iter=100,
    )


if __name__ == "__main__":
    main()
