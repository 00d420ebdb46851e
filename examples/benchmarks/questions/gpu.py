"""How long does a fit take of rows that lie on a GPU, and how near does it come?

The columns are float32 and standard normal, about zero or ten spreads away from it.
They are drawn on the GPU and stay there: ours and scikit-learn's Ridge take tensors,
and have tensors for coefficients, under its `array_api_dispatch`. Beside X: the peak of
torch's memory on the GPU, over the size of X. The excess of the mean squared error is
over the least in float64; Huber's loss has another minimum. `torch.linalg.lstsq` has a
column of ones, and takes a QR decomposition. The normal equations are those of a copy
about the means, or of X as it is, corrected for the means afterwards. `X.T @ X` is one
product, which predicts nothing. nn.Linear takes twenty steps of SGD on a standardized
copy, and knows the best learning rate beforehand; independent columns are what suits it
best. What does not fit into memory, or would take more than twenty seconds by what a
fifth of the rows take, is left out, with the reason in place of the time.
"""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from accuracy import Optimum
from by_hand import ByHand, module, product
from libraries import STRATEGIES, peer
from matplotlib.figure import Figure
from measuring import (
    Problem,
    Rows,
    allocated_growth,
    measure_fits,
    noting_warnings,
    peak_growth,
    seconds_of,
)
from presenting import draw_panels, listed
from sklearn import config_context
from sklearn.linear_model import Ridge

from questions import cases
from skgd import GDLinearRegressor

COLUMNS = "n d offset rounds"
FULL = cases(
    COLUMNS, (1_000_000, 200, 10, 5), (10_000_000, 200, 0, 3), (10_000_000, 200, 10, 3)
)
QUICK = cases(COLUMNS, (20_000, 20, 10, 1))

EPOCHS = 20  # of nn.Linear
LIMIT = 20.0  # seconds of a fit
PARTS = 50, 5  # the rows over those of the trials that tell how long it would take


def unavailable() -> str:
    """Return why the full cases cannot be measured here, or nothing."""
    return "" if torch.cuda.is_available() else "torch finds no GPU that has CUDA"


def measure(n: int, d: int, offset: int, rounds: int) -> Rows:
    X, y = rows_on_device(n, d, offset)
    optimum = Optimum(X, y)
    case = f"{n:,} x {d}, columns about {offset}"
    models = compared(1 / optimum.largest_curvature)
    # What the first fits warn of is noted of those that are measured.
    with config_context(array_api_dispatch=True), noting_warnings():
        tried = {library: tried_once(model, X, y) for library, model in models.items()}
        ladders = {name: [models[name]] for name in tried if not tried[name]["note"]}
        problem = Problem(X, y, optimum.excess)
        measured = measure_fits(ladders, problem, rounds, patience=LIMIT)
    reached = {row["library"]: row for row in measured}
    return [
        {"case": case, "library": library, **row, **reached.get(library, {})}
        for library, row in tried.items()
    ]


def rows_on_device(n: int, d: int, offset: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw rows where they are fitted: on the GPU, if there is one."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    draw = partial(torch.randn, generator=torch.Generator(device).manual_seed(0))
    X = draw(n, d, device=device).add_(offset)
    return X, X @ draw(d, device=device) + draw(n, device=device)


class OnDevice:
    """An estimator of tensors whose fit ends when the device has done its work.

    It predicts in NumPy, in float64.
    """

    def __init__(self, model: Any, torch_allocates: bool = True) -> None:
        self.model = model
        self.torch_allocates = torch_allocates

    def fit(self, X: torch.Tensor, y: torch.Tensor) -> "OnDevice":
        self.model.fit(X, y)
        if X.is_cuda:
            torch.cuda.synchronize()
        self.n_iter_ = getattr(self.model, "n_iter_", None)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        model = self.model
        fitted = map(torch.as_tensor, (model.coef_, model.intercept_))
        coef, intercept = (part.double().numpy(force=True) for part in fitted)
        return X @ coef.ravel() + intercept


def compared(rate: float) -> dict[str, OnDevice]:
    """Return what is compared by its name; cuML only where it is installed."""
    direct = {
        "torch.linalg.lstsq": lstsq,
        "normal equations, centred copy": normal_equations_of_copy,
        "normal equations, no copy": normal_equations,
        "X.T @ X": product,
    }
    models = {
        **{f"skgd {name}": GDLinearRegressor(name) for name in STRATEGIES},
        "skgd manual, Huber's loss": GDLinearRegressor(loss="huber", epsilon=1.35),
        **{library: ByHand(solve, rate) for library, solve in direct.items()},
        "Ridge, svd": Ridge(alpha=0, solver="svd"),
        "nn.Linear by hand": ByHand(standardized_module, rate, EPOCHS),
    }
    of_torch = {library: OnDevice(model) for library, model in models.items()}
    cuml = {"cuML": peer("cuml.LinearRegression")}
    return of_torch | {
        library: OnDevice(model, torch_allocates=False)
        for library, ladder in cuml.items()
        for model in ladder
    }


def lstsq(X, y, *_):
    with_ones = torch.hstack([X, X.new_ones(len(X), 1)])
    solution = torch.linalg.lstsq(with_ones, y[:, None], driver="gels").solution[:, 0]
    return solution[:-1], solution[-1]


def normal_equations_of_copy(X, y, *_):
    mean, y_mean = X.mean(0), y.mean()
    centred = X - mean
    coef = torch.linalg.solve(centred.T @ centred, centred.T @ (y - y_mean))
    return coef, y_mean - mean @ coef


def normal_equations(X, y, *_):
    n, mean, y_mean = len(X), X.mean(0), y.mean()
    XX = X.T @ X - n * torch.outer(mean, mean)
    coef = torch.linalg.solve(XX, X.T @ y - n * mean * y_mean)
    return coef, y_mean - mean @ coef


def standardized_module(X, y, learning_rate, epochs, batch_size):
    mean, spread = X.mean(0), X.std(0)
    columns = (X - mean).div_(spread)
    scaled_coef, at_mean = module(columns, y, learning_rate, epochs, batch_size)
    coef = scaled_coef / spread.numpy(force=True)
    return coef, at_mean - mean.numpy(force=True) @ coef


def tried_once(model: OnDevice, X: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
    """Return the peak of a fit's memory over the size of X, or why there is none."""
    heads = [(X[: len(X) // parts], y[: len(X) // parts]) for parts in PARTS]
    try:
        model.fit(*heads[0])  # loads what the device needs
        for head in heads:
            if seconds_of(partial(model.fit, *head)) > LIMIT / PARTS[-1]:
                return {"note": f"more than {LIMIT:.0f} s"}
        growth = allocated_growth if X.is_cuda else peak_growth
        over_X = growth(partial(model.fit, X, y)) / X.nbytes
    except (torch.OutOfMemoryError, MemoryError):
        return {"note": "out of memory"}
    except RuntimeError as error:  # as of a size that a library of the GPU's refuses
        return {"note": str(error).partition(",")[0].partition("\n")[0]}
    return {"note": "", "over_X": over_X if model.torch_allocates else np.nan}


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table for each case."""
    return [
        table_of(part.reset_index(drop=True))
        for _, part in results.groupby("case", sort=False)
    ]


def table_of(results: pd.DataFrame) -> pd.DataFrame:
    """Return what one case took and reached, or why it was left out."""
    heads = {"fit": "seconds", "over the first": "ratio", "beside X": "over_X"}
    [table] = listed(results, **heads, excess="excess", epochs="epochs")
    left_out = results.note.notna().to_numpy()
    table[left_out] = ""
    table.loc[left_out, "fit"] = results.note[left_out].to_numpy()
    return table.replace(["nan", "nan X", "nanx"], "")


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the time of each fit that was measured."""
    measured = results.dropna(subset="seconds")
    draw_panels(measured, figure, xlabel="time of a fit", n_columns=2)
