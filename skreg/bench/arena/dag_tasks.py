"""Linear structural equation models to recover, and how far a graph is from the true one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from threadpoolctl import threadpool_limits

from skreg.bench import Metric
from skreg.bench.arena.dag_methods import Graph, Published
from skreg.causal.metrics import (
    cpdag_hamming_distance,
    edge_rates,
    noise_scale_error,
    structural_hamming_distance,
    structural_intervention_distance,
)
from skreg.datasets import LinearSEM, make_linear_sem

N_SAMPLES = 1000
METRICS = {
    "shd": Metric("SHD", digits=1),
    "shd_c": Metric("SHD-C", digits=1),
    "sid": Metric("SID / pairs"),
    "tpr": Metric("true positive rate", better="higher"),
    "fdr": Metric("false discovery rate"),
    "noise": Metric("relative noise error"),
}


def draw(seed: int, *, standardize: bool = False, **sem: Any) -> LinearSEM:
    drawn = make_linear_sem(N_SAMPLES, random_state=seed, **sem)
    if not standardize:
        return drawn
    unit = drawn.X.std(axis=0)
    return drawn._replace(
        X=drawn.X / unit,
        adjacency=drawn.adjacency * unit[:, None] / unit,
        noise_scale=drawn.noise_scale / unit,
    )


def draw_each(seed: int, *, variances: Iterable[float], **sem: Any) -> dict[float, LinearSEM]:
    """The same graph and weights at several variances of the noise."""
    return {variance: draw(seed, noise_variance=variance, **sem) for variance in variances}


def measure(sem: LinearSEM, methods: Mapping[str, Any], _seed: int) -> Iterator[dict[str, Any]]:
    with threadpool_limits(1):
        for name, method in methods.items():
            if isinstance(method, Published):
                yield {"method": name} | method._asdict()
            else:
                yield {"method": name} | accuracy(sem, method(sem.X))


def measure_each(
    sems: Mapping[float, LinearSEM], methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    for variance, sem in sems.items():
        for row in measure(sem, methods, seed):
            yield row | {"variance": variance}


def accuracy(sem: LinearSEM, graph: Graph) -> dict[str, float | None]:
    """All metrics of one graph; the noise error only where noise levels are estimated."""
    B, E = sem.adjacency, graph.adjacency
    rates = edge_rates(B, E)
    d = len(B)
    return {
        "shd": structural_hamming_distance(B, E),
        "shd_c": cpdag_hamming_distance(B, E),
        "sid": structural_intervention_distance(B, E) / (d * (d - 1)),
        "tpr": rates.true_positive_rate,
        "fdr": rates.false_discovery_rate,
        "noise": None
        if graph.noise_scale is None
        else noise_scale_error(sem.noise_scale, graph.noise_scale),
    }
