"""Bootstrap intervals of total effects, in a graph that is held fixed or learned again."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skreg._warnings import warn
from skreg.causal._paths import between
from skreg.causal._regressions import as_correlations, regress_on_parents
from skreg.causal._resamples import fit_sample
from skreg.causal._validation import check_overflow
from skreg.graphs import propagate, topological_order
from skreg.moments import Moments, moments, resampled_moments


class AverageEffect(NamedTuple):
    """Average effect of one more unit of the cause, with a bootstrap interval.

    Attributes
    ----------
    effect : float
        Estimate on all rows.
    low, high : float
        Ends of the interval.
    standard_error : float
        Standard deviation over the samples.
    share_nonzero : float
        Share of the samples whose graph has a directed path from cause to effect.
    samples : ndarray of shape (n_bootstraps - n_failed,)
        Estimates on the samples.
    n_failed : int
        Samples left out: the cause was constant in them, or the fit failed.
    """

    effect: float
    low: float
    high: float
    standard_error: float
    share_nonzero: float
    samples: np.ndarray
    n_failed: int

    def __repr__(self) -> str:
        left_out = f", n_failed={self.n_failed}" if self.n_failed else ""
        return (
            f"AverageEffect(effect={self.effect:.4g}, low={self.low:.4g}, high={self.high:.4g}, "
            f"share_nonzero={self.share_nonzero:.3g}, {len(self.samples)} samples{left_out})"
        )


def edges_that_carry(B: np.ndarray, cause: int, effect: int) -> np.ndarray:
    """Edges (d, d) of the graph B into nodes between cause and effect; no other weight matters."""
    inner = between(B, cause, effect)
    inner[cause] = False
    return B & inner


class Question(NamedTuple):
    """An effect in a graph, among the columns that matter to it: in `nodes` of all, (n_used,).

    `carrying` (n_used, n_used) are the edges of `edges_that_carry`; `cause` and `effect` number
    columns of `nodes`.
    """

    nodes: np.ndarray
    carrying: np.ndarray
    cause: int
    effect: int

    @classmethod
    def about(cls, B: np.ndarray, cause: int, effect: int) -> Self:
        """The effect of a column on another in the graph B (d, d)."""
        carrying = edges_that_carry(B, cause, effect)
        used = (carrying | carrying.T).any(axis=0)
        used[[cause, effect]] = True
        nodes = np.flatnonzero(used)
        start, end = np.searchsorted(nodes, [cause, effect])
        return cls(nodes, carrying[np.ix_(nodes, nodes)], int(start), int(end))

    def answer(self, data: Moments) -> tuple[float, bool] | None:
        """Effect by the moments of `nodes`, and whether there is a path; None without a cause."""
        if data.constant[self.cause]:
            return None
        effect = effect_by_regressions(data.covariance, self.carrying, self.cause, self.effect)
        return effect, bool(self.carrying.any())


def effect_by_regressions(
    covariance: np.ndarray, carrying: np.ndarray, cause: int, effect: int
) -> float:
    """Total effect along edges of `edges_that_carry`, with weights of least squares."""
    W = regress_on_parents(covariance, carrying)
    unit = np.zeros((1, len(W)))
    unit[0, cause] = 1.0
    return float(propagate(unit, W, topological_order(carrying))[0, effect])


def warn_of_determined_parents(
    covariance: np.ndarray, carrying: np.ndarray, names: Sequence[str]
) -> None:
    """Warn of nodes between cause and effect whose parents determine one another."""
    correlation, _ = as_correlations(covariance)
    for j in np.flatnonzero(carrying.any(axis=0)).tolist():
        parents = np.flatnonzero(carrying[:, j])
        gram = correlation[np.ix_(parents, parents)]
        if np.linalg.matrix_rank(gram, hermitian=True) < len(parents):
            warn(
                f"the parents of {names[j]!r} determine one another in X, as where a column is "
                "computed from others, is constant, or rows are few: how their effects are split "
                "is arbitrary, and so is this effect."
            )
            return


def relearned_graph_effects(
    model: Any,
    X: np.ndarray,
    counts: np.ndarray,
    names: Sequence[str],
    cause: int,
    effect: int,
    n_jobs: int | None,
) -> list[tuple[float, bool] | None]:
    """Effect in each sample in the graph that a copy of the model learns from it."""
    samples = resampled_moments(X, counts)
    with warnings.catch_warnings():
        # a graph that has not converged is one that the user's own fit could have been
        warnings.simplefilter("ignore", ConvergenceWarning)
        return Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(_relearned_effect)(model, X, count, sample, names, cause, effect)
            for count, sample in zip(counts, samples, strict=True)
        )


def _relearned_effect(model, X, counts, sample: Moments, names, cause, effect):
    fit = fit_sample(model, X, counts, sample, names)
    if fit.error is not None or sample.constant[cause]:
        return None
    B = np.zeros(sample.scatter.shape, dtype=bool)
    B.ravel()[fit.edges] = True
    carrying = edges_that_carry(B, cause, effect)
    value = effect_by_regressions(sample.covariance, carrying, cause, effect)
    return value, bool(carrying.any())


@threadpool_limits.wrap(limits=1, user_api="blas")  # many small problems
def average_effect(
    B: np.ndarray,
    X: np.ndarray,
    names: Sequence[str],
    cause: int,
    effect: int,
    *,
    weights: np.ndarray,
    counts: np.ndarray,
    learner: Any,
    confidence_level: float,
    n_jobs: int | None,
) -> AverageEffect:
    """Estimate in the graph B (d, d) from weighted rows X (n, d), and percentiles over samples.

    A `learner` learns the graph of every sample anew; None keeps B.

    Raises
    ------
    ValueError
        If no sample gives an estimate.
    """
    question = Question.about(B, cause, effect)
    used, used_names = X[:, question.nodes], [names[j] for j in question.nodes]
    data = moments(used, weights)
    check_overflow(data, used_names)
    on_all = question.answer(data)
    if on_all is None:
        raise ValueError(f"column {names[cause]!r} of X is constant: its effect cannot be seen")
    warn_of_determined_parents(data.covariance, question.carrying, used_names)
    if learner is not None:
        found = relearned_graph_effects(learner, X, counts, names, cause, effect, n_jobs)
    else:
        found = [question.answer(sample) for sample in resampled_moments(used, counts)]
    done = [value for value in found if value is not None]
    if not done:
        raise ValueError(
            f"none of {len(found)} bootstrap samples gives an estimate: {names[cause]!r} is "
            "constant in them, or the fits fail; more rows would help"
        )
    effects = np.array([value for value, _ in done])
    tail = (1 - confidence_level) / 2
    low, high = np.quantile(effects, [tail, 1 - tail])
    return AverageEffect(
        on_all[0],
        float(low),
        float(high),
        float(effects.std(ddof=1)) if len(effects) > 1 else float("nan"),
        float(np.mean([connected for _, connected in done])),
        effects,
        len(found) - len(done),
    )
