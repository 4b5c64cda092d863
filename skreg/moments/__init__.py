"""Weights, means and scatters of rows: one mergeable record, and the ways to fill it.

`moments_by_class` streams over rows of any kind, `joint_moments` are those of features and targets
as fast as the BLAS multiplies, `moments` and `resampled_moments` are exact to the last bit whatever
the order of the rows, `Moments.merge` puts together what several places found. `second_moments`
alone is no record but the product behind one, for what is about zero.
"""

from skreg.moments._accumulator import Moments
from skreg.moments._by_class import expand_classes, merge_over_classes, moments_by_class
from skreg.moments._exact import about_zero, moments, resampled_moments, with_exact_constants
from skreg.moments._second import JointMoments, joint_moments, second_moments

__all__ = [
    "JointMoments",
    "Moments",
    "about_zero",
    "expand_classes",
    "joint_moments",
    "merge_over_classes",
    "moments",
    "moments_by_class",
    "resampled_moments",
    "second_moments",
    "with_exact_constants",
]
