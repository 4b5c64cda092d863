"""scikit-learn's own checks of the estimator contract."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.semi_supervised import GraphLabelPropagation


class LabelPropagation(GraphLabelPropagation):
    """The checks know by this name that an estimator takes -1 as "unlabelled"."""


@parametrize_with_checks(
    [
        LabelPropagation(),
        LabelPropagation("rbf"),
        LabelPropagation("rbf", alpha=0.3),
        LabelPropagation(coupling="huber"),
        LabelPropagation(solver="cg"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
