"""Contestants of the race on streams, and the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from skreg.bench.arena.clock import medians_in_turns

OURS, MIXED, SGD = "OptimisticOMDClassifier", "DriftAdaptiveEnsemble", "SGDClassifier"
TURNS = 3


class Rows(NamedTuple):
    """Rows with labels, dense or CSR."""

    X: Any
    y: np.ndarray


def rows(
    seed: int, *, n_rows: int, n_features: int, density: float = 1.0, dtype: str = "float64"
) -> Rows:
    """Normal rows, or CSR with a share of entries, and noisy labels of a linear rule."""
    rng = np.random.default_rng(seed)
    if density == 1.0:
        X = rng.standard_normal((n_rows, n_features)).astype(dtype, copy=False)
    else:
        X = sparse.random_array(
            (n_rows, n_features), density=density, format="csr", dtype=dtype, rng=rng
        )
    scores = X @ rng.standard_normal(n_features).astype(dtype)
    noise = np.std(scores) * rng.standard_normal(n_rows)
    return Rows(X, (scores + noise > 0.0).astype(int))


def one() -> Any:
    from skreg.online import OptimisticOMDClassifier

    return OptimisticOMDClassifier()


def eight() -> Any:
    from skreg.online import DriftAdaptiveEnsemble

    return DriftAdaptiveEnsemble(one())


def sgd() -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(loss="log_loss")


LEARNERS: dict[str, Callable[[], Any]] = {OURS: one, MIXED: eight, SGD: sgd}


def measure(
    data: Rows, methods: Mapping[str, Callable[[], Any]], _seed: int
) -> Iterator[dict[str, Any]]:
    """Processor seconds of one call of `partial_fit` on all rows."""
    classes = np.array([0, 1])
    some = Rows(data.X[:100], data.y[:100])
    for make in methods.values():
        make().partial_fit(*some, classes=classes)
    actions = {
        name: lambda make=make: make().partial_fit(*data, classes=classes)
        for name, make in methods.items()
    }
    for name, seconds in medians_in_turns(actions, TURNS).items():
        yield {"method": name, "seconds": seconds}
