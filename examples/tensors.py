"""Tensors in, tensors out: scikit-learn's array API dispatch, on a GPU if there is one.

    python examples/tensors.py

X and y stay on the device. One pass over X sums up its moments there, and nothing else
comes to the CPU; coefficients and predictions are tensors beside X.
"""

import os
import pickle

os.environ["SCIPY_ARRAY_API"] = "1"  # as scikit-learn asks, before SciPy is imported

import sklearn
import torch
from sklearn.model_selection import GridSearchCV

from skgd import GDLinearRegressor


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    X, y = rows(100_000, device)
    sklearn.set_config(array_api_dispatch=True)
    try:
        model = GDLinearRegressor().fit(X, y)
        print(f"coef_ is {model.coef_.dtype} on {model.coef_.device}:")
        print(f"  {model.coef_.tolist()}")
        residual = y - model.predict(X)  # a tensor
        print(f"residual {residual.std():.3f}, R2 {model.score(X, y):.4f}")

        batches = GDLinearRegressor("autograd", batch_size=1000, random_state=0)
        for chunk_X, chunk_y in zip(X.split(20_000), y.split(20_000), strict=True):
            batches.partial_fit(chunk_X, chunk_y)
        print(f"in mini-batches, R2 {batches.score(X, y):.4f}")

        rates = {"learning_rate": [0.01, 0.1]}
        textbook = GDLinearRegressor(standardize=True, max_iter=50, tol=None)
        search = GridSearchCV(textbook, rates)
        search.fit(X[:10_000], y[:10_000])
        print(f"searched on the device: {search.best_params_}")
    finally:
        sklearn.set_config(array_api_dispatch=False)
    loaded = pickle.loads(pickle.dumps(model))  # also where there is no such device
    print(f"loaded, R2 {loaded.score(X.cpu(), y.cpu()):.4f}")


def rows(n: int, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw rows of three columns, in float32."""
    draw = torch.Generator(device).manual_seed(0)
    X = torch.randn(n, 3, generator=draw, device=device) * 2 + 5
    weights = torch.tensor([1.0, 2.0, 3.0], device=device)
    return X, X @ weights + torch.randn(n, generator=draw, device=device)


if __name__ == "__main__":
    main()
