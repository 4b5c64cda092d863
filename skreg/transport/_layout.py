"""What a map of latents acts on: each row of them, or all overlapping patches of images."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np

from skreg.transport._patches import moved_by_patches, patches_of


class Layout(NamedTuple):
    """Side of the patches, None for whole rows, and the shape of an image of latents."""

    patch_size: int | None
    height: int
    width: int
    n_channels: int

    @classmethod
    def of(cls, patch_size: int | None, image_shape: tuple[int, ...] | None) -> Self:
        """The layout of two parameters; a ValueError if they do not fit each other."""
        if (patch_size is None) != (image_shape is None):
            raise ValueError(
                "patch_size and image_shape belong together; got "
                f"patch_size={patch_size!r} and image_shape={image_shape!r}"
            )
        if patch_size is None or image_shape is None:
            return cls(None, 0, 0, 0)
        if len(image_shape) not in (2, 3) or min(image_shape[:2]) < patch_size:
            raise ValueError(
                "image_shape must be (height, width) or (height, width, channels) with sides of at "
                f"least patch_size={patch_size}; got {image_shape!r}"
            )
        height, width, *channels = image_shape
        return cls(patch_size, height, width, *(channels or [1]))

    def rows(self, latents: np.ndarray) -> np.ndarray:
        """Latents (n, ...) as a matrix, of patches if there are any."""
        if self.patch_size is None:
            return latents.reshape(len(latents), -1)
        return patches_of(self.images(latents), self.patch_size)

    def images(self, latents: np.ndarray) -> np.ndarray:
        """Latents as images (n, height, width, channels)."""
        size = self.height * self.width * self.n_channels
        if latents[0].size != size:
            raise ValueError(
                f"image_shape has {size} numbers, {self.height} x {self.width} pixels and "
                f"{self.n_channels} channels, but a row of latents has {latents[0].size}"
            )
        return latents.reshape(-1, self.height, self.width, self.n_channels)

    def moved(self, latents: np.ndarray, move: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Latents after their rows, or patches, were moved."""
        if self.patch_size is None:
            moved = move(self.rows(latents))
        else:
            moved = moved_by_patches(self.images(latents), self.patch_size, move)
        return moved.reshape(latents.shape)
