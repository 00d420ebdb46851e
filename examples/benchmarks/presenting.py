"""Numbers as text, tables in Markdown, and what pictures have in common."""

import math
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUES = ("navy", "royalblue", "lightskyblue")


def time_text(seconds: float) -> str:
    """Return a time with three digits at most, and its unit."""
    if not math.isfinite(seconds):
        return ""
    units = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
    unit = next((unit for unit, size in units.items() if seconds >= size), "us")
    value = seconds / units[unit]
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def ratio_text(ratio: float) -> str:
    """Return a ratio with two digits where it is near 1, and none where it is large."""
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def excess_text(excess: float) -> str:
    """Return an excess with two digits where it is large, else its order.

    What is below 1e-14 is rounding.
    """
    if pd.isna(excess):
        return "nan"
    if excess <= 1e-14:
        return "0"
    return f"{excess:.2g}" if 0.01 <= excess < 100 else f"{excess:.0e}"


def count_text(count: float) -> str:
    """Return a whole number, or nothing where there is none."""
    return "" if pd.isna(count) else f"{count:.0f}"


def time_and_excess(results: pd.DataFrame, target: float) -> pd.Series:
    """Return both as text, in brackets where the excess is above the target."""
    taken = results.seconds.map(time_text)
    text = taken + ", " + results.excess.map(excess_text)
    text = text.where(~(results.excess > target), "(" + text + ")")
    return text.where(results.excess.notna(), taken)


def crossed(
    results: pd.DataFrame, rows: str, columns: str, cell: pd.Series
) -> pd.DataFrame:
    """Return a table of texts, empty where something was not run."""
    table = results.assign(cell=cell).pivot(index=rows, columns=columns, values="cell")
    order = {"index": results[rows].unique(), "columns": results[columns].unique()}
    return table.reindex(**order).fillna("").rename_axis(columns=None)


def listed(
    results: pd.DataFrame, head: str, columns: dict[str, tuple[str, Callable]]
) -> pd.DataFrame:
    """Return a row for each library, of columns of the results as text."""
    texts = {name: results[key].map(text) for name, (key, text) in columns.items()}
    return pd.DataFrame(texts).set_index(results.library.rename(head))


def markdown(table: pd.DataFrame) -> str:
    """Print a table of text in Markdown."""
    name = "" if table.index.name == "library" else table.index.name
    align = ["left"] + ["right"] * len(table.columns)
    return table.rename_axis(name).to_markdown(
        tablefmt="pipe", colalign=align, disable_numparse=True
    )


def draw_panels(
    results: pd.DataFrame,
    figure: Figure,
    xlabel: str,
    value: str = "seconds",
    text: Callable[[Any], str] = time_text,
    n_columns: int = 3,
) -> None:
    """Draw a value of each library, a panel for each case."""
    groups = list(results.groupby("case", sort=False))
    n_columns = min(n_columns, len(groups))
    n_rows = -(-len(groups) // n_columns)
    height = 2.6 if n_rows > 1 else 3.2
    figure.set_size_inches(max(6.5, 4.5 * n_columns), height * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (case, part) in zip(panels, groups, strict=False):
        _draw_dots(axes, part.set_index("library")[value], text)
        axes.set_title(case)
    for axes in panels[len(groups) :]:
        axes.remove()
    figure.supxlabel(xlabel, fontsize=9)


def _draw_dots(axes: Axes, values: pd.Series, text: Callable[[Any], str]) -> None:
    """Draw values on a logarithmic axis, and print them beside."""
    least = max(values.min(), values.max() / 1e6)
    for k, (library, value) in enumerate(values.items()):
        colour = "tab:blue" if library.startswith("skgd") else "dimgray"
        at = (max(value, least), k)
        axes.plot(*at, "o", color=colour)
        beside = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(text(value), at, color=colour, **beside)
    axes.set_xscale("log")
    axes.set_xlim(least / 3, 10 * values.max())
    axes.set_yticks(range(len(values)), values.index)
    axes.invert_yaxis()


def draw_lines(
    results: pd.DataFrame, figure: Figure, ylabel: str, target: float
) -> None:
    """Draw seconds against rows, a panel for each width, hollow above the target."""
    groups = list(results.groupby("d"))
    figure.set_size_inches(max(6.5, 3.6 * len(groups)), 4.3)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False).ravel()
    styles = _styles(results.library.unique())
    for axes, (d, part) in zip(panels, groups, strict=True):
        for library, line in part.groupby("library", sort=False):
            style = styles[library]
            axes.loglog(line.n, line.seconds, label=library, **style)
            hollow = line[line.excess > target]
            axes.loglog(line.n, line.seconds, "o", ms=4, color=style["color"])
            axes.loglog(hollow.n, hollow.seconds, "o", ms=2.5, color="white")
        axes.set(title=f"{d} columns", xlabel="rows")
    panels[0].set_ylabel(ylabel)
    panels[0].plot([], [], "o", color="gray", mfc="white", label=f"excess > {target:g}")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2 * len(groups) - 1)


def _styles(libraries: list[Hashable]) -> dict[Any, dict[str, Any]]:
    """Return a colour for each library, ours shades of blue and their lines thick."""
    blues, others = iter(BLUES), iter(colormaps["tab20"].colors[2:])
    return {
        library: {"color": next(blues), "ls": "-", "lw": 2.5}
        if library.startswith("skgd")
        else {"color": next(others), "ls": "--", "lw": 1}
        for library in libraries
    }
