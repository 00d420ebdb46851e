"""check_gradient_strategy finds what is wrong with a strategy."""

import re
from typing import ClassVar

import pytest

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ManualStrategy
from skgd.testing import check_gradient_strategy


class HalfGradient(ManualStrategy):
    def evaluate(self, X, y, weight):
        losses = super().evaluate(X, y, weight)
        self.gradients = tuple(None if g is None else g / 2 for g in self.gradients)
        return losses


class NoInterceptGradient(ManualStrategy):
    def evaluate(self, X, y, weight):
        losses = super().evaluate(X, y, weight)
        if self.intercept is not None:
            self.gradients[1][:] = 0
        return losses


class SumOfSquares(ManualStrategy):
    def evaluate(self, X, y, weight):
        return super().evaluate(X, y, weight) * len(y)


class ScalarLoss(ManualStrategy):
    def evaluate(self, X, y, weight):
        return super().evaluate(X, y, weight).sum()


class IgnoresWeights(ManualStrategy):
    def evaluate(self, X, y, weight):
        return super().evaluate(X, y, None)


class NormalisesNoWeights(ManualStrategy):
    def evaluate(self, X, y, weight):
        if weight is not None:
            weight = weight / weight.max()
        return super().evaluate(X, y, weight)


class AveragesWeightsByBatch(ManualStrategy):
    def evaluate(self, X, y, weight):
        if weight is not None:
            weight = weight / weight.mean()
        return super().evaluate(X, y, weight)


class RemembersRows(ManualStrategy):
    def start(self, coef, intercept, objective):
        super().start(coef, intercept, objective)
        self._rows = None

    def evaluate(self, X, y, weight):
        self._rows = self._rows or (X, y, weight)
        return super().evaluate(*self._rows)


class MixesTargets(ManualStrategy):
    def evaluate(self, X, y, weight):
        losses = super().evaluate(X, y, weight)
        n_targets = y.shape[1]
        self.gradients = tuple(
            None if g is None else g / n_targets for g in self.gradients
        )
        return losses


class Accumulates(ManualStrategy):
    def evaluate(self, X, y, weight):
        before = getattr(self, "gradients", (0, 0))
        losses = super().evaluate(X, y, weight)
        self.gradients = tuple(
            None if g is None else g + b
            for g, b in zip(self.gradients, before, strict=True)
        )
        return losses

    def update(self, learning_rate):
        super().update(learning_rate)
        self.gradients = 0, 0


class StepsTwice(ManualStrategy):
    def update(self, learning_rate):
        super().update(learning_rate)
        super().update(learning_rate)


class MovesInEvaluate(ManualStrategy):
    def evaluate(self, X, y, weight):
        losses = super().evaluate(X, y, weight)
        self.coef += 1e-3
        return losses


class WritesIntoTargets(ManualStrategy):
    def evaluate(self, X, y, weight):
        losses = super().evaluate(X, y, weight)
        y += 1e-12
        return losses


class Upcasts(ManualStrategy):
    def evaluate(self, X, y, weight):
        return super().evaluate(X, y, weight).astype(float)


class StartsAtZero(ManualStrategy):
    def start(self, coef, intercept, objective):
        super().start(coef * 0, intercept, objective)


class KeepsACopy(ManualStrategy):
    def start(self, coef, intercept, objective):
        super().start(coef, intercept, objective)
        self._kept = self.coef.copy()

    def evaluate(self, X, y, weight):
        self.coef = self._kept.copy()
        return super().evaluate(X, y, weight)

    def update(self, learning_rate):
        super().update(learning_rate)
        self._kept = self.coef.copy()


class SharesState(ManualStrategy):
    shared: ClassVar = {}

    def start(self, coef, intercept, objective):
        super().start(coef, intercept, objective)
        self.shared["coef"] = self.coef

    def update(self, learning_rate):
        self.coef = self.shared["coef"]
        super().update(learning_rate)

    @property
    def coef(self):
        return self.shared["coef"]

    @coef.setter
    def coef(self, value):
        self.shared["coef"] = value


class Fails(ManualStrategy):
    def evaluate(self, X, y, weight):
        raise RuntimeError("out of order")


class Transposes(ManualStrategy):
    def evaluate(self, X, y, weight):
        losses = super().evaluate(X, y, weight)
        self.gradients = self.gradients[0].T, self.gradients[1]
        return losses


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (HalfGradient, "finite differences.*are 0.5 times what they should be"),
        (NoInterceptGradient, r"finite differences.*\(intercept\) are 0 times"),
        (SumOfSquares, "losses are the objective.*are 5 times"),
        (ScalarLoss, r"evaluate returned shape \(\), not \(1,\)"),
        (IgnoresWeights, "weight 2 equals the row twice"),
        (NormalisesNoWeights, "weight 2 equals the row twice"),
        (AveragesWeightsByBatch, "losses of a part of the rows"),
        (RemembersRows, "losses of a part of the rows"),
        (MixesTargets, "targets do not mix"),
        (Accumulates, r"evaluating twice.*gradients \(coef\) are 2 times"),
        (StepsTwice, "a plain step is"),
        (MovesInEvaluate, "evaluating twice.*parameters before and after"),
        (WritesIntoTargets, "writes into none of the data.*y was changed"),
        (Upcasts, "keeps float32.*dtypes"),
        (StartsAtZero, "starts where it is told"),
        (KeepsACopy, "what is written into coef"),
        (SharesState, "clones share nothing"),
        (Fails, r"RuntimeError\('out of order'\)"),
        (Transposes, r"gradients have shapes \[\(1, 4\), \(1,\)\]"),
    ],
)
def test_a_broken_property_is_named(broken, expected):
    with pytest.raises(AssertionError, match=f"{broken.__name__}.*breaks") as failure:
        check_gradient_strategy(broken())
    failure.match(expected)
    for line in str(failure.value).splitlines()[1:]:
        assert re.match(r"- .*: on .* \(n_rows=\d+, .* float\d\d.*\): ", line)


@pytest.mark.parametrize("broken", [ScalarLoss, Fails])
def test_an_error_inside_a_strategy_points_to_the_check(broken):
    with pytest.raises((TypeError, RuntimeError)) as failure:
        GDLinearRegressor(broken()).fit([[1.0], [2.0]], [1.0, 2.0])
    assert "check_gradient_strategy" in failure.value.__notes__[0]
    assert broken.__name__ in failure.value.__notes__[0]


def test_a_wrong_gradient_is_not_blamed_on_the_learning_rate():
    class WrongSign(ManualStrategy):
        def update(self, learning_rate):
            super().update(-learning_rate)

    with pytest.raises(DivergenceError, match="check_gradient_strategy"):
        GDLinearRegressor(WrongSign()).fit([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])


def test_an_approximate_gradient_passes_with_the_rtol_it_needs():
    class Approximate(ManualStrategy):
        def evaluate(self, X, y, weight):
            losses = super().evaluate(X, y, weight)
            factor = 1 + X.dtype.type(1e-6)
            self.gradients = tuple(
                None if g is None else g * factor for g in self.gradients
            )
            return losses

    check_gradient_strategy(Approximate(), rtol=1e-5)
    with pytest.raises(AssertionError, match="derived formula"):
        check_gradient_strategy(Approximate())


def test_only_the_problems_asked_for_are_run():
    with pytest.raises(AssertionError) as both:
        check_gradient_strategy(Fails())
    with pytest.raises(AssertionError) as without:
        check_gradient_strategy(Fails(), fit_intercept=False)
    assert "on one feature" in str(both.value)
    assert "also on: several features, weights," in str(both.value)
    assert isinstance(both.value.__cause__, RuntimeError)
    assert "no intercept" not in str(both.value)
    assert "float64, no intercept)" in str(without.value)
    # What fails in the same way is told once: here, with weights and without.
    assert len(str(both.value).splitlines()) == 3


@pytest.mark.parametrize("other", ["manual", ManualStrategy])
def test_something_else_is_refused(other):
    with pytest.raises(TypeError, match="takes an instance"):
        check_gradient_strategy(other)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "nothing to check it on"),
        ("squared_error", r"write \('squared_error',\)"),
        (("squared",), r"Those that there are: \('squared_error'"),
    ],
)
def test_losses_that_name_none_are_no_pass(names, message):
    class Strategy(ManualStrategy):
        losses: ClassVar = names

    with pytest.raises(AssertionError, match=message):
        check_gradient_strategy(Strategy())


@pytest.mark.parametrize("fit_intercept", ["x", 2, "auto"])
def test_a_fit_intercept_that_asks_for_no_problem_is_refused(fit_intercept):
    with pytest.raises(ValueError, match=f"Got {fit_intercept!r} instead"):
        check_gradient_strategy(ManualStrategy(), fit_intercept=fit_intercept)
