"""Print the tables and draw the pictures of results that run.py has left.

    python examples/benchmarks/report.py

It reads the files beside it, or those in the folder that is named after it.
"""

import inspect
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.figure import Figure
from questions import QUESTIONS

HERE = Path(__file__).parent


def report(folder: Path, name: str) -> None:
    """Print a question and its tables, and draw its picture."""
    question, results = QUESTIONS[name], load(folder, name)
    asked, how = inspect.getdoc(question).split("\n\n", 1)
    print(f"\n### {asked}\n\n{how}\n\n{question.tables(results)}", flush=True)
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(layout="constrained", dpi=80)
        question.draw(results, figure)
        path = folder / "figures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)


def save(
    rows: list[dict[str, Any]], facts: dict[str, Any], folder: Path, name: str
) -> None:
    """Write rows to a file, below the facts about the machine as comments."""
    path = folder / "results" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {key}: {value}\n" for key, value in facts.items()]
    table = pd.DataFrame(rows).to_csv(index=False, float_format="%.4g")
    path.write_text("".join(lines) + table)


def load(folder: Path, name: str) -> pd.DataFrame:
    """Read what `save` wrote."""
    return pd.read_csv(folder / "results" / f"{name}.csv", comment="#")


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for name in QUESTIONS:
        if (folder / "results" / f"{name}.csv").exists():
            report(folder, name)


if __name__ == "__main__":
    main()
