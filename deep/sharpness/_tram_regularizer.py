"""A trust region as the radius of the ascent, in the training step."""

from typing import Any, Literal

import torch

from ..frame._batches import check_number
from ..frame._frozen_copy import bare
from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net
from ._tram import TRAM as TRAMOptimizer
from ._trust_region_regularizer import TrustRegion


class TRAM(TrustRegion):
    """Steps with a gradient found uphill, as far as the predictions have moved (Sherborne et al.).

    Wraps the optimizer in `skreg.deep.torch.TRAM`, with the distance of the batch as radius: three
    forward and two backward passes a step. Meant for fine-tuning: with ``target="initial"`` the
    predictions of the pretrained network are the centre of the trust region.

    The mean distance of each epoch is in the history as ``trust_region_distance``; it should be
    of the order of a radius that works for ASAM. Sample weights mean repetition. Several processes
    take the mean of their distances as the common radius.

    Parameters
    ----------
    target : {"previous", "initial", "ema", "input_noise"}, default="previous"
        Predictions at the step before, at the first step of training, at a moving average of the
        parameters, or at noised inputs. Without dropout "previous" is very small.
    divergence : {"auto", "kl", "reverse_kl", "symmetric_kl", "mmd", "l2"}, default="auto"
        As in `skreg.deep.torch.TrustRegionDistance`; "auto" is "kl" in classification and "l2" in
        regression.
    sigma : float, default=0.1
        Scale of the noise.
    noise : {"normal", "uniform"}, default="normal"
        Its distribution.
    decay : float, default=0.999
        Of the moving average.
    target_mode : {"eval", "same"}, default="eval"
        Whether the target predicts without dropout, or like the network in training.
    embedding : str, optional
        Name of the submodule whose output gets the noise, for token inputs.
    adaptive : bool, default=True
        Scale each coordinate by the size of its parameter.
    adaptive_eps : float, default=0.0
        Added to the sizes, so that zeros move as well.
    scale : float, default=1.0
        Factor of the distance.
    max_radius : float, optional
        Largest radius.

    References
    ----------
    .. [1] T. Sherborne, N. Saphra, P. Dasigi, H. Peng, "TRAM: Bridging Trust Regions and Sharpness
       Aware Minimization", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import TRAM
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("tram", TRAM("initial", max_radius=0.5))], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    >>> bool(model.history_["trust_region_distance"].iloc[-1] > 0)
    True
    """

    repeats_passes = True

    def __init__(
        self,
        target: Literal["previous", "initial", "ema", "input_noise"] = "previous",
        divergence: Literal["auto", "kl", "reverse_kl", "symmetric_kl", "mmd", "l2"] = "auto",
        *,
        sigma: float = 0.1,
        noise: Literal["normal", "uniform"] = "normal",
        decay: float = 0.999,
        target_mode: Literal["eval", "same"] = "eval",
        embedding: str | None = None,
        adaptive: bool = True,
        adaptive_eps: float = 0.0,
        scale: float = 1.0,
        max_radius: float | None = None,
    ) -> None:
        self.target = target
        self.divergence = divergence
        self.sigma = sigma
        self.noise = noise
        self.decay = decay
        self.target_mode = target_mode
        self.embedding = embedding
        self.adaptive = adaptive
        self.adaptive_eps = adaptive_eps
        self.scale = scale
        self.max_radius = max_radius

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        check_number("scale", self.scale, 0)
        self.module_ = bare(net.module_)
        self.pending_: list[torch.Tensor] = []
        return TRAMOptimizer(
            optimizer,
            distance=self.radius,
            adaptive=self.adaptive,
            adaptive_eps=self.adaptive_eps,
            max_radius=self.max_radius,
            module=self.module_,
        )

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Forget the distances of the epoch before, and of a step that was broken off."""
        super().on_epoch_begin(net, **kwargs)
        self.pending_ = []

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> None:
        """Measure the distance of the batch in the first pass."""
        if not batch.first_pass:
            return
        distance = self._measure(net, batch, y_pred, differentiable=False)
        weight = batch.sample_weight
        total = distance.new_tensor(len(batch.y)) if weight is None else weight.sum().to(distance)
        sums = torch.stack([total * distance, total])
        self.pending_.append(mean_over_processes(sums, 1, net.process_group))

    def radius(self) -> torch.Tensor:
        """Mean distance over the samples of this step in all processes, before parameters move.

        Returns
        -------
        Tensor of shape ()
            The radius of the ascent.
        """
        if self.pending_:  # otherwise an optimizer inside evaluates the step again
            distance, total = torch.stack(self.pending_).sum(0)
            smallest = torch.finfo(total.dtype).tiny  # weights that are all zero
            self.radius_ = self.scale * distance / total.clamp(min=smallest)
            self.pending_ = []
            self.seen_.append(self.radius_)
            self.distance_.update(self.module_)
        return self.radius_
