"""Probes that are sums over rows: merged, and taken over from a copy in one step."""

from typing import Any, Self

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skreg.moments import merge_over_classes
from skreg.probe._state import require_same_kind, require_same_settings, state_of_moments


class Merging:
    """`merge`, ``+`` and `get_state` of estimators that keep `Moments` of classes in ``_moments``.

    A subclass says by ``_keeps_sums()`` whether these are all that it needs, by
    ``_known_classes()`` whose they are, and ``_of_merged(classes, moments, other)`` is a copy of
    it with all that follows from those of both.
    """

    _moments: Any
    _keeps_sums: Any
    _known_classes: Any
    _of_merged: Any
    get_params: Any

    @available_if(lambda self: self._keeps_sums())
    def merge(self, other: Self) -> Self:
        """Return a probe of the rows of both, as if it had been fitted on them together.

        Only where nothing is chosen on the rows. ``a + b`` does the same;
        ``functools.reduce(operator.add, probes)`` merges many.

        Parameters
        ----------
        other : estimator
            A fitted probe of the same class with the same parameters and features; its classes may
            differ.

        Returns
        -------
        estimator
            A new probe; this one and `other` are left as they are.

        Raises
        ------
        TypeError
            If `other` is of another class.
        ValueError
            If the numbers or names of features or the parameters differ, if one has numbers and the
            other strings for labels, or if a parameter is "loo".
        """
        require_same_kind(self, other)
        require_same_settings(self, other)
        mine = self._known_classes(), self._moments
        merged = merge_over_classes(mine, (other._known_classes(), other._moments))
        return self._of_merged(*merged, other)

    def __add__(self, other: Self) -> Self:
        """Return what `merge` returns."""
        return self.merge(other) if type(other) is type(self) else NotImplemented

    @available_if(lambda self: self._keeps_sums())
    def get_state(self) -> dict[str, np.ndarray]:
        """Sums over the rows seen, for storing, sending or merging.

        Returns
        -------
        dict
            ``classes`` (n_classes,), ``c``: counts (n_classes,), ``mean``: class means
            (n_classes, n_features), ``M2``: pooled within-class scatter, (n_features,) of
            `LinearNaiveBayes` and (n_features, n_features) of `LinearProbe`; copies, in float64, in
            main memory.
        """
        check_is_fitted(self)
        return state_of_moments(self._known_classes(), self._moments)

    def _become(self, fresh):
        """Take over all of a copy in one step, so that errors and interrupts leave all as it was.

        The parameters stay the objects that they are.
        """
        self.__dict__ = fresh.__dict__ | {name: getattr(self, name) for name in self.get_params()}
        return self
