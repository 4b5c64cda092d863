"""Early-learning regularization: the loss and its memory in a hand-written loop."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skreg.deep.torch import ELRLoss, ELRPenalty, stablemax

LOGITS = torch.tensor([[2.0, 0.0, -1.0]])


def random_batch(n=8, n_classes=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, n_classes, generator=generator, dtype=dtype, requires_grad=True)
    return logits, torch.randint(n_classes, (n,), generator=generator), torch.arange(n)


def test_two_calls_by_hand():
    loss = ELRLoss(5, 3, lam=3.0, beta=0.7)
    label, index = torch.tensor([2]), torch.tensor([1])
    expected = [
        (2.431997, [0.253138, 0.034259, 0.012603]),
        (1.780569, [0.430335, 0.058240, 0.021425]),
    ]
    for value, memory in expected:
        assert loss(LOGITS, label, index).item() == pytest.approx(value, abs=2e-6)
        np.testing.assert_allclose(loss.targets[1], memory, atol=2e-6)
    assert not loss.targets[[0, 2, 3, 4]].any()


def test_gradient_is_that_of_the_papers_lemma():
    logits, label, index = random_batch()
    loss = ELRLoss(8, 4, lam=2.0, beta=0.6)
    loss.penalty.memory.double()
    loss.penalty.memory.write(index, torch.rand(8, 4, dtype=torch.float64) / 4)
    loss(logits, label, index).backward()
    p, t = logits.detach().softmax(1), loss.targets
    pull = torch.einsum("nc,nkc->nc", p, (t[:, :, None] - t[:, None, :]) * p[:, :, None])
    g = pull / (1 - (p * t).sum(1, keepdim=True))
    expected = (p - F.one_hot(label, 4) + 2.0 * g) / 8
    torch.testing.assert_close(logits.grad, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(g.sum(1), torch.zeros(8, dtype=torch.float64), rtol=0, atol=1e-14)


def test_without_strength_it_is_cross_entropy():
    logits, label, index = random_batch(dtype=torch.float32)
    loss = ELRLoss(8, 4, lam=0.0)(logits, label, index)
    expected = F.cross_entropy(logits, label)
    assert torch.equal(loss, expected)
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0], rtol=0, atol=0)


def test_same_prediction_k_times_gives_a_geometric_sum():
    penalty = ELRPenalty(1, 3, beta=0.9)
    index = torch.zeros(1, dtype=torch.long)
    for _ in range(5):
        penalty(LOGITS, index)
    expected = (1 - 0.9**5) * LOGITS.softmax(1)
    torch.testing.assert_close(penalty.memory.values, expected, rtol=1e-6, atol=0)


def test_without_memory_the_target_is_the_prediction():
    penalty = ELRPenalty(1, 3, lam=1.0, beta=0.0)
    p = LOGITS.softmax(1)
    value = penalty(LOGITS, torch.zeros(1, dtype=torch.long))
    assert value.item() == pytest.approx(math.log(1 - (p**2).sum().item()), rel=1e-6)


@pytest.mark.parametrize(("n_classes", "lowest"), [(2, -8.517), (10, -6.909), (100, -4.615)])
def test_penalty_is_bounded_by_the_clamp(n_classes, lowest):
    penalty = ELRPenalty(1, n_classes, lam=1.0, beta=0.0)
    certain = torch.full((1, n_classes), -1e4)
    certain[0, 0] = 1e4
    assert penalty(certain, torch.zeros(1, dtype=torch.long)).item() == pytest.approx(
        lowest, abs=2e-3
    )


def test_only_rows_of_the_batch_change_and_none_in_evaluation():
    loss = ELRLoss(6, 3)
    logits, label = LOGITS.repeat(2, 1), torch.tensor([0, 1])
    loss(logits, label, torch.tensor([4, 1]))
    before = loss.targets.clone()
    assert before[[1, 4]].all()
    assert not before[[0, 2, 3, 5]].any()
    loss.eval()
    assert torch.equal(loss(logits, label), F.cross_entropy(logits, label))
    assert torch.equal(loss.targets, before)


def test_order_of_samples_does_not_matter():
    logits, label, index = random_batch()
    order = torch.randperm(8)
    one, other = ELRLoss(8, 4), ELRLoss(8, 4)
    for _ in range(3):
        first = one(logits, label, index)
        second = other(logits[order], label[order], index[order])
        assert first.item() == pytest.approx(second.item(), rel=1e-7)
    torch.testing.assert_close(one.targets, other.targets)


def test_second_pass_over_a_batch_leaves_the_memory():
    logits, _, index = random_batch()
    penalty = ELRPenalty(8, 4)
    first = penalty(logits, index)
    kept = penalty.memory.values.clone()
    assert penalty(logits, index, update=False).item() == pytest.approx(first.item(), rel=1e-6)
    assert torch.equal(penalty.memory.values, kept)


def test_whole_number_weights_are_repeated_rows():
    logits, _, _ = random_batch()
    counts = torch.tensor([3, 0, 1, 2, 1, 4, 1, 1])
    rows = torch.arange(8).repeat_interleave(counts)
    weighted, repeated = ELRPenalty(8, 4).double(), ELRPenalty(len(rows), 4).double()
    for seed in range(3):
        logits, _, index = random_batch(seed=seed)
        once = weighted(logits, index, weight=counts / counts.double().mean())
        often = repeated(logits[rows], torch.arange(len(rows)))
        assert once.item() == pytest.approx(often.item(), rel=1e-12)
        (gradient,) = torch.autograd.grad(once, logits)
        expected = torch.autograd.grad(often, logits)[0]
        torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(weighted.memory.values[rows], repeated.memory.values)


def test_other_probabilities_than_the_softmax():
    logits, _, index = random_batch()
    penalty = ELRPenalty(8, 4, lam=2.0, beta=0.6).double()
    value = penalty(logits, index, nonlinearity=lambda z: stablemax(z, dim=1))
    p = stablemax(logits, dim=1)
    torch.testing.assert_close(penalty.memory.values, 0.4 * p.detach())
    expected = 2 * (1 - (p * 0.4 * p.detach()).sum(1)).log().mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, logits, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])


def test_weight_two_is_a_sample_twice():
    logits, _, index = random_batch()
    weight = torch.tensor([2.0, 1, 1, 1, 1, 1, 1, 0])
    twice = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6])
    weighted = ELRPenalty(8, 4)(logits, index, weight=weight)
    repeated = ELRPenalty(8, 4)(logits[twice], index[twice])
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-6)


def test_probabilities_as_targets():
    logits, label, index = random_batch()
    soft = F.one_hot(label, 4).double()
    hard = ELRLoss(8, 4)(logits, label, index)
    assert ELRLoss(8, 4)(logits, soft, index).item() == pytest.approx(hard.item(), rel=1e-12)


def test_label_issues_and_quality():
    loss = ELRLoss(3, 3)
    loss(LOGITS.repeat(2, 1), torch.tensor([0, 2]), torch.tensor([0, 1]))
    labels = np.array([0, 2, 2])
    assert loss.label_issues(labels).tolist() == [False, True, False]
    quality = loss.label_quality(labels)
    np.testing.assert_allclose(quality[:2], [0.253138, 0.012603], atol=2e-6)
    assert quality[2].isnan()


def test_state_dict_restores_the_memory():
    loss, fresh = ELRLoss(3, 3), ELRLoss(3, 3)
    loss(LOGITS, torch.tensor([0]), torch.tensor([2]))
    fresh.load_state_dict(loss.state_dict())
    assert torch.equal(fresh.targets, loss.targets)
    assert fresh.penalty.memory.written.tolist() == [False, False, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    logits, label, index = random_batch(dtype=torch.float32)
    half = logits.detach().to(dtype)
    penalty = ELRPenalty(8, 4)(half, index)
    assert penalty.dtype == torch.float32
    assert torch.equal(penalty, ELRPenalty(8, 4)(half.float(), index))
    with torch.autocast("cpu", torch.bfloat16):
        value = ELRLoss(8, 4)(logits, label, index)
    assert torch.isfinite(value)


def test_empty_batch_is_zero_with_a_gradient():
    logits = torch.zeros(0, 3, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.long)
    value = ELRLoss(4, 3)(logits, nothing, nothing)
    value.backward()
    assert value.item() == 0.0
    assert logits.grad.shape == (0, 3)


@pytest.mark.parametrize("seed", [0, 1])
def test_hand_written_loop_resists_wrong_labels(seed):
    generator = torch.Generator().manual_seed(seed)
    truth = torch.arange(400) % 2
    x = torch.randn(400, 20, generator=generator)
    x[:, 0] += 4.0 * truth - 2.0
    y = truth.clone()
    wrong = torch.randperm(400, generator=generator)[:120]
    y[wrong] = 1 - y[wrong]
    accuracy = {}
    for lam in (0.0, 3.0):
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
        loss, optimizer = ELRLoss(400, 2, lam=lam), torch.optim.SGD(net.parameters(), 0.02, 0.9)
        for _ in range(60):
            for batch in torch.randperm(400, generator=generator).split(40):
                optimizer.zero_grad()
                loss(net(x[batch]), y[batch], batch).backward()
                optimizer.step()
        accuracy[lam] = (net(x).argmax(1) == truth).float().mean().item()
    assert accuracy[0.0] < 0.75 < 0.85 < accuracy[3.0]  # all wrong labels fitted, and few


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lam": -1.0}, "lam must be in"),
        ({"lam": float("nan")}, "lam must be in"),
        ({"beta": 1.0}, r"beta must be in \[0, 1\)"),
        ({"beta": -0.1}, "beta must be in"),
        ({"clamp": 0.0}, "clamp must be in"),
        ({"n_classes": 1}, "n_classes must be in"),
        ({"n_samples": 0}, "n_samples must be in"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        ELRLoss(**({"n_samples": 4, "n_classes": 3} | arguments))


@pytest.mark.parametrize(
    ("logits", "target", "index", "message"),
    [
        (LOGITS, torch.tensor([0]), None, "index, the stable number of each sample"),
        (LOGITS, torch.tensor([0]), torch.tensor([4]), r"index must lie in 0, \.\.\., 3"),
        (LOGITS, torch.tensor([0]), torch.tensor([0, 1]), "index must be integers of shape"),
        (LOGITS, torch.tensor([0]), torch.tensor([0.0]), "index must be integers of shape"),
        (LOGITS, torch.tensor([3]), torch.tensor([0]), r"target must lie in 0, \.\.\., 2, got 3"),
        (LOGITS, torch.tensor([-1]), torch.tensor([0]), "target must lie in"),
        (LOGITS, torch.tensor([[0]]), torch.tensor([0]), "target must be class numbers"),
        (LOGITS[0], torch.tensor([0]), torch.tensor([0]), "logits must be floating-point"),
        (LOGITS.long(), torch.tensor([0]), torch.tensor([0]), "logits must be floating-point"),
    ],
)
def test_bad_batches(logits, target, index, message):
    with pytest.raises(ValueError, match=message):
        ELRLoss(4, 3)(logits, target, index)
