"""Data as they come, in raw units; others are drawn, always the same."""

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
    """Three targets, twenty rows: weight, waist and pulse from three exercises."""
    return load_linnerud(return_X_y=True)


def wine() -> Data:
    """Spreads from 0.1 to 300: an amino acid from what else is in a wine."""
    data = load_wine().data
    return data[:, :-1], data[:, -1]


def breast_cancer() -> Data:
    """Columns that go together, among them radius, perimeter and area."""
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
    """Five times as many columns as rows, so that y can be met."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 200))
    return X, X @ rng.standard_normal(200) + 0.1 * rng.standard_normal(40)


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
