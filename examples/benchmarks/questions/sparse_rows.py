"""How do sparse rows fare?

There are more columns than rows, so that the targets can be met: what is left is the
share of their variance that a fit does not explain.
"""

from functools import partial
from typing import Any

import numpy as np
from libraries import Ladders, ours
from measuring import Problem, Rows, measure_fits
from presenting import draw_panels, listed
from problems import sparse
from sklearn.linear_model import Ridge, SGDRegressor

FULL = [{"n": 20_000, "d": 100_000, "rounds": 5}]
QUICK = [{"n": 300, "d": 500, "rounds": 1}]

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

    rows = measure_fits(COMPARED, Problem(X, y, left), rounds, patience=15.0)
    case = f"{n:,} x {d:,}, sparse"
    return [{"case": case, "left": row["excess"], **row} for row in rows]


tables = partial(listed, fit="seconds", left="left", epochs="epochs")
draw = partial(draw_panels, xlabel="time of a fit")
