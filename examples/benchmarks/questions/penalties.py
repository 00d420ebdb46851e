"""How long do penalized fits take, one by one and along a path?

The penalty is a twentieth of the largest that leaves anything. Each solver is given the
loosest of its settings whose objective is within 1e-6 of the least, relative to that. A
path has 100 penalties, from the largest to a thousandth of it, each library at its
default tol; its excess is the largest on the way. Ours and enet_path read the rows once
(Moments, the Gram matrix), the others at each penalty. Beside the time stands the
excess of the objective; in brackets, where it is above 1e-6 and a more accurate setting
would have taken more than four seconds.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from libraries import SKGLM, STRATEGIES, TOLS, Ladders, each, our_ladders, peer
from measuring import Rows, measure_fits
from presenting import crossed, draw_panels, time_and_excess
from problems import few_that_matter
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import ElasticNet, Ridge, enet_path

from skgd import GDLinearRegressor, Moments

TARGET = 1e-6

#: The share of L1, and whether coefficients are nonnegative.
PENALTIES = {
    "lasso": (1.0, False),
    "elastic net": (0.5, False),
    "ridge": (0.0, False),
    "nonnegative lasso": (1.0, True),
}

COLUMNS = ("penalty", "n", "d", "n_alphas", "rounds")
FULL = [
    dict(zip(COLUMNS, case, strict=True))
    for case in (
        *((penalty, 100_000, 50, 1, 15) for penalty in PENALTIES),
        *((penalty, 500, 5000, 1, 5) for penalty in ("lasso", "elastic net")),
        *((penalty, 100_000, 50, 100, 5) for penalty in list(PENALTIES)[:3]),
    )
]
QUICK = [
    dict(zip(COLUMNS, case, strict=True))
    for case in (
        *((penalty, 1000, 20, 1, 1) for penalty in ("lasso", "ridge")),
        *((penalty, 1000, 20, 5, 1) for penalty in ("elastic net", "ridge")),
    )
]


def measure(penalty: str, n: int, d: int, n_alphas: int, rounds: int) -> Rows:
    X, y = few_that_matter(n, d)
    l1_ratio, positive = PENALTIES[penalty]
    largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max()
    largest /= n * (l1_ratio or 1)
    if n_alphas == 1:
        alphas, case = np.array([largest / 20]), f"{penalty}, {n:,} x {d}"
        ladders = single_fits(n, alphas[0], l1_ratio, positive)
    else:
        alphas = largest * np.geomspace(1, 1e-3, n_alphas)
        case = f"{penalty}, {n_alphas} penalties, {n:,} x {d}"
        ladders = paths(n, alphas, l1_ratio)

    def objectives(coefs: np.ndarray) -> np.ndarray:
        residual = y - coefs @ X.T
        l1, l2 = np.abs(coefs).sum(axis=1), np.sum(coefs**2, axis=1)
        penalties = 2 * l1_ratio * l1 + (1 - l1_ratio) * l2
        return residual.var(axis=1) + alphas * penalties

    reference = GramPath(alphas, l1_ratio, positive, tol=1e-12)
    if l1_ratio == 0:
        reference = Path(Ridge(), alphas * n)
    least = objectives(reference.fit(X, y).coef_)

    def excess(model: Any) -> float:
        return (objectives(model.coef_.reshape(n_alphas, d)) / least - 1).max()

    rows = measure_fits(ladders, X, y, excess, rounds, 5.0, TARGET)
    return [{"case": case, **row} for row in rows]


def single_fits(n: int, alpha: float, l1_ratio: float, positive: bool) -> Ladders:
    """Return solvers of the elastic net for n rows, in ElasticNet's notation."""
    penalty = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive}
    ladders = our_ladders(**penalty)
    if l1_ratio == 0:
        # Ridge sums where ElasticNet takes the mean, and so has n times its alpha.
        return {**ladders, "Ridge": [Ridge(alpha=alpha * n)]}
    net = ElasticNet(**penalty, max_iter=100_000)
    return {
        **ladders,
        "ElasticNet": each([net], tol=TOLS),
        "ElasticNet, Gram matrix": each(each([net], precompute=[True]), tol=TOLS),
        "skglm": each(peer(SKGLM, **penalty, max_iter=1000), tol=TOLS),
    }


def paths(n: int, alphas: np.ndarray, l1_ratio: float) -> Ladders:
    """Return what goes along penalties, from the largest to the least."""
    warm = {"l1_ratio": l1_ratio, "warm_start": True}
    ladders: Ladders = {
        f"skgd {name}, warm starts": [
            Path(GDLinearRegressor(name, **warm), alphas, condense=True)
        ]
        for name in STRATEGIES
    }
    if l1_ratio == 0:
        return {**ladders, "Ridge, fit by fit": [Path(Ridge(), alphas * n)]}
    return {
        **ladders,
        "enet_path, Gram matrix": [GramPath(alphas, l1_ratio)],
        "skglm, warm starts": [Path(m, alphas) for m in peer(SKGLM, **warm)],
    }


class Path(BaseEstimator):
    """Fits of an estimator for one penalty after the other."""

    def __init__(self, model: Any, alphas: np.ndarray, condense: bool = False) -> None:
        self.model = model
        self.alphas = alphas
        self.condense = condense

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Path":
        rows = Moments.from_data(X, y).condense() if self.condense else (X, y)
        model = clone(self.model)
        fits = (model.set_params(alpha=alpha).fit(*rows) for alpha in self.alphas)
        self.coef_ = np.array([fit.coef_.copy() for fit in fits])
        return self


class GramPath(BaseEstimator):
    """Coordinate descent on the Gram matrix of centred columns, by enet_path."""

    def __init__(
        self,
        alphas: np.ndarray,
        l1_ratio: float,
        positive: bool = False,
        tol: float = 1e-4,
    ) -> None:
        self.alphas = alphas
        self.l1_ratio = l1_ratio
        self.positive = positive
        self.tol = tol

    def fit(self, X: np.ndarray, y: np.ndarray) -> "GramPath":
        X, y = X - X.mean(axis=0), y - y.mean()
        known = {"precompute": X.T @ X, "Xy": X.T @ y, "max_iter": 100_000}
        params = self.get_params()
        self.coef_ = enet_path(X, y, **params, **known)[1].T
        return self


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return time and excess: of single fits, then of paths."""
    cells = time_and_excess(results, TARGET)
    return [
        crossed(part, "library", "case", cells)
        for _, part in results.groupby(results.n_alphas > 1)
    ]


draw = partial(draw_panels, xlabel="seconds of a fit, or of a path")
