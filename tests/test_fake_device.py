"""On a device without float64, all is computed there, and nothing is mixed."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from fake_device import FakeDevice, OnDevice
from numpy.testing import assert_allclose

from skgd import GDLinearRegressor, Moments, gd_path

rng = np.random.default_rng(0)
X = rng.standard_normal((600, 5)) * [1, 2, 3, 20, 0.1] + [0, 0, 30, 0, 5]
X = X.astype("float32")
Y = (X @ [1.0, -2, 0.5, 0.01, 3] + 4 + rng.standard_normal(600)).astype("float32")
WEIGHT = rng.uniform(0, 2, 600)
WEIGHT[:50] = 0
FEW = {"max_iter": 3, "tol": None}
BATCHES = {"batch_size": 64, "random_state": 0, **FEW}
STOPPING = {"early_stopping": True, "random_state": 0}
CASES = [
    {},
    {"precompute": False, **FEW},
    {"precompute": False, "whiten": False, **FEW},
    {"precompute": False, "alpha": 0.1, "l1_ratio": 0.5, **FEW},
    BATCHES,
    {"average": True, **BATCHES},
    STOPPING,
    {**STOPPING, **BATCHES},
    {**STOPPING, "scoring": "neg_mean_absolute_error", **FEW},
]


@pytest.fixture(autouse=True)
def device():
    """Act the device, under dispatch."""
    with sklearn.config_context(array_api_dispatch=True), FakeDevice():
        yield


def there(array):
    return torch.tensor(np.asarray(array, "float32")).as_subclass(OnDevice)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize("parameters", CASES, ids=str)
def test_a_fit_is_numpys(parameters, weight):
    expected = GDLinearRegressor(**parameters).fit(X, Y, weight)
    weight = None if weight is None else there(weight)
    model = GDLinearRegressor(**parameters).fit(there(X), there(Y), weight)
    assert type(model.coef_) is OnDevice
    assert_allclose(model.coef_.numpy(force=True), expected.coef_, atol=1e-5)
    predictions = model.predict(there(X)).numpy(force=True)
    assert_allclose(predictions, expected.predict(X), atol=1e-4)
    score = model.score(there(X), Y.astype(object))
    assert score == pytest.approx(expected.score(X, Y), abs=1e-6)


def test_huber_s_minimum_is_numpys():
    huber = GDLinearRegressor(loss="huber", epsilon=1.0, tol=1e-5)
    model = GDLinearRegressor(loss="huber", epsilon=1.0, tol=1e-5)
    huber.fit(X, Y, WEIGHT)
    model.fit(there(X), there(Y), there(WEIGHT))
    assert_allclose(model.coef_.numpy(force=True), huber.coef_, atol=1e-3)


@pytest.mark.parametrize("parameters", [{}, {"batch_size": 16, "random_state": 0}])
def test_a_stream_is_numpys_and_its_pickle_loads_elsewhere(parameters):
    streams = [GDLinearRegressor(**parameters) for _ in range(2)]
    for first in range(0, 90, 3):
        rows = slice(first, first + 3)
        streams[0].partial_fit(X[rows], Y[rows])
        streams[1].partial_fit(there(X[rows]), there(Y[rows]))
    coef = streams[1].coef_.numpy(force=True)
    assert_allclose(coef, streams[0].coef_, rtol=1e-3, atol=1e-4)
    stored = pickle.dumps(streams[1])
    assert b"OnDevice" not in stored
    assert b"torch" not in stored
    assert isinstance(pickle.loads(stored).coef_, np.ndarray)  # there is no MPS here


def test_moments_of_far_targets_keep_their_mean():
    far = Y + np.float32(1e6)
    mean = Moments.from_data(there(X), there(far)).mean
    assert_allclose(mean, Moments.from_data(X, far).mean, rtol=1e-6, atol=1e-3)
    assert abs(mean[-1] - far.mean(dtype="float64")) < 1e-3
    path = gd_path(there(X), there(Y), alphas=there([1.0]))
    assert_allclose(path.coefs, gd_path(X, Y, alphas=[1.0]).coefs, rtol=1e-3)


def test_what_leaves_float32_is_told_the_way_out():
    with pytest.raises(ValueError, match=r"MPS computes in float32.* X.cpu\(\)"):
        GDLinearRegressor(standardize=False, **BATCHES).fit(there(X * 1e-25), there(Y))
