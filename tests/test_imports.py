"""Who imports whom: torch where it is needed, and no part of skgd one above it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import skgd

#: A new interpreter in which torch cannot be imported.
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("no torch in this interpreter")

sys.meta_path.insert(0, NoTorch())
"""

NEEDS_NONE = """
import numpy as np, pickle, skgd, skgd.strategies, skgd.testing
from sklearn.base import clone
X, y = np.eye(3), np.arange(3.0)
model = clone(skgd.GDLinearRegressor(verbose=1)).fit(X, y, sample_weight=[1, 2, 0])
pickle.loads(pickle.dumps(model)).predict(X)
try:
    skgd.GDLinearRegressor(learning_rate=10.0).fit(X, y)
except skgd.DivergenceError:
    pass
skgd.testing.check_gradient_strategy
assert "matplotlib" not in sys.modules
"""

NEED_IT = [
    "from skgd.strategies import ModuleStrategy",
    "from skgd.strategies import *",
    "import skgd; skgd.GDLinearRegressor('autograd').fit([[1.], [2.]], [1, 2])",
    "import skgd; skgd.GDLinearRegressor(device='auto').fit([[1.], [2.]], [1, 2])",
]


def run_without_torch(code):
    """Run code where there is no torch, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH + code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_manual_fit_on_the_cpu_needs_no_torch():
    assert "loss = " in run_without_torch(NEEDS_NONE)


def test_what_needs_torch_asks_for_it():
    ask = f"""
for code in {NEED_IT}:
    try:
        exec(code)
    except ModuleNotFoundError as error:
        print(error)
"""
    assert run_without_torch(ask).count("no torch in this interpreter") == len(NEED_IT)


@pytest.mark.parametrize("code", NEED_IT)
def test_with_torch_it_works(code):
    exec(code, {})


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'skgd' has no attribute 'nonsense'"):
        skgd.nonsense  # noqa: B018 - the access is what is tested


def test_the_names_of_the_package_are_its_public_ones():
    assert dir(skgd) == skgd.__all__
    assert all(hasattr(skgd, name) for name in skgd.__all__)


#: The package's parts, as CONTRIBUTING.md lists them: none imports from one before it.
LAYERS = (
    ("testing",),
    ("_displays",),
    ("callback",),
    ("_search", "_path"),
    ("_regressor",),
    ("_stream", "_predictions"),
    ("_seen",),
    ("_fit",),
    ("_partitioned",),
    ("_preparation", "_divergence", "_convergence", "_observers"),
    ("_settings", "_descent"),
    ("strategies",),
    ("_objective",),
    ("_data",),
    ("_typing", "_warn", "_interrupt"),
)


def test_no_part_imports_from_one_above_it():
    rank = {part: i for i, layer in enumerate(LAYERS) for part in layer}
    package = Path(skgd.__file__).parent
    for file in package.rglob("*.py"):
        part = file.relative_to(package).with_suffix("").parts[0]
        if part == "__init__":
            continue
        for imported in re.findall(r"^\s*from skgd\.(\w+)", file.read_text(), re.M):
            assert rank[imported] >= rank[part], f"{file} imports {imported}"
