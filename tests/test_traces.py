"""The printed training logs of public notebooks, digit by digit."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from skgd import GDLinearRegressor

TRACES = {
    path.stem: json.loads(path.read_text())
    for path in sorted((Path(__file__).parent / "data" / "traces").glob("*.json"))
}
LOG_LINE = re.compile(
    r"(epoch|after) (?P<epoch>\d+)( epochs)?: loss = (?P<loss>\S+), "
    r"gradient norm = (?P<gradient>\S+), coef = (?P<coef>[^, ]+)"
    r"(, intercept = (?P<intercept>\S+))?"
)


def train(trace, strategy):
    """Repeat a notebook's training, and print its log."""
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
        verbose=1,
    )
    return model.fit(
        X, y, coef_init=[trace["coef_init"]], intercept_init=trace["intercept_init"]
    )


@pytest.mark.parametrize("name", TRACES)
def test_every_strategy_prints_the_notebooks_numbers(name, strategy, capsys):
    trace = TRACES[name]
    model = train(trace, strategy)
    log = [LOG_LINE.fullmatch(line) for line in capsys.readouterr().out.splitlines()]
    assert [int(line["epoch"]) for line in log] == list(range(trace["epochs"] + 1))
    updated = trace["coef_is"] == "after the update"

    half_a_digit = 0.5 * 10.0 ** -min(trace["decimals"], 5) * (1 + 1e-9)
    float32 = 1e-6  # eight roundings
    for row in trace["rows"]:
        k = int(row["epoch"]) - trace["epoch_base"]

        slack = half_a_digit + float32 * row["loss"]
        if k == 0 and trace["fit_intercept"]:
            # Its start is printed with 5 digits: half a digit times a slope of 2,300.
            slack += 2300 * half_a_digit
        assert model.loss_curve_[k] == pytest.approx(row["loss"], abs=slack)
        assert float(log[k]["loss"]) == pytest.approx(row["loss"], abs=slack + 5e-6)

        coef = float(log[k + updated]["coef"])
        slack = half_a_digit + 5e-6 + float32
        assert coef == pytest.approx(row["coef"], abs=slack)

        if "gradient" in row:
            # The notebooks differ among themselves by 4e-4: residuals of numbers of
            # 100, in float32, times an x of 50.
            slack = half_a_digit + float32 * abs(row["gradient"]) + 5e-4
            norm = float(log[k]["gradient"])
            assert norm == pytest.approx(abs(row["gradient"]), abs=slack)

        if "intercept" in row:
            intercept = float(log[k]["intercept"])
            slack = 2 * half_a_digit + 5e-6  # its start is rounded as well
            assert intercept == pytest.approx(row["intercept"], abs=slack)


@pytest.mark.parametrize(
    ("name", "x", "prediction"),
    [("signed_manual", 5, 9.949862318549542), ("tens_module", 60, 119.7146)],
)
def test_every_strategy_predicts_what_the_notebook_predicts(
    name, x, prediction, strategy
):
    model = train(TRACES[name], strategy)
    assert model.predict([[x]])[0] == pytest.approx(prediction, rel=1e-6)
