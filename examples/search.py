"""A search over learning rates and penalties, in one pass over the rows.

    python examples/search.py

10 learning rates x 10 penalties in 5 folds: 500 fits of 100 epochs each. Squared error
knows of the rows of a fold nothing but their moments, so GDLinearRegressorCV sums these
up once and descends with all candidates side by side; GridSearchCV reads the rows for
each candidate and fold, and finds the same. The heat map of the scores is saved in the
current folder, as search.png.
"""

import warnings
from time import perf_counter

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from skgd import GDLinearRegressor, GDLinearRegressorCV

RATES, ALPHAS = np.geomspace(1e-4, 0.1, 10), np.geomspace(1e-3, 10, 10)


def table(n: int = 5_000) -> tuple[np.ndarray, np.ndarray]:
    """Make 20 columns that correlate, and a target with much noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 20)) + rng.standard_normal((n, 1))
    return X, X @ rng.standard_normal(20) + 10 * rng.standard_normal(n)


def main() -> None:
    X, y = table()
    textbook = GDLinearRegressor(max_iter=100, tol=None)
    grid = {"learning_rate": RATES, "alpha": ALPHAS}

    searches, seconds = [], []
    for kind in (GDLinearRegressorCV, GridSearchCV):
        with warnings.catch_warnings():
            # Rates above the largest stable one diverge, and leave cells empty.
            warnings.simplefilter("ignore", FitFailedWarning)
            warnings.filterwarnings("ignore", message=".*non-finite")
            begin = perf_counter()
            search = kind(textbook, grid).fit(X, y)
            seconds.append(perf_counter() - begin)
        searches.append(search)
        best = ", ".join(f"{name}={v:.3g}" for name, v in search.best_params_.items())
        print(f"{kind.__name__:<20} {seconds[-1]:6.2f} s, R2 {search.best_score_:.4f}")
        print(f"  of {best}")
    ours, theirs = (search.cv_results_["mean_test_score"] for search in searches)
    print(f"largest difference of a score: {np.nanmax(abs(ours - theirs)):.0e}")
    save_picture("search.png", searches[0], seconds)


def save_picture(path: str, search: GDLinearRegressorCV, seconds: list[float]) -> None:
    """Draw the mean scores as a heat map, and mark the best."""
    mpl.use("Agg")  # needs no screen
    scores = search.cv_results_["mean_test_score"].reshape(len(ALPHAS), len(RATES))
    best = search.best_params_
    figure, axes = plt.subplots(figsize=(6.4, 4.8), layout="constrained", dpi=150)
    shown = Normalize(max(0.0, np.nanmin(scores)), np.nanmax(scores))
    cells = axes.pcolormesh(RATES, ALPHAS, scores, norm=shown, cmap="cividis")
    axes.plot(
        best["learning_rate"],
        best["alpha"],
        "*",
        markersize=16,
        markerfacecolor="white",
        markeredgecolor="black",
        label=f"best: R² = {search.best_score_:.3f}",
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="learning_rate (white: divergence)",
        ylabel="alpha",
        title=f"500 fits: {seconds[0]:.2g} s; by GridSearchCV {seconds[1]:.2g} s",
    )
    axes.legend(loc="lower left")
    figure.colorbar(cells, label="R², mean of 5 folds")
    figure.savefig(path)
    print(f"\nsaved {path}")


if __name__ == "__main__":
    main()
