"""Random features, their ridge regression, and how many rows and features are enough."""

from skreg.random_features._classifier import RandomFeatureRidgeClassifier
from skreg.random_features._curve_display import LearningCurveTheoryDisplay
from skreg.random_features._eigenframework import RidgeEigenframework
from skreg.random_features._exponents import estimate_exponents, estimate_kappa
from skreg.random_features._features import RandomFeatures
from skreg.random_features._power_law import interpolation_threshold, optimal_fitting_ratio
from skreg.random_features._ridge import RandomFeatureRidge

__all__ = [
    "LearningCurveTheoryDisplay",
    "RandomFeatureRidge",
    "RandomFeatureRidgeClassifier",
    "RandomFeatures",
    "RidgeEigenframework",
    "estimate_exponents",
    "estimate_kappa",
    "interpolation_threshold",
    "optimal_fitting_ratio",
]
