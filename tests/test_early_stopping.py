from itertools import product

import numpy as np
import pytest
from conftest import STRATEGIES, strategies_on
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from skgd import GDLinearRegressor


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
