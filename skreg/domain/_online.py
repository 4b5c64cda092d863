"""Heads that go on learning, from their own predictions of rows without labels."""

import copy
import inspect
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.utils.validation import check_is_fitted

from skreg._sklearn import Interval, StrOptions, _safe_indexing, validate_params
from skreg._state import all_or_nothing
from skreg.domain._estimator import DomainSpecificEstimator

PseudoLabel = Literal["own", "last", "uniform", "drm"]
OPTIONS = {
    "label": [StrOptions({"own", "last", "uniform", "drm"})],
    "beta": [Interval(Real, 0, None, closed="left")],
    "lr_scale": [Interval(Real, 0, None, closed="neither")],
    "n_steps": [Interval(Integral, 1, None, closed="left")],
}


class AdaptsOnline(DomainSpecificEstimator):
    """Adaptation of a fitted classifier of several domains, by explicit calls only."""

    classes_: np.ndarray
    _as_fitted: tuple[list[Any], Any]

    def _proba_of(self, i: int, rows: Any) -> np.ndarray:
        """Probabilities of all classes by head i."""
        raise NotImplementedError

    @validate_params({"X": "no_validation", **OPTIONS}, prefer_skip_nested_validation=True)
    @all_or_nothing
    def adapt(
        self,
        X: Any,
        *,
        label: PseudoLabel = "drm",
        beta: float = 0.9,
        lr_scale: float = 1.0,
        n_steps: int = 1,
    ) -> np.ndarray:
        """Train all heads on their own predictions of one batch of rows without labels.

        In each step, rows whose pseudo-label has a probability of at least `beta` go to the
        `partial_fit` of every head that knows the class. Later predictions are those of the
        adapted heads.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The batch.
        label : {"own", "last", "uniform", "drm"}, default="drm"
            Whose prediction is the pseudo-label: that of each head itself, of the shared head, of
            the mean of all, or of the combination that `predict_proba` returns.
        beta : float, default=0.9
            Least probability of a pseudo-label; above 1 nothing is learned.
        lr_scale : float, default=1.0
            Weight of a pseudo-labelled row, which scales the step of heads that learn by
            gradients.
        n_steps : int, default=1
            Number of steps.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels predicted at the beginning of the last step: before its update.

        Raises
        ------
        ValueError
            If a head has no `partial_fit` or takes no weights there, or a parameter is not valid.
        """
        check_is_fitted(self)
        self._check_adaptable(label, lr_scale)
        Z = self._features(X)
        present = self.domain_estimators_, self.shared_estimator_
        if not hasattr(self, "_as_fitted"):
            self._as_fitted = present
        # copies learn: those of `fit` stay for `reset_adaptation`, and a failure undoes the batch
        self.domain_estimators_, self.shared_estimator_ = copy.deepcopy(present)
        for _ in range(n_steps):
            proba = self._combined(Z, "predict_proba")
            self._step(Z, proba, label, beta, lr_scale)
        return self.classes_[proba.argmax(axis=1)]

    @validate_params(
        {
            "X": "no_validation",
            "batch_size": [Interval(Integral, 1, None, closed="left")],
            **OPTIONS,
        },
        prefer_skip_nested_validation=True,
    )
    @all_or_nothing
    def predict_online(
        self,
        X: Any,
        batch_size: int = 32,
        *,
        label: PseudoLabel = "drm",
        beta: float = 0.9,
        lr_scale: float = 1.0,
        n_steps: int = 1,
    ) -> np.ndarray:
        """Predict rows in the order in which they come, and `adapt` to each batch.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The stream; its order matters.
        batch_size : int, default=32
            Rows of a batch; the last may have fewer.
        label, beta, lr_scale, n_steps : as for `adapt`
            How to learn from a batch.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels, each predicted before the update that its row takes part in.

        Raises
        ------
        ValueError
            As `adapt`.
        """
        check_is_fitted(self)
        n = self._features(X).shape[0]
        batches = (np.arange(i, min(i + batch_size, n)) for i in range(0, n, batch_size))
        options: dict[str, Any] = {
            "label": label, "beta": beta, "lr_scale": lr_scale, "n_steps": n_steps
        }  # fmt: skip
        return np.concatenate([self.adapt(_safe_indexing(X, rows), **options) for rows in batches])

    def reset_adaptation(self) -> Self:
        """Put the heads back to what `fit` made of them.

        Returns
        -------
        DomainSpecificClassifier
            The estimator.
        """
        check_is_fitted(self)
        if hasattr(self, "_as_fitted"):
            self.domain_estimators_, self.shared_estimator_ = self._as_fitted
            self._forget_adaptation()
        return self

    def _check_adaptable(self, label, lr_scale):
        if label == "last" and self.shared_estimator_ is None:
            raise ValueError("label='last' is that of the shared head: set include_shared=True")
        for head in self._heads:
            if isinstance(head, DummyClassifier):
                continue
            name = type(head).__name__
            if not hasattr(head, "partial_fit"):
                raise ValueError(
                    f"adaptation needs heads with partial_fit, which {name} has not: choose one "
                    "such as SGDClassifier(loss='log_loss')"
                )
            takes = "sample_weight" in inspect.signature(head.partial_fit).parameters
            if lr_scale != 1.0 and not takes:
                raise ValueError(
                    f"lr_scale={lr_scale} is a weight of rows, and {name}.partial_fit takes none: "
                    "leave it at 1"
                )

    def _step(self, Z, combined, label, beta, lr_scale):
        """One update of all heads, from what they all say before it."""
        said = [self._proba_of(i, Z) for i in range(len(self._heads))]
        shared = {"last": said[-1], "uniform": sum(said) / len(said), "drm": combined}
        for head, own in zip(self._heads, said, strict=True):
            if isinstance(head, DummyClassifier):  # a single class can teach it nothing
                continue
            proba = shared.get(label, own)
            labels = self.classes_[proba.argmax(axis=1)]
            kept = np.flatnonzero((proba.max(axis=1) >= beta) & np.isin(labels, head.classes_))
            if len(kept):
                weight = {} if lr_scale == 1.0 else {"sample_weight": np.full(len(kept), lr_scale)}
                head.partial_fit(_safe_indexing(Z, kept), labels[kept], **weight)

    def _forget_adaptation(self):
        self.__dict__.pop("_as_fitted", None)
