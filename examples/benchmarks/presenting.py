"""Numbers as text, tables in Markdown, and what pictures have in common."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

#: Colour and dashes, by what the name of a library has in it, the first that fits. Most
#: colours are of Okabe and Ito (2008), which the colour-blind can tell apart.
COLOURS = {
    "skgd": ("#0072b2", "-"),
    "by hand": ("black", ":"),
    "LinearRegression": ("#e69f00", "--"),
    "Ridge": ("#d55e00", "--"),
    "SGDRegressor": ("#cc79a7", "--"),
    "intelex": ("#009e73", "-."),
    "skorch": ("saddlebrown", "-."),
    "X.T @ X": ("darkgray", "-"),
    "": ("dimgray", "--"),
}

#: Markers, in the same way.
MARKERS = {
    "1 worker": "v",
    "2 workers": "D",
    "manual": "o",
    "autograd": "s",
    "module": "^",
    "torch": "^",
    "cholesky": "D",
    "lsqr": "v",
    "sag": "X",
    "averaged": "P",
    "intelex": ">",
    "": "o",
}


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
    return [pd.DataFrame(texts).set_index(results["library"].rename(results.case[0]))]


def markdown(table: pd.DataFrame) -> str:
    """Print a table of text in Markdown."""
    name = "" if table.index.name == "library" else table.index.name
    align = ["left"] + ["right"] * len(table.columns)
    return table.rename_axis(name).to_markdown(
        tablefmt="pipe", colalign=align, disable_numparse=True
    )


def look(library: str) -> dict[str, Any]:
    """Return how the lines and dots of a library look in every picture."""
    colour, dashes = next(COLOURS[part] for part in COLOURS if part in library)
    marker = next(MARKERS[part] for part in MARKERS if part in library)
    width = 2 if library.startswith("skgd") else 1.2
    return {"color": colour, "ls": dashes, "lw": width, "marker": marker, "ms": 5}


def draw_panels(
    results: pd.DataFrame,
    figure: Figure,
    xlabel: str,
    value="seconds",
    target=math.inf,
    n_columns=3,
):
    """Draw a value of each library, a panel for each case, hollow above the target."""
    parts = [part for _, part in results.groupby("case", sort=False)]
    n_columns = min(n_columns, len(parts))
    rows = [parts[k : k + n_columns] for k in range(0, len(parts), n_columns)]
    names = [list(pd.concat(row)["library"].unique()) for row in rows]
    heights = [len(libraries) + 0.5 for libraries in names]
    figure.set_figheight(0.21 * sum(heights) + 0.6 * len(rows) + 0.3)
    shared = {"sharex": True, "sharey": "row", "squeeze": False}
    panels = figure.subplots(len(rows), n_columns, height_ratios=heights, **shared)
    for in_row, row, libraries in zip(panels, rows, names, strict=True):
        for axes, part in zip(in_row, row, strict=False):
            draw_dots(axes, part, libraries, value, target)
        for axes in in_row[len(row) :]:
            axes.remove()
    for axes in panels[-1]:
        axes.set_xlabel(xlabel)
    leave_room(panels[0, 0], n_columns)
    explain_hollow(figure, results, target)


def draw_dots(
    axes: Axes, results: pd.DataFrame, libraries: list[str], value: str, target: float
):
    """Draw a value of each library in its line, and print it beside."""
    beside = {"xytext": (7, 0), "textcoords": "offset points"}
    beside |= {"va": "center_baseline", "bbox": {"fc": "white", "lw": 0, "pad": 0.5}}
    for library, row in results.set_index("library").iterrows():
        style, at = look(library), (row[value], libraries.index(library))
        missed = row.get("excess", 0) > target
        axes.plot(*at, **style, mfc="white" if missed else style["color"])
        axes.annotate(TEXTS[value](row[value]), at, **beside)
    axes.set_title(results.case.iloc[0].replace(", ", "\n"))
    axes.set_yticks(range(len(libraries)), libraries)
    axes.set_ylim(len(libraries) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    if value == "seconds":
        axes.set_xscale("log")
        print_times(axes.xaxis)


def leave_room(axes: Axes, n_columns: int) -> None:
    """Leave room beside the last dot and between ticks, in one of so many columns."""
    left, _ = axes.get_xlim()
    axes.margins(x=0.13 * n_columns)
    axes.set_xlim(left=left)
    if axes.get_xscale() == "log":
        subs = (1, 2, 5) if n_columns == 1 else (1,)
        axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=15 // n_columns))


def draw_lines(
    axes: Axes, results: pd.DataFrame, by: str, target=math.inf, yscale="log"
):
    """Draw seconds against a size, hollow above the target."""
    for library, line in results.groupby("library", sort=False):
        style = look(library)
        axes.plot(line[by], line.seconds, label=library, **style)
        missed = line[line.excess > target]
        axes.plot(missed[by], missed.seconds, **style | {"ls": ""}, mfc="white")
    axes.set(xscale="log", yscale=yscale)
    print_times(axes.yaxis)


def print_times(axis: Axis) -> None:
    """Print the times at the main ticks of an axis."""
    axis.set_major_formatter(lambda seconds, _: time_text(seconds))
    axis.set_minor_formatter(NullFormatter())


def name_lines(axes: Axes) -> None:
    """Name the lines at the right, in the order in which they end."""
    lines, _ = axes.get_legend_handles_labels()
    lines.sort(key=lambda line: line.get_ydata()[-1], reverse=True)
    axes.legend(handles=lines, loc="center left", bbox_to_anchor=(1, 0.5))


def explain_hollow(figure: Figure, results: pd.DataFrame, target: float) -> None:
    """Say what hollow markers mean, where there are any."""
    if "excess" in results and (results.excess > target).any():
        hollow = Line2D([], [], marker="o", ls="", color="dimgray", mfc="white")
        text = f"hollow: excess above {target:g}"
        figure.legend([hollow], [text], loc="outside lower right")
