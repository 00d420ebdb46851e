"""The questions that the suite answers, a module each.

Every module says in its docstring what it asks and how; it has `cases(quick)`, what is
measured in turn; `measure(case)`, which gives the rows of a table; `tables(results)`,
which prints them in Markdown; and `draw(results, figure)`, which shows them.
"""

from types import ModuleType

from questions import (
    check_estimator,
    condensed_epochs,
    epoch_cost,
    fit_time,
    grid_search,
    memory,
    penalties,
    raw_defaults,
    sparse_rows,
    stream,
)

#: In the order in which they are asked.
QUESTIONS: dict[str, ModuleType] = {
    module.__name__.removeprefix("questions."): module
    for module in (
        fit_time,
        raw_defaults,
        epoch_cost,
        condensed_epochs,
        grid_search,
        memory,
        check_estimator,
        penalties,
        stream,
        sparse_rows,
    )
}
