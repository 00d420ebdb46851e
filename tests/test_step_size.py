"""The largest stable learning rate is 2/L."""

import numpy as np
import pytest

from skgd._rows import Rows
from skgd._step_size import largest_stable_learning_rate


@pytest.mark.parametrize("n_features", [1, 2, 30, 600])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_is_from_the_largest_eigenvalue(n_features, weighted, fit_intercept, dtype):
    rng = np.random.default_rng(n_features)
    X = (rng.standard_normal((50, n_features)) + 0.3).astype(dtype)
    weight = None
    if weighted:
        weight = rng.uniform(0.1, 3, 50)
        weight = (weight / weight.mean()).astype(dtype)
    A = np.column_stack([X, np.ones(50)]) if fit_intercept else X
    A = A * np.sqrt(np.ones(50) if weight is None else weight)[:, None]
    L = 2 * np.linalg.svd(A.astype(float), compute_uv=False)[0] ** 2 / 50
    rate = largest_stable_learning_rate(
        [Rows(X, X[:, :1], weight)], fit_intercept=fit_intercept
    )
    assert rate == pytest.approx(2 / L, rel=1e-4)


def test_it_is_finite_where_there_is_nothing_to_learn_from():
    for n_features in (2, 600):
        X = np.zeros((3, n_features))
        rows = Rows(X, X[:, :1], None)
        assert largest_stable_learning_rate([rows], fit_intercept=False) == 1


@pytest.mark.parametrize("n_features", [2, 600])
def test_overflow_is_named(n_features):
    X = np.full((3, n_features), 1e30, "float32")
    rows = Rows(X, X[:, :1], None)
    with pytest.raises(ValueError, match=r"X overflow float32.* 1e\+30"):
        largest_stable_learning_rate([rows], fit_intercept=True)
