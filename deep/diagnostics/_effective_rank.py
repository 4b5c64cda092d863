"""How many directions a representation uses (Roy and Vetterli 2007)."""

from typing import Any

import torch


def effective_rank(spectrum: torch.Tensor) -> torch.Tensor:
    r"""Effective rank of a matrix from its singular values.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad p_k = \sigma_k / \sum_j \sigma_j

    It lies between one and the rank, which it is if all nonzero singular values are equal.

    Parameters
    ----------
    spectrum : Tensor of shape (k,)
        The singular values.

    Returns
    -------
    Tensor of shape ()
        The effective rank; zero if all singular values are zero.

    References
    ----------
    .. [1] O. Roy, M. Vetterli, "The effective rank: A measure of effective dimensionality",
       EUSIPCO 2007.

    Examples
    --------
    >>> import torch
    >>> round(float(effective_rank(torch.tensor([2.0, 2.0, 0.0]))), 4)
    2.0
    """
    total = spectrum.sum()
    if not total > 0:
        return torch.zeros_like(total)
    return torch.special.entr(spectrum / total).sum().exp()


class FeatureScatter:
    """Sums from which the singular values of all features seen so far follow, without keeping them.

    With x_i the features and m their mean, the singular values of the centred matrix are the square
    roots of the eigenvalues of ``sum_i (x_i - m) (x_i - m)^T``, whose sums are merged batch by
    batch (Chan, Golub and LeVeque 1983), in double precision where the device has it: a root of
    what is rounded to eps is no smaller than sqrt(eps). Memory is d^2 numbers for d features.

    Examples
    --------
    >>> import torch
    >>> scatter = FeatureScatter()
    >>> for batch in torch.tensor([[1.0, 0.0], [-1.0, 0.0], [3.0, 0.0], [-3.0, 0.0]]).split(2):
    ...     scatter.update(batch)
    >>> scatter.singular_values().round(decimals=4)
    tensor([0.0000, 4.4721], dtype=torch.float64)
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean: torch.Tensor  # known once there are features
        self.scatter: torch.Tensor

    @torch.no_grad()
    def update(self, features: torch.Tensor) -> None:
        """Take in a batch.

        Parameters
        ----------
        features : Tensor of shape (n, ...)
            The features, which are flattened.
        """
        exact = torch.float32 if features.device.type == "mps" else torch.float64
        features = features.detach().flatten(1).to(exact)
        if len(features):
            mean = features.mean(0)
            centred = features - mean
            self.merge(len(features), mean, centred.T @ centred)

    def merge(self, n: int, mean: torch.Tensor, scatter: torch.Tensor) -> None:
        """Take in features that were summed up elsewhere.

        Parameters
        ----------
        n : int
            Their number; none does nothing.
        mean : Tensor of shape (n_features,)
            Their mean.
        scatter : Tensor of shape (n_features, n_features)
            Their scatter around it.
        """
        if not n:
            return
        if self.n:
            step = mean - self.mean
            share = n / (self.n + n)
            scatter = self.scatter + scatter + torch.outer(step, step) * (self.n * share)
            mean = self.mean + step * share
        self.n, self.mean, self.scatter = self.n + n, mean, scatter

    def sums(self) -> Any:
        """What `merge` takes, in the memory of the host: other processes have other devices.

        Returns
        -------
        n, mean, scatter : int, Tensor of shape (d,), Tensor of shape (d, d)
            Number, mean and scatter of the features; without features None for the tensors.
        """
        return (self.n, self.mean.cpu(), self.scatter.cpu()) if self.n else (0, None, None)

    def singular_values(self) -> torch.Tensor:
        """Singular values of the centred features so far, in increasing order.

        Returns
        -------
        Tensor of shape (n_features,)
            The values.
        """
        return torch.linalg.eigvalsh(self.scatter).clamp(min=0).sqrt()
