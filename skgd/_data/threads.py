"""Threads: blocks of rows in as many as BLAS has, and small matrices in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")

# Products of more columns BLAS shares out among its own threads, which go on spinning
# for a while after each, and would be in the way of ours. And to start ours takes as
# long as a few blocks.
_MOST_COLUMNS, _LEAST_BLOCKS = 64, 32

# The limit on BLAS is the whole process's: two users at a time would undo each other's.
_one_at_a_time = Lock()


def in_threads(
    work: Callable[[list[slice]], T], blocks: list[slice], n_columns: int
) -> list[T]:
    """Share blocks of rows out, and give what the work on each share gave.

    BLAS multiplies a few columns in one thread, however many rows there are, and sums
    of columns always. So they are shared out among as many threads as BLAS may use,
    with one of BLAS's in each: 5,000,000 rows of 10 columns then take 0.55 of the time
    on two cores, and 1,000,000 of 50 columns 0.73. More columns, or few blocks, are one
    share. The work must spend its time where NumPy releases the GIL.
    """
    if n_columns > _MOST_COLUMNS or len(blocks) < _LEAST_BLOCKS:
        return [work(blocks)]
    with _one_at_a_time:
        libraries = _controller().select(user_api="blas").info()
        n_threads = max((library["num_threads"] for library in libraries), default=1)
        bounds = [len(blocks) * i // n_threads for i in range(n_threads + 1)]
        shares = [blocks[i:j] for i, j in pairwise(bounds) if i < j]
        one_thread = _controller().limit(limits=1, user_api="blas")
        with one_thread, ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(work, shares))


def in_one_thread(n_columns: int) -> AbstractContextManager[None]:
    """Keep BLAS to one thread, for what takes a millisecond.

    Up to 64 columns it uses one by itself, and to ask for that would take longer.

    SciPy has threads of its own beside NumPy's, which still spin for a while after a
    large product: a factor of 300 x 300 right after one takes 1 ms with one thread, and
    40 ms with two on two cores.
    """
    return _limited() if n_columns > 64 else nullcontext()


@contextmanager
def _limited() -> Iterator[None]:
    """Keep BLAS to one thread."""
    with _one_at_a_time, _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> ThreadpoolController:
    """Return the libraries that have threads; to look for them takes milliseconds."""
    return ThreadpoolController()
