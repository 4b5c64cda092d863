"""Robustness of classifiers: certified smoothing, and the tilting of linear boundaries."""

from skreg.robustness._bounds import betting_bound, clopper_pearson, empirical_bernstein_bound
from skreg.robustness._certification_result import CertificationResult
from skreg.robustness._certified_display import CertifiedAccuracyDisplay
from skreg.robustness._linear_boundary_distance import (
    boundary_distance,
    mirror_through_boundary,
    project_to_boundary,
    robust_accuracy_score,
)
from skreg.robustness._radii import certified_radius, smoothed_lipschitz
from skreg.robustness._simplex_maps import sparsemax
from skreg.robustness._smoothing_classifier import RandomizedSmoothingClassifier
from skreg.robustness._tilting import adversarial_strength, boundary_tilting
from skreg.robustness._tilting_display import TiltingDisplay
from skreg.robustness._tilting_path import tilting_path
from skreg.robustness._tilting_path_display import TiltingPathDisplay
from skreg.robustness._tilting_untilt import untilt

__all__ = [
    "CertificationResult",
    "CertifiedAccuracyDisplay",
    "RandomizedSmoothingClassifier",
    "TiltingDisplay",
    "TiltingPathDisplay",
    "adversarial_strength",
    "betting_bound",
    "boundary_distance",
    "boundary_tilting",
    "certified_radius",
    "clopper_pearson",
    "empirical_bernstein_bound",
    "mirror_through_boundary",
    "project_to_boundary",
    "robust_accuracy_score",
    "smoothed_lipschitz",
    "sparsemax",
    "tilting_path",
    "untilt",
]
