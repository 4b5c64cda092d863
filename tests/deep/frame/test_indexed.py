"""Every sample keeps its number, whatever comes between the data and the training step."""

import numpy as np
import pytest
import skorch.dataset
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from skreg.deep import IndexedDataset
from skreg.deep.frame._indexed import BatchReader, as_it_is


@pytest.fixture
def data():
    """The input of a sample is its number."""
    numbers = torch.arange(20.0)
    return TensorDataset(numbers[:, None], numbers.long() % 3)


def numbers_match(dataset, **options):
    seen = []
    for inputs, _ in DataLoader(dataset, batch_size=4, **options):
        assert torch.equal(inputs["inputs"].squeeze(1).long(), inputs["sample_index"])
        seen += inputs["sample_index"].tolist()
    return seen


def test_numbers_are_positions(data):
    assert numbers_match(IndexedDataset(data)) == list(range(20))


def test_shuffling_and_workers_leave_numbers_alone(data):
    seen = numbers_match(IndexedDataset(data), shuffle=True, num_workers=1)
    assert seen != list(range(20))
    assert sorted(seen) == list(range(20))


@pytest.mark.parametrize("inside", [False, True])
def test_subsets_of_subsets_keep_the_numbers_of_the_whole(data, inside):
    first, second = [3, 1, 8, 19, 5], [4, 0, 2]
    if inside:
        dataset = IndexedDataset(Subset(Subset(data, first), second))
    else:
        dataset = Subset(IndexedDataset(Subset(data, first)), second)
    assert numbers_match(dataset) == [5, 3, 8]
    assert IndexedDataset(dataset).n_samples == 20


def test_wrapping_twice_changes_nothing(data):
    weight = np.arange(20.0)
    index = np.arange(100, 120)
    once = IndexedDataset(data, sample_weight=weight, index=index)
    twice = IndexedDataset(Subset(once, [7, 2]))
    (inputs, y), (inputs_once, y_once) = twice[1], once[2]
    assert inputs == inputs_once
    assert y == y_once
    assert inputs["sample_weight"] == 2
    assert inputs["sample_index"] == 102
    assert twice.n_samples == once.n_samples == 120


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_cut_out_of_arrays_equal_collated_samples(kind, weighted):
    rng = np.random.default_rng(0)
    X, y = kind(rng.normal(size=(9, 2, 3))), kind(rng.integers(0, 2, 9))
    indexed = IndexedDataset(skorch.dataset.Dataset(X, y), rng.random(9) if weighted else None)
    subset = Subset(indexed, [8, 2, 0, 5, 1])
    fast = DataLoader(BatchReader(subset), batch_size=2, collate_fn=as_it_is)
    slow = DataLoader(subset, batch_size=2)
    for (a, y_a), (b, y_b) in zip(fast, slow, strict=True):
        assert torch.equal(y_a, y_b)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a)


def test_arrays_stay_reachable_for_skorch(data):
    X, y = np.arange(12.0).reshape(6, 2), np.arange(6)
    dataset = Subset(IndexedDataset(Subset(skorch.dataset.Dataset(X, y), [4, 2, 0])), [1, 2])
    X_found, y_found = skorch.utils.data_from_dataset(dataset)
    np.testing.assert_array_equal(X_found, X[[2, 0]])
    np.testing.assert_array_equal(y_found, y[[2, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_weight": np.ones(3)}, "sample_weight has 3 entries for 20 samples"),
        ({"index": np.arange(21)}, "index has 21 entries"),
        ({"index": np.arange(20) - 1}, "must not be negative, got -1"),
    ],
)
def test_bad_input(data, arguments, message):
    with pytest.raises(ValueError, match=message):
        IndexedDataset(data, **arguments)
