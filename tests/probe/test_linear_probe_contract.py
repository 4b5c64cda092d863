"""scikit-learn's own checks of the estimator contract."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.probe import LinearProbe


@parametrize_with_checks(
    [
        LinearProbe(),
        LinearProbe(average=False, scaling=0.5),
        LinearProbe(scaling=1.0, shrinkage=0.2, sharpness=0.5, logistic=False),
        LinearProbe(logistic=False, quadratic=True),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
