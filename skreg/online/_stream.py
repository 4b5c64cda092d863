"""What estimators on streams share: a state that one call after another goes on with."""

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._estimator import Estimator
from skreg._state import all_or_nothing
from skreg.rows import checked_weights

FLOATS = (np.float64, np.float32)


class StreamLearner(Estimator):
    """Base of estimators whose `fit`, `partial_fit` and `progressive_fit_predict` are one loop.

    Subclasses say what a plan is (`_plan`), how targets are encoded (`_encoded`) and what is read
    off a state (`_read_off`).
    """

    _state: dict[str, np.ndarray]
    _begun_with: dict[str, Any]

    @all_or_nothing
    def _learn(self, X, y, sample_weight, classes, anew):
        """Learn rows; what was predicted for each before it was learned, (n, n_outputs)."""
        begin = anew or not hasattr(self, "_state")
        params = self.get_params(deep=False)
        if begin:
            self._validate_params()
        else:
            _refuse_changes(self._begun_with, params)
        X, y = self._validated(X, y, begin)
        weight = checked_weights(sample_weight, X)
        target = self._encoded(y, classes, begin)
        plan = self._plan(params)
        if begin:
            self._begun_with = _plain_parameters(params)
            state = plan.start(self._n_outputs, X.shape[1])
        else:
            state = plan.state_of(**{name: a.copy() for name, a in self._state.items()})
        out, state = plan.learn(state, X, target, weight)
        if not all(np.isfinite(array).all() for array in state):
            raise ValueError(
                f"{type(self).__name__} overflows: a loss, a gradient or a coefficient is not "
                "finite. Scale the features (StandardScaler), or choose a smaller step_size or "
                "radius"
            )
        self._state = state._asdict()
        self._read_off(plan, state)
        return out

    def _validated(self, X, y, begin):
        return validate_data(
            self, X, y, accept_sparse="csr", dtype=FLOATS, order="C", reset=begin, **self._targets
        )

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn a stream from its beginning: one pass over the rows, in their order.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, the oldest first.
        y : array-like of shape (n_samples,)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Factors of the losses. A weight of 2 doubles the loss of a round, which is not the same
            as two rounds; rows of weight 0 are left out.

        Returns
        -------
        Self
            The fitted estimator.

        Raises
        ------
        ValueError
            If data are not finite, parameters contradict one another, or something overflows.
        """
        self._learn(X, y, sample_weight, None, anew=True)
        return self

    def _points(self, which):
        check_is_fitted(self)
        plan = self._plan(self.get_params(deep=False))
        return getattr(plan, which)(plan.state_of(**self._state))

    def __sklearn_is_fitted__(self) -> bool:
        """Whether rows were learned."""
        return hasattr(self, "_state")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _plain_parameters(params):
    """Parameters that are compared by value, those of a base among them; no functions."""
    plain = {}
    for name, value in params.items():
        if hasattr(value, "get_params"):
            inner = _plain_parameters(value.get_params(deep=False))
            plain.update({f"{name}__{key}": inner[key] for key in inner})
        elif not callable(value):
            plain[name] = value
    return plain


def _refuse_changes(before, params):
    now = _plain_parameters(params)
    for name in before.keys() | now.keys():
        old, new = before.get(name), now.get(name)
        if old is not new and not np.array_equal(old, new):
            raise ValueError(
                f"{name} was {old!r} when the stream began and is {new!r} now: the certificate "
                "speaks of one setting. Set it back, or begin anew with fit"
            )


def squeezed(values: np.ndarray) -> np.ndarray:
    """(n_features,) or (n,) in place of one row or column of outputs."""
    return values[0] if len(values) == 1 else values
