"""Choice of a penalty strength along a path, by its scores on held-out folds."""

from skreg.strengths._choice import (
    SELECTION_RULES,
    Choice,
    check_scores,
    choose_strength,
    warn_at_edge,
)
from skreg.strengths._folds import Fold, folds_of, weighted_folds
from skreg.strengths._path import RegularizationPath
from skreg.strengths._routing import RoutedFolds, scorer_of_classes

__all__ = [
    "SELECTION_RULES",
    "Choice",
    "Fold",
    "RegularizationPath",
    "RoutedFolds",
    "check_scores",
    "choose_strength",
    "folds_of",
    "scorer_of_classes",
    "warn_at_edge",
    "weighted_folds",
]
