"""How long does a grid search over learning rates take?

GridSearchCV of 20 rates in 5 folds, in one process. In the full batch each candidate
runs 100 epochs, in mini-batches of 256 rows five. The columns are scaled in a pipeline.
The excess is that of the best model, fitted again on all rows.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import by_hand
import numpy as np
import pandas as pd
from accuracy import excess_loss
from libraries import STRATEGIES
from matplotlib.figure import Figure
from measuring import least_seconds, noting_warnings
from presenting import (
    draw_dots,
    excess_as_text,
    markdown,
    ratio_as_text,
    seconds_as_text,
)
from problems import offset_and_scales
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor


class Case(NamedTuple):
    """Rows, and how many rates and folds."""

    n: int
    d: int
    n_rates: int
    n_folds: int
    repeats: int

    def __str__(self) -> str:
        return f"{self.n_rates} rates x {self.n_folds} folds, {self.n:,} x {self.d}"


def cases(quick: bool) -> list[Case]:
    return [Case(5000, 20, 4, 3, 1) if quick else Case(100_000, 20, 20, 5, 3)]


def measure(case: Case) -> list[dict[str, Any]]:
    X, y = offset_and_scales(5, 10, n=case.n, d=case.d)
    rates = np.geomspace(1e-4, 0.1, case.n_rates)
    folds = KFold(case.n_folds)
    found: dict[str, tuple[float, Any]] = {}

    def search(library: str, estimator: Any, parameter: str) -> None:
        grid = GridSearchCV(
            make_pipeline(StandardScaler(), estimator),
            {f"{type(estimator).__name__.lower()}__{parameter}": rates},
            cv=folds,
        ).fit(X, y)
        found[library] = next(iter(grid.best_params_.values())), grid

    runs: dict[str, Callable[[], None]] = {
        library: lambda each=(library, *each): search(*each)
        for library, each in candidates().items()
    }

    def loop() -> None:
        found["full batch by hand, NumPy"] = search_by_hand(X, y, rates, folds)

    runs["full batch by hand, NumPy"] = loop
    with noting_warnings():
        seconds = least_seconds(runs, case.repeats, patience=20.0)
    return [
        {
            "case": str(case),
            "library": library,
            "seconds": seconds[library],
            "best_rate": rate,
            "excess": excess_loss(np.asarray(model.predict(X), dtype=float), X, y),
        }
        for library, (rate, model) in found.items()
    ]


def candidates() -> dict[str, tuple[Any, str]]:
    """Give what is searched, and the name of its learning rate."""
    epochs: dict[str, Any] = {"max_iter": 100, "tol": None}
    batches: dict[str, Any] = {
        "batch_size": 256,
        "max_iter": 5,
        "tol": None,
        "random_state": 0,
    }
    found: dict[str, tuple[Any, str]] = {}
    for name in STRATEGIES:
        found[f"skgd {name}, full batch"] = (
            GDLinearRegressor(name, **epochs),
            "learning_rate",
        )
    for name in STRATEGIES:
        found[f"skgd {name}, batches"] = (
            GDLinearRegressor(name, **batches),
            "learning_rate",
        )
    found["SGDRegressor, a row at a time"] = (
        SGDRegressor(alpha=0, max_iter=5, tol=None, random_state=0),
        "eta0",
    )
    if find_spec("skorch"):
        from skorch_net import LinearNet

        found["skorch, batches"] = (
            LinearNet(max_epochs=5, batch_size=256, iterator_train__shuffle=True),
            "lr",
        )
    return found


def search_by_hand(
    X: np.ndarray, y: np.ndarray, rates: np.ndarray, folds: KFold
) -> tuple[float, Any]:
    """Do what the search does, in two loops around one of NumPy."""
    errors = np.zeros(len(rates))
    for train, test in folds.split(X):
        scaler = StandardScaler().fit(X[train])
        X_train, X_test = scaler.transform(X[train]), scaler.transform(X[test])
        for k, rate in enumerate(rates):
            model = by_hand.ByHand(by_hand.manual, rate, 100).fit(X_train, y[train])
            errors[k] += np.mean((model.predict(X_test) - y[test]) ** 2)
    best = rates[errors.argmin()]
    model = by_hand.ByHand(by_hand.manual, best, 100)
    return best, make_pipeline(StandardScaler(), model).fit(X, y)


def tables(results: pd.DataFrame) -> str:
    """Print time, rate and excess."""
    first = results.seconds.iloc[0]
    return markdown(
        pd.DataFrame(
            {
                results.case.iloc[0]: results.library,
                "search": results.seconds.map(seconds_as_text),
                "over skgd manual": (results.seconds / first).map(ratio_as_text),
                "excess of the best": results.excess.map(excess_as_text),
            }
        )
    )


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the seconds of each search."""
    figure.set_size_inches(6.5, 3.2)
    axes = figure.subplots()
    texts = results.seconds.map(seconds_as_text)
    draw_dots(axes, results.library, results.seconds, texts)
    axes.set(xlabel="seconds of a search", title=results.case.iloc[0])
