"""Arrays of other libraries: computed on where they lie, to NumPy's answer."""

import copy
import pickle
import tracemalloc
import warnings
import weakref
from contextlib import nullcontext
from functools import cache

import array_api_strict
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from conftest import STRATEGIES, strategies_on
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._array_api import get_namespace_and_device, move_estimator_to
from sklearn.utils.estimator_checks import check_array_api_input_and_values
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from skgd import GDLinearRegressor, GDLinearRegressorCV, Moments, gd_path
from skgd.strategies import ModuleStrategy

N_ROWS = 1500
rng = np.random.default_rng(0)
X = rng.standard_normal((N_ROWS, 5)) * [1, 2, 3, 20, 0.1] + [0, 0, 30, 0, 5]
Y = X @ [1.0, -2, 0.5, 0.01, 3] + 4 + rng.standard_normal(N_ROWS)
TWO = np.column_stack([Y, 1 - 2 * X[:, 0] + rng.standard_normal(N_ROWS)])
WEIGHT = rng.uniform(0, 2, N_ROWS)
WEIGHT[:100] = 0
Z = (X - X.mean(axis=0)) / X.std(axis=0)  # for learning rates as in textbooks

#: Relative to the largest coefficient.
DIGITS = {"float64": 1e-9, "float32": 1e-4}


@pytest.fixture(autouse=True)
def _dispatch():
    with sklearn.config_context(array_api_dispatch=True):
        yield


class OnDevice(torch.Tensor):
    """Tensors of a class of their own, which stand for those of another device."""


class NothingLeaves(TorchFunctionMode):
    """Raises where a tensor of more than so many elements is read by the host.

    Only what is seen by torch's functions is: what tests hand over is in NumPy first.
    """

    READERS = (
        torch.Tensor.numpy,
        torch.Tensor.cpu,
        torch.Tensor.tolist,
        torch.Tensor.__array__,
        torch.Tensor.__dlpack__,
    )

    def __init__(self, most):
        super().__init__()
        self.most = most

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.READERS and args[0].numel() > self.most:
            raise AssertionError(f"{func.__name__} of {tuple(args[0].shape)}")
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.device.type == "cpu":
            moved = args and getattr(args[0], "is_cuda", False)
            assert not (moved and result.numel() > self.most), func
        return result


class Allocated(TorchDispatchMode):
    """Adds up what the storages hold that torch makes, and the most at once."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self._known = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {leaf.untyped_storage()._cdata for leaf in tensors_in((args, kwargs))}
        result = func(*args, **(kwargs or {}))
        for leaf in tensors_in(result):
            storage = leaf.untyped_storage()
            if storage._cdata not in given | self._known.keys():
                self._add(storage._cdata, storage)
        return result

    def _add(self, key, storage):
        size = storage.nbytes()
        self._known[key] = weakref.ref(storage, lambda _: self._drop(key, size))
        self.now += size
        self.most = max(self.most, self.now)

    def _drop(self, key, size):
        del self._known[key]
        self.now -= size


def tensors_in(tree):
    """Return the tensors of nested containers."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Place:
    """A library and a device: what is sent there, and what comes back."""

    def __init__(self, name):
        self.name = name
        self.forbids = name in ("subclass", "cuda")
        self.type = array_api_strict.asarray(0).__class__
        if name != "strict":
            self.type = torch.Tensor

    def send(self, array):
        """Return an array there; None where there is none."""
        if array is None:
            return None
        if self.name == "strict":
            return array_api_strict.asarray(array)
        tensor = torch.tensor(array, device="cuda" if self.name == "cuda" else "cpu")
        return tensor.as_subclass(OnDevice) if self.name == "subclass" else tensor

    def guard(self, size=X.size):
        """Return a context in which no large tensor leaves, where that is to be so."""
        return NothingLeaves(size // 10) if self.forbids else nullcontext()

    def is_of(self, array):
        """Return whether an array is of this library, and on this device."""
        on = array.device.type == "cuda" if self.name == "cuda" else True
        return isinstance(array, self.type) and on


CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


#: Where tensors stay; arrays at the other places are read as NumPy's.
ELSEWHERE = ("subclass", "cuda")


@pytest.fixture(params=["strict", "torch", *ELSEWHERE])
def place(request):
    """Each kind of place that arrays may be at, beside NumPy."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    return Place(request.param)


def back(array):
    """Return an array of any library in NumPy."""
    if isinstance(array, torch.Tensor):
        return array.numpy(force=True)
    return np.asarray(array) if np.isscalar(array) else np.from_dlpack(array)


def assert_same(model, expected, digits=1e-9):
    """Assert that a model is NumPy's, to so many digits of the largest number."""
    size = abs(expected.coef_).max()
    assert_allclose(back(model.coef_), expected.coef_, rtol=0, atol=digits * size)
    shift = max(1.0, abs(np.atleast_1d(expected.intercept_)).max())
    assert_allclose(
        back(model.intercept_), expected.intercept_, rtol=0, atol=10 * digits * shift
    )
    first = expected.loss_curve_[0]
    assert_allclose(
        model.loss_curve_, expected.loss_curve_, rtol=100 * digits, atol=digits * first
    )


def absolute(prediction, target):
    """Have a kink nowhere, and no bound."""
    return torch.sqrt(1 + (prediction - target) ** 2)


def minus_largest_error(model, X, y, sample_weight=None):
    """Score by the predictions of the model, whatever their library."""
    return -float(abs(model.predict(X) - y).max())


TEXTBOOK = {"learning_rate": 0.05, "max_iter": 40, "tol": None}
FEW_EPOCHS = {"max_iter": 4, "tol": None}
BATCHES = {"batch_size": 64, "random_state": 0, **FEW_EPOCHS}
STOPS = {"early_stopping": True, "random_state": 0}
CUSTOM = {"loss": absolute, "strategy": "autograd", **TEXTBOOK}

#: Parameters, and what is passed: X, y, weights.
CORE = {
    "condensed": ({}, X, Y, None),
    "weighted": ({}, X, Y, WEIGHT),
    "rows": ({"precompute": False, **FEW_EPOCHS}, X, Y, None),
    "batches": (BATCHES, X, Y, WEIGHT),
    "huber": ({"loss": "huber", "epsilon": 1.0, **FEW_EPOCHS}, X, Y, None),
    "two targets": ({"precompute": False, **FEW_EPOCHS}, X, TWO, WEIGHT),
    "early stopping": (STOPS | {"precompute": False, **FEW_EPOCHS}, X, Y, None),
}
CASES = CORE | {
    "two condensed targets": ({}, X, TWO, WEIGHT),
    "no intercept": ({"fit_intercept": False}, X, Y, WEIGHT),
    "batches, no intercept": ({"fit_intercept": False, **BATCHES}, X, Y, None),
    "textbook": (TEXTBOOK, Z, Y, None),
    "textbook rows": ({"precompute": False, **TEXTBOOK}, Z, Y, WEIGHT),
    "momentum": ({"momentum": 0.9, "precompute": False, **TEXTBOOK}, Z, Y, None),
    "average": ({"average": True, **BATCHES}, X, Y, None),
    "in order": ({"shuffle": False, **BATCHES}, X, Y, None),
    "batches, not white": ({"whiten": False, **BATCHES}, X, Y, WEIGHT),
    "huber, two targets": ({"loss": "huber", **FEW_EPOCHS}, X, TWO, WEIGHT),
    "huber, batches": ({"loss": "huber", **BATCHES}, X, Y, WEIGHT),
    "L1": ({"alpha": 0.1, "l1_ratio": 0.5}, X, Y, WEIGHT),
    "L1, batches": ({"alpha": 0.1, "l1_ratio": 0.5, **BATCHES}, X, Y, None),
    "alpha per target": ({"alpha": [0.1, 10]}, X, TWO, None),
    "alpha per target, rows": (
        {"alpha": [0.1, 10], "precompute": False, **FEW_EPOCHS},
        X,
        TWO,
        None,
    ),
    "positive": ({"positive": True}, X, Y, None),
    "positive rows": (
        {"positive": True, "precompute": False, **FEW_EPOCHS},
        X,
        Y,
        None,
    ),
    "early stopping, condensed": (STOPS, X, Y, WEIGHT),
    "early stopping, batches": ({**BATCHES, **STOPS}, X, TWO, WEIGHT),
    "scored by name": (
        STOPS | {"scoring": "neg_mean_absolute_error", **FEW_EPOCHS},
        X,
        Y,
        WEIGHT,
    ),
    "scored by a function": (
        STOPS | {"scoring": minus_largest_error, "precompute": False, **FEW_EPOCHS},
        X,
        Y,
        None,
    ),
    "custom loss": (CUSTOM, Z, Y, WEIGHT),
    "custom loss, batches": (CUSTOM | BATCHES | {"max_iter": 2}, Z, Y, None),
    "criterion": ({**CUSTOM, "loss": torch.nn.SmoothL1Loss}, Z, TWO, None),
    "Adam": (
        {"strategy": ModuleStrategy(optimizer=torch.optim.Adam), **TEXTBOOK},
        Z,
        Y,
        WEIGHT,
    ),
    "Adam, rows": (
        {
            "strategy": ModuleStrategy(optimizer=torch.optim.Adam),
            "precompute": False,
            **TEXTBOOK,
        },
        Z,
        Y,
        None,
    ),
    "more columns than rows": ({}, X[:4], Y[:4], None),
    "one row": ({}, X[:1], Y[:1], None),
    "one column": ({"precompute": False, **FEW_EPOCHS}, X[:, 3:4], Y, None),
}


def estimator(strategy, params):
    """Return an unfitted estimator; a case may need a strategy of its own."""
    return GDLinearRegressor(**{"strategy": strategy, **params})


@cache
def numpys_model(strategy, case, dtype):
    """Return the model that NumPy's arrays lead to."""
    params, features, targets, weight = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator(strategy, params).fit(
            features.astype(dtype), targets.astype(dtype), weight
        )


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize(
    ("strategy", "case", "place"),
    strategies_on(
        [(case, name) for name in ("strict", "torch") for case in CORE]
        + [(case, name) for name in ELSEWHERE for case in CASES],
        [(case, name) for name in ("torch", *ELSEWHERE) for case in CORE],
    ),
    indirect=["place"],
)
def test_every_place_has_numpys_answer(place, strategy, case, dtype):
    params, features, targets, weight = CASES[case]
    expected = numpys_model(strategy, case, dtype)
    there = place.send(features.astype(dtype))
    data = there, place.send(targets.astype(dtype)), place.send(weight)
    with place.guard(max(features.size, 10 * 200)):
        model = estimator(strategy, params).fit(*data)
        prediction = model.predict(there)
    assert_same(model, expected, DIGITS[dtype])
    assert model.n_iter_ == expected.n_iter_
    for result in (model.coef_, prediction):
        assert place.is_of(result)
        assert str(result.dtype).endswith(dtype)
    assert_allclose(
        back(prediction),
        expected.predict(features.astype(dtype)),
        atol=100 * DIGITS[dtype] * abs(targets).max(),
    )


def test_a_score_is_numpys(place):
    expected = GDLinearRegressor().fit(X, TWO, WEIGHT)
    data = place.send(X), place.send(TWO), place.send(WEIGHT)
    model = GDLinearRegressor().fit(*data)
    with place.guard():
        assert model.score(*data) == pytest.approx(expected.score(X, TWO, WEIGHT))
        assert model.score(*data[:2]) == pytest.approx(expected.score(X, TWO))


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("dtype", DIGITS)
def test_moments_are_numpys(place, dtype, weight):
    features, targets = X.astype(dtype), TWO.astype(dtype)
    expected = Moments.from_data(features, targets, weight)
    with place.guard():
        moments = Moments.from_data(
            place.send(features), place.send(targets), place.send(weight)
        )
    digits = 1e-12 if dtype == "float64" else 1e-6
    size = np.sqrt(np.diag(expected.scatter))
    spread = size / np.sqrt(expected.weight)
    assert_allclose(moments.mean / spread, expected.mean / spread, atol=digits)
    assert moments.weight == pytest.approx(expected.weight, rel=1e-13)
    size = np.outer(size, size)
    assert_allclose(moments.scatter / size, expected.scatter / size, atol=digits)


def test_products_in_float32_keep_five_digits(place):
    """Beside an outlier, small squares that are added one by one are rounded alike."""
    columns = np.sign(np.random.default_rng(0).standard_normal((2000, 4)))
    columns[0] = 40
    columns = (columns * [0.7, 0.9, 1.1, 1.3]).astype("float32")
    expected = Moments.from_data(columns.astype("float64"), Y[:1].repeat(2000))
    with place.guard(10 * 2000):
        moments = Moments.from_data(place.send(columns), place.send(Y[:1].repeat(2000)))
    size = np.sqrt(np.diag(expected.scatter)[:4])
    difference = (moments.scatter - expected.scatter)[:4, :4]
    assert_allclose(difference / np.outer(size, size), 0, atol=1e-5)


@pytest.mark.parametrize("kind", ["moments", "steps", "huber", "batches"])
@pytest.mark.parametrize("n_rows", [1, 250])
def test_a_stream_is_numpys(place, kind, n_rows):
    params = {
        "moments": {},
        "steps": {"precompute": False},
        "huber": {"loss": "huber"},
        "batches": {"batch_size": 16, "random_state": 0},
    }[kind]
    model, expected = GDLinearRegressor(**params), GDLinearRegressor(**params)
    for first in (0, 250, 500, 750, 1000):
        chunk = slice(first, first + (250 if first == 0 else n_rows))
        data = X[chunk], Y[chunk], WEIGHT[chunk] + 0.1
        expected.partial_fit(*data)
        model.partial_fit(*map(place.send, data))
    assert_allclose(back(model.coef_), expected.coef_, rtol=1e-7)
    assert place.is_of(model.coef_)
    assert_same(
        pickle.loads(pickle.dumps(model)).partial_fit(*map(place.send, data)),
        expected.partial_fit(*data),
        1e-7,
    )


def test_a_stream_goes_on_from_one_library_to_another(place):
    model, expected = (GDLinearRegressor(precompute=False) for _ in range(2))
    for number, first in enumerate(range(0, 60, 3)):
        chunk = slice(first, first + 3)
        data = X[chunk], Y[chunk]
        expected.partial_fit(*data)
        model.partial_fit(*(map(place.send, data) if number % 2 else data))
    assert_allclose(back(model.coef_), expected.coef_, rtol=1e-7)


@pytest.mark.parametrize("params", [{}, {"precompute": False}, BATCHES])
def test_rows_to_score_follow_x(place, params):
    params = params | STOPS | FEW_EPOCHS
    val = {"X_val": X[:300], "y_val": Y[:300], "sample_weight_val": WEIGHT[:300] + 1}
    expected = GDLinearRegressor(**params).fit(X, Y, **val)
    data = place.send(X), place.send(Y)
    for sent in (val, {name: place.send(array) for name, array in val.items()}):
        model = GDLinearRegressor(**params).fit(*data, **sent)
        assert_same(model, expected)
        assert_allclose(model.validation_scores_, expected.validation_scores_)


@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series, torch.tensor])
def test_targets_and_weights_follow_x(place, convert):
    expected = GDLinearRegressor().fit(X, Y, WEIGHT)
    model = GDLinearRegressor().fit(place.send(X), convert(Y), convert(WEIGHT))
    assert_same(model, expected)
    assert place.is_of(model.coef_)
    score = model.score(place.send(X), convert(Y), convert(WEIGHT))
    assert score == pytest.approx(expected.score(X, Y, WEIGHT))


def test_targets_there_follow_x_of_numpy(place):
    expected = GDLinearRegressor().fit(X, Y, WEIGHT)
    model = GDLinearRegressor().fit(X, place.send(Y), place.send(WEIGHT))
    assert type(model.coef_) is np.ndarray
    assert_same(model, expected)
    score = model.score(X, place.send(Y), place.send(WEIGHT))
    assert score == pytest.approx(expected.score(X, Y, WEIGHT))


def test_a_warm_start_is_numpys(place):
    params = {"warm_start": True, "precompute": False, **TEXTBOOK, "max_iter": 3}
    model, expected = GDLinearRegressor(**params), GDLinearRegressor(**params)
    for _ in range(2):
        model.fit(place.send(Z), place.send(Y))
        expected.fit(Z, Y)
        assert_same(model, expected)
    start = np.arange(5.0)
    expected.fit(Z, Y, coef_init=start, intercept_init=2.0)
    for send in (place.send, np.asarray, torch.tensor):
        model.fit(place.send(Z), place.send(Y), None, send(start), send(np.array(2.0)))
        assert_same(model, expected)


def test_callbacks_see_models_that_predict_there(place):
    scores = []
    for send in (np.asarray, place.send):
        monitor = ScoringMonitor(scoring="r2")
        model = GDLinearRegressor(precompute=False, **FEW_EPOCHS)
        model.set_callbacks(monitor)
        model.fit(send(X), send(Y))
        scores.append([line["r2"] for line in monitor.get_logs().data])
    assert len(scores[0]) == 5
    assert scores[1] == pytest.approx(scores[0])


def test_copies_predict_there(place):
    there = place.send(X)
    model = GDLinearRegressor().fit(there, place.send(Y))
    expected = back(model.predict(there))
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        prediction = copied.predict(there)
        assert place.is_of(prediction)
        assert np.array_equal(back(prediction), expected)
    assert not hasattr(clone(model), "coef_")


def test_a_model_moves_to_numpy_and_back(place):
    there = place.send(X)
    model = GDLinearRegressor().fit(there, place.send(TWO))
    here = move_estimator_to(model, np, device="cpu")
    assert type(here.coef_) is type(here.intercept_) is np.ndarray
    assert_allclose(here.predict(X), back(model.predict(there)))
    with pytest.raises(ValueError, match="move_estimator_to"):
        model.predict(X)
    xp, _, device = get_namespace_and_device(there)
    moved = move_estimator_to(here, xp, device=device)
    assert place.is_of(moved.predict(there))


def test_scikit_learns_tools_select_and_scale_there(place):
    params = {"gdlinearregressor__learning_rate": [0.2, 0.01]}
    best = []
    for send in (np.asarray, place.send):
        pipeline = make_pipeline(
            StandardScaler(), GDLinearRegressor(max_iter=20, tol=None)
        )
        search = GridSearchCV(pipeline, params, error_score="raise")
        search.fit(send(X), send(Y))
        best.append((search.best_params_, search.cv_results_["mean_test_score"]))
        cross_val_score(GDLinearRegressor(), send(X), send(Y), error_score="raise")
    assert best[0][0] == best[1][0]
    assert_allclose(best[1][1], best[0][1])


def test_predictions_have_the_wider_dtype(place):
    for fitted in DIGITS:
        model = GDLinearRegressor().fit(
            place.send(X.astype(fitted)), place.send(Y.astype(fitted))
        )
        like = GDLinearRegressor().fit(X.astype(fitted), Y.astype(fitted))
        for asked in DIGITS:
            expected = like.predict(X.astype(asked))
            prediction = back(model.predict(place.send(X.astype(asked))))
            assert prediction.dtype == expected.dtype
            assert_allclose(prediction, expected, rtol=1e-4)


def test_numpys_results_come_of_paths_and_searches(place):
    there = place.send(X), place.send(Y)
    path = gd_path(*there, alphas=[1, 0.1])
    assert_allclose(path.coefs, gd_path(X, Y, alphas=[1, 0.1]).coefs, rtol=1e-6)
    search = GDLinearRegressorCV(GDLinearRegressor(), {"alpha": [0.1, 1.0]})
    if place.forbids:
        with pytest.raises(
            ValueError, match=r"X (lies|is a) .*GridSearchCV.*X\.(cpu|as)"
        ):
            search.fit(*there)
    else:
        expected = clone(search).fit(X, Y)
        search.fit(*there)
        assert search.best_params_ == expected.best_params_
        assert_allclose(back(search.coef_), expected.coef_)


@pytest.mark.parametrize("params", [{}, {"precompute": False}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_named_by_its_column(place, params, bad):
    word = "NaN" if np.isnan(bad) else "infinity"
    wrong, wrong_y = X.copy(), TWO.copy()
    wrong[1234, 3] = wrong_y[7, 1] = bad
    model = GDLinearRegressor(**params)
    data = place.send(X), place.send(TWO)
    with pytest.raises(
        ValueError, match=rf"X contains {word}[\s\S]*[Cc]olumn 3 \(1 of"
    ):
        model.fit(place.send(wrong), data[1])
    with pytest.raises(ValueError, match=rf"y contains {word}[\s\S]*olumn 1 of y"):
        model.fit(data[0], place.send(wrong_y))
    with pytest.raises(ValueError, match=f"sample_weight contains {word}"):
        model.fit(*data, place.send(wrong[:, 3]))
    assert not vars(model).keys() - model.get_params()
    model.fit(*data)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"[Cc]olumn 3 \(1 of"):
        model.fit(place.send(wrong), data[1])
    with pytest.raises(ValueError, match=r"[Cc]olumn 3 \(1 of"):
        model.predict(place.send(wrong))
    assert vars(model) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y, w: (X[:, 0], y, w), "Expected 2D array, got 1D"),
        (lambda X, y, w: (X, y[:-1], w), "inconsistent numbers of samples"),
        (lambda X, y, w: (X[:0], y[:0], None), "0 sample"),
        (lambda X, y, w: (X[:, :0], y, w), "0 feature"),
        (lambda X, y, w: (X + 1j, y, w), "Complex data not supported"),
        (lambda X, y, w: (X, y + 1j, w), "Complex data not supported"),
        (lambda X, y, w: (X, y, w + 1j), "Complex data not supported"),
        (lambda X, y, w: (X[None], y, w), "dim 3"),
        (lambda X, y, w: (X, None, w), "requires y to be passed"),
        (lambda X, y, w: (X, y, -w), "[Nn]egative values in .*sample_weight"),
        (lambda X, y, w: (X, y, 0 * w), "at least one non-zero"),
        (lambda X, y, w: (X, y, w[1:]), "sample_weight.shape"),
        (lambda X, y, w: (X, y, w[:, None]), "Sample weights must be 1D"),
        (lambda X, y, w: (X.astype("f4"), 1e300 * y, w), "too large for float32"),
        (lambda X, y, w: (X, 1e-200 * y, w), "y underflow (in )?float64"),
        (lambda X, y, w: (1e200 * X, y, w), "X overflow (in )?float64"),
        (lambda X, y, w: (1e-200 * X, y, w), "column 0 of X underflow"),
    ],
)
def test_bad_data_are_named_as_numpys_are(place, change, message):
    data = change(X, Y, WEIGHT)
    for params in ({"precompute": True}, {"precompute": False, **TEXTBOOK}):
        model = GDLinearRegressor(**params)
        with pytest.raises(ValueError, match=message) as of_numpy:
            model.fit(*data)
        with pytest.raises(ValueError, match=message) as of_place:
            model.fit(*map(place.send, data))
        if not place.forbids:  # there, it may be of torch.Size
            assert str(of_place.value) == str(of_numpy.value)
        assert not vars(model).keys() - model.get_params()


def test_other_features_are_refused(place):
    model = GDLinearRegressor().fit(place.send(X), place.send(Y))
    with pytest.raises(ValueError, match=r"3 features, but .* expecting 5"):
        model.predict(place.send(X[:, :3]))


def test_integers_are_read_as_numpys_are(place):
    for kind in ("int64", "int32", "uint8"):
        whole = np.clip(np.rint(abs(X)), 0, 200).astype(kind)
        model = GDLinearRegressor().fit(place.send(whole), place.send(np.rint(Y)))
        assert_same(model, GDLinearRegressor().fit(whole, np.rint(Y)))
        rows = GDLinearRegressor(precompute=False, **FEW_EPOCHS)
        expected = clone(rows).fit(whole, np.rint(Y).astype("int64"))
        rows.fit(place.send(whole), place.send(np.rint(Y).astype("int64")))
        assert_same(rows, expected)
        assert_allclose(
            back(model.predict(place.send(whole))), expected.predict(whole), rtol=0.5
        )


@pytest.mark.parametrize("frame", [False, True])
def test_dask_s_collections_are_dask_s_under_dispatch(frame):
    dask_array = pytest.importorskip("dask.array")
    rows, targets = (dask_array.from_array(each, chunks=500) for each in (X, Y))
    if frame:
        rows = rows.to_dask_dataframe()
        targets = targets.to_dask_dataframe()
    model = GDLinearRegressor().fit(rows, targets)
    assert type(model.coef_) is np.ndarray
    assert_allclose(model.coef_, GDLinearRegressor().fit(X, Y).coef_, rtol=1e-9)
    search = GDLinearRegressorCV(GDLinearRegressor(), {"alpha": [0.0, 0.1]}, cv=3)
    assert type(search.fit(rows, targets).coef_) is np.ndarray


def test_parameters_that_are_tensors_stay_what_they_are(place):
    alpha = torch.tensor([0.1, 0.2], dtype=torch.bfloat16)
    model = GDLinearRegressor(alpha=alpha).fit(place.send(X), place.send(TWO))
    for copied in (copy.copy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(copied.alpha, alpha)
        assert_allclose(back(copied.coef_), back(model.coef_))


@pytest.mark.parametrize("dtype", [object, ">f8", np.longdouble])
def test_score_takes_the_targets_that_fit_takes(place, dtype):
    targets, there = Y.astype(dtype), place.send(X)
    model = GDLinearRegressor().fit(there, targets)
    expected = GDLinearRegressor().fit(X, Y).score(X, Y)
    assert model.score(there, targets) == pytest.approx(expected, abs=1e-9)


def test_a_model_of_a_device_that_is_not_here_loads_in_numpy():
    state = GDLinearRegressor().fit(X, Y).__getstate__()
    state["_devices"] = {"coef_": "cuda:99", "intercept_": "cuda:99"}
    loaded = GDLinearRegressor.__new__(GDLinearRegressor)
    loaded.__setstate__(state)
    assert type(loaded.coef_) is np.ndarray
    assert_allclose(loaded.predict(X), GDLinearRegressor().fit(X, Y).predict(X))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_tensor_float_32_costs_no_digits_or_is_told():
    rows, targets = (torch.tensor(a, dtype=torch.float32).cuda() for a in (X, Y))
    rows, targets = rows.repeat(100, 1), targets.repeat(100)
    huber = GDLinearRegressor(loss="huber", **FEW_EPOCHS)
    model = GDLinearRegressor().fit(rows, targets)
    expected = model.coef_, model.predict(rows)
    before = torch.backends.cuda.matmul.fp32_precision
    try:
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        model = GDLinearRegressor().fit(rows, targets)
        assert_allclose(model.coef_.cpu(), expected[0].cpu(), rtol=1e-4)
        predictions = model.predict(rows)
        assert predictions.dtype == torch.float32
        assert_allclose(predictions.cpu(), expected[1].cpu(), rtol=1e-5, atol=1e-4)
        with pytest.warns(UserWarning, match="TensorFloat-32"):
            huber.fit(rows, targets)
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def test_integers_that_float64_rounds_are_told(place):
    ids = np.rint(X).astype("int64")
    ids[:, 2] = 2**53 + np.arange(N_ROWS)
    with pytest.warns(UserWarning, match="Column 2 holds integers"):
        GDLinearRegressor().fit(place.send(ids), place.send(Y))


def test_what_numpys_targets_hold_is_told_beside_arrays_of_others(place):
    there = place.send(X)
    days = pd.Series(pd.date_range("2020-01-01", periods=N_ROWS))
    with pytest.warns(UserWarning, match="dates, as numbers"):
        GDLinearRegressor().fit(there, days)
    with pytest.raises(ValueError, match=r"y \(1 of 1500 rows\) holds NaT"):
        GDLinearRegressor().fit(there, days.where(days.index != 3))
    with pytest.warns(UserWarning, match="y holds integers"):
        GDLinearRegressor().fit(there, 2**53 + 2**51 * np.arange(N_ROWS) + 1)
    with pytest.raises(ValueError, match=r"y \('a' in row 0\) holds text"):
        GDLinearRegressor().fit(there, ["a"] * N_ROWS)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "uint64", "bool"])
def test_targets_may_be_of_all_integers(place, kind):
    whole = np.clip(np.rint(abs(Y)), 0, 200).astype(kind)
    model = GDLinearRegressor().fit(place.send(X), place.send(whole))
    assert_same(model, GDLinearRegressor().fit(X, whole))


def test_rows_of_weight_zero_may_be_of_any_size(place):
    extreme = X.copy()
    extreme[:100] = 1e300
    standardized = {**TEXTBOOK, "standardize": True, "precompute": False}
    for params in ({}, standardized, BATCHES, BATCHES | {"whiten": False}):
        for y in (Y, TWO):
            far = y.copy()
            far[:100] = 1e300
            expected = GDLinearRegressor(**params).fit(X[100:], y[100:], WEIGHT[100:])
            data = map(place.send, (extreme, far, WEIGHT))
            assert_same(GDLinearRegressor(**params).fit(*data), expected)


@pytest.mark.parametrize("params", [{}, {"precompute": False, **FEW_EPOCHS}, BATCHES])
def test_layouts_of_memory_do_not_matter(place, params):
    expected = GDLinearRegressor(**params).fit(X, Y, WEIGHT)
    wide = np.zeros((N_ROWS, 10))
    wide[:, ::2] = X
    for features in (place.send(wide)[:, ::2], place.send(X.T.copy()).T):
        model = GDLinearRegressor(**params)
        model.fit(features, place.send(Y), place.send(WEIGHT))
        assert_same(model, expected)
        backwards = Y[::-1].copy()[::-1], WEIGHT[::-1].copy()[::-1]
        assert_same(clone(model).fit(features, *backwards), expected)


TENSORS = [torch.Tensor, OnDevice]


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, nullcontext])
def test_gradients_of_the_users_are_left_alone(kind, strategy, context):
    params = {"strategy": strategy, "precompute": False, **FEW_EPOCHS}
    expected = GDLinearRegressor(**params).fit(X, Y)
    with context():  # in inference mode, these are inference tensors
        data = [torch.tensor(array).as_subclass(kind) for array in (X, Y)]
    if context is nullcontext:
        data = [tensor.requires_grad_() for tensor in data]
    for around in (nullcontext, context):
        with around():
            model = GDLinearRegressor(**params).fit(*data)
            prediction = model.predict(data[0])
        assert_same(model, expected)
        assert not any(a.requires_grad for a in (model.coef_, prediction))
        assert all(tensor.grad is None for tensor in data)
    assert all(tensor.requires_grad == (context is nullcontext) for tensor in data)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("kind", TENSORS)
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("params", [{}, {"precompute": False, **FEW_EPOCHS}, BATCHES])
def test_half_precision_is_computed_in_float32(kind, half, params):
    features, targets = (torch.tensor(a).to(half) for a in (Z, Y))
    expected = GDLinearRegressor(**params).fit(
        features.float().numpy(), targets.float().numpy()
    )
    features, targets = (a.as_subclass(kind) for a in (features, targets))
    model = GDLinearRegressor(**params).fit(features, targets)
    assert model.coef_.dtype == model.predict(features).dtype == torch.float32
    assert_same(model, expected, 1e-4)
    assert model.score(features, targets) > 0.9


@pytest.mark.parametrize(
    "name", ["torch", "subclass", pytest.param("cuda", marks=CUDA)]
)
def test_a_fit_copies_no_tenth_of_a_large_tensor(name):
    place, large = Place(name), np.random.default_rng(0)
    features = large.random((2**18, 128), "float32")
    targets = features[:, 0] + features[::-1, 1]
    few = place.send(features[:500]), place.send(targets[:500])
    there = place.send(features), place.send(targets)
    expected = GDLinearRegressor().fit(features, targets)
    # Rows held out have numbers, and others a weight: some more hundredths of X.
    cases = [({}, 0.1), (STOPS, 0.2)]
    for params, share in cases if place.forbids else cases[:1]:
        model = GDLinearRegressor(**params)
        with Allocated():  # whatever a first fit imports
            clone(model).fit(*few)
        tracemalloc.start()
        with Allocated() as by_torch, place.guard(features.size):
            model.fit(*there)
        by_numpy = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert by_torch.most + by_numpy < share * features.nbytes
        assert_allclose(
            back(model.coef_), expected.coef_, atol=0.05 if params else 1e-5
        )


@pytest.mark.parametrize("kind", TENSORS)
def test_sparse_tensors_are_told_the_way_out(kind):
    sparse = torch.tensor(X).to_sparse_csr()
    with pytest.raises(ValueError, match=r"layout torch.sparse_csr.*scipy\.sparse"):
        GDLinearRegressor().fit(sparse, torch.tensor(Y).as_subclass(kind))


def test_a_device_that_is_not_that_of_x_is_refused():
    there = Place("subclass")
    data = there.send(X), there.send(Y)
    for device in (None, "auto", "cpu", torch.device("cpu")):
        assert GDLinearRegressor(device=device).fit(*data).coef_.device.type == "cpu"
    with pytest.raises(ValueError, match="device='meta' is not on this machine"):
        GDLinearRegressor(device="meta").fit(*data)


@CUDA
def test_cuda_is_not_left_and_not_entered_unasked():
    there = Place("cuda")
    data = there.send(X), there.send(Y)
    for device in (None, "auto", "cuda", "cuda:0", torch.device("cuda", 0)):
        assert GDLinearRegressor(device=device).fit(*data).coef_.is_cuda
    with pytest.raises(ValueError, match="device='cpu', but X lies on 'cuda:0'"):
        GDLinearRegressor(device="cpu").fit(*data)
    model = GDLinearRegressor(device="cuda").fit(torch.tensor(X), torch.tensor(Y))
    assert not model.coef_.is_cuda
    with (
        sklearn.config_context(array_api_dispatch=False),
        pytest.raises(ValueError, match=r"array_api_dispatch=True.*X\.cpu\(\)"),
    ):
        GDLinearRegressor().fit(*data)


@CUDA
def test_a_pickle_of_a_cuda_model_holds_numpys_arrays():
    there = Place("cuda")
    model = GDLinearRegressor().fit(there.send(X), there.send(Y))
    assert b"torch" not in pickle.dumps(model.__getstate__()["coef_"])
    assert pickle.loads(pickle.dumps(model)).coef_.is_cuda


def test_without_dispatch_tensors_have_numpys_results():
    expected = GDLinearRegressor().fit(X, Y, WEIGHT)
    with sklearn.config_context(array_api_dispatch=False):
        model = GDLinearRegressor().fit(*map(torch.tensor, (X, Y, WEIGHT)))
        assert type(model.coef_) is type(model.predict(torch.tensor(X))) is np.ndarray
    assert_same(model, expected)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("library", "device"),
    [
        ("torch", "cpu"),
        ("array_api_strict", "CPU_DEVICE"),
        ("array_api_strict", "device1"),
    ],
)
@pytest.mark.parametrize("dtype", DIGITS)
def test_scikit_learns_check_of_values_passes_with_weights(
    strategy, library, device, dtype
):
    check_array_api_input_and_values(
        "GDLinearRegressor",
        GDLinearRegressor(strategy),
        library,
        device,
        dtype,
        check_sample_weight=True,
    )
