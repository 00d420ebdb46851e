"""Numbers as text, tables in Markdown, and what pictures have in common."""

import math
from collections.abc import Callable, Iterable
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


def bytes_text(count: float) -> str:
    """Return a number of bytes with two digits at least, and its unit."""
    if pd.isna(count):
        return ""
    units = {"GB": 1e9, "MB": 1e6, "kB": 1e3}
    unit = next((unit for unit, size in units.items() if count >= size), "kB")
    value = count / units[unit]
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"


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


#: How a column of results is printed.
TEXTS: dict[str, Callable[[Any], str]] = {
    "seconds": time_text,
    "ratio": ratio_text,
    "excess": excess_text,
    "left": excess_text,
    "over_X": "{:.2f} X".format,
    "epochs": count_text,
    **dict.fromkeys(("on_wire", "client", "workers"), bytes_text),
}


def cells(results: pd.DataFrame, names: Iterable[str], target=math.inf) -> pd.Series:
    """Return columns as one text, in brackets where the excess is above the target."""
    first, *others = (results[name].map(TEXTS[name]) for name in names)
    text = first.str.cat(others, sep=", ")
    text = text.str.removesuffix(", nan")  # of what predicts nothing
    return text.where(~(results.excess > target), "(" + text + ")")


def crossed(results: pd.DataFrame, rows: str, columns: str, cell: pd.Series):
    """Return a table of texts, empty where something was not run."""
    table = results.assign(cell=cell).pivot(index=rows, columns=columns, values="cell")
    order = {"index": results[rows].unique(), "columns": results[columns].unique()}
    return table.reindex(**order).fillna("").rename_axis(columns=None)


def listed(results: pd.DataFrame, **columns: str) -> list[pd.DataFrame]:
    """Return one table of the columns of one case, by the heads that they get."""
    results = results.assign(ratio=results.seconds / results.seconds[0])
    texts = {head: results[name].map(TEXTS[name]) for head, name in columns.items()}
    return [pd.DataFrame(texts).set_index(results.library.rename(results.case[0]))]


def markdown(table: pd.DataFrame) -> str:
    """Print a table of text in Markdown."""
    name = "" if table.index.name == "library" else table.index.name
    align = ["left"] + ["right"] * len(table.columns)
    return table.rename_axis(name).to_markdown(
        tablefmt="pipe", colalign=align, disable_numparse=True
    )


def draw_panels(results: pd.DataFrame, figure: Figure, xlabel: str, value="seconds"):
    """Draw a value of each library, a panel for each case."""
    groups = list(results.groupby("case", sort=False))
    n_columns = min(3, len(groups))
    n_rows = -(-len(groups) // n_columns)
    figure.set_size_inches(max(6.5, 4.5 * n_columns), 3 * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (case, part) in zip(panels, groups, strict=False):
        _draw_dots(axes, part.set_index("library")[value], TEXTS[value])
        axes.set_title(case)
    for axes in panels[len(groups) :]:
        axes.remove()
    figure.supxlabel(xlabel, fontsize=9)


def _draw_dots(axes: Axes, values: pd.Series, text: Callable[[Any], str]) -> None:
    """Draw values on a logarithmic axis, and print them beside."""
    least = max(values.min(), values.max() / 1e6)
    beside = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
    for k, (library, value) in enumerate(values.items()):
        colour = "tab:blue" if library.startswith("skgd") else "dimgray"
        at = (max(value, least), k)
        axes.plot(*at, "o", color=colour)
        axes.annotate(text(value), at, color=colour, **beside)
    if least > 0:  # where none is above zero, there is nothing to spread out
        axes.set_xscale("log")
        axes.set_xlim(least / 3, 10 * values.max())
    axes.set_yticks(range(len(values)), values.index)
    axes.invert_yaxis()


def draw_lines(results: pd.DataFrame, figure: Figure, ylabel: str, target: float):
    """Draw seconds against rows, a panel for each width that has several sizes.

    What is above the target is hollow.
    """
    groups = [(d, part) for d, part in results.groupby("d") if part.n.nunique() > 1]
    figure.set_size_inches(max(6.5, 3.6 * len(groups)), 4.3)
    panels = figure.subplots(1, len(groups), sharey=True, squeeze=False).ravel()
    libraries = results.library.unique()
    blues, others = iter(BLUES), iter(colormaps["tab20"].colors[2:])
    ours = [library.startswith("skgd") for library in libraries]
    colours = [next(blues if our else others) for our in ours]
    for axes, (d, part) in zip(panels, groups, strict=True):
        for library, our, colour in zip(libraries, ours, colours, strict=True):
            line = part[part.library == library]
            hollow = line[line.excess > target]
            style = {"ls": "-", "lw": 2.5} if our else {"ls": "--", "lw": 1}
            axes.loglog(line.n, line.seconds, color=colour, label=library, **style)
            axes.loglog(line.n, line.seconds, "o", ms=4, color=colour)
            axes.loglog(hollow.n, hollow.seconds, "o", ms=2.5, color="white")
        axes.set(title=f"{d} columns", xlabel="rows")
    panels[0].set_ylabel(ylabel)
    panels[0].plot([], [], "o", color="gray", mfc="white", label=f"excess > {target:g}")
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2 * len(groups) - 1)
