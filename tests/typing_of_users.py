"""What a type checker makes of code that uses skreg; tests/test_typing.py lets mypy read it."""

from typing import assert_type

import numpy as np
import torch

import skreg
from skreg.deep import DeepClassifier, DeepRegressor, Regularizer, StagedTraining
from skreg.deep.regularizers import ELR, Mixup
from skreg.deep.torch import SAM, ELRLoss, effective_rank

X = np.zeros((4, 2))
y = np.zeros(4, dtype=int)

# lazily loaded subpackages and names are what they are, not Any
assert_type(skreg.probe.LinearNaiveBayes(), skreg.probe.LinearNaiveBayes)
assert_type(skreg.deep.DeepClassifier(), DeepClassifier)
assert_type(skreg.deep.torch.SAM, type[SAM])
assert_type(skreg.deep.regularizers.ELR(), ELR)
print(skreg.nothing)  # type: ignore[attr-defined]  # names that do not exist are errors
print(skreg.deep.nothing)  # type: ignore[attr-defined]
print(skreg.deep.torch.nothing)  # type: ignore[attr-defined]

# estimators: a fit returns the estimator, whatever decorates it
assert_type(skreg.linear_model.Lasso().fit(X, y), skreg.linear_model.Lasso)
assert_type(skreg.linear_model.LassoCV().fit(X, y), skreg.linear_model.LassoCV)
assert_type(skreg.linear_model.Lasso().fit(X, y).predict(X), np.ndarray)
assert_type(skreg.probe.LinearNaiveBayes().fit(X, y), skreg.probe.LinearNaiveBayes)
assert_type(skreg.ordinal.PrestoClassifier().fit(X, y), skreg.ordinal.PrestoClassifier)
assert_type(skreg.causal.CoLiDE().fit(X), skreg.causal.CoLiDE)

# networks
model = DeepClassifier(regularizers=[("elr", ELR(lam=1.0)), ("none", None)], max_epochs=1)
assert_type(model.fit(X, y), DeepClassifier)
assert_type(model.partial_fit(X, y), DeepClassifier)
assert_type(model.predict_proba(X), np.ndarray)
assert_type(DeepRegressor().fit(X, X[:, 0]).predict(X), np.ndarray)
assert_type(StagedTraining(model, [("first", {"lr": 0.1})]).fit(X, y), StagedTraining)
DeepClassifier(max_epoch=1)  # type: ignore[call-arg]
DeepClassifier(dtype="float16")  # type: ignore[arg-type]
Mixup(alpha="much")  # type: ignore[arg-type]

# torch
weight = torch.nn.Parameter(torch.zeros(3))
optimizer = SAM(torch.optim.SGD([weight], lr=0.1), rho=0.05)
optimizer.first_step(zero_grad=True)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)  # it is an optimizer
assert_type(effective_rank(torch.ones(3)), torch.Tensor)
assert_type(ELRLoss(4, 2).label_quality(y), torch.Tensor)


class Confidence(Regularizer):
    """A regularizer of the user's own, with types and without."""

    tasks = ("classification",)

    def __init__(self, strength: float = 0.1) -> None:
        self.strength = strength

    def penalty(self, net, batch, y_pred, features):
        return self.strength * y_pred.square().mean()

    def targets(
        self, net: skreg.deep.RegularizedNetClassifier, batch: skreg.deep.Batch, y: torch.Tensor
    ) -> torch.Tensor:
        return y


DeepClassifier(regularizers=[("confidence", Confidence())])
