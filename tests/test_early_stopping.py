import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import STRATEGIES, strategies_on
from scipy.sparse import csc_array, csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import get_scorer, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import DivergenceError, GDLinearRegressor


def noisy(n_rows=60, n_features=30, n_targets=None, seed=0):
    """A table that least squares overfits."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features)) * 3 + 1
    shape = (n_features,) if n_targets is None else (n_features, n_targets)
    y = X @ rng.standard_normal(shape) * 0.2
    return X, y + 4 * rng.standard_normal(y.shape)


def split(n_rows, fraction=0.1, seed=0):
    """Draw the rows to train on and those held out, as fit does."""
    n_held_out = int(np.ceil(fraction * n_rows))
    parts = train_test_split(
        np.arange(n_rows),
        test_size=n_held_out,
        random_state=np.random.RandomState(seed),
    )
    return tuple(map(np.sort, parts))


#: How an epoch reads the rows.
WAYS = {
    "condensed": {"precompute": True},
    "full batch": {"precompute": False},
    "mini-batches": {"batch_size": 8},
}


@pytest.fixture(params=WAYS)
def way(request):
    """Parameters that say how an epoch reads the rows."""
    return WAYS[request.param]


@pytest.mark.parametrize(
    ("strategy", "learning_rate", "n_targets", "weighted"),
    strategies_on(
        product(["auto", 1e-3], [None, 2], [False, True]), few=[("auto", 2, True)]
    ),
)
def test_the_best_model_on_held_out_rows_is_kept(
    strategy, way, learning_rate, n_targets, weighted
):
    X, y = noisy(n_targets=n_targets)
    weight = np.random.default_rng(1).uniform(0.5, 2, 60) if weighted else None
    model = GDLinearRegressor(
        strategy,
        learning_rate=learning_rate,
        early_stopping=True,
        validation_fraction=0.3,
        max_iter=30,
        tol=None,
        random_state=0,
        **way,
    ).fit(X, y, weight)
    _, held_out = split(60, 0.3)
    assert len(model.validation_scores_) == model.n_iter_ == 30
    score = r2_score(
        y[held_out],
        model.predict(X[held_out]),
        sample_weight=None if weight is None else weight[held_out],
    )
    assert score == pytest.approx(max(model.validation_scores_), rel=1e-9)


def test_a_score_is_that_of_the_model_after_the_epoch(strategy, way):
    X, y = noisy()
    _, held_out = split(60, 0.3)
    shared = {"learning_rate": 1e-3, "tol": None, "random_state": 0, **way}
    for k in (1, 2, 5):
        model = GDLinearRegressor(
            strategy,
            early_stopping=True,
            validation_fraction=0.3,
            max_iter=k,
            **shared,
        ).fit(X, y)
        expected = r2_score(y[held_out], model.predict(X[held_out]))
        # In so few epochs each is the best so far.
        assert model.validation_scores_[-1] == pytest.approx(expected, rel=1e-9)


def test_held_out_rows_are_not_trained_on(way):
    X, y = noisy()
    training, held_out = split(60, 0.3)
    shared = {"max_iter": 4, "tol": None, "shuffle": False, **way}
    model = GDLinearRegressor(
        early_stopping=True,
        validation_fraction=0.3,
        random_state=0,
        **shared,
    ).fit(X, y)
    other = GDLinearRegressor(whiten=False, **shared).fit(X[training], y[training])
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)
    y[held_out] += 1e6
    X[held_out] *= 1e12
    changed = model.fit(X, y)
    np.testing.assert_allclose(changed.loss_curve_, other.loss_curve_, rtol=1e-9)


def test_all_ways_give_the_same_scores_where_they_are_the_full_batch():
    X, y = noisy(400)
    scores = [
        GDLinearRegressor(
            strategy,
            early_stopping=True,
            precompute=precompute,
            max_iter=20,
            tol=None,
            random_state=0,
        )
        .fit(data, y)
        .validation_scores_
        for strategy in STRATEGIES
        for precompute in (True, False)
        for data in ([X, csr_array(X)] if precompute else [X])
    ]
    for others in scores[1:]:
        np.testing.assert_allclose(others, scores[0], rtol=1e-9)


def test_it_stops_when_the_score_no_longer_improves(way):
    X, y = noisy()
    shared = {"learning_rate": 2e-3, "early_stopping": True, "random_state": 0, **way}
    model = GDLinearRegressor(
        validation_fraction=0.3, n_iter_no_change=3, tol=1e-3, **shared
    ).fit(X, y)
    scores = np.array(model.validation_scores_)
    best = np.maximum.accumulate(scores)[:-1]
    without = np.append(False, scores[1:] <= best + 1e-3)
    assert without[-3:].all()
    in_a_row = np.convolve(without[:-1], np.ones(3), mode="valid")
    assert (in_a_row < 3).all()
    assert model.n_iter_ < 1000


@pytest.mark.parametrize("scale", [0.1, 100])
def test_a_score_improves_by_tol_itself_whatever_it_is(scale):
    """Not by a share of it: R^2 is a share already."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 2))
    y = X @ [1.0, 1.0] * scale + 10 * rng.standard_normal(400)
    model = GDLinearRegressor(
        learning_rate=0.02, early_stopping=True, random_state=0, tol=1e-3
    ).fit(X, y)
    scores = np.array(model.validation_scores_)
    best = np.maximum.accumulate(scores)
    gains = np.diff(best)[-model.n_iter_no_change :]
    assert (np.diff(scores)[-1] < 1e-3) or (gains < 1e-3).all()
    expected = next(
        k
        for k in range(5, 1001)
        if all(scores[j] <= max(scores[:j]) + 1e-3 for j in range(k - 4, k + 1))
    )
    assert model.n_iter_ == expected + 1


def test_it_generalizes_where_least_squares_overfits(way):
    gained = []
    for seed in range(5):
        X, y = noisy(100, 60, seed=seed)
        X_new, y_new = X[60:], y[60:]
        X, y = X[:60], y[:60]
        model = GDLinearRegressor(
            early_stopping=True,
            validation_fraction=0.2,
            random_state=0,
            **way,
        ).fit(X, y)
        overfitted = LinearRegression().fit(X, y).score(X_new, y_new)
        gained.append(model.score(X_new, y_new) - overfitted)
    assert np.median(gained) > 0.1


def test_scores_are_of_the_average_where_there_is_one():
    X, y = noisy()
    _, held_out = split(60, 0.3)
    model = GDLinearRegressor(
        learning_rate=1e-3,
        batch_size=8,
        average=True,
        early_stopping=True,
        validation_fraction=0.3,
        max_iter=3,
        tol=None,
        random_state=0,
    ).fit(X, y)
    score = r2_score(y[held_out], model.predict(X[held_out]))
    assert score == pytest.approx(model.validation_scores_[-1], rel=1e-9)


def test_rows_without_a_weight_are_on_neither_side(way):
    X, y = noisy(120)
    weight = np.tile([1.0, 0.0], 60)
    y[weight == 0] = 1e9
    shared = {"early_stopping": True, "random_state": 0, "max_iter": 5, "tol": None}
    model = GDLinearRegressor(**shared, **way)
    scores = model.fit(X, y, weight).validation_scores_
    kept = model.fit(X[::2], y[::2]).validation_scores_
    np.testing.assert_allclose(scores, kept, rtol=1e-9)


def test_a_target_that_does_not_vary_scores_as_scikit_learns():
    X, y = noisy(n_targets=2)
    y[:, 1] = 3.0
    model = GDLinearRegressor(early_stopping=True, random_state=0, tol=None)
    model.set_params(max_iter=5).fit(X, y)
    _, held_out = split(60)
    score = r2_score(y[held_out], model.predict(X[held_out]))
    assert max(model.validation_scores_) == pytest.approx(score, rel=1e-6)


def test_scores_are_only_there_where_they_were_taken(regression):
    model = GDLinearRegressor(early_stopping=True, random_state=0).fit(*regression)
    assert hasattr(model, "validation_scores_")
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert not hasattr(model, "moments_")
    model.set_params(early_stopping=False).fit(*regression)
    assert not hasattr(model, "validation_scores_")
    assert not hasattr(model, "best_validation_score_")


def test_there_is_a_score_for_each_epoch_also_where_the_first_arrives(way):
    X, _ = noisy()
    model = GDLinearRegressor(early_stopping=True, random_state=0, **way)
    model.fit(X, np.full(60, 3.0))
    assert len(model.validation_scores_) == model.n_iter_


@pytest.mark.parametrize(
    ("n_rows", "fraction"), [(2, 0.1), (3, 0.9), (40, 0.99), (1, 0.5)]
)
def test_a_split_that_leaves_nothing_is_named(n_rows, fraction, regression):
    X, y = (part[:n_rows] for part in regression)
    model = GDLinearRegressor(early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match=f"early_stopping.* n_samples={n_rows}, and"):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


def test_rows_with_a_weight_are_what_is_split(regression):
    X, y = regression
    weight = np.zeros(40)
    weight[:2] = 1
    with pytest.raises(ValueError, match="n_samples=2 with a weight"):
        GDLinearRegressor(early_stopping=True).fit(X, y, weight)


@pytest.mark.parametrize("fraction", [0, 1.0, -0.1, "0.1"])
def test_a_wrong_fraction_is_named(fraction, regression):
    model = GDLinearRegressor(early_stopping=True, validation_fraction=fraction)
    with pytest.raises(ValueError, match="'validation_fraction' parameter"):
        model.fit(*regression)


def test_epochs_that_do_not_suffice_are_said(regression):
    model = GDLinearRegressor(early_stopping=True, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="The validation score still improves"):
        model.fit(*regression)


def test_verbose_shows_the_score(capsys, regression):
    model = GDLinearRegressor(early_stopping=True, verbose=1, max_iter=2)
    model.set_params(tol=None, random_state=0).fit(*regression)
    lines = capsys.readouterr().out.splitlines()
    assert "validation score" not in lines[0]
    assert f"validation score = {model.validation_scores_[0]:.5f}" in lines[1]


#: Some of scikit-learn's scorers, of each kind that the code tells apart.
SCORINGS = [
    None,
    "r2",
    "neg_mean_squared_error",
    "neg_root_mean_squared_error",
    "neg_mean_absolute_error",
    "explained_variance",
]


def own_scorer(estimator, X, y):
    """Score by the share of predictions within 3 of the target."""
    return np.mean(abs(estimator.predict(X) - y) < 3)


def own_rows(n_targets=None, weighted=False):
    """Rows to train on, and to score: X, y, keywords of fit."""
    X, y = noisy(90, n_targets=n_targets)
    weight = np.random.default_rng(1).uniform(0.5, 2, 30) if weighted else None
    validation = {"X_val": X[60:], "y_val": y[60:], "sample_weight_val": weight}
    return X[:60], y[:60], validation


def oracle(model, X, y, validation, max_iter):
    """Return the score after each epoch, by fits of so many epochs that stop nowhere.

    scikit-learn's scorer is asked, of a LinearRegression with these coefficients.
    """
    scorer = get_scorer(model.scoring or "r2")
    scores = []
    for k in range(1, max_iter + 1):
        plain = clone(model).set_params(early_stopping=False, max_iter=k)
        plain.set_params(tol=None, whiten=False).fit(X, y)
        linear = LinearRegression()
        linear.coef_, linear.intercept_ = plain.coef_, plain.intercept_
        X_val, y_val, weight = validation.values()
        scores.append(scorer(linear, X_val, y_val, sample_weight=weight))
    return scores


@pytest.mark.parametrize(
    ("strategy", "scoring", "n_targets", "weighted"),
    strategies_on(
        [*product(SCORINGS, [None, 2], [False, True])],
        few=product(SCORINGS[-2:], [2], [True]),
    ),
)
def test_a_descent_is_scored_as_scikit_learn_scores_its_models(
    strategy, way, scoring, n_targets, weighted
):
    X, y, validation = own_rows(n_targets, weighted)
    model = GDLinearRegressor(
        strategy, scoring=scoring, early_stopping=True, max_iter=6, random_state=0
    ).set_params(learning_rate=0.01, standardize=True, tol=None, **way)
    model.fit(X, y, **validation)
    expected = oracle(model, X, y, validation, 6)
    np.testing.assert_allclose(model.validation_scores_, expected, rtol=1e-8)
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_all_rows_are_trained_on_where_rows_to_score_are_passed(way):
    X, y, validation = own_rows()
    shared = {"max_iter": 4, "tol": None, "shuffle": False, "whiten": False, **way}
    model = GDLinearRegressor(early_stopping=True, **shared).fit(X, y, **validation)
    other = GDLinearRegressor(**shared).fit(X, y)
    np.testing.assert_allclose(model.loss_curve_, other.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
@pytest.mark.parametrize("to_val", [csr_array, csc_array, np.float32, list])
def test_rows_to_score_come_in_every_form(way, scoring, to_val):
    X, y, validation = own_rows()
    model = GDLinearRegressor(early_stopping=True, scoring=scoring, random_state=0)
    model.set_params(max_iter=5, tol=None, **way)
    expected = model.fit(X, y, **validation).validation_scores_
    validation["X_val"] = to_val(validation["X_val"])
    rtol = 1e-5 if to_val is np.float32 else 1e-9
    for X_train in (X, csr_array(X)) if "precompute" in way else (X,):
        scores = model.fit(X_train, y, **validation).validation_scores_
        np.testing.assert_allclose(scores, expected, rtol=rtol)


# A value of 1e17 is what the test is about, and predicted as badly as that.
@pytest.mark.filterwarnings("ignore:The best score on the validation rows")
def test_rows_to_score_may_leave_the_range_of_the_descent(strategy):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50_000, 6)).astype(np.float32)  # too many for float64
    y, X_val = X[:, 0], X[:20].copy()
    X_val[0] = 1e17
    model = GDLinearRegressor(strategy, early_stopping=True, max_iter=2, tol=None)
    model.set_params(precompute=False).fit(X, y, X_val=X_val, y_val=y[:20])
    score = r2_score(y[:20], X_val.astype(float) @ model.coef_ + model.intercept_)
    assert model.best_validation_score_ == pytest.approx(score, rel=1e-3)


def test_a_scorer_of_ones_own_chooses_the_model(way):
    X, y, validation = own_rows()
    shared = {"early_stopping": True, "max_iter": 20, "tol": None, "random_state": 0}
    model = GDLinearRegressor(scoring=own_scorer, **shared, **way)
    model.fit(X, y, **validation)
    assert model.best_validation_score_ == max(model.validation_scores_)
    score = own_scorer(model, validation["X_val"], validation["y_val"])
    assert score == model.best_validation_score_


def test_a_scorer_gets_the_rows_held_out_at_random_and_their_weights():
    X, y = noisy()
    weight = np.random.default_rng(0).uniform(1, 9, 60)
    weight[::7] = 0
    got = []

    def scorer(estimator, X, y, sample_weight):
        got.append((X, y, sample_weight))
        return 1.0

    model = GDLinearRegressor(early_stopping=True, scoring=scorer, random_state=0)
    frame = pd.DataFrame(X).add_prefix("x")
    model.set_params(max_iter=1, tol=None).fit(frame, y, weight)
    X_got, y_got, weight_got = got[0]
    index = [int(np.flatnonzero(y == value)[0]) for value in y_got]
    assert len(index) == np.ceil(0.1 * np.count_nonzero(weight))
    np.testing.assert_array_equal(X_got, X[index])
    np.testing.assert_array_equal(weight_got, weight[index])


@pytest.mark.parametrize(
    ("scorer", "problem"),
    [
        ("accuracy", "raised ValueError .* after epoch 0: continuous is not supported"),
        (lambda estimator, X, y: np.nan, "returned nan"),
        (lambda estimator, X, y: "good", "returned 'good'"),
        (lambda estimator, X, y: 1 / 0, "raised ZeroDivisionError"),
        (lambda estimator, X: 1.0, "raised TypeError"),
    ],
    ids=["classes", "nan", "text", "raises", "signature"],
)
def test_a_scorer_that_does_not_score_is_named(scorer, problem, regression):
    model = GDLinearRegressor(early_stopping=True, scoring=scorer)
    with pytest.raises(ValueError, match=f"scoring=.*{problem}"):
        model.fit(*regression)
    assert not hasattr(model, "coef_")


def test_a_metric_is_no_scorer_and_a_name_has_to_be_known(regression):
    model = GDLinearRegressor(early_stopping=True, scoring=r2_score)
    with pytest.raises(ValueError, match="make_scorer"):
        model.fit(*regression)
    with pytest.raises(ValueError, match="'scoring' parameter"):
        model.set_params(scoring="r3").fit(*regression)


@pytest.mark.parametrize("scoring", [None, "explained_variance"])
def test_a_descent_that_diverges_is_told_before_its_score(scoring, regression):
    model = GDLinearRegressor(early_stopping=True, scoring=scoring, learning_rate=1e3)
    with pytest.raises(DivergenceError):
        model.set_params(tol=None).fit(*regression)


def test_a_scoring_without_early_stopping_is_ignored(regression):
    model = GDLinearRegressor(scoring=own_scorer).fit(*regression)
    np.testing.assert_array_equal(
        model.coef_, GDLinearRegressor().fit(*regression).coef_
    )


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"y_val": None}, "X_val passed to fit without y_val"),
        ({"X_val": None}, "y_val passed to fit without X_val"),
        (
            {"X_val": None, "y_val": None, "sample_weight_val": np.ones(30)},
            "sample_weight_val passed to fit without X_val and y_val",
        ),
        ({"X_val": np.ones((30, 2))}, "In X_val, y_val: X has 2 features"),
        ({"X_val": np.full((30, 30), np.nan)}, "In X_val, y_val: .*NaN"),
        ({"y_val": np.full(30, np.nan)}, "In X_val, y_val: .*NaN"),
        ({"y_val": np.ones(20)}, "In X_val, y_val: .*inconsistent"),
        ({"y_val": np.ones((30, 2))}, r"y_val has shape \(n_samples, 2\)"),
        ({"sample_weight_val": -np.ones(30)}, "sample_weight_val: Negative"),
        ({"sample_weight_val": np.zeros(30)}, "sample_weight_val: .*non-zero"),
        ({"sample_weight_val": np.eye(30)[0]}, "one row with a weight, and R"),
    ],
)
def test_wrong_rows_to_score_are_named(changed, problem):
    X, y, validation = own_rows()
    model = GDLinearRegressor(early_stopping=True)
    with pytest.raises(ValueError, match=problem):
        model.fit(X, y, **{**validation, **changed})
    assert not hasattr(model, "n_features_in_")


def test_rows_to_score_without_early_stopping_are_refused():
    X, y, validation = own_rows()
    with pytest.raises(ValueError, match=r"X_val and y_val passed .* early_stopping="):
        GDLinearRegressor().fit(X, y, **validation)


def test_one_row_has_a_squared_error():
    X, y, validation = own_rows()
    validation["sample_weight_val"] = np.eye(30)[0]
    model = GDLinearRegressor(early_stopping=True, scoring="neg_mean_squared_error")
    model.set_params(max_iter=3, tol=None).fit(X, y, **validation)
    error = model.predict(X[:1] * 0 + validation["X_val"][0]) - validation["y_val"][0]
    assert model.best_validation_score_ == pytest.approx(-(error[0] ** 2))


@pytest.mark.parametrize("own", [True, False])
def test_held_out_targets_that_do_not_vary_are_said(way, own):
    X, y, validation = own_rows()
    if own:
        validation["y_val"] = np.full(30, 5.0)
    else:  # so few that differ that none is drawn
        y, validation = np.where(np.arange(len(y)) < 2, y, 0.0), {}
    model = GDLinearRegressor(early_stopping=True, random_state=0, **way)
    with pytest.warns(UserWarning, match=r"held out do not vary\. R\^2 .* scoring="):
        model.fit(X, y, **validation)
    model.set_params(scoring="neg_mean_squared_error")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y, **validation)
        model.set_params(scoring=None).fit(X, np.zeros(len(y)))  # as is all of y


def test_a_warm_start_scores_from_where_it_stands(way):
    X, y, validation = own_rows()
    shared = {"early_stopping": True, "learning_rate": 1e-3, "tol": None}
    shared |= {"standardize": True, "shuffle": False, **way}
    whole = GDLinearRegressor(max_iter=6, **shared).fit(X, y, **validation)
    model = GDLinearRegressor(max_iter=3, warm_start=True, **shared)
    scores = [
        score
        for _ in range(2)
        for score in model.fit(X, y, **validation).validation_scores_
    ]
    np.testing.assert_allclose(scores, whole.validation_scores_, rtol=1e-9)


def test_a_pipeline_transforms_the_rows_to_score():
    X, y, validation = own_rows()
    with config_context(enable_metadata_routing=True):
        model = GDLinearRegressor(early_stopping=True, random_state=0)
        model.set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
        pipeline.fit(X, y, X_val=validation["X_val"], y_val=validation["y_val"])
    score = r2_score(validation["y_val"], pipeline.predict(validation["X_val"]))
    assert pipeline[-1].best_validation_score_ == pytest.approx(score, rel=1e-9)


def test_a_pipeline_passes_rows_to_score_by_the_step_s_name():
    X, y, validation = own_rows()
    pipeline = make_pipeline(GDLinearRegressor(early_stopping=True))
    pipeline.fit(X, y, **{f"gdlinearregressor__{k}": v for k, v in validation.items()})
    score = r2_score(validation["y_val"], pipeline.predict(validation["X_val"]))
    assert pipeline[-1].best_validation_score_ == pytest.approx(score, rel=1e-9)


def table(signal, offset, seed, n_rows=400):
    """Ten columns that explain this share of y, or nothing of it."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 10)) + rng.standard_normal((n_rows, 1))
    explained = X @ rng.standard_normal(10)
    explained *= np.sqrt(signal) / explained.std()
    noise = np.sqrt(1 - signal) * rng.standard_normal(n_rows)
    return X, explained + noise + offset


@pytest.mark.parametrize("learning_rate", [1e-12, 1e-9, 1e-6])
@pytest.mark.parametrize(
    ("signal", "params"),
    [
        *product(
            [0.3, 1.0],
            [{}, {"standardize": True}, {"precompute": False}, {"loss": "huber"}],
        ),
        (0.3, {"batch_size": 50}),
        (0.3, {"scoring": "neg_mean_absolute_error", "standardize": True}),
        (0.3, {"strategy": "autograd", "loss": torch.nn.MSELoss}),
    ],
)
def test_steps_too_short_to_get_anywhere_are_said(signal, params, learning_rate):
    X, y = table(signal, offset=0, seed=0)
    model = GDLinearRegressor(early_stopping=True, random_state=0, **params)
    with pytest.warns(ConvergenceWarning, match="far from the minimum of the training"):
        model.set_params(learning_rate=learning_rate).fit(X, y)
    assert abs(model.coef_).max() < 1e-2


def test_a_model_that_is_still_the_start_is_said():
    """Where the rows to score contradict those trained on, the first is the best."""
    X, y = table(0.15, offset=0, seed=0)
    model = GDLinearRegressor(early_stopping=True, standardize=True)
    with pytest.warns(
        ConvergenceWarning, match="correlation of a feature .* is 0.[23]"
    ):
        model.set_params(learning_rate=1e-4).fit(X, y, X_val=X[:50], y_val=-y[:50])
    assert np.argmax(model.validation_scores_) == 0


def test_an_intercept_that_is_not_reached_is_said():
    X, y = table(0.0, offset=30, seed=0)
    model = GDLinearRegressor(early_stopping=True, learning_rate=1e-9, random_state=0)
    with pytest.warns(ConvergenceWarning, match="correlation of the intercept"):
        model.fit(X, y)


@pytest.mark.parametrize("learning_rate", [1e-9, 1e-5, 1e-2, "auto"])
def test_there_is_nothing_to_say_where_there_is_nothing_to_learn(learning_rate):
    """But for tables in which noise correlates by chance."""
    n_warned = 0
    for seed in range(20):
        X, y = table(0.0, offset=5, seed=seed)
        model = GDLinearRegressor(early_stopping=True, learning_rate=learning_rate)
        model.set_params(standardize=True, random_state=0)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, y)
        n_warned += bool(caught)
    assert n_warned <= 4


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_an_early_stop_that_is_right_is_silent(way, scoring):
    """Warnings are errors in this suite."""
    for seed in range(5):
        X, y = noisy(seed=seed)
        model = GDLinearRegressor(early_stopping=True, scoring=scoring, random_state=0)
        model.set_params(validation_fraction=0.3, **way).fit(X, y)


@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_validation_rows_that_are_not_prepared_as_the_others_are_warned_of(
    unit, strategy
):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3)) + 1
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(200)
    model = GDLinearRegressor(strategy, early_stopping=True)
    if unit == 1:
        model.fit(X[:150], y[:150], X_val=X[150:], y_val=y[150:])
    else:
        with pytest.warns(ConvergenceWarning, match="a constant predicts y_val better"):
            model.fit(X[:150], y[:150], X_val=unit * X[150:], y_val=y[150:])
    assert (model.best_validation_score_ < 0) == (unit > 1)
