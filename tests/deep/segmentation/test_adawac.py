"""Weights of samples against the consistency of their views."""

import math
import pickle

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F

from skreg.deep import DeepClassifier, DeepSegmenter, SampleWeightDisplay
from skreg.deep.regularizers import SAM, AdaWAC, EMAWeights, LabelSmoothing, Mixup
from skreg.deep.torch import AdaWACLoss, dice_loss, feature_consistency

L, R = torch.tensor([2.0, 0.1, 1.0]), torch.tensor([1.0, 0.4, 1.0])
ROWS = torch.arange(3)


# the weights


@pytest.mark.parametrize("visits", [1, 3])
def test_weights_after_constant_losses(visits):
    loss = AdaWACLoss(3, weight_lr=0.5)
    for _ in range(visits):
        loss(L, R, ROWS)
    expected = {1: [0.622459, 0.462570, 0.5], 3: [0.817574, 0.389361, 0.5]}[visits]
    np.testing.assert_allclose(loss.beta, expected, atol=1e-6)
    np.testing.assert_allclose(loss.beta, (0.5 * visits * (L - R)).sigmoid(), atol=1e-6)


def test_a_step_is_that_of_mirror_ascent():
    start, eta = 0.3, 0.7
    loss = AdaWACLoss(3, weight_lr=eta, init_beta=start)
    loss(L, R, ROWS)

    def negative(b, gain):
        divergence = b * math.log(b / start) + (1 - b) * math.log((1 - b) / (1 - start))
        return divergence - eta * gain * b

    for beta, gain in zip(loss.beta.tolist(), (L - R).tolist(), strict=True):
        best = minimize_scalar(
            negative, args=(gain,), bounds=(1e-9, 1 - 1e-9), method="bounded",
            options={"xatol": 1e-9},
        )  # fmt: skip
        assert beta == pytest.approx(best.x, abs=1e-5)


def test_losses_use_the_new_weights_as_constants():
    loss = AdaWACLoss(3, weight_lr=0.5)
    supervised, consistency = L.clone().requires_grad_(), R.clone().requires_grad_()
    values = loss(supervised, consistency, ROWS)
    beta = loss.beta
    torch.testing.assert_close(values, beta * L + (1 - beta) * R)
    values.sum().backward()
    torch.testing.assert_close(supervised.grad, beta)
    torch.testing.assert_close(consistency.grad, 1 - beta)


def test_modes_and_limits():
    still = AdaWACLoss(3, weight_lr=0.0)(L, R, ROWS)
    torch.testing.assert_close(still, (L + R) / 2)
    torch.testing.assert_close(AdaWACLoss(3, mode="dac")(L, R, ROWS), (L + R) / 2)
    torch.testing.assert_close(AdaWACLoss(3, mode="pair")(L, R, ROWS), L)
    reweight = AdaWACLoss(3, weight_lr=0.5, mode="reweight")
    torch.testing.assert_close(reweight(L, R, ROWS), (0.5 * L).sigmoid() * L)
    clipped = AdaWACLoss(3, weight_lr=1e6)
    clipped(L, R, ROWS)
    assert clipped.beta[1] == pytest.approx(1 / (1 + math.exp(20)), rel=1e-4)


def test_other_samples_stay_and_order_does_not_matter():
    one, two = (AdaWACLoss(5, weight_lr=0.5) for _ in range(2))
    rows = torch.tensor([4, 0, 2])
    one(L, R, rows)
    two(L.flip(0), R.flip(0), rows.flip(0))
    assert torch.equal(one.beta, two.beta)
    assert one.beta[[1, 3]].tolist() == [0.5, 0.5]
    before = one.beta.clone()
    one(L, R, rows, update=False)
    assert torch.equal(one.beta, before)
    again = AdaWACLoss()
    again.load_state_dict(one.state_dict())
    assert torch.equal(again.beta, one.beta)


def test_the_weights_lose_little_against_the_best_fixed_one():
    rng = np.random.default_rng(0)
    eta, k = 0.3, 200
    losses = torch.tensor(rng.random((k, 2, 1)), dtype=torch.float32)
    loss, gained = AdaWACLoss(1, weight_lr=eta), 0.0
    for supervised, consistency in losses:
        beta = loss.beta
        gained += (beta * supervised + (1 - beta) * consistency).item()
        loss(supervised, consistency, torch.tensor([0]))
    best = losses.sum(0).max().item()
    assert (best - gained) / k <= math.log(2) / (eta * k) + eta / 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight_lr": -1}, "weight_lr must be"),
        ({"init_beta": 0}, "init_beta must be"),
        ({"clip": 0}, "clip must be"),
        ({"mode": "trim"}, "mode must be one of"),
    ],
)
def test_the_loss_checks_its_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdaWACLoss(**arguments)


def test_consistency_is_a_mean_square():
    a, b = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    expected = np.square(a.numpy() - b.numpy()).mean((1, 2))
    np.testing.assert_allclose(feature_consistency(a, b), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="must have one shape"):
        feature_consistency(a, b[:, :3])


def test_dice_counts_pixels_of_the_batch():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, (4, 5, 5))
    found = rng.integers(0, 3, (4, 5, 5))
    hard = F.one_hot(torch.from_numpy(found), 3).movedim(-1, 1).float()
    expected = np.mean(
        [1 - 2 * ((y == c) & (found == c)).sum() / ((y == c).sum() + (found == c).sum())
         for c in range(3)]
    )  # fmt: skip
    assert dice_loss(hard, torch.from_numpy(y)).item() == pytest.approx(expected, abs=1e-5)
    spoilt = y.copy()
    spoilt[0] = -100
    rest = dice_loss(hard[1:], torch.from_numpy(y[1:]))
    assert dice_loss(hard, torch.from_numpy(spoilt)).item() == pytest.approx(rest.item(), abs=1e-6)


# in training


def images(n=24, seed=0, size=12):
    """Half of the images have a labelled square, half an unlabelled dim one."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(0, 0.3, (n, 1, size, size)), np.zeros((n, size, size), np.int64)
    for i in range(n):
        rows, columns = (slice(k, k + 5) for k in rng.integers(0, size - 5, 2))
        X[i, 0, rows, columns] += 1.0 if i < n // 2 else 0.3
        y[i, rows, columns] = int(i < n // 2)
    return X.astype(np.float32), y


X, Y = images()


class Net(nn.Sequential):
    def __init__(self, n_outputs=2):
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
            nn.Conv2d(8, n_outputs, 1),
        )  # fmt: skip


def noisy(X, y):
    return X + 0.15 * torch.randn_like(X), y


def same(X, y):
    return X, y


def mirrored(X, y):
    flip = torch.rand(()) < 0.5
    return (X.flip(3), y.flip(2)) if flip else (X, y)


def segmenter(adawac, *more, epochs=8, **arguments):
    regularizers = [("adawac", adawac), *((f"r{i}", one) for i, one in enumerate(more))]
    defaults = {"lr": 0.01, "batch_size": 8, "random_state": 0}
    return DeepSegmenter(Net, regularizers, max_epochs=epochs, **{**defaults, **arguments})


def weights_of(model):
    return dict(model.net_.regularizers)["adawac"].sample_weight_


def test_images_that_say_more_get_larger_weights():
    model = segmenter(AdaWAC(noisy, "2"), epochs=30, lr=0.02).fit(X, Y)
    weights = weights_of(model)
    assert weights[:12].mean() > weights[12:].mean() + 0.05
    assert model.history_["label_weight"].iloc[-1] == pytest.approx(weights.mean(), abs=1e-5)
    assert model.score(X, Y) > 0.6


def test_equal_views_have_no_consistency():
    weights = []

    class Watch(AdaWAC):
        def on_epoch_end(self, net, **kwargs):
            weights.append(self.sample_weight_.copy())

    model = segmenter(Watch(same, "2"), epochs=3).fit(X, Y)
    assert (np.diff(np.stack(weights), axis=0) > 0).all()
    pair = segmenter(AdaWAC(same, "2", mode="pair"), epochs=3).fit(X, Y)
    plain = DeepSegmenter(Net, max_epochs=3, lr=0.01, batch_size=8, random_state=0).fit(X, Y)
    np.testing.assert_allclose(pair.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    assert not np.allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("dice_weight", [0.0, 0.5])
def test_it_trains_as_by_hand(dice_weight):
    torch.manual_seed(0)
    start = Net()
    by_hand, weighting = pickle.loads(pickle.dumps(start)), AdaWACLoss(24, weight_lr=2.0)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)

    def shifted(X, y):
        calls.append(None)
        return (X + 0.1, y) if len(calls) % 2 else (X.flip(3), y.flip(2))

    for _ in range(2):
        one, two = (x + 0.1, y), (x.flip(3), y.flip(2))
        hidden = [nn.Sequential(*by_hand)[:3](view) for view, _ in (one, two)]
        outputs = [nn.Sequential(*by_hand)[3:](h) for h in hidden]
        entropies = [
            F.cross_entropy(z, labels, reduction="none").mean((1, 2))
            for z, (_, labels) in zip(outputs, (one, two), strict=True)
        ]
        consistency = 3.0 * (hidden[0] - hidden[1]).square().mean((1, 2, 3))
        loss = weighting((entropies[0] + entropies[1]) / 2, consistency, torch.arange(24)).mean()
        dice = [
            dice_loss(z.softmax(1), labels)
            for z, (_, labels) in zip(outputs, (one, two), strict=True)
        ]
        optimizer.zero_grad()
        ((1 - dice_weight) * loss + dice_weight * (dice[0] + dice[1]) / 2).backward()
        optimizer.step()
    calls = []
    adawac = AdaWAC(shifted, "2", consistency_weight=3.0, weight_lr=2.0, dice_weight=dice_weight)
    model = segmenter(
        adawac, epochs=2, batch_size=24, lr=0.1, optimizer=torch.optim.SGD,
        net_params={"iterator_train__shuffle": False},
    ).set_params(module=start).fit(X, Y)  # fmt: skip
    for found, wanted in zip(model.net_.module_.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(weights_of(model), weighting.beta, rtol=1e-4)


def test_training_goes_on_as_without_a_break():
    whole = segmenter(AdaWAC(noisy, "2"), epochs=4).fit(X, Y)
    half = segmenter(AdaWAC(noisy, "2"), epochs=2, warm_start=True).fit(X, Y)
    half = pickle.loads(pickle.dumps(half)).fit(X, Y)
    np.testing.assert_allclose(weights_of(half), weights_of(whole), atol=1e-6)
    np.testing.assert_allclose(half.predict_proba(X), whole.predict_proba(X), atol=1e-5)
    again = clone(whole).fit(X, Y)
    np.testing.assert_allclose(weights_of(again), weights_of(whole))


@pytest.mark.parametrize(
    "other", [SAM(), EMAWeights(), LabelSmoothing(0.1)], ids=lambda r: type(r).__name__
)
def test_it_composes_in_classification(other):
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(60, 4)).astype(np.float32), np.arange(60) % 2
    rows[:, 0] += 2 * labels
    model = DeepClassifier(
        regularizers=[("adawac", AdaWAC(noisy)), ("other", other)], max_epochs=10, random_state=0
    ).fit(rows, labels)
    assert weights_of(model).shape == (60,)
    assert model.score(rows, labels) > 0.8


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match=r"Mixup .* mixes samples, while AdaWAC"):
        DeepClassifier(
            regularizers=[("adawac", AdaWAC(noisy)), ("mixup", Mixup())], max_epochs=1
        ).fit(X[:, 0, 0], Y[:, 6, 6])
    model = DeepSegmenter(
        Net, [("first", _Softened()), ("adawac", AdaWAC(mirrored, "2"))], max_epochs=9
    )
    with pytest.raises(ValueError, match="put AdaWAC first"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match=r"has no layer 'down\.1'"):
        segmenter(AdaWAC(noisy, "down.1")).fit(X, Y)


class _Softened(LabelSmoothing):
    tasks = ("dense",)

    def targets(self, net, batch, y):
        return y.clone()


def test_the_display_shows_weights_by_labels():
    pytest.importorskip("matplotlib").use("Agg")
    masks = np.where(X[:, 0] > 2.5, 255, Y)
    model = segmenter(AdaWAC(noisy, "2"), epochs=1).fit(X, masks)
    display = SampleWeightDisplay.from_estimator(model, masks)
    np.testing.assert_allclose(display.labelled, (masks == 1).mean((1, 2)))
    np.testing.assert_allclose(display.dots_.get_offsets()[:, 1], weights_of(model))
    with pytest.raises(ValueError, match="the 24 masks that the model was trained on, got 3"):
        SampleWeightDisplay.from_estimator(model, masks[:3])
    with pytest.raises(ValueError, match="trained without AdaWAC"):
        SampleWeightDisplay.from_estimator(DeepSegmenter(Net, max_epochs=1).fit(X, Y), Y)


def test_labels_without_influence_are_told():
    adawac = AdaWAC(noisy, "2", consistency_weight=1e4, weight_lr=50)
    with pytest.warns(UserWarning, match="training has become unsupervised"):
        segmenter(adawac, epochs=2).fit(X, Y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"augment": "flip"}, "augment must be a function"),
        ({"augment": lambda X, y: X}, r"must return a pair"),
        ({"augment": lambda X, y: (X[:2], y[:2])}, "a view of all 8 samples, got 2"),
        ({"consistency_weight": -1}, "consistency_weight must be"),
        ({"weight_lr": -1}, "weight_lr must be"),
        ({"dice_weight": 1.0}, "dice_weight must be"),
        ({"mode": "any"}, "mode must be one of"),
    ],
    ids=lambda value: None if isinstance(value, str) else "arguments",
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        segmenter(AdaWAC(**{"augment": noisy, "layer": "2", **arguments}), epochs=1).fit(X, Y)
