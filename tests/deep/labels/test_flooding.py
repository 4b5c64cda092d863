"""Flooding against a loop written by hand, and the mean of a batch where both forms agree."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from torch.nn import functional as F

from skreg.deep import RegularizedNetClassifier
from skreg.deep.regularizers import SAM, Flooding
from skreg.deep.torch import flooded

X, y = make_classification(60, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=1)
X = X.astype("float32")


def fitted(*regularizers, **arguments):
    torch.manual_seed(0)
    return RegularizedNetClassifier(
        torch.nn.Linear,
        module__in_features=5,
        module__out_features=3,
        regularizers=[(f"r{i}", one) for i, one in enumerate(regularizers)],
        **{"lr": 0.5, "max_epochs": 20, "batch_size": 20, "train_split": None, "verbose": 0}
        | arguments,
    ).fit(X, y)


def test_training_is_that_of_a_loop_by_hand():
    torch.manual_seed(0)
    model = torch.nn.Linear(5, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    tX, ty = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(20):
        for rows in torch.arange(60).split(20):
            optimizer.zero_grad()
            losses = F.cross_entropy(model(tX[rows]), ty[rows], reduction="none")
            torch.where(losses > 0.6, losses, 1.2 - losses).mean().backward()
            optimizer.step()
    net = fitted(Flooding(0.6))
    torch.testing.assert_close(net.module_.weight, model.weight, rtol=0, atol=1e-6)
    assert not torch.allclose(net.module_.weight, fitted().module_.weight, atol=1e-2)


def test_a_level_below_all_losses_changes_nothing():
    plain, flood = fitted(), fitted(Flooding(0.0))
    torch.testing.assert_close(flood.module_.weight, plain.module_.weight, rtol=0, atol=1e-6)


def test_a_changed_level_acts_on_the_next_call():
    net = fitted(Flooding(0.0), warm_start=True)
    assert min(net.history[:, "train_loss"]) < 0.9
    net.set_params(regularizers__r0__level=0.9).fit(X, y)
    assert min(net.history[20:, "train_loss"]) >= 0.9


def test_it_composes_with_two_passes_weights_and_accumulation():
    net = fitted(Flooding(0.3), SAM(), accumulation_steps=2)
    assert min(net.history[:, "train_loss"]) >= 0.3
    torch.manual_seed(0)
    weighted = fitted(Flooding(0.3)).partial_fit(X, y, sample_weight=np.ones(60))
    plain = fitted(Flooding(0.3)).partial_fit(X, y)
    torch.testing.assert_close(weighted.module_.weight, plain.module_.weight, rtol=0, atol=1e-6)


def test_levels_out_of_range_are_refused():
    for level in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="level must be in"):
            fitted(Flooding(level))
        with pytest.raises(ValueError, match="level must be in"):
            flooded(torch.zeros(2), level)
