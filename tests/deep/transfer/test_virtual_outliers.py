"""Energies, margins and virtual outliers against closed forms and a search by scikit-learn."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from torch.nn import functional as F

from skreg.deep.torch import (
    EnergyMarginLoss,
    VirtualOutlierSynthesizer,
    energy,
    masked_cross_entropy,
)


def claimed(*logits):
    """One logit for each sample, so that its energy is minus that."""
    return torch.tensor(logits)[:, None]


# energy


def test_energy_of_two_zeros():
    assert energy(torch.zeros(2)).item() == pytest.approx(-math.log(2))


def test_energy_under_permutations_and_shifts():
    logits = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(energy(logits[:, [3, 1, 4, 0, 2]]), energy(logits))
    torch.testing.assert_close(energy(logits + 2.5), energy(logits) - 2.5)
    torch.testing.assert_close(energy(1e4 * logits), -1e4 * logits.amax(1))
    assert energy(logits.to(torch.bfloat16)).dtype == torch.float32


# cross entropy among the classes of a task


def test_masking_is_minus_infinity_elsewhere():
    logits = torch.randn(6, 7, requires_grad=True)
    target = torch.tensor([2, 3, 4, 2, 3, 4])
    masked = torch.full_like(logits, -torch.inf)
    masked[:, 2:5] = logits[:, 2:5]
    loss = masked_cross_entropy(logits, target, 2, 5)
    torch.testing.assert_close(loss, F.cross_entropy(masked, target))
    loss.backward()
    assert logits.grad[:, [0, 1, 5, 6]].abs().max() == 0
    assert logits.grad[:, 2:5].abs().min() > 0


def test_all_classes_are_no_mask():
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(
        masked_cross_entropy(logits, target, 0, 3), F.cross_entropy(logits, target)
    )
    assert masked_cross_entropy(logits[:0], target[:0], 0, 3).item() == 0


@pytest.mark.parametrize(
    ("target", "start", "stop", "message"),
    [
        ([0], 1, 1, "0 <= start < stop <= 4"),
        ([0], 2, 5, "0 <= start < stop <= 4"),
        ([0], -1, 2, "0 <= start < stop <= 4"),
        ([0], 1, 3, r"target minus start=1 must lie in 0, ..., 1, got -1"),
        ([3], 1, 3, r"target minus start=1 must lie in 0, ..., 1, got 2"),
        ([0.5], 0, 2, "target must be class numbers"),
        ([0, 1], 0, 2, "target must be class numbers of shape"),
    ],
)
def test_masked_cross_entropy_refuses(target, start, stop, message):
    with pytest.raises(ValueError, match=message):
        masked_cross_entropy(torch.zeros(1, 4), torch.tensor(target), start, stop)


# margins


def test_margins_by_hand():
    loss = EnergyMarginLoss()
    assert loss(claimed(12.0)).item() == pytest.approx(0.1 * 2.5)  # 3 over the margin
    assert loss(claimed(15.0), claimed(4.0)).item() == pytest.approx(0.1 * 0.5)
    assert loss(claimed(14.5)).item() == pytest.approx(0.1 * 0.125)
    assert EnergyMarginLoss(penalty="squared")(claimed(12.0)).item() == pytest.approx(0.1 * 9)
    assert EnergyMarginLoss(delta=10.0)(claimed(12.0)).item() == pytest.approx(0.1 * 4.5)


def test_means_are_over_all_samples():
    loss = EnergyMarginLoss(weight=1.0)
    assert loss(claimed(12.0, 20.0, 20.0, 20.0)).item() == pytest.approx(2.5 / 4)
    assert loss(claimed(20.0), claimed(4.0, 0.0)).item() == pytest.approx(0.5 / 2)


def test_within_the_margins_nothing_pulls():
    inside = torch.tensor([[15.0, -3.0], [18.0, 1.0]], requires_grad=True)
    outside = torch.tensor([[2.0, 1.0]], requires_grad=True)
    loss = EnergyMarginLoss()(inside, outside)
    loss.backward()
    assert loss.item() == 0
    assert inside.grad.abs().max() == 0
    assert outside.grad.abs().max() == 0


def test_features_are_pulled_down_and_outliers_up():
    inside = torch.zeros(1, 2, requires_grad=True)
    outside = torch.full((1, 2), 9.0, requires_grad=True)
    EnergyMarginLoss()(inside, outside).backward()
    assert (inside.grad < 0).all()
    assert (outside.grad > 0).all()


def test_without_outliers_and_without_samples():
    loss = EnergyMarginLoss()
    only = loss(claimed(3.0))
    assert torch.equal(only, loss(claimed(3.0), torch.zeros(0, 1)))
    assert loss(torch.zeros(0, 2)).item() == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"tau_id": -3.0}, "tau_id must be less than tau_ood, got -3 and -3"),
        ({"tau_ood": math.nan}, "tau_ood must be"),
        ({"weight": -1.0}, "weight must be"),
        ({"penalty": "l1"}, "penalty must be one of 'huber', 'squared'"),
        ({"delta": 0.0}, "delta must be"),
    ],
)
def test_margins_that_cannot_be_meant(params, message):
    with pytest.raises(ValueError, match=message):
        EnergyMarginLoss(**params)
    loss = EnergyMarginLoss()
    with pytest.raises(ValueError, match=message):
        loss.set_params(**params)
    assert loss.get_params() == EnergyMarginLoss().get_params()


def test_the_loss_is_a_module_with_parameters_of_scikit_learn():
    loss = EnergyMarginLoss(tau_id=-9.0, weight=0.3)
    expected = loss(claimed(3.0), claimed(5.0))
    for other in (clone(loss), copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(other(claimed(3.0), claimed(5.0)), expected)
    assert isinstance(loss, torch.nn.Module)
    assert loss.set_params(tau_id=-20.0)(claimed(3.0)) > expected
    assert repr(loss) == "EnergyMarginLoss(tau_id=-20.0, weight=0.3)"
    with pytest.raises(ValueError, match="Invalid parameter 'tau'"):
        loss.set_params(tau=1.0)


def test_the_loss_compiles_and_takes_half_precision():
    loss = EnergyMarginLoss()
    logits, outliers = torch.randn(8, 3), torch.randn(5, 3)
    compiled = torch.compile(loss, backend="eager")
    torch.testing.assert_close(compiled(logits, outliers), loss(logits, outliers))
    half = loss(logits.bfloat16(), outliers.bfloat16())
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, loss(logits, outliers), rtol=1e-2, atol=1e-2)


# outliers


def features(n=40, d=6, seed=0):
    return np.random.default_rng(seed).normal(1.0, 2.0, (n, d))


def expected_outliers(Z, k, n_boundary, n_draws, sigma, n_wanted, seed, *, normalize):
    """The three steps one after the other, with scikit-learn's neighbours."""

    def scaled(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True) if normalize else rows

    index = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(scaled(Z))
    boundary = np.argsort(-index.kneighbors(scaled(Z))[0][:, -1])[:n_boundary]
    draws = np.random.RandomState(seed).standard_normal((n_draws, Z.shape[1]))
    candidates = (Z[boundary][:, None] + sigma * draws[None]).reshape(-1, Z.shape[1])
    farthest = np.argsort(-index.kneighbors(scaled(candidates))[0][:, -1])[:n_wanted]
    return boundary, candidates[farthest]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("sigma", [0.1, 3.0])
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_outliers_are_those_of_a_search_by_scikit_learn(normalize, sigma, scale):
    Z = scale * features()
    synthesizer = VirtualOutlierSynthesizer(
        5, 7, 20, sigma * scale, 4, normalize=normalize, random_state=3
    )
    found = synthesizer.generate(torch.tensor(Z), n_classes=2)
    boundary, expected = expected_outliers(Z, 5, 7, 20, sigma * scale, 8, 3, normalize=normalize)
    np.testing.assert_array_equal(synthesizer.boundary_indices_, boundary)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


def test_far_from_the_origin_distances_keep_their_digits():
    Z = features()
    near, far = (
        VirtualOutlierSynthesizer(5, 7, 20, 1.0, 8, normalize=False, random_state=0)
        for _ in range(2)
    )
    expected = near.generate(torch.tensor(Z, dtype=torch.float32))
    found = far.generate(torch.tensor(Z + 1000.0, dtype=torch.float32))
    np.testing.assert_array_equal(far.boundary_indices_, near.boundary_indices_)
    torch.testing.assert_close(found - 1000.0, expected, rtol=0, atol=1e-3)


def test_blocks_of_the_search_are_no_part_of_its_result(monkeypatch):
    from skreg.deep.transfer import _virtual_outliers

    whole = VirtualOutlierSynthesizer(5, 7, 20, random_state=0)
    expected = whole.generate(torch.tensor(features()))
    monkeypatch.setattr(_virtual_outliers, "ENTRIES", 90)
    torch.testing.assert_close(clone(whole).generate(torch.tensor(features())), expected)


def test_the_boundary_of_a_line_with_one_far_point():
    Z = torch.tensor([*range(10), 100], dtype=torch.float64)[:, None]
    synthesizer = VirtualOutlierSynthesizer(2, 1, 30, normalize=False, random_state=0)
    outliers = synthesizer.generate(Z)
    assert synthesizer.boundary_indices_.tolist() == [10]
    draws = np.random.RandomState(0).standard_normal(30)
    assert (outliers - 100).abs().max() <= 0.1 * np.abs(draws).max() + 1e-12
    assert len(outliers) == 30  # fewer candidates than 40


def test_origin_is_what_the_published_code_does():
    """Scaled draws, repeated, the farthest from the normalised features by their lengths too."""
    Z = features()
    synthesizer = VirtualOutlierSynthesizer(5, 7, 20, 0.5, 5, outliers="origin", random_state=2)
    found = synthesizer.generate(torch.tensor(Z), n_classes=2)
    draws = 0.5 * np.random.RandomState(2).standard_normal((20, 6))
    rows = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    index = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(rows)
    order = np.argsort(-index.kneighbors(draws)[0][:, -1])
    np.testing.assert_allclose(found.numpy(), np.repeat(draws[order], 7, axis=0)[:10], rtol=1e-12)


def test_origin_with_distances_of_features_as_they_are():
    Z = features()
    synthesizer = VirtualOutlierSynthesizer(
        5, 1, 20, 0.5, 6, outliers="origin", normalize=False, random_state=2
    )
    found = synthesizer.generate(torch.tensor(Z))
    draws = 0.5 * np.random.RandomState(2).standard_normal((20, 6))
    index = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(Z)
    order = np.argsort(-index.kneighbors(draws)[0][:, -1])
    np.testing.assert_allclose(found.numpy(), draws[order][:6], rtol=1e-9)


def test_no_outliers():
    assert VirtualOutlierSynthesizer(outliers="none").generate(torch.ones(3, 4)).shape == (0, 4)


def test_few_and_degenerate_features():
    synthesizer = VirtualOutlierSynthesizer(n_draws=10, per_class=5, random_state=0)
    for Z in (torch.ones(1, 3), torch.zeros(4, 3), torch.ones(4, 3)):
        outliers = synthesizer.generate(Z)
        assert outliers.shape == (5, 3)
        assert torch.isfinite(outliers).all()
    assert len(synthesizer.boundary_indices_) == 4


def test_features_stay_as_they_are_and_have_no_gradient_by_outliers():
    Z = torch.tensor(features(), requires_grad=True)
    before = Z.detach().clone()
    outliers = VirtualOutlierSynthesizer(random_state=0).generate(Z)
    assert not outliers.requires_grad
    assert torch.equal(Z.detach(), before)
    half = VirtualOutlierSynthesizer(random_state=0).generate(Z.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16


def test_seeds():
    Z = torch.tensor(features())
    same = VirtualOutlierSynthesizer(random_state=0)
    assert torch.equal(same.generate(Z), same.generate(Z))
    going_on = VirtualOutlierSynthesizer(random_state=np.random.RandomState(0))
    first = going_on.generate(Z)
    assert torch.equal(first, same.generate(Z))
    assert not torch.equal(going_on.generate(Z), first)


@pytest.mark.parametrize(
    ("params", "Z", "message"),
    [
        ({"n_neighbors": 0}, torch.ones(3, 2), "n_neighbors"),
        ({"n_boundary": 0}, torch.ones(3, 2), "n_boundary"),
        ({"n_draws": 1.5}, torch.ones(3, 2), "n_draws"),
        ({"sigma": 0.0}, torch.ones(3, 2), "sigma"),
        ({"per_class": 0}, torch.ones(3, 2), "per_class"),
        ({"outliers": "far"}, torch.ones(3, 2), "outliers"),
        ({}, torch.ones(0, 2), r"shape \(n, d\) with n >= 1, got .* shape \(0, 2\)"),
        ({}, torch.ones(3), "Z must be floating-point features"),
        ({}, torch.ones(3, 2, dtype=torch.int64), "Z must be floating-point features"),
    ],
)
def test_the_synthesizer_refuses(params, Z, message):
    with pytest.raises(ValueError, match=message):
        VirtualOutlierSynthesizer(**params).generate(Z)


def test_the_number_of_classes_is_checked():
    with pytest.raises(ValueError, match="n_classes must be in"):
        VirtualOutlierSynthesizer().generate(torch.ones(3, 2), n_classes=0)
