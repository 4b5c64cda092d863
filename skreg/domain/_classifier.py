"""Classification on a domain that no training row came from."""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from skreg._sklearn import StrOptions, _check_method_params, _fit_context, _safe_indexing
from skreg._state import all_or_nothing
from skreg.domain._estimator import (
    RULES_OF_ROWS,
    Combine,
    DomainSpecificEstimator,
    Level,
    Similarity,
)
from skreg.domain._gaps import LEAST_ENTROPY, entropies, nearest
from skreg.domain._heads import (
    AskedHeads,
    RunningBest,
    RunningMean,
    aligned,
    held_out_temperature,
)
from skreg.domain._linear_heads import LinearClassifiers, are_linear_classifiers, number_of_scores
from skreg.domain._online import AdaptsOnline
from skreg.domain._temperature import tempered

LEAST_PROBABILITY = np.finfo(np.float64).tiny
Selection = Literal["similarity", "entropy", "discriminator", "uniform", "shared"]


def _heads_have_proba(self):
    heads = self.domain_estimators_ if hasattr(self, "domain_estimators_") else [self._head()]
    return all(hasattr(head, "predict_proba") for head in heads)


class DomainSpecificClassifier(ClassifierMixin, AdaptsOnline):
    """Classifier for an unseen domain: heads of the source domains, chosen row by row.

    Rows come from several domains: hospitals, devices, years. One classifier is fitted on each, and
    one on all of them. A new row, of whatever domain, goes to the head that is estimated to be
    closest to right there. That pays where domains label differently and the features tell which
    of them is near; where all domains share one rule, the shared head is as good.

    Parameters
    ----------
    estimator : classifier, default=None
        What is fitted on each domain; ``LogisticRegression()`` if None.
    featurizer : transformer, default=None
        Fitted on all rows; heads and rules see what it returns. `StandardScaler` makes distances
        independent of units. It never sees domains.
    selection : {"similarity", "entropy", "discriminator", "uniform", "shared"}, \
default="similarity"
        How heads are chosen: by the distance of a row to the mean of their domain; by the entropy
        of their prediction, the paper's default, which follows confident heads rather than right
        ones; by a classifier that tells the domains apart; all alike; or the shared head alone.
    level : {"sample", "batch"}, default="sample"
        Choose for each row, or once for all rows of a call by the mean of their gaps.
    combine : {"hard", "soft"}, default="hard"
        Take the best head, or the mean of all with weights that fall with their gap. Predictions
        of "uniform" are always means.
    gamma : float, default=1.0
        Sharpness of soft weights: entropy^-gamma, distance^-gamma or discriminator^gamma. 0 is
        uniform.
    include_shared : bool, default=True
        Fit the shared head, and let "entropy" and "uniform" use it. Similarity and discriminator
        know source domains only.
    similarity : {"euclidean", "cosine", "mahalanobis"}, default="euclidean"
        Measure of similarity; the last uses the covariance within domains, and dense features.
    discriminator : classifier, default=None
        Tells the domains apart; ``LogisticRegression(max_iter=1000)`` if None.
    calibrate : bool, default=False
        Divide the logits of each head by a temperature, chosen on rows of its own domain that
        were held out (5 folds).
    n_jobs : int, default=None
        Number of threads in which heads are fitted.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds of `calibrate`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    domains_ : ndarray of shape (n_domains,)
        Source domains.
    domain_estimators_ : list of estimator
        The head of each.
    shared_estimator_ : estimator or None
        The head of all rows.
    featurizer_ : transformer or None
        The fitted featurizer.
    domain_means_ : ndarray of shape (n_domains, n_features) or None
        Means of the features, for "similarity".
    discriminator_ : classifier or None
        For "discriminator"; its labels are positions in `domains_`. None for a single domain.
    temperatures_ : ndarray of shape (n_heads,) or None
        Temperatures, if `calibrate` is true.
    n_samples_per_domain_ : ndarray of shape (n_domains,)
        Rows of positive weight in each domain.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, if they are all strings.

    See Also
    --------
    leave_one_domain_out_score : How well an estimator predicts each domain from the others.
    DomainSpecificRegressor : The same for numbers.

    Notes
    -----
    `domains` is metadata: pipelines and searches pass it on where routing is enabled, without
    further requests. A domain of one class gets a constant head, and a class that a domain lacks
    has probability zero in its head. Rows of weight zero are as if they were not there.

    Predictions change nothing. `adapt` and `predict_online` do: they train heads that have
    `partial_fit` on their own predictions of unlabelled rows, until `reset_adaptation`.

    References
    ----------
    Y.-F. Zhang, J. Wang, J. Liang, Z. Zhang, B. Yu, L. Wang, D. Tao, X. Xie, "Domain-Specific Risk
    Minimization for Out-of-Distribution Generalization", KDD 2023.

    Examples
    --------
    Two sites label in opposite ways, and their rows lie apart:

    >>> import numpy as np
    >>> from skreg.domain import DomainSpecificClassifier
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["north", "south"], 100)
    >>> X = rng.normal(size=(200, 2)) + np.where(site == "north", 10, -10)[:, None]
    >>> y = np.where(site == "north", X[:, 0] > 10, X[:, 0] < -10)
    >>> model = DomainSpecificClassifier().fit(X, y, domains=site)
    >>> model.predict([[12, 9], [-12, -9], [8, 9], [-8, -9]])
    array([ True,  True, False, False])
    >>> bool(model.shared_estimator_.score(X, y) < 0.7)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **DomainSpecificEstimator._parameter_constraints,
        "selection": [StrOptions({*RULES_OF_ROWS, "entropy"})],
        "calibrate": ["boolean"],
        "random_state": ["random_state"],
    }
    __metadata_request__predict_proba: ClassVar[dict] = {"domains": True, "sample_domain": True}
    __metadata_request__decision_function: ClassVar[dict] = {
        "domains": True,
        "sample_domain": True,
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        featurizer: Any = None,
        selection: Selection = "similarity",
        level: Level = "sample",
        combine: Combine = "hard",
        gamma: float = 1.0,
        include_shared: bool = True,
        similarity: Similarity = "euclidean",
        discriminator: Any = None,
        calibrate: bool = False,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.featurizer = featurizer
        self.selection = selection
        self.level = level
        self.combine = combine
        self.gamma = gamma
        self.include_shared = include_shared
        self.similarity = similarity
        self.discriminator = discriminator
        self.calibrate = calibrate
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _head(self):
        return LogisticRegression() if self.estimator is None else self.estimator

    @all_or_nothing
    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        domains: ArrayLike | None = None,
        sample_domain: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> Self:
        """Fit a head on each domain, one on all rows, and what the rule needs.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Features, or what `featurizer` takes.
        y : array-like of shape (n_samples,)
            Labels.
        domains : array-like of shape (n_samples,), default=None
            Domain of each row: strings, numbers, or other values that can be hashed. Without any,
            all rows are of one domain, which a warning says.
        sample_domain : array-like of shape (n_samples,), default=None
            Another name of `domains`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for heads that take them, and where featurizer and discriminator
            do.
        **fit_params : dict
            Further metadata for the `fit` of the heads, with metadata routing.

        Returns
        -------
        DomainSpecificClassifier
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are not valid, both names of domains are given, one is
            missing, the rule needs probabilities that the heads do not have, or heads take no
            weights.

        Warns
        -----
        UserWarning
            If there is one domain only, or rows of a single class in one.
        """
        from skreg.domain._labels import chosen_alias

        self._forget_adaptation()
        self._fit(X, y, chosen_alias(domains, sample_domain), sample_weight, fit_params)
        return self

    def _check_rules(self):
        super()._check_rules()
        wanted = [
            f"{name}={value!r}"
            for name, value, needs in (
                ("selection", self.selection, self.selection in ("entropy", "uniform")),
                ("combine", self.combine, self.combine == "soft" and self.selection != "shared"),
                ("calibrate", self.calibrate, self.calibrate),
            )
            if needs
        ]
        if wanted and not hasattr(self._head(), "predict_proba"):
            raise ValueError(
                f"{wanted[0]} needs class probabilities, but {type(self._head()).__name__} has no "
                "predict_proba: wrap it in CalibratedClassifierCV, or choose a hard selection "
                "by 'similarity' or 'discriminator'"
            )

    def _checked_target(self, y):
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        self._n_scores = number_of_scores(len(self.classes_))
        return y

    def _groups_were_fitted(self, Z, y, groups, weight, params):
        self.temperatures_ = None
        if not self.calibrate:
            return
        seeds = check_random_state(self.random_state).randint(
            np.iinfo(np.int32).max, size=len(groups)
        )
        found = list(
            Parallel(n_jobs=self.n_jobs, prefer="threads")(
                delayed(held_out_temperature)(
                    self._head(),
                    _safe_indexing(Z, rows),
                    y[rows],
                    self.classes_,
                    None if weight is None else weight[rows],
                    dict(_check_method_params(Z, params, indices=rows)),
                    int(seed),
                )
                for rows, seed in zip(groups, seeds, strict=True)
            )
        )
        if len(self._heads) > len(found):  # the shared head of a single domain is its own
            found *= 2
        self.temperatures_ = np.array(found)

    # what the heads say

    def _proba_of(self, i, rows):
        head = self._heads[i]
        proba = aligned(head.predict_proba(rows), head.classes_, self.classes_)
        return proba if self.temperatures_ is None else tempered(proba, self.temperatures_[i])

    def _said(self, i, rows, method):
        if method == "predict_proba":
            return self._proba_of(i, rows)
        return super()._said(i, rows, method).astype(self.classes_.dtype, copy=False)

    def _asked(self, Z, method="predict"):
        # entropies are those of probabilities, whatever is asked
        return super()._asked(Z, "predict_proba" if self.selection == "entropy" else method)

    def _linear(self, Z, heads, method):
        n_classes = len(self.classes_)
        if not self._fits(Z, len(heads) * self._n_scores) or not are_linear_classifiers(
            heads, method, (n_classes, Z.shape[1])
        ):
            return None
        heat = None if self.temperatures_ is None else self.temperatures_[self._candidates]
        return LinearClassifiers(Z, heads, method, self.classes_, heat)

    # rules that ask the heads

    def _gaps(self, heads):
        return heads.entropies() if self.selection == "entropy" else super()._gaps(heads)

    def _positive_gaps(self, heads):
        if self.selection != "entropy":
            return super()._positive_gaps(heads)
        return self._mean_of_batch(heads.entropies()) + LEAST_ENTROPY

    def _best(self, heads):
        if self.selection == "entropy" and self.level == "sample":
            return heads.most_certain()
        return super()._best(heads)

    def _combined(self, Z, method):
        by_probabilities = self._averages or self.selection == "entropy"
        if method == "predict" and by_probabilities and self.selection != "shared":
            proba = self._combined(Z, "predict_proba")
            return self.classes_.take(nearest(-proba).astype(np.intp))
        if self.selection == "entropy":
            heads = self._asked(Z)
            if isinstance(heads, AskedHeads):
                return self._one_after_the_other(heads)
        return super()._combined(Z, method)

    def _one_after_the_other(self, heads):
        """Probabilities combined by entropy: each head is asked once, and none is kept."""
        running = RunningBest() if self.combine == "hard" else RunningMean(self.gamma)
        for proba in heads:
            gap = entropies(proba) + LEAST_ENTROPY
            running.add(proba, np.full_like(gap, gap.mean()) if self.level == "batch" else gap)
        return running.result

    def predict(
        self,
        X: Any,
        *,
        domains: ArrayLike | None = None,
        sample_domain: ArrayLike | None = None,
    ) -> np.ndarray:
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.
        domains : array-like of shape (n_samples,) or a single domain, default=None
            Domains where they are known: rows of a source domain go to its head, all others by
            the rule.
        sample_domain : array-like, default=None
            Another name of `domains`.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels: those of the chosen heads, or of the greatest combined probability.
        """
        return self._answers(X, domains, sample_domain)

    @available_if(_heads_have_proba)
    def predict_proba(
        self,
        X: Any,
        *,
        domains: ArrayLike | None = None,
        sample_domain: ArrayLike | None = None,
    ) -> np.ndarray:
        """Predict probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.
        domains : array-like of shape (n_samples,) or a single domain, default=None
            As for `predict`.
        sample_domain : array-like, default=None
            Another name of `domains`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities.
        """
        return self._answers(X, domains, sample_domain, "predict_proba")

    @available_if(_heads_have_proba)
    def decision_function(
        self,
        X: Any,
        *,
        domains: ArrayLike | None = None,
        sample_domain: ArrayLike | None = None,
    ) -> np.ndarray:
        """Logarithms of the combined probabilities, of two classes the log-odds of the second.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Rows.
        domains : array-like of shape (n_samples,) or a single domain, default=None
            As for `predict`.
        sample_domain : array-like, default=None
            Another name of `domains`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Scores, comparable across heads.
        """
        proba = self.predict_proba(X, domains=domains, sample_domain=sample_domain)
        logs = np.log(np.maximum(proba, LEAST_PROBABILITY))
        return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs
