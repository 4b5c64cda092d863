"""Whether a classifier's confidence can be trusted: calibration and risk by coverage."""

from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from skreg._sklearn import Interval, validate_params

_PROBABILITIES = {
    "y_true": ["array-like"],
    "y_prob": ["array-like"],
    "labels": ["array-like", None],
}


@validate_params(
    _PROBABILITIES | {"n_bins": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def expected_calibration_error(
    y_true: ArrayLike, y_prob: ArrayLike, *, n_bins: int = 10, labels: ArrayLike | None = None
) -> float:
    """Mean difference between confidence and accuracy, over bins of the confidence.

    The confidence of a prediction is its largest class probability. With B_b the samples whose
    confidence lies in (b / n_bins, (b + 1) / n_bins]::

        ECE = sum_b |B_b| / n |accuracy(B_b) - mean confidence(B_b)|

    Papers often state it in percent.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        The classes.
    y_prob : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities, or of two classes that of the greater label.
    n_bins : int, default=10
        Number of bins of equal width.
    labels : array-like of shape (n_classes,), default=None
        The labels of the columns in sorted order; those of `y_true` if None.

    Returns
    -------
    float
        The error, from 0 to 1.

    Raises
    ------
    ValueError
        If probabilities leave [0, 1], or labels and columns do not match.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining Well Calibrated Probabilities
       Using Bayesian Binning", AAAI 2015.

    Examples
    --------
    >>> from skreg.metrics import expected_calibration_error
    >>> print(f"{expected_calibration_error([0, 1, 1, 0], [0.2, 0.8, 0.8, 0.8]):.2f}")
    0.05
    """
    confidence, correct = _top_predictions(y_true, y_prob, labels)
    edges = np.arange(1, n_bins) / n_bins
    bins = np.searchsorted(edges, confidence)  # left-open, right-closed
    gaps = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))


@validate_params(_PROBABILITIES, prefer_skip_nested_validation=True)
def risk_coverage_score(
    y_true: ArrayLike, y_prob: ArrayLike, *, labels: ArrayLike | None = None
) -> float:
    """Area under the risk-coverage curve (AURC): error rate of the most confident samples.

    With samples in the order of falling confidence, the mean over k = 1, ..., n of the error rate
    of the first k. Lower is better. Equal confidences stay in the order of the rows. Papers often
    state it times 1000.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        The classes.
    y_prob : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities, or of two classes that of the greater label.
    labels : array-like of shape (n_classes,), default=None
        The labels of the columns in sorted order; those of `y_true` if None.

    Returns
    -------
    float
        The area, from 0 to 1.

    Raises
    ------
    ValueError
        If probabilities leave [0, 1], or labels and columns do not match.

    References
    ----------
    .. [1] Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
       Classifiers", ICLR 2019.

    Examples
    --------
    >>> from skreg.metrics import risk_coverage_score
    >>> print(f"{risk_coverage_score([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6]):.4f}")
    0.3333
    """
    confidence, correct = _top_predictions(y_true, y_prob, labels)
    wrong = 1.0 - correct[np.argsort(-confidence, kind="stable")]
    return float(np.mean(wrong.cumsum() / np.arange(1, len(wrong) + 1)))


@validate_params(_PROBABILITIES, prefer_skip_nested_validation=True)
def excess_risk_coverage_score(
    y_true: ArrayLike, y_prob: ArrayLike, *, labels: ArrayLike | None = None
) -> float:
    """Area under the risk-coverage curve, less that of the best order of the same errors (E-AURC).

    With m errors, the best order has the area (1 / n) sum_{j = 1, ..., m} j / (n - m + j).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        The classes.
    y_prob : array-like of shape (n_samples, n_classes) or (n_samples,)
        Class probabilities, or of two classes that of the greater label.
    labels : array-like of shape (n_classes,), default=None
        The labels of the columns in sorted order; those of `y_true` if None.

    Returns
    -------
    float
        The excess, at least 0.

    Raises
    ------
    ValueError
        If probabilities leave [0, 1], or labels and columns do not match.

    References
    ----------
    .. [1] Y. Geifman, G. Uziel, R. El-Yaniv, "Bias-Reduced Uncertainty Estimation for Deep Neural
       Classifiers", ICLR 2019.

    Examples
    --------
    >>> from skreg.metrics import excess_risk_coverage_score
    >>> print(f"{excess_risk_coverage_score([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6]):.3f}")
    0.125
    """
    _, correct = _top_predictions(y_true, y_prob, labels)
    n, m = len(correct), int((1 - correct).sum())
    ranks = np.arange(1, m + 1)
    best = (ranks / (n - m + ranks)).sum() / n
    return max(risk_coverage_score(y_true, y_prob, labels=labels) - float(best), 0.0)


def _top_predictions(y_true, y_prob, labels):
    """Largest probability of each sample, and whether it is that of its class, as 0.0 and 1.0."""
    y_true = column_or_1d(y_true)
    y_prob = check_array(y_prob, ensure_2d=False, dtype=np.float64, input_name="y_prob")
    check_consistent_length(y_true, y_prob)
    if y_prob.min() < 0 or y_prob.max() > 1:
        raise ValueError(f"y_prob must lie in [0, 1], got {y_prob.min():g} to {y_prob.max():g}")
    if y_prob.ndim == 1:
        y_prob = np.column_stack([1 - y_prob, y_prob])
    labels = np.unique(y_true if labels is None else column_or_1d(labels))
    if y_prob.ndim != 2 or len(labels) != y_prob.shape[1]:
        raise ValueError(
            f"y_prob must have one column for each of {len(labels)} labels, got shape "
            f"{y_prob.shape}; name all classes in labels if some do not occur in y_true"
        )
    unknown = np.setdiff1d(y_true, labels)
    if len(unknown):
        raise ValueError(f"y_true holds {unknown[0]!r}, which is not in labels")
    correct = labels[y_prob.argmax(axis=1)] == y_true
    return y_prob.max(axis=1), correct.astype(np.float64)
