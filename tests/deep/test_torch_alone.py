"""The plain torch layer: a loop written by hand, without skorch and without scikit-learn's API."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from skreg.deep.torch import OptimizerWrapper, SampleMemory, as_probabilities

LOOP = """
import sys
sys.modules["skorch"] = None

import torch
from torch import nn
from skreg.deep.torch import SAM, ELRPenalty, OrthogonalGradient, PSKDTargets
from skreg.deep.torch import apply_weight_compander

torch.manual_seed(0)
X = torch.randn(120, 5)
y = (X[:, 0] > 0).long() + (X[:, 1] > 0).long()
model = apply_weight_compander(nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 3)))
elr, distilled = ELRPenalty(120, 3, lam=0.1), PSKDTargets(120, 3)
optimizer = SAM(OrthogonalGradient(torch.optim.AdamW(model.parameters(), lr=0.03)), rho=0.05)

for epoch in range(100):
    for index in torch.randperm(120).split(40):
        targets, first_pass = distilled(y[index], index, alpha=0.5 * epoch / 100), [True]

        def closure():
            optimizer.zero_grad()
            logits = model(X[index])
            loss = nn.functional.cross_entropy(logits, targets)
            loss = loss + elr(logits, index, update=first_pass[0])
            if first_pass[0]:
                distilled.remember(logits.softmax(1), index)
            first_pass[0] = False
            loss.backward()
            return loss

        optimizer.step(closure)

print((model(X).argmax(1) == y).float().mean().item(), "skreg.deep.frame._nets" in sys.modules)

import skreg.deep
try:
    skreg.deep.DeepClassifier
except ImportError as error:
    print(error)
"""


def test_a_loop_by_hand_needs_no_skorch():
    finished = subprocess.run(
        [sys.executable, "-c", LOOP], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    first, second = finished.stdout.splitlines()
    accuracy, nets_loaded = first.split()
    assert float(accuracy) > 0.9
    assert nets_loaded == "False"
    assert "skreg.deep.DeepClassifier needs skorch" in second
    assert "'skreg[deep]'" in second


def test_unknown_names_are_attribute_errors():
    import skreg.deep

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = skreg.deep.nothing
    assert {"DeepClassifier", "torch", "regularizers"} <= set(dir(skreg.deep))


def test_every_public_name_of_the_package_can_be_imported():
    import skreg.deep

    assert all(getattr(skreg.deep, name) is not None for name in skreg.deep.__all__)


# memory


def test_memory_reads_what_was_written():
    rng = np.random.default_rng(0)
    memory, expected = SampleMemory(10, 2), np.zeros((10, 2))
    for _ in range(20):
        index = rng.choice(10, 4, replace=False)
        rows = rng.normal(size=(4, 2))
        memory.write(torch.as_tensor(index), torch.as_tensor(rows))
        expected[index] = rows
    found = memory.read(torch.arange(10))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == torch.float32


def test_memory_grows_and_keeps_its_rows():
    memory = SampleMemory().allocate(3, 2)
    memory.write(torch.tensor([1]), torch.ones(1, 2))
    memory.allocate(5, 2).allocate(2, 2)
    assert memory.values.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0]]
    assert memory.written.tolist() == [False, True, False, False, False]
    with pytest.raises(ValueError, match=r"has rows of shape \(2,\), not \(3,\)"):
        memory.allocate(5, 3)


def test_memory_is_restored_whatever_its_size_was():
    memory = SampleMemory(4, 3)
    memory.write(torch.tensor([2]), torch.ones(1, 3, dtype=torch.float64))
    holder, other = nn.ModuleDict({"m": memory}), nn.ModuleDict({"m": SampleMemory()})
    other.load_state_dict(holder.state_dict())
    assert torch.equal(other["m"].values, memory.values)
    assert torch.equal(other["m"].written, memory.written)


def test_memory_takes_empty_batches_and_half_precision():
    memory = SampleMemory(3, 2, dtype=torch.float16)
    memory.write(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 2))
    assert not memory.written.any()
    memory.write(torch.tensor([0]), torch.full((1, 2), 0.5))
    assert memory.read(torch.tensor([0])).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SampleMemory(-1, 2), "must not be negative"),
        (
            lambda: SampleMemory(3, 2).write(torch.tensor([0]), torch.zeros(2, 2)),
            r"rows must have shape \(1, 2\), got \(2, 2\)",
        ),
        (lambda: as_probabilities(torch.zeros(3), 2), r"got torch.float32 of shape \(3,\)"),
        (lambda: as_probabilities(torch.zeros(3, 4), 2), r"probabilities of shape \(n, 2\)"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# optimizer wrapper


@pytest.mark.parametrize("base", [torch.optim.SGD, torch.optim.Adam])
def test_wrapper_shares_everything_with_its_base(base):
    weight = nn.Parameter(torch.ones(3))
    plain = nn.Parameter(torch.ones(3))
    wrapped, reference = OptimizerWrapper(base([weight], lr=0.1)), base([plain], lr=0.1)
    schedules = [torch.optim.lr_scheduler.StepLR(o, 1, gamma=0.5) for o in (wrapped, reference)]
    for _ in range(3):
        for parameter, optimizer, schedule in zip(
            (weight, plain), (wrapped, reference), schedules, strict=True
        ):
            optimizer.zero_grad()
            (parameter**2).sum().backward()
            optimizer.step()
            schedule.step()
    assert torch.equal(weight, plain)
    assert wrapped.param_groups[0]["lr"] == 0.0125
    again = OptimizerWrapper(base([weight], lr=7.0))
    again.load_state_dict(wrapped.state_dict())
    assert again.param_groups[0]["lr"] == 0.0125
    assert again.state_dict()["state"].keys() == reference.state_dict()["state"].keys()
    wrapped.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    assert len(wrapped.base.param_groups) == 2
    with pytest.raises(TypeError, match=r"base must be a torch\.optim\.Optimizer, got int"):
        OptimizerWrapper(3)
