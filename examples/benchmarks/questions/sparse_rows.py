"""How do sparse rows fare?

There are more columns than rows, so that the targets can be met: what is left is the
share of their variance that a fit does not explain.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from libraries import ours
from matplotlib.figure import Figure
from measuring import least_seconds, noting_warnings
from presenting import draw_dots, excess_as_text, markdown, seconds_as_text
from problems import sparse
from sklearn.linear_model import Ridge, SGDRegressor


class Case(NamedTuple):
    """Rows and columns, a thousandth of whose numbers are not zero."""

    n: int
    d: int
    repeats: int

    def __str__(self) -> str:
        return f"{self.n:,} x {self.d:,}, sparse"


def cases(quick: bool) -> list[Case]:
    return [Case(500, 2500, 1) if quick else Case(20_000, 100_000, 5)]


def measure(case: Case) -> list[dict[str, Any]]:
    X, y = sparse(case.n, case.d)
    models = compared()
    runs = {library: lambda m=model: m.fit(X, y) for library, model in models.items()}
    rows = []
    with noting_warnings():
        seconds = least_seconds(runs, case.repeats, patience=15.0)
        for library, model in models.items():
            rows.append(
                {
                    "case": str(case),
                    "library": library,
                    "seconds": seconds[library],
                    "left": np.mean((model.predict(X) - y) ** 2) / y.var(),
                    "epochs": getattr(model, "n_iter_", None),
                }
            )
    return rows


def compared() -> dict[str, Any]:
    """Give what is compared."""
    batches: dict[str, Any] = {
        "batch_size": 256,
        "max_iter": 5,
        "tol": None,
        "random_state": 0,
    }
    return {
        **{f"{name}, full batch": m for name, m in ours().items()},
        **{f"{name}, batches of 256": m for name, m in ours(**batches).items()},
        "SGDRegressor, five epochs": SGDRegressor(
            alpha=0, max_iter=5, tol=None, random_state=0
        ),
        "SGDRegressor": SGDRegressor(alpha=0, random_state=0),
        "Ridge, conjugate gradients": Ridge(alpha=1e-8, solver="sparse_cg"),
    }


def tables(results: pd.DataFrame) -> str:
    """Print a row for each model."""
    epochs = results.epochs.map(lambda n: "" if pd.isna(n) else f"{n:.0f}")
    return markdown(
        pd.DataFrame(
            {
                results.case.iloc[0]: results.library,
                "fit": results.seconds.map(seconds_as_text),
                "left": results.left.map(excess_as_text),
                "epochs": epochs,
            }
        )
    )


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the seconds of a fit, and what it left."""
    figure.set_size_inches(6.5, 3.2)
    axes = figure.subplots()
    left = results.left.map(excess_as_text)
    texts = results.seconds.map(seconds_as_text) + ", " + left + " left"
    draw_dots(axes, results.library, results.seconds, texts)
    axes.set(xlabel="seconds of a fit", title=results.case.iloc[0])
