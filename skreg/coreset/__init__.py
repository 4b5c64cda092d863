"""Coresets: weighted subsets of rows that keep l_p losses, by importance scores.

D. P. Woodruff, T. Yasuda, "Sharper Bounds for l_p Sensitivity Sampling", ICML 2023.
"""

from skreg.coreset._chunked import chunked_coreset
from skreg.coreset._clustering import clustering_distortion
from skreg.coreset._coreset import Coreset
from skreg.coreset._dask_coreset import dask_coreset
from skreg.coreset._display import CoresetDisplay
from skreg.coreset._distortion import subspace_distortion
from skreg.coreset._estimator import CoresetEstimator
from skreg.coreset._leverage import leverage_scores, online_leverage_scores, root_leverage_scores
from skreg.coreset._lewis import lewis_weights
from skreg.coreset._lightweight import lightweight_coreset
from skreg.coreset._logistic import logistic_complexity, logistic_coreset
from skreg.coreset._lp_regressor import LpRegressor
from skreg.coreset._mixture import WeightedGaussianMixture
from skreg.coreset._mixture_distortion import mixture_distortion
from skreg.coreset._recursion import root_leverage_coreset
from skreg.coreset._sampler import SensitivitySampler
from skreg.coreset._scores import importance_scores
from skreg.coreset._sensitivity import lp_sensitivities, total_sensitivity
from skreg.coreset._streaming import StreamingCoreset

__all__ = [
    "Coreset",
    "CoresetDisplay",
    "CoresetEstimator",
    "LpRegressor",
    "SensitivitySampler",
    "StreamingCoreset",
    "WeightedGaussianMixture",
    "chunked_coreset",
    "clustering_distortion",
    "dask_coreset",
    "importance_scores",
    "leverage_scores",
    "lewis_weights",
    "lightweight_coreset",
    "logistic_complexity",
    "logistic_coreset",
    "lp_sensitivities",
    "mixture_distortion",
    "online_leverage_scores",
    "root_leverage_coreset",
    "root_leverage_scores",
    "subspace_distortion",
    "total_sensitivity",
]
