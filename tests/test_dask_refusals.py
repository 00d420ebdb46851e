"""Dask collections: what is refused, and what is warned of, as of rows in memory."""

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import UndefinedMetricWarning

from skgd import DivergenceError, GDLinearRegressor

cloudpickle = pytest.importorskip("cloudpickle")
dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")

COEF = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def in_this_thread():
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    return X, X @ COEF + 1 + 0.1 * rng.normal(size=40)


def cut(X, chunks=(10, 20, 0, 10)):
    return da.from_array(X, chunks=(chunks, *X.shape[1:]))


def test_a_subclass_changes_predictions_once(data):
    class Shifted(GDLinearRegressor):
        def predict(self, X):
            return super().predict(X) + 1000

    X, y = data
    model = Shifted().fit(X, y)
    assert np.allclose(model.predict(cut(X)).compute(), model.predict(X))
    with pytest.raises(ValueError, match="Shifted has a predict of its own"):
        model.score(cut(X), cut(y))


def test_r2_of_one_row_is_not_defined(data):
    X, y = data
    model = GDLinearRegressor().fit(X, y)
    with pytest.warns(UndefinedMetricWarning, match="fewer than two rows"):
        assert math.isnan(model.score(cut(X)[:1], cut(y)[:1]))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y is None"),
        (1.0, "y should be a 1d or 2d array"),
        (np.zeros((40, 1, 1)), "y should be a 1d or 2d array"),
        (csr_array(np.eye(40, 1)), r"Pass y\.toarray\(\)"),
    ],
    ids=["none", "number", "3d", "sparse"],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_what_are_no_targets_is_refused(data, y, message, method):
    model = GDLinearRegressor().fit(*data)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(cut(data[0]), y)


@pytest.mark.parametrize(
    "weight",
    [2.0, "balanced", np.ones((40, 2)), da.ones((40, 2), chunks=(10, 1))],
    ids=["number", "text", "2d", "dask"],
)
def test_weights_that_are_not_one_a_row_are_refused(data, weight):
    X, y = data
    with pytest.raises(ValueError, match=r"must be 1D|is not one for each row"):
        GDLinearRegressor().fit(cut(X), cut(y), weight)


def test_a_scalar_of_dask_is_refused(data):
    X, y = data
    series = dd.from_pandas(pd.Series(y), npartitions=2)
    with pytest.raises(ValueError, match="y is a dask Scalar"):
        GDLinearRegressor().fit(cut(X), series.sum())


def test_no_columns_are_refused_before_any_task_runs(data):
    X, y = data
    frame = dd.from_pandas(pd.DataFrame(X), npartitions=2)
    for none in frame[[]], cut(X)[:, :0]:
        with pytest.raises(ValueError, match="X has no columns"):
            GDLinearRegressor().fit(none, y)


def test_a_subclass_changes_each_chunk_once(data):
    class OfLogarithms(GDLinearRegressor):
        def partial_fit(self, X, y):
            return super().partial_fit(X, np.log(y))

    X, y = data
    chunks = [slice(0, 10), slice(10, 30), slice(30, 40)]
    here = OfLogarithms(batch_size=5, random_state=0)
    for chunk in chunks:
        here.partial_fit(X[chunk], np.exp(y[chunk]))
    there = OfLogarithms(batch_size=5, random_state=0)
    there.partial_fit(cut(X), cut(np.exp(y)))
    assert np.allclose(there.coef_, here.coef_, rtol=1e-12)


@pytest.mark.parametrize("scheduler", ["sync", "processes"])
def test_warnings_of_chunks_reach_the_user_once(data, scheduler):
    X, y = data
    ids = 2**60 + np.abs(1000 * X).astype(np.int64)
    model = GDLinearRegressor(batch_size=5, random_state=0)
    with (
        dask.config.set(scheduler=scheduler, num_workers=1),
        pytest.warns(UserWarning, match="float64 keeps 16 digits") as caught,
    ):
        model.partial_fit(cut(ids, (20, 20)), cut(y, (20, 20)))
    assert len(caught) == 1


def test_a_chunk_that_diverges_raises_what_rows_in_memory_raise(data):
    X, y = data
    model = GDLinearRegressor(batch_size=5, learning_rate=1e3)
    with pytest.raises(DivergenceError, match="In partition 0 of X") as caught:
        model.partial_fit(cut(X), cut(y))
    assert caught.value.largest_stable_learning_rate < 1


def test_steps_over_partitions_forget_the_moments_of_fit(data):
    X, y = data
    model = GDLinearRegressor().fit(X, y)
    model.set_params(batch_size=5, random_state=0).partial_fit(cut(X), cut(y))
    assert not hasattr(model, "moments_")


def test_a_stream_does_not_go_on_from_no_rows(data):
    X, y = data
    model = GDLinearRegressor(batch_size=5).partial_fit(X, y)
    with pytest.raises(ValueError, match="no row with a positive sample weight"):
        model.partial_fit(cut(X), cut(y), np.zeros(40))


SCALES = {
    "of a partition": np.repeat([[1.0], [1e-200]], [30, 10], axis=0),
    "small and large": [1e-170, 1.0, 1e160],
}


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize(
    "params", [{}, {"alpha": 1.0}, {"precompute": False}, {"loss": "huber"}]
)
def test_columns_whose_squares_leave_the_range_are_fitted_in_parts(data, scale, params):
    X, y = data[0] * scale, data[1]
    there = GDLinearRegressor(**params, tol=1e-8).fit(cut(X), cut(y))
    here = GDLinearRegressor(**params, tol=1e-8).fit(X, y)
    assert np.allclose(there.predict(X), here.predict(X), rtol=1e-6)


def test_squares_out_of_range_are_refused_where_moments_are_asked_for(data):
    X, y = data
    model = GDLinearRegressor(precompute=True)
    with pytest.raises(ValueError, match="In partition 3 of X: The squares of"):
        model.fit(cut(X * 1e-200), cut(y))


@pytest.mark.parametrize("params", [{}, {"loss": "huber"}, {"batch_size": 5}])
@pytest.mark.parametrize("weight", [1e308, 1e307, 1e-320])
def test_weights_out_of_range_are_named(data, params, weight):
    X, y = data
    with pytest.raises(ValueError, match="sum of the weights"):
        GDLinearRegressor(**params).fit(cut(X), cut(y), np.full(40, weight))


def test_targets_too_small_are_named(data):
    X, y = data
    with pytest.raises(ValueError, match="in y underflow"):
        GDLinearRegressor().fit(cut(X), cut(y * 1e-200))


def test_dates_in_memory_are_refused_as_those_of_a_collection(data):
    X, y = data
    with pytest.raises(ValueError, match="y holds dates"):
        GDLinearRegressor().fit(cut(X), (1000 * y).astype("datetime64[s]"))


def test_a_large_matrix_goes_out_in_a_task_of_its_own(data, monkeypatch):
    _, y = data
    sizes = {}

    def measured(*tasks, **kwargs):
        for task in tasks:
            for key, value in dict(task.dask).items():
                sizes[key] = max(sizes.get(key, 0), len(cloudpickle.dumps(value)))
        return persist(*tasks, **kwargs)

    persist = dask.persist
    monkeypatch.setattr(dask, "persist", measured)
    wide = np.random.default_rng(0).normal(size=(40, 60))
    GDLinearRegressor(precompute=False).fit(cut(wide), cut(y))
    matrices = [key for key in sizes if str(key).startswith("skgd-coordinates")]
    tasks = [size for key, size in sizes.items() if "skgd-prepare" in str(key)]
    assert len(matrices) == 1
    assert sizes[matrices[0]] > 8 * 60**2 > 10 * max(tasks)


def test_a_random_state_goes_on_as_with_rows_in_memory(data):
    X, y = data
    here, there = np.random.RandomState(0), np.random.RandomState(0)
    GDLinearRegressor(batch_size=5, random_state=here).partial_fit(X, y)
    model = GDLinearRegressor(batch_size=5, random_state=there)
    model.partial_fit(cut(X), cut(y))
    assert model.random_state is there
    assert here.randint(2**31) == there.randint(2**31)


@pytest.mark.parametrize("named", [True, False], ids=["frame", "array"])
def test_other_names_are_warned_of_once(data, named):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abc"))
    model = GDLinearRegressor().fit(X if named else frame, y)
    there = dd.from_pandas(frame, npartitions=4) if named else cut(X)
    with pytest.warns(UserWarning, match="feature names") as caught:
        predicted = model.predict(there).compute()
    assert len(caught) == 1
    assert np.allclose(predicted, X @ model.coef_ + model.intercept_)


def test_threads_leave_the_settings_of_dask_as_they_were(data, tmp_path):
    """Of small files, X and y would then have other partitions than the user knows."""
    X, y = data
    table = pd.DataFrame(X).rename(columns="x{}".format).assign(y=y)
    dd.from_pandas(table, npartitions=4).to_parquet(tmp_path)
    frame = dd.read_parquet(tmp_path)
    X, y = frame.drop(columns="y"), frame.y
    expected = GDLinearRegressor().fit(X, y).coef_
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as pool:
            fits = [pool.submit(GDLinearRegressor().fit, X, y) for _ in range(24)]
            coefs = [fit.result().coef_ for fit in fits]
    finally:
        sys.setswitchinterval(interval)
    assert dask.config.get("optimization.tune.active")  # as Dask has it by itself
    for coef in coefs:
        assert coef == pytest.approx(expected, rel=1e-12)
