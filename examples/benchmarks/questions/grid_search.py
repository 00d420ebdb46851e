"""How long does a grid search over learning rates take?

GridSearchCV of 20 rates in 5 folds, in one process. In the full batch each candidate
runs 100 epochs, in mini-batches of 256 rows five. The columns are scaled in a pipeline.
The excess is that of the best model, fitted again on all rows.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from accuracy import Optimum
from by_hand import ByHand, manual
from libraries import SKORCH, ours, peer, scaled
from measuring import Rows, measure_fits
from presenting import (
    draw_panels,
    excess_text,
    listed,
    ratio_text,
    time_text,
)
from problems import offset_and_scales
from sklearn.base import BaseEstimator
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import StandardScaler

FULL = [{"n": 100_000, "d": 20, "n_rates": 20, "n_folds": 5, "rounds": 3}]
QUICK = [{"n": 1000, "d": 20, "n_rates": 3, "n_folds": 2, "rounds": 1}]

BATCHES: dict[str, Any] = {"batch_size": 256, "max_iter": 5, "random_state": 0}
#: By the name of the learning rate.
COMPARED = {
    "learning_rate": {
        **ours(", full batch", max_iter=100, tol=None),
        **ours(", batches", tol=None, **BATCHES),
    },
    "eta0": {
        "SGDRegressor, a row at a time": [
            SGDRegressor(alpha=0, max_iter=5, tol=None, random_state=0)
        ],
    },
    "lr": {
        "skorch, batches": peer(
            SKORCH, max_epochs=5, batch_size=256, iterator_train__shuffle=True
        ),
    },
}


def measure(n: int, d: int, n_rates: int, n_folds: int, rounds: int) -> Rows:
    X, y = offset_and_scales(n, d)
    rates, folds = np.geomspace(1e-4, 0.1, n_rates), KFold(n_folds)
    searches = {
        library: [search(model, parameter, rates, folds) for model in scaled(ladder)]
        for parameter, ladders in COMPARED.items()
        for library, ladder in ladders.items()
    }
    searches["full batch by hand, NumPy"] = [SearchByHand(rates, folds)]
    excess = Optimum(X, y).excess
    rows = measure_fits(searches, X, y, excess, rounds, patience=20.0)
    case = f"{n_rates} rates x {n_folds} folds, {n:,} x {d}"
    return [{"case": case, **row} for row in rows]


def search(model: Any, parameter: str, rates: np.ndarray, folds: KFold) -> GridSearchCV:
    """Return a search over the learning rate of a pipeline's last step."""
    return GridSearchCV(model, {f"{model.steps[-1][0]}__{parameter}": rates}, cv=folds)


class SearchByHand(BaseEstimator):
    """What the search does, in two loops around one of NumPy."""

    def __init__(self, rates: np.ndarray, folds: KFold) -> None:
        self.rates = rates
        self.folds = folds

    def fit(self, X: np.ndarray, y: np.ndarray) -> "SearchByHand":
        errors = np.zeros(len(self.rates))
        for train, test in self.folds.split(X):
            scaler = StandardScaler().fit(X[train])
            X_train, X_test = scaler.transform(X[train]), scaler.transform(X[test])
            for k, rate in enumerate(self.rates):
                model = ByHand(manual, rate).fit(X_train, y[train])
                errors[k] += np.mean((model.predict(X_test) - y[test]) ** 2)
        best = ByHand(manual, self.rates[errors.argmin()])
        self.best_ = scaled([best])[0].fit(X, y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.best_.predict(X)


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return time, ratio and excess."""
    columns = {
        "search": ("seconds", time_text),
        "over skgd manual": ("ratio", ratio_text),
        "excess of the best": ("excess", excess_text),
    }
    ratio = results.seconds / results.seconds[0]
    return [listed(results.assign(ratio=ratio), results.case[0], columns)]


draw = partial(draw_panels, xlabel="seconds of a search")
