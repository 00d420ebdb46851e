"""How much memory does a fit take beside the rows themselves?

The peak of the process during a fit, as the system counts, above what it held before,
over the size of X. Each fit has a process of its own, which has fitted a few rows
before: what an import takes is not the fit's. Iterative solvers have the loosest of
their settings; what they reached stands beside.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import pandas as pd
from accuracy import Optimum
from libraries import solvers
from measuring import Rows, peak_growth, use_threads
from presenting import cells, crossed, draw_panels
from problems import correlated

FULL = [{"n": 1_000_000, "d": 50, "dtype": dtype} for dtype in ("float64", "float32")]
QUICK = [{"n": 100_000, "d": 50, "dtype": "float64", "n_libraries": 1}]


def measure(n: int, d: int, dtype: str, n_libraries: int | None = None) -> Rows:
    rows = []
    for library in list(solvers())[:n_libraries]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            rows += fresh.submit(fit_in_this_process, library, n, d, dtype).result()
    return rows


def fit_in_this_process(library: str, n: int, d: int, dtype: str) -> Rows:
    """Fit, and tell by how much the peak of the process grew, over the size of X."""
    use_threads(int(os.environ["OMP_NUM_THREADS"]))
    X, y = correlated(n, d, dtype)
    rows = []
    for model in solvers()[library][:1]:
        model.fit(X[:500].copy(), y[:500].copy())
        over_X = peak_growth(partial(model.fit, X, y)) / X.nbytes
        excess = Optimum(X, y).excess(model)
        rows.append({"library": library, "over_X": over_X, "excess": excess})
    return rows


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the growth over X, and what was reached."""
    return [crossed(results, "library", "case", cells(results, ("over_X", "excess")))]


draw = partial(draw_panels, xlabel="memory beside X, in sizes of X", value="over_X")
