"""scikit-learn's own checks."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.causal import BootstrapDAG, CoLiDE, SelectParents, SortNRegress, StructuralVAR


@parametrize_with_checks(
    [
        CoLiDE(),
        CoLiDE("ev", mode="fast", refit=True, scale=None),
        CoLiDE("ls", 0.1, warm_start=True, warm_iter=1000, max_iter=1000, checkpoint=500),
        BootstrapDAG(CoLiDE("ev", mode="fast"), n_bootstraps=2, alphas=[0.1, 0.05]),
        SelectParents(),
        SortNRegress(),
        SortNRegress("r2", threshold=0.1, missing="em"),
        StructuralVAR(mode="fast"),
        StructuralVAR(2, noise="ev", refit=True),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
