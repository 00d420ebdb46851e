"""Linear regression by gradient descent, as a scikit-learn estimator.

`GDLinearRegressor` is the estimator, `GDLinearRegressorCV` a grid search for it, and
`gd_path` computes models for many penalties. `skgd.strategies` holds the three gradient
strategies and the contract for others; `skgd.testing` checks a strategy of your own.
`Moments` sums up the statistics of data that determine least squares, and condenses
them to a tiny dataset. `skgd.callback` records descents, and the displays draw loss
curves, paths of descents, and scores of searches.

Neither ``import skgd`` nor a fit with ``strategy="manual"`` on the CPU imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from skgd._data.moments import Moments
from skgd._displays.descent_path import DescentPathDisplay
from skgd._displays.loss_curve import LossCurveDisplay
from skgd._displays.search import SearchDisplay
from skgd._divergence import DivergenceError
from skgd._path import GDPath, gd_path
from skgd._regressor import GDLinearRegressor
from skgd._search.estimator import GDLinearRegressorCV

if TYPE_CHECKING:
    from skgd import callback as callback
    from skgd import strategies as strategies
    from skgd import testing as testing
else:

    def __getattr__(name):
        """Import `skgd.testing` when it is first asked for."""
        if name == "testing":
            return import_module("skgd.testing")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DescentPathDisplay",
    "DivergenceError",
    "GDLinearRegressor",
    "GDLinearRegressorCV",
    "GDPath",
    "LossCurveDisplay",
    "Moments",
    "SearchDisplay",
    "__version__",
    "callback",
    "gd_path",
    "strategies",
    "testing",
]

__version__ = "0.2.0"


def __dir__() -> list[str]:
    return __all__
