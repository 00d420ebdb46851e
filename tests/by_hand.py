"""What is right, told without skgd: descent as a textbook has it, and least squares."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Descent(NamedTuple):
    """Where a descent has led to, and how.

    `coef` and `intercept` are shaped as scikit-learn's; `losses` holds the loss of each
    epoch, summed over targets, as met before the steps; `path` holds the coefficients
    and the intercept of one target after each step.
    """

    coef: np.ndarray
    intercept: np.ndarray
    losses: list[float]
    path: np.ndarray


def descend(
    X: np.ndarray,
    y: np.ndarray,
    learning_rate: float,
    epochs: int = 1,
    *,
    batch_size: int | None = None,
    weight: np.ndarray | None = None,
    fit_intercept: bool = True,
    l2: float = 0.0,
    l1: float = 0.0,
    positive: bool = False,
    epsilon: float = np.inf,
    momentum: float | str = 0.0,
    schedule: Callable[[int], float] = lambda step: 1.0,
    coef_init: np.ndarray | float = 0.0,
    intercept_init: np.ndarray | float = 0.0,
) -> Descent:
    """Descend on ``mean(weight * loss(r)) + l2 |w|^2 + l1 |w|_1``, row after row.

    The loss of a residual r is r^2, beyond epsilon Huber's. Weights count against their
    mean, and rows of weight 0 are not there. The last batch may be shorter; its step is
    as much shorter. Soft thresholding and the bound at 0 follow each step. Momentum is
    Nesterov's, or, of one target, "adaptive": FISTA's, anew after a step uphill.
    """
    weight = np.ones(len(y)) if weight is None else weight
    there = weight > 0
    X, Y = X[there], y[there].reshape(there.sum(), -1)
    weight = (weight / weight[there].mean())[there, None]
    # The intercept is the last row of the parameters, and is not penalised.
    A = np.column_stack([X, np.full(len(X), float(fit_intercept))])
    W = np.zeros((X.shape[1] + 1, Y.shape[1]))
    W[:-1], W[-1] = np.atleast_2d(coef_init).T, intercept_init
    penalised = np.arange(len(W))[:, None] < X.shape[1]
    l2, l1, batch_size = l2 * penalised, l1 * penalised, batch_size or len(Y)
    last, gradient = W, np.zeros_like(W)
    k, losses, path = -1, [], []
    for _ in range(epochs):
        losses.append(0.0)
        for first in range(0, len(Y), batch_size):
            k = 0 if (gradient * (W - last)).sum() > 0 else k
            mu = k / (k + 3) if momentum == "adaptive" else momentum
            W, last = W + mu * (W - last), W
            k += 1

            batch = slice(first, first + batch_size)
            r = A[batch] @ W - Y[batch]
            n, inner = len(r), np.clip(r, -epsilon, epsilon)
            loss = (weight[batch] * inner * (2 * r - inner)).sum() / n
            losses[-1] += n / len(Y) * (loss + (l2 * W**2 + l1 * abs(W)).sum())
            gradient = 2 / n * A[batch].T @ (weight[batch] * inner) + 2 * l2 * W

            rate = learning_rate * schedule(len(path)) * n / batch_size
            W = W - rate * gradient
            W = np.sign(W) * np.maximum(abs(W) - rate * l1, 0)
            W = np.where(positive & penalised, np.maximum(W, 0), W)
            path.append(W[:, 0])
    coef, intercept = (W[:-1].T, W[-1]) if y.ndim == 2 else (W[:-1, 0], W[-1, 0])
    return Descent(coef, intercept, losses, np.array(path))


def least_squares(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """Least weighted sum of squares, by a direct solution on standardized columns."""
    weight = np.ones(len(y)) if weight is None else weight
    centred = X - np.average(X, axis=0, weights=weight)
    spread = np.sqrt(np.average(centred**2, axis=0, weights=weight))
    A = np.column_stack([centred / np.where(spread > 0, spread, 1), np.ones(len(y))])
    root, b = np.sqrt(weight)[:, None], y.reshape(len(y), -1)
    W = np.linalg.lstsq(root * A, root * b)[0]
    return float((weight[:, None] * (A @ W - b) ** 2).sum())


def excess_loss(
    prediction: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
) -> float:
    """How far a prediction's sum of squares is above the least, relative to that."""
    w = np.ones((len(y), 1)) if weight is None else weight[:, None]
    squares = (prediction - y).reshape(len(y), -1) ** 2
    return float((w * squares).sum()) / least_squares(X, y, weight) - 1
