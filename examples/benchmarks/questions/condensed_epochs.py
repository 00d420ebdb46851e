"""What does an epoch on condensed data cost, by rows and by columns?

The cost is the difference between a long and a short run, so that the pass over the
rows does not count. The last column is the excess at the end of the long one.
"""

from typing import Any, NamedTuple

import pandas as pd
from accuracy import excess_loss
from libraries import ours
from matplotlib.figure import Figure
from measuring import epoch_seconds
from presenting import excess_as_text, markdown, seconds_as_text
from problems import correlated


class Case(NamedTuple):
    """Tables of these rows and columns, in turn."""

    shapes: list[tuple[int, int]]
    lengths: tuple[int, int] = (20, 5020)
    repeats: int = 6

    def __str__(self) -> str:
        return f"{len(self.shapes)} tables"


def cases(quick: bool) -> list[Case]:
    if quick:
        return [Case([(2000, 20), (20_000, 20)], (20, 120), 2)]
    return [
        Case([(10_000, 50), (100_000, 50), (1_000_000, 50)]),
        Case([(20_000, 10), (20_000, 100), (20_000, 1000)]),
    ]


def measure(case: Case) -> list[dict[str, Any]]:
    data = {shape: correlated(*shape) for shape in case.shapes}
    models = ours(tol=None, precompute=True)

    def run(library: str, shape: tuple[int, int], epochs: int) -> Any:
        return models[library].set_params(max_iter=epochs).fit(*data[shape])

    runs = {
        f"{library}, {shape}": lambda epochs, library=library, shape=shape: run(
            library, shape, epochs
        )
        for shape in case.shapes
        for library in models
    }
    seconds = epoch_seconds(runs, case.lengths, case.repeats)
    return [
        {
            "n": shape[0],
            "d": shape[1],
            "library": library,
            "seconds": seconds[f"{library}, {shape}"],
            "excess": excess_loss(
                run(library, shape, case.lengths[1]).predict(data[shape][0]),
                *data[shape],
            ),
        }
        for shape in case.shapes
        for library in models
    ]


def tables(results: pd.DataFrame) -> str:
    """Print a row for each table."""
    rows = []
    for (n, d), part in results.groupby(["n", "d"], sort=False):
        taken = part.set_index("library").seconds.map(seconds_as_text)
        row = {"rows x columns": f"{n:,} x {d}", **taken}
        rows.append({**row, "excess at the end": excess_as_text(part.excess.max())})
    return markdown(pd.DataFrame(rows))


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw microseconds against rows at one number of columns."""
    d = results.d.mode()[0]
    figure.set_size_inches(5, 3.5)
    axes = figure.subplots()
    for library, part in results[results.d == d].groupby("library", sort=False):
        axes.semilogx(part.n, part.seconds * 1e6, "o-", label=library)
    axes.set(xlabel=f"rows of {d} columns", ylabel="microseconds an epoch")
    axes.set_ylim(0)
    axes.legend()
