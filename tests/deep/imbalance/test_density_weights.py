"""Weights by the density of targets, and the frozen copy of a network."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve1d, gaussian_filter1d
from torch import nn

from skreg.deep.torch import FrozenCopy, density_weights


def authors_weights(labels, scheme, n_bins, smooth, size=9, sigma=1.0):
    """Weights over the dense bins 0, ..., n_bins - 1, written after the authors' description.

    All bins are clipped, the empty ones included; nothing lies beyond the first and last; the
    window is a filtered unit impulse over its largest entry. Counts are floating-point numbers
    here; convolve1d would cut off the fractions of whole ones.
    """
    value = np.bincount(np.minimum(labels, n_bins - 1), minlength=n_bins).astype(float)
    value = np.sqrt(value) if scheme == "sqrt_inv" else np.clip(value, 5, 1000)
    if smooth:
        impulse = np.zeros(size)
        impulse[size // 2] = 1
        window = gaussian_filter1d(impulse, sigma=sigma)
        value = convolve1d(value, weights=window / window.max(), mode="constant")
    weights = 1 / value[np.minimum(labels, n_bins - 1)]
    return weights * len(weights) / weights.sum()


def ages(seed, low, high, n=400):
    """Whole numbers, common in the middle, with gaps near both ends and some at the ends."""
    rng = np.random.default_rng(seed)
    labels = np.clip(np.rint(rng.normal((low + high) / 2, 8, n)), low, high).astype(int)
    return np.concatenate([labels, [low, low + 3, high - 7, high]])


@pytest.mark.parametrize("scheme", ["inverse", "sqrt_inv"])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0, 120), (0, 70), (3, 118), (30, 90)])
def test_weights_are_those_of_the_authors(scheme, smooth, low, high):
    y = ages(0, low, high)
    expected = authors_weights(y, scheme, 121, smooth)
    weights = density_weights(y, scheme, smooth=smooth, limits=(0, 120))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


@pytest.mark.parametrize("scheme", ["inverse", "sqrt_inv"])
def test_without_limits_all_empty_bins_are_alike(scheme):
    y = ages(1, 30, 90)
    expected = authors_weights(y, scheme, 121, True)  # the window of no target reaches the ends
    np.testing.assert_allclose(density_weights(y, scheme, smooth=True), expected, rtol=1e-6)
    far = density_weights([*y, 10**6], scheme, smooth=True)[:-1].double().numpy()
    np.testing.assert_allclose(far / far.mean(), expected, rtol=1e-6)


@pytest.mark.parametrize(("size", "sigma"), [(5, 2.0), (9, 1.0), (3, 50.0), (1, 1.0), (301, 4.0)])
def test_window_is_that_of_the_authors(size, sigma):
    y = ages(2, 10, 80)
    expected = authors_weights(y, "sqrt_inv", 121, True, size, sigma)
    weights = density_weights(
        y, "sqrt_inv", smooth=True, kernel_size=size, kernel_sigma=sigma, limits=(0, 120)
    )
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_targets_beyond_the_limits_count_in_the_outermost_bins():
    y = ages(3, 0, 70)
    expected = authors_weights(y, "inverse", 51, True)
    weights = density_weights(y, smooth=True, limits=(0, 50))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    one_sided = density_weights(y, smooth=True, limits=(0, np.inf))
    np.testing.assert_allclose(one_sided, authors_weights(y, "inverse", 500, True), rtol=1e-6)


@pytest.mark.parametrize("scheme", ["inverse", "sqrt_inv"])
@pytest.mark.parametrize("smooth", [False, True])
def test_unit_and_origin_do_not_matter(scheme, smooth):
    y = np.random.default_rng(0).exponential(8, 3000)
    weights = density_weights(y, scheme, smooth=smooth)
    assert weights.mean().item() == pytest.approx(1, rel=1e-6)
    same = density_weights(torch.tensor(y / 10), scheme, smooth=smooth, bin_width=0.1)
    torch.testing.assert_close(same, weights)
    shifted = density_weights(y - 1000, scheme, smooth=smooth)
    torch.testing.assert_close(shifted, weights)
    order = np.random.default_rng(1).permutation(3000)
    torch.testing.assert_close(density_weights(y[order], scheme, smooth=smooth), weights[order])


@pytest.mark.parametrize("largest", [1e9, 1e19, -1e19, 1e300])
@pytest.mark.parametrize("smooth", [False, True])
def test_any_range_costs_memory_for_the_targets_only(largest, smooth):
    y = np.array([0.0] * 20 + [largest])
    tracemalloc.start()
    weights = density_weights(y, smooth=smooth, clip=(1, 1000), kernel_size=101, kernel_sigma=9.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    window = np.exp(-0.5 * (np.arange(-50, 51) / 9) ** 2)
    window[np.abs(np.arange(-50, 51)) > 36] = 0
    others = window.sum() - 1 if smooth else 0.0  # a lonely bin among empty ones, which count one
    expected = np.array([1 / (20 + others)] * 20 + [1 / (1 + others)])
    np.testing.assert_allclose(weights, expected / expected.mean(), rtol=1e-6)


def test_bins_beyond_the_whole_numbers_of_float64():
    far = 2.0**60
    y = [far, far, np.nextafter(far, np.inf), 0.0]  # 256 apart: neighbours in no window of 9 bins
    weights = density_weights(y, smooth=True, clip=(1, 1000))
    apart = density_weights([0, 0, 256, 1000], smooth=True, clip=(1, 1000))
    torch.testing.assert_close(weights, apart)
    neighbours = 1.9 * 2**60 + 256 * np.arange(8)  # over 1.9, some are the same float64
    with pytest.raises(ValueError, match=r"bins of width 1.9 cannot be told apart .* bin_width"):
        density_weights(neighbours, bin_width=1.9)
    ends = density_weights([-1.7e308, 1.7e308], smooth=True, limits=(-1.7e308, np.inf))
    assert torch.isfinite(ends).all()
    with pytest.raises(ValueError, match=r"cannot be told apart at targets of size 1e\+300"):
        density_weights([0.0, 1e300], bin_width=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheme": "log"}, "scheme must be one of"),
        ({"bin_width": 0.0}, "bin_width must be in"),
        ({"bin_width": "1"}, "bin_width must be a number in"),
        ({"kernel_size": 8}, "kernel_size must be a positive odd number"),
        ({"kernel_size": 3.0}, "kernel_size must be a positive odd number"),
        ({"kernel_sigma": 0.0}, "kernel_sigma must be in"),
        ({"kernel_sigma": 1e12}, "kernel_sigma must be in"),
        ({"clip": (0, 10)}, "clip must be two increasing"),
        ({"clip": (10, 5)}, "clip must be two increasing"),
        ({"limits": (10, 5)}, "limits must be two increasing"),
        ({"limits": (0, np.nan)}, "limits must be two increasing"),
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
    assert torch.equal(output, expected)
    assert not output.requires_grad
    assert not any(p.requires_grad for p in copy.parameters())
