"""How long do penalized fits take, one by one and along a path?

The penalty is a twentieth of the largest that leaves anything. Each solver is given the
loosest of its settings whose objective is within 1e-6 of the least, relative to that. A
path has 100 penalties, from the largest to a thousandth of it, each library at its
default tol; its excess is the largest on the way. Ours and enet_path read the rows once
(Moments, the Gram matrix), the others at each penalty. Beside the time stands the
excess of the objective; in brackets, where it is above 1e-6 and a more accurate setting
would have taken more than four seconds.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from libraries import STRATEGIES, penalized
from matplotlib.figure import Figure
from measuring import least_seconds, loosest_that_reaches, noting_warnings
from presenting import (
    by_library,
    draw_cases,
    markdown,
    time_and_excess,
)
from problems import few_that_matter
from sklearn.linear_model import Ridge, enet_path

from skgd import GDLinearRegressor, Moments

TARGET = 1e-6


class Penalty(NamedTuple):
    """A penalty as ElasticNet has it, and its name."""

    name: str
    l1_ratio: float
    positive: bool = False


PENALTIES = {
    penalty.name: penalty
    for penalty in (
        Penalty("lasso", 1.0),
        Penalty("elastic net", 0.5),
        Penalty("ridge", 0.0),
        Penalty("nonnegative lasso", 1.0, positive=True),
    )
}


class Case(NamedTuple):
    """Rows, a penalty, and whether it is one fit or a path of so many."""

    n: int
    d: int
    penalty: str
    n_alphas: int
    repeats: int

    def __str__(self) -> str:
        path = f", {self.n_alphas} penalties" if self.n_alphas > 1 else ""
        return f"{self.penalty}{path}, {self.n:,} x {self.d}"


def cases(quick: bool) -> list[Case]:
    if quick:
        return [Case(5000, 20, "lasso", 1, 2), Case(5000, 20, "elastic net", 5, 2)]
    return [
        *(Case(100_000, 50, penalty, 1, 15) for penalty in PENALTIES),
        *(Case(500, 5000, penalty, 1, 5) for penalty in ("lasso", "elastic net")),
        *(Case(100_000, 50, penalty, 100, 5) for penalty in list(PENALTIES)[:3]),
    ]


def measure(case: Case) -> list[dict[str, Any]]:
    X, y = few_that_matter(case.n, case.d)
    objective = PenalizedObjective(X, y, PENALTIES[case.penalty])
    measure_one = measure_fit if case.n_alphas == 1 else measure_path
    with noting_warnings():
        seconds, excess = measure_one(case, objective)
    return [
        {
            "case": str(case),
            "n_alphas": case.n_alphas,
            "library": library,
            "seconds": seconds[library],
            "excess": excess[library],
        }
        for library in seconds
    ]


class PenalizedObjective:
    """The elastic net's objective, twice that of ElasticNet, for any alpha."""

    def __init__(self, X: np.ndarray, y: np.ndarray, penalty: Penalty) -> None:
        self.X, self.y, self.penalty = X, y, penalty
        self.largest_alpha = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max()
        self.largest_alpha /= len(y) * (penalty.l1_ratio or 1)

    def __call__(self, coef: np.ndarray, alpha: float) -> float:
        residual = self.y - self.X @ coef
        l1, l2 = np.abs(coef).sum(), coef @ coef
        ratio = self.penalty.l1_ratio
        return residual.var() + alpha * (2 * ratio * l1 + (1 - ratio) * l2)


def measure_fit(
    case: Case, objective: PenalizedObjective
) -> tuple[dict[str, float], dict[str, float]]:
    """Time a single fit of each library, and give the excess of each."""
    X, y, (_, l1_ratio, positive) = objective.X, objective.y, objective.penalty
    alpha = objective.largest_alpha / 20
    ladders = penalized(len(y), alpha, l1_ratio, positive)
    tightest = [ladder[-1].fit(X, y) for ladder in ladders.values()]
    least = min(objective(np.ravel(model.coef_), alpha) for model in tightest)
    runs: dict[str, Callable[[], Any]] = {}
    excess: dict[str, float] = {}
    for library, ladder in ladders.items():

        def excess_of(model: Any) -> float:
            return objective(np.ravel(model.fit(X, y).coef_), alpha) / least - 1

        model, excess[library] = loosest_that_reaches(TARGET, ladder, excess_of)
        runs[library] = lambda model=model: model.fit(X, y)
    return least_seconds(runs, case.repeats, patience=5.0), excess


def measure_path(
    case: Case, objective: PenalizedObjective
) -> tuple[dict[str, float], dict[str, float]]:
    """Time a path of each library, and give its largest excess."""
    X, y, l1_ratio = objective.X, objective.y, objective.penalty.l1_ratio
    alphas = np.geomspace(1, 1e-3, case.n_alphas) * objective.largest_alpha
    runs: dict[str, Callable[[], np.ndarray]] = {
        f"skgd {name}, warm starts": lambda name=name: warm_starts(
            X, y, alphas, l1_ratio, name
        )
        for name in STRATEGIES
    }
    if l1_ratio:
        runs["enet_path, Gram matrix"] = lambda: coordinate_descent(
            X, y, alphas, l1_ratio
        )
        best = coordinate_descent(X, y, alphas, l1_ratio, tol=1e-12)
    else:
        runs["Ridge, fit by fit"] = lambda: ridges(X, y, alphas)
        best = ridges(X, y, alphas)
    if l1_ratio and find_spec("skglm"):
        runs["skglm, warm starts"] = lambda: skglm_path(X, y, alphas, l1_ratio)
    seconds = least_seconds(runs, case.repeats)
    least = np.array(list(map(objective, best, alphas)))
    reached = {
        library: np.array(list(map(objective, run(), alphas)))
        for library, run in runs.items()
    }
    return seconds, {
        library: float((values / least - 1).max())
        for library, values in reached.items()
    }


def warm_starts(
    X: np.ndarray, y: np.ndarray, alphas: np.ndarray, l1_ratio: float, strategy: str
) -> np.ndarray:
    """Condense the rows once, and go on from one penalty to the next."""
    few = Moments.from_data(X, y).condense()
    model = GDLinearRegressor(strategy, l1_ratio=l1_ratio, warm_start=True)
    fits = (model.set_params(alpha=alpha).fit(*few) for alpha in alphas)
    return np.array([fit.coef_ for fit in fits])


def coordinate_descent(
    X: np.ndarray,
    y: np.ndarray,
    alphas: np.ndarray,
    l1_ratio: float,
    tol: float = 1e-4,
) -> np.ndarray:
    """Run enet_path on the Gram matrix of centred columns."""
    X, y = X - X.mean(axis=0), y - y.mean()
    known = {"precompute": X.T @ X, "Xy": X.T @ y, "tol": tol, "max_iter": 100_000}
    return enet_path(X, y, l1_ratio=l1_ratio, alphas=alphas, **known)[1].T


def skglm_path(
    X: np.ndarray, y: np.ndarray, alphas: np.ndarray, l1_ratio: float
) -> np.ndarray:
    """Run skglm from one penalty to the next."""
    from skglm import ElasticNet

    model = ElasticNet(l1_ratio=l1_ratio, warm_start=True)
    fits = (model.set_params(alpha=alpha).fit(X, y) for alpha in alphas)
    return np.array([fit.coef_.copy() for fit in fits])


def ridges(X: np.ndarray, y: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """Fit Ridge anew for each penalty."""
    return np.array([Ridge(alpha=alpha * len(y)).fit(X, y).coef_ for alpha in alphas])


def tables(results: pd.DataFrame) -> str:
    """Print time and excess: of single fits, then of paths."""
    is_path = results.n_alphas > 1
    printed = []
    for part in (results[~is_path], results[is_path]):
        columns = {}
        for case, rows in part.groupby("case", sort=False):
            rows = rows.set_index("library")
            columns[case] = rows.apply(time_and_excess, axis=1, target=TARGET)
        printed.append(markdown(by_library(columns)))
    return "\n\n".join(printed)


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the seconds of each case."""
    draw_cases(results, figure, n_columns=3)
    figure.supxlabel("seconds of a fit, or of a path", fontsize=9)
