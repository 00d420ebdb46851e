"""Fits in threads and in forked processes: as alone, and nothing waits for ever."""

import os
import subprocess
import sys
import textwrap
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from skgd import GDLinearRegressor
from skgd._data.threads import in_one_thread, in_threads
from skgd.strategies import ModuleStrategy


def limits():
    """Return the numbers of threads that BLAS may use."""
    libraries = threadpool_info()
    return [each["num_threads"] for each in libraries if each["user_api"] == "blas"]


def limit_for_all(number):
    """Let BLAS use so many threads; who sets it in a thread that lives claims it."""
    thread = threading.Thread(target=threadpool_limits, args=(number, "blas"))
    thread.start()
    thread.join()


def in_eight_threads(work, n_calls=32):
    """Call a function in eight threads at once, and return what it returned."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: work(), range(n_calls)))


@pytest.fixture
def two_blas_threads():
    """Let BLAS use two threads, where there is one for tests in parallel."""
    before = limits()
    limit_for_all(2)
    yield
    limit_for_all(before[0])


@pytest.fixture
def drawing():
    """A thread that draws from torch's generator all the time."""
    stopped = threading.Event()

    def draw():
        while not stopped.is_set():
            torch.rand(1)

    thread = threading.Thread(target=draw)
    thread.start()
    yield
    stopped.set()
    thread.join()


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_fits_in_threads_have_the_digits_of_one_alone(
    make, batch_size, loss, strategy, regression, drawing
):
    X, y = regression
    X = make(X)
    if isinstance(X, np.ndarray):
        X.flags.writeable = False
    model = GDLinearRegressor(
        strategy,
        loss=loss,
        epsilon=1.0,
        batch_size=batch_size,
        max_iter=5,
        tol=None,
        random_state=0,
    )

    def coef():
        return clone(model).fit(X, y).coef_.tolist()

    assert in_eight_threads(coef, 16) == [coef()] * 16


def test_long_tables_in_threads_have_the_digits_of_one_alone(two_blas_threads):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((720_000, 10), dtype=np.float32)
    y = X.sum(axis=1) + rng.standard_normal(720_000, dtype=np.float32)

    def coef():
        return GDLinearRegressor().fit(X, y).coef_.tolist()

    alone = coef()
    assert in_eight_threads(coef, 8) == [alone] * 8
    limit_for_all(1)
    assert coef() == alone


def test_limits_of_several_at_once_end_with_the_last(two_blas_threads):
    before = limits()
    first, second = in_one_thread(100), in_one_thread(100)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert limits() == [1] * len(before)
    second.__exit__(None, None, None)
    assert limits() == before


def test_another_thread_may_end_a_limit_than_the_one_that_began_it(two_blas_threads):
    before, begun, ended = limits(), threading.Event(), threading.Event()

    def first():
        with in_one_thread(100):
            begun.set()
            ended.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    begun.wait(60)
    with in_one_thread(100):
        ended.set()
        thread.join()
        assert limits() == [1] * len(before)
    assert limits() == before


def test_an_error_in_a_share_of_the_rows_is_raised(two_blas_threads):
    before = limits()

    def work(share):
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        in_threads(work, [slice(i, i + 1) for i in range(40)], 3)
    assert limits() == before


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_searches_in_searches_end_with_the_digits_of_one_alone(backend, regression):
    grid = {"alpha": [0.0, 0.1]}

    def scores(n_jobs):
        search = GridSearchCV(GDLinearRegressor(), grid, n_jobs=n_jobs, cv=2)
        return cross_val_score(search, *regression, n_jobs=n_jobs, cv=2).tolist()

    alone = scores(None)
    with parallel_config(backend=backend):
        assert scores(2) == alone


class Noise(nn.Linear):
    """Adds noise that is tiny."""

    def forward(self, X):
        return super().forward(X) + 1e-12 * torch.randn_like(X[:, :1])


def rare_dropout(n_features, n_targets):
    return nn.Sequential(nn.Dropout(1e-9), nn.Linear(n_features, n_targets))


def scripted_dropout(n_features, n_targets):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(rare_dropout(n_features, n_targets))


def swallowed_noise(n_features, n_targets):
    class Swallowing(nn.Linear):
        def forward(self, X):
            try:
                return super().forward(X) + torch.rand(1)
            except RuntimeError:
                return super().forward(X)

    return Swallowing(n_features, n_targets)


@pytest.mark.parametrize(
    "module", [Noise, rare_dropout, scripted_dropout, swallowed_noise]
)
def test_randomness_is_found_however_rare_and_draws_nothing(module, regression):
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="draws random numbers"):
        GDLinearRegressor(ModuleStrategy(module)).fit(*regression)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_linear_module_leaves_the_generator_to_others(regression, monkeypatch):
    for name in ("get_rng_state", "set_rng_state"):
        monkeypatch.delattr(torch.random, name)
        monkeypatch.delattr(torch, name)
    generator = torch.random.default_generator
    state = generator.get_state()
    GDLinearRegressor("module").fit(*regression)
    assert torch.equal(generator.get_state(), state)


def stack(n_features, n_targets):
    """Return two layers, drawn from a generator of their own."""
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Linear(n_features, 4), nn.Linear(4, n_targets))
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def test_a_stack_with_a_generator_of_its_own_is_the_same_in_threads(
    regression, drawing
):
    def coef():
        model = GDLinearRegressor(
            ModuleStrategy(stack), learning_rate=1e-3, max_iter=20, tol=None
        )
        return model.fit(*regression).coef_.tolist()

    assert in_eight_threads(coef) == [coef()] * 32


FORKS = textwrap.dedent(
    """
    import os, threading, time
    import numpy as np
    from threadpoolctl import threadpool_info
    from skgd import GDLinearRegressor

    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((720_000, 10)), rng.standard_normal(720_000)
    def coef():
        return GDLinearRegressor().fit(X, y).coef_.tolist()
    def blas():
        return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]
    expected, limits = coef(), blas()
    stopped = False
    def fit():
        while not stopped:
            coef()
    thread = threading.Thread(target=fit)
    thread.start()
    children = []
    for i in range(6):
        time.sleep(0.02)
        child = os.fork()
        if child == 0:
            right = blas() == limits and coef() == expected and blas() == limits
            os._exit(0 if right else 1)
        children.append(os.waitpid(child, 0)[1])
    stopped = True
    thread.join()
    assert children == [0] * 6, children
    assert blas() == limits
    """
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_child_forked_while_a_thread_fits_can_fit():
    done = subprocess.run(
        [sys.executable, "-c", FORKS],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
