"""A stream: a CSV file read in chunks, resumed from a pickle half way.

    python examples/streaming.py

The file is written and read in chunks, so that it could be larger than memory. For the
full batch, partial_fit adds up what least squares knows of the rows (their
Moments), and after the last chunk the model is that of one fit on all of them. With a
batch_size it takes an epoch of small steps over each chunk instead.

Unpickling runs what the file says: load only pickles that you trust.
"""

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from skgd import GDLinearRegressor

N_CHUNKS, CHUNK_ROWS = 20, 2500
FEATURES = ["seconds", "temperature", "load"]


def write(path: Path) -> None:
    """Write a log of a machine, chunk by chunk."""
    rng = np.random.default_rng(0)
    for k in range(N_CHUNKS):
        start = 1.7e9 + 60 * CHUNK_ROWS * k
        chunk = pd.DataFrame(
            {
                "seconds": start + 60 * np.arange(CHUNK_ROWS),
                "temperature": rng.normal(20, 5, CHUNK_ROWS),
                "load": rng.uniform(0, 1, CHUNK_ROWS),
            }
        )
        age = (chunk["seconds"] - 1.7e9) / 86_400
        power = 300 + 2 * age - 4 * chunk["temperature"] + 150 * chunk["load"]
        chunk["power"] = power + rng.normal(0, 20, CHUNK_ROWS)
        chunk.to_csv(path, mode="a", header=k == 0, index=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, state = Path(folder) / "log.csv", Path(folder) / "model.pickle"
        write(path)

        model = GDLinearRegressor(tol=1e-6)
        print(f"{'chunk':>5} {'rows so far':>11} {'epochs':>6} {'R2 of the next':>14}")
        for k, chunk in enumerate(pd.read_csv(path, chunksize=CHUNK_ROWS)):
            X, y = chunk[FEATURES], chunk["power"]
            if k == N_CHUNKS // 2:
                state.write_bytes(pickle.dumps(model))
                print(f"      pickled, {state.stat().st_size / 1e3:.1f} kB; resumed")
                model = pickle.loads(state.read_bytes())
            if k % 5 == 4:
                n_rows, score = int(model.moments_.weight), model.score(X, y)
                print(f"{k:>5} {n_rows:>11,} {model.n_iter_:>6} {score:>14.4f}")
            model.partial_fit(X, y)

        batches = GDLinearRegressor(batch_size=32, average=10_000, random_state=0)
        for chunk in pd.read_csv(path, chunksize=CHUNK_ROWS):
            batches.partial_fit(chunk[FEATURES], chunk["power"])

        table = pd.read_csv(path)
        whole = GDLinearRegressor(tol=1e-6).fit(table[FEATURES], table["power"])
    models = {
        "one fit on everything": whole,
        "partial_fit, full batch": model,
        "partial_fit, batches of 32": batches,
    }
    print(f"\n{'':<28}", *(f"{name:>14}" for name in FEATURES), f"{'R2':>8}")
    for name, fitted in models.items():
        print(
            f"{name:<28}",
            *(f"{coef:>14.8f}" for coef in fitted.coef_),
            f"{fitted.score(table[FEATURES], table['power']):>8.5f}",
        )


if __name__ == "__main__":
    main()
