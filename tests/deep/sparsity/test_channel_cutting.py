"""Cutting channels: the small network computes what the large one does without them."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import (
    channel_groups,
    channel_masks,
    count_flops,
    count_parameters,
    prune_channels,
)

NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm, nn.GroupNorm)


def conv(n_in, n_out, size=3, stride=1, groups=1, bias=False):
    return nn.Conv2d(n_in, n_out, size, stride, size // 2, groups=groups, bias=bias)


class Net(nn.Module):
    """Layers by name, and a forward pass."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.how = forward

    def forward(self, x):
        return self.how(self, x)


def chain():
    return nn.Sequential(
        conv(2, 6), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), conv(6, 8, bias=True),
        nn.BatchNorm2d(8), nn.LeakyReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Dropout(), nn.Linear(32, 5, bias=False), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3),
    )  # fmt: skip


def functional():
    def forward(net, x):
        x = F.max_pool2d(F.relu(net.bn1(net.conv1(x)), inplace=True), 2)
        x = F.dropout(net.bn2(net.conv2(x)).relu_(), training=net.training)
        return net.head(x.view(x.size(0), -1))

    return Net(
        forward, conv1=conv(2, 6), bn1=nn.BatchNorm2d(6), conv2=conv(6, 5), bn2=nn.BatchNorm2d(5),
        head=nn.Linear(5 * 9, 3),
    )  # fmt: skip


def residual():
    def forward(net, x):
        x = torch.relu(net.bn0(net.conv0(x)))
        for i in (1, 2):
            inner = torch.relu(getattr(net, f"bn{i}a")(getattr(net, f"conv{i}a")(x)))
            x = torch.relu(getattr(net, f"bn{i}b")(getattr(net, f"conv{i}b")(inner)) + x)
        x = F.relu(net.bn3(net.conv3(x)) + net.bn4(net.conv4(x)))
        return net.head(torch.mean(x, dim=(2, 3)))

    layers = {"conv0": conv(2, 6), "bn0": nn.BatchNorm2d(6)}
    for i in (1, 2):
        layers |= {f"conv{i}a": conv(6, 4), f"bn{i}a": nn.BatchNorm2d(4)}
        layers |= {f"conv{i}b": conv(4, 6), f"bn{i}b": nn.BatchNorm2d(6)}
    return Net(
        forward, **layers, conv3=conv(6, 8, stride=2), bn3=nn.BatchNorm2d(8),
        conv4=conv(6, 8, 1, 2), bn4=nn.BatchNorm2d(8), head=nn.Linear(8, 3),
    )  # fmt: skip


def preactivation():
    """Residual sums are normalised by those who read them."""

    def forward(net, x):
        x = net.conv0(x)
        x = x + net.conv1(torch.relu(net.bn1(x)))
        x = x + net.conv2(torch.relu(net.bn2(x)))
        return net.head(net.bn3(x).relu().mean((2, 3)))

    return Net(
        forward, conv0=conv(2, 6), bn1=nn.BatchNorm2d(6), conv1=conv(6, 6), bn2=nn.BatchNorm2d(6),
        conv2=conv(6, 6), bn3=nn.BatchNorm2d(6), head=nn.Linear(6, 3),
    )  # fmt: skip


def mobile():
    """Depthwise convolutions, one of them with two outputs for each input."""
    return nn.Sequential(
        conv(2, 6, 1), nn.BatchNorm2d(6), nn.ReLU6(), conv(6, 6, groups=6), nn.BatchNorm2d(6),
        nn.Hardswish(), conv(6, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 8, groups=4),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(72, 3),
    )  # fmt: skip


def squeeze():
    """A gate for each channel, computed from all of them."""

    def forward(net, x):
        x = F.relu(net.bn(net.conv(x)))
        gate = net.up(F.silu(net.down(F.adaptive_avg_pool2d(x, 1)))).sigmoid()
        return net.head(torch.flatten(F.adaptive_avg_pool2d(gate * x, 1), 1))

    return Net(
        forward, conv=conv(2, 6), bn=nn.BatchNorm2d(6), down=nn.Conv2d(6, 3, 1),
        up=nn.Conv2d(3, 6, 1), head=nn.Linear(6, 3),
    )  # fmt: skip


def joined():
    def forward(net, x):
        parts = [F.relu(net.bn1(net.conv1(x))), F.relu(net.bn2(net.conv2(x)))]
        return net.head(net.conv3(torch.cat(parts, dim=1)).mean((2, 3)))

    return Net(
        forward, conv1=conv(2, 4), bn1=nn.BatchNorm2d(4), conv2=conv(2, 6), bn2=nn.BatchNorm2d(6),
        conv3=conv(10, 4), head=nn.Linear(4, 3),
    )  # fmt: skip


def by_sample():
    """Normalisations that look at one sample."""
    return nn.Sequential(
        conv(2, 6), nn.InstanceNorm2d(6, affine=True), nn.PReLU(6), conv(6, 8),
        nn.GroupNorm(4, 8), nn.GELU(), conv(8, 4), nn.GroupNorm(4, 4), nn.ELU(),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def perceptron():
    return nn.Sequential(
        nn.Flatten(), nn.Linear(72, 16), nn.BatchNorm1d(16), nn.Softplus(), nn.Linear(16, 3)
    )


def one_dimensional():
    return nn.Sequential(
        nn.Flatten(2), nn.Conv1d(2, 6, 3), nn.BatchNorm1d(6), nn.SiLU(), nn.Conv1d(6, 4, 1),
        nn.BatchNorm1d(4), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def called_twice():
    def forward(net, x):
        x = F.relu(net.bn0(net.conv0(x)))
        for _ in range(2):
            x = F.relu(net.bn(net.conv(x)))
        return net.head(x.mean((2, 3)))

    return Net(
        forward, conv0=conv(2, 4), bn0=nn.BatchNorm2d(4), conv=conv(4, 4), bn=nn.BatchNorm2d(4),
        head=nn.Linear(4, 3),
    )  # fmt: skip


NETWORKS = [
    chain, functional, residual, preactivation, mobile, squeeze, joined, by_sample, perceptron,
    one_dimensional, called_twice,
]  # fmt: skip
X = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def trained(make):
    """A network whose normalisations have factors, biases and statistics like trained ones."""
    torch.manual_seed(0)
    net = make()
    for layer in net.modules():
        if isinstance(layer, NORMS):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias)
            if getattr(layer, "running_mean", None) is not None:
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
    return net.eval()


def masks_for(net, amount=0.5, **arguments):
    groups = channel_groups(net, X)
    return channel_masks(net, amount=amount, groups=groups, scope="layer", **arguments)


def with_zeros(net, masks, *, biases):
    """The large network with the factors of pruned channels set to zero."""
    net = copy.deepcopy(net)
    with torch.no_grad():
        for name, mask in masks.items():
            net.get_submodule(name).weight[mask] = 0
            if biases:
                net.get_submodule(name).bias[mask] = 0
    return net


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("absorb", [False, True])
def test_channels_that_are_zero_leave_without_a_trace(make, absorb):
    """Softplus alone is not zero at zero: its constant must be absorbed."""
    net = trained(make)
    masks = masks_for(net)
    silent = with_zeros(net, masks, biases=True)
    before = copy.deepcopy(silent.state_dict())
    small = prune_channels(silent, masks, X[:1], absorb_bias=absorb or make is perceptron)
    assert count_parameters(small) < 0.75 * count_parameters(net)
    torch.testing.assert_close(small(X), silent(X), rtol=0, atol=2e-6)
    for name, value in silent.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("make", [chain, functional, residual, mobile, joined, one_dimensional])
def test_constants_of_channels_are_absorbed(make):
    """Exactly where nothing is padded with zeros: kernels of one pixel, or circular padding."""
    net = trained(make)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.padding != (0, 0):
            layer.padding_mode = "circular"
            layer._reversed_padding_repeated_twice = [1, 1, 1, 1]
    masks = masks_for(net)
    constant = with_zeros(net, masks, biases=False)
    small = prune_channels(net.train(), masks, X[:1]).eval()
    torch.testing.assert_close(small(X), constant(X), rtol=1e-5, atol=1e-5)
    net.eval()
    dropped = prune_channels(net, masks, X[:1], absorb_bias=False)
    assert (dropped(X) - constant(X)).abs().max() > 1e-2


def test_with_zero_padding_absorption_is_exact_away_from_borders():
    net = trained(lambda: nn.Sequential(conv(2, 6), nn.BatchNorm2d(6), nn.ReLU(), conv(6, 3)))
    masks = masks_for(net)
    constant = with_zeros(net, masks, biases=False)(X)
    small = prune_channels(net, masks, X[:1])
    torch.testing.assert_close(small(X)[..., 1:-1, 1:-1], constant[..., 1:-1, 1:-1])
    assert not torch.allclose(small(X), constant, atol=1e-3)
    assert small[3].bias is not None  # where a normalisation follows, it takes the constant
    followed = trained(lambda: nn.Sequential(*chain()[:6]))
    assert prune_channels(followed, {"1": masks["1"]}, X)[4].bias is not None
    plain = trained(
        lambda: nn.Sequential(conv(2, 6), nn.BatchNorm2d(6), conv(6, 3), nn.BatchNorm2d(3))
    )
    assert prune_channels(plain, {"1": masks["1"]}, X)[2].bias is None


def test_training_mode_buffers_types_and_frozen_parameters_stay():
    net = trained(chain).double().train()
    net[0].weight.requires_grad_(False)
    small = prune_channels(net, masks_for(net), X[:1])
    assert small.training
    assert small[1].training
    assert small[0].weight.dtype == torch.float64
    assert not small[0].weight.requires_grad
    assert small[4].weight.requires_grad
    assert net[1].num_batches_tracked == small[1].num_batches_tracked == 0


def test_counts_are_those_of_the_closed_form():
    from skreg.bench.arena.slim_networks import DigitsCNN

    net = trained(lambda: DigitsCNN((32, 64, 64)))
    masks = {
        "2": torch.arange(32) < 20, "5": torch.arange(64) % 2 == 0, "8": torch.arange(64) >= 10
    }  # fmt: skip
    a, b, c = 12, 32, 10
    small = prune_channels(net, masks, np.zeros((1, 64)))
    convolutions = 9 * (a + a * b + b * c)
    assert count_parameters(small) == convolutions + 2 * (a + b + c) + 10 * c + 10
    pixels = 9 * (64 * a + 16 * a * b + 4 * b * c)
    assert count_flops(small, torch.zeros(1, 64)) == 2 * (pixels + 10 * c)
    same = DigitsCNN((a, b, c))
    assert [p.shape for p in small.parameters()] == [p.shape for p in same.parameters()]
    same.load_state_dict(small.state_dict())
    torch.testing.assert_close(same.eval()(torch.ones(2, 64)), small(torch.ones(2, 64)))


def test_layers_that_are_added_are_found():
    assert channel_groups(residual(), X) == [["bn0", "bn1b", "bn2b"], ["bn3", "bn4"]]
    assert channel_groups(preactivation(), X) == [["bn1", "bn2", "bn3"]]
    assert channel_groups(chain(), X) == []
    shared = Net(
        lambda net, x: net.head((net.bn1(net.conv(x)) * net.bn2(net.conv(-x))).mean((2, 3))),
        conv=conv(2, 4), bn1=nn.BatchNorm2d(4), bn2=nn.BatchNorm2d(4), head=nn.Linear(4, 3),
    )  # fmt: skip
    assert channel_groups(shared, X) == [["bn1", "bn2"]]
    apart = Net(
        lambda net, x: net.head(net.bn1(net.conv(x)).mean((2, 3))) + net.bn2(net.conv(-x)).mean(),
        conv=conv(2, 4), bn1=nn.BatchNorm2d(4), bn2=nn.BatchNorm2d(4), head=nn.Linear(4, 3),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"'bn1', 'bn2' cannot be removed because of operation"):
        prune_channels(trained(lambda: apart), {"bn1": torch.arange(4) < 2}, X)


def test_grouped_convolutions_lose_as_many_channels_in_each_group():
    def make():
        return nn.Sequential(
            conv(2, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 4, groups=2), nn.BatchNorm2d(4),
            nn.ReLU(), nn.Flatten(), nn.Linear(144, 3),
        )  # fmt: skip

    net = trained(make)
    even = {"1": torch.arange(8) % 4 < 3, "4": torch.arange(4) % 2 == 0}
    silent = with_zeros(net, even, biases=True)
    small = prune_channels(silent, even, X)
    assert (small[3].groups, small[3].in_channels, small[3].out_channels) == (2, 2, 2)
    torch.testing.assert_close(small(X), silent(X))
    whole = {"1": torch.arange(8) < 4, "4": torch.arange(4) < 2}
    silent = with_zeros(net, whole, biases=True)
    small = prune_channels(silent, whole, X)
    assert small[3].groups == 1
    torch.testing.assert_close(small(X), silent(X))
    with pytest.raises(ValueError, match=r"convolution '3' would keep \[1, 4\] inputs"):
        prune_channels(net, {"1": torch.arange(8) < 3}, X)


def test_group_normalisation_loses_whole_groups():
    net = trained(lambda: nn.Sequential(conv(2, 8), nn.GroupNorm(4, 8), nn.ReLU(), conv(8, 2)))
    with pytest.raises(ValueError, match="'1' would lose parts of its 4 groups"):
        prune_channels(net, {"1": torch.arange(8) < 3}, X)
    mask = channel_masks(net, amount=0.4)["1"].view(4, 2)
    assert torch.equal(mask.any(1), mask.all(1))
    assert mask.any(1).sum() == 1  # 3 of 8 channels, one group and a half


def test_constants_behind_a_gate_are_refused():
    net = trained(squeeze)
    mask = {"bn": net.bn.bias > 0}
    with pytest.raises(ValueError, match=r"'head' reads more than .* absorb_bias=False"):
        prune_channels(net, mask, X)
    silent = with_zeros(net, mask, biases=True)
    torch.testing.assert_close(prune_channels(net, mask, X, absorb_bias=False)(X), silent(X))


def test_inputs_may_be_dicts_tuples_and_arrays():
    def forward(net, x, scale):
        return net.head(F.relu(net.bn(net.conv(x))).mean((2, 3)) * scale)

    class Scaled(Net):
        def forward(self, x, scale):
            return forward(self, x, scale)

    def make():
        return Scaled(None, conv=conv(2, 6), bn=nn.BatchNorm2d(6), head=nn.Linear(6, 3))

    net = trained(make)
    masks = {"bn": torch.arange(6) < 4}
    one = torch.ones(1)
    expected = with_zeros(net, masks, biases=True)(X, one)
    net = with_zeros(net, masks, biases=True)
    for example in ({"scale": one, "x": X}, (X.numpy(), one), [X.double(), one]):
        torch.testing.assert_close(prune_channels(net, masks, example)(X, one), expected)
    with pytest.raises(ValueError, match=r"must name \['x', 'scale'\], got \['x'\]"):
        prune_channels(net, masks, {"x": X})


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(2)

    def forward(self, x):
        return self.bn(x) if x.sum() > 0 else x


def hard_coded():
    net = functional()
    net.how = lambda net, x: net.head(
        net.bn2(net.conv2(F.max_pool2d(net.bn1(net.conv1(x)), 2))).view(-1, 45)
    )
    return net


def tied():
    net = nn.Sequential(conv(2, 4), nn.BatchNorm2d(4), conv(4, 4), nn.BatchNorm2d(4), conv(4, 4))
    net[4].weight = net[2].weight
    return net


def parametrized():
    net = nn.Sequential(conv(2, 4), nn.BatchNorm2d(4), nn.ReLU(), conv(4, 4))
    nn.utils.parametrizations.weight_norm(net[3])
    return net


@pytest.mark.parametrize(
    ("make", "masks", "message"),
    [
        (chain, {"9": [True]}, r"'9' is no normalisation layer .* '1', '5', '11'"),
        (chain, {"1": np.ones(4, bool)}, r"each of its 6 channels .* of shape \(4,\)"),
        (chain, {"1": np.zeros(6)}, "must be Boolean"),
        (chain, {"1": np.ones(6, bool)}, "all 6 channels of '1' are to be pruned"),
        (residual, {"bn0": np.arange(6) < 2}, r"'conv2a' reads more than .* channel_groups"),
        (preactivation, {"bn1": np.arange(6) < 2}, "'conv2' reads more"),
        (hard_coded, {"bn2": np.arange(5) < 2}, "'bn2' cannot be .* operation 'view'"),
        (tied, {"1": np.arange(4) < 2}, r"2.weight and 4.weight are one parameter"),
        (parametrized, {"1": np.arange(4) < 2}, r"'1' cannot be removed because of layer '3'"),
        (
            lambda: nn.Sequential(conv(2, 4), nn.BatchNorm2d(4)), {"1": np.arange(4) < 2},
            "'1' cannot be removed because of the network's output",
        ),
        (
            lambda: nn.Sequential(nn.BatchNorm2d(2), conv(2, 4)), {"0": np.arange(2) < 1},
            "'0' cannot be removed because of the network's input",
        ),
        (
            lambda: nn.Sequential(conv(2, 4), nn.BatchNorm2d(4), nn.PixelShuffle(2), conv(1, 1)),
            {"1": np.arange(4) < 2}, "because of layer '2'",
        ),
        (Branching, {"bn": np.arange(2) < 1}, "torch.fx cannot follow .* Branching"),
        (nn.Identity, {}, "Identity has no normalisation layer with scaling factors"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused_by_name(make, masks, message):
    with pytest.raises(ValueError, match=message):
        prune_channels(trained(make) if make is not nn.Identity else make(), masks, X)


def test_channels_read_without_normalisation_are_in_no_group():
    def forward(net, x):
        x = net.conv(x)
        return net.head((net.second(F.relu(net.bn(x))) + net.shortcut(x)).mean((2, 3)))

    net = Net(
        forward, conv=conv(2, 4), bn=nn.BatchNorm2d(4), second=conv(4, 4), shortcut=conv(4, 4, 1),
        head=nn.Linear(4, 3),
    )  # fmt: skip
    with pytest.raises(ValueError, match="because of layer 'shortcut', which reads them"):
        prune_channels(trained(lambda: net), {"bn": torch.arange(4) < 2}, X)


def test_a_small_network_is_a_plain_one():
    net = trained(chain)
    small = prune_channels(net, masks_for(net), X[:1])
    expected = small(X)
    for other in (copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        assert torch.equal(other(X), expected)
    exported = torch.export.export(small, (X,)).module()
    torch.testing.assert_close(exported(X), expected)
    torch.testing.assert_close(torch.compile(small, backend="eager")(X), expected)
    torch.compiler.reset()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(small(X)).all()
    again = prune_channels(small, masks_for(small, 0.3), X[:1])
    assert count_parameters(again) < count_parameters(small)
    small.train()(X).sum().backward()
    assert all(p.grad is not None for p in small.parameters())


def test_compiled_networks_are_cut_inside():
    net = trained(chain)
    masks = masks_for(net)
    compiled = torch.compile(net, backend="eager")
    small = prune_channels(compiled, masks, X)
    assert torch.equal(small(X), prune_channels(net, masks, X)(X))
    torch.compiler.reset()
