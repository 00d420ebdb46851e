"""Fair times, peaks of memory, and on what they were taken."""

from __future__ import annotations

import gc
import os
import platform
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # workers of a cluster would import all that they name
    from libraries import Ladder, Ladders

Runs = dict[Any, Callable[[], object]]
Rows = list[dict[str, Any]]

PACKAGES = ["skgd", "numpy", "scipy", "scikit-learn", "torch"]
PACKAGES += ["scikit-learn-intelex", "skorch", "skglm", "distributed", "dask-ml"]
PACKAGES += ["cuml-cu12", "cuml-cu13"]


class Problem(NamedTuple):
    """What is fitted, and how far a fitted estimator is from the optimum."""

    X: Any
    y: np.ndarray
    excess: Callable[[Any], float]


def measure_fits(
    ladders: Ladders, problem: Problem, rounds: int, patience=10.0, target=0.0
) -> Rows:
    """Time a whole fit of each library, and tell what it reached.

    Parameters
    ----------
    ladders : dict of list
        Estimators of each library, from the loosest to the most accurate.
    problem : Problem
        What they are fitted on.
    rounds, patience : int, float
        Of `least_seconds`.
    target : float, default=0.0
        Largest excess that will do.

    Returns
    -------
    rows : list of dict
        Of each library that is installed its seconds, excess, epochs and warnings.
    """
    chosen = {
        library: loosest_that_reaches(target, ladder, problem, min(patience, 4.0))
        for library, ladder in ladders.items()
        if ladder
    }
    fits: Runs = {
        library: partial(model.fit, problem.X, problem.y)
        for library, (model, _) in chosen.items()
    }
    seconds = least_seconds(fits, rounds, patience)
    return [
        {"library": library, "seconds": seconds[library], **reached}
        for library, (_, reached) in chosen.items()
    ]


def loosest_that_reaches(
    target: float, ladder: Ladder, problem: Problem, patience: float
) -> tuple[Any, dict[str, Any]]:
    """Fit the loosest of a solver's settings that is accurate enough.

    Or the best of those tried: where the next setting would take longer than the
    patience, taken to be three times the seconds of the last, it is not tried.
    """
    tried = []
    for model in ladder:
        with noting_warnings() as raised:
            taken = seconds_of(partial(model.fit, problem.X, problem.y))
            excess = problem.excess(model)
        epochs = np.max(getattr(model, "n_iter_", None))
        reached = {"excess": excess, "epochs": epochs, "warnings": " ".join(raised)}
        tried.append((model, reached))
        if excess <= target or 3 * taken > patience:
            break
    return min(tried, key=lambda each: np.nan_to_num(each[1]["excess"], nan=np.inf))


def measure_epochs(
    ladders: Ladders, lengths: tuple[int, int], problem: Problem, rounds: int
) -> Rows:
    """Time an epoch of each library, less what a run costs that has none.

    A ladder is a short and a long run, of so many epochs. An epoch's cost is the
    difference between the two over that between their lengths.
    """
    pairs = {library: ladder for library, ladder in ladders.items() if ladder}
    fits: Runs = {
        (library, length): partial(model.fit, problem.X, problem.y)
        for library, pair in pairs.items()
        for length, model in zip(lengths, pair, strict=True)
    }
    seconds, (short, long) = least_seconds(fits, rounds), lengths
    rows = []
    for library, pair in pairs.items():
        taken = (seconds[library, long] - seconds[library, short]) / (long - short)
        reached = {"epochs": long, "excess": problem.excess(pair[-1])}
        rows.append({"library": library, "seconds": taken, **reached})
    return rows


def least_seconds(runs: Runs, rounds: int, patience: float = 10.0) -> dict[Any, float]:
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

    Returns
    -------
    seconds : dict of float
        Least seconds of each.
    """
    order, shuffle = list(runs), random.Random(0).shuffle
    spent, seconds = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, np.inf)
    with noting_warnings():
        for round_ in range(rounds + 1):
            for name in order:
                if spent[name] <= patience:
                    elapsed = seconds_of(runs[name])
                    spent[name] += elapsed
                    if round_ > 0 or elapsed > min(patience, 1.0):
                        seconds[name] = min(seconds[name], elapsed)
            shuffle(order)
    return seconds


def seconds_of(call: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_growth(call: Callable[[], object]) -> int:
    """Return by how many bytes this process grew at its peak during a call.

    As the system counts, so that what C and C++ allocate is seen as well.
    """
    before = peak_from_now()
    call()
    return peak() - before


def peak_from_now() -> int:
    """Return what this process holds, from which on its peak is looked for.

    Linux can set its mark back; elsewhere only a growth beyond all before is seen.
    """
    marks = Path("/proc/self/clear_refs")
    if marks.exists():
        marks.write_text("5")
    return peak()


def peak() -> int:
    """Return the most bytes that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # where getrusage counts what the parent held as well
        fields = dict(line.split(":") for line in status.read_text().splitlines())
        return 1024 * int(fields["VmHWM"].split()[0])
    import resource  # not on Windows

    unit = 1 if platform.system() == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def allocated_growth(call: Callable[[], object]) -> int:
    """Return by how many bytes torch's tensors on the GPU grew at the peak of a call.

    Without what other libraries allocate there.
    """
    from torch import cuda

    gc.collect()  # what a call before that failed has left in cycles
    cuda.empty_cache()
    cuda.reset_peak_memory_stats()
    before = cuda.memory_allocated()
    call()
    cuda.synchronize()
    return cuda.max_memory_allocated() - before


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
    versions = {package.name: package.version for package in distributions()}
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": (names or [platform.processor()])[0],
        "cores": os.cpu_count(),
        "gpu": gpu_name(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: versions.get(package, "not installed") for package in PACKAGES},
    }


def gpu_name() -> str:
    """Return the name of the GPU that torch computes on, if there is one."""
    from torch import cuda

    return cuda.get_device_name() if cuda.is_available() else "none"


def use_threads(number: int) -> None:
    """Tell the library that does not ask the environment how many threads to use."""
    if find_spec("daal4py"):
        import daal4py

        daal4py.daalinit(number)
