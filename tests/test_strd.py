"""NIST's reference datasets: as many digits as a direct solution has of them.

The certified coefficients are those of the decimal data, to 15 digits. Data in binary,
and powers of them, are rounded; a solution in float64 loses digits to that and to its
own rounding.
"""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from skgd import GDLinearRegressor

PATH = Path(__file__).parent / "data" / "strd.json"
DATASETS = json.loads(PATH.read_text())["datasets"]
#: Digits that are certified; more agree by accident.
CERTIFIED_DIGITS = 15


def columns(dataset):
    """The table as float64: powers are taken of x in binary."""
    X = np.array(dataset["x"], dtype=float)
    if X.ndim == 1:
        X = X[:, None] ** np.arange(1, dataset["degree"] + 1)
    return X, np.array(dataset["y"], dtype=float)


def digits(coefficients, dataset):
    """Log relative error: how many digits of each coefficient are right, at least."""
    certified = np.array(dataset["certified"], dtype=float)
    error = np.max(np.abs(coefficients - certified) / np.abs(certified))
    return min(-np.log10(max(error, 1e-99)), CERTIFIED_DIGITS)


def digits_of_a_direct_solution(dataset):
    """Those of SVD on standardized columns, at the worst of a few orders of the rows.

    Rounding is another in each order, and is lucky in some.
    """
    X, y = columns(dataset)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(10):
        order = rng.permutation(len(y))
        X, y = X[order], y[order]
        x_mean, y_mean = X.mean(axis=0), y.mean()
        if not dataset["intercept"]:
            x_mean, y_mean = np.zeros_like(x_mean), 0.0
        scale = np.sqrt(((X - x_mean) ** 2).mean(axis=0))
        coef = np.linalg.lstsq((X - x_mean) / scale, y - y_mean)[0] / scale
        if dataset["intercept"]:
            coef = np.array([y_mean - x_mean @ coef, *coef])
        found.append(digits(coef, dataset))
    return min(found)


def solve(A, b):
    """Gauss and Jordan's elimination, exact."""
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for i in range(len(rows)):
        pivot = next(k for k in range(i, len(rows)) if rows[k][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for k in set(range(len(rows))) - {i}:
            factor = rows[k][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[-1] for row in rows]


@pytest.mark.parametrize("name", DATASETS)
def test_the_certified_coefficients_are_those_of_the_table(name):
    """By the normal equations in fractions, of the decimals as they are written."""
    exact = json.loads(PATH.read_text(), parse_float=Fraction, parse_int=Fraction)
    dataset = exact["datasets"][name]
    X, y = dataset["x"], dataset["y"]
    if name != "Longley":
        X = [[x**k for k in range(1, int(dataset["degree"]) + 1)] for x in X]
    columns = [list(column) for column in zip(*X, strict=True)]
    if dataset["intercept"]:
        columns.insert(0, [Fraction(1)] * len(y))

    def inner(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    gram = [[inner(a, b) for b in columns] for a in columns]
    found = solve(gram, [inner(a, y) for a in columns])
    for value, certified in zip(found, dataset["certified"], strict=True):
        assert abs(value - certified) <= abs(certified) * Fraction(5, 10**15)


@pytest.mark.parametrize("name", DATASETS)
def test_no_more_than_a_digit_is_lost_to_a_direct_solution(name, strategy):
    dataset = DATASETS[name]
    X, y = columns(dataset)
    model = GDLinearRegressor(strategy, fit_intercept=dataset["intercept"]).fit(X, y)
    found = [model.intercept_] * dataset["intercept"] + [*model.coef_]
    assert digits(found, dataset) >= digits_of_a_direct_solution(dataset) - 1
