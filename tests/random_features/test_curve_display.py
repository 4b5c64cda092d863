"""LearningCurveTheoryDisplay: what is measured, what is predicted, where it is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skreg.random_features import LearningCurveTheoryDisplay, RandomFeatureRidge

AT = {"sizes": [40, 120], "n_components": [20, 100], "n_repeats": 4, "random_state": 0}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def problem(n=240):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 8))
    return X, np.abs(X[:, 0] + X[:, 2]) + X[:, 1] + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("alpha", ["loo", 0.05])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_theory_is_near_what_is_measured(alpha, intercept):
    X, y = problem()
    model = RandomFeatureRidge(60, alpha=alpha, fit_intercept=intercept)
    display = LearningCurveTheoryDisplay.from_estimator(model, X, y, **AT)
    for at, errors, places, theory in (
        (display.sizes, display.errors_of_sizes, display.theory_sizes, display.theory_of_sizes),
        (display.n_components, display.errors_of_components, display.theory_components,
         display.theory_of_components),
    ):  # fmt: skip
        predicted = np.interp(np.log(at), np.log(places), theory)
        np.testing.assert_allclose(errors.mean(axis=1), predicted, rtol=0.3)
    assert not hasattr(model, "coef_")


def test_more_rows_and_features_are_measured_to_help():
    X, y = problem()
    display = LearningCurveTheoryDisplay.from_estimator(RandomFeatureRidge(60), X, y, **AT)
    assert display.errors_of_sizes[1].mean() < display.errors_of_sizes[0].mean()
    assert display.errors_of_components[1].mean() < display.errors_of_components[0].mean()
    assert (
        repr(display) == "LearningCurveTheoryDisplay(2 numbers of rows, 2 of features, 4 repeats)"
    )
    again = LearningCurveTheoryDisplay.from_estimator(RandomFeatureRidge(60), X, y, **AT)
    np.testing.assert_array_equal(again.errors_of_sizes, display.errors_of_sizes)


def test_it_draws_into_given_axes():
    X, y = problem(80)
    at = AT | {"sizes": [20, 50], "n_repeats": 1}
    model = RandomFeatureRidge("inf", kind="fourier")
    figure, ax = plt.subplots()
    display = LearningCurveTheoryDisplay.from_estimator(model, X, y, **at, ax=ax)
    assert display.figure_ is figure
    assert not ax.axison
    _, two = plt.subplots(1, 2)
    assert list(display.plot(two).axes_) == list(two)
    assert [panel.get_xlabel() for panel in two] == ["number of rows", "number of features"]
    defaults = LearningCurveTheoryDisplay.from_estimator(model, X, y, n_repeats=1)
    assert max(defaults.sizes) == 60
    assert max(defaults.n_components) == 240


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sizes": [10, 70]}, "sizes must be from 2 to 60"),
        ({"sizes": [1, 10]}, "sizes"),
        ({"n_components": [0, 10]}, "n_components"),
        ({"n_components": [2.5]}, "n_components"),
    ],
)
def test_what_makes_no_sense(keywords, message):
    X, y = problem(80)
    with pytest.raises(ValueError, match=message):
        LearningCurveTheoryDisplay.from_estimator(RandomFeatureRidge(10), X, y, **keywords)


def test_a_pipeline_is_refused():
    X, y = problem(80)
    with pytest.raises(TypeError, match="last step"):
        LearningCurveTheoryDisplay.from_estimator(make_pipeline(RandomFeatureRidge(10)), X, y)
