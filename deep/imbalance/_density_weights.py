"""Weights of samples by the density of their targets (Yang et al. 2021)."""

from numbers import Integral
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike

from ..frame._batches import check_choice, check_number


def density_weights(
    y: ArrayLike,
    scheme: Literal["inverse", "sqrt_inv"] = "inverse",
    *,
    bin_width: float = 1.0,
    smooth: bool = False,
    kernel_size: int = 9,
    kernel_sigma: float = 1.0,
    clip: tuple[float, float] = (5, 1000),
    limits: tuple[float, float] | None = None,
) -> torch.Tensor:
    """Weights that are large where targets are rare, with mean one.

    Targets are counted in bins of width `bin_width`, centred at its multiples. With v the count,
    clipped for ``"inverse"``, or its square root for ``"sqrt_inv"``, the weight is ``1 / v``. Label
    distribution smoothing first convolves v over the bins with a Gaussian window. A bin without
    targets has v too: zero, or for ``"inverse"`` the lower end of `clip`.

    The authors' code for ages has bins from 0 to 120, and nothing beyond; ``limits=(0, 120)`` gives
    its weights, but for the fractions of smoothed counts, which it cuts off for ``"inverse"`` (some
    per cent where counts are small). Where targets end is not known without `limits`: bins then go
    on without end, so that smoothing treats the outermost targets as those beside a gap, and a far
    one changes nothing for the others. Ages that are no whole numbers are cut off there, and
    rounded here.

    Parameters
    ----------
    y : array-like or Tensor of shape (n,)
        Targets.
    scheme : {"inverse", "sqrt_inv"}, default="inverse"
        Weight by the inverse of the count, or of its square root.
    bin_width : float, default=1.0
        Width of a bin, in units of the targets.
    smooth : bool, default=False
        Whether to smooth over neighbouring bins.
    kernel_size : int, default=9
        Number of bins in the window, an odd number.
    kernel_sigma : float, default=1.0
        Its standard deviation, in bins. What a wide Gaussian has beyond the window is folded back
        into it, as in the authors' code.
    clip : pair of float, default=(5, 1000)
        Range of the counts for ``"inverse"``.
    limits : pair of float, default=None
        Smallest and largest possible target, in the outermost bins, as in ``(0, np.inf)``. Targets
        beyond count in these.

    Returns
    -------
    Tensor of shape (n,)
        The weights, in float32.

    Raises
    ------
    ValueError
        If `y` is not a vector of finite numbers, a parameter is out of its range, or targets in
        different bins cannot be told apart since they are too many bins away from zero.

    References
    ----------
    .. [1] Y. Yang, K. Zha, Y. Chen, H. Wang, D. Katabi, "Delving into Deep Imbalanced Regression",
       ICML 2021.

    Examples
    --------
    >>> from skreg.deep.torch import density_weights
    >>> density_weights([1, 1, 1, 7], clip=(1, 1000))
    tensor([0.6667, 0.6667, 0.6667, 2.0000])
    """
    check_choice("scheme", scheme, ("inverse", "sqrt_inv"))
    check_number("bin_width", bin_width, 0.0, above=True)
    check_number("kernel_sigma", kernel_sigma, 0.0, 1e6, above=True)
    if not isinstance(kernel_size, Integral) or kernel_size < 1 or kernel_size % 2 != 1:
        raise ValueError(f"kernel_size must be a positive odd number, got {kernel_size!r}")
    fewest, most = clip
    if not 0 < fewest <= most:
        raise ValueError(f"clip must be two increasing positive numbers, got {clip!r}")
    first, last = (-np.inf, np.inf) if limits is None else limits
    if not first <= last:
        raise ValueError(f"limits must be two increasing numbers, got {limits!r}")
    if isinstance(y, torch.Tensor):
        y = y.detach().cpu().to(torch.float64).numpy()
    values = np.asarray(y, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"y must be a vector of finite numbers, got shape {values.shape}")
    bin_width = float(bin_width)
    bins, bin_of, counts = np.unique(
        _bin_numbers(values.clip(first, last), bin_width), return_inverse=True, return_counts=True
    )
    if scheme == "inverse":
        frequency, empty = counts.clip(fewest, most).astype(np.float64), fewest
    else:
        frequency, empty = np.sqrt(counts), 0.0
    if smooth:
        window = _window(kernel_size, kernel_sigma)
        ends = np.rint(np.array([first, last]) / bin_width)
        with np.errstate(over="ignore"):  # bins at both ends of float64 are infinitely far apart
            within = _window_within(bins, window, ends)
            frequency = _smoothed(bins, frequency - empty, window) + empty * within
    weights = 1 / frequency[bin_of]
    return torch.from_numpy(weights / weights.mean()).float()


def _bin_numbers(values, width):
    """Number of the bin of each value, in float64: whole numbers of any size."""
    with np.errstate(over="ignore"):
        bins = np.rint(values / width)
    far = np.abs(bins) > 2**53  # where not every whole number is a float64
    if not np.isfinite(bins).all() or len(np.unique(bins[far])) < len(np.unique(values[far])):
        raise ValueError(
            f"bins of width {width:g} cannot be told apart at targets of size "
            f"{np.abs(values).max():g}; choose a larger bin_width, or subtract an offset"
        )
    return bins


def _window(size, sigma):
    """The Gaussian window of the authors' ``get_lds_kernel_window``: one in its middle."""
    from scipy.ndimage import gaussian_filter1d  # a quarter of a second that torch does not need

    middle = np.zeros(size)
    middle[size // 2] = 1.0
    window = gaussian_filter1d(middle, sigma)
    return window / window[size // 2]


def _smoothed(bins, frequency, window):
    """Convolution over all bins of which only the listed ones, in increasing order, have any."""
    reach = len(window) // 2
    total = frequency.copy()
    for step in range(1, min(reach, len(bins) - 1) + 1):  # the step-th next bin is no nearer
        distance = bins[step:] - bins[:-step]
        near = distance <= reach
        if not near.any():
            break
        share = np.where(near, window[reach + np.where(near, distance, 0).astype(int)], 0.0)
        total[:-step] += share * frequency[step:]
        total[step:] += share * frequency[:-step]
    return total


def _window_within(bins, window, ends):
    """Sum of the window around each bin, as far as there are bins."""
    reach = len(window) // 2
    first, last = ends
    one_side = np.cumsum(window[reach:])  # from the middle on; the window is symmetric
    before, after = (
        np.minimum(distance, reach).astype(int) for distance in (bins - first, last - bins)
    )
    return one_side[before] + one_side[after] - 1.0
