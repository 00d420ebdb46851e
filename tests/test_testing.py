"""check_gradient_strategy finds what is wrong with a strategy."""

import re
from copy import deepcopy
from operator import add
from typing import ClassVar

import numpy as np
import pytest

from skgd import DivergenceError, GDLinearRegressor
from skgd.strategies import ManualStrategy
from skgd.testing import check_gradient_strategy
from skgd.testing._properties import PLAIN_PROPERTIES, PROPERTIES


class HalfGradient(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self.gradients = tuple(g / 2 for g in self.gradients)
        return losses


class NoInterceptGradient(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        for gradient in self.gradients[1:]:
            gradient[:] = 0
        return losses


class SumOfSquares(ManualStrategy):
    def evaluate(self, rows):
        return super().evaluate(rows) * len(rows.y)


class ScalarLoss(ManualStrategy):
    def evaluate(self, rows):
        return super().evaluate(rows).sum()


class IgnoresWeights(ManualStrategy):
    def evaluate(self, rows):
        return super().evaluate(rows._replace(weight=None))


class WithWeightsOver(ManualStrategy):
    """Divides the weights of a batch by what `unit` makes of them."""

    unit: ClassVar = staticmethod(np.max)

    def evaluate(self, rows):
        if rows.weight is not None:
            rows = rows._replace(weight=rows.weight / self.unit(rows.weight))
        return super().evaluate(rows)


class AveragesWeightsByBatch(WithWeightsOver):
    unit = staticmethod(np.mean)


class RemembersRows(ManualStrategy):
    def start(self, parameters, objective):
        super().start(parameters, objective)
        self._rows = None

    def evaluate(self, rows):
        self._rows = self._rows or rows
        return super().evaluate(self._rows)


class MixesTargets(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self.gradients = tuple(g / rows.n_targets for g in self.gradients)
        return losses


class Accumulates(ManualStrategy):
    def start(self, parameters, objective):
        super().start(parameters, objective)
        self.gradients = 0, 0

    def evaluate(self, rows):
        before = self.gradients
        losses = super().evaluate(rows)
        self.gradients = tuple(map(add, self.gradients, before))
        return losses


class StepsTwice(ManualStrategy):
    def update(self, learning_rate):
        super().update(learning_rate)
        super().update(learning_rate)


class MeanOfTheRates(ManualStrategy):
    def update(self, learning_rate):
        super().update(np.mean(learning_rate, dtype=self.parameters[0].dtype))


class StepsAlongItsOwn(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self._own = self.gradients
        return losses

    def update(self, learning_rate):
        for parameter, gradient in zip(self.parameters, self._own, strict=True):
            parameter -= learning_rate * gradient


class ComputedGradients(ManualStrategy):
    @property
    def gradients(self):
        return self._gradients

    @gradients.setter
    def gradients(self, gradients):
        if not hasattr(self, "_gradients"):
            self._gradients = gradients

    def evaluate(self, rows):
        vars(self).pop("_gradients", None)
        return super().evaluate(rows)


class ChangesGradientsInUpdate(ManualStrategy):
    def update(self, learning_rate):
        super().update(learning_rate)
        for gradient in self.gradients:
            gradient *= learning_rate


class MovesInEvaluate(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self.parameters[0][:] += 1e-3
        return losses


class WritesIntoTargets(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        rows.y[:] += 1e-12
        return losses


class Upcasts(ManualStrategy):
    def evaluate(self, rows):
        return super().evaluate(rows).astype(float)


class Densifies(ManualStrategy):
    def evaluate(self, rows):
        return super().evaluate(rows._replace(X=np.asarray(rows.X)))


class StartsAtZero(ManualStrategy):
    def start(self, parameters, objective):
        super().start(tuple(0 * p for p in parameters), objective)


class StartsOnce(ManualStrategy):
    def start(self, parameters, objective):
        if not hasattr(self, "_moved"):
            super().start(parameters, objective)

    def update(self, learning_rate):
        super().update(learning_rate)
        self._moved = True


class KeepsACopy(ManualStrategy):
    def start(self, parameters, objective):
        super().start(parameters, objective)
        self._kept = deepcopy(parameters)

    def evaluate(self, rows):
        self.parameters = deepcopy(self._kept)
        return super().evaluate(rows)

    def update(self, learning_rate):
        super().update(learning_rate)
        self._kept = deepcopy(self.parameters)


class SharesState(ManualStrategy):
    shared: ClassVar = {}

    @property
    def parameters(self):
        return self.shared["parameters"]

    @parameters.setter
    def parameters(self, parameters):
        self.shared["parameters"] = parameters


class StopsAfterThreeSteps(ManualStrategy):
    def start(self, parameters, objective):
        super().start(parameters, objective)
        self._left = 3

    def update(self, learning_rate):
        self._left -= 1
        if self._left >= 0:
            super().update(learning_rate)


class Fails(ManualStrategy):
    def evaluate(self, rows):
        raise RuntimeError("out of order")


class Transposes(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        coef_gradient, *others = self.gradients
        self.gradients = coef_gradient.T, *others
        return losses


class OneGradientTooFew(ManualStrategy):
    def evaluate(self, rows):
        losses = super().evaluate(rows)
        self.gradients = self.gradients[:1]
        return losses


class ResumesNothing(ManualStrategy):
    def resume(self, state):
        pass


class GainsSpeed(ManualStrategy):
    """Steps by a velocity, which its state leaves out."""

    plain = False

    def start(self, parameters, objective):
        super().start(parameters, objective)
        self._velocity = [0 * parameter for parameter in parameters]

    def update(self, learning_rate):
        for i, gradient in enumerate(self.gradients):
            self._velocity[i] = 0.9 * self._velocity[i] + gradient
        gradients, self.gradients = self.gradients, tuple(self._velocity)
        super().update(learning_rate)
        self.gradients = gradients

    def state(self):
        return deepcopy(self.parameters)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (ResumesNothing, r"Another goes on from its state"),
        (GainsSpeed, r"Another goes on from its state"),
        (HalfGradient, r"finite differences.*are 0\.5 times what they should be"),
        (NoInterceptGradient, r"finite differences.*\(intercept\) are 0 times"),
        (SumOfSquares, "Losses are the objective.*are 5 times"),
        (ScalarLoss, r"losses have shapes \[\(\)\], not \[\(1,\)\]"),
        (IgnoresWeights, "Weight 2 equals the row twice"),
        (WithWeightsOver, "Weight 2 equals the row twice"),
        (AveragesWeightsByBatch, "Losses of a part of the rows"),
        (RemembersRows, "Losses of a part of the rows"),
        (MixesTargets, "Targets do not mix"),
        (Accumulates, r"Two evaluations.*gradients \(coef\) are 2 times"),
        (StepsTwice, "Plain steps are"),
        (MeanOfTheRates, "^- Learning rates, one for each target, multiply"),
        (StepsAlongItsOwn, "^- Update follows gradients that are assigned"),
        (ComputedGradients, "^- Update follows.*gradients after assignment"),
        (ChangesGradientsInUpdate, "Plain steps are.*gradients after update"),
        (MovesInEvaluate, "Two evaluations.*parameters before and after"),
        (WritesIntoTargets, "All data are left as they were.*y was changed"),
        (Upcasts, "All answers have the dtype of the data.*dtypes"),
        (Densifies, "Sparse rows give what dense ones do"),
        (StartsAtZero, "Parameters are those that start was given"),
        (StartsOnce, "Parameters are those that start was given.*a restart"),
        (KeepsACopy, "Parameters that are written into"),
        (SharesState, "Clones share nothing"),
        (StopsAfterThreeSteps, "^- In an estimator, it takes the same steps"),
        (Fails, r"RuntimeError\('out of order'\)"),
        (Transposes, r"gradients have shapes \[\(1, 4\), \(1,\)\]"),
        (OneGradientTooFew, r"gradients have shapes .*, not \[.*, \(1,\)\]"),
    ],
)
def test_a_broken_property_is_named(broken, expected):
    with pytest.raises(AssertionError, match=f"{broken.__name__}.*breaks") as failure:
        check_gradient_strategy(broken(), fit_intercept=True)
    message = str(failure.value)
    assert re.search(expected, message, re.MULTILINE), message
    for line in message.splitlines()[1:]:
        assert re.match(r"- .*: on .* \(n_rows=\d+, .* float\d\d.*\): ", line)


def test_the_documented_properties_are_those_that_are_checked():
    documented = re.findall("^    - (.*)$", check_gradient_strategy.__doc__, re.M)
    checked = [check.__doc__ for check in PROPERTIES + PLAIN_PROPERTIES]
    assert documented == checked


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
        def evaluate(self, rows):
            losses = super().evaluate(rows)
            factor = 1 + rows.y.dtype.type(1e-6)
            self.gradients = tuple(factor * g for g in self.gradients)
            return losses

    check_gradient_strategy(Approximate(), rtol=1e-5, fit_intercept=True)
    with pytest.raises(AssertionError, match="derived formula"):
        check_gradient_strategy(Approximate(), fit_intercept=True)


def test_only_the_problems_asked_for_are_run():
    with pytest.raises(AssertionError) as both:
        check_gradient_strategy(Fails())
    with pytest.raises(AssertionError) as without:
        check_gradient_strategy(Fails(), fit_intercept=False)
    assert "on one feature" in str(both.value)
    assert "also on: several features; weights;" in str(both.value)
    assert isinstance(both.value.__cause__, RuntimeError)
    assert "no intercept" not in str(both.value)
    assert "float64, no intercept)" in str(without.value)
    # What fails in the same way is told once: here, with weights and without.
    assert len(str(both.value).splitlines()) == 3


@pytest.mark.parametrize("penalizes", [True, False])
def test_a_penalty_that_a_strategy_does_not_declare_is_said_to_be_that_of_fit(
    penalizes,
):
    strategy = type("Fails", (Fails,), {"penalizes": penalizes})()
    with pytest.raises(AssertionError) as failure:
        check_gradient_strategy(strategy, fit_intercept=True)
    assert ("; a penalty;" in str(failure.value)) == penalizes
    assert ("; an L1 penalty, which fit applies" in str(failure.value)) != penalizes


@pytest.mark.parametrize("other", ["manual", ManualStrategy])
def test_something_else_is_refused(other):
    with pytest.raises(TypeError, match="must be an instance"):
        check_gradient_strategy(other)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), r"one or more of \('squared_error', 'huber', 'custom'\)\. Got \(\)"),
        ("squared_error", "must be a tuple .* Got 'squared_error'"),
        (("squared",), r"Got \('squared',\)"),
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
