"""skorch's net of one nn.Linear, as a regressor of data of any size and dtype."""

from typing import Any

import numpy as np
import torch
from skorch import NeuralNetRegressor
from torch import nn


class LinearNet(NeuralNetRegressor):
    """NeuralNetRegressor(nn.Linear) that is told the shapes by the data."""

    def __init__(self, module=nn.Linear, *args, verbose=0, **kwargs):
        kwargs.setdefault("train_split", None)
        super().__init__(module, *args, verbose=verbose, **kwargs)

    def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
        y = y.reshape(len(y), -1)
        self.set_params(module__in_features=X.shape[1], module__out_features=y.shape[1])
        torch.manual_seed(0)
        return super().fit(X.astype("float32"), y.astype("float32"))

    def predict(self, X: np.ndarray) -> np.ndarray:
        prediction = super().predict(X.astype("float32"))
        return prediction[:, 0] if prediction.shape[1] == 1 else prediction
