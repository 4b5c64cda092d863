"""Weighted means and scatters of rows."""

from skreg.moments._exact import Moments, about_zero, moments, resampled_moments

__all__ = ["Moments", "about_zero", "moments", "resampled_moments"]
