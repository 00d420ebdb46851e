"""Tables of all kinds at random, and what became of a default fit of one."""

import re
import warnings
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from direct import direct_solution, objective
from sklearn.exceptions import ConvergenceWarning

from skgd import GDLinearRegressor

#: Excess over the minimum that counts as right, of the loss of zero coefficients.
RIGHT = 1e-6


class Table(NamedTuple):
    """What a fit is asked for."""

    X: np.ndarray | sp.sparray
    y: np.ndarray
    weight: np.ndarray | None
    parameters: dict


def columns(rng, n_samples, n_features):
    """Independent ones of some distribution, then collinear ones, in raw units."""
    draws = [
        lambda: rng.standard_normal((n_samples, n_features)),
        lambda: rng.uniform(-1, 1, (n_samples, n_features)),
        lambda: rng.standard_t(1.5, (n_samples, n_features)),
        lambda: rng.integers(0, 4, (n_samples, n_features)).astype(float),
        lambda: rng.exponential(1, (n_samples, n_features)) ** 3,
    ]
    X = draws[rng.integers(len(draws))]()
    with_scales, with_offsets = rng.random(2) < [0.6, 0.5]
    factors = np.ones(n_features)
    if with_scales:
        factors = 10 ** rng.uniform(-8, 8, n_features)
    if with_offsets:
        offsets = 10 ** rng.uniform(-1, rng.choice([2, 5, 9]), n_features)
        X = X + np.where(rng.random(n_features) < 0.6, offsets, 0) * X.std(axis=0)
    collinear = rng.choice(["no", "near", "exact"], p=[0.4, 0.35, 0.25])
    for j in range(1, n_features if collinear != "no" else 0):
        if rng.random() > 0.4:
            continue
        others = rng.choice(j, size=min(j, rng.integers(1, 4)), replace=False)
        X[:, j] = X[:, others] @ rng.integers(1, 4, len(others))
        if collinear == "near":
            delta = 10 ** rng.uniform(-12, -1) * X[:, j].std()
            X[:, j] += delta * rng.standard_normal(n_samples)
    X = X * factors
    if rng.random() < 0.15:
        X[:, rng.integers(n_features)] = 10 ** rng.uniform(-8, 8)
    return X


def draw(seed, largest=2000):
    """Return the table of this seed, with up to so many rows."""
    rng = np.random.default_rng(seed)
    n_samples = int(10 ** rng.uniform(0, np.log10(largest)))
    n_features = int(rng.integers(1, rng.choice([4, 10, 31])))
    X = columns(rng, n_samples, n_features)
    y = targets(rng, X)
    dtype = rng.choice(["float64", "float32", "int64"], p=[0.7, 0.2, 0.1])
    if dtype == "int64":
        X = np.clip(np.rint(X), -(2.0**60), 2.0**60)
    X = X.astype(dtype)
    layout = rng.choice(["dense", "csr", "csc", "coo"], p=[0.7, 0.1, 0.1, 0.1])
    if layout != "dense":
        X = np.where(rng.random(X.shape) < rng.choice([0.0, 0.5, 0.9]), 0, X)
        X = sp.coo_array(X).asformat(layout)
    weight = None
    if rng.random() < 0.4:
        weight = 10 ** rng.uniform(-1, 1, n_samples) ** rng.choice([1, 3])
        if rng.random() < 0.3:
            weight = 10 ** rng.uniform(-9, 9, n_samples)
        weight[rng.random(n_samples) < rng.choice([0, 0.3])] = 0
        weight[rng.integers(n_samples)] = 1
    parameters = {
        "strategy": str(rng.choice(["manual", "autograd", "module"], p=[0.8, 0.1, 0.1]))
    }
    if rng.random() < 0.2:
        parameters["fit_intercept"] = False
    if rng.random() < 0.25:
        parameters["alpha"] = float(10 ** rng.uniform(-8, 4))
    return Table(X, y, weight, parameters)


def targets(rng, X):
    """Depend on the columns or, where near, on their differences; plus noise."""
    n_samples, n_targets = len(X), int(rng.choice([1, 1, 1, 2, 3]))
    spread = X.std(axis=0)
    Z = (X - X.mean(axis=0)) / np.where(spread > 0, spread, 1)
    if rng.random() < 0.4:  # on each direction as much
        U, s, _ = np.linalg.svd(Z, full_matrices=False)
        Z = U[:, s > 1e-14 * s.max()] * np.sqrt(n_samples)
    y = Z @ rng.standard_normal((Z.shape[1], n_targets))
    y = y + rng.choice([0, 1e-4, 0.1, 10]) * rng.standard_normal(y.shape)
    if rng.random() < 0.3:
        y = y + 10 ** rng.uniform(-1, 6) * (1 + y.std())
    y = y * 10 ** rng.uniform(-8, 8) if rng.random() < 0.5 else y
    if rng.random() < 0.04:
        y = np.full_like(y, 0.1)
    return y[:, 0] if n_targets == 1 and rng.random() < 0.8 else y


def outcome(table):
    """Return in a word what became of a fit, and how far above the minimum it is.

    "right", "warned", "raised: ..." or "wrong". Of what is wrong, two kinds are apart:
    "rounding" is no more than coefficients of that dtype cost; "rank" is right for a
    table whose numbers differ in their last digits, where columns are collinear to
    those: singular values that are no more than rounding of X are taken as zero.
    "below the direct solution" is a fault of that.
    """
    X, y, weight, parameters = table
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = GDLinearRegressor(**parameters).fit(X, y, weight)
        except ValueError as error:
            return "raised: " + re.sub(r"[-\d.e+]*\d", "#", str(error))[:90], np.nan
    categories = [warning.category for warning in caught]
    excess, kind = excess_over_the_minimum(table, model.coef_, model.intercept_)
    if kind == "right":
        others = {c.__name__ for c in categories} - {"ConvergenceWarning"}
        if others:
            return f"right, but {others}", excess
        warned = ConvergenceWarning in categories
        return "right, though warned" if warned else "right", excess
    return "warned" if ConvergenceWarning in categories else kind, excess


def excess_over_the_minimum(table, coef, intercept):
    """Relative to the loss of zero coefficients, and the kind of what is wrong."""
    X, y, weight, parameters = table
    asked = {"fit_intercept": True, "alpha": 0.0, **parameters}
    del asked["strategy"]
    coef = np.asarray(coef).reshape(-1, X.shape[1])
    found = objective(X, y, coef.T, intercept, weight, asked["alpha"])
    if not np.isfinite(found).all():
        return np.inf, "wrong"
    best = direct_solution(X, y, weight, **asked)
    rounding = best.rounding * (np.finfo(coef.dtype).eps / np.finfo(float).eps) ** 2
    null = np.where(best.null > 0, best.null, rounding / RIGHT)
    null = np.where(null > 0, null, 1)
    excess = float(((found - best.loss) / null).max())
    if (found - best.loss < -RIGHT * null).any():
        return excess, "below the direct solution"
    if excess <= RIGHT:
        return excess, "right"
    digit = relative_rounding(X, weight, asked["fit_intercept"])
    near = [
        direct_solution(X, y, weight, **asked, cutoff=ulps * max(digit, 1e-15))
        for ulps in (1, 2, 5, 10)
    ]
    if any((found - like.loss <= RIGHT * like.null).all() for like in near):
        return excess, "rank"
    if any((found - s.loss <= RIGHT * s.null + rounding).all() for s in [best, *near]):
        return excess, "rounding"
    return excess, "wrong"


def relative_rounding(X, weight, fit_intercept):
    """What rounding of X to its dtype does to the standardized columns, at most."""
    X = X.toarray() if sp.issparse(X) else X
    there = slice(None) if weight is None else weight > 0
    eps = np.finfo(np.float32 if X.dtype == np.float32 else float).eps
    X = X[there].astype(float)
    weight = None if weight is None else weight[there]
    size = np.sqrt(np.average(X**2, axis=0, weights=weight))
    centre = np.average(X, axis=0, weights=weight) * fit_intercept
    spread = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=weight))
    ratio = np.divide(size, spread, out=np.ones_like(size), where=spread > 0)
    return eps * np.sqrt((ratio**2).sum())
