"""The steps of a descent: their length, their momentum, and the average of iterates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any, Literal, NamedTuple

from skgd._objective.penalties import Penalty
from skgd._typing import Array, Parameters
from skgd.strategies import GradientStrategy

#: Returns what the learning rate is multiplied by at a step, the first of which is 0.
Schedule = Callable[[int], float]

#: The names that the estimator's `schedule` parameter takes, beside "auto".
SCHEDULE_NAMES = ("constant", "invscaling", "adaptive")

# As in SGDRegressor.
_REDUCTION = 5


class StepsState(NamedTuple):
    """What `Steps` goes on from, between two chunks of a stream."""

    step: int = 0
    reduction: float = 1.0
    n_rows: int = 0
    n_averaged: float = 0
    average: Parameters = ()


class Steps:
    """Takes the steps of a descent.

    Parameters
    ----------
    learning_rate : float or array of shape (n_targets,)
        What the schedule multiplies.
    schedule : callable
        Returns the factor of a step. It is called once for each step: a function of the
        user's may have a state of its own.
    penalty : Penalty
        That of the descent, where the descent takes place. Its proximal operator, where
        it has one, completes a step.
    reduces : bool, default=False
        Whether `reduce` divides the learning rate by 5 (the schedule "adaptive").
    momentum : float or "adaptive", default=0.0
        See `extrapolate`.
    average_from : int or None, default=None
        Number of rows to be seen before averaging begins. None: there is no average.
    last_on_all : bool, default=False
        Whether mini-batches end with a proximal step over all rows.
    preconditioner : array of shape (n_features, n_targets) or None, default=None
        What the learning rate of each coefficient is multiplied by. Steps are then
        those of coefficients that are scaled by the root of it.

    Attributes
    ----------
    step : int
        Number of steps taken.
    last_rate : float or array of shape (n_targets,)
        Learning rate of the last step; nan before the first.
    """

    def __init__(
        self,
        learning_rate: float | Array,
        schedule: Schedule,
        penalty: Penalty,
        *,
        reduces: bool = False,
        momentum: float | Literal["adaptive"] = 0.0,
        average_from: int | None = None,
        last_on_all: bool = False,
        preconditioner: Array | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.last_on_all = last_on_all
        self.step = 0
        self.last_rate: float | Array = math.nan
        self._schedule = schedule
        self._preconditioner = preconditioner
        self._prox = penalty.prox if penalty.has_prox else None
        self._reduces, self._reduction = reduces, 1.0
        self._factor: float | None = None  # of the next step, once it is known
        self._largest_factor = 0.0
        self._average_from = average_from
        self._n_rows, self._n_averaged = 0, 0.0
        self._average: Parameters = ()
        self._last: Parameters = ()
        self._k: Any = None

    def take(
        self,
        strategy: GradientStrategy,
        n_rows: int,
        share: float = 1.0,
        losses: Sequence[float] = (),
    ) -> None:
        """Take a step, which the proximal operator of the penalty completes.

        Parameters
        ----------
        strategy : GradientStrategy
            Has just evaluated the gradients.
        n_rows : int
            Number of rows that were read for it.
        share : float, default=1.0
            What the learning rate is multiplied by besides: below 1 for a batch that is
            short of rows.
        losses : sequence of float, default=()
            Of each target, without an L1 term, where the rows are all there are. Of no
            account here.
        """
        factor = self._next_factor() if self._factor is None else self._factor
        if factor > self._largest_factor:
            self._largest_factor = factor
        self.step += 1
        if self._schedule is not constant:
            self._factor = None
        self.last_rate = rate = self.learning_rate * factor
        self._step_by(strategy, rate * share)
        if self._average_from is not None:
            self._add_to_average(strategy.parameters, n_rows)

    def take_last(self, strategy: GradientStrategy) -> None:
        """Take a step by the learning rate itself, which is not counted or averaged."""
        self._step_by(strategy, self.learning_rate)

    def extrapolate(self, strategy: GradientStrategy, mapping: Parameters = ()) -> None:
        """Move the parameters on along their last step, in place (Nesterov 1983).

        The next gradient is taken at ``z = x + mu (x - x_last)``, where x and x_last
        are where the last two steps led to. The strategy's own step stays plain
        gradient descent from z. Before the first step nothing moves.

        Adaptive, mu is k / (k + 3) at the k-th step (FISTA: Beck & Teboulle 2009), and
        k goes back to 0 when the step went uphill, ``<gradient(z), x - x_last> > 0``
        (O'Donoghue & Candes 2015, the gradient scheme): it finds the momentum that a
        strongly convex objective allows without knowing how convex it is. Every target
        has a k of its own, so that targets do not mix.

        Written in operations that NumPy arrays and torch tensors share.

        Parameters
        ----------
        strategy : GradientStrategy
            Stands where its last step led to.
        mapping : tuple of arrays, default=()
            The gradient mapping that a proximal step was taken along, in place of the
            strategy's gradients.
        """
        here = strategy.parameters
        if not self._last:
            # In a tenth of the time that deepcopy takes for tensors.
            self._last = tuple(
                x.clone() if hasattr(x, "clone") else x.copy() for x in here
            )
            n_targets = here[0].shape[1]
            # For several targets in their dtype; a single number costs less.
            self._k = 0 if n_targets == 1 else 0 * here[0][0]
            return
        steps = [x - last for x, last in zip(here, self._last)]
        mu = self.momentum
        if mu == "adaptive":
            mu = self._adaptive_momentum(steps, mapping or strategy.gradients)
        for x, last, step in zip(here, self._last, steps):
            last[...] = x
            step *= mu
            x += step

    def stands(self, strategy: GradientStrategy, losses: Sequence[float]) -> bool:
        """Return whether the last step is to be kept, after an evaluation of all rows.

        A descent does not end where it has not. These steps are all kept.
        """
        return True

    def settle(self, strategy: GradientStrategy, losses: Sequence[float]) -> bool:
        """Undo a last step that proves no good; return whether any was undone.

        Called where a descent on all rows ends, after an evaluation. These steps are
        not undone.
        """
        return False

    def reduce(self) -> bool:
        """Reduce the learning rate, if that is the schedule; return whether it is."""
        if self._reduces:
            self._reduction /= _REDUCTION
            self._factor = None
        return self._reduces

    def rate_to_measure_by(self) -> float | Array:
        """Return the largest rate so far, or a positive one where there is none yet.

        It is never 0, as a factor may be, and asks the schedule for no step that may
        never be taken.
        """
        factor = self._largest_factor
        if factor == 0 and self.step == 0:
            factor = self._next_factor()
        return self._of_coef(self.learning_rate * (factor or 1.0))

    def model(self, strategy: GradientStrategy) -> Parameters:
        """Return the average where there is one, or where the strategy stands."""
        return self._average or strategy.parameters

    def keep_targets(self, targets: Any, penalty: Penalty) -> None:
        """Go on with some of the targets, by index, and their penalty."""
        if not isinstance(self.learning_rate, float):
            rates: Array = self.learning_rate
        self.learning_rate = rates[targets]
        self._last = tuple(x[..., targets] for x in self._last)
        if self._k is not None:
            self._k = self._k[targets]
        if self._preconditioner is not None:
            self._preconditioner = self._preconditioner[:, targets]
        self._prox = penalty.prox if penalty.has_prox else None

    def state(self) -> StepsState:
        """Return what `resume` goes on from."""
        return StepsState(
            self.step, self._reduction, self._n_rows, self._n_averaged, self._average
        )

    def resume(self, state: StepsState) -> None:
        """Go on from where other steps ended."""
        self.step, self._reduction = state.step, state.reduction
        if self._average_from is not None:
            self._n_rows, self._n_averaged = state.n_rows, state.n_averaged
            self._average = state.average

    def go_on_from(self, copied: Steps) -> None:
        """Go on from where a copy of these steps has come to, elsewhere."""
        self.__dict__.update(vars(copied))

    def _step_by(self, strategy: GradientStrategy, rate: float | Array) -> None:
        """Take a step of this length."""
        if self._preconditioner is not None:
            gradient, *others = strategy.gradients
            strategy.gradients = self._preconditioner * gradient, *others
        strategy.update(rate)
        if self._prox is not None:
            coef = strategy.parameters[0]
            coef[...] = self._prox(coef, self._of_coef(rate))

    def _of_coef(self, rate: float | Array) -> float | Array:
        """Return the rate of the coefficients."""
        return rate if self._preconditioner is None else self._preconditioner * rate

    def _next_factor(self) -> float:
        """Return the factor of the next step."""
        if self._factor is None:
            self._factor = self._schedule(self.step)
            if self._reduces:
                self._factor *= self._reduction
        return self._factor

    def _adaptive_momentum(self, steps: list[Array], gradients: Parameters) -> Array:
        """Return mu: a number, or one for each target."""
        pairs, n_targets = zip(gradients, steps), steps[0].shape[1]
        if n_targets == 1:
            went_down = sum(float(g.ravel() @ step.ravel()) for g, step in pairs) <= 0
        else:
            went_down = (
                sum((g * step).reshape(-1, n_targets).sum(0) for g, step in pairs) <= 0
            )
        k = self._k * went_down
        self._k = k + 1
        return k / (k + 3)

    def _add_to_average(self, parameters: Parameters, n_rows: int) -> None:
        """Average the parameters after each step (Polyak and Ruppert).

        With a constant learning rate, the steps of mini-batches end in a cloud about
        the minimum; for squared error their mean goes on to it (Bach & Moulines 2013).
        """
        assert self._average_from is not None
        self._n_rows += n_rows
        if self._n_rows < self._average_from:
            return
        self._n_averaged += 1
        if not self._average:
            self._average = deepcopy(parameters)
            return
        for mean, value in zip(self._average, parameters):
            mean += (value - mean) / self._n_averaged


def schedule_from(schedule: str | Schedule, power_t: float) -> Schedule:
    """Return the schedule of a name or a function.

    That of "adaptive" is constant; `Steps.reduce` does the rest.
    """
    if callable(schedule):
        return _checked(schedule)
    if schedule == "invscaling":  # from t = 1 on, as in SGDRegressor
        return lambda step: (step + 1) ** -power_t
    return constant


def constant(step: int) -> float:
    """Return the factor of a learning rate that does not change by itself."""
    return 1.0


def _checked(schedule: Schedule) -> Schedule:
    """Return a schedule of the user's whose factors are checked."""

    def factor_of(step: int) -> float:
        factor = schedule(step)
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

    return factor_of
