"""scikit-learn's own checks of the estimator contract."""

import pytest
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    parametrize_with_checks,
)

from skreg.linear_model import (
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    HuberLasso,
    HuberLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    MultiTaskLassoCV,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)

# few strengths keep the tests fast; that the choice falls at the edge of them is not the topic
pytestmark = pytest.mark.filterwarnings("ignore:.*CV chose alpha")
MODELS = [
    Lasso(),
    Lasso(positive=True, fit_intercept=False),
    ElasticNet(),
    GroupLasso(),
    MultiTaskLasso(),
    NonNegativeLeastSquares(),
    HuberLasso(),
    SparsePoissonRegressor(),
    SparseLogisticRegression(),
    SparseLogisticRegression(row_groups=True),
    SparseLogisticRegression(l1_ratio=0.5),
]
# few strengths keep the checks fast, their number is not what is checked
CROSS_VALIDATED = [
    LassoCV(alphas=5, cv=3),
    ElasticNetCV(alphas=5, cv=3, selection_rule="one_standard_error"),
    GroupLassoCV(alphas=5, cv=3),
    MultiTaskLassoCV(alphas=5, cv=3),
    HuberLassoCV(alphas=5, cv=3),
    SparsePoissonRegressorCV(alphas=5, cv=3),
    SparseLogisticRegressionCV(alphas=5, cv=3),
]


@parametrize_with_checks(MODELS + CROSS_VALIDATED)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [LassoCV(), HuberLassoCV(), SparsePoissonRegressorCV(), SparseLogisticRegressionCV()],
    ids=lambda model: type(model).__name__,
)
def test_defaults_choose_the_same_strength_from_weights_and_from_repetitions(model):
    # 100 strengths on few samples, nearly interpolated: neighbours' scores differ by little
    check_sample_weight_equivalence_on_dense_data(type(model).__name__, model)
