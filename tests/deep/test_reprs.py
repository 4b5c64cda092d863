"""What is printed of the objects of `skreg.deep` tells how they were made."""

import pytest
import torch
from torch import nn

from skreg.deep import (
    DeepClassifier,
    IndexedDataset,
    RegularizedNetClassifier,
    Regularizer,
    StagedTraining,
    regularizers,
)
from skreg.deep import torch as parts

VALUES = {"layers": ("head",), "target": "ema"}
REQUIRED = {"AdaWAC": {"augment": "a function"}}


def default(name):
    """The regularizer with what it cannot do without."""
    return getattr(regularizers, name)(**REQUIRED.get(name, {}))


def made(name):
    """The regularizer with its first parameter, if it has one, unlike the default."""
    kind = getattr(regularizers, name)
    required = REQUIRED.get(name, {})
    parameter = next((p for p in default(name).get_params() if p not in required), None)
    changed = {} if parameter is None else {parameter: VALUES.get(parameter, 0.123)}
    return kind(**required, **changed)


@pytest.mark.parametrize("name", regularizers.__all__)
def test_a_printed_regularizer_can_be_read_back(name):
    for regularizer in (made(name), default(name)):
        again = eval(repr(regularizer), vars(regularizers))
        assert type(again) is type(regularizer)
        assert again.get_params() == regularizer.get_params()


def test_defaults_are_left_out():
    assert repr(regularizers.SAM(rho=0.2)) == "SAM(rho=0.2)"
    assert repr(regularizers.SAM(rho=0.05)) == "SAM()"


def test_regularizers_without_parameters_and_with_strange_ones():
    class Plain(Regularizer):
        pass

    class Strange(Regularizer):
        def get_params(self, deep=True):
            return {"unknown": 1}

    assert repr(Plain()) == "Plain()"
    assert repr(Strange()) == "Strange(unknown=1)"


def test_estimators_and_nets_show_their_regularizers():
    listed = [("elr", regularizers.ELR(lam=1.0)), ("none", None)]
    model = DeepClassifier(regularizers=listed)
    for shown in (
        model,
        StagedTraining(model, []),
        RegularizedNetClassifier(nn.Linear, regularizers=listed),
    ):
        assert "ELR(lam=1.0)" in repr(shown)
    assert "regularizers" not in repr(RegularizedNetClassifier(nn.Linear))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: parts.SampleMemory(3, 2), "SampleMemory(n_samples=3, row_shape=(2,))"),
        (
            lambda: parts.WeightCompander(0.1, 0.2),
            "WeightCompander(a=0.1, b=0.2, function='arctan')",
        ),
        (lambda: parts.ELRPenalty(4, 3, lam=2.0), "lam=2.0, beta=0.7, clamp=0.0001"),
        (lambda: parts.PSKDLoss(4, 3, 10), "max_epochs=10, alpha=0.8"),
        (lambda: parts.ConRLoss(temperature=0.5), "temperature=0.5"),
        (lambda: parts.ThresholdConsistentMarginLoss(), "margin_pos=0.9"),
        (lambda: parts.StableMaxCrossEntropyLoss(label_smoothing=0.1), "label_smoothing=0.1"),
        (lambda: parts.TrustRegionDistance("ema"), "target='ema'"),
        (lambda: parts.FrozenCopy(nn.Linear(1, 1), mode="same"), "mode='same'"),
        (lambda: parts.WeightAverage(nn.Linear(1, 1), decay=0.9), "WeightAverage(decay=0.9)"),
        (lambda: IndexedDataset([(0.0, 1), (1.0, 0)]), "IndexedDataset(list of 2 samples)"),
    ],
)
@pytest.mark.filterwarnings("ignore::skreg.deep.torch.ExperimentalWarning")
def test_parts_show_their_settings(make, expected):
    assert expected in repr(make())


@pytest.mark.parametrize(
    ("wrapper", "expected"),
    [
        (lambda base: parts.SAM(base, rho=0.2, adaptive=True), "rho=0.2, adaptive=True"),
        (lambda base: parts.GradientClipping(base, max_norm=2.0), "max_norm=2.0"),
        (lambda base: parts.OptimizerWrapper(base), "OptimizerWrapper(SGD"),
    ],
)
def test_wrappers_show_their_base_and_their_settings(wrapper, expected):
    shown = repr(wrapper(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)))
    assert expected in shown
    assert "lr: 0.3" in shown
