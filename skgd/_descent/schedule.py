"""How the learning rate goes on from its first value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

#: The names that the estimator's `schedule` parameter takes, beside "auto".
SCHEDULE_NAMES = ("constant", "invscaling", "adaptive")


class Schedule(ABC):
    """What the learning rate is multiplied by, step by step."""

    @abstractmethod
    def factor(self, step: int) -> float:
        """Factor of a step, the first of which is 0."""

    def reduce(self) -> bool:
        """Answer to a loss that no longer falls; False where there is no answer."""
        return False


class Constant(Schedule):
    """The same rate throughout."""

    def factor(self, step: int) -> float:
        """Give one."""
        return 1.0


class InverseScaling(Schedule):
    """``1 / t**power_t`` at the t-th step, from t = 1 on (as in SGDRegressor)."""

    def __init__(self, power_t: float) -> None:
        self.power_t = power_t

    def factor(self, step: int) -> float:
        """Give the power."""
        return (step + 1) ** -self.power_t


class Adaptive(Schedule):
    """A fifth of the rate whenever the loss no longer falls (as in SGDRegressor)."""

    def __init__(self) -> None:
        self.reduced_to = 1.0

    def factor(self, step: int) -> float:
        """Give where the reductions have led to."""
        return self.reduced_to

    def reduce(self) -> bool:
        """Divide by five."""
        self.reduced_to /= 5
        return True


class UserSchedule(Schedule):
    """A function of the user's."""

    def __init__(self, function: Callable[[int], float]) -> None:
        self.function = function
        self._last: tuple[int, float] = -1, 0.0

    def factor(self, step: int) -> float:
        """Ask the function, once for each step: it may have a state of its own."""
        if step != self._last[0]:
            self._last = step, self._asked(step)
        return self._last[1]

    def _asked(self, step: int) -> float:
        """Ask the function, and check its answer."""
        factor = self.function(step)
        if not isinstance(factor, str):
            with suppress(TypeError, ValueError, OverflowError):
                number = float(factor)  # NumPy's and torch's scalars are welcome
                if number >= 0 and math.isfinite(number):
                    return number
        raise ValueError(
            f"The 'schedule' parameter must give a factor of the learning rate, a "
            f"finite number of at least 0, for each step from 0 on. schedule({step}) "
            f"returned {factor!r}."
        )


def schedule_from(schedule: str | Callable[[int], float], power_t: float) -> Schedule:
    """Build the schedule of a name or a function."""
    if callable(schedule):
        return UserSchedule(schedule)
    if schedule == "invscaling":
        return InverseScaling(power_t)
    return Adaptive() if schedule == "adaptive" else Constant()


class Pace:
    """The learning rate of each step.

    Parameters
    ----------
    learning_rate : float
        That of the first step, where the schedule does not say otherwise.
    schedule : Schedule
        How it goes on.

    Attributes
    ----------
    step : int
        Number of steps taken.
    largest : float
        The largest rate of them.
    """

    def __init__(self, learning_rate: float, schedule: Schedule) -> None:
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.step = 0
        self.largest = 0.0

    def coming(self) -> float:
        """Give the rate of the next step."""
        if isinstance(self.schedule, Constant):
            return self.learning_rate
        return self.learning_rate * self.schedule.factor(self.step)

    def to_measure_by(self) -> float:
        """Give the largest rate so far, or a positive one where there is none yet.

        It is never 0, as a factor may be, and asks the schedule for no step that may
        never be taken.
        """
        if self.largest > 0:
            return self.largest
        first = self.coming() if self.step == 0 else 0.0
        return first or self.learning_rate

    def next(self) -> float:
        """Give the rate of the next step, and count it."""
        rate = self.coming()
        self.step += 1
        if rate > self.largest:
            self.largest = rate
        return rate
