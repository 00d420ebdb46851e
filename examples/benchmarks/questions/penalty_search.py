"""How long does cross-validation over a penalty take?

5 folds, 100 penalties from the largest that leaves anything to a thousandth of it, then
a fit to all rows. Beside the time stands the mean squared error in cross-validation of
the penalty that was chosen, over the least of all.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from libraries import STRATEGIES, Ladders
from measuring import Problem, Rows, measure_fits
from presenting import cells, crossed, draw_panels
from problems import few_that_matter
from sklearn.linear_model import ElasticNetCV, LassoCV, RidgeCV

from questions import cases
from skgd import GDLinearRegressor, GDLinearRegressorCV

ERROR = "neg_mean_squared_error"

#: The share of L1.
PENALTIES = {"lasso": 1.0, "elastic net": 0.5, "ridge": 0.0}

COLUMNS = "penalty n d n_alphas rounds"
FULL = cases(COLUMNS, *((penalty, 100_000, 50, 100, 3) for penalty in PENALTIES))
QUICK = cases(COLUMNS, *((penalty, 1000, 10, 5, 1) for penalty in PENALTIES))


def measure(penalty: str, n: int, d: int, n_alphas: int, rounds: int) -> Rows:
    X, y = few_that_matter(n, d)
    l1_ratio = PENALTIES[penalty]
    largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max()
    alphas = largest / n / (l1_ratio or 1) * np.geomspace(1, 1e-3, n_alphas)
    exact = search("manual", alphas, l1_ratio, tol=1e-9, max_iter=20_000).fit(X, y)
    errors = -exact.cv_results_["mean_test_score"]

    def excess(model: Any) -> float:
        chosen = np.abs(np.log(alphas / alpha_of(model, n))).argmin()
        return float(errors[chosen] / errors.min() - 1)

    ladders: Ladders = {
        f"skgd {name}": [search(name, alphas, l1_ratio)] for name in STRATEGIES
    }
    ladders |= peers(penalty, alphas, n)
    rows = measure_fits(ladders, Problem(X, y, excess), rounds, patience=20.0)
    return [{"case": f"{penalty}, {n:,} x {d}", **row} for row in rows]


def search(
    strategy: str, alphas: np.ndarray, l1_ratio: float, **params: Any
) -> GDLinearRegressorCV:
    """Return ours."""
    model = GDLinearRegressor(strategy, l1_ratio=l1_ratio, **params)
    return GDLinearRegressorCV(model, {"alpha": alphas}, cv=5, scoring=ERROR)


def peers(penalty: str, alphas: np.ndarray, n: int) -> Ladders:
    """Return scikit-learn's."""
    if penalty == "lasso":
        return {"LassoCV": [LassoCV(alphas=alphas, cv=5)]}
    if penalty == "elastic net":
        return {"ElasticNetCV": [ElasticNetCV(alphas=alphas, l1_ratio=0.5, cv=5)]}
    ridge = RidgeCV(alphas=alphas * in_ridges_notation(n), cv=5, scoring=ERROR)
    return {"RidgeCV, cv=5": [ridge]}


def alpha_of(model: Any, n: int) -> float:
    """Return the penalty that a search chose, in ElasticNet's notation."""
    if isinstance(model, GDLinearRegressorCV):
        return model.best_params_["alpha"]
    if isinstance(model, RidgeCV):
        return model.alpha_ / in_ridges_notation(n)
    return model.alpha_


def in_ridges_notation(n: int) -> float:
    """Return over how many rows Ridge sums, those of four folds in five.

    ElasticNet takes the mean.
    """
    return 0.8 * n


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return time and excess."""
    return [crossed(results, "library", "case", cells(results, ("seconds", "excess")))]


draw = partial(draw_panels, xlabel="time of a search")
