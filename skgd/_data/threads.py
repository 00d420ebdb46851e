"""Threads: blocks of rows in as many as BLAS has, and small matrices in one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from itertools import pairwise
from threading import RLock
from typing import TypeVar

from threadpoolctl import LibController, ThreadpoolController

from skgd._interrupt import deferred_interrupts

T = TypeVar("T")

# Products of more columns BLAS shares out among its own threads, which go on spinning
# for a while after each, and would be in the way of ours. And to start ours takes as
# long as a few blocks.
_MOST_COLUMNS, _LEAST_BLOCKS = 64, 32

# A share is so many blocks, of some milliseconds, or more where that would be more
# shares than this.
_BLOCKS_A_SHARE, _MOST_SHARES = 8, 64


def in_threads(
    work: Callable[[list[slice]], T], blocks: list[slice], n_columns: int
) -> list[T]:
    """Share blocks of rows out, and give what the work on each share gave.

    BLAS multiplies a few columns in one thread, however many rows there are, and sums
    of columns always. So they are shared out among as many threads as BLAS may use,
    with one of BLAS's in each: 5,000,000 rows of 10 columns then take 0.55 of the time
    on two cores, and 1,000,000 of 50 columns 0.73. More columns, or few blocks, are one
    share. The work must spend its time where NumPy releases the GIL.

    The shares do not depend on the number of threads, so that sums over them have the
    same digits in any number. After an interruption none is begun.
    """
    if n_columns > _MOST_COLUMNS or len(blocks) < _LEAST_BLOCKS:
        return [work(blocks)]
    n_shares = min(len(blocks) // _BLOCKS_A_SHARE, _MOST_SHARES)
    bounds = [len(blocks) * i // n_shares for i in range(n_shares + 1)]
    shares = [blocks[i:j] for i, j in pairwise(bounds)]

    def work_in_one(share: list[slice]) -> T:
        with _blas.in_one_thread():  # set and reset in a thread that no signal stops
            return work(share)

    pool = ThreadPoolExecutor(_blas.n_threads())
    try:
        return list(pool.map(work_in_one, shares))
    finally:
        pool.shutdown(cancel_futures=True)


def in_one_thread(n_columns: int) -> AbstractContextManager[None]:
    """Keep BLAS to one thread, for what takes a millisecond.

    Up to 64 columns it uses one by itself, and to ask for that would take longer.

    SciPy has threads of its own beside NumPy's, which still spin for a while after a
    large product: a factor of 300 x 300 right after one takes 1 ms with one thread, and
    40 ms with two on two cores.
    """
    return _uninterrupted() if n_columns > 64 else nullcontext()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep BLAS to one thread, and raise an interruption after that."""
    with deferred_interrupts(), _blas.in_one_thread():
        yield


class _Blas:
    """The number of threads of BLAS, which is the whole process's.

    The first of those who want one thread at the same time sets it, and the last resets
    it. The lock is never held over their work.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._n_users = 0
        self._n_threads: list[int] = []  # of each library, before the first user
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._renew,
            )

    def n_threads(self) -> int:
        """Return how many threads BLAS may use, but for our own users."""
        with self._lock:
            return max(self._n_threads or _numbers_of_threads(), default=1)

    @contextmanager
    def in_one_thread(self) -> Iterator[None]:
        """Keep BLAS to one thread. For where no interruption can come."""
        with self._lock:
            if self._n_users == 0:
                self._n_threads = _numbers_of_threads()
                _set_numbers_of_threads([1] * len(self._n_threads))
            self._n_users += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_users -= 1
                if self._n_users == 0:
                    self._reset()

    def _renew(self) -> None:
        """Reset in a forked child, in which only the thread that forked goes on."""
        if self._n_users > 0:
            self._n_users = 0
            self._reset()
        self._lock.release()

    def _reset(self) -> None:
        _set_numbers_of_threads(self._n_threads)
        self._n_threads = []


_blas = _Blas()


def _numbers_of_threads() -> list[int]:
    return [library.get_num_threads() for library in _libraries()]


def _set_numbers_of_threads(numbers: list[int]) -> None:
    for library, number in zip(_libraries(), numbers, strict=True):
        library.set_num_threads(number)


@cache
def _libraries() -> list[LibController]:
    """Return the libraries of BLAS; to look for them takes milliseconds."""
    controllers: list[LibController]
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    return controllers
