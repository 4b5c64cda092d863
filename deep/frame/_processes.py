"""What the processes of one training run tell each other.

Each function takes the process group of the run, and None for a process that trains alone: that
`torch.distributed` has a group says nothing about who trains together. All processes of the group
call a function in the same order.
"""

import math
from typing import Any

import torch
import torch.distributed as dist

INDEX_BYTES = torch.int64.itemsize


def gather_batches(
    index: torch.Tensor, rows: torch.Tensor, group: torch.distributed.ProcessGroup | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put together the batches of all processes, one after the other.

    Parameters
    ----------
    index : Tensor of shape (n,), int64
        Sample indices of this process; n may differ between processes.
    rows : Tensor of shape (n, ...)
        Their rows, of any type.
    group : torch.distributed.ProcessGroup, optional
        The processes; this one alone if None.

    Returns
    -------
    index, rows : Tensor of shape (N,), Tensor of shape (N, ...)
        Those of all processes, in the order of their ranks.
    """
    if group is None:
        return index, rows
    sizes = [int(part) for part in _gather(index.new_tensor(len(index)), group)]
    # As bytes, since no backend carries all types, and index and row go in one message.
    packed = torch.cat([_as_bytes(index), _as_bytes(rows)], 1)
    padded = packed.new_zeros(max(sizes), packed.shape[1])
    padded[: len(index)] = packed
    parts = _gather(padded, group)
    packed = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return (
        _from_bytes(packed[:, :INDEX_BYTES], index),
        _from_bytes(packed[:, INDEX_BYTES:], rows),
    )


def _as_bytes(rows):
    return rows.contiguous().reshape(len(rows), math.prod(rows.shape[1:])).view(torch.uint8)


def _from_bytes(packed, like):
    return packed.flatten().view(like.dtype).reshape(len(packed), *like.shape[1:])


def _gather(tensor, group):
    """Tensors of all processes, which have one shape."""
    gathered = [torch.empty_like(tensor) for _ in range(dist.get_world_size(group))]
    dist.all_gather(gathered, tensor, group=group)
    return gathered


def mean_over_processes(
    value: torch.Tensor, n: float, group: torch.distributed.ProcessGroup | None = None
) -> torch.Tensor:
    """Mean of the processes' values, weighted by their numbers of samples.

    Parameters
    ----------
    value : Tensor
        Mean over the samples of this process, of the same shape in all processes. It does not
        count if `n` is zero.
    n : int or float
        Number of samples of this process, or the sum of their weights.
    group : torch.distributed.ProcessGroup, optional
        The processes; this one alone if None.

    Returns
    -------
    Tensor
        The mean over the samples of all processes, the same in each, without gradient.
    """
    if group is None:
        return value.detach()
    precise = value.detach().to(torch.promote_types(value.dtype, torch.float32))
    total = precise * n if n else torch.zeros_like(precise)
    summed = torch.cat([total.flatten(), precise.new_tensor([n])])
    dist.all_reduce(summed, group=group)
    return (summed[:-1] / summed[-1]).reshape(value.shape).to(value.dtype)


def gather_objects(item: Any, group: torch.distributed.ProcessGroup | None = None) -> list[Any]:
    """Collect what each process has, in the order of their ranks.

    Parameters
    ----------
    item : object
        What this process has, which can be pickled.
    group : torch.distributed.ProcessGroup, optional
        The processes; this one alone if None.

    Returns
    -------
    list
        One entry for each process.
    """
    if group is None:
        return [item]
    items = [None] * dist.get_world_size(group)
    dist.all_gather_object(items, item, group=group)
    return items


def of_first_process(item: Any, group: torch.distributed.ProcessGroup | None = None) -> Any:
    """What the first process has.

    Parameters
    ----------
    item : object
        What this process has; that of the first can be pickled.
    group : torch.distributed.ProcessGroup, optional
        The processes; this one alone if None.

    Returns
    -------
    object
        The same in all processes.
    """
    if group is None:
        return item
    items = [item]
    dist.broadcast_object_list(items, src=dist.get_global_rank(group, 0), group=group)
    return items[0]
