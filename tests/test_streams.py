"""Streams whose columns drift, change their scale, or have outliers."""

import pickle
import signal
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from conftest import STRATEGIES, strategies_on
from scipy.sparse import csr_array
from sklearn.linear_model import SGDRegressor
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor


class RunningScaler:
    """What else there is: a running StandardScaler before SGDRegressor."""

    def __init__(self, loss="squared_error"):
        self.scaler = StandardScaler()
        self.model = SGDRegressor(loss, epsilon=1.0, random_state=0)

    def partial_fit(self, X, y):
        """Scale by all rows so far."""
        self.scaler.partial_fit(X)
        self.model.partial_fit(self.scaler.transform(X), y)

    def predict(self, X):
        """Predict from scaled rows."""
        return self.model.predict(self.scaler.transform(X))


def offset_drifts(X):
    return X + np.linspace(0, 1e9, len(X))[:, None] * [1, 0, 0, 0]


def scale_grows(X):
    return X * np.logspace(-6, 6, len(X))[:, None]


def scale_jumps(X):
    return X * np.where(np.arange(len(X)) < len(X) // 3, 1, 1e6)[:, None]


def outlier(X):
    X = X.copy()
    X[len(X) // 3, 0] = 1e12
    return X


def constant_at_first(X):
    X = X.copy()
    X[: len(X) // 2, 0] = 7
    return X


DRIFTS = [offset_drifts, scale_grows, scale_jumps, outlier, constant_at_first]


def last_quarter(model, X, y, n_rows):
    """Return R^2 on the last quarter: of each chunk before it is learned."""
    predictions = np.zeros(len(y))
    for first in range(0, len(y), n_rows):
        chunk = slice(first, first + n_rows)
        if first:
            predictions[chunk] = model.predict(X[chunk])
        model.partial_fit(X[chunk], y[chunk])
    last = slice(3 * len(y) // 4, None)
    residual = y[last] - predictions[last]
    return 1 - np.mean(residual**2) / np.var(y[last])


def drawn(drift, n_rows):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 4))
    seen = constant_at_first(X) if drift is constant_at_first else X
    y = seen @ [1.0, -2.0, 3.0, 0.5] + rng.standard_normal(n_rows) + 5
    return drift(X), y


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize(
    ("strategy", "loss"),
    strategies_on([("squared_error",), ("huber",)], [("squared_error",)]),
)
def test_batches_follow_a_stream_as_a_running_scaler_does(strategy, loss, drift):
    X, y = drawn(drift, 3200)
    model = GDLinearRegressor(
        strategy, batch_size=32, loss=loss, epsilon=1.0, random_state=0
    )
    ours, others = (
        last_quarter(each, X, y, 32) for each in (model, RunningScaler(loss))
    )
    assert ours > others - 0.05
    assert ours > 0.5


@pytest.mark.parametrize("drift", [scale_grows, constant_at_first])
def test_rows_one_at_a_time_follow_as_well(drift):
    X, y = drawn(drift, 800)
    model = GDLinearRegressor(batch_size=1, random_state=0)
    ours, others = (last_quarter(each, X, y, 1) for each in (model, RunningScaler()))
    assert ours > others - 0.05
    assert ours > 0.5


@pytest.mark.parametrize("drift", DRIFTS)
def test_the_full_batch_is_least_squares_wherever_a_stream_has_been(drift):
    X, y = drawn(drift, 3000)
    X = X + np.linspace(0, 1e6, 3000)[:, None] * [0, 0, 0, 1]  # and a slower drift
    model = GDLinearRegressor()
    with warnings.catch_warnings():
        # An outlier of 1e12 and values of 1e-6 are not told apart by moments.
        warnings.simplefilter("ignore")
        for first in range(0, 3000, 100):
            chunk = slice(first, first + 100)
            model.partial_fit(X[chunk], y[chunk])
    Z = X - X.mean(axis=0)
    Z /= np.linalg.norm(Z, axis=0)
    least = np.linalg.lstsq(Z, y - y.mean(), rcond=1e-14)[1]
    residual = model.predict(X) - y
    assert residual @ residual < (1 + 1e-6) * least


@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_change_of_coordinates_changes_no_prediction(strategy, whiten):
    """Steps of no length leave coordinates alone to change, by less than outgrows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 3)) @ rng.standard_normal((3, 3)) * [1, 1e3, 1e-3]
    X += [1e3, 0, 5]
    y = X @ [1.0, 1e-3, 1e3] + rng.standard_normal(400)
    model = GDLinearRegressor(strategy, batch_size=32, whiten=whiten, random_state=0)
    model.partial_fit(X[:200], y[:200])
    before = model.predict(X)
    model.set_params(learning_rate=1e-300, standardize=True)
    moved = X[200:] + 0.3 * X.std(axis=0)
    model.partial_fit(moved, y[200:])
    np.testing.assert_allclose(model.predict(X), before, rtol=1e-9)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_years_in_order_are_learned(strategy):
    rng = np.random.default_rng(0)
    year = np.sort(rng.integers(2010, 2024, 3500)).astype(float)
    X = np.column_stack([year, rng.normal(50, 10, 3500)])
    y = 3 * (year - 2010) + 0.2 * X[:, 1] + 2 * rng.standard_normal(3500)
    model = GDLinearRegressor(strategy, batch_size=64, random_state=0)
    for first in range(0, 3500, 128):
        model.partial_fit(X[first : first + 128], y[first : first + 128])
    assert model.score(X, y) > 0.97


KILLED = textwrap.dedent(
    """
    import os, pickle, signal, sys
    import numpy as np

    models, X, y = pickle.load(open(sys.argv[1], "rb"))
    for first in range(0, 210, 7):
        for i, model in enumerate(models):
            model.partial_fit(X[first : first + 7], y[first : first + 7])
            with open(f"{sys.argv[1]}.part", "wb") as file:
                pickle.dump((first + 7, model), file)
            os.replace(f"{sys.argv[1]}.part", f"{sys.argv[1]}.{i}")
        if first == 105:
            os.kill(os.getpid(), signal.SIGKILL)
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_stream_that_was_killed_goes_on_from_its_pickle_with_the_same_digits(
    tmp_path,
):
    X, y = drawn(scale_jumps, 210)
    batches = {"batch_size": 3, "average": True}
    models = [
        GDLinearRegressor(strategy, random_state=0, **params)
        for strategy, params in [
            ("manual", {}),
            ("manual", {"batch_size": 1}),
            ("manual", {"batch_size": 3, "learning_rate": 1e-4, "standardize": True}),
            ("manual", {"batch_size": 3, "loss": "huber"}),
            *((strategy, batches) for strategy in STRATEGIES),
        ]
    ]
    path = tmp_path / "streams"
    path.write_bytes(pickle.dumps((models, X, y)))
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    for i, model in enumerate(models):
        reached, resumed = pickle.loads((tmp_path / f"streams.{i}").read_bytes())
        assert reached == 112
        for first in range(0, 210, 7):
            chunk = slice(first, first + 7)
            model.partial_fit(X[chunk], y[chunk])
            if first >= reached:
                resumed.partial_fit(X[chunk], y[chunk])
        assert resumed.coef_.tolist() == model.coef_.tolist()
        assert resumed.intercept_ == model.intercept_


@pytest.mark.parametrize("batch_size", [1, 4, None])
def test_an_array_that_is_used_again_for_the_next_chunk_does_no_harm(batch_size):
    X, y = drawn(constant_at_first, 300)
    models = [GDLinearRegressor(batch_size=batch_size, random_state=0) for _ in "12"]
    buffer, targets = np.empty((3, 4)), np.empty(3)
    for first in range(0, 300, 3):
        buffer[:], targets[:] = X[first : first + 3], y[first : first + 3]
        models[0].partial_fit(buffer, targets)
        models[1].partial_fit(X[first : first + 3], y[first : first + 3])
        buffer[:], targets[:] = np.nan, np.nan
    assert models[0].coef_.tolist() == models[1].coef_.tolist()


@pytest.mark.parametrize("chunk", [1, 5])
def test_rows_put_aside_are_counted_once(chunk):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((603, 3)) * [1, 10, 100] + 5
    y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(603)
    weight = rng.uniform(0.5, 2, 603)
    model = GDLinearRegressor(batch_size=chunk, random_state=0)
    for first in range(0, 500, chunk):
        part = slice(first, first + chunk)
        model.partial_fit(X[part], y[part], weight[part])
    model.partial_fit(csr_array(X[500:]), y[500:], weight[500:])  # asks for all
    seen = model._stream._seen
    mean = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(seen.X.mean, mean, rtol=1e-12)
    spread = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(seen.X.spread, spread, rtol=1e-12)
    assert not model._stream._pending


@pytest.mark.parametrize("n_rows", [1, 2])
def test_to_begin_to_whiten_forgets_no_rows(n_rows):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 3)) + 5
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(600)
    params = {"learning_rate": 0.1, "standardize": True, "random_state": 0}
    model = GDLinearRegressor(batch_size=8, whiten=False, **params)
    model.partial_fit(X[:500], y[:500]).set_params(whiten=True)
    unexplained = 1 - model.score(X, y)
    for first in range(500, 600, n_rows):
        chunk = slice(first, first + n_rows)
        model.partial_fit(X[chunk], y[chunk])
    assert 1 - model.score(X, y) < 1.1 * unexplained
    model.partial_fit(X[:20], y[:20])  # enough rows for new coordinates
    whole = np.vstack([X, X[:20]])
    np.testing.assert_allclose(model._stream._seen.X.spread, whole.std(axis=0))


@pytest.mark.parametrize("size", [1e20, 1e60, 1e200])
@pytest.mark.parametrize("n_rows", [1, 10])
def test_a_huge_value_costs_its_column_alone(n_rows, size):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((900, 4))
    y = X @ [1.0, 2.0, 3.0, 4.0] + rng.standard_normal(900)
    X[300, 0] = size
    model = GDLinearRegressor(batch_size=10, random_state=0)
    for first in range(0, 900, n_rows):
        chunk = slice(first, first + n_rows)
        model.partial_fit(X[chunk], y[chunk])
    assert model.score(X[301:], y[301:]) > 0.9
