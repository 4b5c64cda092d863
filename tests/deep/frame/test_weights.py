"""Means of a batch's losses: those of torch, with weights of samples."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.frame._weights import (
    divides_differently,
    mean_loss,
    normalized_weights,
    one_loss_per_sample,
    sample_losses,
)
from skreg.deep.torch import StableMaxCrossEntropyLoss

C = torch.tensor([0.2, 1.0, 5.0], dtype=torch.float64)
CRITERIA = {
    "plain": nn.CrossEntropyLoss(),
    "class weights": nn.CrossEntropyLoss(weight=C),
    "ignored": nn.CrossEntropyLoss(weight=C, ignore_index=1),
    "ignored, no weights": nn.CrossEntropyLoss(ignore_index=2),
    "smoothed": nn.CrossEntropyLoss(weight=C, label_smoothing=0.1, ignore_index=0),
    "summed": nn.CrossEntropyLoss(weight=C, reduction="sum", ignore_index=1),
    "stablemax": StableMaxCrossEntropyLoss(weight=C),
    "likelihood": nn.NLLLoss(weight=C, ignore_index=1),
}


class Doubled(nn.Module):
    """Twice another criterion."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, y_pred, y):
        return 2 * self.inner(y_pred, y)


class PerImage(Doubled):
    """Means over the pixels of each image, or over all of them."""

    reduction = "mean"

    def forward(self, y_pred, y):
        losses = self.inner(y_pred, y)
        return losses if losses.ndim == 0 else losses.flatten(1).mean(1)


CRITERIA["nested"] = Doubled(nn.CrossEntropyLoss(weight=C, ignore_index=1))


def random_batch(seed=0, n=14, shape=()):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, 3, *shape, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (n, *shape), generator=generator)
    return logits.requires_grad_(), y, torch.randint(4, (n,), generator=generator)


def loss_of(criterion, y_pred, y, weight=None):
    with one_loss_per_sample(criterion):
        losses = criterion(y_pred, y)
    return mean_loss(criterion, losses, y, weight)


def assert_same(value, expected, of):
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(value, of, retain_graph=True)
    (wanted,) = torch.autograd.grad(expected, of, retain_graph=True)
    torch.testing.assert_close(gradient, wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize("name", CRITERIA)
def test_weights_of_one_give_the_criterions_own_mean(name, shape):
    criterion, (logits, y, _) = CRITERIA[name], random_batch(shape=shape)
    own = criterion(logits, y)
    ones = torch.ones(len(y), dtype=torch.float64)
    assert_same(loss_of(criterion, logits, y, ones), own, logits)
    assert_same(loss_of(criterion, logits, y), own, logits)
    part = getattr(criterion, "inner", criterion)
    assert part.reduction == ("sum" if name == "summed" else "mean")


@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize("name", CRITERIA)
def test_whole_number_weights_are_repeated_rows(name, shape):
    criterion, (logits, y, counts) = CRITERIA[name], random_batch(shape=shape)
    rows = torch.arange(len(y)).repeat_interleave(counts)
    repeated = criterion(logits[rows], y[rows])
    scale = counts.double().mean()
    weighted = loss_of(criterion, logits, y, counts / scale)
    # a sum is one of all samples: of as many as there are, weighted ones have mean one
    assert_same(weighted * (scale if name == "summed" else 1), repeated, logits)


@pytest.mark.parametrize("shape", [(), (2, 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_hot_probabilities_are_class_numbers(shape, smoothing):
    logits, y, counts = random_batch(shape=shape)
    criterion = nn.CrossEntropyLoss(weight=C, label_smoothing=smoothing)
    one_hot = F.one_hot(y, 3).movedim(-1, 1).double()
    assert divides_differently(criterion, one_hot)
    assert divides_differently(criterion, y) == (shape != ())  # pixels may all be ignored
    for weight in (None, counts / counts.double().mean()):
        expected = loss_of(criterion, logits, y, weight)
        assert_same(loss_of(criterion, logits, one_hot, weight), expected, logits)
    assert_same(loss_of(criterion, logits, one_hot), criterion(logits, y), logits)


def test_soft_targets_have_the_mean_class_weight_as_divisor():
    logits, _, counts = random_batch()
    t = torch.rand(14, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    t = t / t.sum(1, keepdim=True)
    criterion = nn.CrossEntropyLoss(weight=C)
    expected = -(t * C * logits.log_softmax(1)).sum() / (t * C).sum()
    assert_same(loss_of(criterion, logits, t), expected, logits)
    rows = torch.arange(14).repeat_interleave(counts)
    expected = -(t * C * logits.log_softmax(1))[rows].sum() / (t * C)[rows].sum()
    weighted = loss_of(criterion, logits, t, counts / counts.double().mean())
    assert_same(weighted, expected, logits)
    # without class weights it is torch's mean
    assert not divides_differently(nn.CrossEntropyLoss(), t)
    ones = torch.ones(14, dtype=torch.float64)
    assert_same(loss_of(nn.CrossEntropyLoss(), logits, t, ones), F.cross_entropy(logits, t), logits)


@pytest.mark.parametrize(
    "criterion",
    [
        nn.MSELoss(),
        nn.MSELoss(reduction="sum"),
        nn.L1Loss(),
        nn.HuberLoss(),
        nn.BCEWithLogitsLoss(pos_weight=C),
        nn.KLDivLoss(reduction="batchmean"),
    ],
)
def test_losses_of_several_outputs(criterion):
    y_pred, _, counts = random_batch()
    y = torch.rand(14, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ones = torch.ones(14, dtype=torch.float64)
    assert_same(loss_of(criterion, y_pred, y, ones), criterion(y_pred, y), y_pred)
    rows = torch.arange(14).repeat_interleave(counts)
    scale = counts.double().mean()
    weighted = loss_of(criterion, y_pred, y, counts / scale)
    weighted = weighted * (scale if criterion.reduction == "sum" else 1)
    assert_same(weighted, criterion(y_pred[rows], y[rows]), y_pred)


def test_a_callable_that_is_no_module():
    class Absolute:
        reduction = "mean"

        def __call__(self, y_pred, y):
            losses = (y_pred - y).abs()
            return losses.mean() if self.reduction == "mean" else losses

    y_pred, _, _ = random_batch()
    criterion, y, ones = Absolute(), torch.zeros(14, 3), torch.ones(14)
    assert_same(loss_of(criterion, y_pred, y, ones), criterion(y_pred, y), y_pred)


def test_criteria_that_average_pixels_themselves():
    logits, y, counts = random_batch(shape=(2, 3))
    criterion = PerImage(nn.CrossEntropyLoss())
    ones = torch.ones(14, dtype=torch.float64)
    assert_same(loss_of(criterion, logits, y, ones), F.cross_entropy(logits, y), logits)
    rows = torch.arange(14).repeat_interleave(counts)
    weighted = loss_of(criterion, logits, y, counts / counts.double().mean())
    assert_same(weighted, F.cross_entropy(logits[rows], y[rows]), logits)


@pytest.mark.parametrize("name", ["class weights", "ignored, no weights"])
def test_losses_of_samples_average_to_the_mean(name):
    criterion, (logits, y, counts) = CRITERIA[name], random_batch(shape=(2, 3))
    weight = counts / counts.double().mean()
    with one_loss_per_sample(criterion):
        losses = criterion(logits, y)
    single = sample_losses(criterion, losses, y, weight)
    assert single.shape == (14,)
    mean = mean_loss(criterion, losses, y, weight)
    assert (weight * single).mean().item() == pytest.approx(mean.item(), rel=1e-12)


@pytest.mark.parametrize("name", ["class weights", "ignored", "plain"])
def test_a_batch_in_which_nothing_counts_is_zero(name):
    criterion, (logits, y, _) = CRITERIA[name], random_batch()
    cases = [(y, torch.zeros(14))]
    if name == "ignored":
        cases += [(torch.ones_like(y), torch.ones(14)), (torch.ones_like(y), None)]
    for targets, weight in cases:
        loss = loss_of(criterion, logits, targets, weight)
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.item() == 0.0
        assert not gradient.any()


def test_batches_are_relative_to_the_mean_weight_of_all_samples():
    logits, y, _ = random_batch()
    light = torch.full((14,), 0.25, dtype=torch.float64)
    loss = loss_of(CRITERIA["class weights"], logits, y, light)
    assert_same(loss, 0.25 * CRITERIA["class weights"](logits, y), logits)


def test_other_attributes_of_that_name_stay():
    class Squeezing(Doubled):
        reduction = 16

    criterion = Squeezing(nn.CrossEntropyLoss(weight=C))
    logits, y, _ = random_batch()
    with one_loss_per_sample(criterion):
        assert criterion.reduction == 16
        assert criterion.inner.reduction == "none"
    ones = torch.ones(14, dtype=torch.float64)
    assert_same(loss_of(criterion, logits, y, ones), criterion(logits, y), logits)


def test_reductions_come_back_after_an_error():
    criterion = nn.CrossEntropyLoss()
    with pytest.raises(RuntimeError, match="stop"), one_loss_per_sample(criterion):
        raise RuntimeError("stop")
    assert criterion.reduction == "mean"


def test_what_has_no_mean_of_its_own_is_refused():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.CrossEntropyLoss(weight=C), nn.CrossEntropyLoss()

        def forward(self, y_pred, y):
            return self.first(y_pred, y) + self.second(y_pred, y)

    logits, y, _ = random_batch()
    with pytest.raises(ValueError, match="Two holds 2 losses, with class weights"):
        loss_of(Two(), logits, y)
    with pytest.raises(ValueError, match=r"one loss for each sample .* got shape \(\) for 14"):
        mean_loss(nn.CrossEntropyLoss(), logits.mean(), y, torch.ones(14))
    with pytest.raises(ValueError, match="neither class numbers nor their probabilities"):
        mean_loss(nn.CrossEntropyLoss(weight=C), logits.mean(1), y.double())


def test_weights_of_any_size_have_mean_one():
    for scale in (1e-320, 1.0, 1e308):
        weight = normalized_weights([scale, 0.5 * scale, 0.5 * scale], 3)
        np.testing.assert_allclose(weight, [1.5, 0.75, 0.75], rtol=1e-3)
