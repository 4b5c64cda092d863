"""Two processes train as one that sees their batches together, and decide as one."""

import importlib.util
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from sklearn.metrics import log_loss
from torch import nn

from skreg.deep import AccelerateMixin, RegularizedNetClassifier
from skreg.deep.frame._accelerate import in_turn, numbers, stacked, unstacked, whole_record
from skreg.deep.regularizers import SAM

WORKER = Path(__file__).with_name("ddp_worker.py")
SPEC = importlib.util.spec_from_file_location("ddp_worker", WORKER)
worker = importlib.util.module_from_spec(SPEC)
sys.modules["ddp_worker"] = worker
SPEC.loader.exec_module(worker)


def free_port():
    """A port below those that the system hands out to the connections of tests beside this one."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError("no port is free")


def start_two(folder, *scenarios):
    """Run scenarios in two processes; return their exit codes and error messages."""
    shared = {
        **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2", "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
        "SHARED_FOLDER": str(folder),
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, WORKER, *scenarios],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], errors


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Results of all scenarios in two processes, and how these ended."""
    folder = tmp_path_factory.mktemp("two")
    codes, errors = start_two(folder, *worker.SCENARIOS)
    results = [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in range(2)]
    assert all(list(found) == list(worker.SCENARIOS) for found in results), errors
    return results, codes, errors


@pytest.fixture
def both(run):
    """Results of all scenarios in two processes."""
    return run[0]


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Run a scenario in this process."""
    monkeypatch.setenv("SHARED_FOLDER", str(tmp_path))
    return lambda name: worker.SCENARIOS[name]()


def agreed(both, name):
    """What both processes found, which is the same to the last bit."""
    first, second = (results[name] for results in both)
    assert first.keys() == second.keys()
    for key, value in first.items():
        np.testing.assert_array_equal(value, second[key], err_msg=f"{name}: {key}")
    return first


def assert_same(found, expected, atol=1e-5):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, atol=atol, err_msg=key)


SAME_AS_ONE = (
    "regularized", "accumulated", "trained_criterion", "history", "early_stopping", "checkpoint",
    "exchanged", "ready_made", "masked", "pretrained_features",
)  # fmt: skip


@pytest.mark.parametrize("name", SAME_AS_ONE)
def test_two_processes_are_as_one_that_sees_their_batches_together(both, alone, name):
    expected = alone(name)
    assert all(np.any(value) for key, value in expected.items() if not key.endswith(" 0"))
    assert_same(agreed(both, name), expected)


def test_half_precision_agrees(both, alone):
    assert_same(agreed(both, "half_precision"), alone("half_precision"), atol=1e-2)


def test_shuffled_shards_of_unequal_size_leave_the_processes_agreed(both):
    found = agreed(both, "shuffled")
    assert all(np.isfinite(value).all() for value in found.values())
    (predictions,) = (value for key, value in found.items() if key.endswith("ps_kd.memory"))
    np.testing.assert_allclose(predictions.sum(1), 1, atol=1e-5)


def held_out_loss(found):
    return log_loss(worker.HELD_OUT[1], found["probabilities"])


def test_validation_loss_is_that_of_all_held_out_samples_each_counted_once(both):
    found = agreed(both, "history")
    assert found["valid_loss"][-1] == pytest.approx(held_out_loss(found), rel=1e-5)
    assert list(found["sizes"]) == [16, 5]


def test_early_stopping_ends_all_processes_in_the_best_epoch(both):
    found = agreed(both, "early_stopping")
    losses = found["valid_loss"]
    assert len(losses) < 60
    assert held_out_loss(found) == pytest.approx(losses.min(), rel=1e-5)
    assert losses.argmin() == len(losses) - 3


def test_checkpoint_brings_the_best_epoch_back_to_all_processes(both):
    found = agreed(both, "checkpoint")
    assert held_out_loss(found) == pytest.approx(found["valid_loss"].min(), rel=1e-5)


def test_learning_rates_fall_together(both, alone):
    found, expected = agreed(both, "plateau"), alone("plateau")
    refused, _ = found.pop("refused"), expected.pop("refused")
    assert_same(found, expected)
    assert found["rate"] < 0.3
    assert refused == (
        "ValueError: the schedule 'LRScheduler' goes by the loss of each batch, of which a "
        "process sees its share only: use step_every='epoch'"
    )


def test_a_stop_in_one_process_stops_all(both):
    found = agreed(both, "stopping")
    assert found["epochs"] == 2
    assert found["interrupted"].startswith("RuntimeError: training was interrupted in one process")


def test_a_random_split_is_the_same_in_all_processes(both):
    assert agreed(both, "random_split")["n_trained"] == 72


def test_training_goes_on_together(both, alone):
    found, expected = agreed(both, "going_on"), alone("going_on")
    assert_same(found, expected)
    torch.manual_seed(0)
    frozen_at_first = nn.Linear(worker.D, 5).weight.detach().flatten()
    assert abs(found["weights"][: len(frozen_at_first)] - frozen_at_first.numpy()).max() > 1e-3
    np.testing.assert_array_equal(found["weights"], found["copied"])
    assert found["wrapped"] == 0


def test_running_statistics_are_common(both):
    found = agreed(both, "batch_norm")
    assert found["valid_loss"][-1] == pytest.approx(held_out_loss(found), rel=1e-5)


def test_statistics_of_averaged_weights_are_common(both):
    agreed(both, "averaged_statistics")


def test_a_net_that_is_not_accelerated_trains_on_its_own_data_alone(both, monkeypatch):
    for rank, results in enumerate(both):
        monkeypatch.setattr(worker, "RANK", rank)
        expected = worker.own_data()["targets"]
        assert len(expected) == 60 + 40 * rank
        np.testing.assert_allclose(results["own_data"]["targets"], expected, atol=1e-6)
    assert both[0]["own_data"]["different"] == both[1]["own_data"]["different"]
    assert (
        "data of different sizes (training, validation): [[60, None], [100, None]]"
        in (both[0]["own_data"]["different"])
    )


def test_a_mean_over_processes_is_that_over_their_samples(both):
    found = agreed(both, "means")
    np.testing.assert_array_equal(found["of_all"], np.array([13, -13]) / 8)
    assert found["of_one"] == 3


def test_an_error_in_one_process_ends_all(run):
    _, codes, errors = run
    assert 0 not in codes
    assert "a broken sample" in errors[1]


def test_record_of_a_batch_is_the_mean_over_its_samples():
    shares = (
        {"valid_loss": 1.0, "valid_batch_size": 1, "rate": 0.1, "of_one": 3.0},
        {"valid_loss": 2.0, "valid_batch_size": 3, "rate": 0.1},
        {},
    )
    expected = {"valid_loss": 1.75, "valid_batch_size": 4, "rate": 0.1, "of_one": 3.0}
    assert whole_record(shares) == expected
    record = {"train_batch_size": 4, "n": 3, "ok": True, "loss": np.float32(0.5), "name": "a"}
    assert numbers(record) == {"train_batch_size": 4, "loss": 0.5}
    assert in_turn([[1, 3, 5], [2, 4]]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [torch.ones(2, 3, requires_grad=True), torch.zeros(1, 3)],
        [torch.ones(2, 3), torch.zeros(2, 4)],
        [torch.tensor(1), torch.tensor(2)],
        [(torch.ones(2), torch.zeros(2, 3)), (torch.ones(1), torch.zeros(1, 3))],
        [{"a": torch.ones(2)}],
    ],
)
def test_batches_of_any_kind_travel_between_processes(batches):
    found = list(unstacked(pickle.loads(pickle.dumps(stacked(batches)))))
    torch.testing.assert_close(found, batches, rtol=0, atol=0)


class AcceleratedNet(AccelerateMixin, RegularizedNetClassifier):
    pass


def test_arguments_have_one_place():
    X, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    arguments = {"module__in_features": 2, "module__out_features": 2, "verbose": 0}
    net = AcceleratedNet(
        nn.Linear, accelerator=Accelerator(cpu=True), mixed_precision="bfloat16", **arguments
    )
    with pytest.raises(ValueError, match="give mixed_precision to the Accelerator"):
        net.fit(X, y)
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    net = AcceleratedNet(nn.Linear, accelerator=accelerator, **arguments)
    with pytest.raises(ValueError, match="give accumulation_steps to the net"):
        net.fit(X, y)
    accelerator = Accelerator(cpu=True)
    accelerator.scaler = torch.amp.GradScaler("cpu")
    net = AcceleratedNet(
        nn.Linear, accelerator=accelerator, regularizers=[("sam", SAM())], **arguments
    )
    with pytest.raises(ValueError, match="use 'bf16'"):
        net.fit(X, y)


class Sharded:
    """What the mixin asks of an accelerator that cuts the module up."""

    class distributed_type:
        value = "FSDP"

    num_processes = 2
    gradient_accumulation_steps = 1


def test_accelerators_that_cut_the_module_up_are_refused():
    net = AcceleratedNet(nn.Linear, accelerator=Sharded())
    with pytest.raises(ValueError, match="has distributed_type FSDP; AccelerateMixin needs"):
        net.check_training_readiness()
