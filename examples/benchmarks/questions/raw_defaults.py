"""How near to least squares do default parameters come on data as they are?

Whole tables in raw units, no scaling, nothing tuned. The excess is that of the mean
squared error over the least, relative to it. A wide table can be met exactly: its
excess is the share of the variance of y that is left. Ridge, ElasticNet and skglm are
penalized by default, so theirs is no failure. skorch's is a net of one nn.Linear, told
the shapes, without the rows that it holds out by default. (w): it raised a
ConvergenceWarning. The second table has the time of a fit.
"""

import numpy as np
import pandas as pd
from accuracy import Optimum
from libraries import STRATEGIES, with_defaults
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from measuring import Problem, Rows, measure_fits
from presenting import cells, count_text, crossed, excess_text
from problems import RAW

FULL = [{"data": name, "rounds": 10} for name in RAW]
QUICK = [{"data": "linnerud", "rounds": 1}]  # several targets


def measure(data: str, rounds: int) -> Rows:
    X, y = RAW[data]()
    y = y.astype(float)  # classes as numbers
    models = with_defaults(several_targets=y.ndim > 1)
    problem = Problem(X, y, Optimum(X, y).excess)
    rows = measure_fits(models, problem, rounds, patience=2.0)
    n, d = X.shape
    return [{"n": n, "d": d, **row} for row in rows]


def tables(results: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the excess of each library, then what ours took."""
    warned = results.warnings.fillna("").str.contains("ConvergenceWarning")
    excess = results.excess.map(excess_text) + warned.map({True: " (w)", False: ""})
    taken = crossed(results, "data", "library", cells(results, ["seconds"]))
    manual = results[results["library"] == "skgd manual"].set_index("data")
    sizes = {"rows x columns": manual.case, "epochs": manual.epochs.map(count_text)}
    shown = [*(f"skgd {name}" for name in STRATEGIES), "LinearRegression"]
    accuracy = crossed(results, "data", "library", excess)
    return [accuracy, pd.DataFrame(sizes).join(taken[shown])]


def draw(results: pd.DataFrame, figure: Figure) -> None:
    """Draw the table of excesses, from white for none to red for what is useless."""
    excess = results.pivot(index="data", columns="library", values="excess")
    excess = excess.loc[results.data.unique(), results["library"].unique()]
    figure.set_figheight(1.5 + 0.27 * len(excess))
    axes = figure.subplots()
    shades, cmap = LogNorm(1e-8, 1e3), colormaps["OrRd"].resampled(11)  # a decade each
    drawn = excess.clip(1e-12, 1e12).fillna(1e12)
    image = axes.imshow(drawn, cmap=cmap, norm=shades, aspect="auto")
    for (row, column), value in np.ndenumerate(excess.to_numpy()):
        style = {"ha": "center", "va": "center", "fontsize": 8}
        style["color"] = "black" if value < 0.1 else "white"
        axes.text(column, row, excess_text(value), **style)
    tilted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(excess.shape[1]), excess.columns, **tilted)
    axes.set_yticks(range(len(excess)), excess.index)
    axes.grid(visible=False)
    title = "excess loss with default parameters on raw data"
    axes.set_title(f"{title} (nan: predicts nothing finite)")
    figure.colorbar(image, extend="both", pad=0.01)
