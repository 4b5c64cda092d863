"""Fitted estimators travel: pickle, deepcopy, joblib, other processes."""

import copy
import functools
import io
import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_validate
from skorch.callbacks import EpochScoring, LRScheduler
from torch import nn

from skreg.deep import DeepAutoencoder, DeepClassifier, DeepRegressor, StagedTraining

X, y = load_iris(return_X_y=True)
BASIS = {"max_epochs": 2, "random_state": 0, "batch_size": 32}


class TwoLayers(nn.Module):
    def __init__(self, n_inputs, n_outputs, width):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_inputs, width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, n_outputs)
        )

    def forward(self, X):
        return self.layers(X)


def through_joblib(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


def halved(epoch):
    return 0.5**epoch


FACTORY = functools.partial(TwoLayers, width=5)
SCHEDULES = [
    LRScheduler("CosineAnnealingLR", T_max=4),
    LRScheduler(torch.optim.lr_scheduler.LambdaLR, lr_lambda=halved),
]
MODELS = {
    "schedule": DeepClassifier(FACTORY, callbacks=[SCHEDULES[0]], **BASIS),
    "function of the epoch": DeepClassifier(FACTORY, callbacks=[SCHEDULES[1]], **BASIS),
    "plateau": DeepClassifier(
        early_stopping=True,
        callbacks=[LRScheduler("ReduceLROnPlateau"), EpochScoring("roc_auc_ovr")],
        **BASIS,
    ),
    "bound method": DeepRegressor(TwoLayers(4, 1, 3), criterion=nn.HuberLoss(), **BASIS),
    "scaled gradients": DeepRegressor(mixed_precision="float16", accumulation_steps=2, **BASIS),
    "codes": DeepAutoencoder(trainable=["encoder.*"], **BASIS),
    "stages": StagedTraining(DeepClassifier(FACTORY, **BASIS), [("a", {}), ("b", {"lr": 0.1})]),
}


def answer(model):
    return (model.transform if hasattr(model, "transform") else model.predict)(X)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_copies_answer_and_go_on_as_the_original(model):
    model = copy.deepcopy(model).fit(X, y)
    for copied in (
        copy.deepcopy,
        through_joblib,
        lambda model: pickle.loads(pickle.dumps(model)),
    ):
        first, second = copied(model), copied(copied(model))
        np.testing.assert_array_equal(answer(first), answer(model))
        for again in (first, second):
            inner = getattr(again, "estimator_", again)
            inner.set_params(lr=0.02, warm_start=True).fit(X, y)
        np.testing.assert_array_equal(answer(first), answer(second))


def test_a_function_made_on_the_spot_is_copied():
    model = DeepClassifier(lambda n_inputs, n_outputs: TwoLayers(n_inputs, n_outputs, 4), **BASIS)
    again = copy.deepcopy(model.fit(X, y))
    np.testing.assert_array_equal(
        again.partial_fit(X, y).predict_proba(X), model.partial_fit(X, y).predict_proba(X)
    )


@pytest.mark.slow
def test_estimators_come_back_from_other_processes():
    model = DeepClassifier(
        lambda n_inputs, n_outputs: nn.Sequential(nn.Linear(n_inputs, n_outputs)),
        callbacks=[SCHEDULES[0]],
        **BASIS,
    )
    found = [
        cross_validate(model, X, y, cv=2, return_estimator=True, n_jobs=n_jobs)["estimator"]
        for n_jobs in (1, 2)
    ]
    for here, there in zip(*found, strict=True):
        np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(X))
        there.partial_fit(X, y)
