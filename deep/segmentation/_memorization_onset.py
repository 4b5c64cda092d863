"""When a network stops to learn a class and begins to memorise its wrong labels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from ..frame._batches import check_number

STEEPEST = 100.0, 10.0  # bounds of b and g: what is steeper is a step
FLAT = 0.1  # share of the final level below which a curve has not begun to rise


class CurveFit(NamedTuple):
    r"""A saturating curve :math:`f(t) = a (1 - \exp(-b t^g))`.

    Attributes
    ----------
    a : float
        Its limit, in [0, 1].
    b : float
        Its rate.
    g : float
        Its exponent; below one it rises at once, above one it begins slowly.

    Examples
    --------
    >>> fit = CurveFit(0.8, 0.5, 1.0)
    >>> round(float(fit(2.0)), 3), round(float(fit.slope(2.0)), 3)
    (0.506, 0.147)
    """

    a: float
    b: float
    g: float

    def __call__(self, t):
        """Value of the curve.

        Parameters
        ----------
        t : array-like
            Times, positive.

        Returns
        -------
        ndarray
            Values.
        """
        return self.a * -np.expm1(-self.b * np.asarray(t, float) ** self.g)

    def slope(self, t: ArrayLike) -> np.ndarray:
        """Derivative of the curve.

        Parameters
        ----------
        t : array-like
            Times, positive.

        Returns
        -------
        ndarray
            Derivatives.
        """
        t = np.asarray(t, float)
        a, b, g = self
        return a * b * g * t ** (g - 1) * np.exp(-b * t**g)


class Onset(NamedTuple):
    """Whether and when a curve has levelled off.

    Attributes
    ----------
    is_on : bool
        Whether it has.
    time : int
        The first time at which it had, counted from one; 0 if it has not.
    fit : CurveFit or None
        The curve that was fitted, None if there were too few points.
    ratio : float
        Share of its first slope that it has lost by now; nan without a fit.
    """

    is_on: bool
    time: int
    fit: CurveFit | None
    ratio: float


def iou_curve_fit(curve: ArrayLike) -> CurveFit:
    """Fit a saturating curve to numbers at times 1, 2, ... by weighted least squares.

    Later points weigh more: standard deviations fall geometrically from 1 to 0.1.

    Parameters
    ----------
    curve : array-like of shape (n_times,)
        Numbers in [0, 1], e.g. intersections over union of a class after each epoch.

    Returns
    -------
    CurveFit
        The curve.

    Raises
    ------
    ValueError
        If there are no numbers, or some are not in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.deep.torch import iou_curve_fit
    >>> fit = iou_curve_fit(0.8 * (1 - np.exp(-np.arange(1, 8) / 2)))
    >>> round(fit.a, 3), round(fit.b, 3), round(fit.g, 3)
    (0.8, 0.5, 1.0)
    """
    values = _checked_curve(curve)
    times = np.arange(1, len(values) + 1)
    precision = 1 / np.geomspace(1, 0.1, len(values))
    found = least_squares(
        lambda parameters: precision * (CurveFit(*parameters)(times) - values),
        x0=(1.0, 1.0, 1.0),
        bounds=([0, 0, 0], [1 + 1e-9, *STEEPEST]),
        xtol=1e-10,
        ftol=1e-10,
        gtol=1e-10,
    )
    return CurveFit(*map(float, found.x))


def memorization_onset(curve: ArrayLike, r: float = 0.9, *, min_points: int = 4) -> Onset:
    r"""Tell when the curve of a class has levelled off: from then on wrong labels are memorised.

    A saturating curve f is fitted to all points so far. It has levelled off at the first time t at
    which

    .. math::
        \frac{f'(1) - f'(t)}{f'(1)} > r .

    Points before the curve has reached a tenth of its last level are left out of the fit and of
    the count of times; f begins with the first one after them.

    Parameters
    ----------
    curve : array-like of shape (n_times,)
        Intersection over union between predictions and training masks, after each epoch.
    r : float, default=0.9
        Share of the first slope that must be lost, in (0, 1).
    min_points : int, default=4
        Number of points that a fit needs.

    Returns
    -------
    Onset
        Whether, when, and the fit.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    .. [1] S. Liu, K. Liu, W. Zhu, Y. Shen, C. Fernandez-Granda, "Adaptive Early-Learning
       Correction for Segmentation from Noisy Annotations", CVPR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.deep.torch import memorization_onset
    >>> curve = 0.8 * (1 - np.exp(-np.arange(1, 9) / 2))
    >>> memorization_onset(curve[:5]).is_on, memorization_onset(curve).time
    (False, 6)
    """
    check_number("r", r, 0, 1, above=True, below=True)
    check_number("min_points", min_points, 3)
    values = _checked_curve(curve)
    n_flat = int(np.argmax(values >= FLAT * values[-1])) if values[-1] > 0 else len(values)
    values = values[n_flat:]
    if len(values) < min_points:
        return Onset(False, 0, None, np.nan)
    fit = iou_curve_fit(values)
    slopes = fit.slope(np.arange(1, len(values) + 1))
    if not slopes[0] > 0:
        return Onset(False, 0, fit, np.nan)
    lost = 1 - slopes / slopes[0]
    later = np.flatnonzero(lost > r)
    time = n_flat + int(later[0]) + 1 if len(later) else 0
    return Onset(bool(time), time, fit, float(lost[-1]))


def _checked_curve(curve):
    values = np.asarray(curve, dtype=float)
    if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"curve must hold numbers in [0, 1], one for each time, got {np.array2string(values)}"
        )
    return values
