"""A frozen copy holds what a deep copy holds, without what must not be copied, and follows."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from skreg.deep.torch import FrozenCopy, SampleMemory


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))


X = torch.randn(10, 4, generator=torch.Generator().manual_seed(0))


def move(net, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=generator))
    net.train()(X)


@pytest.mark.parametrize("weight", [0.1, torch.tensor(0.1)])
def test_following_by_a_share_is_torchs_moving_average(weight):
    net = network()
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    follower = FrozenCopy(net)
    average.update_parameters(net)  # the first takes a copy
    for seed in range(3):
        move(net, seed)
        average.update_parameters(net)
        follower.follow(net, weight)
    expected = average.eval()(X)
    torch.testing.assert_close(follower(X), expected, rtol=1e-5, atol=1e-5)
    for name, value in follower.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, average.module.state_dict()[name])
    assert follower.module[1].num_batches_tracked == 3


def test_following_all_the_way_is_a_copy_and_buffers_can_stay_behind():
    net = network()
    all_of_it, weights_only = FrozenCopy(net), FrozenCopy(net)
    move(net, 0)
    all_of_it.follow(net)
    weights_only.follow(net, buffers=False)
    assert torch.equal(all_of_it(X), net.eval()(X))
    assert torch.equal(weights_only.module[3].weight, net[3].weight)
    assert not weights_only.module[1].running_mean.any()


def test_a_copy_has_buffers_only_and_keeps_its_mode_unless_told_otherwise():
    net = network().train()
    teacher, average = FrozenCopy(net), FrozenCopy(net, mode="same")
    assert not list(teacher.parameters())
    assert not list(average.parameters())
    assert set(teacher.state_dict()) == {f"module.{name}" for name in net.state_dict()}
    teacher.train()
    assert not teacher.module[1].training
    assert average.module[1].training
    assert not average.eval().module[1].training
    average.train()(X)
    assert average.module[1].num_batches_tracked == 1
    assert not average(X).requires_grad
    teacher.double()
    assert teacher(X.double()).dtype == torch.float64
    with pytest.raises(ValueError, match="mode must be one of"):
        FrozenCopy(net, mode="train")


def test_neither_rows_of_samples_nor_hooks_are_copied():
    net = nn.ModuleDict({"layer": network(), "memory": SampleMemory(1000, 4)})
    net["memory"].write(torch.tensor([3]), torch.ones(1, 4))
    seen = []
    net["layer"][0].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    net["layer"](X)  # what a hook holds may have a graph, which cannot be copied
    teacher = FrozenCopy(net)
    assert teacher.module["memory"].values.numel() == 0
    teacher.module["layer"](X)
    assert len(seen) == 1
    teacher.follow(net)
    assert net["memory"].values[3].tolist() == [1, 1, 1, 1]
    assert pickle.loads(pickle.dumps(teacher)).module["layer"](X).shape == (10, 3)


def pruned(layer):
    return prune.l1_unstructured(layer, "weight", 0.5)


@pytest.mark.parametrize(
    "wrap",
    [
        parametrizations.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.orthogonal,
        pruned,
        pytest.param(
            torch.nn.utils.weight_norm, marks=pytest.mark.filterwarnings("ignore::FutureWarning")
        ),
        torch.nn.utils.spectral_norm,
    ],
)
def test_layers_that_compute_their_weights(wrap):
    """Their weight has a graph after a pass in training; the copy computes its own."""
    torch.manual_seed(0)
    layer = wrap(nn.Linear(4, 3))
    layer(X).sum().backward()
    teacher = FrozenCopy(layer)
    expected = layer.eval()(X).detach()
    torch.testing.assert_close(teacher(X), expected)
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(-1.5).add_(0.1)
    assert not torch.allclose(teacher(X), layer(X), atol=1e-2)
    teacher.follow(layer)
    torch.testing.assert_close(teacher(X), layer(X).detach())


def test_recurrent_layers():
    torch.manual_seed(0)
    layer, x = nn.LSTM(4, 5), torch.randn(3, 2, 4)
    teacher = FrozenCopy(layer)
    assert torch.equal(teacher(x)[0], layer(x)[0])
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(2)
    teacher.follow(layer, 1.0)
    assert torch.equal(teacher(x)[0], layer(x)[0])


class Watched(nn.Linear):
    """Keeps what it put out, as layers do for pictures of attention."""

    def forward(self, X):
        output = super().forward(X)
        self.last, self.all = output, {"outputs": (output,), "latest": output}
        return output


def test_outputs_that_a_layer_keeps_are_no_obstacle():
    layer = Watched(4, 3)
    expected = layer(X)
    assert torch.equal(FrozenCopy(layer)(X), expected)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_cannot_be_copied_or_followed_is_named():
    with pytest.raises(ValueError, match=r"'0\.weight' of Sequential has no shape yet"):
        FrozenCopy(nn.Sequential(nn.LazyLinear(2)))
    teacher = FrozenCopy(network())
    wider = network()
    wider[3] = nn.Linear(6, 9)
    with pytest.raises(ValueError, match=r"no '3\.weight' of shape \(9, 6\)"):
        teacher.follow(wider)


def test_a_compiled_module_is_copied_uncompiled():
    net = network()
    compiled = torch.compile(net, backend="eager")
    teacher = FrozenCopy(compiled)
    move(net, 1)
    teacher.follow(compiled)
    assert torch.equal(teacher(X), net.eval()(X))
    assert copy.deepcopy(teacher).state_dict().keys() == teacher.state_dict().keys()
