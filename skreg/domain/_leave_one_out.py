"""How well each domain is predicted from the others."""

from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from skreg._progress import progress
from skreg._sklearn import (
    MetadataRouter,
    MethodMapping,
    _check_method_params,
    _routing_enabled,
    _safe_indexing,
    process_routing,
)
from skreg.domain._heads import check_takes_weights, rows_by
from skreg.domain._labels import chosen_alias, encoded_domains
from skreg.rows import checked_weights

BY = "leave_one_domain_out_score"
NAMES = ("domains", "sample_domain")


class DomainScores(NamedTuple):
    """Scores on each domain, of fits on all others.

    Attributes
    ----------
    domains : ndarray of shape (n_domains,)
        The domains held out.
    scores : ndarray of shape (n_domains,)
        Scores on them; greater is better.
    n_samples : ndarray of shape (n_domains,)
        Numbers of their rows.
    """

    domains: np.ndarray
    scores: np.ndarray
    n_samples: np.ndarray

    @property
    def mean(self) -> float:
        """Mean over the domains, each counted once."""
        return float(self.scores.mean())

    @property
    def worst(self) -> tuple[Any, float]:
        """The domain of the least score, and that score."""
        i = int(self.scores.argmin())
        return self.domains.tolist()[i], float(self.scores[i])

    def as_dict(self) -> dict[Any, float]:
        """The scores by domain.

        Returns
        -------
        dict
            Scores.
        """
        return dict(zip(self.domains.tolist(), self.scores.tolist(), strict=True))

    def __repr__(self) -> str:
        domain, score = self.worst
        return (
            f"DomainScores(n_domains={len(self.domains)}, mean={self.mean:.4g}, "
            f"worst={score:.4g} on {domain!r})"
        )


def leave_one_domain_out_score(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    domains: ArrayLike | None = None,
    sample_domain: ArrayLike | None = None,
    scoring: Any = None,
    sample_weight: ArrayLike | None = None,
    params: dict[str, Any] | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> DomainScores:
    """Score an estimator on each domain after a fit on all others.

    An estimator whose `fit` takes `domains` gets those of the training rows; the domain that is
    held out stays unknown to it. Any other estimator is fitted on the pooled rows, and makes the
    comparison.

    Parameters
    ----------
    estimator : estimator
        Cloned for each domain.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Features.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    domains : array-like of shape (n_samples,)
        Domain of each row.
    sample_domain : array-like of shape (n_samples,), default=None
        Another name of `domains`.
    scoring : str, callable or None, default=None
        As in `sklearn.model_selection.cross_val_score`; the estimator's own score if None.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, in fits and in scores. With metadata routing they go where they are requested.
    params : dict, default=None
        Further metadata, for `fit`, such as ``{"model__domains": domains}`` for a Pipeline whose
        last step is called model. With metadata routing they are routed, and `domains` reaches
        a Pipeline by itself.
    n_jobs : int, default=None
        Number of jobs of joblib.
    verbose : int, default=0
        Whether to show progress.

    Returns
    -------
    DomainScores
        ``scores`` by ``domains``, in the order of sorted domains; ``mean`` and ``worst``.

    Raises
    ------
    ValueError
        If there are fewer than two domains, a domain or all others have no weight, or the
        estimator takes no weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg.domain import DomainSpecificClassifier, leave_one_domain_out_score
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["a", "b", "c", "d"], 50)
    >>> side = np.where(np.isin(site, ["a", "b"]), 6, -6)[:, None]  # a is like b, c like d
    >>> X = rng.normal(size=(200, 2)) + side
    >>> y = (X[:, 0] - side[:, 0]) * side[:, 0] > 0
    >>> ours = leave_one_domain_out_score(DomainSpecificClassifier(), X, y, domains=site)
    >>> pooled = leave_one_domain_out_score(LogisticRegression(), X, y, domains=site)
    >>> bool(ours.mean > 0.9), bool(pooled.mean < 0.7)
    (True, True)
    """
    domains = chosen_alias(domains, sample_domain)
    if domains is None:
        raise ValueError(f"{BY} holds out one domain after the other: give domains")
    X, y = indexable(X, y)
    n = len(y)
    names, codes = encoded_domains(domains, n)
    if len(names) < 2:
        raise ValueError(f"{BY} needs two domains or more; all rows are of {names.tolist()[0]!r}")
    given = names[codes]
    weight = None if sample_weight is None else checked_weights(sample_weight, np.empty((n, 0)))
    _check_weights(weight, names, codes)
    scorer = check_scoring(estimator, scoring=scoring)
    of_fit, of_score = _metadata(estimator, scorer, given, weight, params or {})
    groups = rows_by(codes, len(names))
    results = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_score_of)(
            clone(estimator), scorer, X, y, np.flatnonzero(codes != i), test, of_fit, of_score
        )
        for i, test in enumerate(groups)
    )
    counted = progress(results, total=len(names), verbose=verbose, by=BY, unit="domain")
    return DomainScores(names, np.array(list(counted)), np.bincount(codes))


def _check_weights(weight, names, codes):
    if weight is None:
        return
    total = np.bincount(codes, weight, len(names))
    if (total == 0.0).any():
        name = names.tolist()[total.argmin()]
        raise ValueError(
            f"no row of domain {name!r} has a positive sample_weight: leave its rows out"
        )


def _metadata(estimator, scorer, domains, weight, params):
    """What goes to fits and what to scores, of all rows."""
    if not _routing_enabled():
        taken = [
            name for name in ("domains", "sample_domain") if has_fit_parameter(estimator, name)
        ]
        of_fit = {**params, **dict.fromkeys(taken[:1], domains)}
        if weight is None:
            return of_fit, {}
        check_takes_weights(estimator)
        return {**of_fit, "sample_weight": weight}, {"sample_weight": weight}
    request = get_routing_for_object(estimator)
    taken = [name for name in NAMES if request.consumes("fit", [name])]
    params = {**params, **dict.fromkeys(taken[:1], domains)}
    if weight is not None:
        params["sample_weight"] = weight
    router = MetadataRouter(owner=BY)
    router.add(estimator=estimator, method_mapping=MethodMapping().add(caller="fit", callee="fit"))
    router.add(scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score"))
    routed = process_routing(router, "fit", **params)
    return routed.estimator.fit, routed.scorer.score


def _score_of(estimator, scorer, X, y, train, test, of_fit, of_score):
    of_fit = _check_method_params(X, of_fit, indices=train)
    of_score = _check_method_params(X, of_score, indices=test)
    estimator.fit(_safe_indexing(X, train), _safe_indexing(y, train), **of_fit)
    score = scorer(estimator, _safe_indexing(X, test), _safe_indexing(y, test), **of_score)
    return float(score)
