"""One descent in three coordinates: raw, standardized and whitened columns.

    python examples/conditioning.py

The breast cancer table has 30 columns of very different sizes, and many go together:
radius, perimeter and area of the same cells. The loss curves little in some directions
and much in others, and the steepest one limits the step. In the flattest, an epoch of
plain gradient descent takes off only 1/c^2 of the error, where c is the condition
number of the columns.

raw: c is 1.5 million. After 1000 epochs the loss is 3.9 times the least one.
standardized: the units are gone, but how the columns correlate is not, and c is 316.
    110 epochs come within 10% of the least loss, and 1000 within 2%. Momentum, with
    which the epochs grow as c and not as c^2, comes within 10% in 26 and 0.1% in 679.
whitened: the columns do not correlate and have variance one, so that c is 1. The first
    step is Newton's, and ends at the least loss.

Whitening is the default, GDLinearRegressor(). It then takes 2 epochs: the step, and a
look at the gradient, which is zero but for rounding. It is paid for beforehand, with a
triangular factor of the table, as in a direct solver. The curves are saved in the
current folder, as conditioning.png.
"""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor

EPOCHS = 1000
EXCESSES = 1e-1, 1e-3, 1e-6
COORDINATES = {
    "raw": {"standardize": False, "whiten": False},
    "standardized": {"whiten": False},  # "auto" standardizes
    "whitened": {"whiten": True},
}


def main() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    least = np.mean((y - LinearRegression().fit(X, y).predict(X)) ** 2)

    # The descent makes such columns itself; these are for their condition numbers.
    standardized = StandardScaler().fit_transform(X)
    whitened = PCA(whiten=True).fit_transform(standardized)
    conditions = [condition(columns) for columns in (X, standardized, whitened)]

    print(f"{len(X)} rows, {X.shape[1]} columns, target 0 or 1; least loss {least:.4f}")
    print("excess: how far the loss is above the least one, as a share of that\n")
    print(f"{'':<12} {'condition':>9} {'':>8}  epochs to an excess of")
    print(
        f"{'columns':<12} {'number':>9} {'momentum':>8}"
        + "".join(f" {excess:>11g}" for excess in EXCESSES)
        + f"  excess after {EPOCHS}"
    )
    curves = {}
    for (name, parameters), number in zip(COORDINATES.items(), conditions, strict=True):
        for momentum in 0.0, "auto":
            model = GDLinearRegressor(
                learning_rate="auto",
                momentum=momentum,
                max_iter=EPOCHS + 1,  # loss_curve_[k] is the loss after k epochs
                tol=None,  # all of them, converged or not
                **parameters,
            ).fit(X, y)
            curve = curves[name, momentum] = np.array(model.loss_curve_) / least - 1
            print(
                f"{name:<12} {number:>9,.0f} {momentum:>8}"
                + "".join(f" {epochs_to(excess, curve):>11}" for excess in EXCESSES)
                + f"  {max(curve[-1], 0):>17.1e}"  # rounding may make it less than 0
            )

    model = GDLinearRegressor().fit(X, y)
    print(f"\nGDLinearRegressor() whitens, and stops by tol: {model.n_iter_} epochs")
    save_picture("conditioning.png", curves)


def condition(columns: np.ndarray) -> float:
    """Return the condition number of columns and that of ones, for the intercept."""
    return np.linalg.cond(np.column_stack([columns, np.ones(len(columns))]))


def epochs_to(excess: float, curve: np.ndarray) -> str:
    """Return after how many epochs the excess of the loss is that, or less."""
    (epochs,) = np.nonzero(curve <= excess)
    return str(epochs[0]) if len(epochs) else f"not in {EPOCHS}"


def save_picture(path: str, curves: dict) -> None:
    """Draw the excess of the loss by epoch; thin lines are with momentum."""
    mpl.use("Agg")  # needs no screen
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    styles = {"raw": ("C3", ":"), "standardized": ("C0", "--"), "whitened": ("k", "-")}
    for name, (color, style) in styles.items():
        for momentum, width in {0.0: 2.5, "auto": 1.0}.items():
            curve = np.maximum(curves[name, momentum], 1e-16)  # a logarithm needs > 0
            label = name if momentum == 0.0 else f"{name}, momentum"
            if name != "whitened" or momentum == 0.0:  # the two are one there
                axes.plot(curve, color=color, linestyle=style, lw=width, label=label)
    axes.set_xscale("symlog", linthresh=1)  # logarithmic, but from 0 to 1
    axes.set_yscale("log")
    axes.set(
        xlabel="epochs done (logarithmic from 1 on)",
        ylabel="(loss - least loss) / least loss",
        xlim=(0, EPOCHS),
        ylim=(1e-17, 1e2),
    )
    axes.annotate("only rounding is left", (4, 2e-15))
    axes.legend(loc="center left", bbox_to_anchor=(0.35, 0.45))
    figure.savefig(path)
    print(f"\nsaved {path}")


if __name__ == "__main__":
    main()
