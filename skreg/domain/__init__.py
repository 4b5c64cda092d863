"""Predictions on a domain that no training row came from, by heads of the source domains."""

from skreg.domain._classifier import DomainSpecificClassifier
from skreg.domain._leave_one_out import DomainScores, leave_one_domain_out_score
from skreg.domain._regressor import DomainSpecificRegressor

__all__ = [
    "DomainScores",
    "DomainSpecificClassifier",
    "DomainSpecificRegressor",
    "leave_one_domain_out_score",
]
