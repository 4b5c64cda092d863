"""Trust regions in the training step: as the radius of the ascent, and as a penalty."""

import skorch
import torch

from skreg.deep._nets import PRECISIONS
from skreg.deep._regularizer import Regularizer
from skreg.deep._training_pass import bare
from skreg.deep.torch._batches import check_number
from skreg.deep.torch._tram import TRAM as TRAMOptimizer
from skreg.deep.torch._trust_region import TrustRegionDistance


class TrustRegion(Regularizer):
    """What `TRAM` and `TrustRegionPenalty` share: the distance of each batch."""

    def state(self, net):
        """Make the distance, which keeps the target's parameters.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.

        Returns
        -------
        torch.nn.Module
            The distance.
        """
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
        return self.distance_

    def inputs(self, net, batch, X):
        """Take the target's parameters before the first forward pass of all.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            Not used.
        X : Tensor, or what the data set yields
            Inputs.

        Returns
        -------
        Tensor, or what the data set yields
            The inputs as they are.
        """
        if not self.distance_.is_set_up:
            self.distance_.setup(bare(net.module_))
        return X

    def on_epoch_begin(self, net, *args, **kwargs):
        """Forget the distances of the epoch before.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        *args, **kwargs
            Data of skorch's callbacks, not used.
        """
        self.seen_ = []

    def on_epoch_end(self, net, *args, **kwargs):
        """Record the mean distance of the epoch as ``trust_region_distance`` in the history.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        *args, **kwargs
            Data of skorch's callbacks, not used.
        """
        if self.seen_:
            mean = float(torch.stack(self.seen_).mean())
            net.history.record("trust_region_distance", mean)

    def _measure(self, net, batch, y_pred, differentiable):
        outputs = y_pred[0] if isinstance(y_pred, tuple) else y_pred
        measure = self.distance_.penalty if differentiable else self.distance_
        precision = PRECISIONS[net.mixed_precision]
        with torch.autocast(outputs.device.type, precision, enabled=precision is not None):
            return measure(bare(net.module_), batch.X, outputs)


class TRAM(TrustRegion):
    """Steps with a gradient found uphill, as far as the predictions have moved (Sherborne et al.).

    Wraps the optimizer in `skreg.deep.torch.TRAM`, with the distance of the batch as radius: three
    forward and two backward passes a step. Meant for fine-tuning: with ``target="initial"`` the
    predictions of the pretrained network are the centre of the trust region.

    The mean distance of each epoch is in the history as ``trust_region_distance``; it should be
    of the order of a radius that works for ASAM.

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

    def __init__(
        self,
        target="previous",
        divergence="auto",
        *,
        sigma=0.1,
        noise="normal",
        decay=0.999,
        target_mode="eval",
        embedding=None,
        adaptive=True,
        adaptive_eps=0.0,
        scale=1.0,
        max_radius=None,
    ):
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

    def optimizer(self, net, optimizer):
        """Wrap the optimizer.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        optimizer : torch.optim.Optimizer
            The optimizer so far.

        Returns
        -------
        torch.optim.Optimizer
            The optimizer to use.
        """
        check_number("scale", self.scale, 0)
        self.module_ = bare(net.module_)
        self.pending_ = []
        return TRAMOptimizer(
            optimizer,
            distance=self.radius,
            adaptive=self.adaptive,
            adaptive_eps=self.adaptive_eps,
            max_radius=self.max_radius,
            module=self.module_,
        )

    def penalty(self, net, batch, y_pred, features):
        """Measure the distance of the batch in the first pass.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The batch.
        y_pred : Tensor of shape (n, n_classes)
            The network's outputs.
        features : None
            Not used.

        Returns
        -------
        None
            There is no penalty.
        """
        if batch.first_pass:
            distance = self._measure(net, batch, y_pred, differentiable=False)
            self.pending_.append((len(batch.index), distance))

    def radius(self):
        """Mean distance of the batches of this step, before the parameters move.

        Returns
        -------
        Tensor of shape ()
            The radius of the ascent.
        """
        if self.pending_:  # otherwise an optimizer inside evaluates the step again
            total = sum(n for n, _ in self.pending_)
            self.radius_ = self.scale * sum(n * d for n, d in self.pending_) / total
            self.pending_ = []
            self.seen_.append(self.radius_)
            self.distance_.update(self.module_)
        return self.radius_


class TrustRegionPenalty(TrustRegion):
    """Adds the distance that the predictions have moved to the loss.

    The penalties to which TRAM compares itself: TRPO (``target="previous"``), R3F
    ("input_noise") and MESA ("ema"). Their gradient goes through the current predictions.

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
        strength=0.1,
        target="previous",
        divergence="auto",
        *,
        sigma=0.1,
        noise="normal",
        decay=0.999,
        target_mode="eval",
        embedding=None,
    ):
        self.strength = strength
        self.target = target
        self.divergence = divergence
        self.sigma = sigma
        self.noise = noise
        self.decay = decay
        self.target_mode = target_mode
        self.embedding = embedding

    def initialize(self):
        """Check the strength.

        Returns
        -------
        TrustRegionPenalty
            This object.
        """
        check_number("strength", self.strength, 0)
        return self

    def penalty(self, net, batch, y_pred, features):
        """Return the penalty.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The batch.
        y_pred : Tensor of shape (n, n_classes)
            The network's outputs.
        features : None
            Not used.

        Returns
        -------
        Tensor of shape ()
            The distance times the strength.
        """
        distance = self._measure(net, batch, y_pred, differentiable=True)
        if batch.first_pass:
            self.distance_.hold(bare(net.module_))
            self.seen_.append(distance.detach())
        return self.strength * distance

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        """Let the target follow when the step is done, to where the step began.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : tuple, default=None
            Not used.
        training : bool, default=None
            Whether it was a training batch.
        **kwargs : dict
            Not used.
        """
        if training and not net.pending_:
            self.distance_.update_to_held()
