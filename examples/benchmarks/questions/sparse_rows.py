"""How do sparse rows fare?

There are more columns than rows, so that the targets can be met: what is left is the
share of their variance that a fit does not explain.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from libraries import Ladders, ours
from measuring import Rows, measure_fits
from presenting import (
    count_text,
    draw_panels,
    excess_text,
    listed,
    time_text,
)
from problems import sparse
from sklearn.linear_model import Ridge, SGDRegressor

FULL = [{"n": 20_000, "d": 100_000, "rounds": 5}]
QUICK = [{"n": 300, "d": 1500, "rounds": 1}]

FIVE: dict[str, Any] = {"max_iter": 5, "tol": None, "random_state": 0}
COMPARED: Ladders = {
    **ours(", full batch"),
    **ours(", batches of 256", batch_size=256, **FIVE),
    "SGDRegressor, five epochs": [SGDRegressor(alpha=0, **FIVE)],
    "SGDRegressor": [SGDRegressor(alpha=0, random_state=0)],
    "Ridge, conjugate gradients": [Ridge(alpha=1e-8, solver="sparse_cg")],
}


def measure(n: int, d: int, rounds: int) -> Rows:
    X, y = sparse(n, d)

    def left(model: Any) -> float:
        return np.mean((model.predict(X) - y) ** 2) / y.var()

    rows = measure_fits(COMPARED, X, y, left, rounds, patience=15.0)
    case = f"{n:,} x {d:,}, sparse"
    return [{"case": case, "left": row["excess"], **row} for row in rows]


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a row for each library."""
    columns = {
        "fit": ("seconds", time_text),
        "left": ("left", excess_text),
        "epochs": ("epochs", count_text),
    }
    return [listed(results, results.case[0], columns)]


draw = partial(draw_panels, xlabel="seconds of a fit")
