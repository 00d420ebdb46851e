"""Sparse rows are centred without being filled."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skgd import GDLinearRegressor
from skgd._data.moments import ColumnMoments
from skgd._data.row_sources import RowsInMemory
from skgd._data.rows import Rows, highest_and_lowest, root_mean_squares
from skgd._data.shifted import ShiftedMatrix
from skgd._data.sparse_tensor import SparseMatrix
from skgd._descent.stable_rate import largest_stable_learning_rate
from skgd._objective.objective import Objective

LAYOUTS = [sp.csr_array, sp.csc_array]


def pair(layout=sp.csr_array, shape=(6, 4)):
    """Make a shifted matrix and the same as an array."""
    rng = np.random.default_rng(0)
    matrix = layout(sp.random_array(shape, density=0.4, rng=rng))
    offset = rng.standard_normal(shape[1])
    return ShiftedMatrix.of(matrix, offset), matrix.toarray() - offset


@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_multiplies_from_both_sides(layout):
    shifted, dense = pair(layout)
    rng = np.random.default_rng(1)
    for k in ((), (1,), (3,)):
        W, V = rng.standard_normal((4, *k)), rng.standard_normal((6, *k))
        np.testing.assert_allclose(shifted @ W, dense @ W)
        np.testing.assert_allclose(W.T @ shifted.T, W.T @ dense.T)
        np.testing.assert_allclose(shifted.T @ V, dense.T @ V)
        np.testing.assert_allclose(V.T @ shifted, V.T @ dense)
    index = np.array([3, 0])
    np.testing.assert_allclose(shifted[index] @ np.eye(4), dense[index])
    single = shifted.astype(np.float32)
    assert (single @ np.eye(4, dtype=np.float32)).dtype == np.float32


def test_torch_multiplies_and_differentiates_it_but_does_nothing_else():
    shifted, dense = pair()
    outer = torch.from_numpy(shifted.left), torch.from_numpy(shifted.right)
    sparse = SparseMatrix(shifted.matrix, torch.from_numpy, outer)
    dense = torch.from_numpy(dense)
    W, V = torch.randn(4, 2).double(), torch.randn(2, 6).double()
    torch.testing.assert_close(sparse @ W, dense @ W)
    torch.testing.assert_close(sparse @ W[:, 0], dense @ W[:, 0])
    torch.testing.assert_close(torch.sparse.mm(sparse, W), dense @ W)
    torch.testing.assert_close(V @ sparse, V @ dense)
    torch.testing.assert_close(sparse.T @ V.T, dense.T @ V.T)
    W.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda W: sparse @ W, W, check_forward_ad=True, check_batched_grad=False
    )
    with pytest.raises(TypeError, match="standardize=False"):
        torch.sum(sparse)
    with pytest.raises(TypeError, match="standardize=False"):
        sparse.sum()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_have_the_moments_that_they_have_dense(layout, weighted):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 7)) * (rng.random((50, 7)) < 0.5)
    X[:, 1], X[:, 2], X[:, 3] = 0.1, 0, 5 + rng.standard_normal(50)
    X[:, 4] *= 1e-170
    X[:, 5] *= 1e170
    weight = np.arange(50) % 4.0 if weighted else None
    sparse = ColumnMoments.from_columns(layout(X), weight)
    dense = ColumnMoments.from_columns(X, weight)
    np.testing.assert_allclose(sparse.mean, dense.mean, rtol=1e-12)
    np.testing.assert_allclose(sparse.spread, dense.spread, rtol=1e-12, atol=1e-180)
    shifted = ShiftedMatrix.of(layout(X), dense.mean)
    spread = root_mean_squares(shifted, weight)
    np.testing.assert_allclose(spread, dense.spread, rtol=1e-12, atol=1e-180)
    extremes = highest_and_lowest(shifted)
    assert (extremes[0] >= (X - dense.mean).max(axis=0)).all()
    assert (extremes[1] <= (X - dense.mean).min(axis=0)).all()


@pytest.mark.parametrize("n_features", [3, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_automatic_rate_is_that_of_dense_rows(n_features, weighted):
    shifted, dense = pair(shape=(50, n_features))
    weight = np.arange(50) % 4.0 if weighted else None
    rates = [
        largest_stable_learning_rate(
            RowsInMemory(Rows(X, dense[:, :1], weight)), Objective(), fit_intercept=True
        )
        for X in (shifted, dense)
    ]
    assert rates[0] == pytest.approx(rates[1], rel=1e-9)


@pytest.mark.parametrize("n_features", [4, 90])
@pytest.mark.parametrize("params", [{}, {"alpha": 0.1}, {"positive": True}])
def test_sparse_fits_take_the_steps_of_dense_ones(strategy, n_features, params):
    """With the automatic rate, on columns one of which is constant."""
    rng = np.random.default_rng(0)
    X = rng.random((60, n_features)) * (rng.random((60, n_features)) < 0.3)
    X[:, 1] = 0.1
    y = X @ rng.standard_normal(n_features) + 3
    if "alpha" in params and n_features == 4:
        params = {**params, "l1_ratio": 0.5}
    model = GDLinearRegressor(strategy, precompute=False, max_iter=20, tol=None)
    model.set_params(**params)
    expected = model.fit(X, y).loss_curve_
    coef, intercept = model.coef_, model.intercept_
    model.fit(sp.csr_array(X), y)
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=1e-6)
