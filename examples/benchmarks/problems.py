"""The data that everything is measured on.

Real tables come as they are, in raw units; others are drawn, always the same.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array, random_array
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


def offset_and_scales(
    offset: float, largest_scale: float, n: int = 20_000, d: int = 12
) -> Data:
    """Independent columns, spreads from 1 to the largest."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * np.linspace(1, largest_scale, d)
    X += offset
    return X, X @ rng.standard_normal(d) + X.std() * rng.standard_normal(n)


def correlated(n: int, d: int, dtype: str = "float64") -> Data:
    """Columns with a common part, two spreads away from zero, and a noisy target."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype)
    X += rng.standard_normal((n, 1), dtype)
    X += 3
    y = X @ rng.standard_normal(d).astype(dtype) + rng.standard_normal(n, dtype)
    return X, y


def few_that_matter(n: int, d: int) -> Data:
    """Columns with a common part, of which ten matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) + 0.7 * rng.standard_normal((n, 1))
    return X, X[:, :10] @ rng.standard_normal(10) + 3 * rng.standard_normal(n)


def sparse(n: int, d: int) -> Data:
    """Rows in CSR format with a thousandth of their numbers, and a noisy target."""
    rng = np.random.default_rng(0)
    X = csr_array(random_array((n, d), density=1e-3, rng=rng))
    y = X @ rng.standard_normal(d)
    return X, y + y.std() * rng.standard_normal(n) / 2 + 3


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
