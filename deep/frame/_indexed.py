"""Data sets that tell each sample's stable number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import skorch.dataset
import skorch.utils
import torch
from numpy.typing import ArrayLike
from torch.utils.data import Dataset, Subset, default_collate

INPUTS, INDEX, WEIGHT = "inputs", "sample_index", "sample_weight"


class IndexedDataset(Dataset):
    """A data set whose inputs come with the sample's number, and its weight if there are any.

    The number is the position in the innermost data set, below any ``torch.utils.data.Subset``, so
    that it means the same sample however the data are split, shuffled or sharded.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Yields pairs of inputs and target. An `IndexedDataset`, or subsets of one, keep the numbers
        they have.
    sample_weight : array of shape (len(dataset),), optional
        Weights.
    index : array of shape (len(dataset),), optional
        The numbers, where positions will not do, e.g. for data that arrive in parts.
    first : int, default=0
        Number of the first sample of the innermost data set, if it is not an `IndexedDataset`.

    Attributes
    ----------
    index : ndarray of shape (len(dataset),), int64
        Number of each sample.
    n_samples : int
        One more than the greatest number that the innermost data set can have.

    Raises
    ------
    ValueError
        If an array has another length than `dataset`, or a number is negative.

    Examples
    --------
    >>> from torch.utils.data import Subset, TensorDataset
    >>> data = TensorDataset(torch.tensor([[0.1], [0.2], [0.3]]), torch.tensor([0, 1, 0]))
    >>> inputs, label = IndexedDataset(Subset(data, [2, 1]))[0]
    >>> inputs
    {'inputs': tensor([0.3000]), 'sample_index': 2}
    """

    def __init__(
        self,
        dataset: Any,
        sample_weight: ArrayLike | None = None,
        index: ArrayLike | None = None,
        first: int = 0,
    ) -> None:
        positions, root = _flatten(dataset)
        inherited = root if isinstance(root, IndexedDataset) else None
        self.dataset = _without_index(dataset)
        if index is None:
            index = first + positions if inherited is None else inherited.index[positions]
        self.index: np.ndarray = np.asarray(index, dtype=np.int64)
        if sample_weight is None and inherited is not None and inherited.sample_weight is not None:
            sample_weight = inherited.sample_weight[positions]
        self.sample_weight: Any = sample_weight
        for name in ("index", "sample_weight"):
            values = getattr(self, name)
            if values is not None and len(values) != len(dataset):
                raise ValueError(f"{name} has {len(values)} entries for {len(dataset)} samples")
        if len(self.index) and self.index.min() < 0:
            raise ValueError(f"index must not be negative, got {self.index.min()}")
        whole: int = first + len(root) if inherited is None else inherited.n_samples
        self.n_samples: int = max(whole, int(self.index.max(initial=-1)) + 1)

    @property
    def X(self) -> Any:
        """Inputs of all samples, where the data set holds them."""
        return skorch.utils.data_from_dataset(self.dataset)[0]

    @property
    def y(self) -> Any:
        """Targets of all samples, where the data set holds them."""
        return skorch.utils.data_from_dataset(self.dataset)[1]

    def __repr__(self):
        return f"IndexedDataset({type(self.dataset).__name__} of {len(self)} samples)"

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, i):
        inputs, y = self.dataset[i]
        return self._labelled(inputs, i), y

    def _labelled(self, inputs, i):
        labelled = {INPUTS: inputs, INDEX: int(self.index[i])}
        if self.sample_weight is not None:
            labelled[WEIGHT] = self.sample_weight[i]
        return labelled


class BatchReader(Dataset):
    """Yields whole batches of an `IndexedDataset` or subsets of it, for a ``DataLoader``.

    Batches of arrays are cut out in one piece, ten times as fast as sample by sample. Other
    samples are collated, and the numbers and weights are put beside the result.

    Parameters
    ----------
    dataset : IndexedDataset or torch.utils.data.Subset
        The data.
    collate : callable, optional
        What the user gave to collate pairs of inputs and target.
    """

    def __init__(self, dataset: Any, collate: Callable[..., Any] | None = None) -> None:
        self.positions, self.root = _flatten(dataset)
        self.collate = collate

    def __len__(self):
        return len(self.positions)

    def __getitem__(self, i):
        return self.root[self.positions[i]]

    def __getitems__(self, batch):
        positions, data = self.positions[batch], self.root.dataset
        if self.collate is None and _is_sliceable(data):
            inputs = torch.as_tensor(data.X[positions])
            y = data.y
            y = torch.zeros(len(positions), 1) if y is None else torch.as_tensor(y[positions])
        else:
            inputs, y = (self.collate or default_collate)([data[i] for i in positions])
        labelled = {INPUTS: inputs, INDEX: torch.from_numpy(self.root.index[positions])}
        if self.root.sample_weight is not None:
            labelled[WEIGHT] = torch.as_tensor(self.root.sample_weight[positions])
        return labelled, y


def as_it_is(batch):
    """What a ``DataLoader`` does to a batch that is collated already."""
    return batch


def is_indexed(dataset):
    """Whether it is an `IndexedDataset` or made of subsets of one."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return isinstance(dataset, IndexedDataset)


def _is_sliceable(dataset):
    array = (np.ndarray, torch.Tensor)
    return (
        type(dataset) is skorch.dataset.Dataset
        and isinstance(dataset.X, array)
        and (dataset.y is None or isinstance(dataset.y, array))
    )


def _flatten(dataset):
    """Positions in the data set below all subsets, and that data set."""
    if not isinstance(dataset, Subset):
        return np.arange(len(dataset)), dataset
    positions, root = _flatten(dataset.dataset)
    return positions[np.asarray(dataset.indices, dtype=np.int64)], root


def _without_index(dataset):
    if isinstance(dataset, IndexedDataset):
        return dataset.dataset
    if isinstance(dataset, Subset):
        return Subset(_without_index(dataset.dataset), dataset.indices)
    return dataset
