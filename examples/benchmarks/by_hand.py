"""The loops that a textbook prints, wrapped so that they can be timed as estimators.

Each keeps the loss of every epoch, as `GDLinearRegressor` does, and nothing else: no
checks, no stopping rule.
"""

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from torch import nn


class ByHand(RegressorMixin, BaseEstimator):
    """A loop with its learning rate and number of epochs.

    Parameters
    ----------
    loop : callable
        Takes X, y and the parameters below; returns coefficients and an intercept.
    learning_rate : float
        Length of the steps.
    max_iter : int, default=100
        Number of epochs.
    batch_size : int or None, default=None
        Rows a step, all of them by default.
    """

    def __init__(self, loop, learning_rate, max_iter=100, batch_size=None):
        self.loop = loop
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size

    def fit(self, X: np.ndarray, y: np.ndarray) -> "ByHand":
        settings = self.learning_rate, self.max_iter, self.batch_size
        self.coef_, self.intercept_ = self.loop(X, y, *settings)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X @ self.coef_ + self.intercept_


def product(X, y, *_):
    """Do what every solver does at least, and predict nothing."""
    X.T @ X
    return np.full(X.shape[1], np.nan), np.nan


def manual(X, y, learning_rate, epochs, batch_size):
    permutation = np.random.RandomState(0).permutation
    w, b, losses = np.zeros(X.shape[1], X.dtype), X.dtype.type(0), []
    for _ in range(epochs):
        total = 0.0
        for X_batch, y_batch in batches(X, y, batch_size, permutation):
            n = len(y_batch)
            residual = X_batch @ w + b - y_batch
            total += np.mean(residual**2) * n
            w -= learning_rate * 2 / n * (X_batch.T @ residual)
            b -= learning_rate * 2 * np.mean(residual)
        losses.append(total / len(y))
    return w, b


def autograd(X, y, learning_rate, epochs, batch_size):
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    w = torch.zeros(X.shape[1], dtype=X.dtype, requires_grad=True)
    b = torch.zeros(1, dtype=X.dtype, requires_grad=True)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for X_batch, y_batch in batches(X, y, batch_size, torch.randperm):
            loss = ((X_batch @ w + b - y_batch) ** 2).mean()
            total += loss.item() * len(y_batch)
            loss.backward()
            with torch.no_grad():
                w -= learning_rate * w.grad
                b -= learning_rate * b.grad
            w.grad.zero_()
            b.grad.zero_()
        losses.append(total / len(y))
    return w.detach().numpy(), b.item()


def module(X, y, learning_rate, epochs, batch_size, **options):
    X, y = torch.as_tensor(X), torch.as_tensor(y)[:, None]
    linear = nn.Linear(X.shape[1], 1, dtype=X.dtype, device=X.device)
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(linear.parameters(), lr=learning_rate, **options)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for X_batch, y_batch in batches(X, y, batch_size, torch.randperm):
            optimizer.zero_grad()
            loss = criterion(linear(X_batch), y_batch)
            total += loss.item() * len(y_batch)
            loss.backward()
            optimizer.step()
        losses.append(total / len(y))
    return linear.weight.numpy(force=True)[0], linear.bias.item()


def batches(X, y, size, permutation):
    """Return what an epoch reads: all rows at once, or shuffled batches of them."""
    if size is None:
        return [(X, y)]
    order = permutation(len(y))
    parts = (order[first : first + size] for first in range(0, len(y), size))
    return ((X[rows], y[rows]) for rows in parts)


#: By the strategy that does the same.
LOOPS = {"manual": manual, "autograd": autograd, "module": module}
