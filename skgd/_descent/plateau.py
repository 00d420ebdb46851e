"""Whether what is watched from epoch to epoch still improves."""

from __future__ import annotations

from collections.abc import Sequence


class Plateau:
    """Tells when so many epochs in a row have failed to improve on the best by `tol`.

    Losses, one a target, improve where any of them does, relative to its best, so that
    no target waits for another in larger units; scores improve by `tol` itself.

    Parameters
    ----------
    tol : float or None
        Least improvement. None: any, and a plateau is no reason to stop.
    patience : int
        How many epochs.
    relative : bool
        Whether `tol` is a share of the best.

    Attributes
    ----------
    gained : bool
        Whether, at this plateau, the best is better than at the one before by `tol`.
    """

    def __init__(self, tol: float | None, patience: int, *, relative: bool) -> None:
        self.ends_descent = tol is not None
        self._tol = tol or 0.0
        self._patience = patience
        self._relative = relative
        self._best: Sequence[float] | None = None
        self._best_at_last: Sequence[float] | None = None
        self._n_without = 0
        self.gained = True

    def reached(self, values: Sequence[float]) -> bool:
        """Watch the values of one more epoch, of which less is better."""
        improved = self._improve(values, self._best)
        self._n_without = 0 if improved else self._n_without + 1
        best = self._best or values
        self._best = [min(pair) for pair in zip(values, best, strict=True)]
        if self._n_without < self._patience:
            return False
        self._n_without = 0
        self.gained = self._improve(self._best, self._best_at_last)
        self._best_at_last = self._best
        return True

    def go_on_from(self, other: Plateau) -> None:
        """Take over what another has seen."""
        self._best, self._best_at_last = other._best, other._best_at_last
        self._n_without = other._n_without

    def _improve(self, values: Sequence[float], best: Sequence[float] | None) -> bool:
        """Whether any value is better than the best by `tol`."""
        if best is None:
            return True
        return any(
            value < least - self._tol * (abs(least) if self._relative else 1)
            for value, least in zip(values, best, strict=True)
        )
