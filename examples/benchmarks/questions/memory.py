"""How much memory does a fit take beside the rows themselves?

The peak of the process during a fit, as the system counts, above what it held before,
over the size of X. Each fit has a process of its own, which has fitted a few rows
before: what an import takes is not the fit's. Iterative solvers have the loosest of
their settings; what they reached stands beside.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from accuracy import Optimum
from libraries import least_squares
from matplotlib.figure import Figure
from measuring import peak_growth, use_threads
from presenting import by_library, draw_dots, excess_as_text, markdown
from problems import correlated

# Scaled rows are a copy, whatever the loop then takes.
LEFT_OUT = ("loop by hand", "skorch", "SGDRegressor, scaled")


class Case(NamedTuple):
    """A library, and the rows that it is to fit."""

    library: str
    n: int
    d: int
    dtype: str

    def __str__(self) -> str:
        return f"{self.library}, {self.n:,} x {self.d}, {self.dtype}"


def cases(quick: bool) -> list[Case]:
    libraries = [name for name in least_squares(1.0) if not name.startswith(LEFT_OUT)]
    if quick:
        return [Case(library, 200_000, 50, "float64") for library in libraries[::4]]
    return [
        Case(library, 1_000_000, 50, dtype)
        for dtype in ("float64", "float32")
        for library in libraries
    ]


def measure(case: Case) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(case)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    return [{**case._asdict(), **json.loads(done.stdout)}]


def fit_in_this_process(case: Case) -> dict[str, float]:
    """Fit, and give by how much the peak of the process grew, over the size of X."""
    model = least_squares(1.0)[case.library][0]
    X, y = correlated(case.n, case.d, case.dtype)
    model.fit(X[:500].copy(), y[:500].copy())
    growth = peak_growth(lambda: model.fit(X, y))
    return {"over_X": growth / X.nbytes, "excess": Optimum(X, y).excess(model)}


def tables(results: pd.DataFrame) -> str:
    """Print the growth over X, and what was reached."""
    columns = {}
    for (n, d, dtype), part in results.groupby(["n", "d", "dtype"], sort=False):
        part = part.set_index("library")
        growth = part.over_X.map("{:.2f} X, ".format)
        columns[f"{n:,} x {d}, {dtype}"] = growth + part.excess.map(excess_as_text)
    return markdown(by_library(columns))


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the growth of the first dtype."""
    part = results[results.dtype == results.dtype.iloc[0]]
    figure.set_size_inches(6.5, 3.2)
    axes = figure.subplots()
    shown = part.over_X.clip(lower=1e-3)
    draw_dots(axes, part.library, shown, part.over_X.map("{:.2f} X".format))
    axes.set_xlabel("memory of a fit beside X, over the size of X")


if __name__ == "__main__":
    use_threads(int(os.environ["OMP_NUM_THREADS"]))
    print(json.dumps(fit_in_this_process(Case(*json.loads(sys.argv[1])))))
