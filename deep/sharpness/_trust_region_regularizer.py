"""Trust regions in the training step: the distance of each batch, and as a penalty."""

from typing import Any, Literal, Self

import skorch
import torch
from torch import nn

from ..frame._batches import check_number
from ..frame._frozen_copy import bare
from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net, Regularizer
from ._trust_region import TrustRegionDistance


class TrustRegion(Regularizer):
    """What `TRAM` and `TrustRegionPenalty` share: the distance of each batch."""

    looks_into_module = True

    @property
    def tasks(self) -> tuple[str, ...]:  # type: ignore[override]  # declared by a property
        """Probabilities need classes, in the last dimension; distances do not."""
        return {
            "auto": ("classification", "regression"),
            "l2": ("classification", "regression", "dense"),
        }.get(self.divergence, ("classification",))

    @property
    def reads_softmax(self) -> bool:  # type: ignore[override]  # declared by a property
        """Whether the outputs are compared as distributions."""
        return self.divergence != "l2"

    def state(self, net: Net) -> nn.Module | None:
        """Make the distance, which keeps the target's parameters."""
        divergence = self.divergence
        if divergence == "auto":
            divergence = "l2" if isinstance(net, skorch.NeuralNetRegressor) else "kl"
        self.distance_ = TrustRegionDistance(
            self.target,
            divergence,
            sigma=self.sigma,
            noise=self.noise,
            decay=self.decay,
            target_mode=self.target_mode,
            embedding=self.embedding,
        )
        return self.distance_.allocate(bare(net.module_))

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Take the target's parameters before the first forward pass of all."""
        if not self.distance_.is_set_up:
            self.distance_.setup(bare(net.module_))
        return X

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Forget the distances of the epoch before."""
        self.seen_: list[torch.Tensor] = []

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Record the mean distance of the epoch as ``trust_region_distance`` in the history."""
        if self.seen_:
            mean = torch.stack(self.seen_).mean()
            of_all = mean_over_processes(mean, len(self.seen_), net.process_group)
            net.history.record("trust_region_distance", float(of_all))

    def _measure(self, net, batch, y_pred, differentiable):
        """Distance of a batch, in which a sample counts as often as its weight says."""
        outputs = y_pred[0] if isinstance(y_pred, tuple) else y_pred
        measure = self.distance_.penalty if differentiable else self.distance_
        precision = net.mixed_precision and getattr(torch, net.mixed_precision)
        with torch.autocast(outputs.device.type, precision, enabled=precision is not None):
            return measure(bare(net.module_), batch.X, outputs, batch.sample_weight)


class TrustRegionPenalty(TrustRegion):
    """Adds the distance that the predictions have moved to the loss.

    The penalties to which TRAM compares itself: TRPO (``target="previous"``), R3F
    ("input_noise") and MESA ("ema"). Their gradient goes through the current predictions. Sample
    weights mean repetition.

    Parameters
    ----------
    strength : float, default=0.1
        Factor of the distance.
    target : {"previous", "initial", "ema", "input_noise"}, default="previous"
        As in `TRAM`.
    divergence : {"auto", "kl", "reverse_kl", "symmetric_kl", "mmd", "l2"}, default="auto"
        As in `TRAM`.
    sigma : float, default=0.1
        Scale of the noise.
    noise : {"normal", "uniform"}, default="normal"
        Its distribution.
    decay : float, default=0.999
        Of the moving average.
    target_mode : {"eval", "same"}, default="eval"
        As in `TRAM`.
    embedding : str, optional
        As in `TRAM`.

    References
    ----------
    .. [1] T. Sherborne, N. Saphra, P. Dasigi, H. Peng, "TRAM: Bridging Trust Regions and Sharpness
       Aware Minimization", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import TrustRegionPenalty
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("trust", TrustRegionPenalty(target="input_noise"))],
    ...     max_epochs=20,
    ...     random_state=0,
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    def __init__(
        self,
        strength: float = 0.1,
        target: Literal["previous", "initial", "ema", "input_noise"] = "previous",
        divergence: Literal["auto", "kl", "reverse_kl", "symmetric_kl", "mmd", "l2"] = "auto",
        *,
        sigma: float = 0.1,
        noise: Literal["normal", "uniform"] = "normal",
        decay: float = 0.999,
        target_mode: Literal["eval", "same"] = "eval",
        embedding: str | None = None,
    ) -> None:
        self.strength = strength
        self.target = target
        self.divergence = divergence
        self.sigma = sigma
        self.noise = noise
        self.decay = decay
        self.target_mode = target_mode
        self.embedding = embedding

    def initialize(self) -> Self:
        check_number("strength", self.strength, 0)
        return self

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        distance = self._measure(net, batch, y_pred, differentiable=True)
        if batch.first_pass:
            self.distance_.hold(bare(net.module_))
            self.seen_.append(distance.detach())
        if batch.sample_weight is not None:  # as the losses, whose sum is over weights
            distance = distance * batch.sample_weight.mean()
        return self.strength * distance

    def after_step(self, net: Net, batch: Batch) -> None:
        """Let the target follow when the step is done, to where the step began."""
        self.distance_.update_to_held()
