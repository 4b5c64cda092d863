"""Pairs of samples, and views of a batch."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest

from skreg.deep.frame._views import views
from skreg.deep.torch import Mixing, cutmix, mixup


def test_mixup_by_definition():
    X, y = torch.randn(6, 2, 3), torch.rand(6, 4)
    torch.manual_seed(0)
    mixing = mixup(6, 0.7)
    l, j = mixing.share, mixing.partner
    assert sorted(j.tolist()) == list(range(6))
    assert 0 <= l <= 1
    for i in range(6):
        torch.testing.assert_close(mixing.inputs(X)[i], l * X[i] + (1 - l) * X[j[i]])
        torch.testing.assert_close(mixing(y)[i], l * y[i] + (1 - l) * y[j[i]])
    assert mixing(y.double()).dtype == torch.float64


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_shares_are_beta_distributed(alpha):
    torch.manual_seed(0)
    shares = [mixup(2, alpha).share.item() for _ in range(1500)]
    assert kstest(shares, beta(alpha, alpha).cdf).pvalue > 1e-4
    folded = np.array([mixup(2, alpha, fold=True).share.item() for _ in range(1500)])
    assert folded.min() >= 0.5
    # max(l, 1 - l) has twice the density on [1/2, 1]
    assert kstest(folded, lambda l: 2 * beta(alpha, alpha).cdf(l) - 1).pvalue > 1e-4


def test_alpha_of_zero_leaves_samples_and_generator_as_they_are():
    X = torch.randn(5, 1, 4, 4)
    before = torch.get_rng_state()
    for mixing in (mixup(5, 0.0), cutmix(X, 0.0)):
        assert torch.equal(mixing.inputs(X), X)
        assert torch.equal(mixing(X), X)
    assert torch.equal(torch.get_rng_state(), before)


def test_cutmix_swaps_a_box_and_mixes_labels_by_its_area():
    X = torch.arange(6.0)[:, None, None, None].expand(6, 2, 17, 19).contiguous()
    y = torch.eye(6)
    torch.manual_seed(0)
    areas = []
    for _ in range(50):
        mixing = cutmix(X, 1.0)
        mixed, labels = mixing.inputs(X), mixing(y)
        areas.append(1 - mixing.share.item())
        for i, j in enumerate(mixing.partner.tolist()):
            foreign = (mixed[i] != i).numpy()
            if i == j:
                assert not foreign.any()
                continue
            assert (mixed[i][foreign] == j).all()
            assert (foreign[0] == foreign[1]).all()
            rows, columns = np.where(foreign[0])
            if len(rows):  # a full rectangle
                assert foreign[0][
                    rows.min() : rows.max() + 1, columns.min() : columns.max() + 1
                ].all()
            assert labels[i, j].item() == pytest.approx(foreign.mean(), abs=1e-6)
            assert labels[i, i].item() == pytest.approx(1 - foreign.mean(), abs=1e-6)
    assert len(set(areas)) > 20
    assert min(areas) >= 0
    assert max(areas) <= 1


def test_boxes_are_those_of_the_authors():
    """Their ``rand_bbox``, with the same share and centre."""
    X = torch.zeros(1, 1, 12, 20)
    for seed in range(30):
        torch.manual_seed(seed)
        mixing = cutmix(X, 1.0)
        torch.manual_seed(seed)
        share = mixup(1, 1.0).share.item()
        torch.manual_seed(seed)
        torch.distributions.Beta(torch.ones(()), torch.ones(())).sample()
        centres = [torch.randint(12, ()).item(), torch.randint(20, ()).item()]
        expected = torch.ones(12, 20, dtype=torch.bool)
        sides = [int(size * np.sqrt(1 - share)) // 2 for size in (12, 20)]
        (top, bottom), (left, right) = (
            np.clip([centre - half, centre + half], 0, size)
            for centre, half, size in zip(centres, sides, (12, 20), strict=True)
        )
        expected[top:bottom, left:right] = False
        assert torch.equal(mixing.kept, expected)
        area = (bottom - top) * (right - left) / 240
        assert mixing.share.item() == pytest.approx(1 - area, abs=1e-6)


def test_partners_are_drawn_by_weight():
    torch.manual_seed(0)
    weight = torch.tensor([2.0, 0.0, 1.0, 1.0])
    X = torch.zeros(4, 1, 2, 2)
    for draw in (lambda: mixup(4, 1.0, weight=weight), lambda: cutmix(X, 1.0, weight=weight)):
        partners = torch.cat([draw().partner for _ in range(1000)])
        frequency = torch.bincount(partners, minlength=4) / 4000
        assert (frequency - weight / 4).abs().max() < 5 * (0.25 / 4000) ** 0.5
        assert frequency[1] == 0
    assert mixup(3, 1.0, weight=torch.zeros(3)).partner.shape == (3,)
    assert mixup(0, 1.0, weight=torch.zeros(0)).partner.shape == (0,)


@pytest.mark.parametrize("n", [0, 1])
def test_batches_without_partners(n):
    X = torch.ones(n, 3, 4, 4)
    for mixing in (mixup(n, 1.0), cutmix(X, 1.0)):
        torch.testing.assert_close(mixing.inputs(X), X)


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ValueError, match=r"cutmix needs images.*; got \(5, 3\).* use mixup"):
        cutmix(torch.zeros(5, 3), 1.0)
    with pytest.raises(ValueError, match=r"cutmix needs images.*; got dict"):
        cutmix({"a": torch.zeros(5, 3)}, 1.0)
    mixing = mixup(2, 1.0)
    with pytest.raises(ValueError, match=r"got torch.int64; turn class numbers into probabilities"):
        mixing(torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"only tensors of floating-point numbers .* got dict"):
        mixing.inputs({"a": torch.zeros(2)})
    for draw in (lambda a: mixup(2, a), lambda a: cutmix(torch.zeros(2, 1, 2, 2), a)):
        with pytest.raises(ValueError, match="alpha must be in"):
            draw(-1.0)
        with pytest.raises(ValueError, match="alpha must be a number in"):
            draw("1")


def test_cutmix_takes_images_of_whole_numbers():
    X = torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)]).to(torch.uint8)
    torch.manual_seed(1)
    mixing = cutmix(X, 1.0)
    assert mixing.inputs(X).dtype == torch.uint8
    foreign = (mixing.inputs(X)[0] != 0).float().mean()
    assert foreign.item() == pytest.approx(float(1 - mixing.share) * mixing.partner[0].item())


def test_views_stand_one_after_the_other():
    X = torch.arange(4.0)[:, None]
    assert torch.equal(views(X), torch.cat([X, X]))
    assert torch.equal(views(X, n_views=1), X)
    calls = iter(range(1, 4))
    drawn = views(X, lambda batch: batch + 10 * next(calls), n_views=3)
    assert torch.equal(drawn, torch.cat([X + 10, X + 20, X + 30]))


def test_views_of_several_inputs():
    X = {"a": torch.ones(2, 3), "b": [torch.zeros(2), (torch.arange(2),)]}
    drawn = views(X)
    assert drawn["a"].shape == (4, 3)
    assert drawn["b"][0].shape == (4,)
    assert drawn["b"][1][0].tolist() == [0, 1, 0, 1]
    assert isinstance(drawn["b"][1], tuple)


def test_bad_views():
    X = torch.ones(3, 2)
    with pytest.raises(ValueError, match="a view of all 3 samples, got 2"):
        views(X, lambda batch: batch[:2])
    with pytest.raises(ValueError, match="n_views must be in"):
        views(X, n_views=0)


def test_mixing_keeps_its_parts():
    mixing = Mixing(torch.tensor(0.25), torch.tensor([1, 0]))
    torch.testing.assert_close(mixing(torch.tensor([4.0, 0.0])), torch.tensor([1.0, 3.0]))
