"""The examples and the benchmarks run, and print what their pages show."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from joblib import parallel_config
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import read
from nbformat.v4 import new_code_cell

import skgd

ROOT = Path(__file__).parent.parent
GALLERY = (ROOT / "examples" / "README.md").read_text()
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
BENCHMARKS = ROOT / "examples" / "benchmarks"
QUESTIONS = sorted(path.stem for path in (BENCHMARKS / "questions").glob("[!_]*.py"))

SCORE = re.compile(r"R2|R\^2|R²|score", re.I)
NEGATIVE = re.compile(r"(?<![\w.])-\d[\d.]*")  # -1, but not 1e-1 or 5-fold
NOT_FINITE = re.compile(r"\b(nan|inf|infinity)\b", re.I)

#: What scripts import that the extra `test` does not bring.
BEYOND_TEST = {"jax_strategy": ["jax"]}

#: Lines, by their first words, that show what goes wrong and how to avoid it.
BAD_ON_PURPOSE = {
    "early_stopping": ["50", "100", "199"],  # epochs that overfit
    "grid_search": ["0.001", "1.000"],  # a learning rate too small, and one too large
}


# Those of the libraries are not for the example's reader.
@pytest.mark.filterwarnings("error", "ignore::DeprecationWarning")
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_an_example_prints_something_and_no_warnings(
    script, tmp_path, monkeypatch, capfd
):
    shown = excerpt(script)
    for module in BEYOND_TEST.get(script.stem, []):
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script)])
    # Processes of joblib's would import all anew, which takes longer than what they do.
    with parallel_config("sequential"):
        runpy.run_path(str(script), run_name="__main__")
    printed = capfd.readouterr()
    assert not printed.err
    assert len(printed.out.splitlines()) > 3
    bad = [line.split()[0] for line in bad_lines(printed.out)]
    assert bad == BAD_ON_PURPOSE.get(script.stem, [])
    for line in shown:
        assert line in printed.out


def excerpt(script):
    """Return the lines that the gallery shows of what a script prints."""
    section = re.search(rf"^### \[{script.name}\].*?(?=^#|\Z)", GALLERY, re.M | re.S)
    assert section, f"examples/README.md does not show {script.name}"
    shown = re.search("^```console\n(.*?)^```", section[0], re.M | re.S)
    return shown[1].splitlines() if shown else []


def bad_lines(printed):
    """Return the lines that hold nan, infinity, or a score below zero.

    A score stands to the right of its name: on the same line, or in the table below.
    """
    bad = []
    for paragraph in re.split(r"\n\s*\n", printed):
        column = len(printed)  # of a score's name; at first there is none
        for line in paragraph.splitlines():
            if name := SCORE.search(line):
                column = name.start()
            below_zero = [n for n in NEGATIVE.finditer(line) if n.end() > column]
            if below_zero or NOT_FINITE.search(line):
                bad.append(line)
    return bad


@pytest.mark.parametrize(
    "line",
    [
        "R^2 = -7437.1",
        "R²: -0.1",
        "after 9 epochs the score is -2e+03",
        "coef = [1. nan]",
        "loss -inf",
        "      coef   R2 test\nraw   -1.5  -0.0312",
    ],
)
def test_a_score_below_zero_is_seen(line):
    assert bad_lines(f"a title\n\n{line}\n") == line.splitlines()[-1:]


def test_other_numbers_may_be_negative():
    table = "coef    R2 (5-fold)\n-4.01        0.8673\n\nexcess\n-1.1e-16"
    assert not bad_lines(table)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_is_saved_in_it_and_no_warnings(
    path, tmp_path, monkeypatch
):
    assert path.stat().st_size < 400_000
    notebook = read(path, as_version=4)
    saved = [texts_of_outputs(cell) for cell in notebook.cells]
    assert not [text for cell in saved for name, *text in cell if name == "stderr"]

    where = "import json, sys, skgd\nprint(json.dumps([sys.executable, skgd.__file__]))"
    notebook.cells.append(new_code_cell(where))
    execute(notebook, tmp_path, monkeypatch)
    *cells, last = notebook.cells
    assert json.loads(last.outputs[0].text) == [sys.executable, skgd.__file__]
    for cell, outputs in zip(cells, saved, strict=True):
        assert texts_of_outputs(cell) == outputs, cell.source


def execute(notebook, folder, monkeypatch):
    """Run all cells by this interpreter with this skgd, whatever kernels there are."""
    this_skgd = str(Path(skgd.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", this_skgd, prepend=os.pathsep)
    monkeypatch.setenv("IPYTHONDIR", str(folder))  # none of the user's startup files
    monkeypatch.delenv("MPLBACKEND", raising=False)  # figures are outputs
    kernel = AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
    )
    client = NotebookClient(
        notebook, km=kernel, timeout=60, resources={"metadata": {"path": str(folder)}}
    )
    client.execute(cleanup_kc=True)


def texts_of_outputs(cell):
    """Return what each output is, and its text; of a picture, that there is one."""
    return [
        (output.name, output.text)
        if output.output_type == "stream"
        else (*sorted(output.data), output.data["text/plain"])
        for output in cell.get("outputs", [])
    ]


def test_each_benchmark_measures_prints_and_draws(tmp_path):
    """All in one process, since most of its time goes into imports."""
    printed = run_benchmark(
        "run.py", "--quick", "--threads", "1", "--output", str(tmp_path)
    )
    assert printed.count("### ") == len(QUESTIONS) > 0
    for name in QUESTIONS:
        comments_and_table = (tmp_path / "results" / f"{name}.csv").read_text()
        assert comments_and_table.startswith("# date: ")
        lines = [line for line in comments_and_table.splitlines() if line[0] != "#"]
        assert len(lines) == len(set(lines)) > 1
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size < 150_000


@pytest.mark.skipif(torch.cuda.is_available(), reason="it can be measured here")
def test_what_needs_a_gpu_is_left_out_where_there_is_none(tmp_path):
    printed = run_benchmark("run.py", "--only", "gpu", "--output", str(tmp_path))
    assert printed.startswith("gpu is left out: ")
    assert not list(tmp_path.iterdir())


def test_the_tables_of_the_pages_are_those_of_the_results():
    """What report.py writes of the results that are kept, and how they were made."""
    run_benchmark("report.py", "--check")


def run_benchmark(script, *arguments):
    """Return what a script prints that is to raise no warnings."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout
