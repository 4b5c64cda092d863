"""Heads of several source domains, in the training step."""

from typing import Any, Literal, Self

import numpy as np
import torch
from torch import nn
from torch.utils.data import Subset

from skreg._warnings import warn
from skreg.domain._labels import encoded_domains

from ..frame._indexed import IndexedDataset
from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._training_pass import last_linear
from ._domain_heads import DomainHeads, Selection, shares_of_domains


class DomainSpecificHeads(Regularizer):
    """A head for each source domain on shared features, combined for domains unseen (DRM).

    The last linear layer becomes the shared head among `skreg.deep.torch.DomainHeads`. The loss is
    that of `skreg.deep.torch.DRMLoss`: the mean over the domains of a batch of half the loss of
    their own head and half that of the shared one. When training ends, the mean features of the
    domains are taken, and predictions are those of the heads that `selection` finds closest to
    right, as in `skreg.domain.DomainSpecificClassifier`. Validation during training looks at the
    shared head.

    Parameters
    ----------
    domains : array-like of shape (n_samples,), default=None
        Domain of each training sample, by its number: strings, numbers or other values that can
        be hashed. Where rows are left out, as in cross-validation, `fit` needs their numbers:
        ``sample_index=np.arange(n)[train]``. None means one domain, which a warning says.
    selection : {"similarity", "entropy", "discriminator", "uniform", "shared"}, \
default="similarity"
        How heads are chosen. "discriminator" trains a small network on detached features to tell
        the domains apart.
    combine : {"hard", "soft"}, default="hard"
        Take the best head, or a mean with weights that fall with the gap.
    gamma : float, default=1.0
        Sharpness of soft weights.
    similarity : {"euclidean", "cosine"}, default="euclidean"
        Measure of similarity.
    discriminator_width : int, default=64
        Hidden units of the discriminator.

    Attributes
    ----------
    domains_ : ndarray of shape (n_domains,)
        The domains.
    heads_ : skreg.deep.torch.DomainHeads
        The layer with all heads.

    References
    ----------
    .. [1] Y.-F. Zhang, J. Wang, J. Liang, Z. Zhang, B. Yu, L. Wang, D. Tao, X. Xie,
       "Domain-Specific Risk Minimization for Out-of-Distribution Generalization", KDD 2023.

    Examples
    --------
    Two sites label in opposite ways:

    >>> import numpy as np
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import DomainSpecificHeads
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["north", "south"], 100)
    >>> side = np.where(site == "north", 1, -1)
    >>> X = rng.normal(size=(200, 2)) + 3 * side[:, None]
    >>> y = (X[:, 0] - 3 * side) * side > 0
    >>> heads = DomainSpecificHeads(domains=site)
    >>> model = DeepClassifier(regularizers=[("drm", heads)], lr=0.01, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.9
    True
    """

    tasks = ("classification",)
    needs_index = True
    beside_mixing = "never"
    reads_softmax = True
    layer = "penultimate"
    fixed = ("selection", "discriminator_width")

    def __init__(
        self,
        domains: Any = None,
        selection: Selection = "similarity",
        combine: Literal["hard", "soft"] = "hard",
        gamma: float = 1.0,
        similarity: Literal["euclidean", "cosine"] = "euclidean",
        discriminator_width: int = 64,
    ) -> None:
        self.domains = domains
        self.selection = selection
        self.combine = combine
        self.gamma = gamma
        self.similarity = similarity
        self.discriminator_width = discriminator_width

    def initialize(self) -> Self:
        if self.domains is None:
            warn("DomainSpecificHeads got no domains, and takes all samples for those of one")
            self.domains_, self.codes_ = np.zeros(1, dtype=np.int64), None
        else:
            self.domains_, self.codes_ = encoded_domains(self.domains, len(self.domains))
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Put the heads in place of the last linear layer."""
        last = last_linear(module)
        if last is module:
            raise ValueError(
                "DomainSpecificHeads replaces the last linear layer of a module, but the module "
                "is that layer: wrap it in torch.nn.Sequential"
            )
        self.heads_ = DomainHeads(
            last, len(self.domains_), self.selection, self.combine, self.gamma, self.similarity,
            self.discriminator_width,
        )  # fmt: skip
        self.built_for_ = self.domains_
        path = next(name for name, part in module.named_modules() if part is last)
        parent, _, name = path.rpartition(".")
        setattr(module.get_submodule(parent), name, self.heads_)

    def state(self, net: Net) -> None:
        """Let the heads know the rule; what must outlive a call stands in the module itself."""
        if list(self.domains_) != list(self.built_for_):
            raise ValueError(
                f"the module has heads for the domains {list(self.built_for_)} and cannot go on "
                f"with {list(self.domains_)}: fit anew with warm_start=False"
            )
        self.heads_.choose(self.selection, self.combine, self.gamma, self.similarity)

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Numbers of samples are known, and looked at, when the first epoch begins."""
        self.looked_at_numbers_ = False

    def on_epoch_begin(self, net: Net, dataset_train: Any = None, **kwargs: Any) -> None:
        """Check that every sample has a domain.

        Raises
        ------
        ValueError
            If a sample's number is beyond the domains.
        """
        if self.codes_ is None or self.looked_at_numbers_:
            return
        self.looked_at_numbers_ = True
        given = len(self.codes_)
        if net.n_samples_ > given:
            raise ValueError(
                f"DomainSpecificHeads got the domains of {given} samples, but there is a sample "
                f"of number {net.n_samples_ - 1}: give the domain of every one, in the order of "
                "their numbers"
            )
        data = dataset_train
        while isinstance(data, Subset):
            data = data.dataset
        if net.n_samples_ < given and len(data) == net.n_samples_:
            warn(
                f"DomainSpecificHeads takes {len(data)} training samples for the first of {given}, "
                "whose domains it got. If they are others, as in cross-validation, give fit their "
                "numbers: sample_index"
            )

    def losses(self, net: Net, batch: Batch, losses: torch.Tensor) -> torch.Tensor:
        """Halve the losses of the shared head, and give all domains of the batch one weight."""
        return 0.5 * self._shares(batch).to(losses.dtype) * losses

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Half the losses of the domains' own heads, and that of the discriminator."""
        domain, weight = self._domains_of(batch), batch.sample_weight
        own = net.sample_losses(self.heads_.own_logits(features, domain), batch)
        shares = self._shares(batch).to(own.dtype)
        shares = shares if weight is None else shares * weight
        told = self.heads_.discriminator_loss(features, domain, weight)
        return 0.5 * (shares * own).mean() + told

    def _domains_of(self, batch):
        if self.codes_ is None:
            return torch.zeros_like(batch.index)
        return torch.as_tensor(self.codes_, device=batch.index.device)[batch.index]

    def _shares(self, batch):
        return shares_of_domains(
            self._domains_of(batch), len(self.domains_), weight=batch.sample_weight
        )

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Take the mean features of the domains, and combine the heads from here on."""
        if net.training_set_ is None:  # training that could not go on: all is as it was
            self.heads_.finished.fill_(True)
            return
        self.heads_.passes_features = True
        try:
            training = net.training_outputs()
        finally:
            self.heads_.passes_features = False
        data = IndexedDataset(net.training_set_)
        weight = torch.ones(len(training.index), device=training.outputs.device)
        if data.sample_weight is not None:
            weight = torch.as_tensor(data.sample_weight).to(weight)
        domain = self._domains_of(training)
        total = weight.new_zeros(len(self.domains_)).index_add(0, domain, weight)
        z = training.outputs.to(self.heads_.means.dtype)
        summed = torch.zeros_like(self.heads_.means).index_add(0, domain, weight[:, None] * z)
        everywhere = [mean_over_processes(part, 1, net.process_group) for part in (summed, total)]
        summed, total = everywhere
        self.heads_.finish(summed / total.clamp(min=1e-30)[:, None], total > 0)

    def resume(self, net: Net, module: nn.Module) -> None:
        """Let the shared head speak alone while training goes on."""
        self.heads_.finished.fill_(False)
