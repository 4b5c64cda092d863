"""Sparse linear models whose solutions carry a certificate.

Every estimator minimises a weighted mean loss plus `alpha` times a penalty and stops on its
relative duality gap:

- `Lasso`, `ElasticNet`, `GroupLasso`, `MultiTaskLasso`, `NonNegativeLeastSquares`: least squares;
- `SparseLogisticRegression`: two or more classes, by entries or by whole features;
- `SparsePoissonRegressor`: counts; `HuberLasso`: outliers in the target.

Each has ``path`` and ``alpha_max``, and a twin that chooses `alpha` by cross-validation
(`LassoCV`, ..); `RegularizationPathDisplay` draws the paths and the choice.
"""

from skreg.linear_model._display import RegularizationPathDisplay
from skreg.linear_model._elastic_net import ElasticNet, ElasticNetCV
from skreg.linear_model._group_lasso import GroupLasso, GroupLassoCV
from skreg.linear_model._huber_lasso import HuberLasso, HuberLassoCV
from skreg.linear_model._lasso import Lasso, LassoCV
from skreg.linear_model._logistic import SparseLogisticRegression, SparseLogisticRegressionCV
from skreg.linear_model._multi_task_lasso import MultiTaskLasso, MultiTaskLassoCV
from skreg.linear_model._nonnegative import NonNegativeLeastSquares
from skreg.linear_model._poisson import SparsePoissonRegressor, SparsePoissonRegressorCV
from skreg.strengths import RegularizationPath

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GroupLasso",
    "GroupLassoCV",
    "HuberLasso",
    "HuberLassoCV",
    "Lasso",
    "LassoCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "NonNegativeLeastSquares",
    "RegularizationPath",
    "RegularizationPathDisplay",
    "SparseLogisticRegression",
    "SparseLogisticRegressionCV",
    "SparsePoissonRegressor",
    "SparsePoissonRegressorCV",
]
