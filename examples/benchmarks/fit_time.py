"""Time of a whole fit, over that of one product X.T @ X, and what it reached.

    pip install -e ".[bench]"
    python examples/benchmarks/fit_time.py

Dense rows, correlated columns with an offset, default parameters, and the excess of the
mean squared error over that of least squares. scikit-learn-intelex is left out where it
is not installed.
"""

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from timing import least_seconds, quick

from skgd import GDLinearRegressor, Moments

# n_samples, n_features
SIZES = [(1_000_000, 50), (100_000, 300), (5_000_000, 10)]
REPEATS = 25


def correlated(n: int, d: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns with a common part, two spreads away from zero, and a noisy target."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype)
    X += rng.standard_normal((n, 1), dtype)
    X += 3
    y = X @ rng.standard_normal(d).astype(dtype) + rng.standard_normal(n, dtype)
    return X, y


def estimators() -> dict[str, object]:
    """Peers that solve the same problem, by the name in the table."""
    peers = {
        'GDLinearRegressor("manual")': GDLinearRegressor("manual"),
        'GDLinearRegressor("autograd")': GDLinearRegressor("autograd"),
        'GDLinearRegressor("module")': GDLinearRegressor("module"),
        'Ridge(alpha=0, solver="cholesky")': Ridge(alpha=0, solver="cholesky"),
        "LinearRegression()": LinearRegression(),
        "SGDRegressor(alpha=0)": SGDRegressor(alpha=0, random_state=0),
    }
    try:
        from sklearnex.linear_model import LinearRegression as Intelex
    except ImportError:
        return peers
    return {**peers, "scikit-learn-intelex's": Intelex()}


def excess_loss(model: object, X: np.ndarray, y: np.ndarray) -> float:
    """Excess of the mean squared error, from the moments, relative to the least."""
    moments = Moments.from_data(X.astype(float), y.astype(float))
    A, b = moments.condense()
    A, b = A - A.mean(axis=0), b - b.mean()
    solution = np.linalg.lstsq(A, b)[0]
    intercept_error = model.predict(moments.mean[None, :-1])[0] - moments.mean[-1]
    least = ((A @ solution - b) ** 2).mean()
    loss = ((A @ model.coef_.astype(float) - b) ** 2).mean() + intercept_error**2
    return float(loss / least - 1)


def fit(model: object, X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    return lambda: model.fit(X, y)


def main() -> None:
    warnings.simplefilter("ignore")
    little = quick(__doc__)
    for n, d in SIZES:
        for dtype in ("float64", "float32"):
            X, y = correlated(n // 100 if little else n, d, dtype)
            runs = {name: fit(model, X, y) for name, model in estimators().items()}
            runs = {"X.T @ X": lambda X=X: X.T @ X, **runs}
            seconds, models = least_seconds(runs, 1 if little else REPEATS)
            print(f"\n{len(X):,} x {d}, {dtype}")
            for name in runs:
                ratio = seconds[name] / seconds["X.T @ X"]
                line = f"{name:<34} {seconds[name] * 1e3:>9.1f} ms {ratio:>7.2f}x"
                if name != "X.T @ X":
                    line += f"  excess {excess_loss(models[name], X, y):.1e}"
                print(line, flush=True)


if __name__ == "__main__":
    main()
