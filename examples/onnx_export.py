"""ONNX: a pipeline that predicts without Python, skgd or scikit-learn.

    pip install skl2onnx onnxruntime
    python examples/onnx_export.py

A fitted model is coef_ and intercept_, as LinearRegression is, and is converted as one:
GDLinearRegressor is registered with that converter, once in a process. The tensors are
float64, since raw units may need the digits.
"""

import numpy as np
from onnxruntime import InferenceSession
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import DoubleTensorType
from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
from skl2onnx.operator_converters.linear_regressor import (
    convert_sklearn_linear_regressor,
)
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDLinearRegressor


def exported(model: Pipeline, n_features: int) -> bytes:
    """Return the model in ONNX's format, for any number of rows."""
    inputs = [("X", DoubleTensorType([None, n_features]))]
    converted: bytes = to_onnx(model, initial_types=inputs).SerializeToString()
    return converted


def main() -> None:
    update_registered_converter(
        GDLinearRegressor,
        "SkgdGDLinearRegressor",
        calculate_linear_regressor_output_shapes,
        convert_sklearn_linear_regressor,
    )
    X, y = load_diabetes(return_X_y=True, scaled=False)
    both = np.column_stack([y, np.log(y)])
    X_train, X_test, y_train, y_test = train_test_split(X, both, random_state=0)

    print("Predictions of onnxruntime beside those of the pipeline\n")
    print(f"{'targets':<8} {'file':>9} {'R2 test':>8} {'largest difference':>19}")
    for name, columns in {"one": 0, "two": slice(None)}.items():
        model = make_pipeline(StandardScaler(), GDLinearRegressor())
        model.fit(X_train, y_train[:, columns])
        file = exported(model, X.shape[1])

        (predicted,) = InferenceSession(file).run(None, {"X": X_test})
        expected = model.predict(X_test)
        difference = np.abs(predicted.reshape(expected.shape) - expected).max()
        score = model.score(X_test, y_test[:, columns])
        print(f"{name:<8} {len(file) / 1e3:>6.1f} kB {score:>8.4f} {difference:>19.1e}")
        assert difference < 1e-9 * np.abs(expected).max()


if __name__ == "__main__":
    main()
