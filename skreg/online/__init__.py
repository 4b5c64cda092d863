"""Learning from streams, with a certificate of regret."""

from skreg.online._classifier import OptimisticOMDClassifier
from skreg.online._ensemble import DriftAdaptiveEnsemble
from skreg.online._regressor import OptimisticOMDRegressor

__all__ = [
    "DriftAdaptiveEnsemble",
    "OptimisticOMDClassifier",
    "OptimisticOMDRegressor",
]
