"""Ctrl-C at a moment at which it may come."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Interruption:
    """Whether SIGINT has come while it does not raise.

    Attributes
    ----------
    came : bool
        Whether it has.
    answered : bool
        Whether it has had its effect. Otherwise it is raised when it may be.
    """

    def __init__(self) -> None:
        self.came = self.answered = False


#: For what is not to end early.
NO_INTERRUPTION = Interruption()


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
        Whether a second SIGINT in the block calls the handler that was there before.
    """
    interruption, before = Interruption(), signal.getsignal(signal.SIGINT)

    def note(number: int, frame: FrameType | None) -> None:
        if interruption.came and only_first and callable(before):
            # Put back before it raises: at whatever moment that is, nothing is left.
            signal.signal(signal.SIGINT, before)
            before(number, frame)
        interruption.came = True

    if not callable(before):  # the signal is ignored, or ends the process
        yield interruption
        return
    try:
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, note)
        yield interruption
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, before)
        if interruption.came and not interruption.answered:
            signal.raise_signal(signal.SIGINT)
