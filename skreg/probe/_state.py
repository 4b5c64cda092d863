"""What probes have learned: stored, restored, compared, merged."""

from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite

from skreg._warnings import warn
from skreg.moments import Moments


def moments_of_state(state):
    """Classes and `Moments` from the dict of `LinearNaiveBayes.get_state`."""
    classes = np.asarray(state["classes"])
    weight, mean, scatter = arrays = [
        np.array(state[key], dtype=np.float64) for key in ("c", "mean", "M2")
    ]
    shapes = [array.shape for array in (classes, *arrays)]
    n_features = scatter.size
    if shapes != [(len(classes),), (len(classes),), (len(classes), n_features), (n_features,)]:
        raise ValueError(f"classes, c, mean and M2 have shapes {shapes} that do not fit")
    for array in arrays:
        assert_all_finite(array)
    if (weight < 0).any() or (scatter < 0).any():
        raise ValueError("c and M2 must not be negative")
    if not np.array_equal(classes, np.unique(classes)):
        raise ValueError("classes must be sorted and distinct")
    return classes, Moments(weight, mean, scatter)


def require_same_settings(one, other):
    """Raise if two probes differ in features or parameters and thus cannot be merged."""
    if one.n_features_in_ != other.n_features_in_:
        raise ValueError(
            f"cannot merge probes of {one.n_features_in_} and {other.n_features_in_} features"
        )
    names: Any = getattr(one, "feature_names_in_", None)
    others: Any = getattr(other, "feature_names_in_", None)
    if not np.array_equal(names, others):
        raise ValueError(
            f"cannot merge probes with different feature_names_in_: {names} and {others}"
        )
    mine, theirs = one.get_params(), other.get_params()
    different = [name for name in mine if not np.array_equal(mine[name], theirs[name])]
    if different:
        pairs = ", ".join(f"{name}={mine[name]!r} and {theirs[name]!r}" for name in different)
        raise ValueError(f"cannot merge probes that differ in the parameters {pairs}")


def check_classes(classes, statistics, weighted):
    """Two classes must have samples, and one of them two, unless weights blur the count."""
    present = statistics.weight > 0
    if np.count_nonzero(present) < 2:
        raise ValueError(
            f"at least two classes must have samples; got one class, {classes[present]}"
        )
    if not weighted and statistics.total <= np.count_nonzero(present):
        warn(
            "every class has a single sample, so that no within-class variance can be "
            "estimated: LinearNaiveBayes acts as the nearest-class-mean classifier",
        )


def same_rows(a, b):
    """Whether two statistics agree up to rounding, in the unit of every feature."""
    spread = np.sqrt(np.maximum(a.total_scatter, b.total_scatter) / max(a.total, b.total))
    apart = np.abs(a.mean - b.mean)
    return bool(
        np.allclose(a.weight, b.weight) and (apart <= 1e-5 * np.abs(b.mean) + 1e-5 * spread).all()
    )
