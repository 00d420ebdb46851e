"""How long does it take to the least-squares optimum, and how does that grow?

Whole fits, on correlated columns with an offset, to an excess of the mean squared error
over the least of 1e-6, which stands beside the time. Each solver has the loosest of its
settings that reaches that, or the last before one that would take more than four
seconds: then the cell is in brackets. The loops by hand and skorch scale the columns,
and know the best learning rate beforehand. `X.T @ X` is one product of NumPy, which
reads every row once. The last column is the power of n with which the time grows
between the two largest sizes.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from accuracy import Optimum
from libraries import least_squares
from matplotlib.figure import Figure
from measuring import least_seconds, loosest_that_reaches, noting_warnings
from presenting import by_library, colours_of, markdown, time_and_excess
from problems import correlated

TARGET = 1e-6


class Case(NamedTuple):
    """A table to fit, and how often."""

    n: int
    d: int
    dtype: str = "float64"
    repeats: int = 20
    patience: float = 4.0  # seconds for a setting, and for all rounds together

    def __str__(self) -> str:
        return f"{self.n:,} x {self.d}, {self.dtype}"


def cases(quick: bool) -> list[Case]:
    if quick:
        sizes = [(1000, 20), (10_000, 20), (1000, 50), (10_000, 50)]
        cases = [Case(n, d, "float64", 2, 1.0) for n, d in sizes]
        return [*cases, Case(10_000, 50, "float32", 2, 1.0)]
    return [
        *(Case(n, 20) for n in (1000, 10_000, 100_000, 1_000_000)),
        *(Case(n, 50) for n in (1000, 10_000, 100_000, 1_000_000)),
        *(Case(n, 300) for n in (10_000, 100_000)),
        Case(1_000_000, 50, "float32"),
    ]


def measure(case: Case) -> list[dict[str, Any]]:
    X, y = correlated(case.n, case.d, case.dtype)
    optimum = Optimum(X, y)
    fitters: dict[str, Any] = {}
    excesses: dict[str, float] = {}
    for library, ladder in least_squares(optimum.largest_curvature).items():

        def excess_of(model: Any) -> float:
            with noting_warnings():
                return optimum.excess(model.fit(X, y))

        model, excesses[library] = loosest_that_reaches(
            TARGET, ladder, excess_of, case.patience
        )
        fitters[library] = lambda model=model: model.fit(X, y)
    fitters["X.T @ X"] = lambda: X.T @ X
    with noting_warnings():
        seconds = least_seconds(fitters, case.repeats, case.patience)
    return [
        {
            "n": case.n,
            "d": case.d,
            "dtype": case.dtype,
            "library": library,
            "seconds": seconds[library],
            "excess": excesses.get(library),
        }
        for library in fitters
    ]


def tables(results: pd.DataFrame) -> str:
    """Print a table for each number of columns."""
    printed = []
    for (d, dtype), part in results.groupby(["d", "dtype"], sort=False):
        columns = {}
        for n, at in part.groupby("n", sort=False):
            column = at.set_index("library").apply(
                time_and_excess, axis=1, target=TARGET
            )
            columns[f"{n:,} x {d}, {dtype}"] = column
        if len(columns) > 1:
            reached = part.seconds.where(part.excess.isna() | (part.excess <= TARGET))
            seconds = part.assign(reached=reached).pivot(
                index="library", columns="n", values="reached"
            )
            few, many = sorted(part.n.unique())[-2:]
            power = np.log(seconds[many] / seconds[few]) / np.log(many / few)
            columns["power of n"] = power.dropna().map("{:.1f}".format)
        printed.append(markdown(by_library(columns)))
    return "\n\n".join(printed)


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw seconds against rows, hollow where the target was not reached."""
    rows = results[results.dtype == "float64"]
    libraries = rows.library.unique()
    colours = dict(zip(libraries, colours_of(libraries), strict=True))
    widths = sorted(rows.d.unique())
    figure.set_size_inches(3.6 * len(widths), 4.3)
    all_axes = np.ravel(figure.subplots(1, len(widths), sharey=True))
    for axes, d in zip(all_axes, widths, strict=True):
        for library, part in rows[rows.d == d].groupby("library", sort=False):
            ours = library.startswith("skgd")
            style = {"color": colours[library], "ls": "-" if ours else "--"}
            axes.loglog(part.n, part.seconds, lw=2.5 if ours else 1, **style)
            reached = part.excess.isna() | (part.excess <= TARGET)
            fill = np.where(reached, colours[library], "white")
            axes.scatter(
                part.n,
                part.seconds,
                s=18,
                c=fill,
                edgecolors=colours[library],
                zorder=3,
            )
        axes.set(title=f"{d} columns", xlabel="rows")
    all_axes[0].set_ylabel("seconds of a fit")
    for library in libraries:
        ours = library.startswith("skgd")
        style = {"color": colours[library], "ls": "-" if ours else "--"}
        all_axes[0].plot([], [], lw=2.5 if ours else 1, label=library, **style)
    all_axes[0].plot(
        [], [], "o", color="gray", markerfacecolor="white", label=f"excess > {TARGET:g}"
    )
    handles, labels = all_axes[0].get_legend_handles_labels()
    n_columns = 2 * len(widths) - 1
    figure.legend(handles, labels, loc="outside lower center", ncols=n_columns)
