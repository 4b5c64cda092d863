"""The picture shows what the sampler holds."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skreg.coreset import (
    CoresetDisplay,
    CoresetEstimator,
    LpRegressor,
    SensitivitySampler,
    chunked_coreset,
)

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("p", [1, 2])
def test_display_shows_scores_probabilities_and_distortion(p):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((800, 3)) * np.abs(rng.standard_t(2, 800))[:, None]
    X[:2] = 0
    sampler = SensitivitySampler(p=p, n_samples=100, fit_intercept=False, random_state=0).fit(X)
    display = CoresetDisplay.from_estimator(sampler, X, n_repeats=3)
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
    display = CoresetDisplay.from_estimator(sampler, X, sizes=[20, 40], n_repeats=2, ax=axes)
    assert display.figure_ is figure
    plt.close(figure)
    with pytest.raises(NotFittedError):
        CoresetDisplay.from_estimator(SensitivitySampler(), X)


@pytest.mark.parametrize("kind", ["of a grid", "array of one", "in no grid"])
def test_one_axes_is_divided_and_turned_off(kind):
    import matplotlib.pyplot as plt

    X = np.random.default_rng(0).standard_normal((300, 2))
    sampler = SensitivitySampler(n_samples=50, random_state=0).fit(X)
    figure, axes = plt.subplots(2, 2)
    ax = figure.add_axes((0.2, 0.3, 0.5, 0.4)) if kind == "in no grid" else axes[0, 1]
    place = ax.get_position().bounds
    display = CoresetDisplay.from_estimator(
        sampler, X, sizes=[20], n_repeats=2, ax=[ax] if "one" in kind else ax
    )
    assert not ax.axison
    assert display.axes_.shape == (2,)
    assert display.figure_ is figure
    for panel in display.axes_:
        x, y, width, height = panel.get_position().bounds
        assert place[0] - 1e-9 <= x
        assert x + width <= place[0] + place[2] + 1e-9
        assert place[1] - 1e-9 <= y
        assert y + height <= place[1] + place[3] + 1e-9
    again = display.plot()
    assert again is display
    assert display.figure_ is not figure
    with pytest.raises(ValueError, match="holds 4 Axes, but CoresetDisplay draws 2 panels"):
        display.plot(axes)
    plt.close("all")


def test_the_sampler_inside_an_estimator_is_drawn():
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(1)
    X = rng.standard_normal((300, 2))
    y = X[:, 0] + rng.standard_normal(300)
    sampler = SensitivitySampler(p=1, n_samples=50, random_state=0)
    model = CoresetEstimator(LpRegressor(p=1), sampler).fit(X, y)
    settings = {"sizes": [20, 40], "n_repeats": 2}
    drawn = CoresetDisplay.from_estimator(model, X, y, **settings)
    expected = CoresetDisplay.from_estimator(sampler.fit(X, y), X, y, **settings)
    np.testing.assert_array_equal(drawn.distortions, expected.distortions)
    assert drawn.distortions.shape == (2, 2)
    with pytest.raises(NotFittedError):
        CoresetDisplay.from_estimator(CoresetEstimator(LpRegressor(p=1)), X, y)
    plt.close("all")


def test_progress_counts_the_coresets(capsys):
    import matplotlib.pyplot as plt

    pytest.importorskip("tqdm")
    X = np.random.default_rng(0).standard_normal((300, 2))
    sampler = SensitivitySampler(n_samples=50, random_state=0).fit(X)
    CoresetDisplay.from_estimator(sampler, X, sizes=[20, 40], n_repeats=3, verbose=1)
    plt.close("all")
    assert "6/6" in capsys.readouterr().err


def test_reprs_are_short_summaries():
    X = np.random.default_rng(0).standard_normal((2000, 3))
    display = CoresetDisplay(
        scores=np.ones(2000), inclusion_proba=np.ones(2000), sizes=[10, 20],
        distortions=np.ones((5, 2)), chosen_size=1500, chosen_distortion=0.1, p=2,
    )  # fmt: skip
    assert repr(display) == (
        "CoresetDisplay(1,500 of 2,000 rows, 5 coresets of each of 2 sizes, p=2)"
    )
    coreset = chunked_coreset(X, X[:, 0], n_samples=2000)
    assert repr(coreset) == "Coreset(2,000 rows of 3 columns, with y, weights of sum 2,000)"
    assert repr(coreset._replace(y=None)).startswith("Coreset(2,000 rows of 3 columns, weights")
