"""The distortion of clusterings against sums by hand."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from skreg.coreset import SensitivitySampler, clustering_distortion, lightweight_coreset


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    centres = 10.0 * rng.standard_normal((4, 3))
    return centres[rng.integers(0, 4, 3000)] + rng.standard_normal((3000, 3))


def test_one_cluster_by_hand(rows):
    """With one centre the two costs differ by moments only: the maximum is one of few centres."""
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.5, 1.5, 3000)

    means = rows.mean(axis=0), np.average(rows, axis=0, weights=weight)
    squares = cdist(rows, means, "sqeuclidean")
    costs, of_subset = squares.sum(axis=0), weight @ squares
    errors = np.abs(of_subset - costs) / (0.5 * costs + 0.5 * costs[0])
    found = clustering_distortion(rows, rows, weight, 1, random_state=0)
    assert found >= errors.max() * (1 - 1e-9)
    assert found <= np.abs(weight - 1).max() * 2


def test_all_rows_have_none_and_weights_are_copies(rows):
    assert clustering_distortion(rows, rows, np.ones(3000), 4, random_state=0) < 1e-12
    heavier = clustering_distortion(rows, rows, np.full(3000, 1.5), 1, random_state=0)
    assert 0.501 < heavier < 1.0  # half of a cost, over its mean with the least one
    omega = np.random.default_rng(2).integers(1, 3, 3000)
    twice = np.repeat(rows, omega, axis=0)
    of_weights = clustering_distortion(
        rows, twice, np.ones(len(twice)), 4, sample_weight=omega, random_state=0
    )
    assert of_weights < 1e-10
    assert clustering_distortion(np.ones((5, 2)), np.ones((2, 2)), [2.0, 3.0], 2) == 0.0


def test_more_rows_distort_less(rows):
    def distortion(n_samples, X=rows):
        sampler = SensitivitySampler(
            scores="distance", floor=1.0, n_samples=n_samples, random_state=0
        )
        kept, _, weight = sampler.fit_resample_weighted(X)
        return clustering_distortion(X, kept, weight, 4, random_state=0)

    assert distortion(1500) < distortion(30)
    np.testing.assert_allclose(distortion(300, sparse.csr_array(rows)), distortion(300), rtol=0.3)
    indices, weight = lightweight_coreset(rows, 300, random_state=0)
    assert clustering_distortion(rows, rows[indices], weight, 4, random_state=0) < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 2)), np.ones((3, 1)), np.ones(3), 1), "X has 2 columns, but X_kept has 1"),
        ((np.ones((3, 2)), np.ones((2, 2)), np.ones(2), 3), "n_clusters=3 is more than the 2 rows"),
        ((np.ones((3, 2)), np.ones((2, 2)), np.ones(3), 1), "inconsistent|sample_weight.shape"),
        ((np.ones((3, 2)), np.ones((2, 2)), [1.0, -1.0], 1), "[Nn]egative"),
        ((np.ones((3, 2)), [[np.nan, 1.0]], [1.0], 1), "X_kept contains NaN"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        clustering_distortion(*arguments)


def test_squares_that_overflow_and_rows_without_weight(rows):
    with pytest.raises(ValueError, match="squares overflow"):
        clustering_distortion(rows * 1e160, rows[:9], np.ones(9), 2)
    with pytest.raises(ValueError, match="more than the 2 rows of the coreset that have a weight"):
        clustering_distortion(rows, rows[:9], np.r_[np.ones(2), np.zeros(7)], 3)
