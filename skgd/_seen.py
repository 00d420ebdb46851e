"""What is known of all rows of a stream so far, and which of it is outgrown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

from skgd._data.coordinates import WhiteCoordinates, varies
from skgd._data.moments import ColumnMoments, Moments, moments_of, scaled
from skgd._data.rows import Rows, means

# A variance is outgrown where it was less than this share of what it is now.
_OUTGROWN = 1.1**-2

# Where the share is less, differences of coefficients have no digits for predictions.
_VANISHED = 1e-24

_LEAST = float(np.finfo(np.float64).tiny)


class Seen(NamedTuple):
    """What is known of all rows so far, which together have the weight one."""

    X: ColumnMoments
    y_mean: np.ndarray
    moments: Moments | None  # where rows are whitened

    @classmethod
    def of_moments(cls, moments: Moments) -> Seen:
        """Return what moments tell."""
        moments = moments.times(1 / moments.weight)
        X, y = ColumnMoments.from_moments(moments)
        return cls(X, y.mean, moments)

    @classmethod
    def of_chunk(cls, rows: Rows, *, white: bool) -> Seen:
        """Return what a chunk tells; to whiten takes its moments."""
        if white:
            with suppress(ValueError):  # their squares leave the range of float64
                moments = moments_of(rows)
                if _squares_fit(moments):
                    return cls.of_moments(moments)
        X = ColumnMoments.from_columns(rows.X, rows.weight)
        return cls(X._replace(weight=1.0), means(rows.y, rows.weight), None)

    def merge(self, chunk: Seen, share: float) -> Seen:
        """Return what is known with a chunk that has this share of the weight."""
        if share == 1:  # what was before weighs next to nothing
            return chunk
        if chunk.moments is not None:
            before = self.moments or self._uncorrelated()
            with suppress(ValueError):  # the squares of one of them overflow
                merged = scaled(before, 1 - share) + scaled(chunk.moments, share)
                if _squares_fit(merged):
                    return Seen.of_moments(merged)
        X = self.X._replace(weight=1 - share).merge(chunk.X._replace(weight=share))
        y_mean = self.y_mean + share * (chunk.y_mean - self.y_mean)
        return Seen(X._replace(weight=1.0), y_mean, None)

    def _uncorrelated(self) -> Moments:
        """Return moments of rows that were not whitened, as if nothing correlated.

        Means and spreads are those of the rows; of y, nobody asks for the spread.
        """
        variances = np.concatenate([self.X.spread**2, np.zeros_like(self.y_mean)])
        mean = np.concatenate([self.X.mean, self.y_mean])
        return Moments(1.0, mean, np.diag(variances), len(self.X.mean))


def _squares_fit(moments: Moments) -> bool:
    """Return whether float64 holds the sums of squares, those of the means included."""
    return bool(np.isfinite(moments.scatter.sum() + moments.mean @ moments.mean))


def outgrown_columns(
    before: ColumnMoments, now: ColumnMoments, *, centered: bool
) -> tuple[float, Callable[[np.ndarray], np.ndarray]] | None:
    """Return growth, and what shrinks coefficients of columns whose scales grew."""
    shares = _shares(before, now, centered=centered)
    outgrown = shares < _OUTGROWN
    if not outgrown.any():
        return None
    kept = np.where(outgrown, shares, 1.0)[:, None]
    return 1 / max(float(shares.mean()), _LEAST), lambda coef: kept * coef


def outgrown_directions(
    before: Seen, now: Seen, coordinates: WhiteCoordinates, *, centered: bool
) -> tuple[float, Callable[[np.ndarray], np.ndarray]] | None:
    """Return the same for directions in which the variance was less."""
    assert before.moments is not None
    d, rank = len(coordinates.matrix), coordinates.rank
    matrix = coordinates.matrix[:, :rank]
    covariance = before.moments.scatter[:d, :d] / before.moments.weight
    if not centered:
        covariance = covariance + np.outer(before.X.mean, before.X.mean)
    # In white coordinates, the variance of all rows is 1.
    shares = matrix.T @ covariance @ matrix
    try:
        np.linalg.cholesky(shares - _OUTGROWN * np.eye(rank))
    except np.linalg.LinAlgError:
        pass
    else:
        return None
    shares, along = eigh(shares)
    outgrown = shares < _OUTGROWN
    along, excess = along[:, outgrown], 1 - np.clip(shares[outgrown], 0, 1)[:, None]
    # Left out before what they predict goes to columns that correlate with them.
    vanished = _shares(before.X, now.X, centered=centered) < _VANISHED

    def shrunk(coef: np.ndarray) -> np.ndarray:
        coef = np.where(vanished[:, None], 0.0, coef)
        white = along.T @ coordinates.coef_from_user(coef)[:rank]
        return coef - matrix @ (along @ (excess * white))

    return 1 / max(float(np.clip(shares, 0, 1).mean()), _LEAST), shrunk


def _shares(before: ColumnMoments, now: ColumnMoments, *, centered: bool) -> np.ndarray:
    """Return what share of the mean square of each column was there before."""
    first, last = (
        X.spread if centered else np.hypot(X.mean, X.spread) for X in (before, now)
    )
    shares = np.ones_like(first)
    np.divide(first, last, out=shares, where=last > first)
    return np.where(varies(before.mean, first), shares**2, 1.0)
