"""Linear scores of chunks of rows, and the probabilities that they stand for."""

import numpy as np
from scipy import sparse
from scipy.special import log_expit, log_softmax
from sklearn.utils import assert_all_finite

from skreg._sklearn import get_namespace
from skreg.rows import chunk_slices, rows_per_chunk, working_dtype


def score_dtype(X, coef, xp):
    """The wider of the types that X and the coefficients are worked with."""
    return xp.result_type(working_dtype(X, xp), coef.dtype)


def score_chunks(X, coef, intercept, xp, chunk_size):
    """Slices of rows and their scores; X is checked through its products with `coef`."""
    dtype = score_dtype(X, coef, xp)
    weights = xp.astype(coef, dtype, copy=False).T
    intercept = xp.astype(intercept, dtype, copy=False)
    size = chunk_size or rows_per_chunk(max(X.shape[1], intercept.shape[0]))
    for rows in chunk_slices(X.shape[0], size):
        if sparse.issparse(X):
            assert_all_finite(X[rows], input_name="X")
            scores = X[rows] @ weights
        else:
            chunk = xp.astype(X[rows, ...], dtype, copy=False)
            with np.errstate(invalid="ignore", over="ignore"):
                scores = chunk @ weights
            if not xp.all(xp.isfinite(scores[:, 0])):
                assert_all_finite(chunk, input_name="X", estimator_name="LinearNaiveBayes")
        scores += intercept
        yield rows, scores


def log_probabilities(scores, like):
    """Log-probabilities of all classes from scores, or from the log-odds of the second of two."""
    xp, is_array_api = get_namespace(like)
    if scores.ndim == 1:  # log-odds, infinite where a class has probability 0
        if not is_array_api:
            return np.stack([log_expit(-scores), log_expit(scores)], axis=1)
        zero = xp.zeros_like(scores)
        return -xp.stack([xp.logaddexp(zero, scores), xp.logaddexp(zero, -scores)], axis=1)
    if not is_array_api:
        return log_softmax(scores, axis=1)
    scores = scores - xp.max(scores, axis=1, keepdims=True)
    return scores - xp.log(xp.sum(xp.exp(scores), axis=1, keepdims=True))
