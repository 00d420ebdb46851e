"""What does a stream cost, and how near does it end?

Chunks of 100,000 rows of 20 columns are drawn as they are needed, 10,000,000 rows in
all. The time is the median of a chunk. The excess is that of the last model over the
least squares of all rows.
"""

import random
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from accuracy import Optimum
from libraries import ours
from matplotlib.figure import Figure
from measuring import noting_warnings
from presenting import draw_dots, excess_as_text, markdown, seconds_as_text
from sklearn.linear_model import SGDRegressor

from skgd import GDLinearRegressor

N_FEATURES = 20
COEF = np.random.default_rng(1).standard_normal(N_FEATURES)


class Case(NamedTuple):
    """How many chunks, of how many rows."""

    n_chunks: int
    n_rows: int

    def __str__(self) -> str:
        return f"{self.n_chunks * self.n_rows:,} x {N_FEATURES}"


def cases(quick: bool) -> list[Case]:
    return [Case(4, 2000) if quick else Case(100, 100_000)]


def measure(case: Case) -> list[dict[str, Any]]:
    models = compared(case)
    seconds: dict[str, list[float]] = {library: [] for library in models}
    order, shuffle = list(models), random.Random(0).shuffle
    for X, y in chunks(case):
        for library in order:
            start = time.perf_counter()
            with noting_warnings():
                models[library].partial_fit(X, y)
            seconds[library].append(time.perf_counter() - start)
        shuffle(order)
    optimum = Optimum(*map(np.concatenate, zip(*chunks(case), strict=True)))
    return [
        {
            "case": str(case),
            "library": library,
            "seconds": np.median(seconds[library]),
            "excess": optimum.excess(model),
        }
        for library, model in models.items()
    ]


def compared(case: Case) -> dict[str, Any]:
    """Give what takes the stream."""
    averaged = {"average": case.n_rows, "random_state": 0}
    models: dict[str, Any] = {
        **{f"{name}, full batch": m for name, m in ours(tol=1e-8).items()},
        "skgd manual, averaged batches of 256": GDLinearRegressor(
            batch_size=256, **averaged
        ),
        "SGDRegressor": SGDRegressor(alpha=0, random_state=0),
        "SGDRegressor, averaged": SGDRegressor(
            alpha=0, learning_rate="constant", eta0=1e-3, **averaged
        ),
    }
    if find_spec("sklearnex"):
        from sklearnex.linear_model import IncrementalLinearRegression

        models["scikit-learn-intelex, incremental"] = IncrementalLinearRegression()
    return models


def chunks(case: Case) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw the same chunks each time."""
    for k in range(case.n_chunks):
        rng = np.random.default_rng(k)
        X = rng.standard_normal((case.n_rows, N_FEATURES)) + 3
        yield X, X @ COEF + rng.standard_normal(case.n_rows)


def tables(results: pd.DataFrame) -> str:
    """Print a row for each library."""
    return markdown(
        pd.DataFrame(
            {
                results.case.iloc[0]: results.library,
                "a chunk": results.seconds.map(seconds_as_text),
                "excess at the end": results.excess.map(excess_as_text),
            }
        )
    )


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the seconds of a chunk."""
    figure.set_size_inches(6.5, 2.5)
    axes = figure.subplots()
    texts = results.seconds.map(seconds_as_text)
    draw_dots(axes, results.library, results.seconds * 1e3, texts)
    axes.set(xlabel="milliseconds of a chunk", title=results.case.iloc[0])
