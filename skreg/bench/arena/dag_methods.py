"""Contestants of the benchmarks on acyclic graphs: one function for each.

A contestant takes the rows (n, d) and returns a `Graph`; a `Published` one has run elsewhere.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Self
from unittest import mock

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg.causal import CoLiDE, SortNRegress

ALPHA, THRESHOLD = 0.05, 0.3
STAGES: dict[str, Any] = {
    "T": 4,
    "s": [1.0, 0.9, 0.8, 0.7],
    "warm_iter": 20_000,
    "max_iter": 70_000,
}


class Graph(NamedTuple):
    """Estimated weights (d, d), and noise standard deviations (d,) where there are any."""

    adjacency: np.ndarray
    noise_scale: Any = None


class Published(NamedTuple):
    """Numbers from a paper that stand beside ours; the fields are metrics of `dag_tasks`."""

    shd: float
    shd_c: float | None = None
    sid: float | None = None
    tpr: float | None = None
    fdr: float | None = None


def colide(noise: Any, **parameters: Any) -> Callable[[np.ndarray], Graph]:
    """CoLiDE with the paper's settings, its scale among them."""
    parameters = {"scale": None} | parameters

    def fit(X: np.ndarray) -> Graph:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the paper's caps are part of it
            warnings.filterwarnings("ignore", "all columns have the same variance", UserWarning)
            model = CoLiDE(noise, ALPHA, threshold=THRESHOLD, **parameters).fit(X)
        return Graph(model.adjacency_matrix_, np.broadcast_to(model.sigma_, len(model.mean_)))

    return fit


def sort_n_regress(X: np.ndarray) -> Graph:
    model = SortNRegress(threshold=THRESHOLD).fit(X)
    return Graph(model.adjacency_matrix_, model.sigma_)


def empty_graph(X: np.ndarray) -> Graph:
    return Graph(np.zeros((X.shape[1], X.shape[1])), X.std(axis=0))


def dagma(X: np.ndarray, **stages: Any) -> Graph:
    """The package dagma at CoLiDE's settings, without its progress bar."""
    import dagma.linear

    with mock.patch.object(dagma.linear, "tqdm", NoProgress):
        model = dagma.linear.DagmaLinear("l2")
        # it centres X in place and adds to s
        settings = STAGES | stages
        W = model.fit(
            X.copy(), lambda1=ALPHA, w_threshold=THRESHOLD, **settings | {"s": list(settings["s"])}
        )
    return Graph(W)


class NoProgress:
    """Stands in for a progress bar."""

    def __init__(self, **_: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def update(self, n: int) -> None:
        """Show nothing."""


def direct_lingam(X: np.ndarray) -> Graph:
    """lingam's DirectLiNGAM; its matrix is the transpose of ours."""
    import lingam

    W = lingam.DirectLiNGAM().fit(X).adjacency_matrix_.T
    return Graph(np.where(np.abs(W) > THRESHOLD, W, 0.0))
