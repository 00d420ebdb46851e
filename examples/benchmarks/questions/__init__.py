"""The questions that the suite answers, a module each.

Every module says in its docstring what it asks and how. Its `FULL` and `QUICK` list the
cases, each the keyword arguments of `measure`, which returns the rows of a table;
`tables(results)` returns what is printed of all of them, and `draw(results, figure)`
shows them. A module that needs what not every machine has also has `unavailable()`,
which says why the full cases cannot be measured here, or nothing where they can.
"""

from types import ModuleType
from typing import Any

#: In the order in which they are asked.
NAMES = (
    "fit_time",
    "raw_defaults",
    "epoch_cost",
    "condensed_epochs",
    "grid_search",
    "one_pass_search",
    "penalty_search",
    "memory",
    "check_estimator",
    "penalties",
    "stream",
    "sparse_rows",
    "cluster",
    "gpu",
)


def reason_to_leave_out(question: ModuleType) -> str:
    """Return why a question's full cases cannot be measured here, or nothing."""
    return question.unavailable() if hasattr(question, "unavailable") else ""


def cases(names: str, *rows: tuple) -> list[dict[str, Any]]:
    """Return a table of cases, by the names of its columns."""
    return [dict(zip(names.split(), row, strict=True)) for row in rows]
