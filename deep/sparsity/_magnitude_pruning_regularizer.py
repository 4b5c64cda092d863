"""Gradual magnitude pruning in the training step."""

from typing import Any, Literal, Self

import torch
from torch import nn

from skreg._warnings import warn

from ..frame._batches import check_choice, check_number
from ..frame._frozen_copy import bare
from ..frame._regularizer import Batch, Net, Regularizer
from ._magnitude import magnitude_masks, sparsity_at
from ._masks import FixedMask, Layers, apply_masks, choose_weights, masked_weights


class MagnitudePruning(Regularizer):
    """Masks the smallest weights, more and more of them as training goes on (Zhu and Gupta 2018).

    At `n_updates` moments between the shares `begin` and `end` of the planned training the
    sparsity rises as `skreg.deep.torch.sparsity_at` tells; of the weights that are left those of
    least absolute value are masked. After `end` the masks stay, and the others train on. Masked
    weights are exact zeros in predictions; `skreg.deep.torch.remove_masks` turns them into plain
    parameters for export.

    Parameters
    ----------
    sparsity : float, default=0.8
        Share of the weights that is masked in the end, in (0, 1).
    begin, end : float, default=0.0, 0.75
        Shares of the planned training between which weights are masked, 0 <= begin < end < 1.
    n_updates : int, default=20
        Number of moments at which masks change.
    scope : {"global", "layer"}, default="global"
        Whether weights of all layers are compared, or those of one layer with one another.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        The layers, as for `skreg.deep.torch.choose_weights`.
    masks : dict of str to Tensor of bool, default=None
        Masks by the name of the weight that hold from the beginning, true where it is kept, in
        place of those by size: any pattern from elsewhere. The other arguments do nothing then.

    Attributes
    ----------
    sparsity_ : float
        Share of the weights that is masked so far.

    Warns
    -----
    UserWarning
        If training ends before the sparsity is reached.

    References
    ----------
    .. [1] M. Zhu, S. Gupta, "To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model
       Compression", ICLR workshop 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import MagnitudePruning
    >>> X, y = load_iris(return_X_y=True)
    >>> pruning = MagnitudePruning(sparsity=0.75)
    >>> model = DeepClassifier(
    ...     regularizers=[("pruning", pruning)], max_epochs=20, random_state=0
    ... )
    >>> bool(model.fit(X, y).score(X, y) > 0.9)
    True
    """

    layers: Any  # chooses weights, no features
    wanted_layers = ()
    fixed = ("scope", "layers", "masks")

    def __init__(
        self,
        sparsity: float = 0.8,
        *,
        begin: float = 0.0,
        end: float = 0.75,
        n_updates: int = 20,
        scope: Literal["global", "layer"] = "global",
        layers: Layers = "all",
        masks: dict[str, torch.Tensor] | None = None,
    ) -> None:
        self.sparsity = sparsity
        self.begin = begin
        self.end = end
        self.n_updates = n_updates
        self.scope = scope
        self.layers = layers
        self.masks = masks

    def initialize(self) -> Self:
        check_number("sparsity", self.sparsity, 0, 1, above=True, below=True)
        check_number("end", self.end, 0, 1, above=True, below=True)
        check_number("begin", self.begin, 0, self.end, below=True)
        check_number("n_updates", self.n_updates, 1)
        check_choice("scope", self.scope, ("global", "layer"))
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Give the weights masks, at first such that keep them all."""
        masks = self.masks
        if masks is None:
            weights = choose_weights(module, self.layers)
            masks = {w.name: torch.ones(w.value.shape, dtype=torch.bool) for w in weights}
        apply_masks(module, masks)

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Count what is masked, as a checkpoint may have been loaded."""
        self.moment_: int | None = None
        self._count(bare(net.module_))

    def after_step(self, net: Net, batch: Batch) -> None:
        """Mask more weights, if it is time."""
        if self.masks is not None:
            return
        moment = self._moment(batch.progress)
        if moment == self.moment_:
            return
        self.moment_ = moment
        wanted = self._sparsity(moment)
        if wanted <= self.sparsity_:  # training goes on after a shorter plan
            return
        module = bare(net.module_)
        names = [weight.name for weight, _ in masked_weights(module, FixedMask)]
        layers = [name.rpartition(".")[0] for name in names]
        apply_masks(module, magnitude_masks(module, wanted, scope=self.scope, layers=layers))
        self._count(module)

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Tell if the sparsity was not reached."""
        if self.masks is None and self.moment_ != self.n_updates:
            warn(
                f"MagnitudePruning masked {self.sparsity_:.1%} of the weights, not "
                f"{self.sparsity:.1%}: training ended before the share end={self.end!r} of the "
                "planned epochs; plan fewer, lower end, or train on"
            )

    def _moment(self, progress):
        """Number of the moments of change that have passed."""
        done = (progress - self.begin) / (self.end - self.begin)
        return int(min(max(done, 0.0), 1.0) * self.n_updates + 1e-9)

    def _sparsity(self, moment):
        """Sparsity after a moment of change."""
        progress = self.begin + (self.end - self.begin) * moment / self.n_updates
        return sparsity_at(progress, self.sparsity, begin=self.begin, end=self.end)

    def _count(self, module):
        masks = [mask.mask for _, mask in masked_weights(module, FixedMask)]
        kept = sum(int(mask.count_nonzero()) for mask in masks)
        self.sparsity_ = 1 - kept / sum(mask.numel() for mask in masks)
