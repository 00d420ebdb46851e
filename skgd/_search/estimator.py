"""The estimator: cross-validation over a grid, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.callback import AutoPropagatedCallback
from sklearn.metrics import get_scorer
from sklearn.model_selection import BaseCrossValidator, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skgd._data.array_api import origin_of, refuse_elsewhere
from skgd._data.dask_collections import Collection, is_collection
from skgd._data.folds import Folds
from skgd._data.partitions import validated_data
from skgd._data.user_input import fitting, start_of
from skgd._descent.loop import Outcome
from skgd._observers import begin_fit_task
from skgd._partitioned import problem_of_data
from skgd._predictions import score_where_it_lies
from skgd._preparation import condensed
from skgd._regressor import GDLinearRegressor
from skgd._search.candidates import (
    Candidate,
    Grid,
    candidates_of,
    parameters_of,
    with_parameters,
)
from skgd._search.fits import Failure, Model, fit_candidates
from skgd._search.report import raise_or_warn_of_failures, warn_of_short_fits
from skgd._search.scores import Models, scores_of, scoring_names
from skgd._search.splits import splits_of
from skgd._typing import (
    ArrayLike,
    SparseLike,
    _fit_context,
    available_if,
    with_callbacks,
)
from skgd._warn import warn

if TYPE_CHECKING:
    from typing import Self

    from sklearn.utils import Tags


def _check_refitted(search: GDLinearRegressorCV) -> bool:
    """Raise if no estimator is fitted with the best parameters."""
    if search.refit is False:
        raise AttributeError(
            "With refit=False, GDLinearRegressorCV fits no estimator with the best "
            "parameters. Set refit=True, or fit one with best_params_."
        )
    return True


#: Attributes that not every search sets.
_OF_SOME_SEARCHES = (
    "best_estimator_",
    "best_index_",
    "best_params_",
    "best_score_",
    "feature_names_in_",
    "loss_curves_",
    "refit_time_",
)


class Evaluation(NamedTuple):
    """What all candidates became on one split."""

    fits: list[Model | Failure]
    scores: dict[str, dict[str, np.ndarray]]  # of "test" (and "train") rows, by metric
    fit_seconds: float
    score_seconds: float


class GDLinearRegressorCV(BaseSearchCV):
    """Grid search for `GDLinearRegressor` that reads the rows once.

    For squared error, fits and scores depend on the rows only through their moments
    (see `Moments`). The search sums up the moments of each fold in one pass, condenses
    them to a few rows, and descends on these with all candidates side by side. The
    results are those of :class:`~sklearn.model_selection.GridSearchCV`, to rounding,
    and have the same form.

    Parameters
    ----------
    estimator : GDLinearRegressor or None, default=None
        The estimator whose parameters are used, except those that are searched over. It
        cannot be a pipeline; make the search the last step of the pipeline instead.
        None is ``GDLinearRegressor()``.
    param_grid : dict, list of dicts or None, default=None
        Names of parameters and the values to try, as for GridSearchCV; a list of dicts
        is several grids. None is ``{"alpha": [0.0, 1e-4, 1e-3, ..., 100.0]}``.
        Parameters of a strategy are set by two underscores (``strategy__optimizer``).
        All parameters may be searched over, or set in `estimator`, except those that
        need the rows of a fold: `batch_size`, another `loss`, ``early_stopping=True``
        and ``precompute=False``.
    cv : int, cross-validation generator or iterable, default=None
        The splits, as for GridSearchCV: None is 5 folds, and an int is the number of
        folds. Any splitter of scikit-learn or of your own, and pairs of index arrays,
        are also accepted. Rows that are in the same training and test sets are summed
        up once for all splits. Where few rows are in the same sets, as for repeated
        splits and leave-one-out, the time grows with the number of splits.
    scoring : str, list, tuple, dict or None, default=None
        "r2" (None), "neg_mean_squared_error" or "neg_root_mean_squared_error"; or
        several of them, as a list or as a dict with names of your own, and `refit`
        names the one that decides. Other scores need the rows of a fold and raise a
        ValueError.
    refit : bool, str or callable, default=True
        Whether to fit the best candidate to all rows. With several scores, it is the
        name of the score that decides which candidate is the best. A callable gets
        `cv_results_` and returns the index of the best.
    return_train_score : bool, default=False
        Whether `cv_results_` also has the scores on the training rows.
    error_score : "raise" or float, default=nan
        The score of a candidate whose fit raises an error, such as `DivergenceError`; a
        FitFailedWarning names the candidate. With "raise", the error is raised.
    verbose : int, default=0
        Whether to print the number of fits.

    Attributes
    ----------
    cv_results_ : dict of str -> ndarray
        As of GridSearchCV. Candidates descend together: each `mean_fit_time` is an
        equal share of the time of all, including the pass over the rows.
    best_estimator_ : GDLinearRegressor
        The best candidate, fitted to all rows. Not defined with ``refit=False``.
    best_score_ : float
        Mean score of the best candidate on the test rows. Not defined if `refit` is a
        callable, nor with several scores and ``refit=False``.
    best_params_ : dict
        Parameters of the best candidate. Not defined with several scores and
        ``refit=False``.
    best_index_ : int
        Index of the best candidate in `cv_results_`. Defined where `best_params_` is.
    loss_curves_ : list of lists of float
        `loss_curve_` of the best candidate on the training rows of each split; empty
        where its fit failed. Defined where `best_params_` is.
    coef_, intercept_ : ndarray, float or ndarray
        Coefficients and intercept of `best_estimator_`.
    scorer_ : callable or dict
        The scorer, or a dict of the scorers by name.
    n_splits_ : int
        Number of splits.
    refit_time_ : float
        Seconds that fitting `best_estimator_` took.
    multimetric_ : bool
        Whether there are several scores.
    n_features_in_ : int
        Number of features seen during `fit`. Not defined with ``refit=False``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only with refit, and when `X` has
        feature names that are all strings.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : The same for all parameters, scores and
        estimators; it reads the rows for each candidate and fold.
    gd_path : Coefficients for many penalties, without cross-validation.
    sklearn.linear_model.LassoCV, sklearn.linear_model.ElasticNetCV : Search over the
        same `alpha`.
    sklearn.linear_model.RidgeCV : Its `alpha` is ours times the number of rows, in a
        fold that of its training rows.

    Notes
    -----
    `sample_weight` weighs rows in fits and in scores alike, as in GridSearchCV.

    With more than 2000 features and targets together, moments would be larger than most
    data. The rows of each split are then read separately, as by GridSearchCV, but once
    for all candidates.

    For Dask collections, the moments of all folds are summed up where the rows lie, in
    one pass; they need at most 2000 features and targets. Splitters use the numbers of
    the rows, which are counted first where they are not known. These numbers take 8
    bytes per row on the machine that searches, for each split that is in progress; the
    rows are not sent. Tensors on another device than the CPU raise a ValueError.

    There is no `n_jobs`, since all candidates descend together. For a random search,
    pass the candidates of :class:`~sklearn.model_selection.ParameterSampler` as
    `param_grid`, a list of the form ``[{name: [value], ...}, ...]``.

    Callbacks set on the search are told of its splits and of the fit of
    `best_estimator_`. Callbacks of `estimator` are told only of the epochs of that last
    fit, since candidates descend together.

    Where the scores of candidates are equal to rounding, the candidate that ranks first
    may differ from GridSearchCV's. Optimizers that divide gradients by their size, such
    as Adam, amplify rounding, so that their scores agree to fewer digits.

    Where the moments do not determine a score to ten digits, since the model predicts
    nearly exactly or its terms nearly cancel, the model is scored on the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDLinearRegressorCV
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> search = GDLinearRegressorCV(param_grid={"alpha": np.logspace(-4, 2, 13)})
    >>> search.fit(X, y).best_params_
    {'alpha': ...}
    >>> print(f"{search.best_score_:.3f}")
    0.482
    >>> search.predict(X[:2]).round()
    array([206.,  68.])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": "no_validation",  # to name the way out
        "param_grid": "no_validation",  # by ParameterGrid
        "scoring": "no_validation",  # to name the way out
        **{
            name: BaseSearchCV._parameter_constraints[name]
            for name in ("cv", "refit", "return_train_score", "error_score", "verbose")
        },
    }

    def __init__(
        self,
        estimator: GDLinearRegressor | None = None,
        param_grid: Grid | None = None,
        *,
        cv: int | BaseCrossValidator | Iterable[Any] | None = None,
        scoring: str | Sequence[str] | Mapping[str, str] | None = None,
        refit: bool | str | Callable[[dict[str, Any]], int] = True,
        return_train_score: bool = False,
        error_score: float | str = np.nan,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.return_train_score = return_train_score
        self.error_score = error_score
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike | SparseLike | Collection,
        y: ArrayLike | Collection,
        sample_weight: ArrayLike | Collection | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Evaluate all candidates on all splits, and fit the best to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Training data, as for `GDLinearRegressor.fit`; tensors have to be on the
            CPU.
        y : array-like or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Targets. Scores are averaged over them.
        sample_weight : array-like or Dask collection of shape (n_samples,), \
                default=None
            Nonnegative weights, in fits and scores. None is a weight of one for each
            row.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows, for splitters such as
            :class:`~sklearn.model_selection.GroupKFold` that keep them together.

        Returns
        -------
        self : GDLinearRegressorCV
            The fitted search.

        Raises
        ------
        ValueError
            On bad input or parameters; on parameters, candidates and scores that need
            the rows of a fold; if a fold has no rows with a weight; if all fits fail.
            Whatever is raised, the search stays as it was before.
        TypeError
            If `estimator` is not a GDLinearRegressor, or `param_grid` is not a grid.

        Warns
        -----
        FitFailedWarning
            If some fits fail. It names the candidates.
        ConvergenceWarning
            If fits used up `max_iter` without reaching `tol`.
        UserWarning
            If scores are nan.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.model_selection import TimeSeriesSplit
        >>> from skgd import GDLinearRegressor, GDLinearRegressorCV
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((1000, 3))
        >>> y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(1000)
        >>> textbook = GDLinearRegressor(max_iter=100, tol=None)
        >>> rates = {"learning_rate": [0.001, 0.01, 0.1]}
        >>> search = GDLinearRegressorCV(textbook, rates, cv=TimeSeriesSplit())
        >>> search.fit(X, y).best_params_
        {'learning_rate': 0.1}
        >>> search.cv_results_["mean_test_score"].round(2)
        array([0.3 , 0.92, 0.94])
        """
        refuse_elsewhere(
            "GDLinearRegressorCV sums up the rows of folds there (GridSearchCV fits "
            "each fold where X lies)",
            X=X,
        )
        names = scoring_names(self.scoring)
        multimetric = isinstance(self.scoring, (list, tuple, dict))
        if multimetric:
            self._check_refit_for_multimetric(names)
        combinations = parameters_of(self.param_grid)
        told = {"estimator": self, "X": X, "y": y}
        if sample_weight is not None:
            told["metadata"] = {"sample_weight": sample_weight}
        context = self._init_callback_context(max_subtasks=1 + bool(self.refit))
        context.call_on_fit_task_begin(**told)
        with fitting(self, X) as search:
            estimator = search._checked_estimator()
            rows, dtype, y_is_1d = validated_data(
                estimator, X, y, sample_weight, reset=True
            )
            candidates = candidates_of(
                estimator,
                combinations,
                dtype,
                rows.n_targets,
                y_is_1d=y_is_1d,
                origin=origin_of(X),
            )
            begin = perf_counter()
            splitter = check_cv(self.cv, None, classifier=False)
            folds = Folds(rows, splits_of(splitter, rows, X, y, groups))
            seconds = (perf_counter() - begin) / folds.n_splits
            if self.verbose > 0:
                n, n_splits = len(candidates), folds.n_splits
                print(
                    f"Fitting {n_splits} folds for each of {n} candidates, totalling "
                    f"{n * n_splits} fits"
                )
            splits = context.subcontext(
                task_name="search", max_subtasks=folds.n_splits
            ).call_on_fit_task_begin(**told)
            evaluations = []
            for split in range(folds.n_splits):
                task = splits.subcontext(task_name="split")
                task.call_on_fit_task_begin(**told)
                evaluation = search._evaluate(candidates, folds, split, names)
                spent = seconds + evaluation.fit_seconds
                evaluations.append(evaluation._replace(fit_seconds=spent))
                task.call_on_fit_task_end(**told)
            splits.call_on_fit_task_end(**told)
            fits = [evaluation.fits for evaluation in evaluations]
            raise_or_warn_of_failures(candidates, fits, self.error_score)
            warn_of_short_fits(candidates, fits)
            search.n_splits_, search.multimetric_ = folds.n_splits, multimetric
            search._store(candidates, evaluations, names)
            if self.refit is not False:
                begin = perf_counter()
                candidate = candidates[search.best_index_]
                best = with_parameters(estimator, candidate.parameters)
                task = context.subcontext(task_name="refit-with-best-params")
                with task.propagate_callback_context(best):
                    task.call_on_fit_task_begin(**told)
                    _fit_to_all(best, candidate, folds, X, y, sample_weight)
                task.call_on_fit_task_end(**told)
                search.best_estimator_ = best
                search.refit_time_ = perf_counter() - begin
                if hasattr(estimator, "feature_names_in_"):
                    search.feature_names_in_ = estimator.feature_names_in_
            fitted = partial(vars, search) if self.refit is not False else None
            context.call_on_fit_task_end(**told, reconstruction_attributes=fitted)
        return self

    @available_if(_check_refitted)
    def predict(
        self, X: ArrayLike | SparseLike | Collection
    ) -> np.ndarray | Collection:
        """Predict with the best candidate.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Predictions of `best_estimator_`, as of `GDLinearRegressor.predict`.

        Raises
        ------
        AttributeError
            With ``refit=False``, as the method is looked up.

        Examples
        --------
        >>> from skgd import GDLinearRegressorCV
        >>> X = [[float(i)] for i in range(10)]
        >>> y = [2.0 * i + 1.0 for i in range(10)]
        >>> search = GDLinearRegressorCV(param_grid={"alpha": [0.0, 1.0]}).fit(X, y)
        >>> search.predict([[20.0]]).round(3)
        array([41.])
        """
        check_is_fitted(self)
        return self.best_estimator_.predict(X)

    @available_if(_check_refitted)
    def score(
        self,
        X: ArrayLike | SparseLike | Collection,
        y: ArrayLike | Collection,
        sample_weight: ArrayLike | Collection | None = None,
    ) -> float:
        """Return the score of the best candidate, by `scoring`.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Samples.
        y : array-like or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Targets of the samples.
        sample_weight : array-like or Dask collection of shape (n_samples,), \
                default=None
            Nonnegative weights. None is a weight of one for each row.

        Returns
        -------
        score : float
            The score; with several scores, the one that `refit` names.

        Raises
        ------
        AttributeError
            With ``refit=False``, as the method is looked up.
        ValueError
            With several scores, if `refit` is a callable, which names none of them.

        Examples
        --------
        >>> from skgd import GDLinearRegressorCV
        >>> X = [[float(i)] for i in range(10)]
        >>> y = [2.0 * i + 1.0 for i in range(10)]
        >>> search = GDLinearRegressorCV(scoring="neg_mean_squared_error").fit(X, y)
        >>> search.best_params_, round(search.score(X, y), 6) + 0.0
        ({'alpha': 0.0}, 0.0)
        """
        check_is_fitted(self)
        scorer: Any = self.scorer_
        if self.multimetric_:
            if callable(self.refit):
                raise ValueError(
                    "There are several scores, and refit is a callable, which names "
                    f"none of them. Use scorer_[name](best_estimator_, X, y), of "
                    f"{', '.join(map(repr, scorer))}."
                )
            scorer = scorer[self.refit]
        if is_collection(X):
            names = scoring_names(self.scoring)
            metric = names[str(self.refit) if self.multimetric_ else "score"]
            return score_where_it_lies(
                self.best_estimator_, X, y, sample_weight, metric=metric
            )
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return scorer(self.best_estimator_, X, y, **weights)

    @property
    def coef_(self) -> np.ndarray:
        """Coefficients of `best_estimator_`."""
        return self._of_best("coef_")

    @property
    def intercept_(self) -> float | np.ndarray:
        """Intercept of `best_estimator_`."""
        return self._of_best("intercept_")

    @property
    def penalty(self) -> Any:
        """Name of its penalty; ``SelectFromModel`` selects by zero if it is "l1"."""
        best: Any = getattr(self, "best_estimator_", self._estimator)
        return best.penalty

    def get_metadata_routing(self) -> Any:
        """Return the metadata that the search itself takes; it passes none to others.

        Returns
        -------
        routing : MetadataRequest
            The requests of `sample_weight` and `groups`.

        Examples
        --------
        >>> from skgd import GDLinearRegressorCV
        >>> sorted(GDLinearRegressorCV().get_metadata_routing().fit.requests)
        ['groups', 'sample_weight']
        """
        return BaseEstimator.get_metadata_routing(self)

    def _evaluate(
        self,
        candidates: Sequence[Candidate],
        folds: Folds,
        split: int,
        names: Mapping[str, str],
    ) -> Evaluation:
        """Fit and score all candidates on one split."""
        begin = perf_counter()
        fits = fit_candidates(candidates, folds, split)
        fitted = perf_counter()
        if self.error_score == "raise":
            for fit in fits:
                if not isinstance(fit, Model):
                    raise fit()
        scores = self._scores(fits, folds, split, names)
        return Evaluation(fits, scores, fitted - begin, perf_counter() - fitted)

    def _scores(
        self,
        fits: Sequence[Model | Failure],
        folds: Folds,
        split: int,
        names: Mapping[str, str],
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return the scores on the test rows and, if asked for, the training rows."""
        index = [i for i, fit in enumerate(fits) if isinstance(fit, Model)]
        models = [fit.parameters for fit in fits if isinstance(fit, Model)]
        failed = np.nan if self.error_score == "raise" else float(self.error_score)
        sets = {"test": (folds.test, folds.test_rows, folds.n_test)}
        if self.return_train_score:
            sets["train"] = folds.training, folds.training_rows, folds.n_training
        scores: dict[str, dict[str, np.ndarray]] = {}
        for kind, (moments, rows, n_rows) in sets.items():
            found = {}
            if models:
                found = scores_of(
                    Models.of(models),
                    set(names.values()),
                    moments(split) if folds.condenses else None,
                    partial(rows, split),
                    n_rows(split),
                )
            scores[kind] = {key: np.full(len(fits), failed) for key in names}
            for key, name in names.items():
                scores[kind][key][index] = found.get(name, failed)
        return scores

    def _store(
        self,
        candidates: Sequence[Candidate],
        evaluations: Sequence[Evaluation],
        names: Mapping[str, str],
    ) -> None:
        """Set what is known of candidates, and which is the best."""
        for name in _OF_SOME_SEARCHES:
            self.__dict__.pop(name, None)
        scorers = {key: get_scorer(name) for key, name in names.items()}
        self.scorer_ = scorers if self.multimetric_ else scorers["score"]
        self.cv_results_ = self._format_results(
            [candidate.parameters for candidate in candidates],
            len(evaluations),
            _in_scikit_learns_form(candidates, evaluations, self.multimetric_),
        )
        if self.multimetric_ and self.refit is False:
            return
        metric = self.refit if self.multimetric_ else "score"
        self.best_index_ = self._select_best_index(self.refit, metric, self.cv_results_)
        if not callable(self.refit):
            scores = self.cv_results_[f"mean_test_{metric}"]
            self.best_score_ = scores[self.best_index_]
        self.best_params_ = candidates[self.best_index_].parameters
        fits = [evaluation.fits[self.best_index_] for evaluation in evaluations]
        self.loss_curves_ = [
            fit.loss_curve.tolist() if isinstance(fit, Model) else [] for fit in fits
        ]

    def _checked_estimator(self) -> GDLinearRegressor:
        """Return a copy of the estimator that may be fitted."""
        estimator = self._estimator
        if not isinstance(estimator, GDLinearRegressor):
            raise TypeError(
                "The 'estimator' parameter of GDLinearRegressorCV must be a "
                f"GDLinearRegressor, or None. Got {estimator!r} instead. If it is a "
                "pipeline, make the search its last step: make_pipeline(..., "
                "GDLinearRegressorCV(GDLinearRegressor(), param_grid)); or search with "
                "sklearn.model_selection.GridSearchCV, which prepares each fold by "
                "itself."
            )
        for method in ("fit", "predict", "score"):
            ours = getattr(GDLinearRegressor, method)
            if getattr(type(estimator), method) is not ours:
                raise ValueError(
                    f"estimator={estimator!r} has a `{method}` of its own, which a "
                    "search on the moments of folds would not call. Search with "
                    "sklearn.model_selection.GridSearchCV."
                )
        for callback in getattr(estimator, "_skl_callbacks", []):
            if isinstance(callback, AutoPropagatedCallback):
                raise TypeError(
                    f"{estimator!r} has a {type(callback).__name__}, which belongs to "
                    "the search: GDLinearRegressorCV(...).set_callbacks(...)."
                )
        return clone(estimator)

    @property
    def _estimator(self) -> GDLinearRegressor:
        """The estimator, or that of the default."""
        return GDLinearRegressor() if self.estimator is None else self.estimator

    def _of_best(self, name: str) -> Any:
        """Return an attribute of the best estimator."""
        if not hasattr(self, "best_estimator_"):
            raise AttributeError(
                f"GDLinearRegressorCV has no {name} before it is fitted, nor with "
                "refit=False."
            )
        return getattr(self.best_estimator_, name)

    def __sklearn_tags__(self) -> Tags:
        tags = get_tags(self._estimator)
        tags.array_api_support = False  # not on all devices
        return tags

    def _sk_visual_block_(self) -> Any:
        """Return what notebooks show: the best estimator, or the one to search for."""
        shown = copy(self)
        shown.estimator = self._estimator
        return BaseSearchCV._sk_visual_block_(shown)


@with_callbacks
def _fit_to_all(
    best: GDLinearRegressor,
    candidate: Candidate,
    folds: Folds,
    X: ArrayLike | SparseLike | Collection,
    y: ArrayLike | Collection,
    sample_weight: ArrayLike | Collection | None,
) -> None:
    """Fit the estimator of a candidate to all rows."""
    settings, rows = candidate.settings, folds.rows
    if settings is None:  # it was chosen by a callable
        assert candidate.error is not None
        raise candidate.error
    settings = replace(settings, strategy=clone(settings.strategy))  # it starts once
    with settings.device.gradients_on():
        if folds.condenses:
            problem = condensed(folds.whole, settings, folds.n_with_weight, None, rows)
            problem = replace(problem, moments=folds.whole)
        else:
            problem = problem_of_data(rows, settings)
    start = start_of(best, rows, going_on=False)
    task = begin_fit_task(best, X, y, sample_weight)
    fitted = best._descend(settings, problem, start, task)
    if fitted.result.outcome is Outcome.STOPPED:
        warn(
            f"A callback ended the fit of best_estimator_ after {best.n_iter_} epochs, "
            "and not those that were scored: scores are not of that model. Search with "
            "sklearn.model_selection.GridSearchCV, where callbacks end each fit.",
            UserWarning,
        )


def _in_scikit_learns_form(
    candidates: Sequence[Candidate],
    evaluations: Sequence[Evaluation],
    multimetric: bool,
) -> list[dict[str, Any]]:
    """Return what BaseSearchCV formats: a dict a fit, split by split of a candidate."""
    fits = []
    for i in range(len(candidates)):
        for evaluation in evaluations:
            fit: dict[str, Any] = {
                "fit_time": evaluation.fit_seconds / len(candidates),
                "score_time": evaluation.score_seconds / len(candidates),
            }
            for kind, by_metric in evaluation.scores.items():
                scores = {name: values[i] for name, values in by_metric.items()}
                fit[f"{kind}_scores"] = scores if multimetric else scores["score"]
            fits.append(fit)
    return fits
