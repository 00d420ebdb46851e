"""Ctrl-C: a descent ends early with the model that is there; else nothing changes."""

import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from skgd import DivergenceError, GDLinearRegressor
from skgd._data.threads import in_one_thread, in_threads
from skgd._interrupt import Interruption, deferred_interrupts


def interrupting(at):
    """Return a constant schedule that presses Ctrl-C as it is asked for this step."""

    def schedule(step):
        if step == at:
            signal.raise_signal(signal.SIGINT)
        return 1.0

    return schedule


def model(at=5, **params):
    """Return an estimator that is interrupted on its way."""
    defaults = {"learning_rate": 1e-3, "max_iter": 50, "random_state": 0}
    return GDLinearRegressor(**{**defaults, "schedule": interrupting(at), **params})


def state_of(estimator):
    """Return all attributes, deeply, but for the parameters."""
    params = estimator.get_params()
    attributes = vars(estimator).items()
    return pickle.dumps({k: v for k, v in attributes if k not in params})


@pytest.fixture(autouse=True)
def handler():
    """Python's own handler, which is to be there still at the end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    Interruption.last_answered = -math.inf
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_an_interrupted_descent_ends_as_after_max_iter(strategy, momentum, regression):
    interrupted = model(strategy=strategy, momentum=momentum)
    with pytest.warns(ConvergenceWarning, match=r"interrupted in epoch 5\. .*tol=0.0"):
        interrupted.fit(*regression)
    ended = GDLinearRegressor(
        strategy, learning_rate=1e-3, momentum=momentum, max_iter=6, tol=None
    ).fit(*regression)
    assert interrupted.n_iter_ == 6
    assert interrupted.loss_curve_ == ended.loss_curve_
    assert interrupted.coef_.tolist() == ended.coef_.tolist()
    assert interrupted.intercept_ == ended.intercept_


def test_an_interrupted_epoch_of_batches_ends_after_the_step_under_way(regression):
    X, y = regression
    params = {"batch_size": 8, "shuffle": False}
    interrupted = model(7, tol=None, **params)
    with pytest.warns(ConvergenceWarning, match=r"interrupted in epoch 1\. .*warm_st"):
        interrupted.fit(X, y)
    # Five batches an epoch: the interruption comes in the third of the second.
    first = GDLinearRegressor(learning_rate=1e-3, max_iter=1, tol=None, **params)
    second = GDLinearRegressor(learning_rate=1e-3, max_iter=1, tol=None, **params)
    first.fit(X, y)
    second.fit(X[:32], y[:32], coef_init=first.coef_, intercept_init=first.intercept_)
    assert interrupted.coef_ == pytest.approx(second.coef_, rel=1e-12)
    assert interrupted.loss_curve_ == pytest.approx(
        first.loss_curve_ + second.loss_curve_, rel=1e-12
    )


def test_an_interrupted_average_is_the_average_so_far(regression):
    interrupted = model(average=True, tol=None)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        interrupted.fit(*regression)
    ended = GDLinearRegressor(learning_rate=1e-3, average=True, max_iter=6, tol=None)
    assert interrupted.coef_.tolist() == ended.fit(*regression).coef_.tolist()


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("at", [0, 7])
def test_an_interrupted_early_stopping_keeps_the_best(at, batch_size, regression):
    interrupted = model(at, early_stopping=True, batch_size=batch_size)
    with pytest.warns(ConvergenceWarning, match="best so far on the rows held out"):
        interrupted.fit(*regression)
    assert len(interrupted.validation_scores_) == interrupted.n_iter_
    assert interrupted.best_validation_score_ == max(interrupted.validation_scores_)


def test_a_noisy_batch_is_no_divergence(regression):
    X, y = regression
    y = np.where(np.arange(40) == 0, 1e3, y)  # the first batch is all of the loss
    interrupted = model(0, batch_size=1, shuffle=False, learning_rate=1e-6, tol=None)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 0"):
        interrupted.fit(X, y)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_an_interrupted_descent_may_have_diverged(batch_size, regression):
    interrupted = model(30, learning_rate=10.0, batch_size=batch_size, tol=None)
    with pytest.raises(DivergenceError):
        interrupted.fit(*regression)
    assert not hasattr(interrupted, "n_features_in_")


@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_second_interruption_raises_and_changes_nothing(batch_size, regression):
    interrupted = GDLinearRegressor().fit(*regression)
    interrupted.set_params(
        schedule=lambda step: [signal.raise_signal(signal.SIGINT) for _ in "12"],
        learning_rate=1e-3,
        batch_size=batch_size,
    )
    before = state_of(interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(*regression)
    assert state_of(interrupted) == before


def test_the_second_interruption_ends_a_search(regression):
    fits = []

    def schedule(step):
        fits.append(step == 0)
        return interrupting(5)(step)

    search = GridSearchCV(model(schedule=schedule), {"alpha": [0.0, 1.0]}, cv=2)
    with (
        pytest.warns(ConvergenceWarning, match="interrupted"),
        pytest.raises(KeyboardInterrupt),
    ):
        search.fit(*regression)
    assert sum(fits) == 2


@pytest.mark.parametrize(
    ("params", "at"),
    [({"batch_size": 8, "average": True}, 7), ({"max_iter": 5, "tol": None}, 2)],
)
def test_an_interrupted_chunk_is_not_taken(params, at, regression):
    interrupted = GDLinearRegressor(learning_rate=1e-3, random_state=0, **params)
    once = GDLinearRegressor(learning_rate=1e-3, random_state=0, **params)
    for each in (interrupted, once):
        each.partial_fit(*regression)
    interrupted.set_params(schedule=interrupting(at))
    before = state_of(interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupted.partial_fit(*regression)
    assert state_of(interrupted) == before
    interrupted.set_params(schedule="auto")
    for each in (interrupted, once):
        each.partial_fit(*regression)
    assert interrupted.coef_.tolist() == once.coef_.tolist()


def test_an_interruption_outside_the_descent_raises_and_changes_nothing(regression):
    class Interrupting(np.ndarray):
        def __array_finalize__(self, other):
            signal.raise_signal(signal.SIGINT)

    interrupted = GDLinearRegressor().fit(*regression)
    before = state_of(interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(regression[0].view(Interrupting), regression[1])
    assert state_of(interrupted) == before


def test_a_handler_of_somebody_else_is_called_at_once(regression):
    steps, called_at = [], []

    def schedule(step):
        steps.append(step)
        return interrupting(5)(step)

    before = signal.signal(signal.SIGINT, lambda *_: called_at.append(steps[-1]))
    try:
        ended = model(max_iter=10, tol=None, schedule=schedule).fit(*regression)
    finally:
        signal.signal(signal.SIGINT, before)
    assert called_at == [5]
    assert ended.n_iter_ == 10


def test_an_ignored_interruption_is_ignored(regression):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert model(max_iter=10, tol=None).fit(*regression).n_iter_ == 10
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_deferred_interruption_is_raised_in_the_end():
    reached = []

    def interrupted():
        with deferred_interrupts():
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
            reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached


def test_a_limit_of_one_thread_is_not_interrupted():
    reached = []

    def interrupted():
        with in_one_thread(100):
            signal.raise_signal(signal.SIGINT)
            reached.append(True)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached


def test_a_long_pass_is_interrupted_between_its_shares():
    begun = []

    def work(share):
        begun.append(share)
        if len(begun) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)

    with pytest.raises(KeyboardInterrupt):
        in_threads(work, [slice(i, i + 1) for i in range(320)], 3)
    assert len(begun) < 40  # the shares


def test_in_another_thread_nothing_is_deferred(regression):
    fitted = []
    thread = threading.Thread(
        target=lambda: fitted.append(GDLinearRegressor().fit(*regression))
    )
    thread.start()
    thread.join()
    assert (
        fitted[0].coef_.tolist() == GDLinearRegressor().fit(*regression).coef_.tolist()
    )


ATTACK = textwrap.dedent(
    """
    import os, pickle, random, signal, sys, threading, time, warnings
    import numpy as np
    from threadpoolctl import threadpool_info
    from skgd import GDLinearRegressor
    from skgd._interrupt import Interruption

    rng = np.random.default_rng(0)
    draw = random.Random(0)
    def table(n, d):
        X = rng.standard_normal((n, d))
        return X, X.sum(axis=1) + rng.standard_normal(n)
    def blas():
        return [x["num_threads"] for x in threadpool_info() if x["user_api"] == "blas"]
    small, long, wide = table(2000, 5), table(720_000, 10), table(1000, 100)
    cases = [
        ({}, "fit", long), ({}, "fit", wide),
        ({"loss": "huber", "tol": 1e-9}, "fit", small),
        ({"batch_size": 64, "max_iter": 10, "tol": None}, "fit", small),
        ({"batch_size": 64}, "partial_fit", small),
        ({"strategy": "autograd", "max_iter": 200}, "fit", small),
        ({"strategy": "module", "batch_size": 64, "max_iter": 2}, "fit", small),
    ]
    limits, prepared = blas(), []
    warnings.simplefilter("ignore")
    for params, method, data in cases:
        model = GDLinearRegressor(random_state=0, **params)
        if method == "partial_fit":
            model.partial_fit(*small)
        before = pickle.dumps(model)
        for _ in range(2):  # the first may import torch
            model = pickle.loads(before)
            start = time.perf_counter()
            getattr(model, method)(*data)
            duration = time.perf_counter() - start
        after = pickle.dumps(pickle.loads(pickle.dumps(model)))
        prepared.append((before, after, duration))
    seen = set()
    for i in range(40):
        (_, method, data), (before, after, duration) = (
            cases[i % len(cases)], prepared[i % len(cases)])
        model = pickle.loads(before)
        before = pickle.dumps(model)
        Interruption.last_answered = 0.0  # long ago
        delay = draw.uniform(0, duration)
        def press():
            time.sleep(delay)
            os.kill(os.getpid(), signal.SIGINT)
        thread = threading.Thread(target=press)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                thread.start()
                getattr(model, method)(*data)
                thread.join()
                time.sleep(0.001)
            except KeyboardInterrupt:
                pass
        now = pickle.dumps(model)
        if now == before:
            seen.add("unchanged")
        elif any("was interrupted" in str(w.message) for w in warned):
            assert method == "fit" and model.n_iter_ == len(model.loss_curve_)
            model.predict(data[0][:5])
            seen.add("interrupted")
        else:
            assert pickle.dumps(pickle.loads(now)) == after, cases[i % len(cases)]
        assert blas() == limits
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    print(*sorted(seen))
    """
)


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process there")
def test_interrupted_at_any_moment_it_is_wholly_fitted_or_wholly_as_before():
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ATTACK],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["interrupted", "unchanged"]
