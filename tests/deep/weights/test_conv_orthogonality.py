"""Orthogonality of convolutions against the dense matrix of the convolution."""

import itertools
import math

import pytest
import torch
from torch.nn import functional

from skreg.deep.torch import (
    conv_singular_values,
    conv_spectral_norm,
    orthogonal_conv_exists,
    orthogonal_conv_init_,
    orthogonality_bounds,
    orthogonality_loss,
)
from skreg.deep.weights._conv_geometry import kernel_geometry
from skreg.deep.weights._conv_orthogonality import sampled_loss_of_groups, sampling_pays

CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def tuples(value, n):
    return value if isinstance(value, tuple) else (value,) * n


def dense_matrix(weight, size, stride=1, dilation=1, groups=1, padding="circular"):
    """The convolution as a matrix, by applying it to each unit vector with torch's own code."""
    n_axes = weight.ndim - 2
    size, kernel = tuples(size, n_axes), weight.shape[2:]
    inputs = weight.shape[1] * groups
    unit = torch.eye(inputs * math.prod(size), dtype=weight.dtype).reshape(-1, inputs, *size)
    for axis, (k, d) in enumerate(zip(kernel, tuples(dilation, n_axes), strict=True)):
        reach, dim = d * (k - 1), axis + 2
        if padding == "circular":
            wrap = unit.narrow(dim, 0, unit.shape[dim])
            while reach:
                part = min(reach, wrap.shape[dim])
                unit = torch.cat([unit, wrap.narrow(dim, 0, part)], dim)
                reach -= part
        elif padding == "zeros":
            pads = [0, 0] * n_axes
            pads[2 * (n_axes - 1 - axis)] = reach // 2
            pads[2 * (n_axes - 1 - axis) + 1] = reach - reach // 2
            unit = functional.pad(unit, pads)
    out = CONV[n_axes](unit, weight, stride=stride, dilation=dilation, groups=groups)
    return out.flatten(1).T


def gap(A):
    """Squared Frobenius distance from orthogonality, on the smaller side."""
    G = A @ A.T if A.shape[0] <= A.shape[1] else A.T @ A
    return (G - torch.eye(len(G), dtype=G.dtype)).square().sum()


def kernel(*shape, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, dtype=torch.float64, generator=generator)


def test_identity_scaled_and_constant_kernels_are_the_hand_computations():
    centre = torch.zeros(3, 3, 3, 3, dtype=torch.float64)
    centre[range(3), range(3), 1, 1] = 1
    assert orthogonality_loss(centre) == 0
    assert orthogonality_loss(2 * centre[:1, :1]) == 9
    assert orthogonality_loss(torch.full((1, 1, 1, 1), 0.5)) == 0.5625
    assert orthogonality_loss(torch.full((2, 1, 1, 1), 0.5**0.5)).item() == pytest.approx(
        0, abs=1e-6
    )


# inputs, outputs, kernel, stride, output pixels
SHAPES = [
    (2, 2, 3, 1, 5),
    (2, 5, 3, 1, 5),
    (2, 9, 3, 2, 3),
    (2, 3, 4, 2, 4),
    (1, 2, 5, 3, 3),
    (1, 5, 2, 2, 3),
    (1, 4, 5, 2, 5),
    (3, 2, 1, 1, 3),
    (1, 3, 2, 3, 2),
]


@pytest.mark.parametrize(("C", "M", "k", "S", "N"), SHAPES)
def test_loss_is_the_frobenius_error_of_the_dense_matrix_per_pixel(C, M, k, S, N):
    weight = kernel(M, C, k, k, seed=k, scale=0.4)
    A = dense_matrix(weight, S * N, S)
    torch.testing.assert_close(orthogonality_loss(weight, stride=S) * N**2, gap(A))


@pytest.mark.parametrize(
    ("shape", "options", "size", "pixels"),
    [
        ((4, 2, 3), {}, 6, 6),
        ((2, 3, 5), {"stride": 2}, 10, 5),
        ((2, 2, 2, 2, 2), {}, 3, 27),
        ((3, 1, 2, 2, 3), {"stride": (1, 2, 1)}, (3, 4, 5), 30),
        ((3, 2, 3, 2), {"stride": (2, 1)}, (6, 4), 12),
        ((4, 2, 3, 3), {"groups": 2}, 5, 25),
        ((6, 1, 3, 3), {"groups": 3}, 5, 25),
        ((2, 2, 3, 3), {"dilation": 2}, 10, 100),
        ((2, 2, 3), {"dilation": 2, "stride": 3}, 15, 5),
        ((3, 2, 3), {"dilation": 2, "stride": 2}, 12, 6),
        ((5, 2, 3), {"dilation": 2, "stride": 2}, 12, 6),
        ((2, 2, 4), {"dilation": 4, "stride": 6}, 36, 6),
    ],
)
def test_loss_for_other_dimensions_strides_groups_and_dilations(shape, options, size, pixels):
    weight = kernel(*shape, scale=0.4)
    groups = options.get("groups", 1)
    blocks = weight.chunk(groups)
    rest = {name: value for name, value in options.items() if name != "groups"}
    expected = sum(gap(dense_matrix(block, size, **rest)) for block in blocks) / pixels
    torch.testing.assert_close(orthogonality_loss(weight, **options), expected)


def test_loss_of_a_matrix_is_that_of_its_gram_matrix():
    for shape in ((3, 5), (5, 3), (4, 4)):
        W = kernel(*shape)
        torch.testing.assert_close(orthogonality_loss(W), gap(W))


def test_stride_of_the_kernel_size_is_the_flattened_kernel():
    weight = kernel(3, 2, 3, 3, scale=0.3)
    torch.testing.assert_close(orthogonality_loss(weight, stride=3), gap(weight.flatten(1)))


@pytest.mark.parametrize(
    ("shape", "stride"), [((3, 5, 3, 3), 1), ((6, 2, 3, 3), 2), ((5, 2, 3, 3), 1)]
)
def test_rotations_of_channels_and_flips_of_space_change_nothing(shape, stride):
    weight = kernel(*shape, scale=0.4)
    U = torch.linalg.qr(kernel(shape[0], shape[0], seed=1))[0]
    V = torch.linalg.qr(kernel(shape[1], shape[1], seed=2))[0]
    loss = orthogonality_loss(weight, stride=stride)
    for same in (
        torch.einsum("nm,mcij->ncij", U, weight),
        torch.einsum("mcij,cd->mdij", weight, V),
        weight.flip(2),
        weight.flip(2, 3),
        weight.transpose(2, 3),
        -weight,
    ):
        torch.testing.assert_close(orthogonality_loss(same, stride=stride), loss)


def test_a_kernel_and_its_transpose_are_equally_far():
    weight = kernel(5, 2, 3, 3, scale=0.4)
    transposed = weight.transpose(0, 1)
    torch.testing.assert_close(orthogonality_loss(weight), orthogonality_loss(transposed))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, 3, 3, 3), {}),
        ((4, 2, 2, 3), {}),
        ((3, 2, 3), {"stride": 2}),
        ((4, 1, 3, 3), {"groups": 2, "stride": 2}),
        ((2, 2, 3), {"dilation": 2, "stride": 4}),
    ],
)
def test_gradients(shape, options):
    weight = kernel(*shape, scale=0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: orthogonality_loss(w, **options), weight)
    assert torch.autograd.gradgradcheck(lambda w: orthogonality_loss(w, **options), weight)


def gradient_and_value(loss, weight):
    weight = weight.clone().requires_grad_()
    value = loss(weight)
    return torch.autograd.grad(value, weight)[0], value.detach()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3, 4, 3, 3), {}),
        ((5, 2, 3, 3), {}),
        ((6, 2, 3, 3), {"stride": 2}),
        ((9, 2, 3, 3), {"stride": 2}),
        ((3, 2, 2, 2), {"stride": 3}),
        ((10, 2, 2, 2), {"stride": 3}),
        ((5, 2, 3), {"dilation": 2, "stride": 2}),
        ((4, 2, 3, 3), {"groups": 2}),
    ],
)
def test_random_frequencies_estimate_the_loss_and_its_gradient_without_bias(shape, options):
    weight = kernel(*shape, scale=0.4)
    geometry = kernel_geometry(weight, **options)
    torch.manual_seed(0)

    def estimate(w):
        return sampled_loss_of_groups(geometry.split(w), geometry, 16).sum()

    n = 150
    draws = [gradient_and_value(estimate, weight) for _ in range(n)]
    exact = gradient_and_value(lambda w: orthogonality_loss(w, **options), weight)
    for values, expected in zip(zip(*draws, strict=True), exact, strict=True):
        values = torch.stack(values)
        error = (values.mean(0) - expected).abs()
        assert (error <= 5 * values.std(0) / math.sqrt(n) + 1e-9).all()


def test_the_estimate_is_exact_at_orthogonal_kernels():
    for shape, stride in (((3, 4, 3, 3), 1), ((9, 2, 3, 3), 2), ((16, 8, 3, 3), 2)):
        weight = orthogonal_conv_init_(kernel(*shape), stride=stride)
        geometry = kernel_geometry(weight, stride)
        estimate = sampled_loss_of_groups(geometry.split(weight), geometry, 3)
        assert estimate.abs().max() < 1e-12


def test_sampling_pays_where_the_exact_sum_has_many_lags():
    wide, strided, pointwise = (
        kernel_geometry(torch.empty(256, 256, *k), s)
        for k, s in (((3, 3), 1), ((3, 3), 2), ((1, 1), 1))
    )
    assert sampling_pays(wide, 1)
    assert sampling_pays(wide, 4)
    assert not sampling_pays(wide, 30)
    assert not sampling_pays(strided, 1)
    assert not sampling_pays(pointwise, 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_and_half_precision_weights_are_computed_in_single_precision(dtype):
    weight = kernel(8, 4, 3, 3, scale=0.2).float()
    with torch.autocast("cpu", dtype=dtype):
        assert torch.equal(orthogonality_loss(weight), orthogonality_loss(weight))
        inside = orthogonality_loss(weight)
    assert torch.equal(inside, orthogonality_loss(weight))
    half = orthogonality_loss(weight.to(dtype))
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(inside), rel=0.02)


@pytest.mark.parametrize(("C", "M", "S"), [(4, 3, 1), (4, 6, 2), (2, 3, 1)])
def test_gradient_descent_reaches_orthogonality(C, M, S):
    weight = kernel(M, C, 3, 3, scale=0.1).requires_grad_()
    optimizer = torch.optim.Adam([weight], lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        loss = orthogonality_loss(weight, stride=S)
        loss.backward()
        optimizer.step()
    assert loss < 1e-3
    sigma = conv_singular_values(weight, 8 * S, stride=S)
    assert (sigma - 1).abs().max() < 0.05


@pytest.mark.parametrize(
    ("shape", "options", "size"),
    [
        ((2, 3, 3, 3), {}, 4),
        ((3, 2, 3, 3), {}, 5),
        ((3, 2, 5, 5), {}, 3),  # the kernel wraps around
        ((3, 2, 3, 3), {"stride": 2}, 6),
        ((9, 2, 3, 2), {"stride": (2, 1)}, (4, 5)),
        ((2, 2, 3), {"stride": 3}, 9),
        ((2, 2, 3), {"dilation": 3}, 7),
        ((3, 2, 3, 3), {"dilation": (2, 1), "stride": 2}, 6),
        ((4, 2, 3, 3), {"groups": 2}, 4),
        ((2, 2, 2, 2, 2), {"stride": (1, 2, 1)}, (2, 4, 3)),
        ((3, 2, 3, 3), {}, 1),
    ],
)
def test_singular_values_are_those_of_the_dense_matrix(shape, options, size):
    weight = kernel(*shape)
    expected = torch.linalg.svdvals(dense_matrix(weight, size, **options))
    actual = conv_singular_values(weight, size, **options)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(conv_spectral_norm(weight, size, **options), expected[0])


def test_singular_values_of_many_frequencies_are_found_in_chunks(monkeypatch):
    weight = kernel(3, 2, 3, 3)
    expected = conv_singular_values(weight, 7)
    monkeypatch.setattr("skreg.deep.weights._conv_spectrum.CHUNK_BYTES", 100)
    torch.testing.assert_close(conv_singular_values(weight, 7), expected)


def test_zero_padding_is_bounded_by_circular_padding_of_a_larger_input():
    weight = kernel(3, 2, 3, 3)
    norm = torch.linalg.matrix_norm(dense_matrix(weight, 6, padding="zeros"), 2)
    assert norm <= conv_spectral_norm(weight, 8)


@pytest.mark.parametrize(("C", "M", "k", "S", "N"), SHAPES)
@pytest.mark.parametrize("noise", [0.003, 0.02])
def test_bounds_hold_for_every_input_size(C, M, k, S, N, noise):
    if not orthogonal_conv_exists(M, C, k, stride=S).exists:
        weight = kernel(M, C, k, k, scale=0.4)
    else:
        weight = orthogonal_conv_init_(kernel(M, C, k, k), stride=S) + kernel(
            M, C, k, k, seed=1, scale=noise
        )
    lower, upper = orthogonality_bounds(weight, stride=S)
    for pixels in (1, N, 2 * N + 1):
        if S * pixels < k:
            continue
        sigma = conv_singular_values(weight, S * pixels, stride=S)
        assert lower <= sigma.min() + 1e-12
        assert sigma.max() <= upper + 1e-12
    if noise == 0.003 and orthogonal_conv_exists(M, C, k, stride=S).exists:
        assert lower > 0.7
        assert upper < 1.3


def test_bound_of_groups_is_that_of_the_worst_group():
    one = orthogonal_conv_init_(kernel(2, 2, 3, 3))
    both = torch.cat([one, 1.05 * one])
    for grouped, single in zip(
        orthogonality_bounds(both, groups=2), orthogonality_bounds(1.05 * one), strict=True
    ):
        torch.testing.assert_close(grouped, single)


EXISTING = [
    ((4, 4, 3, 3), {}),
    ((2, 4, 3, 3), {}),
    ((6, 4, 3, 3), {}),
    ((9, 1, 3, 3), {"stride": 4}),
    ((4, 1, 2, 2), {"stride": 2}),
    ((9, 2, 3, 3), {"stride": 2}),
    ((8, 2, 5, 4), {"stride": 2}),
    ((6, 3, 5), {"stride": 2}),
    ((3, 1, 4, 3), {"stride": (3, 1)}),
    ((2, 1, 2, 3, 2), {"stride": (1, 2, 1)}),
    ((6, 2, 3, 3), {"groups": 2}),
    ((4, 2, 3), {"stride": 4, "dilation": 2}),
    ((6, 2, 3), {"stride": 3, "dilation": 2}),
    ((5, 3), {}),
]


@pytest.mark.parametrize(("shape", "options"), EXISTING)
def test_constructed_kernels_are_orthogonal(shape, options):
    weight = orthogonal_conv_init_(kernel(*shape), **options)
    assert orthogonality_loss(weight, **options).abs() < 1e-12
    stride = options.get("stride", 1)
    size = tuple(4 * s for s in tuples(stride, max(1, len(shape) - 2)))
    sigma = conv_singular_values(weight, size, **options)
    torch.testing.assert_close(sigma, torch.ones_like(sigma))


def test_construction_is_seeded_and_float32():
    first, second = (
        orthogonal_conv_init_(torch.empty(4, 2, 3, 3), generator=torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("out_channels", "in_channels", "kernel_size", "options", "case"),
    [
        (10, 1, 3, {"stride": 4}, "rows"),
        (9, 1, 3, {"stride": 4}, "rows"),
        (17, 1, 3, {"stride": 4}, "columns"),
        (5, 2, 3, {"stride": 4, "dilation": 2}, "rows"),  # 2 of 4 phases on each axis: 8 >= 5
        (9, 2, 3, {"stride": 4, "dilation": 2}, "rows"),
        (2, 1, (2, 1), {"stride": (2, 2)}, "rows"),
        (3, 1, (2, 1), {"stride": (2, 2)}, "rows"),
    ],
)
def test_existence_is_whether_descent_from_many_starts_reaches_zero(
    out_channels, in_channels, kernel_size, options, case
):
    found = orthogonal_conv_exists(out_channels, in_channels, kernel_size, **options)
    assert found.case == case
    weight = torch.empty(out_channels, in_channels, *tuples(kernel_size, 2), dtype=torch.float64)
    lowest = math.inf
    for seed in range(2):
        w = kernel(*weight.shape, seed=seed, scale=0.2).requires_grad_()
        optimizer = torch.optim.Adam([w], lr=0.05)
        for step in range(200):
            for group in optimizer.param_groups:
                group["lr"] = 0.05 * (1 - step / 200)
            optimizer.zero_grad()
            loss = orthogonality_loss(w, **options)
            loss.backward()
            optimizer.step()
        lowest = min(lowest, loss.item())
    assert found.exists == (lowest < 1e-2), lowest
    if not found.exists:
        assert lowest > 0.9
        with pytest.raises(ValueError, match=r"usable taps"):
            orthogonal_conv_init_(weight, **options)


def test_shapes_that_deel_lip_refuses_do_not_exist():
    assert not orthogonal_conv_exists(289, 32, 3, stride=4).exists
    assert orthogonal_conv_exists(288, 32, 3, stride=4).exists
    assert not orthogonal_conv_exists(129, 8, 3, stride=4).exists


def test_square_case_is_named():
    assert orthogonal_conv_exists(32, 32, 3).case == "square"
    assert orthogonal_conv_exists(32, 8, 3, stride=2).case == "square"


def placed(shape, slices):
    """An orthogonal matrix put into a window of taps of a kernel."""
    M, C = shape[:2]
    widths = [s.stop - s.start for s in slices]
    Q = torch.empty(M, C * math.prod(widths), dtype=torch.float64)
    weight = torch.zeros(shape, dtype=torch.float64)
    weight[(slice(None), slice(None), *slices)] = torch.nn.init.orthogonal_(Q).view(M, C, *widths)
    return weight


@pytest.mark.parametrize(
    ("k", "S", "dilation"), list(itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2)))
)
@pytest.mark.parametrize(("M", "C"), [(1, 1), (2, 1), (3, 2), (4, 1)])
@pytest.mark.parametrize("padding", ["zeros", "valid"])
def test_existence_under_zero_and_no_padding_is_that_of_a_window_of_taps(
    k, S, dilation, M, C, padding
):
    """In one dimension: an orthogonal kernel exists iff one in a window of uncut taps is one.

    Necessity: the rows (or columns) at the border lack taps that the inner ones have, and all
    have norm one, for every orthogonal combination of channels.
    """
    found = orthogonal_conv_exists(M, C, (k,), stride=S, dilation=dilation, padding=padding)
    size = 6 * S if padding == "zeros" else 5 * S + dilation * (k - 1) + 1
    windows = (
        slice(a, b) for a, b in itertools.combinations(range(k + 1), 2) if b - a <= max(S, 1)
    )
    reached = any(
        gap_of_case(
            dense_matrix(placed((M, C, k), [window]), size, S, dilation, padding=padding),
            found.case,
        )
        < 1e-9
        for window in windows
    )
    assert found.exists == reached


def gap_of_case(A, case):
    A = A.T if case == "columns" else A
    return (A @ A.T - torch.eye(len(A), dtype=A.dtype)).square().sum()


@pytest.mark.parametrize(
    "call",
    [
        lambda: orthogonality_loss(torch.ones(2, 2, 3, 3, dtype=torch.int64)),
        lambda: orthogonality_loss([[1.0]]),
        lambda: orthogonality_loss(torch.ones(3)),
        lambda: orthogonality_loss(torch.ones(1, 1, 1, 1, 1, 1)),
        lambda: orthogonality_loss(torch.ones(0, 2, 3, 3)),
        lambda: orthogonality_loss(torch.ones(2, 2, 3, 3), stride=0),
        lambda: orthogonality_loss(torch.ones(2, 2, 3, 3), stride=(1, 1, 1)),
        lambda: orthogonality_loss(torch.ones(2, 2, 3, 3), stride=1.5),
        lambda: orthogonality_loss(torch.ones(2, 2, 3, 3), dilation=-1),
        lambda: orthogonality_loss(torch.ones(3, 2, 3, 3), groups=2),
        lambda: conv_singular_values(torch.ones(2, 2, 3, 3), 7, stride=2),
        lambda: conv_singular_values(torch.ones(2, 2, 3, 3), (8, 8, 8)),
        lambda: orthogonal_conv_exists(0, 2, 3),
        lambda: orthogonal_conv_exists(2, 3, 3, groups=2),
        lambda: orthogonal_conv_exists(2, 2, 3, padding="same"),
    ],
)
def test_bad_arguments_are_refused(call):
    with pytest.raises(ValueError, match=r"must|divide"):
        call()
