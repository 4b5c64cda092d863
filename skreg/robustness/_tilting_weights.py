"""Weights of rows for everything in an estimator that takes them."""

from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from skreg._sklearn import _routing_enabled


def fit_with_weights(estimator: Any, X: Any, y: Any, weight: np.ndarray | None) -> Any:
    """Fit; weights go to every step of a Pipeline that takes some, so that they count as copies.

    With metadata routing they go where the user asked for them.

    Raises
    ------
    TypeError
        If the classifier takes no weights.
    """
    if weight is None or isinstance(estimator, FrozenEstimator):
        return estimator.fit(X, y)
    if _routing_enabled():
        return estimator.fit(X, y, sample_weight=weight)
    names = _weight_parameters(estimator)
    if not names or not _takes_weights(_last(estimator)):
        raise TypeError(
            f"{type(_last(estimator)).__name__}.fit takes no sample_weight: leave it out, or "
            "give a classifier that takes weights"
        )
    return estimator.fit(X, y, **dict.fromkeys(names, weight))


def _weight_parameters(estimator: Any) -> list[str]:
    if isinstance(estimator, Pipeline):
        return [
            f"{name}__{inner}"
            for name, step in estimator.steps
            for inner in _weight_parameters(step)
        ]
    return ["sample_weight"] if _takes_weights(estimator) else []


def _takes_weights(step: Any) -> bool:
    return hasattr(step, "fit") and has_fit_parameter(step, "sample_weight")


def _last(estimator: Any) -> Any:
    return _last(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else estimator
