"""Scores of models on the rows of a fold: from its moments, or from the rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer_names

from skgd._data.moments import Moments, mean_squared_errors
from skgd._data.rows import RowsAnywhere
from skgd._data.squared_errors import squared_errors
from skgd._descent.held_out import SCORES_OF_SQUARES
from skgd._typing import NumpyParameters
from skgd._warn import warn

_WHICH_SCORES = (
    f"Pass {', '.join(map(repr, SCORES_OF_SQUARES))}, several of them, or None, which "
    "is R^2; for other scores, search with sklearn.model_selection.GridSearchCV."
)

# The squares of residuals from moments are rounded by some units in the last place of
# the squares of their terms. Where that is more than this share of what a score is made
# of, the score is taken from the rows.
_ROUNDINGS, _MOST_ROUNDING = 2, 1e-10


class Models(NamedTuple):
    """Models in the user's units, in float64."""

    coef: np.ndarray  # (n_models, n_targets, n_features)
    intercept: np.ndarray  # (n_models, n_targets)

    @classmethod
    def of(cls, models: Sequence[NumpyParameters]) -> Models:
        """Stack models, some of which may have no intercept."""
        coefs = np.stack([coef.T for coef, *_ in models]).astype(np.float64)
        intercepts = np.zeros(coefs.shape[:2])
        for i, (_, *intercept) in enumerate(models):
            for b in intercept:
                intercepts[i] = b
        return cls(coefs, intercepts)

    def at(self, index: np.ndarray) -> Models:
        """Return some of them."""
        return Models(self.coef[index], self.intercept[index])


def scoring_names(
    scoring: str | Sequence[str] | Mapping[str, str] | None,
) -> dict[str, str]:
    """Return the names of scikit-learn's scorers, by what results call them.

    Raises
    ------
    ValueError
        On a score that is no function of the mean squared error, and on none.
    """
    if scoring is None or isinstance(scoring, str):
        names = {"score": scoring or "r2"}
    elif isinstance(scoring, Mapping):
        names = dict(scoring)
    elif isinstance(scoring, (list, tuple)):
        names = {name: name for name in scoring if isinstance(name, str)}
        if len(names) < len(scoring):
            raise ValueError(
                f"scoring={scoring!r} must hold names, each of them once. "
                f"{_WHICH_SCORES}"
            )
    else:
        raise ValueError(f"scoring={scoring!r} is not a name. {_WHICH_SCORES}")
    if not names:
        raise ValueError(f"scoring={scoring!r} holds no scores. {_WHICH_SCORES}")
    for name in names.values():
        if not isinstance(name, str):
            raise ValueError(f"scoring={name!r} is not a name. {_WHICH_SCORES}")
        if name not in SCORES_OF_SQUARES:
            why = "needs the predictions for single rows, of which moments do not tell"
            if name not in get_scorer_names():
                why = "is not among sklearn.metrics.get_scorer_names()"
            raise ValueError(f"scoring={name!r} {why}. {_WHICH_SCORES}")
    return names


def scores_of(
    models: Models,
    names: Collection[str],
    moments: Moments | None,
    rows: Callable[[], RowsAnywhere],
    n_rows: int,
) -> dict[str, np.ndarray]:
    """Return the scores of models by name, averaged over targets.

    Parameters
    ----------
    models : Models
        What to score.
    names : sequence of str
        Names of scikit-learn's scorers that are functions of the mean squared error.
    moments : Moments or None
        Those of the rows, where they are known.
    rows : callable
        Returns the rows, where they are asked for; those without a weight do not count.
    n_rows : int
        How many there are. Of fewer than two, R^2 is nan, as in scikit-learn.

    Returns
    -------
    scores : dict of str -> ndarray of shape (n_models,)
        The greater the better.
    """
    if moments is None:
        losses, variance = _of_rows(models, rows())
    else:
        losses, variance = _of_moments(models, moments)
        rounding = _rounding(models, moments)
        sizes = np.maximum(losses, variance) if set(names) == {"r2"} else losses
        unresolved = ~(rounding <= _MOST_ROUNDING * sizes).all(axis=1)
        unresolved &= np.isfinite(rounding).all(axis=1)
        if unresolved.any():
            index = np.flatnonzero(unresolved)
            losses[index], variance = _of_rows(models.at(index), rows())
    scores = {
        name: SCORES_OF_SQUARES[name](losses, variance).mean(axis=1) for name in names
    }
    if "r2" in scores and n_rows < 2:
        warn("R^2 of fewer than two rows is not defined.", UndefinedMetricWarning)
        scores["r2"][:] = np.nan
    return scores


def _of_moments(models: Models, moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Return mean squared errors (n_models, n_targets), and the variances of y."""
    losses = mean_squared_errors(moments, models.coef, models.intercept)
    targets = moments.scatter.diagonal()[moments.n_features :]
    return losses, targets / moments.weight


def _rounding(models: Models, moments: Moments) -> np.ndarray:
    """Return about what rounding leaves of mean squared errors from moments."""
    d, eps = moments.n_features, float(np.finfo(np.float64).eps)
    spread = np.sqrt(np.maximum(moments.scatter.diagonal() / moments.weight, 0))
    terms = spread[d:] + np.abs(models.coef) @ spread[:d]
    return _ROUNDINGS * eps * terms**2


def _of_rows(models: Models, rows: RowsAnywhere) -> tuple[np.ndarray, np.ndarray]:
    """Return mean squared errors (n_models, n_targets), and the variances of y."""
    errors = squared_errors(rows, models.coef, models.intercept)
    return errors.mean, errors.variance
