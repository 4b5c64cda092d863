"""Generators of the papers' synthetic settings and loaders of data that ships with scikit-learn."""

from skreg.datasets._gaussians import make_shared_covariance_gaussians
from skreg.datasets._linear_sem import LinearSEM, make_linear_sem
from skreg.datasets._ordinal import load_ordinal_diabetes, make_ordinal
from skreg.datasets._structural_var import StructuralSeries, make_structural_var

__all__ = [
    "LinearSEM",
    "StructuralSeries",
    "load_ordinal_diabetes",
    "make_linear_sem",
    "make_ordinal",
    "make_shared_covariance_gaussians",
    "make_structural_var",
]
