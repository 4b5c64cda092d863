"""Fine-tuning of the smallest weights of a network in any training loop: SaRA.

T. Hu, J. Zhang, R. Yi, H. Huang, Y. Wang, L. Ma, "SaRA: High-Efficient Diffusion Model Fine-tuning
with Progressive Sparse Low-Rank Adaptation", ICLR 2025.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import nn

from ..frame._batches import check_number
from ..frame._optimizer import OptimizerWrapper
from ._masked_nuclear_norm import MaskedNuclearNorm
from ._sparse_parameters import Names, SparseParameters

STEPS = "steps_of_sara"


def sara_learning_rate(threshold: float) -> float:
    r"""Learning rate for a threshold of SaRA.

    .. math:: \eta = 10^{-3} \, e^{-350 \, \theta}                           \qquad (12)

    It was fitted to Stable Diffusion 1.5: for networks whose weights are of another size it means
    nothing.

    Parameters
    ----------
    threshold : float
        The threshold :math:`\theta`.

    Returns
    -------
    float
        The learning rate.

    Examples
    --------
    >>> from skreg.deep.torch import sara_learning_rate
    >>> f"{sara_learning_rate(2e-3):.4e}"
    '4.9659e-04'
    """
    check_number("threshold", threshold, 0, above=True)
    return 1e-3 * math.exp(-350 * threshold)


class SaRA(OptimizerWrapper):
    r"""Optimizer that trains only the smallest entries of a pretrained network.

    It chooses the entries by `SparseParameters`, makes the base optimizer of them, adds the
    gradient of `MaskedNuclearNorm` in each step (after clipping and unscaling, as the authors do),
    and once fixes those entries that have grown beyond the threshold, keeping what the base
    optimizer knows of the others.

    Parameters
    ----------
    module : torch.nn.Module
        The pretrained network, parametrized in place.
    base : callable, default=torch.optim.AdamW
        Makes the optimizer, ``base(parameters, lr=lr)``. Weight decay acts on the entries that
        train only.
    threshold, fraction : float, optional
        Which entries train, as for `SparseParameters`, as are the next three.
    scope : {"global", "tensor"}, default="global"
        Whether the fraction is one of all entries, or of each parameter's.
    parameters : str, list of str or callable, default="*"
        Parameters in which entries may be chosen.
    dense : str, list of str or callable, default=()
        Parameters that train as a whole.
    lr : float, optional
        Learning rate; by default that of `sara_learning_rate`, which is for a threshold only.
    lambda_rank : float, default=5e-3
        Strength of the penalty, as for `MaskedNuclearNorm`, as are the next two.
    min_dim : int, default=64
        Only matrices whose numbers of rows and columns are both above it are penalized.
    sampling : {"random", "all"}, default="random"
        Whether each step takes one matrix, or all of them.
    total_steps : int, optional
        Number of steps of the training.
    progressive_at : float or None, default=0.5
        Share of `total_steps`, in (0, 1), after which entries that are still below the threshold
        go on alone; None lets all of them train to the end.

    Attributes
    ----------
    sparse : SparseParameters
        The chosen entries: ``sparse.patch()`` and ``sparse.remove()`` when training is over.

    Raises
    ------
    ValueError
        If `lr` is not given for a fraction, `total_steps` not for `progressive_at`, or as
        `SparseParameters`.

    References
    ----------
    .. [1] T. Hu et al., "SaRA: High-Efficient Diffusion Model Fine-tuning with Progressive Sparse
       Low-Rank Adaptation", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import SaRA
    >>> net = torch.nn.Linear(8, 2)
    >>> optimizer = SaRA(net, fraction=0.25, lr=1e-3, total_steps=10)
    >>> for _ in range(10):
    ...     optimizer.zero_grad()
    ...     net(torch.ones(4, 8)).square().sum().backward()
    ...     _ = optimizer.step()
    >>> net = optimizer.sparse.remove()
    """

    def __init__(
        self,
        module: nn.Module,
        base: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
        *,
        threshold: float | None = None,
        fraction: float | None = None,
        scope: Literal["global", "tensor"] = "global",
        parameters: Names = "*",
        dense: Names = (),
        lr: float | None = None,
        lambda_rank: float = 5e-3,
        min_dim: int = 64,
        sampling: Literal["random", "all"] = "random",
        total_steps: int | None = None,
        progressive_at: float | None = 0.5,
    ) -> None:
        self.reselects_after = _step_of_reselection(progressive_at, total_steps)
        self.rank = MaskedNuclearNorm(lambda_rank, min_dim=min_dim, sampling=sampling)
        if lr is None and fraction is not None:
            raise ValueError(
                "lr must be given with fraction: the rule of the paper is for a threshold"
            )
        self.sparse = SparseParameters(
            module,
            threshold=threshold,
            fraction=fraction,
            scope=scope,
            parameters=parameters,
            dense=dense,
        )
        rate = sara_learning_rate(float(threshold or 0.0)) if lr is None else lr
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        super().__init__(base(trained, lr=rate))
        self.param_groups[0].setdefault(STEPS, 0)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Add the gradient of the penalty, and let the base optimizer step.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, evaluates the loss, fills in the gradients, returns the loss.

        Returns
        -------
        Tensor or None
            The loss that the closure returned.
        """

        if closure is None:
            self._add_gradient()
            loss = self.base.step()
        else:
            loss = self.base.step(functools.partial(self._penalized, closure))
        self._count()
        return loss

    def _penalized(self, closure):
        loss = closure()
        self._add_gradient()
        return loss

    def _add_gradient(self):
        with torch.enable_grad():
            penalty = self.rank(self.sparse.module)
            if penalty.requires_grad:
                penalty.backward()

    def _count(self):
        """Count a step, in the group so that ``state_dict`` has it, and reselect in time."""
        group = self.param_groups[0]
        group[STEPS] += 1
        if group[STEPS] == self.reselects_after:
            self.sparse.reselect()


def _step_of_reselection(progressive_at, total_steps):
    if progressive_at is None:
        return None
    check_number("progressive_at", progressive_at, 0, 1, above=True, below=True)
    if total_steps is None:
        raise ValueError(
            f"total_steps must be given for progressive_at={progressive_at!r}; or give "
            "progressive_at=None to let all entries train to the end"
        )
    check_number("total_steps", total_steps, 1)
    return max(1, round(progressive_at * total_steps))
