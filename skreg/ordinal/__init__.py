"""Probabilities of rare ordered events: PRESTO and proportional odds.

G. Faletto, J. Bien, "Predicting Rare Events by Shrinking Towards Proportional Odds", ICML 2023.
"""

from skreg.ordinal._bootstrap_summary import bootstrap_summary
from skreg.ordinal._calibration import calibration_error
from skreg.ordinal._cost_threshold import CostThreshold, cost_threshold
from skreg.ordinal._odds_tests import brant_test, likelihood_ratio_test
from skreg.ordinal._out_of_fold import out_of_fold_proba
from skreg.ordinal._path_display import PrestoPathDisplay
from skreg.ordinal._presto import PrestoClassifier
from skreg.ordinal._presto_cv import PrestoClassifierCV
from skreg.ordinal._presto_path import PrestoPath, presto_alpha_max, presto_path
from skreg.ordinal._probability_display import OrdinalProbabilityDisplay
from skreg.ordinal._proportional_odds import ProportionalOddsClassifier
from skreg.ordinal._ranked_probability import ranked_probability_score
from skreg.ordinal._reliability_display import RareReliabilityDisplay

__all__ = [
    "CostThreshold",
    "OrdinalProbabilityDisplay",
    "PrestoClassifier",
    "PrestoClassifierCV",
    "PrestoPath",
    "PrestoPathDisplay",
    "ProportionalOddsClassifier",
    "RareReliabilityDisplay",
    "bootstrap_summary",
    "brant_test",
    "calibration_error",
    "cost_threshold",
    "likelihood_ratio_test",
    "out_of_fold_proba",
    "presto_alpha_max",
    "presto_path",
    "ranked_probability_score",
]
