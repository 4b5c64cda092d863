"""Settings of the benchmark on CoLiDE: which graphs are drawn, with which weights and noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skreg.bench import Axis, Setting
from skreg.bench.arena import dag_tasks as tasks

VARIANCE = Axis("variance", "noise variance")
SMALL: dict[str, Any] = {"n_features": 20, "weight_range": (0.5, 2.0)}
WEAK_WEIGHTS = (0.25, 1.0)
VARIANCES = (0.5, 10.0)  # of the noise in different nodes


def equal_variances(methods: Sequence[str]) -> Setting:
    """One graph for each seed, at several variances of the noise."""
    return Setting(
        "20 nodes, weights from 0.5 to 2, the same noise variance in all nodes; one graph for "
        "each seed, at several variances.",
        tasks.draw_each,
        tasks.measure_each,
        list(tasks.METRICS),
        axis=VARIANCE,
        methods=methods,
        parameters={
            "smallest": {**SMALL, "n_features": 10, "variances": [0.1]},
            "quick": {**SMALL, "variances": [0.1, 50.0]},
            "full": {**SMALL, "variances": [0.1, 0.5, 1.0, 5.0, 10.0, 50.0]},
        },
    )


def standardised(methods: Sequence[str]) -> Setting:
    """Columns of variance one."""
    return recovery(
        "20 nodes, weights from 0.5 to 2, noise variance 1; then every column has variance 1.",
        methods,
        ("quick", "full"),
        **SMALL,
        standardize=True,
    )


def unequal_variances(methods: Sequence[str]) -> Setting:
    """Strong weights and another noise variance in each node."""
    return recovery(
        "20 nodes, weights from 0.5 to 2, noise variances from 0.5 to 10.",
        methods,
        **SMALL,
        noise_variance=VARIANCES,
    )


def weak_weights(n_features: int, methods: Sequence[str]) -> Setting:
    """Weak weights and another noise variance in each node."""
    return recovery(
        f"{n_features} nodes, weights from 0.25 to 1, noise variances from 0.5 to 10.",
        methods,
        n_features=n_features,
        weight_range=WEAK_WEIGHTS,
        noise_variance=VARIANCES,
    )


def not_gaussian(noise: str, methods: Sequence[str]) -> Setting:
    """Noise of another kind."""
    return recovery(
        f"20 nodes, weights from 0.5 to 2, {noise} noise of variance 5.",
        methods,
        **SMALL,
        noise=noise,
        noise_variance=5.0,
    )


def scale_free(methods: Sequence[str]) -> Setting:
    """Graphs with hubs."""
    return recovery(
        "20 nodes, scale-free graph, weights from 0.5 to 2, noise variance 5.",
        methods,
        **SMALL,
        graph="scale-free",
        noise_variance=5.0,
    )


def recovery(
    description: str, methods: Sequence[str], sizes: Sequence[str] = ("full",), **data: Any
) -> Setting:
    """A graph for each seed; `data` are those of `dag_tasks.draw`, the same at all sizes."""
    return Setting(
        description,
        tasks.draw,
        tasks.measure,
        list(tasks.METRICS),
        methods=methods,
        parameters=dict.fromkeys(sizes, data),
    )
