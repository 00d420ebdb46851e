import tracemalloc
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from by_hand import excess_loss
from conftest import STRATEGIES, strategies_on
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skgd import GDLinearRegressor
from skgd.strategies import ModuleStrategy

WAYS = {
    "condensed": {"precompute": True},
    "full batch": {"precompute": False},
    "mini-batches": {"batch_size": 8},
    "early stopping": {"early_stopping": True, "precompute": False},
    "early stopping, condensed": {"early_stopping": True, "precompute": True},
    "early stopping, mini-batches": {"early_stopping": True, "batch_size": 8},
}


@pytest.fixture(params=WAYS)
def way(request):
    """Parameters that say how an epoch reads the rows."""
    return WAYS[request.param]


def sparse_rows(n_rows=60, n_features=5, density=0.4, seed=0):
    """Rows, most of which are zero, in units from 1e-3 to 1e3."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    X *= (rng.random(X.shape) < density) * np.logspace(-3, 3, n_features)
    w = rng.standard_normal(n_features) / np.logspace(-3, 3, n_features)
    return X, X @ w + 3 + 0.1 * rng.standard_normal(n_rows)


#: Intercept, dtype, weights, targets.
KINDS = [
    (True, "float64", False, None),
    (True, "float64", True, 2),
    (False, "float64", True, None),
    (True, "float32", True, None),
    (False, "float32", False, 2),
]


@pytest.mark.parametrize(
    ("strategy", "way", "kind"),
    strategies_on(
        product(WAYS, KINDS), few=product(["full batch", "mini-batches"], KINDS)
    ),
)
def test_sparse_rows_walk_the_iterates_of_dense_ones(strategy, way, kind):
    fit_intercept, dtype, weighted, n_targets = kind
    X, y = sparse_rows()
    X = (X / np.logspace(-3, 3, 5)).astype(dtype)
    y = y if n_targets is None else np.column_stack([y, y**2])
    weight = np.arange(60) % 3.0 if weighted else None
    model = GDLinearRegressor(
        strategy,
        learning_rate=0.01,
        fit_intercept=fit_intercept,
        max_iter=8,
        tol=None,
        random_state=0,
        **WAYS[way],
    )
    dense = model.fit(X, y, weight)
    curve, coef = dense.loss_curve_, dense.coef_
    rtol = 1e-9 if dtype == "float64" else 1e-3
    for container in (sp.csr_array, sp.csc_matrix):
        model.fit(container(X), y, weight)
        np.testing.assert_allclose(model.loss_curve_, curve, rtol=rtol)
        np.testing.assert_allclose(model.coef_, coef, rtol=rtol, atol=rtol)
        assert model.coef_.dtype == dtype
        predicted = model.predict(container(X))
        np.testing.assert_allclose(predicted, model.predict(X), rtol=1e-5)


@given(seed=st.integers(0, 1000), fit_intercept=st.booleans())
@settings(max_examples=10, deadline=None)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("precompute", [True, False])
def test_defaults_end_at_least_squares_in_raw_units(
    strategy, precompute, seed, fit_intercept
):
    X, y = sparse_rows(seed=seed)
    model = GDLinearRegressor(
        strategy, precompute=precompute, tol=1e-8, fit_intercept=fit_intercept
    ).fit(sp.csr_array(X), y)
    if fit_intercept:
        assert excess_loss(model.predict(X), X, y) < 1e-6
    else:
        w = np.linalg.lstsq(X / abs(X).max(axis=0), y)[0]
        loss = ((X / abs(X).max(axis=0) @ w - y) ** 2).sum()
        assert ((model.predict(X) - y) ** 2).sum() < loss * (1 + 1e-6)


def test_automatic_batches_of_sparse_rows_end_there_too():
    X, y = sparse_rows(600)
    model = GDLinearRegressor(batch_size=32, random_state=0, max_iter=40)
    model.set_params(tol=None).fit(sp.csr_array(X), y)
    assert excess_loss(model.predict(X), X, y) < 1e-2


#: What partial_fit does with a chunk: add up moments, take steps, or take a step.
CHUNKS = [{}, {"batch_size": 8}, {"precompute": False}]


@pytest.mark.parametrize("params", CHUNKS)
def test_a_stream_of_sparse_rows_is_that_of_dense_ones(strategy, params):
    X, y = sparse_rows()
    X = X / np.logspace(-3, 3, 5)
    fits = [
        GDLinearRegressor(
            strategy, learning_rate=0.01, max_iter=20, tol=None, random_state=0
        ).set_params(**params)
        for _ in range(2)
    ]
    for i in range(0, 60, 20):
        rows = slice(i, i + 20)
        fits[0].partial_fit(X[rows], y[rows])
        fits[1].partial_fit(sp.csr_array(X[rows]), y[rows])
    np.testing.assert_allclose(fits[1].coef_, fits[0].coef_, rtol=1e-9)


@pytest.mark.parametrize("params", CHUNKS)
def test_a_stream_of_sparse_rows_learns_in_units_that_are_not_centred(params):
    X, y = sparse_rows()
    X = X / np.logspace(-3, 3, 5)
    model = GDLinearRegressor(random_state=0).set_params(**params)
    for i in [*range(0, 60, 20)] * 20:
        rows = slice(i, i + 20)
        model.partial_fit(sp.csr_array(X[rows]), y[rows])
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_every_layout_of_scipy_is_taken(layout, kind):
    X, y = sparse_rows()
    coef = GDLinearRegressor().fit(sp.csr_array(X), y).coef_
    rows = getattr(sp, f"{layout}_{kind}")(X)
    model = GDLinearRegressor().fit(rows, y)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-12)
    np.testing.assert_allclose(model.predict(rows), model.predict(X), rtol=1e-12)


def test_entries_that_are_there_twice_add_up(way):
    X, y = sparse_rows()
    once = sp.csr_array(X)
    i, j = np.repeat(once.nonzero(), 2, axis=1)
    twice = sp.coo_array((np.repeat(once.data / 2, 2), (i, j)), X.shape)
    indptr = 2 * once.indptr
    twice = sp.csr_array((np.repeat(once.data / 2, 2), j, indptr), X.shape)
    n_entries = twice.nnz
    model = GDLinearRegressor(random_state=0, **way)
    coef = model.fit(once, y).coef_
    np.testing.assert_allclose(model.fit(twice, y).coef_, coef, rtol=1e-9)
    if not model.early_stopping:
        coef = clone(model).partial_fit(once, y).coef_
        np.testing.assert_allclose(clone(model).partial_fit(twice, y).coef_, coef)
    assert twice.nnz == n_entries  # the user's own is not written into


def test_integers_are_numbers(way):
    X, y = sparse_rows()
    X = np.round(X / np.logspace(-3, 3, 5) * 3).astype(int)
    model = GDLinearRegressor(random_state=0, **way)
    coef = model.fit(sp.csr_array(X), y).coef_
    expected = model.fit(sp.csr_array(X.astype(float)), y).coef_
    np.testing.assert_allclose(coef, expected, rtol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_refused(way, value):
    X, y = sparse_rows()
    rows = sp.csr_array(X)
    rows.data[3] = value
    model = GDLinearRegressor(**way)
    with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
        model.fit(rows, y)
    assert not hasattr(model, "coef_")


def test_sparse_tensors_are_refused_with_what_to_pass():
    X, y = sparse_rows()
    model = GDLinearRegressor()
    with pytest.raises(ValueError, match=r"torch\.sparse_coo.* scipy\.sparse"):
        model.fit(torch.from_numpy(X).to_sparse(), y)


def test_columns_of_zeros_have_no_coefficient(way):
    X, y = sparse_rows()
    X[:, 2] = 0
    model = GDLinearRegressor(random_state=0, max_iter=9, tol=None, **way)
    assert model.fit(sp.csr_array(X), y).coef_[2] == 0


def test_a_column_transformer_may_give_sparse_rows():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"town": rng.integers(0, 40, 2000).astype(str), "year": 2000.0}
    )
    table["year"] += rng.integers(0, 20, 2000)
    effect = {town: rng.standard_normal() for town in sorted(set(table["town"]))}
    y = table["town"].map(effect) + 0.1 * (table["year"] - 2000)
    columns = ColumnTransformer(
        [("town", OneHotEncoder(), ["town"]), ("year", "passthrough", ["year"])],
        sparse_threshold=1,
    )
    model = make_pipeline(columns, GDLinearRegressor()).fit(table, y)
    assert sp.issparse(model[0].transform(table))
    assert model.score(table, y) > 0.999


@pytest.mark.parametrize(
    "params",
    [{"max_iter": 9}, {"batch_size": 256, "max_iter": 1}, {"early_stopping": True}],
    ids=["full batch", "mini-batches", "early stopping"],
)
def test_thirty_thousand_columns_are_never_dense(strategy, params):
    rng = np.random.default_rng(0)
    X = sp.csr_array(sp.random_array((2000, 30_000), density=1e-3, rng=rng))
    y = X @ rng.standard_normal(30_000) + 3
    model = GDLinearRegressor(strategy, tol=None, random_state=0, max_iter=3)
    model.set_params(**params)
    model.fit(X[:100], y[:100])  # torch is imported, and counts for nothing
    tracemalloc.start()
    model.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    # Lanczos keeps some forty vectors; dense rows would take 480 MB.
    assert peak < 5 * size + 60 * X.shape[1] * 8
    assert np.isfinite(model.loss_curve_).all()


def test_stacked_layers_take_sparse_rows():
    X, y = sparse_rows()
    X = X / np.logspace(-3, 3, 5)
    fits = []
    for rows in (X, sp.csr_array(X)):
        torch.manual_seed(0)
        stacked = ModuleStrategy(
            lambda d, t: torch.nn.Sequential(
                torch.nn.Linear(d, 3), torch.nn.Linear(3, t)
            )
        )
        model = GDLinearRegressor(stacked, learning_rate=0.01, max_iter=9, tol=None)
        fits.append(model.set_params(batch_size=8, random_state=0).fit(rows, y).coef_)
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-9)


def test_epochs_that_do_not_suffice_are_said():
    X, y = sparse_rows()
    model = GDLinearRegressor(max_iter=2, whiten=False)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model.fit(sp.csr_array(X), y)


def test_sparse_rows_that_need_no_scaling_are_not_copied():
    X = sp.random_array((2000, 500), density=0.1, format="csr", rng=0)
    y = np.arange(2000.0)
    model = GDLinearRegressor(learning_rate=0.01, max_iter=1, tol=None)
    model.fit(X[:10], y[:10])
    tracemalloc.start()
    model.fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * (X.data.nbytes + X.indices.nbytes)
