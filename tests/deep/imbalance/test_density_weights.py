"""Weights by the density of targets, and the frozen copy of a network."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d
from torch import nn

from skreg.deep.torch import FrozenCopy, density_weights


@pytest.mark.parametrize("scheme", ["inverse", "sqrt_inv"])
@pytest.mark.parametrize("smooth", [False, True])
def test_weights_by_definition(scheme, smooth):
    y = np.random.default_rng(0).exponential(8, 3000)
    bins = np.rint(y).astype(int)
    frequency = np.bincount(bins).astype(float)
    frequency = np.clip(frequency, 5, 1000) if scheme == "inverse" else np.sqrt(frequency)
    if smooth:
        window = np.exp(-0.5 * np.arange(-4, 5) ** 2)
        frequency = convolve1d(frequency, window, mode="constant")
    expected = 1 / frequency[bins]
    weights = density_weights(y, scheme, smooth=smooth)
    np.testing.assert_allclose(weights, expected / expected.mean(), rtol=1e-6)
    assert weights.mean().item() == pytest.approx(1, rel=1e-6)
    same = density_weights(torch.tensor(y / 10), scheme, smooth=smooth, bin_width=0.1)
    torch.testing.assert_close(same, weights)
    shifted = density_weights(y - 1000, scheme, smooth=smooth)
    torch.testing.assert_close(shifted, weights)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"scheme": "log"}, "scheme must be one of"),
        ({"bin_width": 0.0}, "bin_width must be in"),
        ({"kernel_size": 8}, "kernel_size must be a positive odd number"),
        ({"kernel_sigma": 0.0}, "kernel_sigma must be in"),
        ({"clip": (0, 10)}, "clip must be two increasing"),
        ({"clip": (10, 5)}, "clip must be two increasing"),
        ({"y": [1.0, np.nan]}, "y must be a vector of finite numbers"),
        ({"y": [[1.0]]}, "y must be a vector of finite numbers"),
        ({"y": []}, "y must be a vector of finite numbers"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        density_weights(**({"y": [1.0, 2.0]} | arguments))


def test_frozen_copy_keeps_weights_and_mode():
    net = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2), nn.Dropout(0.5))
    x = torch.randn(6, 2)
    copy = FrozenCopy(net)
    expected = net.eval()(x)
    with torch.no_grad():
        net[1].weight.zero_()
    nn.ModuleDict({"copy": copy}).train()
    output = copy(x)
    assert torch.equal(output, expected) and not output.requires_grad
    assert not any(p.requires_grad for p in copy.parameters())
