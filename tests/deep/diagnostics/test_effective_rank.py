"""Effective ranks against the singular values that numpy finds."""

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from torch import nn

from skreg.deep import RegularizedNetClassifier
from skreg.deep.regularizers import SAM, EffectiveRankMonitor
from skreg.deep.torch import effective_rank

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 6)).astype("float32")
y = (X[:, 0] > 0).astype("int64")


def by_numpy(features):
    values = np.linalg.svd(features - features.mean(0), compute_uv=False)
    return np.exp(entropy(values))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, X):
        return self.head(self.body(X))


def fitted(*regularizers, **arguments):
    torch.manual_seed(0)
    return RegularizedNetClassifier(
        Net,
        regularizers=[(f"r{i}", one) for i, one in enumerate(regularizers)],
        **{"lr": 0.0, "max_epochs": 1, "batch_size": 16, "train_split": None, "verbose": 0}
        | arguments,
    ).fit(X, y)


@pytest.mark.parametrize("values", [[1.0], [3.0, 3.0, 3.0], [5.0, 1.0, 0.1, 0.0]])
def test_rank_of_a_spectrum(values):
    assert float(effective_rank(torch.tensor(values))) == pytest.approx(np.exp(entropy(values)))
    assert float(effective_rank(torch.zeros(3))) == 0.0


def test_monitor_writes_the_rank_of_all_batches_together():
    net = fitted(EffectiveRankMonitor(layers=("body.0", "penultimate")))
    with torch.no_grad():
        first = net.module_.body[0](torch.from_numpy(X)).numpy()
        last = net.module_.body(torch.from_numpy(X)).numpy()
    assert net.history[-1]["effective_rank_body.0"] == pytest.approx(by_numpy(first), rel=1e-4)
    assert net.history[-1]["effective_rank_penultimate"] == pytest.approx(by_numpy(last), rel=1e-4)


def test_an_offset_of_the_features_does_not_matter():
    class Shifted(Net):
        def __init__(self):
            super().__init__()
            with torch.no_grad():
                self.body[0].bias += 100.0  # all units are active: the rank is that of X

    torch.manual_seed(0)
    net = RegularizedNetClassifier(
        Shifted, regularizers=[("r", EffectiveRankMonitor())], lr=0.0, max_epochs=1,
        batch_size=7, train_split=None, verbose=0,
    ).fit(X, y)  # fmt: skip
    with torch.no_grad():
        features = net.module_.double().body(torch.from_numpy(X).double()).numpy()
    rank = net.history[-1]["effective_rank_penultimate"]
    assert rank == pytest.approx(by_numpy(features), rel=1e-3)


def test_it_changes_nothing_and_looks_once_a_step():
    watched = fitted(EffectiveRankMonitor(), SAM(), lr=0.1, max_epochs=3, accumulation_steps=2)
    alone = fitted(SAM(), lr=0.1, max_epochs=3, accumulation_steps=2)
    assert torch.equal(watched.module_.head.weight, alone.module_.head.weight)
    assert dict(watched.regularizers)["r0"].scatters_["penultimate"].n == len(X)


def test_layers_are_checked():
    with pytest.raises(ValueError, match="layers must be a tuple of names, got 'body'"):
        fitted(EffectiveRankMonitor(layers="body"))
    with pytest.raises(ValueError, match="looks at the layer 'tail'"):
        fitted(EffectiveRankMonitor(layers=("tail",)))
