"""What a certification returns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from skreg._summary import summary


class CertificationResult(NamedTuple):
    """Certificates of several inputs.

    Attributes
    ----------
    label : ndarray of shape (n,)
        Proved classes, the estimator's `abstain_label` where nothing is proved.
    radius : ndarray of shape (n,)
        L2 radii, in the unit of the inputs, within which the class stays; 0 with abstention.
    abstain : ndarray of bool of shape (n,)
        Where nothing is proved.
    p_lower : ndarray of shape (n,)
        Lower bounds of the probability of the class; 0 where the first draws decided.
    p_upper : ndarray of shape (n,)
        Upper bounds of the probability of every other class; 1 where the first draws decided.
    map_index : ndarray of int of shape (n,)
        Which of the estimator's `candidates_` was chosen.
    """

    label: np.ndarray
    radius: np.ndarray
    abstain: np.ndarray
    p_lower: np.ndarray
    p_upper: np.ndarray
    map_index: np.ndarray

    def __repr__(self) -> str:
        return summary(self)

    def certified_accuracy(self, y: ArrayLike, radii: ArrayLike) -> np.ndarray:
        """Share of rows whose class is right and proved up to each radius.

        Parameters
        ----------
        y : array-like of shape (n,)
            True classes.
        radii : array-like of shape (n_radii,)
            Radii.

        Returns
        -------
        ndarray of shape (n_radii,)
            Shares. Abstentions count as errors, at radius 0 too.

        Raises
        ------
        ValueError
            If `y` has another length than the result, or a radius is negative or NaN.
        """
        radii = np.asarray(radii, dtype=float)
        if not (radii >= 0).all():
            raise ValueError(f"radii must not be negative; got {radii!r}")
        reached = self.radius[:, None] >= radii.reshape(-1)
        shares = (self._right(y)[:, None] & reached).mean(axis=0)
        return shares.reshape(radii.shape)

    def average_radius(self, y: ArrayLike) -> float:
        """Mean radius of all rows, 0 for those that are wrong or abstained from.

        Parameters
        ----------
        y : array-like of shape (n,)
            True classes.

        Returns
        -------
        float
            The average certified radius, the area below the curve of certified accuracy.

        Raises
        ------
        ValueError
            If `y` has another length than the result.
        """
        return float(np.mean(self.radius * self._right(y)))

    def _right(self, y):
        y = np.asarray(y)
        if y.shape != self.label.shape:
            raise ValueError(f"y has shape {y.shape}, but {len(self.label)} rows were certified")
        return (self.label == y) & ~self.abstain
