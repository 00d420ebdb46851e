"""The average of a descent's iterates."""

from __future__ import annotations

from copy import deepcopy
from typing import Any


class Average:
    """Running mean of the parameters after each step (Polyak and Ruppert).

    With a constant learning rate, the steps of mini-batches end in a cloud about the
    minimum; for squared error their mean goes on to it (Bach & Moulines 2013).

    Parameters
    ----------
    begin : int
        Rows to be seen before averaging begins.
    """

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.n_rows = 0
        self.n_averaged = 0
        self.coef: Any = None
        self.intercept: Any = None

    def add(self, coef: Any, intercept: Any, n_rows: int) -> None:
        """Count a step that read so many rows."""
        self.n_rows += n_rows
        if self.n_rows < self.begin:
            return
        self.n_averaged += 1
        if self.n_averaged == 1:
            self.coef, self.intercept = deepcopy((coef, intercept))
            return
        self.coef += (coef - self.coef) / self.n_averaged
        if intercept is not None:
            self.intercept += (intercept - self.intercept) / self.n_averaged
