"""Ctrl-C at a moment at which it may come."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from inspect import currentframe
from time import monotonic
from types import FrameType
from typing import Any, ClassVar

# A search begins the next fit at once: who presses Ctrl-C again wants to end it all.
SECONDS_TO_PRESS_AGAIN = 5.0

Handler = Callable[[int, FrameType | None], Any]


class Interruption:
    """Whether SIGINT has come while it does not raise.

    Attributes
    ----------
    came : bool
        Whether it has.
    answered : bool
        Whether it has had its effect. Otherwise it is raised when it may be.
    """

    last_answered: ClassVar[float] = -math.inf  # of all

    def __init__(self, handler: Handler) -> None:
        self.came = self.answered = False
        self._handler = handler

    def answer(self) -> None:
        """Tell that it has had its effect."""
        self.answered = True
        Interruption.last_answered = monotonic()

    def raise_if_it_came(self) -> None:
        """Call the handler that was there before, which may raise or not."""
        if self.came:
            self.came = False
            self._handler(signal.SIGINT, currentframe())


#: For what is not to end early.
NO_INTERRUPTION = Interruption(signal.default_int_handler)


def raises_keyboard_interrupt() -> bool:
    """Return whether Ctrl-C is nobody's but Python's.

    A handler of somebody else's has to be called at once, as its owner expects.
    """
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


@contextmanager
def deferred_interrupts(*, only_first: bool = False) -> Iterator[Interruption]:
    """Note SIGINT in the block, and raise it at the end unless it is answered.

    Only the main thread is interrupted by it; in others this does nothing.

    Parameters
    ----------
    only_first : bool, default=False
        Whether a second SIGINT, in the block or within five seconds after one that was
        answered, calls the handler that was there before.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # the signal is ignored, or ends the process
        yield NO_INTERRUPTION
        return
    interruption = Interruption(before)

    def note(number: int, frame: FrameType | None) -> None:
        again = monotonic() - Interruption.last_answered < SECONDS_TO_PRESS_AGAIN
        if only_first and (interruption.came or again):
            # Put back before it raises: at whatever moment that is, nothing is left.
            signal.signal(signal.SIGINT, before)
            before(number, frame)
        interruption.came = True

    try:
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, note)
        yield interruption
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, before)
        if interruption.came and not interruption.answered:
            signal.raise_signal(signal.SIGINT)
