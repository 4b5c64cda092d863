"""Inputs as users bring them: arrays, frames, tensors, dicts of arrays and torch data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import skorch.dataset
import torch
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite
from torch import nn
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

from ..frame._indexed import IndexedDataset

COLOURS = (1, 3, 4)  # numbers of channels that an image for the eye has


def as_array(data):
    """The data as something that scikit-learn validates; tensors come from their device."""
    return data.detach().cpu().numpy() if isinstance(data, torch.Tensor) else data


def is_one_array(X):
    """Whether scikit-learn can validate it: it is neither a dict of arrays nor a data set."""
    return issparse(X) or not isinstance(X, Mapping | Dataset)  # some sparse matrices are dicts


def unpacked(X: Any, y: Any) -> Any:
    """Arrays instead of tensors, dicts of tensors, and of data sets that hold arrays.

    Targets that are given go before those that a data set holds.
    """
    if isinstance(X, IterableDataset):
        raise ValueError(
            "an IterableDataset has neither a length nor numbers of samples: give a Dataset with "
            "__len__ and __getitem__, or train a RegularizedNetClassifier or "
            "RegularizedNetRegressor with it"
        )
    if isinstance(X, IndexedDataset):
        raise ValueError("give the data of an IndexedDataset, and its numbers as sample_index")
    if isinstance(X, Dataset):
        if not n_rows(X):
            raise ValueError("X is a data set without samples")
        held = _arrays_of(X)
        if held is not None:
            return unpacked(held[0], held[1] if y is None else y)
        return X, as_array(_targets_of(X) if y is None else y)
    if not is_one_array(X):
        X = {key: np.asarray(as_array(values)) for key, values in X.items()}
    return as_array(X), as_array(y)


def _arrays_of(dataset):
    """Inputs and targets of a data set that is made of arrays, otherwise None."""
    if isinstance(dataset, Subset):
        held = _arrays_of(dataset.dataset)
        rows = np.asarray(dataset.indices, dtype=np.int64)
        return held and tuple(None if part is None else take(part, rows) for part in held)
    if type(dataset) is TensorDataset and len(dataset.tensors) <= 2:
        return (*map(as_array, dataset.tensors), None)[:2]
    if type(dataset) is skorch.dataset.Dataset and hasattr(dataset.X, "__array__"):
        return as_array(dataset.X), as_array(dataset.y)
    return None


def _targets_of(dataset):
    """The targets of all samples, None if the samples are inputs only."""
    samples = [dataset[i] for i in range(len(dataset))]
    if not all(isinstance(sample, tuple | list) and len(sample) == 2 for sample in samples):
        return None
    return np.stack([np.asarray(as_array(y)) for _, y in samples])


def inputs_of(sample):
    """The inputs of a sample of a data set, which may come with a target."""
    if not isinstance(sample, tuple | list):
        return sample
    if len(sample) > 2:
        raise ValueError(
            "samples of a data set must be inputs, or pairs of inputs and target, got "
            f"{len(sample)} parts: put several inputs into a dict"
        )
    return sample[0]


def n_rows(X):
    """Number of samples."""
    return len(next(iter(X.values()), ())) if isinstance(X, Mapping) else len(X)


def take(X, rows):
    """Some samples."""
    if isinstance(X, Mapping):
        return {key: values[rows] for key, values in X.items()}
    if isinstance(X, Dataset):
        return Subset(X, rows)
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def check_parts(X):
    """Raise ValueError unless a dict holds finite arrays of equal length."""
    if not isinstance(X, Mapping):
        return
    lengths = {values.shape[:1] for values in X.values()}
    if len(lengths) != 1 or lengths & {(), (0,)}:
        raise ValueError(
            "the arrays of X must have the same number of rows, one or more, got shapes "
            f"{ {key: values.shape for key, values in X.items()} }"
        )
    for key, values in X.items():
        assert_all_finite(values, input_name=f"X[{key!r}]")


def form_of(X):
    """Shape of a sample, by key for a dict; None for what has no shape."""
    if isinstance(X, Mapping):
        return {key: values.shape[1:] for key, values in X.items()}
    if isinstance(X, Dataset):
        sample = inputs_of(X[0])
        if isinstance(sample, Mapping):
            return {key: tuple(np.shape(value)) for key, value in sample.items()}
        return tuple(sample.shape) if hasattr(sample, "shape") else None
    return X.shape[1:]


def has_channels_last(shape):
    """Whether images of a shape (n, ., ., .) have their channels at the end.

    Torch puts channels first, cameras and file formats last. Images for the eye have one, three
    or four channels; where that does not decide, nothing is guessed.
    """
    first, last = shape[1] in COLOURS, shape[3] in COLOURS
    square_if_first = shape[2] == shape[3]
    if last and (first or square_if_first):
        raise ValueError(
            f"images of shape {shape} may be (n, channels, height, width) or (n, height, width, "
            "channels): give module=SmallCNN for the first, and for the second also "
            "np.moveaxis(X, 3, 1)"
        )
    return last


def takes_tokens(module):
    """Whether a module looks integers up in a table."""
    return any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in module.modules())


def converted(values, dtype, name):
    """The values in another type, if they fit into it."""
    with np.errstate(over="ignore"):
        values = values.astype(dtype, copy=False)
    assert_all_finite(values, input_name=name)
    return values


class Conversion(NamedTuple):
    """What becomes of numbers on their way into the module.

    Attributes
    ----------
    dtype : str
        Type that they get.
    keeps_integers : bool
        Whether integers remain integers.
    """

    dtype: str
    keeps_integers: bool

    def __call__(self, values, name="X"):
        """Convert arrays, or a dict of arrays."""
        if isinstance(values, Mapping):  # torch collates the rows, and rejects read-only memory
            return {
                key: np.require(self(part, f"X[{key!r}]"), requirements="W")
                for key, part in values.items()
            }
        if self.keeps_integers and values.dtype.kind in "iu":
            return values.astype(np.int64, copy=False)
        return converted(values, self.dtype, name)

    def of_sample(self, values):
        """Convert the inputs of one sample; what holds no numbers stays as it is."""
        if isinstance(values, Mapping):
            return {key: self.of_sample(part) for key, part in values.items()}
        if not isinstance(values, np.ndarray | np.generic | torch.Tensor | int | float):
            return values
        values = values if isinstance(values, torch.Tensor) else torch.tensor(values)
        stays = self.keeps_integers and not (values.is_floating_point() or values.is_complex())
        return values.to(torch.int64 if stays else getattr(torch, self.dtype))


class ConvertedDataset(Dataset):
    """A data set of the user with converted inputs, and other targets.

    Parameters
    ----------
    dataset : torch.utils.data.Dataset
        Yields inputs, or pairs of inputs and target.
    conversion : Conversion
        For the inputs.
    targets : ndarray, default=None
        The targets; zeros if None.
    """

    def __init__(
        self,
        dataset: Any,
        conversion: Conversion,
        targets: np.ndarray | None = None,
    ) -> None:
        self.dataset = dataset
        self.conversion = conversion
        self.targets: Any = np.zeros(len(dataset)) if targets is None else targets

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, i):
        inputs = self.conversion.of_sample(inputs_of(self.dataset[i]))
        return inputs, torch.as_tensor(self.targets[i])
