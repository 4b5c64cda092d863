"""ELR+: two networks, averaged weights, mixup."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import ELRPenalty, ELRPlus, stablemax


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


def authors_rampup(current, length):
    """As the authors define it, with numpy."""
    if length == 0:
        return 1.0
    phase = 1.0 - np.clip(current, 0.0, length) / length
    return float(np.exp(-5.0 * phase * phase))


class AuthorsSchedule:
    """Strengths and averages of both networks, after the loop of the authors' code.

    There the number of a step is counted up before the loss is taken, whose strength it ramps; the
    average is then moved with that number plus one. The count of earlier epochs is advanced once
    both networks have gone through the data.
    """

    def __init__(self, lam, coef_step, ema_alpha, ema_step, weights):
        self.lam, self.coef_step = lam, coef_step
        self.ema_alpha, self.ema_step = ema_alpha, ema_step
        self.averages = [weight.detach().clone() for weight in weights]
        self.global_step = 0

    def epoch(self, network, n_batches, weight):
        """Strength of each batch and the average after it; weights grow by one in each step."""
        for local_step in range(1, n_batches + 1):
            iteration = self.global_step + local_step
            strength = self.lam * authors_rampup(iteration, self.coef_step)
            weight = weight + 1.0
            if self.ema_step:
                alpha = authors_rampup(iteration + 1, self.ema_step) * self.ema_alpha
            else:
                alpha = min(1 - 1 / (iteration + 1), self.ema_alpha)
            average = alpha * self.averages[network] + (1 - alpha) * weight
            self.averages[network] = average
            yield strength, average


@pytest.mark.parametrize("ema_step", [0, 10])
@pytest.mark.parametrize("coef_step", [0, 7])
def test_strengths_and_averages_follow_the_authors_schedule(ema_step, coef_step):
    model = ELRPlus(
        *two_networks(), 12, lam=2.0, ema_decay=0.9, ema_rampup=ema_step, lam_rampup=coef_step
    ).double()
    q = torch.full((12, 3), 0.2, dtype=torch.float64)
    logits = torch.randn(12, 3, dtype=torch.float64)
    full = (1 - (q * logits.softmax(1)).sum(1)).log().mean().item()
    weights = [network.weight for network in model.networks]
    authors = AuthorsSchedule(2.0, coef_step, 0.9, ema_step, weights)
    for _ in range(3):
        for network in (0, 1):
            model.turn_to(network)
            other = model.averages[1 - network].module.weight.clone()
            for strength, average in authors.epoch(network, 4, weights[network].detach().clone()):
                assert model.penalty(logits, q).item() == pytest.approx(strength * full, rel=1e-12)
                with torch.no_grad():
                    weights[network] += 1.0
                model.update_average()
                found = model.averages[network].module.weight.data
                torch.testing.assert_close(found, average, rtol=1e-12, atol=1e-12)
            assert torch.equal(model.averages[1 - network].module.weight, other)
        authors.global_step += 4
    assert model.steps.tolist() == [12, 12]


def test_steps_are_counted_exactly_in_half_precision():
    model = ELRPlus(*two_networks(), 12, ema_rampup=1000).to(torch.bfloat16)
    for _ in range(300):
        model.update_average()
    assert model.steps.tolist() == [300, 0]


def test_other_probabilities_than_the_softmax():
    x, _, index = random_batch()
    model = ELRPlus(*two_networks(), 12, lam=2.0, beta=0.6)
    p = stablemax(model.averages[1](x), dim=1)
    t = model.beliefs(x, index, nonlinearity=lambda z: stablemax(z, dim=1))
    torch.testing.assert_close(t, 0.4 * p)
    logits = model(x)
    penalty = model.penalty(logits, t, nonlinearity=lambda z: stablemax(z, dim=1))
    expected = 2 * (1 - (stablemax(logits, dim=1) * t).sum(1)).log().mean()
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, logits, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])


def test_weights_are_repetitions_on_average_over_the_pairs():
    """All pairs by their probability, against all pairs of repeated rows."""
    generator = torch.Generator().manual_seed(0)
    z, y = (
        torch.randn(5, 5, 3, generator=generator, dtype=torch.float64),
        torch.eye(3)[[0, 1, 2, 0, 1]],
    )
    w = torch.tensor([2, 1, 3, 0, 2])
    model = ELRPlus(*two_networks(), 5)
    logits = z.reshape(25, 3)  # of each pair of a sample and its partner
    soft = (0.8 * y[:, None] + 0.2 * y).reshape(25, 3)
    terms = torch.stack([model.penalty(logits[[k]], soft[[k]]) for k in range(25)]).reshape(5, 5)
    rows = torch.arange(5).repeat_interleave(w)
    repeated = terms[rows][:, rows].mean()  # a random partner among all rows, copies included
    torch.manual_seed(0)
    n_draws = 4000
    partner = torch.cat([model.draw(5, "cpu", w.double()).partner for _ in range(n_draws)])
    frequency = torch.bincount(partner, minlength=5) / len(partner)
    share = w / w.sum()
    error = (share * (1 - share) / len(partner)).sqrt()
    assert ((frequency - share).abs() <= 5 * error).all()
    assert frequency[3] == 0
    weighted = (w / w.double().mean() * (terms * share).sum(1)).mean()
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-12)


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
