"""Early stopping: gradient descent regularises by stopping short.

    python examples/early_stopping.py

On a small noisy table with many columns, each epoch fits the training rows better, and
from some epoch on those held out worse. With early_stopping=True the coefficients of
the best epoch are kept. The curves are saved in the current folder, as
early_stopping.png.

Rows are held out at random, unless you pass your own: of a series that drifts, the last
months of what is known are like the months to come, and random rows are not.
"""

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from sklearn.linear_model import LinearRegression, RidgeCV

from skgd import GDLinearRegressor

EPOCHS = 200


def table(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Make 60 correlated columns, a few of which matter, and much noise."""
    common = rng.standard_normal((n, 5))
    X = common @ np.random.default_rng(1).standard_normal((5, 60))
    X += rng.standard_normal((n, 60))
    return X, X[:, :5].sum(axis=1) + 6 * rng.standard_normal(n)


def main() -> None:
    rng = np.random.default_rng(0)
    X, y = table(120, rng)
    X_new, y_new = table(5000, rng)

    model = GDLinearRegressor(
        early_stopping=True,
        validation_fraction=0.3,
        max_iter=EPOCHS,
        tol=None,  # the whole curve, and the best epoch all the same
        random_state=0,
    ).fit(X, y)
    scores = np.array(model.validation_scores_)
    best = int(scores.argmax())
    stopped = GDLinearRegressor(
        early_stopping=True, validation_fraction=0.3, random_state=0
    ).fit(X, y)

    print("training loss before the epoch, validation R2 after it")
    print(f"{'epoch':>5} {'training loss':>13} {'validation R2':>13}")
    for epoch in sorted({0, 1, 2, 4, 8, best, 20, 50, 100, EPOCHS - 1}):
        mark = "  <- kept" if epoch == best else ""
        print(
            f"{epoch:>5} {model.loss_curve_[epoch]:>13.2f} {scores[epoch]:>13.4f}{mark}"
        )

    print(f"\n{'R2 on 5000 new rows':<40}")
    for name, fitted in {
        "LinearRegression()": LinearRegression().fit(X, y),
        "GDLinearRegressor()": GDLinearRegressor().fit(X, y),
        f"best of {EPOCHS} epochs": model,
        f"early_stopping=True ({stopped.n_iter_} epochs)": stopped,
        "RidgeCV()": RidgeCV(np.logspace(-2, 4, 25)).fit(X, y),
    }.items():
        print(f"{name:<40} {fitted.score(X_new, y_new):>7.4f}")

    save_picture("early_stopping.png", model, best)
    forecast(rng)


def forecast(rng: np.random.Generator) -> None:
    """Hold out the end of a series that drifts, and forecast beyond it."""
    X, y = table(600, rng)
    y += X[:, 0] * np.linspace(0, 2, 600)
    known, recent, future = slice(0, 120), slice(120, 180), slice(180, 600)

    model = GDLinearRegressor(early_stopping=True, scoring="neg_mean_absolute_error")
    model.fit(X[known], y[known], X_val=X[recent], y_val=y[recent])
    whole = GDLinearRegressor().fit(X[known], y[known])
    print("\nmean absolute error in the future of a series")
    for name, fitted in {
        "GDLinearRegressor()": whole,
        f"stopped on recent rows ({model.n_iter_} epochs)": model,
    }.items():
        error = np.abs(fitted.predict(X[future]) - y[future]).mean()
        print(f"{name:<40} {error:>7.2f}")


def save_picture(path: str, model: GDLinearRegressor, best: int) -> None:
    """Draw the training loss and the validation score by epoch."""
    mpl.use("Agg")  # needs no screen
    figure, left = plt.subplots(figsize=(6, 4), layout="constrained")
    right = left.twinx()
    # The loss is that before an epoch, the score that after it.
    left.semilogx(np.arange(1, EPOCHS), model.loss_curve_[1:], "C0")
    right.semilogx(np.arange(1, EPOCHS + 1), model.validation_scores_, "C1")
    right.axvline(best + 1, color="C1", linestyle=":")
    left.set(xlabel="epochs done", ylabel="training loss (blue)")
    right.set(ylabel="validation R2 (orange)", ylim=(-0.5, None))
    figure.savefig(path)
    print(f"\nsaved {path}")


if __name__ == "__main__":
    main()
