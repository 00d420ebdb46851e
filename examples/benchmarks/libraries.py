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


def solvers() -> Ladders:
    """Return solvers of least squares, on columns of any units."""
    ridge = partial(Ridge, alpha=0, random_state=0)
    return {
        **our_ladders(),
        "LinearRegression": [LinearRegression()],
        "Ridge, cholesky": [ridge(solver="cholesky")],
        "Ridge, lsqr": each([ridge(solver="lsqr")], tol=TOLS),
        "Ridge, sag": each([ridge(solver="sag")], tol=TOLS),
        "SGDRegressor": [SGDRegressor(alpha=0, random_state=0)],
        "scikit-learn-intelex": peer(INTELEX),
    }


def tuned_solvers(rate: float) -> Ladders:
    """Return what wants scaled columns, and a rate that suits their curvature."""
    sgd = SGDRegressor(alpha=0, average=True, tol=None, random_state=0)
    sgd.set_params(learning_rate="constant", eta0=0.1 * rate)
    nesterov = {"momentum": 0.9, "nesterov": True}
    torch_loop = ByHand(partial(module, **nesterov), rate)
    optimizer = {f"optimizer__{name}": value for name, value in nesterov.items()}
    net = peer(SKORCH, lr=rate, batch_size=-1, **optimizer)
    ladders = {
        "SGDRegressor, scaled, averaged": each([sgd], max_iter=(1, 3, 10, 30, 100)),
        "loop by hand, NumPy": each([ByHand(manual, rate)], max_iter=EPOCHS),
        "loop by hand, torch, Nesterov": each([torch_loop], max_iter=EPOCHS),
        "skorch, Nesterov": each(net, max_epochs=EPOCHS),
    }
    return {library: scaled(ladder) for library, ladder in ladders.items()}


def with_defaults(several_targets: bool = False) -> Ladders:
    """Return every library's estimator as it is when nothing is asked for."""
    adapt = MultiOutputRegressor if several_targets else lambda model: model
    return {
        **ours(),
        "skgd batches of 64": [GDLinearRegressor(batch_size=64, random_state=0)],
        "LinearRegression": [LinearRegression()],
        "Ridge": [Ridge()],
        "ElasticNet": [ElasticNet()],
        "SGDRegressor": [adapt(SGDRegressor(random_state=0))],
        "scikit-learn-intelex": peer(INTELEX),
        "skorch": peer(SKORCH),
        "skglm": [adapt(model) for model in peer(SKGLM)],
    }
