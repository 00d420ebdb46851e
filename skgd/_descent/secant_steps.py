"""Steps on a loss whose curvature differs from place to place: those of L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from skgd._data.device import to_numpy
from skgd._descent.steps import Steps, constant
from skgd._objective.penalties import Penalty
from skgd._typing import NumpyParameters, Parameters, PerTarget
from skgd.strategies import GradientStrategy

# Number of last steps whose secants are kept. Five take 0.8 times the epochs that one
# takes, and half where few rows lie inside Huber's epsilon; ten are hardly better.
_MEMORY = 5

# Of what the slope at its beginning promises, a step is to gain this share (Nocedal &
# Wright 2006, Numerical Optimization, section 3.1).
_LEAST_GAIN = 1e-4

# How much longer the step is that follows one along which the slope did not change. No
# step is longer than that: where hardly a row curves the loss, the curvature along a
# step tells too little of what lies beyond.
_GROWTH = 10

# Of a loss and of a slope, in units of eps.
_ROUNDING = 16

_TINY = float(np.finfo(np.float64).tiny)


class Line(NamedTuple):
    """A step that is under way, of each target."""

    loss: np.ndarray  # where it began, (n_targets,)
    gradient: np.ndarray  # there, (n_targets, n_parameters)
    direction: np.ndarray  # (n_targets, n_parameters)
    slope: np.ndarray  # of the loss along it, where it began
    rate: np.ndarray  # the learning rate that stands for what is plain in it
    length: np.ndarray  # of the step, in units of the direction
    shortest: np.ndarray  # length at which the loss has fallen in any case


class Pair(NamedTuple):
    """A step that was kept, and what it tells of the curvature, of each target."""

    s: np.ndarray  # the step, (n_targets, n_parameters)
    y: np.ndarray  # change of the gradient along it, in the same shape
    over_sy: np.ndarray  # 1 / (s' y), or 0 where there is nothing to tell


class SecantSteps(Steps):
    """Takes the steps of L-BFGS (Liu & Nocedal 1989), from one evaluation each.

    1/L is the right length where all rows curve the loss. Huber's loss is curved by the
    rows inside epsilon alone: where these are few, steps have to be much longer, and
    of different lengths along different directions. How much the gradient has changed
    along a step s, by y, tells the curvature there, ``s' y / s' s``. From the last few
    pairs (s, y), L-BFGS makes an approximate inverse Hessian H, and goes along ``-H
    gradient``. That is a gradient step by the rate ``s' y / y' y`` of the last pair
    (Barzilai & Borwein 1988), which the strategy takes, and momentum, a combination of
    the pairs, which is added to its parameters before. The next step after one along
    which the gradient has not changed, since no row has come inside, is ten times as
    long.

    A step is kept if the loss has fallen by enough (Armijo's rule), or if it still
    falls at the step's end: it is convex, and has then fallen all the way, even if by
    less than it is rounded. Otherwise the next step leads back along it, to where the
    parabola through both losses and the first slope is least. No step is led back to
    less than the length ``-slope / (L |d|^2)``, up to which the loss falls along d
    whatever its curvature. So, from one step that is kept to the next, no target's loss
    rises by more than it is rounded.

    A direction takes some twenty inner products, of a few numbers each, which torch
    takes ten times as long for as NumPy: all is computed in NumPy, in float64.

    Parameters
    ----------
    learning_rate : float or ndarray of shape (n_targets,)
        1/L: that of the first step, and the least.
    penalty : Penalty
        That of the descent. It has no proximal operator.
    send : callable
        Sends a tuple of NumPy arrays to where the descent takes place, in its dtype.
    """

    def __init__(
        self,
        learning_rate: PerTarget,
        penalty: Penalty,
        send: Callable[[NumpyParameters], Parameters],
    ) -> None:
        assert not penalty.has_prox
        super().__init__(learning_rate, constant, penalty)
        self._send = send
        self._line: Line | None = None
        self._pairs: list[Pair] = []
        self._rounding = 0.0

    def take(
        self,
        strategy: GradientStrategy,
        n_rows: int,
        share: float = 1.0,
        losses: Sequence[float] = (),
    ) -> None:
        """Go on from where the last step led, or a part of its way back.

        The rows are all there are, so that `n_rows` and `share` are of no account.
        """
        self.step += 1
        loss, gradient, last = np.array(losses), _gradient_of(strategy), self._line
        if last is None:
            dtype = to_numpy(strategy.parameters[0]).dtype
            self._rounding = _ROUNDING * float(np.finfo(dtype).eps)
            rate = np.full(len(loss), self.learning_rate)
            nothing = Pair(0 * gradient, 0 * gradient, 0 * rate)
            self._pairs = [nothing] * _MEMORY
            self._line = line = self._line_from(loss, gradient, rate)
            self.last_rate = rate
            self._move(strategy, line.direction, gradient, rate)
            return
        slope = _dots(gradient, last.direction)
        kept = self._is_kept(last, loss, slope)
        if kept.any():
            line = self._next_line(last, loss, gradient, slope, kept)
            move, rate = line.direction, line.rate
        if not kept.all():
            length = _shorter(last, loss)
            back = last._replace(length=length)
            way_back = (length - last.length)[:, None] * last.direction
            if kept.any():
                pairs = zip(line, back)
                line = Line(*(_where(kept, new, old) for new, old in pairs))
                move, rate = _where(kept, move, way_back), _where(kept, rate, 0 * rate)
            else:
                line, move, rate = back, way_back, 0 * length
        self._line, self.last_rate = line, rate
        self._move(strategy, move, gradient, rate)

    def stands(self, strategy: GradientStrategy, losses: Sequence[float]) -> bool:
        """Return whether no target is at the end of a step that is not to be kept."""
        last = self._line
        if last is None:
            return True
        slope = _dots(_gradient_of(strategy), last.direction)
        return bool(self._is_kept(last, np.array(losses), slope).all())

    def settle(self, strategy: GradientStrategy, losses: Sequence[float]) -> bool:
        """Lead targets whose last step is not to be kept back to where it began.

        Return whether there are any. The strategy has just evaluated the gradients.
        """
        last, gradient = self._line, _gradient_of(strategy)
        if last is None:
            return False
        slope = _dots(gradient, last.direction)
        back = last.length * ~self._is_kept(last, np.array(losses), slope)
        if not back.any():
            return False
        self._move(strategy, -back[:, None] * last.direction)
        self._line = None
        return True

    def _is_kept(self, last: Line, loss: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return whether a target's step is, by the loss and the slope at its end."""
        gain = -_LEAST_GAIN * last.length * last.slope
        fell = loss <= last.loss * (1 + self._rounding) - gain
        # With a wrong gradient the loss may rise all the same, and is to show it.
        falls = (slope <= 0) & (loss <= last.loss * (1 + self._rounding**0.5))
        return fell | falls | (last.length <= last.shortest)

    def _next_line(
        self,
        last: Line,
        loss: np.ndarray,
        gradient: np.ndarray,
        slope: np.ndarray,
        kept: np.ndarray,
    ) -> Line:
        """Return the steps from here, and remember those that led here and are kept."""
        s, y = last.length[:, None] * last.direction, gradient - last.gradient
        sy, yy = last.length * (slope - last.slope), _dots(y, y)
        curved = (slope - last.slope > -self._rounding * last.slope) & (yy > 0)
        growth = np.where(last.slope < 0, _GROWTH, 1)
        longer = growth * last.length * last.rate
        rate = np.where(curved, sy / np.where(curved, yy, 1), longer)
        rate = np.maximum(rate, self.learning_rate)
        over_sy = np.where(curved, 1 / np.where(curved, sy, 1), 0)
        pairs = [*self._pairs[1:], Pair(s, y, over_sy)]
        if not kept.all():
            pairs = [
                Pair(*(_where(kept, *parts) for parts in zip(new, old)))
                for new, old in zip(pairs, self._pairs)
            ]
        self._pairs = pairs
        most = np.where(kept, _GROWTH * np.sqrt(_dots(s, s)), np.inf)
        return self._line_from(loss, gradient, rate, most)

    def _line_from(
        self,
        loss: np.ndarray,
        gradient: np.ndarray,
        rate: np.ndarray,
        most: np.ndarray | float = np.inf,
    ) -> Line:
        """Return the steps from here, of length 1, and no longer than `most`."""
        direction = self._direction(gradient, rate)
        slope = _dots(gradient, direction)
        falls = slope < 0  # but for rounding
        if not falls.all():
            direction = _where(falls, direction, -rate[:, None] * gradient)
            slope = _dots(gradient, direction)
        share = np.minimum(
            1, most / np.maximum(np.sqrt(_dots(direction, direction)), _TINY)
        )
        if (share < 1).any():
            direction, slope, rate = (
                share[:, None] * direction,
                share * slope,
                share * rate,
            )
        squares = _dots(direction, direction)
        moves = squares > 0
        shortest = -self.learning_rate * slope / np.where(moves, squares, 1)
        length = np.ones_like(rate)
        shortest = np.where(moves, shortest, length)
        return Line(loss, gradient, direction, slope, rate, length, shortest)

    def _direction(self, gradient: np.ndarray, rate: np.ndarray) -> np.ndarray:
        """Return ``-H gradient`` (Nocedal & Wright 2006, algorithm 7.4)."""
        direction, shares = -gradient, []
        for s, y, over_sy in reversed(self._pairs):
            share = over_sy * _dots(s, direction)
            direction -= share[:, None] * y
            shares.append(share)
        direction *= rate[:, None]
        for s, y, over_sy in self._pairs:
            share = shares.pop() - over_sy * _dots(y, direction)
            direction += share[:, None] * s
        return direction

    def _move(
        self,
        strategy: GradientStrategy,
        move: np.ndarray,
        gradient: np.ndarray | None = None,
        rate: np.ndarray | None = None,
    ) -> None:
        """Move the parameters, ``-rate * gradient`` of it by a step of the strategy."""
        if rate is not None:
            move = move + rate[:, None] * gradient
        n_features = len(strategy.parameters[0])
        parts = move[:, :n_features].T, move[:, -1]
        for x, part in zip(strategy.parameters, self._send(parts)):
            x += part
        if rate is not None:
            several = len(rate) > 1
            strategy.update(self._send((rate,))[0] if several else float(rate[0]))


def _gradient_of(strategy: GradientStrategy) -> np.ndarray:
    """Return the gradient of each target in NumPy, (n_targets, n_parameters)."""
    coef, *intercept = (to_numpy(part).T for part in strategy.gradients)
    parts = coef, *(part[:, None] for part in intercept)
    return np.concatenate(parts, axis=1, dtype=np.float64)


def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the inner product of each target."""
    return np.vecdot(a, b)


def _where(mask: np.ndarray, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the former of targets in the mask, and the latter of others."""
    return np.where(mask if ones.ndim == 1 else mask[:, None], ones, others)


def _shorter(last: Line, loss: np.ndarray) -> np.ndarray:
    """Return where a parabola is least, between a tenth and a half of the length."""
    promised = np.maximum(-last.length * last.slope, _TINY)
    share = 0.5 / np.maximum((loss - last.loss) / promised + 1, 1)
    return np.maximum(share.clip(0.1) * last.length, last.shortest)
