"""Mixup and CutMix in the training step: what is mixed, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep import RegularizedNetClassifier, RegularizedNetRegressor
from skreg.deep.regularizers import (
    ELR,
    PSKD,
    SAM,
    CutMix,
    ELRPlus,
    Mixup,
    StableMax,
    ThresholdConsistentMargin,
)

N, K, SIDE = 24, 3, 6
RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(N, 2, SIDE, SIDE)).astype(np.float32)
LABELS = RNG.integers(0, K, N)
REAL = RNG.normal(size=(N, 2)).astype(np.float32)


class Seen(nn.Module):
    """A linear network that keeps the inputs of its training passes."""

    def __init__(self, n_outputs=K):
        super().__init__()
        self.linear, self.inputs = nn.Linear(2 * SIDE**2, n_outputs), []

    def forward(self, x):
        self.inputs += [x] if self.training else []
        return self.linear(x.flatten(1))


class SeenTargets(nn.Module):
    """A criterion that keeps its targets."""

    def __init__(self, loss):
        super().__init__()
        self.loss, self.targets = loss, []

    def forward(self, y_pred, y):
        self.targets.append(y)
        return self.loss(y_pred, y)


def train(regularizers, X=IMAGES, y=LABELS, *, net=RegularizedNetClassifier, **arguments):
    torch.manual_seed(0)
    if not isinstance(regularizers, list):
        regularizers = [regularizers]
    named = [(f"r{i}", one) for i, one in enumerate(regularizers)]
    weight = arguments.pop("weight", None)
    defaults = {
        "module": Seen,
        "lr": 0.05,
        "max_epochs": 1,
        "batch_size": N,
        "train_split": None,
        "verbose": 0,
    }
    made = net(regularizers=named, **{**defaults, **arguments})
    return made.fit(X, y, **({} if weight is None else {"sample_weight": weight}))


def seen(*args, **arguments):
    """Inputs and targets of the first step."""
    net = train(*args, **arguments)
    return net.module_.inputs[0], net.criterion_.targets[0]


def share_and_partner(soft):
    """What the mixed targets of distinct samples tell: a sample's share, and its partner."""
    share = soft.diagonal()
    others = soft - torch.diag(share)
    alone = others.sum(1) == 0  # a random pairing can pair a sample with itself
    return share, torch.where(alone, torch.arange(len(soft)), others.argmax(1))


CLASSIFICATION = {"criterion": SeenTargets, "criterion__loss": nn.CrossEntropyLoss()}
REGRESSION = {
    "net": RegularizedNetRegressor,
    "module__n_outputs": 2,
    "criterion": SeenTargets,
    "criterion__loss": nn.MSELoss(),
}


def test_mixup_mixes_inputs_and_targets_alike():
    """Each sample is a class of its own, so that the targets tell which samples were mixed."""
    x, soft = seen(Mixup(1.0), y=np.arange(N), module__n_outputs=N, **CLASSIFICATION)
    share, partner = share_and_partner(soft)
    images = torch.from_numpy(IMAGES)
    share = share[:, None, None, None]
    torch.testing.assert_close(x, share * images + (1 - share) * images[partner])
    torch.testing.assert_close(soft.sum(1), torch.ones(N))
    assert (share < 1).any()
    assert len(share.unique()) <= 2


def test_cutmix_pastes_a_box_and_mixes_targets_by_its_area():
    x, soft = seen(CutMix(), y=np.arange(N), module__n_outputs=N, **CLASSIFICATION)
    share, partner = share_and_partner(soft)
    images = torch.from_numpy(IMAGES)
    own = (x == images).all(1)
    assert ((x == images) | (x == images[partner])).all()
    paired = partner != torch.arange(N)
    kept = own[paired][0]
    assert (own[paired] == kept).all()
    rows, columns = (~kept).nonzero().unbind(1)
    height, width = (int(i.max() - i.min()) + 1 for i in (rows, columns))
    assert height * width == (~kept).sum() > 0  # a box
    torch.testing.assert_close(share[paired], kept.float().mean().expand(paired.sum()))


@pytest.mark.parametrize("kind", [Mixup, CutMix])
def test_real_targets_are_mixed_as_they_are(kind):
    """With inputs and targets from one linear map, the map fits mixtures as well."""
    y = torch.from_numpy(IMAGES).mean((2, 3))
    x, mixed = seen(Mixup(1.0), y=y.numpy(), **REGRESSION)
    torch.testing.assert_close(x.mean((2, 3)), mixed)
    constant = np.ascontiguousarray(np.broadcast_to(REAL[:, :, None, None], IMAGES.shape))
    x, mixed = seen(kind(1.0), constant, REAL, **REGRESSION)
    torch.testing.assert_close(x.mean((2, 3)), mixed)
    assert not torch.equal(mixed, torch.from_numpy(REAL))


def test_labels_of_a_regression_may_have_a_loss_for_probabilities():
    y = (REAL > 0).astype(np.float32)
    train(
        Mixup(),
        y=y,
        net=RegularizedNetRegressor,
        module__n_outputs=2,
        criterion=nn.BCEWithLogitsLoss,
    )


def test_zero_alpha_is_plain_training():
    plain = train([]).module_.linear.weight
    for regularizer in (Mixup(0.0), CutMix(0.0)):
        torch.testing.assert_close(train(regularizer).module_.linear.weight, plain)


@pytest.mark.parametrize("kind", [Mixup, CutMix])
def test_samples_without_weight_are_as_if_absent(kind):
    """... whatever they hold: they are nobody's partner, and have no loss of their own."""
    weight = np.where(np.arange(N) % 2, 3.0, 0.0)
    garbage = np.where(weight[:, None, None, None] > 0, IMAGES, 1e3).astype(np.float32)
    nets = [
        train(kind(1.0), X, LABELS, weight=weight, batch_size=8, max_epochs=3)
        for X in (IMAGES, garbage)
    ]
    torch.testing.assert_close(nets[0].module_.linear.weight, nets[1].module_.linear.weight)


def test_mean_loss_under_weights_is_that_of_repeated_samples():
    """Over many draws, to within three standard errors."""
    times, rows = np.arange(N) % 3, np.repeat(np.arange(N), np.arange(N) % 3)
    torch.manual_seed(1)
    module = nn.Sequential(nn.Flatten(), nn.Linear(2 * SIDE**2, K))
    frozen = {"lr": 0.0, "max_epochs": 200, "batch_size": 99, "module": module}
    weighted = train(Mixup(1.0), weight=times, **frozen).history[:, "train_loss"]
    repeated = train(Mixup(1.0), IMAGES[rows], LABELS[rows], **frozen).history[:, "train_loss"]
    error = np.hypot(*(np.std(one) / np.sqrt(len(one)) for one in (weighted, repeated)))
    assert abs(np.mean(weighted) - np.mean(repeated)) < 3 * error
    assert error < 0.03 * np.mean(repeated)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.inputs = nn.Linear(5, K), []

    def forward(self, a, b):
        self.inputs.append((a, b))
        return self.linear(torch.cat([a, b], 1))


def test_all_parts_of_the_inputs_are_mixed_alike():
    a = REAL.copy()
    b = np.concatenate([a, a[:, :1] - a[:, 1:]], 1)
    net = train(Mixup(1.0), {"a": a, "b": b}, module=TwoInputs)
    mixed_a, mixed_b = net.module_.inputs[0]
    expected = torch.cat([mixed_a, mixed_a[:, :1] - mixed_a[:, 1:]], 1)
    torch.testing.assert_close(mixed_b, expected)
    assert not torch.equal(mixed_a, torch.from_numpy(a))


def test_tokens_are_refused():
    module = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(8, K))
    tokens = RNG.integers(0, 9, (N, 2))
    with pytest.raises(ValueError, match=r"only .* floating-point numbers can be mixed.*int64"):
        train(Mixup(), tokens, module=module)


def test_cutmix_refuses_tables():
    with pytest.raises(ValueError, match="cutmix needs images"):
        train(CutMix(), REAL, module=nn.Linear(2, K))


def test_cutmix_pastes_the_box_into_classes_of_pixels():
    module = nn.Conv2d(2, K, 1)
    criterion = SeenTargets(nn.CrossEntropyLoss())
    y = np.arange(N)[:, None, None] % K + np.zeros((N, SIDE, SIDE), dtype=np.int64)
    X = np.repeat(y[:, None], 2, axis=1).astype(np.float32)  # the classes themselves
    mixed_inputs = []
    module.register_forward_pre_hook(lambda layer, inputs: mixed_inputs.append(inputs[0]))
    net = train(CutMix(), X, y, module=module, criterion=criterion)
    targets = net.criterion_.targets[0]
    assert torch.equal(targets, mixed_inputs[0][:, 0].long())
    assert not torch.equal(targets, torch.from_numpy(y))
    with pytest.raises(ValueError, match=r"targets of the same size, got shape \(24, 3, 3\)"):
        train(CutMix(), X, y[:, :3, :3], module=module)


@pytest.mark.parametrize("mixer", [Mixup(), CutMix()])
@pytest.mark.parametrize("other", [ELR(), ThresholdConsistentMargin(), ELRPlus()])
def test_what_looks_at_single_samples_is_refused(mixer, other):
    for regularizers in ([mixer, other], [other, mixer]):
        with pytest.raises(ValueError, match=f"{type(mixer).__name__} .*{type(other).__name__} "):
            train(regularizers)


@pytest.mark.parametrize("mixer", [Mixup(), CutMix()])
def test_own_predictions_are_mixed_in_before_samples_are(mixer):
    with pytest.raises(ValueError, match=r"put 'r1' before 'r0'"):
        train([mixer, PSKD()])
    net = train([PSKD(0.9), mixer], max_epochs=3, batch_size=8)
    p = torch.from_numpy(dict(net.regularizers)["r0"].predictions_)
    torch.testing.assert_close(p, torch.from_numpy(net.predict_proba(IMAGES)))


def test_two_mixers_one_after_the_other():
    x, soft = seen([Mixup(1.0), CutMix()], **CLASSIFICATION)
    assert torch.isfinite(x).all()
    torch.testing.assert_close(soft.sum(1), torch.ones(N))


def test_both_passes_of_a_sharpness_aware_step_see_the_same_mixture():
    inputs = train([Mixup(1.0), SAM()]).module_.inputs
    assert len(inputs) == 2
    assert torch.equal(*inputs)


def test_mixtures_under_another_softmax():
    net = train([Mixup(), StableMax()])
    np.testing.assert_allclose(net.predict_proba(IMAGES).sum(1), 1, rtol=1e-5)


def test_a_class_that_is_not_in_the_data_keeps_its_place():
    """Class numbers 0 and 2 of three; the one-hot labels have three columns."""
    y = np.where(LABELS == 1, 2, LABELS)
    _, soft = seen(Mixup(1.0), y=y, **CLASSIFICATION)
    assert soft.shape == (N, K)
    assert (soft[:, 1] == 0).all()
    expected = F.one_hot(torch.from_numpy(y), K).float().mean(0)
    torch.testing.assert_close(soft.mean(0), expected)
