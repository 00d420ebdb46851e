"""Displays: what they draw is what was fitted, and what they cannot draw is named."""

import sys

import matplotlib

matplotlib.use("Agg")  # before pyplot: there may be no display

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import ElasticNet, LassoCV, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import (
    DescentPathDisplay,
    DivergenceError,
    GDLinearRegressor,
    GDLinearRegressorCV,
    LossCurveDisplay,
    SearchDisplay,
)
from skgd._displays._matplotlib import line_styles
from skgd.callback import DescentHistory
from skgd.strategies import ModuleStrategy

ONE_X = np.array([[1.0], [2.0], [3.0], [4.0]])
LINE, BENT = np.array([2.0, 4.0, 6.0, 8.0]), np.array([10.0, 20.0, 30.0, 50.0])
WEIGHTS = np.array([1.0, 3.0, 0.0, 2.0])


@pytest.fixture(autouse=True)
def _close_figures():
    with plt.rc_context():
        yield
    plt.close("all")


def textbook(**params):
    """Return plain gradient descent of a few epochs."""
    defaults = {"learning_rate": 0.05, "max_iter": 30, "tol": None}
    return GDLinearRegressor(**{**defaults, **params})


def objective_by_hand(model, X, y, coef, intercept, weight=None):
    """Return the objective as the docstring of GDLinearRegressor has it."""
    residual = X @ coef + intercept - y
    loss = residual**2
    if model.loss == "huber":
        size, eps = abs(residual), model.epsilon
        loss = np.where(size <= eps, loss, 2 * eps * size - eps**2)
    alpha, l1_ratio = model.alpha, model.l1_ratio
    penalty = alpha * (1 - l1_ratio) * coef @ coef
    penalty += 2 * alpha * l1_ratio * abs(coef).sum()
    return np.average(loss, weights=weight) + penalty


def some_points(display, rng, n=5):
    """Yield values of the shown parameters, and the loss that is drawn there."""
    for _ in range(n):
        index = [rng.integers(len(axis)) for axis in display.grid]
        values = [axis[i] for axis, i in zip(display.grid, index, strict=True)]
        yield np.array(values), display.loss[tuple(index[::-1])]


# Loss curves


def test_the_curve_is_the_loss_curve(regression):
    model = textbook().fit(*regression)
    display = LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.line_.get_xdata(), range(30))
    np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    assert display.ax_.get_yscale() == "log"
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_legend() is None


def test_the_regressor_inside_is_found(regression):
    X, y = regression
    search = GDLinearRegressorCV(textbook(), {"alpha": [0.0, 1.0]})
    nested = [
        make_pipeline(StandardScaler(), textbook()),
        GridSearchCV(make_pipeline(StandardScaler(), textbook()), {}, cv=2),
        make_pipeline(StandardScaler(), search),
        TransformedTargetRegressor(textbook(), transformer=StandardScaler()),
    ]
    display = LossCurveDisplay.from_estimator([each.fit(X, y) for each in nested])
    expected = [
        nested[0][-1],
        nested[1].best_estimator_[-1],
        nested[2][-1].best_estimator_,
        nested[3].regressor_,
    ]
    for line, regressor in zip(display.line_, expected, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), regressor.loss_curve_)


@pytest.mark.parametrize(
    ("params", "direct"),
    [
        ({}, Ridge(alpha=1e-12)),
        ({"alpha": 0.3}, Ridge(alpha=0.3 * 40)),
        ({"alpha": 0.3, "l1_ratio": 0.5}, ElasticNet(alpha=0.3, tol=1e-12)),
        ({"positive": True}, ElasticNet(alpha=1e-12, positive=True, tol=1e-12)),
        ({"alpha": 0.3, "fit_intercept": False}, Ridge(12.0, fit_intercept=False)),
    ],
)
def test_the_excess_is_that_over_a_direct_solution(params, direct, regression):
    X, y = regression
    weight = 1 + np.arange(len(y)) % 2 / 3
    model = textbook(**params).fit(X, y, sample_weight=weight / weight.mean())
    direct.fit(X, y, sample_weight=weight / weight.mean())
    least = objective_by_hand(model, X, y, direct.coef_, direct.intercept_, weight)
    expected = np.array(model.loss_curve_) - least
    for data in {}, {"X": X, "y": y, "sample_weight": weight}:
        display = LossCurveDisplay.from_estimator(model, excess=True, **data)
        np.testing.assert_allclose(display.loss, expected, rtol=1e-6)


def test_the_excess_of_several_targets_and_penalties_adds_up(two_targets):
    X, Y = two_targets
    both = textbook(alpha=[0.1, 1.0]).fit(X, Y)
    alone = [
        textbook(alpha=alpha).fit(X, y)
        for alpha, y in zip([0.1, 1.0], Y.T, strict=True)
    ]
    display = LossCurveDisplay.from_estimator([both, *alone], excess=True)
    together, *parts = display.loss
    np.testing.assert_allclose(together, np.sum(parts, axis=0), rtol=1e-9)


def test_an_excess_within_rounding_is_not_drawn():
    model = textbook(learning_rate=0.06, fit_intercept=False, max_iter=200)
    loss = LossCurveDisplay.from_estimator(model.fit(ONE_X, LINE), excess=True).loss
    assert np.isfinite(loss[:5]).all()
    assert np.isnan(loss[-50:]).all()
    assert np.nanmin(loss) > 1e-16 * model.loss_curve_[0]


def test_the_excess_of_mini_batches_takes_the_data(regression):
    X, y = regression
    model = textbook(batch_size=10, random_state=0, max_iter=100).fit(X, y)
    with pytest.raises(ValueError, match=r"moments_.*Pass X and y"):
        LossCurveDisplay.from_estimator(model, excess=True)
    display = LossCurveDisplay.from_estimator(model, X=X, y=y, excess=True)
    least = Ridge(alpha=1e-12).fit(X, y)
    excess = np.array(model.loss_curve_) - np.mean((least.predict(X) - y) ** 2)
    above = excess > 0
    np.testing.assert_allclose(display.loss[above], excess[above], rtol=1e-6)
    assert np.isnan(display.loss[~above]).all()


def test_a_history_has_the_same_curve_and_where_it_ends(regression):
    X, y = regression
    history = DescentHistory(record=["loss"])
    model = textbook().set_callbacks(history).fit(X, y)
    display = LossCurveDisplay.from_history(history)
    np.testing.assert_allclose(display.loss[:-1], model.loss_curve_)
    assert display.epochs[-1] == model.n_iter_
    excess = LossCurveDisplay.from_history(history, X=X, y=y, excess=True)
    of_fit = LossCurveDisplay.from_estimator(model, excess=True)
    np.testing.assert_allclose(excess.loss[:-1], of_fit.loss, rtol=1e-9)


def test_several_curves_differ_in_dashes_lightness_and_name(regression):
    models = [textbook(learning_rate=rate).fit(*regression) for rate in (0.01, 0.1)]
    models += [textbook(learning_rate=0.1, alpha=1.0).fit(*regression)]
    display = LossCurveDisplay.from_estimator(models)
    assert display.name == [
        "alpha=0.0, learning_rate=0.01",
        "alpha=0.0, learning_rate=0.1",
        "alpha=1.0, learning_rate=0.1",
    ]
    assert LossCurveDisplay.from_estimator(models[:2]).name == [
        "learning_rate=0.01",
        "learning_rate=0.1",
    ]
    looks = {(line.get_linestyle(), line.get_color()) for line in display.line_}
    assert len(looks) == 3
    names = dict(zip(["slow", "fast", "ridge"], models, strict=True))
    labels = LossCurveDisplay.from_estimator(names).ax_.get_legend().get_texts()
    assert [text.get_text() for text in labels] == list(names)


def test_losses_below_zero_have_a_linear_axis(regression):
    def shifted(prediction, target):
        return (prediction - target) ** 2 - 20

    model = textbook(strategy="autograd", loss=shifted).fit(*regression)
    assert min(model.loss_curve_) < 0
    display = LossCurveDisplay.from_estimator(model)
    assert display.ax_.get_yscale() == "linear"
    np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((GDLinearRegressor(),), NotFittedError, "not fitted"),
        ((Ridge().fit(ONE_X, LINE),), TypeError, r"no GDLinearRegressor.*Ridge\(\)"),
        (([],), ValueError, "nothing to plot"),
        ((textbook().fit(ONE_X, LINE), {"name": ["a", "b"]}), ValueError, "'name'.* 2"),
        (
            (textbook().fit(ONE_X, LINE), {"curve_kwargs": [{}, {}]}),
            ValueError,
            "'curve_kwargs'.* 1 dicts.* Got 2",
        ),
        (
            (textbook().fit(ONE_X, LINE), {"X": ONE_X, "y": LINE}),
            ValueError,
            "X and y passed with excess=False",
        ),
        (
            (textbook().fit(ONE_X, LINE), {"X": ONE_X, "excess": True}),
            ValueError,
            "X passed without y",
        ),
        (
            (textbook(loss="huber").fit(ONE_X, LINE), {"excess": True}),
            ValueError,
            "loss='huber' it is not known",
        ),
        (
            (
                textbook(early_stopping=True, scoring="neg_mean_squared_error").fit(
                    np.tile(ONE_X, (5, 1)), [*LINE] * 5
                ),
                {"excess": True},
            ),
            ValueError,
            "early_stopping=True",
        ),
        (
            (
                textbook().fit(ONE_X, LINE),
                {"X": np.eye(4)[:, :2], "y": LINE, "excess": True},
            ),
            ValueError,
            r"X has 2 features, and .* fitted to 1.*pipeline\[:-1\].transform",
        ),
        (
            (
                textbook(fit_intercept=False).fit(ONE_X, LINE),
                {"X": ONE_X, "y": [9.0, 1.0, 7.0, 2.0], "excess": True},
            ),
            ValueError,
            "not the data of the fit",
        ),
    ],
)
def test_what_has_no_loss_curve_is_named(arguments, error, message):
    estimator, kwargs = (*arguments, {})[:2]
    with pytest.raises(error, match=message):
        LossCurveDisplay.from_estimator(estimator, **kwargs)


def test_a_history_without_losses_is_named():
    with pytest.raises(NotFittedError, match="holds no descent"):
        LossCurveDisplay.from_history(DescentHistory())
    history = DescentHistory(record=["coef"])
    textbook().set_callbacks(history).fit(ONE_X, LINE)
    with pytest.raises(ValueError, match=r"no losses.*to record coef"):
        LossCurveDisplay.from_history(history)


def test_a_search_without_a_refit_has_no_loss_curve(regression):
    search = GridSearchCV(textbook(), {"alpha": [0.0, 1.0]}, refit=False, cv=2)
    with pytest.raises(ValueError, match=r"no best_estimator_.*refit=True"):
        LossCurveDisplay.from_estimator(search.fit(*regression))


# Paths


@pytest.mark.parametrize("weight", [None, WEIGHTS])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"alpha": 0.3},
        {"alpha": 2.0, "l1_ratio": 0.7},
        {"loss": "huber", "epsilon": 4.0},
        {"loss": "huber", "epsilon": 4.0, "alpha": 0.3, "l1_ratio": 1.0},
        {"batch_size": 2, "random_state": 0},
    ],
)
def test_contours_are_the_objective_over_coefficient_and_intercept(params, weight):
    model = textbook(**params)
    display = DescentPathDisplay.from_estimator(
        model, ONE_X, BENT, sample_weight=weight
    )
    rng = np.random.default_rng(0)
    for (w, b), drawn in some_points(display, rng):
        by_hand = objective_by_hand(model, ONE_X, BENT, np.array([w]), b, weight)
        assert drawn == pytest.approx(by_hand, rel=1e-9)
    for (w, b), loss in zip(display.path, display.path_loss, strict=True):
        by_hand = objective_by_hand(model, ONE_X, BENT, np.array([w]), b, weight)
        assert loss == pytest.approx(by_hand, rel=1e-9)
    for step in [(1e-3, 0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)]:
        w, b = display.minimum + step
        beside = objective_by_hand(model, ONE_X, BENT, np.array([w]), b, weight)
        assert beside > display.minimum_loss
    assert display.ax_.get_xlabel() == "coefficient of x0"
    assert display.ax_.get_ylabel() == "intercept"
    assert not display.is_profile


def test_the_path_is_that_of_the_history_and_leads_to_the_model(regression):
    X, y = regression
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    history = DescentHistory()
    model = GDLinearRegressor(tol=1e-8).set_callbacks(history).fit(frame, y)
    display = DescentPathDisplay.from_history(history, frame, y, features=("c", 0))
    records = history.records_
    np.testing.assert_array_equal(display.path, records["coef"][:, [2, 0]])
    np.testing.assert_array_equal(display.line_.get_xdata(), records["coef"][:, 2])
    np.testing.assert_array_equal(display.epochs, records["epoch"])
    np.testing.assert_allclose(display.path_loss, records["loss"], rtol=1e-9)
    np.testing.assert_allclose(display.minimum, model.coef_[[2, 0]], rtol=1e-6)
    assert display.parameter_names == ["coefficient of c", "coefficient of a"]
    assert display.is_profile


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"alpha": 0.2},
        {"alpha": 0.2, "fit_intercept": False},
        {"alpha": 0.3, "l1_ratio": 0.5},
        {"positive": True},
        {"loss": "huber", "epsilon": 0.2},
        {"loss": "huber", "epsilon": 0.2, "alpha": 0.2, "fit_intercept": False},
    ],
)
def test_contours_of_two_features_are_the_least_objective_over_all_else(
    params, weighted, regression
):
    X, y = regression
    weight = np.arange(len(y)) % 3.0 if weighted else None
    model = textbook(**params)
    display = DescentPathDisplay.from_estimator(
        model, X, y, sample_weight=weight, features=(2, 1)
    )
    n_others = 1 + model.fit_intercept

    def least_by_hand(values):
        def objective(others):
            coef = np.array([others[0], values[1], values[0]])
            intercept = others[1] if model.fit_intercept else 0.0
            return objective_by_hand(model, X, y, coef, intercept, weight)

        bounds = [(0 if model.positive else None, None), (None, None)][:n_others]
        start = np.ones(n_others)
        for _ in range(3):
            options = {"xatol": 1e-9, "fatol": 1e-12}
            found = minimize(
                objective, start, method="Nelder-Mead", bounds=bounds, options=options
            )
            start = found.x
        return found.fun

    rng = np.random.default_rng(0)
    for values, drawn in some_points(display, rng, 3):
        if not model.positive or (values >= 0).all():
            assert drawn == pytest.approx(least_by_hand(values), rel=1e-6)
    drawn = display.loss[np.isfinite(display.loss)]
    assert drawn.min() >= display.minimum_loss * (1 - 1e-9)


def test_the_profile_of_many_features_is_that_of_a_lasso():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 8)) * rng.uniform(0.1, 10, 8) + 5
    y = X @ rng.standard_normal(8) + rng.standard_normal(50)
    model = textbook(learning_rate=1e-4, alpha=0.5, l1_ratio=1.0)
    display = DescentPathDisplay.from_estimator(model, X, y, features=(0, 5))
    others = np.delete(X, [0, 5], axis=1)
    for values, drawn in some_points(display, rng):
        target = y - X[:, [0, 5]] @ values
        lasso = ElasticNet(alpha=0.5, l1_ratio=1.0, tol=1e-12, max_iter=100_000)
        lasso.fit(others, target)
        least = objective_by_hand(model, others, target, lasso.coef_, lasso.intercept_)
        least += 2 * 0.5 * abs(values).sum()
        assert drawn == pytest.approx(least, rel=1e-7)


def test_nothing_is_drawn_beyond_a_bound(regression):
    X, y = regression
    model = textbook(positive=True)
    display = DescentPathDisplay.from_estimator(model, X, y, features=(0, 1))
    assert display.minimum[1] == 0
    assert all(axis[0] == 0 for axis in display.grid)
    model.set_params(warm_start=True).fit(X, y, coef_init=[-1.0, 1.0, 1.0])
    history = DescentHistory()
    model.set_callbacks(history).fit(X, y, coef_init=[-1.0, 1.0, 1.0])
    display = DescentPathDisplay.from_history(history, X, y, features=0)
    np.testing.assert_array_equal(np.isinf(display.loss), display.grid[0] < 0)


def test_without_an_intercept_it_is_a_parabola():
    model = textbook(fit_intercept=False, max_iter=5)
    display = DescentPathDisplay.from_estimator(model, ONE_X, LINE)
    assert display.contour_ is None
    (w,) = display.grid
    np.testing.assert_allclose(display.curve_.get_ydata(), 7.5 * (w - 2) ** 2)
    iterates = display.line_.get_xydata()
    np.testing.assert_allclose(iterates[:, 1], 7.5 * (iterates[:, 0] - 2) ** 2)
    np.testing.assert_allclose(iterates[:3, 0], [0, 1.5, 1.875])
    np.testing.assert_allclose(display.minimum_.get_xydata(), [[2, 0]], atol=1e-9)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == (
        "coefficient of x0",
        "loss",
    )


def test_a_loss_of_ones_own_is_evaluated():
    model = textbook(strategy="autograd", loss=torch.nn.SmoothL1Loss)
    display = DescentPathDisplay.from_estimator(model, ONE_X, BENT)
    rng = np.random.default_rng(0)
    for (w, b), drawn in some_points(display, rng):
        prediction = torch.tensor(ONE_X[:, 0] * w + b)
        expected = torch.nn.functional.smooth_l1_loss(prediction, torch.tensor(BENT))
        assert drawn == pytest.approx(float(expected))
    assert display.loss.min() >= display.minimum_loss * (1 - 1e-9)
    best = textbook(**model.get_params()).set_params(learning_rate=0.1, max_iter=3000)
    loss = best.fit(ONE_X, BENT).loss_curve_[-1]
    assert display.minimum_loss <= loss + 1e-6


def test_of_a_path_that_leads_away_the_beginning_is_shown():
    model = textbook(learning_rate=0.14, fit_intercept=False)
    with pytest.warns(UserWarning, match=r"^Gradient descent diverged.*\. The picture"):
        display = DescentPathDisplay.from_estimator(model, ONE_X, LINE)
    assert 3 <= len(display.path) < 20
    assert display.path_loss[-1] < 10 * display.path_loss[0]
    assert not hasattr(model, "coef_")
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert any("of 30, loss" in label for label in labels)
    model.set_params(learning_rate=1e100)
    with pytest.warns(UserWarning, match="diverged"):
        display = DescentPathDisplay.from_estimator(model, ONE_X, LINE)
    assert np.isfinite(display.path).all()


def test_a_descent_that_overflowed_has_its_beginning():
    history = DescentHistory()
    model = textbook(learning_rate=0.3, max_iter=1000).set_callbacks(history)
    with pytest.raises(DivergenceError):
        model.fit(ONE_X, LINE)
    assert not np.isfinite(history.records_["loss"][-1])
    display = DescentPathDisplay.from_history(history, ONE_X, LINE)
    assert 3 <= len(display.path) < 10
    assert np.abs(display.path).max() < 1e3
    np.testing.assert_allclose(display.minimum, [2, 0], atol=1e-6)
    curve = LossCurveDisplay.from_history(history)
    curve.figure_.canvas.draw()
    drawn = curve.line_.get_ydata()
    np.testing.assert_array_equal(drawn[:9], history.records_["loss"][:9])
    assert np.nanmax(drawn) < curve.ax_.get_ylim()[1] < np.inf


def test_an_animation_stays_its_own_when_the_display_is_drawn_again(tmp_path):
    display = DescentPathDisplay.from_estimator(textbook(), ONE_X, BENT)
    animation, line = display.animate(n_frames=2), display.line_
    display.plot()
    animation.save(tmp_path / "path.gif", writer="pillow")
    animation._draw_frame(0)
    assert len(line.get_xdata()) == 1
    assert len(display.line_.get_xdata()) == 31


def test_a_legend_may_be_left_out():
    display = DescentPathDisplay.from_estimator(textbook(), ONE_X, LINE, legend=False)
    assert display.ax_.get_legend() is None
    display.animate(legend=False)._init_draw()
    assert display.ax_.get_legend() is None


def test_contour_lines_are_inside_the_grid_and_above_the_minimum():
    display = DescentPathDisplay.from_estimator(textbook(), ONE_X, BENT)
    excess = display.contour_.levels - display.minimum_loss
    assert len(excess) > 6
    assert excess.min() > 0
    np.testing.assert_allclose(excess[1:] / excess[:-1], 2.0)
    for points in (display.path, display.minimum[None]):
        for axis, values in zip(display.grid, points.T, strict=True):
            assert axis[0] < values.min() <= values.max() < axis[-1]


@pytest.mark.parametrize("batch_size", [None, 5])
def test_rows_that_are_held_out_are_refused_and_have_a_way(batch_size, regression):
    X, y = regression
    model = textbook(early_stopping=True, batch_size=batch_size, random_state=0)
    with pytest.raises(ValueError, match="not held out"):
        DescentPathDisplay.from_estimator(model, X, y, features=(0, 1))
    model.set_callbacks(history := DescentHistory())
    model.fit(X[10:], y[10:], X_val=X[:10], y_val=y[:10])
    display = DescentPathDisplay.from_history(history, X[10:], y[10:], features=(0, 1))
    np.testing.assert_array_equal(display.path, history.records_["coef"][:, :2])


def test_names_of_features_are_no_formulas():
    names = [r"$\price$", "$$"]
    X = pd.DataFrame(np.column_stack([ONE_X, ONE_X**2 / 4]), columns=names)
    display = DescentPathDisplay.from_estimator(textbook(), X, BENT)
    display.figure_.canvas.draw()
    assert display.ax_.get_xlabel() == r"coefficient of $\price$"


def test_contours_may_have_a_colormap():
    display = DescentPathDisplay.from_estimator(
        textbook(), ONE_X, BENT, contour_kwargs={"cmap": "viridis"}
    )
    assert display.contour_.get_cmap().name == "viridis"


def test_an_excess_on_other_data_than_those_of_the_fit_is_refused(regression):
    """Also where their least loss is below that of the fit."""
    X, y = regression
    weight = np.arange(1.0, 41.0)
    model = textbook().fit(X, y, sample_weight=weight)
    given = {"X": X, "y": y, "sample_weight": weight}
    LossCurveDisplay.from_estimator(model, excess=True, **given)
    for other in (
        {"X": X.astype("float32"), "sample_weight": 7 * weight},
        {"X": X.tolist(), "y": y[:, None]},
    ):
        LossCurveDisplay.from_estimator(model, excess=True, **{**given, **other})
    for other in (
        {"y": y / 100},
        {"X": 2 * X},
        {"X": X + 0.01},
        {"sample_weight": None},
        {"y": np.column_stack([y, y])},
    ):
        with pytest.raises(ValueError, match="not the data of the fit"):
            LossCurveDisplay.from_estimator(model, excess=True, **{**given, **other})


def test_a_history_that_came_below_the_least_loss_of_the_data_is_of_others():
    history = DescentHistory()
    textbook(fit_intercept=False).set_callbacks(history).fit(ONE_X, LINE)
    with pytest.raises(ValueError, match="on other data"):
        LossCurveDisplay.from_history(history, X=ONE_X, y=[9, 1, 7, 2], excess=True)


def test_an_excess_that_rounding_hides_is_not_drawn():
    """Columns that nearly repeat each other have large coefficients, which cancel."""
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(2, 40))
    X = np.column_stack([first, first + 1e-8 * rng.normal(size=40), last])
    y = X @ [1e8, -1e8, 1e3] + rng.normal(size=40)
    model = GDLinearRegressor(fit_intercept=False).fit(X, y)
    display = LossCurveDisplay.from_estimator(model, excess=True, X=X, y=y)
    least = np.mean((X @ np.linalg.lstsq(X, y)[0] - y) ** 2)
    excess = np.array(model.loss_curve_) - least
    np.testing.assert_allclose(display.loss[0], excess[0], rtol=1e-3)
    assert excess[1] < 1e-6
    assert np.isnan(display.loss[1])


def test_a_curve_takes_a_label_and_a_logarithmic_axis_of_epochs():
    ax = plt.figure().subplots()
    ax.set_xscale("log")
    model = textbook().fit(ONE_X, BENT)
    LossCurveDisplay.from_estimator(model, ax=ax, curve_kwargs={"label": "mine"})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mine"]
    assert ax.get_xscale() == "log"


def test_a_dozen_curves_can_be_told_apart():
    styles = line_styles(12, "curve_kwargs", None)
    assert len({(each["color"], str(each["linestyle"])) for each in styles}) == 12


def test_styles_of_the_users_own_are_drawn_on_axes_of_the_users_own():
    _, ax = plt.subplots()
    display = DescentPathDisplay.from_estimator(
        textbook(),
        ONE_X,
        BENT,
        ax=ax,
        contour_kwargs={"colors": "red", "levels": [10, 100]},
        line_kwargs={"c": "black", "lw": 5},
    )
    assert display.ax_ is ax
    np.testing.assert_array_equal(display.contour_.levels, [10, 100])
    assert (display.line_.get_color(), display.line_.get_linewidth()) == ("black", 5)
    curve = LossCurveDisplay.from_estimator(
        textbook().fit(ONE_X, BENT), ax=ax, curve_kwargs={"ls": ":"}
    )
    assert curve.ax_ is ax
    assert curve.line_.get_linestyle() == ":"


def pixels(display):
    """Return the picture of a display."""
    display.figure_.canvas.draw()
    return np.array(display.figure_.canvas.buffer_rgba())


@pytest.mark.parametrize(("n_frames", "expected"), [(None, 9), (4, 4), (100, 9)])
def test_a_gif_has_a_frame_for_each_iterate_and_ends_as_the_picture(
    n_frames, expected, tmp_path
):
    plt.rcParams["figure.dpi"] = 40
    model = textbook(max_iter=8)
    display = DescentPathDisplay.from_estimator(model, ONE_X, BENT)
    picture = pixels(display)
    display.animate(n_frames=n_frames).save(tmp_path / "path.gif", writer="pillow")
    with Image.open(tmp_path / "path.gif") as gif:
        assert gif.n_frames == expected
    np.testing.assert_array_equal(pixels(display), picture)


def test_long_paths_have_few_frames_that_begin_dense():
    display = DescentPathDisplay.from_estimator(textbook(max_iter=1000), ONE_X, BENT)
    animation = display.animate()
    pixels(display)  # an animation that was not drawn warns
    frames = list(animation.new_frame_seq())
    assert len(frames) == 60
    assert (frames[:5], frames[-1]) == ([0, 1, 2, 3, 4], 1000)
    assert (np.diff(frames) > 0).all()
    with pytest.raises(ValueError, match="n_frames=0 must be at least 1"):
        display.animate(n_frames=0)


def test_thinned_records_are_said_to_be_thinned():
    history = DescentHistory(every=4)
    textbook().set_callbacks(history).fit(ONE_X, BENT)
    display = DescentPathDisplay.from_history(history, ONE_X, BENT)
    assert display.line_.get_label() == "one epoch in 4"


SQUARE = np.random.default_rng(0).standard_normal((8, 4))
SQUARE_Y = SQUARE @ [1.0, 2.0, 3.0, 4.0]


BOTH = np.c_[LINE, BENT]


@pytest.mark.parametrize(
    ("fitted", "data", "message"),
    [
        ((SQUARE, SQUARE_Y), (ONE_X, LINE), r"4 \(x0.*of X are 1 \(x0\)"),
        (
            (pd.DataFrame({"a": LINE}), LINE),
            (pd.DataFrame({"b": LINE}), LINE),
            r"another model.* 1 \(a\).* 1 \(b\)",
        ),
        ((ONE_X, LINE), (ONE_X, BENT), "of other data: .* 30,.* 975"),
        ((ONE_X, BOTH), (ONE_X, BOTH), "2 targets.*Pass one"),
        ((ONE_X, BOTH), (ONE_X, LINE), "history is of 2 targets"),
        ((ONE_X, LINE, ["loss"]), (ONE_X, LINE), "no coef and no intercept"),
        ((ONE_X, LINE, ["coef"]), (ONE_X, LINE), "no intercept"),
        ((ONE_X, LINE), (ONE_X * np.nan, LINE), "contains NaN"),
    ],
)
def test_histories_of_something_else_are_refused(fitted, data, message):
    X, y, *record = fitted
    history = DescentHistory(**dict(zip(["record"], record, strict=False)))
    textbook(learning_rate=0.01).set_callbacks(history).fit(X, y)
    with pytest.raises(ValueError, match=message):
        DescentPathDisplay.from_history(history, *data)
    assert not plt.get_fignums()


def test_data_that_differ_from_the_first_step_on_are_refused():
    """From zero coefficients, the first loss says nothing of X."""
    for params in ({"fit_intercept": False}, {"momentum": 0.5}):
        history = DescentHistory()
        textbook(**params).set_callbacks(history).fit(ONE_X, LINE)
        DescentPathDisplay.from_history(history, ONE_X, LINE)
        for X in (2 * ONE_X, ONE_X[::-1]):
            with pytest.raises(ValueError, match="of other data"):
                DescentPathDisplay.from_history(history, X, LINE)


def test_what_is_no_history_is_refused():
    model = textbook().fit(ONE_X, LINE)
    with pytest.raises(TypeError, match="use from_estimator"):
        DescentPathDisplay.from_history(model, ONE_X, LINE)
    with pytest.raises(TypeError, match="use from_estimator"):
        LossCurveDisplay.from_history([model])


def test_a_history_of_nothing_is_refused():
    with pytest.raises(NotFittedError, match="holds no descent"):
        DescentPathDisplay.from_history(DescentHistory(), ONE_X, LINE)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (None, r"4 \(x0, x1, x2, x3\) features.*features=\(i, j\)"),
        ((0, 1, 2), "one feature, or two"),
        ((0, 0), "two different ones"),
        ((), "one feature, or two"),
        ((0, 4), "4 is not a feature of"),
        (0.5, "0.5 is not a feature of"),
        ((False, True), "False is not a feature of"),
        (("x0", "age"), "'age' is not a feature of"),
    ],
)
def test_features_to_show_are_asked_for_by_name(features, message):
    with pytest.raises(ValueError, match=message):
        DescentPathDisplay.from_estimator(
            textbook(), SQUARE, SQUARE_Y, features=features
        )


def test_what_has_no_path_is_refused():
    pipeline = make_pipeline(StandardScaler(), textbook())
    with pytest.raises(TypeError, match=r"^Of a pipeline.*Got .* Pipeline inst"):
        DescentPathDisplay.from_estimator(pipeline, ONE_X, LINE)
    search = GridSearchCV(textbook(), {"max_iter": [1, 2]})
    with pytest.raises(TypeError, match=r"^Of a search.*best_estimator_.*GridSearchCV"):
        DescentPathDisplay.from_estimator(search, ONE_X, LINE)
    with pytest.raises(TypeError, match=r"^DescentPath.* type Ridge"):
        DescentPathDisplay.from_estimator(Ridge(), ONE_X, LINE)
    own = textbook(strategy="autograd", loss=torch.nn.L1Loss)
    with pytest.raises(ValueError, match=r"loss of your own.*one feature"):
        DescentPathDisplay.from_estimator(own, SQUARE, SQUARE_Y, features=(0, 1))
    arrays = pytest.importorskip("dask.array")
    with pytest.raises(ValueError, match=r"not in memory. Pass X.compute\(\)"):
        DescentPathDisplay.from_estimator(textbook(), arrays.ones((4, 1)), LINE)


# Searches


GRID = {"alpha": [1e-3, 1e-2, 1e-1, 1.0], "l1_ratio": [0.0, 1.0]}


def test_scores_are_drawn_line_by_line(regression):
    search = GDLinearRegressorCV(param_grid=GRID).fit(*regression)
    display = SearchDisplay.from_estimator(search)
    results = pd.DataFrame(search.cv_results_)
    assert display.names == ["l1_ratio=0.0", "l1_ratio=1.0"]
    for ratio, line, band in zip([0.0, 1.0], display.line_, display.band_, strict=True):
        of_ratio = results[results.param_l1_ratio == ratio]
        np.testing.assert_array_equal(line.get_xdata(), GRID["alpha"])
        np.testing.assert_array_equal(line.get_ydata(), of_ratio.mean_test_score)
        top = of_ratio.mean_test_score + of_ratio.std_test_score
        assert band.get_datalim(display.ax_.transData).y1 == pytest.approx(top.max())
    best = [[search.best_params_["alpha"], search.best_score_]]
    np.testing.assert_array_equal(display.best_.get_xydata(), best)
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_ylabel() == "R² (mean over 5 splits)"


def test_values_are_what_they_are_however_they_are_written(regression):
    """Numbers of NumPy as Python's, 0 as 0.0, and long values in full if need be."""
    grid = [
        {"alpha": np.logspace(-3, 0, 4), "l1_ratio": np.array([0.5])},
        {"alpha": [0.01, 0.1], "l1_ratio": [0]},
        {"alpha": [0.2, 0.3]},
    ]
    search = GDLinearRegressorCV(param_grid=grid).fit(*regression)
    display = SearchDisplay.from_estimator(search)
    assert display.names == ["l1_ratio=0.5", "l1_ratio=0"]
    assert [len(each) for each in display.values] == [4, 4]
    options = [{"weight_decay": 0.0, "betas": (0.9, 0.9 + k / 100)} for k in range(2)]
    model = textbook(strategy=ModuleStrategy(optimizer=torch.optim.Adam), max_iter=5)
    search = GridSearchCV(
        model, {"alpha": [0.1, 1.0], "strategy__optimizer_params": options}, cv=2
    ).fit(*regression)
    display = SearchDisplay.from_estimator(search)
    assert display.names == [f"strategy__optimizer_params={each}" for each in options]
    fits = [textbook(max_iter=k).fit(*regression) for k in np.array([3, 4])]
    assert LossCurveDisplay.from_estimator(fits).name == ["max_iter=3", "max_iter=4"]


def test_of_many_combinations_the_best_is_drawn_and_the_legend_says_so(regression):
    grid = {**GRID, "l1_ratio": np.linspace(0, 0.9, 7)}
    search = GDLinearRegressorCV(param_grid=grid).fit(*regression)
    display = SearchDisplay.from_estimator(search, param="alpha")
    results = pd.DataFrame(search.cv_results_)
    best = results.groupby("param_alpha").mean_test_score.max()
    np.testing.assert_array_equal(display.line_[0].get_ydata(), best)
    assert display.names == ["best l1_ratio at each value"]
    assert SearchDisplay.from_estimator(search).param == "l1_ratio"


def test_standard_deviations_are_bands_or_bars_or_left_out(regression):
    grid = {"alpha": [0.0, 0.1, 1.0]}
    search = GDLinearRegressorCV(textbook(), grid).fit(*regression)
    band, bars, none = (
        SearchDisplay.from_estimator(search, std_display_style=style)
        for style in ("fill_between", "errorbar", None)
    )
    assert type(band.band_[0]).__name__ == "FillBetweenPolyCollection"
    assert type(bars.band_[0]).__name__ == "ErrorbarContainer"
    assert none.band_ == []
    scores = search.cv_results_["mean_test_score"]
    for display in (band, bars, none):
        np.testing.assert_array_equal(display.line_[0].get_ydata(), scores)
    with pytest.raises(ValueError, match="std_display_style must be"):
        band.plot(std_display_style="bars")


def test_zero_has_a_place_on_the_axis_of_the_default_grid(regression):
    display = SearchDisplay.from_estimator(GDLinearRegressorCV().fit(*regression))
    assert display.ax_.get_xscale() == "symlog"
    assert display.line_[0].get_xdata()[0] == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_candidates_without_a_score_are_counted_at_the_axis(regression):
    grid = {"learning_rate": [0.01, 0.1, 1e3]}
    search = GDLinearRegressorCV(
        textbook(), grid, scoring="neg_root_mean_squared_error"
    )
    display = SearchDisplay.from_estimator(search.fit(*regression))
    np.testing.assert_array_equal(display.line_[0].get_xdata(), [0.01, 0.1])
    assert "1 of 3 candidates have no score" in display.ax_.get_xlabel()
    assert display.ax_.get_ylabel().startswith("negative root mean squared error")


def test_values_that_are_no_numbers_are_categories(regression):
    grid = {"fit_intercept": [True, False], "momentum": ["auto", 0.5]}
    search = GridSearchCV(textbook(max_iter=5), grid, cv=2).fit(*regression)
    display = SearchDisplay.from_estimator(search)
    labels = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert labels == ["True", "False"]
    assert display.names == ["momentum=auto", "momentum=0.5"]
    drawn = np.sort(np.concatenate([line.get_ydata() for line in display.line_]))
    np.testing.assert_array_equal(drawn, np.sort(search.cv_results_["mean_test_score"]))


def test_grids_of_different_parameters_have_the_values_of_the_estimator(regression):
    grids = [{"alpha": [0.1, 1.0]}, {"fit_intercept": [False]}]
    search = GDLinearRegressorCV(GDLinearRegressor(alpha=0.5), grids)
    display = SearchDisplay.from_estimator(search.fit(*regression), param="alpha")
    assert display.names == ["fit_intercept=True", "fit_intercept=False"]
    assert display.values[1].tolist() == [0.5]


def test_candidates_drawn_at_random_are_points(regression):
    draws = {"alpha": np.linspace(0, 1, 10), "l1_ratio": np.linspace(0, 1, 10)}
    rng = np.random.RandomState(0)
    draws = {name: rng.permutation(values) for name, values in draws.items()}
    pairs = [{name: [values[i]] for name, values in draws.items()} for i in range(10)]
    search = GridSearchCV(GDLinearRegressor(), pairs, cv=2).fit(*regression)
    display = SearchDisplay.from_estimator(search)
    assert display.line_[0].get_linestyle() == "None"
    assert display.names == ["candidates of any l1_ratio"]
    assert len(display.values[0]) == 10


def test_of_several_scores_one_is_chosen(regression):
    scoring = ["r2", "neg_mean_squared_error"]
    search = GDLinearRegressorCV(param_grid=GRID, scoring=scoring, refit="r2")
    search.fit(*regression)
    display = SearchDisplay.from_estimator(search)
    scores = np.concatenate(display.mean_scores)
    assert set(scores) == set(search.cv_results_["mean_test_r2"])
    assert display.best_ is not None
    other = SearchDisplay.from_estimator(search, score_name="neg_mean_squared_error")
    scores = np.concatenate(other.mean_scores)
    assert set(scores) == set(search.cv_results_["mean_test_neg_mean_squared_error"])
    assert other.best_ is None
    one = {"param_grid": {"alpha": [0.1, 1.0]}, "scoring": scoring, "refit": "r2"}
    search = GDLinearRegressorCV(**one).fit(*regression)
    other = SearchDisplay.from_estimator(search, score_name="neg_mean_squared_error")
    assert other.ax_.get_legend() is None
    with pytest.raises(ValueError, match=r"'max_error' must be one of .*'r2'"):
        SearchDisplay.from_estimator(search, score_name="max_error")


def test_what_is_no_search_is_refused(regression):
    for wrong in (GDLinearRegressor(), LassoCV()):
        with pytest.raises(TypeError, match="cv_results_ of a search"):
            SearchDisplay.from_estimator(wrong)
    search = GDLinearRegressorCV(param_grid={"alpha": [0.1, 1.0]})
    with pytest.raises(NotFittedError):
        SearchDisplay.from_estimator(search)
    search.fit(*regression)
    with pytest.raises(ValueError, match=r"param='l1_ratio' is not .*'alpha'"):
        SearchDisplay.from_estimator(search, param="l1_ratio")
    with pytest.raises(ValueError, match="the search has one"):
        SearchDisplay.from_estimator(search, score_name="r2")


def test_without_matplotlib_the_error_names_the_extra(monkeypatch, regression):
    model, search = textbook().fit(*regression), GDLinearRegressorCV().fit(*regression)
    display = LossCurveDisplay.from_estimator(model)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (
        lambda: LossCurveDisplay.from_estimator(model),
        lambda: LossCurveDisplay.from_history(DescentHistory()),
        lambda: DescentPathDisplay.from_estimator(model, *regression),
        lambda: DescentPathDisplay.from_history(DescentHistory(), *regression),
        lambda: SearchDisplay.from_estimator(search),
        display.plot,
    ):
        with pytest.raises(ImportError, match=r"pip install 'skgd\[plot\]'"):
            draw()
