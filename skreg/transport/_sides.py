"""The two sides of a map: which rows each has left behind, and how those become covariances."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_array

from skreg.transport._sample_covariance import (
    Estimate,
    FewRows,
    SampleMoments,
    joint_estimates,
)
from skreg.transport._spread import Spread

Rows = tuple[np.ndarray, np.ndarray]  # and their weights
Record = SampleMoments | Rows
ROLES = ("source", "target")
FLOATS = [np.float64, np.float32]


def target_of(y: Any, X_target: Any, n_features: int) -> Any:
    """The rows of the target: `X_target`, or a y that is a matrix and no column of labels."""
    if X_target is not None or y is None:
        return X_target
    shape = np.asarray(y).shape
    return y if len(shape) == 2 and (shape[1] > 1 or n_features == 1) else None


def checked_target(estimator: Any, X_target: Any, min_samples: int = 2) -> np.ndarray:
    """Rows of the target with as many columns as the estimator's X has."""
    X_target = check_array(
        X_target,
        dtype=FLOATS,
        input_name="X_target",
        estimator=estimator,
        ensure_min_samples=min_samples,
    )
    if X_target.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X_target has {X_target.shape[1]} features, X has {estimator.n_features_in_}; "
            "a map needs the same columns on both sides"
        )
    return X_target


def records_of(rows: dict[str, Rows]) -> dict[str, Record]:
    """Records of each side's rows and weights: sums (d, d), or the rows where they are few."""
    n_rows = sum(len(X) for X, _ in rows.values())
    if n_rows < rows["source"][0].shape[1]:
        return {role: (X.copy(), weight.copy()) for role, (X, weight) in rows.items()}
    return {role: SampleMoments.of_rows(*sample) for role, sample in rows.items()}


def with_more_rows(
    records: Mapping[str, Record], role: str, more: SampleMoments
) -> dict[str, SampleMoments]:
    """The records with further rows of one side, as sums."""
    sums = {
        role: record if isinstance(record, SampleMoments) else SampleMoments.of_rows(*record)
        for role, record in records.items()
    }
    return {**sums, role: sums[role].merge(more) if role in sums else more}


def estimates_of(records: Mapping[str, Record], kind: str) -> dict[str, Estimate]:
    """Means and covariances of both sides in one basis.

    A side without rows is standard normal.
    """
    sums = [record for record in records.values() if isinstance(record, SampleMoments)]
    few = [FewRows(*rows) for rows in records.values() if not isinstance(rows, SampleMoments)]
    estimates = joint_estimates(few, kind) if few else [record.estimate(kind) for record in sums]
    return with_standard_normal(dict(zip(records, estimates, strict=True)))


def estimates_by(estimator: Any, rows: dict[str, Rows]) -> dict[str, Estimate]:
    """Means and covariances by an estimator of `sklearn.covariance`, fitted to each side."""
    found = {}
    for role, (X, _) in rows.items():
        fitted = clone(estimator).fit(X)
        found[role] = Estimate(
            np.asarray(fitted.location_, dtype=np.float64),
            Spread(np.asarray(fitted.covariance_, dtype=np.float64)),
            getattr(fitted, "shrinkage_", getattr(fitted, "shrinkage", None)),
        )
    return with_standard_normal(found)


def with_standard_normal(found: dict[str, Estimate]) -> dict[str, Estimate]:
    """The estimates and, if the target has none, mean 0 and covariance I."""
    source = found["source"]
    whole = Spread(np.eye(len(source.covariance.inside)), 1.0, source.covariance.basis)
    return {"target": Estimate(np.zeros_like(source.mean), whole, 0.0), **found}


def regularized(estimate: Estimate, reg: float) -> Estimate:
    """The estimate with reg I added to the covariance."""
    inside, outside, basis = estimate.covariance
    covariance = Spread(inside + reg * np.eye(len(inside)), outside + reg, basis)
    return estimate._replace(covariance=covariance)
