"""Time of three mini-batch epochs, over the same loop written by hand.

    python examples/benchmarks/batch_epochs.py

100,000 rows of 20 float32 features in batches of 256, shuffled. Each loop by hand uses
what its strategy does (NumPy; torch autograd; nn.Linear and SGD), and keeps the loss of
every epoch. Beside them scikit-learn's SGDRegressor, one sample at a time, and skorch's
NeuralNetRegressor, if it is installed.
"""

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.linear_model import SGDRegressor
from timing import least_seconds, quick
from torch import nn

from skgd import GDLinearRegressor

LEARNING_RATE, BATCH_SIZE, EPOCHS = 0.01, 256, 3
REPEATS = 30


def manual_by_hand(X: np.ndarray, y: np.ndarray) -> list[float]:
    rng = np.random.RandomState(0)
    n = len(y)
    w, b, losses = np.zeros(X.shape[1], X.dtype), X.dtype.type(0), []
    for _ in range(EPOCHS):
        order, total = rng.permutation(n), 0.0
        for first in range(0, n, BATCH_SIZE):
            batch = order[first : first + BATCH_SIZE]
            X_batch, y_batch = X[batch], y[batch]
            residual = X_batch @ w + b - y_batch
            total += np.sum(residual**2)
            w -= LEARNING_RATE * 2 / len(batch) * (X_batch.T @ residual)
            b -= LEARNING_RATE * 2 * np.mean(residual)
        losses.append(total / n)
    return losses


def autograd_by_hand(X: np.ndarray, y: np.ndarray) -> list[float]:
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    b = torch.zeros(1, dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(EPOCHS):
        order, total = torch.randperm(len(y)), 0.0
        for batch in order.split(BATCH_SIZE):
            loss = ((X[batch] @ w + b - y[batch]) ** 2).mean()
            total += loss.item() * len(batch)
            loss.backward()
            with torch.no_grad():
                w -= LEARNING_RATE * w.grad
                b -= LEARNING_RATE * b.grad
            w.grad.zero_()
            b.grad.zero_()
        losses.append(total / len(y))
    return losses


def module_by_hand(X: np.ndarray, y: np.ndarray) -> list[float]:
    X, y = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    module = nn.Linear(X.shape[1], 1, dtype=X.dtype)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(module.parameters(), lr=LEARNING_RATE)
    losses = []
    for _ in range(EPOCHS):
        order, total = torch.randperm(len(y)), 0.0
        for batch in order.split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = criterion(module(X[batch]), y[batch])
            total += loss.item() * len(batch)
            loss.backward()
            optimizer.step()
        losses.append(total / len(y))
    return losses


BY_HAND = {
    "manual": manual_by_hand,
    "autograd": autograd_by_hand,
    "module": module_by_hand,
}


def estimators() -> dict[str, Callable[[np.ndarray, np.ndarray], object]]:
    """Give what is to be timed beside the loops, by name."""
    runs = {
        strategy: GDLinearRegressor(
            strategy,
            learning_rate=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            max_iter=EPOCHS,
            tol=None,
            random_state=0,
        ).fit
        for strategy in BY_HAND
    }
    runs["SGDRegressor"] = SGDRegressor(alpha=0, max_iter=EPOCHS, tol=None).fit
    try:
        from skorch import NeuralNetRegressor
    except ImportError:
        print("skorch is not installed")
        return runs

    def skorch(X: np.ndarray, y: np.ndarray) -> object:
        net = NeuralNetRegressor(
            nn.Linear,
            module__in_features=X.shape[1],
            module__out_features=1,
            lr=LEARNING_RATE,
            batch_size=BATCH_SIZE,
            max_epochs=EPOCHS,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        return net.fit(X, y[:, None])

    runs["skorch"] = skorch
    return runs


def main() -> None:
    little = quick(__doc__)
    warnings.simplefilter("ignore")  # three epochs are too few to converge
    n = 2000 if little else 100_000
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 20)).astype("float32")
    y = X @ rng.standard_normal(20) + rng.standard_normal(n)
    y = y.astype("float32")
    calls = {f"{name} by hand": run for name, run in BY_HAND.items()} | estimators()
    seconds, _ = least_seconds(
        {name: lambda run=run: run(X, y) for name, run in calls.items()},
        1 if little else REPEATS,
    )
    print(f"{EPOCHS} epochs over {n:,} x 20, float32, batches of {BATCH_SIZE}")
    for name, taken in seconds.items():
        line = f"{name:<18} {taken * 1e3:>8.1f} ms"
        if name in BY_HAND:
            line += f"  {taken / seconds[f'{name} by hand']:.2f}x the loop by hand"
        else:
            line += f"  {taken / seconds['manual']:.1f}x manual"
            line += f", {taken / seconds['module']:.1f}x module"
        print(line)


if __name__ == "__main__":
    main()
