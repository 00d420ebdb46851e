"""scikit-learn's meta-estimators do with it what they do with least squares."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import (
    enable_halving_search_cv,  # noqa: F401 - makes HalvingGridSearchCV importable
    enable_iterative_imputer,  # noqa: F401 - makes IterativeImputer importable
)
from sklearn.feature_selection import (
    RFE,
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.impute import IterativeImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.model_selection import (
    HalvingGridSearchCV,
    KFold,
    cross_val_predict,
    learning_curve,
)
from sklearn.multioutput import MultiOutputRegressor, RegressorChain
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor

#: Ridge without a penalty: meta-estimators draw seeds for it, too, but none for
#: LinearRegression, and then go on with other numbers.
LEAST_SQUARES = Ridge(alpha=0)

#: What finds least squares: the default, and a rate by hand.
MODELS = [
    GDLinearRegressor(),
    GDLinearRegressor(learning_rate=0.4, whiten=True, tol=1e-7),
]

SELECTORS = [
    RFE(LEAST_SQUARES, n_features_to_select=1),
    RFECV(LEAST_SQUARES, cv=3),
    SelectFromModel(LEAST_SQUARES),
    SequentialFeatureSelector(LEAST_SQUARES, n_features_to_select=2, cv=3),
]


def regressors(model):
    """Return the meta-estimators of one target, and those of two."""
    others = [("neighbors", KNeighborsRegressor())]
    members = [("model", model), *others]
    one_target = [
        AdaBoostRegressor(model, n_estimators=3, random_state=0),
        BaggingRegressor(model, n_estimators=3, max_features=0.5, random_state=0),
        StackingRegressor(members, final_estimator=model, cv=3),
        TransformedTargetRegressor(model, func=np.log, inverse_func=np.exp),
        VotingRegressor(members),
    ]
    return one_target, [
        MultiOutputRegressor(model),
        RegressorChain(model),
        RegressorChain(model, cv=3),
    ]


@pytest.fixture(scope="module")
def diabetes():
    """The diabetes table in raw units, as pandas."""
    return load_diabetes(return_X_y=True, as_frame=True, scaled=False)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_regressors_predict_as_with_least_squares(model, diabetes):
    X, y = diabetes
    both = pd.DataFrame({"y": y, "reversed": y.to_numpy()[::-1]})
    for targets, metas, expected in zip(
        (y, both), regressors(model), regressors(LEAST_SQUARES), strict=True
    ):
        for meta, other in zip(metas, expected, strict=True):
            np.testing.assert_allclose(
                meta.fit(X, targets).predict(X),
                other.fit(X, targets).predict(X),
                rtol=1e-4,
                err_msg=str(meta),
            )


@pytest.mark.parametrize("model", MODELS, ids=str)
@pytest.mark.parametrize("selector", SELECTORS, ids=lambda one: type(one).__name__)
def test_selectors_select_as_with_least_squares(selector, model, diabetes):
    expected = clone(selector).fit(*diabetes)
    fitted = clone(selector).set_params(estimator=model).fit(*diabetes)
    assert fitted.get_support().tolist() == expected.get_support().tolist()
    if hasattr(expected, "ranking_"):
        assert fitted.ranking_.tolist() == expected.ranking_.tolist()


@pytest.mark.parametrize("alpha", [0.1, 5.0, 20.0])
@pytest.mark.parametrize(
    ("params", "scikit_learns"),
    [
        ({"l1_ratio": 1}, Lasso()),
        ({"l1_ratio": 0.5}, ElasticNet(l1_ratio=0.5)),
    ],
    ids=["lasso", "elastic net"],
)
def test_a_threshold_is_that_of_scikit_learns_model(
    params, scikit_learns, alpha, diabetes
):
    X, y = diabetes
    X = StandardScaler().fit_transform(X)
    model = GDLinearRegressor(alpha=alpha, **params)
    expected = SelectFromModel(scikit_learns.set_params(alpha=alpha)).fit(X, y)
    selector = SelectFromModel(model).fit(X, y)
    assert selector.threshold_ == pytest.approx(expected.threshold_, rel=1e-2)
    assert selector.get_support().tolist() == expected.get_support().tolist()


@pytest.mark.parametrize("params", [{"l1_ratio": 0.5}, {"positive": True}], ids=str)
def test_a_small_threshold_selects_what_is_not_zero(params, diabetes):
    selector = SelectFromModel(
        GDLinearRegressor(alpha=10.0, max_iter=5000, **params), threshold=1e-5
    ).fit(*diabetes)
    selected = selector.get_support()
    assert selected.tolist() == (selector.estimator_.coef_ != 0).tolist()
    assert 0 < selected.sum() < len(selected)


def test_the_penalty_has_a_name_and_cannot_be_set():
    model = GDLinearRegressor()
    names = [
        model.set_params(alpha=alpha, l1_ratio=l1_ratio).penalty
        for alpha in (0.0, 1.0)
        for l1_ratio in (0.0, 0.3, 1.0)
    ]
    assert names == [None, None, None, "l2", "elasticnet", "l1"]
    assert "penalty" not in model.get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'penalty'"):
        model.set_params(penalty="l2")
    with pytest.raises(AttributeError):
        model.penalty = "l2"


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_gaps_are_filled_as_with_least_squares(model, diabetes):
    X, _ = diabetes
    gaps = X.mask(np.random.default_rng(0).random(X.shape) < 0.1)
    with pytest.warns(ConvergenceWarning, match="IterativeImputer"):  # after 3 rounds
        filled, expected = (
            IterativeImputer(each, max_iter=3, random_state=0)
            .set_output(transform="pandas")
            .fit_transform(gaps)
            for each in (model, LEAST_SQUARES)
        )
    pd.testing.assert_frame_equal(filled, expected, rtol=1e-4)
    assert not filled.isna().any(axis=None)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_a_model_is_inspected_as_least_squares_is(model, diabetes):
    X, y = diabetes

    def seen(model):
        fitted = clone(model).fit(X, y)
        importance = permutation_importance(fitted, X, y, n_repeats=2, random_state=0)
        dependence = partial_dependence(fitted, X, ["age", "bmi"], grid_resolution=3)
        _, *curves = learning_curve(model, X, y, train_sizes=[0.2, 1.0], cv=3)
        out_of_fold = cross_val_predict(model, X, y, cv=KFold(3))
        parts = importance.importances, dependence["average"], *curves, out_of_fold
        return np.concatenate([np.ravel(part) for part in parts])

    np.testing.assert_allclose(seen(model), seen(LinearRegression()), rtol=1e-3)


def test_successive_halving_over_epochs_finds_a_rate(diabetes):
    X, y = diabetes
    rates = [0.001, 0.01, 0.2, 1.0]
    search = HalvingGridSearchCV(
        GDLinearRegressor(learning_rate=0.1, standardize=True, tol=None),
        {"learning_rate": rates},
        resource="max_iter",
        min_resources=10,
        max_resources=200,
        cv=KFold(3),
        random_state=0,
    )
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed"),  # of the rate 1
        pytest.warns(UserWarning, match="scores are non-finite"),
    ):
        search.fit(X, y)
    assert search.best_params_["learning_rate"] == 0.2
    assert search.best_estimator_.score(X, y) > 0.51
