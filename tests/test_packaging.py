"""The wheel holds the package, and nothing but its dependencies is needed to fit."""

import os
import subprocess
import venv
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import hatchling.build
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent

FIT = """
import importlib.util
import numpy as np
import skgd
assert importlib.util.find_spec("pandas") is None
assert importlib.util.find_spec("pytest") is None
X = np.arange(12.0).reshape(6, 2) ** 2
y = X @ [1.0, 2.0] + 3
for strategy in ("manual", "autograd", "module"):
    model = skgd.GDLinearRegressor(strategy).fit(X, y)
    assert np.allclose(model.coef_, [1, 2]), strategy
print(skgd.__version__, skgd.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel."""
    folder, before = tmp_path_factory.mktemp("wheel"), Path.cwd()
    os.chdir(ROOT)
    try:
        return folder / hatchling.build.build_wheel(str(folder))
    finally:
        os.chdir(before)


def test_the_wheel_holds_every_module_and_nothing_else(wheel):
    names = set(ZipFile(wheel).namelist())
    package = {name for name in names if name.startswith("skgd/")}
    sources = ROOT.glob("skgd/**/*")
    assert package == {
        path.relative_to(ROOT).as_posix()
        for path in sources
        if path.suffix == ".py" or path.name == "py.typed"
    }
    (info,) = {name.split("/")[0] for name in names - package}
    assert f"{info}/licenses/LICENSE" in names
    assert "skgd/py.typed" in names


def test_the_installed_wheel_fits_without_extras(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    (site,) = (tmp_path / "venv").glob("lib/*/site-packages")
    for top in top_levels(dependencies("skgd")):
        (site / top.name).symlink_to(top)
    ZipFile(wheel).extractall(site)
    printed = subprocess.run(
        [tmp_path / "venv" / "bin" / "python", "-I", "-c", FIT],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={},
    ).stdout
    version, file = printed.split()
    assert version == distribution("skgd").version
    assert Path(file).is_relative_to(site)


def dependencies(name):
    """Return the names of what a distribution needs without its extras, and so on."""
    found, queue = set(), [name]
    while queue:
        for line in distribution(queue.pop()).requires or []:
            requirement = Requirement(line)
            marker = requirement.marker
            needed = marker is None or marker.evaluate({"extra": ""})
            if needed and requirement.name not in found:
                found.add(requirement.name)
                queue.append(requirement.name)
    return found


def top_levels(names):
    """Return the folders and files of distributions in the folder they lie in."""
    tops = set()
    for name in names:
        of_name = distribution(name)
        for file in of_name.files or []:
            if file.parts[0] not in ("..", "__pycache__"):
                tops.add(Path(of_name.locate_file(file.parts[0])))
    return tops
