"""How near to least squares do default parameters come on data as they are?

Whole tables in raw units, no scaling, nothing tuned. The excess is that of the mean
squared error over the least, relative to it. A wide table can be met exactly: its
excess is the share of the variance of y that is left. Ridge, ElasticNet and skglm are
penalized by default, so theirs is no failure. skorch's is a net of one nn.Linear, told
the shapes, without the rows that it holds out by default. (w): it raised a
ConvergenceWarning. The second table has the time of a fit.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from accuracy import excess_loss
from libraries import STRATEGIES, with_defaults
from matplotlib.figure import Figure
from measuring import least_seconds, noting_warnings
from presenting import excess_as_text, markdown, seconds_as_text
from problems import PROBLEMS, Data, wide


class Case:
    """A table to fit, and how often."""

    def __init__(self, problem: Callable[[], Data], repeats: int) -> None:
        self.problem = problem
        self.repeats = repeats

    def __str__(self) -> str:
        return self.problem.__name__


def cases(quick: bool) -> list[Case]:
    if quick:
        return [Case(problem, 1) for problem in PROBLEMS[:3]]
    return [Case(problem, 10) for problem in [*PROBLEMS, wide]]


def measure(case: Case) -> list[dict[str, Any]]:
    X, y = case.problem()
    models = with_defaults(several_targets=y.ndim > 1)
    reached, raised = {}, {}
    for library, model in models.items():
        prediction = np.full(y.shape, np.nan)
        with noting_warnings() as raised[library], suppress(ValueError):  # overflow
            prediction = np.asarray(model.fit(X, y).predict(X), dtype=float)
        reached[library] = excess(prediction, X, y)
    runs = {library: lambda m=model: m.fit(X, y) for library, model in models.items()}
    with noting_warnings():
        seconds = least_seconds(runs, case.repeats, patience=2.0)
    return [
        {
            "data": str(case),
            "n": len(X),
            "d": X.shape[1],
            "library": library,
            "excess": reached[library],
            "seconds": seconds[library],
            "epochs": getattr(model, "n_iter_", None)
            if library.startswith("skgd")
            else None,
            "warnings": " ".join(raised[library]),
        }
        for library, model in models.items()
    ]


def excess(prediction: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """Excess loss of predictions; nan where they overflow."""
    if not np.isfinite(prediction).all():
        return float("nan")
    with np.errstate(over="ignore"):
        if len(X) < X.shape[1]:
            return float(((prediction - y) ** 2).mean() / y.var())
        return excess_loss(prediction, X, y)


def tables(results: pd.DataFrame) -> str:
    """Print the excess of each library, then what ours took."""
    warned = results.warnings.fillna("").str.contains("ConvergenceWarning")
    text = results.excess.map(excess_as_text).where(results.excess.notna(), "nan")
    cells = results.assign(cell=text + warned.map({True: " (w)", False: ""}))
    by_data = cells.pivot_table("cell", "data", "library", "first", sort=False)
    by_data = by_data[cells.library.unique()]
    taken = results.assign(cell=results.seconds.map(seconds_as_text))
    taken = taken.pivot_table("cell", "data", "library", "first", sort=False)
    sizes = results.drop_duplicates("data").set_index("data")
    manual = results[results.library == "skgd manual"].set_index("data")
    columns = [*(f"skgd {name}" for name in STRATEGIES), "LinearRegression"]
    ours = pd.DataFrame(
        {
            "rows x columns": [
                f"{n:,} x {d}" for n, d in zip(sizes.n, sizes.d, strict=True)
            ],
            "epochs": manual.epochs.map("{:.0f}".format),
            **{column: taken[column] for column in columns},
        },
        index=sizes.index,
    )
    return "\n\n".join(markdown(table.reset_index()) for table in (by_data, ours))


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the table of excesses, from white for none to red for what is useless."""
    excess = results.pivot_table(
        "excess", "data", "library", "first", sort=False, dropna=False
    )[results.library.unique()]
    figure.set_size_inches(1.5 + 0.75 * excess.shape[1], 1.7 + 0.3 * len(excess))
    axes = figure.subplots()
    orders = np.log10(excess.clip(1e-12, 1e3).fillna(1e3).to_numpy())
    axes.imshow(orders, cmap="OrRd", vmin=-8, vmax=5, aspect="auto")
    for (row, column), value in np.ndenumerate(excess.to_numpy()):
        text = excess_as_text(value) or "nan"
        axes.text(column, row, text, ha="center", va="center", fontsize=7)
    axes.set_xticks(
        range(excess.shape[1]), excess.columns, rotation=40, ha="right", fontsize=8
    )
    axes.set_yticks(range(len(excess)), excess.index)
    axes.set_title("Excess loss with default parameters on raw data", fontsize=9)
    axes.grid(visible=False)
