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
from libraries import least_squares, ours
from measuring import Rows, peak_growth, use_threads
from presenting import crossed, draw_panels, excess_text
from problems import correlated

# Not those that scale the rows, which is a copy, whatever the fit then takes.
LIBRARIES = (
    *ours(),
    "LinearRegression",
    "Ridge, cholesky",
    "Ridge, lsqr",
    "Ridge, sag",
    "SGDRegressor",
    "scikit-learn-intelex",
)
FULL = [
    {"library": library, "n": 1_000_000, "d": 50, "dtype": dtype}
    for dtype in ("float64", "float32")
    for library in LIBRARIES
]
QUICK = [
    {"library": library, "n": 100_000, "d": 50, "dtype": "float64"}
    for library in ("skgd manual", "LinearRegression")
]


def measure(library: str, n: int, d: int, dtype: str) -> Rows:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(fit_in_this_process, library, n, d, dtype).result()


def fit_in_this_process(library: str, n: int, d: int, dtype: str) -> Rows:
    """Fit, and tell by how much the peak of the process grew, over the size of X."""
    use_threads(int(os.environ["OMP_NUM_THREADS"]))
    X, y = correlated(n, d, dtype)
    rows = []
    for model in least_squares(1.0)[library][:1]:
        model.fit(X[:500].copy(), y[:500].copy())
        growth = peak_growth(lambda model=model: model.fit(X, y))
        excess = Optimum(X, y).excess(model)
        rows.append({"over_X": growth / X.nbytes, "excess": excess})
    return rows


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the growth over X, and what was reached."""
    growth = results.over_X.map(size_as_text)
    cells = growth + ", " + results.excess.map(excess_text)
    return [crossed(results, "library", "case", cells)]


def size_as_text(over_X: float) -> str:
    """Return the number of times that X would fit."""
    return f"{over_X:.2f} X"


draw = partial(
    draw_panels,
    xlabel="memory of a fit beside X, over the size of X",
    value="over_X",
    text=size_as_text,
)
