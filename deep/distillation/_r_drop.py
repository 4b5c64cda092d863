"""Consistency of two passes with different dropout (Wu et al. 2021)."""

import torch

from ..frame._batches import in_full_precision, mean_or_zero


def symmetric_divergence(
    p: torch.Tensor, q: torch.Tensor, weight: torch.Tensor | None = None
) -> torch.Tensor:
    """Mean of both Kullback-Leibler divergences between two predictions.

    D(p, q) = (KL(p || q) + KL(q || p)) / 2 = sum_k (p_k - q_k) (log p_k - log q_k) / 2

    Parameters
    ----------
    p, q : Tensor of shape (n, n_classes)
        Class probabilities, e.g. of two passes with different dropout.
    weight : Tensor of shape (n,), optional
        Factors on the samples' terms.

    Returns
    -------
    Tensor of shape ()
        The mean over the samples.

    References
    ----------
    .. [1] L. Wu, J. Li, Y. Wang, Q. Meng, T. Qin, W. Chen, M. Zhang, T.-Y. Liu, "R-Drop:
       Regularized Dropout for Neural Networks", NeurIPS 2021.

    Examples
    --------
    R-Drop in a loop:

    >>> import torch
    >>> from torch.nn.functional import cross_entropy
    >>> from skreg.deep.torch import symmetric_divergence
    >>> net = torch.nn.Sequential(torch.nn.Dropout(0.2), torch.nn.Linear(4, 3))
    >>> X, y = torch.randn(8, 4), torch.arange(8) % 3
    >>> first, second = net(X), net(X)
    >>> loss = 0.5 * (cross_entropy(first, y) + cross_entropy(second, y))
    >>> loss = loss + symmetric_divergence(first.softmax(1), second.softmax(1))
    """
    p, q = in_full_precision(p), in_full_precision(q)
    tiny = torch.finfo(p.dtype).tiny
    difference = p.clamp(min=tiny).log() - q.clamp(min=tiny).log()
    return mean_or_zero(0.5 * ((p - q) * difference).sum(1), weight)
