"""Learning from streams, with a certificate of regret."""

from skreg.online._classifier import OptimisticOMDClassifier
from skreg.online._ensemble import DriftAdaptiveEnsemble
from skreg.online._regressor import OptimisticOMDRegressor
from skreg.online._regret_display import RegretDisplay
from skreg.online._regret_tracker import RegretTracker
from skreg.online._simplex_aggregator import OnlineSimplexAggregator

__all__ = [
    "DriftAdaptiveEnsemble",
    "OnlineSimplexAggregator",
    "OptimisticOMDClassifier",
    "OptimisticOMDRegressor",
    "RegretDisplay",
    "RegretTracker",
]
