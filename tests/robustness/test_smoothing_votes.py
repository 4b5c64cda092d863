"""Running sums of draws, and draws that serve one purpose each."""

import numpy as np
import pytest
from scipy.special import softmax

from skreg.robustness import sparsemax
from skreg.robustness._noise import ESTIMATION, SELECTION, TRAINING, noise_blocks, seed_of, stream
from skreg.robustness._simplex_maps import candidates_of
from skreg.robustness._smoothing_votes import Moments, Tally, votes_of

CANDIDATES = candidates_of(("softmax", "argmax", "sparsemax"), [0.5, 4.0])


def by_hand(z, name, t):
    if name == "argmax":
        return np.eye(len(z))[:, z.argmax(axis=0)]
    return softmax(t * z, axis=0) if name == "softmax" else sparsemax(t * z, axis=0)


@pytest.mark.parametrize("sizes", [[101], [50, 50, 1], [1] * 101], ids=str)
def test_means_and_deviations_do_not_depend_on_blocks(sizes):
    z = np.random.default_rng(0).normal(size=(4, 101))
    tally = Tally(CANDIDATES, 4)
    for block in np.split(z, np.cumsum(sizes)[:-1], axis=1):
        tally.add(block)
    assert tally.n == 101
    for j, (name, t) in enumerate(CANDIDATES):
        draws = by_hand(z, name, t)
        np.testing.assert_allclose(tally.sums[j] / 101, draws.mean(axis=1), rtol=1e-10)
        np.testing.assert_allclose(tally.stds[j], draws.std(axis=1, ddof=1), atol=1e-10)


def test_deviations_far_smaller_than_means_keep_their_digits():
    z = 1e-4 * np.random.default_rng(1).normal(size=(2, 500))
    tally = Tally(candidates_of(("softmax",), [1.0]), 2)
    tally.add(z)
    np.testing.assert_allclose(tally.stds[0], softmax(z, axis=0).std(axis=1, ddof=1), rtol=1e-6)


def test_slopes_of_maps_grow_with_the_temperature():
    tally = Tally(CANDIDATES, 4)
    tally.add(np.eye(4))
    np.testing.assert_allclose(Moments.of([tally]).slopes, [[0.25, 2.0, np.inf, 0.5, 4.0]])
    assert Moments.of([tally]).hard.tolist() == [[False, False, True, False, False]]


def test_a_tie_is_a_vote_for_the_first():
    z = np.array([[1.0, 0.0, 2.0], [1.0, 3.0, 2.0], [0.0, 3.0, 2.0]])
    assert votes_of(z).tolist() == [2, 1, 0]


def test_draws_are_normal_and_do_not_depend_on_blocks():
    whole = next(noise_blocks(stream(0, SELECTION), 5000, 3, 5000))
    assert whole.dtype == np.float32
    for batch_size in (1, 7, 4999):
        blocks = list(noise_blocks(stream(0, SELECTION), 5000, 3, batch_size))
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
    np.testing.assert_allclose(whole.mean(axis=0), 0.0, atol=0.05)
    np.testing.assert_allclose(np.cov(whole.T), np.eye(3), atol=0.06)


def test_draws_for_one_purpose_or_place_never_serve_another():
    keys = [(0, TRAINING), (0, SELECTION), (0, ESTIMATION), (1, ESTIMATION),
            (0, ESTIMATION, 0), (0, ESTIMATION, 1)]  # fmt: skip
    draws = [stream(*key).standard_normal(2000) for key in keys]
    correlations = np.corrcoef(draws) - np.eye(len(keys))
    assert np.abs(correlations).max() < 0.1


def test_seeds_of_any_kind():
    assert seed_of(np.int64(7)) == seed_of(7) == 7
    assert seed_of(np.random.RandomState(0)) == seed_of(np.random.RandomState(0))
    assert seed_of(None) != seed_of(None)
