"""Grid search over learning rate and strategy, on a table with a categorical column.

    python examples/grid_search.py

One learning rate is too large for the data. Its candidates raise DivergenceError,
GridSearchCV scores them nan, and the search goes on.
"""

import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skgd import DivergenceError, GDLinearRegressor


def flats(n: int = 400) -> tuple[pd.DataFrame, pd.Series]:
    """Make a table of flats in raw units, and their monthly rents."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area_m2": rng.uniform(20, 120, n).round(1),
            "year": rng.integers(1900, 2026, n),
            "district": rng.choice(["north", "harbour", "old town"], n),
        }
    )
    surcharge = table["district"].map({"north": 0, "harbour": 150, "old town": 300})
    rent = 200 + 9 * table["area_m2"] + 2 * (table["year"] - 1960) + surcharge
    return table, (rent + rng.normal(0, 40, n)).rename("rent")


def main() -> None:
    X, y = flats()
    print(X.head(3).to_string(), end="\n\n")

    prepare = make_column_transformer(
        (StandardScaler(), ["area_m2", "year"]),
        (OneHotEncoder(drop="first", sparse_output=False), ["district"]),
    )
    model = make_pipeline(prepare, GDLinearRegressor(max_iter=200, tol=None))
    search = GridSearchCV(
        model,
        {
            "gdlinearregressor__strategy": ["manual", "autograd", "module"],
            "gdlinearregressor__learning_rate": [0.001, 0.01, 0.1, 1.0],
        },
    )
    with warnings.catch_warnings():
        # That a rate diverges is part of the story, and in the table.
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", message=".*non-finite")
        search.fit(X, y)

    results = pd.DataFrame(search.cv_results_)
    results = results.pivot_table(
        index="param_gdlinearregressor__learning_rate",
        columns="param_gdlinearregressor__strategy",
        values="mean_test_score",
        dropna=False,
    )
    results.index.name, results.columns.name = "learning_rate", "R2 (5-fold)"
    print(results.round(4).to_string(), end="\n\n")

    best = search.best_params_["gdlinearregressor__learning_rate"]
    print(
        f"best learning rate: {best}, R2 of the whole table {search.score(X, y):.4f}\n"
    )
    try:
        model.set_params(gdlinearregressor__learning_rate=1.0).fit(X, y)
    except DivergenceError as error:
        print(f"learning rate 1.0: {error}")


if __name__ == "__main__":
    main()
