"""The threshold-consistent margin loss."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_blobs
from torch.nn import functional as F

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import ThresholdConsistentMargin
from skreg.deep.torch import ThresholdConsistentMarginLoss

Z = torch.tensor([[0.0, 1.0], [0.43, 0.90], [1.0, 0.0], [0.5, 0.5]], dtype=torch.float64)
Y = torch.tensor([0, 0, 1, 1])


def random_batch(n=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, 4, generator=generator, dtype=torch.float64) + 0.5
    return z.requires_grad_(), torch.randint(3, (n,), generator=generator)


def by_definition(z, y, z_ref, y_ref, skip_diagonal, high=0.9, low=0.5, weights=(1.0, 1.0)):
    pull, push = [], []
    for i in range(len(y)):
        for j in range(len(y_ref)):
            if skip_diagonal and i == j:
                continue
            s = F.cosine_similarity(z[i], z_ref[j], dim=0).item()
            if y[i] == y_ref[j] and s <= high:
                pull.append(high - s)
            if y[i] != y_ref[j] and s >= low:
                push.append(s - low)
    return weights[0] * sum(pull) / max(len(pull), 1) + weights[1] * sum(push) / max(len(push), 1)


def test_four_points_by_hand():
    positive, negative = 0.9 - 0.5**0.5, (0.20710678 + 0.44292) / 2
    both = ThresholdConsistentMarginLoss()(Z, Y)
    assert both.item() == pytest.approx(0.5179, abs=5e-5)
    pull = ThresholdConsistentMarginLoss(weight_neg=0.0)(Z, Y)
    assert pull.item() == pytest.approx(positive, rel=1e-12)
    push = ThresholdConsistentMarginLoss(weight_pos=0.0)(Z, Y)
    assert push.item() == pytest.approx(negative, abs=5e-5)


@pytest.mark.parametrize("seed", range(3))
def test_random_batches_by_definition(seed):
    z, y = random_batch(seed=seed)
    loss = ThresholdConsistentMarginLoss(0.8, 0.2, 2.0, 0.5)
    expected = by_definition(z, y, z, y, True, 0.8, 0.2, (2.0, 0.5))
    assert loss(z, y).item() == pytest.approx(expected, rel=1e-12)
    z_ref, y_ref = random_batch(7, seed=seed + 10)
    expected = by_definition(z, y, z_ref, y_ref, False, 0.8, 0.2, (2.0, 0.5))
    assert loss(z, y, z_ref, y_ref).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_whole_number_weights_are_repeated_rows(seed):
    z, y = random_batch(seed=seed)
    weight = torch.randint(4, (10,), generator=torch.Generator().manual_seed(seed))
    rows = torch.arange(10).repeat_interleave(weight)
    loss = ThresholdConsistentMarginLoss(0.8, 0.2, 2.0, 0.5)
    repeated = loss(z[rows], y[rows])
    weighted = loss(z, y, sample_weight=weight)
    assert repeated > 0
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-12)
    (expected,) = torch.autograd.grad(repeated, z)
    (gradient,) = torch.autograd.grad(weighted, z)
    torch.testing.assert_close(gradient, expected, rtol=1e-10, atol=1e-12)
    # only ratios matter, however small the numbers
    scaled = loss(z, y, sample_weight=weight * 1e-30)
    assert scaled.item() == pytest.approx(weighted.item(), rel=1e-12)
    z_ref, y_ref = random_batch(7, seed=seed + 10)
    ref_weight = torch.randint(4, (7,), generator=torch.Generator().manual_seed(seed + 1))
    ref_rows = torch.arange(7).repeat_interleave(ref_weight)
    repeated = loss(z[rows], y[rows], z_ref[ref_rows], y_ref[ref_rows])
    weighted = loss(z, y, z_ref, y_ref, sample_weight=weight, ref_weight=ref_weight)
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-12)


def test_regularizer_takes_sample_weights_as_repetitions():
    X, y = make_blobs(40, centers=3, random_state=0, cluster_std=4.0)
    weight = np.random.default_rng(0).integers(1, 4, 40)
    model = DeepClassifier(
        regularizers=[("tcm", ThresholdConsistentMargin(weight_pos=3.0))],
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=5,
        batch_size=10**6,
        standardize=False,
        dtype="float64",
        random_state=0,
    )
    weighted = clone(model).fit(X, y, sample_weight=weight).predict_proba(X)
    rows = np.repeat(np.arange(40), weight)
    repeated = clone(model).fit(X[rows], y[rows]).predict_proba(X)
    np.testing.assert_allclose(weighted, repeated, rtol=0, atol=1e-10)
    assert np.abs(weighted - clone(model).fit(X, y).predict_proba(X)).max() > 1e-3


def test_weights_of_zero_are_no_samples():
    z, y = random_batch()
    loss = ThresholdConsistentMarginLoss()(z, y, sample_weight=torch.zeros(10))
    loss.backward()
    assert loss.item() == 0.0
    assert not z.grad.any()


def test_separated_classes_cost_nothing():
    z = torch.tensor([[1.0, 0.0], [1.0, 0.01], [0.0, 1.0], [0.01, 1.0]], requires_grad=True)
    loss = ThresholdConsistentMarginLoss()(z, Y)
    loss.backward()
    assert loss.item() == 0.0
    assert not z.grad.any()


def test_invariances():
    z, y = random_batch()
    loss = ThresholdConsistentMarginLoss()
    order = torch.randperm(10)
    rotation, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))
    same = [
        loss(z[order], y[order]),
        loss(z @ rotation, y),
        loss(z * torch.rand(10, 1, dtype=torch.float64) * 5, y),
        loss(torch.cat([z, z]), torch.cat([y, y])),
        loss(z, (y + 1) % 3),
    ]
    assert [value.item() for value in same] == pytest.approx([loss(z, y).item()] * 5, rel=1e-12)


def test_gradients():
    z, y = random_batch()
    assert torch.autograd.gradcheck(lambda z: ThresholdConsistentMarginLoss()(z, y), z)
    # with unit embeddings in general position, each hard positive pair pulls equally
    unit = F.normalize(z.detach(), dim=1)
    cosine = (unit @ unit.T).requires_grad_()
    same = (y[:, None] == y) & ~torch.eye(10, dtype=torch.bool)
    hard = same & (cosine <= 0.9)
    pull = (torch.where(hard, 0.9 - cosine, 0.0)).sum() / hard.sum()
    pull.backward()
    assert cosine.grad[hard].tolist() == pytest.approx([-1 / hard.sum().item()] * int(hard.sum()))
    value = ThresholdConsistentMarginLoss(weight_neg=0.0)(z, y)
    assert value.item() == pytest.approx(pull.item(), rel=1e-12)


@pytest.mark.parametrize("n", [0, 1])
def test_batches_without_pairs_are_zero_with_a_gradient(n):
    z = torch.ones(n, 3, requires_grad=True)
    loss = ThresholdConsistentMarginLoss()(z, torch.zeros(n, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0.0


def test_batches_of_one_class_or_of_single_samples_have_one_term():
    z, _ = random_batch()
    loss = ThresholdConsistentMarginLoss()
    one_class = loss(z, torch.zeros(10, dtype=torch.long)).item()
    assert one_class == pytest.approx(by_definition(z, [0] * 10, z, [0] * 10, True), rel=1e-12)
    single = loss(z, torch.arange(10)).item()
    assert single == pytest.approx(by_definition(z, range(10), z, range(10), True), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    z, y = random_batch()
    z = z.detach().to(dtype)
    loss = ThresholdConsistentMarginLoss()
    assert torch.equal(loss(z, y), loss(z.float(), y))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(z, y), loss(z.float(), y))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin_pos": 1.1}, "margin_pos must be in"),
        ({"margin_neg": -1.1}, "margin_neg must be in"),
        ({"margin_pos": 0.5}, "margin_neg must be below margin_pos"),
        ({"weight_pos": -1.0}, "weight_pos must be in"),
        ({"weight_neg": -1.0}, "weight_neg must be in"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        ThresholdConsistentMarginLoss(**arguments)


def test_bad_batches():
    loss = ThresholdConsistentMarginLoss()
    with pytest.raises(ValueError, match="embeddings must be floating-point"):
        loss(Z.long(), Y)
    with pytest.raises(ValueError, match=r"labels of embeddings must have shape \(4,\)"):
        loss(Z, Y[:3])
    for given in ({"ref_emb": Z}, {"ref_labels": Y}, {"ref_weight": torch.ones(4)}):
        with pytest.raises(ValueError, match="must be given together"):
            loss(Z, Y, **given)
    with pytest.raises(ValueError, match=r"weights of embeddings must have shape \(4,\), got \(3"):
        loss(Z, Y, sample_weight=torch.ones(3))
    with pytest.raises(ValueError, match="labels of ref_emb must have shape"):
        loss(Z, Y, Z, Y[:2])
