"""How much of scikit-learn's contract does each library keep?

`check_estimator` with default parameters: the conventions of fit and predict, errors on
bad input, cloning and pickling, weights that mean repetition, and so on. How many
checks there are depends on what an estimator declares that it can do. scikit-learn
itself expects two of SGDRegressor's failures, of weights. skorch's net is wrapped to be
told the shapes.
"""

import pandas as pd
from libraries import with_defaults
from matplotlib.figure import Figure
from measuring import Rows, noting_warnings
from sklearn.utils.estimator_checks import check_estimator

STATUSES = ["passed", "failed", "skipped"]

FULL = [{"n_libraries": None}]
QUICK = [{"n_libraries": 1}]


def measure(n_libraries: int | None) -> Rows:
    rows = []
    for library, ladder in list(with_defaults().items())[:n_libraries]:
        for estimator in ladder:
            with noting_warnings():
                checks = check_estimator(estimator, on_skip=None, on_fail=None)
            found = [check["status"] for check in checks]
            counts = {status: found.count(status) for status in STATUSES}
            rows.append({"library": library, **counts})
    return rows


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the counts."""
    return [results.set_index("library")[STATUSES].astype(str)]


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the counts, one upon the other."""
    style = {"color": ["cornflowerblue", "firebrick", "gainsboro"], "width": 0.75}
    counts = results.set_index("library")[STATUSES]
    axes = counts.plot.barh(stacked=True, ax=figure.subplots(), legend=False, **style)
    for bars, colour in zip(axes.containers, ("black", "white"), strict=False):
        texts = [f"{count:.0f}" if count else "" for count in bars.datavalues]
        axes.bar_label(bars, texts, label_type="center", color=colour)
    axes.set(xlabel="checks", ylabel="")
    axes.invert_yaxis()
    figure.legend(loc="outside upper right", ncols=len(STATUSES))
