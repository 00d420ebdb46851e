"""How much of scikit-learn's contract does each library keep?

`check_estimator` with default parameters: the conventions of fit and predict, errors on
bad input, cloning and pickling, weights that mean repetition, and so on. How many
checks there are depends on what an estimator declares that it can do. scikit-learn
itself expects two of SGDRegressor's failures, of weights. skorch's net is wrapped to be
told the shapes.
"""

from typing import Any

import numpy as np
import pandas as pd
from libraries import with_defaults
from matplotlib.figure import Figure
from measuring import noting_warnings
from presenting import markdown
from sklearn.utils import estimator_checks

STATUSES = ("passed", "failed", "skipped")


def cases(quick: bool) -> list[str]:
    libraries = list(with_defaults())
    return libraries[:1] if quick else libraries


def measure(case: str) -> list[dict[str, Any]]:
    estimator = with_defaults()[case]
    with noting_warnings(), np.errstate(all="ignore"):
        checks = estimator_checks.check_estimator(estimator, on_skip=None, on_fail=None)
    found = [check["status"] for check in checks]
    failed = [check["check_name"] for check in checks if check["status"] == "failed"]
    counts = {status: found.count(status) for status in STATUSES}
    return [{"library": case, **counts, "which_failed": " ".join(failed)}]


def tables(results: pd.DataFrame) -> str:
    """Print the counts."""
    counts = results[["library", *STATUSES]].rename(columns={"library": ""})
    return markdown(counts.astype(str))


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the counts, one upon the other."""
    figure.set_size_inches(6.5, 3.2)
    axes = figure.subplots()
    before = np.zeros(len(results))
    colours = ("tab:blue", "tab:red", "lightgray")
    for status, colour in zip(STATUSES, colours, strict=True):
        counts = results[status]
        axes.barh(results.library, counts, left=before, color=colour, label=status)
        before += counts
    axes.set_xlabel("checks")
    axes.invert_yaxis()
    figure.legend(loc="outside right upper")
