"""Penalties on the coefficients, in the coordinates of a descent."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skgd._data.device import Device
from skgd._typing import Array, PerTarget


class Penalty(NamedTuple):
    """L2, L1 and a bound at zero, with a weight for each feature (and target).

    It adds ``sum_j l2_j coef_j^2 + l1_j |coef_j|`` to the objective of each target. In
    the user's units all features weigh the same; in others they weigh by their scales,
    so that it stays the penalty of the user's units. The first term is smooth and part
    of what strategies differentiate. The others are the loop's, which follows each step
    by their proximal operator: coefficients become exactly 0.0.

    Written in operations that NumPy arrays and torch tensors share.
    """

    l2: Array | None = None  # (n_features, 1 or n_targets); None: no such term
    l1: Array | None = None  # likewise
    positive: bool = False  # coefficients are at least zero

    @property
    def has_l2(self) -> bool:
        """Whether there is a smooth term."""
        return self.l2 is not None

    @property
    def has_prox(self) -> bool:
        """Whether there is more than the smooth term."""
        return self.l1 is not None or self.positive

    def to_device(self, device: Device, dtype: np.dtype) -> Penalty:
        """Return the penalty with its NumPy weights where the descent takes place."""
        l2, l1 = (w if w is None else device.send(w.astype(dtype)) for w in self[:2])
        return self._replace(l2=l2, l1=l1)

    def of_targets(self, targets: np.ndarray | slice) -> Penalty:
        """Return the penalty of some of the targets."""
        l2, l1 = (
            w if w is None or w.shape[1] == 1 else w[:, targets] for w in self[:2]
        )
        return self._replace(l2=l2, l1=l1)

    def value(self, coef: Array) -> Array:
        """Return the whole penalty of each target."""
        return self.l2_value(coef) + self.l1_value(coef)

    def l2_value(self, coef: Array) -> Array:
        """Return the smooth term of each target."""
        return 0.0 if self.l2 is None else (self.l2 * coef**2).sum(0)

    def l1_value(self, coef: Array) -> Array:
        """Return the term that strategies leave out, of each target."""
        return 0.0 if self.l1 is None else (self.l1 * abs(coef)).sum(0)

    def prox(self, coef: Array, learning_rate: Array) -> Array:
        """Return the proximal operator of the rest: soft thresholding, cut off at zero.

        The minimiser over p of ``learning_rate * rest(p) + |p - coef|^2 / 2`` (Parikh
        and Boyd 2014, Proximal algorithms, section 6.5.2).
        """
        if self.l1 is None:
            return coef.clip(min=0)
        threshold = learning_rate * self.l1
        if self.positive:
            return (coef - threshold).clip(min=0)
        return coef - coef.clip(-threshold, threshold)

    def gradient_mapping(
        self, coef: Array, gradient: Array, learning_rate: Array
    ) -> Array:
        """Return what takes the place of a gradient: zero just at the minimum.

        A proximal step leads from `coef` to ``coef - learning_rate * mapping`` (Beck
        2017, First-order methods in optimization, section 10.3.2). Where there is no
        kink nearby, it is the gradient of the whole.

        Not computed as ``(coef - prox) / learning_rate``, which rounding makes zero
        where the rate is small, as it is at the end of a schedule.
        """
        to_zero = coef / learning_rate  # the mapping that leads there
        l1 = 0.0 if self.l1 is None else self.l1
        if self.positive:
            return (gradient + l1).clip(max=to_zero)
        return gradient + (to_zero - gradient).clip(-l1, l1)


def penalty_of(
    alpha: PerTarget, l1_ratio: float, positive: bool, coef_scale: np.ndarray
) -> Penalty:
    """Return the penalty of the user's units on coefficients that are scaled.

    Parameters
    ----------
    alpha : float or ndarray of shape (n_targets,)
        As in ElasticNet; the objective is twice ElasticNet's.
    l1_ratio, positive : float, bool
        Likewise.
    coef_scale : ndarray of shape (n_features, 1 or n_targets)
        What the user's coefficients are multiplied by.
    """
    if not np.any(alpha):
        return Penalty(positive=positive)
    l2, l1 = alpha * (1 - l1_ratio), 2 * alpha * l1_ratio
    return Penalty(
        l2=l2 / coef_scale**2 if l1_ratio < 1 else None,
        l1=l1 / coef_scale if l1_ratio > 0 else None,
        positive=positive,
    )
