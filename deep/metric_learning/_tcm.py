"""Threshold-consistent margins for metric learning (Zhang et al. 2024)."""

import torch
from torch import nn

from ..frame._batches import check_number, cosines
from ..frame._settings import settings


class ThresholdConsistentMarginLoss(nn.Module):
    """Hinges that bring all classes to the same cosine margins.

    With s the cosine of two embeddings, over the pairs of a batch::

        weight_pos mean{margin_pos - s : same class, s <= margin_pos}
        + weight_neg mean{s - margin_neg : other class, s >= margin_neg}

    Each mean is over the hard pairs alone, and zero if there are none; with sample weights, a pair
    has the product of the weights of its samples. A whole-number weight is then a sample given as
    often: pairs of a sample and its copies have cosine one and cost nothing, unless `margin_pos` is
    one. The pairs are those of a batch: in several processes, those of each process's own.

    Add it to any loss of metric learning, so that one global threshold tells "same" from "other"
    equally well in all classes; alone it does not separate them.
    `skreg.metrics.operating_point_inconsistency_score` measures the effect.

    Parameters
    ----------
    margin_pos : float, default=0.9
        Cosine above which a pair of one class costs nothing.
    margin_neg : float, default=0.5
        Cosine below which a pair of two classes costs nothing.
    weight_pos : float, default=1.0
        Weight of the pairs of one class.
    weight_neg : float, default=1.0
        Weight of the pairs of two classes.

    Raises
    ------
    ValueError
        If a margin leaves [-1, 1], `margin_neg` is not below `margin_pos`, or a weight is negative.

    References
    ----------
    .. [1] Q. Zhang, L. Xu, Q. Tang, J. Fang, Y. N. Wu, J. Tighe, Y. Xing, "Threshold-Consistent
       Margin Loss for Open-World Deep Metric Learning", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> embeddings = torch.tensor([[0.0, 1.0], [0.43, 0.9], [1.0, 0.0], [0.5, 0.5]])
    >>> ThresholdConsistentMarginLoss()(embeddings, torch.tensor([0, 0, 1, 1]))
    tensor(0.5179)
    """

    extra_repr = settings

    def __init__(
        self,
        margin_pos: float = 0.9,
        margin_neg: float = 0.5,
        weight_pos: float = 1.0,
        weight_neg: float = 1.0,
    ) -> None:
        super().__init__()
        check_number("margin_pos", margin_pos, -1.0, 1.0)
        check_number("margin_neg", margin_neg, -1.0, 1.0)
        if margin_neg >= margin_pos:
            raise ValueError(
                f"margin_neg must be below margin_pos, got {margin_neg!r} and {margin_pos!r}"
            )
        check_number("weight_pos", weight_pos, 0.0)
        check_number("weight_neg", weight_neg, 0.0)
        self.margin_pos, self.margin_neg = margin_pos, margin_neg
        self.weight_pos, self.weight_neg = weight_pos, weight_neg

    def forward(
        self,
        embeddings: torch.Tensor,
        labels: torch.Tensor,
        ref_emb: torch.Tensor | None = None,
        ref_labels: torch.Tensor | None = None,
        sample_weight: torch.Tensor | None = None,
        ref_weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        embeddings : Tensor of shape (n, n_features)
            Embeddings, of any scale.
        labels : Tensor of shape (n,)
            Class numbers.
        ref_emb : Tensor of shape (m, n_features), optional
            Embeddings to pair those of the batch with, e.g. of earlier batches. By default the
            batch is paired with itself, without the pairs of a sample and itself.
        ref_labels : Tensor of shape (m,), optional
            Class numbers of `ref_emb`.
        sample_weight : Tensor of shape (n,), optional
            Weights of the samples, none negative; only their ratios matter.
        ref_weight : Tensor of shape (m,), optional
            Weights of `ref_emb`.

        Returns
        -------
        Tensor of shape ()
            The loss, at least in float32; zero if there are no pairs.

        Raises
        ------
        ValueError
            If shapes do not match.
        """
        _check_embeddings("embeddings", embeddings, labels, sample_weight)
        if ref_emb is None:
            if ref_labels is not None or ref_weight is not None:
                raise ValueError("ref_labels and ref_weight must be given together with ref_emb")
            cosine = cosines(embeddings, embeddings)
            equal = labels[:, None] == labels[None]
            same = equal & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
            ref_weight = sample_weight
        else:
            if ref_labels is None:
                raise ValueError("ref_emb must be given together with ref_labels")
            _check_embeddings("ref_emb", ref_emb, ref_labels, ref_weight)
            cosine = cosines(embeddings, ref_emb)
            same = equal = labels[:, None] == ref_labels[None]
        weight = _products(sample_weight, ref_weight, cosine)
        pull = _mean_where(self.margin_pos - cosine, weight, same & (cosine <= self.margin_pos))
        push = _mean_where(cosine - self.margin_neg, weight, ~equal & (cosine >= self.margin_neg))
        return self.weight_pos * pull + self.weight_neg * push


def _check_embeddings(name, embeddings, labels, weight):
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        raise ValueError(
            f"{name} must be floating-point numbers of shape (n, n_features), "
            f"got {embeddings.dtype} of shape {tuple(embeddings.shape)}"
        )
    for kind, values in (("labels", labels), ("weights", weight)):
        if values is not None and values.shape != embeddings.shape[:1]:
            raise ValueError(
                f"the {kind} of {name} must have shape ({len(embeddings)},), "
                f"got {tuple(values.shape)}"
            )


def _products(weight, ref_weight, cosine):
    """Weights of all pairs; a sample without weight has one."""
    rows, columns = (
        cosine.new_ones(n) if values is None else values.to(cosine.dtype)
        for n, values in zip(cosine.shape, (weight, ref_weight), strict=True)
    )
    return rows[:, None] * columns


def _mean_where(values, weight, chosen):
    weight = torch.where(chosen, weight, 0.0)
    total = weight.sum()
    return (weight * values).sum() / torch.where(total > 0, total, 1.0)
