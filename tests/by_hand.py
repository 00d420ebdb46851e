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
    Nesterov's, or "adaptive": FISTA's, that begins anew after a step uphill.
    """
    weight = np.ones(len(y)) if weight is None else weight
    there = weight > 0
    X, y = X[there], y[there]
    Y, weight = y.reshape(len(y), -1), (weight / weight[there].mean())[there, None]
    W = W_last = np.zeros((X.shape[1], Y.shape[1])) + np.atleast_2d(coef_init).T
    b = b_last = np.zeros(Y.shape[1]) + intercept_init
    W_slope, b_slope = np.zeros_like(W), np.zeros_like(b)
    batch_size, k, losses, path = batch_size or len(y), 0, [], []
    for _ in range(epochs):
        losses.append(0.0)
        for first in range(0, len(y), batch_size):
            # Momentum carries the last step on.
            if momentum == "adaptive":
                ascent = (W_slope * (W - W_last)).sum() + b_slope @ (b - b_last)
                k = 0 if ascent > 0 else k
                mu, k = k / (k + 3), k + (len(path) > 0)
            else:
                mu = momentum
            W, W_last = W + mu * (W - W_last), W
            b, b_last = b + mu * (b - b_last), b
            # Loss and gradient.
            batch = slice(first, first + batch_size)
            r = X[batch] @ W + b - Y[batch]
            clipped, n = np.clip(r, -epsilon, epsilon), len(r)
            loss = (weight[batch] * clipped * (2 * r - clipped)).sum() / n
            losses[-1] += n / len(y) * (loss + l2 * (W**2).sum() + l1 * abs(W).sum())
            slope = 2 / n * weight[batch] * clipped
            W_slope = X[batch].T @ slope + 2 * l2 * W
            b_slope = fit_intercept * slope.sum(axis=0)
            # A step.
            rate = learning_rate * schedule(len(path)) * n / batch_size
            W, b = W - rate * W_slope, b - rate * b_slope
            W = np.sign(W) * np.maximum(abs(W) - rate * l1, 0)
            W = np.maximum(W, 0) if positive else W
            path.append([*W[:, 0], b[0]])
    coef, intercept = (W.T, b) if y.ndim == 2 else (W[:, 0], b[0])
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
