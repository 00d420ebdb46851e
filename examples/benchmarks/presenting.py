"""Numbers as text, tables in Markdown, and what pictures have in common."""

import itertools
import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS = ("navy", "royalblue", "lightskyblue")
PEERS = (
    "tab:orange",
    "tab:red",
    "tab:green",
    "tab:brown",
    "tab:purple",
    "tab:pink",
    "gold",
    "tab:olive",
    "gray",
    "black",
    "yellowgreen",
)


def seconds_as_text(seconds: float) -> str:
    """Give a time three digits at most, and its unit."""
    if not math.isfinite(seconds):
        return ""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size or unit == "us":
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    raise AssertionError


def ratio_as_text(ratio: float) -> str:
    """Give a ratio two digits where it is near 1, and none where it is large."""
    if not math.isfinite(ratio):
        return ""
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.2g}x"


def excess_as_text(excess: float | None) -> str:
    """Give an excess two digits where it is large, and its order where it is small.

    What is below 1e-14 is rounding.
    """
    if excess is None or pd.isna(excess):
        return ""
    if excess <= 1e-14:
        return "0"
    return f"{excess:.2g}" if 0.01 <= excess < 100 else f"{excess:.0e}"


def time_and_excess(row: pd.Series, target: float) -> str:
    """Give both, in brackets where the excess is above the target."""
    text = seconds_as_text(row.seconds)
    if pd.isna(row.excess):
        return text
    text += f", {excess_as_text(row.excess)}"
    return text if row.excess <= target else f"({text})"


def by_library(columns: dict[str, pd.Series]) -> pd.DataFrame:
    """Put series indexed by library side by side, empty where one was not run."""
    libraries: dict[str, None] = {}
    for column in columns.values():
        libraries |= dict.fromkeys(column.index)
    table = pd.DataFrame(columns, index=list(libraries)).fillna("")
    return table.rename_axis("").reset_index()


def markdown(table: pd.DataFrame, align: Sequence[str] | None = None) -> str:
    """Print a table of text in Markdown."""
    align = align or ["left"] + ["right"] * (len(table.columns) - 1)
    return table.to_markdown(
        index=False, tablefmt="pipe", colalign=align, disable_numparse=True
    )


def colours_of(libraries: Sequence[str]) -> list[str]:
    """Give each library a colour of its own, ours shades of blue."""
    peers = itertools.cycle(PEERS)
    blues = iter(OURS)
    return [
        next(blues, OURS[-1]) if name.startswith("skgd") else next(peers)
        for name in libraries
    ]


def draw_dots(
    axes: Axes, libraries: Sequence[str], values: Sequence[float], texts: Sequence[str]
) -> None:
    """Draw a value for each library on a logarithmic axis, and print it beside."""
    for k, (name, value, text) in enumerate(zip(libraries, values, texts, strict=True)):
        colour = "tab:blue" if name.startswith("skgd") else "dimgray"
        axes.plot(value, k, "o", color=colour)
        axes.annotate(
            text,
            (value, k),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    shown = [value for value in values if value > 0]
    axes.set_xscale("log")
    axes.set_xlim(min(shown) / 3, 10 * max(shown))
    axes.set_yticks(range(len(libraries)), libraries)
    axes.invert_yaxis()


def draw_cases(results: pd.DataFrame, figure: Figure, n_columns: int) -> None:
    """Draw the seconds of each library, a panel for each case."""
    groups = list(results.groupby("case", sort=False))
    n_columns = min(n_columns, len(groups))
    n_rows = -(-len(groups) // n_columns)
    figure.set_size_inches(4.5 * n_columns, 2.6 * n_rows)
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axes, (case, part) in zip(panels, groups, strict=False):
        texts = part.seconds.map(seconds_as_text)
        draw_dots(axes, part.library, part.seconds, texts)
        axes.set_title(case)
    for axes in panels[len(groups) :]:
        axes.remove()
