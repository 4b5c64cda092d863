"""Certification of inputs: which map and class, then what can be proved about them.

Nothing here draws. Draws come in as `Tally`, one for each input, so that a simulation goes through
the same lines as a classifier.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import bdtr

from skreg.robustness._bounds import Bounds
from skreg.robustness._radii import RadiusKind, certified_radius
from skreg.robustness._smoothing_votes import Moments, Tally, bounds_of

LEAST_SLOPE = 1e-300  # that of scores that do not depend on the input


class Rule(NamedTuple):
    """What is asked of a certificate."""

    sigma: float
    alpha: float
    n: int
    radius: RadiusKind = "multi"
    selection: str = "split"
    lipschitz: float | None = None  # of the scores, before the map

    def bounds_lower_only(self, n_classes: int) -> bool:
        """Whether the bound of the top class says everything, as it does of two classes."""
        return self.radius == "mono" or n_classes == 2

    def level(self, n_candidates: int, n_classes: int) -> float:
        """Probability with which each bound may fail (Bonferroni).

        The split sample bounds the chosen class from below and the others from above. What is
        chosen on the sample itself needs bounds of every class and candidate, on both sides.
        """
        lower_only = self.bounds_lower_only(n_classes)
        if self.selection == "split":
            return self.alpha / (1 if lower_only else n_classes)
        return self.alpha / (n_candidates * n_classes * (1 if lower_only else 2))


class Certificates(NamedTuple):
    """What is proved about several inputs; class -1 stands for abstention."""

    label: np.ndarray
    radius: np.ndarray
    p_lower: np.ndarray
    p_upper: np.ndarray
    map_index: np.ndarray


class Choices(NamedTuple):
    """Candidate and class that the first draws chose, and whether more draws are in vain."""

    map_index: np.ndarray
    label: np.ndarray
    hopeless: np.ndarray


class Proved(NamedTuple):
    """For each input and candidate: bounds of its top class and of the others, and the radius."""

    p_lower: np.ndarray
    p_upper: np.ndarray
    radius: np.ndarray


def prove(bounds: Bounds, labels: np.ndarray, slopes: np.ndarray, rule: Rule) -> Proved:
    """Radii from bounds of shape (n_samples, n_candidates, n_classes), for given top classes."""
    n_classes = bounds.lower.shape[-1]
    top = np.arange(n_classes) == labels[..., None]
    p_lower = np.where(top, bounds.lower, 0.0).max(axis=-1)
    p_upper = 1.0 - p_lower
    if not rule.bounds_lower_only(n_classes):
        p_upper = np.minimum(np.where(top, 0.0, bounds.upper).max(axis=-1), p_upper)
    L = None if rule.lipschitz is None else slopes * max(rule.lipschitz, LEAST_SLOPE)
    return Proved(p_lower, p_upper, certified_radius(p_lower, p_upper, rule.sigma, rule.radius, L))


def choose(firsts: Sequence[Tally], rule: Rule) -> Choices:
    """The candidate whose radius will be largest if the n draws look like the first ones.

    Early abstention needs no part of alpha, since it certifies nothing. It happens where even
    classes as far apart as the first draws allow, at level alpha, would not be told apart.
    """
    first = Moments.of(firsts)
    delta = rule.level(*first.means.shape[1:])
    labels = first.means.argmax(axis=-1)
    expected = first.foreseen(first.means, rule.n, delta)
    radius = prove(expected, labels, first.slopes, rule).radius
    best = radius.argmax(axis=-1)
    hopeless = radius.max(axis=-1) <= 0.0
    if hopeless.any() and first.n > 1:
        hopeless &= _best_case(first, labels, rule, delta) <= 0.0
    return Choices(best, _at(labels, best), hopeless & (first.n > 1))


def _best_case(first, labels, rule, delta):
    """The largest radius that the first draws do not exclude."""
    likely = first.bounds(rule.alpha)
    top = np.arange(first.means.shape[-1]) == labels[..., None]
    apart = np.where(top, likely.upper, likely.lower)
    bounds = first.foreseen(apart, rule.n, delta)
    return prove(bounds, labels, first.slopes, rule).radius.max(axis=-1)


def certificates_of_choices(tallies: Sequence[Tally], choices: Choices, rule: Rule) -> Certificates:
    """For a candidate and a class of each input that were fixed before the draws of its tally.

    Tallies hold that candidate alone; where the first draws decided, they are without draws and
    nothing is known of the probabilities.
    """
    n_samples = len(tallies)
    radius, p_lower, p_upper = np.zeros(n_samples), np.zeros(n_samples), np.ones(n_samples)
    drawn = np.flatnonzero(~choices.hopeless).tolist()
    if drawn:
        some = [tallies[i] for i in drawn]
        moments = Moments.of(some)
        bounds = bounds_of(some, moments, rule.level(*moments.means.shape[1:]))
        proved = prove(bounds, choices.label[drawn][:, None], moments.slopes, rule)
        p_lower[drawn], p_upper[drawn], radius[drawn] = (values[:, 0] for values in proved)
    label = np.where(radius > 0.0, choices.label, -1)
    return Certificates(label, radius, p_lower, p_upper, choices.map_index)


def best_certificates(tallies: Sequence[Tally], rule: Rule) -> Certificates:
    """The largest radius among all candidates, each with its own top class, on one sample."""
    moments = Moments.of(tallies)
    bounds = bounds_of(tallies, moments, rule.level(*moments.means.shape[1:]))
    labels = moments.means.argmax(axis=-1)
    proved = prove(bounds, labels, moments.slopes, rule)
    best = proved.radius.argmax(axis=-1)
    p_lower, p_upper, radius = (_at(values, best) for values in proved)
    return Certificates(
        np.where(radius > 0.0, _at(labels, best), -1), radius, p_lower, p_upper, best
    )


def _at(values, places):
    """values[i, places[i]]."""
    return np.take_along_axis(values, places[:, None], axis=1)[:, 0]


def vote(counts: np.ndarray, alpha: float) -> np.ndarray:
    """Most frequent classes, -1 where the second is not told from the first.

    The two-sided binomial test of m1 among m1 + m2 at 1/2 has the p-value
    2 P(B >= m1) = 2 P(B <= m2) for m1 >= m2, at most 1 (Cohen et al. 2019, PREDICT).

    Parameters
    ----------
    counts : ndarray of shape (n_samples, n_classes)
        Numbers of votes.
    alpha : float
        Level of the test.

    Returns
    -------
    ndarray of int of shape (n_samples,)
        Indices of classes, or -1.
    """
    order = np.sort(counts, axis=1)
    first, second = order[:, -1], order[:, -2]
    p_value = np.minimum(2.0 * bdtr(second, (first + second).astype(int), 0.5), 1.0)
    return np.where(p_value <= alpha, counts.argmax(axis=1), -1)
