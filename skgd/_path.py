"""Coefficients along a path of penalties, in one pass over the rows."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skgd._data.array_api import lies_elsewhere
from skgd._data.containers import readable
from skgd._data.coordinates import ScaledCoordinates, WhiteCoordinates, varies
from skgd._data.dask_collections import is_collection, refuse_beside_rows_in_memory
from skgd._data.device import plain_arithmetic, to_numpy
from skgd._data.moments import Moments, moments_of
from skgd._data.rows import Rows, averaging_one
from skgd._data.user_input import check_values, naming_columns, rows_of_moments
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem, side_by_side
from skgd._descent.together import Run, descend_together
from skgd._descent.working_sets import (
    FEW_COLUMNS,
    StandardizedRows,
    descend_on_working_sets,
    has_diverged,
    steps_of,
)
from skgd._divergence import DivergenceError, raise_if_out_of_range
from skgd._fit import in_strategy
from skgd._objective.penalties import Penalty, penalty_of
from skgd._preparation import (
    MOST_COLUMNS,
    condensed,
    uncondensed,
    whitens,
)
from skgd._regressor import GDLinearRegressor
from skgd._settings import Settings, settings_of
from skgd._typing import ArrayLike, NumpyParameters, SparseLike
from skgd._warn import warn
from skgd.strategies import GradientStrategy

if TYPE_CHECKING:
    import torch


class GDPath(NamedTuple):
    """Linear models along a path of penalties, from the strongest to the weakest.

    :func:`gd_path` returns it. The last axis of each array is that of the path.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Strengths of the penalty, descending.
    coefs : ndarray of shape (n_features, n_alphas) or (n_targets, n_features, n_alphas)
        Coefficients; with an axis for targets if y has two dimensions.
    intercepts : ndarray of shape (n_alphas,) or (n_targets, n_alphas)
        Intercepts; zeros with ``fit_intercept=False``.
    n_iters : ndarray of shape (n_alphas,)
        Number of epochs for each alpha.

    See Also
    --------
    gd_path : Computes it.
    Moments.loss : The mean squared error of all its models on other data.

    Examples
    --------
    >>> from skgd import gd_path
    >>> X, y = [[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0]
    >>> path = gd_path(X, y, alphas=[0.5, 0.1])
    >>> path.coefs.shape, path.intercepts.shape
    ((1, 2), (2,))
    >>> path.coefs.round(2)
    array([[0.25, 0.85]])
    """

    alphas: np.ndarray
    coefs: np.ndarray
    intercepts: np.ndarray
    n_iters: np.ndarray


def gd_path(
    X: ArrayLike | SparseLike | Moments,
    y: ArrayLike | None = None,
    *,
    alphas: int | ArrayLike = 100,
    eps: float = 1e-3,
    l1_ratio: float = 1.0,
    positive: bool = False,
    fit_intercept: bool = True,
    sample_weight: ArrayLike | None = None,
    strategy: Literal["manual", "autograd", "module"] | GradientStrategy = "manual",
    device: str | torch.device | None = None,
    max_iter: int = 1000,
    tol: float = 1e-5,
) -> GDPath:
    """Return linear models along a path of penalties, by gradient descent.

    For each alpha, coefficients and intercept minimise the objective of
    :class:`~sklearn.linear_model.ElasticNet`, for each target separately ::

        1/(2 n) |y - X w - b|^2 + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio)/2 |w|^2

    The rows are read once: if there are more rows than columns, all alphas share the
    few rows that have the same moments. Many alphas descend side by side, as targets of
    the same rows. They start where the alphas before them have ended, and descend only
    on the columns that they need, which are few with L1.

    Parameters
    ----------
    X : {array-like, sparse matrix or array, Dask collection} of shape \
            (n_samples, n_features) or Moments
        Rows, or the moments of X and y, whose rows are then not needed. The columns
        need not be centred or scaled: alpha is the weight of the penalty on
        coefficients in the units of the data. The moments of Dask collections are
        summed up where the rows lie.
    y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        Targets. None if X is `Moments`.
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths of the penalty. An int is their number: they are evenly spaced in
        their logarithms, from the smallest alpha for which all coefficients (of all
        targets) are zero down to `eps` times that; `l1_ratio` has to be positive then.
    eps : float, default=1e-3
        Ratio of the last alpha to the first, if `alphas` is an int. Below 1.
    l1_ratio : float, default=1.0
        Share of the L1 penalty: 1 is the lasso, 0 is ridge regression.
    positive : bool, default=False
        Whether to keep all coefficients at zero or above.
    fit_intercept : bool, default=True
        Whether to fit an intercept. If False, nothing is centred.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights. None is a weight of one for each row.
    strategy : {"manual", "autograd", "module"} or GradientStrategy, default="manual"
        How gradients are computed and followed, as for `GDLinearRegressor`. The steps
        have to be plain gradient steps.
    device : str, torch.device or None, default=None
        Where the descents run, as for `GDLinearRegressor`. Results are NumPy arrays.
    max_iter : int, default=1000
        Largest number of epochs for an alpha.
    tol : float, default=1e-5
        A target has converged when no feature correlates with its residual by more than
        this, after what the penalty accounts for; as for `GDLinearRegressor`. With the
        default, objectives are as near to the minimum as those of enet_path with its
        own default; for coefficients of correlated columns to be as accurate, choose a
        smaller one.

    Returns
    -------
    path : GDPath
        ``(alphas, coefs, intercepts, n_iters)``; coefficients in the dtype of X.

    Raises
    ------
    ValueError
        On bad input or parameters; if ``l1_ratio=0`` and `alphas` is an int; if the
        strategy does not take plain gradient steps.
    DivergenceError
        If the loss rises, as it does if gradients of a strategy of your own are wrong.

    Warns
    -----
    ConvergenceWarning
        If some alphas used up `max_iter` epochs before they reached `tol`.

    See Also
    --------
    sklearn.linear_model.enet_path : The same by coordinate descent, on centred rows,
        for one target (for several, it penalizes the norms of the rows of `coefs`).
    GDLinearRegressor : Fits one model.

    References
    ----------
    M. Massias, A. Gramfort and J. Salmon, "Celer: a fast solver for the lasso with dual
    extrapolation", ICML 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import Moments, gd_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = gd_path(X, y, alphas=5)
    >>> path.alphas.round(3).tolist()
    [2.148, 0.382, 0.068, 0.012, 0.002]
    >>> (path.coefs != 0).sum(axis=0)
    array([ 0,  4,  7,  9, 10])

    Moments are enough, and their rows may be gone:

    >>> parts = [Moments.from_data(X[i::2], y[i::2]) for i in range(2)]
    >>> gd_path(sum(parts), alphas=5).alphas.round(3).tolist()
    [2.148, 0.382, 0.068, 0.012, 0.002]
    """
    parameters = {
        "alphas": alphas,
        "eps": eps,
        "l1_ratio": l1_ratio,
        "positive": positive,
        "fit_intercept": fit_intercept,
        "strategy": strategy,
        "max_iter": max_iter,
        "tol": tol,
    }
    validate_parameter_constraints(_CONSTRAINTS, parameters, caller_name="gd_path")
    with naming_columns(X), plain_arithmetic():
        data = _data_of(X, y, sample_weight)
        model = GDLinearRegressor(
            strategy,
            device=device,
            alpha=1.0,  # or others
            l1_ratio=l1_ratio,
            positive=positive,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
        )
        settings = settings_of(
            model, data.dtype, n_targets=data.rows.n_targets, y_is_1d=data.y_is_1d
        )
        if isinstance(alphas, Integral):
            _refuse_ridge_without_alphas(int(alphas), l1_ratio)
            strengths = None
        else:
            strengths = _checked_alphas(alphas)
        with in_strategy(settings):
            if strengths is not None and _whitens(data, settings):
                models = _white_path(data, settings, strengths)
            else:
                problem = _standardized(data, settings)
                if strengths is None:
                    most = _largest_alpha(problem, settings)
                    strengths = _spaced(most, eps, int(alphas))
                models = _standardized_path(problem, settings, strengths)
        raise_if_out_of_range(models.parameters, models.exact)
    _warn_of_short_alphas(models.converged, strengths, settings)
    return _shaped(models, strengths, data)


_CONSTRAINTS = {
    name: GDLinearRegressor._parameter_constraints[name]
    for name in ("l1_ratio", "positive", "fit_intercept", "strategy", "max_iter")
} | {
    "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
    "eps": [Interval(Real, 0, 1, closed="neither")],
    "tol": [Interval(Real, 0, None, closed="left")],
}

# So many alphas descend side by side, where columns are few or many. They start where
# those before them have ended, and share a working set.
_BLOCK_OF_FEW, _BLOCK_OF_MANY = 100, 25

# The first alpha is larger by so many roundings, so that these make no coefficients.
_ROUNDINGS = 100

# Correlations below are those of data without any.
_LEAST_CORRELATION = 1e-15


class _Data(NamedTuple):
    """Validated data: rows, and their moments where these are fewer."""

    rows: Rows  # of moments: a few that have them
    moments: Moments | None
    n_rows: int
    dtype: np.dtype
    y_is_1d: bool
    rows_are_gone: bool


class _Models(NamedTuple):
    """The models of all alphas, in the user's units; targets of each are neighbours."""

    parameters: NumpyParameters  # (coef, intercept), in the dtype of X
    exact: NumpyParameters  # the same in float64
    n_iters: np.ndarray
    converged: np.ndarray


def _data_of(
    X: ArrayLike | SparseLike | Moments,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> _Data:
    """Check the data, and sum them up where moments are fewer."""
    float64 = np.dtype(np.float64)
    if (is_collection(X) or lies_elsewhere(X)) and y is not None:
        X, y, sample_weight = Moments.from_data(X, y, sample_weight), None, None
    if isinstance(X, Moments):
        given = {"y": y, "sample_weight": sample_weight}
        names = [name for name, value in given.items() if value is not None]
        if names:
            raise ValueError(
                f"{' and '.join(names)} passed with X=Moments, which are of y and of "
                "weights as well. Leave it out, or pass rows as X."
            )
        rows = Rows(*replace(X, y_is_1d=False).condense())
        return _Data(rows, X, len(rows.y), float64, X.y_is_1d, rows_are_gone=True)
    if y is None:
        raise ValueError(
            "y=None, and X is not Moments. Pass the targets as y, or as X "
            "Moments.from_data(X, y)."
        )
    refuse_beside_rows_in_memory(y=y, sample_weight=sample_weight)
    rows, y_is_1d = rows_of_moments(X, y, sample_weight)
    dtype = np.dtype(np.float32) if rows.X.dtype == np.float32 else float64
    weight, _ = averaging_one(rows.weight)
    rows = rows._replace(y=rows.y.astype(float64, copy=False), weight=weight)
    n_rows, n_columns = rows.n_with_weight, rows.n_features + rows.n_targets
    moments = None
    if n_columns < min(n_rows, MOST_COLUMNS + 1):
        moments = moments_of(rows)
    else:
        check_values(rows)
    return _Data(rows, moments, n_rows, dtype, y_is_1d, rows_are_gone=False)


def _refuse_ridge_without_alphas(n_alphas: int, l1_ratio: float) -> None:
    """Raise where no alpha is the least whose coefficients are zero."""
    if l1_ratio == 0:
        raise ValueError(
            f"alphas={n_alphas} with l1_ratio=0: without an L1 penalty, no alpha makes "
            "all coefficients zero, so that the path has no start. Pass an array as "
            "alphas, such as numpy.geomspace(100, 0.1, 100), or a positive l1_ratio."
        )


def _checked_alphas(alphas: ArrayLike) -> np.ndarray:
    """Return the strengths of the penalty that were passed, descending."""
    strengths = check_array(
        to_numpy(readable("alphas", alphas)),
        dtype=np.float64,
        ensure_2d=False,
        input_name="alphas",
    )
    if strengths.ndim != 1 or not (strengths >= 0).all():
        raise ValueError(
            f"alphas={alphas!r} must be an int, or an array of one dimension whose "
            "numbers are at least 0."
        )
    return np.sort(strengths)[::-1]


def _whitens(data: _Data, settings: Settings) -> bool:
    """Return whether all is a penalty of squares, and the moments have white rows."""
    if data.moments is None or settings.has_prox:
        return False
    return whitens(data.rows.n_features, settings, MOST_COLUMNS)


def _white_path(data: _Data, settings: Settings, alphas: np.ndarray) -> _Models:
    """Descend in white coordinates, those of each alpha: one step each.

    In these X is the same, but where a rank is not: then in several groups.
    """
    assert data.moments is not None
    problems = [
        condensed(
            data.moments,
            replace(settings, alpha=float(alpha), whiten=True),
            data.n_rows,
            None,
            data.rows,
            of_a_stream=data.rows_are_gone,
        )
        for alpha in alphas
    ]
    groups: dict[tuple[int, int], list[int]] = {}
    for i, problem in enumerate(problems):
        assert isinstance(problem.coordinates, WhiteCoordinates)
        key = problem.coordinates.rank, len(problem.rows)
        groups.setdefault(key, []).append(i)
    results: dict[int, Result] = {}
    for group in groups.values():
        together = side_by_side([problems[i] for i in group])
        strategy = _started(settings, together)
        steps = steps_of(together)
        runs = [Run(settings.max_iter, settings.tol)] * len(group)
        found = descend_together(together, strategy, steps, runs)
        results.update(zip(group, found, strict=True))
    ordered = [results[i] for i in range(len(problems))]
    _raise_if_diverged(np.array([has_diverged(result) for result in ordered]), alphas)

    def in_user_units(dtype: np.dtype) -> NumpyParameters:
        models = [
            problem.in_user_units(result.parameters, dtype)
            for problem, result in zip(problems, ordered, strict=True)
        ]
        return tuple(
            np.concatenate(each, axis=-1) for each in zip(*models, strict=True)
        )

    return _Models(
        in_user_units(settings.dtype),
        in_user_units(np.dtype(np.float64)),
        np.array([result.n_epochs for result in ordered]),
        np.array([result.outcome is Outcome.CONVERGED for result in ordered]),
    )


def _started(settings: Settings, problem: Problem) -> GradientStrategy:
    """Return a strategy that is started from zero; raise if its steps are not plain."""
    strategy = clone(settings.strategy)
    strategy.start(problem.zeros(), problem.device_objective)
    if not strategy.plain:
        raise ValueError(
            "gd_path chooses the lengths of steps, which presumes plain gradient steps "
            f"on the coefficients, and {strategy!r} takes others. Use "
            "strategy='manual', 'autograd' or 'module', or fit GDLinearRegressor with "
            "a float learning_rate for each alpha."
        )
    return strategy


def _standardized(data: _Data, settings: Settings) -> Problem:
    """Return the problem without a penalty, in standardized coordinates."""
    settings = replace(settings, alpha=0.0, whiten=False, standardize=True)
    if data.moments is None:
        return uncondensed(data.rows, settings)
    return condensed(data.moments, settings, data.n_rows, None, data.rows)


def _standardized_path(
    problem: Problem, settings: Settings, alphas: np.ndarray
) -> _Models:
    """Descend on block after block of alphas, each from where the last has ended."""
    _started(settings, problem)
    rows, coordinates = problem.full_rows, problem.coordinates
    assert isinstance(coordinates, ScaledCoordinates)
    assert settings.tol is not None
    data = StandardizedRows(rows, settings.device, centered=settings.fit_intercept)
    start, found = np.zeros((rows.n_features, rows.n_targets)), []
    for block in _blocks(alphas, rows.n_features):
        solutions = descend_on_working_sets(
            data,
            settings.strategy,
            _penalty(block, rows.n_targets, settings, coordinates.coef_scale),
            np.tile(start, len(block)),
            max_iter=settings.max_iter,
            tol=settings.tol,
        )
        start = solutions.coef[:, -rows.n_targets :]
        found.append(solutions)
        _raise_if_diverged(solutions.diverged, block)
    coef = np.concatenate([each.coef for each in found], axis=1)
    n_models = coef.shape[1]
    there = replace(coordinates, y_offset=np.tile(coordinates.y_offset, len(alphas)))
    parameters = coef, np.zeros(n_models)
    return _Models(
        there.to_user(parameters, settings.dtype),
        there.to_user(parameters, np.dtype(np.float64)),
        np.concatenate([each.n_iters for each in found]),
        np.concatenate([each.converged for each in found]),
    )


def _blocks(alphas: np.ndarray, n_features: int) -> list[np.ndarray]:
    """Return the alphas in blocks."""
    size = _BLOCK_OF_FEW if n_features <= FEW_COLUMNS else _BLOCK_OF_MANY
    return np.array_split(alphas, range(size, len(alphas), size))


def _penalty(
    alphas: np.ndarray, n_targets: int, settings: Settings, coef_scale: np.ndarray
) -> Penalty:
    """Return the penalty of each alpha on each of its targets."""
    penalty = penalty_of(
        np.repeat(alphas, n_targets), settings.l1_ratio, settings.positive, coef_scale
    )
    weights = [each for each in penalty[:2] if each is not None]
    if not all(np.isfinite(each).all() for each in weights):
        raise ValueError(
            f"alphas up to {alphas.max():g} overflow float64 in the units of the "
            "descent. Use smaller ones."
        )
    return penalty


def _largest_alpha(problem: Problem, settings: Settings) -> float:
    """Return the least alpha whose coefficients are all zero.

    It is 0 where no feature correlates with a target by more than rounding.
    """
    X, y, weight = problem.full_rows
    coordinates, n_rows = problem.coordinates, len(y)
    weighted = y if weight is None else weight[:, None] * y
    size = np.sqrt(np.einsum("ij,ij->j", y, weighted, dtype=np.float64) / n_rows)
    slopes = X.T @ weighted / n_rows
    if not settings.positive:
        slopes = np.abs(slopes)
    counts = varies(coordinates.y_offset, size) & (slopes > _LEAST_CORRELATION * size)
    largest = np.where(counts, slopes * coordinates.coef_scale, 0.0).max()
    rounding = _ROUNDINGS * np.finfo(y.dtype).eps
    return float(largest) / settings.l1_ratio * (1 + rounding)


def _spaced(largest: float, eps: float, n_alphas: int) -> np.ndarray:
    """Return alphas that are evenly spaced in their logarithms, as scikit-learn's."""
    if largest == 0:
        return np.full(n_alphas, np.finfo(np.float64).resolution)
    return np.geomspace(largest, largest * eps, num=n_alphas)


def _raise_if_diverged(diverged: np.ndarray, alphas: np.ndarray) -> None:
    """Raise where the loss has risen."""
    if diverged.any():
        raise DivergenceError(
            f"Gradient descent diverged at alpha={alphas[diverged.argmax()]:.4g}: the "
            "loss rose, though the steps were 1/L. They are short enough for a "
            "strategy whose gradients are those of its losses."
        )


def _warn_of_short_alphas(
    converged: np.ndarray, alphas: np.ndarray, settings: Settings
) -> None:
    """Warn if any alphas used up their epochs."""
    short = np.flatnonzero(~converged)
    if len(short):
        warn(
            f"{len(short)} of {len(alphas)} alphas used up max_iter="
            f"{settings.max_iter} epochs before they reached tol={settings.tol:g}, the "
            f"largest of them alpha={alphas[short[0]]:.4g}. Their models are those of "
            "the last epoch. Increase max_iter or tol, or leave out the smallest "
            "alphas (a larger eps).",
            ConvergenceWarning,
        )


def _shaped(models: _Models, alphas: np.ndarray, data: _Data) -> GDPath:
    """Return the path in the shapes that y asks for."""
    coef, *intercept = models.parameters
    n_alphas, n_targets = len(alphas), data.rows.n_targets
    coefs = coef.reshape(len(coef), n_alphas, n_targets).transpose(2, 0, 1)
    intercepts = np.zeros((n_targets, n_alphas), coef.dtype)
    for each in intercept:
        intercepts[:] = each.reshape(n_alphas, n_targets).T
    if data.y_is_1d:
        coefs, intercepts = coefs[0], intercepts[0]
    return GDPath(alphas, coefs.copy(), intercepts.copy(), models.n_iters)
