"""Whatever a net was trained with, its copies and pickles predict alike and train on alike."""

import copy
import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from joblib.externals.loky.backend import reduction
from sklearn.datasets import make_classification
from sklearn.model_selection import cross_validate
from skorch.callbacks import LRScheduler
from torch import nn
from torch.nn.utils import parametrizations
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, OneCycleLR, PolynomialLR

from skreg.deep import DeepClassifier, RegularizedNetClassifier
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    SAM,
    TRAM,
    ELRPlus,
    FisherSAM,
    OrthogonalGradient,
    TrustRegionPenalty,
    WeightCompander,
)
from skreg.deep.torch import FrozenCopy, make_picklable

pytestmark = pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")
WRAPPERS = {
    "SAM": SAM,
    "FisherSAM": FisherSAM,
    "TRAM": TRAM,
    "OrthogonalGradient": OrthogonalGradient,
    "ELRPlus": ELRPlus,
    "TrustRegionPenalty": lambda: TrustRegionPenalty(target="ema"),
}
SCHEDULES = {
    "StepLR": {"step_size": 1},
    "ReduceLROnPlateau": {"monitor": "train_loss"},
    "WarmRestartLR": {},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_every": "batch"},
    OneCycleLR: {"max_lr": 0.1, "total_steps": 100, "step_every": "batch"},
    CosineAnnealingWarmRestarts: {"T_0": 2},
    PolynomialLR: {"total_iters": 4},
}


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(90, 8, n_informative=6, n_redundant=0, n_classes=3, random_state=0)
    return X.astype(np.float32), y


class Net(nn.Module):
    def __init__(self, wrap=None):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
        self.head = nn.Linear(8, 3)
        if wrap is not None:
            wrap(self.body[0])

    def forward(self, X):
        return self.head(self.body(X))


def trained(data, regularizers, callbacks=(), module=Net, **options):
    torch.manual_seed(0)
    net = RegularizedNetClassifier(
        module,
        regularizers=regularizers,
        callbacks=list(callbacks),
        max_epochs=2,
        batch_size=30,
        lr=0.1,
        train_split=None,
        verbose=0,
        **options,
    )
    return net.fit(*data)


def by_pickle(net):
    return pickle.loads(pickle.dumps(net))


def by_joblib(net):
    stored = io.BytesIO()
    joblib.dump(net, stored)
    stored.seek(0)
    return joblib.load(stored)


def assert_goes_on_alike(net, other, data):
    """Two more epochs of both end in the same weights."""
    for one in (net, other):
        torch.manual_seed(1)
        one.partial_fit(*data)
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, other.module_.state_dict()[name]), name
    np.testing.assert_array_equal(net.predict_proba(data[0]), other.predict_proba(data[0]))


def as_between_processes(net):
    return pickle.loads(reduction.dumps(net))


@pytest.mark.parametrize("make_copy", [by_pickle, copy.deepcopy, by_joblib, as_between_processes])
@pytest.mark.parametrize("name", WRAPPERS)
def test_scheduled_wrappers_go_on_as_the_original(name, make_copy, data):
    net = trained(data, [("r", WRAPPERS[name]())], [LRScheduler("CosineAnnealingLR", T_max=5)])
    other = make_copy(net)
    assert other.module_ is not net.module_
    assert other.optimizer_ is not net.optimizer_
    mine = {id(p) for p in other.module_.parameters()}
    assert mine >= {id(p) for g in other.optimizer_.param_groups for p in g["params"]}
    assert_goes_on_alike(net, other, data)


@pytest.mark.parametrize("policy", SCHEDULES)
def test_every_schedule_leaves_wrapped_optimizers_picklable(policy, data):
    net = trained(
        data,
        [("r", SAM()), ("o", OrthogonalGradient())],
        [LRScheduler(policy, **SCHEDULES[policy])],
    )
    assert_goes_on_alike(net, copy.deepcopy(net), data)


def spectral(layer):
    return parametrizations.spectral_norm(layer)


def weight(layer):
    return parametrizations.weight_norm(layer)


def orthogonal(layer):
    return parametrizations.orthogonal(layer)


@pytest.mark.parametrize("wrap", [spectral, weight, orthogonal])
@pytest.mark.parametrize("regularizer", [SAM, lambda: TRAM("initial"), WeightCompander, ELRPlus])
def test_nets_with_parametrized_layers(wrap, regularizer, data):
    net = trained(data, [("r", regularizer())], module__wrap=wrap)
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    other = by_pickle(net)
    for name, value in before.items():  # a spectral norm moves whenever it is evaluated
        assert torch.equal(value, net.module_.state_dict()[name]), name
        assert torch.equal(value, other.module_.state_dict()[name]), name
    assert_goes_on_alike(net, other, data)
    assert_goes_on_alike(net, copy.deepcopy(by_joblib(by_pickle(net))), data)


@pytest.mark.slow
def test_fitted_estimators_come_back_from_other_processes(data):
    model = DeepClassifier(
        Net,
        [("sam", SAM()), ("compander", WeightCompander())],
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=5)],
        max_epochs=2,
        net_params={"module__wrap": spectral},
        standardize=False,
        random_state=0,
    )
    X, y = data
    folds = [(np.arange(60), np.arange(60, 90)), (np.arange(30, 90), np.arange(30))]
    found = cross_validate(model, X, y, cv=folds, return_estimator=True, n_jobs=2)
    for (train, test), estimator, score in zip(
        folds, found["estimator"], found["test_score"], strict=True
    ):
        assert estimator.score(X[test], y[test]) == score
        model.fit(X[train], y[train])
        np.testing.assert_allclose(estimator.predict_proba(X), model.predict_proba(X), rtol=1e-5)


LOAD = """
import pickle, sys, torch
model, x = pickle.load(open(sys.argv[1], "rb"))
print(repr(model(x).tolist()))
"""


def test_a_fresh_process_reads_parametrized_layers(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(weight(nn.Conv1d(1, 2, 3)), nn.Flatten(), spectral(nn.Linear(12, 3)))
    make_picklable(model).eval()
    x = torch.randn(4, 1, 8)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps((model, x)))
    found = subprocess.run(
        [sys.executable, "-c", LOAD, path], capture_output=True, text=True, check=True
    )
    torch.testing.assert_close(torch.tensor(eval(found.stdout)), model(x).detach())


def attention():
    layer = nn.MultiheadAttention(4, 2)
    parametrizations.weight_norm(layer, "in_proj_weight")
    spectral(layer.out_proj)
    return layer


@pytest.mark.parametrize(
    "make",
    [
        lambda: spectral(nn.Linear(4, 3)),
        lambda: weight(spectral(nn.Linear(4, 3))),
        lambda: parametrizations.weight_norm(orthogonal(nn.Linear(4, 3)), "bias", dim=None),
        lambda: parametrizations.weight_norm(nn.LSTM(3, 5), "weight_hh_l0"),
        attention,
    ],
)
def test_any_layer_and_any_stack_of_parametrizations(make):
    layer = make_picklable(make())
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    for other in (
        by_pickle(layer),
        by_joblib(layer),
        copy.copy(layer),
        by_pickle(by_pickle(layer)),
    ):
        assert list(other.state_dict()) == list(before)
        for name, value in before.items():
            assert torch.equal(other.state_dict()[name], value), name
            assert torch.equal(layer.state_dict()[name], value), name
        assert [p.requires_grad for p in other.parameters()] == [True] * len([*layer.parameters()])


@pytest.mark.parametrize(
    "regularizers",
    [
        [("r", TRAM("previous")), ("p", TrustRegionPenalty(target="initial"))],
        [("r", TRAM("ema", target_mode="same"))],
        [("r", TRAM("input_noise"))],
        [("r", ELR()), ("p", PSKD())],
        [("r", SAM()), ("o", OrthogonalGradient())],
        [("r", WeightCompander(learnable=True)), ("t", TRAM())],
        [("r", ELRPlus())],
    ],
)
def test_state_goes_through_safetensors(regularizers, data, tmp_path):
    net = trained(data, regularizers)
    files = {"f_params": tmp_path / "m.safetensors", "f_criterion": tmp_path / "c.safetensors"}
    files = {name: str(path) for name, path in files.items()}
    net.save_params(**files, use_safetensors=True)
    fresh = copy.deepcopy(net).initialize()
    fresh.load_params(**files, use_safetensors=True)
    for part in ("module_", "criterion_"):
        expected = getattr(net, part).state_dict()
        assert getattr(fresh, part).state_dict().keys() == expected.keys()
        for name, value in getattr(fresh, part).state_dict().items():
            assert torch.equal(value, expected[name]), name


def test_tied_weights_of_a_copy_go_through_safetensors(tmp_path):
    from safetensors.torch import load_file, save_file

    net = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False))
    net[1].weight = net[0].weight
    teacher = FrozenCopy(net)
    save_file(teacher.state_dict(), tmp_path / "t.safetensors")
    other = FrozenCopy(nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5, bias=False)))
    other.load_state_dict(load_file(tmp_path / "t.safetensors"))
    tokens = torch.tensor([0, 3])
    assert torch.equal(other(tokens), net(tokens))
