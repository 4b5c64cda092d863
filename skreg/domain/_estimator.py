"""What the classifier and the regressor of several source domains have in common."""

import math
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import sparse
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_array, get_tags
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skreg._estimator import Estimator
from skreg._sklearn import (
    HasMethods,
    Interval,
    MetadataRouter,
    MethodMapping,
    StrOptions,
    _raise_for_params,
    _safe_indexing,
    process_routing,
)
from skreg._warnings import warn
from skreg.domain._gaps import (
    LEAST,
    Center,
    cosine_gaps,
    distances,
    domain_means,
    hard_weights,
    nearest,
    quiet,
    relative_cosine_gaps,
    relative_squares,
    softmax_weights,
    weights_by_gaps,
    whitening_within,
)
from skreg.domain._heads import (
    AskedHeads,
    by_chosen_head,
    check_takes_weights,
    fitted_heads,
    in_blocks,
    rows_by,
)
from skreg.domain._labels import as_vector, chosen_alias, encoded_domains, known_domains
from skreg.domain._linear_heads import MOST_SCORES, Method, are_linear_classifiers, scores_of
from skreg.rows import checked_weights

FLOATS = [np.float64, np.float32]
RULES_OF_ROWS = ("similarity", "discriminator", "uniform", "shared")  # need no head's answer
IGNORED = 1e-6  # share of the variance between means that may be lost without a word


class DomainSpecificEstimator(MetaEstimatorMixin, Estimator):
    """Heads of source domains, a shared one, and the choice among them at prediction."""

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "featurizer": [HasMethods(["fit", "transform"]), None],
        "selection": [StrOptions(set(RULES_OF_ROWS))],
        "level": [StrOptions({"sample", "batch"})],
        "combine": [StrOptions({"hard", "soft"})],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "include_shared": ["boolean"],
        "similarity": [StrOptions({"euclidean", "cosine", "mahalanobis"})],
        "discriminator": [HasMethods(["fit", "predict_proba"]), None],
        "n_jobs": [Integral, None],
    }
    # domains go to these methods wherever metadata are routed, unless requests say otherwise
    __metadata_request__fit: ClassVar[dict] = {"domains": True, "sample_domain": True}
    __metadata_request__predict: ClassVar[dict] = {"domains": True, "sample_domain": True}

    estimator: Any
    featurizer: Any
    selection: str
    level: str
    combine: str
    gamma: float
    include_shared: bool
    similarity: str
    discriminator: Any
    n_jobs: int | None
    domain_means_: Any
    discriminator_: Any
    shared_estimator_: Any
    _n_scores: int  # of a head, if it is linear

    def _head(self) -> Any:
        """What the heads are clones of."""
        raise NotImplementedError

    # fitting

    def _fit(self, X, y, domains, sample_weight, params):
        self._check_rules()
        _raise_for_params(params, self, "fit")
        routed = process_routing(self, "fit", **params).estimator.fit if params else {}
        X, y = self._checked_rows(X, y)
        n = len(y)
        if sample_weight is not None:
            check_takes_weights(self._head())
        weight = checked_weights(sample_weight, np.empty((n, 0)))
        # without domains, all rows belong to one
        domains = np.zeros(n, dtype=np.int64) if domains is None else as_vector(domains, n)
        rows = np.flatnonzero(weight)  # rows without weight are not there
        if len(rows) < n:
            X, y, weight, domains = _safe_indexing(X, rows), y[rows], weight[rows], domains[rows]
            routed = {name: self._rows_of(value, rows, n) for name, value in routed.items()}
        self.domains_, codes = encoded_domains(domains, len(rows))
        if len(self.domains_) == 1:
            warn(
                f"{type(self).__name__} got rows of one domain only, and predicts as its estimator "
                "fitted on all rows does. Give the domain of each row: fit(X, y, domains=...)"
            )
        given = None if sample_weight is None else weight
        Z = self._fitted_features(X, y, given)
        self._fit_heads(Z, y, codes, given, routed)
        self._fit_rule(Z, codes, weight, weighted=given is not None)

    @staticmethod
    def _rows_of(value, rows, n):
        return _safe_indexing(value, rows) if np.shape(value)[:1] == (n,) else value

    def _check_rules(self):
        if self.selection == "shared" and not self.include_shared:
            raise ValueError(
                "selection='shared' predicts by the shared head, but include_shared=False: set "
                "include_shared=True"
            )

    def _checked_rows(self, X, y):
        if self.featurizer is None:
            X = validate_data(self, X, accept_sparse="csr", dtype=FLOATS)
        else:
            validate_data(self, X, skip_check_array=True)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        y = self._checked_target(y)
        check_consistent_length(X, y)
        return X, y

    def _checked_target(self, y):
        y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", estimator=self)
        self._n_scores = math.prod(y.shape[1:])
        return y

    def _fitted_features(self, X, y, weight):
        if self.featurizer is None:
            self.featurizer_ = None
            return X
        self.featurizer_ = clone(self.featurizer)
        takes = weight is not None and has_fit_parameter(self.featurizer, "sample_weight")
        params = {"sample_weight": weight} if takes else {}
        if hasattr(self.featurizer_, "fit_transform"):
            return self.featurizer_.fit_transform(X, y, **params)
        return self.featurizer_.fit(X, y, **params).transform(X)

    def _fit_heads(self, Z, y, codes, weight, params):
        groups = rows_by(codes, len(self.domains_))
        names = [f"domain {name!r}" for name in self.domains_.tolist()]
        self.n_samples_per_domain_ = np.bincount(codes)
        if self.include_shared and len(groups) > 1:
            groups, names = [*groups, np.arange(len(codes))], [*names, "all domains"]
        heads = fitted_heads(self._head(), Z, y, groups, names, weight, params, self.n_jobs)
        self.domain_estimators_ = heads[: len(self.domains_)]
        self.shared_estimator_ = heads[-1] if self.include_shared else None
        self._groups_were_fitted(Z, y, groups, weight, params)

    def _groups_were_fitted(self, Z, y, groups, weight, params):
        """Learn what else the rows of each head tell."""

    def _fit_rule(self, Z, codes, weight, *, weighted):
        """Means of the domains, and the discriminator, as far as the rule needs them."""
        self._learned_rule = self._rule
        self.domain_means_ = self.discriminator_ = self._whitening = None
        if self.selection == "similarity":
            Z = check_array(
                Z, accept_sparse="csr", dtype=FLOATS, input_name="features", estimator=self
            )
            self.domain_means_ = domain_means(Z, codes, weight, len(self.domains_))
            if self.similarity == "mahalanobis":
                self._fit_whitening(Z, codes, weight)
        elif self.selection == "discriminator" and len(self.domains_) > 1:
            model = self.discriminator
            model = LogisticRegression(max_iter=1000) if model is None else clone(model)
            takes = weighted and has_fit_parameter(model, "sample_weight")
            self.discriminator_ = model.fit(
                Z, codes, **({"sample_weight": weight} if takes else {})
            )

    def _fit_whitening(self, Z, codes, weight):
        if sparse.issparse(Z):
            raise ValueError(
                "similarity='mahalanobis' needs the covariance of all pairs of columns and rows "
                "without gaps, but X is sparse: make X dense, reduce it by "
                "featurizer=TruncatedSVD(), or choose similarity='euclidean' or 'cosine'"
            )
        self._whitening, ignored = whitening_within(Z, codes, weight, self.domain_means_)
        if len(self.domains_) > 1 and ignored > IGNORED:
            warn(
                f"similarity='mahalanobis' ignores directions in which no domain varies, with "
                f"{ignored:.0%} of what sets the means of the domains apart. Reduce the columns by "
                "featurizer=PCA(), or choose similarity='euclidean'"
            )

    def _numbers(self, Z):
        """Features as an array of numbers, as distances need them."""
        if isinstance(Z, np.ndarray) and Z.dtype in FLOATS:
            return Z
        return check_array(
            Z, accept_sparse="csr", dtype=FLOATS, ensure_all_finite=False, estimator=self
        )

    # gaps and weights

    def _features(self, X):
        """Features of new rows, as the heads see them."""
        check_is_fitted(self)
        if self.featurizer_ is None:
            # whether all numbers are finite is asked of distances, and by the heads
            return validate_data(
                self, X, accept_sparse="csr", dtype=FLOATS, reset=False, ensure_all_finite=False
            )
        validate_data(self, X, skip_check_array=True, reset=False)
        return self.featurizer_.transform(X)

    @property
    def _rule(self):
        """What of the parameters decides what `fit` has to learn for the choice of heads."""
        if self.selection == "similarity":
            return [self.selection, self.similarity]
        return [self.selection]

    @property
    def _heads(self):
        shared = [] if self.shared_estimator_ is None else [self.shared_estimator_]
        return [*self.domain_estimators_, *shared]

    @property
    def _candidates(self):
        """Positions of the heads among which the rule chooses."""
        n_domains, n_heads = len(self.domain_estimators_), len(self._heads)
        if self.selection == "shared":
            return slice(n_domains, n_heads)
        if self.selection in ("similarity", "discriminator"):
            return slice(0, n_domains)
        return slice(0, n_heads)

    @property
    def _n_candidates(self):
        return len(range(len(self._heads))[self._candidates])

    def _check_learned(self):
        if self.selection in ("similarity", "discriminator") and self._rule != self._learned_rule:
            raise ValueError(
                f"{type(self).__name__} was fitted for the rule {self._learned_rule}, and what "
                f"{self._rule} needs was not learned: fit again after such a change"
            )

    @quiet
    def _finite(self, gaps, Z):
        """Gaps; rows that are not finite are found here, without a look at every number."""
        if not np.isfinite(gaps.sum()):
            check_array(Z, accept_sparse="csr", input_name="features", estimator=self)
            raise ValueError(
                "distances to the means of the domains overflow: divide the columns by their "
                "scale, for instance by featurizer=StandardScaler()"
            )
        return gaps

    def _gaps(self, heads):
        """Gaps of the candidates, shape (n, n_candidates)."""
        self._check_learned()
        if self.selection == "similarity":
            Z = self._numbers(heads.Z)
            if self.similarity == "cosine":
                gaps = cosine_gaps(Z, self.domain_means_)
            else:
                gaps = distances(Z, Center(self.domain_means_, self._whitening))
            return self._finite(gaps, Z)
        if self.selection == "discriminator" and self.discriminator_ is not None:
            proba = self.discriminator_.predict_proba(heads.Z)
            return -np.log(np.maximum(proba, np.finfo(np.float64).tiny))
        return np.zeros((heads.Z.shape[0], self._n_candidates))

    def _positive_gaps(self, heads):
        """Gaps of the candidates that can be divided by: of each row, or one row of their means."""
        return np.maximum(self._mean_of_batch(self._gaps(heads)), LEAST)

    def _mean_of_batch(self, values):
        return values.mean(axis=0, keepdims=True) if self.level == "batch" else values

    def _logits_of_domains(self, heads):
        """Logarithms of the discriminator's probabilities, less a number for each row."""
        self._check_learned()
        model, n_domains = self.discriminator_, self._n_candidates
        shape = n_domains, heads.Z.shape[1]
        if not self._fits(heads.Z, n_domains) or not are_linear_classifiers(
            [model], "predict_proba", shape
        ):
            return -self._gaps(heads)
        scores = scores_of(heads.Z, [model])[0].astype(np.float64, copy=False)
        return np.vstack([np.zeros_like(scores), scores]).T if n_domains == 2 else scores.T

    @property
    def _averages(self):
        return self.combine == "soft" or self.selection == "uniform"

    def _weights_of_candidates(self, heads):
        """Weights of the candidates; a single row of them where all rows have the same."""
        if self.selection in ("uniform", "shared"):
            return np.full((1, self._n_candidates), 1.0 / self._n_candidates)
        if self.combine == "soft" and self.selection == "discriminator":
            return softmax_weights(self._mean_of_batch(self._logits_of_domains(heads)), self.gamma)
        if self.combine == "soft":
            return weights_by_gaps(self._positive_gaps(heads), self.gamma)
        return hard_weights(self._best(heads), self._n_candidates)

    def _chosen(self, heads):
        """Position of the best candidate at each row."""
        if self.selection == "similarity" and self.level == "sample":
            self._check_learned()
            Z = self._numbers(heads.Z)
            if self.similarity == "cosine":
                gaps = relative_cosine_gaps(Z, self.domain_means_)
            else:
                gaps = relative_squares(Z, Center(self.domain_means_, self._whitening))
            return nearest(self._finite(gaps, Z))
        return np.broadcast_to(self._best(heads), heads.Z.shape[:1])

    def _best(self, heads):
        """The same by gaps; a single position where all rows have the same."""
        by_logits = self.selection == "discriminator"
        gaps = -self._logits_of_domains(heads) if by_logits else self._gaps(heads)
        return nearest(self._mean_of_batch(gaps))

    def _with_all_heads(self, of_candidates, others):
        everything = np.full((len(of_candidates), len(self._heads)), others)
        everything[:, self._candidates] = of_candidates
        return everything

    def gap_estimates(self, X: Any) -> np.ndarray:
        """Estimated gap of each head at each row: the smaller, the more the head is trusted.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_heads)
            Distances, one minus cosines, entropies, or -log of the discriminator's probability, by
            `selection`; inf for heads that the rule does not choose from. The shared head, if
            there is one, is the last.
        """
        return self._with_all_heads(self._gaps(self._asked(self._features(X))), np.inf)

    def domain_weights(self, X: Any) -> np.ndarray:
        """Weight of each head at each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_heads)
            Not negative, with rows of sum one; zeros and ones where a single head is chosen. The
            order is that of `domains_`, then the shared head, if there is one.
        """
        Z = self._features(X)
        weights = self._with_all_heads(self._weights_of_candidates(self._asked(Z)), 0.0)
        return np.tile(weights, (Z.shape[0], 1)) if len(weights) < Z.shape[0] else weights

    # answers

    def _said(self, i: int, rows: Any, method: Method) -> np.ndarray:
        """What head i says of rows."""
        return getattr(self._heads[i], method)(rows)

    def _linear(self, Z, heads, method):
        """Heads that can be asked by one product of their coefficients with rows, or None."""
        raise NotImplementedError

    @staticmethod
    def _fits(Z, n_scores):
        """Whether these are numbers, and scores of them have room."""
        known = isinstance(Z, np.ndarray) or sparse.issparse(Z)
        return known and Z.dtype in FLOATS and Z.shape[0] * n_scores <= MOST_SCORES

    def _asked(self, Z, method="predict"):
        """The candidates and the rows they are asked about."""
        start, heads = self._candidates.start, self._heads[self._candidates]
        linear = self._linear(Z, heads, method)
        if linear is not None:
            return linear
        return AskedHeads(Z, len(heads), lambda i, rows: self._said(start + i, rows, method))

    def _answers(
        self, X: Any, domains: Any, sample_domain: Any, method: Method = "predict"
    ) -> np.ndarray:
        """Combined answers of the heads; rows of known domains get that of their own head."""
        domains = chosen_alias(domains, sample_domain)
        Z = self._features(X)
        if domains is None:
            return np.ascontiguousarray(self._combined_in_blocks(Z, method))

        def of_group(i: int, rows: Any) -> np.ndarray:
            return self._said(i, rows, method) if i >= 0 else self._combined_in_blocks(rows, method)

        known = known_domains(domains, self.domains_, Z.shape[0])
        return np.ascontiguousarray(by_chosen_head(known, Z, of_group))

    def _combined_in_blocks(self, Z, method):
        if self.level == "batch":  # a choice for all rows needs all rows
            return self._combined(Z, method)
        n_heads = len(self._heads)
        n_scores = n_heads * self._n_scores
        return in_blocks(Z, n_heads, n_scores, lambda rows: self._combined(rows, method))

    def _combined(self, Z, method):
        if self.selection == "shared":
            return self._said(self._candidates.start, Z, method)
        heads = self._asked(Z, method)
        if self._averages:
            return heads.weighted(self._weights_of_candidates(heads))
        return heads.chosen(self._chosen(heads))

    # routing and tags

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata go where.

        Returns
        -------
        MetadataRouter
            `fit` takes `domains` (or `sample_domain`) and `sample_weight` itself, and routes the
            rest to the heads; `predict` takes `domains`.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self._head(), method_mapping=mapping)
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._head())
        tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        takes = inner.input_tags.sparse
        if self.featurizer is not None:
            takes = get_tags(self.featurizer).input_tags.sparse
        elif self.selection == "similarity" and self.similarity == "mahalanobis":
            takes = False
        tags.input_tags.sparse = takes
        return tags


Level = Literal["sample", "batch"]
Combine = Literal["hard", "soft"]
Similarity = Literal["euclidean", "cosine", "mahalanobis"]
