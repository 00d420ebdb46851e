"""More rows than one machine holds: a Dask cluster that reads and writes Parquet.

    python examples/dask_cluster.py

The cluster is two processes on this machine; a Client of another cluster is all that it
takes to run the same elsewhere. Each file is a partition. Least squares sums up its
moments where it lies, so that no rows travel, but d^2 numbers a partition.

Needs the extra: pip install 'skgd[dask]'.
"""

import tempfile
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster, progress

from skgd import GDLinearRegressor, GDLinearRegressorCV

N_FILES, FILE_ROWS = 8, 50_000


def trips(seed: int) -> pd.DataFrame:
    """Make the rides of a day by taxi, and what they cost."""
    rng = np.random.default_rng(seed)
    km = rng.exponential(4, FILE_ROWS)
    table = pd.DataFrame(
        {
            "km": km,
            "minutes": 3 * km + rng.exponential(5, FILE_ROWS),
            "passengers": rng.integers(1, 5, FILE_ROWS),
            "night": rng.random(FILE_ROWS) < 0.2,
        }
    )
    fare = 3.5 + 1.9 * table["km"] + 0.4 * table["minutes"] + 2.5 * table["night"]
    return table.assign(fare=fare + rng.normal(0, 2, FILE_ROWS))


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as here,
        Client(here),
    ):
        run(Path(folder))


def run(folder: Path) -> None:
    """Write the rides to files, and do all the rest by reading these."""
    dd.from_map(trips, range(N_FILES)).to_parquet(folder / "trips")
    table = dd.read_parquet(folder / "trips")
    old, new = table.partitions[:-1], table.partitions[-1:]
    print(f"{N_FILES} files of {FILE_ROWS:,} rows; the last is kept for a test")

    X, y = old.drop(columns="fare"), old["fare"]
    model = GDLinearRegressor().fit(X, y)  # reads each file once
    print("\na fit")
    for name, coef in zip(model.feature_names_in_, model.coef_, strict=True):
        print(f"  {name:<10} {coef:7.3f}")
    print(f"  {'intercept':<10} {model.intercept_:7.3f}")
    X_new, y_new = new.drop(columns="fare"), new["fare"]
    print(f"  R2 of the last file: {model.score(X_new, y_new):.4f}")

    print("\na search of penalties, on rows that the workers keep in memory")
    old = old.persist()
    progress(old)
    X, y = old.drop(columns="fare"), old["fare"]
    search = GDLinearRegressorCV(param_grid={"alpha": [0.0, 0.01, 0.1, 1.0]})
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    print("\n  alpha      R2")
    for candidate, score in zip(search.cv_results_["params"], scores, strict=True):
        print(f"  {candidate['alpha']:<5} {score:7.4f}")
    print(f"  the best: {search.best_params_}")

    predicted = search.predict(X_new)  # lazy: nothing is computed before it is written
    X_new.assign(fare=predicted).to_parquet(folder / "predicted")
    written = pd.read_parquet(folder / "predicted")
    (actual,) = dask.compute(y_new)
    error = np.abs(written["fare"].to_numpy() - actual.to_numpy()).mean()
    print(f"\n{len(written):,} predictions written; off by {error:.2f} on average")


if __name__ == "__main__":
    main()
