"""The contrastive regularizer for imbalanced regression."""

import math

import pytest
import torch
from torch.nn import functional as F

from skreg.deep.regularizers import ConR
from skreg.deep.torch import ConRLoss

Z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
Y, P = torch.tensor([0.0, 0.5, 5.0]), torch.tensor([0.0, 0.2, 0.4])


def random_batch(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(n, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = 5 * torch.rand(n, generator=generator, dtype=torch.float64)
    predictions = labels + torch.randn(n, generator=generator, dtype=torch.float64)
    return features, labels, predictions


def by_definition(features, y, p, window, temperature, push, weights=None, official=False):
    """The loss, pair by pair."""
    n = len(y)
    w = [1.0] * n if weights is None else weights.tolist()
    z = F.normalize(features.detach(), dim=1)
    s = (z @ z.T / temperature).tolist()
    total = 0.0
    for j in range(n):
        near = [i for i in range(n) if i != j and abs(y[j] - y[i]) <= window]
        far = [q for q in range(n) if abs(y[j] - y[q]) > window and abs(p[j] - p[q]) <= window]
        if not near or not far:
            continue
        z_j = sum(math.exp(s[j][i]) for i in near)
        z_j += sum(w[j] * math.exp(push * abs(y[j] - y[q])) * math.exp(s[j][q]) for q in far)
        z_j += (n - len(near)) * official
        total += w[j] * sum(math.log(z_j) - s[j][i] for i in near) / len(near)
    return total / n


@pytest.mark.parametrize(("official", "expected"), [(False, 0.309856), (True, 0.5632)])
def test_three_samples_by_hand(official, expected):
    loss = ConRLoss(window=1.0, temperature=1.0, push=0.1, official=official)(Z, Y, P)
    assert loss.item() == pytest.approx(expected, abs=5e-5 if official else 5e-7)
    first = -math.log(math.e / (math.e + 2 * official + math.exp(0.5)))
    second = -math.log(math.e / (math.e + 2 * official + math.exp(0.45)))
    assert loss.item() == pytest.approx((first + second) / 3, rel=1e-7)


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_random_batches_by_definition(seed, official):
    features, y, p = random_batch(seed=seed)
    weights = torch.rand(12, dtype=torch.float64) + 0.5
    options = {"window": 0.8, "temperature": 0.2, "push": 0.3, "official": official}
    expected = by_definition(features, y.tolist(), p.tolist(), weights=weights, **options)
    assert expected > 0
    found = ConRLoss(**options)(features, y, p, weights)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_linear_push_by_definition():
    features, y, p = random_batch()
    loss = ConRLoss(window=0.8, temperature=0.5, push=0.3, push_form="linear")(features, y, p)
    z = F.normalize(features.detach(), dim=1)
    s, d = z @ z.T / 0.5, (y[:, None] - y).abs()
    near = (d <= 0.8) & ~torch.eye(12, dtype=torch.bool)
    far = (d > 0.8) & ((p[:, None] - p).abs() <= 0.8)
    total = (near * s.exp()).sum(1) + (far * d * 0.3 * s.exp()).sum(1)
    each = (near * (total[:, None].log() - s)).sum(1) / near.sum(1).clamp(min=1)
    each = torch.where(near.any(1) & far.any(1), each, 0.0)
    assert loss.item() == pytest.approx(each.mean().item(), rel=1e-12)
    valid = ConRLoss(0.8, 0.5, 0.3, push_form="linear", reduction="valid")(features, y, p)
    n_valid = (near.any(1) & far.any(1)).sum()
    assert valid.item() == pytest.approx((each.sum() / n_valid).item(), rel=1e-12)


def test_linear_push_with_weights_by_definition():
    features, y, p = random_batch(seed=5)
    w = torch.rand(12, dtype=torch.float64) + 0.5
    z = F.normalize(features.detach(), dim=1)
    s, d = z @ z.T / 0.5, (y[:, None] - y).abs()
    near = (d <= 0.8) & ~torch.eye(12, dtype=torch.bool)
    far = (d > 0.8) & ((p[:, None] - p).abs() <= 0.8)
    total = (near * s.exp()).sum(1) + (far * d * 0.3 * w[:, None] * s.exp()).sum(1)
    each = (near * (total[:, None].log() - s)).sum(1) / near.sum(1).clamp(min=1)
    expected = torch.where(near.any(1) & far.any(1), w * each, 0.0).mean()
    loss = ConRLoss(window=0.8, temperature=0.5, push=0.3, push_form="linear")(features, y, p, w)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("push_form", ["exp", "linear"])
def test_regularizer_refuses_the_official_loss_with_a_linear_push(push_form):
    conr = ConR(official=True, push_form=push_form)
    if push_form == "exp":
        assert conr.initialize().loss_.official
        return
    with pytest.raises(ValueError, match=r"official=True .* push_form='linear'"):
        conr.initialize()


def test_without_push_it_is_the_supervised_contrast_of_the_bins():
    features, _, _ = random_batch()
    y = torch.tensor([0, 1, 2] * 4)
    z = F.normalize(features.detach(), dim=1)
    s = z @ z.T / 0.3
    s.fill_diagonal_(-torch.inf)
    log_p = s - s.logsumexp(1, keepdim=True)
    same = (y[:, None] == y) & ~torch.eye(12, dtype=torch.bool)
    expected = -(torch.where(same, log_p, 0.0).sum(1) / same.sum(1)).mean()
    loss = ConRLoss(window=0.5, temperature=0.3, push=0.0)(features, y, torch.zeros(12))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_nothing_is_pushed_if_all_is_near_or_predictions_are_right():
    features, y, p = random_batch()
    for window, predictions in ((float("inf"), p), (0.8, y)):
        loss = ConRLoss(window=window)(features, y, predictions)
        (gradient,) = torch.autograd.grad(loss, features)
        assert loss.item() == 0.0
        assert not gradient.any()


def test_invariances():
    features, y, p = random_batch()
    loss = ConRLoss(window=0.8, push=0.3)(features, y, p).item()
    order = torch.randperm(12)
    same = [
        ConRLoss(window=0.8, push=0.3)(features[order], y[order], p[order]),
        ConRLoss(window=0.8, push=0.3)(features * torch.rand(12, 1) * 9, y, p),
        ConRLoss(window=0.8, push=0.3)(features, y + 7, p + 7),
        ConRLoss(window=8.0, push=0.03)(features, 10 * y, 10 * p),
        ConRLoss(window=0.8, push=0.3)(features, y[:, None], p[:, None]),
        ConRLoss(window=0.8, push=0.3)(
            features, torch.stack([0.6 * y, 0.8 * y], 1), torch.stack([0.6 * p, 0.8 * p], 1)
        ),
    ]
    assert [value.item() for value in same] == pytest.approx([loss] * len(same), rel=1e-10)


def test_a_neutral_sample_changes_nothing_but_the_mean():
    features, y, p = random_batch()
    more = torch.cat([features, torch.ones(1, 5, dtype=torch.float64)])
    y_more, p_more = torch.cat([y, y[:1] + 1e3]), torch.cat([p, p[:1] - 1e3])
    for official in (False, True):
        loss = ConRLoss(window=0.8, official=official)
        ratio = (13 * loss(more, y_more, p_more) / (12 * loss(features, y, p))).item()
        assert (abs(ratio - 1) < 1e-12) is not official


def test_gradients():
    features, y, p = random_batch(8)
    p.requires_grad_()
    for options in ({}, {"official": True}, {"push_form": "linear"}, {"reduction": "valid"}):
        loss = ConRLoss(window=0.8, temperature=0.5, push=0.3, **options)
        assert torch.autograd.gradcheck(lambda f, loss=loss: loss(f, y, p), features)
    loss(features, y, p).backward()
    assert p.grad is None


def test_anchor_without_positives_adds_zero_and_no_nan():
    features = torch.randn(4, 3, requires_grad=True)
    loss = ConRLoss(window=0.1)(features, torch.arange(4.0), torch.zeros(4))
    loss.backward()
    assert loss.item() == 0.0
    assert not features.grad.any()


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_samples_are_zero_with_a_gradient(n):
    features = torch.ones(n, 3, requires_grad=True)
    loss = ConRLoss()(features, torch.zeros(n), torch.zeros(n))
    loss.backward()
    assert loss.item() == 0.0
    assert not features.grad.any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_single(dtype):
    features, y, p = (part.detach().to(dtype) for part in random_batch())
    loss = ConRLoss(window=0.8)(features, y, p)
    assert loss.dtype == torch.float32
    single = ConRLoss(window=0.8)(features.float(), y.float(), p.float())
    assert torch.equal(loss, single)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ConRLoss(window=0.8)(features.float(), y.float(), p.float()), single)


@pytest.mark.parametrize("seed", range(3))
def test_rare_features_leave_the_majority_and_positive_pairs_stay(seed):
    generator = torch.Generator().manual_seed(seed)
    rare = torch.tensor([80, 80.5, 81, 80.2, 90, 90.5, 90.3, 90.8])
    common = torch.randint(20, 30, (56,), generator=generator).float()
    y = torch.cat([common, rare])
    p = torch.cat(
        [
            common + 0.3 * torch.randn(56, generator=generator),
            25 + torch.randn(8, generator=generator),
        ]
    )
    base = torch.randn(16, generator=generator)
    start = base + 0.3 * torch.randn(64, 16, generator=generator)
    positive = ((y[:, None] - y).abs() <= 1) & ~torch.eye(64, dtype=torch.bool)

    def cosines(features):
        z = F.normalize(features, dim=1)
        rare_to_common = (F.normalize(features[:56].mean(0), dim=0) @ z[56:].T).mean()
        return rare_to_common.item(), (z @ z.T)[positive].mean().item()

    def trained(predictions):
        features = start.clone().requires_grad_()
        optimizer, loss = torch.optim.Adam([features], lr=0.05), ConRLoss()
        for _ in range(200):
            optimizer.zero_grad()
            loss(features, y, predictions).backward()
            optimizer.step()
        return features.detach()

    (before, pairs_before), (after, pairs_after) = cosines(start), cosines(trained(p))
    assert before - after >= 0.35
    assert abs(pairs_after - pairs_before) <= 0.1
    assert torch.equal(trained(y), start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0.0}, "window must be in"),
        ({"window": float("nan")}, "window must be in"),
        ({"temperature": 0.0}, "temperature must be in"),
        ({"push": -0.1}, "push must be in"),
        ({"push_form": "log"}, "push_form must be one of"),
        ({"reduction": "sum"}, "reduction must be one of"),
        ({"official": True, "push_form": "linear"}, "official=True .* push_form='linear'"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConRLoss(**arguments)


@pytest.mark.parametrize(
    ("features", "targets", "predictions", "weights", "message"),
    [
        (Z[0], Y, P, None, "features must be floating-point"),
        (Z.long(), Y, P, None, "features must be floating-point"),
        (Z, Y[:2], P, None, "targets must have shape"),
        (Z, Y, P[:2], None, "predictions must have shape"),
        (Z, Y[:, None, None], P, None, "targets must have shape"),
        (Z, Y[:, None].expand(-1, 2), P, None, "must have the same shape"),
        (Z, Y, P, torch.ones(2), "weights must have shape"),
    ],
)
def test_bad_batches(features, targets, predictions, weights, message):
    with pytest.raises(ValueError, match=message):
        ConRLoss()(features, targets, predictions, weights)
