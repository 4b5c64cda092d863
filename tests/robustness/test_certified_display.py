"""The picture of certified accuracy."""

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.robustness import CertifiedAccuracyDisplay, RandomizedSmoothingClassifier

matplotlib.use("Agg")

FEW = {"n0": 100, "n": 500, "alpha": 0.01, "random_state": 0}


@pytest.fixture(scope="module")
def fitted():
    X, y = load_iris(return_X_y=True)
    model = RandomizedSmoothingClassifier(LogisticRegression(max_iter=500), 1.0, **FEW)
    return model.fit(X, y), X[::2], y[::2]


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


def test_what_is_drawn_is_what_is_certified(fitted):
    model, X, y = fitted
    shown = CertifiedAccuracyDisplay.from_estimator(model, X, y, n_radii=50)
    result = model.certify(X)
    radii = np.asarray(shown.radii)
    assert len(radii) == 50
    assert radii[-1] == result.radius.max()
    (name,) = shown.accuracy
    assert name == "LogisticRegression"
    np.testing.assert_allclose(shown.accuracy[name], result.certified_accuracy(y, radii))
    np.testing.assert_allclose(shown.lines_[0].get_ydata(), shown.accuracy[name])
    assert shown.average_radius[name] == result.average_radius(y)
    assert shown.abstained[name] == result.abstain.mean() > 0
    low, high = shown.marks_[0].get_ydata()
    assert high - low == pytest.approx(result.abstain.mean())
    assert "abstained" in shown.ax_.get_legend().get_texts()[0].get_text()
    assert repr(shown).startswith("CertifiedAccuracyDisplay(1 curve, radii from 0 to ")


def test_a_comparison_has_three_rules(fitted):
    model, X, y = fitted
    before = model.get_params()
    shown = CertifiedAccuracyDisplay.from_estimator(model, X, y, compare=True)
    assert list(shown.accuracy) == ["Cohen", "R_multi", "LVM-RS"]
    assert shown.average_radius["R_multi"] > shown.average_radius["Cohen"]
    assert shown.average_radius["LVM-RS"] == model.certify(X).average_radius(y)
    assert model.get_params() == before


def test_from_results_into_given_axes(fitted):
    model, X, y = fitted
    results = {"it": model.certify(X)}
    figure, ax = matplotlib.pyplot.subplots()
    shown = CertifiedAccuracyDisplay.from_results(results, y, ax=ax)
    assert shown.ax_ is ax
    assert shown.figure_ is figure
    with pytest.raises(ValueError, match="results holds none"):
        CertifiedAccuracyDisplay.from_results({}, y)
    with pytest.raises(ValueError, match="y has shape"):
        CertifiedAccuracyDisplay.from_results(results, y[1:])


def test_inside_of_pipelines_and_searches(fitted):
    model, X, y = fitted
    pipeline = make_pipeline(StandardScaler(), "passthrough", model).fit(X, y)
    search = GridSearchCV(pipeline, {"standardscaler__with_std": [True]}, cv=2).fit(X, y)
    one, other = (
        CertifiedAccuracyDisplay.from_estimator(estimator, X, y) for estimator in (pipeline, search)
    )
    assert one.average_radius == other.average_radius
    with pytest.raises(TypeError, match="needs a RandomizedSmoothingClassifier"):
        CertifiedAccuracyDisplay.from_estimator(GaussianNB().fit(X, y), X, y)
