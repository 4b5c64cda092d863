"""Choice of a penalty strength along a path, by its scores on held-out folds.

A cross-validated estimator splits its rows (`split_rows`), scores one path or several on the
folds (`score_folds`), chooses (`choose_by_scores`) and stores the choice (`ChosenStrength.store`);
what its splitter and scorer are told goes through `router_of_folds` and `routed_to_folds`.
"""

from skreg.strengths._choice import (
    SELECTION_RULES,
    Choice,
    ChosenStrength,
    check_scores,
    choose_by_scores,
    choose_strength,
    edge_of,
    standard_error,
    warn_at_edge,
)
from skreg.strengths._folds import Fold, folds_of, split_rows, weighted_folds
from skreg.strengths._path import RegularizationPath, describe_strengths
from skreg.strengths._routing import (
    routed_to_folds,
    router_of_folds,
    scorer_of_classes,
)
from skreg.strengths._scores import FoldScores, score_folds, warn_of_inexact_fits

__all__ = [
    "SELECTION_RULES",
    "Choice",
    "ChosenStrength",
    "Fold",
    "FoldScores",
    "RegularizationPath",
    "check_scores",
    "choose_by_scores",
    "choose_strength",
    "describe_strengths",
    "edge_of",
    "folds_of",
    "routed_to_folds",
    "router_of_folds",
    "score_folds",
    "scorer_of_classes",
    "split_rows",
    "standard_error",
    "warn_at_edge",
    "warn_of_inexact_fits",
    "weighted_folds",
]
