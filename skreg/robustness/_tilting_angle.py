"""The angle between a hyperplane and the line through two centroids (Tanay and Griffin 2016).

z^ = (j - i) / ||j - i||                    normal of the nearest-centroid classifier
cos theta = w^.z^                           deviation angle, theta in [0, pi]
n = w^ - (w^.z^) z^,  n^ = n / ||n||        direction of the tilt, so that
w^ = cos(theta) z^ + sin(theta) n^

d_adv = w.(j - i) / (2 ||w||_q) <= ||j - i||_p / 2        class-balanced mean signed distance
s = ||j - i||_p ||w||_q / w.(j - i) >= 1                  strength; 1 / cos theta for p = 2
"""

from typing import NamedTuple

import numpy as np

from skreg.robustness._linear_boundary import dual_exponent, norm

STRAIGHT = 1e-7  # sine of an angle below which rounding decides about the direction of the tilt
COINCIDE = 8.0  # units of rounding, of the larger centroid, by which equal means may differ


class Tilt(NamedTuple):
    """Angle and directions of a hyperplane that is seen from two centroids."""

    angle: float
    cos_angle: float
    unit_normal: np.ndarray
    centroid_direction: np.ndarray
    tilt_direction: np.ndarray

    @property
    def is_tilted(self) -> bool:
        """Whether the tilt has a direction; where it has none, `tilt_direction` is zero."""
        return bool(self.tilt_direction.any())

    def normal_at(self, t: float) -> np.ndarray:
        """Unit normal at a fraction of the angle: cos(t theta) z^ + sin(t theta) n^."""
        return (
            np.cos(t * self.angle) * self.centroid_direction
            + np.sin(t * self.angle) * self.tilt_direction
        )


def tilt_of(w: np.ndarray, difference: np.ndarray) -> Tilt:
    """Tilt of the normal w against the difference j - i of the centroids; neither is zero."""
    normal, z = unit(w), unit(difference)
    cosine = float(normal @ z)
    n = normal - cosine * z
    n -= (n @ z) * z  # once more, for the digits that the first step loses where n is short
    sine = float(np.linalg.norm(n))
    direction = n / sine if sine > STRAIGHT else np.zeros_like(n)
    return Tilt(float(np.arctan2(sine, cosine)), cosine, normal, z, direction)


def unit(vector: np.ndarray) -> np.ndarray:
    """The vector divided by its length, also if the square of that is no number."""
    scaled = vector / np.abs(vector).max()
    return scaled / np.linalg.norm(scaled)


def half_advance(w: np.ndarray, difference: np.ndarray, p: float) -> np.ndarray:
    """d_adv = w.(j - i) / (2 ||w||_q) along the last axis."""
    return 0.5 * np.sum(w * difference, axis=-1) / norm(w, dual_exponent(p))


def strength(w: np.ndarray, difference: np.ndarray, p: float) -> np.ndarray:
    """||j - i||_p / (2 d_adv) along the last axis, at least 1; inf where w points backwards."""
    advance = half_advance(w, difference, p)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 0.5 * norm(difference, p) / advance
    return np.where(advance > 0.0, np.maximum(ratio, 1.0), np.inf)


def coincide(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two centroids are equal up to the rounding of means."""
    size = max(np.abs(first).max(), np.abs(second).max())
    return bool(np.abs(second - first).max() <= COINCIDE * np.finfo(float).eps * size)
