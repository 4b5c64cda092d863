"""Robustness of classifiers: certified smoothing, and the tilting of linear boundaries."""

from skreg.robustness._bounds import betting_bound, clopper_pearson, empirical_bernstein_bound
from skreg.robustness._certification_result import CertificationResult
from skreg.robustness._certified_display import CertifiedAccuracyDisplay
from skreg.robustness._radii import certified_radius, smoothed_lipschitz
from skreg.robustness._simplex_maps import sparsemax
from skreg.robustness._smoothing_classifier import RandomizedSmoothingClassifier

__all__ = [
    "CertificationResult",
    "CertifiedAccuracyDisplay",
    "RandomizedSmoothingClassifier",
    "betting_bound",
    "certified_radius",
    "clopper_pearson",
    "empirical_bernstein_bound",
    "smoothed_lipschitz",
    "sparsemax",
]
