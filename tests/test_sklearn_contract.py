"""The estimator is scikit-learn's: its checks, its tools, its data frames."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import STRATEGIES
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ModuleStrategy

#: What every strategy is checked with; the others are about code that they share.
VARIANTS: list[dict] = [{}, {"batch_size": 32, "max_iter": 100}]
VARIANTS_OF_MANUAL = [
    {},
    {"batch_size": 32},
    {"fit_intercept": False},
    {"alpha": 0.1, "l1_ratio": 0.5},
    {"loss": "huber"},
    {"early_stopping": True},
]


def expected_failures(estimator):
    """Rows are held out one by one, whatever they weigh.

    So a row of weight 2 is on one side, and a row that is there twice may be on both.
    """
    if not estimator.early_stopping:
        return {}
    reason = "early stopping holds out rows, not weights"
    return {
        "check_sample_weight_equivalence_on_dense_data": reason,
        "check_sample_weight_equivalence_on_sparse_data": reason,
    }


@parametrize_with_checks(
    [
        GDLinearRegressor(strategy, **variant)
        for strategy in STRATEGIES
        for variant in (VARIANTS_OF_MANUAL if strategy == "manual" else VARIANTS)
    ],
    # Two, of early stopping, that cannot hold; the function says why.
    expected_failed_checks=expected_failures,
)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def diabetes():
    """The diabetes table in raw units, as pandas."""
    return load_diabetes(return_X_y=True, as_frame=True, scaled=False)


def scaled(**params):
    """A pipeline: its regressor's parameters are reached by two underscores."""
    return make_pipeline(StandardScaler(), GDLinearRegressor(**params))


def test_grid_search_scores_a_diverging_rate_nan_and_picks_the_best(diabetes):
    search = GridSearchCV(
        scaled(max_iter=50, tol=None),
        {"gdlinearregressor__learning_rate": [1e-3, 1e-2, 0.2, 1.0]},
    )
    with (
        pytest.warns(FitFailedWarning, match="5 fits failed out of a total of 20"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(*diabetes)
    scores = search.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, False, False, True]
    assert search.best_params_ == {"gdlinearregressor__learning_rate": 0.2}
    assert search.score(*diabetes) > 0.5


def test_grid_search_reaches_into_a_strategy(regression):
    search = GridSearchCV(
        GDLinearRegressor(ModuleStrategy(), learning_rate=0.01, max_iter=20, tol=None),
        {"strategy__optimizer_params": [{"momentum": 0.0}, {"momentum": 0.9}]},
    ).fit(*regression)
    assert search.best_params_["strategy__optimizer_params"] == {"momentum": 0.9}


def test_grid_search_over_strategies_finds_them_equal(diabetes):
    search = GridSearchCV(
        scaled(), {"gdlinearregressor__strategy": list(STRATEGIES)}
    ).fit(*diabetes)
    np.testing.assert_allclose(
        np.ptp(search.cv_results_["mean_test_score"]), 0, atol=1e-9
    )


def test_a_divergence_error_crosses_processes(diabetes):
    X, y = diabetes
    with pytest.raises(DivergenceError) as failure:
        cross_val_score(
            GDLinearRegressor(learning_rate=1.0), X, y, n_jobs=2, error_score="raise"
        )
    # Each fold's own bound, and the whole's, differ by their rows.
    with pytest.raises(DivergenceError) as whole:
        GDLinearRegressor(learning_rate=1.0).fit(X, y)
    assert failure.value.learning_rate == 1.0
    assert failure.value.largest_stable_learning_rate == pytest.approx(
        whole.value.largest_stable_learning_rate, rel=0.1
    )


def test_a_column_transformer_feeds_it_a_mixed_table():
    table = pd.DataFrame(
        {"size": [1.0, 2.0, 3.0, 4.0] * 5, "colour": ["red", "blue"] * 10}
    )
    y = 2 * table["size"] + 3 * (table["colour"] == "red")
    model = make_pipeline(
        ColumnTransformer(
            [
                ("size", StandardScaler(), ["size"]),
                ("colour", OneHotEncoder(), ["colour"]),
            ],
            sparse_threshold=0,
        ),
        GDLinearRegressor(),
    )
    assert model.fit(table, y).score(table, y) > 0.999


def test_cross_validation_scores_as_with_least_squares(diabetes):
    expected = cross_val_score(LinearRegression(), *diabetes)
    scores = cross_val_score(scaled(), *diabetes)
    np.testing.assert_allclose(scores, expected, atol=2e-2)


def test_copies_predict_the_same(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(strategy).fit(X, y)
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(copied.predict(X), model.predict(X))
        assert copied.loss_curve_ == model.loss_curve_
    assert not hasattr(clone(model), "coef_")


def test_nothing_of_torch_is_in_a_fitted_estimator(strategy, regression):
    model = GDLinearRegressor(strategy).fit(*regression)
    fitted = {name: value for name, value in vars(model).items() if name.endswith("_")}
    for value in fitted.values():
        assert not type(value).__module__.startswith("torch")
    assert b"torch" not in pickle.dumps(fitted)


def test_names_of_a_frame_are_kept_and_checked(diabetes):
    X, y = diabetes
    model = GDLinearRegressor(tol=1, max_iter=2).fit(X, y)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(X[X.columns[::-1]])
    with pytest.raises(ValueError, match="missing"):
        model.predict(X.drop(columns="age"))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X.to_numpy())
