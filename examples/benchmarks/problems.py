"""Problems as they come: raw units, ill-conditioned, or with odd columns.

A problem is a function that gives X and y.
"""

from collections.abc import Callable

import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_linnerud,
    load_wine,
)

Data = tuple[np.ndarray, np.ndarray]


def diabetes() -> Data:
    """Progression of the disease from age, sex, body mass and blood serum."""
    return load_diabetes(return_X_y=True, scaled=False)


def linnerud() -> Data:
    """Weight, waist and pulse of twenty men, from three exercises."""
    return load_linnerud(return_X_y=True)


def wine() -> Data:
    """How much of an amino acid is in a wine, from what else is in it."""
    data = load_wine().data
    return data[:, :-1], data[:, -1]


def breast_cancer() -> Data:
    """Thirty columns, of which three are radius, perimeter and area."""
    X, y = load_breast_cancer(return_X_y=True)
    return X, y.astype(float)


def digits() -> Data:
    """Pixels, some of them always black."""
    X, y = load_digits(return_X_y=True)
    return X, y.astype(float)


def ill_conditioned(condition: float) -> Data:
    """20,000 rows of 12 rotated columns, singular values from 1 to 1 / condition."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    X = rng.standard_normal((20_000, 12)) * np.logspace(0, -np.log10(condition), 12)
    X = X @ rotation
    return X, X @ rng.standard_normal(12) + rng.standard_normal(20_000)


def condition_1e3() -> Data:
    """Singular values from 1 to 1e-3."""
    return ill_conditioned(1e3)


def condition_1e5() -> Data:
    """Singular values from 1 to 1e-5."""
    return ill_conditioned(1e5)


def timestamps() -> Data:
    """Seconds since 1970: an offset of 170,000 spreads."""
    rng = np.random.default_rng(0)
    time = 1.7e9 + 1e4 * rng.standard_normal(300)
    X = np.column_stack([time, rng.standard_normal(300)])
    return X, 1e-4 * (time - 1.7e9) + X[:, 1] + 0.1 * rng.standard_normal(300)


def constant_column() -> Data:
    """Diabetes, and a column that is 0.1 throughout."""
    X, y = diabetes()
    return np.column_stack([X, np.full(len(X), 0.1)]), y


def wide() -> Data:
    """Five times as many columns as rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 200))
    return X, X @ rng.standard_normal(200) + 0.1 * rng.standard_normal(40)


def offset_and_scales(offset: float, largest_scale: float) -> Data:
    """20,000 rows of 12 independent columns, spreads from 1 to the largest."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 12)) * np.linspace(1, largest_scale, 12)
    X += offset
    return X, X @ rng.standard_normal(12) + X.std() * rng.standard_normal(20_000)


#: Those that have one minimum, which is not a perfect fit.
PROBLEMS: list[Callable[[], Data]] = [
    diabetes,
    linnerud,
    wine,
    breast_cancer,
    digits,
    condition_1e3,
    condition_1e5,
    timestamps,
    constant_column,
]


def least_loss(X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Sum of squares of a direct solution, on scaled columns."""
    weight = np.ones(len(y)) if weight is None else weight
    centred = X - np.average(X, axis=0, weights=weight)
    spread = np.sqrt(np.average(centred**2, axis=0, weights=weight))
    A = np.column_stack([centred / np.where(spread > 0, spread, 1), np.ones(len(y))])
    root, b = np.sqrt(weight)[:, None], y.reshape(len(y), -1)
    W = np.linalg.lstsq(root * A, root * b)[0]
    return float((weight[:, None] * (A @ W - b) ** 2).sum())


def excess_loss(
    prediction: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
) -> float:
    """How far a prediction's sum of squares is above the least, relative to that."""
    weight = np.ones(len(y)) if weight is None else weight
    squares = (prediction - y).reshape(len(y), -1) ** 2
    return float((weight[:, None] * squares).sum()) / least_loss(X, y, weight) - 1
