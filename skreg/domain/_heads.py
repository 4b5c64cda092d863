"""Heads: one estimator for each domain, asked together."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skreg._sklearn import _check_method_params, _routing_enabled, _safe_indexing
from skreg._warnings import warn
from skreg.domain._gaps import entropies, nearest
from skreg.domain._temperature import best_temperature
from skreg.rows import CACHE_BYTES, chunk_slices, rows_per_chunk

CALIBRATION_FOLDS = 5
ROWS_AT_LEAST = 2048  # of a block: calls of a head cost time as well
ROWS_PER_HEAD = 64


def rows_by(codes: np.ndarray, n: int) -> list[np.ndarray]:
    """Positions of the rows of each of n codes, in their order.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Numbers from 0 to n - 1.
    n : int
        Number of codes.

    Returns
    -------
    list of ndarray
        Positions.
    """
    # numbers of one or two bytes are sorted in linear time
    order = np.argsort(codes.astype(np.min_scalar_type(max(n - 1, 0))), kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=n))[:-1])


def takes_weights(estimator: Any) -> bool:
    """Whether the `fit` of an estimator takes `sample_weight`, by itself or by its requests."""
    if has_fit_parameter(estimator, "sample_weight"):
        return True
    return _routing_enabled() and bool(
        get_routing_for_object(estimator).consumes("fit", ["sample_weight"])
    )


def check_takes_weights(estimator: Any) -> None:
    """Refuse weights that heads cannot take.

    Parameters
    ----------
    estimator : estimator
        Head, not fitted.

    Raises
    ------
    ValueError
        If its `fit` has no `sample_weight`.
    """
    if not takes_weights(estimator):
        raise ValueError(
            f"sample_weight was given, but {type(estimator).__name__}.fit takes none. Fit without "
            "weights, choose another estimator, or, for a Pipeline, give its transformers as "
            "featurizer (or enable metadata routing and let its last step request sample_weight)"
        )


def fitted_heads(
    estimator: Any,
    Z: Any,
    y: np.ndarray,
    groups: Sequence[np.ndarray],
    names: Sequence[str],
    weight: np.ndarray | None,
    params: dict[str, Any],
    n_jobs: int | None,
) -> list[Any]:
    """Clones of an estimator, each fitted on rows of its own.

    Parameters
    ----------
    estimator : estimator
        What to clone.
    Z : {array, sparse matrix, dataframe} of shape (n, n_features)
        Features.
    y : ndarray of shape (n,) or (n, n_outputs)
        Target.
    groups : sequence of ndarray
        Rows of each head.
    names : sequence of str
        What the heads are called in warnings.
    weight : ndarray of shape (n,) or None
        Weights.
    params : dict
        Further metadata of `fit`.
    n_jobs : int or None
        Number of jobs of joblib, in threads.

    Returns
    -------
    list of estimator
        The heads.

    Warns
    -----
    UserWarning
        If the rows of a head have a single class: it predicts that class always.
    """
    constant = [is_classifier(estimator) and (y[rows] == y[rows[0]]).all() for rows in groups]
    _warn_of_constant_heads([name for name, is_one in zip(names, constant, strict=True) if is_one])
    return list(
        Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(_fitted)(
                DummyClassifier(strategy="most_frequent") if is_one else clone(estimator),
                Z, y, rows, weight, {} if is_one else params,
            )
            for rows, is_one in zip(groups, constant, strict=True)
        )
    )  # fmt: skip


def _fitted(head, Z, y, rows, weight, params):
    params = dict(_check_method_params(Z, params, indices=rows))
    if weight is not None:
        params["sample_weight"] = weight[rows]
    return head.fit(_safe_indexing(Z, rows), y[rows], **params)


def _warn_of_constant_heads(names):
    if names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        warn(
            f"Rows of a single class in {shown} ({len(names)} of the heads): such a head predicts "
            "that class always."
        )


def aligned(proba: np.ndarray, own: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Probabilities of a head with a column for each class; those that it does not know are 0.

    Parameters
    ----------
    proba : ndarray of shape (n, n_own)
        Probabilities of the head.
    own : ndarray of shape (n_own,)
        Its classes.
    classes : ndarray of shape (n_classes,)
        All classes, sorted.

    Returns
    -------
    ndarray of shape (n, n_classes)
        Probabilities.
    """
    if len(own) == len(classes):
        return proba
    full = np.zeros((len(proba), len(classes)), dtype=proba.dtype)
    full[:, np.searchsorted(classes, own)] = proba
    return full


def in_blocks(
    Z: Any, n_heads: int, n_scores: int, answer: Callable[[Any], np.ndarray]
) -> np.ndarray:
    """Answers for blocks of rows, one after the other, that stay in cache from head to head.

    Parameters
    ----------
    Z : {array, sparse matrix, dataframe} of shape (n, n_features)
        Features; only those of an array are cut.
    n_heads : int
        Number of heads that share the rows of a block.
    n_scores : int
        How many scores all heads have of a row, if they are linear.
    answer : callable
        What is said of a block.

    Returns
    -------
    ndarray of shape (n, ...)
        The answers.
    """
    if not isinstance(Z, np.ndarray):
        return answer(Z)
    in_cache = min(
        rows_per_chunk(Z.shape[1], Z.itemsize, n_bytes=2 * CACHE_BYTES),
        rows_per_chunk(n_scores, arrays=4, n_bytes=CACHE_BYTES),
    )
    slices = chunk_slices(len(Z), max(ROWS_AT_LEAST, ROWS_PER_HEAD * n_heads, in_cache))
    parts = [answer(Z[block]) for block in slices]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def rows_of(Z: Any, rows: np.ndarray) -> Any:
    """Some rows of whatever holds them.

    Parameters
    ----------
    Z : {array, sparse matrix, dataframe} of shape (n, n_features)
        Features.
    rows : ndarray of int
        Positions.

    Returns
    -------
    {array, sparse matrix, dataframe}
        The rows.
    """
    if isinstance(Z, np.ndarray):
        return Z.take(rows, axis=0)  # faster than an index
    return _safe_indexing(Z, rows)


def by_chosen_head(
    chosen: np.ndarray, Z: Any, answer: Callable[[int, Any], np.ndarray]
) -> np.ndarray:
    """Answers of the head that was chosen for each row; every head sees its own rows only.

    Parameters
    ----------
    chosen : ndarray of shape (n,)
        Positions of heads.
    Z : {array, sparse matrix, dataframe} of shape (n, n_features)
        Features.
    answer : callable
        ``answer(i, rows)`` is what head i says of rows.

    Returns
    -------
    ndarray of shape (n, ...)
        The answers.
    """
    first, last = int(chosen.min()), int(chosen.max())
    if first == last:
        return answer(first, Z)
    groups = dict(enumerate(rows_by(chosen - first, last - first + 1), start=first))
    parts = {head: answer(head, rows_of(Z, rows)) for head, rows in groups.items() if len(rows)}
    shape = (len(chosen), *parts[first].shape[1:])
    out = np.empty(shape, dtype=np.result_type(*parts.values()))
    for head, part in parts.items():
        out[groups[head]] = part
    return out


def weighted_sum(weights: np.ndarray, answers: Iterator[np.ndarray]) -> np.ndarray:
    """Sum over the heads of their answers, times the weights of the rows.

    Parameters
    ----------
    weights : ndarray of shape (n, n_heads)
        Weights.
    answers : iterator of ndarray of shape (n, ...)
        What the heads say, one after the other.

    Returns
    -------
    ndarray of shape (n, ...)
        The sum.
    """
    total: Any = None
    for share, answer in zip(weights.T, answers, strict=True):
        part = share * answer.T  # along columns: rows are short
        total = part if total is None else np.add(total, part, out=total)
    return total.T


class AskedHeads:
    """Heads of any kind, asked one after the other.

    Parameters
    ----------
    Z : {array, sparse matrix, dataframe} of shape (n, n_features)
        Features.
    n_heads : int
        Number of heads.
    ask : callable
        ``ask(i, rows)`` is what head i says of rows.
    """

    def __init__(self, Z: Any, n_heads: int, ask: Callable[[int, Any], np.ndarray]) -> None:
        self.Z, self.n_heads, self.ask = Z, n_heads, ask

    def chosen(self, positions: np.ndarray) -> np.ndarray:
        """What the head that was chosen for each row says.

        Parameters
        ----------
        positions : ndarray of shape (n,)
            Positions of heads.

        Returns
        -------
        ndarray of shape (n, ...)
            The answers.
        """
        return by_chosen_head(positions, self.Z, self.ask)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self.ask(i, self.Z) for i in range(self.n_heads))

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """Sum of the answers of all heads, times their weights.

        Parameters
        ----------
        weights : ndarray of shape (n, n_heads) or (1, n_heads)
            Weights.

        Returns
        -------
        ndarray of shape (n, ...)
            The sum.
        """
        return weighted_sum(weights, iter(self))

    def entropies(self) -> np.ndarray:
        """Entropies of the probabilities of each head.

        Returns
        -------
        ndarray of shape (n, n_heads)
            Entropies.
        """
        return np.column_stack([entropies(proba) for proba in self])

    def most_certain(self) -> np.ndarray:
        """Position of the head of the least entropy at each row.

        Returns
        -------
        ndarray of shape (n,)
            Positions.
        """
        return nearest(self.entropies())


class RunningBest:
    """The answer of the least gap in each row, of heads that come one after the other."""

    def __init__(self) -> None:
        self.gap: np.ndarray | None = None

    def add(self, answer: np.ndarray, gap: np.ndarray) -> None:
        """Take in a head.

        Parameters
        ----------
        answer : ndarray of shape (n, n_classes)
            What it says.
        gap : ndarray of shape (n,)
            Its gaps.
        """
        if self.gap is None:
            self.gap, self.best = gap, answer.T.copy()  # along columns: rows are short
            return
        better = gap < self.gap
        np.copyto(self.best, answer.T, where=better)
        np.copyto(self.gap, gap, where=better)

    @property
    def result(self) -> np.ndarray:
        """The answers."""
        return self.best.T


class RunningMean:
    """Mean of the answers with weights g^-gamma, of heads that come one after the other.

    Weights are kept relative to that of the least gap so far, so that none overflows.
    """

    def __init__(self, gamma: float) -> None:
        self.gamma = gamma
        self.least: np.ndarray | None = None

    def add(self, answer: np.ndarray, gap: np.ndarray) -> None:
        """Take in a head.

        Parameters
        ----------
        answer : ndarray of shape (n, n_classes)
            What it says.
        gap : ndarray of shape (n,)
            Its gaps, all positive.
        """
        if self.least is None:
            self.least, self.total, self.sum = gap, np.ones(len(gap)), answer.T.copy()
            return
        least = np.minimum(self.least, gap)
        before, now = (least / self.least) ** self.gamma, (least / gap) ** self.gamma
        self.sum *= before
        self.sum += now * answer.T
        self.total = before * self.total + now
        self.least = least

    @property
    def result(self) -> np.ndarray:
        """The means."""
        return (self.sum / self.total).T


def held_out_temperature(
    estimator: Any,
    Z: Any,
    y: np.ndarray,
    classes: np.ndarray,
    weight: np.ndarray | None,
    params: dict[str, Any],
    seed: int,
) -> float:
    """Temperature of a head, from probabilities of its rows by clones fitted on other folds.

    Parameters
    ----------
    estimator : estimator
        What the head is a clone of.
    Z : {array, sparse matrix, dataframe} of shape (n, n_features)
        Features of the head's rows.
    y : ndarray of shape (n,)
        Their labels.
    classes : ndarray of shape (n_classes,)
        All classes.
    weight : ndarray of shape (n,) or None
        Weights.
    params : dict
        Further metadata of `fit`.
    seed : int
        Seed of the folds.

    Returns
    -------
    float
        The temperature; 1 where no held-out row can tell, as for a head of a single class.
    """
    labels = np.searchsorted(classes, y)
    given, weight = weight, np.ones(len(y)) if weight is None else weight
    proba = np.empty((len(y), len(classes)))
    judged = np.zeros(len(y), dtype=bool)  # a class that a fold lacks says nothing about it
    fold = stratified_folds(labels, CALIBRATION_FOLDS, seed)
    for number in range(fold.max() + 1):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if not len(train) or (labels[train] == labels[train[0]]).all():
            continue
        head = _fitted(clone(estimator), Z, y, train, given, params)
        proba[test] = aligned(head.predict_proba(_safe_indexing(Z, test)), head.classes_, classes)
        judged[test] = np.isin(y[test], head.classes_)
    if not judged.any():
        return 1.0
    return best_temperature(proba[judged], labels[judged], weight[judged])


def stratified_folds(labels: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Fold of each row; the rows of each class are spread over all folds as far as they go.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        Classes.
    n_folds : int
        Number of folds, if there are as many rows.
    seed : int
        Seed of the order in which rows are dealt out.

    Returns
    -------
    ndarray of shape (n,), int64
        Folds.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % min(n_folds, len(labels))
    return fold
