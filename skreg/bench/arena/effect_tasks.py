"""Linear models whose effects are asked for, and how far the answers are from the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from skreg.bench import Axis, Metric
from skreg.bench.arena.effect_methods import known_warnings, model
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import make_linear_sem
from skreg.graphs import descendants

ROWS, MISSING = Axis("rows", "rows"), Axis("missing", "share of values that are missing")
METRICS = {
    "effects": Metric("Error of the total effects"),
    "shd": Metric("SHD", digits=1),
    "coverage": Metric("Share of effects that are covered", better="higher"),
    "without": Metric("Share of intervals that are 0 alone"),
}
LEVEL, N_BOOTSTRAPS = 0.95, 100


class Case(NamedTuple):
    """Rows (n, d), of which some values may be missing, and true weights (d, d)."""

    X: np.ndarray
    truth: np.ndarray


def total_effects(W: np.ndarray) -> np.ndarray:
    return np.linalg.inv(np.eye(len(W)) - W) - np.eye(len(W))


def accuracy(truth: np.ndarray, W: np.ndarray) -> dict[str, float]:
    """Relative error of all total effects together, and edges to change."""
    effects = total_effects(truth)
    return {
        "effects": float(np.linalg.norm(total_effects(W) - effects) / np.linalg.norm(effects)),
        "shd": structural_hamming_distance(truth, W),
    }


def first_rows(seed: int, *, rows: Sequence[int], **sem: Any) -> dict[float, Case]:
    """The first rows of one sample, for each of several numbers."""
    drawn = make_linear_sem(max(rows), random_state=seed, **sem)
    return {n: Case(drawn.X[:n], drawn.adjacency) for n in rows}


def with_holes(
    seed: int, *, missing: Sequence[float], n_samples: int, **sem: Any
) -> dict[float, Case]:
    """One sample with each of several shares of its values missing, whatever the values are."""
    drawn = make_linear_sem(n_samples, random_state=seed, **sem)
    chance = np.random.default_rng([seed, 1]).random(drawn.X.shape)  # another stream than X
    return {
        share: Case(np.where(chance < share, np.nan, drawn.X), drawn.adjacency) for share in missing
    }


def measure_along(axis: Axis) -> Any:
    """Measures the weights of every method at every place of the axis."""

    def measure(
        cases: Mapping[float, Case], methods: Mapping[str, Any], _seed: int
    ) -> Iterator[dict[str, Any]]:
        with threadpool_limits(1):
            for place, (X, truth) in cases.items():
                for name, method in methods.items():
                    W = method(X, truth)
                    yield {"method": name, axis.column: place} | accuracy(truth, W)

    return measure


class Question(NamedTuple):
    """Rows, true weights, and a pair of nodes with a directed path between them."""

    X: np.ndarray
    truth: np.ndarray
    cause: int
    effect: int

    @property
    def answer(self) -> float:
        return float(total_effects(self.truth)[self.cause, self.effect])


def ask(
    seed: int, *, rows: Sequence[int], n_questions: int, **sem: Any
) -> dict[float, list[Question]]:
    """Each question has a graph of its own and a pair drawn from those with a directed path."""
    rng = np.random.default_rng(seed)
    questions: dict[float, list[Question]] = {n: [] for n in rows}
    for _ in range(n_questions):
        drawn = make_linear_sem(max(rows), random_state=rng, **sem)
        pairs = np.argwhere(descendants(drawn.adjacency != 0))
        cause, effect = (int(node) for node in rng.choice(pairs))
        for n in rows:
            questions[n].append(Question(drawn.X[:n], drawn.adjacency, cause, effect))
    return questions


def measure_coverage(
    questions: Mapping[float, Sequence[Question]], methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    """Shares of intervals that cover the effect; methods say where the graph is from."""
    with threadpool_limits(1):
        for n, asked in questions.items():
            for name, graph in methods.items():
                ends = np.array([interval(question, graph, seed) for question in asked])
                truth = np.array([question.answer for question in asked])
                yield {
                    "method": name,
                    ROWS.column: n,
                    "coverage": np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])),
                    "without": np.mean((ends == 0).all(axis=1)),
                }


def interval(question: Question, graph: str, seed: int) -> tuple[float, float]:
    """Ends of the interval in the "true" graph, or a learned one, "fixed" or "relearned"."""
    edges = question.truth != 0
    known = {"include_edges": edges, "exclude_edges": ~edges} if graph == "true" else {}
    with known_warnings():
        result = (
            model(**known)
            .fit(question.X)
            .average_effect(
                question.cause,
                question.effect,
                question.X,
                graph="relearned" if graph == "relearned" else "fixed",
                n_bootstraps=N_BOOTSTRAPS,
                confidence_level=LEVEL,
                random_state=seed,
            )
        )
    return result.low, result.high
