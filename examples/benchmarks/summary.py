"""A few rows of all results: the time of ours beside that of the fastest peers."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from presenting import markdown, time_text


class Task(NamedTuple):
    """A row of the table: what is done, and which results say how long it takes."""

    text: str
    question: str
    case: str


TASKS = (
    Task("least squares, 1,000,000 x 20", "fit_time", "1,000,000 x 20, float64"),
    Task("least squares, 10,000 x 20", "fit_time", "10,000 x 20, float64"),
    Task(
        "least squares, 20,000 x 100,000, sparse",
        "sparse_rows",
        "20,000 x 100,000, sparse",
    ),
    Task("lasso, 100,000 x 50", "penalties", "lasso, 100,000 x 50"),
    Task("lasso, 500 x 5,000", "penalties", "lasso, 500 x 5000"),
    Task(
        "search over 20 learning rates in 5 folds, 100,000 x 20",
        "one_pass_search",
        "20 candidates, 100,000 x 20",
    ),
    Task("`partial_fit` of a chunk of 100,000 x 20", "stream", "10,000,000 x 20"),
)

#: The largest excess of a loss that counts as its minimum.
MOST_EXCESS = 1e-6

#: Whose time each column has, by what the name of a library has in it.
COLUMNS = {
    "skgd": "^skgd(?!.*(?:one fit|GridSearchCV))",
    "scikit-learn": "^(?:LinearRegression|Ridge|SGDReg|Elastic|enet)|^skgd.*GridSearch",
    "others": "^(?:loop by hand|scikit-learn-intelex|skorch|skglm|dask-ml)",
}


def summary(load: Callable[[str], pd.DataFrame], link: Callable[[str], str]) -> str:
    """Return the table in Markdown, given the results and the link of a question."""
    rows = [row(task, load(task.question), link(task.question)) for task in TASKS]
    return markdown(pd.DataFrame(rows).set_index("task"))


def row(task: Task, results: pd.DataFrame, link: str) -> dict[str, str]:
    """Return the cells of a task, the least time in bold."""
    results = results[(results.case == task.case) & (results.excess <= MOST_EXCESS)]
    parts = {head: part_of(results, names) for head, names in COLUMNS.items()}
    least = min(part.seconds.min() for part in parts.values())
    cells = {head: fastest(part, least) for head, part in parts.items()}
    return {"task": f"[{task.text}]({link})", **cells}


def part_of(results: pd.DataFrame, names: str) -> pd.DataFrame:
    """Return the results of the libraries whose names match."""
    return results[results["library"].str.contains(names)]


def fastest(results: pd.DataFrame, least: float) -> str:
    """Return the least time and whose it is, bold if it is the least of all."""
    if results.empty:
        return ""
    first = results.loc[results.seconds.idxmin()]
    text = time_text(first.seconds)
    text = f"**{text}**" if first.seconds == least else text
    return f"{text} ({first['library'].removeprefix('skgd ')})"
