"""The numbers and weights of the samples of a net, and their batches."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import skorch
import torch
from torch.utils.data import DataLoader, IterableDataset

from ._indexed import BatchReader, IndexedDataset, as_it_is, is_indexed
from ._needs import check_streams
from ._weights import normalized_weights


class NumberedData(skorch.NeuralNet):
    """The part of a net that makes data sets and their iterators."""

    n_samples_: int | None

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        dataset = super().get_dataset(X, y)
        return dataset if isinstance(dataset, IterableDataset) else IndexedDataset(dataset)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        dataset = skorch.NeuralNet.get_dataset(self, X, y)
        if isinstance(dataset, IterableDataset):
            return self._unnumbered(dataset)
        dataset = self._numbered(dataset)
        if self.sample_weight_ is not None:
            weight = normalized_weights(self.sample_weight_, len(dataset))
            kind = next((p.dtype for p in self.module_.parameters()), torch.get_default_dtype())
            dataset.sample_weight = torch.as_tensor(weight, dtype=kind)
        self.n_samples_ = max(self.n_samples_ or 0, dataset.n_samples)
        if not self.train_split:
            return dataset, None
        arguments = (dataset,) if y is None else (dataset, y)
        return self.train_split(*arguments, **fit_params)

    def n_training_samples(self, X: Any, y: Any = None) -> int | None:
        """Number of samples that a call to train on these data leaves for training.

        It is for ``on_train_begin``, before the data are split. A split that draws from the random
        numbers of torch or numpy draws the same ones afterwards.

        Parameters
        ----------
        X, y : array, Tensor, Dataset, or what the net takes
            The data.

        Returns
        -------
        int or None
            The number; None for an ``IterableDataset``.
        """
        dataset = skorch.NeuralNet.get_dataset(self, X, y)
        if isinstance(dataset, IterableDataset):
            return None
        if not self.train_split:
            return len(dataset)
        before = np.random.get_state()  # noqa: NPY002
        try:
            with torch.random.fork_rng(devices=[]):
                training, _ = self.train_split(*((dataset,) if y is None else (dataset, y)))
        finally:
            np.random.set_state(before)  # noqa: NPY002
        return len(training)

    def _numbered(self, dataset):
        """The data with the numbers that they bring, or that go on from those given so far."""
        if is_indexed(dataset):
            return IndexedDataset(dataset)
        if self.sample_index_ is not None:
            return IndexedDataset(dataset, index=self.sample_index_)
        first = 0 if self.counts_from_zero_ else self.n_samples_ or 0
        return IndexedDataset(dataset, first=first)

    def _unnumbered(self, dataset):
        """A stream has no numbers, cannot be split, and brings no weights."""
        if self.sample_weight_ is not None or self.train_split:
            raise ValueError("an IterableDataset takes no sample_weight, and train_split=None")
        if self.sample_index_ is not None:
            raise ValueError("an IterableDataset takes no sample_index")
        check_streams(self.regularizers_)
        self.n_samples_ = None
        return dataset, None

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        iterator = self._iterator(dataset, training)
        if not training and isinstance(iterator, DataLoader) and iterator.generator is None:
            iterator.generator = torch.Generator()  # every pass draws a number, else torch's own
        return iterator

    def _iterator(self, dataset, training):
        prefix = "iterator_train" if training else "iterator_valid"
        loader = getattr(self, prefix)
        ours: dict[str, Any] = {}
        if vars(self).get(f"{prefix}__batch_sampler") is not None:  # decides on all of these
            ours |= {"batch_size": 1, "shuffle": False, "drop_last": False}
        is_torchs = isinstance(loader, type) and issubclass(loader, DataLoader)
        if is_torchs and is_indexed(dataset):
            dataset = BatchReader(dataset, vars(self).get(f"{prefix}__collate_fn"))
            ours["collate_fn"] = as_it_is
        with replaced(self, {f"{prefix}__{name}": value for name, value in ours.items()}):
            return super().get_iterator(dataset, training=training)


@contextlib.contextmanager
def replaced(net, arguments):
    """Give a net other arguments for a while."""
    given = {name: vars(net)[name] for name in arguments if name in vars(net)}
    vars(net).update(arguments)
    try:
        yield
    finally:
        for name in arguments:
            del vars(net)[name]
        vars(net).update(given)
