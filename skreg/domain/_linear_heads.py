"""Heads that are linear: what all of them say of a row follows from one product.

Head i has the scores s_i = W_i z + b_i of a row z: one for each class, or a single one of two
classes. Its label is that of the greatest score, or of the sign of the single one, and

    p_ic = exp(s_ic) / sum_k exp(s_ik)                p_i2 = 1 / (1 + exp(-s_i))    of two classes
    H_i  = log sum_k exp(s_ik) - sum_k p_ik s_ik      H_i  = log(1 + e) + |s_i| e / (1 + e)

are the probabilities of a logistic regression and their entropy, with e = exp(-|s_i|). The latter
falls with |s_i|, so that of two classes the most certain head is known without it.

Scores of all heads are kept in one array, of shape (n_heads, n_scores, n): rows are short.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.utils import check_array

from skreg.domain._gaps import nearest, quiet

Method = Literal["predict", "predict_proba"]
MOST_SCORES = 2**24  # 128 MiB; heads of more are asked one after the other
# methods that say of scores what is written above, in all classes that inherit them
SCORES = LogisticRegression.decision_function
ANSWERS = {
    "predict": (LogisticRegression.predict, RidgeClassifier.predict),
    "predict_proba": (LogisticRegression.predict_proba,),
}
NUMBERS = (LinearRegression.predict, Ridge.predict)
PRODUCT = LinearRegression._decision_function  # what these return


def number_of_scores(n_classes: int) -> int:
    """Scores of a linear classifier: one for each class, a single one of two.

    Parameters
    ----------
    n_classes : int
        Number of classes.

    Returns
    -------
    int
        Number of scores.
    """
    return 1 if n_classes == 2 else n_classes


def are_linear_classifiers(heads: Sequence[Any], method: Method, shape: tuple[int, int]) -> bool:
    """Whether the answers of classifiers follow from scores, as scikit-learn's linear ones do.

    Parameters
    ----------
    heads : sequence of estimator
        Fitted classifiers.
    method : {"predict", "predict_proba"}
        What they are asked.
    shape : tuple of int
        Number of classes that each has to know, and of features.

    Returns
    -------
    bool
        False where a class has a method of its own, where coefficients are not dense, or where a
        head does not know all classes.
    """
    n_classes, n_features = shape
    coefs = number_of_scores(n_classes), n_features
    return n_classes > 1 and all(
        getattr(type(head), "decision_function", None) is SCORES
        and getattr(type(head), method, None) in ANSWERS[method]
        and _is_dense(head.coef_, coefs)
        for head in heads
    )


def are_linear_regressors(heads: Sequence[Any], method: Method, shape: tuple[int, int]) -> bool:
    """Whether the answers of regressors are products, as those of scikit-learn's linear ones.

    Parameters
    ----------
    heads : sequence of estimator
        Fitted regressors.
    method : {"predict"}
        What they are asked.
    shape : tuple of int
        Number of outputs, and of features.

    Returns
    -------
    bool
        False where a class has a method of its own, or coefficients are not dense.
    """
    return all(
        getattr(type(head), method) in NUMBERS
        and type(head)._decision_function is PRODUCT
        and _is_dense(head.coef_, shape)
        for head in heads
    )


def _is_dense(coef, shape):
    known = isinstance(coef, np.ndarray) and coef.dtype.kind == "f"
    return known and np.atleast_2d(coef).shape == shape


@quiet
def scores_of(Z: Any, heads: Sequence[Any]) -> np.ndarray:
    """Scores of all heads, by one product.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    heads : sequence of estimator
        Linear ones, of the same number of scores.

    Returns
    -------
    ndarray of shape (n_heads, n_scores, n)
        The scores.

    Raises
    ------
    ValueError
        If a row is not finite.
    """
    coef = np.concatenate([np.atleast_2d(head.coef_) for head in heads])
    n_scores = len(coef) // len(heads)
    intercept = [np.broadcast_to(head.intercept_, (n_scores,)) for head in heads]
    products = np.ascontiguousarray((Z @ coef.T).T) if sparse.issparse(Z) else coef @ Z.T
    products += np.concatenate(intercept).astype(products.dtype)[:, None]
    if not np.isfinite(products.sum()):  # cheaper than a look at every number
        check_array(Z, accept_sparse="csr", input_name="X", estimator=heads[0])
    return products.reshape(len(heads), n_scores, -1)


def at_chosen(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Scores of the head that was chosen for each row.

    Parameters
    ----------
    scores : ndarray of shape (n_heads, n_scores, n)
        Scores of all.
    chosen : ndarray of shape (n,)
        Positions of heads.

    Returns
    -------
    ndarray of shape (n_scores, n)
        Their scores.
    """
    _, n_scores, n = scores.shape
    first = chosen.astype(np.intp) * (n_scores * n) + np.arange(n)
    return scores.ravel().take(first + n * np.arange(n_scores)[:, None])


@quiet
def logistic(scores: np.ndarray) -> np.ndarray:
    """Probabilities of a logistic regression; of two classes that of the second alone.

    Parameters
    ----------
    scores : ndarray of shape (..., n_scores, n)
        Scores.

    Returns
    -------
    ndarray of shape (..., n_scores, n)
        Probabilities.
    """
    if scores.shape[-2] == 1:
        proba = np.negative(scores)
        np.exp(proba, out=proba)
        proba += 1.0
        return np.reciprocal(proba, out=proba)
    powers = np.exp(scores - scores.max(axis=-2, keepdims=True))
    powers /= powers.sum(axis=-2, keepdims=True)
    return powers


@quiet
def logistic_and_entropies(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a logistic regression and their entropies, from the same exponentials.

    Parameters
    ----------
    scores : ndarray of shape (..., n_scores, n)
        Scores.

    Returns
    -------
    proba : ndarray of shape (..., n_scores, n)
        Probabilities; of two classes that of the second alone.
    entropies : ndarray of shape (..., n)
        From 0 to log(n_classes).
    """
    if scores.shape[-2] == 1:
        distance = np.abs(scores)
        odds = np.exp(-distance)
        gaps = np.log1p(odds)
        odds /= 1.0 + odds
        odds *= distance
        gaps += odds
        return logistic(scores), gaps[..., 0, :]
    below = scores - scores.max(axis=-2, keepdims=True)
    powers = np.exp(below)
    total = powers.sum(axis=-2, keepdims=True)
    powers /= total
    below *= powers
    return powers, np.log(total[..., 0, :]) - below.sum(axis=-2)


class LinearRegressors:
    """Linear regressors, asked together.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    heads : sequence of estimator
        The regressors.
    """

    def __init__(self, Z: Any, heads: Sequence[Any]) -> None:
        self.Z, self.heads = Z, heads

    def _shaped(self, numbers):
        return numbers[0] if self.heads[0].coef_.ndim == 1 else numbers.T

    def chosen(self, positions: np.ndarray) -> np.ndarray:
        """Predictions of the head that was chosen for each row.

        Parameters
        ----------
        positions : ndarray of shape (n,)
            Positions of heads.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs)
            Predictions.
        """
        return self._shaped(at_chosen(scores_of(self.Z, self.heads), positions))

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Sum of the predictions of all heads, times their weights.

        Parameters
        ----------
        weights : ndarray of shape (n, n_heads) or (1, n_heads)
            Weights.

        Returns
        -------
        ndarray of shape (n,) or (n, n_outputs)
            The sum.
        """
        numbers = scores_of(self.Z, self.heads)
        return self._shaped(np.einsum("hcn,hn->cn", numbers, weights.T))


class LinearClassifiers:
    """Linear classifiers, asked together.

    Parameters
    ----------
    Z : {ndarray, sparse matrix} of shape (n, n_features)
        Features.
    heads : sequence of estimator
        The classifiers.
    method : {"predict", "predict_proba"}
        What the chosen ones are asked.
    classes : ndarray of shape (n_classes,)
        Labels, which all heads know.
    temperatures : ndarray of shape (n_heads,) or None
        What scores are divided by.
    """

    def __init__(
        self,
        Z: Any,
        heads: Sequence[Any],
        method: Method,
        classes: np.ndarray,
        temperatures: np.ndarray | None,
    ) -> None:
        self.Z, self.heads, self.method = Z, heads, method
        self.classes, self.temperatures = classes, temperatures

    @cached_property
    def _scores(self):
        scores = scores_of(self.Z, self.heads)
        return scores if self.temperatures is None else scores / self.temperatures[:, None, None]

    @cached_property
    def _proba(self):
        return logistic(self._scores)

    def chosen(self, positions: np.ndarray) -> np.ndarray:
        """What the head that was chosen for each row says.

        Parameters
        ----------
        positions : ndarray of shape (n,)
            Positions of heads.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            Labels or probabilities.
        """
        scores = at_chosen(self._scores, positions)
        if self.method == "predict_proba":
            return _of_all_classes(logistic(scores), 1.0)
        best = scores[0] > 0 if len(scores) == 1 else nearest(-scores.T)
        return self.classes.take(best.astype(np.intp))

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Sum of the probabilities of all heads, times their weights.

        Parameters
        ----------
        weights : ndarray of shape (n, n_heads) or (1, n_heads)
            Weights.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The sum.
        """
        proba = np.einsum("hcn,hn->cn", self._proba, weights.T)
        return _of_all_classes(proba, weights.T.sum(axis=0))

    def entropies(self) -> np.ndarray:
        """Entropies of the probabilities of each head.

        Returns
        -------
        ndarray of shape (n, n_heads)
            Entropies; the heads come one after the other in memory.
        """
        self._proba, gaps = logistic_and_entropies(self._scores)
        return gaps.T.astype(np.float64, copy=False)

    def most_certain(self) -> np.ndarray:
        """Position of the head of the least entropy at each row.

        Returns
        -------
        ndarray of shape (n,)
            Positions.
        """
        of_two = self._scores.shape[1] == 1
        return nearest(-np.abs(self._scores[:, 0]).T if of_two else self.entropies())


def _of_all_classes(proba, total):
    """Columns for all classes, from that of the second of two."""
    if len(proba) > 1:
        return proba.T
    return np.stack([total - proba[0], proba[0]]).T
