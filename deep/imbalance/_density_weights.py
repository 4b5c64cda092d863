"""Weights of samples by the density of their targets (Yang et al. 2021)."""

import numpy as np
import torch

from ..frame._batches import check_choice, check_number


def density_weights(
    y,
    scheme="inverse",
    *,
    bin_width=1.0,
    smooth=False,
    kernel_size=9,
    kernel_sigma=1.0,
    clip=(5, 1000),
):
    """Weights that are large where targets are rare, with mean one.

    Targets are counted in bins of width `bin_width`, centred at its multiples. With v the count,
    clipped for ``"inverse"``, or its square root for ``"sqrt_inv"``, the weight is ``1 / v``. Label
    distribution smoothing first convolves v over the bins with a Gaussian window.

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
        Its standard deviation, in bins.
    clip : pair of float, default=(5, 1000)
        Range of the counts for ``"inverse"``.

    Returns
    -------
    Tensor of shape (n,)
        The weights, in float32.

    Raises
    ------
    ValueError
        If `y` is not a vector of finite numbers, or a parameter is out of its range.

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
    check_number("kernel_sigma", kernel_sigma, 0.0, above=True)
    if kernel_size < 1 or kernel_size % 2 != 1:
        raise ValueError(f"kernel_size must be a positive odd number, got {kernel_size!r}")
    low, high = clip
    if not 0 < low <= high:
        raise ValueError(f"clip must be two increasing positive numbers, got {clip!r}")
    values = torch.as_tensor(y).detach().cpu().to(torch.float64).numpy()
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"y must be a vector of finite numbers, got shape {values.shape}")
    bins = np.rint(values / bin_width).astype(np.int64)
    bins -= bins.min()
    counts = np.bincount(bins).astype(np.float64)
    frequency = np.clip(counts, low, high) if scheme == "inverse" else np.sqrt(counts)
    if smooth:
        offsets = np.arange(kernel_size) - kernel_size // 2
        window = np.exp(-0.5 * (offsets / kernel_sigma) ** 2)
        padded = np.pad(frequency, kernel_size // 2)
        frequency = np.convolve(padded, window / window.sum(), mode="valid")
    weights = 1 / frequency[bins]
    return torch.from_numpy(weights / weights.mean()).float()
