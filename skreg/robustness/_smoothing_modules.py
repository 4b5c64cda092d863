"""Modules of torch: scores on their own device, and their modes before and after."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from skreg.robustness._smoothing_scores import as_classes, logits_of_probabilities


def is_module(estimator: Any) -> bool:
    """Whether it is a module of torch, which is not imported for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(estimator, torch.nn.Module)


def module_inside(estimator: Any) -> Any:
    """The module that an estimator evaluates, None if it holds none."""
    if is_module(estimator):
        return estimator
    if hasattr(estimator, "steps"):
        return module_inside(estimator.steps[-1][1])
    for name in ("best_estimator_", "net_", "module_", "estimator"):
        inner = getattr(estimator, name, None)
        if inner is not None and inner is not estimator:
            return module_inside(inner)
    return None


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Evaluation mode without gradients; every part has its own mode again afterwards."""
    import torch

    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, training in modes.items():
            part.training = training


class ModuleScores(NamedTuple):
    """A module at noisy inputs, on the device and in the precision of its parameters."""

    module: Any
    sigma: float
    shape: tuple[int, ...]
    gives_probabilities: bool

    def _tensor(self, array):
        import torch

        like = next(self.module.parameters(), None)
        if like is None:
            like = torch.empty(0)
        return torch.from_numpy(np.ascontiguousarray(array)).to(like.device, like.dtype)

    def place(self, X: np.ndarray) -> list[Any]:
        return list(self._tensor(X))

    def noise(self, draws: np.ndarray) -> Any:
        return self._tensor(draws * np.float32(self.sigma)).reshape(-1, *self.shape)

    def scores(self, place: Any, noise: Any) -> np.ndarray:
        import torch

        with torch.no_grad():  # threads of joblib begin with gradients
            z = self.module(place + noise)
        if z.ndim == 1:
            z = z[:, None]
        z = z.float().cpu().numpy()
        if not self.gives_probabilities:
            return np.ascontiguousarray(as_classes(z.T))
        p = np.concatenate([1.0 - z, z], axis=1) if z.shape[1] == 1 else z
        return np.ascontiguousarray(logits_of_probabilities(p).T)
