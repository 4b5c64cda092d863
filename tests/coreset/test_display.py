"""The picture shows what the sampler holds."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skreg.coreset import CoresetDisplay, SensitivitySampler

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("p", [1, 2])
def test_display_shows_scores_probabilities_and_distortion(p):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((800, 3)) * np.abs(rng.standard_t(2, 800))[:, None]
    X[:2] = 0
    sampler = SensitivitySampler(p=p, n_samples=100, fit_intercept=False, random_state=0).fit(X)
    display = CoresetDisplay.from_sampler(sampler, X, n_repeats=3)
    assert sum(bar.get_height() for bar in display.bars_) == 798
    np.testing.assert_array_equal(display.sizes, [25, 50, 100, 200, 400])
    medians = display.distortion_line_.get_ydata()
    np.testing.assert_allclose(medians, np.median(display.distortions, axis=0))
    assert medians[0] > medians[-1]
    np.testing.assert_allclose(display.chosen_.get_ydata(), sampler.distortion(X, random_state=0))
    assert display.chosen_.get_xdata()[0] == len(sampler.sample_indices_)
    probabilities = display.probability_line_.get_ydata()
    assert (np.diff(probabilities) >= -1e-12).all()
    assert probabilities[-1] == 1.0
    assert ("lower bound" in display.axes_[1].get_ylabel()) == (p != 2)


def test_display_draws_on_given_axes_and_needs_a_fitted_sampler():
    import matplotlib.pyplot as plt

    X = np.random.default_rng(0).standard_normal((300, 2))
    figure, axes = plt.subplots(1, 2)
    sampler = SensitivitySampler(n_samples=50, random_state=0).fit(X)
    display = CoresetDisplay.from_sampler(sampler, X, sizes=[20, 40], n_repeats=2, axes=axes)
    assert display.figure_ is figure
    plt.close(figure)
    with pytest.raises(NotFittedError):
        CoresetDisplay.from_sampler(SensitivitySampler(), X)
