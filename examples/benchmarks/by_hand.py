"""The loops that a textbook prints, wrapped so that they can be timed as estimators.

Each keeps the loss of every epoch, as `GDLinearRegressor` does, and nothing else: no
checks, no stopping rule.
"""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from torch import nn

Loop = Callable[[np.ndarray, np.ndarray, float, int], tuple[np.ndarray, float]]


class ByHand(RegressorMixin, BaseEstimator):
    """A loop with its learning rate and number of epochs.

    Parameters
    ----------
    loop : callable
        Takes X, y, a learning rate, a number of epochs, and perhaps a batch size; gives
        coefficients and an intercept.
    learning_rate : float
        Length of the steps.
    epochs : int
        How often to go over the rows.
    batch_size : int or None, default=None
        Rows a step, for the loops over mini-batches.
    """

    def __init__(self, loop, learning_rate, epochs, batch_size=None):
        self.loop = loop
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size

    def fit(self, X: np.ndarray, y: np.ndarray) -> "ByHand":
        size = () if self.batch_size is None else (self.batch_size,)
        self.coef_, self.intercept_ = self.loop(
            X, y, self.learning_rate, self.epochs, *size
        )
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_ + self.intercept_


def manual(X, y, learning_rate, epochs):
    n = len(y)
    w, b, losses = np.zeros(X.shape[1], X.dtype), X.dtype.type(0), []
    for _ in range(epochs):
        residual = X @ w + b - y
        losses.append(np.mean(residual**2))
        w -= learning_rate * 2 / n * (X.T @ residual)
        b -= learning_rate * 2 * np.mean(residual)
    return w, b


def autograd(X, y, learning_rate, epochs):
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    b = torch.zeros(1, dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(epochs):
        loss = ((X @ w + b - y) ** 2).mean()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            w -= learning_rate * w.grad
            b -= learning_rate * b.grad
        w.grad.zero_()
        b.grad.zero_()
    return w.detach().numpy(), b.item()


def module(X, y, learning_rate, epochs, **options):
    X, y = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    linear = nn.Linear(X.shape[1], 1, dtype=X.dtype)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(linear.parameters(), lr=learning_rate, **options)
    losses = []
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = criterion(linear(X), y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return linear.weight.detach().numpy()[0], linear.bias.item()


def manual_batches(X, y, learning_rate, epochs, batch_size):
    rng = np.random.RandomState(0)
    n = len(y)
    w, b, losses = np.zeros(X.shape[1], X.dtype), X.dtype.type(0), []
    for _ in range(epochs):
        order, total = rng.permutation(n), 0.0
        for first in range(0, n, batch_size):
            batch = order[first : first + batch_size]
            X_batch, y_batch = X[batch], y[batch]
            residual = X_batch @ w + b - y_batch
            total += np.sum(residual**2)
            w -= learning_rate * 2 / len(batch) * (X_batch.T @ residual)
            b -= learning_rate * 2 * np.mean(residual)
        losses.append(total / n)
    return w, b


def autograd_batches(X, y, learning_rate, epochs, batch_size):
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    b = torch.zeros(1, dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(epochs):
        order, total = torch.randperm(len(y)), 0.0
        for batch in order.split(batch_size):
            loss = ((X[batch] @ w + b - y[batch]) ** 2).mean()
            total += loss.item() * len(batch)
            loss.backward()
            with torch.no_grad():
                w -= learning_rate * w.grad
                b -= learning_rate * b.grad
            w.grad.zero_()
            b.grad.zero_()
        losses.append(total / len(y))
    return w.detach().numpy(), b.item()


def module_batches(X, y, learning_rate, epochs, batch_size):
    X, y = torch.from_numpy(X), torch.from_numpy(y)[:, None]
    linear = nn.Linear(X.shape[1], 1, dtype=X.dtype)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(linear.parameters(), lr=learning_rate)
    losses = []
    for _ in range(epochs):
        order, total = torch.randperm(len(y)), 0.0
        for batch in order.split(batch_size):
            optimizer.zero_grad()
            loss = criterion(linear(X[batch]), y[batch])
            total += loss.item() * len(batch)
            loss.backward()
            optimizer.step()
        losses.append(total / len(y))
    return linear.weight.detach().numpy()[0], linear.bias.item()


#: By the strategy that does the same.
FULL_BATCH: dict[str, Loop] = {
    "manual": manual,
    "autograd": autograd,
    "module": module,
}
MINI_BATCHES: dict[str, Loop] = {
    "manual": manual_batches,
    "autograd": autograd_batches,
    "module": module_batches,
}
