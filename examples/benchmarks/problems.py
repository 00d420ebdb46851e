"""The data that everything is measured on.

Real tables come as they are, in raw units; others are drawn, always the same.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array, random_array
from sklearn import datasets

Data = tuple[Any, np.ndarray]


def wine() -> Data:
    """How much of an amino acid is in a wine, from what else is in it."""
    data = datasets.load_wine().data
    return data[:, :-1], data[:, -1]


def ill_conditioned(condition: float) -> Data:
    """20,000 rows of 12 rotated columns, singular values from 1 to 1 / condition."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    X = rng.standard_normal((20_000, 12)) * np.logspace(0, -np.log10(condition), 12)
    X = X @ rotation
    return X, X @ rng.standard_normal(12) + rng.standard_normal(20_000)


def timestamps() -> Data:
    """Seconds since 1970: an offset of 170,000 spreads."""
    rng = np.random.default_rng(0)
    time = 1.7e9 + 1e4 * rng.standard_normal(300)
    X = np.column_stack([time, rng.standard_normal(300)])
    return X, 1e-4 * (time - 1.7e9) + X[:, 1] + 0.1 * rng.standard_normal(300)


def constant_column() -> Data:
    """Diabetes, and a column that is 0.1 throughout."""
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    return np.column_stack([X, np.full(len(X), 0.1)]), y


def wide() -> Data:
    """Five times as many columns as rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 200))
    return X, X @ rng.standard_normal(200) + 0.1 * rng.standard_normal(40)


#: Tables as they are, in raw units, each the result of a call.
RAW: dict[str, Callable[[], Data]] = {
    "diabetes": partial(datasets.load_diabetes, return_X_y=True, scaled=False),
    "linnerud": partial(datasets.load_linnerud, return_X_y=True),  # three targets
    "wine": wine,
    "breast_cancer": partial(datasets.load_breast_cancer, return_X_y=True),
    "digits": partial(datasets.load_digits, return_X_y=True),
    "condition_1e3": partial(ill_conditioned, 1e3),
    "condition_1e5": partial(ill_conditioned, 1e5),
    "timestamps": timestamps,
    "constant_column": constant_column,
    "wide": wide,
}


def independent(n: int, d: int, dtype: str = "float64") -> Data:
    """Columns that are standard normal, and a noisy target."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(dtype)
    y = X @ rng.standard_normal(d) + rng.standard_normal(n)
    return X, y.astype(dtype)


def offset_and_scales(n: int, d: int) -> Data:
    """Independent columns at 5, spreads from 1 to 10."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) * np.linspace(1, 10, d) + 5
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


def chunk(k: int, n: int, d: int) -> Data:
    """Part k of a stream that has the same coefficients throughout."""
    coef = np.random.default_rng(1).standard_normal(d)
    rng = np.random.default_rng(k)
    X = rng.standard_normal((n, d)) + 3
    return X, X @ coef + rng.standard_normal(n)
