import copy
import pickle
import tracemalloc
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from by_hand import descend, excess_loss
from conftest import STRATEGIES
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import condition_1e3
from scipy.sparse import csr_array, random_array
from sklearn.linear_model import SGDRegressor

from skgd import DivergenceError, GDLinearRegressor, Moments
from skgd.strategies import ModuleStrategy


def streamed(model, X, y, bounds, weight=None):
    """Call partial_fit on the chunks between the bounds."""
    for first, last in zip([0, *bounds], [*bounds, len(y)], strict=True):
        if first < last:
            w = None if weight is None else weight[first:last]
            model.partial_fit(X[first:last], y[first:last], w)
    return model


@given(
    bounds=st.lists(st.integers(1, 119), max_size=6).map(sorted),
    seed=st.integers(0, 100),
    weighted=st.booleans(),
    n_targets=st.integers(1, 2),
)
@settings(max_examples=12, deadline=None)
# A first chunk of as many rows as columns may need more than a thousand epochs.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_any_split_ends_where_one_fit_on_everything_does(
    strategy, bounds, seed, weighted, n_targets
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((120, 4)) * [1, 100, 1e-3, 1] + [0, 1000, 5, 1]
    Y = X @ rng.standard_normal((4, n_targets)) + rng.standard_normal((120, n_targets))
    y = Y[:, 0] if n_targets == 1 else Y
    weight = rng.integers(1, 4, 120) * 2.0 if weighted else None
    model = streamed(GDLinearRegressor(strategy, tol=1e-8), X, y, bounds, weight)
    assert excess_loss(model.predict(X), X, y, weight) < 1e-8
    whole = GDLinearRegressor(strategy, tol=1e-8).fit(X, y, weight)
    difference = model.predict(X) - whole.predict(X)
    assert np.abs(difference).max() < 1e-5 * np.std(y)
    np.testing.assert_allclose(model.moments_.mean, whole.moments_.mean, rtol=1e-9)
    assert model.moments_.weight == pytest.approx(whole.moments_.weight)


def test_rows_one_by_one_are_a_stream(regression):
    X, y = regression
    model = streamed(GDLinearRegressor(tol=1e-8), X, y, range(1, 40))
    assert excess_loss(model.predict(X), X, y) < 1e-8


def test_ill_conditioned_rows_are_a_stream():
    X, y = condition_1e3()
    model = GDLinearRegressor(tol=1e-8, max_iter=20_000)
    streamed(model, X, y, range(4000, 20_000, 4000))
    assert excess_loss(model.predict(X), X, y) < 1e-8


def test_the_moments_of_what_was_seen_are_kept(regression):
    X, y = regression
    model = streamed(GDLinearRegressor(), X, y, [7, 30])
    moments = Moments.from_data(X, y)
    np.testing.assert_allclose(model.moments_.scatter, moments.scatter, rtol=1e-12)
    assert model.moments_.y_is_1d
    few = GDLinearRegressor().fit(*model.moments_.condense())
    np.testing.assert_allclose(few.coef_, model.coef_, rtol=1e-3)


@pytest.mark.parametrize("n_rows", [40, 2000])
def test_it_goes_on_from_a_fit(n_rows):
    """Whether that condensed the rows or not."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2 * n_rows, 3))
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(2 * n_rows)
    half = slice(n_rows)
    model = GDLinearRegressor(tol=1e-8).fit(X[half], y[half])
    model.partial_fit(X[n_rows:], y[n_rows:])
    assert excess_loss(model.predict(X), X, y) < 1e-8
    # And a fit begins anew.
    anew = model.fit(X[half], y[half]).coef_
    fresh = GDLinearRegressor(tol=1e-8).fit(X[half], y[half])
    assert np.array_equal(anew, fresh.coef_)


@pytest.mark.parametrize(
    "params", [{"batch_size": 8}, {"early_stopping": True}], ids=["batches", "early"]
)
def test_a_fit_without_moments_cannot_be_gone_on_from(params, regression):
    model = GDLinearRegressor(random_state=0, **params).fit(*regression)
    model.set_params(batch_size=None, early_stopping=False)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match="cannot go on from this model"):
        model.partial_fit(*regression)
    assert np.array_equal(model.coef_, before)


MODES = {
    "moments": {},
    "mini-batches": {"batch_size": 8, "random_state": 0, "average": True},
    "a step a chunk": {"precompute": False},
}


@pytest.fixture(params=MODES)
def mode(request):
    """Parameters that say what partial_fit does with a chunk."""
    return MODES[request.param]


def state(model):
    """All that a model knows, as bytes that can be compared."""
    return {name: pickle.dumps(value) for name, value in vars(model).items()}


def test_a_stream_goes_on_from_a_pickle(strategy, mode, regression):
    X, y = regression
    model = streamed(GDLinearRegressor(strategy, **mode), X[:20], y[:20], [7])
    resumed = pickle.loads(pickle.dumps(model))
    copied = copy.deepcopy(model)
    for each in (model, resumed, copied):
        streamed(each, X[20:], y[20:], [10])
    assert np.array_equal(resumed.coef_, model.coef_)
    assert np.array_equal(copied.coef_, model.coef_)
    assert b"torch" not in pickle.dumps(vars(model))


@pytest.mark.parametrize("learning_rate", ["auto", 1e-3])
def test_a_failed_call_leaves_the_model_as_it_was(mode, learning_rate, regression):
    X, y = regression
    model = GDLinearRegressor(learning_rate=learning_rate, **mode)
    model.set_params(max_iter=5, tol=None)
    streamed(model, X[:30], y[:30], [10, 20])
    before = state(model)
    nan = X.copy()
    nan[3, 1] = np.nan
    failures = [
        (X[:, :2], y, "X has 2 features"),
        (nan, y, "NaN"),
        (X, np.column_stack([y, y]), "y has shape"),
        (X, y[:, None], "y has shape"),
        (X[:0], y[:0], "0 sample"),
        (X, y[:5], "inconsistent numbers of samples"),
    ]
    for bad_X, bad_y, message in failures:
        with pytest.raises(ValueError, match=message):
            model.partial_fit(bad_X, bad_y)
        assert state(model) == before
    model.set_params(learning_rate=1e9, max_iter=400, schedule="constant")
    for _ in range(40):  # a step a chunk takes as many calls
        before = state(model)
        try:
            model.partial_fit(1e3 * X, y)
        except DivergenceError:
            break
    else:
        pytest.fail("did not diverge")
    assert state(model) == before


def test_a_first_call_that_fails_leaves_nothing(mode, regression):
    X, y = regression
    model = GDLinearRegressor(**mode)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full_like(X, np.nan), y)
    assert not hasattr(model, "n_features_in_")
    model.partial_fit(X[:, :2], y)
    assert model.n_features_in_ == 2


def test_names_are_checked_from_the_second_call_on(mode, regression):
    X, y = regression
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model = GDLinearRegressor(**mode).partial_fit(table, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="must be in the same order"):
        model.partial_fit(table[["b", "a", "c"]], y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.partial_fit(X, y)


def test_early_stopping_has_no_stream(regression):
    model = GDLinearRegressor(early_stopping=True)
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as failure:
        model.partial_fit(*regression)
    assert "early_stopping=True" in str(failure.value.__cause__)


@pytest.mark.parametrize("batch_size", [1, 8, 13])
def test_in_batches_the_chunks_are_one_epoch(strategy, batch_size, regression):
    """Of a float rate: steps, schedule and average go on across chunks."""
    X, y = regression
    params = {"learning_rate": 0.02, "schedule": "invscaling", "average": 20}
    params |= {"batch_size": batch_size, "shuffle": False, "tol": None}
    model = GDLinearRegressor(strategy, **params)
    n_full = 40 // batch_size * batch_size
    whole = GDLinearRegressor(strategy, max_iter=1, **params)
    whole.fit(X[:n_full], y[:n_full])
    bounds = range(batch_size, n_full, batch_size)
    streamed(model, X[:n_full], y[:n_full], bounds)
    np.testing.assert_allclose(model.coef_, whole.coef_, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, whole.intercept_, rtol=1e-10)


def test_a_short_chunk_weighs_as_its_rows_deserve(strategy, regression):
    X, y = regression
    params = {"learning_rate": 0.02, "batch_size": 8, "shuffle": False, "tol": None}
    model = GDLinearRegressor(strategy, **params).partial_fit(X[:3], y[:3])
    expected = descend(X[:3], y[:3], 0.02, batch_size=8)
    np.testing.assert_allclose(model.coef_, expected.coef, rtol=1e-10)


def test_weights_count_against_those_of_other_chunks(strategy, regression):
    X, y = regression
    params = {"learning_rate": 0.01, "precompute": False, "tol": None}
    model = GDLinearRegressor(strategy, **params)
    model.partial_fit(X, y, np.full(40, 3.0))
    first = descend(X, y, 0.01)
    np.testing.assert_allclose(model.coef_, first.coef, rtol=1e-12)
    # The average weight of 40 rows and 10 is now (3 * 40 + 1 * 10) / 50.
    model.partial_fit(X[:10], y[:10])
    second = descend(
        X[:10],
        y[:10],
        0.01 / 2.6,
        coef_init=first.coef,
        intercept_init=first.intercept,
    )
    np.testing.assert_allclose(model.coef_, second.coef, rtol=1e-10)
    np.testing.assert_allclose(model.intercept_, second.intercept, rtol=1e-10)


@pytest.mark.parametrize("params", [{}, {"batch_size": 8}])
def test_weights_of_any_size_make_a_stream(params, regression):
    X, y = regression
    model = GDLinearRegressor(random_state=0, **params)
    coef = streamed(model, X, y, [10, 20]).coef_
    for unit in (1e200, 1e-200):
        model = GDLinearRegressor(random_state=0, **params)
        streamed(model, X, y, [10, 20], np.full(40, unit))
        np.testing.assert_allclose(model.coef_, coef, rtol=1e-7)
    if not params:
        with pytest.raises(ValueError, match=r"sample_weight .* average 1e\+308"):
            streamed(GDLinearRegressor(), X, y, [10], np.full(40, 1e308))


@pytest.mark.parametrize("learning_rate", ["auto", 0.01])
def test_batches_after_a_fit_go_by_the_unit_of_its_weights(learning_rate, regression):
    X, y = regression

    def coef(unit):
        model = GDLinearRegressor(random_state=0)
        model.fit(X[:20], y[:20], np.full(20, unit))
        model.set_params(batch_size=4, learning_rate=learning_rate)
        return model.partial_fit(X[20:], y[20:], np.full(20, unit)).coef_

    for unit in (1e-4, 1e4, 1e200):
        np.testing.assert_allclose(coef(unit), coef(1.0), rtol=1e-7)


def test_weights_that_squares_are_too_small_for_are_named(regression):
    X, y = regression
    weight = np.full(40, 1e-200)
    with pytest.raises(ValueError, match=r"sample_weight .* average 1e-200"):
        GDLinearRegressor().partial_fit(1e-62 * X, y, weight)
    model = GDLinearRegressor().fit(1e-62 * X, y, weight)  # which takes no sums of them
    assert excess_loss(model.predict(1e-62 * X), X, y) < 1e-7
    assert not hasattr(model, "moments_")


def test_weights_whose_ratio_is_out_of_range_are_named(regression):
    X, y = regression
    model = GDLinearRegressor(batch_size=8).partial_fit(X, y, np.full(40, 1e200))
    with pytest.raises(ValueError, match=r"average 1e-200, .* so far 5e\+199.* ratio"):
        model.partial_fit(X, y, np.full(40, 1e-200))


def test_weighted_rows_of_a_condensed_fit_count_as_they_weigh():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 2))
    y = X @ [1.0, 2.0] + rng.standard_normal(3000)
    weight = np.where(np.arange(3000) < 2000, 7.0, 1.0) * rng.uniform(1, 2, 3000)
    model = GDLinearRegressor(tol=1e-8).fit(X[:2000], y[:2000], weight[:2000])
    model.partial_fit(X[2000:], y[2000:], weight[2000:])
    assert excess_loss(model.predict(X), X, y, weight) < 1e-8


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("begin", ["at once", "from moments"])
def test_standardizing_goes_by_all_rows_so_far(fit_intercept, sparse, begin):
    rng = np.random.default_rng(0)
    X = (rng.random((60, 3)) < 0.5) * rng.standard_normal((60, 3)) * [1, 10, 100] + 2
    y = rng.standard_normal((60, 2)) + 5
    weight = rng.integers(0, 3, 60) / 1.0
    weight[[0, 20, 40]] = 1  # a chunk needs some
    model = GDLinearRegressor(fit_intercept=fit_intercept, random_state=0, whiten=False)
    container = csr_array if sparse else np.asarray
    stops = [0, 20, 30, 60]
    for first, last in pairwise(stops):
        if begin == "at once" or first == 20:
            model.set_params(batch_size=8)
        part = slice(first, last)
        model.partial_fit(container(X[part]), y[part], weight[part])
    centred = fit_intercept and not sparse
    mean = np.average(X, axis=0, weights=weight) if centred else np.zeros(3)
    spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    y_mean = np.average(y, axis=0, weights=weight) if fit_intercept else np.zeros(2)
    coordinates = model._stream._basis.coordinates
    # Weights of a chunk are those against the average so far, as its steps are.
    np.testing.assert_allclose(coordinates.X_offset, mean, rtol=1e-9)
    np.testing.assert_allclose(coordinates.X_scale, spread, rtol=1e-9)
    np.testing.assert_allclose(coordinates.y_offset, y_mean, rtol=1e-9)


@pytest.mark.parametrize("whiten", ["auto", False])
@pytest.mark.parametrize("average", [False, True])
def test_where_a_spread_grows_predictions_do_not_jump(whiten, average, strategy):
    rng = np.random.default_rng(0)
    years = np.full((64, 1), 2010.0)
    years[0] = 2011
    model = GDLinearRegressor(
        strategy, batch_size=64, whiten=whiten, average=average, random_state=0
    )
    for _ in range(30):
        model.partial_fit(years, 100 + rng.standard_normal(64))
    before = model.predict([[2010.0]])
    model.set_params(learning_rate=1e-15, standardize=True, whiten=whiten is not False)
    later = np.linspace(2010, 2023, 64)[:, None].round()
    model.partial_fit(later, 100 + rng.standard_normal(64))
    assert abs(model.predict([[2010.0]]) - before) < 1


@pytest.mark.parametrize("unit", [1.0, 0.1])
def test_the_automatic_rate_is_that_of_the_chunk_and_of_all_so_far(unit):
    """A chunk of short rows does not lengthen the steps over long ones."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    X[100:] *= unit
    y = X @ [1.0, 2.0, 3.0] + 5
    params = {"batch_size": 10, "shuffle": False, "standardize": False}
    params |= {"fit_intercept": False, "power_t": 0.5}
    model = GDLinearRegressor(**params)
    model.partial_fit(X[:100], y[:100])
    rows = X[100:]
    largest = np.linalg.eigvalsh(rows.T @ rows / 100)[-1]
    longest = max(np.sum(rows**2, axis=1).max(), np.sum(X**2) / 200)
    expected = descend(
        rows,
        y[100:],
        1 / (4 * (0.9 * largest + longest / 10)),
        batch_size=10,
        fit_intercept=False,
        schedule=lambda step: (10 + step + 1) ** -0.5,
        coef_init=model.coef_,
    )
    model.partial_fit(rows, y[100:])
    np.testing.assert_allclose(model.coef_, expected.coef, rtol=1e-9)


def test_what_the_parameters_are_at_a_call_is_what_holds(regression):
    X, y = regression
    model = GDLinearRegressor(batch_size=8, shuffle=False)
    model.partial_fit(X, y)  # automatic, in five steps
    before = model.coef_, model.intercept_
    model.set_params(learning_rate=0.01, schedule=lambda t: t, batch_size=20)
    model.partial_fit(X, y)
    expected = GDLinearRegressor(
        learning_rate=0.01,
        schedule=lambda t: t + 5,
        batch_size=20,
        shuffle=False,
        max_iter=1,
        tol=None,
    ).fit(X, y, coef_init=before[0], intercept_init=before[1])
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-10)
    # Back to automatic, the rate is not that of the float.
    model.set_params(learning_rate="auto", schedule="constant")
    before = model.coef_
    for _ in range(20):
        model.partial_fit(X, y)
    assert excess_loss(model.predict(X), X, y) < 1


@pytest.mark.parametrize("first", [True, False])
def test_an_intercept_comes_and_goes_with_its_parameter(first, regression):
    X, y = regression
    model = GDLinearRegressor(
        batch_size=8, average=True, fit_intercept=first, random_state=0
    )
    model.partial_fit(X, y).set_params(fit_intercept=not first).partial_fit(X, y)
    assert (model.intercept_ != 0) == (not first)
    # The average began anew.
    other = copy.deepcopy(model).set_params(average=False)
    assert np.isfinite(other.partial_fit(X, y).coef_).all()


def test_adaptive_compares_the_calls_of_a_stream(regression):
    """The same rows again and again are epochs."""
    X, y = regression
    y = y + np.random.default_rng(0).standard_normal(40)
    params = {"learning_rate": 0.1, "batch_size": 4, "shuffle": False}
    excess = {}
    for schedule in ("constant", "adaptive"):
        model = GDLinearRegressor(schedule=schedule, **params)
        for _ in range(120):
            model.partial_fit(X, y)
        excess[schedule] = excess_loss(model.predict(X), X, y)
    assert excess["adaptive"] < excess["constant"] / 100


def test_streams_of_one_random_state_differ_and_of_one_seed_do_not(regression):
    def coef(random_state, shuffle=True):
        model = GDLinearRegressor(
            learning_rate=0.02, batch_size=4, random_state=random_state, shuffle=shuffle
        )
        return streamed(model, *regression, [20]).coef_

    state = np.random.RandomState(0)
    assert not np.array_equal(coef(state), coef(state))
    assert np.array_equal(coef(0), coef(0))
    assert not np.array_equal(coef(0), coef(1))
    assert np.array_equal(coef(0, shuffle=False), coef(1, shuffle=False))


def test_rows_from_elsewhere_are_no_divergence(regression):
    X, y = regression
    model = GDLinearRegressor(
        learning_rate=0.01, batch_size=4, shuffle=False, max_iter=1
    )
    model.partial_fit(X, y)
    model.partial_fit(X, 1e-3 * y)  # far above the zero model there


@pytest.mark.parametrize("params", [{"batch_size": 32}, {"precompute": False}])
@pytest.mark.parametrize("average", [False, True])
def test_rare_columns_do_no_harm(params, average):
    """One small number of a column, seen alone, makes for a scale far too small."""
    rng = np.random.default_rng(0)
    X = csr_array(random_array((600, 3000), density=0.01, rng=rng))
    y = X @ rng.standard_normal(3000)
    model = GDLinearRegressor(average=average, random_state=0, **params)
    for _ in range(3):
        streamed(model, X, y, range(100, 600, 100))
        assert model.score(X, y) > 0


def test_a_chunk_on_which_it_diverges_is_said(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(strategy, learning_rate=5.0, batch_size=4)
    with pytest.raises(DivergenceError):
        model.partial_fit(X, y)
    assert not hasattr(model, "coef_")


def test_stacked_layers_say_that_they_are_no_stream(regression):
    stacked = ModuleStrategy(
        lambda d, t: torch.nn.Sequential(torch.nn.Linear(d, 2), torch.nn.Linear(2, t))
    )
    model = GDLinearRegressor(stacked, learning_rate=0.01, batch_size=8)
    model.partial_fit(*regression)
    with pytest.raises(ValueError, match="partial_fit from the second chunk"):
        model.partial_fit(*regression)


@pytest.mark.parametrize("average", [False, 5000])
def test_automatic_batches_approach_least_squares_in_raw_units(strategy, average):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5)) * [1, 100, 1e-3, 5, 1] + [0, 1000, 5, 1, -8]
    y = X @ [1.0, 0.01, 1e3, 0.2, 1] + rng.standard_normal(20_000)
    model = GDLinearRegressor(strategy, batch_size=32, random_state=0, average=average)
    streamed(model, X, y, range(1000, 20_000, 1000))
    assert excess_loss(model.predict(X), X, y) < (2e-3 if average else 1e-2)
    sgd = streamed(SGDRegressor(alpha=0), X, y, range(1000, 20_000, 1000))
    assert excess_loss(sgd.predict(X), X, y) > 1e6


def test_more_columns_than_a_scatter_holds_take_a_step_a_chunk():
    rng = np.random.default_rng(0)
    X = csr_array(random_array((400, 3000), density=0.01, rng=rng))
    y = X @ rng.standard_normal(3000)
    model = GDLinearRegressor()
    losses = [
        model.partial_fit(X[i : i + 100], y[i : i + 100]).loss_curve_[0]
        for _ in range(10)
        for i in range(0, 400, 100)
    ]
    assert model.n_iter_ == 1
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])


def test_memory_does_not_grow_with_the_stream():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5))
    y = X @ np.arange(5.0) + rng.standard_normal(20_000)
    model = GDLinearRegressor().partial_fit(X, y)
    sizes = [len(pickle.dumps(model.partial_fit(X, y))) for _ in range(3)]
    tracemalloc.start()
    model.partial_fit(X, y)
    first = tracemalloc.get_traced_memory()[1]
    for _ in range(5):
        model.partial_fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.1 * first
    assert max(sizes) - min(sizes) < 1000


def test_optimizers_of_torchs_begin_anew_with_each_chunk(regression):
    X, y = regression
    adam = ModuleStrategy(optimizer=torch.optim.Adam)
    model = GDLinearRegressor(adam, learning_rate=0.1, batch_size=8, random_state=0)
    for _ in range(60):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.99


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss", "hubr"),
        ("schedule", "adaptve"),
        ("learning_rate", -0.01),
        ("alpha", -1.0),
        ("strategy", "auto"),
    ],
)
def test_parameters_are_checked_at_every_call(name, value, batch_size, regression):
    model = GDLinearRegressor(batch_size=batch_size).partial_fit(*regression)
    model.set_params(**{name: value})
    before = state(model)
    with pytest.raises(ValueError, match=f"The '{name}' parameter .* Got {value!r}"):
        model.partial_fit(*regression)
    assert state(model) == before


@pytest.mark.parametrize("schedule", ["constant", "invscaling"])
def test_an_overflow_of_a_step_a_chunk_is_blamed_on_the_rate(schedule, regression):
    model = GDLinearRegressor(learning_rate=1e3, schedule=schedule, batch_size=40)
    with pytest.raises(DivergenceError, match="stable below") as caught:
        streamed(model, *(np.tile(a.T, 100).T for a in regression), range(40, 4000, 40))
    error = caught.value
    assert error.learning_rate > error.largest_stable_learning_rate
    assert error.learning_rate == 1e3 or schedule != "constant"


@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_unit_of_the_weights_is_no_matter_to_the_average(batch_size, regression):
    X, y = regression
    weight = np.random.default_rng(1).uniform(1, 3, len(y))
    models = [
        GDLinearRegressor(
            learning_rate=0.05,
            average=True,
            batch_size=batch_size,
            random_state=0,
            max_iter=10,
            tol=None,
        )
        for _ in range(2)
    ]
    one, other = (
        streamed(model, X, y, [20], unit * weight)
        for model, unit in zip(models, (1.0, 1e-4), strict=True)
    )
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-10)


@pytest.mark.parametrize("ratio", [1e17, 1e20, 1e100])
@pytest.mark.parametrize("n_rows", [3, 7, 11])
# A scale of nan was announced by one.
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_chunk_that_outweighs_all_before_is_a_stream_of_its_own(ratio, n_rows):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1 + n_rows, 2))
    y = X @ [1.0, 2.0]
    model = GDLinearRegressor(batch_size=4, random_state=0).partial_fit(X[:1], y[:1])
    model.partial_fit(X[1:], y[1:], np.full(n_rows, ratio))
    assert np.isfinite(model.coef_).all()
    # The scales are those of the heavy chunk alone.
    np.testing.assert_allclose(
        model._stream._seen.X.spread, X[1:].std(axis=0), rtol=1e-6
    )
