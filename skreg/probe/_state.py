"""What probes have learned: stored, restored, compared, merged."""

from typing import Any

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted

from skreg._warnings import warn
from skreg.moments import Moments

LEAST_SCATTER = 1e-303  # of a row


def state_of_moments(classes, moments):
    """The dict of `get_state`: copies in float64."""
    weight, mean, scatter = (np.array(part, dtype=np.float64) for part in moments)
    return {"classes": classes.copy(), "c": weight, "mean": mean, "M2": scatter}


def moments_of_state(state, scatter_ndim=1):
    """Classes and `Moments` from the dict of `get_state`; scatters are diagonal, or full with 2."""
    missing = {"classes", "c", "mean", "M2"} - set(state)
    if missing:
        raise ValueError(f"state lacks {sorted(missing)}; give what get_state returned")
    classes = np.asarray(state["classes"])
    weight, mean, scatter = arrays = [
        np.array(state[key], dtype=np.float64) for key in ("c", "mean", "M2")
    ]
    shapes, width = [array.shape for array in (classes, *arrays)], scatter.shape[:1]
    rows = (len(classes),)
    if shapes != [rows, rows, rows + width, width * scatter_ndim]:
        raise ValueError(f"classes, c, mean and M2 have shapes {shapes} that do not fit")
    for array in arrays:
        assert_all_finite(array)
    diagonal = scatter if scatter_ndim == 1 else np.diagonal(scatter)
    if (weight < 0).any() or (diagonal < 0).any():
        raise ValueError("c and M2 must not be negative")
    if scatter_ndim == 2 and not np.allclose(scatter, scatter.T, rtol=1e-9, atol=0):
        raise ValueError("M2 must be symmetric")
    if not np.array_equal(classes, np.unique(classes)):
        raise ValueError("classes must be sorted and distinct")
    return classes, Moments(weight, mean, scatter)


def require_same_kind(one, other):
    """Raise unless both are fitted probes of one class."""
    if type(other) is not type(one):
        raise TypeError(
            f"cannot merge {type(one).__name__} with {type(other).__name__}: both must be "
            "fitted probes of one class"
        )
    check_is_fitted(one)
    check_is_fitted(other)


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


def require_squares(statistics):
    """Raise if rows vary by so little that squares lose their digits in the range of floats."""
    means = statistics.mean[statistics.weight > 0]
    varies = statistics.scatter.any() or np.ptp(means, axis=0).any()
    if varies and statistics.total_scatter.max() < LEAST_SCATTER * statistics.total:
        raise ValueError("X varies by less than 1e-150, so that squares underflow; rescale X")


def same_rows(a, b):
    """Whether two statistics agree up to rounding, in the unit of every feature."""
    spread = np.sqrt(np.maximum(a.total_scatter, b.total_scatter) / max(a.total, b.total))
    apart = np.abs(a.mean - b.mean)
    return bool(
        np.allclose(a.weight, b.weight) and (apart <= 1e-5 * np.abs(b.mean) + 1e-5 * spread).all()
    )
