"""The examples and the README's code run, and print what they promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = [[str(path)] for path in sorted((ROOT / "examples").glob("*.py"))]
BENCHMARKS = [
    [str(path), "--quick"]
    for path in sorted((ROOT / "examples" / "benchmarks").glob("*.py"))
    if "def main" in path.read_text()
]


@pytest.mark.parametrize(
    "script", EXAMPLES + BENCHMARKS, ids=lambda script: Path(script[0]).stem
)
def test_an_example_runs(script, tmp_path):
    done = subprocess.run(
        [sys.executable, *script],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert len(done.stdout.splitlines()) > 3


def test_the_readme_s_code_prints_what_follows_it(capsys):
    """Run the python blocks in order; a text block after one is its output."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    blocks = [block for block in blocks if block[0] != "sh"]
    namespace: dict = {}
    n_compared = 0
    for k, (language, code) in enumerate(blocks):
        if language != "python":
            continue
        exec(code, namespace)
        printed = capsys.readouterr().out
        if printed:
            assert blocks[k + 1] == ("text", printed)
            n_compared += 1
    assert n_compared >= 3
