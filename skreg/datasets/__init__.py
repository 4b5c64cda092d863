"""Generators of the papers' synthetic settings and loaders of data that ships with scikit-learn."""

from skreg.datasets._gaussians import make_shared_covariance_gaussians
from skreg.datasets._ordinal import load_ordinal_diabetes, make_ordinal

__all__ = [
    "load_ordinal_diabetes",
    "make_ordinal",
    "make_shared_covariance_gaussians",
]
