"""Print the tables and draw the pictures of results that run.py has left.

    python examples/benchmarks/report.py

It reads the files beside it, or those in the folder that is named after it.
"""

import argparse
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from presenting import markdown
from questions import NAMES

HERE = Path(__file__).parent
#: A page shows a picture some 900 pixels wide: its text in its true size, and sharp.
STYLE: dict[str, Any] = {
    "figure.figsize": (9, 3),
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "legend.handlelength": 3,
}
CHECK = "print only what this file lacks, and fail if it lacks anything"


def report(folder: Path, name: str, dpi: int = 200) -> None:
    """Print a question and its tables, and draw its picture."""
    print("\n" + "\n\n".join(sections(folder, name)), flush=True)
    with matplotlib.rc_context(STYLE):
        figure = Figure(layout="constrained")
        import_module(f"questions.{name}").draw(load(folder, name), figure)
        path = folder / "figures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi)
    with Image.open(path) as picture:  # 256 colours take half the bytes
        picture.convert("RGB").quantize().save(path, optimize=True)


def sections(folder: Path, name: str) -> list[str]:
    """Return what is asked and how it is answered, then each table."""
    question = import_module(f"questions.{name}")
    tables = map(markdown, question.tables(load(folder, name)))
    return [f"### {inspect.getdoc(question).rstrip()}", *tables]


def may_lack(name: str) -> bool:
    """Return whether a question may have no results, as not every machine has any."""
    return hasattr(import_module(f"questions.{name}"), "unavailable")


def save(rows: list[dict[str, Any]], facts: dict[str, Any], path: Path) -> None:
    """Write the results of a question, below the facts about the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {key}: {value}\n" for key, value in facts.items()]
    table = pd.DataFrame(rows).to_csv(index=False, float_format="%.4g")
    path.write_text("".join(lines) + table)


def load(folder: Path, name: str) -> pd.DataFrame:
    """Read the results of a question, and name the cases that have no name."""
    results = pd.read_csv(folder / "results" / f"{name}.csv", comment="#")
    if "n" in results and "case" not in results:
        results["case"] = results.n.map("{:,}".format) + " x " + results.d.map(str)
        if "dtype" in results:
            results["case"] += ", " + results.dtype
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    parser.add_argument("--check", type=Path, metavar="README", help=CHECK)
    args = parser.parse_args()
    results = args.folder / "results"
    answered = [name for name in NAMES if (results / f"{name}.csv").exists()]
    if args.check:
        readme = args.check.read_text()
        named = [name for name in NAMES if name in answered or not may_lack(name)]
        parts = [part for name in named for part in sections(args.folder, name)]
        lacking = [part for part in parts if part not in readme]
        sys.exit("\n\n".join(lacking) or 0)
    for name in answered:
        report(args.folder, name)


if __name__ == "__main__":
    main()
