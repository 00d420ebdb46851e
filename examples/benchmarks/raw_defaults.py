"""Default parameters on data as they come: epochs, milliseconds and what was reached.

    python examples/benchmarks/raw_defaults.py

The excess is that of the mean squared error over the least, relative to it. A wide
table can be met exactly, so its excess is the share of y's variance that is left.
"""

import warnings

import numpy as np
from problems import PROBLEMS, excess_loss, wide
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.multioutput import MultiOutputRegressor
from timing import least_seconds, quick

from skgd import GDLinearRegressor

REPEATS = 10
STRATEGIES = ("manual", "autograd", "module")


def reached(model: object, X: np.ndarray, y: np.ndarray) -> str:
    """Excess loss, or that it is not a number."""
    prediction = model.predict(X)
    if not np.isfinite(prediction).all():
        return "nan"
    if len(X) < X.shape[1]:
        return f"{1 - model.score(X, y):.0e}"
    return f"{max(excess_loss(prediction, X, y), 0):.0e}"


def main() -> None:
    repeats = 1 if quick(__doc__) else REPEATS
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", ConvergenceWarning)  # of GDLinearRegressor
    print(
        f"{'':<16} {'n x d':>10} {'epochs':>6} {'excess':>6} {'manual':>9} "
        f"{'autograd':>9} {'module':>9}  LinearRegression  SGDRegressor"
    )
    for problem in [*PROBLEMS, wide]:
        X, y = problem()
        models = {strategy: GDLinearRegressor(strategy) for strategy in STRATEGIES}
        models["direct"] = LinearRegression()
        runs = {name: lambda m=m, X=X, y=y: m.fit(X, y) for name, m in models.items()}
        seconds, _ = least_seconds(runs, repeats)
        manual, *_ = models.values()
        excesses = {reached(models[strategy], X, y) for strategy in STRATEGIES}
        times = (f"{seconds[strategy] * 1e3:>6.1f} ms" for strategy in STRATEGIES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            sgd = SGDRegressor(random_state=0)
            sgd = MultiOutputRegressor(sgd) if y.ndim == 2 else sgd
            sgd_excess = reached(sgd.fit(X, y), X, y)
        print(
            f"{problem.__name__:<16} {len(X):>6} x{X.shape[1]:>3} {manual.n_iter_:>5} "
            f"{max(excesses, key=float):>6}",
            *times,
            f"{seconds['direct'] * 1e3:>6.1f} ms, {reached(models['direct'], X, y):>5}"
            f"  {sgd_excess:>8}",
        )


if __name__ == "__main__":
    main()
