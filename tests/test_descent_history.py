"""What a DescentHistory holds is the descent, in the data's units."""

import pickle
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from by_hand import descend
from conftest import strategies_on
from dask import array as da
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import DivergenceError, GDLinearRegressor, GDLinearRegressorCV
from skgd.callback import DescentHistory
from skgd.strategies import ModuleStrategy

EPOCHS = 6
TEXTBOOK = {"learning_rate": 0.05, "max_iter": EPOCHS, "tol": None, "shuffle": False}

#: Parameters of the estimator, and the same of the descent by hand.
SETTINGS: list[tuple[dict, dict]] = [
    ({}, {}),
    ({"fit_intercept": False}, {"fit_intercept": False}),
    ({"alpha": 0.3}, {"l2": 0.3}),
    ({"alpha": 0.3, "l1_ratio": 1.0}, {"l1": 0.6}),
    ({"batch_size": 16}, {"batch_size": 16}),
]


def recorded(X, y, history=None, **params):
    """Fit, and return the model and its history."""
    history = history or DescentHistory()
    model = GDLinearRegressor(**{**TEXTBOOK, **params}).set_callbacks(history)
    return model.fit(X, y), history


@pytest.mark.parametrize(
    ("strategy", "params", "by_hand"), strategies_on(SETTINGS, SETTINGS)
)
def test_records_are_those_of_the_descent_by_hand(
    strategy, params, by_hand, regression
):
    X, y = regression
    model, history = recorded(X, y, strategy=strategy, **params)
    records = history.records_
    ends = [descend(X, y, 0.05, k, **by_hand) for k in range(EPOCHS + 1)]
    np.testing.assert_allclose(records["coef"], [end.coef for end in ends])
    intercepts = [end.intercept for end in ends]
    np.testing.assert_allclose(records["intercept"], intercepts, atol=1e-12)
    assert records["epoch"].tolist() == list(range(EPOCHS + 1))
    assert records["loss"][:-1].tolist() == model.loss_curve_
    np.testing.assert_allclose(records["loss"][:-1], ends[-1].losses)
    assert records["learning_rate"].tolist()[:-1] == [0.05] * EPOCHS
    assert (np.diff(records["seconds"]) > 0).all()
    np.testing.assert_array_equal(records["coef"][-1], model.coef_)


@pytest.mark.parametrize(("params", "by_hand"), SETTINGS[:3])
def test_the_norm_is_that_of_the_gradient_there(params, by_hand, regression):
    X, y = regression
    _, history = recorded(X, y, **params)
    records = history.records_
    A = np.column_stack([X, np.full(40, float(params.get("fit_intercept", True)))])
    W = np.column_stack([records["coef"], records["intercept"]])
    slopes = 2 / 40 * (W @ A.T - y) @ A
    slopes[:, :3] += 2 * by_hand.get("l2", 0) * records["coef"]
    norms = np.linalg.norm(slopes, axis=1)
    np.testing.assert_allclose(records["gradient_norm"], norms)
    losses = ((W @ A.T - y) ** 2).mean(axis=1)
    losses += by_hand.get("l2", 0) * (records["coef"] ** 2).sum(axis=1)
    np.testing.assert_allclose(records["loss"], losses)  # of the last row as well


def test_of_mini_batches_nothing_is_known_at_the_end(regression):
    _, history = recorded(*regression, batch_size=16)
    last = history.to_frame().iloc[-1]
    assert last[["loss", "gradient_norm", "learning_rate"]].isna().all()
    assert last.filter(like="coef").notna().all()


@pytest.mark.parametrize(
    "params",
    [
        {"learning_rate": "auto", "tol": 1e-4, "max_iter": 50},
        {"learning_rate": "auto", "loss": "huber", "tol": 1e-6, "max_iter": 500},
        {"learning_rate": "auto", "alpha": 0.1, "l1_ratio": 1.0, "tol": 1e-6},
        {"learning_rate": 0.01, "standardize": True, "average": True},
        {"batch_size": 8, "learning_rate": "auto", "max_iter": 200, "tol": 1e-4},
        {"early_stopping": True, "learning_rate": 0.1, "tol": 1e-4},
    ],
)
def test_the_end_is_at_n_iter_and_in_the_data_s_units(params, two_targets):
    X, y = two_targets
    if params.get("learning_rate") == "auto":
        X = 100 * X + 1000
    params = {"max_iter": 1000, "random_state": 0, **params}
    model, history = recorded(X, y, **params)
    frame = history.to_frame()
    assert frame.index[-1] == model.n_iter_
    assert frame.loss.tolist()[:-1] == model.loss_curve_
    if not {"batch_size", "average", "early_stopping"} & set(params):
        last = history.records_["coef"][-1], history.records_["intercept"][-1]
        np.testing.assert_allclose(last[0], model.coef_)
        np.testing.assert_allclose(last[1], model.intercept_)


def test_a_step_that_is_not_taken_has_no_rate(regression):
    _, history = recorded(*regression, learning_rate="auto", tol=1e-4)
    rates = history.records_["learning_rate"]
    assert np.isnan(rates[-2:]).all()  # of the epoch that found tol met, and the end
    assert (rates[:-2] > 0).all()


def test_a_schedule_is_seen(regression):
    _, history = recorded(*regression, schedule=lambda step: 1 / (step + 1))
    rates = history.records_["learning_rate"][:-1]
    np.testing.assert_allclose(rates, 0.05 / np.arange(1, EPOCHS + 1))


def test_an_optimizer_of_torch_has_a_history(regression):
    import torch

    strategy = ModuleStrategy(optimizer=torch.optim.Adam)
    model, history = recorded(*regression, strategy=strategy)
    np.testing.assert_array_equal(history.records_["coef"][-1], model.coef_)


def test_columns_are_named_by_features_and_targets(two_targets):
    X = pd.DataFrame(two_targets[0], columns=["bmi", "age", "loss"])
    _, history = recorded(X, two_targets[1][:, 0])
    assert history.to_frame().columns.tolist() == [
        "loss",
        "learning_rate",
        "gradient_norm",
        "coef_bmi",
        "coef_age",
        "coef_loss",
        "intercept",
        "seconds",
    ]
    model, history = recorded(
        X, two_targets[1], DescentHistory(record=["intercept", "coef"])
    )
    frame = history.to_frame()
    assert frame.columns.tolist()[:3] == ["intercept_y0", "intercept_y1", "coef_bmi_y0"]
    last = frame.iloc[-1]
    assert last[["coef_bmi_y1", "coef_age_y1", "coef_loss_y1"]].tolist() == (
        model.coef_[1].tolist()
    )
    _, history = recorded(*two_targets)
    assert "coef_x2_y1" in history.to_frame()
    rates = np.array([0.05, 0.01])
    _, history = recorded(*two_targets, learning_rate=rates)
    assert history.to_frame()["learning_rate_y1"].iloc[0] == 0.01


@settings(max_examples=60, deadline=None)
@given(
    n_epochs=st.integers(1, 120),
    every=st.integers(1, 15),
    max_records=st.integers(3, 20),
)
def test_thinning_keeps_evenly_spaced_rows_of_the_whole(n_epochs, every, max_records):
    X, y = np.arange(5.0)[:, None], np.arange(5.0) ** 2
    whole, thin = DescentHistory(), DescentHistory(every, max_records=max_records)
    model = GDLinearRegressor(learning_rate=1e-3, max_iter=n_epochs, tol=None)
    model.set_callbacks(whole, thin).fit(X, y)
    all_rows, rows = whole.to_frame(), thin.to_frame()
    assert len(rows) <= max_records
    assert len(rows) >= min(max_records // 2, 1 + n_epochs // every)
    *epochs, last = rows.index
    assert (epochs[0], last) == (0, n_epochs)
    assert len(set(np.diff(epochs))) <= 1
    assert all(epoch % every == 0 for epoch in epochs)
    expected = all_rows.drop(columns="seconds").loc[rows.index]
    pd.testing.assert_frame_equal(rows.drop(columns="seconds"), expected)


def test_a_history_holds_the_last_descent_that_began(regression):
    X, y = regression
    history = DescentHistory()
    model = GDLinearRegressor(**TEXTBOOK).set_callbacks(history)
    model.fit(X, y)
    clone(model).fit(X[:, :1], y)
    assert history.records_["coef"].shape == (EPOCHS + 1, 1)
    grid = {"learning_rate": [0.01, 0.05]}
    for search in (GridSearchCV(model, grid), GDLinearRegressorCV(model, grid)):
        search.fit(X, y)
        np.testing.assert_array_equal(
            history.records_["coef"][-1], search.best_estimator_.coef_
        )
        assert history.estimator_.learning_rate == search.best_params_["learning_rate"]


def test_a_descent_that_diverged_is_kept(strategy, regression):
    history = DescentHistory()
    model = GDLinearRegressor(strategy, learning_rate=10.0).set_callbacks(history)
    with pytest.raises(DivergenceError):
        model.fit(*regression)
    losses = history.records_["loss"]
    assert not np.isfinite(losses[-1])
    assert (np.diff(losses[:20]) > 0).all()


def test_descents_in_threads_do_not_mix(regression):
    X, y = regression
    history = DescentHistory()
    model = GDLinearRegressor(**{**TEXTBOOK, "max_iter": 300})
    threads = [
        threading.Thread(target=clone(model).set_callbacks(history).fit, args=(X, y))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert history.records_["epoch"].tolist() == list(range(301))


def test_histories_are_pickled(regression):
    model, history = recorded(*regression)
    for copied in (
        pickle.loads(pickle.dumps(history)),
        pickle.loads(pickle.dumps(model))._skl_callbacks[0],
    ):
        pd.testing.assert_frame_equal(copied.to_frame(), history.to_frame())
        assert copied.estimator_.get_params() == model.get_params()


def test_rows_of_dask_have_the_history_of_rows_here(strategy, regression):
    X, y = regression
    _, here = recorded(X, y, strategy=strategy)
    _, there = recorded(
        da.from_array(X, chunks=(9, 3)), da.from_array(y, 9), strategy=strategy
    )
    ours, expected = (h.to_frame().drop(columns="seconds") for h in (there, here))
    pd.testing.assert_frame_equal(ours, expected, rtol=1e-9)


def test_what_is_not_recorded_is_not_there(regression):
    _, history = recorded(*regression, DescentHistory(record=("loss",)))
    assert history.to_frame().columns.tolist() == ["loss"]
    assert set(history.records_) == {"epoch", "loss"}
    assert repr(history) == "<DescentHistory of 7 records, up to epoch 6>"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, r"'every' parameter .* must be an int in the range \[1"),
        ({"every": 1.5}, "'every' parameter"),
        ({"max_records": 2}, r"'max_records' parameter .* in the range \[3"),
        ({"record": ("loss", "rate")}, r"'record' parameter must hold .*Got 'rate'"),
        ({"record": "losses"}, r"'record' parameter must hold .*Got 'losses'"),
        ({"record": ()}, "'record' parameter must hold"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DescentHistory(**arguments)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LinearRegression()),
        GDLinearRegressorCV(),
        GridSearchCV(GDLinearRegressor(), {}),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_does_not_descend_itself_is_refused(estimator, regression):
    history = DescentHistory()
    with pytest.raises(TypeError, match="Set it on the regressor"):
        estimator.set_callbacks(history).fit(*regression)
    with pytest.raises(NotFittedError, match="holds no descent"):
        history.to_frame()
    assert repr(history) == "<DescentHistory of no descent yet>"


def test_a_descent_that_ended_before_its_first_record_is_none(regression):
    class Fails(DescentHistory):
        def descent_observer(self, estimator, *, y_is_1d):
            super().descent_observer(estimator, y_is_1d=y_is_1d)
            raise RuntimeError("before the first epoch")

    history = Fails()
    with pytest.raises(RuntimeError, match="before the first epoch"):
        recorded(*regression, history)
    with pytest.raises(NotFittedError, match="holds no descent"):
        history.to_frame()


def test_without_pandas_the_error_names_it(regression, monkeypatch):
    _, history = recorded(*regression)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
        history.to_frame()
    assert history.records_["coef"].shape == (7, 3)
