"""Mini-batches with defaults, on tables in raw units: excess loss after 60 epochs.

    python examples/benchmarks/batch_defaults.py

20,000 rows of 12 columns, or one of scikit-learn's tables, in batches of 64. The excess
is how far the mean squared error is above the least one, relative to it: the worst of
five random states, and of the three strategies. Beside it SGDRegressor's, with its
defaults but for alpha=0 and 60 epochs.
"""

import warnings
from functools import partial

from problems import (
    breast_cancer,
    condition_1e3,
    diabetes,
    excess_loss,
    offset_and_scales,
    wine,
)
from sklearn.linear_model import SGDRegressor
from timing import quick

from skgd import GDLinearRegressor

PROBLEMS = {
    "centred and scaled": partial(offset_and_scales, 0, 1),
    "offset 5": partial(offset_and_scales, 5, 1),
    "offset 50, scales 1 to 30": partial(offset_and_scales, 50, 30),
    "condition 1e3": condition_1e3,
    "diabetes": diabetes,
    "wine": wine,
    "breast_cancer": breast_cancer,
}


def main() -> None:
    little = quick(__doc__)
    warnings.simplefilter("ignore")  # sixty epochs may not be enough
    n_seeds, epochs = (1, 2) if little else (5, 60)
    print(f"{'':<26} {'skgd':>8} {'epochs':>7} {'SGDRegressor':>13}")
    for name, problem in PROBLEMS.items():
        X, y = problem()
        X, y = (X[:500], y[:500]) if little else (X, y)
        fits = [
            GDLinearRegressor(
                strategy, batch_size=64, max_iter=epochs, random_state=seed
            ).fit(X, y)
            for strategy in ("manual", "autograd", "module")
            for seed in range(n_seeds if strategy == "manual" else 1)
        ]
        sgd = SGDRegressor(alpha=0, max_iter=epochs, tol=None, random_state=0).fit(X, y)
        ours = max(excess_loss(model.predict(X), X, y) for model in fits)
        n_iter = max(model.n_iter_ for model in fits)
        theirs = excess_loss(sgd.predict(X), X, y)
        print(f"{name:<26} {ours:>8.0e} {n_iter:>7} {theirs:>13.0e}", flush=True)


if __name__ == "__main__":
    main()
