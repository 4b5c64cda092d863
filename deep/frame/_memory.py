"""Rows of numbers that belong to samples, not to batches."""

import torch
import torch.distributed as dist
from torch import nn


class SampleMemory(nn.Module):
    """One row for each training sample, read and written by sample index.

    Under ``torch.distributed`` every process holds all rows: `write` exchanges the batches of
    all processes first, so that the memory is the same as that of one process which sees the
    batches together.

    Parameters
    ----------
    n_samples, n_columns : int, default=0
        Shape; `allocate` can give it later.
    dtype : torch.dtype, default=torch.float32
        Type of the numbers. Reading and writing convert.

    Attributes
    ----------
    values : Tensor of shape (n_samples, n_columns)
        The rows, zero until written.
    written : Tensor of shape (n_samples,), bool
        Which rows have been written.

    Raises
    ------
    ValueError
        If a size is negative.

    Examples
    --------
    >>> memory = SampleMemory(n_samples=4, n_columns=1)
    >>> memory.write(torch.tensor([2, 0]), torch.tensor([[0.5], [0.25]]))
    >>> memory.read(torch.tensor([0, 1, 2])).squeeze(1)
    tensor([0.2500, 0.0000, 0.5000])
    >>> memory.seen(torch.tensor([0, 1, 2]))
    tensor([ True, False,  True])
    """

    values: torch.Tensor
    written: torch.Tensor

    def __init__(self, n_samples=0, n_columns=0, dtype=torch.float32):
        super().__init__()
        if n_samples < 0 or n_columns < 0:
            raise ValueError(f"sizes must not be negative, got {n_samples} and {n_columns}")
        self.register_buffer("values", torch.zeros(n_samples, n_columns, dtype=dtype))
        self.register_buffer("written", torch.zeros(n_samples, dtype=torch.bool))

    def allocate(self, n_samples, n_columns, like=None):
        """Make room, keeping rows that are there. Costs nothing if there is room already.

        Parameters
        ----------
        n_samples : int
            Number of rows needed.
        n_columns : int
            Number of columns.
        like : Tensor, optional
            A tensor on the device to use; by default the memory stays where it is.

        Returns
        -------
        SampleMemory
            This memory.

        Raises
        ------
        ValueError
            If rows are there that have another number of columns.
        """
        if like is not None and like.device != self.values.device:
            self.to(like.device)
        rows, columns = self.values.shape
        if rows >= n_samples and columns == n_columns:
            return self
        if rows and columns != n_columns:
            raise ValueError(f"the memory has {columns} columns, not {n_columns}")
        values = self.values.new_zeros(max(rows, n_samples), n_columns)
        written = self.written.new_zeros(len(values))
        if rows:
            values[:rows], written[:rows] = self.values, self.written
        self.values, self.written = values, written
        return self

    def read(self, index):
        """Rows of the given samples.

        Parameters
        ----------
        index : Tensor of shape (n,), int64
            Sample indices.

        Returns
        -------
        Tensor of shape (n, n_columns)
            A copy, zero for samples that were never written.
        """
        return self.values[index]

    def seen(self, index):
        """Whether the given samples have been written.

        Parameters
        ----------
        index : Tensor of shape (n,), int64
            Sample indices.

        Returns
        -------
        Tensor of shape (n,), bool
            True for those that have.
        """
        return self.written[index]

    @torch.no_grad()
    def write(self, index, rows):
        """Replace the rows of the given samples, in all processes.

        Parameters
        ----------
        index : Tensor of shape (n,), int64
            Sample indices. A sample that occurs twice keeps one of its rows.
        rows : Tensor of shape (n, n_columns)
            The new rows.

        Raises
        ------
        ValueError
            If the shapes do not match.
        """
        if rows.shape != (len(index), self.values.shape[1]):
            raise ValueError(
                f"rows must have shape ({len(index)}, {self.values.shape[1]}), "
                f"got {tuple(rows.shape)}"
            )
        index, rows = gather_batches(index, rows.to(self.values.dtype))
        self.values[index] = rows
        self.written[index] = True

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        stored = state_dict.get(f"{prefix}values")
        if stored is not None:
            self.values = self.values.new_zeros(stored.shape)
            self.written = self.written.new_zeros(len(stored))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def gather_batches(index, rows):
    """The batches of all processes, one after the other; the same if there is one process.

    Parameters
    ----------
    index : Tensor of shape (n,)
        Sample indices of this process; n may differ between processes.
    rows : Tensor of shape (n, n_columns)
        Their rows.

    Returns
    -------
    index, rows : Tensor of shape (N,), Tensor of shape (N, n_columns)
        Those of all processes, in the order of their ranks.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return index, rows
    sizes = index.new_empty(dist.get_world_size())
    dist.all_gather_into_tensor(sizes, index.new_tensor([len(index)]))
    sizes = sizes.tolist()
    padding = max(sizes) - len(index)
    index = nn.functional.pad(index, (0, padding))
    rows = nn.functional.pad(rows, (0, 0, 0, padding))
    all_index = [torch.empty_like(index) for _ in sizes]
    all_rows = [torch.empty_like(rows) for _ in sizes]
    dist.all_gather(all_index, index.contiguous())
    dist.all_gather(all_rows, rows.contiguous())
    return (
        torch.cat([part[:size] for part, size in zip(all_index, sizes, strict=True)]),
        torch.cat([part[:size] for part, size in zip(all_rows, sizes, strict=True)]),
    )
