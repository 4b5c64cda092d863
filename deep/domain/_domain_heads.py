"""Domain-specific risk minimization (Zhang et al. 2023), for any training loop."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from ..frame._batches import check_choice, check_number, cosines, in_full_precision
from ..frame._settings import settings

SELECTIONS = ("similarity", "entropy", "discriminator", "uniform", "shared")
LEAST_ENTROPY = 1e-8  # added to entropies, which may be zero
Selection = Literal["similarity", "entropy", "discriminator", "uniform", "shared"]


def shares_of_domains(
    domain: torch.Tensor, n_domains: int, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Factors on losses whose weighted mean is then the mean over domains of their means.

    With W_i the sum of weights of domain i in the batch, and K' domains in it, the factor of a
    sample of domain i is n / (K' W_i): (1 / n) sum_j w_j f_j l_j = (1 / K') sum_i mean_i(l).

    Parameters
    ----------
    domain : Tensor of shape (n,), int64
        Domain of each sample.
    n_domains : int
        Number of domains.
    weight : Tensor of shape (n,), optional
        Sample weights.

    Returns
    -------
    Tensor of shape (n,)
        Factors, ones where all domains have as much weight; zero where a domain has none.
    """
    weight = torch.ones(len(domain), device=domain.device) if weight is None else weight
    total = torch.zeros(n_domains, dtype=weight.dtype, device=weight.device)
    total = total.index_add(0, domain, weight)
    there = (total > 0).sum().clamp(min=1)
    own = total[domain]
    return torch.where(own > 0, len(domain) / (there * own.clamp(min=1e-30)), 0.0)


class DRMLoss(nn.Module):
    """Mean over domains of the loss of a domain's own head and of the shared one, halved.

    For domains i = 1..K with batches (x^i, y^i), step 1 of the paper's training::

        (1 / K) sum_i [CE(h_i(phi(x^i)), y^i) + CE(h_{K+1}(phi(x^i)), y^i)] / 2

    Samples of all domains come in one batch, in any order; K counts the domains in it.

    References
    ----------
    .. [1] Y.-F. Zhang, J. Wang, J. Liang, Z. Zhang, B. Yu, L. Wang, D. Tao, X. Xie,
       "Domain-Specific Risk Minimization for Out-of-Distribution Generalization", KDD 2023.

    Examples
    --------
    >>> import torch
    >>> loss = DRMLoss()
    >>> own, shared = torch.zeros(6, 4), torch.zeros(6, 4)
    >>> loss(own, shared, torch.arange(6) % 4, torch.tensor([0, 0, 0, 1, 1, 1]))
    tensor(1.3863)
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(
        self,
        own: torch.Tensor,
        shared: torch.Tensor,
        target: torch.Tensor,
        domain: torch.Tensor,
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        own : Tensor of shape (n, n_classes)
            Logits of each sample by the head of its domain, as `DomainHeads.own_logits` gives.
        shared : Tensor of shape (n, n_classes)
            Logits by the shared head.
        target : Tensor of shape (n,) or (n, n_classes)
            Class numbers or class probabilities.
        domain : Tensor of shape (n,), int64
            Domain of each sample.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        losses = sum(F.cross_entropy(logits, target, reduction="none") for logits in (own, shared))
        return (shares_of_domains(domain, int(domain.max()) + 1) * losses).mean() / 2


def gaps(
    logits: torch.Tensor,
    features: torch.Tensor,
    selection: Selection,
    *,
    means: torch.Tensor | None = None,
    domain_logits: torch.Tensor | None = None,
    similarity: Literal["euclidean", "cosine"] = "euclidean",
) -> torch.Tensor:
    """Estimated gap of each head at each sample; inf where the rule does not choose a head.

    Parameters
    ----------
    logits : Tensor of shape (n, n_domains + 1, n_classes)
        Logits of all heads, the shared one last.
    features : Tensor of shape (n, d)
        Features.
    selection : {"similarity", "entropy", "discriminator", "uniform", "shared"}
        The rule.
    means : Tensor of shape (n_domains, d), optional
        Mean features of the domains, for "similarity".
    domain_logits : Tensor of shape (n, n_domains), optional
        Logits of a discriminator of domains, for "discriminator".
    similarity : {"euclidean", "cosine"}, default="euclidean"
        Measure of similarity.

    Returns
    -------
    Tensor of shape (n, n_domains + 1)
        Distances, one minus cosines, entropies, -log of the discriminator's probabilities, or 0.
    """
    n, n_heads, _ = logits.shape
    if selection == "entropy":
        return torch.special.entr(in_full_precision(logits).softmax(2)).sum(2)
    if selection == "uniform":
        return logits.new_zeros(n, n_heads)
    found = torch.full((n, n_heads), torch.inf, device=logits.device)
    if selection == "shared":
        found[:, -1] = 0.0
    elif selection == "discriminator":
        found[:, :-1] = -in_full_precision(domain_logits).log_softmax(1)
    elif similarity == "cosine":
        found[:, :-1] = (1.0 - cosines(features, means)).clamp(0.0, 2.0)
    else:
        found[:, :-1] = torch.cdist(in_full_precision(features), in_full_precision(means))
    return found


def head_weights(
    gaps: torch.Tensor, selection: Selection, *, soft: bool = False, gamma: float = 1.0
) -> torch.Tensor:
    """Weights of the heads: one for the least gap, or in proportion to gap^-gamma.

    Parameters
    ----------
    gaps : Tensor of shape (n, n_heads)
        Gaps, inf for heads that are not chosen from.
    selection : {"similarity", "entropy", "discriminator", "uniform", "shared"}
        The rule; the gaps of "discriminator" are logarithms already, and means are always taken
        for "uniform".
    soft : bool, default=False
        Whether all heads take part.
    gamma : float, default=1.0
        Sharpness of soft weights.

    Returns
    -------
    Tensor of shape (n, n_heads)
        Weights of sum one.
    """
    if selection not in ("uniform", "shared") and not soft:
        return F.one_hot(gaps.argmin(1), gaps.shape[1]).to(gaps.dtype)
    if selection == "entropy":
        affinity = -(gaps + LEAST_ENTROPY).log()
    elif selection == "similarity":
        affinity = -gaps.clamp(min=torch.finfo(gaps.dtype).tiny).log()
    else:
        affinity = -gaps
    return torch.where(gaps.isinf(), -torch.inf, gamma * affinity).softmax(1)


class DomainHeads(nn.Module):
    """A linear head for each domain beside a shared one, in place of a network's last layer.

    In training it puts out the logits of the shared head. Once `finish` has given it the mean
    features of the domains, it puts out in evaluation mode the logarithms of the combined class
    probabilities, so that their softmax are these.

    Parameters
    ----------
    shared : torch.nn.Linear
        The shared head; the others get its shape and initial weights of their own.
    n_domains : int
        Number of domains.
    selection : {"similarity", "entropy", "discriminator", "uniform", "shared"}, \
default="similarity"
        How heads are chosen, as in `skreg.domain.DomainSpecificClassifier`.
    combine : {"hard", "soft"}, default="hard"
        Take the best head, or a mean with weights that fall with the gap.
    gamma : float, default=1.0
        Sharpness of soft weights.
    similarity : {"euclidean", "cosine"}, default="euclidean"
        Measure of similarity.
    discriminator_width : int, default=64
        Hidden units of the discriminator of domains, which "discriminator" has.

    Attributes
    ----------
    means : Tensor of shape (n_domains, d)
        Mean features of the domains, zero before `finish`. In ``state_dict``.
    present : Tensor of shape (n_domains,), bool
        Which domains had samples; the heads of others are never chosen. In ``state_dict``.
    finished : Tensor of shape (), bool
        Whether the heads are combined. In ``state_dict``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] Y.-F. Zhang, J. Wang, J. Liang, Z. Zhang, B. Yu, L. Wang, D. Tao, X. Xie,
       "Domain-Specific Risk Minimization for Out-of-Distribution Generalization", KDD 2023.

    Examples
    --------
    >>> import torch
    >>> heads = DomainHeads(torch.nn.Linear(2, 3), n_domains=2)
    >>> z, y, domain = torch.randn(8, 2), torch.arange(8) % 3, torch.arange(8) % 2
    >>> loss = DRMLoss()(heads.own_logits(z, domain), heads(z), y, domain)
    >>> loss.backward()
    >>> means = torch.stack([z[domain == i].mean(0) for i in range(2)])
    >>> proba = heads.finish(means).eval()(z).softmax(1)
    >>> torch.allclose(proba.sum(1), torch.ones(8))
    True
    """

    extra_repr = settings
    means: torch.Tensor
    present: torch.Tensor
    finished: torch.Tensor

    def __init__(
        self,
        shared: nn.Linear,
        n_domains: int,
        selection: Selection = "similarity",
        combine: Literal["hard", "soft"] = "hard",
        gamma: float = 1.0,
        similarity: Literal["euclidean", "cosine"] = "euclidean",
        discriminator_width: int = 64,
    ) -> None:
        super().__init__()
        check_number("n_domains", n_domains, 1)
        check_number("discriminator_width", discriminator_width, 1)
        self.n_domains, self.discriminator_width = n_domains, discriminator_width
        self.choose(selection, combine, gamma, similarity)
        d, n_classes = shared.in_features, shared.out_features
        self.heads = nn.Linear(d, n_domains * n_classes)
        self.discriminator = None
        if selection == "discriminator":
            self.discriminator = nn.Sequential(
                nn.Linear(d, discriminator_width),
                nn.ReLU(),
                nn.Linear(discriminator_width, n_domains),
            )
        self.register_buffer("means", torch.zeros(n_domains, d))
        self.register_buffer("present", torch.ones(n_domains, dtype=torch.bool))
        self.register_buffer("finished", torch.tensor(False))
        self.passes_features = False
        self.shared = shared  # last: its input is what other parts know as penultimate features
        self.to(device=shared.weight.device, dtype=shared.weight.dtype)

    def choose(
        self,
        selection: Selection,
        combine: Literal["hard", "soft"],
        gamma: float,
        similarity: Literal["euclidean", "cosine"],
    ) -> None:
        """Set how the heads are combined.

        Parameters
        ----------
        selection, combine, gamma, similarity : as in the constructor
            The rule.
        """
        check_choice("selection", selection, SELECTIONS)
        check_choice("combine", combine, ("hard", "soft"))
        check_choice("similarity", similarity, ("euclidean", "cosine"))
        check_number("gamma", gamma, 0.0)
        self.selection, self.combine, self.gamma = selection, combine, gamma
        self.similarity = similarity

    def finish(self, means: torch.Tensor, present: torch.Tensor | None = None) -> "DomainHeads":
        """Combine the heads from now on, in evaluation mode.

        Parameters
        ----------
        means : Tensor of shape (n_domains, d)
            Mean features of the domains.
        present : Tensor of shape (n_domains,), bool, optional
            Which domains had samples; all if None.

        Returns
        -------
        DomainHeads
            This module.
        """
        self.means.copy_(means)
        self.present.copy_(torch.ones_like(self.present) if present is None else present)
        self.finished.fill_(True)
        return self

    def domain_logits(self, z: torch.Tensor) -> torch.Tensor:
        """Logits of the heads of all domains.

        Parameters
        ----------
        z : Tensor of shape (n, d)
            Features.

        Returns
        -------
        Tensor of shape (n, n_domains, n_classes)
            The logits.
        """
        return self.heads(z.to(self.heads.weight.dtype)).unflatten(
            1, (self.n_domains, self.shared.out_features)
        )

    def own_logits(self, z: torch.Tensor, domain: torch.Tensor) -> torch.Tensor:
        """Logits of each sample by the head of its domain.

        Parameters
        ----------
        z : Tensor of shape (n, d)
            Features.
        domain : Tensor of shape (n,), int64
            Domains.

        Returns
        -------
        Tensor of shape (n, n_classes)
            The logits.
        """
        return self.domain_logits(z)[torch.arange(len(z), device=z.device), domain]

    def discriminator_loss(
        self, z: torch.Tensor, domain: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Cross-entropy of the discriminator, which teaches the features nothing.

        Parameters
        ----------
        z : Tensor of shape (n, d)
            Features; they are detached.
        domain : Tensor of shape (n,), int64
            Domains.
        weight : Tensor of shape (n,), optional
            Sample weights of mean one over all samples.

        Returns
        -------
        Tensor of shape ()
            The loss; zero if there is no discriminator.
        """
        if self.discriminator is None:
            return z.new_zeros(())
        told = self.discriminator(z.detach().to(self.heads.weight.dtype))
        losses = F.cross_entropy(told, domain, reduction="none")
        return losses.mean() if weight is None else (weight * losses).mean()

    def gap_estimates(self, z: torch.Tensor) -> torch.Tensor:
        """Gaps of all heads, the shared one last; inf where the rule does not choose a head.

        Parameters
        ----------
        z : Tensor of shape (n, d)
            Features.

        Returns
        -------
        Tensor of shape (n, n_domains + 1)
            The gaps.
        """
        return self._gaps(z, self._all_logits(z))

    def domain_weights(self, z: torch.Tensor) -> torch.Tensor:
        """Weights of all heads, the shared one last.

        Parameters
        ----------
        z : Tensor of shape (n, d)
            Features.

        Returns
        -------
        Tensor of shape (n, n_domains + 1)
            Weights of sum one.
        """
        return self._weights(self.gap_estimates(z))

    def _all_logits(self, z):
        return torch.cat([self.domain_logits(z), self.shared(z).unsqueeze(1)], 1)

    def _gaps(self, z, logits):
        told = None if self.discriminator is None else self.discriminator(z)
        found = gaps(
            logits, z, self.selection,
            means=self.means, domain_logits=told, similarity=self.similarity,
        )  # fmt: skip
        return found.masked_fill(~F.pad(self.present, (0, 1), value=True), torch.inf)

    def _weights(self, found):
        return head_weights(found, self.selection, soft=self.combine == "soft", gamma=self.gamma)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Logits of the shared head, or logarithms of the combined probabilities.

        Parameters
        ----------
        z : Tensor of shape (n, d)
            Features.

        Returns
        -------
        Tensor of shape (n, n_classes)
            Logits.
        """
        if self.passes_features:
            return z
        if self.training or not self.finished:
            return self.shared(z)
        logits = in_full_precision(self._all_logits(z))
        weights = self._weights(self._gaps(z, logits)).to(logits.dtype)
        return torch.logsumexp(weights.log().unsqueeze(2) + logits.log_softmax(2), 1)
