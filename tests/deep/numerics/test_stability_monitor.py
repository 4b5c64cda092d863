"""What the monitor writes is what the equations say of weights, outputs and criterion at hand."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from torch import nn

from skreg.deep import RegularizedNetClassifier
from skreg.deep.regularizers import SAM, OrthogonalGradient, StabilityMonitor, StableMax


@pytest.fixture(scope="module")
def data():
    X, y = load_iris(return_X_y=True)
    return X.astype(np.float32), y


def history(data, *others, **options):
    torch.manual_seed(0)
    regularizers = [("monitor", StabilityMonitor()), *((str(i), r) for i, r in enumerate(others))]
    net = RegularizedNetClassifier(
        nn.Linear,
        module__in_features=4,
        module__out_features=3,
        regularizers=regularizers,
        train_split=None,
        verbose=0,
        **{"batch_size": 150, "max_epochs": 1, "lr": 0.1, **options},
    )
    return net.fit(*data).history


def cosine_of_first_step(data):
    """By numpy: the gradient of the mean cross entropy of a linear classifier."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    W, b = (p.detach().numpy().astype(float) for p in (layer.weight, layer.bias))
    X, y = data
    p = np.exp(X @ W.T + b)
    p /= p.sum(1, keepdims=True)
    residual = (p - np.eye(3)[y]) / len(y)
    gradient = np.append((residual.T @ X).ravel(), residual.sum(0))
    weights = np.append(W.ravel(), b)
    return -(weights @ gradient) / np.linalg.norm(weights) / np.linalg.norm(gradient)


@pytest.mark.parametrize(
    ("others", "options"),
    [
        ((), {}),
        ((SAM(rho=2.0),), {}),
        ((SAM(rho=2.0),), {"batch_size": 50, "accumulation_steps": 3}),
        ((), {"optimizer": torch.optim.LBFGS, "optimizer__max_iter": 4}),
    ],
)
def test_cosine_is_that_of_the_gradient_at_the_weights(others, options, data):
    found = history(data, *others, **options)[0, "weight_descent_cosine"]
    assert found == pytest.approx(cosine_of_first_step(data), rel=1e-4)


def test_cosine_is_that_before_a_projection(data):
    alone = history(data)[0, "weight_descent_cosine"]
    assert history(data, OrthogonalGradient())[0, "weight_descent_cosine"] == alone


class Loud(nn.Module):
    """Outputs that are exactly fitted by a softmax in floating point, and not by StableMax."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1e3))

    def forward(self, X):
        return self.scale * (X - 1)


@pytest.mark.parametrize(("others", "expected"), [((), 1.0), ((StableMax(),), 0.0)])
def test_zero_loss_is_that_of_the_criterion(others, expected):
    y = np.arange(30) % 3
    X = np.eye(3, dtype=np.float32)[y]
    net = RegularizedNetClassifier(
        Loud,
        regularizers=[("monitor", StabilityMonitor()), *(("r", r) for r in others)],
        max_epochs=1,
        lr=0.0,
        train_split=None,
        verbose=0,
    ).fit(X, y)
    assert net.history[0, "zero_loss"] == expected
    assert net.history[0, "softmax_collapse"] == 1.0
    assert (net.history[0, "train_loss"] == 0) == (expected == 1.0)
