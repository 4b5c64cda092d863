"""How the scores of a fitted estimator are reached: by its methods, or faster if it is affine."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from sklearn.neural_network import MLPClassifier

from skreg._optional import require
from skreg.robustness._linear_boundary_steps import Scores as AffineMap
from skreg.robustness._linear_boundary_steps import pull_back_through
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

PROBES = 16
AGREEMENT = 1e-6  # of scores with coefficients, as a share of the largest


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

    def slopes(self, W: np.ndarray, n_features: int) -> np.ndarray | None:
        """sigma times slopes of the inputs, from those of what the classifier sees.

        None if a step is not known to be affine, or does not answer as one.
        """
        named = [(str(place), step) for place, step in enumerate(self.steps)]
        try:
            slopes = pull_back_through(named, AffineMap(W, np.zeros(len(W)))).coef
        except TypeError:
            return None
        probes = self.probes(n_features)
        ahead = np.asarray(self.transform(probes) - self.transform(np.zeros_like(probes)))
        return self.sigma * slopes if _same(probes @ slopes.T, ahead @ W.T) else None

    def probes(self, n_features: int) -> np.ndarray:
        """A few inputs at random."""
        return np.random.default_rng(0).normal(scale=self.sigma, size=(PROBES, n_features))


def _affine_or_layers(estimator, sigma, n_features):
    steps, head = steps_of(estimator)
    ahead = _Ahead(with_names(estimator), steps, sigma)
    if type(head) is MLPClassifier:
        return _layer_scores(head, ahead, n_features)
    if hasattr(head, "coef_") and hasattr(head, "decision_function"):
        return _affine_scores(head, ahead, n_features)
    return None


def _layer_scores(head, ahead, n_features):
    (W, *others), (b, *intercepts) = head.coefs_, head.intercepts_
    slopes = ahead.slopes(W.T, n_features)
    if slopes is None:
        return None
    layers = [
        (w.T.astype(np.float32), c[:, None].astype(np.float32))
        for w, c in zip(others, intercepts, strict=True)
    ]
    return LayerScores(
        lambda X: np.asarray(ahead.transform(X)) @ W + b,
        slopes, ACTIVATIONS[head.activation], layers,
    )  # fmt: skip


def _affine_scores(head, ahead, n_features):
    W = np.atleast_2d(np.asarray(head.coef_, dtype=float))
    slopes = ahead.slopes(as_classes(W), n_features) if np.isfinite(W).all() else None
    if slopes is None:
        return None

    def decisions(X):
        return logits_of_decisions(head.decision_function(ahead.transform(X)))

    probes = ahead.probes(n_features)
    by_hand = np.asarray(ahead.transform(probes)) @ W.T + getattr(head, "intercept_", 0.0)
    if not _same(logits_of_decisions(by_hand), decisions(probes)):
        return None  # a head that does not decide by its coefficients
    return AffineScores.of(decisions, slopes)


def _same(numbers, others):
    """Whether two arrays of scores are the same, as far as the largest of them can tell."""
    if numbers.shape != others.shape or not np.isfinite(numbers).all():
        return False
    return np.abs(numbers - others).max() <= AGREEMENT * max(np.abs(others).max(), 1e-300)
