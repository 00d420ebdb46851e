"""Fair times, peaks of memory, and on what they were taken."""

import os
import platform
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from libraries import Ladder, Ladders

Runs = dict[Any, Callable[[], object]]
Excess = Callable[[Any], float]
Rows = list[dict[str, Any]]

PACKAGES = ["skgd", "numpy", "scipy", "scikit-learn", "torch"]
PACKAGES += ["scikit-learn-intelex", "skorch", "skglm"]


def measure_fits(
    ladders: Ladders,
    X: Any,
    y: np.ndarray,
    excess: Excess,
    rounds: int,
    patience: float = 10.0,
    target: float = 0.0,
    ladder_patience: float = 4.0,
    beside: Runs | None = None,
) -> Rows:
    """Time a whole fit of each library, and tell what it reached.

    Parameters
    ----------
    ladders : dict of list
        Estimators of each library, from the loosest to the most accurate.
    X, y : array-like
        What they are fitted on.
    excess : callable
        Returns how far a fitted estimator is from the optimum.
    rounds, patience : int, float
        Of `least_seconds`.
    target, ladder_patience : float
        Of `loosest_that_reaches`.
    beside : dict of callable, default=None
        What is timed in turn with the fits, and reaches nothing.

    Returns
    -------
    rows : list of dict
        Of each library its seconds, excess, epochs and warnings.
    """
    reached = {
        library: loosest_that_reaches(target, ladder, X, y, excess, ladder_patience)
        for library, ladder in ladders.items()
        if ladder
    }
    runs: Runs = {
        library: partial(row["model"].fit, X, y) for library, row in reached.items()
    }
    first = {library: row["first"] for library, row in reached.items()}
    with noting_warnings():
        seconds = least_seconds({**runs, **(beside or {})}, rounds, patience, first)
    found = ("excess", "epochs", "warnings")
    return [
        {
            "library": library,
            "seconds": seconds[library],
            **{key: reached.get(library, {}).get(key) for key in found},
        }
        for library in seconds
    ]


def loosest_that_reaches(
    target: float,
    ladder: Ladder,
    X: Any,
    y: np.ndarray,
    excess_of: Excess,
    patience: float,
) -> dict[str, Any]:
    """Fit the loosest of a solver's settings that is accurate enough.

    Or the best of those tried: where the next setting would take longer than the
    patience, taken to be three times the seconds of the last, it is not tried.
    """
    best: dict[str, Any] = {}
    for model in ladder:
        with noting_warnings() as raised:
            first = seconds_of(partial(model.fit, X, y))
            excess = excess_of(model)
        if not best or excess < best["excess"]:
            epochs = np.max(getattr(model, "n_iter_", None))
            best = {"model": model, "first": first, "excess": excess, "epochs": epochs}
            best["warnings"] = " ".join(raised)
        if excess <= target or 3 * first > patience:
            break
    return best


def measure_epochs(
    ladders: Ladders,
    lengths: tuple[int, int],
    X: np.ndarray,
    y: np.ndarray,
    excess: Excess,
    rounds: int,
) -> Rows:
    """Time an epoch of each library, less what a run costs that has none.

    A ladder is a short and a long run, of so many epochs. An epoch's cost is the
    difference between the two over that between their lengths.
    """
    pairs = {library: ladder for library, ladder in ladders.items() if ladder}
    runs: Runs = {
        (library, length): partial(model.fit, X, y)
        for library, pair in pairs.items()
        for length, model in zip(lengths, pair, strict=True)
    }
    with noting_warnings():  # the runs are too short to converge
        seconds = least_seconds(runs, rounds)
    short, long = lengths
    return [
        {
            "library": library,
            "seconds": (seconds[library, long] - seconds[library, short])
            / (long - short),
            "epochs": long,
            "excess": excess(pairs[library][-1]),
        }
        for library in pairs
    ]


def least_seconds(
    runs: Runs,
    rounds: int,
    patience: float = 10.0,
    first: dict[Any, float] | None = None,
) -> dict[Any, float]:
    """Time calls: all in turn, in a new order each round, the least of several.

    The order matters: what runs before leaves caches, and threads that still spin.

    Parameters
    ----------
    runs : dict of callable
        What to time, by name.
    rounds : int
        Their number, after a first one that counts only where it takes more than a
        second.
    patience : float, default=10.0
        A call that has taken so many seconds, all its rounds together, is not timed
        again: the slow ones have fewer rounds.
    first : dict of float, default=None
        Seconds of the first round, of those that have had it.

    Returns
    -------
    seconds : dict of float
        Least seconds of each.
    """
    spent = dict(first or {})
    for name in runs:
        if name not in spent:
            spent[name] = seconds_of(runs[name])
    counts = min(1.0, patience)
    seconds = {name: spent[name] if spent[name] > counts else np.inf for name in runs}
    order, shuffle = list(runs), random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            if spent[name] <= patience:
                elapsed = seconds_of(runs[name])
                spent[name] += elapsed
                seconds[name] = min(seconds[name], elapsed)
    return seconds


def seconds_of(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_growth(call: Callable[[], object]) -> int:
    """Return by how many bytes this process grew at its peak during a call.

    As the system counts, so that what C and C++ allocate is seen as well. Linux can set
    its mark back; elsewhere only a growth beyond all before is seen.
    """
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5")
    before = _peak()
    call()
    return _peak() - before


def _peak() -> int:
    """Return the most bytes that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # where getrusage counts what the parent held as well
        fields = dict(line.split(":") for line in status.read_text().splitlines())
        return 1024 * int(fields["VmHWM"].split()[0])
    import resource  # not on Windows

    unit = 1 if platform.system() == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def noting_warnings() -> Iterator[list[str]]:
    """Collect the names of the warnings that are raised inside, each once."""
    names: list[str] = []
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        yield names
        names += sorted({warning.category.__name__ for warning in caught})


def machine() -> dict[str, Any]:
    """Describe the machine, the threads, and the versions of all that is compared."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": (names or [platform.processor()])[0],
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


def _version(package: str) -> str:
    """Return which version of a package is installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def use_threads(number: int) -> None:
    """Tell the library that does not ask the environment how many threads to use."""
    if find_spec("daal4py"):
        import daal4py

        daal4py.daalinit(number)
