"""A stream of 10,000,000 rows: time, memory, and how near it ends to one fit on all.

    python examples/benchmarks/stream.py

Chunks of 100,000 rows of 20 columns are drawn as they are needed. What is allocated, as
tracemalloc sees it, is counted beside the chunk itself. The excess is that of the last
model over the least squares of all rows, of which only sums are kept.
"""

import time
import tracemalloc
from collections.abc import Iterator

import numpy as np
from sklearn.linear_model import SGDRegressor
from timing import quick

from skgd import GDLinearRegressor

N_FEATURES = 20
COEF = np.random.default_rng(1).standard_normal(N_FEATURES)


def chunks(n_chunks: int, n_rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw the same chunks each time."""
    for k in range(n_chunks):
        rng = np.random.default_rng(k)
        X = rng.standard_normal((n_rows, N_FEATURES)) + 3
        yield X, X @ COEF + rng.standard_normal(n_rows)


def least_squares(n_chunks: int, n_rows: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Sum [X, 1]'[X, 1] up; give it, its solution and the least mean of squares."""
    AA, Ay, yy = 0.0, 0.0, 0.0
    for X, y in chunks(n_chunks, n_rows):
        A = np.column_stack([X, np.ones(len(y))])
        AA, Ay, yy = AA + A.T @ A, Ay + A.T @ y, yy + y @ y
    solution = np.linalg.solve(AA, Ay)
    n = n_chunks * n_rows
    return AA / n, solution, (yy - solution @ Ay) / n


def main() -> None:
    n_chunks, n_rows = (4, 2000) if quick(__doc__) else (100, 100_000)
    AA, solution, least = least_squares(n_chunks, n_rows)
    models = {
        strategy: GDLinearRegressor(strategy, tol=1e-8)
        for strategy in ("manual", "autograd", "module")
    }
    models["manual, batches of 256"] = GDLinearRegressor(
        batch_size=256, average=n_rows, random_state=0
    )
    models["SGDRegressor"] = SGDRegressor(alpha=0)
    print(f"{n_chunks * n_rows:,} rows of {N_FEATURES}, {n_chunks} chunks")
    print(f"{'':<24} {'a chunk':>10} {'excess':>8} {'allocated':>10} {'at first':>9}")
    for name, model in models.items():
        spent, first_peak = 0.0, 0
        for k, (X, y) in enumerate(chunks(n_chunks, n_rows)):
            watches_memory = k in (1, n_chunks - 1)
            if watches_memory:
                tracemalloc.start()
            start = time.perf_counter()
            model.partial_fit(X, y)
            if not watches_memory:
                spent += (time.perf_counter() - start) * (k > 0)  # torch is imported
                continue
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            first_peak = first_peak or peak
        away = np.append(model.coef_, model.intercept_) - solution
        excess = away @ AA @ away / least
        print(
            f"{name:<24} {spent / max(n_chunks - 3, 1) * 1e3:>7.1f} ms {excess:>8.0e} "
            f"{peak / 1e6:>7.1f} MB {first_peak / 1e6:>6.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
