import os
import re

# Tests run in parallel, where threads of each would be in the way of the others': two
# processes on two cores then take two thirds of the time.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# scikit-learn's array API dispatch wants SciPy's own, which SciPy reads as it is
# imported.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np  # noqa: E402 - after the number of its threads
import pytest  # noqa: E402 - likewise
import torch  # noqa: E402 - likewise

torch.set_num_threads(1)

STRATEGIES = ("manual", "autograd", "module")


def strategies_on(cases, few):
    """Pair "manual" with all cases, and the other strategies with a few of them.

    Where a strategy's own code is on the path, but most cases are about other code.
    """
    few = list(few)
    others = [(name, *case) for name in STRATEGIES[1:] for case in few]
    return [("manual", *case) for case in cases] + others


def without_address(value):
    """Name a parameter the same in every process, as tests in parallel need it."""
    return re.sub(r" at 0x\w+", "", repr(value))


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
