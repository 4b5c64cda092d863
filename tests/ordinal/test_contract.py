"""scikit-learn's own checks of the estimator contract."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.ordinal import PrestoClassifier, PrestoClassifierCV, ProportionalOddsClassifier


@parametrize_with_checks(
    [
        PrestoClassifier(),
        PrestoClassifier(0.02, l1_ratio=0.5, first_penalty=0.1, standardize=False, warm_start=True),
        ProportionalOddsClassifier(),
        ProportionalOddsClassifier(0.1, l1_ratio=0.5),
        PrestoClassifierCV(alphas=4, cv=3),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
