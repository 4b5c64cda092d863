"""The entropy of predictions, to penalize confident ones (Pereyra et al. 2017)."""

import torch

from ..frame._batches import in_full_precision, mean_or_zero


def entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """Entropy of each distribution, in nats.

    H(p) = - sum_k p_k log p_k, with 0 log 0 = 0, also in its gradient

    Parameters
    ----------
    probabilities : Tensor of shape (n, n_classes, ...)
        Distributions along the second axis.

    Returns
    -------
    Tensor of shape (n, ...)
        The entropies.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import entropy
    >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
    tensor([0.6931, 0.0000])
    """
    p = in_full_precision(probabilities)
    return (p * -p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum(1)


def confidence_penalty(
    probabilities: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Minus the mean entropy of predictions, for the loss of a classifier.

    Parameters
    ----------
    probabilities : Tensor of shape (n, n_classes, ...)
        Predicted class probabilities.
    weight : Tensor of shape (n,), optional
        Factors on the samples' terms.

    Returns
    -------
    Tensor of shape ()
        The penalty, to be multiplied by its strength.

    References
    ----------
    .. [1] G. Pereyra, G. Tucker, J. Chorowski, L. Kaiser, G. Hinton, "Regularizing Neural Networks
       by Penalizing Confident Output Distributions", ICLR 2017 workshop.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import confidence_penalty
    >>> logits, y = torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 0])
    >>> loss = torch.nn.functional.cross_entropy(logits, y)
    >>> loss = loss + 0.1 * confidence_penalty(logits.softmax(1))
    """
    by_sample = entropy(probabilities)[:, None].flatten(1).mean(1)
    return -mean_or_zero(by_sample, weight)
