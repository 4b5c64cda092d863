"""scikit-learn's own checks of the estimator contract."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.probe import LinearNaiveBayes


@parametrize_with_checks(
    [LinearNaiveBayes(), LinearNaiveBayes(shrinkage=0.2, temperature=2.0, smoothing="absolute")]
)
def test_estimator_checks(estimator, check):
    check(estimator)
