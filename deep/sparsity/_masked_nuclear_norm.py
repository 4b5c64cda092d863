"""Low rank of the part of a network's weights that trains.

T. Hu, J. Zhang, R. Yi, H. Huang, Y. Wang, L. Ma, "SaRA: High-Efficient Diffusion Model Fine-tuning
with Progressive Sparse Low-Rank Adaptation", ICLR 2025.
"""

from typing import Literal, TypeAlias

import torch
from torch import nn

from ..frame._batches import check_choice, check_number, in_full_precision
from ..frame._settings import settings
from ._masks import masked_weights
from ._sparse_parameters import SparseEntries, trained_vector

Matrices: TypeAlias = list[tuple[SparseEntries, torch.Tensor]]


class MaskedNuclearNorm(nn.Module):
    r"""Penalty on the rank of the trained entries of matrices, in SaRA.

    .. math:: \lambda \, \| P \odot M \|_*

    the sum of the singular values of a weight with zeros in place of all entries that do not train
    (section 4.2 of the paper). Its gradient is :math:`(U V^\top) \odot M`, of the singular vectors
    of the singular values that are not zero. It is the matrix itself, not its change, that gets a
    low rank. Decompositions are computed in single precision at least.

    Parameters
    ----------
    lambda_rank : float, default=5e-3
        Strength :math:`\lambda`. The paper's appendix has this value, the authors' script 5e-4.
    min_dim : int, default=64
        Only matrices whose numbers of rows and columns are both above it are penalized.
    min_count : int, default=100
        So must be the number of the entries chosen in the matrix.
    sampling : {"random", "all"}, default="random"
        Whether each call takes one matrix at random, with its norm as it is, as the authors do: the
        mean penalty is then that of all of them, over their number; or the sum over all of them.
    generator : torch.Generator, optional
        Source of random numbers, on the CPU; by default torch's own.

    Raises
    ------
    ValueError
        If a number is negative, or `sampling` unknown.

    References
    ----------
    .. [1] T. Hu et al., "SaRA: High-Efficient Diffusion Model Fine-tuning with Progressive Sparse
       Low-Rank Adaptation", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import MaskedNuclearNorm, SparseParameters
    >>> layer = torch.nn.Linear(2, 2, bias=False)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, -4.0]]))
    >>> sparse = SparseParameters(layer, fraction=1.0)
    >>> norm = MaskedNuclearNorm(1.0, min_dim=1, min_count=0)
    >>> round(norm(layer).item(), 3)
    7.0
    """

    extra_repr = settings

    def __init__(
        self,
        lambda_rank: float = 5e-3,
        *,
        min_dim: int = 64,
        min_count: int = 100,
        sampling: Literal["random", "all"] = "random",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_number("lambda_rank", lambda_rank, 0)
        check_number("min_dim", min_dim, 0)
        check_number("min_count", min_count, 0)
        check_choice("sampling", sampling, ("random", "all"))
        self.lambda_rank = lambda_rank
        self.min_dim = min_dim
        self.min_count = min_count
        self.sampling = sampling
        self.generator = generator

    def forward(self, module: nn.Module) -> torch.Tensor:
        """Value of the penalty, to add to the loss.

        Parameters
        ----------
        module : torch.nn.Module
            A network, of which `SparseParameters` has chosen entries.

        Returns
        -------
        Tensor of shape ()
            The penalty; zero if there is no such matrix.
        """
        return self.of(self.draw(module))

    def draw(self, module: nn.Module) -> Matrices:
        """Choose the matrices that a call penalizes.

        Parameters
        ----------
        module : torch.nn.Module
            The network.

        Returns
        -------
        list of (SparseEntries, Parameter)
            One matrix or all of them; none if there is no such matrix.
        """
        there: Matrices = [
            (entries, trained_vector(weight))
            for weight, entries in masked_weights(module, SparseEntries)
            if self._is_penalized(entries)
        ]
        if self.sampling == "all" or not there:
            return there
        return [there[int(torch.randint(len(there), (), generator=self.generator))]]

    def of(self, matrices: Matrices) -> torch.Tensor:
        """Penalty of given matrices.

        Parameters
        ----------
        matrices : list of (SparseEntries, Parameter)
            Matrices, as of `draw`.

        Returns
        -------
        Tensor of shape ()
            The sum of their norms times the strength.
        """
        norms = [nuclear_norm(entries.trained_part(values)) for entries, values in matrices]
        return self.lambda_rank * (torch.stack(norms).sum() if norms else torch.zeros(()))

    def _is_penalized(self, entries):
        shape = entries.frozen.shape
        is_large = len(shape) == 2 and min(shape) > self.min_dim
        return is_large and len(entries.index) > self.min_count


def nuclear_norm(matrix: torch.Tensor) -> torch.Tensor:
    """Sum of the singular values, of which those that are zero up to rounding have no gradient."""
    with torch.autocast(matrix.device.type, enabled=False):
        singular = torch.linalg.svdvals(in_full_precision(matrix))
    rounding = torch.finfo(singular.dtype).eps * max(matrix.shape)
    return torch.where(singular > rounding * singular.detach().amax(), singular, 0.0).sum()
