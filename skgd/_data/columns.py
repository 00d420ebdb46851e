"""Which columns of a user's data are at fault, and what to do about them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date, time, timedelta
from reprlib import repr as short_repr
from typing import Literal

import numpy as np
from scipy.sparse import issparse

from skgd._data.containers import Container, dtype_names, labeled_columns
from skgd._data.device import to_numpy
from skgd._data.tensors import cast, dtype_of, is_tensor
from skgd._typing import Array

# So many columns are named; of others, their number.
_MOST_NAMED = 5

# From here on float64 does not hold every integer.
_LARGEST_EXACT = 2**53

_DATE_NAMES = "date", "time", "duration"  # what their names begin with
_INTEGER_NAMES = "int", "uint", "object"

_IMPUTE = (
    "GDLinearRegressor does not accept missing values: put "
    "sklearn.impute.SimpleImputer before it in a pipeline (for partial_fit, impute "
    "each chunk first; for Dask's collections, use X.fillna(X.mean())), or leave out "
    "these rows."
)
_ENCODE = {
    "missing values": _IMPUTE,
    "text": (
        "Turn text into numbers (sklearn.preprocessing.OneHotEncoder or TargetEncoder; "
        "skrub.TableVectorizer for a whole table; pandas.to_numeric for numbers that "
        "are written as text), or leave it out."
    ),
    "dates": (
        "Turn dates and durations into numbers, such as the days since the first one "
        "(of pandas: (dates - dates.min()).dt.days), or month, weekday and hour "
        "(skrub.DatetimeEncoder for a whole column)."
    ),
}
# The same of Dask's columns, of which no rows are here.
_DUMMIES = (
    "by dask.dataframe.get_dummies on columns of known categories, the same ones for "
    "new rows (frame = frame.astype({name: pandas.CategoricalDtype([...])}); choose X "
    "and y from frame after that)"
)
_ENCODE_OF_DASK = {
    "text": (
        "Turn text into numbers: by dask.dataframe.to_numeric if numbers are written "
        f"as text; {_DUMMIES}; or leave it out."
    ),
    "categories": (
        "Turn categories into numbers, such as a column of zeros and ones for each, "
        f"{_DUMMIES}; or leave them out."
    ),
    "dates": (
        "Turn dates and durations into numbers, such as the days since the first one, "
        "(dates - dates.min()).dt.days, or month, weekday and hour; of dates without a "
        "time, after dask.dataframe.to_datetime(dates)."
    ),
    "objects": "Cast objects that are numbers by astype(float), or leave them out.",
}
# What the names of their dtypes begin with.
_KINDS_OF_DTYPES = {
    "category": "categories",
    "dictionary": "categories",
    "object": "objects",
    "complex": "complex numbers",
    "date": "dates",
    "time": "dates",
    "duration": "dates",
    "period": "dates",
    "str": "text",
    "large_string": "text",
    "<u": "text",
    "|s": "text",
}
_LEAVE_OUT = (
    "A row without a target cannot be fitted: leave it out of X and y (of NumPy: keep "
    "= numpy.isfinite(y), and fit(X[keep], y[keep]); of Dask: "
    "frame[frame[name].notnull()])."
)


def not_numbers(name: str, data: Container) -> str:
    """Return which columns hold what is not a number; empty: none is known."""
    kinds: dict[str, list[str]] = {}
    for label, column in labeled_columns(name, data):
        kind, example = _not_a_number(column)
        if kind:
            kinds.setdefault(kind, []).append(f"{label}{example}")
    found = "; ".join(_which_hold(labels, kind) for kind, labels in kinds.items())
    return _sentences(found, *(_ENCODE.get(kind, "") for kind in kinds))


def refuse_dtypes(dtypes: Mapping[str, Hashable]) -> None:
    """Raise where the dtypes of Dask's columns, by their labels, are no numbers'."""
    kinds: dict[str, list[str]] = {}
    for label, dtype in dtypes.items():
        for begin, kind in _KINDS_OF_DTYPES.items():
            if str(dtype).lower().startswith(begin):
                kinds.setdefault(kind, []).append(label)
    if kinds:
        found = "; ".join(_which_hold(labels, kind) for kind, labels in kinds.items())
        advice = (_ENCODE_OF_DASK.get(kind, "") for kind in kinds)
        raise ValueError(_sentences(found, *advice))


def not_finite(name: str, data: Container) -> str:
    """Return which columns hold NaN, or else infinity, and in how many rows."""
    what, counts = "NaN", _counts(name, data, "isnan")
    if not any(counts.values()):
        what, counts = "infinity", _counts(name, data, "isinf")
    if not any(counts.values()):
        return ""
    n_rows = data.shape[0] if issparse(data) else len(data)
    found = _which_hold(_with_counts(counts, n_rows), what)
    if what == "infinity" or name == "X":
        return _sentences(found, _IMPUTE if what == "NaN" else "")
    n_missing = sum(counts.values())
    values = "1 missing value" if n_missing == 1 else f"{n_missing} missing values"
    where = f": {found}" if len(counts) > 1 else f", of {n_rows}"
    return _sentences(f"y has {values}{where}", _LEAVE_OUT)


def missing_dates(name: str, data: Container) -> str:
    """Return which columns of dates lack some; cast to float64, these are -9.2e18."""
    counts = {
        label: int(np.isnat(column).sum()) for label, column in _dates(name, data)
    }
    if not any(counts.values()):
        return ""
    found = _which_hold(_with_counts(counts, len(data)), "NaT")
    return _sentences(found, _IMPUTE if name == "X" else _LEAVE_OUT)


def dates_as_numbers(name: str, data: Container, numbers: Array) -> str:
    """Return which columns are dates, and what numbers these became; empty: none."""
    dtypes = dtype_names(data)
    if not any(dtype.startswith(_DATE_NAMES) for dtype in dtypes):
        return ""
    columns = list(labeled_columns(name, data))
    examples = [
        f"{label} ({column[0]} is {np.atleast_1d(to_numpy(numbers[0]))[j]:.8g})"
        for j, (label, column) in enumerate(columns)
        if dtypes[j % len(dtypes)].startswith(_DATE_NAMES)  # an array has one
    ]
    how = "dates, as numbers in the unit of their dtype"
    return _sentences(_which_hold(examples, how), _ENCODE["dates"])


def lost_digits(name: str, data: Container, numbers: Array) -> str:
    """Return which columns hold integers that float64 does not; empty: none."""
    dtypes = dtype_names(data)
    if not any(dtype.startswith(_INTEGER_NAMES) for dtype in dtypes):
        return ""
    values = np.asarray(numbers.data) if issparse(numbers) else numbers
    if is_tensor(values):
        largest = float(abs(cast(values, np.dtype(np.float64))).max())
    else:
        largest = max(float(values.max(initial=0)), -float(values.min(initial=0)))
    if not largest > _LARGEST_EXACT:
        return ""
    labels = [
        label for label, column in labeled_columns(name, data) if _loses_digits(column)
    ]
    return _sentences(
        _which_hold(labels, "integers of which float64 keeps 16 digits only"),
        "If they are names, such as ids, leave them out; if they count from far away, "
        "subtract the smallest first.",
    )


def _listed(labels: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    named, n_others = list(labels[:_MOST_NAMED]), len(labels) - _MOST_NAMED
    last = f"{n_others} more" if n_others > 0 else named.pop()
    return f"{', '.join(named)} and {last}" if named else last


def _counts(
    name: str, data: Container, is_bad: Literal["isnan", "isinf"]
) -> dict[str, int]:
    """Return how many values of each column are bad, by NumPy's or torch's test."""
    counts = {}
    for label, column in labeled_columns(name, data):
        if is_tensor(column):
            bad = getattr(column, is_bad)()
        else:
            bad = getattr(np, is_bad)(column.astype(np.float64))
        counts[label] = int(bad.sum())
    return counts


def _which_hold(labels: Sequence[str], what: str) -> str:
    """Return that some columns hold something; empty: there are none."""
    if not labels:
        return ""
    return f"{_listed(labels)} {'holds' if len(labels) == 1 else 'hold'} {what}"


def _with_counts(counts: dict[str, int], n_rows: int) -> list[str]:
    """Return the columns that have any, with their counts of all rows."""
    return [f"{label} ({n} of {n_rows} rows)" for label, n in counts.items() if n]


def _sentences(found: str, *advice: str) -> str:
    """Return what was found, as a sentence, and advice; empty if nothing was."""
    if not found:
        return ""
    found = found if found.startswith("y ") else found[0].upper() + found[1:]
    return " ".join([f"{found}.", *filter(None, advice)])


def _not_a_number(column: Array) -> tuple[str, str]:
    """Return of what kind a column is if not of numbers, and an example of these."""
    code = dtype_of(column).kind
    if code in "mM":
        return "dates", ""
    if code == "c":
        return "complex numbers", ""
    if is_tensor(column):
        return "", ""
    try:
        column.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        for i, value in enumerate(column):
            kind = _kind_of_value(value)
            if kind:
                return kind, f" ({_example(value)} in row {i})"
    return "", ""


def _example(value: object) -> str:
    """Return a value as it is written, if that is short."""
    return short_repr(str(value)) if isinstance(value, str) else f"{value!s:.40}"


def _kind_of_value(value: object) -> str:
    """Return what a value is if float() does not take it; empty if it does."""
    try:
        float(value)  # type: ignore[arg-type]  # which is to be found out
    except OverflowError:
        return "integers too large for float64"
    except (ValueError, TypeError):
        if isinstance(value, (str, bytes)):
            return "text"
        if isinstance(value, (date, time, timedelta, np.datetime64)):
            return "dates"
        if type(value).__name__ == "NAType":  # that of pandas
            return "missing values"
        return f"objects of type {type(value).__name__}" if value is not None else ""
    return ""


def _dates(name: str, data: Container) -> Iterator[tuple[str, np.ndarray]]:
    """Yield columns of NumPy's dates or durations."""
    if not any(dtype.startswith(_DATE_NAMES) for dtype in dtype_names(data)):
        return
    for label, column in labeled_columns(name, data):
        if column.dtype.kind in "mM":
            yield label, column


def _loses_digits(column: Array) -> bool:
    """Return whether float64 rounds any of the column's integers."""
    if is_tensor(column):
        rounded = cast(column, np.dtype(np.float64)).to(column.dtype)
        return bool((rounded != column).any())
    if column.dtype.kind == "O":
        integers = (value for value in column if isinstance(value, int))
        return any(int(float(value)) != value for value in integers)
    if column.dtype.kind not in "iu":
        return False
    numbers = column.astype(np.float64)
    large = np.abs(numbers) >= _LARGEST_EXACT
    spacing = np.abs(np.spacing(numbers[large])).astype(column.dtype)
    return bool((column[large] % spacing).any())
