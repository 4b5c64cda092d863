"""How differently classes behave at one global distance threshold (Zhang et al. 2024)."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid
from sklearn.utils import check_random_state, gen_batches

from skreg._sklearn import Interval, validate_params
from skreg.metrics._embeddings import check_embeddings, classwise_distance_blocks

_PAIRS_AT_ONCE = 2**14
_PARAMETERS = {
    "embeddings": ["array-like"],
    "labels": ["array-like"],
    "far_range": [tuple, list],
    "thresholds": ["array-like", None],
    "n_thresholds": [Interval(Integral, 2, None, closed="left")],
    "c": [Interval(Real, 0, None, closed="neither")],
    "normalize": ["boolean"],
    "max_pairs": [Interval(Integral, 1, None, closed="left"), None],
    "random_state": ["random_state"],
}


class OperatingPoints(NamedTuple):
    """Error rates of each class along one global threshold.

    Attributes
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Distances up to which two samples count as the same class.
    classes : ndarray of shape (n_classes,)
        The labels of two samples or more.
    sensitivities : ndarray of shape (n_classes, n_thresholds)
        Share of the pairs within a class at most that far apart.
    specificities : ndarray of shape (n_classes, n_thresholds)
        Share of the pairs with one end in a class that are farther apart.
    utilities : ndarray of shape (n_classes, n_thresholds)
        Harmonic mean of both, or F-score for another `c`.
    """

    thresholds: np.ndarray
    classes: np.ndarray
    sensitivities: np.ndarray
    specificities: np.ndarray
    utilities: np.ndarray

    def __repr__(self) -> str:
        low, high = self.thresholds[[0, -1]]
        return (
            f"OperatingPoints({len(self.classes)} classes at {len(self.thresholds)} thresholds "
            f"from {low:.3g} to {high:.3g}, mean inconsistency {self.inconsistencies.mean():.3g})"
        )

    @property
    def inconsistencies(self) -> np.ndarray:
        """Mean squared deviation of each class's utility from the mean over classes."""
        deviation = (self.utilities - self.utilities.mean(axis=0)) ** 2
        width = self.thresholds[-1] - self.thresholds[0]
        return trapezoid(deviation, self.thresholds, axis=1) / width


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def operating_points(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    far_range: tuple[float, float] = (1e-2, 1e-1),
    thresholds: ArrayLike | None = None,
    n_thresholds: int = 101,
    c: float = 1.0,
    normalize: bool = True,
    max_pairs: int | None = 5_000_000,
    random_state: int | np.random.RandomState | None = None,
) -> OperatingPoints:
    """Sensitivity and specificity of each class along one global distance threshold.

    For class i and threshold t, with d the distance of a pair::

        phi_i(t) = share of the pairs within class i with d <= t
        psi_i(t) = share of the pairs with exactly one end in class i with d > t
        U_i(t) = (1 + c^2) phi psi / (c^2 psi + phi), and 0 if both are 0

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_features)
        Embeddings.
    labels : array-like of shape (n_samples,)
        Their classes. A class of one sample has no pair within; it counts only as the other end
        of pairs of other classes.
    far_range : pair of float, default=(1e-2, 1e-1)
        Thresholds run evenly from one false accept rate to the other: from that quantile of the
        distances between classes to this one.
    thresholds : array-like of shape (n_thresholds,), default=None
        Increasing thresholds to use instead.
    n_thresholds : int, default=101
        Number of thresholds in `far_range`.
    c : float, default=1.0
        Weight of the sensitivity relative to the specificity in the utility.
    normalize : bool, default=True
        Scale embeddings to length one first.
    max_pairs : int or None, default=5_000_000
        If there are more pairs between classes, the quantiles of `far_range` are taken from that
        many random ones. Shares are always exact.
    random_state : int, RandomState instance or None, default=None
        Draws these pairs.

    Returns
    -------
    OperatingPoints
        Thresholds, classes, and curves of each class.

    Raises
    ------
    ValueError
        If there are fewer than two classes, no class of two samples, embeddings of length zero,
        or thresholds that do not increase.

    References
    ----------
    .. [1] Q. Zhang, L. Xu, Q. Tang, J. Fang, Y. N. Wu, J. Tighe, Y. Xing, "Threshold-Consistent
       Margin Loss for Open-World Deep Metric Learning", ICLR 2024.

    Examples
    --------
    >>> from skreg.metrics import operating_points
    >>> points = operating_points(
    ...     [[0.0], [0.1], [1.0], [1.5]], [0, 0, 1, 1], thresholds=[0.2, 0.5, 0.8], normalize=False
    ... )
    >>> points.utilities
    array([[1., 1., 1.],
           [0., 1., 1.]])
    """
    embedded = check_embeddings(embeddings, labels, normalize)
    if len(embedded.classes) < 2:
        raise ValueError(f"labels must hold two classes or more, got {len(embedded.classes)}")
    if embedded.counts.max() < 2:
        raise ValueError("no class has two samples, so that there are no pairs within a class")
    if thresholds is None:
        rates = _check_far_range(far_range)
        grid = _thresholds_at(rates, n_thresholds, embedded, max_pairs, random_state)
    else:
        grid = _check_thresholds(thresholds)
    within, between = _pairs_up_to(grid, embedded)
    counts, n_samples = embedded.counts, len(embedded.codes)
    kept = counts >= 2
    sensitivities = within[kept] / (counts * (counts - 1) / 2)[kept, None]
    specificities = 1 - between[kept] / (counts * (n_samples - counts))[kept, None]
    utilities = _utility(sensitivities, specificities, c)
    return OperatingPoints(grid, embedded.classes[kept], sensitivities, specificities, utilities)


@validate_params(_PARAMETERS, prefer_skip_nested_validation=True)
def operating_point_inconsistency_score(
    embeddings: ArrayLike,
    labels: ArrayLike,
    *,
    far_range: tuple[float, float] = (1e-2, 1e-1),
    thresholds: ArrayLike | None = None,
    n_thresholds: int = 101,
    c: float = 1.0,
    normalize: bool = True,
    max_pairs: int | None = 5_000_000,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    """Variance across classes of their utility at one global distance threshold (OPIS).

    With U_i(t) the utility of class i at threshold t (see `operating_points`) and Ubar its mean
    over the classes, by the trapezoid rule::

        OPIS = 1 / (t_max - t_min) int mean_i (U_i(t) - Ubar(t))^2 dt

    Lower is better; at most 1/4. It says nothing about accuracy: report `recall_at_k` beside it.
    It varies much between training runs: compare means over seeds.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_features)
        Embeddings.
    labels : array-like of shape (n_samples,)
        Their classes. A class of one sample has no utility and is left out of the mean.
    far_range : pair of float, default=(1e-2, 1e-1)
        Thresholds run evenly from one false accept rate to the other: from that quantile of the
        distances between classes to this one.
    thresholds : array-like of shape (n_thresholds,), default=None
        Increasing thresholds to use instead.
    n_thresholds : int, default=101
        Number of thresholds in `far_range`.
    c : float, default=1.0
        Weight of the sensitivity relative to the specificity in the utility.
    normalize : bool, default=True
        Scale embeddings to length one first.
    max_pairs : int or None, default=5_000_000
        If there are more pairs between classes, the quantiles of `far_range` are taken from that
        many random ones. Shares are always exact.
    random_state : int, RandomState instance or None, default=None
        Draws these pairs.

    Returns
    -------
    float
        The score, from 0 to 1/4.

    Raises
    ------
    ValueError
        If there are fewer than two classes, no class of two samples, embeddings of length zero,
        or thresholds that do not increase.

    References
    ----------
    .. [1] Q. Zhang, L. Xu, Q. Tang, J. Fang, Y. N. Wu, J. Tighe, Y. Xing, "Threshold-Consistent
       Margin Loss for Open-World Deep Metric Learning", ICLR 2024.

    Examples
    --------
    One class is compact and the other is not; no threshold suits both:

    >>> import numpy as np
    >>> from skreg.metrics import operating_point_inconsistency_score
    >>> score = operating_point_inconsistency_score(
    ...     [[0.0], [0.1], [1.0], [1.5]], [0, 0, 1, 1],
    ...     thresholds=np.linspace(0.2, 0.8, 601), normalize=False,
    ... )
    >>> print(f"{score:.5f}")
    0.12479
    """
    points = operating_points(
        embeddings, labels, far_range=far_range, thresholds=thresholds, n_thresholds=n_thresholds,
        c=c, normalize=normalize, max_pairs=max_pairs, random_state=random_state,
    )  # fmt: skip
    return float(points.inconsistencies.mean())


@validate_params(
    {
        "embeddings": ["array-like"],
        "labels": ["array-like"],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "normalize": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def verification_error_rates(
    embeddings: ArrayLike, labels: ArrayLike, threshold: float, *, normalize: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """False accept and false reject rate of each class at a distance threshold.

    Parameters
    ----------
    embeddings : array-like of shape (n_samples, n_features)
        Embeddings.
    labels : array-like of shape (n_samples,)
        Their classes.
    threshold : float
        Distance up to which a pair is accepted as one class.
    normalize : bool, default=True
        Scale embeddings to length one first.

    Returns
    -------
    false_accept : ndarray of shape (n_classes,)
        Share of the pairs with exactly one end in the class that are accepted; classes are in
        sorted order. NaN if there is one class only.
    false_reject : ndarray of shape (n_classes,)
        Share of the pairs within the class that are rejected; NaN for a class of one sample.

    Raises
    ------
    ValueError
        If lengths differ or an embedding is zero.

    Examples
    --------
    >>> from skreg.metrics import verification_error_rates
    >>> verification_error_rates([[0.0], [0.1], [1.0], [1.5]], [0, 0, 1, 1], 0.4, normalize=False)
    (array([0., 0.]), array([0., 1.]))
    """
    embedded = check_embeddings(embeddings, labels, normalize)
    within, between = _pairs_up_to(np.array([threshold], dtype=np.float64), embedded)
    counts = embedded.counts
    with np.errstate(invalid="ignore"):
        false_accept = between[:, 0] / (counts * (len(embedded.codes) - counts))
        false_reject = 1 - within[:, 0] / (counts * (counts - 1) / 2)
    return false_accept, false_reject


def _check_far_range(far_range):
    low, high = (float(rate) for rate in far_range) if len(far_range) == 2 else (1.0, 0.0)
    if not 0 <= low < high <= 1:
        raise ValueError(f"far_range must be two increasing rates in [0, 1], got {far_range!r}")
    return low, high


def _check_thresholds(thresholds):
    thresholds = np.asarray(thresholds, dtype=np.float64)
    if thresholds.ndim != 1 or len(thresholds) < 2 or not np.all(np.diff(thresholds) > 0):
        raise ValueError("thresholds must be two or more increasing numbers")
    return thresholds


def _thresholds_at(far_range, n_thresholds, embedded, max_pairs, random_state):
    low, high = np.quantile(_distances_between(embedded, max_pairs, random_state), far_range)
    if not low < high:
        raise ValueError(
            f"distances between classes are all {low:g} from false accept rate {far_range[0]:g} to "
            f"{far_range[1]:g}; give thresholds"
        )
    return np.linspace(low, high, n_thresholds)


def _distances_between(embedded, max_pairs, random_state):
    """Distances of all pairs of samples of two classes, or of `max_pairs` random ones."""
    n_samples = len(embedded.codes)
    n_pairs = (n_samples**2 - (embedded.counts**2).sum()) // 2
    if max_pairs is None or n_pairs <= max_pairs:
        blocks = classwise_distance_blocks(embedded)
        return np.concatenate([distance[:, own.stop :].ravel() for _, own, distance in blocks])
    first, second = _random_pairs(embedded, max_pairs, check_random_state(random_state))
    rows = embedded.rows
    return np.concatenate(
        [
            np.linalg.norm(rows[first[part]] - rows[second[part]], axis=1)
            for part in gen_batches(max_pairs, _PAIRS_AT_ONCE)
        ]
    )


def _random_pairs(embedded, n_pairs, rng):
    """Pairs of samples of two classes, each equally likely: any end, then any of another class."""
    codes, counts = embedded.codes, embedded.counts
    n_samples = len(codes)
    others = n_samples - counts[codes]
    first = rng.choice(n_samples, n_pairs, p=others / others.sum())
    code = codes[first]
    # positions among the samples sorted by class, without the stretch of the first one's class
    place = (rng.random_sample(n_pairs) * (n_samples - counts[code])).astype(np.int64)
    place += np.where(place >= (np.cumsum(counts) - counts)[code], counts[code], 0)
    return first, np.argsort(codes, kind="stable")[place]


def _pairs_up_to(thresholds, embedded):
    """Numbers of pairs at most each threshold apart, of shape (n_classes, n_thresholds).

    Returns
    -------
    within : ndarray
        Pairs within each class.
    between : ndarray
        Pairs with exactly one end in each class.
    """
    within, between = np.zeros((2, len(embedded.classes), len(thresholds)), dtype=np.int64)
    for code, own, distance in classwise_distance_blocks(embedded):
        inside = _count(thresholds, distance[:, own])
        within[code] += inside
        between[code] += _count(thresholds, distance) - inside
    within -= embedded.counts[:, None] * (thresholds >= 0)  # a sample and itself
    return within // 2, between


def _count(thresholds, distance):
    """How many distances are at most each threshold."""
    near = distance[distance <= thresholds[-1]]
    first = np.searchsorted(thresholds, near)  # the first threshold that is reached
    return np.bincount(first, minlength=len(thresholds)).cumsum()


def _utility(sensitivity, specificity, c):
    total = c**2 * specificity + sensitivity
    product = (1 + c**2) * sensitivity * specificity
    return np.divide(product, total, out=np.zeros_like(total), where=total > 0)
