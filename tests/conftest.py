import numpy as np
import pytest
import torch

torch.set_num_threads(2)

STRATEGIES = ("manual", "autograd", "module")


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    """Each built-in strategy by its name."""
    return request.param


@pytest.fixture
def regression():
    """Well-conditioned data with an offset: X, y, 40 rows of 3 features."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3)) + 0.5
    return X, X @ [1.0, -2.0, 3.0] + 4 + 0.1 * rng.standard_normal(40)


@pytest.fixture
def two_targets(regression):
    """The same rows with a second target."""
    X, y = regression
    return X, np.column_stack([y, 1 - 2 * X[:, 0]])
