"""Metrics that scikit-learn lacks: confidence, retrieval, masks, tasks in turn, rare targets."""

from skreg.metrics._confidence import (
    excess_risk_coverage_score,
    expected_calibration_error,
    risk_coverage_score,
)
from skreg.metrics._continual import average_accuracy, forgetting
from skreg.metrics._operating_points import (
    OperatingPoints,
    operating_point_inconsistency_score,
    operating_points,
    verification_error_rates,
)
from skreg.metrics._retrieval import recall_at_k
from skreg.metrics._segmentation import intersection_over_union_score
from skreg.metrics._shots import ShotScore, shot_scores

__all__ = [
    "OperatingPoints",
    "ShotScore",
    "average_accuracy",
    "excess_risk_coverage_score",
    "expected_calibration_error",
    "forgetting",
    "intersection_over_union_score",
    "operating_point_inconsistency_score",
    "operating_points",
    "recall_at_k",
    "risk_coverage_score",
    "shot_scores",
    "verification_error_rates",
]
