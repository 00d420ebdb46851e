"""Fair times: all in turn, in a new order each round, the least of several."""

import argparse
import random
import time
from collections.abc import Callable

# One that has taken this long, all its runs together, is not run again.
PATIENCE = 10.0


def least_seconds(
    runs: dict[str, Callable[[], object]], repeats: int
) -> tuple[dict[str, float], dict[str, object]]:
    """Time calls that take no arguments.

    The order matters: what runs before leaves caches, and threads that still spin.

    Parameters
    ----------
    runs : dict of callable
        What to time, by name.
    repeats : int
        Number of rounds, after one that does not count.

    Returns
    -------
    seconds : dict of float
        Least seconds of each.
    results : dict
        What each gave the last time.
    """
    seconds = dict.fromkeys(runs, float("inf"))
    spent = dict.fromkeys(runs, 0.0)
    results = {name: run() for name, run in runs.items()}
    order, shuffle = list(runs), random.Random(0).shuffle
    for _ in range(repeats):
        shuffle(order)
        for name in order:
            if spent[name] > PATIENCE:
                continue
            start = time.perf_counter()
            results[name] = runs[name]()
            elapsed = time.perf_counter() - start
            seconds[name] = min(seconds[name], elapsed)
            spent[name] += elapsed
    return seconds, results


def quick(description: str | None) -> bool:
    """Read the command line: whether to run on little data, to see that it runs."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="on little data, once")
    return bool(parser.parse_args().quick)
