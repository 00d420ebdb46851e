"""Warnings that point to the user's line."""

from __future__ import annotations

import sys
import warnings


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the first line that is neither skgd's nor of a scikit-learn decorator.

    (``warnings.warn(skip_file_prefixes=...)`` does this from Python 3.12 on.)
    """
    frame, stacklevel = sys._getframe(), 1
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, stacklevel = frame.f_back, stacklevel + 1
    warnings.warn(message, category, stacklevel=stacklevel)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] == "skgd" or module == "sklearn.base"
