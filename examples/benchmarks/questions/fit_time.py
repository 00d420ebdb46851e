"""How long does it take to the least-squares optimum, and how does that grow?

Whole fits, on correlated columns with an offset, to an excess of the mean squared error
over the least of 1e-6, which stands beside the time. Each solver has the loosest of its
settings that reaches that, or the last before one that would take more than four
seconds: then the cell is in brackets. The loops by hand and skorch scale the columns,
and know the best learning rate beforehand. `X.T @ X` is one product of NumPy, which
reads every row once. The last column is the power of n with which the time grows
between the two largest sizes.
"""

import numpy as np
import pandas as pd
from accuracy import Optimum
from by_hand import ByHand, product
from libraries import solvers, tuned_solvers
from matplotlib.figure import Figure
from measuring import Problem, Rows, measure_fits
from presenting import cells, crossed, draw_lines, explain_hollow, name_lines
from problems import correlated

from questions import cases

TARGET = 1e-6

#: What is drawn beside ours, row by row: what a name has in it.
BESIDE = {
    "direct solvers": "^(?!.*(?:sag|SGD|by hand|skorch))",  # all the others
    "stochastic solvers": "sag|SGD",
    "tuned loops": "by hand|skorch",
}
COLUMNS = "n d dtype rounds patience"
FULL = cases(
    COLUMNS,
    *((n, 20, "float64", 20, 4.0) for n in (1000, 10_000, 100_000, 1_000_000)),
    *((n, 50, "float64", 20, 4.0) for n in (1000, 10_000, 100_000, 1_000_000)),
    *((n, 300, "float64", 20, 4.0) for n in (10_000, 100_000)),
    (1_000_000, 50, "float32", 20, 4.0),
)
QUICK = cases(
    COLUMNS,
    *((n, 20, "float64", 1, 0.2) for n in (500, 2000)),
    (2000, 10, "float32", 1, 0.2),
)


def measure(n: int, d: int, dtype: str, rounds: int, patience: float) -> Rows:
    X, y = correlated(n, d, dtype)
    optimum = Optimum(X, y)
    rate = 1 / optimum.largest_curvature
    ladders = {**solvers(), **tuned_solvers(rate), "X.T @ X": [ByHand(product, rate)]}
    problem = Problem(X, y, optimum.excess)
    return measure_fits(ladders, problem, rounds, patience, TARGET)


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table for each number of columns."""
    cell = cells(results, ("seconds", "excess"), TARGET)
    return [
        power_beside(part, crossed(part, "library", "case", cell))
        for _, part in results.groupby(["d", "dtype"], sort=False)
    ]


def power_beside(results: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Put the power of n with which the time grows beside a table of several sizes."""
    sizes = sorted(results.n.unique())[-2:]
    if len(sizes) < 2:
        return table
    reached = results[~(results.excess > TARGET)]
    seconds = reached.pivot(index="library", columns="n", values="seconds")
    few, many = sizes
    power = np.log(seconds[many] / seconds[few]) / np.log(many / few)
    text = power.dropna().map("{:.1f}".format)
    return table.assign(**{"power of n": text}).fillna("")


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw seconds against rows: a panel for each width, and kind of solver."""
    results = results[results.dtype == "float64"]
    widths = [(d, part) for d, part in results.groupby("d") if part.n.nunique() > 1]
    figure.set_figheight(6.5)
    shared = {"sharex": "col", "sharey": "row", "squeeze": False}
    panels = figure.subplots(len(BESIDE), len(widths), **shared)
    for (kind, names), row in zip(BESIDE.items(), panels, strict=True):
        for (_, part), axes in zip(widths, row, strict=True):
            drawn = part[part["library"].str.contains(f"skgd|{names}")]
            draw_lines(axes, drawn, "n", TARGET)
        row[0].set_ylabel(f"time of a fit\nbeside {kind}")
        name_lines(row[-1])
    for (d, _), top, bottom in zip(widths, panels[0], panels[-1], strict=True):
        top.set_title(f"{d} columns")
        bottom.set_xlabel("rows")
    explain_hollow(figure, results, TARGET)
