"""How well data meet the conditions under which naive Bayes needs few labels.

With W_k, b_k the naive-Bayes weights and offsets without the prior, the log-ratio of two classes is

    L_kl(x) = log p(x | k) - log p(x | l) = (W_k - W_l) x + b_k - b_l,

and Zheng et al. (2023) look at its mean and variance given the true class, per feature:

    beta_kl  = |E[L_kl | y = k]| / n = (1 / 2n) sum_j (mu_kj - mu_lj)^2 / s2_j,
    alpha_kl =  Var[L_kl | y = k] / n.
"""

from dataclasses import dataclass
from html import escape
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln
from sklearn.utils import check_random_state, check_X_y

from skreg._sklearn import Interval, validate_params
from skreg.probe._naive_bayes import LinearNaiveBayes
from skreg.rows import chunk_slices, dense_rows, rows_per_chunk

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)


@dataclass(frozen=True, eq=False, repr=False)
class NaiveBayesReport:
    """Result of `naive_bayes_report`; prints as a table.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of X.
    classes : ndarray of shape (n_classes,)
        Class labels.
    class_count : ndarray of shape (n_classes,)
        Samples of each class.
    scaled_variance : ndarray of shape (n_features,)
        Pooled within-class variance of each feature after scaling it to [0, 1].
    beta, alpha : ndarray of shape (n_classes, n_classes)
        Signal and noise of each true class (row) against each rival (column), per feature.
    mean_abs_correlation : float
        Mean absolute within-class correlation of two features.
    independent_abs_correlation : float
        What `mean_abs_correlation` is on average for independent normal features.
    effective_n_features : float
        Number of uncorrelated features with the same amount of independent information.
    loo_accuracy : float
        Exact leave-one-out accuracy of `LinearNaiveBayes`.
    """

    n_samples: int
    n_features: int
    classes: np.ndarray
    class_count: np.ndarray
    scaled_variance: np.ndarray
    beta: np.ndarray
    alpha: np.ndarray
    mean_abs_correlation: float
    independent_abs_correlation: float
    effective_n_features: float
    loo_accuracy: float

    def percentiles(self, quantity: Literal["scaled_variance", "beta", "alpha"]) -> np.ndarray:
        """Percentiles 0, 5, 25, 50, 75, 95, 100 of one of the array-valued quantities.

        Parameters
        ----------
        quantity : {"scaled_variance", "beta", "alpha"}
            Which one; over features, or over pairs of true class and rival.

        Returns
        -------
        ndarray of shape (7,)
            The percentiles; NaN if no entry is defined.
        """
        values = getattr(self, quantity)
        values = values[np.isfinite(values)]
        return np.percentile(values, PERCENTILES) if values.size else np.full(7, np.nan)

    def _head(self):
        smallest, largest = self.class_count.min(), self.class_count.max()
        return (
            f"{self.n_samples} samples, {self.n_features} features, {len(self.classes)} classes "
            f"of {smallest} to {largest} samples"
        )

    def _distributions(self):
        return [
            ("variance s2 on [0, 1]", self.percentiles("scaled_variance")),
            ("signal beta", self.percentiles("beta")),
            ("noise alpha", self.percentiles("alpha")),
        ]

    def _numbers(self):
        return [
            ("mean |correlation| within classes", f"{self.mean_abs_correlation:.3f}"),
            ("  expected if independent", f"{self.independent_abs_correlation:.3f}"),
            ("effective number of features", f"{self.effective_n_features:.1f}"),
            ("leave-one-out accuracy", f"{self.loo_accuracy:.3f}"),
        ]

    def __repr__(self) -> str:
        return f"NaiveBayesReport({self._head()})"

    def __str__(self) -> str:
        header = " " * 24 + "".join(f"{level:>9}%" for level in PERCENTILES)
        rows = [
            f"{name:<24}" + "".join(f"{value:>10.3g}" for value in values)
            for name, values in self._distributions()
        ]
        numbers = [f"{name:<36}{value:>8}" for name, value in self._numbers()]
        return "\n".join(["Naive Bayes report: " + self._head(), header, *rows, *numbers])

    def _repr_html_(self):
        header = "".join(f"<th>{level}%</th>" for level in PERCENTILES)
        rows = "".join(
            f"<tr><th>{escape(name)}</th>"
            + "".join(f"<td>{value:.3g}</td>" for value in values)
            + "</tr>"
            for name, values in self._distributions()
        )
        numbers = "".join(
            f"<tr><th>{escape(name.strip())}</th><td>{value}</td></tr>"
            for name, value in self._numbers()
        )
        return (
            f"<p><b>Naive Bayes report</b>: {self._head()}</p>"
            f"<table><tr><th>percentile</th>{header}</tr>{rows}</table><table>{numbers}</table>"
        )


@validate_params(
    {
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "max_features": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def naive_bayes_report(
    X: Any,
    y: ArrayLike,
    *,
    max_features: int = 2048,
    random_state: int | np.random.RandomState | None = None,
) -> NaiveBayesReport:
    r"""Measure the quantities on which the sample complexity of naive Bayes depends.

    Zheng et al. [1]_ bound the number of samples m that `LinearNaiveBayes` needs to reach its own
    limit by :math:`O(\log n)` in the number of features n, if three things hold. They are
    properties of the data, and this function measures them.

    1. *No variance is nearly zero.* Means and variances are estimated to a relative accuracy
       :math:`\sqrt{\log(n) / m}` only if :math:`s_j^2 \ge s_0^2 > 0` on a common scale. See
       ``scaled_variance``, after each feature is mapped to [0, 1]. A small lowest percentile means
       features that are constant within classes; use `shrinkage` with few labels.
    2. *The signal grows with the number of features*: :math:`\beta_{kl} = |E[L_{kl} \mid y = k]|
       / n \ge \beta_0 > 0`, with :math:`L_{kl}` the log-likelihood ratio of the true class k and a
       rival l under the model.
    3. *Features are weakly dependent*: :math:`\alpha_{kl} = \mathrm{Var}[L_{kl} \mid y = k] / n`
       is bounded. Independent features have :math:`\alpha = 2 \beta`; a larger ratio shows how
       much dependence inflates the noise, and how overconfident the probabilities are.

    By Chebyshev's inequality, the limit classifier then takes k for l with a probability of at most
    :math:`\alpha_{kl} / (\beta_{kl}^2 n)`, and estimation errors that move the log-ratio by at most
    :math:`\tau n` change few predictions: :math:`\alpha / ((\beta - \tau)^2 n)`.

    The limit of the claim: it is about a *fixed* :math:`\beta_0`, every added feature carrying as
    much signal as those before. If a fixed amount of signal is spread over n features, then
    :math:`\beta` falls as 1/n and naive Bayes needs O(n) samples like logistic regression, though
    with a smaller constant. One data set gives one n: compute the report on growing subsets of
    features to see whether beta holds its level. The claim also says nothing about how good the
    limit is; see ``loo_accuracy``.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Features. Except for ``scaled_variance`` their scale does not matter.
    y : array-like of shape (n_samples,)
        Class labels; classes may have any sizes.
    max_features : int, default=2048
        Correlations are computed among this many random features at most. They take
        ``8 * max_features ** 2`` bytes, 32 MiB by default.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice of those features.

    Returns
    -------
    NaiveBayesReport
        Prints as a table, in notebooks too. Its attributes:

        - ``scaled_variance`` (n_features,): :math:`s_j^2` divided by the squared range of the
          feature; NaN for a constant feature.
        - ``beta``, ``alpha`` (n_classes, n_classes): row k is the true class, column l the rival.
          NaN on the diagonal; rows of alpha for classes with one sample are NaN. Only these pairs
          enter the error: a point of class k is mistaken if some :math:`L_{kl}` favours l. They are
          plug-in estimates on the training rows; with few samples per class beta is too large.
        - ``mean_abs_correlation``: mean of :math:`|r_{jj'}|` over pairs of features, R being the
          correlation matrix of the residuals :math:`x_{ij} - \mu_{y_i j}`.
        - ``independent_abs_correlation``: what sampling noise alone gives, for independent normal
          features with :math:`m - K` degrees of freedom. Correlation is real above it.
        - ``effective_n_features``: :math:`(\mathrm{tr} R)^2 / \mathrm{tr}(R^2)
          = n / (1 + (n - 1) \overline{r^2})`, with the mean over pairs of different features; n
          counts those that vary within classes. n if they are uncorrelated, 1 if they are copies.
          At most about m - K, because noise correlates too.
        - ``loo_accuracy``: exact leave-one-out accuracy, over the rows whose class has another row;
          NaN if there is none.

        and ``n_samples``, ``n_features``, ``classes``, ``class_count``.

    Raises
    ------
    ValueError
        If X or y is not finite or fewer than two classes occur.

    References
    ----------
    .. [1] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu, "Revisiting Discriminative vs.
       Generative Classifiers: Theory and Implications", ICML 2023.
    .. [2] A. Y. Ng, M. I. Jordan, "On Discriminative vs. Generative Classifiers: A Comparison of
       Logistic Regression and Naive Bayes", NIPS 2001, lemma 3 and theorem 4.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skreg.probe import naive_bayes_report
    >>> report = naive_bayes_report(*load_breast_cancer(return_X_y=True))
    >>> print(report)
    Naive Bayes report: 569 samples, 30 features, 2 classes of 212 to 357 samples
    ...
    >>> round(report.loo_accuracy, 3)
    0.938
    """
    X, labels = check_X_y(X, y, accept_sparse="csr")
    probe = LinearNaiveBayes().fit(X, labels)
    state = probe.get_state()
    variance = state["M2"] / len(labels) + probe.epsilon_
    offset = state["mean"] - state["c"] @ state["mean"] / len(labels)
    weights = np.divide(offset, variance, out=np.zeros_like(offset), where=variance > 0)
    chosen = np.arange(X.shape[1])
    if X.shape[1] > max_features:
        chosen = check_random_state(random_state).choice(X.shape[1], max_features, replace=False)
    codes = np.searchsorted(state["classes"], labels)
    ranges, noise, gram = _residual_moments(X, codes, state["mean"], state["c"], weights, chosen)
    distance = _squared_distances(offset, weights)
    correlation, effective = _correlation_summary(gram, np.count_nonzero(state["M2"] > 0))
    degrees = len(labels) - len(state["classes"])
    return NaiveBayesReport(
        n_samples=len(labels),
        n_features=X.shape[1],
        classes=state["classes"],
        class_count=state["c"].astype(int),
        scaled_variance=np.divide(
            state["M2"] / len(labels), ranges**2, out=np.full_like(ranges, np.nan), where=ranges > 0
        ),
        beta=distance / (2 * X.shape[1]),
        alpha=noise / X.shape[1],
        mean_abs_correlation=correlation,
        independent_abs_correlation=_independent_abs_correlation(degrees),
        effective_n_features=effective,
        loo_accuracy=_loo_accuracy(probe, X, labels),
    )


def _squared_distances(offset, weights):
    """sum_j (mu_kj - mu_lj)^2 / s2_j for each pair of classes; NaN on the diagonal."""
    product = offset @ weights.T
    own = np.diag(product)
    distance = np.maximum(own[:, None] + own - product - product.T, 0.0)
    np.fill_diagonal(distance, np.nan)
    return distance


def _residual_moments(X, codes, mean, count, weights, chosen):
    """One pass over the residuals of chunks of rows.

    Returns the range of each feature, Var[L_kl | y = k] for each pair (k, l), and the Gram matrix
    of the residuals of the chosen features. Residuals have mean zero in each class, so that the
    variance of L_kl is the mean of ((W_k - W_l) residual)^2.
    """
    lowest, highest = np.full((2, X.shape[1]), np.inf)
    squares = np.zeros((len(count), len(count)))
    gram = np.zeros((len(chosen), len(chosen)))
    for rows in chunk_slices(X.shape[0], rows_per_chunk(max(X.shape[1], len(count)), arrays=2)):
        chunk, own = dense_rows(X, rows), codes[rows]
        lowest = np.minimum(lowest, chunk.min(axis=0))
        highest = np.minimum(highest, -chunk.max(axis=0))
        chunk -= mean[own]
        scores = chunk @ weights.T
        ratios = scores[np.arange(len(own)), own][:, None] - scores
        np.add.at(squares, own, ratios**2)
        residuals = chunk[:, chosen]
        gram += residuals.T @ residuals
    noise = squares / count[:, None]
    noise[count == 1] = np.nan
    np.fill_diagonal(noise, np.nan)
    return -highest - lowest, noise, gram


def _correlation_summary(gram, n_varying):
    """Mean |r| of pairs of features, and n / (1 + (n - 1) mean r^2)."""
    spread = np.sqrt(np.diag(gram))
    kept = spread > 0
    n_kept = np.count_nonzero(kept)
    if n_kept < 2:
        return np.nan, float(n_varying)
    correlation = gram[np.ix_(kept, kept)] / spread[kept] / spread[kept, None]
    np.fill_diagonal(correlation, 0.0)
    n_pairs = n_kept * (n_kept - 1)
    mean_square = np.square(correlation).sum() / n_pairs
    effective = n_varying / (1 + (n_varying - 1) * mean_square)
    return float(np.abs(correlation).sum() / n_pairs), float(effective)


def _independent_abs_correlation(degrees):
    """E|r| of independent normal features: r^2 is Beta(1/2, (degrees - 1) / 2)."""
    if degrees < 1:
        return np.nan
    if degrees == 1:
        return 1.0
    half = (degrees - 1) / 2
    return float(np.exp(betaln(1.0, half) - betaln(0.5, half)))


def _loo_accuracy(probe, X, y):
    scores = probe.loo_decision_function(X, y)
    if scores.ndim == 1:
        scores = np.column_stack([np.zeros_like(scores), scores])
    defined = ~np.isnan(scores).any(axis=1)
    if not defined.any():
        return np.nan
    return float(np.mean(probe.classes_[scores[defined].argmax(axis=1)] == y[defined]))
