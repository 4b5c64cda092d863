"""What every regularizer owes to the frame and to its neighbours, whatever it does."""

import copy
import functools
import itertools
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, LoadInitState
from torch import nn

from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor, regularizers
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    SAM,
    ConvOrthogonality,
    GradientClipping,
    LabelSmoothing,
    ThresholdConsistentMargin,
    TrustRegionPenalty,
)

pytestmark = pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")

N, K = 24, 3
FOR_PIXELS = {"ADELE"}
NAMES = sorted({*regularizers.__all__} - FOR_PIXELS)
CLASSIFIERS = [name for name in NAMES if name != "ConR"]
# ELRPlus puts two there
NEED_THE_MODULE = {
    "AdaWAC",
    "DomainSpecificHeads",
    "MaskSparsity",
    "ThresholdConsistentMargin",
    "TrustRegionPenalty",
    "EMAWeights",
    "SWA",
}
MIXERS = {"CutMix", "Mixup"}
# pairs that would not be exact; PSKD stands before what mixes samples
REFUSED = {
    ("ELRPlus", "ELR"),
    ("ELRPlus", "AdaWAC"),
    ("StableMax", "TrustRegionPenalty"),
    ("StableMax", "DomainSpecificHeads"),
    *itertools.product(
        MIXERS, ("AdaWAC", "DomainSpecificHeads", "ELR", "ELRPlus", "ThresholdConsistentMargin")
    ),
}


def brighter(X, y):
    """A view of a batch without random numbers."""
    return X + 0.1, y


ARGUMENTS = {
    "AdaWAC": {"augment": brighter},
    "DomainSpecificHeads": {"domains": np.arange(96) % 2},  # of later rows, too
    "ELRPlus": {"mixup_alpha": 0.0},  # no random numbers
    "Flooding": {"level": 1.0},  # a level that such a short training meets
    "GradientClipping": {"max_norm": 0.1},
    "SWA": {"start": 0.0},
}
NEED_NORMALISATION = {"MaskSparsity", "NetworkSlimming"}
NEUTRAL = {
    "ELR": ELR(lam=0.0),
    "GradientClipping": GradientClipping(max_norm=None),
    "LabelSmoothing": LabelSmoothing(0.0),
    "PSKD": PSKD(alpha=0.0),
    "SAM": SAM(rho=0.0),
    "ThresholdConsistentMargin": ThresholdConsistentMargin(weight_pos=0.0, weight_neg=0.0),
    "ConvOrthogonality": ConvOrthogonality(strength=0.0),
    "TrustRegionPenalty": TrustRegionPenalty(strength=0.0),
}


class Convolutions(nn.Sequential):
    def __init__(self, n_outputs=K, dropout=0.0, normalised=False):
        super().__init__(
            nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"),
            *([nn.InstanceNorm2d(4, affine=True)] if normalised else []),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 36, 8),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(8, n_outputs),
        )


def make_net(names, **arguments):
    torch.manual_seed(0)
    regression = "ConR" in names
    used = [
        (f"{name}_{i}", copy.deepcopy(NEUTRAL[name[1:]]) if name[0] == "-" else make(name))
        for i, name in enumerate(names)
    ]
    defaults = {"lr": 0.05, "max_epochs": 3, "batch_size": 12, "train_split": None, "verbose": 0}
    net_class = RegularizedNetRegressor if regression else RegularizedNetClassifier
    return net_class(
        Convolutions,
        module__n_outputs=1 if regression else K,
        module__dropout=0.2 if "RDrop" in names else 0.0,
        module__normalised=not NEED_NORMALISATION.isdisjoint(names),
        regularizers=used,
        **{**defaults, **arguments},
    )


def make(name):
    return getattr(regularizers, name)(**ARGUMENTS.get(name, {}))


def data_for(names):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2, 6, 6)).astype(np.float32)
    y = rng.integers(0, K, N)
    return X, (y[:, None].astype(np.float32) if "ConR" in names else y)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()])


@functools.cache
def weights_alone(name):
    return weights(trained([name]))


def trained(names, **arguments):
    net = make_net(names, **arguments).fit(*data_for(names))
    assert torch.isfinite(weights(net)).all()
    return net


@pytest.mark.parametrize("name", NAMES)
def test_every_regularizer_changes_the_network(name):
    """... but a monitor; otherwise what follows would test nothing."""
    torch.manual_seed(0)
    plain = make_net([name]).set_params(regularizers=[])
    plain.fit(*data_for([name]))
    with_it, without = weights(trained([name], max_epochs=3)), weights(plain)
    same = with_it.shape == without.shape and torch.equal(with_it, without)
    assert same == name.endswith("Monitor")


@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        (name, neutral)
        for name, neutral in itertools.product(CLASSIFIERS, NEUTRAL)
        if name != neutral
        and (name, neutral) not in REFUSED
        and (name, neutral) != ("RDrop", "SAM")  # the second pass has other dropout
        and not (name == "ELRPlus" and neutral in NEED_THE_MODULE)
    ],
)
def test_a_neighbour_of_strength_zero_changes_nothing(name, neutral):
    alone = weights_alone(name)
    orders = [[name, f"-{neutral}"], [f"-{neutral}", name]]
    if name in MIXERS and neutral == "PSKD":
        orders = orders[1:]
    if name == "ELRPlus":
        orders = orders[1:] if neutral == "PSKD" else orders[:1]
    for names in orders:
        torch.testing.assert_close(weights(trained(names)), alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        *sorted(REFUSED),
        ("ELRPlus", "PSKD"),
        *(("ELRPlus", name) for name in sorted(NEED_THE_MODULE)),
    ],
)
def test_what_would_not_be_exact_is_refused_by_name(name, other):
    with pytest.raises(ValueError, match=rf"{name} \(.*{other} \(|{other} \(.*{name} "):
        make_net([name, other]).fit(*data_for([name]))


class InterruptedAfter(Callback):
    """Ctrl-C at the end of an epoch."""

    def __init__(self, epochs):
        self.epochs = epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", NAMES)
def test_resumed_training_is_as_if_never_interrupted(name, tmp_path):
    def train(epochs, *callbacks):
        net = make_net([name], max_epochs=epochs, callbacks=list(callbacks))
        if name == "PSKD":  # plans by the epochs of each call
            net.set_params(regularizers__PSKD_0__max_epochs=4)
        return weights(net.fit(*data_for([name])))

    straight = train(4)
    train(4, Checkpoint(dirname=tmp_path, monitor=None), InterruptedAfter(2))
    resumed = train(2, LoadInitState(Checkpoint(dirname=tmp_path, monitor=None)))
    torch.testing.assert_close(resumed, straight, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_pickled_net_goes_on_as_the_original(name):
    net = trained([name])
    again = pickle.loads(pickle.dumps(net))
    for one in (net, again):
        torch.manual_seed(1)
        one.partial_fit(*data_for([name]))
    assert torch.equal(weights(net), weights(again))


@pytest.mark.parametrize("name", NAMES)
def test_weights_of_one_are_no_weights(name):
    def train(**weight):
        net = make_net([name])
        if name in MIXERS:  # partners are drawn in proportion to weights, from other numbers
            net.set_params(**{f"regularizers__{name}_0__alpha": 0.0})
        return weights(net.fit(*data_for([name]), **weight))

    torch.testing.assert_close(train(sample_weight=np.ones(N)), train(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_close_to_full(name):
    half = trained([name], mixed_precision="bfloat16", lr=0.01)
    full = trained([name], lr=0.01)
    before = weights(make_net([name]).initialize())
    moved = (weights(full) - before).norm()
    assert (weights(half) - weights(full)).norm() < 0.3 * moved


@pytest.mark.parametrize("name", NAMES)
def test_accumulated_steps_stay_finite_and_count_epochs(name):
    net = trained([name], batch_size=5, accumulation_steps=2)
    assert len(net.history) == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "ELRPlus"])
def test_compiled_module_gives_the_same(name):
    compiled = trained([name], compile=True, compile__backend="eager", max_epochs=2)
    eager = trained([name], max_epochs=2)
    torch.testing.assert_close(weights(compiled), weights(eager), rtol=0, atol=1e-5)
    torch.compiler.reset()


@pytest.mark.parametrize("name", NAMES)
def test_one_sample_batches_and_one_class_are_fine(name):
    X, y = data_for([name])
    net = make_net([name], batch_size=1, max_epochs=1).fit(X[:5], y[:5])
    assert torch.isfinite(weights(net)).all()
    net = make_net([name], max_epochs=1).fit(X, np.zeros_like(y))
    assert torch.isfinite(weights(net)).all()
