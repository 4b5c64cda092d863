"""Robustness of classifiers: certified smoothing, and the tilting of linear boundaries."""

from skreg.robustness._linear_boundary_distance import (
    boundary_distance,
    mirror_through_boundary,
    project_to_boundary,
    robust_accuracy_score,
)
from skreg.robustness._tilting import adversarial_strength, boundary_tilting
from skreg.robustness._tilting_display import TiltingDisplay
from skreg.robustness._tilting_path import tilting_path
from skreg.robustness._tilting_path_display import TiltingPathDisplay
from skreg.robustness._tilting_untilt import untilt

__all__ = [
    "TiltingDisplay",
    "TiltingPathDisplay",
    "adversarial_strength",
    "boundary_distance",
    "boundary_tilting",
    "mirror_through_boundary",
    "project_to_boundary",
    "robust_accuracy_score",
    "tilting_path",
    "untilt",
]
