"""Dynamic channel gates, against sliced networks, loops by hand and closed forms."""

import copy
import itertools
import math
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn
from torch.nn import functional as F

from skreg.bench.arena.networks import ResNet18
from skreg.bench.arena.slim_networks import DigitsCNN
from skreg.deep import (
    DeepClassifier,
    DeepRegressor,
    RegularizedNetClassifier,
    ResidualMLP,
    SmallCNN,
)
from skreg.deep.regularizers import (
    ELR,
    SAM,
    SWA,
    TRAM,
    ConvOrthogonality,
    DynamicGates,
    ELRPlus,
    EMAWeights,
    LabelSmoothing,
    MagnitudePruning,
    RDrop,
)
from skreg.deep.sparsity._dynamic_gates import channel_gatings
from skreg.deep.sparsity._gate_places import channel_graph
from skreg.deep.torch import (
    DynamicChannelGate,
    FrozenCopy,
    activation_score,
    add_dynamic_gates,
    count_flops,
    estimate_flops_reduction,
    gate_loss,
    gated_flops,
    gates,
    mass_mask,
    remove_dynamic_gates,
    topk_mask,
)

K = 3


def images(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.rand(n, 2, 5, 5, generator=generator)
    return X, torch.arange(n) % K


def cnn(seed=0, norm=True):
    """Two convolutions of 8 and 4 channels on 2 x 5 x 5, with statistics of their own."""
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in ((2, 8), (8, 4)):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1)]
        layers += [nn.BatchNorm2d(n_out)] if norm else []
        layers += [nn.ReLU()]
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, K))
    for _ in range(5):
        net(images(seed=seed)[0])
    return net


def gated(seed=0, mass=0.6, norm=True, bias=0.0, **options):
    """The network with gates that open about half of the channels."""
    net = add_dynamic_gates(cnn(seed, norm), mass, **{"softmax": False} | options)
    with torch.no_grad():
        for gating in channel_gatings(net).values():
            gating.gate.weight.normal_(generator=torch.Generator().manual_seed(seed))
            gating.gate.bias.fill_(bias)
    return net


def parts_of(net):
    """Parameters of the gates, and the others."""
    of_gates = [p for name, p in net.named_parameters() if "gating" in name]
    return of_gates, [p for name, p in net.named_parameters() if "gating" not in name]


# ------------------------------------------------------------------------------------------------
# masks

SHARES = torch.tensor([[0.5, 0.3, 0.15, 0.05]])


@pytest.mark.parametrize(("mass", "n"), [(0.8, 2), (0.79, 1), (0.95, 3), (0.4, 0), (1.0, 4)])
def test_mass_mask_keeps_channels_whose_cumulative_share_is_within_the_mass(mass, n):
    for factor in (1.0, 1e-3, 1e4):
        assert mass_mask(factor * SHARES, mass, min_channels=0).tolist() == [
            [rank < n for rank in range(4)]
        ]
    assert mass_mask(SHARES, mass).sum() == max(n, 1)
    assert mass_mask(SHARES, mass, min_channels=3).sum() == max(n, 3)


def test_larger_masses_keep_supersets_and_channels_may_come_in_any_order():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(50, 16, generator=generator)
    masks = [mass_mask(scores, mass) for mass in (0.2, 0.5, 0.8, 0.99, 1.0)]
    for smaller, larger in itertools.pairwise(masks):
        assert (larger | ~smaller).all()
    order = torch.randperm(16, generator=generator)
    assert torch.equal(mass_mask(scores[:, order], 0.5), masks[1][:, order])
    kept = torch.where(masks[1], scores, 0.0).sum(1) / scores.sum(1)
    assert (kept <= 0.5 + 1e-5).all()
    weakest_kept = torch.where(masks[1], scores, torch.inf).amin(1)
    strongest_dropped = torch.where(masks[1], 0.0, scores).amax(1)
    assert (weakest_kept >= strongest_dropped).all()
    assert (kept + strongest_dropped / scores.sum(1) > 0.5).all()  # no further one would fit


def test_a_mass_of_one_drops_dead_channels_only():
    scores = torch.tensor([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    assert mass_mask(scores, 1.0).tolist() == [[True, False, True], [True, False, False]]
    assert not mass_mask(scores, 1.0, min_channels=0)[1].any()


@pytest.mark.parametrize("ratio", [0.0, 0.25, 0.3, 0.99])
def test_topk_mask_drops_a_share_rounded_down_and_dead_channels(ratio):
    scores = torch.rand(20, 10, generator=torch.Generator().manual_seed(0)) + 0.1
    mask = topk_mask(scores, ratio)
    assert (mask.sum(1) == 10 - int(ratio * 10)).all()
    expected = scores >= scores.sort(1, descending=True).values[:, [9 - int(ratio * 10)]]
    assert torch.equal(mask, expected)
    scores[:, 3:] = 0.0
    assert (topk_mask(scores, ratio).sum(1) == min(3, 10 - int(ratio * 10))).all()


def test_score_is_the_largest_size_over_positions():
    out = torch.randn(4, 3, 5, 6)
    expected = out.abs().amax((2, 3))
    assert torch.equal(activation_score(out), expected)
    assert torch.equal(activation_score(out.movedim(1, -1), channels_last=True), expected)
    vectors = torch.randn(4, 3)
    assert torch.equal(activation_score(vectors), vectors.abs())
    assert not activation_score(out.requires_grad_()).requires_grad


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.GELU(), nn.SiLU(), nn.LeakyReLU(0.3), nn.Hardswish(), nn.Tanh(), nn.ReLU6(),
     nn.ELU(), nn.Mish(), nn.Softsign()],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_targets_are_those_of_the_activations(activation):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 16, 3), activation, nn.Conv2d(16, 2, 1))
    gating = channel_gatings(add_dynamic_gates(net, 0.7))["0"]
    net(images()[0])
    with gates(net, "off"):
        out = activation(net[0](images()[0]))
    assert torch.equal(gating.latest.target, mass_mask(out.detach().abs().amax((2, 3)), 0.7))


# ------------------------------------------------------------------------------------------------
# the gated forward pass


def by_hand(net, X, training=False):
    """Activations times hard gates, with the parts of a gated network."""
    gatings = channel_gatings(net)
    with gates(net, "off"):
        x = X
        for i in (0, 3):
            gate = gatings[str(i)].gate
            logits = F.linear(x.mean((2, 3)), gate.weight, gate.bias)
            mask = (logits > 0) | (logits == logits.amax(1, keepdim=True))
            x = net[i + 2](net[i + 1](net[i](x))) * mask[:, :, None, None]
        return net[8](net[7](net[6](x)))


@pytest.mark.parametrize("training", [False, True])
def test_forward_pass_is_that_of_activations_times_gates(training):
    net, (X, y) = gated().train(training), images()
    expected = by_hand(copy.deepcopy(net), X)
    found = net(X)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    gradients = []
    for model, run in ((net, net), (twin := copy.deepcopy(net), lambda x: by_hand(twin, x))):
        model.zero_grad()
        F.cross_entropy(run(X), y).backward()
        gradients.append([p.grad for p in parts_of(model)[1]])
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-7)


def test_open_gates_and_gates_that_are_off_leave_outputs_to_the_last_bit():
    net, X = cnn().eval(), images()[0]
    expected = net(X)
    opened = gated(bias=1e6).eval()
    assert torch.equal(opened(X), expected)
    assert torch.equal(add_dynamic_gates(cnn().eval())(X), expected)  # at the start
    closing = gated(bias=-1.0).eval()
    assert not torch.equal(closing(X), expected)
    with gates(closing, "off"):
        assert torch.equal(closing(X), expected)
    assert torch.equal(remove_dynamic_gates(closing)(X), expected)


def test_target_masks_of_all_mass_close_dead_channels_only():
    net, X = gated(mass=1.0).eval(), images()[0]
    with gates(net, "target"):
        torch.testing.assert_close(net(X), cnn().eval()(X), rtol=1e-5, atol=1e-6)
        assert gated_flops(net, X).reduction > 0


def test_a_sample_does_not_depend_on_its_batch():
    net, X = gated().eval(), images()[0]
    alone = torch.cat([net(x[None]) for x in X])
    torch.testing.assert_close(net(X), alone, rtol=1e-5, atol=1e-6)


def test_some_channel_stays_open():
    net, X = gated(bias=-100.0), images()[0]
    net(X)
    for gating in channel_gatings(net).values():
        logits, mask, _ = gating.latest
        assert torch.equal(mask, logits == logits.amax(1, keepdim=True))
    two = gated(bias=-100.0, min_channels=2)
    two(X)
    assert all((g.latest.mask.sum(1) == 2).all() for g in channel_gatings(two).values())
    none = gated(bias=-100.0, min_channels=0).eval()
    torch.testing.assert_close(none(X), none[8].bias.expand(len(X), -1))


def test_gates_of_linear_layers_on_sequences_look_at_means_over_positions():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 2))
    X = torch.randn(5, 7, 4)
    add_dynamic_gates(net, 0.5, softmax=False, pooling="max")
    gate = channel_gatings(net)["0"].gate
    with torch.no_grad():
        gate.bias.fill_(-0.5)
    logits = F.linear(X.amax(1), gate.weight, gate.bias)
    mask = ((logits > 0) | (logits == logits.amax(1, keepdim=True)))[:, None, :]
    with gates(net, "off"):
        expected = net[2](net[1](net[0](X)) * mask)
    torch.testing.assert_close(net(X), expected)


# ------------------------------------------------------------------------------------------------
# the loss


def test_loss_of_undecided_gates_is_the_number_of_channels_times_log_two():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))
    gating = channel_gatings(add_dynamic_gates(net))["0"]
    nn.init.zeros_(gating.gate.weight)
    nn.init.zeros_(gating.gate.bias)
    net(images()[0])
    assert gate_loss(net).item() == pytest.approx(2.772589, abs=1e-6)
    both = gated()
    for gating in channel_gatings(both).values():
        nn.init.zeros_(gating.gate.weight)
    both(images()[0])
    assert gate_loss(both).item() == pytest.approx((8 + 4) / 2 * math.log(2), rel=1e-6)


def test_weights_of_samples_count_as_repetitions():
    net, (X, _) = gated(norm=False), images(4)
    weight = torch.tensor([2.0, 1.0, 0.0, 1.0])
    net(X[[0, 0, 1, 3]])
    repeated = gate_loss(net)
    net(X)
    torch.testing.assert_close(gate_loss(net, weight), repeated)


@pytest.mark.parametrize("mode", ["decoupled", "joint"])
def test_who_learns_from_which_loss(mode):
    net, (X, y) = gated(mode=mode), images()
    of_gates, others = parts_of(net)
    F.cross_entropy(net(X), y).backward()
    assert all(p.grad is None for p in of_gates)
    assert all(p.grad is not None for p in others)
    net.zero_grad()
    net(X)
    gate_loss(net).backward()
    assert all(p.grad.abs().sum() > 0 for p in of_gates)
    assert all(p.grad is None for p in net[8].parameters())
    before_a_gate = [*net[0].parameters(recurse=False), *net[1].parameters()]
    if mode == "joint":
        assert all(p.grad is not None for p in before_a_gate)
        assert net[1].weight.grad.abs().sum() > 0
    else:
        assert all(p.grad is None for p in others)


def test_a_gate_that_is_told_the_answers_becomes_right():
    torch.manual_seed(0)
    target = mass_mask(torch.rand(40, 6), 0.5)
    gate = DynamicChannelGate(6, 6, softmax=False)
    optimizer = torch.optim.SGD(gate.parameters(), lr=0.1, momentum=0.9)
    for _ in range(300):
        optimizer.zero_grad()
        logits = gate(target.float()[:, :, None, None])
        F.binary_cross_entropy_with_logits(logits, target.float(), reduction="none").sum(
            1
        ).mean().backward()
        optimizer.step()
    assert torch.equal(logits > 0, target)


# ------------------------------------------------------------------------------------------------
# operations


def sliced(net, X, masks):
    """The network of one sample without its closed channels."""
    first, second = (torch.nonzero(mask).flatten() for mask in masks)
    layers = [copy.deepcopy(part) for part in net]
    layers[0].weight = nn.Parameter(net[0].weight[first])
    layers[0].bias = nn.Parameter(net[0].bias[first])
    layers[3].weight = nn.Parameter(net[3].weight[second][:, first])
    layers[3].bias = nn.Parameter(net[3].bias[second])
    for norm, kept in ((layers[1], first), (layers[4], second)):
        for name in ("weight", "bias"):
            setattr(norm, name, nn.Parameter(getattr(norm, name)[kept]))
        norm.running_mean, norm.running_var = norm.running_mean[kept], norm.running_var[kept]
    layers[8].weight = nn.Parameter(net[8].weight[:, second])
    return nn.Sequential(*layers).eval()


def test_operations_and_outputs_are_those_of_networks_without_the_closed_channels():
    net, X = gated().eval(), images()[0]
    flops = gated_flops(net, X)
    assert flops.dense == count_flops(cnn(), X[:1])
    assert flops.of_gates == 2 * (2 * 8 + 8 * 4)
    expected = net(X)
    masks = {}
    for name, gating in channel_gatings(net).items():
        gating.register_forward_hook(
            lambda _part, _x, made, name=name: masks.update({name: made.mask})
        )
    net(X)
    assert 0.2 < flops.reduction < 0.9
    base = cnn().eval()
    for name, mask in masks.items():
        assert torch.equal(flops.active[name], mask.sum(1))
    for i, x in enumerate(X):
        small = sliced(base, X, [mask[i] for mask in masks.values()])
        assert flops.per_sample[i] == count_flops(small, x[None])
        torch.testing.assert_close(small(x[None]), expected[i : i + 1], rtol=1e-4, atol=1e-5)
    assert flops.reduction == pytest.approx(1 - flops.per_sample.mean().item() / flops.dense)


def test_operations_of_the_papers_count():
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(),
        nn.Identity(), nn.Conv2d(8, 1, 1),
    )  # fmt: skip
    add_dynamic_gates(net, prune_ratio=0.0)
    for name, n_open in (("0", 3), ("2", 4)):
        gate = channel_gatings(net)[name].gate
        nn.init.zeros_(gate.weight)
        with torch.no_grad():
            gate.bias.copy_((torch.arange(8) < n_open).float() - 0.5)
    # multiplications 3 * 25 * 2 * 9 and 4 * 25 * 3 * 9, and 1 * 25 * 4 of the last layer
    assert gated_flops(net, images()[0]).per_sample.tolist() == [2.0 * (1350 + 2700 + 100)] * 12


def test_open_channels_of_depthwise_and_grouped_convolutions_count():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.ReLU(),
        nn.Conv2d(8, 8, 1, groups=2), nn.ReLU(), nn.Conv2d(8, 2, 1),
    )  # fmt: skip
    add_dynamic_gates(net)
    for (name, gating), n_open in zip(channel_gatings(net).items(), (2, 5, 6), strict=True):
        del name
        nn.init.zeros_(gating.gate.weight)
        with torch.no_grad():
            gating.gate.bias.copy_((torch.arange(8) < n_open).float() - 0.5)
    depthwise = 5 * 9
    grouped = 4 * 4 + 2 * 1  # channels 0..3 see 0..3; 4 and 5 see 4 of the five that are open
    expected = 2.0 * 25 * (2 * 2 + depthwise + grouped + 2 * 6)
    assert gated_flops(net, images()[0]).per_sample.tolist() == [expected] * 12


def test_closed_channels_are_followed_through_pooling_and_flattening():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Flatten(),
        nn.Linear(32, 3),
    )  # fmt: skip
    gate = channel_gatings(add_dynamic_gates(net))["0"].gate
    nn.init.zeros_(gate.weight)
    with torch.no_grad():
        gate.bias.copy_((torch.arange(8) < 3).float() - 0.5)
    expected = 2.0 * (3 * 25 * 2 * 9 + 3 * (3 * 4))
    assert gated_flops(net, images()[0]).per_sample[0] == expected


def test_estimate_is_that_of_target_masks_and_changes_nothing():
    net, X = cnn(), images()[0]
    before = copy.deepcopy(net.state_dict())
    estimates = [estimate_flops_reduction(net, X, mass) for mass in (1.0, 0.8, 0.6, 0.3)]
    assert estimates == sorted(estimates)
    assert estimates[0] < estimates[-1]
    assert list(net.state_dict()) == list(before)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in before.items())
    with_gates = gated(mass=0.6)
    assert estimate_flops_reduction(with_gates, X, 0.8) == estimates[1]
    with gates(with_gates, "target"):
        assert gated_flops(with_gates, X).reduction == pytest.approx(estimates[2])
    assert with_gates[0].gating.mass == pytest.approx(0.6)


# ------------------------------------------------------------------------------------------------
# which layers


def closable(net):
    return {layer.name: layer.exit for layer in channel_graph(net) if layer.exit is not None}


def test_layers_of_a_residual_network_with_functional_activations():
    found = closable(ResNet18(10, width=8))
    assert found["0"] == "1"
    assert found["3.first"] == "3.norms.0"
    assert found["3.second"] == "3.norms.1"  # before the addition
    assert len(found) == 17  # neither shortcuts nor the last layer
    sources = {layer.name: layer.source for layer in channel_graph(ResNet18(10, width=8))}
    assert sources["3.first"] == "0"
    assert sources["3.second"] == "3.first"
    assert sources["4.first"] is None  # the sum of a block
    assert set(closable(ResidualMLP(4, 3, n_blocks=1))) == {"blocks.0.first", "blocks.0.second"}
    # group normalization mixes channels
    assert set(closable(SmallCNN(1, 3))) == {"blocks.0.second", "blocks.1.second"}


class Odd(nn.Module):
    """Layers whose channels cannot be closed, and one whose can."""

    def __init__(self):
        super().__init__()
        self.twice, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.normed, self.shared, self.sigmoid = (nn.Linear(4, 4) for _ in range(3))
        self.fine, self.skip, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = self.twice(self.twice(x).relu()).relu()
        x = self.norm(self.normed(x)).relu()
        shared = self.shared(x)
        x = shared.relu() * shared
        x = torch.sigmoid(self.sigmoid(x))
        x = F.leaky_relu(self.fine(x), 0.2, inplace=True)
        x = x + self.skip(x)  # a layer that alone makes a block
        return torch.tanh(self.head(x))


def test_layers_whose_channels_cannot_be_closed_are_left_alone():
    assert closable(Odd()) == {"fine": "fine"}
    (layer,) = (one for one in channel_graph(Odd()) if one.name == "fine")
    assert layer.activation.negative_slope == 0.2
    assert not layer.activation.inplace


def test_chosen_layers():
    net = add_dynamic_gates(DigitsCNN((4, 4, 4)), layers=["1", "7"])
    assert list(channel_gatings(net)) == ["1", "7"]
    assert list(channel_gatings(add_dynamic_gates(DigitsCNN((4, 4, 4)), layers="hidden"))) == [
        "4",
        "7",
    ]
    with pytest.raises(ValueError, match="did you mean '7'"):
        add_dynamic_gates(DigitsCNN((4, 4, 4)), layers="77")
    with pytest.raises(ValueError, match=r"chooses no layer of DigitsCNN.*\['1', '4', '7'\]"):
        add_dynamic_gates(DigitsCNN((4, 4, 4)), layers="12")


# ------------------------------------------------------------------------------------------------
# states, copies, threads, compilers


def test_states_of_the_plain_network_can_be_loaded_and_names_stay():
    plain, net = cnn(seed=3), gated()
    kept = {name: p.clone() for name, p in net.state_dict().items() if "gating" in name}
    net.load_state_dict(plain.state_dict())  # strict
    assert all(torch.equal(net.state_dict()[name], value) for name, value in kept.items())
    assert all(torch.equal(net.state_dict()[n], v) for n, v in plain.state_dict().items())
    other = gated(seed=5)
    other.load_state_dict(net.state_dict())
    X = images()[0]
    assert torch.equal(other.eval()(X), net.eval()(X))
    incomplete = {n: v for n, v in net.state_dict().items() if n != "0.gating.gate.bias"}
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict(incomplete)
    assert list(remove_dynamic_gates(net).state_dict()) == list(plain.state_dict())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    plain.load_state_dict(net.state_dict())


def test_copies_and_pickles_have_gates_of_their_own():
    net, (X, y) = gated(), images()
    F.cross_entropy(net(X), y)  # leaves tensors with graphs
    expected = net.eval()(X)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(twin(X), expected)
        with torch.no_grad():
            for gating in channel_gatings(twin).values():
                gating.gate.bias.fill_(-1e6)
        assert not torch.equal(twin(X), expected)
        assert torch.equal(net(X), expected)


def test_a_frozen_copy_is_gated_as_well():
    net, X = gated().eval(), images()[0]
    twin = FrozenCopy(net)
    assert torch.equal(twin(X), net(X))
    with torch.no_grad():
        for gating in channel_gatings(net).values():
            gating.gate.bias.fill_(-1e6)
    assert not torch.equal(twin(X), net(X))
    twin.follow(net)
    assert torch.equal(twin(X), net(X))


def test_threads_do_not_mix_up_their_inputs():
    torch.manual_seed(0)
    gate_threads = threading.Barrier(2)

    class Waiting(nn.Conv2d):
        def forward(self, x):
            gate_threads.wait(timeout=10)
            return super().forward(x)

    net = nn.Sequential(Waiting(2, 16, 3), nn.ReLU(), nn.Conv2d(16, 2, 1))
    add_dynamic_gates(net, softmax=False)
    with torch.no_grad():
        channel_gatings(net)["0"].gate.bias.zero_()
    net.eval()
    found = {}

    def predict(name, X):
        found[name] = net(X)

    inputs = {"a": 20 * torch.randn(3, 2, 5, 5), "b": 20 * torch.randn(4, 2, 5, 5)}
    threads = [threading.Thread(target=predict, args=item) for item in inputs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate_threads = threading.Barrier(1)
    for name, X in inputs.items():
        assert torch.equal(found[name], net(X))


def test_compiled_networks_learn_the_same():
    net, (X, y) = gated(), images()
    twin = copy.deepcopy(net)
    compiled = torch.compile(twin, backend="aot_eager", fullgraph=True)
    for model in (net, compiled):
        (F.cross_entropy(model(X), y) + gate_loss(model)).backward()
    for mine, other in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    torch._dynamo.reset()


def test_export_of_the_gated_network():
    net, X = gated().eval(), images()[0]
    exported = torch.export.export(net, (X,)).module()
    torch.testing.assert_close(exported(X), net(X))
    plain = remove_dynamic_gates(net)
    torch.testing.assert_close(torch.export.export(plain, (X,)).module()(X), plain(X))


def test_gates_decide_in_full_precision_under_autocast():
    net, (X, _) = gated(), images()
    with torch.autocast("cpu", torch.bfloat16):
        net(X)
        assert gate_loss(net).dtype == torch.float32
    assert all(g.latest.logits.dtype == torch.float32 for g in channel_gatings(net).values())
    gate_loss(net).backward()


def test_parametrized_and_tied_layers():
    torch.manual_seed(0)
    first, second = nn.Linear(6, 6), nn.Linear(6, 6)
    second.weight = first.weight
    net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)), nn.ReLU(), first,
                        nn.ReLU(), second, nn.ReLU(), nn.Linear(6, 2))  # fmt: skip
    X = torch.randn(5, 4)
    expected = net(X)
    torch.testing.assert_close(add_dynamic_gates(net)(X), expected)
    assert list(channel_gatings(net)) == ["0", "2", "4"]
    assert first.weight is second.weight


# ------------------------------------------------------------------------------------------------
# the regularizer


def net_with(*regularizers, seed=0, module=None, **arguments):
    torch.manual_seed(seed)
    defaults = {"lr": 0.05, "max_epochs": 4, "batch_size": 6, "train_split": None, "verbose": 0,
                "optimizer": torch.optim.SGD}  # fmt: skip
    named = [(f"r{i}", one) for i, one in enumerate(regularizers)]
    return RegularizedNetClassifier(
        cnn(norm=False) if module is None else module, regularizers=named, **(defaults | arguments)
    )


def arrays():
    X, y = images()
    return X.numpy(), y.numpy()


def test_training_is_the_loop_by_hand():
    X, y = images()
    weight = np.linspace(0.5, 1.5, len(X))
    regularizer = DynamicGates(0.6, softmax=False, cooldown=0.5, gate_lr=0.2)
    net = net_with(regularizer).initialize()
    module = copy.deepcopy(net.module_)
    net.partial_fit(*arrays(), sample_weight=weight)
    of_gates, others = parts_of(module)
    optimizers = torch.optim.SGD(others, lr=0.05), torch.optim.SGD(of_gates, lr=0.2)
    weights = torch.tensor(weight / weight.mean(), dtype=torch.float32)
    for epoch in range(4):
        for rows in torch.arange(len(X)).split(6):
            for optimizer in optimizers:
                optimizer.zero_grad()
            w = weights[rows]
            loss = (w * F.cross_entropy(module(X[rows]), y[rows], reduction="none")).mean()
            if epoch < 2:
                for gating in channel_gatings(module).values():
                    logits, _, target = gating.latest
                    bce = F.binary_cross_entropy_with_logits(
                        logits, target.float(), reduction="none"
                    )
                    loss = loss + 0.5 * (w[:, None] * bce).mean(0).sum()
            loss.backward()
            optimizers[0].step()
            if epoch < 2:
                optimizers[1].step()
    for name, value in module.state_dict().items():
        torch.testing.assert_close(net.module_.state_dict()[name], value, msg=name)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "optimizer__weight_decay": 0.1},
        {"optimizer": torch.optim.AdamW, "optimizer__weight_decay": 0.1},
    ],
    ids=["SGD", "AdamW"],
)
def test_gates_stay_to_the_last_bit_after_the_cool_down(optimizer):
    net = net_with(DynamicGates(0.6, cooldown=0.5), max_epochs=4, **optimizer)
    history = []

    class Note(LabelSmoothing):
        def after_step(self, net, batch):
            history.append((batch.progress, [p.detach().clone() for p in parts_of(net.module_)[0]],
                            net.module_[2].weight.detach().clone()))  # fmt: skip

    net.set_params(regularizers=[*net.regularizers, ("note", Note(0.1))])
    net.fit(*arrays())
    assert len(history) == 8
    for (earlier, before, _), (progress, after, _) in itertools.pairwise(history):
        moved = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert (any(moved), all(moved)) == ((True, True) if progress < 0.5 else (False, False))
        assert earlier < progress
    assert not torch.equal(history[-1][2], history[-2][2])  # the rest learns on
    decays = [group["weight_decay"] for group in net.optimizer_.param_groups]
    assert decays == [0.1, 0.0]


def test_rates_of_gates_follow_the_schedule_and_later_rates():
    from skorch.callbacks import LRScheduler

    schedule = LRScheduler("StepLR", step_size=1, gamma=0.5)
    net = net_with(DynamicGates(gate_lr=0.2), callbacks=[("lr", schedule)], max_epochs=2)
    net.fit(*arrays())
    rates = [group["lr"] for group in net.optimizer_.param_groups]
    assert rates == pytest.approx([0.05 / 4, 0.2 / 4])
    net = net_with(DynamicGates(gate_lr=0.2)).fit(*arrays())
    net.set_params(regularizers__r0__gate_lr=0.4)
    net.partial_fit(*arrays())
    assert [g["lr"] for g in net.optimizer_.param_groups] == pytest.approx([0.05, 0.4])


def test_fitted_numbers_are_those_of_the_training_data():
    X = images()[0]
    net = net_with(DynamicGates(0.6, softmax=False, gate_lr=10.0), max_epochs=6).fit(*arrays())
    regularizer = dict(net.regularizers)["r0"]
    flops = gated_flops(net.module_, X)
    assert regularizer.flops_reduction_ == pytest.approx(flops.reduction)
    assert regularizer.flops_reduction_ > 0.1
    net.module_.train()
    net.module_(X)  # no normalization: the same in both modes
    made = [gating.latest for gating in channel_gatings(net.module_).values()]
    agreeing = torch.cat([one.mask == one.target for one in made], 1).double().mean().item()
    assert regularizer.mask_accuracy_ == pytest.approx(agreeing)
    assert list(regularizer.active_channels_) == ["0", "2"]
    expected = [one.mask.sum(1).double().mean().item() for one in made]
    assert list(regularizer.active_channels_.values()) == pytest.approx(expected)
    assert regularizer.mass_ == pytest.approx(0.6)


def test_a_mass_is_chosen_for_operations_to_save(tmp_path):
    X, _ = images()
    net = net_with(DynamicGates(flops_target=0.65), max_epochs=1).fit(*arrays())
    chosen = dict(net.regularizers)["r0"].mass_
    base = cnn(norm=False)
    assert estimate_flops_reduction(base, X, chosen) >= 0.65
    assert estimate_flops_reduction(base, X, chosen + 1 / 200) < 0.65
    # it stays when training goes on, from a checkpoint too
    paths = {"f_params": str(tmp_path / "p"), "f_optimizer": str(tmp_path / "o")}
    net.save_params(**paths)
    again = net_with(DynamicGates(flops_target=0.65), max_epochs=1).initialize()
    again.load_params(**paths)
    again.partial_fit(*arrays())
    assert dict(again.regularizers)["r0"].mass_ == chosen
    with pytest.raises(ValueError, match=r"flops_target=0.99 cannot be reached"):
        net_with(DynamicGates(flops_target=0.99)).fit(*arrays())


@pytest.mark.parametrize("norm", [False, True])
def test_checkpoints_pickles_and_copies_go_on_alike(norm, tmp_path):
    def made():
        return net_with(DynamicGates(0.6), module=cnn(norm=norm), max_epochs=4,
                        optimizer__momentum=0.9)  # fmt: skip

    X, y = arrays()
    torch.manual_seed(1)
    whole = made().initialize()
    whole.partial_fit(X, y, epochs=1)
    paths = {f"f_{part}": str(tmp_path / part)
             for part in ("params", "optimizer", "criterion", "history")}  # fmt: skip
    whole.save_params(**paths)
    resumed = made().initialize()
    resumed.load_params(**paths)
    twins = [resumed, pickle.loads(pickle.dumps(whole)), copy.deepcopy(whole)]
    numbers = torch.get_rng_state()
    whole.partial_fit(X, y, epochs=3, sample_index=np.arange(len(y)))
    for twin in twins:
        torch.set_rng_state(numbers)
        twin.partial_fit(X, y, epochs=3, sample_index=np.arange(len(y)))
        for name, value in whole.module_.state_dict().items():
            assert torch.equal(twin.module_.state_dict()[name], value), name
        np.testing.assert_array_equal(twin.predict_proba(X), whole.predict_proba(X))


def test_refitting_starts_anew_and_masses_may_change_when_training_goes_on():
    X, y = arrays()
    model = DeepClassifier(cnn(norm=False), [("gates", DynamicGates(0.6))], max_epochs=2,
                           batch_size=6, random_state=0, warm_start=True)  # fmt: skip
    first = clone(model).fit(X, y).predict_proba(X)
    model.fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), first)
    model.set_params(regularizers__gates__mass=0.3).fit(X, y)
    assert model.net_.module_[0].gating.mass == pytest.approx(0.3)
    assert dict(model.net_.regularizers)["gates"].mass_ == pytest.approx(0.3)
    with pytest.raises(ValueError, match="softmax of DynamicGates"):
        model.set_params(regularizers__gates__softmax=False).fit(X, y)
    anew = clone(model).set_params(regularizers__gates__softmax=True, regularizers__gates__mass=0.6)
    np.testing.assert_array_equal(anew.fit(X, y).predict_proba(X), first)


@pytest.mark.parametrize(
    "other",
    [SAM(rho=0.05), ELR(), LabelSmoothing(0.1), EMAWeights(), SWA(start=0.25), RDrop(), TRAM(),
     ConvOrthogonality(), MagnitudePruning(0.5)],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_pairs_train(other, first):
    pair = [DynamicGates(0.5, softmax=False, gate_lr=10.0), clone(other)]
    net = net_with(*(pair if first else pair[::-1]), module=cnn(norm=True), max_epochs=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        net.fit(*arrays(), sample_weight=np.linspace(0.5, 1.5, 12))
    regularizer = next(r for _, r in net.regularizers if isinstance(r, DynamicGates))
    assert regularizer.flops_reduction_ > 0.05
    assert np.isfinite(net.predict_proba(arrays()[0])).all()


def test_the_loss_of_gates_is_that_of_the_pass_that_is_trained():
    """Another pass in the same step, without gradients, does not get in the way."""

    class Looks(LabelSmoothing):
        def penalty(self, net, batch, y_pred, features):
            with torch.no_grad():
                net.forward_again(torch.zeros_like(batch.X))

    weights = []
    for others in ([], [Looks(0.0)]):
        net = net_with(*others, DynamicGates(0.5)).fit(*arrays())
        weights.append(net.module_[0].gating.gate.weight)
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    "options",
    [
        {"mixed_precision": "bfloat16"},
        {"accumulation_steps": 2},
        {"compile": True, "compile__backend": "eager"},
    ],
    ids=str,
)
def test_precision_accumulation_and_compilers(options):
    net = net_with(DynamicGates(0.5, softmax=False, gate_lr=10.0), **options).fit(*arrays())
    plain = net_with(DynamicGates(0.5, softmax=False, gate_lr=10.0)).fit(*arrays())
    regularizer = dict(net.regularizers)["r0"]
    assert regularizer.flops_reduction_ > 0.05
    if "compile" in options:
        np.testing.assert_allclose(
            net.predict_proba(arrays()[0]), plain.predict_proba(arrays()[0]), rtol=1e-4
        )
        torch._dynamo.reset()


def test_estimators_on_tables():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).astype(np.float32)
    for model, y in (
        (DeepClassifier, np.array(["a", "b"])[(X[:, 0] > 0).astype(int)]),
        (DeepRegressor, X[:, 0]),
    ):
        fitted = model(
            regularizers=[("g", DynamicGates(0.5))],
            batch_size=8,
            max_epochs=10,
            random_state=0,
            net_params={"module__width": 16},
        )
        fitted.fit(X, y)
        assert dict(fitted.net_.regularizers)["g"].flops_reduction_ > 0


def test_a_trained_network_is_given_as_module():
    X, y = arrays()
    plain = DeepClassifier(cnn(norm=True), max_epochs=3, random_state=0).fit(X, y)
    weights = {n: v.clone() for n, v in plain.net_.module_.state_dict().items()}
    model = DeepClassifier(
        plain.net_.module_, [("g", DynamicGates(cooldown=0.0))], lr=1e-12, max_epochs=1,
        random_state=0, standardize=False,
    ).fit(X, y)  # fmt: skip
    for name, value in weights.items():
        if "running" not in name and "tracked" not in name:
            torch.testing.assert_close(model.net_.module_.state_dict()[name], value)
    assert not channel_gatings(plain.net_.module_)


# ------------------------------------------------------------------------------------------------
# bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mass_mask(SHARES, 0.0), r"mass must be in \(0, 1\]"),
        (lambda: mass_mask(SHARES, 1.1), r"mass must be in \(0, 1\]"),
        (lambda: mass_mask(SHARES[0]), r"shape \(n, n_channels\)"),
        (lambda: mass_mask(SHARES, min_channels=-1), "min_channels must be in"),
        (lambda: mass_mask(SHARES, min_channels=1.5), "min_channels must be a whole number"),
        (lambda: topk_mask(SHARES, 1.0), r"prune_ratio must be in \[0, 1\)"),
        (lambda: topk_mask(SHARES.long(), 0.5), "floating-point"),
        (lambda: DynamicChannelGate(0, 1), "in_channels must be in"),
        (lambda: DynamicChannelGate(1, 2.5), "out_channels must be a whole number"),
        (lambda: DynamicChannelGate(1, 2, pooling="sum"), "pooling must be one of"),
        (lambda: add_dynamic_gates(cnn(), 0.0), "mass must be in"),
        (lambda: add_dynamic_gates(cnn(), mode="both"), "mode must be one of 'decoupled', 'joint'"),
        (lambda: add_dynamic_gates(cnn(), prune_ratio=1.0), "prune_ratio must be in"),
        (lambda: add_dynamic_gates(cnn(), pooling="sum"), "pooling must be one of"),
        (lambda: add_dynamic_gates(gated()), "has dynamic gates already"),
        (lambda: add_dynamic_gates(nn.Sequential(nn.Linear(2, 2))), "channels can be closed"),
        (lambda: add_dynamic_gates(nn.Sequential(nn.ReLU())), "has no layer of the types"),
        (lambda: gate_loss(cnn()), "has no dynamic gates: add_dynamic_gates first"),
        (lambda: gate_loss(gated().eval()), "no forward pass with gradients in training mode"),
        (lambda: gated_flops(cnn(), images()[0]), "has no dynamic gates"),
        (lambda: gates(gated(), "on").__enter__(), "source must be one of"),
        (lambda: gates(cnn(), "off").__enter__(), "has no dynamic gates"),
        (lambda: estimate_flops_reduction(cnn(), images()[0], 2.0), "mass must be in"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"mass": 0.0}, "mass must be in"),
        ({"prune_ratio": -0.1}, "prune_ratio must be in"),
        ({"flops_target": 1.0}, "flops_target must be in"),
        ({"flops_target": 0.5, "prune_ratio": 0.5}, "give one"),
        ({"mode": "none"}, "mode must be one of"),
        ({"cooldown": 1.5}, "cooldown must be in"),
        ({"gate_lr": -1.0}, "gate_lr must be in"),
        ({"pooling": "sum"}, "pooling must be one of"),
        ({"min_channels": -1}, "min_channels must be in"),
        ({"layers": "9"}, "no layer of the types"),
    ],
    ids=str,
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        net_with(DynamicGates(**params)).fit(*arrays())


def test_networks_that_cannot_be_followed():
    class Fickle(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x):
            return self.layer(x).relu() if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"torch\.fx cannot follow the calls of Fickle"):
        add_dynamic_gates(Fickle())
    rows = nn.Sequential(nn.Flatten(0, 1), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="layer '1' sees 6 rows for 2 samples"):
        gated_flops(add_dynamic_gates(rows), torch.zeros(2, 3, 4))
    rows.append(nn.Unflatten(0, (-1, 3)))
    rows.append(nn.Flatten())
    with pytest.raises(ValueError, match="layer '1' sees 12 rows for 4 samples"):
        net_with(DynamicGates(), module=rows).fit(np.zeros((4, 3, 4), "float32"), np.arange(4) % 2)
    with pytest.raises(ValueError, match="layer '0' has no shape yet"):
        add_dynamic_gates(nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2)))
    with pytest.raises(ValueError, match="no samples to count"):
        gated_flops(gated(), images()[0][:0])


def test_what_replaces_the_module_is_refused():
    with pytest.raises(ValueError, match="replaces the module, into which DynamicGates"):
        net_with(ELRPlus(), DynamicGates()).fit(*arrays())


def test_networks_of_other_threads_work_while_one_is_traced():
    started, done = threading.Event(), threading.Event()

    class Slow(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))

        def forward(self, x):
            started.set()
            assert done.wait(timeout=10)
            return self.layers(x)

    net, X, found = cnn().eval(), images()[0], {}
    expected = net(X)

    def predict():
        started.wait(timeout=10)
        found["y"] = net(X)
        done.set()

    thread = threading.Thread(target=predict)
    thread.start()
    assert [layer.exit for layer in channel_graph(Slow())] == ["layers.0", None]
    thread.join()
    assert torch.equal(found["y"], expected)
