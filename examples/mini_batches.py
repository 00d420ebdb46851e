"""Mini-batches: what the batch size does to the way, and a decay to its end.

    python examples/mini_batches.py

The same table, the same 30 epochs, batches from one row to all. More steps an epoch get
near the minimum sooner, and a constant rate then leaves them in a cloud of noise about
it. The automatic rate decays when the loss no longer falls; the average of the iterates
takes the noise away as well. SGDRegressor's defaults, one row at a time in raw units,
end nowhere.
"""

import numpy as np
from sklearn.linear_model import LinearRegression, SGDRegressor

from skgd import GDLinearRegressor

EPOCHS = 30


def table(n: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Make twelve columns with an offset of 50 and spreads from 1 to 30."""
    rng = np.random.default_rng(0)
    X = 50 + rng.standard_normal((n, 12)) * np.linspace(1, 30, 12)
    return X, X @ rng.standard_normal(12) + 20 * rng.standard_normal(n)


def main() -> None:
    X, y = table()
    least = np.mean((y - LinearRegression().fit(X, y).predict(X)) ** 2)

    def excess(model: object) -> float:
        return np.mean((y - model.fit(X, y).predict(X)) ** 2) / least - 1

    variants = {
        "constant rate": {"schedule": "constant"},
        "adaptive (the default)": {},
        "constant rate, averaged": {"schedule": "constant", "average": len(y)},
    }
    print(f"Excess loss after {EPOCHS} epochs, learning_rate='auto'")
    print(f"{'batch_size':>10}", *(f"{name:>24}" for name in variants))
    for batch_size in (1, 8, 64, None):
        row = []
        for params in variants.values():
            model = GDLinearRegressor(
                batch_size=batch_size, max_iter=EPOCHS, tol=None, random_state=0
            )
            row.append(excess(model.set_params(**params)))
        print(f"{batch_size!s:>10}", *(f"{value:>24.1e}" for value in row))
    sgd = SGDRegressor(alpha=0, max_iter=EPOCHS, tol=None, random_state=0)
    print(f"\nSGDRegressor, on the same columns: {excess(sgd):.1e}")

    model = GDLinearRegressor(
        "module", batch_size=64, schedule=lambda t: 0.5 ** (t // 100), random_state=0
    )
    model.fit(X, y)
    print("\nA schedule of one's own halves the rate every 100 steps. Loss by epoch:")
    for epoch in range(0, model.n_iter_, 4):
        print(f"{epoch:>10} {model.loss_curve_[epoch]:>24.2f}")


if __name__ == "__main__":
    main()
