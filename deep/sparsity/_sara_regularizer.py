"""Fine-tuning of the smallest weights of a network in the training step: SaRA."""

from typing import Any, Literal, Self

import torch
from torch import nn

from ..frame._batches import check_number
from ..frame._frozen_copy import bare
from ..frame._regularizer import Batch, Net, Regularizer
from ._masked_nuclear_norm import MaskedNuclearNorm
from ._sparse_parameters import (
    Names,
    Patch,
    SparseParameters,
    check_selection,
    merge_entries,
)

DRAWN = "matrices of SaRA"


class SaRA(Regularizer):
    r"""Trains only the smallest entries of a pretrained network's parameters (Hu et al., 2025).

    Entries with :math:`|P_0| < \theta` are chosen when the net is made, all others keep every bit.
    `lambda_rank` times the nuclear norm of a matrix of chosen entries is added to the loss, and at
    the share `progressive_at` of the training those that have grown beyond the threshold are
    fixed, while the others go on with what the optimizer knows of them.

    Give the pretrained network as the module, ``DeepClassifier(module=network, ...)``: it is
    copied. Of a network whose weights were just drawn, which ones are the smallest means nothing.
    The network's inputs must be scaled as for its pretraining: see ``standardize``. When training
    is over, `patch_` holds what has changed, for `skreg.deep.torch.apply_patch`, and
    `skreg.deep.torch.remove_masks` turns the weights of ``net_.module_`` into plain parameters.

    The penalty is a part of the loss, thus clipped with it; the authors add it after clipping, as
    the optimizer `skreg.deep.torch.SaRA` does. Other regularizers that replace weights do so as
    ever: `EMAWeights` and `SWA` recompute the statistics of normalisation layers in the end.

    Parameters
    ----------
    fraction : float or None, default=0.1
        Share of the entries to choose, in (0, 1]; None if there is a threshold.
    threshold : float, optional
        The threshold :math:`\theta`, in units of the weights. For Stable Diffusion the paper has
        2e-4 to 2e-3, and the learning rate `skreg.deep.torch.sara_learning_rate`.
    scope : {"global", "tensor"}, default="global"
        Whether the fraction is one of all entries, or of each parameter's.
    parameters : str, list of str or callable, default="*"
        Parameters in which entries may be chosen, as for `skreg.deep.torch.SparseParameters`.
    dense : str, list of str or callable, default=()
        Parameters that train as a whole, such as ``"head.*"``, a new last layer.
    lambda_rank : float, default=5e-3
        Strength of the penalty. The paper's appendix has this value, the authors' script 5e-4.
    sampling : {"random", "all"}, default="random"
        Whether each batch draws one matrix, or takes all, as for
        `skreg.deep.torch.MaskedNuclearNorm`.
    min_dim : int, default=64
        Only matrices whose numbers of rows and columns are both above it are penalized.
    progressive_at : float or None, default=0.5
        Share of the planned training, in (0, 1), after which entries that are still below the
        threshold go on alone, once; None lets all of them train to the end.
    freeze_norm_stats : bool, default=True
        Let normalisation layers with running statistics use these in training, and leave them as
        they are.

    Attributes
    ----------
    mask_fraction_ : float
        Share of all parameters that was chosen.
    n_trainable_ : int
        Number of entries that train, fewer after `progressive_at`.
    threshold_ : float, or dict of str to float
        The threshold; those of the parameters for ``scope="tensor"``.
    still_small_ : float
        Share of the chosen entries that are below the threshold at present.
    patch_ : dict of str to dict
        What was trained.
    sparse_ : skreg.deep.torch.SparseParameters
        The entries.

    References
    ----------
    .. [1] T. Hu, J. Zhang, R. Yi, H. Huang, Y. Wang, L. Ma, "SaRA: High-Efficient Diffusion Model
       Fine-tuning with Progressive Sparse Low-Rank Adaptation", ICLR 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import SaRA
    >>> X, y = load_iris(return_X_y=True)
    >>> pretrained = DeepClassifier(max_epochs=20, random_state=0).fit(X[::2], y[::2])
    >>> tuned = DeepClassifier(
    ...     pretrained.net_.module_, [("sara", SaRA(0.2))], max_epochs=10, random_state=0
    ... ).fit(X, y)
    >>> sara = dict(tuned.net_.regularizers_)["sara"]
    >>> round(sara.mask_fraction_, 2)
    0.2
    """

    fixed = ("fraction", "threshold", "scope", "parameters", "dense")

    def __init__(
        self,
        fraction: float | None = 0.1,
        *,
        threshold: float | None = None,
        scope: Literal["global", "tensor"] = "global",
        parameters: Names = "*",
        dense: Names = (),
        lambda_rank: float = 5e-3,
        sampling: Literal["random", "all"] = "random",
        min_dim: int = 64,
        progressive_at: float | None = 0.5,
        freeze_norm_stats: bool = True,
    ) -> None:
        self.fraction = fraction
        self.threshold = threshold
        self.scope = scope
        self.parameters = parameters
        self.dense = dense
        self.lambda_rank = lambda_rank
        self.sampling = sampling
        self.min_dim = min_dim
        self.progressive_at = progressive_at
        self.freeze_norm_stats = freeze_norm_stats

    def initialize(self) -> Self:
        check_selection(self.threshold, self.fraction, self.scope)
        if self.progressive_at is not None:
            check_number("progressive_at", self.progressive_at, 0, 1, above=True, below=True)
        self.rank_ = MaskedNuclearNorm(
            self.lambda_rank, min_dim=self.min_dim, sampling=self.sampling
        )
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Choose the entries. Those of an earlier training of the same module are merged first."""
        self.sparse_ = SparseParameters(
            merge_entries(module),
            threshold=self.threshold,
            fraction=self.fraction,
            scope=self.scope,
            parameters=self.parameters,
            dense=self.dense,
        )
        self.held_: list[Any] = []

    def state(self, net: Net) -> nn.Module:
        """Make the memory of whether the entries were reselected."""
        self.past_ = Past()
        return self.past_

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Let normalisation layers stay in evaluation mode."""
        self.on_train_end(net)  # a training that failed has not ended
        layers = normalisations(bare(net.module_)) if self.freeze_norm_stats else []
        self.held_ = [layer.register_forward_pre_hook(stay_in_evaluation) for layer in layers]

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Look once whether reselection is still to come: a checkpoint may have been loaded."""
        self.waits_ = self.progressive_at is not None and not self.past_.reselected.item()

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Reselect before the first batch that is late enough."""
        at = self.progressive_at
        if self.waits_ and at is not None and batch.progress >= at:
            self.sparse_.reselect()
            self.past_.reselected.fill_(True)
            self.waits_ = False
        return X

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """Nuclear norm of a matrix of entries, the same one in all passes of a step."""
        if not self.lambda_rank:
            return None
        if DRAWN not in batch.extras:
            batch.extras[DRAWN] = self.rank_.draw(self.sparse_.module)
        matrices = batch.extras[DRAWN]
        return self.rank_.of(matrices) if matrices else None

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        """Let normalisation layers be as they were."""
        for handle in self.held_:
            handle.remove()
        self.held_ = []

    @property
    def mask_fraction_(self) -> float:
        """Share of all parameters that was chosen."""
        return self.sparse_.n_chosen / self.sparse_.n_parameters

    @property
    def n_trainable_(self) -> int:
        """Number of entries that train."""
        return self.sparse_.n_trainable

    @property
    def threshold_(self) -> float | dict[str, float]:
        """The threshold, or those of the parameters."""
        thresholds = self.sparse_.thresholds
        return next(iter(thresholds.values())) if self.scope == "global" else thresholds

    @property
    def still_small_(self) -> float:
        """Share of the chosen entries below the threshold at present."""
        return self.sparse_.still_small

    @property
    def patch_(self) -> Patch:
        """What was trained."""
        return self.sparse_.patch()


class Past(nn.Module):
    """Whether the entries were reselected."""

    reselected: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("reselected", torch.zeros((), dtype=torch.bool))


def normalisations(module: nn.Module) -> list[nn.Module]:
    """Layers that have running statistics."""
    return [part for part in module.modules() if getattr(part, "running_mean", None) is not None]


def stay_in_evaluation(layer: nn.Module, _inputs: Any) -> None:
    """Forward hook that keeps a layer in evaluation mode, whatever is said to the network."""
    layer.training = False
