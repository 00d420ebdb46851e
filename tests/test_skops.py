"""skops keeps models in files that can be loaded without running what they say."""

import numpy as np
import pytest
import skops.io

from skgd import GDLinearRegressor, Moments


@pytest.mark.parametrize(
    "params",
    [{}, {"batch_size": 16, "average": True, "random_state": 0}],
    ids=["moments", "batches"],
)
def test_skops_keeps_a_stream_and_asks_to_trust_skgd_alone(
    params, strategy, regression
):
    X, y = regression
    model = GDLinearRegressor(strategy, **params).partial_fit(X, y)
    file = skops.io.dumps(model)
    types = skops.io.get_untrusted_types(data=file)
    assert all(name.startswith("skgd.") for name in types)
    loaded = skops.io.loads(file, trusted=types)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    for each in (loaded, model):
        each.partial_fit(X[::2], y[::2])
    assert np.array_equal(loaded.predict(X), model.predict(X))


def test_skops_asks_to_trust_the_estimator_and_moments_of_a_fit(strategy, regression):
    file = skops.io.dumps(GDLinearRegressor(strategy).fit(*regression))
    assert skops.io.get_untrusted_types(data=file) == [
        "skgd._data.moments.Moments",
        "skgd._regressor.GDLinearRegressor",
    ]


def test_skops_keeps_moments(regression):
    moments = Moments.from_data(*regression)
    file = skops.io.dumps(moments)
    loaded = skops.io.loads(file, trusted=skops.io.get_untrusted_types(data=file))
    for kept, condensed in zip(loaded.condense(), moments.condense(), strict=True):
        assert np.array_equal(kept, condensed)
