"""Devices: each that is there gives the CPU's answer; none leaves a trace."""

import pickle

import numpy as np
import pytest
import torch

from skgd import GDLinearRegressor
from skgd.strategies._registry import strategy_from
from skgd.testing import check_gradient_strategy

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
MPS = pytest.mark.skipif(
    not torch.backends.mps.is_available(), reason="no MPS device here"
)
DEVICES = [
    "cpu",
    torch.device("cpu"),
    "auto",
    pytest.param("cuda", marks=CUDA),
    pytest.param("cuda:0", marks=CUDA),
    pytest.param(torch.device("cuda", 0), marks=CUDA),
    pytest.param("mps", marks=MPS),
]


@pytest.mark.parametrize("device", DEVICES, ids=str)
def test_every_device_gives_the_cpu_s_answer(device, strategy, two_targets):
    X, Y = (array.astype("float32") for array in two_targets)
    weight = np.arange(40)
    for y in (Y, Y[:, 0]):
        # A fixed number of epochs: rounding may move the one where a rule is met.
        expected = GDLinearRegressor(max_iter=30, tol=None).fit(X, y, weight)
        model = GDLinearRegressor(strategy, device=device, max_iter=30, tol=None)
        model.fit(X, y, weight)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
        np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-3)
        assert model.predict(X).dtype == np.float32
        assert pickle.loads(pickle.dumps(model)).coef_.dtype == np.float32


@CUDA
def test_strategies_keep_the_contract_on_cuda(strategy):
    check_gradient_strategy(strategy_from(strategy), device="cuda")


@CUDA
def test_cuda_in_float64_gives_the_cpu_s_digits(strategy, regression):
    expected = GDLinearRegressor("manual", tol=None).fit(*regression)
    model = GDLinearRegressor(strategy, device="cuda", tol=None).fit(*regression)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)


@MPS
def test_mps_refuses_float64(strategy, regression):
    with pytest.raises(ValueError, match="float32"):
        GDLinearRegressor(strategy, device="mps").fit(*regression)


def test_a_fit_from_read_only_memory_is_silent(strategy, regression, tmp_path, recwarn):
    X, y = regression
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = GDLinearRegressor(strategy, learning_rate=0.05).fit(mapped, y)
    assert not recwarn.list
    expected = GDLinearRegressor(strategy, learning_rate=0.05).fit(X, y)
    assert np.array_equal(model.coef_, expected.coef_)


@pytest.mark.parametrize("kind", ["cpu", pytest.param("cuda", marks=CUDA)])
def test_autocast_costs_no_digits(kind, strategy):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30_000, 9), dtype="float32") + 3  # float32 stays
    y = X @ np.arange(9, dtype="float32") + rng.standard_normal(30_000, dtype="float32")
    device = None if kind == "cpu" else kind
    model = GDLinearRegressor(
        strategy, device=device, precompute=False, max_iter=3, tol=None
    )
    expected = model.fit(X, y).coef_
    with torch.autocast(kind, dtype=torch.bfloat16):
        assert np.array_equal(model.fit(X, y).coef_, expected)
        assert torch.is_autocast_enabled(kind)


def test_torch_s_defaults_change_nothing(strategy, regression):
    expected = GDLinearRegressor(strategy, precompute=False, tol=1e-9).fit(*regression)
    dtype = torch.get_default_dtype()
    try:
        torch.set_default_device("meta")
        torch.set_default_dtype(torch.float16)
        model = GDLinearRegressor(strategy, precompute=False, tol=1e-9)
        assert np.array_equal(model.fit(*regression).coef_, expected.coef_)
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(dtype)
