"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np
from scipy import sparse

from skreg.ordinal import PrestoClassifier, PrestoClassifierCV, ProportionalOddsClassifier
from skreg.ordinal._link import LINKS
from skreg.ordinal._maximum_likelihood import likelihood_of


def _problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    # an effect that is not linear takes passes enough for a Gram matrix to pay
    return X, np.digitize(X[:, 0] + X[:, 1] ** 2, [-0.5, 0.5, 1.5])


def _fit_all(X, y):
    likelihood_of(ProportionalOddsClassifier().fit(X, y), X, y, None, by="warmup")
    PrestoClassifier().fit(X, y)
    PrestoClassifierCV(cv=2).fit(X, y)


def dense() -> None:
    """Dense features, and all links, which no other kind of features needs again."""
    _fit_all(*_problem())
    X, y = _problem()
    for link in LINKS:
        PrestoClassifier().set_params(link=link).fit(X, y).predict_cumulative_proba(X)


def single_precision() -> None:
    """Dense features of 32 bits."""
    X, y = _problem()
    _fit_all(X.astype(np.float32), y)


def sparse_rows() -> None:
    """Sparse features."""
    X, y = _problem()
    X = sparse.csr_array(np.where(X > 0.0, X, 0.0))
    _fit_all(X, y)
    PrestoClassifier(alpha=1e-4, tol=1e-10).fit(X, y)


FITS = dense, sparse_rows, single_precision
