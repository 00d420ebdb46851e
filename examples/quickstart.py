"""Linear regression by gradient descent, on a pandas table in raw units.

    python examples/quickstart.py

Fits scikit-learn's diabetes table with each of the three gradient strategies, and
prints their scores beside those of LinearRegression.
"""

from functools import partial
from timeit import repeat

from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score, train_test_split

from skgd import GDLinearRegressor


def main() -> None:
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    print(X_train.head(3).to_string(), end="\n\n")

    models = {
        f'GDLinearRegressor("{strategy}")': GDLinearRegressor(strategy)
        for strategy in ("manual", "autograd", "module")
    }
    models["LinearRegression()"] = LinearRegression()

    print(
        f"{'':<30} {'R2 train':>8} {'R2 test':>8} {'R2 5-fold':>9} "
        f"{'epochs':>6} {'fit':>9}"
    )
    for name, model in models.items():
        fit = partial(model.fit, X_train, y_train)
        milliseconds = 1e3 * min(repeat(fit, number=1, repeat=3))
        print(
            f"{name:<30} {model.score(X_train, y_train):>8.4f} "
            f"{model.score(X_test, y_test):>8.4f} "
            f"{cross_val_score(model, X, y).mean():>9.4f} "
            f"{getattr(model, 'n_iter_', '-'):>6} {milliseconds:>6.1f} ms"
        )
    print("\nfit: least of three; the first one with torch also pays for importing it.")


if __name__ == "__main__":
    main()
