"""The largest stable learning rate is 2/L."""

from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp

from skgd import GDLinearRegressor
from skgd._data.row_sources import RowsInMemory
from skgd._data.rows import Rows
from skgd._descent.stable_rate import largest_stable_learning_rate
from skgd._objective.losses import Huber
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty


@pytest.mark.parametrize("n_features", [1, 2, 30, 600])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("penalized", [False, True])
def test_it_is_from_the_largest_eigenvalue(
    n_features, weighted, fit_intercept, dtype, penalized
):
    rng = np.random.default_rng(n_features)
    X = (rng.standard_normal((50, n_features)) + 0.3).astype(dtype)
    weight = None
    if weighted:
        weight = rng.uniform(0.1, 3, 50)
        weight = (weight / weight.mean()).astype(dtype)
    A = np.column_stack([X, np.ones(50)]) if fit_intercept else X
    A = A * np.sqrt(np.ones(50) if weight is None else weight)[:, None]
    A, objective = A.astype(float), Objective(Huber(0.1))
    if penalized:  # a row more for each feature
        l2 = rng.uniform(0, 100, (n_features, 1))
        objective = Objective(penalty=Penalty(l2=l2))
        A = np.vstack([A, np.sqrt(50 * l2) * np.eye(n_features, A.shape[1])])
    L = 2 * np.linalg.svd(A, compute_uv=False)[0] ** 2 / 50
    rate = largest_stable_learning_rate(
        RowsInMemory(Rows(X, X[:, :1], weight)), objective, fit_intercept=fit_intercept
    )
    if n_features == 600:  # from Lanczos steps, a few of them
        assert 0.95 * 2 / L < rate < 2 / L * (1 + 1e-4)
    else:
        assert rate == pytest.approx(2 / L, rel=1e-4)


def paired(n_rows, n_features):
    """Columns that do not correlate, but for two, as one-hot columns may be."""
    indices = np.arange(n_rows) % n_features
    X = sp.csr_array((np.ones(n_rows), (np.arange(n_rows), indices)))
    return sp.csr_array(sp.hstack([X, X[:, [0]]])) * np.sqrt(n_features)


def drawn(n_rows, n_features):
    """Positive entries: the mean of the rows stands out."""
    return sp.random_array((n_rows, n_features), density=0.01, format="csr", rng=0)


def signed(n_rows, n_features):
    """Entries of mean zero: the largest eigenvalues lie close together."""
    X = drawn(n_rows, n_features)
    X.data = np.random.default_rng(0).standard_normal(X.nnz)
    return X


def with_a_pair(n_rows, n_features):
    """The same, with two columns that are alike."""
    X = signed(n_rows, n_features)
    return sp.csr_array(sp.hstack([X, X[:, [0]]]))


def decaying(n_rows, n_features):
    """Columns in units from 1 to 1e-3."""
    X = signed(n_rows, n_features)
    return X @ sp.diags_array(np.logspace(0, -3, n_features))


class CountedRows(RowsInMemory):
    """Rows that count how often they are read."""

    n_read = 0

    def __iter__(self):
        self.n_read += 1
        return super().__iter__()


@pytest.mark.parametrize("draw", [paired, drawn, signed, with_a_pair, decaying])
@pytest.mark.parametrize("shape", [(600, 3000), (3000, 600), (9000, 3000)])
def test_few_readings_of_many_columns_bound_it(draw, shape):
    X = draw(*shape)
    rows = CountedRows(Rows(X, np.zeros((shape[0], 1)), None))
    rate = largest_stable_learning_rate(rows, Objective(), fit_intercept=False)
    assert rows.n_read <= 22
    L = 2 * sp.linalg.svds(X, 1, return_singular_vectors=False)[0] ** 2 / shape[0]
    assert 0.95 * 2 / L < rate < 1.02 * 2 / L


@pytest.mark.parametrize("draw", [paired, drawn, signed, with_a_pair, decaying])
@pytest.mark.parametrize("batch_size", [1, 30, 1000])
def test_a_sample_of_the_rows_will_do_for_batches(draw, batch_size):
    n = 9000
    X = draw(n, 600)
    rows = CountedRows(Rows(X, np.zeros((n, 1)), None))
    rate = largest_stable_learning_rate(
        rows, Objective(), fit_intercept=False, batch_size=batch_size
    )
    assert rows.n_read == 1  # for the longest row
    L = sp.linalg.svds(X, 1, return_singular_vectors=False)[0] ** 2 / n
    largest = X.power(2).sum(axis=1).max()
    share = n * (batch_size - 1) / (batch_size * (n - 1))
    expected = share * L + (n - batch_size) / (batch_size * (n - 1)) * largest
    assert 0.5 / expected < rate < 1.05 / expected


def test_it_is_finite_where_there_is_nothing_to_learn_from():
    for n_features in (2, 600):
        X = np.zeros((3, n_features))
        rows = Rows(X, X[:, :1], None)
        rate = largest_stable_learning_rate(
            RowsInMemory(rows), Objective(), fit_intercept=False
        )
        assert rate == 1


@pytest.mark.parametrize("n_features", [2, 600])
def test_overflow_is_named(n_features):
    X = np.full((3, n_features), 1e30, "float32")
    rows = Rows(X, X[:, :1], None)
    with pytest.raises(ValueError, match=r"X overflow float32.* 1e\+30"):
        largest_stable_learning_rate(
            RowsInMemory(rows), Objective(), fit_intercept=True
        )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("n_features", [1, 4, 60])
@pytest.mark.parametrize("l2", [0.0, 7.0])
def test_batches_are_stable_below_the_expected_smoothness(
    fit_intercept, weighted, n_features, l2
):
    """``E H_b^2 <= L_b E H_b`` for the Hessian H_b of a batch drawn at random."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, n_features)) * 3 + 1
    weight = np.array([0.1, 0.2, 0.7, 1.0, 1.5, 2.5]) if weighted else None
    rows = RowsInMemory(Rows(X, X[:, :1], weight))
    A = np.column_stack([X, np.ones(6)]) if fit_intercept else X
    w = np.ones(6) if weight is None else weight
    objective = Objective(penalty=Penalty(l2=np.full((n_features, 1), l2)))
    ridge = np.zeros(A.shape[1])
    ridge[:n_features] = 2 * l2
    rates = []
    for b in range(1, 7):
        H = [
            2 * (A[list(batch)].T * w[list(batch)]) @ A[list(batch)] / b
            + np.diag(ridge)
            for batch in combinations(range(6), b)
        ]
        rate = largest_stable_learning_rate(
            rows, objective, fit_intercept=fit_intercept, batch_size=b
        )
        rates.append(rate)
        slack = 2 / rate * np.mean(H, axis=0) - np.mean([h @ h for h in H], axis=0)
        size = 2 / rate * np.linalg.norm(np.mean(H, axis=0))
        assert np.linalg.eigvalsh(slack)[0] > -1e-5 * size
    whole = largest_stable_learning_rate(rows, objective, fit_intercept=fit_intercept)
    if not (l2 and fit_intercept):  # the intercept's curvature may be the largest
        assert rates[-1] == pytest.approx(whole)
    one = 2 / (2 * (w * (A**2).sum(axis=1)).max() + 2 * l2)
    assert rates[0] == pytest.approx(one)
    assert (np.diff(rates) > 0).all()


def test_momentum_of_batches_shortens_their_automatic_steps(regression):
    """By what it lengthens the way that each leads to, 1 / (1 - momentum)."""
    X, y = regression
    ways = []
    for momentum in (0.0, 0.9):
        model = GDLinearRegressor(
            batch_size=20,
            momentum=momentum,
            random_state=0,
            max_iter=1,
            tol=None,
            schedule=lambda t: float(t == 0),  # the second step only carries on
        )
        ways.append(model.fit(X, y).coef_)
    np.testing.assert_allclose(ways[1], (1 - 0.9) * (1 + 0.9) * ways[0], rtol=1e-9)
