"""Sparse rows, 20,000 x 100,000 with a density of 1e-3: time, memory and what is left.

    python examples/benchmarks/sparse_rows.py

There are more columns than rows, so that the targets can be met: what is left is the
share of their variance that the fit does not explain. Memory is the peak that a fit
allocates, as tracemalloc sees it, over the size of X.
"""

import tracemalloc
import warnings

import numpy as np
from scipy.sparse import csr_array, random_array
from sklearn.linear_model import Ridge, SGDRegressor
from timing import least_seconds, quick

from skgd import GDLinearRegressor

STRATEGIES = ("manual", "autograd", "module")


def models() -> dict[str, object]:
    """Estimators by name."""
    named = {f"{s}, full batch": GDLinearRegressor(s) for s in STRATEGIES}
    named |= {
        f"{s}, 5 epochs of 256": GDLinearRegressor(
            s, batch_size=256, max_iter=5, tol=None, random_state=0
        )
        for s in STRATEGIES
    }
    named["SGDRegressor, 5 epochs"] = SGDRegressor(alpha=0, max_iter=5, tol=None)
    named["SGDRegressor"] = SGDRegressor(alpha=0)
    named['Ridge(solver="sparse_cg")'] = Ridge(alpha=1e-8, solver="sparse_cg")
    return named


def main() -> None:
    little = quick(__doc__)
    warnings.simplefilter("ignore")
    n, d = (500, 2500) if little else (20_000, 100_000)
    rng = np.random.default_rng(0)
    X = csr_array(random_array((n, d), density=1e-3, rng=rng))
    y = X @ rng.standard_normal(d)
    y += y.std() * rng.standard_normal(n) / 2 + 3
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    named = models()
    seconds, _ = least_seconds(
        {name: lambda model=model: model.fit(X, y) for name, model in named.items()},
        1 if little else 5,
    )
    print(f"X holds {X.nnz:,} numbers in {size / 1e6:.1f} MB")
    print(f"{'':<26} {'fit':>8} {'allocated':>10} {'left':>8} {'epochs':>7}")
    for name, model in named.items():
        tracemalloc.start()
        model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        left = 1 - model.score(X, y)
        n_iter = getattr(model, "n_iter_", None)
        print(
            f"{name:<26} {seconds[name]:>6.2f} s {peak / size:>9.1f}x {left:>8.0e} "
            f"{n_iter if n_iter is not None else '-':>7}",
            flush=True,
        )


if __name__ == "__main__":
    main()
