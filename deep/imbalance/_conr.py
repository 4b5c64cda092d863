"""Contrastive regularizer for imbalanced regression (Keramati et al. 2024)."""

from typing import Literal

import torch
from torch import nn

from ..frame._batches import check_choice, check_number, cosines, in_full_precision
from ..frame._settings import settings


class ConRLoss(nn.Module):
    """Contrast of features by labels, against predictions that confuse far labels.

    With z_j the features scaled to length one, s_ji = <z_j, z_i> / temperature, labels y and
    predictions p, the positives of anchor j are the samples with near labels, and its negatives
    those with far labels but near predictions::

        K+_j = {i != j : |y_j - y_i| <= window}
        K-_j = {q : |y_j - y_q| > window and |p_j - p_q| <= window}
        S_jq = w_j exp(push |y_j - y_q|)
        L_j = - mean_{i in K+_j} log[exp(s_ji) /
                  (sum_{p in K+_j} exp(s_jp) + sum_{q in K-_j} S_jq exp(s_jq))]
        loss = mean_j w_j L_j

    An anchor without positives or without negatives adds zero. The gradient flows through the
    features alone; predictions only select negatives. `window` and ``1 / push`` are in units of
    the labels.

    Parameters
    ----------
    window : float, default=1.0
        Half-width of "near", omega in the paper.
    temperature : float, default=0.07
        Temperature tau of the similarities.
    push : float, default=0.01
        Rate e at which negatives are pushed harder the farther their labels are.
    push_form : {"exp", "linear"}, default="exp"
        ``S = w exp(push d)``, or ``S = push w d``, which the authors use for depth maps. Only the
        form of S is theirs there: their loss for depth maps counts pairs differently.
    reduction : {"mean", "valid"}, default="mean"
        Mean over all anchors, or over those that have positives and negatives.
    official : bool, default=False
        Add to each denominator one for every sample that is no positive, the anchor itself
        included, as the authors' code for ages does (it takes the exponential of masked zeros).
        There the push is exponential: ``push_form="linear"`` does not go with it.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or for ``official=True`` with ``push_form="linear"``.

    References
    ----------
    .. [1] M. Keramati, L. Meng, R. D. Evans, "ConR: Contrastive Regularizer for Deep Imbalanced
       Regression", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> loss = ConRLoss(window=1.0, temperature=1.0, push=0.1)
    >>> features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> loss(features, torch.tensor([0.0, 0.5, 5.0]), torch.tensor([0.0, 0.2, 0.4]))
    tensor(0.3099)
    """

    extra_repr = settings

    def __init__(
        self,
        window: float = 1.0,
        temperature: float = 0.07,
        push: float = 0.01,
        push_form: Literal["exp", "linear"] = "exp",
        reduction: Literal["mean", "valid"] = "mean",
        official: bool = False,
    ) -> None:
        super().__init__()
        if window != float("inf"):
            check_number("window", window, 0.0, above=True)
        check_number("temperature", temperature, 0.0, above=True)
        check_number("push", push, 0.0)
        check_choice("push_form", push_form, ("exp", "linear"))
        check_choice("reduction", reduction, ("mean", "valid"))
        if official and push_form == "linear":
            raise ValueError(
                "official=True is the loss of the authors' code for ages, whose push is "
                "push_form='exp'; with push_form='linear' it is neither that one nor their loss "
                "for depth maps: use official=False or push_form='exp'"
            )
        self.window, self.temperature = window, temperature
        self.push, self.push_form = push, push_form
        self.reduction, self.official = reduction, official

    def forward(
        self,
        features: torch.Tensor,
        targets: torch.Tensor,
        predictions: torch.Tensor,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        features : Tensor of shape (n, n_features)
            Output of the encoder, of any scale.
        targets : Tensor of shape (n,) or (n, n_targets)
            Labels.
        predictions : Tensor of shape (n,) or (n, n_targets)
            Predictions; they get no gradient.
        weights : Tensor of shape (n,), optional
            Weights w of the anchors, of mean one or so, large where labels are rare. They are
            importances and no repetitions: a sample given twice would also be the near neighbour of
            its copy, and count twice among the positives and negatives of others.

        Returns
        -------
        Tensor of shape ()
            The loss, at least in float32; zero if there are fewer than two samples.

        Raises
        ------
        ValueError
            If shapes do not match.
        """
        n = len(features)
        if features.ndim != 2 or not features.is_floating_point():
            raise ValueError(
                "features must be floating-point numbers of shape (n, n_features), "
                f"got {features.dtype} of shape {tuple(features.shape)}"
            )
        targets = _as_columns("targets", targets, n)
        predictions = _as_columns("predictions", predictions.detach(), n)
        if targets.shape != predictions.shape:
            raise ValueError(
                f"targets and predictions must have the same shape, got {tuple(targets.shape)} "
                f"and {tuple(predictions.shape)}"
            )
        if weights is not None and weights.shape != (n,):
            raise ValueError(f"weights must have shape ({n},), got {tuple(weights.shape)}")
        if n < 2:
            return in_full_precision(features).sum() * 0.0

        similarity = cosines(features, features) / self.temperature
        weights = similarity.new_ones(n) if weights is None else weights.to(similarity.dtype)
        label_distance = _distances(targets).to(similarity.dtype)
        near = label_distance <= self.window
        positive = near & ~torch.eye(n, dtype=torch.bool, device=features.device)
        negative = ~near & (_distances(predictions) <= self.window)
        n_positive = positive.sum(1)
        valid = (n_positive > 0) & negative.any(1)

        pushed = similarity + self._log_push(label_distance, weights[:, None])
        terms = torch.where(positive, similarity, torch.where(negative, pushed, -torch.inf))
        # rows without any term would have no finite gradient; they are dropped below
        log_total = torch.where(valid[:, None], terms, similarity).logsumexp(1)
        if self.official:
            log_total = torch.logaddexp(log_total, (n - n_positive).to(log_total.dtype).log())
        attraction = torch.where(positive, similarity, 0.0).sum(1) / n_positive.clamp(min=1)
        loss = torch.where(valid, weights * (log_total - attraction), 0.0)
        if self.reduction == "valid":
            return loss.sum() / valid.sum().clamp(min=1)
        return loss.mean()

    def _log_push(self, distance, weights):
        if self.push_form == "linear":
            return torch.log(self.push * weights * distance)
        return torch.log(weights) + self.push * distance


def _as_columns(name, values, n):
    if len(values) != n or values.ndim not in (1, 2):
        raise ValueError(
            f"{name} must have shape ({n},) or ({n}, n_targets), got {tuple(values.shape)}"
        )
    values = values if values.is_floating_point() else values.to(torch.get_default_dtype())
    return in_full_precision(values if values.ndim == 2 else values[:, None])


def _distances(columns):
    difference = columns[:, None] - columns[None]
    return torch.linalg.vector_norm(difference, dim=2)
