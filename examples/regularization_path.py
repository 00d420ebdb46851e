"""The lasso's path: a hundred penalties, each fit from where the last one ended.

    python examples/regularization_path.py

The table is read once, for its moments. Condensed to a few rows, every fit then costs
milliseconds at most, however many rows there were. Beside it the path of scikit-learn's
enet_path. The picture is saved in the current folder, as regularization_path.png.
"""

from time import perf_counter

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import enet_path
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor, Moments

ALPHAS = np.geomspace(45, 0.045, 100)


def main() -> None:
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)

    begin = perf_counter()
    few_rows, few_targets = Moments.from_data(X, y).condense()
    model = GDLinearRegressor(l1_ratio=1.0, warm_start=True, tol=1e-6)
    path, epochs = [], 0
    for alpha in ALPHAS:
        model.set_params(alpha=alpha).fit(few_rows, few_targets)
        path.append(model.coef_)
        epochs += model.n_iter_
    path = np.array(path)
    seconds = perf_counter() - begin

    begin = perf_counter()
    _, expected, _ = enet_path(X, y - y.mean(), l1_ratio=1.0, alphas=ALPHAS, tol=1e-8)
    peer_seconds = perf_counter() - begin

    print(f"{'alpha':>8} {'not zero':>8}  largest difference from enet_path")
    for k in range(0, 100, 11):
        difference = abs(path[k] - expected[:, k]).max()
        print(f"{ALPHAS[k]:>8.3f} {(path[k] != 0).sum():>8}  {difference:.1e}")
    print(f"\nGDLinearRegressor {seconds * 1e3:.0f} ms, {epochs} epochs in 100 fits")
    print(f"enet_path         {peer_seconds * 1e3:.0f} ms")
    save_picture("regularization_path.png", path, expected.T)


def save_picture(path: str, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Draw both paths, ours as lines and theirs as dots."""
    mpl.use("Agg")  # needs no screen
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.semilogx(ALPHAS, ours)
    axes.set_prop_cycle(None)
    axes.semilogx(ALPHAS[::5], theirs[::5], ".")
    axes.invert_xaxis()
    axes.set(
        xlabel="alpha",
        ylabel="coefficient",
        title="lines: GDLinearRegressor; dots: enet_path",
    )
    figure.savefig(path)
    print(f"\nsaved {path}")


if __name__ == "__main__":
    main()
