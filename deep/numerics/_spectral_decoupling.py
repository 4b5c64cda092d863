"""The squared size of the outputs of a network (Pezeshki et al. 2021)."""

import torch

from ..frame._batches import in_full_precision, mean_or_zero


def spectral_decoupling(logits: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Half the mean squared Euclidean length of the outputs.

    R = mean_i ||z_i||^2 / 2

    Parameters
    ----------
    logits : Tensor of shape (n, n_classes, ...)
        Outputs of the network, before softmax.
    weight : Tensor of shape (n,), optional
        Factors on the samples' terms.

    Returns
    -------
    Tensor of shape ()
        The penalty, to be multiplied by its strength.

    References
    ----------
    .. [1] M. Pezeshki, S.-O. Kaba, Y. Bengio, A. Courville, D. Precup, G. Lajoie, "Gradient
       Starvation: A Learning Proclivity in Neural Networks", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import spectral_decoupling
    >>> spectral_decoupling(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor(6.5000)
    """
    squared = in_full_precision(logits).square().sum(1)
    return mean_or_zero(0.5 * squared[:, None].flatten(1).mean(1), weight)
