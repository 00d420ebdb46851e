"""What does a fit cost whose rows lie on a cluster?

The rows are drawn and held by processes of one thread each on this machine, and fitted
as Dask arrays. Beside them stand fits to the same rows in NumPy, by all threads. "On
the wire" is what passes over the machine's own network during a fit: tasks, results and
messages, of which those by way of the scheduler count twice (the least of three fits,
since others use the network as well). The client, in whose process the scheduler is
here, and the largest worker grow so much at their peaks, in processes that have fitted
a few rows before. The second table has partitions of 4,000 rows; in brackets stands how
much longer a fit takes for each that there is beside the first.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from accuracy import Optimum
from libraries import STRATEGIES, peer
from matplotlib.figure import Figure
from measuring import (
    Rows,
    Runs,
    least_seconds,
    noting_warnings,
    peak,
    peak_from_now,
    use_threads,
)
from presenting import (
    crossed,
    draw_dots,
    draw_lines,
    leave_room,
    listed,
    name_lines,
    time_text,
)
from problems import Data, chunk
from sklearn.linear_model import LinearRegression

from questions import cases
from skgd import GDLinearRegressor

DASK_ML = "dask_ml.linear_model.LinearRegression"
SOLVERS = ("gradient_descent", "lbfgs", "admm")

COLUMNS = "part n_partitions n_rows d n_workers rounds memory"
GROWING = [
    ("partitions", n_partitions, 4000, 20, n_workers, 9, False)
    for n_partitions in (1, 8, 64, 512)
    for n_workers in (1, 2)
]
FULL = cases(COLUMNS, ("libraries", 8, 250_000, 20, 2, 7, True), *GROWING)
QUICK = cases(
    COLUMNS,
    ("libraries", 2, 200, 3, 1, 1, False),
    ("partitions", 4, 200, 3, 1, 1, False),
)

#: Of bytes, where there are some.
COUNTS = ("on_wire", "client", "workers")


class Place(NamedTuple):
    """Where rows lie: on a cluster that has a client, or in this process."""

    rows: Data
    client: Any = None


def measure(
    part: str,
    n_partitions: int,
    n_rows: int,
    d: int,
    n_workers: int,
    rounds: int,
    memory: bool,
) -> Rows:
    table = n_partitions, n_rows, d, n_workers
    rows = []
    with places(*table) as here_and_there:
        models = {
            library: (model, here_and_there[place])
            for library, (model, place) in compared(part, n_workers).items()
            if place in here_and_there
        }
        fits: Runs = {
            library: partial(model.fit, *place.rows)
            for library, (model, place) in models.items()
        }
        seconds = least_seconds(fits, rounds)
        optimum = Optimum(*here_and_there["here"].rows)
        for library, (model, place) in models.items():
            reached = {
                "library": library,
                "seconds": seconds[library],
                "excess": optimum.excess(model),
                "epochs": np.max(getattr(model, "n_iter_", None)),
                **dict.fromkeys(COUNTS, np.nan),
            }
            if place.client:
                reached["on_wire"] = least_on_the_wire(fits[library])
            rows.append(reached)
    if memory:
        for row in rows:
            row |= growth_in_a_new_process(row["library"], *table)
    n = n_partitions * n_rows
    return [{"case": f"{n:,} x {d}", **row} for row in rows]


def compared(part: str, n_workers: int) -> dict[str, tuple[Any, str]]:
    """Return estimators, and where their rows lie."""
    local = {"skgd manual, NumPy": (GDLinearRegressor(), "here")}
    if part == "partitions":
        there = f"skgd manual, {n_workers} worker" + "s" * (n_workers > 1)
        return {**local, there: (GDLinearRegressor(), "there")}
    return {
        **local,
        "LinearRegression, NumPy": (LinearRegression(), "here"),
        **{
            f"skgd {name}, Dask": (GDLinearRegressor(name), "there")
            for name in STRATEGIES
        },
        **{
            f"dask-ml, {solver}": (model, "there")
            for solver in SOLVERS
            for model in peer(DASK_ML, solver=solver)
        },
    }


@contextmanager
def places(
    n_partitions: int, n_rows: int, d: int, n_workers: int
) -> Iterator[dict[str, Place]]:
    """Draw the same rows here and, where Dask is installed, on a new cluster."""
    parts = [chunk(k, n_rows, d) for k in range(n_partitions)]
    X, y = map(np.concatenate, zip(*parts, strict=True))
    del parts
    with ExitStack() as stack:
        here_and_there = {"here": Place((X, y))}
        if find_spec("distributed"):
            client = stack.enter_context(cluster(n_workers))
            there = on_workers(client, n_partitions, n_rows, d)
            here_and_there["there"] = Place(there, client)
        yield here_and_there


@contextmanager
def cluster(n_workers: int) -> Iterator[Any]:
    """Start processes of one thread each, and return their client."""
    from distributed import Client, LocalCluster

    threads = os.environ["OMP_NUM_THREADS"]
    names = [name for name in os.environ if name.endswith("_NUM_THREADS")]
    os.environ.update(dict.fromkeys(names, "1"))  # which the workers inherit
    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=":0",  # any port that is free
            silence_logs=logging.CRITICAL,  # of a scheduler that is closed already
        ) as processes,
        Client(processes) as client,
    ):
        os.environ.update(dict.fromkeys(names, threads))
        yield client


def on_workers(client: Any, n_partitions: int, n_rows: int, d: int) -> Data:
    """Draw partitions where they are to lie, and wait until they do."""
    import dask.array as da
    from dask import delayed
    from distributed import wait

    parts = [delayed(chunk, nout=2)(k, n_rows, d) for k in range(n_partitions)]
    X = da.concatenate([da.from_delayed(X, (n_rows, d), float) for X, _ in parts])
    y = da.concatenate([da.from_delayed(y, (n_rows,), float) for _, y in parts])
    X, y = client.persist([X, y])
    wait([X, y])
    return X, y


def least_on_the_wire(fit: Callable[[], object]) -> int:
    """Return the bytes that pass over the network during a fit, the least of three."""
    passed = []
    for _ in range(3):
        before = bytes_on_the_wire()
        with noting_warnings():
            fit()
        passed.append(bytes_on_the_wire() - before)
    return min(passed)


def bytes_on_the_wire() -> int:
    """Return the bytes that this machine has sent to itself so far."""
    import psutil

    interfaces = psutil.net_io_counters(pernic=True)
    return interfaces["lo" if "lo" in interfaces else "lo0"].bytes_sent


def growth_in_a_new_process(library: str, *table: int) -> dict[str, float]:
    """Fit in a process of its own, and return the growth of client and workers."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(growth, library, *table).result()


def growth(library: str, *table: int) -> dict[str, float]:
    """Return by how many bytes the client and the largest worker grow during a fit."""
    use_threads(int(os.environ["OMP_NUM_THREADS"]))
    model, name = compared("libraries", table[-1])[library]
    with noting_warnings(), places(*table) as here_and_there:
        X, y = here_and_there[name].rows
        client = here_and_there[name].client
        some = slice(None, None, 100)
        model.fit(X[some].copy(), y[some].copy())
        before = peak_from_now()
        of_workers = client.run(peak_from_now) if client else {}
        model.fit(X, y)
        grown = {"client": peak() - before}
        if client:
            peaks = client.run(peak)
            grown["workers"] = max(peaks[each] - of_workers[each] for each in peaks)
    return grown


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return what each library takes, and how time grows with partitions."""
    libraries = results[results.part == "libraries"].reset_index()
    heads = {
        "fit": "seconds",
        "over the first": "ratio",
        "excess": "excess",
        "on the wire": "on_wire",
        "client grows by": "client",
        "a worker by": "workers",
    }
    return [*listed(libraries, **heads), growing(results[results.part == "partitions"])]


def growing(results: pd.DataFrame) -> pd.DataFrame:
    """Return times over partitions and workers, and what each beside the first adds."""
    by = ["library", "n_partitions"]
    results = results.groupby(by, as_index=False, sort=False).min()
    first = results.groupby("library")[["seconds", "n_partitions"]].transform("first")
    added = results[["seconds", "n_partitions"]] - first
    each = (added.seconds / added.n_partitions).map(time_text)
    cell = results.seconds.map(time_text) + (" (" + each + ")").where(each != "", "")
    return crossed(results, "n_partitions", "library", cell).rename_axis("partitions")


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw what each library takes, and how time grows with partitions."""
    libraries, partitions = (part for _, part in results.groupby("part"))
    left, right = figure.subplots(1, 2)
    draw_dots(left, libraries, list(libraries["library"]), "seconds", math.inf)
    leave_room(left, n_columns=3)
    left.set_xlabel("time of a fit")
    by = ["library", "n_partitions"]
    draw_lines(right, partitions.groupby(by, as_index=False, sort=False).min(), by[1])
    name_lines(right)
    sizes = partitions.n_partitions.unique()
    right.set_xticks(sizes, sizes)
    right.minorticks_off()
    n_rows, d = partitions[["n_rows", "d"]].iloc[0]
    title = f"{n_rows:,} x {d} in a partition"
    right.set(title=title, xlabel="partitions", ylabel="time of a fit")
