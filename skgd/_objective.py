"""The objective that every strategy descends on."""

from __future__ import annotations

from dataclasses import dataclass, field

from skgd._losses import SquaredError


@dataclass(frozen=True)
class Objective:
    """The loss of each row, averaged over the rows: one objective for each target.

    With weights ``w`` that average one, and residuals ``R = X W + b - Y``::

        F_t(W, b) = 1/n sum_i w_i loss(R_it)

    Targets do not mix: the sum of the ``F_t`` has the minimiser of each of them.

    Attributes
    ----------
    loss : SquaredError
        Elementwise loss: `value`, `value_and_influence`, and `criterion` for torch.
    """

    loss: SquaredError = field(default_factory=SquaredError)
