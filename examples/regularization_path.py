"""The lasso's path: its coefficients at a hundred penalties.

    python examples/regularization_path.py

The table is read once, for its moments, and all penalties share the few rows that have
the same. Beside it the path of scikit-learn's enet_path, which wants centred columns.
The picture is saved in the current folder, as regularization_path.png.
"""

from time import perf_counter

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import enet_path
from sklearn.preprocessing import StandardScaler

from skgd import gd_path


def main() -> None:
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)

    begin = perf_counter()
    alphas, path, intercepts, epochs = gd_path(X, y, tol=1e-6)
    seconds = perf_counter() - begin

    begin = perf_counter()
    _, expected, _ = enet_path(X, y - y.mean(), l1_ratio=1.0, alphas=alphas, tol=1e-8)
    peer_seconds = perf_counter() - begin

    print(f"{'alpha':>8} {'not zero':>8}  largest difference from enet_path")
    for k in range(0, 100, 11):
        difference = abs(path[:, k] - expected[:, k]).max()
        print(f"{alphas[k]:>8.3f} {(path[:, k] != 0).sum():>8}  {difference:.1e}")
    print(
        f"\ngd_path   {seconds * 1e3:.0f} ms, at most {epochs.max()} epochs a penalty"
    )
    print(f"enet_path {peer_seconds * 1e3:.0f} ms")
    print(f"the intercept, which enet_path leaves to you: {intercepts[0]:.2f}")
    save_picture("regularization_path.png", alphas, path.T, expected.T)


def save_picture(
    file: str, alphas: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> None:
    """Draw both paths, ours as lines and theirs as dots."""
    mpl.use("Agg")  # needs no screen
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.semilogx(alphas, ours)
    axes.set_prop_cycle(None)
    axes.semilogx(alphas[::5], theirs[::5], ".")
    axes.invert_xaxis()
    axes.set(
        xlabel="alpha",
        ylabel="coefficient",
        title="lines: gd_path; dots: enet_path",
    )
    figure.savefig(file)
    print(f"\nsaved {file}")


if __name__ == "__main__":
    main()
