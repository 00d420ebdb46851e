"""What a user sees of the estimator."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression

from skgd import DivergenceError, GDLinearRegressor
from skgd.callback import DescentHistory
from skgd.strategies import ManualStrategy, ModuleStrategy


def odd_strides(array):
    """View an array through a packed record, nine bytes after nine bytes."""
    record = np.zeros(len(array), [("a", "i1"), ("x", "f8", array.shape[1])])
    record["x"] = array
    return record["x"]


class Interrupted(ManualStrategy):
    """What Ctrl-C does to a fit."""

    def evaluate(self, rows):
        raise KeyboardInterrupt


def test_defaults_reach_least_squares(strategy, regression):
    X, y = regression
    expected = LinearRegression().fit(X, y)
    model = GDLinearRegressor(strategy, tol=1e-9).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert_allclose(model.intercept_, expected.intercept_, rtol=1e-8)


def test_defaults_reach_least_squares_without_intercept(strategy, regression):
    X, y = regression
    expected = LinearRegression(fit_intercept=False).fit(X, y)
    model = GDLinearRegressor(strategy, fit_intercept=False, tol=1e-9).fit(X, y)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-8)
    assert model.intercept_ == 0


def test_several_targets_equal_one_fit_each(strategy, two_targets):
    X, Y = two_targets
    model = GDLinearRegressor(strategy, max_iter=30, tol=None).fit(X, Y)
    alone = [GDLinearRegressor(strategy, max_iter=30, tol=None).fit(X, y) for y in Y.T]
    assert_allclose(model.coef_, [one.coef_ for one in alone], atol=1e-13)
    assert_allclose(model.intercept_, [one.intercept_ for one in alone], rtol=1e-12)
    assert_allclose(
        model.loss_curve_, np.sum([one.loss_curve_ for one in alone], axis=0)
    )


def test_several_targets_stop_when_each_alone_would_have(strategy):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 3)) + rng.standard_normal((50, 1))
    # Of very different size, and one of them is all but noise.
    Y = np.column_stack(
        [1e6 * X.sum(axis=1), 1e-3 * (X[:, 0] - X[:, 1]), rng.standard_normal(50)]
    )
    # With momentum, one that has arrived may swing out again.
    model = GDLinearRegressor(strategy, momentum=0.0, whiten=False)
    alone = [model.fit(X, y).n_iter_ for y in Y.T]
    assert len(set(alone)) > 1
    assert model.fit(X, Y).n_iter_ == max(alone)


@pytest.mark.parametrize("y_shape", [(40,), (40, 1), (40, 2)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_shapes_are_those_of_linear_regression(y_shape, fit_intercept, strategy):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.standard_normal(y_shape)
    expected = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    model = GDLinearRegressor(strategy, fit_intercept=fit_intercept).fit(X, y)
    assert model.coef_.shape == expected.coef_.shape
    assert np.shape(model.intercept_) == np.shape(expected.intercept_)
    assert model.predict(X).shape == expected.predict(X).shape
    assert_allclose(model.predict(X), expected.predict(X), atol=1e-2)


def test_float32_stays_float32(strategy, two_targets):
    X, Y = (array.astype("float32") for array in two_targets)
    for y in (Y, Y[:, 0]):
        model = GDLinearRegressor(strategy).fit(X, y, np.arange(40))
        assert model.coef_.dtype == model.intercept_.dtype == np.float32
        assert model.predict(X).dtype == np.float32
        without = GDLinearRegressor(strategy, fit_intercept=False).fit(X, y)
        assert without.predict(X).dtype == np.float32


@pytest.mark.parametrize(
    ("convert", "dtype"),
    [
        (np.asfortranarray, "float64"),
        (lambda a: a.astype("float32"), "float32"),
        (lambda a: a.astype("float16"), "float64"),
        (lambda a: a.astype(">f8"), "float64"),
        (lambda a: a.astype(">f4"), "float32"),
        (lambda a: a[::-1].copy()[::-1], "float64"),
        (lambda a: odd_strides(a), "float64"),
        (lambda a: a.tolist(), "float64"),
        (lambda a: pd.DataFrame(a), "float64"),
        (lambda a: pd.DataFrame(a.astype("float32")), "float32"),
        (lambda a: pl.DataFrame(a), "float64"),
        (lambda a: pl.DataFrame(a.astype("float32")), "float32"),
        (lambda a: torch.from_numpy(a), "float64"),
        (lambda a: torch.from_numpy(a.astype("float32")), "float32"),
    ],
)
def test_inputs_of_many_kinds_give_the_same_model(
    convert, dtype, strategy, two_targets
):
    X, Y = np.rint(8 * two_targets[0]) / 8, np.rint(8 * two_targets[1]) / 8
    # A float rate: the rows go to the strategy as they are, not centred anew.
    params = {"learning_rate": 0.1, "max_iter": 30, "tol": None}
    expected = GDLinearRegressor(strategy, **params).fit(X, Y)
    model = GDLinearRegressor(strategy, **params).fit(convert(X), convert(Y))
    assert model.coef_.dtype == dtype
    rtol = {"float32": 1e-3, "float64": 1e-12}[dtype]
    assert_allclose(model.coef_, expected.coef_, rtol=rtol)
    predictions = model.predict(convert(X))
    assert predictions.dtype == dtype
    assert_allclose(predictions, expected.predict(X), rtol=rtol, atol=rtol)


def test_float32_converges_on_offset_data_as_float64_does(strategy):
    rng = np.random.default_rng(0)
    X = 100 * rng.standard_normal((500, 2)) + 1e4
    y = 1e4 + X @ [0.01, 0.02] + rng.standard_normal(500)
    epochs = [
        GDLinearRegressor(strategy).fit(X.astype(dtype), y).n_iter_
        for dtype in ("float64", "float32")
    ]
    assert epochs[0] == epochs[1] < 20


def test_integers_are_converted():
    X, y = np.array([[1], [2], [3], [4]]), np.array([2, 4, 6, 8])
    model = GDLinearRegressor().fit(X, y)
    assert_allclose(model.predict([[10]]), [20], rtol=1e-3)


def test_data_are_left_as_they_are(strategy, two_targets):
    X, Y = two_targets
    weight = np.arange(40.0)
    originals = X.copy(), Y.copy(), weight.copy()
    for learning_rate in ("auto", 0.1):
        GDLinearRegressor(strategy, learning_rate=learning_rate).fit(X, Y, weight)
    for array, original in zip((X, Y, weight), originals, strict=True):
        assert np.array_equal(array, original)


@pytest.mark.parametrize("learning_rate", ["auto", 0.05])
def test_weights_are_repetitions(learning_rate, strategy, regression):
    X, y = regression
    times = np.arange(40) % 3
    model = GDLinearRegressor(strategy, learning_rate=learning_rate, tol=1e-3)
    model.fit(X, y, sample_weight=7.5 * times)
    weighted = model.coef_, model.intercept_, model.loss_curve_
    model.fit(X.repeat(times, axis=0), y.repeat(times))
    repeated = model.coef_, model.intercept_, model.loss_curve_
    for one, other in zip(weighted, repeated, strict=True):
        assert_allclose(one, other, rtol=1e-10)


def test_a_row_of_weight_zero_may_hold_anything_finite(regression):
    X, y = regression
    expected = GDLinearRegressor().fit(X[1:], y[1:])
    X, y, weight = X.copy(), y.copy(), np.ones(40)
    X[0], y[0], weight[0] = 1e300, -1e300, 0
    model = GDLinearRegressor().fit(X, y, weight)
    assert np.array_equal(model.coef_, expected.coef_)


def test_weights_may_be_of_any_size(regression):
    X, y = regression
    weight = np.linspace(1, 2, 40)
    expected = GDLinearRegressor().fit(X, y, weight)
    for size in (1e-307, 1e307):
        model = GDLinearRegressor().fit(X, y, size * weight)
        assert_allclose(model.coef_, expected.coef_, rtol=1e-12)


def test_the_loss_curve_is_the_loss_before_each_update(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(strategy, learning_rate=0.05, max_iter=7, tol=None)
    curve = model.fit(X, y).loss_curve_
    assert len(curve) == model.n_iter_ == 7
    assert all(type(loss) is float for loss in curve)
    assert curve[0] == pytest.approx(np.mean(y**2))
    for k in (1, 6):
        model.set_params(max_iter=k).fit(X, y)
        assert curve[k] == pytest.approx(np.mean((model.predict(X) - y) ** 2))


def test_it_starts_where_it_is_told(strategy, two_targets):
    X, Y = two_targets
    model = GDLinearRegressor(strategy, learning_rate=1e-12, max_iter=1, tol=None)
    coef, intercept = np.arange(6.0).reshape(2, 3), np.array([5.0, -5.0])
    model.fit(X, Y, coef_init=coef, intercept_init=intercept)
    assert_allclose(model.coef_, coef, atol=1e-9)
    assert_allclose(model.intercept_, intercept, atol=1e-9)
    model.fit(X, Y[:, 0], coef_init=coef[1], intercept_init=7)
    assert_allclose(model.coef_, coef[1], atol=1e-9)
    assert_allclose(model.intercept_, 7, atol=1e-9)
    model.fit(X, Y)
    assert_allclose(model.coef_, 0, atol=1e-9)


def test_a_start_is_in_the_users_units_also_on_centred_data(regression):
    X, y = regression
    X = X + 10
    start = {"coef_init": [1.0, 1.0, 1.0], "intercept_init": 3.0}
    model = GDLinearRegressor(max_iter=1, tol=None).fit(X, y, **start)
    residual = X.sum(axis=1) + 3 - y
    assert model.loss_curve_[0] == pytest.approx(np.mean(residual**2))


def test_a_warm_start_goes_on(strategy, regression):
    whole = GDLinearRegressor(strategy, learning_rate=0.02, max_iter=9, tol=None)
    whole.fit(*regression)
    parts = GDLinearRegressor(
        strategy, learning_rate=0.02, max_iter=3, tol=None, warm_start=True
    )
    curve = []
    for _ in range(3):
        curve += parts.fit(*regression).loss_curve_
    assert_allclose(curve, whole.loss_curve_, rtol=1e-12)
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-12)


def test_an_explicit_start_comes_before_a_warm_one(regression):
    model = GDLinearRegressor(warm_start=True).fit(*regression)
    model.set_params(learning_rate=1e-12, max_iter=1, tol=None)
    model.fit(*regression, coef_init=[1.0, 2.0, 3.0], intercept_init=4.0)
    assert_allclose(model.coef_, [1, 2, 3], rtol=1e-9)
    assert_allclose(model.intercept_, 4, rtol=1e-9)


@pytest.mark.parametrize("standardize", ["auto", False])
def test_the_auto_rate_is_one_over_the_largest_eigenvalue(
    standardize, strategy, regression
):
    X, y = regression
    if standardize:
        A, b, scale = (X - X.mean(axis=0)) / X.std(axis=0), y - y.mean(), X.std(axis=0)
    else:
        A, b, scale = X, y, 1.0
    L = 2 * np.linalg.norm(np.c_[A, np.ones(40)], 2) ** 2 / 40
    model = GDLinearRegressor(
        strategy, standardize=standardize, whiten=False, max_iter=1, tol=None
    ).fit(X, y)
    assert_allclose(model.coef_, 2 / 40 * A.T @ b / L / scale, rtol=1e-9)


def test_a_warm_start_from_the_minimum_stays_there(regression):
    model = GDLinearRegressor(warm_start=True).fit(*regression)
    coef = model.coef_
    assert model.fit(*regression).n_iter_ == 1
    assert_allclose(model.coef_, coef, rtol=1e-12)


def test_a_warm_start_may_drop_the_intercept(regression):
    model = GDLinearRegressor(warm_start=True).fit(*regression)
    model.set_params(fit_intercept=False, tol=1e-9).fit(*regression)
    expected = LinearRegression(fit_intercept=False).fit(*regression)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    assert model.intercept_ == 0


def test_a_warm_start_is_from_data_of_the_same_columns(regression):
    X, y = regression
    model = GDLinearRegressor(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="expecting 3 features"):
        model.fit(X[:, :2], y)
    assert model.n_features_in_ == 3
    with pytest.raises(
        ValueError, match=r"coef_ of the last fit has .*\(3,\).*\(2, 3\)"
    ):
        model.fit(X, np.column_stack([y, y]))


def test_tol_none_runs_all_epochs_in_silence(recwarn):
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.0])
    model = GDLinearRegressor(tol=None, max_iter=300).fit(X, y)
    assert model.n_iter_ == 300
    assert not recwarn.list


def test_running_out_of_epochs_warns_with_what_was_reached(regression):
    model = GDLinearRegressor(max_iter=3, whiten=False)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 .*tol=0.0001") as seen:
        model.fit(*regression)
    reached = float(re.search(r" is (\S+), and tol", str(seen[0].message))[1])
    assert seen[0].filename == __file__
    assert model.n_iter_ == 3
    # What was reached is the tol that would have been met.
    model.set_params(tol=1.01 * reached, max_iter=4).fit(*regression)
    assert model.n_iter_ == 4


def test_arriving_with_the_last_epoch_is_arriving(regression):
    # After the last epoch nothing is carried on, so with momentum it ends elsewhere.
    model = GDLinearRegressor(momentum=0.0, whiten=False).fit(*regression)
    n_updates = model.n_iter_ - 1  # the last epoch found the rule met
    again = clone(model).set_params(max_iter=n_updates).fit(*regression)
    assert np.array_equal(again.coef_, model.coef_)
    with pytest.warns(ConvergenceWarning):
        again.set_params(max_iter=n_updates - 1).fit(*regression)


@pytest.mark.filterwarnings("error::RuntimeWarning")  # overflow is told by the error
def test_a_rate_above_the_largest_stable_one_diverges(strategy, two_targets):
    X, Y = two_targets
    weight = np.linspace(1, 3, 40)
    model = GDLinearRegressor(strategy, learning_rate=100.0)
    with pytest.raises(DivergenceError, match=r"epoch \d+.*learning_rate=100.*\d") as e:
        model.fit(X, Y, weight)
    stable = e.value.largest_stable_learning_rate
    assert f"{stable:.6g}" in str(e.value)
    assert e.value.learning_rate == 100
    assert len(e.value.loss_curve) == e.value.epoch + 1
    assert e.value.epoch < 300

    model.set_params(learning_rate=0.99 * stable, tol=None, max_iter=500)
    model.fit(X, Y, weight)
    model.set_params(learning_rate=1.01 * stable)
    with pytest.raises(DivergenceError, match=r"rose from|became"):
        model.fit(X, Y, weight)


def test_a_single_step_that_ends_above_where_it_began_is_divergence(regression):
    model = GDLinearRegressor(learning_rate=1.0, max_iter=1)
    with pytest.raises(DivergenceError, match=r"rose from .* by the end of epoch 0"):
        model.fit(*regression)


def test_a_slow_divergence_from_the_minimum_is_found(regression):
    X, y = regression
    model = GDLinearRegressor(tol=1e-6).fit(X, y)
    with pytest.raises(DivergenceError) as failure:
        model.set_params(learning_rate=100.0).fit(X, y)
    stable = failure.value.largest_stable_learning_rate
    model.set_params(
        learning_rate=1.05 * stable, max_iter=60, tol=None, warm_start=True
    )
    with pytest.raises(DivergenceError, match="rose from"):
        model.fit(X, y, coef_init=model.coef_ * (1 + 1e-3))


def test_a_divergence_under_another_optimizer_names_no_bound(regression):
    strategy = ModuleStrategy(optimizer_params={"momentum": 0.9})
    with pytest.raises(DivergenceError, match="smaller one") as failure:
        GDLinearRegressor(strategy, learning_rate=100.0).fit(*regression)
    assert failure.value.largest_stable_learning_rate is None


def test_another_optimizer_may_climb_from_near_the_minimum(regression):
    X, y = regression
    adam = ModuleStrategy(optimizer=torch.optim.Adam)
    model = GDLinearRegressor(adam, learning_rate=0.5, warm_start=True).fit(X, y)
    model.set_params(tol=None, max_iter=3).fit(X, y)
    assert model.loss_curve_[-1] > model.loss_curve_[0]


def test_rounding_at_the_minimum_is_not_divergence(strategy):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2)).astype("float32")
    for y in (X @ [1, 2], X @ [1, 2] + 1e4, 1e4 + rng.standard_normal(50)):
        model = GDLinearRegressor(
            strategy, learning_rate=0.3, max_iter=100, tol=None, warm_start=True
        )
        for _ in range(5):
            model.fit(X, y.astype("float32"))


def test_a_failed_fit_leaves_no_trace(strategy, regression):
    X, y = regression
    model = GDLinearRegressor(strategy, learning_rate=1e3)
    with pytest.raises(DivergenceError):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "n_features_in_")

    model.set_params(learning_rate="auto").fit(X, y)
    before = model.predict(X)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(strategy=Interrupted()).fit(X[:, :2], y)
    model.set_params(strategy=strategy)
    with pytest.raises(DivergenceError):
        model.set_params(learning_rate=1e3).fit(pd.DataFrame(X[:, :2]), y)
    assert np.array_equal(model.predict(X), before)


@pytest.mark.parametrize("verbose", [1, True, 3])
def test_verbose_prints_every_so_many_epochs(verbose, regression, capsys):
    X, y = regression
    GDLinearRegressor(max_iter=7, tol=None, verbose=verbose).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *(f"epoch {k}" for k in range(0, 7, int(verbose))),
        "after 7 epochs",
    ]
    assert not any("coef" in line for line in lines)


def test_verbose_shows_a_line_in_the_users_units(strategy, capsys):
    X, y = np.array([[11.0], [12.0], [13.0]]), np.array([[5.0, 1], [7, 1], [9, 1]])
    GDLinearRegressor(strategy, max_iter=2, tol=None, verbose=1).fit(X, y)
    last = capsys.readouterr().out.splitlines()[-1]
    model = GDLinearRegressor(strategy, max_iter=2, tol=None).fit(X, y)
    numbers = [
        ", ".join(f"{v:.5f}" for v in a.ravel())
        for a in (model.coef_, model.intercept_)
    ]
    assert last.endswith(f"coef = [{numbers[0]}], intercept = [{numbers[1]}]")


def test_verbose_prints_the_rows_of_a_history(regression, capsys):
    X, y = regression[0][:, :1], regression[1]
    history = DescentHistory(every=2)
    model = GDLinearRegressor(learning_rate=0.05, max_iter=5, tol=None, verbose=2)
    model.set_callbacks(history).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    rows = history.to_frame().reset_index().to_dict("records")
    assert [row["epoch"] for row in rows] == [0, 2, 4, 5]
    for line, row in zip(lines, rows, strict=True):
        assert line.split(": ")[1] == (
            f"loss = {row['loss']:.5f}, gradient norm = {row['gradient_norm']:.5f}, "
            f"coef = {row['coef_x0']:.5f}, intercept = {row['intercept']:.5f}"
        )


@pytest.mark.parametrize(
    "params",
    [
        {"max_iter": 5, "tol": None},
        {"max_iter": 5, "tol": None, "average": True},
        {"early_stopping": True, "batch_size": 2, "tol": 1e-3},
    ],
)
def test_the_last_line_ends_with_the_model(params, regression, capsys):
    X, y = regression[0][:, :1], regression[1]
    model = GDLinearRegressor(
        learning_rate=0.05, random_state=1, verbose=1, **params
    ).fit(X, y)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(
        f"coef = {model.coef_[0]:.5f}, intercept = {model.intercept_:.5f}"
    )
    # That of the last step is another one.
    assert last.count("coef") == (1 if "tol" in params and len(params) == 2 else 2)


def test_the_gradient_norm_is_that_of_the_printed_parameters(strategy, capsys):
    X, y = np.array([[1.0], [2.0], [3.0], [5.0]]), np.array([3.0, 5.0, 7.0, 12.0])
    GDLinearRegressor(strategy, max_iter=1, tol=None, verbose=1).fit(
        X, y, coef_init=[1.0], intercept_init=5.0
    )
    residual = X[:, 0] + 5 - y
    norm = np.hypot(2 * np.mean(residual * X[:, 0]), 2 * np.mean(residual))
    first = capsys.readouterr().out.splitlines()[0]
    assert f"gradient norm = {norm:.5f}, coef = 1.00000, intercept = 5.00000" in first


def test_silent_by_default(regression, capsys):
    GDLinearRegressor().fit(*regression)
    assert not capsys.readouterr().out
