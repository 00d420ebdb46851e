"""Dask collections are fitted where they lie, and as the rows in memory are."""

import subprocess
import sys
import warnings
from copy import deepcopy
from itertools import pairwise
from threading import Lock

import dask
import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import torch
from by_hand import descend
from conftest import STRATEGIES, strategies_on
from hypothesis import given, settings
from hypothesis import strategies as st
from in_parts import (
    CUTS,
    array,
    arrays,
    frame_of,
    frames,
    is_frame,
    partitions_of,
    sizes_of,
)
from numpy.testing import assert_allclose
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from test_search import assert_same_results

from skgd import (
    DivergenceError,
    GDLinearRegressor,
    GDLinearRegressorCV,
    Moments,
    gd_path,
)
from skgd.strategies import GradientStrategy, ManualStrategy, ModuleStrategy

# Tables are cut along their columns in many tests, and one is about the warning.
pytestmark = pytest.mark.filterwarnings("ignore:X is cut into .* along its columns")

SIZES = 9, 20, 4, 17

seeds = st.integers(0, 2**32 - 1)
cuts = st.sampled_from(list(CUTS))
n_parts = st.integers(1, 7)


@pytest.fixture(autouse=True, scope="module")
def _one_task_after_the_other():
    """Set the scheduler that takes the least time; a few tests set that of threads."""
    with dask.config.set(scheduler="synchronous"):
        yield


def table(rng, n_rows, n_features=3, n_targets=1):
    """Columns that correlate somewhat and lie about 0.5, a target on each, noise."""
    X = rng.standard_normal((n_rows, n_features)) + 0.3 * rng.standard_normal()
    X = X + 0.4 * rng.standard_normal((n_rows, 1)) + 0.5
    y = X @ rng.uniform(0.5, 2, (n_features, n_targets)) + 1
    y = y + 0.5 * rng.standard_normal(y.shape)
    return X, y[:, 0] if n_targets == 1 else y


def weights(rng, n_rows):
    """Weights of which a quarter is zero, but never all."""
    weight = rng.uniform(0.5, 2, n_rows) * (rng.random(n_rows) > 0.25)
    weight[rng.integers(n_rows)] = 1.0
    return weight


@st.composite
def problems(draw, n_targets=(1, 2), min_rows=15):
    """Return X, y, weights or None, and the same as Dask collections."""
    rng = np.random.default_rng(draw(seeds))
    n_rows = draw(st.integers(min_rows, 60))
    X, y = table(rng, n_rows, draw(st.integers(1, 4)), draw(st.sampled_from(n_targets)))
    weight = weights(rng, n_rows) if draw(st.booleans()) else None
    return (X, y, weight), CUTS[draw(cuts)](rng, X, y, weight, draw(n_parts))


@st.composite
def parameters(draw, strategies=STRATEGIES):
    """Return parameters of squared error's full batch that go together."""
    chosen = {
        "strategy": draw(st.sampled_from(strategies)),
        "fit_intercept": draw(st.booleans()),
        "standardize": draw(st.sampled_from(["auto", True, False])),
        "alpha": draw(st.sampled_from([0.0, 0.1, 1.0])),
        "l1_ratio": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "positive": draw(st.sampled_from([False, False, True])),
    }
    proximal = chosen["alpha"] * chosen["l1_ratio"] > 0 or chosen["positive"]
    if not proximal and chosen["standardize"] is not False:
        chosen["whiten"] = draw(st.sampled_from(["auto", True, False]))
    if draw(st.booleans()):
        chosen |= {"learning_rate": 0.01, "max_iter": 20, "tol": None}
        chosen["momentum"] = draw(st.sampled_from(["auto", 0.5]))
    return chosen


def fitted(parameters, data, **options):
    """Return a model; of warnings, there is none but that of chunks over columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "X is cut into .* chunks along its columns")
        return GDLinearRegressor(**parameters).fit(*data, **options)


def assert_same_model(model, expected, rtol=1e-9):
    """The coefficients to so many digits of the largest, and how they were found."""
    size = np.abs(expected.coef_).max() + np.abs(expected.intercept_).max()
    assert model.coef_.shape == expected.coef_.shape
    assert model.coef_.dtype == expected.coef_.dtype
    assert_allclose(model.coef_, expected.coef_, rtol, rtol * size)
    assert np.shape(model.intercept_) == np.shape(expected.intercept_)
    assert_allclose(model.intercept_, expected.intercept_, rtol, rtol * size)
    assert model.n_features_in_ == expected.n_features_in_
    assert model.n_iter_ == expected.n_iter_
    curve = np.array(expected.loss_curve_)
    assert_allclose(model.loss_curve_, curve, rtol, rtol * abs(curve).max())


# --- the full batch of squared error


@given(problem=problems(), parameters=parameters())
@settings(max_examples=40, deadline=None)
def test_a_fit_is_the_fit_of_the_rows_in_memory(problem, parameters):
    rows, parts = problem
    expected = GDLinearRegressor(**parameters).fit(*rows)
    model = fitted(parameters, parts)
    assert_same_model(model, expected)
    assert type(model.coef_) is np.ndarray


@given(problem=problems())
@settings(max_examples=20, deadline=None)
def test_scores_and_predictions_are_those_of_the_rows_in_memory(problem):
    (X, y, weight), parts = problem
    X = frame_of(X) if is_frame(parts.X) else X
    model = GDLinearRegressor().fit(X, y, weight)
    score = model.score(*parts)
    assert isinstance(score, float)
    assert score == pytest.approx(model.score(X, y, weight), abs=1e-12)
    prediction = model.predict(parts.X)
    assert isinstance(prediction, da.Array | dd.Series | dd.DataFrame)
    computed = np.asarray(prediction.compute())
    assert_allclose(computed, model.predict(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("strategy", "cut"),
    strategies_on(zip(CUTS), [("array",), ("unknown chunks",), ("frame",)]),
)
def test_every_cut_is_fitted_in_threads(strategy, cut):
    """What hypothesis draws now and then, here always: weights and two targets."""
    rng = np.random.default_rng(0)
    X, y = table(rng, 50, 3, 2)
    weight = weights(rng, 50)
    parts = CUTS[cut](rng, X, y, weight, 5)
    with dask.config.set(scheduler="threads"):
        model = fitted({"strategy": strategy, "alpha": 0.1}, parts)
    assert_same_model(model, GDLinearRegressor(strategy, alpha=0.1).fit(X, y, weight))


def test_the_score_of_one_row_is_not_defined():
    X, y = table(np.random.default_rng(0), 50)
    model = GDLinearRegressor().fit(X, y)
    with pytest.warns(UndefinedMetricWarning, match="fewer than two rows"):
        assert np.isnan(model.score(array(X[:1], (1,)), array(y[:1], (1,))))


def test_the_score_of_one_row_with_a_weight_is_that_of_the_rows_in_memory():
    X, y = table(np.random.default_rng(0), 50)
    model, weight = GDLinearRegressor().fit(X, y), np.array([0.0, 1.0])
    parts = arrays(X[:2], y[:2], weight, (1, 1))
    assert model.score(*parts) == model.score(X[:2], y[:2], weight)


def test_targets_of_a_score_may_be_tiny_in_one_partition():
    X, y = table(np.random.default_rng(0), 50)
    model = GDLinearRegressor().fit(X, y)
    y[: SIZES[0]] *= 1e-170
    score = model.score(*arrays(X, y, None, SIZES))
    assert score == pytest.approx(model.score(X, y), rel=1e-9)


def test_names_of_columns_are_kept_and_checked():
    X, y = table(np.random.default_rng(0), 50)
    parts = frames(X, y, None, SIZES)
    model = GDLinearRegressor().fit(*parts)
    assert list(model.feature_names_in_) == ["x0", "x1", "x2"]
    other = parts.X.rename(columns={"x2": "z"})
    with pytest.raises(ValueError, match=r"(?s)feature names should match.*z"):
        model.predict(other)
    with pytest.raises(ValueError, match=r"(?s)feature names should match"):
        model.score(parts.X[["x1", "x0", "x2"]], parts.y)
    plain = GDLinearRegressor().fit(*arrays(X, y, None, SIZES))
    assert not hasattr(plain, "feature_names_in_")


def test_columns_that_are_numbered_have_no_names():
    X, y = table(np.random.default_rng(0), 50)
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    model = GDLinearRegressor().fit(frame, dd.from_pandas(pd.Series(y), npartitions=3))
    assert not hasattr(model, "feature_names_in_")
    assert_same_model(model, GDLinearRegressor().fit(X, y))


@pytest.mark.parametrize("form", [arrays, frames])
@pytest.mark.parametrize("parameters", [{}, {"alpha": 0.1, "l1_ratio": 1.0}])
def test_float32_stays_float32(form, parameters):
    X, y = table(np.random.default_rng(0), 50)
    X, y = X.astype("float32"), y.astype("float32")
    parts = form(X, y, None, SIZES)
    model = fitted(parameters, parts)
    assert model.coef_.dtype == np.float32
    prediction = model.predict(parts.X)
    assert prediction.dtype == prediction.compute().dtype == np.float32
    # Rows are multiplied in float32.
    expected = GDLinearRegressor(**parameters).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, rtol=2e-6)


def test_integers_booleans_and_floats_of_a_frame_are_one_table():
    rng = np.random.default_rng(0)
    X, y = table(rng, 50)
    data = frame_of(X)
    data["whole"] = rng.integers(0, 5, 50)
    data["flag"] = rng.random(50) < 0.5
    data["single"] = rng.standard_normal(50).astype("float32")
    model = fitted({}, (partitions_of(data, SIZES), y))
    assert_same_model(model, GDLinearRegressor().fit(data, y))


@pytest.mark.parametrize("parameters", [{}, {"learning_rate": 0.01, "max_iter": 5}])
def test_a_warm_start_goes_on_from_the_last_fit(parameters):
    X, y = table(np.random.default_rng(0), 50)
    parts = arrays(X, y, None, SIZES)
    models = [
        GDLinearRegressor(**parameters, warm_start=True, tol=None, max_iter=7)
        if not parameters
        else GDLinearRegressor(**parameters, warm_start=True, tol=None)
        for _ in range(2)
    ]
    for model, data in zip(models, [(X, y), parts], strict=True):
        model.fit(*data).fit(*data)
    assert_same_model(models[1], models[0])
    started = fitted(
        {"learning_rate": 0.01, "max_iter": 1, "tol": None},
        parts,
        coef_init=[1.0, 2, 3],
        intercept_init=4.0,
    )
    expected = descend(X, y, 0.01, coef_init=np.array([1.0, 2, 3]), intercept_init=4.0)
    assert_allclose(started.coef_, expected.coef, rtol=1e-12)


def test_columns_that_nearly_repeat_each_other_keep_their_digits():
    """Columns 1e-7 of their spread apart: in moments alone nothing is left of that."""
    rng = np.random.default_rng(0)
    X, _ = table(rng, 300, 2)
    difference = rng.standard_normal(300)
    X = np.column_stack([X, X[:, 0] + 1e-7 * difference])
    y = X[:, 1] + 3 * difference + 0.1 * rng.standard_normal(300)
    for form in arrays, frames:
        parts = form(X, y, None, sizes_of(rng, 300, 6))
        model = fitted({}, parts)
        expected = GDLinearRegressor().fit(X, y)
        exact = LinearRegression().fit(np.column_stack([X[:, :2], difference]), y)
        assert_allclose(expected.coef_[2], 1e7 * exact.coef_[2], rtol=1e-5)
        # The difference has nine digits in the rows.
        assert_allclose(model.coef_[1:], expected.coef_[1:], rtol=1e-6)
        assert_allclose(
            model.predict(parts.X).compute(), expected.predict(X), rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("parameters", [{}, {"alpha": 0.1}, {"whiten": False}])
def test_columns_far_from_zero_keep_their_digits(parameters):
    """A million spreads away, as times in seconds are; float64 has ten digits left."""
    rng = np.random.default_rng(0)
    X, y = table(rng, 200)
    expected = GDLinearRegressor(**parameters).fit(X, y)
    X = X + np.array([1e6, -1e6, 0])
    parts = arrays(X, y, None, sizes_of(rng, 200, 6))
    model = fitted(parameters, parts)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert_allclose(model.coef_, GDLinearRegressor(**parameters).fit(X, y).coef_, 1e-8)


def test_partitions_that_lie_apart_are_merged_with_all_digits():
    """A column that grows from partition to partition, as a time does."""
    rng = np.random.default_rng(0)
    X, y = table(rng, 400)
    X = np.column_stack([X, 1.7e9 + np.arange(400.0)])
    parts = arrays(X, y, None, (50,) * 8)
    assert_same_model(fitted({}, parts), GDLinearRegressor().fit(X, y), rtol=1e-8)


def test_chunks_over_columns_are_put_together_with_a_warning_of_what_it_costs():
    X, y = table(np.random.default_rng(0), 50)
    parts = arrays(X, y, None, SIZES, columns=(2, 1))
    with pytest.warns(UserWarning, match=r"(?s)2 chunks along its columns.*rechunk"):
        model = GDLinearRegressor().fit(*parts)
    assert_same_model(model, GDLinearRegressor().fit(X, y))


@pytest.mark.parametrize("form", [arrays, frames])
def test_targets_cut_up_otherwise_meet_their_rows(form):
    """Even where an index says otherwise, as in scikit-learn; it is by position."""
    X, y = table(np.random.default_rng(0), 50)
    parts = form(X, y, None, SIZES)
    model = fitted({}, (parts.X, form(X, y, None, (25, 25)).y))
    assert_same_model(model, GDLinearRegressor().fit(X, y))


def test_partitions_without_rows_or_weights_are_passed_over(strategy):
    """At the front, in the middle and at the end."""
    rng = np.random.default_rng(0)
    X, y = table(rng, 50)
    weight = np.repeat([0.0, 1, 0, 2, 0], 10)
    sizes = 0, 10, 10, 0, 10, 10, 10, 0
    for parameters in (
        {},
        {"precompute": False, "max_iter": 5, "tol": None},
        {"loss": "huber", "fit_intercept": False, "max_iter": 5, "tol": None},
        {"batch_size": 5, "shuffle": False, "max_iter": 3, "tol": None},
    ):
        options = {"strategy": strategy, **parameters}
        expected = GDLinearRegressor(**options).fit(X, y, weight)
        for form in arrays, frames:
            parts = form(X, y, weight, sizes)
            model = fitted(options, parts)
            assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
            score = model.score(*parts)
            assert score == pytest.approx(expected.score(X, y, weight), abs=1e-9)


def test_a_number_is_no_weight_of_each_row():
    X, y = table(np.random.default_rng(0), 50)
    parts = arrays(X, y, None, SIZES)._replace(weight=2.0)
    with pytest.raises(
        ValueError, match=r"sample_weight=2\.0 is not one.*leave it out"
    ):
        fitted({}, parts)


@pytest.mark.parametrize("name", ["X", "y"])
def test_values_may_be_tiny_in_one_partition(name):
    """As those of a Gaussian far from its centre, whose squares are zero."""
    X, y = table(np.random.default_rng(0), 50)
    {"X": X[:, 1], "y": y}[name][: SIZES[0]] *= 1e-170
    model = fitted({}, arrays(X, y, None, SIZES))
    assert_same_model(model, GDLinearRegressor().fit(X, y))


def test_chunks_of_a_single_row_are_fitted():
    X, y = table(np.random.default_rng(0), 40)
    model = fitted({}, arrays(X, y, None, (1,) * 40))
    assert_same_model(model, GDLinearRegressor().fit(X, y))


def test_more_columns_than_rows_in_a_partition_are_fitted():
    X, y = table(np.random.default_rng(0), 60, 20)
    model = fitted({}, arrays(X, y, None, (12,) * 5))
    assert_same_model(model, GDLinearRegressor().fit(X, y))


def test_a_rate_too_large_is_said_with_the_largest_stable_one():
    X, y = table(np.random.default_rng(0), 50)
    parts = arrays(X, y, None, SIZES)
    model = GDLinearRegressor(learning_rate=10.0)
    with pytest.raises(DivergenceError) as local:
        model.fit(X, y)
    with pytest.raises(DivergenceError) as ours:
        model.fit(*parts)
    assert str(ours.value) == str(local.value)
    assert not hasattr(model, "coef_")


# --- moments, and what goes by them


@given(problem=problems())
@settings(max_examples=25, deadline=None)
def test_moments_are_those_of_the_rows_in_memory(problem):
    rows, parts = problem
    found, expected = Moments.from_data(*parts), Moments.from_data(*rows)
    assert found.weight == pytest.approx(expected.weight, rel=1e-14)
    assert_allclose(found.mean, expected.mean, rtol=1e-13, atol=1e-14)
    size = np.abs(expected.scatter).max()
    assert_allclose(found.scatter, expected.scatter, rtol=1e-12, atol=1e-13 * size)
    assert found.n_features == expected.n_features
    assert found.y_is_1d == expected.y_is_1d


def test_a_path_descends_from_moments_of_partitions():
    X, y = table(np.random.default_rng(0), 50)
    moments = Moments.from_data(*arrays(X, y, None, SIZES))
    found, expected = (
        gd_path(m, l1_ratio=1.0) for m in (moments, Moments.from_data(X, y))
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_moments_of_a_fit_are_kept_and_merge_with_those_of_more_rows():
    X, y = table(np.random.default_rng(0), 80)
    model = fitted({}, arrays(X[:50], y[:50], None, SIZES))
    model.partial_fit(*arrays(X[50:], y[50:], None, (10, 20)))
    expected = GDLinearRegressor().fit(X[:50], y[:50]).partial_fit(X[50:], y[50:])
    assert_same_model(model, expected)
    assert model.moments_.weight == 80


@given(problem=problems(min_rows=24), seed=seeds)
@settings(max_examples=10, deadline=None)
def test_a_stream_of_collections_is_a_stream_of_rows(problem, seed):
    (X, y, weight), _ = problem
    rng = np.random.default_rng(seed)
    half = len(y) // 2
    weight = np.ones(len(y)) if weight is None else weight + 0.1
    model, expected = GDLinearRegressor(), GDLinearRegressor()
    for chunk in slice(half), slice(half, None):
        part = X[chunk], y[chunk], weight[chunk]
        model.partial_fit(*CUTS["array"](rng, *part, 3))
        expected.partial_fit(*part)
    assert_same_model(model, expected)


def splits_of(rng, n):
    """Return splitters that cut the rows in different ways, and groups."""
    groups = rng.permutation(np.arange(n) % 5)
    drawn = [rng.permutation(n) for _ in range(2)]
    return {
        "a number": (3, None),
        "shuffled": (KFold(3, shuffle=True, random_state=0), None),
        "drawn": (ShuffleSplit(3, test_size=0.3, random_state=0), None),
        "groups": (GroupKFold(3), groups),
        "time": (TimeSeriesSplit(3), None),
        "given": (PredefinedSplit(groups - 1), None),
        "pairs": ([(rows[: n // 2], rows[n // 2 :]) for rows in drawn], None),
        "bootstrap": ([(rng.integers(0, n, n), np.arange(n // 2))] * 2, None),
    }


GRIDS = [
    {"alpha": [0.0, 0.1, 1.0]},
    {"alpha": [0.01, 0.1], "l1_ratio": [1.0]},
    {"learning_rate": [0.01, 0.05], "max_iter": [20], "tol": [None]},
]


def searched(grid, data, groups, **options):
    """Return a search, without a warning but for that of chunks over columns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "X is cut into .* chunks along its columns")
        search = GDLinearRegressorCV(None, grid, return_train_score=True, **options)
        return search.fit(*data, groups)


@given(
    problem=problems(min_rows=30),
    seed=seeds,
    grid=st.sampled_from(GRIDS),
    name=st.sampled_from(list(splits_of(np.random.default_rng(0), 20))),
)
@settings(max_examples=15, deadline=None)
def test_a_search_is_that_of_the_rows_in_memory(problem, seed, grid, name):
    (X, y, weight), parts = problem
    X = frame_of(X) if is_frame(parts.X) else X
    if weight is not None:  # no fold is without one
        weight, parts = weight + 0.1, parts._replace(weight=parts.weight + 0.1)
    rows = X, y, weight
    cv, groups = splits_of(np.random.default_rng(seed), len(rows[1]))[name]
    expected = searched(grid, rows, groups, cv=cv)
    search = searched(grid, parts, groups, cv=cv)
    assert_same_results(search, expected)
    assert_same_model(search.best_estimator_, expected.best_estimator_)
    assert search.score(*parts) == pytest.approx(expected.score(*rows), abs=1e-9)


@pytest.mark.parametrize("name", splits_of(np.random.default_rng(0), 20))
@pytest.mark.parametrize("form", [arrays, frames])
def test_every_splitter_cuts_the_rows_of_collections(name, form):
    rng = np.random.default_rng(0)
    X, y = table(rng, 50)
    cv, groups = splits_of(rng, 50)[name]
    expected = searched(GRIDS[0], (X, y, None), groups, cv=cv)
    search = searched(GRIDS[0], form(X, y, None, SIZES), groups, cv=cv)
    assert_same_results(search, expected)
    if form is frames:
        assert list(search.feature_names_in_) == ["x0", "x1", "x2"]


def test_groups_are_to_be_in_memory():
    X, y = table(np.random.default_rng(0), 50)
    groups = array(np.arange(50) % 5, SIZES)
    with pytest.raises(ValueError, match=r"groups is .* groups\.compute\(\)"):
        searched(GRIDS[0], arrays(X, y, None, SIZES), groups, cv=GroupKFold(3))


def test_several_scores_are_those_of_the_rows_in_memory():
    X, y = table(np.random.default_rng(0), 50)
    options = {"scoring": ["r2", "neg_mean_squared_error"], "refit": "r2", "cv": 3}
    expected = searched(GRIDS[0], (X, y, None), None, **options)
    search = searched(GRIDS[0], arrays(X, y, None, SIZES), None, **options)
    assert_same_results(search, expected)


# --- other losses, and the full batch in parts


@given(problem=problems(), strategy=st.sampled_from(STRATEGIES))
@settings(max_examples=8, deadline=None)
def test_hubers_loss_is_fitted_in_parts(problem, strategy):
    rows, parts = problem
    options = {"strategy": strategy, "loss": "huber", "epsilon": 0.5, "tol": 1e-7}
    expected = GDLinearRegressor(**options).fit(*rows)
    model = fitted(options, parts)
    size = 1e-6 * (abs(expected.coef_).max() + abs(expected.intercept_).max())
    assert_allclose(model.coef_, expected.coef_, rtol=1e-6, atol=size)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-6, atol=size)


#: Huber's loss without the median of y to start at, which no partition knows.
IN_PARTS = [
    {"loss": "huber", "epsilon": 0.5, "standardize": False, "learning_rate": 0.05},
    {"loss": "huber", "epsilon": 0.5, "fit_intercept": False},
    {"loss": "huber", "epsilon": 0.5, "fit_intercept": False, "whiten": False},
    {"loss": "huber", "fit_intercept": False, "alpha": 0.1, "l1_ratio": 0.5},
    {"precompute": False},
    {"precompute": False, "alpha": 0.1},
    {"precompute": False, "learning_rate": 0.05},
    {"precompute": False, "learning_rate": 0.02, "momentum": 0.5, "average": True},
    {"precompute": False, "whiten": False, "positive": True},
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("parameters", IN_PARTS, ids=str)
def test_the_full_batch_in_parts_has_the_iterates_of_the_rows_in_memory(
    parameters, weighted
):
    rng = np.random.default_rng(0)
    X, y = table(rng, 50)
    weight = weights(rng, 50) if weighted else None
    options = {**parameters, "max_iter": 5, "tol": None}
    expected = GDLinearRegressor(**options).fit(X, y, weight)
    assert_same_model(fitted(options, arrays(X, y, weight, SIZES)), expected)


def absolute(prediction, target):
    return (prediction - target).abs()


@pytest.mark.parametrize("strategy", ["autograd", "module"])
def test_a_loss_of_the_users_own_is_summed_over_partitions(strategy):
    X, y = table(np.random.default_rng(0), 50)
    options = {"loss": absolute, "learning_rate": 0.05, "max_iter": 10, "tol": None}
    expected = GDLinearRegressor(strategy, **options).fit(X, y)
    model = fitted({"strategy": strategy, **options}, arrays(X, y, None, SIZES))
    assert_same_model(model, expected)


# --- mini-batches


MINI_BATCHES = [
    {},
    {"learning_rate": 0.02},
    {"learning_rate": 0.02, "momentum": 0.5},
    {"learning_rate": 0.02, "average": True},
    {"learning_rate": 0.02, "schedule": "invscaling", "standardize": True},
    {"alpha": 0.1},
    {"alpha": 0.1, "l1_ratio": 1.0},
    {"loss": "huber", "epsilon": 0.5},
    {"fit_intercept": False, "whiten": False},
]


@pytest.mark.parametrize("batch_size", [6, 3])
@pytest.mark.parametrize("parameters", MINI_BATCHES, ids=str)
def test_batches_that_end_with_their_partition_are_those_of_the_rows_in_memory(
    parameters, batch_size
):
    X, y = table(np.random.default_rng(0), 60)
    options = {
        **parameters,
        "batch_size": batch_size,
        "shuffle": False,
        "max_iter": 4,
        "tol": None,
    }
    expected = GDLinearRegressor(**options).fit(X, y)
    model = fitted(options, arrays(X, y, None, (12, 6, 30, 12)))
    assert_same_model(model, expected)


def batches_of(sizes, batch_size, random_state, epochs):
    """Yield the rows of each batch: partitions in a fresh order, rows of each too."""
    starts = np.cumsum([0, *sizes[:-1]])
    for _ in range(epochs):
        order = random_state.permutation(len(sizes))
        drawn = random_state.randint(2**31 - 1, size=len(sizes))
        for k in order:
            rows = np.random.RandomState(drawn[k]).permutation(sizes[k])
            for first in range(0, sizes[k], batch_size):
                yield starts[k] + rows[first : first + batch_size]


@pytest.mark.parametrize("weighted", [False, True])
def test_mini_batches_are_those_of_a_loop_by_hand(strategy, weighted):
    rng = np.random.default_rng(0)
    X, y = table(rng, sum(SIZES))
    weight = rng.uniform(0.5, 2, len(y)) if weighted else None
    options = {"learning_rate": 0.02, "batch_size": 6, "max_iter": 3, "tol": None}
    model = fitted(
        {"strategy": strategy, "random_state": 5, **options},
        arrays(X, y, weight, SIZES),
    )
    unit = np.ones(len(y)) if weight is None else weight / weight.mean()
    coef, intercept = np.zeros(3), 0.0
    for batch in batches_of(SIZES, 6, np.random.RandomState(5), epochs=3):
        # The step of a short batch is shorter; and weights count against those of all.
        step = descend(
            X[batch],
            y[batch],
            0.02 * len(batch) / 6 * unit[batch].mean(),
            weight=unit[batch],
            coef_init=coef,
            intercept_init=intercept,
        )
        coef, intercept = step.coef, step.intercept
    assert_allclose(model.coef_, coef, rtol=1e-10)
    assert_allclose(model.intercept_, intercept, rtol=1e-10)


@pytest.mark.parametrize("form", [arrays, frames])
def test_mini_batches_converge_and_repeat_with_a_seed(form):
    X, y = table(np.random.default_rng(0), 300)
    parts = form(X, y, None, (50, 100, 150))
    options = {"batch_size": 20, "max_iter": 20, "tol": None}
    models = [fitted({**options, "random_state": seed}, parts) for seed in (0, 0, 1)]
    assert np.array_equal(models[0].coef_, models[1].coef_)
    assert not np.array_equal(models[0].coef_, models[2].coef_)
    assert_allclose(models[0].coef_, LinearRegression().fit(X, y).coef_, rtol=0.02)


@pytest.mark.parametrize("parameters", [{}, {"learning_rate": 0.02}, {"alpha": 0.1}])
def test_each_partition_is_a_chunk_of_a_stream_in_batches(parameters):
    X, y = table(np.random.default_rng(0), 50)
    options = {**parameters, "batch_size": 5, "random_state": 3}
    model, expected = GDLinearRegressor(**options), GDLinearRegressor(**options)
    for _ in range(2):
        model.partial_fit(*arrays(X, y, None, SIZES))
        for first, end in pairwise(np.cumsum([0, *SIZES])):
            expected.partial_fit(X[first:end], y[first:end])
    assert_allclose(model.coef_, expected.coef_, rtol=1e-9)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-9)


# --- what is read, and when


class Reads:
    """Counts how often partitions are read, from any thread."""

    def __init__(self):
        self.count, self._lock = 0, Lock()

    def __dask_tokenize__(self):
        return id(self)

    def __call__(self, part):
        with self._lock:
            self.count += 1
        return part

    def of(self, collection):
        """Return the same collection, of which each read counts."""
        if isinstance(collection, da.Array):
            meta = np.empty((0,) * collection.ndim, collection.dtype)
            return collection.map_blocks(self, dtype=collection.dtype, meta=meta)
        return collection.map_partitions(self, meta=collection._meta)


@pytest.mark.parametrize("form", [arrays, frames])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"alpha": 0.1, "l1_ratio": 0.5},
        {"whiten": False},
        {"learning_rate": 0.01, "max_iter": 50, "tol": None},
        {"standardize": False, "positive": True},
        {"strategy": "module"},
    ],
    ids=str,
)
def test_least_squares_reads_each_partition_once_whatever_the_epochs(form, parameters):
    rng = np.random.default_rng(0)
    X, y = table(rng, 50)
    X, y, weight = form(X, y, weights(rng, 50), SIZES)
    reads = [Reads() for _ in range(3)]
    data = [each.of(a) for each, a in zip(reads, (X, y, weight), strict=True)]
    model = fitted(parameters, data)
    assert model.n_iter_ > 0
    assert [each.count for each in reads] == [len(SIZES)] * 3


@pytest.mark.parametrize("form", [arrays, frames])
def test_a_search_reads_each_partition_once_and_once_for_their_lengths(form):
    X, y, _ = form(*table(np.random.default_rng(0), 50), None, SIZES)
    reads = Reads()
    search = searched(GRIDS[0], (reads.of(X), y, None), None, cv=3)
    assert search.best_score_ > 0.5
    known = form is arrays
    assert len(SIZES) <= reads.count <= len(SIZES) * (1 if known else 2)


@pytest.mark.parametrize("form", [arrays, frames])
def test_a_prediction_reads_nothing_before_it_is_computed(form):
    X, y = table(np.random.default_rng(0), 50)
    reads, parts = Reads(), form(X, y, None, SIZES)
    model = GDLinearRegressor().fit(*parts)
    prediction = model.predict(reads.of(parts.X))
    assert reads.count == 0
    assert_allclose(prediction.compute(), model.predict(parts.X.compute()), rtol=1e-12)
    assert reads.count == len(SIZES)


# --- predictions


def test_a_prediction_of_an_array_keeps_its_chunks():
    X, Y = table(np.random.default_rng(0), 50, 3, 2)
    for y, more in (Y[:, 0], ()), (Y, ((2,),)):
        parts = arrays(X, y, None, SIZES, columns=(1, 2))
        model = GDLinearRegressor().fit(*parts)
        prediction = model.predict(parts.X)
        assert prediction.chunks == (SIZES, *more)
        assert prediction.dtype == np.float64
        assert_allclose(prediction.compute(), model.predict(X), rtol=1e-12)


def test_a_prediction_of_unknown_chunks_has_unknown_chunks():
    rng = np.random.default_rng(0)
    X, y = table(rng, 50)
    parts = CUTS["unknown chunks"](rng, X, y, None, 4)
    prediction = GDLinearRegressor().fit(*parts).predict(parts.X)
    assert prediction.numblocks == parts.X.numblocks[:1]
    assert np.isnan(prediction.shape[0])
    assert len(prediction.compute()) == 50


def test_a_prediction_of_a_frame_is_a_series_with_its_index():
    X, Y = table(np.random.default_rng(0), 50, 3, 2)
    parts = frames(X, Y[:, 0], None, SIZES)
    model = GDLinearRegressor().fit(*parts)
    prediction = model.predict(parts.X)
    assert isinstance(prediction, dd.Series)
    assert prediction.npartitions == len(SIZES)
    computed = prediction.compute()
    assert computed.index.equals(frame_of(X).index)
    assert_allclose(computed, model.predict(frame_of(X)), rtol=1e-12)

    parts = frames(X, Y, None, SIZES)
    model = GDLinearRegressor().fit(*parts)
    prediction = model.predict(parts.X)
    assert isinstance(prediction, dd.DataFrame)
    computed = prediction.compute()
    assert list(computed.columns) == list(prediction.columns)
    assert computed.index.equals(frame_of(X).index)
    assert_allclose(computed, model.predict(frame_of(X)), rtol=1e-12)


def test_a_prediction_is_a_column_to_assign():
    X, y = table(np.random.default_rng(0), 50)
    parts = frames(X, y, None, SIZES)
    model = GDLinearRegressor().fit(*parts)
    with_it = parts.X.assign(predicted=model.predict(parts.X)).compute()
    assert_allclose(with_it["predicted"], model.predict(frame_of(X)), rtol=1e-12)


def test_divisions_are_kept_by_a_prediction():
    X, y = table(np.random.default_rng(0), 50)
    frame = dd.from_pandas(frame_of(X), npartitions=4)
    prediction = GDLinearRegressor().fit(frame, y).predict(frame)
    assert prediction.divisions == frame.divisions
    assert_allclose(prediction.loc[10].compute().index, 10)


def test_a_model_of_rows_in_memory_predicts_collections_and_the_other_way_round():
    X, y = table(np.random.default_rng(0), 50)
    parts = frames(X, y, None, SIZES)
    local = GDLinearRegressor().fit(frame_of(X), y)
    assert_allclose(
        local.predict(parts.X).compute(), local.predict(frame_of(X)), rtol=1e-12
    )
    model = GDLinearRegressor().fit(*parts)
    assert isinstance(model.predict(frame_of(X)), np.ndarray)


def test_a_prediction_needs_a_fit_and_as_many_columns():
    X, y = table(np.random.default_rng(0), 50)
    parts = arrays(X, y, None, SIZES)
    with pytest.raises(NotFittedError):
        GDLinearRegressor().predict(parts.X)
    model = GDLinearRegressor().fit(*parts)
    with pytest.raises(ValueError, match=r"has 2 features, but .* expecting 3"):
        model.predict(parts.X[:, :2])


def test_a_prediction_of_nan_names_partition_and_column():
    X, y = table(np.random.default_rng(0), 50)
    model = GDLinearRegressor().fit(frame_of(X), y)
    X[30, 1] = np.nan
    prediction = model.predict(frames(X, y, None, SIZES).X)
    with pytest.raises(ValueError, match=r"(?s)contains NaN.*'x1'"):
        prediction.compute()


# --- what is refused


def takers(parameters=None):
    """Return what reads training rows."""
    options = parameters or {}
    return {
        "fit": lambda *data: GDLinearRegressor(**options).fit(*data),
        "in parts": lambda *data: GDLinearRegressor(loss="huber").fit(*data),
        "batches": lambda *data: GDLinearRegressor(batch_size=8).fit(*data),
        "partial_fit": lambda *data: GDLinearRegressor().partial_fit(*data),
        "moments": Moments.from_data,
        "search": lambda *data: GDLinearRegressorCV(cv=3).fit(*data),
    }


@pytest.mark.parametrize("taker", takers())
@pytest.mark.parametrize(
    ("bad", "words"), [(np.nan, "contains NaN"), (np.inf, "contains infinity")]
)
def test_what_is_not_finite_is_named_by_partition_and_column(taker, bad, words):
    X, y = table(np.random.default_rng(0), 50)
    X[[30, 31], 1] = bad
    for form, column in (frames, r"'x1'"), (arrays, "1"):
        message = rf"(?s)In partition 2 of X: Input X {words}.*[Cc]olumn {column}"
        with pytest.raises(ValueError, match=message):
            takers()[taker](*form(X, y, None, SIZES))


@pytest.mark.parametrize("taker", takers())
@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_nan_among_targets_and_weights_is_named_by_partition(taker, name):
    X, y = table(np.random.default_rng(0), 50)
    weight = np.ones(50)
    {"y": y, "sample_weight": weight}[name][10] = np.nan
    for form in frames, arrays:
        message = rf"(?s)[Ii]n partition 1 of .*{name} contains NaN"
        with pytest.raises(ValueError, match=message):
            takers()[taker](*form(X, y, weight, SIZES))


def test_negative_weights_and_none_at_all_are_refused():
    X, y = table(np.random.default_rng(0), 50)
    weight = np.ones(50)
    weight[10] = -1
    with pytest.raises(ValueError, match=r"(?s)partition 1 .*[Nn]egative values"):
        GDLinearRegressor().fit(*arrays(X, y, weight, SIZES))
    with pytest.raises(ValueError, match="no row with a positive sample weight"):
        GDLinearRegressor().fit(*arrays(X, y, np.zeros(50), SIZES))


LENGTHS = {
    "known chunks": lambda X, y: (arrays(X, y, None, SIZES).X, array(y[:-1], (49,))),
    "in memory": lambda X, y: (arrays(X, y, None, SIZES).X, y[:-1]),
    "a frame and memory": lambda X, y: (frames(X, y, None, SIZES).X, y[:-1]),
    "frames": lambda X, y: (
        frames(X, y, None, SIZES).X,
        frames(X[:-1], y[:-1], None, (*SIZES[:-1], SIZES[-1] - 1)).y,
    ),
    "other lengths of partitions": lambda X, y: (
        frames(X, y, None, SIZES).X,
        frames(X, y, None, SIZES[::-1]).y,
    ),
}


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("taker", takers())
def test_rows_that_do_not_belong_together_are_refused(lengths, taker):
    """Also where the sums are equal: rows would meet the targets of others."""
    X, y = table(np.random.default_rng(0), 50)
    with pytest.raises(
        ValueError, match=r"(?s)inconsistent numbers of samples|partition"
    ):
        takers()[taker](*LENGTHS[lengths](X, y))


TEXT = {
    "category": pd.Categorical(["u", "v"] * 25),
    "string": pd.array(["u", "v"] * 25, dtype="string"),
    "object": np.array(["u", "v"] * 25, dtype=object),
}


@pytest.mark.parametrize("kind", TEXT)
@pytest.mark.parametrize("taker", takers())
def test_columns_of_text_are_named_before_anything_is_read(kind, taker):
    X, y = table(np.random.default_rng(0), 50)
    data = frame_of(X)
    data["colour"] = TEXT[kind]
    reads = Reads()
    with dask.config.set({"dataframe.convert-string": False}):
        collection = reads.of(partitions_of(data, SIZES))
        targets = frames(X, y, None, SIZES).y
        with pytest.raises((ValueError, TypeError), match="colour"):
            takers()[taker](collection, targets)
    assert reads.count == 0


@pytest.mark.parametrize("load", [dd.read_parquet, dd.read_csv])
def test_text_is_fitted_as_the_message_on_it_says(load, tmp_path):
    flats = pd.DataFrame({"area": [20.0, 30, 50, 70], "place": list("uvuv")})
    flats["price"] = 3 * flats["area"] + 5 * (flats["place"] == "v")
    flats.to_parquet(tmp_path / "read_parquet")
    flats.to_csv(tmp_path / "read_csv", index=False)
    frame = load(tmp_path / load.__name__)
    with pytest.raises(ValueError, match=r"'place' holds text.*frame\.astype"):
        GDLinearRegressor().fit(frame[["area", "place"]], frame["price"])
    frame = frame.astype({"place": pd.CategoricalDtype(["u", "v"])})
    X = dd.get_dummies(frame[["area", "place"]])
    model = GDLinearRegressor().fit(X, frame["price"])
    assert list(model.feature_names_in_) == ["area", "place_u", "place_v"]
    assert model.coef_ == pytest.approx([3, -2.5, 2.5], rel=1e-9)


def in_another_order(piece):
    return piece[["x1", "x0", "x2"]] if piece.index[0] > 30 else piece


def lacking_a_column(piece):
    return piece[["x0", "x1"]] if piece.index[0] > 30 else piece


@pytest.mark.parametrize("change", [in_another_order, lacking_a_column])
@pytest.mark.parametrize("taker", takers())
def test_a_partition_of_other_columns_than_the_frame_says_is_refused(taker, change):
    """As where files differ: by position, columns would be fitted as others."""
    X, y = table(np.random.default_rng(0), 50)
    data = frame_of(X)
    pieces = [data[:20], data[20:40], data[40:]]
    frame = dd.from_map(lambda k: change(pieces[k]), range(3), meta=data[:0])
    with pytest.raises(ValueError, match=r"(?s)In partition 2 of X.*x1"):
        takers()[taker](frame, array(y, (20, 20, 10)))


@pytest.mark.parametrize("taker", takers())
def test_targets_are_to_be_passed(taker):
    X, _ = table(np.random.default_rng(0), 50)
    with pytest.raises(ValueError, match=r"y is None|y cannot be None"):
        takers()[taker](array(X, SIZES), None)


def test_early_stopping_is_refused_with_what_to_do():
    X, y = table(np.random.default_rng(0), 50)
    parts = arrays(X, y, None, SIZES)
    model = GDLinearRegressor(early_stopping=True)
    with pytest.raises(ValueError, match="early_stopping"):
        model.fit(*parts)
    with pytest.raises(ValueError, match=r"X_val|early_stopping"):
        model.fit(*parts, X_val=parts.X, y_val=parts.y)
    with pytest.raises(ValueError, match=r"X_val is a dask Array.*X_val\.compute\(\)"):
        model.fit(X, y, X_val=parts.X, y_val=y)
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("taker", [*takers(), "predict"])
@pytest.mark.parametrize("kind", ["Delayed", "Bag"])
def test_delayed_objects_and_bags_are_refused_by_name(taker, kind):
    X, y = table(np.random.default_rng(0), 50)
    other = dask.delayed(X) if kind == "Delayed" else dask.bag.from_sequence(X)
    fitted = GDLinearRegressor().fit(X, y)
    ask = {**takers(), "predict": lambda X, y: fitted.predict(X)}[taker]
    with pytest.raises((ValueError, TypeError), match=rf"X .*{kind}"):
        ask(other, y)


@pytest.mark.parametrize("taker", takers())
@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_a_collection_beside_rows_in_memory_is_refused(taker, name):
    X, y = table(np.random.default_rng(0), 50)
    data = {"y": y, "sample_weight": np.ones(50)}
    data[name] = array(data[name], SIZES)
    with pytest.raises((ValueError, TypeError), match=rf"(?i)(?s){name}.*dask"):
        takers()[taker](X, data["y"], data["sample_weight"])


def test_rows_of_one_dimension_or_three_are_refused():
    X, y = table(np.random.default_rng(0), 50)
    for bad in array(y, SIZES), array(X[:, :, None], SIZES):
        with pytest.raises(ValueError, match=r"2D array|dim 3|dimension"):
            GDLinearRegressor().fit(bad, array(y, SIZES))
    series = frames(X, y, None, SIZES).y
    with pytest.raises(ValueError, match=r"2D|dimension|to_frame"):
        GDLinearRegressor().fit(series, series)


@pytest.mark.parametrize("taker", takers())
def test_no_rows_at_all_are_refused(taker):
    parts = arrays(*table(np.random.default_rng(0), 50), None, SIZES)
    nothing = parts.X[:, 0] > np.inf
    with pytest.raises(ValueError, match=r"0 sample|no row .* are empty"):
        takers()[taker](parts.X[nothing], parts.y[nothing])


@pytest.mark.parametrize(
    "parameters", [{}, {"loss": "huber"}, {"batch_size": 8}], ids=str
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_estimator_stays_as_it_was_where_a_fit_fails(parameters, method):
    X, y = table(np.random.default_rng(0), 50)
    bad = X.copy()
    bad[30, 1] = np.nan
    model = GDLinearRegressor(**parameters, tol=1e-3)
    with pytest.raises(ValueError, match="NaN"):
        getattr(model, method)(*frames(bad, y, None, SIZES))
    assert set(vars(model)) == set(model.get_params())
    getattr(model, method)(*arrays(X, y, None, SIZES))
    before = {**vars(model)}
    with pytest.raises(ValueError, match="NaN"):
        getattr(model, method)(*arrays(bad, y, None, SIZES))
    assert vars(model) == before


# --- strategies of the user's own


class Counting(ManualStrategy):
    """Plain gradient descent by a class that only the user knows."""

    def evaluate(self, rows):
        self.rows_seen = getattr(self, "rows_seen", 0) + len(rows.y)
        return super().evaluate(rows)


class HeavyBall(GradientStrategy):
    """Keeps a velocity, and therefore takes steps that are not plain."""

    plain = False

    def start(self, parameters, objective):
        super().start(parameters, objective)
        self.velocity = tuple(np.zeros_like(parameter) for parameter in parameters)

    def evaluate(self, rows):
        coef, *intercept = self.parameters
        prediction = sum(intercept, start=rows.X @ coef)
        losses, residual = self.objective.value_and_residual(prediction, rows, coef)
        slope = 2 / len(rows.y) * residual
        self.gradients = rows.X.T @ slope, *(slope.sum(0) for _ in intercept)
        return losses

    def update(self, learning_rate):
        for parameter, v, gradient in zip(
            self.parameters, self.velocity, self.gradients, strict=True
        ):
            v *= 0.5
            v -= learning_rate * gradient
            parameter += v


class TravellingBall(HeavyBall):
    """Says what a step leaves to the next, and that this is all a step needs."""

    sums_gradients = True

    def state(self):
        return deepcopy((self.parameters, self.velocity))

    def resume(self, state):
        parameters, velocity = state
        super().resume(parameters)
        self.velocity = velocity


TEXTBOOK = {"learning_rate": 0.05, "max_iter": 10, "tol": None}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"precompute": False},
        {"loss": "huber", "epsilon": 0.5},
        {"batch_size": 5, "shuffle": False},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "make",
    [
        Counting,
        HeavyBall,
        TravellingBall,
        lambda: ModuleStrategy(optimizer=torch.optim.Adam),
        lambda: ModuleStrategy(optimizer_params={"momentum": 0.9}),
    ],
    ids=["plain", "heavy ball", "travelling ball", "Adam", "momentum"],
)
def test_a_strategy_of_the_users_own_takes_its_own_steps_or_is_refused(
    make, parameters
):
    """Never other steps than those that it takes on rows in memory."""
    X, y = table(np.random.default_rng(0), 50)
    options = {"strategy": make(), **TEXTBOOK, **parameters}
    parts = arrays(X, y, None, (10, 5, 20, 15))
    if options.get("loss", "squared_error") not in type(options["strategy"]).losses:
        with pytest.raises(ValueError, match="loss"):
            GDLinearRegressor(**options).fit(*parts)
        return
    expected = GDLinearRegressor(**options).fit(X, y)
    if make is HeavyBall and "loss" not in parameters and parameters:
        error, words = NotImplementedError, "define `state` and `resume`"
        if "precompute" in parameters:
            error, words = ValueError, "needs the rows for a step.* Pass a batch_size"
        with pytest.raises(error, match=words):
            GDLinearRegressor(**options).fit(*parts)
        return
    assert_same_model(fitted(options, parts), expected)


# --- what dask-ml promises of its LinearRegression


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_an_intercept_is_fitted_or_not(fit_intercept):
    X, y = table(np.random.default_rng(0), 100, 5)
    parts = arrays(X, y, None, (50, 50))
    model = fitted({"fit_intercept": fit_intercept}, parts)
    assert bool(model.intercept_) is fit_intercept
    assert model.predict(parts.X).compute().shape == (100,)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        lambda frame: frame,
        lambda frame: frame.values,
        lambda frame: frame.to_dask_array(),
        lambda frame: frame.to_dask_array(lengths=True),
    ],
    ids=["frame", "values", "to_dask_array", "lengths"],
)
def test_frames_and_their_values_are_fitted_alike(fit_intercept, values):
    rng = np.random.default_rng(0)
    X, y = rng.uniform(size=(20, 5)), rng.uniform(size=20)
    parts = (
        values(dd.from_pandas(pd.DataFrame(X), npartitions=4)),
        values(dd.from_pandas(pd.Series(y), npartitions=4)),
    )
    model = fitted({"fit_intercept": fit_intercept}, parts)
    expected = GDLinearRegressor(fit_intercept=fit_intercept).fit(X, y)
    assert_same_model(model, expected)


def test_a_column_predicts_itself():
    X = da.from_array(np.arange(1000).reshape(1000, 1))
    model = fitted({}, (X, X))
    assert model.score(X, X) == pytest.approx(1)
    assert model.predict(X).shape == (1000, 1)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("chunks", [50, 250])
def test_as_many_columns_as_rows_of_a_chunk_are_solved(fit_intercept, chunks):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((250, 50))
    y = X @ rng.uniform(0, 100, 50) + (3 if fit_intercept else 0)
    parts = arrays(X, y, None, (chunks,) * (250 // chunks))
    model = fitted({"fit_intercept": fit_intercept}, parts)
    expected = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    assert_allclose(model.predict(parts.X).compute(), expected.predict(X), rtol=1e-5)


def test_it_is_the_last_step_of_a_pipeline_and_of_a_search_in_one():
    X, y = table(np.random.default_rng(0), 100, 5)
    parts = arrays(X, y, None, (50, 50))
    for last in GDLinearRegressor(), GDLinearRegressorCV(cv=3):
        pipe = make_pipeline(FunctionTransformer(), last)
        score = pipe.fit(parts.X, parts.y).score(parts.X, parts.y)
        assert score == pytest.approx(LinearRegression().fit(X, y).score(X, y), 1e-6)
        assert isinstance(pipe.predict(parts.X), da.Array)


# --- where there is no Dask, and where nobody asks for it


def printed_by(code):
    """Return what code prints in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOCAL = """
import sys
import numpy as np, pandas as pd, skgd
X, y = pd.DataFrame(np.eye(9)[:, :3], columns=list("abc")), pd.Series(np.arange(9.0))
model = skgd.GDLinearRegressor().fit(X, y)
model.predict(X), model.score(X, y), skgd.Moments.from_data(X, y)
skgd.GDLinearRegressor(batch_size=2).partial_fit(X, y)
skgd.GDLinearRegressorCV(cv=2).fit(X, y)
print("dask" in sys.modules)
"""

WITHOUT_DASK = """
import sys

class NoDask:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("dask", "distributed"):
            raise ModuleNotFoundError("no dask in this interpreter")

sys.meta_path.insert(0, NoDask())
"""

HINT = """
import numpy as np, skgd

class Collection:
    shape, dtype, ndim = (9, 3), np.dtype(float), 2

    def __dask_graph__(self):
        return {}

X, y = np.eye(9)[:, :3], np.arange(9.0)
model = skgd.GDLinearRegressor()
fitted = skgd.GDLinearRegressor().fit(X, y)
for ask in (
    lambda X: model.fit(X, y),
    lambda X: model.partial_fit(X, y),
    lambda X: fitted.predict(X),
    lambda X: fitted.score(X, y),
    lambda X: skgd.Moments.from_data(X, y),
    lambda X: skgd.GDLinearRegressorCV().fit(X, y),
):
    try:
        ask(Collection())
    except ImportError as error:
        print(error)
"""


def test_rows_in_memory_import_no_dask():
    assert printed_by(LOCAL) == "False\n"


def test_without_dask_all_else_works_and_a_collection_gets_a_hint():
    printed = printed_by(WITHOUT_DASK + LOCAL + HINT)
    assert printed.startswith("False\n")
    assert printed.count("pip install 'skgd[dask]'") == 6
