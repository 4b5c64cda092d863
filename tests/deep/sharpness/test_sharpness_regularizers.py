"""Sharpness and trust regions in the training step: weights, streams, checkpoints, declarations."""

import copy
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import make_classification
from torch import nn
from torch.nn import functional
from torch.utils.data import IterableDataset

from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor
from skreg.deep.regularizers import SAM, TRAM, FisherSAM, TrustRegionPenalty
from skreg.deep.torch import SampleMemory

METHODS = {
    "SAM": lambda: SAM(rho=0.5),
    "FisherSAM": lambda: FisherSAM(gamma=0.5, eta=10.0),
    "TRAM": lambda: TRAM("initial", scale=10.0),
    "TRAM-mmd": lambda: TRAM("ema", "mmd", decay=0.5, scale=10.0),
    "penalty": lambda: TrustRegionPenalty(5.0, "initial"),
    "penalty-mmd": lambda: TrustRegionPenalty(5.0, "initial", "mmd"),
}


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(60, 8, n_informative=6, n_redundant=0, n_classes=3, random_state=0)
    return X, y


class Net(nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, n_outputs))
        self.double()

    def forward(self, X):
        return self.layers(X)


def make(regularizer, cls=RegularizedNetClassifier, **options):
    torch.manual_seed(0)
    return cls(
        Net,
        regularizers=[("r", regularizer)],
        train_split=None,
        verbose=0,
        **{"batch_size": -1, "max_epochs": 8, "lr": 0.5, **options},
    )


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


# the discrepancy (mmd) of several batches is the mean of theirs, not that of all samples
@pytest.mark.parametrize(
    ("method", "accumulation_steps"),
    [*((m, 1) for m in METHODS), *((m, 3) for m in METHODS if "mmd" not in m)],
)
def test_integer_weights_are_repeated_rows(method, accumulation_steps, data):
    X, y = data
    repeats = np.random.default_rng(0).integers(0, 4, 60)
    whole = make(METHODS[method]()).fit(np.repeat(X, repeats, 0), np.repeat(y, repeats))
    parts = {"batch_size": 20, "accumulation_steps": 3} if accumulation_steps > 1 else {}
    weighted = make(METHODS[method](), **parts).fit(X, y, sample_weight=repeats)
    torch.testing.assert_close(weights(weighted), weights(whole), rtol=0, atol=1e-10)
    unweighted = make(METHODS[method](), **parts).fit(X, y)
    assert (weights(unweighted) - weights(whole)).abs().max() > 1e-3


def test_a_batch_of_weight_zero_is_no_trouble(data):
    X, y = data
    weight = np.repeat([1.0, 0.0], 30)
    options = {"batch_size": 30, "max_epochs": 2}
    for regularizer in (TRAM("initial"), TrustRegionPenalty(target="initial")):
        net = make(regularizer, **options).fit(X, y, sample_weight=weight)
        assert weights(net).isfinite().all()


class Stream(IterableDataset):
    def __init__(self, X, y):
        self.X, self.y = X, y

    def __iter__(self):
        return zip(self.X, self.y, strict=True)


@pytest.mark.parametrize("method", METHODS)
def test_streams_train_like_arrays(method, data):
    X, y = data
    options = {"batch_size": 60, "max_epochs": 3}
    of_arrays = make(METHODS[method](), **options).fit(X, y)
    of_stream = make(METHODS[method](), classes=[0, 1, 2], **options)
    of_stream.fit(Stream(X, y), y=None)
    torch.testing.assert_close(weights(of_stream), weights(of_arrays), rtol=0, atol=1e-12)


@pytest.mark.parametrize("target", ["initial", "previous", "ema"])
@pytest.mark.parametrize("method", [TRAM, lambda target: TrustRegionPenalty(2.0, target)])
def test_a_checkpoint_of_midway_brings_its_target_along(method, target, data, tmp_path):
    whole = make(method(target), max_epochs=6).fit(*data)
    half = make(method(target), max_epochs=3).fit(*data)
    files = {name: tmp_path / name for name in ("f_params", "f_criterion", "f_optimizer")}
    half.save_params(**files)
    fresh = make(method(target), max_epochs=3).initialize()
    fresh.load_params(**files)
    fresh.partial_fit(*data)
    torch.testing.assert_close(weights(fresh), weights(whole), rtol=0, atol=1e-12)


def test_the_target_is_where_training_begins_not_where_the_net_was_made(data):
    X, y = data
    net = make(TRAM("initial"), max_epochs=1, lr=0.0).initialize()
    with torch.no_grad():
        for p in net.module_.parameters():
            p.add_(0.3)  # weights that were loaded into the initialized net
    net.partial_fit(X, y)
    assert net.history[0, "trust_region_distance"] == pytest.approx(0, abs=1e-15)


def by_hand(X, y, strength, n_steps=8):
    """TRPO's penalty with the published order: the target is where the step before began."""
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    before = copy.deepcopy(net)
    for _ in range(n_steps):
        here = copy.deepcopy(net)
        log_q, log_p = net(X).log_softmax(1), before(X).log_softmax(1).detach()
        distance = functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
        optimizer.zero_grad()
        (functional.cross_entropy(net(X), y) + strength * distance).backward()
        optimizer.step()
        before = here
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("parts", [1, 3])
def test_the_target_of_the_penalty_follows_once_a_step(parts, data):
    X, y = map(torch.from_numpy, data)
    net = make(
        TrustRegionPenalty(5.0, "previous"), batch_size=60 // parts, accumulation_steps=parts
    )
    net.fit(*data)
    torch.testing.assert_close(weights(net), by_hand(X, y, 5.0), rtol=0, atol=1e-10)


class Remembering(Net):
    """A network with rows of samples in it, as in an `ELRPlus`."""

    def __init__(self):
        super().__init__()
        self.memory = SampleMemory(1000, 5)


@pytest.mark.parametrize("method", ["TRAM", "penalty"])
def test_rows_of_samples_in_the_module_are_in_no_copy(method, data):
    plain = make(METHODS[method]()).fit(*data)
    remembering = make(METHODS[method]()).set_params(module=Remembering).fit(*data)
    torch.testing.assert_close(weights(remembering), weights(plain), rtol=0, atol=0)
    state = remembering.criterion_.state_dict().items()
    assert sum(value.numel() for name, value in state if "reference" in name) == len(weights(plain))
    memory = remembering.module_.memory
    assert memory.values.shape == (1000, 5)
    assert not memory.values.any()


def test_needs_are_declared():
    everything = ("classification", "regression", "dense")
    assert SAM.tasks == FisherSAM.tasks == everything
    assert TRAM().tasks == ("classification", "regression")
    assert TRAM().reads_softmax
    squares = TrustRegionPenalty(divergence="l2")
    assert squares.tasks == everything
    assert not squares.reads_softmax
    assert TRAM(divergence="mmd").tasks == ("classification",)


def test_regression_compares_outputs(data):
    X, _ = data
    y = X[:, :1] ** 2
    net = make(TRAM("initial"), RegularizedNetRegressor, module__n_outputs=1, lr=0.05).fit(X, y)
    assert net.history[-1, "trust_region_distance"] > 0


def test_processes_take_one_radius_that_of_all_their_samples(tmp_path):
    path, store = Path(__file__).with_name("radius_worker.py"), str(tmp_path / "store")
    worker = runpy.run_path(str(path))
    command = [sys.executable, str(path), store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        first = worker["radius_of_both"](0, store)
        second = float(other.stdout.read())
    of_one_process = worker["radius"](slice(0, 60), None)
    assert first == second == pytest.approx(of_one_process, rel=1e-6)
    assert abs(worker["radius"](slice(0, 20), None) - of_one_process) > 1e-3
