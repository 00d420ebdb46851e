"""Threads: blocks of rows in as many as BLAS has, and small matrices in one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from itertools import pairwise
from threading import RLock
from typing import TypeVar

from threadpoolctl import LibController, ThreadpoolController

from skgd._interrupt import Interruption, deferred_interrupts

T = TypeVar("T")

# Products of more columns BLAS shares out among its own threads, which go on spinning
# for a while after each, and would be in the way of ours. And to start ours takes as
# long as a few blocks.
_MOST_COLUMNS, _LEAST_BLOCKS = 64, 32

# A share is so many blocks, of some milliseconds, or more where that would be more
# shares than this.
_BLOCKS_A_SHARE, _MOST_SHARES = 8, 64

_SECONDS_OF_WAIT = 0.1


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
    same digits in any number. An interruption is raised when the shares that are under
    way are done.
    """
    if n_columns > _MOST_COLUMNS or len(blocks) < _LEAST_BLOCKS:
        return [work(blocks)]
    n_shares = min(len(blocks) // _BLOCKS_A_SHARE, _MOST_SHARES)
    bounds = [len(blocks) * i // n_shares for i in range(n_shares + 1)]
    with _one_blas_thread() as interruption:
        pool = ThreadPoolExecutor(_blas.n_threads)
        try:
            futures = [pool.submit(work, blocks[i:j]) for i, j in pairwise(bounds)]
            while wait(futures, timeout=_SECONDS_OF_WAIT).not_done:
                interruption.raise_if_it_came()
            return [future.result() for future in futures]
        finally:
            pool.shutdown(cancel_futures=True)


def in_one_thread(n_columns: int) -> AbstractContextManager[object]:
    """Keep BLAS to one thread, for what takes a millisecond.

    Up to 64 columns it uses one by itself, and to ask for that would take longer.

    SciPy has threads of its own beside NumPy's, which still spin for a while after a
    large product: a factor of 300 x 300 right after one takes 1 ms with one thread, and
    40 ms with two on two cores.
    """
    return _one_blas_thread() if n_columns > 64 else nullcontext()


@contextmanager
def in_one_torch_thread() -> Iterator[None]:
    """Keep torch to one thread, for operations of microseconds.

    Threads that share out a product of 20 x 20 wait for each other, and for those of
    NumPy's BLAS, which still spin after the pass over the rows: an epoch of 20 targets
    takes 280 us in two threads on two cores, and 170 us in one. OpenMP's number is that
    of the thread which sets it, so that no other thread is in the way.
    """
    libraries = _openmp_libraries()
    before = [library.get_num_threads() for library in libraries]
    for library in libraries:
        _set_n_threads(library, 1)
    try:
        yield
    finally:
        for library, number in zip(libraries, before, strict=True):
            _set_n_threads(library, number)


@contextmanager
def _one_blas_thread() -> Iterator[Interruption]:
    """Keep BLAS to one thread, and raise an interruption after that."""
    with deferred_interrupts() as interruption:
        _blas.enter()
        try:
            yield interruption
        finally:
            _blas.leave()


class _Blas:
    """The number of threads of BLAS, which is the whole process's.

    The first of those who want one thread at the same time sets it, and the last resets
    it. The lock is never held over their work.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._n_users = 0
        self._before: list[int] = []  # numbers of threads of each library
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._renew,
            )

    @property
    def n_threads(self) -> int:
        """How many threads BLAS may use, but for our own users."""
        return max(self._before, default=1)

    def enter(self) -> None:
        """Keep BLAS to one thread until `leave`; where no interruption can come."""
        with self._lock:
            if self._n_users == 0:
                self._before = [each.get_num_threads() for each in _libraries()]
                for library in _libraries():
                    _set_n_threads(library, 1)
            self._n_users += 1

    def leave(self) -> None:
        """Let BLAS use as many threads as before, if nobody else wants one."""
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
        for library, number in zip(_libraries(), self._before, strict=True):
            if library.get_num_threads() == 1:  # as set here, and by nobody since
                _set_n_threads(library, number)


def _set_n_threads(library: LibController, number: int) -> None:
    """Set the number of threads, and leave it to all to set the next.

    Since threadpoolctl 3.8, a thread that sets it claims it, and others set it in vain.
    But here, who resets it may be another thread than who set it.
    """
    library.set_num_threads(number)
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread()


_blas = _Blas()


@cache
def _libraries() -> list[LibController]:
    """Return the libraries of BLAS; to look for them takes milliseconds."""
    controllers: list[LibController]
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    return controllers


@cache
def _openmp_libraries() -> list[LibController]:
    """Return the libraries of OpenMP, when torch has been imported."""
    controllers: list[LibController]
    controllers = ThreadpoolController().select(user_api="openmp").lib_controllers
    return controllers
