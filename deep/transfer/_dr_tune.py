"""A head that must also classify what the pretrained network says (DR-Tune).

N. Zhou, J. Chen, D. Huang, "DR-Tune: Improving Fine-tuning of Pretrained Visual Models by
Distribution Regularization with Semantic Calibration", ICCV 2023.
"""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from ..frame._batches import check_choice, check_number, check_range, in_full_precision
from ..frame._settings import settings


class FeatureBank(nn.Module):
    """The latest features of two networks for the same samples, with their labels.

    Two queues of equal size, first in, first out: rows of the network that trains, and rows of the
    pretrained one. All is in ``state_dict``; loading one takes over its size.

    Parameters
    ----------
    size : int
        Number of rows, K in the paper.
    dim : int, default=0
        Number of features. A bank that has none yet gets it from `reset`.

    Attributes
    ----------
    downstream, pretrained : Tensor of shape (size, dim)
        Features of both networks, not normalized.
    labels : Tensor of shape (size,), int64
        Classes of the rows.
    weight : Tensor of shape (size,)
        Weights of the rows; zero until there is one.
    count : Tensor of shape (), int64
        Number of rows that have been put in so far.

    Raises
    ------
    ValueError
        If `size` is not positive or `dim` negative.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import FeatureBank
    >>> bank = FeatureBank(size=2, dim=1)
    >>> z = torch.tensor([[1.0], [2.0], [3.0]])
    >>> bank.enqueue(z, -z, torch.tensor([0, 1, 1]))
    >>> bank.downstream.flatten(), bank.labels, bank.full_
    (tensor([3., 2.]), tensor([1, 1]), True)
    """

    extra_repr = settings

    downstream: torch.Tensor
    pretrained: torch.Tensor
    labels: torch.Tensor
    weight: torch.Tensor
    count: torch.Tensor

    def __init__(self, size: int, dim: int = 0) -> None:
        super().__init__()
        for name in ("downstream", "pretrained", "weight"):
            self.register_buffer(name, torch.empty(0))
        for name in ("labels", "count"):
            self.register_buffer(name, torch.empty(0, dtype=torch.int64))
        self.reset(size, dim)

    def reset(self, size: int, dim: int) -> None:
        """Empty the bank and give it another shape.

        Parameters
        ----------
        size : int
            Number of rows.
        dim : int
            Number of features.

        Raises
        ------
        ValueError
            If `size` is not positive or `dim` negative.
        """
        check_number("size", size, 1)
        check_number("dim", dim, 0)
        self.downstream = self.downstream.new_zeros(size, dim)
        self.pretrained = self.pretrained.new_zeros(size, dim)
        self.labels = self.labels.new_zeros(size)
        self.weight = self.weight.new_zeros(size)
        self.count = self.count.new_zeros(())

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.downstream.shape[0]

    @property
    def dim(self) -> int:
        """Number of features."""
        return self.downstream.shape[1]

    @property
    def n_rows(self) -> torch.Tensor:
        """Number of rows that are filled, as a tensor."""
        return self.count.clamp(max=self.size)

    @property
    def shares(self) -> torch.Tensor:
        """Weights over the number of filled rows: those of a mean over rows of mean weight one."""
        return self.weight / self.n_rows.clamp(min=1)

    @property
    def full_(self) -> bool:
        """Whether all rows are filled."""
        return bool(self.count >= self.size)

    @torch.no_grad()
    def enqueue(
        self,
        downstream: torch.Tensor,
        pretrained: torch.Tensor,
        labels: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> None:
        """Put rows in place of the oldest ones.

        The tensors are replaced, not written to: what a loss has taken from them stays valid.

        Parameters
        ----------
        downstream, pretrained : Tensor of shape (n, dim)
            Features of the network that trains and of the pretrained one.
        labels : Tensor of shape (n,)
            Class numbers.
        weight : Tensor of shape (n,), optional
            Weights; ones if there are none.

        Raises
        ------
        ValueError
            If shapes do not match, or labels are no class numbers.
        """
        n = len(labels)
        check_features("downstream", downstream, n, self.dim)
        check_features("pretrained", pretrained, n, self.dim)
        check_class_numbers(labels)
        weight = self.weight.new_ones(n) if weight is None else weight
        kept = slice(max(0, n - self.size), None)
        index = (self.count + torch.arange(n, device=self.count.device)[kept]) % self.size
        for name, rows in (
            ("downstream", downstream),
            ("pretrained", pretrained),
            ("labels", labels),
            ("weight", weight),
        ):
            old = getattr(self, name)
            setattr(self, name, old.index_copy(0, index, rows[kept].detach().to(old)))
        self.count = self.count + n

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        for name, buffer in list(self.named_buffers()):
            stored = state_dict.get(prefix + name)
            if stored is not None:
                setattr(self, name, buffer.new_empty(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def kabsch_rotation(
    P: torch.Tensor, D: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Rotation that brings the rows of one matrix closest to those of another.

    .. math::
        R = \arg\min_{R^\top R = I,\, \det R = 1} \sum_k w_k \|\bar d_k - R \bar p_k\|^2
          = V \operatorname{diag}(1, \dots, 1, \det V U^\top) U^\top, \quad
        \bar P^\top W \bar D = U \Sigma V^\top

    with centred rows (equation 7 of the paper, restricted to proper rotations as the authors'
    code does). It is unique where all singular values are positive.

    Parameters
    ----------
    P, D : Tensor of shape (n, d)
        The rows to be rotated, and those to be met.
    weight : Tensor of shape (n,), optional
        Weights of the rows.

    Returns
    -------
    Tensor of shape (d, d)
        The rotation; ``P @ R.T`` are the rotated rows.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import torch
    >>> P = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    >>> turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    >>> torch.allclose(kabsch_rotation(P, P @ turn.T), turn, atol=1e-6)
    True
    """
    check_features("P", P, len(P), None)
    check_features("D", D, *P.shape)
    with torch.autocast(P.device.type, enabled=False):
        P, D = in_full_precision(P), in_full_precision(D)
        share = normalized(P.new_ones(len(P)) if weight is None else weight.to(P))
        P, D = P - share @ P, D - share @ D
        U, _, Vh = torch.linalg.svd(P.T @ (share[:, None] * D))
        V = Vh.T
        sign = torch.linalg.slogdet(V @ U.T).sign
        return torch.cat([V[:, :-1], sign * V[:, -1:]], 1) @ U.T


def rotated(P, D, weight):
    """Rows of P after the rotation towards D, found within the span of both if that is smaller."""
    n, d = P.shape
    if 2 * n >= d:
        return P @ kabsch_rotation(P, D, weight).T
    basis = torch.linalg.qr(torch.cat([P, D]).T).Q
    P, D = P @ basis, D @ basis
    return P @ kabsch_rotation(P, D, weight).T @ basis.T


def translated(P, D, labels, n_classes, confidence, weight):
    """Rows of P moved so that the centre of each class is that of D (equations 8 to 11).

    The centre of D is a mean with the softmax of `confidence` within the class as weights.
    """
    counts = weight > 0
    confidence = torch.where(counts, confidence, -torch.inf)
    highest = confidence.new_full((n_classes,), -torch.inf)
    highest = highest.scatter_reduce(0, labels, confidence, "amax")
    trust = torch.where(counts, weight * (confidence - highest[labels]).exp(), 0.0)
    centre_p = class_means(P, labels, n_classes, weight)
    centre_d = class_means(D, labels, n_classes, trust)
    return P + (centre_d - centre_p)[labels]


def class_means(rows, labels, n_classes, weight):
    """Weighted mean of the rows of each class; zero for classes without weight."""
    total = weight.new_zeros(n_classes).index_add(0, labels, weight)
    summed = rows.new_zeros(n_classes, rows.shape[1])
    summed = summed.index_add(0, labels, weight[:, None] * rows)
    return summed / total.clamp(min=torch.finfo(total.dtype).tiny)[:, None]


def normalized(weight):
    """Weights divided by their sum; zeros stay zeros."""
    return weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)


class SemanticCalibration(nn.Module):
    """Moves pretrained features to where the features of a fine-tuned network are.

    Rows of both banks are normalized. Those of the pretrained one are rotated towards the others
    (`kabsch_rotation`), then each class is shifted so that its centre is that of the others, which
    is weighted by how sure the head is of each row. The result gets the length of the features of
    the present batch (section 3.3 of the paper, with the details of the authors' code).

    Parameters
    ----------
    rotation : bool, default=True
        Whether to rotate.
    translation : bool, default=True
        Whether to shift the classes.
    confidence_weighting : bool, default=True
        Weight the rows of a class by the softmax of their similarities to the class's row of the
        head. False takes plain means.
    rotation_every : int, default=10
        Rotate in steps whose number is a multiple of this, and not at all in those between: the
        singular value decomposition is what the method costs.
    similarity : {"cosine", "dot"}, default="cosine"
        Cosine between feature and row, as in the authors' code, or the product of the features as
        they are with the row, as in equation 10.

    Raises
    ------
    ValueError
        If `rotation_every` is not positive or `similarity` unknown.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import SemanticCalibration
    >>> _ = torch.manual_seed(0)
    >>> pretrained, labels, head = torch.randn(20, 3), torch.arange(20) % 2, torch.randn(2, 3)
    >>> current = pretrained + torch.tensor([[1.0, 0, 0], [0, 1.0, 0]])[labels]
    >>> moved = SemanticCalibration()(pretrained, current, labels, head, scale=2.0, step=0)
    >>> torch.allclose(moved.norm(dim=1), torch.tensor(2.0))
    True
    """

    extra_repr = settings

    def __init__(
        self,
        rotation: bool = True,
        translation: bool = True,
        confidence_weighting: bool = True,
        rotation_every: int = 10,
        similarity: Literal["cosine", "dot"] = "cosine",
    ) -> None:
        super().__init__()
        check_number("rotation_every", rotation_every, 1)
        check_choice("similarity", similarity, ("cosine", "dot"))
        self.rotation = rotation
        self.translation = translation
        self.confidence_weighting = confidence_weighting
        self.rotation_every = rotation_every
        self.similarity = similarity

    @torch.no_grad()
    def forward(
        self,
        bank_p: torch.Tensor,
        bank_d: torch.Tensor,
        labels: torch.Tensor,
        head_weight: torch.Tensor,
        scale: float | torch.Tensor,
        step: int,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Calibrate the pretrained features.

        Parameters
        ----------
        bank_p, bank_d : Tensor of shape (n, d)
            Features of the pretrained network and of the one that trains, of the same samples.
        labels : Tensor of shape (n,), int64
            Their classes.
        head_weight : Tensor of shape (n_classes, d)
            Rows of the head.
        scale : float or Tensor of shape ()
            Length of the result's rows.
        step : int
            Number of the step.
        weight : Tensor of shape (n,), optional
            Weights of the rows; those of weight zero move with their class and move nothing.

        Returns
        -------
        Tensor of shape (n, d)
            The calibrated rows, without gradient.

        Raises
        ------
        ValueError
            If shapes do not match, or labels are no numbers of the head's classes.
        """
        check_features("bank_p", bank_p, len(labels), None)
        check_features("bank_d", bank_d, *bank_p.shape)
        check_features("head_weight", head_weight, len(head_weight), bank_p.shape[1])
        check_class_numbers(labels)
        check_range("labels", labels, len(head_weight))
        with torch.autocast(bank_p.device.type, enabled=False):
            raw, head = in_full_precision(bank_d), in_full_precision(head_weight)
            P, D = F.normalize(in_full_precision(bank_p), dim=1), F.normalize(raw, dim=1)
            weight = P.new_ones(len(P)) if weight is None else weight.to(P)
            if self.rotation and step % self.rotation_every == 0:
                P = rotated(P, D, weight)
            if self.translation:
                confidence = self._confidence(raw, D, head, labels)
                P = translated(P, D, labels, len(head), confidence, weight)
            return F.normalize(P, dim=1) * scale

    def _confidence(self, raw, D, head, labels):
        """How much each row looks like its class to the head, before the softmax (equation 10)."""
        if not self.confidence_weighting:
            return D.new_zeros(len(D))
        if self.similarity == "dot":
            return (raw * head[labels]).sum(1)
        return (D * F.normalize(head, dim=1)[labels]).sum(1)


FULL = SemanticCalibration()


class DistributionRegularizationLoss(nn.Module):
    r"""Cross entropy of a batch, and of a bank of pretrained features under the same head.

    .. math::
        L = \frac1B \sum_i \ell(g(f_d(x_i)), y_i) + \lambda \frac1K \sum_k \ell(g(\hat v_k), y_k),
        \quad \lambda = \frac KB

    (equations 13 and 14). The calibrated features :math:`\hat v` are constants: the second term
    trains the head :math:`g` alone. Divided by :math:`1 + \lambda`, the default, it is the mean
    over all B + K rows. Then the head needs :math:`1 + \lambda` times the learning rate that the
    encoder :math:`f_d` is given, and the encoder moves as under the cross entropy alone at a rate
    :math:`1 + \lambda` times smaller than that.

    Parameters
    ----------
    bank_size : int, default=2048
        Largest number of rows of the banks, K; there are no more than `warm_up` gets.
    lam : float or "auto", default="auto"
        Strength; "auto" is the number of rows in the bank over that of the batch.
    normalize : bool, default=True
        Divide by ``1 + lam``.
    calibration : SemanticCalibration or None
        What is done to the pretrained features, by default all of it; None takes them as they are.

    Attributes
    ----------
    bank : FeatureBank
        The banks.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    .. [1] N. Zhou, J. Chen, D. Huang, "DR-Tune: Improving Fine-tuning of Pretrained Visual Models
       by Distribution Regularization with Semantic Calibration", ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import DistributionRegularizationLoss, FrozenCopy
    >>> _ = torch.manual_seed(0)
    >>> X, y = torch.randn(32, 5), torch.arange(32) % 3
    >>> encoder = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU())
    >>> pretrained, head = FrozenCopy(encoder), torch.nn.Linear(8, 3)
    >>> loss = DistributionRegularizationLoss(bank_size=32)
    >>> loss.warm_up(pretrained(X), y)
    >>> rate = 0.05
    >>> groups = [
    ...     {"params": encoder.parameters()},
    ...     {"params": head.parameters(), "lr": (1 + 32 / 8) * rate},
    ... ]
    >>> optimizer = torch.optim.SGD(groups, lr=rate)
    >>> for step, batch in enumerate(torch.randperm(32).split(8)):
    ...     optimizer.zero_grad()
    ...     z = encoder(X[batch])
    ...     loss(z, pretrained(X[batch]), y[batch], head, step).backward()
    ...     optimizer.step()
    """

    extra_repr = settings

    def __init__(
        self,
        bank_size: int = 2048,
        lam: float | Literal["auto"] = "auto",
        normalize: bool = True,
        calibration: SemanticCalibration | None = FULL,
    ) -> None:
        super().__init__()
        check_number("bank_size", bank_size, 1)
        check_strength(lam)
        self.bank_size = bank_size
        self.lam = lam
        self.normalize = normalize
        self.calibration = calibration
        self.bank = FeatureBank(bank_size)

    def warm_up(
        self, features: torch.Tensor, labels: torch.Tensor, weight: torch.Tensor | None = None
    ) -> None:
        """Fill both banks with features of the pretrained network, before training.

        Parameters
        ----------
        features : Tensor of shape (n, dim)
            Features of training samples; of more than the bank holds, the last are kept.
        labels : Tensor of shape (n,)
            Class numbers.
        weight : Tensor of shape (n,), optional
            Weights.

        Raises
        ------
        ValueError
            If shapes do not match.
        """
        check_features("features", features, len(labels), None)
        self.bank.reset(min(self.bank_size, len(labels)), features.shape[1])
        self.bank.to(in_full_precision(features))
        self.bank.enqueue(features, features, labels, weight)

    def forward(
        self,
        downstream: torch.Tensor,
        pretrained: torch.Tensor,
        labels: torch.Tensor,
        head: nn.Linear,
        step: int,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Loss of a batch, which is then put into the banks if the loss is in training mode.

        Parameters
        ----------
        downstream, pretrained : Tensor of shape (n, dim)
            Features of the network that trains, with their graph, and of the pretrained one.
        labels : Tensor of shape (n,)
            Class numbers.
        head : torch.nn.Linear
            The head.
        step : int
            Number of the step.
        weight : Tensor of shape (n,), optional
            Weights.

        Returns
        -------
        Tensor of shape ()
            The loss.

        Raises
        ------
        ValueError
            If shapes do not match.
        """
        n, bank = len(labels), self.bank
        check_features("downstream", downstream, n, bank.dim)
        scale = mean_length(downstream, weight)
        rows = calibrated(bank, self.calibration, head.weight, scale, step)
        own = F.cross_entropy(head(downstream), labels, reduction="none")
        own = own if weight is None else own * weight
        theirs = bank.shares @ F.cross_entropy(head(rows), bank.labels, reduction="none")
        if self.training:
            bank.enqueue(downstream, pretrained, labels, weight)
        lam = bank.size / n if self.lam == "auto" else self.lam
        return (own.mean() + lam * theirs) / (1 + lam if self.normalize else 1)


def calibrated(bank, calibration, head_weight, scale, step):
    """Pretrained rows of a bank as the head is to see them in a step."""
    if calibration is None:
        rows = bank.pretrained
    else:
        rows = calibration(
            bank.pretrained, bank.downstream, bank.labels, head_weight, scale, step, bank.weight
        )
    return rows.to(head_weight.dtype)


def mean_length(rows, weight=None):
    """Weighted mean of the lengths of rows."""
    length = in_full_precision(rows.detach()).norm(dim=1)
    return length.mean() if weight is None else normalized(weight.to(length)) @ length


def check_strength(lam):
    """Raise ValueError unless it is "auto" or a number that is not negative."""
    if isinstance(lam, str):
        check_choice("lam", lam, ("auto",))
    else:
        check_number("lam", lam, 0)


def check_features(name, rows, n, dim):
    """Raise ValueError unless `rows` are real numbers of shape (n, dim); dim=None allows any."""
    fits = rows.ndim == 2 and len(rows) == n and dim in (None, rows.shape[1])
    if not (fits and rows.is_floating_point()):
        shape = f"({n}, {'n_features' if dim is None else dim})"
        raise ValueError(
            f"{name} must be floating-point numbers of shape {shape}, got {rows.dtype} of shape "
            f"{tuple(rows.shape)}"
        )


def check_class_numbers(labels):
    """Raise ValueError unless `labels` are integers of shape (n,)."""
    if labels.ndim != 1 or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            f"labels must be class numbers of shape (n,), got {labels.dtype} of shape "
            f"{tuple(labels.shape)}"
        )
