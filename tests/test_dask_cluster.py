"""Fits on a cluster of processes, which may be killed and interrupted."""

import logging
import os
import pickle
import signal
import time
from contextlib import suppress

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skgd import DivergenceError, GDLinearRegressor
from skgd._interrupt import Interruption

da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals end a process there")

N_PARTITIONS = 8
PATIENCE = 20.0  # seconds, of what takes some milliseconds on an idle machine


@pytest.fixture(scope="module")
def cluster():
    """Two processes of a thread each, which start anew where one ends."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any port that is free
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def client(cluster):
    """The client of a cluster with all its workers, where no key is to be left over."""
    cluster.wait_for_workers(2, timeout=PATIENCE)
    before = keys_on(cluster)
    yield cluster
    assert only_keys(before, cluster)


@pytest.fixture
def handler():
    """Python's own handler of SIGINT, which is to be there still at the end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    Interruption.last_answered = float("-inf")
    yield
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


@pytest.fixture
def rows():
    """400 rows of five columns, of different spreads and off zero, and two outliers."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 5)) * [1.0, 2.0, 3.0, 10.0, 0.1] + 5
    y = X @ [1.0, -2.0, 0.0, 0.5, 3.0] + 4 + rng.standard_normal(400)
    y[[3, 333]] += 100.0
    return X, y


@pytest.fixture
def partitions(rows):
    """The same rows in partitions of 50."""
    return tuple(da.from_array(part, chunks=(50, *part.shape[1:])) for part in rows)


def keys_on(client):
    """Return the keys that the scheduler knows of."""
    return set(
        client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
    )


def only_keys(expected, client):
    """Tell whether the scheduler knows of these keys, once released ones are gone."""
    return soon(lambda: keys_on(client) == expected)


def soon(condition):
    """Tell whether something is so within the patience."""
    deadline = time.monotonic() + PATIENCE
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return true


def state_of(estimator):
    """Return all attributes, deeply, but for the parameters."""
    params = estimator.get_params()
    attributes = vars(estimator).items()
    return pickle.dumps({k: v for k, v in attributes if k not in params})


def mapped(work, X, *args):
    """Return lazy rows that a function of a block and its number has passed on."""

    def of_block(block, *args, block_info=None):
        return work(block, block_info[0]["chunk-location"][0], *args)

    return X.map_blocks(of_block, *args, dtype=X.dtype, meta=np.empty((0, 0)))


def killing_once(block, number, flag):
    """Kill the worker that reads block 5, if none has been killed so far."""
    if number == 5 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return block


def interrupting(block, number, pid, folder):
    """Press Ctrl-C in the process of the client, in the third block that is read."""
    (folder / str(number)).touch()
    if len(list(folder.iterdir())) > 2:
        with suppress(FileExistsError):
            (folder / "pressed").touch(exist_ok=False)
            os.kill(pid, signal.SIGINT)
    time.sleep(0.1)
    return block


def killing_at(step_of_death, pid):
    """Return a constant schedule that kills a process as it is asked for a step."""

    def schedule(step):
        if step == step_of_death:
            with suppress(ProcessLookupError):  # a pass over batches begins anew
                os.kill(pid, signal.SIGKILL)
        return 1.0

    return schedule


HUBER = {"loss": "huber", "epsilon": 2.0, "max_iter": 20, "tol": None}
BATCHES = {"batch_size": 20, "max_iter": 2, "tol": None, "random_state": 0}
KINDS = ("moments", "in parts", "batches")


def test_least_squares_on_a_cluster_are_those_of_the_rows(
    strategy, client, rows, partitions
):
    local = GDLinearRegressor(strategy).fit(*rows)
    there = GDLinearRegressor(strategy).fit(*partitions)
    assert there.coef_ == pytest.approx(local.coef_, rel=1e-9)
    assert there.intercept_ == pytest.approx(local.intercept_, rel=1e-9)
    assert there.n_iter_ == local.n_iter_
    predicted = there.predict(partitions[0])
    assert predicted.chunks == partitions[1].chunks
    assert predicted.compute() == pytest.approx(local.predict(rows[0]), rel=1e-9)


def test_huber_on_a_cluster_is_that_of_the_rows(strategy, client, rows, partitions):
    local = GDLinearRegressor(strategy, **HUBER).fit(*rows)
    there = GDLinearRegressor(strategy, **HUBER).fit(*partitions)
    assert there.coef_ == pytest.approx(local.coef_, rel=1e-6)
    assert there.intercept_ == pytest.approx(local.intercept_, rel=1e-6)


def test_a_model_that_travels_takes_the_steps_of_the_local_one(
    strategy, client, rows, partitions
):
    there = GDLinearRegressor(strategy, learning_rate=1e-3, **BATCHES)
    there.fit(*partitions)
    random_state = np.random.RandomState(0)
    coef, intercept = np.zeros(5), 0.0
    for _ in range(2):
        order = random_state.permutation(N_PARTITIONS)
        seeds = random_state.randint(2**31 - 1, size=N_PARTITIONS)
        for k in order:
            of_k = 50 * k + np.random.RandomState(seeds[k]).permutation(50)
            for start in (0, 20, 40):
                batch = of_k[start : start + 20]
                X, y = rows[0][batch], rows[1][batch]
                residual = X @ coef + intercept - y
                step = 2 * 1e-3 / 20  # of a short batch it is shorter in proportion
                coef = coef - step * residual @ X
                intercept = intercept - step * residual.sum()
    assert there.coef_ == pytest.approx(coef, rel=1e-9)
    assert there.intercept_ == pytest.approx(intercept, rel=1e-9)


@pytest.mark.parametrize("params", [{}, HUBER, BATCHES], ids=KINDS)
def test_what_the_user_has_persisted_is_read_where_it_lies_and_stays(
    params, client, rows, partitions
):
    X, y = client.persist(partitions)
    distributed.wait([X, y])
    before = keys_on(client)
    GDLinearRegressor(**params).fit(X, y)
    assert only_keys(before, client)
    assert X.compute().tolist() == rows[0].tolist()


@pytest.mark.parametrize("params", [{}, HUBER, BATCHES], ids=KINDS)
def test_a_fit_that_raises_leaves_no_keys_and_the_estimator_as_it_was(
    params, client, rows, partitions
):
    X, y = partitions
    model = GDLinearRegressor().fit(*rows).set_params(**params)
    before, keys = state_of(model), keys_on(client)
    with pytest.raises(ValueError, match=r"partition 5 of X.*NaN") as error:
        model.fit(mapped(nan_in_block_5, X), y)
    # As long as the error is there, so are the frames that it has come through.
    assert only_keys(keys, client)
    assert state_of(model) == before
    del error


def nan_in_block_5(block, number):
    """Return a block with a NaN, if it is that one."""
    block = block.copy()
    if number == 5:
        block[7, 1] = np.nan
    return block


def test_a_descent_in_parts_that_diverges_leaves_no_keys(client, partitions):
    keys = keys_on(client)
    with pytest.raises(DivergenceError) as error:
        GDLinearRegressor(learning_rate=1e3, precompute=False).fit(*partitions)
    assert only_keys(keys, client)
    del error


@pytest.mark.parametrize("params", [{}, HUBER, BATCHES], ids=KINDS)
def test_an_interrupted_pass_is_cancelled_and_changes_nothing(
    params, client, rows, partitions, tmp_path, handler
):
    X = da.concatenate(5 * [partitions[0]])
    y = da.concatenate(5 * [partitions[1]])
    model = GDLinearRegressor().fit(*rows).set_params(**params)
    before, keys = state_of(model), keys_on(client)
    with pytest.raises(KeyboardInterrupt) as error:
        model.fit(mapped(interrupting, X, os.getpid(), tmp_path), y)
    assert only_keys(keys, client)
    assert len(list(tmp_path.iterdir())) < 5 * N_PARTITIONS  # were read
    assert state_of(model) == before
    del error


def test_a_descent_in_parts_is_interrupted_as_one_that_is_local(
    client, partitions, handler
):
    def schedule(step):
        if step == 5:
            signal.raise_signal(signal.SIGINT)
        return 1.0

    params = {**HUBER, "learning_rate": 1e-4}
    interrupted = GDLinearRegressor(schedule=schedule, **params)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 5"):
        interrupted.fit(*partitions)
    ended = GDLinearRegressor(**{**params, "max_iter": 6})
    assert interrupted.coef_.tolist() == ended.fit(*partitions).coef_.tolist()


def test_a_worker_killed_in_its_pass_over_the_rows_leaves_no_trace(
    client, partitions, tmp_path
):
    flag = tmp_path / "killed"
    X, y = partitions
    expected = GDLinearRegressor().fit(X, y)
    model = GDLinearRegressor().fit(mapped(killing_once, X, flag), y)
    assert flag.exists()
    assert model.coef_.tolist() == expected.coef_.tolist()
    assert model.intercept_ == expected.intercept_
    assert model.loss_curve_ == expected.loss_curve_


@pytest.mark.parametrize("batch_size", [None, 20])
def test_a_worker_killed_between_epochs_leaves_no_trace(batch_size, client, partitions):
    params = {**HUBER, "batch_size": batch_size, "random_state": 0}
    params |= {"learning_rate": 1e-4, "max_iter": 10}
    pid = min(client.run(os.getpid).values())
    schedules = [killing_at(-1, pid), killing_at(5, pid)]
    expected, model = (
        GDLinearRegressor(schedule=schedule, **params).fit(*partitions)
        for schedule in schedules
    )
    assert soon(lambda: pid not in client.run(os.getpid, on_error="ignore").values())
    assert model.coef_.tolist() == expected.coef_.tolist()
    assert model.intercept_ == expected.intercept_
    assert model.loss_curve_ == expected.loss_curve_
