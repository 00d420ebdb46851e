"""Warnings that point to the user's line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: A message, and the category of its warning.
Note = tuple[str, type[Warning]]

_NOTES: ContextVar[list[Note] | None] = ContextVar("notes", default=None)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the first line that is neither skgd's nor of a scikit-learn decorator.

    (``warnings.warn(skip_file_prefixes=...)`` does this from Python 3.12 on.)
    """
    notes = _NOTES.get()
    if notes is not None:
        notes.append((message, category))
        return
    frame, stacklevel = sys._getframe(), 1
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)


@contextmanager
def noting() -> Iterator[list[Note]]:
    """Yield a list in which warnings are noted, where no user would see them."""
    notes: list[Note] = []
    token = _NOTES.set(notes)
    try:
        yield notes
    finally:
        _NOTES.reset(token)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "skgd" or module == "sklearn.base"
