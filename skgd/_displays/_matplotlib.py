"""What the displays share of matplotlib, which is an extra: ``skgd[plot]``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.utils._plotting import _validate_style_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Keyword arguments of a matplotlib artist.
Style: TypeAlias = Mapping[str, Any]

#: Lines that differ in lightness and in dashes, so that they print in grey.
_LINE_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0b2a4a", "linestyle": "-"},
    {"color": "#d55e00", "linestyle": "--"},
    {"color": "#56b4e9", "linestyle": "-."},
    {"color": "#0072b2", "linestyle": (0, (1, 1))},
    {"color": "#e69f00", "linestyle": (0, (6, 2, 1, 2, 1, 2))},
    {"color": "#7f7f7f", "linestyle": (0, (8, 3))},
)

#: So many lines can be told apart.
MOST_LINES = len(_LINE_STYLES)

#: What is drawn over grey contours: dark, so that it prints.
PATH_COLOR, MINIMUM_COLOR = "#0b3c8c", "#c0392b"


def require_matplotlib(caller: str) -> None:
    """Raise where matplotlib is not installed, before anything is computed.

    Raises
    ------
    ImportError
        With the name of the extra.
    """
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib: pip install 'skgd[plot]'."
        ) from error


def axes_or_new(ax: Axes | None, caller: str) -> Axes:
    """Return the axes to draw on: those passed, or those of a new figure."""
    require_matplotlib(caller)
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]  # no label is cut off


def line_styles(
    n_lines: int, name: str, kwargs: Style | Sequence[Style] | None
) -> list[dict[str, Any]]:
    """Return the style of each line: what the user passed, over the default.

    Raises
    ------
    ValueError
        If a list of styles is of another length.
    """
    if kwargs is None or isinstance(kwargs, Mapping):
        kwargs = [kwargs or {}] * n_lines
    if len(kwargs) != n_lines:
        raise ValueError(
            f"The {name!r} parameter must be a dict, or a list of {n_lines} dicts, one "
            f"for each line. Got {len(kwargs)} instead."
        )
    return [styled(_line_style(i), each) for i, each in enumerate(kwargs)]


def _line_style(i: int) -> Style:
    """Return the style of the i-th line: of more lines than colours, other dashes."""
    dashes = _LINE_STYLES[(i + i // MOST_LINES) % MOST_LINES]["linestyle"]
    return {**_LINE_STYLES[i % MOST_LINES], "linestyle": dashes}


def python_number(value: Any) -> Any:
    """Return a number of NumPy as Python writes it, for a legend; others unchanged."""
    return value.item() if isinstance(value, np.generic) else value


def styled(default: Style, kwargs: Style | None) -> dict[str, Any]:
    """Return a style: what the user passed, maybe by short names, over the default."""
    style: dict[str, Any] = _validate_style_kwargs(dict(default), kwargs or {})
    return style
