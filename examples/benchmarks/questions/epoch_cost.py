"""What does an epoch cost, over the same epoch in a loop by hand?

Rows are not condensed (precompute=False): condensed, an epoch would not see them at
all. Ours run twice in the full batch: with tol=None, which is the same work as by hand,
and with the stopping rule watched, but never met. Beside the cost stands the excess
loss after the longer of the two runs whose difference it is. Loops by hand keep the
loss of each epoch, as ours do. skorch's net runs in float32 throughout.
"""

from functools import partial

import pandas as pd
from accuracy import Optimum
from by_hand import LOOPS, ByHand
from libraries import SKORCH, STRATEGIES, Ladders, each, ours, peer
from measuring import Problem, Rows, measure_epochs
from presenting import cells, crossed, draw_panels
from problems import independent
from sklearn.linear_model import SGDRegressor

from questions import cases

COLUMNS = "n d dtype batch_size lengths rate rounds"
FULL = cases(
    COLUMNS,
    (100_000, 20, "float64", None, (10, 110), 0.1, 12),
    (100_000, 20, "float32", None, (10, 110), 0.1, 12),
    (12, 10, "float64", None, (200, 1700), 1e-3, 12),
    (100_000, 20, "float32", 256, (1, 4), 0.01, 12),
)
QUICK = cases(
    COLUMNS,
    (1000, 20, "float32", None, (2, 22), 0.1, 1),
    (1000, 20, "float32", 256, (1, 4), 0.01, 1),
)


def measure(n, d, dtype, batch_size, lengths, rate, rounds) -> Rows:
    X, y = independent(n, d, dtype)
    runs = {
        library: each(ladder, **{parameter: lengths})
        for parameter, ladders in compared(rate, batch_size).items()
        for library, ladder in ladders.items()
    }
    problem = Problem(X, y, Optimum(X, y).excess)
    batches = f", batches of {batch_size}" if batch_size else ""
    case = {"case": f"{n:,} x {d}, {dtype}{batches}"}
    return [case | row for row in measure_epochs(runs, lengths, problem, rounds)]


def compared(rate: float, batch_size: int | None) -> dict[str, Ladders]:
    """Return what is compared, by the name of its number of epochs."""
    batches = {"batch_size": batch_size, "random_state": 0}
    params = {"learning_rate": rate, "precompute": False, **batches}
    descents: Ladders = {
        f"by hand, {name}": [ByHand(loop, rate, batch_size=batch_size)]
        for name, loop in LOOPS.items()
    }
    descents |= ours(tol=None, **params)
    if batch_size:
        sgd = SGDRegressor(alpha=0, tol=None, random_state=0)
        descents["SGDRegressor, a row at a time"] = [sgd]
    else:
        descents |= ours(", watching tol", tol=1e-15, **params)
    shuffled = {"iterator_train__shuffle": bool(batch_size)}
    net = peer(SKORCH, lr=rate, batch_size=batch_size or -1, **shuffled)
    return {"max_iter": descents, "max_epochs": {"skorch": net}}


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return each epoch over that by hand, and the time of the latter."""
    loops = results["library"].map(loop_like)
    seconds = results.set_index(["case", "library"]).seconds
    by_hand = seconds[list(zip(results.case, loops, strict=True))].to_numpy()
    results = results.assign(ratio=results.seconds / by_hand)
    cell = cells(results, ("ratio", "excess"))
    cell = cell.where(
        results["library"] != loops, cells(results, ("seconds", "excess"))
    )
    return [crossed(results, "library", "case", cell)]


def loop_like(library: str) -> str:
    """Name the loop by hand that does what a library does."""
    default = "module" if library == "skorch" else "manual"
    return f"by hand, {next((name for name in STRATEGIES if name in library), default)}"


draw = partial(draw_panels, xlabel="time of an epoch", n_columns=4)
