"""Peak of what a fit allocates, over the size of X.

    python examples/benchmarks/memory.py

As tracemalloc sees it, to which NumPy reports its arrays: a memory-mapped file's pages
belong to the system, which takes them back at will.
"""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
from timing import quick

from skgd import GDLinearRegressor

N_FEATURES = 50
STRATEGIES = ("manual", "autograd", "module")


def peak_growth(strategy: str, X: np.ndarray, y: np.ndarray) -> int:
    """Bytes by which the peak during a fit is above what there was before."""
    tracemalloc.start()
    GDLinearRegressor(strategy).fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def main() -> None:
    n = 50_000 if quick(__doc__) else 1_000_000
    rng = np.random.default_rng(0)
    print(f"{n:,} x {N_FEATURES}: peak of what a fit allocates, over the size of X")
    print(f"{'dtype':<8} {'X is':<18}", *(f"{name:>8}" for name in STRATEGIES))
    for dtype in ("float64", "float32"):
        X = rng.standard_normal((n, N_FEATURES)).astype(dtype) + 20  # is to be shifted
        y = X[:, 0] + rng.standard_normal(n).astype(dtype)
        for strategy in STRATEGIES:  # torch is imported, and counts for nothing
            GDLinearRegressor(strategy).fit(X[:100], y[:100])
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / "X.npy", X)
            mapped = np.load(Path(folder) / "X.npy", mmap_mode="r")
            for name, data in (("in memory", X), ("memory-mapped", mapped)):
                growth = (
                    f"{peak_growth(strategy, data, y) / X.nbytes:>8.1%}"
                    for strategy in STRATEGIES
                )
                print(f"{dtype:<8} {name:<18}", *growth)


if __name__ == "__main__":
    main()
