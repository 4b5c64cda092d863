"""Images with the distribution of real ones, by a linear map of patches of an encoder's latents."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from skreg.transport import LinearTransportRestorer


class PatchGaussianTransport:
    r"""Move the outputs of a restorer towards real images, in the latents of an autoencoder.

    Overlapping square patches of latents, all positions alike, are moved by the optimal map between
    two normal distributions, that of latents of restored images and that of latents of real ones
    (Adrai et al. 2023); where they overlap the mean is taken, and the result is decoded. Some dozen
    images of each kind, unpaired, are enough, and nothing is trained. Images can go part of the
    way: ``(1 - alpha) * moved + alpha * images``.

    Sums are kept in double precision on the CPU, so that batches of any size, in any order, give
    the same map. Modules are called in evaluation mode without gradients.

    Parameters
    ----------
    encoder : callable
        From images to latents (n, channels, height, width), a module or a function; of a
        variational one its mean or a draw.
    decoder : callable
        From latents to images.
    patch_size : int, default=5
        Side of the patches.
    covariance : {"empirical", "ledoit_wolf", "oas"}, default="empirical"
        How the covariances of patches are estimated.
    noise : {"auto", "none"}, default="none"
        Whether to add the noise that a singular source lacks, a draw for every patch.
    clip : (float, float), default=None
        Range of the images that are returned.
    random_state : int, RandomState instance or None, default=None
        Seed of the noise.

    Attributes
    ----------
    restorer_ : LinearTransportRestorer
        The map of latents, with `operator_` and all else that it learns.

    See Also
    --------
    skreg.transport.LinearTransportRestorer : The same for arrays and transformers.

    References
    ----------
    .. [1] T. J. Adrai, G. Ohayon, M. Elad, T. Michaeli, "Deep Optimal Transport: A Practical
       Algorithm for Photo-realistic Image Restoration", NeurIPS 2023.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import PatchGaussianTransport
    >>> real = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    >>> smooth = 0.25 + real / 2
    >>> transport = PatchGaussianTransport(nn.Identity(), nn.Identity(), patch_size=3)
    >>> transport.update(smooth, "source")
    >>> transport.update(real, "target")
    >>> moved = transport.transport(smooth)
    >>> bool(torch.allclose(moved, real, atol=1e-4))
    True
    """

    restorer_: LinearTransportRestorer

    def __init__(
        self,
        encoder: Callable[[torch.Tensor], torch.Tensor],
        decoder: Callable[[torch.Tensor], torch.Tensor],
        patch_size: int = 5,
        *,
        covariance: Literal["empirical", "ledoit_wolf", "oas"] = "empirical",
        noise: Literal["auto", "none"] = "none",
        clip: tuple[float, float] | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.patch_size = patch_size
        self.covariance = covariance
        self.noise = noise
        self.clip = clip
        self.random_state = random_state

    def __repr__(self) -> str:
        seen = self.restorer_.n_samples_seen_ if hasattr(self, "restorer_") else (0, 0)
        return (
            f"PatchGaussianTransport(patch_size={self.patch_size}, {seen[0]:,} patches of the "
            f"source, {seen[1]:,} of the target)"
        )

    def update(self, images: torch.Tensor, role: Literal["source", "target"]) -> None:
        """Take in images of one side.

        Parameters
        ----------
        images : Tensor of shape (n, ...)
            What the encoder takes.
        role : {"source", "target"}
            Whether they are outputs of the restorer, or real.

        Raises
        ------
        ValueError
            If latents are no images, have another shape than before or are not finite.
        """
        latents = self._encoded(images)
        restorer = getattr(self, "restorer_", None) or self._new_restorer(latents.shape)
        self._check_shape(latents, restorer)
        restorer.partial_fit(latents.reshape(len(latents), -1), role=role)
        self.restorer_ = restorer

    def compute(self) -> LinearTransportRestorer:
        """The map that was learned.

        Returns
        -------
        LinearTransportRestorer
            On rows that hold latents (height, width, channels).

        Raises
        ------
        ValueError
            If one side has had no images.
        """
        seen = self.restorer_.n_samples_seen_ if hasattr(self, "restorer_") else (0, 0)
        if min(seen) < 2:
            raise ValueError(
                f"update has seen {seen[0]} patches of the source and {seen[1]} of the target; "
                "call it for images of both roles first"
            )
        return self.restorer_

    @torch.no_grad()
    def transport(self, images: torch.Tensor, alpha: float = 0.0) -> torch.Tensor:
        """Move outputs of the restorer towards real images.

        Parameters
        ----------
        images : Tensor of shape (n, channels, height, width)
            Outputs of the restorer.
        alpha : float, default=0.0
            How much of them is kept: 0 moves them all the way, 1 returns them as they are.

        Returns
        -------
        Tensor of shape (n, channels, height, width)
            Images, of the same type and on the same device.

        Raises
        ------
        ValueError
            If `alpha` is not finite, one side has had no images, or latents have another shape than
            before.
        """
        if not math.isfinite(alpha):
            raise ValueError(
                f"alpha must be a finite number, 0 to 1 between both ends; got {alpha}"
            )
        restorer = self.compute()
        latents = self._encoded(images)
        self._check_shape(latents, restorer)
        moved = restorer.transform_path(latents.reshape(len(latents), -1), [0.0])
        with _evaluating(self.decoder):
            decoded = self.decoder(
                # some devices have no double precision: the type goes first
                torch.from_numpy(moved.reshape(latents.shape))
                .movedim(-1, 1)
                .to(images.dtype)
                .to(images.device)
            )
        mixed = images.clone() if alpha == 1 else (1 - alpha) * decoded + alpha * images
        return mixed if self.clip is None else mixed.clamp(*self.clip)

    @torch.no_grad()
    def _encoded(self, images):
        """Latents (n, height, width, channels) as an array of float64."""
        with _evaluating(self.encoder):
            latents = self.encoder(images)
        if latents.ndim != 4:
            raise ValueError(
                "the encoder must return latents (n, channels, height, width); got shape "
                f"{tuple(latents.shape)}"
            )
        return latents.movedim(1, -1).cpu().double().numpy()

    def _new_restorer(self, shape):
        return LinearTransportRestorer(
            covariance=self.covariance,
            noise=self.noise,
            patch_size=self.patch_size,
            image_shape=shape[1:],
            random_state=self.random_state,
        )

    @staticmethod
    def _check_shape(latents, restorer):
        if latents.shape[1:] != restorer.image_shape:
            raise ValueError(
                f"latents have the shape {latents.shape[1:]} (height, width, channels), those "
                f"before had {restorer.image_shape}: give images of one size"
            )


@contextmanager
def _evaluating(network: Any) -> Iterator[None]:
    """Evaluation mode of all modules of a network, as far as it is one; then their own again."""
    modes = {part: part.training for part in _parts(network)}
    for part in modes:
        part.training = False
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _parts(network):
    return list(network.modules()) if isinstance(network, nn.Module) else []
