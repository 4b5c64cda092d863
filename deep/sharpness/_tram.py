"""TRAM: sharpness-aware minimization with a measured trust region as its radius.

T. Sherborne, N. Saphra, P. Dasigi, H. Peng, "TRAM: Bridging Trust Regions and Sharpness Aware
Minimization", ICLR 2024.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ._sam import SAM, require_radius


class TRAM(SAM):
    r"""Trust-region-aware minimization: the radius is the distance the predictions have moved.

    The ascent step of a batch with trust-region distance d is (equation 7)

    .. math:: \epsilon = d \frac{\theta^2 \odot g}{\|\theta \odot g\|_2},

    large where the predictive distribution has moved, and zero where it has not. The distance is
    a constant in all derivatives. One step takes three forward and two backward passes.

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.
    distance : callable, optional
        ``distance()`` returns the distance of the batch; `step` calls it between the two passes.
        Not needed if you call `first_step` yourself.
    adaptive : bool, default=True
        Scale each coordinate by the size of its parameter; False gives
        :math:`\epsilon = d g / \|g\|_2`.
    adaptive_eps : float, default=0.0
        Added to :math:`|\theta|` in the adaptive form, so that zeros move as well.
    max_radius : float, optional
        Largest radius; by default there is none.
    module : torch.nn.Module, optional
        A module whose buffers (the running statistics of its batch normalisation) `step` leaves
        alone in the second pass.

    Raises
    ------
    ValueError
        If `max_radius` or `adaptive_eps` is negative or NaN.

    See Also
    --------
    TrustRegionDistance : The distances of the paper.

    References
    ----------
    .. [1] T. Sherborne et al., "TRAM: Bridging Trust Regions and Sharpness Aware Minimization",
       ICLR 2024.

    Examples
    --------
    A hand-written loop:

    >>> import torch
    >>> from skreg.deep.torch import TRAM, TrustRegionDistance
    >>> _ = torch.manual_seed(0)
    >>> model, loss = torch.nn.Linear(2, 3), torch.nn.CrossEntropyLoss()
    >>> optimizer = TRAM(torch.optim.Adam(model.parameters(), lr=0.01))
    >>> distance = TrustRegionDistance("initial").setup(model)
    >>> x, y = torch.randn(8, 2), torch.randint(3, (8,))
    >>> for _ in range(3):
    ...     optimizer.zero_grad()
    ...     logits = model(x)
    ...     loss(logits, y).backward()
    ...     d = distance(model, x, logits)
    ...     distance.update(model)
    ...     optimizer.first_step(d, zero_grad=True)
    ...     loss(model(x), y).backward()
    ...     optimizer.second_step()
    >>> bool(0 < d < 0.01)
    True
    """

    def __init__(
        self,
        base: torch.optim.Optimizer,
        distance: Callable[..., Any] | None = None,
        adaptive: bool = True,
        adaptive_eps: float = 0.0,
        max_radius: float | None = None,
        module: nn.Module | None = None,
    ) -> None:
        super().__init__(base, 0.0, adaptive, adaptive_eps, module)
        self.distance = distance
        self.max_radius = None if max_radius is None else require_radius("max_radius", max_radius)

    def first_step(
        self, distance: float | torch.Tensor | None = None, zero_grad: bool = False
    ) -> None:
        """Go uphill from the present parameters along their gradient.

        Parameters
        ----------
        distance : float or Tensor of shape (), optional
            The distance of the batch; by default what ``self.distance()`` returns.
        zero_grad : bool, default=False
            Clear the gradients afterwards.

        Raises
        ------
        RuntimeError
            If there is no distance, the parameters are uphill already, or a gradient is sparse.
        ValueError
            If `distance` is negative or NaN.
        """
        if distance is None:
            if self.distance is None:
                raise RuntimeError(
                    "TRAM needs the trust-region distance of the batch: first_step(distance), or "
                    "TRAM(base, distance=callable) with step(closure)"
                )
            distance = self.distance()
        radius = require_radius("distance", distance)
        if self.max_radius is not None:
            is_tensor = isinstance(radius, torch.Tensor)
            largest = self.max_radius
            radius = radius.clamp(max=largest) if is_tensor else min(radius, largest)
        self.ascend(radius)
        if zero_grad:
            self.zero_grad()
