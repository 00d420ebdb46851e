"""Time of a path of 100 penalties, over that of a loop of Ridge fits and enet_path's.

    python examples/benchmarks/alpha_path.py

100,000 rows of 50 correlated columns, alpha from the largest that leaves anything to a
thousandth of it. The rows are read once: by Moments, or for the Gram matrix. The excess
is the largest, over the path, of the objective above that of enet_path at tol=1e-12, or
of Ridge where there is no L1 penalty.
"""

import warnings
from functools import partial

import numpy as np
from sklearn.linear_model import Ridge, enet_path
from timing import least_seconds, quick

from skgd import GDLinearRegressor, Moments

STRATEGIES = ("manual", "autograd", "module")
REPEATS = 5


def centred(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns, ten of which matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 50)) + 0.7 * rng.standard_normal((n, 1))
    y = X[:, :10] @ rng.standard_normal(10) + 3 * rng.standard_normal(n)
    return X - X.mean(axis=0), y - y.mean()


def compare(
    X: np.ndarray, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, repeats: int
) -> None:
    """Run a path in every way, and print how long each took and what it reached."""

    def descended(strategy: str) -> np.ndarray:
        few = Moments.from_data(X, y).condense()
        model = GDLinearRegressor(strategy, l1_ratio=l1_ratio, warm_start=True)
        fits = (model.set_params(alpha=alpha).fit(*few) for alpha in alphas)
        return np.array([fit.coef_ for fit in fits])

    def coordinate_descent(tol: float = 1e-4) -> np.ndarray:
        gram, Xy = X.T @ X, X.T @ y
        params = {"precompute": gram, "Xy": Xy, "tol": tol, "max_iter": 100_000}
        return enet_path(X, y, l1_ratio=l1_ratio, alphas=alphas, **params)[1].T

    def ridges() -> np.ndarray:
        fits = (Ridge(alpha=alpha * len(y)).fit(X, y) for alpha in alphas)
        return np.array([fit.coef_ for fit in fits])

    runs = {name: partial(descended, name) for name in STRATEGIES}
    if l1_ratio:
        runs["enet_path, precomputed Gram"] = coordinate_descent
        expected = coordinate_descent(1e-12)
    else:
        runs["Ridge, fit by fit"] = ridges
        expected = ridges()
    seconds, paths = least_seconds(runs, repeats)

    gram, Xy, yy = X.T @ X / len(y), X.T @ y / len(y), y @ y / len(y)

    def objectives(path: np.ndarray) -> np.ndarray:
        smooth = yy - 2 * path @ Xy + ((path @ gram) * path).sum(axis=1)
        smooth += alphas * (1 - l1_ratio) * (path**2).sum(axis=1)
        return smooth + 2 * alphas * l1_ratio * np.abs(path).sum(axis=1)

    least = objectives(expected)
    print(f"\n{len(alphas)} alphas, l1_ratio={l1_ratio}, {len(X):,} x 50")
    for name, taken in seconds.items():
        excess = (objectives(paths[name]) / least - 1).max()
        print(f"{name:<28} {taken * 1e3:>8.1f} ms  excess {excess:.0e}", flush=True)


def main() -> None:
    little = quick(__doc__)
    warnings.simplefilter("ignore")
    X, y = centred(1000 if little else 100_000)
    for l1_ratio in (1.0, 0.5, 0.0):
        largest = np.abs(X.T @ y).max() / len(y) / (l1_ratio or 1)
        alphas = np.geomspace(largest, largest / 1000, 10 if little else 100)
        compare(X, y, alphas, l1_ratio, 1 if little else REPEATS)


if __name__ == "__main__":
    main()
