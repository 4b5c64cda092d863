"""Parameters with options of their own in an optimizer that has them already."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from skreg.deep.torch import SAM, own_group


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def train(net, optimizer, steps=3):
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    for _ in range(steps):

        def closure():
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(x), torch.arange(20) % 3)
            loss.backward()
            return loss

        optimizer.step(closure)
    return net


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


@pytest.mark.parametrize("wrap", [lambda base: base, SAM])
def test_group_is_that_of_an_optimizer_built_so(wrap):
    net, reference = network(), network()
    optimizer = wrap(torch.optim.AdamW(net.parameters(), lr=0.1, weight_decay=0.3))
    own_group(optimizer, ["*.bias"], module=net, lr_scale=0.1, weight_decay=0.0)
    biases = {name: p for name, p in reference.named_parameters() if name.endswith("bias")}
    others = [p for name, p in reference.named_parameters() if name not in biases]
    built = wrap(
        torch.optim.AdamW(
            [
                {"params": others, "weight_decay": 0.3},
                {"params": list(biases.values()), "lr": 0.01, "weight_decay": 0.0},
            ],
            lr=0.1,
        )
    )
    torch.testing.assert_close(weights(train(net, optimizer)), weights(train(reference, built)))


def test_again_it_changes_the_options_and_keeps_the_state():
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    train(net, optimizer)
    before = {p: copy.deepcopy(optimizer.state[p]) for p in net.parameters()}
    for scale in (0.5, 0.0, 0.25):
        own_group(optimizer, [net[0].weight], lr_scale=scale)
        assert [len(group["params"]) for group in optimizer.param_groups] == [3, 1]
        assert optimizer.param_groups[1]["lr"] == pytest.approx(0.1 * scale)
    optimizer.param_groups[0]["lr"] = 0.4
    own_group(optimizer, [net[0].weight], lr_scale=0.25)
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.1)
    for p, state in before.items():
        assert torch.equal(optimizer.state[p]["exp_avg"], state["exp_avg"])


def test_schedulers_start_from_the_scaled_rate():
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    own_group(optimizer, ["2.*"], module=net, lr_scale=0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    train(net, optimizer, 1)
    schedule.step()
    assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.05, 0.005])


def test_groups_that_are_there_keep_their_other_options():
    net = network()
    optimizer = torch.optim.SGD(
        [
            {"params": net[0].parameters(), "momentum": 0.5},
            {"params": net[2].parameters(), "momentum": 0.9, "lr": 1.0},
        ],
        lr=0.1,
    )
    own_group(optimizer, ["*.bias"], module=net, lr_scale=0.5)
    found = [(len(g["params"]), g["momentum"], g["lr"]) for g in optimizer.param_groups]
    assert found == [(1, 0.5, 0.1), (1, 0.9, 1.0), (1, 0.5, 0.05), (1, 0.9, 0.5)]


def test_named_parameters_keep_their_names():
    net = network()
    optimizer = torch.optim.SGD(net.named_parameters(), lr=0.1)
    own_group(optimizer, ["*.bias"], module=net, momentum=0.9)
    names = [group["param_names"] for group in optimizer.param_groups]
    assert names == [["0.weight", "2.weight"], ["0.bias", "2.bias"]]


def test_what_cannot_be_meant_is_refused():
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for call, message in (
        (lambda: own_group(optimizer, ["head.*"], module=net), r"called 'head\.\*'.*0\.weight"),
        (lambda: own_group(optimizer, [nn.Parameter(torch.ones(3))]), r"shapes \[\(3,\)\]"),
        (lambda: own_group(optimizer, ["*"], module=net, betas=1), "SGD has no option betas"),
        (
            lambda: own_group(torch.optim.LBFGS(net.parameters()), ["2.*"], module=net),
            "LBFGS has one group",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()
