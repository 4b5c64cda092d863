"""Values of nodes, as every solver gives them."""

from typing import NamedTuple

import numpy as np

from skreg._summary import summary


class Values(NamedTuple):
    """Values of the free nodes, one column per class, and how they were found.

    Attributes
    ----------
    values : ndarray of shape (n_free, n_classes)
        Values.
    n_iter : int
        Largest number of iterations of a class; 1 for a direct solve.
    residual : float
        Relative residual of the optimality conditions.
    """

    values: np.ndarray
    n_iter: int
    residual: float

    def __repr__(self) -> str:
        return summary(self)
