"""First fits that compile the kernels of this folder ahead, for `skreg warmup`."""

import numpy as np
from scipy import sparse

from skreg.probe import LinearNaiveBayes, LinearProbe, naive_bayes_report


def naive_bayes() -> None:
    """Dense features in both precisions, sparse ones, and the report of a fit."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    single = X.astype(np.float32)
    for features in (X, single, sparse.csr_array(X), sparse.csr_array(single)):
        LinearNaiveBayes().fit(features, y)
    for features in (X, single):
        naive_bayes_report(features, y)


def linear_probe() -> None:
    """A fit and its probabilities; both are of float64 whatever the features are."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    LinearProbe().fit(X, y).predict_proba(X)


FITS = (naive_bayes, linear_probe)
