"""Choice of a penalty strength by its scores on held-out folds."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils._metadata_requests import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)

SELECTION_RULES = {"min", "one_standard_error"}


class Choice(NamedTuple):
    """Positions of the chosen strengths on a decreasing sequence."""

    best: int
    one_standard_error: int


def choose_strength(scores):
    """Best mean score, and the strongest penalty within one standard error of it.

    The standard error is that of the mean of the best strength's scores over the folds. Ties are
    broken in favour of the stronger penalty.

    Parameters
    ----------
    scores : ndarray of shape (n_alphas, n_folds)
        Scores of decreasing strengths on the folds; greater is better.

    Returns
    -------
    Choice
        Positions along the first axis.
    """
    mean = scores.mean(axis=1)
    best = int(np.argmax(mean))
    n_folds = scores.shape[1]
    error = scores[best].std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0.0
    return Choice(best, int(np.argmax(mean >= mean[best] - error)))


def check_scores(scores, scoring):
    """Raise ValueError if a score is nan."""
    if np.isnan(scores).any():
        raise ValueError(f"scoring={scoring!r} gave nan on {np.isnan(scores).sum()} fits")


class RoutedFolds(ABC):
    """Mixin of estimators with `cv` and `scoring`: metadata for the splitter and the scorer."""

    @abstractmethod
    def _fold_scorer(self):
        """Scorer of scikit-learn, or None where `scoring` names an error of our own."""

    def _routed(self, params, sample_weight):
        """Parameters of the splitter and of the scorer."""
        if not _routing_enabled():
            return {}, {} if sample_weight is None else {"sample_weight": sample_weight}
        if sample_weight is not None:
            params = {**params, "sample_weight": sample_weight}
        routed = process_routing(self, "fit", **params)
        return routed.splitter.split, routed.scorer.score if "scorer" in routed else {}

    def get_metadata_routing(self):
        """Metadata that the splitter and the scorer ask for.

        Returns
        -------
        MetadataRouter
            Router of scikit-learn.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        router.add(
            splitter=check_cv(self.cv),
            method_mapping=MethodMapping().add(caller="fit", callee="split"),
        )
        scorer = self._fold_scorer()
        if scorer is not None:
            router.add(
                scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score")
            )
        return router
