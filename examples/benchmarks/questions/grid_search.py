"""How long does a grid search over learning rates take?

GridSearchCV of 20 rates in 5 folds, in one process. In the full batch each candidate
runs 100 epochs, in mini-batches of 256 rows five. The columns are scaled in a pipeline.
The excess is that of the best model, fitted again on all rows.
"""

from functools import partial
from typing import Any

import numpy as np
from accuracy import Optimum
from by_hand import ByHand, manual
from libraries import SKORCH, Ladders, ours, peer, scaled
from measuring import Problem, Rows, measure_fits
from presenting import draw_panels, listed
from problems import offset_and_scales
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import GridSearchCV

FULL = [{"n": 100_000, "d": 20, "n_rates": 20, "n_folds": 5, "rounds": 3}]
QUICK = [{"n": 1000, "d": 20, "n_rates": 3, "n_folds": 2, "rounds": 1}]


def measure(n: int, d: int, n_rates: int, n_folds: int, rounds: int) -> Rows:
    X, y = offset_and_scales(n, d)
    rates = np.geomspace(1e-4, 0.1, n_rates)
    searches: Ladders = {
        library: [
            GridSearchCV(model, {f"{model.steps[-1][0]}__{rate}": rates}, cv=n_folds)
            for model in scaled(ladder)
        ]
        for rate, ladders in compared().items()
        for library, ladder in ladders.items()
    }
    problem = Problem(X, y, Optimum(X, y).excess)
    rows = measure_fits(searches, problem, rounds, patience=20.0)
    case = f"{n_rates} rates x {n_folds} folds, {n:,} x {d}"
    return [{"case": case, **row} for row in rows]


def compared() -> dict[str, Ladders]:
    """Return what is compared, by the name of its learning rate."""
    epochs: dict[str, Any] = {"max_iter": 5, "tol": None, "random_state": 0}
    batches = {"max_epochs": 5, "batch_size": 256, "iterator_train__shuffle": True}
    descents = ours(", full batch", max_iter=100, tol=None)
    descents |= ours(", batches", batch_size=256, **epochs)
    sgd = SGDRegressor(alpha=0, **epochs)
    by_hand = {"full batch by hand, NumPy": [ByHand(manual, 0.1, max_iter=100)]}
    return {
        "learning_rate": {**descents, **by_hand},
        "eta0": {"SGDRegressor, a row at a time": [sgd]},
        "lr": {"skorch, batches": peer(SKORCH, **batches)},
    }


COLUMNS = {"search": "seconds", "over skgd manual": "ratio"}
tables = partial(listed, **COLUMNS, **{"excess of the best": "excess"})
draw = partial(draw_panels, xlabel="time of a search")
