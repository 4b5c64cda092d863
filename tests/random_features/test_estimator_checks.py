"""scikit-learn's checks of all estimators, with default and with other solvers."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatures,
)

LANDMARKS = "landmarks are drawn among rows: copies of one may come twice, a weighted one but once"


def expected_failures(estimator):
    if estimator.draw == "weights" or not hasattr(estimator, "predict"):
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": LANDMARKS,
        "check_sample_weight_equivalence_on_sparse_data": LANDMARKS,
    }


@parametrize_with_checks(
    [
        RandomFeatures(n_components=20),
        RandomFeatures(n_components=8, kind="fourier", draw="rows"),
        RandomFeatureRidge(n_components=100),
        RandomFeatureRidge(n_components=60, alpha="gcv", solver="gram"),
        RandomFeatureRidge("inf", kind="fourier"),
        RandomFeatureRidge(n_components=8, draw="rows"),
        RandomFeatureRidgeClassifier(n_components=100),
    ],
    expected_failed_checks=expected_failures,
)
def test_check_of_scikit_learn(estimator, check):
    check(estimator)
