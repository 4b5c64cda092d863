"""Rows of numbers that belong to samples, not to batches."""

from numbers import Integral
from typing import Self

import torch
from torch import nn

from ._processes import gather_batches
from ._settings import settings

GROWTH = 1.5


class SampleMemory(nn.Module):
    """One row for each training sample, read and written by sample index.

    With a `process_group`, every process of the group holds all rows: `write` exchanges the
    batches of all first, so that the memory is the same as that of one process which sees the
    batches together. Reading and writing do not wait for the device, but for the exchange.

    Parameters
    ----------
    n_samples : int, default=0
        Number of rows; `allocate` can give more later.
    row_shape : int or tuple of int, default=0
        Shape of a row, ``()`` for a single number, k for ``(k,)``. A memory without rows gets
        its row shape from `allocate`.
    dtype : torch.dtype, default=torch.float32
        Type of the numbers. Writing converts.

    Attributes
    ----------
    values : Tensor of shape `(n_samples, *row_shape)`
        The rows, zero until written. In ``state_dict``.
    written : Tensor of shape (n_samples,), bool
        Which rows have been written. In ``state_dict``.
    process_group : torch.distributed.ProcessGroup or None
        The processes that train together, None for this one alone. `skreg.deep.AccelerateMixin`
        sets it while it trains; in a loop of your own, write
        ``memory.process_group = torch.distributed.group.WORLD``. Copies and pickles have None.

    Raises
    ------
    ValueError
        If a size is negative.

    Examples
    --------
    >>> memory = SampleMemory(n_samples=4, row_shape=1)
    >>> memory.write(torch.tensor([2, 0]), torch.tensor([[0.5], [0.25]]))
    >>> memory.read(torch.tensor([0, 1, 2])).squeeze(1)
    tensor([0.2500, 0.0000, 0.5000])
    >>> memory.seen(torch.tensor([0, 1, 2]))
    tensor([ True, False,  True])
    """

    extra_repr = settings

    def __init__(
        self,
        n_samples: int = 0,
        row_shape: int | tuple[int, ...] = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        shape = _as_shape(row_shape)
        if n_samples < 0 or min(shape, default=0) < 0:
            raise ValueError(
                f"sizes must not be negative, got n_samples={n_samples}, row_shape={shape}"
            )
        self.process_group = None
        self.n_samples = n_samples
        # With room for more rows than n_samples; `state_dict` holds the rows that are in use.
        for name, buffer in (
            ("_values", torch.zeros(n_samples, *shape, dtype=dtype)),
            ("_written", torch.zeros(n_samples, dtype=torch.bool)),
            ("_position", torch.zeros(n_samples, dtype=torch.int64)),
        ):
            self.register_buffer(name, buffer, persistent=False)

    @property
    def values(self) -> torch.Tensor:
        """The rows."""
        return self._values[: self.n_samples]

    @property
    def written(self) -> torch.Tensor:
        """Which rows have been written."""
        return self._written[: self.n_samples]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of a row, a tuple."""
        return tuple(self._values.shape[1:])

    def allocate(
        self, n_samples: int, row_shape: int | tuple[int, ...], like: torch.Tensor | None = None
    ) -> Self:
        """Make room, keeping rows that are there. Costs nothing if there is room already.

        Rows that come a few at a time cost no more than rows that come at once.

        Parameters
        ----------
        n_samples : int
            Number of rows needed.
        row_shape : int or tuple of int
            Shape of a row.
        like : Tensor, optional
            A tensor on the device to use; by default the memory stays where it is.

        Returns
        -------
        SampleMemory
            This memory.

        Raises
        ------
        ValueError
            If rows are there that have another shape.
        """
        if like is not None and like.device != self._values.device:
            self.to(like.device)
        shape = _as_shape(row_shape)
        if self.n_samples and shape != self.row_shape:
            raise ValueError(f"the memory has rows of shape {self.row_shape}, not {shape}")
        n_samples = max(n_samples, self.n_samples)
        if n_samples > len(self._values) or shape != self.row_shape:
            capacity = max(n_samples, int(GROWTH * self.n_samples))
            values = self._values.new_zeros(capacity, *shape)
            written = self._written.new_zeros(capacity)
            if self.n_samples:
                values[: self.n_samples] = self.values
                written[: self.n_samples] = self.written
            self._put(values, written)
        self.n_samples = n_samples
        return self

    def _put(self, values, written):
        self._values, self._written = values, written
        self._position = torch.zeros_like(written, dtype=torch.int64)

    def read(self, index: torch.Tensor) -> torch.Tensor:
        """Rows of the given samples.

        Parameters
        ----------
        index : Tensor of shape (n,), int64
            Sample indices.

        Returns
        -------
        Tensor of shape `(n, *row_shape)`
            A copy, zero for samples that were never written.
        """
        return self.values[index]

    def seen(self, index: torch.Tensor) -> torch.Tensor:
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
    def write(self, index: torch.Tensor, rows: torch.Tensor) -> None:
        """Replace the rows of the given samples, in all processes of the group.

        Parameters
        ----------
        index : Tensor of shape (n,), int64
            Sample indices. A sample that occurs several times keeps the last of its rows; those
            of a later process are later.
        rows : Tensor of shape `(n, *row_shape)`
            The new rows.

        Raises
        ------
        ValueError
            If the shapes do not match.
        """
        expected = (len(index), *self.row_shape)
        if rows.shape != expected:
            raise ValueError(f"rows must have shape {expected}, got {tuple(rows.shape)}")
        index, rows = gather_batches(index, rows.to(self._values.dtype), self.process_group)
        self.values[index] = rows[self._last_of_each(index)]
        self.written[index] = True

    def _last_of_each(self, index):
        """Position of the last occurrence of each entry, found on the device.

        With the same row at all occurrences, the order in which they are written does not matter.
        """
        position = torch.arange(len(index), device=index.device)
        self._position[index] = 0
        return self._position.scatter_reduce_(0, index, position, "amax")[index]

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[f"{prefix}values"] = self.values
        destination[f"{prefix}written"] = self.written

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, errors
    ):
        own = {f"{prefix}values", f"{prefix}written"}
        others = {key: value for key, value in state_dict.items() if key not in own}
        super()._load_from_state_dict(
            others, prefix, local_metadata, strict, missing_keys, unexpected_keys, errors
        )
        missing_keys += sorted(own - state_dict.keys())
        if own <= state_dict.keys():
            self._put(
                state_dict[f"{prefix}values"].to(self._values, copy=True),
                state_dict[f"{prefix}written"].to(self._written, copy=True),
            )
            self.n_samples = len(self._values)

    def __getstate__(self):
        return {**self.__dict__, "process_group": None}


def _as_shape(row_shape):
    return (row_shape,) if isinstance(row_shape, Integral) else tuple(row_shape)
