"""The libraries that are compared, by the name that the tables print.

Each has a ladder: estimators from the loosest setting to the most accurate, of which
the first that is accurate enough is timed. The ladder of a library that is not
installed is empty; `pip install -e ".[bench]"` brings all.
"""

from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any

from by_hand import ByHand, manual, module
from sklearn.base import clone
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge, SGDRegressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor

STRATEGIES = ("manual", "autograd", "module")
TOLS = (1e-3, 1e-4, 1e-6, 1e-8, 1e-10)
EPOCHS = (1, 10, 30, 100, 300, 1000, 3000, 10_000)
INTELEX = "sklearnex.linear_model.LinearRegression"
SKORCH = "skorch_net.LinearNet"
SKGLM = "skglm.ElasticNet"

Ladder = list[Any]
Ladders = dict[str, Ladder]


def ours(suffix: str = "", **params: Any) -> Ladders:
    """Return one of ours for each strategy."""
    return {
        f"skgd {name}{suffix}": [GDLinearRegressor(name, **params)]
        for name in STRATEGIES
    }


def our_ladders(**params: Any) -> Ladders:
    """Return each strategy, from the default tol on downwards."""
    models = ours(max_iter=20_000, **params)
    return {name: each(m, tol=(1e-4, 1e-5, 1e-6, 1e-8)) for name, m in models.items()}


def peer(path: str, **params: Any) -> Ladder:
    """Return an estimator of a library that may not be installed."""
    module_name, _, name = path.rpartition(".")
    try:
        return [getattr(import_module(module_name), name)(**params)]
    except ModuleNotFoundError:
        return []


def each(ladder: Ladder, **values: Iterable[Any]) -> Ladder:
    """Return an estimator for each value of a parameter."""
    return [
        clone(estimator).set_params(**{name: value})
        for estimator in ladder
        for name in values
        for value in values[name]
    ]


def scaled(ladder: Ladder) -> Ladder:
    """Return estimators on columns that are scaled first."""
    return [make_pipeline(StandardScaler(), estimator) for estimator in ladder]


def least_squares(largest_curvature: float) -> Ladders:
    """Return solvers of least squares, on columns of any units.

    Parameters
    ----------
    largest_curvature : float
        Of the mean squared error, on standardized columns. The steps of the loops and
        nets are chosen by it, as ours do for themselves, but outside the clock.
    """
    rate = 1 / largest_curvature
    averaged_sgd = SGDRegressor(
        alpha=0,
        learning_rate="constant",
        eta0=0.1 * rate,
        average=True,
        tol=None,
        random_state=0,
    )
    nesterov = partial(module, momentum=0.9, nesterov=True)
    net = peer(
        SKORCH,
        lr=rate,
        batch_size=-1,
        optimizer__momentum=0.9,
        optimizer__nesterov=True,
    )
    ridge = partial(Ridge, alpha=0, random_state=0)
    return {
        **our_ladders(),
        "LinearRegression": [LinearRegression()],
        "Ridge, cholesky": [ridge(solver="cholesky")],
        "Ridge, lsqr": each([ridge(solver="lsqr")], tol=TOLS),
        "Ridge, sag": each([ridge(solver="sag")], tol=TOLS),
        "SGDRegressor": [SGDRegressor(alpha=0, random_state=0)],
        "SGDRegressor, scaled, averaged": scaled(
            each([averaged_sgd], max_iter=(1, 3, 10, 30, 100))
        ),
        "loop by hand, NumPy": scaled(each([ByHand(manual, rate)], max_iter=EPOCHS)),
        "loop by hand, torch, Nesterov": scaled(
            each([ByHand(nesterov, rate)], max_iter=EPOCHS)
        ),
        "scikit-learn-intelex": peer(INTELEX),
        "skorch, Nesterov": scaled(each(net, max_epochs=EPOCHS)),
    }


def with_defaults(several_targets: bool = False) -> Ladders:
    """Return every library's estimator as it is when nothing is asked for."""
    one_target = [SGDRegressor(random_state=0)], peer(SKGLM)
    if several_targets:
        one_target = tuple([*map(MultiOutputRegressor, one)] for one in one_target)
    sgd, skglm = one_target
    return {
        **ours(),
        "skgd batches of 64": [GDLinearRegressor(batch_size=64, random_state=0)],
        "LinearRegression": [LinearRegression()],
        "Ridge": [Ridge()],
        "ElasticNet": [ElasticNet()],
        "SGDRegressor": sgd,
        "scikit-learn-intelex": peer(INTELEX),
        "skorch": peer(SKORCH),
        "skglm": skglm,
    }
