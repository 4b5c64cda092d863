"""How the scores of a fitted estimator are reached: by its methods, or faster if it is affine."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from skreg._optional import require
from skreg.robustness._smoothing_modules import (
    ModuleScores,
    evaluating,
    is_module,
    module_inside,
)
from skreg.robustness._smoothing_scores import (
    ACTIVATIONS,
    AffineScores,
    InputScores,
    LayerScores,
    Scores,
    as_classes,
    logits_of_decisions,
    logits_of_probabilities,
)

AFFINE = (StandardScaler, MaxAbsScaler, MinMaxScaler, RobustScaler, PCA, TruncatedSVD)
PROBES = 16
AGREEMENT = 1e-6  # of a head's scores with its coefficients, as a share of the largest


def scores_of(estimator: Any, sigma: float, response: str, shape: tuple[int, ...]) -> Scores:
    """The fastest exact way to the scores of a fitted estimator.

    Raises
    ------
    ValueError
        If the estimator has no method that gives the `response`.
    """
    if is_module(estimator):
        return ModuleScores(estimator, sigma, shape, response == "predict_proba")
    if response != "predict_proba" and len(shape) == 1:
        found = _affine_or_layers(estimator, sigma, shape[0])
        if found is not None:
            return found
    return InputScores(model_of(estimator, response), sigma, shape)


def check_response(estimator: Any, response: str) -> None:
    """Refuse what has no scores of classes, fitted or not."""
    if is_module(estimator):
        return
    if not hasattr(estimator, "fit"):
        raise ValueError(f"estimator must be a classifier or a torch.nn.Module; got {estimator!r}")
    head = steps_of(estimator)[1]
    pairs = getattr(head, "decision_function_shape", "ovr") == "ovo"
    if pairs and len(getattr(estimator, "classes_", ())) > 2:
        raise ValueError(
            f"{type(head).__name__} has decision_function_shape='ovo', scores of pairs of classes; "
            "set it to 'ovr'"
        )
    if response != "logits" or type(head) is not MLPClassifier:
        model_of(estimator, response)


def while_evaluating(estimator: Any) -> AbstractContextManager:
    """Modules in it are in evaluation mode, without gradients, and then as they were."""
    module = module_inside(estimator)
    return nullcontext() if module is None else evaluating(module)


def model_of(estimator: Any, response: str) -> Callable[[np.ndarray], np.ndarray]:
    """Scores of shape (n, n_classes) for arrays, of an estimator that may know names."""
    framed = with_names(estimator)
    if response != "predict_proba" and hasattr(estimator, "decision_function"):
        return lambda X: logits_of_decisions(estimator.decision_function(framed(X)))
    if response != "logits" and hasattr(estimator, "predict_proba"):
        return lambda X: logits_of_probabilities(estimator.predict_proba(framed(X)))
    wanted = {
        "auto": "neither decision_function nor predict_proba",
        "logits": "no decision_function, as response='logits' asks for",
        "predict_proba": "no predict_proba, as response='predict_proba' asks for",
    }
    raise ValueError(
        f"{type(estimator).__name__} has {wanted[response]}; smoothing needs scores of the classes"
    )


def with_names(estimator: Any) -> Callable[[np.ndarray], Any]:
    """What makes of an array the frame that an estimator fitted on frames asks for."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        return lambda X: X
    pandas = require(
        "pandas", "bench", f"smoothing a {type(estimator).__name__} with feature names"
    )
    return lambda X: pandas.DataFrame(X, columns=names, copy=False)


def steps_of(estimator: Any) -> tuple[list[Any], Any]:
    """Transformers, and the classifier behind them, of a Pipeline, search or frozen estimator."""
    if hasattr(estimator, "best_estimator_"):
        return steps_of(estimator.best_estimator_)
    if type(estimator).__name__ == "FrozenEstimator":
        return steps_of(estimator.estimator)
    if not hasattr(estimator, "steps"):
        return [], estimator
    inner, head = steps_of(estimator.steps[-1][1])
    before = [step for _, step in estimator.steps[:-1] if step not in (None, "passthrough")]
    return before + inner, head


class _Ahead(NamedTuple):
    """Affine transformers ahead of a classifier."""

    framed: Callable[[np.ndarray], Any]
    steps: list[Any]
    sigma: float

    def transform(self, X: np.ndarray) -> np.ndarray:
        """What the classifier sees of inputs."""
        X = self.framed(X)
        for step in self.steps:
            X = step.transform(X)
        return X

    def slopes(self, W: np.ndarray) -> np.ndarray:
        """sigma times slopes of the inputs, from those of what the classifier sees."""
        for step in reversed(self.steps):
            W = _pulled_back(W, step)
        return self.sigma * W


def _affine_or_layers(estimator, sigma, n_features):
    steps, head = steps_of(estimator)
    if not all(map(_is_affine, steps)):
        return None
    ahead = _Ahead(with_names(estimator), steps, sigma)
    if type(head) is MLPClassifier:
        return _layer_scores(head, ahead)
    if hasattr(head, "coef_") and hasattr(head, "decision_function"):
        return _affine_scores(head, ahead, n_features)
    return None


def _layer_scores(head, ahead):
    (W, *others), (b, *intercepts) = head.coefs_, head.intercepts_
    layers = [
        (w.T.astype(np.float32), c[:, None].astype(np.float32))
        for w, c in zip(others, intercepts, strict=True)
    ]
    return LayerScores(
        lambda X: np.asarray(ahead.transform(X)) @ W + b,
        ahead.slopes(W.T), ACTIVATIONS[head.activation], layers,
    )  # fmt: skip


def _affine_scores(head, ahead, n_features):
    def decisions(X):
        return logits_of_decisions(head.decision_function(ahead.transform(X)))

    probes = np.random.default_rng(0).normal(scale=ahead.sigma, size=(PROBES, n_features))
    if not _agrees_with_coefficients(head, np.asarray(ahead.transform(probes)), decisions(probes)):
        return None
    W = as_classes(np.atleast_2d(np.asarray(head.coef_, dtype=float)))
    return AffineScores.of(decisions, ahead.slopes(W))


def _pulled_back(W, step):
    """W A for the matrix A of an affine step, of shape (n_columns_out, n_columns_in)."""
    if isinstance(step, SelectorMixin):
        support = step.get_support()
        wide = np.zeros((len(W), len(support)))
        wide[:, support] = W
        return wide
    if isinstance(step, MinMaxScaler):
        return W * step.scale_
    if isinstance(step, (PCA, TruncatedSVD)):
        if getattr(step, "whiten", False):
            W = W / np.maximum(np.sqrt(step.explained_variance_), np.finfo(float).eps)
        return W @ step.components_
    return W if step.scale_ is None else W / step.scale_


def _is_affine(step):
    if type(step) in AFFINE:
        return not getattr(step, "clip", False)
    return isinstance(step, SelectorMixin) and type(step).transform is SelectorMixin.transform


def _agrees_with_coefficients(head, X, z):
    """Whether scores are X coef + intercept, as a linear classifier's are."""
    coef, intercept = np.atleast_2d(head.coef_), np.asarray(getattr(head, "intercept_", 0.0))
    if coef.shape[1] != X.shape[1] or not (
        np.isfinite(coef).all() and np.isfinite(intercept).all()
    ):
        return False
    by_hand = logits_of_decisions(X @ coef.T + intercept)
    if by_hand.shape != z.shape:
        return False
    return np.abs(by_hand - z).max() <= AGREEMENT * max(np.abs(z).max(), 1e-300)
