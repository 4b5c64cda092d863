"""The value of sparse optimal transport, with its derivatives (Liu et al. 2023)."""

from typing import Any

import numpy as np
import torch

from skreg.transport import sparse_transport, sparse_transport_batch

from ._envelope_gradient import Envelope, as_array

ROUNDING = 10.0  # difference of the sums of masses that counts as rounding, over their type's own


@torch.compiler.disable
def sparse_transport_value(
    a: torch.Tensor,
    b: torch.Tensor,
    C: torch.Tensor,
    *,
    max_nz: int,
    gamma: float = 1.0,
    tol: float = 1e-9,
    max_iter: int = 200,
) -> torch.Tensor:
    r"""Value of optimal transport with at most `max_nz` sources for every target.

    It is the minimum over the plans T with row sums a and column sums b of

    .. math:: \langle T, C \rangle
              + \frac{\gamma}{2} \sum_j \left(\|t_j\|_k^{sp}\right)^2,

    the convex envelope of the problem that :func:`skreg.transport.sparse_transport` describes and
    solves, on the CPU. By the envelope theorem, its derivative in C is the plan, and those in a and
    b are the potentials alpha and beta: nothing is differentiated through the solver.

    Parameters
    ----------
    a : Tensor of shape (n_sources,) or (..., n_sources)
        Masses of the sources, nonnegative.
    b : Tensor of shape (n_targets,) or (..., n_targets)
        Masses of the targets, positive, of the same sum.
    C : Tensor of shape (..., n_sources, n_targets)
        Costs of one problem, or of several.
    max_nz : int
        Largest number of sources of a target.
    gamma : float, default=1.0
        Strength of the quadratic term, in the unit of the costs times that of the masses.
    tol : float, default=1e-9
        Largest marginal error and largest gap.
    max_iter : int, default=200
        Largest number of proximal steps.

    Returns
    -------
    Tensor of shape (...)
        One value for each problem, of the type and on the device of C. It can be differentiated
        once; second derivatives are a RuntimeError.

    Raises
    ------
    ValueError
        If C is no matrix of floating-point numbers or a batch of such, if a or b do not fit it, and
        as by :func:`skreg.transport.sparse_transport`.

    Warns
    -----
    ConvergenceWarning
        If a plan's marginal error or gap is above `tol`.

    See Also
    --------
    skreg.transport.sparse_transport : The plan itself, for arrays.
    SparsityConstrainedRouter : Tokens sent to experts by such plans.

    Notes
    -----
    There are no plans between unequal masses, so that the value has derivatives only in directions
    that change both sums alike: a gradient can be any (alpha + c, beta - c). Returned is the
    shortest of them, for which a plain gradient step in a and b keeps their sums equal. Where a and
    b are softmaxes, or divided by their sums, the gradient of what they are made from does not
    depend on c.

    Where several plans or potentials are optimal, as with ties of costs, the gradient is a
    subgradient.

    Masses in less than double precision, whose sums differ by rounding, are brought to one sum.

    References
    ----------
    .. [1] T. Liu, J. Puigcerver, M. Blondel, "Sparsity-Constrained Optimal Transport", ICLR 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import sparse_transport_value
    >>> a, b = torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75])
    >>> C = torch.tensor([[0.0, 1.0], [1.0, 0.0]], requires_grad=True)
    >>> value = sparse_transport_value(a, b, C, max_nz=2)
    >>> value
    tensor(0.4375, grad_fn=<EnvelopeBackward>)
    >>> value.backward()
    >>> C.grad
    tensor([[0.2500, 0.2500],
            [0.0000, 0.5000]])
    """
    _check_shapes(a, b, C)
    batch, (n_sources, n_targets) = C.shape[:-2], C.shape[-2:]
    problems = (
        a.expand(*batch, n_sources).reshape(-1, n_sources),
        b.expand(*batch, n_targets).reshape(-1, n_targets),
        C.reshape(-1, n_sources, n_targets),
    )
    options: dict[str, Any] = {"max_nz": max_nz, "gamma": gamma, "tol": tol, "max_iter": max_iter}
    sources, targets, costs = map(as_array, problems)
    targets = _of_one_sum(sources, targets, ROUNDING * max(_rounding(a), _rounding(b)))
    if batch:
        results = sparse_transport_batch(sources, targets, costs, **options)
    else:
        results = [sparse_transport(sources[0], targets[0], costs[0], **options)]
    return Envelope.apply(*problems, results, batch)


def _check_shapes(a, b, C):
    if C.ndim < 2 or not C.is_floating_point():
        raise ValueError(
            "C must be floating-point numbers of shape (..., n_sources, n_targets), got "
            f"{C.dtype} of shape {tuple(C.shape)}"
        )
    for name, masses, size in (("a", a, C.shape[-2]), ("b", b, C.shape[-1])):
        if not masses.is_floating_point() or masses.shape not in ((size,), (*C.shape[:-2], size)):
            raise ValueError(
                f"{name} must be floating-point numbers of shape ({size},) or "
                f"{(*C.shape[:-2], size)} for C of shape {tuple(C.shape)}, got {masses.dtype} of "
                f"shape {tuple(masses.shape)}"
            )


def _rounding(masses):
    return torch.finfo(masses.dtype).eps if masses.dtype != torch.float64 else 0.0


def _of_one_sum(sources, targets, tolerance):
    """`targets` with the sums of `sources`, where they differ by at most `tolerance`, relative."""
    total = sources.sum(1, keepdims=True, dtype=np.float64)
    own = targets.sum(1, keepdims=True, dtype=np.float64)
    near = (np.abs(total - own) <= tolerance * total) & (own > 0.0)
    return targets * np.divide(total, own, out=np.ones_like(own), where=near)
