"""Subsets drawn class by class."""

import numpy as np
import pytest

from skreg.coreset import CoresetEstimator, LpRegressor, SensitivitySampler
from skreg.coreset._strata import quotas


@pytest.mark.parametrize(
    ("sizes", "shares", "n_samples", "expected"),
    [
        ([600, 300, 100], [6, 3, 1], 100, [60, 30, 10]),
        ([600, 300, 100], [1, 1, 1], 90, [30, 30, 30]),
        ([600, 300, 10], [1, 1, 1], 90, [40, 40, 10]),  # all of the rare one
        ([600, 300, 100], [1, 1, 1], 100, [34, 33, 33]),
        ([997, 3], [997, 3], 100, [99, 1]),  # at least one
        ([5, 5], [1, 1], 50, [5, 5]),
        ([5, 5, 5], [1, 1, 1], 2, [1, 1, 1]),
    ],
)
def test_quotas_by_hand(sizes, shares, n_samples, expected):
    found = quotas(np.array(sizes), np.array(shares, dtype=float), n_samples)
    np.testing.assert_array_equal(found, expected)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 3)) * np.abs(rng.standard_t(3, 4000))[:, None]
    return X, np.repeat(["common", "rare", "often"], [2900, 40, 1060])


@pytest.mark.parametrize(
    ("stratify", "expected"),
    [("equal", [180, 40, 180]), ("proportional", [290, 4, 106])],  # common, rare, often
)
@pytest.mark.parametrize("method", ["bernoulli", "systematic", "with_replacement"])
def test_classes_get_their_rows(rows, stratify, expected, method):
    X, labels = rows
    sampler = SensitivitySampler(
        n_samples=400, stratify=stratify, method=method, random_state=0
    ).fit(X, labels)
    for label, number in zip(["common", "rare", "often"], expected, strict=True):
        of_class = labels == label
        if method != "with_replacement":  # there the chance to be kept at least once
            total = sampler.inclusion_proba_[of_class].sum()
            np.testing.assert_allclose(total, number, rtol=1e-9)
        kept = labels[sampler.sample_indices_] == label
        assert 0 < kept.sum() <= of_class.sum()
        if method == "systematic":
            assert abs(kept.sum() - number) <= 1


def test_sums_over_classes_are_unbiased(rows):
    X, labels = rows
    weight = np.random.default_rng(1).integers(0, 3, 4000).astype(float)
    draws = [
        SensitivitySampler(n_samples=200, stratify="equal", random_state=seed).fit(
            X, labels, weight
        )
        for seed in range(200)
    ]
    for label in ("common", "rare", "often"):
        of_class = (labels == label) * weight
        sums = [np.sum(s.sample_weight_ * (labels[s.sample_indices_] == label)) for s in draws]
        error = np.std(sums) / np.sqrt(200)
        assert abs(np.mean(sums) - of_class.sum()) <= 4.0 * error + 1e-9
    assert all((weight[s.sample_indices_] > 0).all() for s in draws)


def test_a_class_of_one_row_is_never_lost(rows):
    X, labels = rows
    for seed in range(30):  # by chance alone a third of the draws would lose it
        sampler = SensitivitySampler(n_samples=30, stratify="proportional", random_state=seed)
        assert "rare" in labels[sampler.fit(X, labels).sample_indices_]


def test_all_rows_where_there_is_room_for_them(rows):
    X, labels = rows
    sampler = SensitivitySampler(n_samples=10_000, stratify="equal").fit(X, labels)
    np.testing.assert_array_equal(sampler.sample_indices_, np.arange(4000))
    np.testing.assert_array_equal(sampler.sample_weight_, 1.0)


def test_strata_are_classes(rows):
    X, labels = rows
    sampler = SensitivitySampler(n_samples=100, stratify="equal", random_state=0)
    for y in (None, X[:, 0], np.c_[labels, labels]):
        with pytest.raises(ValueError, match="stratify='equal' needs one column y of classes"):
            sampler.fit(X, y)
    with pytest.raises(ValueError, match="stratify='equal' needs one column y of classes"):
        CoresetEstimator(LpRegressor(), sampler).fit(X, X[:, 0])


@pytest.mark.parametrize("method", ["bernoulli", "systematic", "with_replacement"])
def test_one_row_stands_for_all_of_a_class(rows, method):
    X, labels = rows
    sums = []
    for seed in range(120):
        drawn = SensitivitySampler(
            n_samples=20, stratify="proportional", method=method, random_state=seed
        ).fit(X, labels)
        of_class = labels[drawn.sample_indices_] == "rare"
        assert of_class.sum() == 1
        sums.append(drawn.sample_weight_[of_class].sum())
    assert abs(np.mean(sums) - 40) <= 4.0 * np.std(sums) / np.sqrt(120)
    np.testing.assert_allclose(drawn.inclusion_proba_[labels == "rare"].sum(), 1.0, rtol=1e-9)


def test_no_more_classes_than_samples_without_strata(rows):
    X, labels = rows
    sampler = SensitivitySampler(scores="distance", n_samples=3, include_y="classification")
    with pytest.raises(ValueError, match=r"n_samples=3 is not above .* of 3 classes"):
        sampler.fit(X, labels)
