import numpy as np
import pytest
import torch
from by_hand import descend, excess_loss
from sklearn.exceptions import ConvergenceWarning

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ModuleStrategy


def parameters(model):
    return [*model.coef_, model.intercept_]


def run(strategy, regression, **params):
    params = {"learning_rate": 0.02, "max_iter": 3, "tol": None, **params}
    params = {"shuffle": False, "precompute": "auto", **params}
    return GDLinearRegressor(strategy, **params).fit(*regression)


SCHEDULES = {
    "constant": lambda t: 1.0,
    "invscaling": lambda t: (t + 1) ** -0.3,
}


@pytest.mark.parametrize("batch_size", [8, 40])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_follows_the_schedule(strategy, schedule, batch_size, regression):
    factor = SCHEDULES[schedule]
    by_hand = {"epochs": 3, "batch_size": batch_size, "schedule": factor}
    expected = descend(*regression, 0.02, **by_hand).path[-1]
    for given_as in (schedule, factor):
        model = run(
            strategy, regression, schedule=given_as, power_t=0.3, batch_size=batch_size
        )
        np.testing.assert_allclose(parameters(model), expected, rtol=1e-10)


@pytest.mark.parametrize(
    "penalty", [{}, {"alpha": 0.1, "l1_ratio": 1.0}, {"positive": True}]
)
@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_function_is_asked_for_every_step_once(batch_size, penalty, regression):
    asked = []

    def warm_up(step):
        asked.append(step)
        return min(step / 10, 1)

    model = run(
        "manual", regression, schedule=warm_up, batch_size=batch_size, **penalty
    )
    assert asked == list(range(model.n_iter_ * 40 // (batch_size or 40)))


@pytest.mark.parametrize("kind", [float, np.float32, np.array, torch.tensor])
def test_a_factor_may_be_any_kind_of_number(kind, regression):
    model = run("manual", regression, schedule=lambda t: kind(0.5))
    half = run("manual", regression, learning_rate=0.01)
    np.testing.assert_allclose(model.coef_, half.coef_, rtol=1e-12)


@pytest.mark.parametrize("factor", [np.nan, np.inf, -0.1, None, "1", 1j])
def test_a_factor_that_is_no_number_is_named(factor, regression):
    for batch_size in (None, 8):
        model = GDLinearRegressor(
            batch_size=batch_size,
            schedule=lambda t: factor if t == 2 else 0.1,
        )
        with pytest.raises(ValueError, match=r"schedule.* schedule\(2\) returned"):
            model.fit(*regression)
        assert not hasattr(model, "coef_")


def test_adaptive_divides_by_five_when_the_loss_no_longer_falls(regression):
    """What a constant rate leaves of its noise, smaller rates take away."""
    X, y = regression
    y = y + np.random.default_rng(0).standard_normal(40)
    shared = {"learning_rate": 0.1, "batch_size": 4, "shuffle": True, "max_iter": 200}
    shared |= {"random_state": 0, "tol": 1e-5}
    noisy = run("manual", (X, y), schedule="constant", **shared)
    model = run("manual", (X, y), schedule="adaptive", **shared)
    excess = [excess_loss(m.predict(X), X, y) for m in (noisy, model)]
    assert excess[1] < excess[0] / 100
    assert model.n_iter_ < 200


def test_adaptive_goes_on_for_all_epochs_without_a_tolerance(regression):
    X, y = regression
    model = run(
        "manual",
        (X, y),
        schedule="adaptive",
        learning_rate=0.1,
        batch_size=4,
        max_iter=150,
        shuffle=True,
        random_state=0,
    )
    assert model.n_iter_ == 150
    assert excess_loss(model.predict(X), X, y) < 1e-3


def test_adaptive_serves_the_full_batch_too(regression):
    """Which says so, where it stops short of the stopping rule."""
    X, y = regression
    params = {"schedule": "adaptive", "learning_rate": 0.3, "max_iter": 1000}
    model = run("manual", regression, tol=0.2, **params)  # without a warning
    model.set_params(learning_rate=0.02, tol=1e-3)
    with pytest.warns(ConvergenceWarning, match=r"stopped at a plateau .* correlation"):
        model.fit(X, y)


def test_an_average_does_not_hide_that_the_full_batch_has_arrived(regression):
    X, y = regression
    plain = GDLinearRegressor().fit(X, y)
    model = GDLinearRegressor(average=True).fit(X, y)
    assert np.array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("batch_size", [8, 40])
def test_the_average_is_that_of_the_iterates(strategy, batch_size, regression):
    path = descend(*regression, 0.02, epochs=3, batch_size=batch_size).path
    model = run(strategy, regression, average=True, batch_size=batch_size)
    np.testing.assert_allclose(parameters(model), path.mean(axis=0), rtol=1e-10)
    # From the step on that has seen the 50th row; or that comes to it just so.
    seen = batch_size * np.arange(1, len(path) + 1)
    for begin in (50, 80):
        model = run(strategy, regression, average=begin, batch_size=batch_size)
        expected = path[seen >= begin].mean(axis=0)
        np.testing.assert_allclose(parameters(model), expected, rtol=1e-10)
    for never in (1000, 0, False):
        model = run(strategy, regression, average=never, batch_size=batch_size)
        np.testing.assert_allclose(parameters(model), path[-1], rtol=1e-10)


def test_rows_are_counted_also_where_they_are_condensed(regression):
    params = {"average": 50, "max_iter": 3}
    model = run("manual", regression, **params)
    few = run("manual", regression, **params, precompute=True)
    np.testing.assert_allclose(few.coef_, model.coef_, rtol=1e-10)
    path = descend(*regression, 0.02, epochs=3).path
    np.testing.assert_allclose(parameters(model), path[1:].mean(axis=0), rtol=1e-10)


def test_the_average_goes_on_where_a_constant_rate_ends_in_noise():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 4))
    y = X @ [1.0, 2.0, 3.0, 4.0] + rng.standard_normal(2000)
    excess = {}
    for average in (False, 4000):
        model = run(
            "manual",
            (X, y),
            average=average,
            batch_size=4,
            shuffle=True,
            random_state=0,
            max_iter=8,
        )
        excess[average] = excess_loss(model.predict(X), X, y)
    assert excess[4000] < excess[False] / 10


def test_schedules_serve_other_optimizers(regression):
    X, y = regression
    adam = ModuleStrategy(optimizer=torch.optim.Adam)
    model = GDLinearRegressor(
        adam,
        learning_rate=0.3,
        batch_size=8,
        schedule="adaptive",
        max_iter=300,
        random_state=0,
    ).fit(X, y)
    assert excess_loss(model.predict(X), X, y) < 1e-3


def test_a_divergence_names_the_rate_that_the_schedule_led_to(regression):
    model = GDLinearRegressor(
        learning_rate=0.01, schedule=lambda t: 10.0**t, max_iter=50
    )
    with pytest.raises(DivergenceError) as failure:
        model.fit(*regression)
    assert failure.value.learning_rate > failure.value.largest_stable_learning_rate
