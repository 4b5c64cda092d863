"""The pattern N:M: the n largest of every m successive entries."""

from numbers import Integral

import torch

BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def nm_mask(weight: torch.Tensor, n: int, m: int, dim: int = 1) -> torch.Tensor:
    """Entries of a tensor that are the n of largest absolute value among m successive ones.

    Of equal values the later one is kept, so that a mask is always the same, and has exactly n
    entries in each group; NaN counts as the largest.

    Parameters
    ----------
    weight : Tensor
        Floating-point numbers, for example the weight of a layer.
    n : int
        Entries to keep in each group.
    m : int
        Size of a group.
    dim : int, default=1
        Axis along which groups lie, the inputs of a linear layer or a convolution.

    Returns
    -------
    Tensor of bool, of the shape of the weight
        True where the entry is kept.

    Raises
    ------
    ValueError
        Unless 1 <= n <= m, and m divides the length of the axis.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import nm_mask
    >>> nm_mask(torch.tensor([[1.0, -3.0, 2.0, 0.5, 0.1, 0.2, -0.3, 0.4]]), 2, 4).int()
    tensor([[0, 1, 1, 0, 0, 0, 1, 1]], dtype=torch.int32)
    """
    return mask_along(weight, n, m, _axis(weight, n, m, dim))


def is_nm_sparse(weight: torch.Tensor, n: int, m: int, dim: int = 1) -> bool:
    """Whether at most n of each m successive entries are not zero.

    Parameters
    ----------
    weight : Tensor
        The tensor.
    n : int
        Number of entries that may differ from zero.
    m : int
        Size of a group.
    dim : int, default=1
        Axis along which groups lie.

    Returns
    -------
    bool
        Whether the pattern holds.

    Raises
    ------
    ValueError
        As for `nm_mask`.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import is_nm_sparse
    >>> is_nm_sparse(torch.tensor([[0.0, 1.0, 2.0, 0.0]]), 2, 4)
    True
    """
    used = weight.detach() != 0
    return bool((_groups(used, m, _axis(weight, n, m, dim)).sum(0) <= n).all())


def nm_project(weight: torch.Tensor, n: int, m: int, dim: int = 1) -> torch.Tensor:
    """The nearest tensor that has the pattern: zeros outside of `nm_mask`.

    Parameters
    ----------
    weight : Tensor
        Floating-point numbers.
    n : int
        Entries to keep in each group.
    m : int
        Size of a group.
    dim : int, default=1
        Axis along which groups lie.

    Returns
    -------
    Tensor of the same shape
        The projection.

    Raises
    ------
    ValueError
        As for `nm_mask`.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import nm_project
    >>> nm_project(torch.tensor([[1.0, -3.0, 2.0, 0.5]]), 2, 4)
    tensor([[ 0., -3.,  2.,  0.]])
    """
    return torch.where(nm_mask(weight, n, m, dim), weight, 0.0)


def _axis(weight, n, m, dim):
    """The axis of the groups, counted from the front, after all arguments were checked."""
    check_pattern(n, m)
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        kind = weight.dtype if isinstance(weight, torch.Tensor) else type(weight).__name__
        raise ValueError(f"weight must be a Tensor of floating-point numbers, got {kind}")
    if not isinstance(dim, int) or not -weight.ndim <= dim < weight.ndim:
        raise ValueError(f"dim must be an axis of the weight, which has {weight.ndim}, got {dim!r}")
    dim = dim % weight.ndim
    if weight.shape[dim] % m:
        raise ValueError(
            f"axis {dim} of the weight of shape {tuple(weight.shape)} has {weight.shape[dim]} "
            f"entries, which groups of m={m} do not divide"
        )
    return dim


def check_pattern(n, m):
    """Raise ValueError unless n and m are whole numbers with 1 <= n <= m."""
    whole = all(isinstance(number, Integral) and not isinstance(number, bool) for number in (n, m))
    if not whole or not 1 <= n <= m:
        raise ValueError(f"n and m must be whole numbers with 1 <= n <= m, got n={n!r}, m={m!r}")


def _groups(values, m, dim):
    """The entries with the place in their group as the first axis."""
    return values.unflatten(dim, (values.shape[dim] // m, m)).movedim(dim + 1, 0)


def mask_along(weight, n, m, dim):
    """`nm_mask` of arguments that are known to be right."""
    if n == m:
        return torch.ones_like(weight, dtype=torch.bool)
    sizes = _groups(weight.detach().abs(), m, dim).contiguous()
    # numbers that are not negative are in the order of their bits, NaN after all others
    largest = _largest(sizes.view(BITS[sizes.element_size()]), n)
    return largest.movedim(0, dim + 1).flatten(dim, dim + 1)


def _largest(keys, n):
    """Mask of the n largest integers along the first axis, of equal ones the later.

    Sorting, or torch's own selection, costs several times as much on groups so short.
    """
    m = len(keys)
    if 2 * n > m:  # those that are left are the smallest: ~ turns the order round
        return ~_largest(~keys.flip(0), m - n).flip(0)
    threshold = _at_rank(keys, n)
    above, equal = keys > threshold, keys == threshold
    room = n - above.sum(0, dtype=torch.int16)
    from_the_end = equal.flip(0).cumsum(0, dtype=torch.int16).flip(0)
    return above | (equal & (from_the_end <= room))


def _at_rank(keys, n):
    """The n-th largest along the first axis."""
    if n == 1:
        return keys.amax(0)
    best: list[torch.Tensor] = []
    for key in keys:
        for rank, better in enumerate(best):
            best[rank], key = torch.maximum(better, key), torch.minimum(better, key)
        if len(best) < n:
            best.append(key)
    return best[-1]
