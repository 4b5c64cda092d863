"""Regressions with a certified excess; clusters and mixtures on weighted samples.

"Clusters": six of normal rows in five dimensions, and two far from these that hold one row in a
thousand together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from skreg.bench import Axis
from skreg.bench.arena.coreset_tasks import scored_regression
from skreg.coreset import (
    CoresetEstimator,
    LpRegressor,
    SensitivitySampler,
    StreamingCoreset,
    clustering_distortion,
    mixture_distortion,
)

BOUND, FIT, GROWN = "certified excess", "excess of the fit", "grown until certified"
UNIFORM, DISTANCE, STREAM = "uniform", "distance", "distance, on a stream"
ROWS = Axis("n_samples", "expected rows m")
N_CLUSTERS, FAR_SHARE, N_BATCHES = 8, 1e-3, 20


def regression(_seed: int, *, n_samples: int, wanted: float) -> Any:
    return (*scored_regression(1)[:3], n_samples, wanted)


def measure_certificate(
    problem: Any, _methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    X, y, least, n_samples, wanted = problem

    def fitted(n_samples: int, excess: float) -> tuple[Any, float]:
        sampler = SensitivitySampler(p=1, n_samples=n_samples, random_state=seed)
        model = CoresetEstimator(LpRegressor(p=1), sampler, excess=excess).fit(X, y)
        return model, np.abs(y - model.predict(X)).sum() / least - 1

    model, excess = fitted(n_samples, np.inf)
    yield {"method": BOUND, "excess": model.excess_, "over": model.excess_ / excess}
    yield {"method": FIT, "excess": excess}
    model, excess = fitted(n_samples // 4, wanted)
    yield {"method": GROWN, "excess": excess, "n_subsets": len(model.excess_path_)}


def clusters(seed: int, *, n_rows: int, sizes: Sequence[int], n_probes: int) -> Any:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 5)) * rng.uniform(0.5, 1.5, 5)
    X += (6.0 * rng.standard_normal((6, 5)))[rng.integers(0, 6, n_rows)]
    centres = rng.standard_normal((2, 5))
    centres *= 60.0 / np.linalg.norm(centres, axis=1)[:, None]
    far = rng.permutation(n_rows)[: int(FAR_SHARE * n_rows)]
    X[far] = centres[rng.integers(0, 2, len(far))] + rng.standard_normal((len(far), 5))
    return X, sizes, n_probes


def measure_clusters(
    problem: Any, _methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    X, sizes, n_probes = problem

    def drawn(n_samples: int, **params: Any) -> tuple[Any, Any]:
        sampler = SensitivitySampler(n_samples=n_samples, random_state=seed, **params)
        kept, _, weight = sampler.fit_resample_weighted(X)
        return kept, weight

    def streamed(n_samples: int, **params: Any) -> tuple[Any, Any]:
        stream = StreamingCoreset(n_samples=n_samples, include_y=None, random_state=seed, **params)
        for batch in np.array_split(X, N_BATCHES):
            stream.partial_fit(batch)
        kept, _, weight = stream.get_coreset(reduce=True)
        return kept, weight

    for size in sizes:
        samples = {
            UNIFORM: drawn(size, scores="uniform"),
            DISTANCE: drawn(size, scores="distance", floor=1.0),
            STREAM: streamed(size, scores="distance", floor=1.0),
        }
        for name, sample in samples.items():
            probes = {"n_probes": n_probes, "random_state": seed}
            yield {
                "method": name,
                "n_samples": size,
                "clusterings": clustering_distortion(X, *sample, N_CLUSTERS, **probes),
                "mixtures": mixture_distortion(X, *sample, N_CLUSTERS, **probes),
            }
