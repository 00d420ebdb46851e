"""Default fits of random tables: right, warned of or refused, but not silently wrong.

A larger run of the same takes a loop over the seeds of `attack.draw`.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from attack import RIGHT, Table, draw, excess_over_the_minimum, outcome
from direct import direct_solution
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

STRD = json.loads((Path(__file__).parent / "data" / "strd.json").read_text())
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_no_default_fit_is_silently_wrong(seed):
    what, excess = outcome(draw(seed, largest=400))
    assert what not in {"wrong", "below the direct solution"}, (
        f"{excess:.1e} of the null model's loss above the minimum"
    )


@settings(max_examples=60, deadline=None)
@given(seed=seeds, alpha=st.sampled_from([0.0, 1e-3, 1.0]), weighted=st.booleans())
def test_no_other_solver_is_below_the_direct_solution(seed, alpha, weighted):
    rng = np.random.default_rng(seed)
    n_samples, n_features = rng.integers(1, [40, 9])
    X = rng.standard_normal((n_samples, n_features)) * 10 ** rng.uniform(-2, 2) + 5
    y = rng.standard_normal((n_samples, 2)) + 3
    weight = rng.uniform(0.1, 3, n_samples) if weighted else None
    total = n_samples if weight is None else weight.sum()
    # Its "svd" leaves out what is small of singular values of raw columns.
    ridge = Ridge(alpha * total, solver="cholesky", tol=1e-12)
    other = (ridge if alpha else LinearRegression()).fit(X, y, weight)
    table = Table(X, y, weight, {"strategy": "manual", "alpha": alpha})
    excess, kind = excess_over_the_minimum(table, other.coef_, other.intercept_)
    assert kind == "right"
    assert -1e-12 <= excess <= RIGHT


@pytest.mark.parametrize("name", STRD["datasets"])
def test_the_direct_solution_is_that_which_nist_certifies(name):
    """To a digit less than SVD has of Wampler5, whose noise is 1e7 of what y is."""
    dataset = STRD["datasets"][name]
    X, y = np.array(dataset["x"], dtype=float), np.array(dataset["y"], dtype=float)
    if X.ndim == 1:
        X = X[:, None] ** np.arange(1, dataset["degree"] + 1)
    best = direct_solution(X, y, fit_intercept=dataset["intercept"])
    found = [*best.intercept] * dataset["intercept"] + [*best.coef[:, 0]]
    np.testing.assert_allclose(
        np.array(found, dtype=float), dataset["certified"], rtol=1e-5
    )
