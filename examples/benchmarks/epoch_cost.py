"""Cost of an epoch of each strategy, over the same epoch written by hand.

    python examples/benchmarks/epoch_cost.py

Each loop by hand is what a textbook prints, and keeps the loss of every epoch, as the
estimator does. An epoch's cost is the difference between a long and a short run, least
of several, over the number of epochs, so that validation and start-up do not count.
precompute=False: condensed, the estimator's epochs would not see the rows at all. The
estimator runs twice: with tol=None, which is the same work as by hand, and with the
stopping rule watched (but never met).
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from timing import least_seconds, quick
from torch import nn

from skgd import GDLinearRegressor

LEARNING_RATE = 1e-3
# n_samples, n_features, epochs of the short and of the long run
SIZES = [(100_000, 20, 10, 160), (12, 10, 200, 2200)]
REPEATS = 20


def manual_by_hand(X: np.ndarray, y: np.ndarray, epochs: int) -> list[float]:
    n = len(y)
    w, b, losses = np.zeros(X.shape[1], X.dtype), X.dtype.type(0), []
    for _ in range(epochs):
        residual = X @ w + b - y
        losses.append(np.mean(residual**2))
        w -= LEARNING_RATE * 2 / n * (X.T @ residual)
        b -= LEARNING_RATE * 2 * np.mean(residual)
    return losses


def autograd_by_hand(X: np.ndarray, y: np.ndarray, epochs: int) -> list[float]:
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    b = torch.zeros(1, dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(epochs):
        loss = ((X @ w + b - y) ** 2).mean()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            w -= LEARNING_RATE * w.grad
            b -= LEARNING_RATE * b.grad
        w.grad.zero_()
        b.grad.zero_()
    return losses


def module_by_hand(X: np.ndarray, y: np.ndarray, epochs: int) -> list[float]:
    X, y = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    module = nn.Linear(X.shape[1], 1, dtype=X.dtype)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = criterion(module(X), y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return losses


BY_HAND = {
    "manual": manual_by_hand,
    "autograd": autograd_by_hand,
    "module": module_by_hand,
}


def fitted_by(strategy: str, tol: float | None) -> Callable[..., object]:
    """Make a run of the estimator that looks like one of the loops by hand."""

    def fit(X: np.ndarray, y: np.ndarray, epochs: int) -> object:
        model = GDLinearRegressor(
            strategy,
            learning_rate=LEARNING_RATE,
            precompute=False,
            max_iter=epochs,
            tol=tol,
        )
        return model.fit(X, y)

    return fit


def epoch_costs(
    runs: dict[str, Callable[..., object]],
    X: np.ndarray,
    y: np.ndarray,
    lengths: tuple[int, int],
    repeats: int,
) -> dict[str, float]:
    """Seconds an epoch of each run takes."""
    calls = {
        f"{name} {epochs}": lambda run=run, epochs=epochs: run(X, y, epochs)
        for name, run in runs.items()
        for epochs in lengths
    }
    seconds, _ = least_seconds(calls, repeats)
    short, long = lengths
    return {
        name: (seconds[f"{name} {long}"] - seconds[f"{name} {short}"]) / (long - short)
        for name in runs
    }


def main() -> None:
    little = quick(__doc__)
    warnings.simplefilter("ignore")  # the runs are too short to converge
    print(
        f"{'n':>8} {'d':>4} {'dtype':>8} {'strategy':>9} "
        f"{'by hand':>10} {'tol=None':>9} {'tol=1e-9':>9}"
    )
    rng = np.random.default_rng(0)
    for n, d, *lengths in [(1000, 20, 1, 5)] if little else SIZES:
        for dtype in ("float64", "float32"):
            X = rng.standard_normal((n, d)).astype(dtype)
            y = (X @ rng.standard_normal(d) + rng.standard_normal(n)).astype(dtype)
            for strategy, by_hand in BY_HAND.items():
                runs = {
                    "by hand": by_hand,
                    "tol=None": fitted_by(strategy, None),
                    "tol=1e-9": fitted_by(strategy, 1e-9),
                }
                costs = epoch_costs(runs, X, y, lengths, 1 if little else REPEATS)
                hand = costs["by hand"]
                print(
                    f"{n:>8} {d:>4} {dtype:>8} {strategy:>9} {hand * 1e6:>7.1f} us "
                    f"{costs['tol=None'] / hand:>8.2f}x "
                    f"{costs['tol=1e-9'] / hand:>8.2f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main()
