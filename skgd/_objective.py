"""The objective of a descent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skgd._losses import Loss, SquaredError
from skgd._penalties import Penalty
from skgd._placement import Placement


@dataclass(frozen=True)
class Objective:
    """The loss of each row, averaged over the rows, and a penalty: one for each target.

    With weights ``w`` that average one, and predictions ``P = X W + b``::

        F_t(W, b) = 1/n sum_i w_i loss(P_it, Y_it) + sum_j l2_j W_jt^2 + rest(W_t)

    Strategies descend on all but the rest, which the loop sees to. Targets do not mix:
    the sum of the ``F_t`` has the minimiser of each of them.

    Attributes
    ----------
    loss : Loss
        Elementwise loss: `value`, `value_and_influence`, and `criterion` for torch.
    penalty : Penalty
        The penalty.
    """

    loss: Loss = field(default_factory=SquaredError)
    penalty: Penalty = field(default_factory=Penalty)

    @property
    def l2(self) -> Any:
        """Weights of the squares of the coefficients, (n_features, 1); None: none."""
        return self.penalty.l2

    def placed(self, placement: Placement, dtype: np.dtype) -> Objective:
        """Bring it from NumPy to where the descent takes place."""
        return Objective(
            self.loss.in_range_of(dtype), self.penalty.placed(placement.put, dtype)
        )
