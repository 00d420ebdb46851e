"""What does an epoch cost, over the same epoch in a loop by hand?

Rows are not condensed (precompute=False): condensed, an epoch would not see them at
all. Ours run twice in the full batch: with tol=None, which is the same work as by hand,
and with the stopping rule watched, but never met. Beside the cost stands the excess
loss after the longer of the two runs whose difference it is. Loops by hand keep the
loss of each epoch, as ours do. skorch's net runs in float32 throughout.
"""

from importlib.util import find_spec
from typing import Any, NamedTuple

import by_hand
import numpy as np
import pandas as pd
from accuracy import excess_loss
from libraries import STRATEGIES
from matplotlib.figure import Figure
from measuring import epoch_seconds, noting_warnings
from presenting import (
    draw_cases,
    excess_as_text,
    markdown,
    ratio_as_text,
    seconds_as_text,
)
from sklearn.linear_model import SGDRegressor

from skgd import GDLinearRegressor


class Case(NamedTuple):
    """Rows, their batches, and the epochs of the two runs that are compared."""

    n: int
    d: int
    dtype: str
    batch_size: int | None
    lengths: tuple[int, int]
    learning_rate: float
    repeats: int = 12

    def __str__(self) -> str:
        size = f", batches of {self.batch_size}" if self.batch_size else ""
        return f"{self.n:,} x {self.d}, {self.dtype}{size}"


def cases(quick: bool) -> list[Case]:
    if quick:
        return [
            Case(1000, 20, "float32", None, (5, 105), 0.1, 3),
            Case(5000, 20, "float32", 256, (1, 5), 0.01, 2),
        ]
    return [
        Case(100_000, 20, "float64", None, (10, 110), 0.1),
        Case(100_000, 20, "float32", None, (10, 110), 0.1),
        Case(12, 10, "float64", None, (200, 1700), 1e-3),
        Case(100_000, 20, "float32", 256, (1, 4), 0.01),
    ]


def measure(case: Case) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((case.n, case.d)).astype(case.dtype)
    y = X @ rng.standard_normal(case.d) + rng.standard_normal(case.n)
    y = y.astype(case.dtype)
    models = compared(case)

    def run(library: str, epochs: int) -> Any:
        model, parameter = models[library]
        setattr(model, parameter, epochs)
        return model.fit(X, y)

    runs = {
        library: lambda epochs, library=library: run(library, epochs)
        for library in models
    }
    with noting_warnings():  # the runs are too short to converge
        seconds = epoch_seconds(runs, case.lengths, case.repeats)
        reached = {
            library: excess_loss(np.asarray(run(case.lengths[1]).predict(X)), X, y)
            for library, run in runs.items()
        }
    return [
        {
            "case": str(case),
            "library": library,
            "seconds": seconds[library],
            "epochs": case.lengths[1],
            "excess": reached[library],
        }
        for library in models
    ]


def compared(case: Case) -> dict[str, tuple[Any, str]]:
    """Give what is compared, and the name of its number of epochs."""
    size, rate = case.batch_size, case.learning_rate
    loops = by_hand.MINI_BATCHES if size else by_hand.FULL_BATCH
    models: dict[str, tuple[Any, str]] = {}
    for name in STRATEGIES:
        models[f"by hand, {name}"] = (
            by_hand.ByHand(loops[name], rate, 0, size),
            "epochs",
        )
        for tol in (None,) if size else (None, 1e-15):
            watched = "" if tol is None else ", watching tol"
            models[f"skgd {name}{watched}"] = (
                GDLinearRegressor(
                    name,
                    learning_rate=rate,
                    precompute=False,
                    tol=tol,
                    batch_size=size,
                    random_state=0,
                ),
                "max_iter",
            )
    if size:
        models["SGDRegressor, a row at a time"] = (
            SGDRegressor(alpha=0, tol=None, random_state=0),
            "max_iter",
        )
    if find_spec("skorch"):
        from skorch_net import LinearNet

        net = LinearNet(
            lr=rate, batch_size=size or -1, iterator_train__shuffle=bool(size)
        )
        models["skorch"] = net, "max_epochs"
    return models


def tables(results: pd.DataFrame) -> str:
    """Print each epoch over that by hand, and the time of the latter."""
    table = {"": list(dict.fromkeys(results.library))}
    for case, part in results.groupby("case", sort=False):
        part = part.set_index("library")
        column = []
        for library in table[""]:
            if library not in part.index:
                column.append("")
                continue
            taken, excess = part.seconds[library], excess_as_text(part.excess[library])
            if library.startswith("by hand"):
                cell = seconds_as_text(taken)
            else:
                cell = ratio_as_text(taken / part.seconds[loop_like(library)])
            column.append(f"{cell}, {excess}")
        table[str(case)] = column
    return markdown(pd.DataFrame(table))


def loop_like(library: str) -> str:
    """Name the loop by hand that does what a library does."""
    name = next((name for name in STRATEGIES if name in library), "")
    return f"by hand, {name or ('module' if library == 'skorch' else 'manual')}"


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw an epoch's time, case by case."""
    draw_cases(results, figure, n_columns=2)
    figure.supxlabel("seconds of an epoch", fontsize=9)
