"""Print the tables and draw the pictures of results that run.py has left.

    python examples/benchmarks/report.py
    python examples/benchmarks/report.py --write

It reads the files beside it, or those in the folder that is named after it. With
--write, it also writes the tables of the files beside it into the pages that show them:
README.md of this folder, and of the repository. A table stands there between two
comments, of which the first names it.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
from presenting import markdown
from questions import NAMES
from summary import summary

HERE = Path(__file__).parent
PAGES = HERE / "README.md", HERE.parents[1] / "README.md"
#: What is written into a page, between two comments.
BEGIN, END = r"<!-- results: (\w+) -->\n", "<!-- end of results -->"
WRITTEN = re.compile(f"({BEGIN})(?:(?!<!--).)*(?={END})", re.S)
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


def link(name: str) -> str:
    """Return where the repository's README finds the tables of a question."""
    heading = sections(HERE, name)[0].splitlines()[0].removeprefix("### ")
    anchor = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    return f"examples/benchmarks/README.md#{anchor}"


def written(page: str) -> str:
    """Return a page with the tables of the results that are kept beside this file."""

    def part(match: re.Match[str]) -> str:
        comment, name = match.groups()
        return f"{comment}\n{tables_of(name)}\n\n"

    return WRITTEN.sub(part, page)


def tables_of(name: str) -> str:
    """Return what a page shows of a question, or the summary of several."""
    if name == "summary":
        return summary(partial(load, HERE), link)
    return "\n\n".join(sections(HERE, name))


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


def kept(folder: Path) -> Iterator[str]:
    """Yield the questions of which a folder has results."""
    return (name for name in NAMES if (folder / "results" / f"{name}.csv").exists())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help="write the pages' tables")
    what.add_argument(
        "--check", action="store_true", help="only fail if --write would change a page"
    )
    args = parser.parse_args()
    if args.check:
        sys.exit("\n".join(outdated()) or 0)
    for name in kept(args.folder):
        report(args.folder, name)
    if args.write:
        for page in PAGES:
            page.write_text(written(page.read_text()))


def outdated() -> Iterator[str]:
    """Yield what the pages lack of the results that are kept beside this file."""
    pages = {page: page.read_text() for page in PAGES}
    for page, text in pages.items():
        if written(text) != text:
            yield f"{page}: tables of other results; run report.py --write"
    shown = {match[2] for text in pages.values() for match in WRITTEN.finditer(text)}
    for name in kept(HERE):
        if name not in shown:
            yield f"results of {name}: no page has a comment that names them"


if __name__ == "__main__":
    main()
