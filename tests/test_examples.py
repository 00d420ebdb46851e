"""The examples, the README's code and the benchmarks run, and say what they promise."""

import inspect
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from questions import QUESTIONS
from report import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
BENCHMARKS = ROOT / "examples" / "benchmarks"


def run(script, *arguments, cwd):
    """Run a script that is to print something, and no warnings."""
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert len(done.stdout.splitlines()) > 3
    return done.stdout


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_an_example_runs(script, tmp_path):
    run(script, cwd=tmp_path)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_benchmark_measures_prints_and_draws(name, tmp_path):
    options = ("--quick", "--threads", "1", "--output", str(tmp_path))
    printed = run(BENCHMARKS / "run.py", "--only", name, *options, cwd=tmp_path)
    results = load(tmp_path, name)
    assert len(results) == len(results.drop_duplicates()) > 0
    assert QUESTIONS[name].tables(results) in printed
    assert (tmp_path / "figures" / f"{name}.png").stat().st_size < 150_000
    assert (tmp_path / "results" / f"{name}.csv").read_text().startswith("# date: ")


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_readme_s_tables_are_those_of_the_results(name):
    """What report.py prints of the results that are kept, and how they were made."""
    question = QUESTIONS[name]
    asked, how = inspect.getdoc(question).split("\n\n", 1)
    tables = question.tables(load(BENCHMARKS, name)).split("\n\n")
    assert README.count(f"### {asked}\n\n{how}") == 1
    assert [table for table in tables if table not in README] == []


def test_the_readme_shows_pictures_that_there_are():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 150_000


def test_the_readme_s_code_prints_what_follows_it(capsys, tmp_path, monkeypatch):
    """Run the python blocks in order; a text block after one is its output."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```(\w+)\n(.*?)```", README, re.S)
    blocks = [block for block in blocks if block[0] != "sh"] + [("", "")]
    namespace: dict = {}
    for (language, code), following in pairwise(blocks):
        if language == "python":
            exec(code, namespace)
            printed = capsys.readouterr().out
            assert printed == (following[1] if following[0] == "text" else "")
