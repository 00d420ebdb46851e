"""Microseconds of an epoch on condensed data, by number of rows and of features.

    python examples/benchmarks/condensed_epochs.py

An epoch's cost is the difference between a long and a short run with tol=None, over the
number of epochs, so that the pass over the rows does not count: least of several.
"""

import numpy as np
from timing import least_seconds, quick

from skgd import GDLinearRegressor

STRATEGIES = ("manual", "autograd", "module")
SHORT, LONG = 20, 1020
REPEATS = 10


def microseconds(tables: dict[str, np.ndarray], repeats: int) -> dict[str, float]:
    """Cost of an epoch on each table with each strategy."""

    def fit(X: np.ndarray, strategy: str, epochs: int) -> object:
        model = GDLinearRegressor(strategy, max_iter=epochs, tol=None, precompute=True)
        return model.fit(X, X[:, 0])

    runs = {
        f"{name} {strategy} {epochs}": (
            lambda X=X, strategy=strategy, epochs=epochs: fit(X, strategy, epochs)
        )
        for name, X in tables.items()
        for strategy in STRATEGIES
        for epochs in (SHORT, LONG)
    }
    seconds, _ = least_seconds(runs, repeats)
    return {
        f"{name} {strategy}": 1e6
        * (seconds[f"{name} {strategy} {LONG}"] - seconds[f"{name} {strategy} {SHORT}"])
        / (LONG - SHORT)
        for name in tables
        for strategy in STRATEGIES
    }


def main() -> None:
    little = quick(__doc__)
    repeats = 1 if little else REPEATS
    rng = np.random.default_rng(0)

    many = 100_000 if little else 1_000_000
    X = rng.standard_normal((many, 50))
    costs = microseconds({"few": X[:10_000].copy(), "many": X}, repeats)
    print(f"50 features: microseconds of an epoch at n=10,000 and n={many:,}")
    for strategy in STRATEGIES:
        few, many_rows = costs[f"few {strategy}"], costs[f"many {strategy}"]
        print(f"{strategy:<9} {few:>7.1f} {many_rows:>7.1f} {many_rows / few:>6.2f}x")

    sizes = (10, 100) if little else (10, 100, 1000)
    tables = {str(d): rng.standard_normal((2 * d, d)) for d in sizes}
    costs = microseconds(tables, repeats)
    print("\nmicroseconds of an epoch by number of features")
    print(" " * 9, *(f"{d:>8}" for d in sizes))
    for strategy in STRATEGIES:
        row = (f"{costs[f'{d} {strategy}']:>8.1f}" for d in sizes)
        print(f"{strategy:<9}", *row)


if __name__ == "__main__":
    main()
