"""The picture shows what `score_path` measures."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.transport import LinearTransportRestorer, TransportTradeoffDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture
def signals():
    rng = np.random.default_rng(0)
    true = rng.normal(size=(100, 4))
    return 0.5 * true + 0.2 * rng.normal(size=true.shape), true


def fitted(signals, **params):
    X, true = signals
    return LinearTransportRestorer(**params).fit(X, X_target=true)


def test_points_are_the_scores_and_carry_their_alphas(signals):
    restorer = fitted(signals, alpha=0.5)
    display = TransportTradeoffDisplay.from_estimator(restorer, *signals, alphas=[0, 0.5, 1, 1.5])
    scores = restorer.score_path(*signals, [0, 0.5, 1, 1.5])
    np.testing.assert_array_equal(display.line_.get_xdata(), scores["mse"])
    np.testing.assert_array_equal(display.line_.get_ydata(), scores["w2"])
    assert [label.get_text() for label in display.labels_] == [
        "α = 0", "α = 0.5", "α = 1", "α = 1.5",
    ]  # fmt: skip
    assert display.chosen_.get_xdata() == scores["mse"][1]
    matplotlib.pyplot.close(display.figure_)


def test_it_draws_into_given_axes_and_marks_no_alpha_that_is_not_there(signals):
    figure, axes = matplotlib.pyplot.subplots(1, 2)
    display = TransportTradeoffDisplay.from_estimator(
        fitted(signals, alpha=0.3), *signals, ax=axes[1]
    )
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert display.chosen_ is None
    matplotlib.pyplot.close(figure)


def test_steps_before_the_restorer_transform_its_input(signals):
    X, true = signals
    alone = TransportTradeoffDisplay.from_estimator(
        fitted((StandardScaler().fit_transform(X), true)), StandardScaler().fit_transform(X), true
    )
    pipeline = make_pipeline(StandardScaler(), "passthrough", LinearTransportRestorer())
    inside = TransportTradeoffDisplay.from_estimator(pipeline.fit(X, true), X, true)
    search = GridSearchCV(
        pipeline, {"lineartransportrestorer__alpha": [0.0]}, scoring=lambda *_: 0.0, cv=2
    ).fit(X, true)
    searched = TransportTradeoffDisplay.from_estimator(search, X, true)
    for display in (inside, searched):
        np.testing.assert_allclose(display.mse, alone.mse, rtol=1e-12)
        np.testing.assert_allclose(display.w2, alone.w2, rtol=1e-12)
    matplotlib.pyplot.close("all")


def test_other_estimators_and_unfitted_ones_are_refused(signals):
    with pytest.raises(TypeError, match="ends in one; got PCA"):
        TransportTradeoffDisplay.from_estimator(PCA().fit(signals[0]), *signals)
    with pytest.raises(NotFittedError):
        TransportTradeoffDisplay.from_estimator(LinearTransportRestorer(), *signals)
