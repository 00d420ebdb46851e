"""scikit-learn's callbacks: on fits, in pipelines and searches, and on Dask's rows."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import strategies_on
from dask import array as da
from dask import dataframe as dd
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import DivergenceError, GDLinearRegressor, GDLinearRegressorCV
from skgd.callback import DescentHistory

#: Where what a callback is told of lies in different places of the code.
SETTINGS = [
    {},
    {"batch_size": 8, "learning_rate": "auto"},
    {"batch_size": 8, "average": 40},
    {"average": True},
    {"alpha": 0.1, "l1_ratio": 0.5},
    {"momentum": 0.9},
    {"early_stopping": True, "n_iter_no_change": 9},
    {"early_stopping": True, "batch_size": 5, "n_iter_no_change": 9},
]


class Log:
    """Keeps what it is told; may raise at a moment, or ask to stop after an epoch."""

    def __init__(self, raises_at=None, stop_after=None):
        self.told, self.raises_at, self.stop_after = [], raises_at, stop_after

    def tell(self, *what):
        self.told.append(what)
        if what == self.raises_at:
            raise RuntimeError("a callback's own error")

    def setup(self, estimator, context):
        self.tell("setup")

    def on_fit_task_begin(self, estimator, context, *, fitted_estimator=None):
        self.tell("begin", context.task_name, context.task_id)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.tell("end", context.task_name, context.task_id)
        return context.task_name == "epoch" and context.task_id == self.stop_after

    def teardown(self, estimator, context):
        self.tell("teardown")


def textbook(strategy="manual", **params):
    return GDLinearRegressor(
        strategy,
        **{
            "learning_rate": 0.05,
            "max_iter": 6,
            "tol": None,
            "random_state": 0,
            **params,
        },
    )


@pytest.mark.parametrize(
    ("strategy", "settings"),
    strategies_on([(each,) for each in SETTINGS], [(each,) for each in SETTINGS[:3]]),
)
def test_a_monitor_s_scores_are_those_of_fits_that_end_there(
    strategy, settings, two_targets
):
    X, y = two_targets
    for target in (y[:, 0], y):
        monitor = ScoringMonitor(scoring="r2")
        model = textbook(strategy, **settings).set_callbacks(monitor).fit(X, target)
        log = monitor.get_logs().data_as_pandas.set_index("task_id_path").r2
        by_hand = [
            textbook(strategy, **settings, max_iter=k + 1)
            .fit(X, target)
            .score(X, target)
            for k in range(6)
        ]
        assert log[[(0, k) for k in range(6)]].tolist() == pytest.approx(
            by_hand, abs=1e-12
        )
        assert log[(0,)] == model.score(X, target)
        assert len(log) == 7


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
@example(seed=236)  # float32, whose range a descent leaves before its loss does
def test_a_descent_that_is_watched_is_the_same_descent(seed):
    """To the last digit, and with the same error where it raises one."""
    rng = np.random.default_rng(seed)
    n_rows, n_features, n_targets = rng.integers([4, 2, 1], [40, 6, 4])
    X = rng.standard_normal((n_rows, n_features)) * 10 ** rng.uniform(-2, 2, n_features)
    y = rng.standard_normal((n_rows, n_targets))
    X = X.astype(rng.choice(["float32", "float64"]))
    choices = {
        "learning_rate": ["auto", "auto", 1e-3, 0.1],
        "batch_size": [None, None, 3],
        "alpha": [0.0, 0.1],
        "l1_ratio": [0.0, 0.5],
        "loss": ["squared_error", "huber"],
        "average": [0, 20],
        "early_stopping": [False, False, True],
        "schedule": ["auto", "invscaling", "adaptive"],
        "tol": [None, 1e-3],
    }
    params = {
        name: values[rng.integers(len(values))] for name, values in choices.items()
    }
    ends = []
    for callbacks in [(), (DescentHistory(), ScoringMonitor(scoring="r2"), Log())]:
        model = textbook(**{**params, "max_iter": 20}).set_callbacks(*callbacks)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X, y)
        except DivergenceError as error:
            ends.append((str(error), ()))
        else:
            numbers = model.coef_, model.intercept_, model.loss_curve_
            ends.append(("", tuple(np.ravel(each).tolist() for each in numbers)))
    assert ends[0] == ends[1]


def test_weights_reach_the_monitor(regression):
    X, y = regression
    weight = np.arange(40.0)
    monitor = ScoringMonitor(scoring="r2")
    model = textbook().set_callbacks(monitor).fit(X, y, sample_weight=weight)
    last = monitor.get_logs().data[-1]["r2"]
    expected = r2_score(y, model.predict(X), sample_weight=weight)
    assert last == pytest.approx(expected, abs=1e-12)


def test_a_model_on_the_way_has_the_dtype_and_the_features_of_the_fit(regression):
    seen = []

    class Keep(Log):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            seen.append(fitted_estimator)

    X = pd.DataFrame(regression[0].astype("float32"), columns=list("abc"))
    model = textbook().set_callbacks(Keep()).fit(X, regression[1])
    *on_the_way, fitted = seen
    for k, each in enumerate(on_the_way):
        assert each.coef_.dtype == model.coef_.dtype == np.float32
        assert each.n_iter_ == k + 1
        assert each.loss_curve_ == model.loss_curve_[: k + 1]
        assert each.predict(X).shape == (40,)  # without a warning about names
    assert fitted.loss_curve_ == model.loss_curve_
    coefs = [each.coef_.tolist() for each in on_the_way]
    assert len({tuple(coef) for coef in coefs}) == 6  # each a copy of its own


@pytest.mark.parametrize("params", [{}, {"batch_size": 8}, {"loss": "huber"}])
def test_a_fit_is_a_task_and_each_epoch_a_subtask(params, regression):
    log = Log()
    model = GDLinearRegressor(random_state=0, **params).set_callbacks(log)
    model.fit(*regression)
    epochs = [
        (moment, "epoch", k)
        for k in range(model.n_iter_)
        for moment in ("begin", "end")
    ]
    assert log.told == [
        ("setup",),
        ("begin", "fit", 0),
        *epochs,
        ("end", "fit", 0),
        ("teardown",),
    ]
    assert not [name for name in vars(model) if "ctx" in name or "teardown" in name]


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_callback_that_asks_ends_the_descent_there(settings, regression):
    X, y = regression
    log = Log(stop_after=2)
    stopped = textbook(**settings).set_callbacks(log).fit(X, y)
    short = textbook(**settings, max_iter=3).fit(X, y)
    assert stopped.n_iter_ == 3
    np.testing.assert_array_equal(stopped.coef_, short.coef_)
    assert stopped.loss_curve_ == short.loss_curve_


def test_a_descent_that_a_callback_ends_has_no_warning(regression):
    """Whoever ends it knows; without the callback the same epochs are warned of."""
    X, y = regression
    params = {"learning_rate": 0.01, "tol": 1e-9}
    textbook(**params, max_iter=1000).set_callbacks(Log(stop_after=2)).fit(X, y)


MOMENTS = [
    ("setup",),
    ("begin", "fit", 0),
    ("begin", "epoch", 0),
    ("begin", "epoch", 3),
    ("end", "epoch", 0),
    ("end", "epoch", 5),
    ("end", "fit", 0),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("fitted", [False, True])
def test_an_error_of_a_callback_leaves_the_estimator_as_it_was(
    moment, fitted, regression
):
    X, y = regression
    model = textbook()
    if fitted:
        model.fit(X[:, :2], y)
    log = Log(raises_at=moment)
    before = vars(model.set_callbacks(log)).copy()
    with pytest.raises(RuntimeError, match="a callback's own error"):
        model.fit(X, y)
    assert vars(model) == before
    assert log.told[-1] == ("teardown",)
    log.raises_at = None
    assert model.fit(X, y).coef_.shape == (3,)


@pytest.mark.parametrize("rate", [1e9, 1e308])  # after one step, all is infinite
def test_a_descent_that_diverges_says_so_beside_a_monitor(rate, strategy, regression):
    monitor, log = ScoringMonitor(scoring="r2"), Log()
    model = textbook(strategy, learning_rate=rate, max_iter=1000)
    with pytest.raises(DivergenceError):
        model.set_callbacks(monitor, log).fit(*regression)
    begun = [what for what in log.told if what[0] == "begin"]
    ended = [what for what in log.told if what[0] == "end"]
    assert len(ended) == len(begun) - 1  # all but the fit


class Bar(ProgressBar):
    """Counts what is drawn."""

    def setup(self, estimator, context):
        self.ticks, self.total = 0, None
        super().setup(estimator, context)

    def on_fit_task_begin(self, estimator, context):
        self.total = self.total or context.max_subtasks
        super().on_fit_task_begin(estimator, context)

    def on_fit_task_end(self, estimator, context):
        self.ticks += context.parent is not None
        super().on_fit_task_end(estimator, context)


@pytest.mark.parametrize(("epochs", "ticks"), [(7, 7), (20_000, 100)])
def test_a_bar_that_draws_is_told_of_percents(epochs, ticks, regression, capsys):
    bar, log = Bar(), Log()
    model = textbook(max_iter=epochs).set_callbacks(bar)
    model.fit(*regression)
    assert bar.total == ticks
    assert bar.ticks <= ticks
    assert "100%" in capsys.readouterr().out
    model.set_params(max_iter=7).set_callbacks(bar, log).fit(*regression)
    assert log.told.count(("end", "epoch", 6)) == 1  # others are told of each epoch


def test_a_bar_of_one_s_own_may_end_the_descent_and_gets_the_model(regression, capsys):
    class Impatient(ProgressBar):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            super().on_fit_task_end(estimator, context)
            self.last = fitted_estimator
            return context.parent is not None

    bar = Impatient()
    model = textbook(max_iter=100_000).set_callbacks(bar).fit(*regression)
    assert model.n_iter_ < 100_000
    assert bar.last.score(*regression) == model.score(*regression)


def test_callbacks_work_in_a_pipeline(regression, capsys):
    X, y = regression
    monitor = ScoringMonitor(scoring="r2")
    model = make_pipeline(StandardScaler(), textbook().set_callbacks(monitor))
    model.set_callbacks(ProgressBar()).fit(X, y)
    log = monitor.get_logs().data
    assert log[-1]["task_id_path"] == (0, 1, 5)
    assert log[-1]["r2"] == pytest.approx(model.score(X, y), abs=1e-12)
    assert "GDLinearRegressor - fit" in capsys.readouterr().out


def test_callbacks_work_in_a_search_in_processes(regression, capsys):
    X, y = regression
    monitor = ScoringMonitor(scoring="r2")
    rates, cv = [0.01, 0.05], KFold(3)
    search = GridSearchCV(
        textbook().set_callbacks(monitor), {"learning_rate": rates}, cv=cv, n_jobs=2
    ).set_callbacks(ProgressBar())
    search.fit(X, y)
    assert "GDLinearRegressor - fit" in capsys.readouterr().out
    log = monitor.get_logs().data_as_pandas.set_index("task_id_path").r2
    fits = [(rate, train) for rate in rates for train, _ in cv.split(X)]
    for number, (rate, train) in enumerate(fits):
        alone = textbook(learning_rate=rate).fit(X[train], y[train])
        expected = alone.score(X[train], y[train])
        assert log[0, 0, number, 5] == pytest.approx(expected, abs=1e-12)
    assert log[0, 1, 5] == pytest.approx(search.score(X, y), abs=1e-12)
    assert len(log) == 7 * 7


def test_callbacks_work_in_our_search(regression, capsys):
    X, y = regression
    of_search, of_fit = ScoringMonitor(scoring="r2"), ScoringMonitor(scoring="r2")
    search = GDLinearRegressorCV(
        textbook().set_callbacks(of_fit), {"learning_rate": [0.01, 0.05]}, cv=3
    )
    search.set_callbacks(ProgressBar(), of_search).fit(X, y)
    assert "refit" in capsys.readouterr().out
    log = of_fit.get_logs().data_as_pandas.set_index("task_id_path").r2
    assert list(log.index) == [(0, 1), *((0, 1, k) for k in range(6))]
    assert log[0, 1, 5] == log[0, 1] == search.score(X, y)
    (whole,) = of_search.get_logs().data
    assert whole["r2"] == search.score(X, y)


def test_a_bar_on_the_estimator_of_our_search_is_refused_before_it_searches(regression):
    log = Log()
    for refit in (True, False):
        estimator = textbook().set_callbacks(ProgressBar())
        search = GDLinearRegressorCV(estimator, {"alpha": [0.0, 0.1]}, refit=refit)
        with pytest.raises(TypeError, match="belongs to the search"):
            search.set_callbacks(log).fit(*regression)
    assert [what[:2] for what in log.told[1:3]] == [("begin", "fit"), ("teardown",)]


def test_a_last_fit_that_a_callback_ends_is_not_the_model_that_was_scored(regression):
    rates = {"learning_rate": [0.01, 0.05]}
    model = textbook().set_callbacks(Log(stop_after=2))
    search = GDLinearRegressorCV(model, rates, cv=3)
    with pytest.warns(UserWarning, match="best_estimator_ after 3 epochs"):
        search.fit(*regression)
    assert search.best_estimator_.n_iter_ == 3


def test_an_error_of_a_callback_leaves_our_search_as_it_was(regression):
    for raises_at in (("begin", "epoch", 2), ("end", "fit", 1)):
        log = Log(raises_at=raises_at)
        rates = {"learning_rate": [0.01, 0.05]}
        search = GDLinearRegressorCV(textbook().set_callbacks(log), rates, cv=3)
        before = vars(search).copy()
        with pytest.raises(RuntimeError, match="a callback's own error"):
            search.fit(*regression)
        assert vars(search) == before
        assert log.told[-1] == ("teardown",)


@pytest.mark.parametrize("params", [{}, {"batch_size": 8}, {"loss": "huber"}])
@pytest.mark.parametrize("framed", [False, True])
def test_callbacks_are_told_of_a_fit_to_rows_of_dask(params, framed, regression):
    X, y = da.from_array(regression[0], chunks=(9, 3)), da.from_array(regression[1], 9)
    if framed:
        table = pd.DataFrame(regression[0], columns=list("abc")).assign(y=regression[1])
        table = dd.from_pandas(table, npartitions=3)
        X, y = table[list("abc")], table["y"]
    monitor = ScoringMonitor(scoring="r2")
    model = textbook(**params).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas.set_index("task_id_path").r2
    assert log[0, 5] == pytest.approx(model.score(X, y), abs=1e-9)
    assert len(log) == 7


def test_copies_have_the_callbacks_and_partial_fit_tells_none(regression):
    log = Log()
    model = textbook().set_callbacks(log)
    model.partial_fit(*regression)
    assert not log.told
    for copied in (clone(model), pickle.loads(pickle.dumps(model))):
        (callback,) = copied._skl_callbacks
        copied.fit(*regression)
        assert ("end", "epoch", 5) in callback.told
