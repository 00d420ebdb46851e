"""What does an epoch on condensed data cost, by rows and by columns?

The cost is the difference between a long and a short run, so that the pass over the
rows does not count. The last column is the excess at the end of the long one.
"""

import pandas as pd
from accuracy import Optimum
from libraries import each, ours
from matplotlib.figure import Figure
from measuring import Problem, Rows, measure_epochs
from presenting import cells, crossed, draw_lines, excess_text, name_lines
from problems import correlated

LONG = {"lengths": (20, 5020), "rounds": 6}
FULL = [
    *({"n": n, "d": 50, **LONG} for n in (10_000, 100_000, 1_000_000)),
    *({"n": 20_000, "d": d, **LONG} for d in (10, 100, 1000)),
]
QUICK = [{"n": n, "d": 20, "lengths": (20, 120), "rounds": 1} for n in (500, 5000)]


def measure(n: int, d: int, lengths: tuple[int, int], rounds: int) -> Rows:
    X, y = correlated(n, d)
    models = ours(tol=None, precompute=True)
    runs = {library: each(model, max_iter=lengths) for library, model in models.items()}
    problem = Problem(X, y, Optimum(X, y).excess)
    return measure_epochs(runs, lengths, problem, rounds)


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a row for each table."""
    taken = crossed(results, "case", "library", cells(results, ["seconds"]))
    at_end = results.groupby("case").excess.max().map(excess_text)
    table = taken.assign(**{"excess at the end": at_end})
    return [table.rename_axis("rows x columns")]


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the time of an epoch against rows, and against columns."""
    names = {"n": "rows", "d": "columns"}
    drawn = [
        (size, by, part)
        for size, by in ("dn", "nd")
        for _, part in results.groupby(size)
        if part[by].nunique() > 1
    ]
    panels = figure.subplots(1, len(drawn), sharey=True, squeeze=False).ravel()
    for axes, (size, by, part) in zip(panels, drawn, strict=True):
        draw_lines(axes, part, by, yscale="linear")
        axes.set(title=f"{part[size].iloc[0]:,} {names[size]}", xlabel=names[by])
    panels[0].set_ylabel("time of an epoch")
    panels[0].set_ylim(bottom=0)
    name_lines(panels[-1])
