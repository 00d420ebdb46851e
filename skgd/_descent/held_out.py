"""Early stopping: scores on rows held out, and the model that is best on them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy, deepcopy
from numbers import Real
from typing import Any, NoReturn

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring

from skgd._data.device import to_numpy
from skgd._data.rows import (
    Rows,
    means,
    peaks,
    predicted,
    root_mean_squares,
    sum_over,
)
from skgd._data.tensors import beside, dtype_of
from skgd._data.user_input import shaped_as_targets
from skgd._descent.problem import Problem
from skgd._typing import NumpyParameters, Parameters


class HeldOutScore(ABC):
    """Scores a descent on rows held out, epoch by epoch, and keeps the best model.

    Attributes
    ----------
    scores : list of float
        The scores so far.
    best : tuple of arrays
        Coefficients and intercept at the largest of them; empty before the first.
    """

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.best: Parameters = ()

    def score(self, parameters: Parameters) -> float:
        """Score a model, and keep a copy of it if it is the best so far."""
        score = self._score_of(parameters)
        if not self.best or score > max(self.scores):
            self.best = deepcopy(parameters)
        self.scores.append(score)
        return score

    @abstractmethod
    def _score_of(self, parameters: Parameters) -> float:
        """Return the score of a model in the coordinates of the descent."""


class Scoring(ABC):
    """What models are scored by; greater is better.

    Attributes
    ----------
    of_squares : bool
        Whether a score is a function of the mean squared error, which is the same in
        the coordinates of the descent, and of condensed rows.
    is_r2 : bool
        Whether it is R^2, which compares with the spread of the targets.
    """

    of_squares: bool
    is_r2 = False

    @abstractmethod
    def on(self, problem: Problem) -> HeldOutScore:
        """Return the score on the rows that a problem holds out."""


#: Returns the score of each target from its mean squared error and its variance.
SquaresScore = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _r2(losses: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return R^2 of each target; 1 or 0 if it does not vary, as scikit-learn does."""
    varies = variance > 0
    share = np.divide(losses, variance, out=(losses > 0) * 1.0, where=varies)
    return 1 - share


#: Scores of scikit-learn's names, to be averaged over targets.
SCORES_OF_SQUARES: dict[str, SquaresScore] = {
    "r2": _r2,
    "neg_mean_squared_error": lambda losses, variance: -losses,
    "neg_root_mean_squared_error": lambda losses, variance: -np.sqrt(losses),
}


def scoring_from(
    estimator: BaseEstimator, dtype: np.dtype, *, y_is_1d: bool
) -> Scoring:
    """Return what the estimator's `scoring` asks for, which counts for early stops.

    Raises
    ------
    ValueError
        If a metric was passed in place of a scorer.
    """
    name = "r2" if estimator.scoring is None else estimator.scoring
    if not estimator.early_stopping:
        name = "r2"
    if isinstance(name, str) and name in SCORES_OF_SQUARES:
        return ScoringBySquares(name)
    return ScoringByScorer(estimator, dtype, y_is_1d=y_is_1d)


class ScoringBySquares(Scoring):
    """A score that is a function of the mean squared error.

    Parameters
    ----------
    name : str
        scikit-learn's name of it.
    """

    of_squares = True

    def __init__(self, name: str) -> None:
        self._score = SCORES_OF_SQUARES[name]
        self.is_r2 = name == "r2"

    def on(self, problem: Problem) -> HeldOutScore:
        """Return the score on rows in the coordinates of the descent."""
        return _ScoreOfSquares(problem, self._score)


class _ScoreOfSquares(HeldOutScore):
    """Averages a function of the mean squared error over targets.

    Parameters
    ----------
    problem : Problem
        Has the rows; they are brought to the device once where they are in memory, and
        otherwise read for each score anew.
    score : callable
        The function.
    """

    def __init__(self, problem: Problem, score: SquaresScore) -> None:
        super().__init__()
        assert problem.held_out is not None
        rows, device = problem.held_out, problem.device
        self._rows, self._device, self._score = rows, device, score
        self._on_device: list[Rows] | None = None
        if rows.in_memory or device.has_memory:
            self._on_device = list(map(device.send_rows, rows))
        y, weight = rows.targets()
        self._dtype, self._dtype_of_descent = dtype_of(y), problem.batches.dtype
        self._variance = root_mean_squares(y, weight, means(y, weight)) ** 2
        if not np.isfinite(self._variance).all():
            largest = float(peaks(y).max())
            raise ValueError(
                "The squares of the targets that early_stopping=True holds out "
                f"overflow float64: the largest is {largest:.3g}. Rescale y, or leave "
                "out outliers."
            )

    def _score_of(self, parameters: Parameters) -> float:
        def squares(rows: Rows) -> tuple[np.ndarray]:
            squares = (predicted(rows.X, parameters) - rows.y) ** 2
            total = squares.sum(0) if rows.weight is None else rows.weight @ squares
            return (to_numpy(total).astype(np.float64),)

        if self._dtype != self._dtype_of_descent:  # these rows alone leave its range
            parameters = tuple(
                self._device.send(to_numpy(parameter).astype(self._dtype))
                for parameter in parameters
            )
        on_device = self._on_device or map(self._device.send_rows, self._rows)
        (total,) = sum_over(on_device, squares)
        return float(self._score(total / len(self._rows), self._variance).mean())


class ScoringByScorer(Scoring):
    """A scorer of scikit-learn's or of the user's: ``scorer(estimator, X, y)``.

    Parameters
    ----------
    estimator : BaseEstimator
        Has the parameter `scoring`, and knows the features; it is not changed.
    dtype : numpy.dtype
        Of the models.
    y_is_1d : bool
        Whether targets are one-dimensional.
    """

    of_squares = False

    def __init__(
        self, estimator: BaseEstimator, dtype: np.dtype, *, y_is_1d: bool
    ) -> None:
        self.name, self.dtype = f"scoring={estimator.scoring!r}", dtype
        self._scorer = check_scoring(estimator, estimator.scoring)
        self._y_is_1d = y_is_1d
        self._model = copy(estimator)
        self._model.__dict__.pop("feature_names_in_", None)  # the rows have none

    def on(self, problem: Problem) -> HeldOutScore:
        """Return the score on rows as they were passed."""
        return _ScoreOfScorer(self, problem)

    def __call__(self, parameters: NumpyParameters, rows: Rows) -> Any:
        """Return what the scorer returns for a model in the user's units."""
        model = copy(self._model)
        coef, intercept = shaped_as_targets(parameters, self._y_is_1d)
        if rows.are_tensors:
            coef, intercept = beside(coef, rows.X), beside(intercept, rows.X)
        model.coef_, model.intercept_ = coef, intercept
        y = rows.y[:, 0] if self._y_is_1d else rows.y
        weights = {} if rows.weight is None else {"sample_weight": rows.weight}
        return self._scorer(model, rows.X, y, **weights)


class _ScoreOfScorer(HeldOutScore):
    """Asks a scorer about models in the user's units.

    Parameters
    ----------
    scoring : ScoringByScorer
        What to ask.
    problem : Problem
        Has the rows to score.
    """

    def __init__(self, scoring: ScoringByScorer, problem: Problem) -> None:
        super().__init__()
        assert problem.scored_rows is not None
        self._scoring, self._problem = scoring, problem
        self._rows = problem.scored_rows

    def _score_of(self, parameters: Parameters) -> float:
        model = self._problem.in_user_units(parameters, self._scoring.dtype)
        try:
            score = self._scoring(model, self._rows)
        except Exception as error:
            if self._overflows(model):
                return -np.inf
            self._refuse(f"raised {type(error).__name__}", f": {error}", error)
        if getattr(score, "shape", None) == ():
            score = score.item()
        if isinstance(score, Real) and math.isfinite(score):
            return float(score)
        if isinstance(score, Real) and self._overflows(model):
            return -np.inf
        return self._refuse(f"returned {score!r}", "")

    def _overflows(self, parameters: NumpyParameters) -> bool:
        """Return whether the squares of predictions do; the loss will, in an epoch."""
        prediction = predicted(self._rows.X, parameters)
        return not bool((abs(prediction**2) < np.inf).all())

    def _refuse(
        self, happened: str, details: str, cause: Exception | None = None
    ) -> NoReturn:
        """Raise, and say what a scorer is to be."""
        with_weights = ""
        if self._rows.weight is not None:
            with_weights = ", with sample_weight=..., since the rows have weights"
        raise ValueError(
            f"{self._scoring.name} {happened} for the {len(self._rows.y)} rows held "
            f"out, after epoch {len(self.scores)}{details}. It has to return a finite "
            f"number, the greater the better, of (estimator, X, y){with_weights}. Use "
            "one of sklearn.metrics.get_scorer_names() that is for regression, or "
            "sklearn.metrics.make_scorer."
        ) from cause
