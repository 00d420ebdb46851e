"""torch is imported by those who need it."""

import subprocess
import sys

import pytest

import skgd


def imports_torch(code):
    """Run code in a new interpreter; tell whether torch was imported."""
    code += "\nimport sys; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip() == "True"


MANUAL_FIT = """
import numpy as np, pickle, skgd, skgd.strategies, skgd.testing
from sklearn.base import clone
X, y = np.eye(3), np.arange(3.0)
model = clone(skgd.GDLinearRegressor(verbose=1)).fit(X, y, sample_weight=[1, 2, 0])
pickle.loads(pickle.dumps(model)).predict(X)
try:
    skgd.GDLinearRegressor(learning_rate=10.0).fit(X, y)
except skgd.DivergenceError:
    pass
skgd.testing.check_gradient_strategy(skgd.strategies.ManualStrategy())
"""


def test_skgd_testing_needs_no_import_of_its_own_and_does_not():
    assert not imports_torch("import skgd; skgd.testing.check_gradient_strategy")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'skgd' has no attribute 'nonsense'"):
        skgd.nonsense  # noqa: B018 - the access is what is tested


def test_a_manual_fit_on_the_cpu_does_not():
    assert not imports_torch(MANUAL_FIT)


@pytest.mark.parametrize(
    "code",
    [
        "from skgd.strategies import ModuleStrategy",
        "from skgd.strategies import *",
        "import skgd; skgd.GDLinearRegressor('autograd').fit([[1.], [2.]], [1, 2])",
        "import skgd; skgd.GDLinearRegressor(device='auto').fit([[1.], [2.]], [1, 2])",
    ],
)
def test_what_needs_torch_does(code):
    assert imports_torch(code)
