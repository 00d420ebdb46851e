"""What does a stream cost, and how near does it end?

Chunks of 100,000 rows of 20 columns are drawn as they are needed, 10,000,000 rows in
all. The time is the median of a chunk. The excess is that of the last model over the
least squares of all rows.
"""

import random
from functools import partial
from typing import Any

import numpy as np
from accuracy import Optimum
from libraries import Ladders, ours, peer
from measuring import Rows, noting_warnings, seconds_of
from presenting import draw_panels, listed
from problems import chunk
from sklearn.linear_model import SGDRegressor

from skgd import GDLinearRegressor

INCREMENTAL = "sklearnex.linear_model.IncrementalLinearRegression"
FULL = [{"n_chunks": 100, "n": 100_000, "d": 20}]
QUICK = [{"n_chunks": 3, "n": 2000, "d": 20}]


def measure(n_chunks: int, n: int, d: int) -> Rows:
    models = {name: model for name, ladder in compared(n).items() for model in ladder}
    seconds: dict[str, list[float]] = {library: [] for library in models}
    order, shuffle = list(models), random.Random(0).shuffle
    for k in range(n_chunks):
        X, y = chunk(k, n, d)
        for library in order:
            call = partial(models[library].partial_fit, X, y)
            with noting_warnings():
                seconds[library].append(seconds_of(call))
        shuffle(order)
    chunks = (chunk(k, n, d) for k in range(n_chunks))
    optimum = Optimum(*map(np.concatenate, zip(*chunks, strict=True)))
    rows = []
    for library, model in models.items():
        reached = {
            "seconds": np.median(seconds[library]),
            "excess": optimum.excess(model),
        }
        rows.append({"case": f"{n_chunks * n:,} x {d}", "library": library, **reached})
    return rows


def compared(n: int) -> Ladders:
    """Return what takes the stream, averaged after a chunk of n rows."""
    averaged: dict[str, Any] = {"average": n, "random_state": 0}
    batches = GDLinearRegressor(batch_size=256, **averaged)
    constant = {"learning_rate": "constant", "eta0": 1e-3}
    return {
        **ours(", full batch", tol=1e-8),
        "skgd manual, averaged batches of 256": [batches],
        "SGDRegressor": [SGDRegressor(alpha=0, random_state=0)],
        "SGDRegressor, averaged": [SGDRegressor(alpha=0, **constant, **averaged)],
        "scikit-learn-intelex, incremental": peer(INCREMENTAL),
    }


tables = partial(listed, **{"a chunk": "seconds", "excess at the end": "excess"})
draw = partial(draw_panels, xlabel="time of a chunk")
