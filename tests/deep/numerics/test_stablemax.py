"""StableMax, its cross entropy, and the meters of softmax collapse."""

import math

import pytest
import torch
from torch.nn import functional as F

from skreg.deep.torch import (
    StableMaxCrossEntropyLoss,
    log_stablemax,
    softmax_collapse_rate,
    stablemax,
    zero_loss_rate,
)

EDGES = torch.tensor([[1.0, 0.0, -0.0], [-1.0, 1.0, 1e30], [-1e30, 1e30, 0.5]])


def s(x):
    return x + 1 if x >= 0 else 1 / (1 - x)


def test_values_by_hand():
    logits = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64)
    expected = torch.tensor([[2 / 3, 2 / 9, 1 / 9]], dtype=torch.float64)
    torch.testing.assert_close(stablemax(logits), expected, rtol=1e-15, atol=0)
    loss = StableMaxCrossEntropyLoss()(logits, torch.tensor([0]))
    assert loss.item() == pytest.approx(math.log(1.5), rel=1e-15)


def test_probabilities_are_ratios_of_s():
    x = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 5
    values = torch.tensor([[s(v) for v in row] for row in x.tolist()], dtype=torch.float64)
    expected = values / values.sum(1, keepdim=True)
    torch.testing.assert_close(stablemax(x, dim=1), expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(log_stablemax(x), expected.log(), rtol=0, atol=1e-13)
    along_rows = stablemax(x.T.contiguous(), dim=0).T
    torch.testing.assert_close(along_rows, expected, rtol=1e-13, atol=0)


def test_gradient_is_exact_also_at_zero_and_one():
    # s is once differentiable at zero, so finite differences are of first order there
    x = torch.tensor([[0.0, 1.0, -1.0, 0.5, -3.0]], dtype=torch.float64, requires_grad=True)
    log_stablemax(x)[0, 0].backward()
    slope = torch.tensor([1.0, 0.5, 0.5, 1 / 1.5, 1 / 4], dtype=torch.float64)  # (log s)'
    p = stablemax(x.detach())[0]
    expected = (F.one_hot(torch.tensor(0), 5) - p) * slope
    torch.testing.assert_close(x.grad[0], expected, rtol=1e-14, atol=1e-16)
    away = (torch.randn(3, 4, dtype=torch.float64) + 5).requires_grad_()
    assert torch.autograd.gradcheck(log_stablemax, away)
    assert torch.autograd.gradcheck(log_stablemax, (-away).detach().requires_grad_())


def test_large_and_special_inputs_stay_finite_in_single_precision():
    x = EDGES.clone().requires_grad_()
    loss = StableMaxCrossEntropyLoss()(x, torch.tensor([0, 0, 0]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(log_stablemax(EDGES)).all()


def test_equal_logits_are_uniform_and_shifts_matter():
    torch.testing.assert_close(stablemax(torch.zeros(2, 4)), torch.full((2, 4), 0.25))
    x = torch.tensor([2.0, 0.0, -1.0])
    assert not torch.allclose(stablemax(x), stablemax(x + 1))


def test_loss_takes_the_options_of_cross_entropy():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64) * 3
    target = torch.tensor([0, 1, 2, -100, 1, 0])
    weight = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    log_p = log_stablemax(logits)
    expected = F.nll_loss(log_p, target, weight)
    assert StableMaxCrossEntropyLoss(weight)(logits, target).item() == pytest.approx(
        expected.item(), rel=1e-14
    )
    each = StableMaxCrossEntropyLoss(reduction="none")(logits, target)
    torch.testing.assert_close(each, F.nll_loss(log_p, target, reduction="none"))
    kept = target.clamp(min=0)
    soft = 0.9 * F.one_hot(kept, 3).double() + 0.1 / 3
    smooth = StableMaxCrossEntropyLoss(label_smoothing=0.1)(logits, kept)
    assert smooth.item() == pytest.approx(-(soft * log_p).sum(1).mean().item(), rel=1e-14)
    assert StableMaxCrossEntropyLoss()(logits, soft).item() == pytest.approx(smooth.item())
    images = torch.randn(2, 3, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(3, (2, 4), generator=generator)
    pixelwise = F.nll_loss(log_stablemax(images, dim=1), labels)
    assert StableMaxCrossEntropyLoss()(images, labels).item() == pytest.approx(pixelwise.item())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    logits = torch.tensor([[60.0, -60.0, 1.0]], dtype=dtype)
    loss = StableMaxCrossEntropyLoss()(logits, torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(-log_stablemax(logits.double())[0, 1].item(), rel=1e-6)
    assert stablemax(logits).dtype == dtype


def test_empty_batch_is_zero_and_integers_are_refused():
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = StableMaxCrossEntropyLoss()(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0
    with pytest.raises(ValueError, match="logits must be floating-point"):
        StableMaxCrossEntropyLoss()(torch.zeros(1, 3, dtype=torch.long), torch.tensor([0]))


@pytest.mark.parametrize(
    ("dtype", "kept", "lost"),
    [(torch.float16, 7.0, 9.0), (torch.float32, 16.0, 18.0), (torch.float64, 36.0, 38.0)],
)
def test_softmax_collapses_where_exp_is_half_a_rounding(dtype, kept, lost):
    # two rivals at gap G are lost when 2 exp(-G) < eps / 2
    assert 2 * math.exp(-lost) < torch.finfo(dtype).eps / 2 < 2 * math.exp(-kept)
    logits = torch.tensor([[0.0, -kept, -kept], [3.0, 3.0 - lost, 3.0 - lost]], dtype=dtype)
    assert softmax_collapse_rate(logits).item() == 0.5
    target = torch.tensor([0, 0])
    assert zero_loss_rate(logits, target).item() == 0.5
    assert zero_loss_rate(logits, target + 1).item() == 0.0
    if dtype != torch.float64:
        return
    assert softmax_collapse_rate(logits, torch.float32).item() == 1.0
    assert softmax_collapse_rate(logits.float()).item() == 1.0


def test_gradient_at_the_label_vanishes_exactly_when_the_softmax_has_collapsed():
    logits = torch.tensor([[18.0, 0.0, 0.0]], requires_grad=True)
    F.cross_entropy(logits, torch.tensor([0])).backward()
    assert logits.grad[0, 0] == 0.0
    assert (logits.grad[0, 1:] > 0).all()
    assert softmax_collapse_rate(logits).item() == 1.0


def test_bad_input_of_meters():
    with pytest.raises(ValueError, match="logits must be floating-point"):
        softmax_collapse_rate(torch.zeros(3))
    with pytest.raises(ValueError, match="target must lie in"):
        zero_loss_rate(torch.zeros(2, 3), torch.tensor([0, 3]))
