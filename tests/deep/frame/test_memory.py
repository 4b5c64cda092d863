"""Memories of any row shape and type, that grow, in the process group that they say."""

import copy
import pickle
import threading

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from skreg.deep.frame._processes import gather_batches, gather_objects, mean_over_processes
from skreg.deep.torch import SampleMemory

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row_shape", [(), 3, (3,), (2, 3), (2, 1, 2), 0])
def test_memory_is_an_array_into_which_rows_are_written(dtype, row_shape):
    rng = np.random.default_rng(0)
    memory = SampleMemory(dtype=dtype).allocate(10, row_shape)
    expected = np.zeros((10, *memory.row_shape))
    for _ in range(5):
        index = rng.choice(10, 4, replace=False)
        rows = rng.integers(0, 2, (4, *memory.row_shape))
        memory.write(torch.as_tensor(index), torch.as_tensor(rows))
        expected[index] = rows
    np.testing.assert_array_equal(memory.read(torch.arange(10)).double(), expected)
    assert memory.values.dtype == dtype
    assert memory.values.shape == expected.shape


def test_scalar_rows():
    memory = SampleMemory(4, ())
    memory.write(torch.tensor([3, 1]), torch.tensor([0.5, 0.25]))
    assert memory.values.tolist() == [0, 0.25, 0, 0.5]
    assert memory.seen(torch.tensor([0, 1])).tolist() == [False, True]


@pytest.mark.parametrize("n", [5, 100_000])
def test_of_a_sample_that_occurs_several_times_the_last_row_stays(n):
    rng = np.random.default_rng(0)
    index, rows = rng.integers(0, 7, n), rng.normal(size=(n, 3))
    memory = SampleMemory(7, 3, dtype=torch.float64)
    memory.write(torch.as_tensor(index), torch.as_tensor(rows))
    latest = dict(zip(index.tolist(), rows, strict=True))
    for sample in range(7):
        np.testing.assert_array_equal(memory.values[sample], latest.get(sample, np.zeros(3)))


def test_rows_that_come_in_small_parts_are_seldom_moved():
    """At most log(3000) / log(1.5) + 1 = 20 times, where a move for each part were 1000."""
    memory, places = SampleMemory(), []
    for n in range(3, 3001, 3):
        memory.allocate(n, (2,))
        memory.write(torch.arange(n - 3, n), torch.full((3, 2), float(n)))
        places.append(memory.values.data_ptr())
        assert memory.values.shape == (n, 2)
    assert np.count_nonzero(np.diff(places)) <= 20
    np.testing.assert_array_equal(memory.values[:, 0], np.repeat(np.arange(3, 3001, 3), 3))


def test_new_rows_are_zero_and_unseen():
    memory = SampleMemory().allocate(100, 2)
    memory.write(torch.arange(100), torch.ones(100, 2))
    memory.allocate(110, 2).allocate(120, 2)
    assert not memory.values[100:].any()
    assert not memory.written[100:].any()
    assert memory.written[:100].all()


def grown():
    memory = SampleMemory(dtype=torch.bfloat16).allocate(10, (2, 2))
    memory.allocate(11, (2, 2)).write(torch.tensor([10, 3]), torch.ones(2, 2, 2))
    return memory


@pytest.mark.parametrize(
    "carried",
    [
        lambda memory: safetensors.torch.load(safetensors.torch.save(memory.state_dict())),
        lambda memory: pickle.loads(pickle.dumps(memory.state_dict())),
        lambda memory: pickle.loads(pickle.dumps(memory)).state_dict(),
        lambda memory: copy.deepcopy(memory).state_dict(),
    ],
    ids=["safetensors", "state_dict", "pickle", "deepcopy"],
)
@pytest.mark.parametrize("fresh", [(0, 0), (3, 5), (40, (2, 2))])
def test_memory_is_restored_into_one_of_another_size(carried, fresh):
    state = carried(grown())
    assert {key: tuple(value.shape) for key, value in state.items()} == {
        "values": (11, 2, 2),
        "written": (11,),
    }
    memory = SampleMemory(*fresh, dtype=torch.bfloat16)
    memory.load_state_dict(state)
    assert torch.equal(memory.values, grown().values)
    assert torch.equal(memory.written, grown().written)
    memory.write(torch.tensor([0]), torch.ones(1, 2, 2))
    assert state["values"][0].sum() == 0


@pytest.mark.parametrize("missing", ["values", "written"])
def test_incomplete_state_is_an_error_and_changes_nothing(missing):
    holder = nn.ModuleDict({"m": grown()})
    state = holder.state_dict()
    del state[f"m.{missing}"]
    fresh = nn.ModuleDict({"m": SampleMemory(2, 1)})
    with pytest.raises(RuntimeError, match=f'Missing key.*"m.{missing}"'):
        fresh.load_state_dict(state)
    assert fresh["m"].values.shape == (2, 1)
    state["m.other"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"m\.other"'):
        fresh.load_state_dict(state)


def test_reading_and_writing_ask_nothing_of_the_device():
    """Tensors without data raise where the host would have to know a value."""
    memory = SampleMemory().allocate(5, 2, like=torch.zeros(1, device="meta"))
    index = torch.zeros(3, dtype=torch.int64, device="meta")
    memory.write(index, torch.zeros(3, 2, device="meta"))
    assert memory.read(index).shape == (3, 2)
    assert memory.seen(index).shape == (3,)
    with pytest.raises((NotImplementedError, RuntimeError)):
        memory.values.sum().item()


def test_the_process_group_is_not_part_of_copies():
    memory = SampleMemory(3, 1)
    assert memory.process_group is None
    memory.process_group = threading.Lock()  # as a group, it cannot be pickled
    holder = nn.ModuleDict({"m": memory})
    for other in (pickle.loads(pickle.dumps(holder)), copy.deepcopy(holder)):
        assert other["m"].process_group is None
    assert not any("group" in key for key in holder.state_dict())
    assert memory.process_group is not None


def test_bad_shapes_are_named():
    memory = SampleMemory(4, (2, 3))
    with pytest.raises(ValueError, match=r"has rows of shape \(2, 3\), not \(3, 2\)"):
        memory.allocate(5, (3, 2))
    with pytest.raises(ValueError, match=r"rows must have shape \(1, 2, 3\), got \(1, 6\)"):
        memory.write(torch.tensor([0]), torch.zeros(1, 6))
    with pytest.raises(ValueError, match=r"not be negative, got n_samples=2, row_shape=\(2, -1\)"):
        SampleMemory(2, (2, -1))


def test_a_process_alone_is_its_own_group():
    index, rows = torch.tensor([2, 0]), torch.tensor([True, False])
    assert gather_batches(index, rows) == (index, rows)
    assert gather_objects("a") == ["a"]
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    assert torch.equal(mean_over_processes(value, 3), value.detach())
    assert not mean_over_processes(value, 3).requires_grad
