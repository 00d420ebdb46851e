"""How long does a search in one pass take, over a fit and over GridSearchCV?

20 learning rates (or 10, with 10 penalties and 3 shares of L1) in 5 folds, 100 epochs a
fit, in one process. GDLinearRegressorCV reads the rows once; GridSearchCV for each
candidate and fold. Beside the time stands how many times one fit to all rows takes, by
the same strategy (by "manual" for the others). SGDRegressor runs five epochs.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from accuracy import Optimum
from by_hand import ByHand, manual
from libraries import Ladders, ours
from measuring import Problem, Rows, measure_fits
from presenting import cells, crossed, draw_panels
from problems import few_that_matter
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import GridSearchCV

from questions import cases
from skgd import GDLinearRegressorCV

#: Stable on these data, which a few rates below it are as well.
RATE = 0.05

COLUMNS = "n d n_rates n_alphas n_ratios rounds"
FULL = cases(COLUMNS, (100_000, 20, 20, 1, 1, 9), (100_000, 20, 10, 10, 3, 5))
QUICK = cases(COLUMNS, (1000, 10, 3, 1, 1, 1))


def measure(
    n: int, d: int, n_rates: int, n_alphas: int, n_ratios: int, rounds: int
) -> Rows:
    X, y = few_that_matter(n, d)
    grid = {
        "learning_rate": np.geomspace(1e-4, RATE, n_rates),
        "alpha": np.geomspace(1e-3, 1, n_alphas) if n_alphas > 1 else [0.0],
        "l1_ratio": np.linspace(0, 1, n_ratios),
    }
    fits = ours(", one fit", learning_rate=RATE, max_iter=100, tol=None)
    ladders: Ladders = dict(fits)
    for library, (gd,) in fits.items():
        name = library.removesuffix(", one fit")
        ladders[f"{name}, in one pass"] = [GDLinearRegressorCV(gd, grid, cv=5)]
        if n_alphas == 1:
            ladders[f"{name}, GridSearchCV"] = [GridSearchCV(gd, grid, cv=5)]
    if n_alphas == 1:
        ladders |= peers(grid["learning_rate"])
    rows = measure_fits(ladders, Problem(X, y, Optimum(X, y).excess), rounds, 2.0)
    seconds = {row["library"]: row["seconds"] for row in rows}
    case = f"{n_rates * n_alphas * n_ratios} candidates, {n:,} x {d}"
    return [
        {"case": case, **row, "ratio": row["seconds"] / one_fit(row, seconds)}
        for row in rows
    ]


def peers(rates: np.ndarray) -> Ladders:
    """Return GridSearchCV of what others have."""
    sgd = SGDRegressor(alpha=0, max_iter=5, tol=None, random_state=0)
    by_hand = ByHand(manual, RATE, max_iter=100)
    return {
        "loop by hand, GridSearchCV": [
            GridSearchCV(by_hand, {"learning_rate": rates}, cv=5)
        ],
        "SGDRegressor, GridSearchCV": [GridSearchCV(sgd, {"eta0": rates}, cv=5)],
    }


def one_fit(row: dict[str, Any], seconds: dict[str, float]) -> float:
    """Return the seconds of a fit by the strategy of a row."""
    strategy = row["library"].split(",")[0]
    return seconds.get(f"{strategy}, one fit", seconds["skgd manual, one fit"])


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return times, and times over a fit."""
    cell = cells(results, ("seconds", "ratio"))
    return [crossed(results, "library", "case", cell)]


draw = partial(draw_panels, xlabel="time of a fit, or of a search")
