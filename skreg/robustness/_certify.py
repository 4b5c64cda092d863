"""Certification of one input: which map and class, then what can be proved about them.

Nothing here draws. Draws come in as `Tally`, so that a simulation goes through the same lines as a
classifier.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import bdtr

from skreg.robustness._bounds import Bounds
from skreg.robustness._radii import RadiusKind, certified_radius
from skreg.robustness._simplex_maps import SLOPES, Candidate
from skreg.robustness._smoothing_votes import Tally, foreseen


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


class Certificate(NamedTuple):
    """What is proved about one input; class -1 stands for abstention."""

    label: int
    radius: float
    p_lower: float
    p_upper: float
    map_index: int


class Choice(NamedTuple):
    """Candidate and class that the first draws chose, and whether more draws are in vain."""

    map_index: int
    label: int
    hopeless: bool


class Proved(NamedTuple):
    """For each candidate: bounds of its top class and of the others, and the radius."""

    p_lower: np.ndarray
    p_upper: np.ndarray
    radius: np.ndarray


def prove(candidates: list[Candidate], bounds: Bounds, labels: np.ndarray, rule: Rule) -> Proved:
    """Radii from bounds of shape (n_candidates, n_classes), for a top class of each candidate."""
    top = np.arange(bounds.lower.shape[1]) == labels[:, None]
    p_lower = bounds.lower[top]
    p_upper = 1.0 - p_lower
    if not rule.bounds_lower_only(bounds.lower.shape[1]):
        p_upper = np.minimum(np.where(top, 0.0, bounds.upper).max(axis=1), p_upper)
    slopes = None
    if rule.lipschitz is not None:
        of_maps = np.array([SLOPES[name] * t for name, t in candidates])
        slopes = of_maps * max(rule.lipschitz, 1e-300)
    radius = certified_radius(p_lower, p_upper, rule.sigma, rule.radius, slopes)
    return Proved(p_lower, p_upper, radius)


def choose(first: Tally, rule: Rule) -> Choice:
    """The candidate whose radius will be largest if the n draws look like the first ones.

    Early abstention needs no part of alpha, since it certifies nothing. It happens where even
    classes as far apart as the first draws allow, at level alpha, would not be told apart.
    """
    delta = rule.level(*first.sums.shape)
    labels = first.sums.argmax(axis=1)
    expected = foreseen(first, first.means, rule.n, delta)
    radius = prove(first.candidates, expected, labels, rule).radius
    best = int(radius.argmax())
    hopeless = radius[best] <= 0.0 and first.n > 1 and _best_case(first, labels, rule) <= 0.0
    return Choice(best, int(labels[best]), bool(hopeless))


def _best_case(first, labels, rule):
    """The largest radius that the first draws do not exclude."""
    likely = foreseen(first, first.means, first.n, rule.alpha)
    top = np.arange(first.sums.shape[1]) == labels[:, None]
    apart = np.where(top, likely.upper, likely.lower)
    bounds = foreseen(first, apart, rule.n, rule.level(*first.sums.shape))
    return prove(first.candidates, bounds, labels, rule).radius.max()


def certificate_of_choice(tally: Tally, choice: Choice, rule: Rule) -> Certificate:
    """For one candidate and a class that were fixed before the draws of the tally."""
    bounds = tally.bounds(rule.level(*tally.sums.shape))
    proved = prove(tally.candidates, bounds, np.array([choice.label]), rule)
    return _certificate(choice.label, proved, 0)._replace(map_index=choice.map_index)


def best_certificate(tally: Tally, rule: Rule) -> Certificate:
    """The largest radius among all candidates, each with its own top class, on one sample."""
    bounds = tally.bounds(rule.level(*tally.sums.shape))
    labels = tally.sums.argmax(axis=1)
    proved = prove(tally.candidates, bounds, labels, rule)
    best = int(proved.radius.argmax())
    return _certificate(int(labels[best]), proved, best)


def give_up(choice: Choice) -> Certificate:
    """Abstention without further draws: nothing is known of the probabilities."""
    return Certificate(-1, 0.0, 0.0, 1.0, choice.map_index)


def _certificate(label, proved, j):
    p_lower, p_upper, radius = (float(values[j]) for values in proved)
    return Certificate(label if radius > 0.0 else -1, radius, p_lower, p_upper, j)


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
