"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np
from scipy import sparse

from skreg.ordinal import PrestoClassifier, PrestoClassifierCV, ProportionalOddsClassifier


def _problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    return X, np.digitize(X[:, 0] + rng.logistic(size=90), [-0.5, 1.0])


def _fit_all(X, y):
    ProportionalOddsClassifier().fit(X, y)
    PrestoClassifier().fit(X, y)
    PrestoClassifierCV(cv=2).fit(X, y)


def dense() -> None:
    """Dense features."""
    _fit_all(*_problem())


def single_precision() -> None:
    """Dense features of 32 bits."""
    X, y = _problem()
    _fit_all(X.astype(np.float32), y)


def sparse_rows() -> None:
    """Sparse features."""
    X, y = _problem()
    _fit_all(sparse.csr_array(np.where(X > 0.0, X, 0.0)), y)


FITS = dense, sparse_rows, single_precision
