"""How long do penalized fits take, one by one and along a path?

The penalty is a twentieth of the largest that leaves anything. Each solver is given the
loosest of its settings whose objective is within 1e-6 of the least, relative to that. A
path has 100 penalties, from the largest to a thousandth of it, each library at its
default tol; its excess is the largest on the way. gd_path and enet_path read the rows
once (moments, the Gram matrix), the others at each penalty. Beside the time stands the
excess of the objective; in brackets, where it is above 1e-6 and a more accurate setting
would have taken more than four seconds.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from libraries import SKGLM, STRATEGIES, TOLS, Ladders, each, our_ladders, peer
from measuring import Problem, Rows, measure_fits
from presenting import cells, crossed, draw_panels
from problems import few_that_matter
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, Ridge, enet_path

from questions import cases
from skgd import gd_path

TARGET = 1e-6

#: The share of L1, and whether coefficients are nonnegative.
PENALTIES = {
    "lasso": (1.0, False),
    "elastic net": (0.5, False),
    "ridge": (0.0, False),
    "nonnegative lasso": (1.0, True),
}

COLUMNS = "penalty n d n_alphas rounds"
FULL = cases(
    COLUMNS,
    *((penalty, 100_000, 50, 1, 15) for penalty in PENALTIES),
    *((penalty, 500, 5000, 1, 5) for penalty in ("lasso", "elastic net")),
    *((penalty, 100_000, 50, 100, 5) for penalty in ("lasso", "elastic net", "ridge")),
)
QUICK = cases(
    COLUMNS,
    ("lasso", 1000, 20, 1, 1),
    ("elastic net", 1000, 20, 3, 1),
)


def measure(penalty: str, n: int, d: int, n_alphas: int, rounds: int) -> Rows:
    X, y = few_that_matter(n, d)
    l1_ratio, positive = PENALTIES[penalty]
    largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max()
    largest /= n * (l1_ratio or 1)
    if n_alphas == 1:
        alphas, along = np.array([largest / 20]), ""
        ladders = single_fits(n, alphas[0], l1_ratio, positive)
    else:
        alphas = largest * np.geomspace(1, 1e-3, n_alphas)
        along = f", {n_alphas} penalties"
        ladders = paths(n, alphas, l1_ratio)

    def objectives(coefs: np.ndarray) -> np.ndarray:
        residual = y - coefs @ X.T
        l1, l2 = np.abs(coefs).sum(axis=1), np.sum(coefs**2, axis=1)
        penalties = 2 * l1_ratio * l1 + (1 - l1_ratio) * l2
        return residual.var(axis=1) + alphas * penalties

    if l1_ratio:
        best = gram_path(X, y, alphas, l1_ratio, positive=positive, tol=1e-12)
    else:
        best = path(X, y, Ridge(), alphas * n)
    least = objectives(best)

    def excess(model: Any) -> float:
        return (objectives(model.coef_.reshape(n_alphas, d)) / least - 1).max()

    rows = measure_fits(ladders, Problem(X, y, excess), rounds, 5.0, TARGET)
    return [{"case": f"{penalty}{along}, {n:,} x {d}", **row} for row in rows]


def single_fits(n: int, alpha: float, l1_ratio: float, positive: bool) -> Ladders:
    """Return solvers of the elastic net for n rows, in ElasticNet's notation."""
    penalty = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive}
    ladders = our_ladders(**penalty)
    if l1_ratio == 0:
        # Ridge sums where ElasticNet takes the mean, and so has n times its alpha.
        return {**ladders, "Ridge": [Ridge(alpha=alpha * n)]}
    net = ElasticNet(**penalty, max_iter=100_000)
    paths = {"max_iter": 20_000, "positive": positive}
    of_one = np.array([alpha]), l1_ratio, "manual"
    return {
        **ladders,
        "skgd manual, gd_path of one": [
            Path(our_path, *of_one, **paths, tol=tol) for tol in TOLS[1:]
        ],
        "ElasticNet": each([net], tol=TOLS),
        "ElasticNet, Gram matrix": each(each([net], precompute=[True]), tol=TOLS),
        "skglm": each(peer(SKGLM, **penalty, max_iter=1000), tol=TOLS),
    }


def paths(n: int, alphas: np.ndarray, l1_ratio: float) -> Ladders:
    """Return what goes along penalties, from the largest to the least."""
    warm = {"l1_ratio": l1_ratio, "warm_start": True}
    ladders: Ladders = {
        f"skgd {strategy}, gd_path": [Path(our_path, alphas, l1_ratio, strategy)]
        for strategy in STRATEGIES
    }
    if l1_ratio == 0:
        return {**ladders, "Ridge, fit by fit": [Path(path, Ridge(), alphas * n)]}
    return {
        **ladders,
        "enet_path, Gram matrix": [Path(gram_path, alphas, l1_ratio)],
        "skglm, warm starts": [Path(path, m, alphas) for m in peer(SKGLM, **warm)],
    }


class Path:
    """A function of X, y and arguments, which returns coefficients, as an estimator."""

    def __init__(
        self, function: Callable[..., np.ndarray], *arguments: Any, **params: Any
    ) -> None:
        self.function = partial(function, **params)
        self.arguments = arguments

    def fit(self, X: np.ndarray, y: np.ndarray) -> None:
        self.coef_ = self.function(X, y, *self.arguments)


def path(X: np.ndarray, y: np.ndarray, model: Any, alphas: np.ndarray) -> np.ndarray:
    """Fit one penalty after the other."""
    model = clone(model)
    fits = (model.set_params(alpha=alpha).fit(X, y) for alpha in alphas)
    return np.array([fit.coef_.copy() for fit in fits])


def our_path(X, y, alphas, l1_ratio, strategy, **params) -> np.ndarray:
    """Run gd_path."""
    known = {"alphas": alphas, "l1_ratio": l1_ratio, "strategy": strategy}
    return gd_path(X, y, **known, **params).coefs.T


def gram_path(X, y, alphas, l1_ratio, **params) -> np.ndarray:
    """Run enet_path on the Gram matrix of centred columns."""
    X, y = X - X.mean(axis=0), y - y.mean()
    known = {"precompute": X.T @ X, "Xy": X.T @ y, "max_iter": 100_000}
    return enet_path(X, y, l1_ratio=l1_ratio, alphas=alphas, **known, **params)[1].T


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return time and excess: of single fits, then of paths."""
    cell = cells(results, ("seconds", "excess"), TARGET)
    kinds = results.groupby(results.n_alphas > 1)
    return [crossed(part, "library", "case", cell) for _, part in kinds]


draw = partial(draw_panels, xlabel="time of a fit, or of a path", target=TARGET)
