"""scikit-learn's checks of all estimators, with default and with other solvers."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatures,
)


@parametrize_with_checks(
    [
        RandomFeatures(n_components=20),
        RandomFeatureRidge(n_components=100),
        RandomFeatureRidge(n_components=60, alpha="gcv", solver="gram"),
        RandomFeatureRidge("inf", kind="fourier"),
        RandomFeatureRidgeClassifier(n_components=100),
    ]
)
def test_check_of_scikit_learn(estimator, check):
    check(estimator)
