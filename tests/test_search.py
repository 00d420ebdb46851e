"""A search in one pass has the results of scikit-learn's, which fits each candidate."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import (
    ConvergenceWarning,
    FitFailedWarning,
    UndefinedMetricWarning,
)
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LassoCV, RidgeCV
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgd import DivergenceError, GDLinearRegressor, GDLinearRegressorCV
from skgd.strategies import ManualStrategy, ModuleStrategy

SCORES = ("r2", "neg_mean_squared_error", "neg_root_mean_squared_error")


@parametrize_with_checks(
    [
        GDLinearRegressorCV(),
        GDLinearRegressorCV(
            GDLinearRegressor("module"),
            {"alpha": [0.0, 1.0]},
            cv=3,
            scoring=SCORES,
            refit="r2",  # of which the checks want more than 0.5
        ),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def in_one_pass(estimator, grid, X, y, *, weight=None, groups=None, **options):
    """Return the search, warnings of candidates aside."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search = GDLinearRegressorCV(estimator, grid, return_train_score=True)
        return search.set_params(**options).fit(X, y, weight, groups)


def fit_by_fit(estimator, grid, X, y, *, weight=None, groups=None, **options):
    """Return what scikit-learn finds, with weights in fits and in scores."""
    scoring = options.pop("scoring", None)
    names = [scoring] if isinstance(scoring, str) else scoring or ["r2"]
    given = {"sample_weight": weight, "groups": groups}
    given = {name: value for name, value in given.items() if value is not None}
    with config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = clone(estimator).set_fit_request(sample_weight=True)
        scorers = {
            name: get_scorer(name).set_score_request(sample_weight=True)
            for name in names
        }
        if not isinstance(scoring, list):
            (scorers,) = scorers.values()
        search = GridSearchCV(estimator, grid, scoring=scorers, return_train_score=True)
        return search.set_params(**options).fit(X, y, **given)


def assert_same_results(ours, theirs, rtol=1e-9):
    """All but the times, and the order of candidates that score alike."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, expected in theirs.cv_results_.items():
        found = ours.cv_results_[name]
        if name.startswith("param"):
            assert str(found) == str(expected)
        elif name.startswith("rank"):
            means = theirs.cv_results_[name.replace("rank", "mean")]
            in_order = means[np.argsort(found, kind="stable")]
            scored = in_order[: np.isfinite(means).sum()]
            assert (np.diff(scored) <= rtol * (1 + np.abs(scored[1:]))).all()
        elif not name.endswith("time"):
            np.testing.assert_allclose(found, expected, rtol, rtol, err_msg=name)


#: What a grid may be made of, and values to choose among.
VALUES = {
    "learning_rate": ["auto", 1e-3, 1e-2, 0.1, 0.5, 30.0],
    "alpha": [0.0, 1e-3, 0.1, 10.0],
    "l1_ratio": [0.0, 0.3, 1.0],
    "positive": [False, True],
    "fit_intercept": [True, False],
    "standardize": ["auto", True, False],
    "whiten": ["auto", False],
    "momentum": ["auto", 0.0, 0.8],
    "max_iter": [1, 7, 60],
    "tol": [None, 1e-3],
    "schedule": ["auto", "constant", "invscaling", "adaptive"],
    "average": [False, True],
}

grids = st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=2, unique=True)
grids = grids.flatmap(
    lambda names: st.fixed_dictionaries(
        {
            name: st.lists(
                st.sampled_from(VALUES[name]), min_size=1, max_size=2, unique=True
            )
            for name in names
        }
    )
)


def splitters(rng, n):
    """Return splitters of all kinds, and groups where they need them."""
    groups = rng.integers(0, 4, n)
    groups[:4] = range(4)
    train = [rng.integers(0, n, n) for _ in range(2)]
    return {
        "5 folds": (5, None),
        "shuffled": (KFold(3, shuffle=True, random_state=0), None),
        "drawn": (ShuffleSplit(4, test_size=0.3, random_state=0), None),
        "groups": (GroupKFold(4), groups),
        "time": (TimeSeriesSplit(3), None),
        "repeated": (RepeatedKFold(n_splits=2, n_repeats=2, random_state=0), None),
        "given": (PredefinedSplit(groups - 1), None),
        "bootstrap": ([(t, np.setdiff1d(range(n), t)) for t in train], None),
        "overlapping": ([(np.arange(n), np.arange(n // 2))] * 2, None),
    }


def table(rng, n, d, n_targets):
    """Columns of several scales and offsets, that correlate."""
    X = rng.standard_normal((n, d)) @ (np.eye(d) + 0.5 * rng.standard_normal((d, d)))
    X = X * rng.choice([0.1, 1, 3], d) + rng.choice([0, 0, 2, 30], d)
    y = X @ rng.standard_normal((d, n_targets)) + rng.standard_normal((n, n_targets))
    return X, y[:, 0] if n_targets == 1 else y + rng.choice([0, 100])


@given(
    seed=st.integers(0, 2**32 - 1),
    grid=st.one_of(grids, st.lists(grids, min_size=2, max_size=2)),
    cv=st.sampled_from(list(splitters(np.random.default_rng(0), 10))),
    scoring=st.sampled_from([None, *SCORES, list(SCORES)]),
    strategy=st.sampled_from(["manual"] * 4 + ["autograd", "module"]),
)
@settings(max_examples=40, deadline=None)
def test_results_are_those_of_scikit_learns_search(seed, grid, cv, scoring, strategy):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(24, 90)), int(rng.integers(1, 6))
    X, y = table(rng, n, d, int(rng.integers(1, 3)))
    weight = [None, rng.uniform(0.1, 3, n), rng.integers(0, 3, n) * 1.0]
    splitter, groups = splitters(rng, n)[cv]
    options = {
        "cv": splitter,
        "refit": SCORES[1] if isinstance(scoring, list) else True,
    }
    given = {"weight": weight[rng.integers(3)], "groups": groups, "scoring": scoring}
    estimator = GDLinearRegressor(strategy, max_iter=40)
    try:
        theirs = fit_by_fit(estimator, grid, X, y, **given, **options)
    except ValueError as error:  # of all fits, or of the one to all rows
        diverged = isinstance(error, DivergenceError)
        words = "diverged" if diverged else r"All the .* fits failed"
        with pytest.raises(type(error), match=words):
            in_one_pass(estimator, grid, X, y, **given, **options)
        return
    ours = in_one_pass(estimator, grid, X, y, **given, **options)
    assert_same_results(ours, theirs)
    if ours.best_params_ == theirs.best_params_:
        expected = theirs.best_estimator_
        np.testing.assert_allclose(ours.coef_, expected.coef_, 1e-7, 1e-9)
        np.testing.assert_allclose(ours.predict(X), expected.predict(X), 1e-7, 1e-7)
        score = ours.score(X, y, given["weight"])
        assert np.isfinite(score)


@pytest.fixture(scope="module")
def diabetes():
    """The diabetes table in raw units, as pandas."""
    return load_diabetes(return_X_y=True, as_frame=True, scaled=False)


def test_every_strategy_finds_the_same(strategy, diabetes):
    grid = {
        "learning_rate": ["auto", 1e-6, 1e-5],
        "alpha": [0.0, 1.0],
        "l1_ratio": [0.0, 0.5],
    }
    estimator = GDLinearRegressor(strategy, max_iter=30, tol=None)
    ours = in_one_pass(estimator, grid, *diabetes)
    theirs = fit_by_fit(estimator.set_params(strategy="manual"), grid, *diabetes)
    assert_same_results(ours, theirs)


class HeavyBall(ManualStrategy):
    """Steps that go on from those before, for which it has to be a new one."""

    velocity = None

    def update(self, learning_rate):
        self.velocity = self.velocity or [0 * each for each in self.parameters]
        of_all = zip(self.parameters, self.gradients, self.velocity, strict=True)
        for parameter, gradient, velocity in of_all:
            velocity *= 0.5
            velocity += gradient
            parameter -= learning_rate * velocity


def failing_optimizer(parameters, lr):
    raise ZeroDivisionError(lr)


class Fixed(ManualStrategy):
    """Steps by the sign of the gradient of all targets together: not plain."""

    def update(self, learning_rate):
        size = sum(float((g**2).sum()) for g in self.gradients) ** 0.5
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter -= learning_rate * gradient / (1 + size)


@pytest.mark.parametrize(
    "strategies",
    [
        [ModuleStrategy(optimizer=torch.optim.Adam), "module"],
        [ModuleStrategy(module=lambda d, t: torch.nn.Linear(d, t)), "autograd"],
        [ModuleStrategy(optimizer_params={"momentum": 0.5}), ManualStrategy()],
        [Fixed(), "manual"],
        [HeavyBall(), "manual"],
        [ModuleStrategy(optimizer=failing_optimizer), "manual"],
    ],
    ids=["Adam", "factory", "momentum", "own", "with a state", "failing"],
)
def test_strategies_that_take_other_steps_descend_alone(strategies, regression):
    grid = {"strategy": strategies, "learning_rate": [0.01, 0.05]}
    estimator = GDLinearRegressor(max_iter=20, tol=None)
    ours = in_one_pass(estimator, grid, *regression)
    theirs = fit_by_fit(estimator, grid, *regression)
    assert_same_results(ours, theirs)
    np.testing.assert_allclose(ours.coef_, theirs.best_estimator_.coef_, rtol=1e-9)


def test_parameters_of_a_strategy_are_searched_over(regression):
    estimator = GDLinearRegressor(
        ModuleStrategy(), learning_rate=0.1, max_iter=20, tol=None
    )
    grid = {"strategy__optimizer": [torch.optim.SGD, torch.optim.Adam]}
    ours = in_one_pass(estimator, grid, *regression)
    assert_same_results(ours, fit_by_fit(estimator, grid, *regression))
    assert estimator.strategy.optimizer is torch.optim.SGD
    assert ours.estimator.strategy.optimizer is torch.optim.SGD


def test_a_candidate_may_have_a_number_for_each_target(strategy, two_targets):
    grid = {
        "alpha": [np.array([0.0, 1.0]), np.array([0.3, 0.1]), 0.2],
        "learning_rate": ["auto", np.array([0.1, 0.02])],
        "l1_ratio": [0.0, 0.5],
    }
    estimator = GDLinearRegressor(strategy, max_iter=30, tol=None)
    assert_same_results(
        in_one_pass(estimator, grid, *two_targets, cv=3),
        fit_by_fit(estimator, grid, *two_targets, cv=3),
    )


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array, np.float32])
def test_other_forms_of_rows(form, regression):
    X, y = regression
    X = X * (np.abs(X) > 0.4)
    grid = {"alpha": [0.0, 0.1], "learning_rate": ["auto", 0.01]}
    converted = X.astype(form) if form is np.float32 else form(X)
    ours = in_one_pass(GDLinearRegressor(), grid, converted, y)
    rtol = 1e-5 if form is np.float32 else 1e-9
    assert_same_results(ours, fit_by_fit(GDLinearRegressor(), grid, converted, y), rtol)
    assert ours.coef_.dtype == (np.float32 if form is np.float32 else np.float64)


def test_folds_may_have_fewer_rows_than_columns():
    """Their largest eigenvalue is estimated, and by the same number here and there."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 120))
    y = X[:, 0] + rng.standard_normal(40)
    grid = {"alpha": [0.01, 0.1], "l1_ratio": [0.5, 1.0]}
    estimator = GDLinearRegressor(max_iter=20, tol=None)
    ours = in_one_pass(estimator, grid, X, y, cv=3)
    assert_same_results(ours, fit_by_fit(estimator, grid, X, y, cv=3))


def test_wide_tables_are_read_by_row():
    """More columns than moments are summed up for."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2001))
    y = X[:, 0] + rng.standard_normal(30)
    grid = {"learning_rate": [1e-4, 2e-4], "alpha": [0.0, 1.0]}
    estimator = GDLinearRegressor(max_iter=5, tol=None)
    ours = in_one_pass(estimator, grid, X, y, cv=3)
    assert_same_results(ours, fit_by_fit(estimator, grid, X, y, cv=3))
    X[3, 7] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN.*\nColumn 7"):
        in_one_pass(estimator, grid, X, y, cv=3)


@pytest.mark.parametrize(
    ("offset", "noise", "rtol"), [(0, 1e-5, 1e-9), (1e8, 1e-2, 1e-5)]
)
def test_scores_that_moments_do_not_resolve_are_taken_from_the_rows(
    offset, noise, rtol
):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2)) + offset
    y = (X - offset) @ [1.0, 2.0] + noise * rng.standard_normal(60)
    grid, names = {"alpha": [0.0, 1e-3]}, list(SCORES)
    options = {"scoring": names, "refit": "r2"}
    ours = in_one_pass(GDLinearRegressor(), grid, X, y, **options)
    theirs = fit_by_fit(GDLinearRegressor(), grid, X, y, **options)
    for name in names:
        found, expected = (
            search.cv_results_[f"mean_test_{name}"] for search in (ours, theirs)
        )
        np.testing.assert_allclose(found, expected, rtol)


def test_ridge_and_lasso_choose_the_alphas_that_scikit_learn_does(diabetes):
    X, y = diabetes
    X = StandardScaler().fit_transform(X)
    alphas = np.geomspace(0.01, 30, 12)
    lasso = GDLinearRegressor(l1_ratio=1.0, tol=1e-8, max_iter=5000)
    search = GDLinearRegressorCV(
        lasso, {"alpha": alphas}, cv=5, scoring="neg_mean_squared_error"
    )
    assert (
        search.fit(X, y).best_params_["alpha"]
        == LassoCV(alphas=alphas).fit(X, y).alpha_
    )
    search = GDLinearRegressorCV(param_grid={"alpha": alphas}, cv=5)
    n = len(y) * 4 / 5  # Ridge's penalty is weighed against a sum
    folds = KFold(5)
    assert abs(len(next(iter(folds.split(X)))[0]) - n) < 1
    by_ridge = RidgeCV(alphas=alphas * n, cv=folds, scoring="r2").fit(X, y)
    assert search.fit(X, y).best_params_["alpha"] * n == pytest.approx(by_ridge.alpha_)


def test_a_rate_that_diverges_is_scored_nan_and_named(diabetes):
    grid = {"learning_rate": [1e-6, 1.0]}
    search = GDLinearRegressorCV(GDLinearRegressor(max_iter=50, tol=None), grid)
    with (
        pytest.warns(
            FitFailedWarning,
            match=r"5 fits failed out of a total of 10.*"
            r"\nlearning_rate=1.0 on 5 of 5 splits.*DivergenceError",
        ),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(*diabetes)
    assert np.isnan(search.cv_results_["mean_test_score"][1])
    assert search.best_params_ == {"learning_rate": 1e-6}
    search.set_params(error_score="raise")
    with pytest.raises(DivergenceError, match="learning_rate=1"):
        search.fit(*diabetes)
    search.set_params(error_score=np.nan, param_grid={"learning_rate": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"All the 10 fits .*\n.*DivergenceError"):
        search.fit(*diabetes)
    assert search.best_params_ == {"learning_rate": 1e-6}  # as it was before


def test_candidates_that_fall_short_are_warned_of_once(diabetes):
    search = GDLinearRegressorCV(
        GDLinearRegressor(max_iter=3), {"learning_rate": [1e-6, "auto"]}, refit=False
    )
    with pytest.warns(
        ConvergenceWarning, match="5 of 10 fits used up max_iter"
    ) as all_:
        search.fit(*diabetes)
    assert len(all_) == 1


def test_loss_curves_are_those_of_the_best_on_each_split(diabetes):
    X, y = diabetes
    rates = {"learning_rate": [1e-6, 1e-5]}
    estimator = GDLinearRegressor(max_iter=7, tol=None)
    search = GDLinearRegressorCV(estimator, rates, cv=KFold(3)).fit(X, y)
    estimator.set_params(**search.best_params_)
    for curve, (train, _) in zip(search.loss_curves_, KFold(3).split(X), strict=True):
        expected = estimator.fit(X.iloc[train], y.iloc[train]).loss_curve_
        np.testing.assert_allclose(curve, expected, rtol=1e-9)


def test_refit_by_a_callable_and_not_at_all(diabetes):
    search = GDLinearRegressorCV(param_grid={"alpha": [0.0, 1.0]}, refit=lambda _: 1)
    assert search.fit(*diabetes).best_params_ == {"alpha": 1.0}
    assert not hasattr(search, "best_score_")
    search.set_params(refit=False).fit(*diabetes)
    assert search.best_index_ == 0
    for name in ("best_estimator_", "predict", "score", "coef_", "n_features_in_"):
        assert not hasattr(search, name)


def test_select_from_model_knows_a_lasso(diabetes):
    lasso = GDLinearRegressor(l1_ratio=1.0)
    search = GDLinearRegressorCV(lasso, {"alpha": [2.0]})
    chosen = SelectFromModel(search).fit(*diabetes)
    np.testing.assert_array_equal(chosen.get_support(), chosen.estimator_.coef_ != 0)
    assert 0 < chosen.get_support().sum() < 10


def test_it_is_an_estimator_among_others(diabetes):
    X, y = diabetes
    search = GDLinearRegressorCV(param_grid={"alpha": [0.0, 0.1]})
    nested = cross_val_score(make_pipeline(StandardScaler(), search), X, y, cv=3)
    assert nested.min() > 0.4
    assert clone(search).fit(X, y).feature_names_in_.tolist() == list(X.columns)
    search.fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert "best_estimator_: GDLinearRegressor" in search._repr_html_()
    assert "estimator: GDLinearRegressor" in GDLinearRegressorCV()._repr_html_()
    np.testing.assert_array_equal(search.coef_, search.best_estimator_.coef_)
    assert search.best_estimator_.moments_.weight == len(y)
    frame = pd.DataFrame(search.cv_results_)
    assert list(frame["param_alpha"]) == [0.0, 0.1]


BAD = [
    ({"param_grid": {}}, None, None),
    ({"param_grid": []}, ValueError, "param_grid=.* holds no candidates"),
    ({"param_grid": {"alpha": []}}, ValueError, "non-empty sequence"),
    ({"param_grid": {"alpha": 1.0}}, TypeError, "needs to be a list"),
    ({"param_grid": {"rate": [1.0]}}, ValueError, "Invalid parameter 'rate'"),
    ({"param_grid": {"batch_size": [8]}}, ValueError, "batch_size=8 .*GridSearchCV"),
    ({"param_grid": {"loss": ["huber"]}}, ValueError, "loss='huber' .*GridSearchCV"),
    ({"param_grid": {"precompute": [False]}}, ValueError, "precompute=False .*Grid"),
    (
        {"estimator": GDLinearRegressor(early_stopping=True)},
        ValueError,
        "early_stopping=True .*GridSearchCV",
    ),
    (
        {"estimator": make_pipeline(StandardScaler(), GDLinearRegressor())},
        TypeError,
        "make the search its last step",
    ),
    ({"scoring": "rmse"}, ValueError, "'rmse' is not among .*get_scorer_names"),
    ({"scoring": {"R2": get_scorer("r2")}, "refit": "R2"}, ValueError, "not a name"),
    ({"scoring": "neg_mean_absolute_error"}, ValueError, "single rows.*GridSearchCV"),
    ({"scoring": get_scorer("r2")}, ValueError, "not a name"),
    ({"scoring": []}, ValueError, "holds no scores"),
    ({"scoring": ["r2"]}, ValueError, "refit must be set to a scorer key"),
    ({"cv": []}, ValueError, "splits"),
    ({"cv": GroupKFold(2)}, ValueError, "'groups' parameter should not be None"),
    ({"cv": 41}, ValueError, "greater than the number of samples"),
    ({"cv": [([0, 1], [99])]}, (ValueError, IndexError), "99"),
    ({"cv": [([], [1])]}, ValueError, "split 0"),
]


@pytest.mark.parametrize(("parameters", "error", "match"), BAD)
def test_bad_input_is_refused(parameters, error, match, regression):
    search = GDLinearRegressorCV(**parameters)
    if error is None:
        assert search.fit(*regression).best_params_ == {}
        return
    with pytest.raises(error, match=match):
        search.fit(*regression)
    assert not hasattr(search, "cv_results_")


def test_folds_without_weight_and_constant_targets(regression):
    X, y = regression
    weight = np.ones(40)
    weight[:8] = 0
    with pytest.raises(ValueError, match="split 0"):
        GDLinearRegressorCV().fit(X, y, weight)
    y = np.where(np.arange(40) < 8, 0.1, y)
    ours = in_one_pass(GDLinearRegressor(), {"alpha": [0.0, 1.0]}, X, y)
    theirs = fit_by_fit(GDLinearRegressor(), {"alpha": [0.0, 1.0]}, X, y)
    assert (ours.cv_results_["split0_test_score"] == 0).all()
    for split in range(1, 5):
        name = f"split{split}_test_score"
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name])


def test_one_training_row_with_a_weight_has_a_score_like_that_of_scikit_learn(
    regression,
):
    X, y = regression
    weight = np.r_[np.ones(30), np.zeros(9), 1]
    splits = [(np.arange(30, 40), np.arange(30))]
    ours, theirs = (
        search(GDLinearRegressor(), {"alpha": [0.0]}, X, y, weight=weight, cv=splits)
        for search in (in_one_pass, fit_by_fit)
    )
    np.testing.assert_array_equal(
        np.isnan(ours.cv_results_["mean_train_score"]),
        np.isnan(theirs.cv_results_["mean_train_score"]),
    )


def test_r2_of_single_rows_is_nan_and_the_squared_error_is_not(regression):
    X, y = (array[:12] for array in regression)
    search = GDLinearRegressorCV(cv=LeaveOneOut(), refit=False)
    with (
        pytest.warns(UndefinedMetricWarning, match="fewer than two rows"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    search.set_params(scoring="neg_mean_squared_error").fit(X, y)
    theirs = fit_by_fit(
        GDLinearRegressor(),
        {"alpha": search.cv_results_["param_alpha"].data.tolist()},
        X,
        y,
        scoring="neg_mean_squared_error",
        cv=LeaveOneOut(),
    )
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )


def test_columns_with_missing_values_are_named(diabetes):
    X, y = diabetes
    X = X.astype(float)
    X.loc[3, "bmi"] = np.nan
    with pytest.raises(ValueError, match="bmi"):
        GDLinearRegressorCV().fit(X, y)


def test_callbacks_are_told_of_splits(regression):
    class Log:
        def __init__(self):
            self.seen = []

        def setup(self, estimator, context):
            self.seen.append("setup")

        def on_fit_task_begin(self, estimator, context):
            self.seen.append(("begin", context.task_name))

        def on_fit_task_end(self, estimator, context):
            self.seen.append(("end", context.task_name))

        def teardown(self, estimator, context):
            self.seen.append("teardown")

    log = Log()
    GDLinearRegressorCV(cv=3).set_callbacks(log).fit(*regression)
    assert log.seen[0] == "setup"
    assert log.seen[-1] == "teardown"
    assert log.seen.count(("end", "split")) == 3
    assert log.seen[1] == ("begin", "fit")
    assert log.seen[-2] == ("end", "fit")
