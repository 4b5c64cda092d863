"""scikit-learn's own checks of smoothed classifiers.

They want no abstention, which needs an odd number of draws and a level near 1, and 1 and -1 as
classes, which needs another label of abstention.
"""

from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.robustness import RandomizedSmoothingClassifier

SURE = {"sigma": 0.1, "n0": 20, "n": 201, "alpha": 0.999, "abstain_label": -9}


@parametrize_with_checks(
    [
        RandomizedSmoothingClassifier(LogisticRegression(), **SURE),
        RandomizedSmoothingClassifier(GaussianNB(), **SURE, noise="independent"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
