"""How long does it take to the least-squares optimum, and how does that grow?

Whole fits, on correlated columns with an offset, to an excess of the mean squared error
over the least of 1e-6, which stands beside the time. Each solver has the loosest of its
settings that reaches that, or the last before one that would take more than four
seconds: then the cell is in brackets. The loops by hand and skorch scale the columns,
and know the best learning rate beforehand. `X.T @ X` is one product of NumPy, which
reads every row once. The last column is the power of n with which the time grows
between the two largest sizes.
"""

from typing import Any

import numpy as np
import pandas as pd
from accuracy import Optimum
from libraries import least_squares
from matplotlib.figure import Figure
from measuring import Rows, measure_fits
from presenting import crossed, draw_lines, time_and_excess
from problems import correlated

TARGET = 1e-6
SIZES = (1000, 10_000, 100_000, 1_000_000)
CAREFUL: dict[str, Any] = {"rounds": 20, "patience": 4.0}
HASTY: dict[str, Any] = {"rounds": 1, "patience": 0.2}

FULL = [
    *({"n": n, "d": 20, "dtype": "float64", **CAREFUL} for n in SIZES),
    *({"n": n, "d": 50, "dtype": "float64", **CAREFUL} for n in SIZES),
    *({"n": n, "d": 300, "dtype": "float64", **CAREFUL} for n in SIZES[1:3]),
    {"n": 1_000_000, "d": 50, "dtype": "float32", **CAREFUL},
]
QUICK = [
    *({"n": n, "d": 20, "dtype": "float64", **HASTY} for n in (500, 2000)),
    {"n": 2000, "d": 10, "dtype": "float32", **HASTY},
]


def measure(n: int, d: int, dtype: str, rounds: int, patience: float) -> Rows:
    X, y = correlated(n, d, dtype)
    optimum = Optimum(X, y)
    ladders = least_squares(optimum.largest_curvature)
    return measure_fits(
        ladders,
        X,
        y,
        optimum.excess,
        rounds,
        patience,
        TARGET,
        ladder_patience=patience,
        beside={"X.T @ X": lambda: X.T @ X},
    )


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table for each number of columns."""
    return [
        power_beside(
            part, crossed(part, "library", "case", time_and_excess(part, TARGET))
        )
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
    """Draw seconds against rows."""
    draw_lines(results[results.dtype == "float64"], figure, "seconds of a fit", TARGET)
