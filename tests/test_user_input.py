"""Frames, tensors and arrays: read as they are meant, or refused by the column."""

import re
import traceback
import warnings
from pathlib import Path

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from torch.utils.data import DataLoader, TensorDataset

import skgd
from skgd import GDLinearRegressor, Moments

rng = np.random.default_rng(0)
X = np.rint(8 * rng.standard_normal((40, 3))) / 8  # which bfloat16 holds
Y = X @ [1.0, -2.0, 3.0] + 4
COLUMNS = dict(zip("abc", X.T, strict=True))
DAYS = pd.date_range("2020-01-01", periods=40)


def as_float32(columns):
    return {name: column.astype("float32") for name, column in columns.items()}


FRAMES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "narwhals over pandas": lambda columns: nw.from_native(pd.DataFrame(columns)),
    "narwhals over polars": lambda columns: nw.from_native(pl.DataFrame(columns)),
    "narwhals over pyarrow": lambda columns: nw.from_native(pa.table(columns)),
    "pandas with pyarrow's dtypes": lambda columns: pd.DataFrame(
        columns
    ).convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames_are_read_by_name_in_their_dtype(frame, dtype):
    columns = COLUMNS if dtype == "float64" else as_float32(COLUMNS)
    table = frame(columns)
    model = GDLinearRegressor(tol=1e-9).fit(table, Y)
    expected = LinearRegression().fit(pd.DataFrame(columns), Y)
    assert list(model.feature_names_in_) == list(expected.feature_names_in_)
    assert model.coef_.dtype == expected.coef_.dtype == dtype
    assert_allclose(model.coef_, expected.coef_, rtol=1e-5)
    assert model.predict(table).dtype == dtype
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame(dict(zip("abz", columns.values(), strict=True))))


@pytest.mark.parametrize("convert", [pa.array, pl.Series, pd.Series, list, tuple])
def test_targets_and_weights_may_be_columns_of_frames(convert):
    weight = np.arange(40.0)
    expected = GDLinearRegressor().fit(X, Y, weight)
    model = GDLinearRegressor().fit(X, convert(Y), convert(weight))
    assert_allclose(model.coef_, expected.coef_)


@pytest.mark.parametrize(
    "lazy", [pl.LazyFrame(COLUMNS), nw.from_native(pl.LazyFrame(COLUMNS))]
)
def test_a_lazy_frame_is_to_be_collected_first(lazy):
    with pytest.raises(ValueError, match=r"X is a \w+ LazyFrame.* Pass X.collect\(\)"):
        GDLinearRegressor().fit(lazy, Y)


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (torch.float64, "float64"),
        (torch.float32, "float32"),
        (torch.bfloat16, "float32"),
        (torch.float16, "float32"),
    ],
)
@pytest.mark.parametrize("requires_grad", [True, False])
def test_tensors_of_every_float_are_read(dtype, kept, requires_grad):
    y = np.rint(Y)
    features, targets, weight = (
        torch.tensor(a, dtype=dtype, requires_grad=requires_grad)
        for a in (X, y, np.arange(40.0))
    )
    expected = GDLinearRegressor().fit(X, y, np.arange(40))
    for method in ("fit", "partial_fit"):
        model = getattr(GDLinearRegressor(), method)(features, targets, weight)
        assert model.coef_.dtype == kept
        assert_allclose(model.coef_, expected.coef_, rtol=1e-5)
    assert model.predict(features).dtype == kept
    score = expected.score(X, y, np.arange(40))
    assert model.score(features, targets, weight) == pytest.approx(score, abs=1e-6)
    moments = Moments.from_data(features, targets, weight)
    assert_allclose(moments.mean, Moments.from_data(X, y, np.arange(40)).mean, 1e-5)


def test_a_fit_may_start_from_a_layer_of_torch():
    layer = torch.nn.Linear(3, 1)
    model = GDLinearRegressor(learning_rate=1e-12, max_iter=1, tol=None)
    model.fit(X, Y, coef_init=layer.weight, intercept_init=layer.bias)
    assert_allclose(model.coef_, layer.weight[0].detach(), atol=1e-9)


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_a_tensor_elsewhere_is_to_be_brought_to_the_cpu(name):
    arguments = {"X": X, "y": Y, "sample_weight": np.ones(40)}
    arguments[name] = torch.tensor(arguments[name], device="meta")
    way_out = rf"{name} .* 'meta'.*array_api_dispatch=True.* Or pass {name}.cpu\(\)"
    with pytest.raises(ValueError, match=way_out):
        GDLinearRegressor().fit(**arguments)


def test_a_loader_is_refused_and_the_way_out_leads_there():
    dataset = TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = DataLoader(dataset, batch_size=10)
    for rows in (dataset, loader):
        with pytest.raises(
            ValueError, match=r"for X, y in .*: model.partial_fit\(X, y"
        ):
            GDLinearRegressor().fit(rows, None)
    model = GDLinearRegressor()
    for features, targets in loader:
        model.partial_fit(features, targets)
    assert_allclose(model.coef_, [1, -2, 3], rtol=1e-3)


def test_masked_values_are_not_read():
    masked = np.ma.masked_array(X, X > 1)
    with pytest.raises(ValueError, match=rf"X is a masked array.* {(X > 1).sum()} val"):
        GDLinearRegressor().fit(masked, Y)
    GDLinearRegressor().fit(np.ma.masked_array(X, np.zeros_like(X)), Y)


def takers_of(features, y=Y):
    """Return what can be asked to read features, and y where it takes one."""
    fitted = GDLinearRegressor().fit(np.zeros(np.shape(features)), Y)
    fitted.__dict__.pop("feature_names_in_", None)
    return {
        "fit": lambda: GDLinearRegressor().fit(features, y),
        "batches": lambda: GDLinearRegressor(batch_size=8).fit(features, y),
        "partial_fit": lambda: GDLinearRegressor().partial_fit(features, y),
        "predict": lambda: fitted.predict(features),
        "moments": lambda: Moments.from_data(features, y),
    }


NOT_NUMBERS = [
    (["?"] * 40, "text", "could not convert", r"'\?' in row 0\) holds text.*OneHot"),
    ([1.0] * 39 + ["n/a"], "n/a", "could not convert", r"'n/a' in row 39\) holds text"),
    (pd.Categorical(["u", "v"] * 20), "category", "could not", "'u' in row 0.* text"),
    (DAYS, "dates", "no common dtype", r"holds dates.*days since the first"),
    (DAYS.date, "date", r"float\(\) argument", "2020-01-01 in row 0.* holds dates"),
    ([10**400] * 40, "int", "int too large", "integers too large for float64"),
    ([{"k": 1}] * 40, "dict", r"float\(\) argument", "holds objects of type dict"),
]


@pytest.mark.parametrize(
    "taker", ["fit", "batches", "partial_fit", "predict", "moments"]
)
@pytest.mark.parametrize(
    ("column", "words", "blame"),
    [(column, words, blame) for column, _, words, blame in NOT_NUMBERS],
    ids=[name for _, name, *_ in NOT_NUMBERS],
)
def test_a_column_that_is_not_of_numbers_is_named(column, words, blame, taker):
    table = pd.DataFrame({**COLUMNS, "age": column})
    with pytest.raises((ValueError, TypeError), match=rf"(?s){words}.*'age'.*{blame}"):
        takers_of(table)[taker]()


def test_text_in_an_array_is_named_by_the_number_of_its_column():
    table = X.astype(object)
    table[7, 1] = "?"
    with pytest.raises(ValueError, match=r"Column 1 \('\?' in row 7\) holds text"):
        GDLinearRegressor().fit(table, Y)


def with_nan(container):
    """Two columns of which lack one value and three."""
    rows = X.copy()
    rows[3, 0] = rows[[1, 5, 9], 2] = np.nan
    return container(rows)


@pytest.mark.parametrize(
    "taker", ["fit", "batches", "partial_fit", "predict", "moments"]
)
@pytest.mark.parametrize(
    ("container", "names"),
    [
        (np.asarray, ("0", "2")),
        (np.ndarray.tolist, ("0", "2")),
        (sp.csr_array, ("0", "2")),
        (sp.csc_array, ("0", "2")),
        (lambda rows: pd.DataFrame(rows, columns=list("abc")), ("'a'", "'c'")),
        (lambda rows: pl.DataFrame(rows, schema=list("abc")), ("'a'", "'c'")),
        (lambda rows: torch.tensor(rows), ("0", "2")),
    ],
)
def test_columns_that_lack_values_are_named_with_how_many(container, names, taker):
    first, second = names
    with pytest.raises(
        ValueError,
        match=rf"^Input X contains NaN.\sColumn {first} \(1 of 40 rows\) and "
        rf"column {second} \(3 of 40 rows\) hold NaN. GDLinearRegressor does not "
        "accept missing values.*SimpleImputer",
    ):
        takers_of(with_nan(container))[taker]()


def test_of_many_columns_the_first_few_are_named():
    with pytest.raises(ValueError, match=r"column 4 \(2 of 2 rows\) and 95 more hold"):
        GDLinearRegressor().fit(np.full((2, 100), np.nan), [1, 2])


def test_infinity_is_named_by_its_column():
    rows = X.copy()
    rows[3, 1] = -np.inf
    with pytest.raises(ValueError, match=r"contains infinity.*\s.*olumn 1 \(1 of 40"):
        GDLinearRegressor().fit(rows, Y)


@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series, pl.Series])
@pytest.mark.parametrize("missing", [np.nan, None])
def test_missing_targets_are_counted(convert, missing):
    y = Y.astype(object)
    y[[3, 4]] = missing
    y = y.tolist() if convert is pl.Series else y
    y = convert(y) if missing is None else convert(np.asarray(y, dtype=float))
    with pytest.raises(ValueError, match=r"y contains NaN.\sy has 2 missing values"):
        GDLinearRegressor().fit(X, y)


def test_targets_that_lack_values_are_named():
    y = np.column_stack([Y, Y])
    y[0, 1] = np.nan
    with pytest.raises(ValueError, match=r"1 missing value: column 1 of y \(1 of 40"):
        GDLinearRegressor().fit(X, y)
    with pytest.raises(ValueError, match=r"y \('low' in row 0\) holds text"):
        GDLinearRegressor().fit(X, ["low"] * 40)


DATES = {
    "pandas": (pd.DataFrame({"day": DAYS.astype("datetime64[ns]")}), 1577836800e9),
    "time zone": (pd.DataFrame({"day": DAYS.tz_localize("UTC")}), 1577836800e6),
    "polars": (pl.DataFrame({"day": DAYS}).cast(pl.Date), 18262),
    "polars, mixed": (pl.DataFrame({"x": Y, "day": DAYS}), 1577836800e6),
    "pyarrow": (pa.table({"day": DAYS}), 1577836800e6),
    "array": (DAYS.to_numpy().astype("datetime64[s]")[:, None], 1577836800),
    "durations": ((DAYS - DAYS[0] + pd.Timedelta("1D")).to_numpy()[:, None], 86400e6),
}


@pytest.mark.parametrize(("dates", "first"), DATES.values(), ids=DATES)
def test_dates_are_fitted_as_numbers_with_a_warning_that_shows_one(dates, first):
    with pytest.warns(UserWarning, match=r"olumn ('day'|0) \(.*\) holds dates") as seen:
        model = GDLinearRegressor().fit(dates, Y)
    (warning,) = seen
    shown = float(re.search(r" is (\S+)\)", str(warning.message))[1])
    assert shown == pytest.approx(first, rel=1e-7)
    assert warning.filename == __file__
    assert np.isfinite(model.predict(dates)).all()


def test_dates_as_targets_are_warned_of():
    with pytest.warns(UserWarning, match=r"y \(2020-01-01.* is 1.57.*\) holds dates"):
        GDLinearRegressor().fit(X, DAYS)


def test_a_missing_date_is_not_a_number():
    days = DAYS.where(np.arange(40) != 3)
    table = pd.DataFrame({"day": days})
    for taker in ("fit", "partial_fit", "predict", "moments"):
        with pytest.raises(ValueError, match=r"'day' \(1 of 40 rows\) holds NaT"):
            takers_of(table)[taker]()
    with pytest.raises(ValueError, match=r"y \(1 of 40 rows\) holds NaT"):
        GDLinearRegressor().fit(X, days)


IDS = [2**60 + i for i in range(40)]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (np.array(IDS)[:, None], "0"),
        (np.array(IDS, dtype="uint64")[:, None], "0"),
        (-np.array(IDS)[:, None], "0"),
        (np.array(IDS, dtype=object)[:, None], "0"),
        ([[2**10 * each] for each in IDS], "0"),
        (sp.csr_array(np.array(IDS)[:, None]), "0"),
        (pd.DataFrame({**COLUMNS, "id": IDS}), "'id'"),
        (pl.DataFrame({**COLUMNS, "id": IDS}), "'id'"),
        (pa.table({**COLUMNS, "id": IDS}), "'id'"),
    ],
)
def test_integers_that_float64_does_not_hold_are_named(table, column):
    with pytest.warns(UserWarning, match=rf"^Column {column} holds integers of which"):
        GDLinearRegressor().fit(table, Y)
    with pytest.warns(UserWarning, match=rf"^Column {column} holds integers of which"):
        Moments.from_data(table, Y)


def test_integers_that_float64_holds_are_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        GDLinearRegressor().fit(np.array(IDS)[:, None] // 2**7, Y)
        GDLinearRegressor().fit(np.arange(40)[:, None] * 2**57, Y)


def test_sparse_integers_of_which_none_is_stored_are_zeros():
    features = sp.csr_array((40, 3), dtype=int)
    assert not GDLinearRegressor().fit(features, Y).coef_.any()
    assert not Moments.from_data(features, Y).mean[:3].any()


@pytest.mark.parametrize(("size", "how"), [(1e39, "large"), (1e-41, "small")])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_targets_that_the_dtype_of_the_features_does_not_hold_are_named(
    size, how, method
):
    with pytest.raises(
        ValueError, match=rf"too {how} for float32.* is [\d.]+e.*X as fl"
    ):
        getattr(GDLinearRegressor(), method)(X.astype("float32"), size * Y)


def test_float16_is_read_without_a_warning():
    features, y = 1000 * X.astype("float16"), (1000 * Y).astype("float16")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model = GDLinearRegressor().fit(features, y)
        expected = GDLinearRegressor().fit(features.astype(float), y.astype(float))
    assert_allclose(model.coef_, expected.coef_)
    moments = Moments.from_data(features, y)
    assert_allclose(moments.mean, Moments.from_data(features.astype(float), y).mean)


@pytest.mark.parametrize("values", [(X, 1e200 * Y), (1.7e308 * np.sign(X), Y)])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_overflows_in_batches_is_told_with_its_size(method, values):
    model = GDLinearRegressor(batch_size=8, standardize=False, learning_rate=0.1)
    for params in ({}, {"standardize": True}, {"whiten": True, "standardize": True}):
        model.set_params(**params)
        with pytest.raises(ValueError, match=r"overflow") as raised:
            getattr(model, method)(*values)
        assert not re.search("nan|inf", str(raised.value))


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("learning_rate", ["auto", 0.1])
def test_columns_too_small_for_their_own_units_are_named(learning_rate, batch_size):
    model = GDLinearRegressor(
        learning_rate=learning_rate, standardize=False, batch_size=batch_size
    )
    with pytest.raises(ValueError, match=r"column 1 of X underflow.*standardize=True"):
        model.fit(X * [1, 1e-200, 1], Y)
    model.set_params(standardize=True, max_iter=3, tol=None).fit(X * [1, 1e-200, 1], Y)


def test_predictions_that_overflow_are_counted():
    model = GDLinearRegressor().fit(1e-100 * X, 1e100 * Y)
    with pytest.warns(UserWarning, match="1 of 2 predictions overflow float64"):
        assert np.isinf(model.predict([[1e200] * 3, [0] * 3])[0])


def test_held_out_targets_that_overflow_are_named():
    model = GDLinearRegressor(loss="huber", early_stopping=True)
    with pytest.raises(ValueError, match=r"early_stopping=True holds out overflow"):
        model.fit(X, 1e200 * Y)


def test_a_tol_that_is_always_met_is_met_at_once():
    assert GDLinearRegressor(tol=1e200).fit(X, Y).n_iter_ == 1


def sizes(rng, *shape):
    """Draw factors between the smallest and the largest that float64 knows."""
    return 10.0 ** rng.uniform(-308, 307, shape)


def extreme(seed):
    """Return data, weights and parameters of any size."""
    rng = np.random.default_rng(seed)
    n_rows, n_features, n_targets = rng.integers(1, [60, 5, 3])
    features = rng.uniform(-1, 1, (n_rows, n_features))
    y = features @ rng.standard_normal((n_features, n_targets)) + rng.random()
    with np.errstate(over="ignore"):
        features *= rng.choice([1, sizes(rng), 1e150])
        features[:, 0] *= rng.choice([1, 1e-150, 1e150, 0, sizes(rng)])
        y *= rng.choice([1, sizes(rng), 1e150, 1e-150])
    dtypes = rng.choice(["float64", "float32", "float16"], 2, p=[0.6, 0.3, 0.1])
    features, y = (
        np.clip(np.nan_to_num(each), *(np.finfo(dtype).max * np.array([-1, 1])))
        for each, dtype in zip((features, y), dtypes, strict=True)
    )
    features, y = features.astype(dtypes[0]), y.astype(dtypes[1])
    if rng.random() < 0.2 and dtypes[0] != "float16":
        features = sp.csr_array(features)
    weight = rng.choice([0, 1, sizes(rng)], n_rows) * rng.random(n_rows)
    choices = {
        "strategy": ["manual", "autograd", "module"],
        "batch_size": [None, None, 8],
        "loss": ["squared_error", "squared_error", "huber"],
        "epsilon": [0.1, np.float32(0.5), 1e-200, 1e200],
        "alpha": [0.0, 0.0, 1.0, 1e300, 1e-300],
        "l1_ratio": [0.0, 1.0],
        "positive": [False, False, True],
        "fit_intercept": [True, False],
        "learning_rate": ["auto", "auto", 0.1, 1e-320, 1e300],
        "standardize": ["auto", False],
        "tol": [1e-4, 0.0, None, 1e200],
        "early_stopping": [False, False, True],
    }
    params = {
        name: values[rng.integers(len(values))] for name, values in choices.items()
    }
    return features, y, weight if weight.any() else None, {**params, "max_iter": 20}


def test_numbers_that_begin_at_any_byte_have_the_same_digits(strategy):
    features = np.random.default_rng(0).standard_normal((50, 5))
    y = features.sum(axis=1) ** 2
    model = GDLinearRegressor(
        strategy, loss="huber", learning_rate=1e-2, max_iter=6, tol=None
    )

    def from_byte(array, first):
        memory = np.empty(array.nbytes + first, np.uint8)[first:]
        moved = memory.view(array.dtype).reshape(array.shape)
        moved[...] = array
        return moved

    coefs = [
        model.fit(
            from_byte(features, first), from_byte(y, first), from_byte(y, first)
        ).coef_.tolist()
        for first in range(8)
    ]
    assert coefs == 8 * coefs[:1]


@pytest.mark.parametrize("seed", range(120))
def test_fits_of_any_size_end_in_finite_models_or_in_words(seed):
    features, y, weight, params = extreme(seed)
    model = GDLinearRegressor(**params, random_state=0)
    method = "partial_fit" if seed % 3 == 0 and not params["early_stopping"] else "fit"
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)
        try:
            getattr(model, method)(features, y, weight)
        except ValueError as error:
            if not raised_by_skgd(error):
                raise
            return
        assert np.isfinite(model.coef_).all()
        assert np.isfinite(model.intercept_).all()
        assert not np.isnan(model.predict(features)).any()


def raised_by_skgd(error):
    """Return whether the error was raised in skgd, and not in what it calls."""
    frames = traceback.extract_tb(error.__traceback__)
    return Path(frames[-1].filename).is_relative_to(Path(skgd.__file__).parent)
