"""Penalised scaling factors: what is pushed, how far, and what stays untouched."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from skorch.callbacks import Checkpoint, LoadInitState, LRScheduler
from torch import nn

from skreg.bench.arena.slim_networks import DigitsCNN
from skreg.deep import DeepClassifier, RegularizedNetClassifier, StagedTraining
from skreg.deep.regularizers import (
    ELR,
    SAM,
    SWA,
    EMAWeights,
    LabelSmoothing,
    MaskSparsity,
    NetworkSlimming,
)
from skreg.deep.torch import (
    ScalingFactorPenalty,
    channel_masks,
    merge_group_votes,
    optimal_threshold,
    prune_channels,
    travel_strength,
)


def norm_with(*factors):
    layer = nn.BatchNorm1d(len(factors))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(factors))
    return layer


# which channels


def test_optimal_threshold_of_the_worked_example():
    assert optimal_threshold(torch.tensor([0.01, 0.02, 1.0, 2.0])) == pytest.approx(0.51)
    assert optimal_threshold(torch.tensor([2.0, -0.02, 1.0, -0.01])) == pytest.approx(0.51)
    assert optimal_threshold(torch.tensor([1.0, 1.0])) == 0.0
    assert optimal_threshold(torch.tensor([1e-4, 9e-4])) == 1.0
    masks = channel_masks(norm_with(0.01, 0.02, 1.0, 2.0), "optimal_threshold")
    assert masks[""].tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("pruned", "width", "expected"),
    [
        ([{0, 1}, {1, 2}, {1}], 3, {1}),
        ([{0, 1}, {1, 2}], 3, {0, 1, 2}),
        ([{0, 1}, {0, 1}], 3, {0, 1}),
        ([set(), {1}], 3, set()),
        ([{2}], 4, {2}),
    ],
)
def test_layers_of_a_group_vote(pruned, width, expected):
    masks = [torch.tensor([c in layer for c in range(width)]) for layer in pruned]
    assert set(merge_group_votes(masks).nonzero().flatten().tolist()) == expected


def two_layers():
    return nn.ModuleDict({"a": norm_with(0.1, -0.2, 3.0), "b": norm_with(0.3, 0.4, -0.05)})


def test_quantile_compares_layers_or_not():
    net = two_layers()
    assert {n: m.tolist() for n, m in channel_masks(net, amount=0.5).items()} == {
        "a": [True, True, False],
        "b": [False, False, True],
    }
    alone = channel_masks(net, amount=0.4, scope="layer")
    assert [m.tolist() for m in alone.values()] == [[True, False, False], [False, False, True]]
    assert list(channel_masks(net, layers="b")) == ["b"]
    assert not any(m.any() for m in channel_masks(net, amount=0.0).values())


def test_every_layer_keeps_its_largest_channels():
    net = two_layers()
    masks = channel_masks(net, "threshold", threshold=1.0)
    assert masks["b"].tolist() == [True, False, True]
    assert channel_masks(net, "threshold", threshold=5.0, min_channels=2)["a"].tolist() == [
        True, False, False,
    ]  # fmt: skip
    equal = norm_with(0.0, 0.0, 0.0)
    assert channel_masks(equal, "threshold")[""].tolist() == [False, True, True]
    merged = channel_masks(net, "threshold", threshold=5.0, groups=[["a", "b"]])
    assert merged["a"].tolist() == merged["b"].tolist() == [True, True, False]


def test_a_group_loses_the_amount_by_the_means_of_its_factors():
    net = nn.ModuleDict({"a": norm_with(1.0, 2.0, 3.0, 4.0), "b": norm_with(9.0, 1.0, 1.0, 2.0)})
    masks = channel_masks(net, amount=0.5, groups=[["a", "b"]], scope="layer")
    assert masks["a"].tolist() == masks["b"].tolist() == [False, True, True, False]
    votes = channel_masks(net, amount=0.5, groups=[["a", "b"]])
    assert votes["a"].tolist() == votes["b"].tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "median"}, "method must be one of 'quantile'"),
        ({"amount": 1.0}, r"amount must be in \[0, 1\)"),
        ({"amount": -0.1}, r"amount must be in \[0, 1\)"),
        ({"threshold": -1}, "threshold must be"),
        ({"min_channels": 0}, "min_channels must be"),
        ({"scope": "net"}, "scope must be one of"),
        ({"method": "optimal_threshold", "energy": 1.0}, "energy must be"),
        ({"groups": [["a", "c"]]}, r"groups: 'c' is no normalisation layer .* 'a', 'b'"),
        ({"layers": "c"}, "no layer .* is called 'c'"),
    ],
)
def test_bad_choices_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        channel_masks(two_layers(), **arguments)


def test_groups_have_one_width_and_there_is_a_normalisation():
    net = nn.ModuleDict({"a": norm_with(1.0), "b": norm_with(1.0, 2.0)})
    with pytest.raises(ValueError, match=r"one width, got widths \[1, 2\]"):
        channel_masks(net, groups=[["a", "b"]])
    with pytest.raises(ValueError, match="Linear has no normalisation layer"):
        channel_masks(nn.Linear(2, 1))
    with pytest.raises(ValueError, match="has no normalisation layer"):
        ScalingFactorPenalty().penalty(nn.Sequential(nn.BatchNorm1d(2, affine=False)))


# the penalty

MASK = {"": torch.tensor([True, False, True])}


def test_the_subgradient_is_added_where_the_mask_is():
    layer = norm_with(0.3, 0.5, -2.0)
    layer.weight.grad = torch.tensor([1.0, -0.0, 3.0])
    before = layer.weight.grad.clone()
    ScalingFactorPenalty(0.5, MASK).add_to_grad(layer)
    torch.testing.assert_close(layer.weight.grad, torch.tensor([1.5, 0.0, 2.5]))
    assert torch.equal(layer.weight.grad[1].view(torch.int32), before[1].view(torch.int32))
    assert layer.bias.grad is None


def test_the_proximal_step_of_the_worked_example():
    layer = norm_with(0.3, -0.05, 1.0)
    ScalingFactorPenalty(0.2).prox_(layer, step=0.5)
    torch.testing.assert_close(layer.weight.data, torch.tensor([0.2, 0.0, 0.9]))
    masked = norm_with(0.3, 0.3, 0.3)
    ScalingFactorPenalty(0.2, MASK, "l2").prox_(masked, step=0.5)
    torch.testing.assert_close(masked.weight.data, torch.tensor([0.3 / 1.1, 0.3, 0.3 / 1.1]))


def test_the_smooth_penalty_of_the_worked_example():
    layer = norm_with(5e-4, 0.5, -5e-4)
    layer.weight.grad = torch.zeros(3)
    smooth = ScalingFactorPenalty(0.01, norm="smooth_l1")
    smooth.add_to_grad(layer, lr=0.1)
    torch.testing.assert_close(layer.weight.grad, torch.tensor([5e-6, 0.01, -5e-6]))
    with pytest.raises(ValueError, match="depends on the learning rate"):
        smooth.add_to_grad(layer)
    with pytest.raises(ValueError, match="no proximal step"):
        smooth.prox_(layer, 0.1)


@pytest.mark.parametrize("norm", ["l1", "l2", "smooth_l1"])
@pytest.mark.parametrize("penalize_bias", [False, True])
def test_the_loss_term_has_the_added_subgradient(norm, penalize_bias):
    layers = [norm_with(0.3, 0.5, -2e-4) for _ in range(2)]
    penalty = ScalingFactorPenalty(0.02, MASK, norm, penalize_bias)
    for layer in layers:
        layer.bias.data.fill_(-0.7)
        layer.weight.grad, layer.bias.grad = torch.zeros(3), torch.zeros(3)
    penalty.penalty(layers[0], lr=0.1).backward()
    penalty.add_to_grad(layers[1], lr=0.1)
    for name in ("weight", "bias"):
        first, second = (getattr(layer, name).grad for layer in layers)
        torch.testing.assert_close(first, second, rtol=0, atol=1e-9)
        assert bool(first.any()) == (name == "weight" or penalize_bias)


def test_frozen_factors_stay():
    layer = norm_with(1.0, 1.0, 1.0).requires_grad_(False)
    penalty = ScalingFactorPenalty(0.5)
    penalty.add_to_grad(layer)
    penalty.prox_(layer, 1.0)
    assert (layer.weight == 1).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strength": -1.0}, "strength must be"),
        ({"norm": "l0"}, "norm must be one of"),
        ({"prune_masks": {"bn": [True]}}, "prune_masks: 'bn' is no normalisation"),
        ({"prune_masks": {"": [True]}}, "one for each of its 3 channels"),
    ],
)
def test_bad_penalties_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ScalingFactorPenalty(**arguments).penalty(norm_with(1.0, 1.0, 1.0))


def test_travel_of_a_factor_under_sgd_with_momentum():
    """What the formula says is what the optimizer does, but for its first and last few steps."""
    layer = norm_with(1.0)
    optimizer = torch.optim.SGD([layer.weight], lr=0.01, momentum=0.9)
    strength = travel_strength(0.01 * 400, momentum=0.9, safety=1.0)
    for _ in range(400):
        layer.weight.grad = torch.zeros(1)
        ScalingFactorPenalty(strength).add_to_grad(layer)
        optimizer.step()
    assert layer.weight.item() == pytest.approx(9 / 400, abs=1e-4)  # momentum comes after
    assert travel_strength(2.0, distance=3.0) == 4.5
    for bad in ({"total_lr": 0.0}, {"momentum": 1.0}, {"safety": 0.0}, {"distance": -1.0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            travel_strength(**{"total_lr": 1.0, **bad})


# in training

N = 256
X, y = load_digits(return_X_y=True)
X, y = (X[:N] / 16).astype(np.float32), y[:N]
MASKS = {
    "2": np.arange(8) < 5, "5": np.arange(12) % 2 == 0, "8": np.arange(12) > 8
}  # fmt: skip


def network():
    return DigitsCNN((8, 12, 12))


def model(*regularizers, module=network, **arguments):
    defaults = {
        "optimizer": torch.optim.SGD, "lr": 0.05, "max_epochs": 4, "batch_size": 64,
        "standardize": False, "random_state": 0,
        "net_params": {"optimizer__momentum": 0.9, "optimizer__nesterov": True},
    }  # fmt: skip
    named = [(f"r{i}", regularizer) for i, regularizer in enumerate(regularizers)]
    return DeepClassifier(module, named, **{**defaults, **arguments})


@pytest.fixture(scope="module")
def base():
    return model(max_epochs=6).fit(X, y).net_.module_


def used(fitted, number=0):
    return fitted.net_.regularizers_[number][1]


def weights(fitted):
    return torch.cat([p.detach().flatten() for p in fitted.net_.module_.parameters()])


def largest_pruned(fitted):
    factors = {n: layer.weight.detach().abs() for n, layer in norms(fitted.net_.module_).items()}
    return max(float(factors[n][m].max()) for n, m in used(fitted).prune_masks_.items() if m.any())


def norms(module):
    return {n: layer for n, layer in module.named_modules() if isinstance(layer, nn.BatchNorm2d)}


@pytest.mark.parametrize("mode", ["prox", "subgradient", "loss"])
def test_all_masked_is_slimming_and_none_is_plain_training(mode):
    every = {name: np.ones_like(mask) for name, mask in MASKS.items()}
    none = {name: np.zeros_like(mask) for name, mask in MASKS.items()}

    def masked(masks, strength):
        regularizer = MaskSparsity(prune_masks=masks, strength=strength, mode=mode, threshold=9)
        return weights(model(regularizer, max_epochs=2).fit(X, y))

    slim = model(NetworkSlimming(0.05, mode=mode), max_epochs=2).fit(X, y)
    assert torch.equal(masked(every, 0.05), weights(slim))
    plain = weights(model(max_epochs=2).fit(X, y))
    assert torch.equal(masked(none, 0.05), plain)
    assert torch.equal(masked(none, "auto"), plain)
    assert not torch.equal(masked(every, 0.05), plain)


def test_loss_and_subgradient_are_the_same_under_sgd():
    trained = [
        weights(
            model(MaskSparsity(prune_masks=MASKS, strength=0.02, mode=mode, threshold=9)).fit(X, y)
        )
        for mode in ("loss", "subgradient")
    ]
    torch.testing.assert_close(*trained, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["prox", "subgradient"])
@pytest.mark.parametrize("schedule", [None, "epoch", "batch"])
def test_the_automatic_strength_reaches_zero(base, mode, schedule):
    steps = {"epoch": 8, "batch": 32}
    callbacks = schedule and [
        LRScheduler("CosineAnnealingLR", T_max=steps[schedule], step_every=schedule)
    ]
    regularizer = MaskSparsity(prune_masks=MASKS, mode=mode, threshold=0.02, norm="l1")
    if schedule is None and mode == "subgradient":  # oscillates at a constant rate
        regularizer.set_params(norm="smooth_l1", threshold=0.1)
    fitted = model(regularizer, module=base, max_epochs=8, lr=0.05, callbacks=callbacks).fit(X, y)
    assert largest_pruned(fitted) < regularizer.threshold
    assert {n: m.tolist() for n, m in used(fitted).prune_masks_.items()} == {
        n: m.tolist() for n, m in MASKS.items()
    }
    total = 32 * 0.05 * (1 if schedule is None else 0.5)
    largest = max(
        float(layer.weight.detach()[torch.as_tensor(MASKS[n])].abs().max())
        for n, layer in norms(base).items()
    )
    momentum = 0.0 if mode == "prox" else 0.9
    expected = travel_strength(total, momentum=momentum, distance=largest)
    assert used(fitted).strength_ == pytest.approx(
        expected, rel=0.15 if schedule == "epoch" else 0.05
    )


def test_cutting_what_was_masked_changes_no_prediction(base):
    fitted = model(MaskSparsity(0.5, penalize_bias=True), module=base, max_epochs=8).fit(X, y)
    masks = used(fitted).prune_masks_
    assert [int(m.sum()) for m in masks.values()] == [4, 6, 6]
    assert all((used(fitted).scaling_factors_[n][m] == 0).all() for n, m in masks.items())
    small = prune_channels(fitted.net_.module_, masks, X[:1])
    cut = model(module=small, max_epochs=0).fit(X, y)
    np.testing.assert_allclose(cut.predict_proba(X), fitted.predict_proba(X), atol=1e-5)
    tuned = model(module=small, max_epochs=2, lr=0.01).fit(X, y)
    assert tuned.score(X, y) > 0.9
    assert fitted.net_.module_[1].out_channels == 8


def test_one_training_may_do_for_all():
    fitted = model(MaskSparsity(0.5, start=0.5), max_epochs=8).fit(X, y)
    assert largest_pruned(fitted) == 0
    late = model(MaskSparsity(0.5, start=0.9), max_epochs=2)
    with pytest.warns(UserWarning, match="chose no channels: .* start=0.9"):
        late.fit(X, y)


def test_too_little_travel_is_told(base):
    weak = model(MaskSparsity(0.5, strength=0.01), module=base, max_epochs=1)
    with pytest.warns(UserWarning, match=r"left scaling factors of up to .* \(now 0.01\)"):
        weak.fit(X, y)


def test_masks_of_an_untrained_network_are_told():
    with pytest.warns(UserWarning, match="all equal, which tell nothing"):
        model(MaskSparsity(0.5), max_epochs=6).fit(X, y)


def test_adaptive_optimizers_take_the_proximal_step(base):
    arguments = {"module": base, "optimizer": torch.optim.AdamW, "lr": 0.005, "net_params": None}
    fitted = model(MaskSparsity(0.5), max_epochs=8, **arguments).fit(X, y)
    assert largest_pruned(fitted) == 0
    with pytest.raises(ValueError, match="strength=\"auto\" with mode='subgradient' is for SGD"):
        model(MaskSparsity(0.5, mode="subgradient"), **arguments).fit(X, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"amount": 1.0}, "amount must be"),
        ({"start": 1.0}, "start must be"),
        ({"strength": -1}, "strength must be"),
        ({"strength": "much"}, "strength must be"),
        ({"method": "most"}, "method must be one of"),
        ({"scope": "all"}, "scope must be one of"),
        ({"threshold": -1}, "threshold must be"),
        ({"min_channels": 0}, "min_channels must be"),
        ({"norm": "l3"}, "norm must be one of"),
        ({"mode": "hook"}, "mode must be one of"),
        ({"norm": "smooth_l1"}, "no proximal step"),
        ({"prune_masks": {"1": [True]}}, "'1' is no normalisation layer"),
        ({"groups": [["2", "5"]]}, "one width"),
        ({"layers": ["conv"]}, "is called 'conv'"),
    ],
)
def test_bad_parameters_are_refused_in_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        model(MaskSparsity(**{"start": 0.1, **arguments}), max_epochs=1).fit(X, y)


@pytest.mark.parametrize("kind", [MaskSparsity, NetworkSlimming])
def test_networks_without_normalisation_are_refused(kind):
    plain = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    with pytest.raises(ValueError, match="Sequential has no normalisation layer"):
        model(kind(), module=plain).fit(X, y)


@pytest.mark.parametrize(
    ("other", "first"),
    [
        *((other, first) for other in (SAM(), ELR(0.1), LabelSmoothing()) for first in (0, 1)),
        (EMAWeights(0.5), 1),  # before it, the average would miss the proximal step
        (SWA(0.8), 1),
    ],
)
def test_neighbours_leave_zeros(base, other, first):
    own = MaskSparsity(prune_masks=MASKS)
    pair = [own, other] if first else [other, own]
    fitted = model(*pair, module=base, max_epochs=8).fit(X, y)
    factors = {n: layer.weight for n, layer in norms(fitted.net_.module_).items()}
    assert all((factors[n][torch.as_tensor(m)].abs() < 0.01).all() for n, m in MASKS.items())
    assert fitted.score(X, y) > 0.9


@pytest.mark.parametrize("mode", ["prox", "subgradient"])
def test_a_resumed_training_is_the_straight_one(base, mode, tmp_path):
    """Masks and strength are those of the first part, whose plan was the whole training."""

    def net(epochs, *callbacks, **arguments):
        torch.manual_seed(0)
        regularizer = MaskSparsity(0.5, start=0.3, mode=mode, threshold=9)
        return RegularizedNetClassifier(
            copy.deepcopy(base), regularizers=[("mask", regularizer)], lr=0.05, batch_size=64,
            max_epochs=epochs, train_split=None, verbose=0, callbacks=list(callbacks),
            optimizer__momentum=0.9, **arguments,
        )  # fmt: skip

    straight = net(4).fit(X, y)
    torch.manual_seed(0)
    part = net(4, Checkpoint(dirname=tmp_path, monitor=None)).initialize()
    part.partial_fit(X, y, epochs=2)
    resumed = net(4, LoadInitState(Checkpoint(dirname=tmp_path, monitor=None))).initialize()
    resumed.partial_fit(X, y, epochs=2)
    for one, other in zip(straight.module_.parameters(), resumed.module_.parameters(), strict=True):
        assert torch.equal(one, other)
    ours, theirs = (dict(n.regularizers)["mask"] for n in (straight, resumed))
    assert ours.strength_ == theirs.strength_
    assert all(torch.equal(m, theirs.prune_masks_[n]) for n, m in ours.prune_masks_.items())


def test_training_goes_on_with_other_parameters():
    fitted = model(MaskSparsity(0.25, start=0.5), warm_start=True, max_epochs=8).fit(X, y)
    before = {n: m.clone() for n, m in used(fitted).prune_masks_.items()}
    strength = used(fitted).strength_
    fitted.fit(X, y)
    assert used(fitted).strength_ == strength
    assert all(torch.equal(m, before[n]) for n, m in used(fitted).prune_masks_.items())
    fitted.set_params(regularizers__r0__amount=0.5).fit(X, y)
    after = used(fitted).prune_masks_
    assert [int(m.sum()) for m in after.values()] == [4, 6, 6]
    assert all((before[n] <= m).all() for n, m in after.items())  # zeros are the smallest
    fitted.set_params(regularizers__r0__strength=0.5).partial_fit(X, y)
    assert used(fitted).strength_ == 0.5
    assert all(torch.equal(m, after[n]) for n, m in used(fitted).prune_masks_.items())
    fitted.set_params(warm_start=False, regularizers__r0__strength="auto").fit(X, y)
    fresh = clone(fitted).fit(X, y)
    assert torch.equal(weights(fresh), weights(fitted))


def test_stages_of_one_training(base):
    stages = [
        ("plain", {"regularizers__r0": None, "max_epochs": 1}),
        ("masked", {"max_epochs": 8}),
    ]
    staged = StagedTraining(model(MaskSparsity(0.5), module=base), stages).fit(X, y)
    assert largest_pruned(staged.estimator_) == 0
    assert staged.n_iter_ == 9


def test_pickles_and_clones():
    fitted = model(MaskSparsity(0.5, start=0.5), max_epochs=4).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    for one in (fitted, again):
        one.partial_fit(X, y)
    assert torch.equal(weights(fitted), weights(again))
    kept = clone(MaskSparsity(prune_masks=MASKS, layers=["2"], groups=[["2"]]))
    assert kept.get_params()["layers"] == ["2"]
    assert "MaskSparsity(" in repr(kept)
    assert "masks of 3 layers" in repr(ScalingFactorPenalty(1.0, MASKS))


@pytest.mark.parametrize(
    "arguments",
    [
        {"mixed_precision": "bfloat16"},
        {"accumulation_steps": 2},
        {"dtype": "float64"},
    ],
)
def test_precision_and_accumulation(base, arguments):
    fitted = model(MaskSparsity(0.5), module=base, max_epochs=8, **arguments).fit(X, y)
    assert max(float(v[used(fitted).prune_masks_[n]].abs().max()) for n, v in
               used(fitted).scaling_factors_.items()) == 0  # fmt: skip


def test_frozen_layers_keep_their_factors(base):
    fitted = model(
        MaskSparsity(prune_masks={"2": MASKS["2"]}, strength=1.0, threshold=9), module=base,
        trainable=["12.*"],
    ).fit(X, y)  # fmt: skip
    assert torch.equal(fitted.net_.module_[2].weight, base[2].weight)
