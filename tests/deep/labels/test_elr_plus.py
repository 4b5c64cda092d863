"""ELR+: two networks, averaged weights, mixup."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import ELRPenalty, ELRPlus


def two_networks(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(5, 3), nn.Linear(5, 3)


def random_batch(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n, 5, generator=generator),
        torch.randint(3, (n,), generator=generator),
        torch.arange(n),
    )


def test_own_teacher_without_mixup_is_elr():
    x, y, index = random_batch()
    network, _ = two_networks()
    alone = copy.deepcopy(network)
    model = ELRPlus(network, network, 12, mixup_alpha=0.0, ema_decay=0.0, ema_rampup=0)
    penalty = ELRPenalty(12, 3)
    for _ in range(4):
        for net, optimizer in [
            (network, torch.optim.SGD(network.parameters(), 0.1)),
            (alone, torch.optim.SGD(alone.parameters(), 0.1)),
        ]:
            if net is network:
                mixed, soft, q = model.mix(x, y, index)
                loss = model.loss(model(mixed), soft, q)
            else:
                logits = net(x)
                loss = F.cross_entropy(logits, y) + penalty(logits, index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        for active in (0, 1):  # both averages follow the one network
            model.turn_to(active)
            model.update_average()
        model.turn_to(0)
    torch.testing.assert_close(network.weight, alone.weight, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(model.memories[0].values, penalty.memory.values)


def test_targets_come_from_the_other_average_on_unmixed_inputs():
    x, y, index = random_batch()
    model = ELRPlus(*two_networks(), 12, beta=0.7)
    teacher = model.averages[1](x).softmax(1)
    model.mix(x, y, index)
    torch.testing.assert_close(model.memories[0].values, 0.3 * teacher)
    assert not model.memories[1].values.any()


def test_mixed_parts_share_weight_and_partner():
    x, y, index = random_batch()
    model = ELRPlus(*two_networks(), 12, mixup_alpha=1.0)
    mixed, soft, q = model.mix(x, y, index)
    t = model.memories[0].values
    one_hot = F.one_hot(y, 3).float()
    # x is in general position: each mixed row tells its partner and weight
    for row in range(12):
        fits = []
        for partner in range(12):
            direction = x[partner] - x[row]
            share = (mixed[row] - x[row]) @ direction / (direction @ direction).clamp(min=1e-12)
            residual = (mixed[row] - x[row] - share * direction).norm()
            if residual < 1e-5:
                fits.append((partner, share))
        assert fits
        partner, share = max(fits, key=lambda fit: fit[1])
        assert -1e-6 <= share <= 0.5 + 1e-6
        torch.testing.assert_close(soft[row], torch.lerp(one_hot[row], one_hot[partner], share))
        torch.testing.assert_close(q[row], torch.lerp(t[row], t[partner], share))


def test_reweighted_labels_are_the_product_normalised():
    x, y, index = random_batch()
    networks = two_networks()
    plain = ELRPlus(*networks, 12)
    reweighted = ELRPlus(*networks, 12, reweight_labels=True)
    torch.manual_seed(3)
    _, soft, q = plain.mix(x, y, index)
    torch.manual_seed(3)
    _, product, _ = reweighted.mix(x, y, index)
    expected = soft * q / (soft * q).sum(1, keepdim=True)
    torch.testing.assert_close(product, expected)


@pytest.mark.parametrize("rampup", [0, 10])
def test_averaged_weights_follow_the_formula(rampup):
    model = ELRPlus(*two_networks(), 12, ema_decay=0.9, ema_rampup=rampup)
    weight, expected = model.networks[0].weight, model.networks[0].weight.detach().clone()
    other = model.averages[1].weight.clone()
    for step in range(1, 15):
        with torch.no_grad():
            weight += 1.0
        model.update_average()
        if rampup:
            decay = 0.9 * math.exp(-5 * (1 - min(step, rampup) / rampup) ** 2)
        else:
            decay = min(1 - 1 / step, 0.9)
        expected = decay * expected + (1 - decay) * weight.detach()
        torch.testing.assert_close(model.averages[0].weight.data, expected)
    assert torch.equal(model.averages[1].weight, other)
    assert model.steps.tolist() == [14.0, 0.0]


def test_strength_rises_with_the_steps():
    x, y, index = random_batch()
    model = ELRPlus(*two_networks(), 12, lam=2.0, lam_rampup=4)
    mixed, _, q = model.mix(x, y, index)
    logits = model(mixed)
    full = ELRPlus(*two_networks(), 12, lam=2.0).penalty(logits, q)
    for step in range(6):
        expected = math.exp(-5 * (1 - min(step, 4) / 4) ** 2) * full.item()
        assert model.penalty(logits, q).item() == pytest.approx(expected, rel=1e-5)
        model.update_average()


def test_only_the_active_network_learns():
    x, y, index = random_batch()
    model = ELRPlus(*two_networks(), 12)
    model.turn_to(1)
    mixed, soft, q = model.mix(x, y, index)
    model.loss(model(mixed), soft, q).backward()
    assert model.networks[0].weight.grad is None
    assert model.networks[1].weight.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in model.averages.parameters())


def test_prediction_is_the_mean_of_the_raw_networks():
    x, _, _ = random_batch()
    model = ELRPlus(*two_networks(), 12)
    with torch.no_grad():
        model.networks[0].weight += 1.0
    expected = (model.networks[0](x) + model.networks[1](x)) / 2
    torch.testing.assert_close(model.eval()(x), expected)
    torch.testing.assert_close(model.train()(x), model.networks[0](x))


def test_state_dict_restores_networks_averages_memories_and_steps():
    x, y, index = random_batch()
    model, fresh = ELRPlus(*two_networks(0), 12), ELRPlus(*two_networks(1), 12)
    model.mix(x, y, index)
    model.update_average()
    fresh.load_state_dict(model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name


def test_empty_batch_is_zero_with_a_gradient():
    model = ELRPlus(*two_networks(), 12)
    nothing = torch.zeros(0, dtype=torch.long)
    mixed, soft, q = model.mix(torch.zeros(0, 5), nothing, nothing)
    loss = model.loss(model(mixed), soft, q)
    loss.backward()
    assert loss.item() == 0.0


@pytest.mark.parametrize(
    "arguments",
    [
        {"lam": -1.0}, {"beta": 1.0}, {"mixup_alpha": -0.5}, {"ema_decay": 1.0},
        {"ema_rampup": -1}, {"lam_rampup": -1}, {"clamp": 0.5},
    ],
)  # fmt: skip
def test_bad_parameters(arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=f"{name} must be in"):
        ELRPlus(*two_networks(), 4, **arguments)


def test_bad_turn_and_bad_batches():
    model = ELRPlus(*two_networks(), 4)
    with pytest.raises(ValueError, match="network must be 0 or 1, got 2"):
        model.turn_to(2)
    x, y, index = random_batch(4)
    with pytest.raises(ValueError, match="index must lie in"):
        model.mix(x, y, index + 1)
    with pytest.raises(ValueError, match="target must lie in"):
        model.mix(x, y + 3, index)
