"""Two processes hold the same per-sample state as one."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import nn

from skreg.deep import AccelerateMixin, RegularizedNetClassifier
from skreg.deep.regularizers import SAM

WORKER = Path(__file__).with_name("ddp_worker.py")
train = runpy.run_path(str(WORKER))["train"]


def free_port():
    """A port below those that the system hands out to the connections of tests beside this one."""
    for port in range(20_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise OSError("no port is free")


def two_processes(folder, batch_size, order):
    port = free_port()
    shared = {
        **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2",
        "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, WORKER, folder, str(batch_size), order],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(2)]


def test_two_processes_train_as_one(tmp_path):
    first, second = two_processes(tmp_path, 12, "in-order")
    alone = train(24, shuffle=False)
    assert len(alone) == 4  # weights, memories of ELR (two) and PS-KD
    assert first.keys() == second.keys() == alone.keys()
    for name, values in alone.items():
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], values, atol=1e-5, err_msg=name)
        assert (values != 0).any()


@pytest.mark.slow
def test_shuffled_shards_of_unequal_size_leave_the_processes_agreed(tmp_path):
    """96 samples in batches of 10 for each process: the last ones are filled up with repeats."""
    first, second = two_processes(tmp_path, 10, "shuffle")
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])
        assert np.isfinite(values).all()
    probabilities = first["ps_kd.mixed_.memory"]
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


def test_accumulated_batches_are_one_batch():
    accumulated, whole = train(12, False, 2), train(24, False)
    np.testing.assert_allclose(accumulated["weight"], whole["weight"], atol=1e-5)


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
