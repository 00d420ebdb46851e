import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from skgd._data.sparse_tensor import SparseMatrix


@pytest.fixture
def pair():
    """Make a sparse matrix and the same as a dense tensor."""
    rng = np.random.default_rng(0)
    matrix = sp.csr_array(sp.random_array((6, 4), density=0.4, rng=rng))
    return SparseMatrix(matrix, torch.from_numpy), torch.from_numpy(matrix.toarray())


def test_it_multiplies_from_both_sides(pair):
    sparse, dense = pair
    W, V = torch.randn(4, 3, dtype=torch.float64), torch.randn(2, 6).double()
    torch.testing.assert_close(sparse @ W, dense @ W)
    torch.testing.assert_close(V @ sparse, V @ dense)
    torch.testing.assert_close(sparse.T @ V.T, dense.T @ V.T)
    torch.testing.assert_close(W.T @ sparse.T, W.T @ dense.T)
    torch.testing.assert_close(torch.mm(sparse, W), dense @ W)
    assert sparse.shape == tuple(dense.shape)
    assert len(sparse) == 6
    assert sparse.T.T is sparse


@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_take_it_and_differentiate(pair, bias):
    sparse, dense = pair
    layer = nn.Linear(4, 2, bias=bias, dtype=torch.float64)
    outcomes = []
    for X in (sparse, dense):
        layer.zero_grad()
        output = layer(X)
        (output**2).sum().backward()
        outcomes.append(
            [output.detach(), *(p.grad.clone() for p in layer.parameters())]
        )
    for one, other in zip(*outcomes, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_are_those_of_finite_differences(pair):
    sparse, _ = pair
    W = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda W: sparse @ W, W, check_forward_ad=True, check_batched_grad=False
    )
    V = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda V: V @ sparse, V)


def test_other_functions_get_torchs_own_tensor(pair):
    sparse, dense = pair
    torch.testing.assert_close(torch.sum(sparse), dense.sum())
