"""Random features, their ridge regression, and how many rows and features are enough."""

from skreg.random_features._classifier import RandomFeatureRidgeClassifier
from skreg.random_features._features import RandomFeatures
from skreg.random_features._ridge import RandomFeatureRidge

__all__ = [
    "RandomFeatureRidge",
    "RandomFeatureRidgeClassifier",
    "RandomFeatures",
]
