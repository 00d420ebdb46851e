"""Linear regression by gradient descent, as a scikit-learn estimator.

`GDLinearRegressor` is the estimator; `skgd.strategies` holds the three gradient
strategies and the contract for others; `skgd.testing` checks a strategy of your own;
`Moments` adds up what least squares knows of data, and gives it back as a tiny dataset.
"""

from skgd._exceptions import DivergenceError
from skgd._moments import Moments
from skgd._regressor import GDLinearRegressor

__all__ = ["DivergenceError", "GDLinearRegressor", "Moments", "__version__"]

__version__ = "0.1.0"
