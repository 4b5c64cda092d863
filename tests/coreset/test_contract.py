"""scikit-learn's own checks of the estimator contract."""

import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.coreset import (
    CoresetEstimator,
    LpRegressor,
    SensitivitySampler,
    StreamingCoreset,
    WeightedGaussianMixture,
)


@parametrize_with_checks(
    [
        SensitivitySampler(),
        SensitivitySampler(p=3, scores="sensitivity+leverage", fit_intercept=False),
        CoresetEstimator(LinearRegression()),
        CoresetEstimator(LogisticRegression(), SensitivitySampler(p=1, floor=1.0)),
        LpRegressor(),
        LpRegressor(p=3, alpha=0.1),
        LpRegressor(p=1),
        LpRegressor(p=np.inf),
        StreamingCoreset(),
        WeightedGaussianMixture(),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
