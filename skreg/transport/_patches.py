"""Images as overlapping square patches, and the way back by the mean of what overlaps."""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

ENTRIES_AT_ONCE = 2**22  # of the patches that are held in memory while images are moved


def patches_of(images: np.ndarray, size: int) -> np.ndarray:
    """All patches inside of images (n, height, width, channels), as rows.

    Returns
    -------
    ndarray of shape (n (height - size + 1) (width - size + 1), channels size^2)
        Patches; a copy of each.
    """
    windows = sliding_window_view(images, (size, size), axis=(1, 2))
    return windows.reshape(-1, images.shape[3] * size**2)


def mean_of_patches(patches: np.ndarray, shape: tuple[int, ...], size: int) -> np.ndarray:
    """Images of a shape (n, height, width, channels) from rows as `patches_of` returns them."""
    n, height, width, channels = shape
    down, across = height - size + 1, width - size + 1
    windows = patches.reshape(n, down, across, channels, size, size)
    images, counts = np.zeros(shape), np.zeros((height, width, 1))
    for i in range(size):
        for j in range(size):
            images[:, i : i + down, j : j + across] += windows[..., i, j]
            counts[i : i + down, j : j + across] += 1.0
    return images / counts


def moved_by_patches(
    images: np.ndarray, size: int, move: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Images (n, height, width, channels) whose patches are moved and averaged.

    Edges are repeated outwards, so that every pixel is the centre of a patch.
    """
    before, after = size // 2, size - 1 - size // 2
    _, height, width, channels = images.shape
    step = max(1, ENTRIES_AT_ONCE // (height * width * channels * size**2))
    moved = np.empty(images.shape)
    for start in range(0, len(images), step):
        block = images[start : start + step]
        around = (before, after)
        padded = np.pad(block, ((0, 0), around, around, (0, 0)), mode="edge")
        whole = mean_of_patches(move(patches_of(padded, size)), padded.shape, size)
        moved[start : start + step] = whole[:, before : before + height, before : before + width]
    return moved
