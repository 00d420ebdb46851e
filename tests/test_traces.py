"""The training logs that public notebooks print, digit by digit."""

import json
from pathlib import Path

import numpy as np
import pytest

from skgd import GDLinearRegressor
from skgd.callback import DescentHistory

TRACES = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent / "data" / "traces").glob("*.json"))
}


def train(trace, strategy):
    """Repeat a notebook's training; return the model and the table of its descent."""
    X = np.array(trace["X"], dtype=trace["dtype"])[:, None]
    y = np.array(trace["y"], dtype=trace["dtype"])
    # One trace steps along the gradient of the sum of squares: n times the mean's.
    times = len(y) if trace["gradient"] == "sum" else 1
    model = GDLinearRegressor(
        strategy,
        fit_intercept=trace["fit_intercept"],
        learning_rate=trace["learning_rate"] * times,
        max_iter=trace["epochs"],
        tol=None,
    )
    history = DescentHistory()
    model.set_callbacks(history).fit(
        X, y, coef_init=[trace["coef_init"]], intercept_init=trace["intercept_init"]
    )
    return model, history.to_frame()


@pytest.mark.parametrize("name", TRACES)
def test_every_strategy_has_the_notebooks_numbers(name, strategy):
    trace = TRACES[name]
    model, table = train(trace, strategy)
    assert list(table.index) == list(range(trace["epochs"] + 1))
    assert model.loss_curve_ == list(table["loss"])[:-1]
    updated = trace["coef_is"] == "after the update"

    half_a_digit = 0.5 * 10.0 ** -trace["decimals"] * (1 + 1e-9)
    float32 = 1e-6  # eight roundings
    for row in trace["rows"]:
        k = int(row["epoch"]) - trace["epoch_base"]
        before = table.loc[k]

        slack = half_a_digit + float32 * row["loss"]
        if k == 0 and trace["fit_intercept"]:
            # Its start is printed with 5 digits: half a digit times a slope of 2,300.
            slack += 2300 * half_a_digit
        assert before["loss"] == pytest.approx(row["loss"], abs=slack)

        coef = table.loc[k + updated, "coef_x0"]
        assert coef == pytest.approx(row["coef"], abs=half_a_digit + float32)

        if "gradient" in row:
            # The notebooks differ among themselves by 4e-4: residuals of numbers of
            # 100, in float32, times an x of 50.
            slack = half_a_digit + float32 * abs(row["gradient"]) + 5e-4
            norm = before["gradient_norm"]
            assert norm == pytest.approx(abs(row["gradient"]), abs=slack)

        if "intercept" in row:
            slack = 2 * half_a_digit  # its start is rounded as well
            assert before["intercept"] == pytest.approx(row["intercept"], abs=slack)


@pytest.mark.parametrize(
    ("name", "x", "prediction"),
    [("signed_manual", 5, 9.949862318549542), ("tens_module", 60, 119.7146)],
)
def test_every_strategy_predicts_what_the_notebook_predicts(
    name, x, prediction, strategy
):
    model, _ = train(TRACES[name], strategy)
    assert model.predict([[x]])[0] == pytest.approx(prediction, rel=1e-6)
