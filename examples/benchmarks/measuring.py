"""Fair times, peaks of memory, and on what they were taken."""

import os
import platform
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

Settings = TypeVar("Settings")

PACKAGES = [
    "skgd",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "scikit-learn-intelex",
    "skorch",
    "skglm",
]


def least_seconds(
    runs: dict[str, Callable[[], object]], repeats: int, patience: float = 10.0
) -> dict[str, float]:
    """Time calls: all in turn, in a new order each round, the least of several.

    The order matters: what runs before leaves caches, and threads that still spin.

    Parameters
    ----------
    runs : dict of callable
        What to time, by name.
    repeats : int
        Number of rounds, after one that does not count where it takes less than a
        second.
    patience : float, default=10.0
        A call that has taken so many seconds, all its rounds together, is not timed
        again: the slow ones have fewer rounds.

    Returns
    -------
    seconds : dict of float
        Least seconds of each.
    """
    seconds = dict.fromkeys(runs, float("inf"))
    spent = dict.fromkeys(runs, 0.0)
    order, shuffle = list(runs), random.Random(0).shuffle
    for round_ in range(repeats + 1):
        for name in order:
            if spent[name] > patience:
                continue
            start = time.perf_counter()
            runs[name]()
            elapsed = time.perf_counter() - start
            spent[name] += elapsed
            if round_ > 0 or elapsed > 1:
                seconds[name] = min(seconds[name], elapsed)
        shuffle(order)
    return seconds


def loosest_that_reaches(
    target: float,
    settings: Sequence[Settings],
    excess_of: Callable[[Settings], float],
    patience: float = 4.0,
) -> tuple[Settings, float]:
    """Find the loosest of a solver's settings that is accurate enough.

    Parameters
    ----------
    target : float
        Largest excess that will do.
    settings : sequence
        From the loosest to the most accurate.
    excess_of : callable
        Fits with a setting, and gives the excess reached.
    patience : float, default=4.0
        Where the next setting would take so many seconds, taken to be three
        times those of the last, it is not tried.

    Returns
    -------
    setting, excess
        The setting, or the best of those tried; and what it reached.
    """
    best = settings[0], float("inf")
    for setting in settings:
        start = time.perf_counter()
        excess = excess_of(setting)
        if excess < best[1]:
            best = setting, excess
        if excess <= target or 3 * (time.perf_counter() - start) > patience:
            break
    return best


def epoch_seconds(
    runs: dict[str, Callable[[int], object]], lengths: tuple[int, int], repeats: int
) -> dict[str, float]:
    """Time an epoch of each run, less what a run costs that has none.

    Parameters
    ----------
    runs : dict of callable
        Take a number of epochs and run them.
    lengths : tuple of int
        Epochs of a short and of a long run. An epoch's cost is the difference between
        the two over that between their lengths.
    repeats : int
        Number of rounds.

    Returns
    -------
    seconds : dict of float
        Of one epoch of each.
    """
    short, long = lengths
    calls = {
        f"{name} {length}": lambda run=run, length=length: run(length)
        for name, run in runs.items()
        for length in lengths
    }
    seconds = least_seconds(calls, repeats)
    return {
        name: (seconds[f"{name} {long}"] - seconds[f"{name} {short}"]) / (long - short)
        for name in runs
    }


def peak_growth(call: Callable[[], object]) -> int:
    """Give by how many bytes this process grew at its peak during a call.

    As the system counts, so that what C and C++ allocate is seen as well. Linux can set
    its mark back; elsewhere only a growth beyond all before is seen.
    """
    status, marks = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if status.exists():
        marks.write_text("5")
        before = _kilobytes(status, "VmRSS")
        call()
        return 1024 * (_kilobytes(status, "VmHWM") - before)
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    return unit * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def _kilobytes(status: Path, field: str) -> int:
    """Read a field of what Linux tells about this process."""
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


@contextmanager
def noting_warnings() -> Iterator[list[str]]:
    """Collect the names of the warnings that are raised inside, each once."""
    names: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield names
        finally:
            names += sorted({warning.category.__name__ for warning in caught})


def machine() -> dict[str, Any]:
    """Describe the machine, the threads, and the versions of all that is compared."""
    facts = {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _cpu() -> str:
    """Read what the processor calls itself, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor()


def use_threads(number: int) -> None:
    """Give libraries that do not ask the environment as many threads as the others."""
    import torch

    torch.set_num_threads(number)
    if find_spec("daal4py"):
        import daal4py

        daal4py.daalinit(number)
