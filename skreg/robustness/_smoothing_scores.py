"""Scores of classes for one input under many draws of noise.

Three ways to the same numbers. Each turns a block of standard normal draws, once for all inputs,
into what it needs of the noise (`noise`), and each input into what it needs of that (`place`);
`scores` puts both together, shape (n_classes, n_draws).

    inputs:   the model itself, at x + sigma delta
    affine:   z(x + sigma delta) = z(x) + sigma W delta, so that W delta is computed once
    layers:   the first layer of a perceptron is affine, the others follow
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from scipy.special import expit

COARSE = 1e3  # single precision rounds inputs by 6e-8 of them: up to this many sigma it may
WIDE = 1e30  # single precision holds products of draws with sigma up to there
LEAST = 1e-12  # probabilities are at least that before their logarithm is taken
FAR = -1e30  # a score that far below the largest is never reached


class Scores(Protocol):
    """Scores of a model under noise."""

    def place(self, X: np.ndarray) -> list[Any]:
        """What is needed of each input."""

    def noise(self, draws: np.ndarray) -> Any:
        """What is needed of standard normal draws, shape (n_draws, n_features)."""

    def scores(self, place: Any, noise: Any) -> np.ndarray:
        """Scores, shape (n_classes, n_draws)."""


class InputScores(NamedTuple):
    """The model at noisy inputs, in single precision where that is fine enough for an input."""

    model: Callable[[np.ndarray], np.ndarray]
    sigma: float
    shape: tuple[int, ...]

    def place(self, X: np.ndarray) -> list[np.ndarray]:
        limit = COARSE * self.sigma if self._fits_single_precision else -1.0
        return [x.astype(np.float32) if np.abs(x).max() <= limit else x for x in X]

    def noise(self, draws: np.ndarray) -> np.ndarray:
        kind = np.float32 if self._fits_single_precision else np.float64
        return (draws * kind(self.sigma)).reshape(-1, *self.shape)

    @property
    def _fits_single_precision(self):
        return 1.0 / WIDE < self.sigma < WIDE

    def scores(self, place: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.model(place + noise).T)


class AffineScores(NamedTuple):
    """z(x) + sigma W delta; a shift common to all classes changes no map, and is taken away."""

    model: Callable[[np.ndarray], np.ndarray]
    slopes: np.ndarray  # sigma W, shape (n_classes, n_features), without what classes share

    @classmethod
    def of(cls, model: Callable[[np.ndarray], np.ndarray], slopes: np.ndarray) -> Self:
        return cls(model, slopes - slopes.mean(axis=0))

    def lipschitz(self, sigma: float) -> float:
        """Lipschitz constant of the scores in L2; a shift that classes share does not count."""
        return float(np.linalg.norm(self.slopes, 2)) / sigma

    def place(self, X: np.ndarray) -> list[np.ndarray]:
        z = self.model(X)
        z = np.maximum(z - z.max(axis=1, keepdims=True), FAR)
        return list(z.astype(np.float32)[:, :, None])

    def noise(self, draws: np.ndarray) -> np.ndarray:
        return np.float32(self.slopes) @ draws.T

    def scores(self, place: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return place + noise


class LayerScores(NamedTuple):
    """A perceptron whose first layer sees sigma W delta once for all inputs."""

    first: Callable[[np.ndarray], np.ndarray]
    slopes: np.ndarray  # sigma W of the first layer, shape (n_hidden, n_features)
    activation: Callable[[np.ndarray], np.ndarray]
    layers: list[tuple[np.ndarray, np.ndarray]]  # transposed weights and intercepts of the others

    def place(self, X: np.ndarray) -> list[np.ndarray]:
        return list(self.first(X).astype(np.float32)[:, :, None])

    def noise(self, draws: np.ndarray) -> np.ndarray:
        return np.float32(self.slopes) @ draws.T

    def scores(self, place: np.ndarray, noise: np.ndarray) -> np.ndarray:
        z = place + noise
        for weights, intercepts in self.layers:
            z = weights @ self.activation(z)
            z += intercepts
        return as_classes(z)


def relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0.0, out=z)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda z: z,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": relu,
}


def as_classes(z: np.ndarray) -> np.ndarray:
    """Scores of two classes, (0, d), from the single one of the second."""
    return np.concatenate([np.zeros_like(z), z]) if len(z) == 1 else z


def logits_of_decisions(decisions: np.ndarray) -> np.ndarray:
    """Scores of shape (n, n_classes) from what a `decision_function` returns."""
    z = np.clip(decisions, FAR, -FAR)  # of a class without weight the score may be -inf
    if z.ndim == 2 and z.shape[1] > 1:
        return z
    z = z.reshape(-1)
    return np.stack([np.zeros_like(z), z], axis=1)


def logits_of_probabilities(p: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities, kept finite."""
    return np.log(np.maximum(np.asarray(p), LEAST))
