"""The libraries that are compared, by the name that the tables print.

A library that is not installed is left out; `pip install -e ".[bench]"` brings all.
Where a solver is asked for an accuracy, it has a ladder of settings, from the loosest
to the most accurate, of which the first that is accurate enough is timed.
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import by_hand
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    Ridge,
    SGDRegressor,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor

STRATEGIES = ("manual", "autograd", "module")
Ladders = dict[str, list[Any]]


def ours(**params: Any) -> dict[str, GDLinearRegressor]:
    """Give one of ours for each strategy."""
    return {f"skgd {name}": GDLinearRegressor(name, **params) for name in STRATEGIES}


def our_ladders(**params: Any) -> Ladders:
    """Give each strategy, from the default tol on downwards."""
    tols = (1e-4, 1e-5, 1e-6, 1e-8)
    steps = [ours(tol=tol, max_iter=20_000, **params) for tol in tols]
    return {name: [step[name] for step in steps] for name in steps[0]}


def least_squares(largest_curvature: float) -> Ladders:
    """Give solvers of least squares, on columns of any units.

    Parameters
    ----------
    largest_curvature : float
        Of the mean squared error, on standardized columns. The steps of the loops and
        nets are chosen by it, as ours do for themselves, but outside the clock.
    """
    epochs = (1, 10, 30, 100, 300, 1000, 3000, 10_000)
    rate = 1 / largest_curvature
    nesterov = {"momentum": 0.9, "nesterov": True}
    ladders: Ladders = {
        **our_ladders(),
        "LinearRegression": [LinearRegression()],
        "Ridge, cholesky": [Ridge(alpha=0, solver="cholesky")],
        "Ridge, lsqr": _by_tol(lambda tol: Ridge(alpha=0, solver="lsqr", tol=tol)),
        "Ridge, sag": _by_tol(
            lambda tol: Ridge(alpha=0, solver="sag", tol=tol, random_state=0)
        ),
        "SGDRegressor": [SGDRegressor(alpha=0, random_state=0)],
        "SGDRegressor, scaled, averaged": [
            make_pipeline(StandardScaler(), _averaged_sgd(0.1 * rate, k))
            for k in (1, 3, 10, 30, 100)
        ],
        "loop by hand, NumPy": [
            make_pipeline(StandardScaler(), by_hand.ByHand(by_hand.manual, rate, k))
            for k in epochs
        ],
        "loop by hand, torch, Nesterov": [
            make_pipeline(
                StandardScaler(),
                by_hand.ByHand(partial(by_hand.module, **nesterov), rate, k),
            )
            for k in epochs
        ],
    }
    if find_spec("sklearnex"):
        from sklearnex.linear_model import LinearRegression as Intelex

        ladders["scikit-learn-intelex"] = [Intelex()]
    if find_spec("skorch"):
        from skorch_net import LinearNet

        optimizer = {f"optimizer__{name}": value for name, value in nesterov.items()}
        ladders["skorch, Nesterov"] = [
            make_pipeline(
                StandardScaler(),
                LinearNet(lr=rate, max_epochs=k, batch_size=-1, **optimizer),
            )
            for k in epochs
        ]
    return ladders


def penalized(n: int, alpha: float, l1_ratio: float, positive: bool) -> Ladders:
    """Give solvers of the elastic net for n rows, in ElasticNet's notation."""
    penalty = {"alpha": alpha, "l1_ratio": l1_ratio, "positive": positive}
    ladders = our_ladders(**penalty)
    if l1_ratio == 0:
        # Ridge sums where ElasticNet takes the mean, and so has n times its alpha.
        ladders["Ridge"] = [Ridge(alpha=alpha * n)]
        return ladders
    ladders["ElasticNet"] = _by_tol(
        lambda tol: ElasticNet(**penalty, tol=tol, max_iter=100_000)
    )
    ladders["ElasticNet, Gram matrix"] = _by_tol(
        lambda tol: ElasticNet(**penalty, tol=tol, max_iter=100_000, precompute=True)
    )
    if find_spec("skglm"):
        from skglm import ElasticNet as SkglmElasticNet

        ladders["skglm"] = _by_tol(
            lambda tol: SkglmElasticNet(**penalty, tol=tol, max_iter=1000)
        )
    return ladders


def with_defaults(several_targets: bool = False) -> dict[str, Any]:
    """Give every library's estimator as it is when nothing is asked for."""
    one_target = (
        MultiOutputRegressor if several_targets else lambda estimator: estimator
    )
    estimators: dict[str, Any] = {
        **ours(),
        "skgd batches of 64": GDLinearRegressor(batch_size=64, random_state=0),
        "LinearRegression": LinearRegression(),
        "Ridge": Ridge(),
        "ElasticNet": ElasticNet(),
        "SGDRegressor": one_target(SGDRegressor(random_state=0)),
    }
    if find_spec("sklearnex"):
        from sklearnex.linear_model import LinearRegression as Intelex

        estimators["scikit-learn-intelex"] = Intelex()
    if find_spec("skorch"):
        from skorch_net import LinearNet

        estimators["skorch"] = LinearNet()
    if find_spec("skglm"):
        from skglm import ElasticNet as SkglmElasticNet

        estimators["skglm"] = one_target(SkglmElasticNet())
    return estimators


def _by_tol(make: Callable[[float], Any]) -> list[Any]:
    """Give a ladder of tolerances."""
    return [make(tol) for tol in (1e-3, 1e-4, 1e-6, 1e-8, 1e-10)]


def _averaged_sgd(eta0: float, epochs: int) -> SGDRegressor:
    """Give scikit-learn's SGD at its best: a constant rate, and averaged iterates."""
    return SGDRegressor(
        alpha=0,
        learning_rate="constant",
        eta0=eta0,
        average=True,
        max_iter=epochs,
        tol=None,
        random_state=0,
    )
