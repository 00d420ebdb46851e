"""A path of penalties: scikit-learn's, for every strategy and form of data."""

import numpy as np
import pytest
from conftest import STRATEGIES
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LinearRegression, Ridge, enet_path

from skgd import DivergenceError, GDLinearRegressor, Moments, gd_path
from skgd.strategies import ManualStrategy, ModuleStrategy

TIGHT = {"tol": 1e-9, "max_iter": 100_000}


@pytest.fixture
def rows():
    """60 rows of 8 columns that go together, of several sizes and offsets."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8)) @ (np.eye(8) + 0.3)
    y = X @ np.array([2.0, -1, 0.5, 0, 0, 0, 1, -2]) + rng.standard_normal(60)
    return X * np.geomspace(0.3, 30, 8) + np.arange(8) * 10, y + 100


@pytest.fixture
def weight():
    """Weights of 60 rows, some of them zero."""
    return np.random.default_rng(1).integers(0, 4, 60).astype(float)


def expected_path(X, y, weight=None, *, l1_ratio=1.0, fit_intercept=True, **options):
    """Return coefficients and intercepts by enet_path, on centred and weighed rows."""
    weight = np.ones(len(y)) if weight is None else weight / weight.mean()
    X_mean, y_mean = np.zeros(X.shape[1]), 0.0
    if fit_intercept:
        X_mean, y_mean = (np.average(each, axis=0, weights=weight) for each in (X, y))
    root = np.sqrt(weight)
    _, coefs, _ = enet_path(
        (X - X_mean) * root[:, None],
        (y - y_mean) * root,
        l1_ratio=l1_ratio,
        tol=1e-14,
        max_iter=1_000_000,
        **options,
    )
    return coefs, y_mean - X_mean @ coefs


def assert_same_path(path, coefs, intercepts, rtol=1e-5):
    """Check coefficients and intercepts, each relative to the largest."""
    np.testing.assert_allclose(path.coefs, coefs, atol=rtol * np.abs(coefs).max())
    size = np.abs(intercepts).max() + 1e-12
    np.testing.assert_allclose(path.intercepts, intercepts, atol=rtol * size)


@pytest.mark.parametrize("named", STRATEGIES)
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("positive", [False, True])
def test_it_is_the_path_of_scikit_learn(named, l1_ratio, positive, rows):
    X, y = rows
    options = {"l1_ratio": l1_ratio, "positive": positive}
    path = gd_path(X, y, alphas=12, strategy=named, **options, **TIGHT)
    expected = expected_path(X, y, alphas=path.alphas, **options)
    assert_same_path(path, *expected)
    assert path.coefs.shape == (8, 12)
    assert path.intercepts.shape == path.alphas.shape == path.n_iters.shape == (12,)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("weighed", [False, True])
def test_weights_and_no_intercept(fit_intercept, l1_ratio, weighed, rows, weight):
    X, y = rows
    weight = weight if weighed else None
    options = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept}
    path = gd_path(X, y, alphas=8, sample_weight=weight, **options, **TIGHT)
    expected = expected_path(X, y, weight, alphas=path.alphas, **options)
    assert_same_path(path, *expected)
    if not fit_intercept:
        assert not path.intercepts.any()


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighed", [False, True])
def test_the_alphas_are_those_of_scikit_learn(
    l1_ratio, positive, weighed, rows, weight
):
    X, y = rows
    options = {"l1_ratio": l1_ratio, "positive": positive, "eps": 0.01}
    weight = weight if weighed else None
    path = gd_path(X, y, alphas=7, sample_weight=weight, **options)
    search = ElasticNetCV(alphas=7, **options, max_iter=100_000)
    expected = search.fit(X, y, sample_weight=weight).alphas_
    np.testing.assert_allclose(path.alphas, expected, rtol=1e-10)
    assert not path.coefs[:, 0].any()


def test_a_path_may_be_long(rows):
    X, y = rows
    path = gd_path(X, y, alphas=130, eps=0.1, **TIGHT)
    assert_same_path(path, *expected_path(X, y, alphas=path.alphas))


def test_the_first_alpha_is_the_least_without_coefficients(rows):
    X, y = rows
    targets = np.column_stack([y, 3 * X[:, 0], -y])
    path = gd_path(X, targets, alphas=2)
    assert not path.coefs[:, :, 0].any()
    assert gd_path(X, targets, alphas=path.alphas[:1] * 0.99).coefs.any()


def test_alphas_are_sorted_and_each_model_is_the_same_wherever_it_stands(rows):
    X, y = rows
    path = gd_path(X, y, alphas=[0.1, 3.0, 1.0], **TIGHT)
    assert path.alphas.tolist() == [3.0, 1.0, 0.1]
    for i, alpha in enumerate(path.alphas):
        alone = gd_path(X, y, alphas=[alpha], **TIGHT)
        assert_same_path(alone, path.coefs[:, [i]], path.intercepts[[i]])


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_a_model_is_that_of_the_estimator(l1_ratio, rows):
    X, y = rows
    path = gd_path(X, y, alphas=[0.5], l1_ratio=l1_ratio, **TIGHT)
    model = GDLinearRegressor(alpha=0.5, l1_ratio=l1_ratio, **TIGHT).fit(X, y)
    assert_same_path(path, model.coef_[:, None], np.array([model.intercept_]))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n_rows", [60, 6])
def test_targets_do_not_mix(l1_ratio, n_rows, rows):
    X, y = (each[:n_rows] for each in rows)
    targets = np.column_stack([y, X[:, 3] + np.sin(y)])
    options = {"alphas": [5.0, 1.0, 0.5], "l1_ratio": l1_ratio, **TIGHT}
    both = gd_path(X, targets, **options)
    assert both.coefs.shape == (2, 8, 3)
    assert both.intercepts.shape == (2, 3)
    for t in (0, 1):
        alone = gd_path(X, targets[:, t], **options)
        assert_same_path(alone, both.coefs[t], both.intercepts[t])


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_moments_are_enough(l1_ratio, fit_intercept, rows, weight):
    X, y = rows
    targets = np.column_stack([y, X[:, 0]])
    options = {"alphas": [5.0, 0.5], "l1_ratio": l1_ratio, **TIGHT}
    options["fit_intercept"] = fit_intercept
    moments = Moments.from_data(X, targets, weight)
    path = gd_path(moments, **options)
    expected = gd_path(X, targets, sample_weight=weight, **options)
    assert_same_path(path, expected.coefs, expected.intercepts)
    one = gd_path(Moments.from_data(X, y, weight), **options)
    assert_same_path(one, path.coefs[0], path.intercepts[0])


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("named", STRATEGIES)
def test_without_l1_it_is_ridge_regression_in_a_step(named, fit_intercept, rows):
    X, y = rows
    alphas = [10.0, 0.1, 0.0]
    options = {"fit_intercept": fit_intercept}
    path = gd_path(X, y, alphas=alphas, l1_ratio=0, strategy=named, **options)
    assert path.n_iters.max() <= 2
    models = [Ridge(alpha=60 * a, **options).fit(X, y) for a in alphas[:2]]
    models.append(LinearRegression(**options).fit(X, y))
    coefs = np.column_stack([model.coef_ for model in models])
    intercepts = np.array([model.intercept_ for model in models])
    assert_same_path(path, coefs, intercepts, rtol=1e-9)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_positive_ridge_and_bounds_alone(l1_ratio, rows):
    X, y = rows
    options = {"alphas": [1.0, 0.0], "l1_ratio": l1_ratio, "positive": True}
    path = gd_path(X, y, **options, **TIGHT)
    bounded = LinearRegression(positive=True).fit(X, y)
    np.testing.assert_allclose(path.coefs[:, 1], bounded.coef_, atol=1e-5)
    if l1_ratio == 0:
        ridge = Ridge(alpha=60, positive=True, tol=1e-12).fit(X, y)
        np.testing.assert_allclose(path.coefs[:, 0], ridge.coef_, atol=1e-4)


@pytest.fixture
def wide():
    """40 rows of 200 columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 200)) * rng.uniform(0.1, 10, 200) + 5
    return X, X[:, :6] @ rng.standard_normal(6) + rng.standard_normal(40)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("positive", [False, True])
def test_more_columns_than_rows(l1_ratio, positive, wide):
    X, y = wide
    options = {"l1_ratio": l1_ratio, "positive": positive}
    path = gd_path(X, y, alphas=30, eps=0.03, **options, tol=1e-8, max_iter=100_000)
    expected = expected_path(X, y, alphas=path.alphas, **options)
    assert_same_path(path, *expected, rtol=1e-4)


def test_ridge_with_more_columns_than_rows(wide):
    X, y = wide
    path = gd_path(X, y, alphas=[10.0, 1.0], l1_ratio=0, **TIGHT)
    for i, alpha in enumerate(path.alphas):
        model = Ridge(alpha=40 * alpha).fit(X, y)
        np.testing.assert_allclose(path.coefs[:, i], model.coef_, atol=1e-6)


def together(n_rows, n_features=300):
    """Columns that go together, so that some hide others."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((n_rows, 1))
    X = common + 0.3 * rng.standard_normal((n_rows, n_features))
    coef = rng.standard_normal(n_features // 10)
    return X, X[:, ::10] @ coef + rng.standard_normal(n_rows)


@pytest.mark.parametrize(("n_rows", "n_features"), [(500, 300), (100, 600)])
@pytest.mark.parametrize("weighed", [False, True])
def test_columns_join_a_working_set_late(n_rows, n_features, weighed):
    X, y = together(n_rows, n_features)
    weight = np.geomspace(1e-2, 100, n_rows) if weighed else None
    options = {"alphas": [0.5, 0.1], "tol": 1e-6, "max_iter": 100_000}
    path = gd_path(X, y, sample_weight=weight, **options)
    expected = expected_path(X, y, weight, alphas=path.alphas)
    assert_same_path(path, *expected, rtol=1e-3)


def test_all_working_sets_of_an_alpha_share_its_epochs():
    X, y = together(100)
    (n_iters,) = gd_path(X, y, alphas=[0.3], max_iter=100_000).n_iters.tolist()
    with pytest.warns(ConvergenceWarning, match=f"max_iter={n_iters - 1} epochs"):
        path = gd_path(X, y, alphas=[0.3], max_iter=n_iters - 1)
    assert path.n_iters.tolist() == [n_iters - 1]


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("shape", [(80, 10), (40, 150), (400, 410)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_sparse_rows(form, shape, fit_intercept, l1_ratio):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.3)
    y = X[:, :4] @ [3.0, -2, 1, 4] + 0.1 * rng.standard_normal(shape[0]) + 2
    weight = rng.integers(0, 3, shape[0])
    options = {"alphas": [0.3, 0.1], "l1_ratio": l1_ratio, **TIGHT}
    options["fit_intercept"] = fit_intercept
    path = gd_path(form(X), y, sample_weight=weight, **options)
    expected = gd_path(X, y, sample_weight=weight, **options)
    assert_same_path(path, expected.coefs, expected.intercepts)


@pytest.mark.parametrize("n_rows", [60, 6])
def test_float32_rows_have_float32_coefficients(n_rows, rows):
    X, y = (each[:n_rows] for each in rows)
    path = gd_path(X.astype(np.float32), y, alphas=5, eps=0.1)
    expected = gd_path(X, y, alphas=5, eps=0.1)
    assert path.coefs.dtype == path.intercepts.dtype == np.float32
    assert_same_path(path, expected.coefs, expected.intercepts, rtol=1e-3)


def test_units_and_offsets_do_not_matter(rows):
    X, y = rows
    path = gd_path(X - X.mean(axis=0), y - y.mean(), alphas=6, **TIGHT)
    there = gd_path(X + 1e6, y + 1e6, alphas=6, **TIGHT)
    np.testing.assert_allclose(there.alphas, path.alphas, rtol=1e-8)
    assert_same_path(there, path.coefs, there.intercepts, rtol=1e-4)
    inner = np.mean(X + 1e6, axis=0) @ there.coefs + there.intercepts
    np.testing.assert_allclose(inner, y.mean() + 1e6, rtol=1e-12)


@pytest.mark.parametrize("n_rows", [60, 6])
def test_targets_may_be_tiny(n_rows, rows):
    X, y = (each[:n_rows] for each in rows)
    path, tiny = gd_path(X, y, alphas=4), gd_path(X, 1e-30 * y, alphas=4)
    np.testing.assert_allclose(tiny.alphas, 1e-30 * path.alphas, rtol=1e-9)
    assert path.coefs[:, -1].any()
    assert_same_path(tiny, 1e-30 * path.coefs, 1e-30 * path.intercepts)


@pytest.mark.parametrize("y", [[0.1, 0.1, 0.1], [1.0, -2.0, 1.0]])
def test_without_correlations_the_alphas_are_scikit_learns(y):
    path = gd_path([[-1.0], [0.0], [1.0]], y, alphas=3)
    assert path.alphas.tolist() == [1e-15] * 3
    assert not path.coefs.any()


def test_columns_that_do_not_vary_have_no_coefficients(rows):
    X, y = rows
    X = np.column_stack([X, np.full(60, 0.1), X[:, 0]])
    path = gd_path(X, y, alphas=6)
    assert not path.coefs[8].any()
    assert np.isfinite(path.coefs).all()
    flat = gd_path(X, np.full(60, 3.0), alphas=3)
    assert not flat.coefs.any()
    np.testing.assert_allclose(flat.intercepts, 3.0)


def test_alphas_that_fall_short_are_counted_and_warned_of(rows):
    X, y = rows
    with pytest.warns(ConvergenceWarning, match=r"\d of 10 alphas used up max_iter=3 "):
        path = gd_path(X, y, alphas=10, max_iter=3)
    assert path.n_iters.max() == 3


def test_on_working_sets_too(wide):
    X, y = wide
    with pytest.warns(ConvergenceWarning, match=r"of 5 alphas used up max_iter=9 "):
        path = gd_path(X, y, alphas=5, max_iter=9)
    assert path.n_iters.max() == 9


class OwnStrategy(ManualStrategy):
    """One of the user's own."""


def test_a_strategy_may_be_an_object(rows):
    X, y = rows
    strategy = OwnStrategy()
    path = gd_path(X, y, alphas=5, strategy=strategy)
    assert_same_path(path, *gd_path(X, y, alphas=5)[1:3])
    assert not hasattr(strategy, "parameters")  # a clone has them


class StartedOnce(ManualStrategy):
    """It keeps the squares of the rows that it has seen first."""

    squares = None

    def start(self, parameters, objective):
        assert self.squares is None
        super().start(parameters, objective)

    def evaluate(self, rows):
        if self.squares is None:
            self.squares = (rows.X**2).sum()
        assert self.squares == (rows.X**2).sum()
        return super().evaluate(rows)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("shape", [(60, 8), (40, 200)])
def test_a_strategy_is_started_once_on_the_same_rows(l1_ratio, shape):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    alphas = np.geomspace(1.0, 0.1, 40)
    one, other = (
        gd_path(X, y, alphas=alphas, l1_ratio=l1_ratio, strategy=strategy)
        for strategy in (StartedOnce(), "manual")
    )
    np.testing.assert_array_equal(one.coefs, other.coefs)


class WrongStrategy(ManualStrategy):
    """Its gradients are too long."""

    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self.gradients = tuple(10 * gradient for gradient in self.gradients)
        return losses


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("max_iter", [20, 1000])
def test_a_strategy_whose_gradients_are_wrong_is_found_out(l1_ratio, max_iter, rows):
    X, y = rows
    options = {"alphas": [1.0, 0.1], "l1_ratio": l1_ratio, "max_iter": max_iter}
    with pytest.raises(DivergenceError, match="diverged at alpha=1:") as caught:
        gd_path(X, y, strategy=WrongStrategy(), **options)
    assert "check_gradient_strategy" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"l1_ratio": 0}, ValueError, "alphas=100 with l1_ratio=0"),
        ({"l1_ratio": 1.5}, ValueError, "'l1_ratio' parameter of gd_path"),
        ({"alphas": 0}, ValueError, "'alphas' parameter of gd_path"),
        ({"alphas": []}, ValueError, "minimum of 1 is required"),
        (
            {"alphas": [[1.0]]},
            ValueError,
            "must be an int, or an array of one dimension",
        ),
        ({"alphas": [1.0, -1]}, ValueError, "at least 0"),
        ({"alphas": [1e308]}, ValueError, r"alphas up to 1e\+308 overflow"),
        ({"alphas": [np.nan]}, ValueError, "alphas contains NaN"),
        ({"eps": 1.5}, ValueError, "'eps' parameter of gd_path"),
        ({"tol": None}, ValueError, "'tol' parameter of gd_path"),
        ({"max_iter": 0}, ValueError, "'max_iter' parameter of gd_path"),
        ({"strategy": "nonsense"}, ValueError, "'strategy' parameter of gd_path"),
        (
            {"strategy": ModuleStrategy(optimizer_params={"momentum": 0.9})},
            ValueError,
            r"takes others\. Use strategy='manual'",
        ),
        ({"y": None}, ValueError, "y=None, and X is not Moments"),
        ({"y": [1.0, 2.0]}, ValueError, "inconsistent numbers of samples"),
        ({"sample_weight": -np.ones(60)}, ValueError, "[Nn]egative"),
    ],
)
def test_bad_input_is_refused(options, error, match, rows):
    X, y = rows
    with pytest.raises(error, match=match):
        gd_path(X, **{"y": y, **options})


@pytest.mark.parametrize("shape", [(60, 8), (6, 8)])
def test_nan_is_named(shape, rows):
    X, y = (each[: shape[0]].copy() for each in rows)
    X[2, 5] = np.nan
    with pytest.raises(ValueError, match=r"contains NaN.*\nColumn 5"):
        gd_path(X, y)


@pytest.mark.parametrize("name", ["y", "sample_weight"])
def test_moments_take_no_rows(name, rows):
    X, y = rows
    with pytest.raises(ValueError, match=f"{name} passed with X=Moments"):
        gd_path(Moments.from_data(X, y), **{name: y})


class WrongForTheLast(ManualStrategy):
    """The gradients of its last target lead uphill."""

    def evaluate(self, rows):
        losses = super().evaluate(rows)
        for gradient in self.gradients:
            gradient[..., -1] *= -0.01
        return losses


def test_a_target_that_rises_is_not_hidden_by_those_that_fall(rows):
    X, y = rows
    targets = np.column_stack([1000 * y, y])
    with pytest.raises(DivergenceError, match="diverged at alpha"):
        gd_path(X, targets, alphas=[1e-3], strategy=WrongForTheLast(), max_iter=60)
