"""Self-knowledge distillation: targets, schedule and memory in a hand-written loop."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import PSKDLoss, PSKDTargets, stablemax


def random_batch(n=8, n_classes=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, n_classes, generator=generator, dtype=dtype, requires_grad=True)
    return logits, torch.randint(n_classes, (n,), generator=generator), torch.arange(n)


def with_memory(predictions, alpha=0.8, epoch=1, max_epochs=1):
    loss = PSKDLoss(*predictions.shape, max_epochs=max_epochs, alpha=alpha)
    loss.double()
    loss.set_epoch(epoch)
    loss.mixed.memory.write(torch.arange(len(predictions)), predictions)
    return loss


def test_without_weight_or_memory_it_is_cross_entropy():
    logits, label, index = random_batch()
    expected = F.cross_entropy(logits, label)
    assert torch.equal(PSKDLoss(8, 4, max_epochs=3, alpha=0.0)(logits, label, index), expected)
    first = PSKDLoss(8, 4, max_epochs=3, alpha=0.8)(logits, label, index)
    assert first.item() == pytest.approx(expected.item(), rel=1e-7)


def test_weight_grows_linearly_to_its_final_value():
    loss = PSKDLoss(8, 4, max_epochs=4, alpha=0.8)
    weights = []
    for epoch in range(1, 7):
        loss.set_epoch(epoch)
        weights.append(loss.alpha_now)
    assert weights == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_uniform_memory_is_label_smoothing():
    logits, label, index = random_batch()
    loss = with_memory(torch.full((8, 4), 0.25, dtype=torch.float64), epoch=2, max_epochs=4)
    expected = F.cross_entropy(logits, label, label_smoothing=0.4)
    assert loss(logits, label, index).item() == pytest.approx(expected.item(), rel=1e-12)


def test_gradient_is_that_of_distillation_from_the_memory():
    logits, label, index = random_batch()
    q = torch.randn(8, 4, dtype=torch.float64).softmax(1)
    (gradient,) = torch.autograd.grad(with_memory(q, alpha=0.3)(logits, label, index), logits)
    divergence = F.kl_div(logits.log_softmax(1), q, reduction="batchmean")
    distilled = 0.7 * F.cross_entropy(logits, label) + 0.3 * divergence
    (expected,) = torch.autograd.grad(distilled, logits)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-14)
    mixed = 0.7 * F.one_hot(label, 4).double() + 0.3 * q
    torch.testing.assert_close(gradient, (logits.softmax(1) - mixed) / 8, rtol=0, atol=1e-14)


def test_ratio_of_gradients_by_hand():
    logits = torch.tensor([[2.0, 0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    label, index = torch.tensor([0]), torch.tensor([0])
    q = torch.tensor([[1.5, 0.3, -0.5]], dtype=torch.float64).softmax(1)
    (distilled,) = torch.autograd.grad(with_memory(q, alpha=0.3)(logits, label, index), logits)
    (plain,) = torch.autograd.grad(F.cross_entropy(logits, label), logits)
    assert (distilled.abs().sum() / plain.abs().sum()).item() == pytest.approx(0.5748037, abs=1e-7)


def test_memory_holds_the_latest_prediction_of_each_sample_after_shuffling():
    torch.manual_seed(0)
    net, x = nn.Linear(3, 4), torch.randn(20, 3)
    y = torch.randint(4, (20,))
    loss, optimizer = PSKDLoss(20, 4, max_epochs=3), torch.optim.SGD(net.parameters(), 0.5)
    for epoch in (1, 2, 3):
        loss.set_epoch(epoch)
        recorded = torch.zeros(20, 4)
        for batch in torch.randperm(20).split(6):
            logits = net(x[batch])
            recorded[batch] = logits.detach().softmax(1)
            optimizer.zero_grad()
            loss(logits, y[batch], batch).backward()
            optimizer.step()
        torch.testing.assert_close(loss.predictions, recorded, rtol=0, atol=1e-7)


def test_target_is_taken_before_the_memory_is_renewed():
    logits, label, index = random_batch()
    q = torch.randn(8, 4, dtype=torch.float64).softmax(1)
    value = with_memory(q, alpha=0.5)(logits, label, index)
    target = 0.5 * F.one_hot(label, 4).double() + 0.5 * q
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)


def test_evaluation_is_plain_and_leaves_the_memory():
    logits, label, _ = random_batch()
    loss = with_memory(torch.full((8, 4), 0.25, dtype=torch.float64)).eval()
    assert torch.equal(loss(logits, label), F.cross_entropy(logits, label))
    assert (loss.predictions == 0.25).all()


def test_memory_takes_the_probabilities_that_it_is_given():
    logits, label, index = random_batch()
    targets = PSKDTargets(8, 4)
    targets.double()
    p = stablemax(logits, dim=1)
    targets.remember(p, index)
    assert not targets.memory.values.requires_grad
    mixed = targets(label, index, alpha=0.3)
    expected = 0.7 * F.one_hot(label, 4).double() + 0.3 * p.detach()
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("bad", [2.0, -1.0, float("nan")])
def test_memory_refuses_logits(bad):
    targets = PSKDTargets(8, 4)
    logits, _, index = random_batch()
    with pytest.raises(ValueError, match=r"probabilities must be rows .* give the softmax"):
        targets.remember(logits, index)
    rows = torch.tensor([[bad, 1 - bad, 0.0, 0.0]])
    with pytest.raises(ValueError, match="probabilities must be rows"):
        targets.remember(rows, torch.tensor([0]))
    assert not targets.memory.written.any()


def test_state_goes_through_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    logits, label, index = random_batch(dtype=torch.float32)
    loss, fresh = (PSKDLoss(8, 4, max_epochs=4) for _ in range(2))
    loss.set_epoch(3)
    loss(logits, label, index)
    safetensors.save_file(loss.state_dict(), tmp_path / "loss.safetensors")
    fresh.load_state_dict(safetensors.load_file(tmp_path / "loss.safetensors"))
    assert (fresh.epoch, fresh.alpha_now) == (3, loss.alpha_now)
    assert torch.equal(fresh(logits, label, index), loss(logits, label, index))
    copied = copy.deepcopy(fresh)
    assert copied.epoch == 3
    assert copied.state_dict()["stored_epoch"] == 3


def test_state_dict_keeps_the_memory_and_the_epoch():
    logits, label, index = random_batch(dtype=torch.float32)
    loss = PSKDLoss(8, 4, max_epochs=4)
    loss.set_epoch(3)
    loss(logits, label, index)
    fresh = PSKDLoss(8, 4, max_epochs=4)
    fresh.load_state_dict(loss.state_dict())
    assert fresh.alpha_now == loss.alpha_now
    assert torch.equal(fresh.predictions, loss.predictions)


def test_probabilities_as_targets_and_unseen_samples():
    targets = PSKDTargets(4, 2)
    targets.remember(torch.full((1, 2), 0.5), torch.tensor([1]))
    soft = torch.tensor([[0.2, 0.8], [0.2, 0.8]])
    mixed = targets(soft, torch.tensor([0, 1]), alpha=0.5)
    torch.testing.assert_close(mixed, torch.tensor([[0.2, 0.8], [0.35, 0.65]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    logits, label, index = random_batch(dtype=torch.float32)
    loss = PSKDLoss(8, 4, max_epochs=1)
    for _ in range(2):
        value = loss(logits.detach().to(dtype), label, index)
    assert torch.isfinite(value)
    assert loss.predictions.dtype == torch.float32
    torch.testing.assert_close(loss.predictions.sum(1), torch.ones(8))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(loss(logits, label, index))


def test_empty_batch_is_zero_with_a_gradient():
    logits = torch.zeros(0, 3, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.long)
    value = PSKDLoss(4, 3, max_epochs=2)(logits, nothing, nothing)
    value.backward()
    assert value.item() == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 1.0}, r"alpha must be in \[0, 1\), got 1.0"),
        ({"alpha": -0.1}, "alpha must be in"),
        ({"max_epochs": 0}, "max_epochs must be in"),
        ({"n_classes": 1}, "n_classes must be in"),
        ({"n_samples": 0}, "n_samples must be in"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        PSKDLoss(**({"n_samples": 4, "n_classes": 3, "max_epochs": 2} | arguments))


def test_bad_batches():
    loss, logits, label = PSKDLoss(4, 3, max_epochs=2), torch.zeros(2, 3), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="index, the stable number of each sample"):
        loss(logits, label)
    with pytest.raises(ValueError, match="index must lie in"):
        loss(logits, label, torch.tensor([0, 4]))
    with pytest.raises(ValueError, match="target must lie in"):
        loss(logits, label + 2, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="epoch must be in"):
        loss.set_epoch(0)
