"""The penalty over the layers of a network is the sum of what the layers have alone."""

import math

import pytest
import torch
from torch import nn

from skreg.deep.torch import (
    conv_singular_values,
    orthogonal_conv_init_,
    orthogonality_loss,
    orthogonality_penalty,
    orthogonality_report,
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.Conv2d(6, 6, 3, groups=3),
        nn.Conv2d(6, 6, 3, groups=3, dilation=2),
        nn.ConvTranspose2d(6, 4, 2, stride=2),
        nn.Conv2d(4, 4, (3, 1)),
        nn.Conv2d(4, 4, (3, 1), padding_mode="circular"),
        nn.Flatten(),
        nn.Linear(4, 7),
    )


def alone(net, indices):
    total = 0.0
    for i in indices:
        layer = net[i]
        options = {}
        if not isinstance(layer, nn.Linear):
            options = {name: getattr(layer, name) for name in ("stride", "dilation", "groups")}
        total += orthogonality_loss(layer.weight, **options)
    return total


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"layers": "all"}, [0, 1, 2, 3, 4, 5, 7]),
        ({"exclude_first": True}, [1, 2, 3, 4, 5]),
        ({"layers": lambda name, layer: name in "07"}, [0, 7]),
        ({"frequencies": "all"}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_penalty_is_the_sum_over_layers(options, indices):
    net = network()
    torch.testing.assert_close(orthogonality_penalty(net, **options), alone(net, indices))


def test_gradient_reaches_every_layer_and_equals_that_of_the_layers_alone():
    net = network()
    weights = [net[i].weight for i in range(6)]
    together = torch.autograd.grad(orthogonality_penalty(net), weights)
    apart = torch.autograd.grad(alone(net, range(6)), weights)
    for actual, expected in zip(together, apart, strict=True):
        torch.testing.assert_close(actual, expected)


def test_wide_layers_are_estimated_from_random_frequencies_unless_all_are_asked_for():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(130, 132, 3, bias=False), nn.Conv2d(16, 16, 3, bias=False))
    exact = orthogonality_penalty(net, frequencies="all")
    assert orthogonality_penalty(net, frequencies="all") == exact
    draws = torch.stack([orthogonality_penalty(net).detach() for _ in range(40)])
    assert draws.std() > 0
    assert abs(draws.mean() - exact) < 5 * draws.std() / math.sqrt(40)
    small = torch.stack([orthogonality_penalty(net[1], frequencies=2).detach() for _ in range(2)])
    assert small[0] != small[1]
    assert orthogonality_penalty(net[1]) == orthogonality_penalty(net[1])


def test_transposed_convolution_is_its_transpose():
    layer = nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1, bias=False).double()
    orthogonal_conv_init_(layer.weight, stride=2)
    assert orthogonality_penalty(layer).abs() < 1e-12
    assert orthogonality_report(layer)[0].case == "rows"  # 3 <= 2 * 4
    x = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    # A' of a row-orthogonal A is an isometry; the window of taps loses nothing at this padding
    assert layer(x).norm().item() == pytest.approx(x.norm().item())


def test_report_tells_singular_values_and_bounds():
    net = network()
    orthogonal_conv_init_(net[0].weight, stride=2)
    with torch.no_grad():
        net[0].weight += 0.001 * torch.randn_like(net[0].weight)
    report = orthogonality_report(net, "all")
    assert [row.name for row in report] == ["0", "1", "2", "3", "4", "5", "7"]
    assert [row.case for row in report] == [
        "rows",
        *["square"] * 2,
        "rows",
        *["square"] * 2,
        "columns",
    ]
    assert all(row.exists for row in report)
    sigma = conv_singular_values(net[0].weight, 6, stride=2)
    assert report[0].sigma_max == pytest.approx(sigma.max().item())
    for row in report:
        assert row.lower <= row.sigma_min <= row.sigma_max <= row.upper
    assert report[0].lower > 0.8
    assert report[0].upper < 1.2


def test_report_marks_impossible_shapes():
    (row,) = orthogonality_report(nn.Conv2d(1, 10, 3, stride=4))
    assert not row.exists
    assert row.loss >= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "linear"}, "layers must"),
        ({"layers": lambda name, layer: False}, "no layers"),
        ({"frequencies": "some"}, "frequencies must"),
        ({"frequencies": 0}, "frequencies must"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        orthogonality_penalty(network(), **options)
    with pytest.raises(ValueError, match="no layers"):
        orthogonality_penalty(nn.ReLU())
