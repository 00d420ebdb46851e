"""Out of core: a file larger than memory would do, as a memory map.

    python examples/out_of_core.py

The file is written in chunks. The full batch reads it once, front to back, a few MB at
a time; what is allocated does not depend on the number of rows. Mini-batches read it in
each epoch (shuffle=False front to back, which a disk likes better).
"""

import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

from skgd import GDLinearRegressor

N_CHUNKS, CHUNK_ROWS, N_FEATURES = 20, 10_000, 20


def write(path: Path) -> np.ndarray:
    """Write rows with an offset, chunk by chunk; give their targets, which fit."""
    rng = np.random.default_rng(0)
    coef = rng.standard_normal(N_FEATURES)
    shape = (N_CHUNKS * CHUNK_ROWS, N_FEATURES)
    X = np.lib.format.open_memmap(path, mode="w+", dtype="float32", shape=shape)
    y = np.empty(shape[0], "float32")
    for k in range(N_CHUNKS):
        rows = slice(k * CHUNK_ROWS, (k + 1) * CHUNK_ROWS)
        X[rows] = 5 + rng.standard_normal((CHUNK_ROWS, N_FEATURES))
        y[rows] = X[rows] @ coef + rng.standard_normal(CHUNK_ROWS)
    X.flush()
    return y


def main() -> None:
    models = {
        "full batch": GDLinearRegressor(),
        "batches of 1000": GDLinearRegressor(
            batch_size=1000, shuffle=False, max_iter=10, tol=None
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "X.npy"
        y = write(path)
        X = np.load(path, mmap_mode="r")
        print(f"{X.shape[0]:,} x {X.shape[1]}, {X.dtype}: {X.nbytes / 1e6:.0f} MB")
        print(f"{'':<16} {'R2':>7} {'epochs':>7} {'allocated':>10}")
        for name, model in models.items():
            tracemalloc.start()
            model.fit(X, y)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            score = model.score(X[:10_000], y[:10_000])
            print(f"{name:<16} {score:>7.4f} {model.n_iter_:>7} {peak / 1e6:>7.1f} MB")
        del X


if __name__ == "__main__":
    main()
