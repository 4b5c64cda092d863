"""The benchmark on restored digits runs, and its rivals are what they are called."""

import numpy as np
import pandas as pd
import pytest

from skreg.bench._cli import main
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench.arena import transport_restoration as digits
from skreg.bench.papers import linear_transport_restoration as claims

NAME = "linear-transport-restoration"


def test_smallest_size_runs(tmp_path, capsys):
    words = ["bench", NAME, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / NAME / "results.parquet")
    benchmark = load_benchmark(find_benchmarks()[NAME].path)
    assert set(results["method"]) == set(benchmark.methods) - set(benchmark.absent)
    own = results[results["alpha"] == 1.0].groupby("setting")[["mse", "distance"]]
    np.testing.assert_allclose(own.max(), own.min(), rtol=1e-10)  # all paths end in the same place


@pytest.fixture(scope="module")
def task():
    return digits.restored_digits(0, n_examples=64, covariance="ledoit_wolf")


def test_examples_are_unpaired_and_not_among_the_test_images(task):
    assert len(task.restored) == len(task.clean) == 64
    known = {image.tobytes() for image in task.X_true}
    assert sum(image.tobytes() in known for image in task.clean) == 0
    assert ((task.restored[:, None] - task.clean) ** 2).sum(axis=2).min() > 0.5


def test_colouring_gives_the_same_covariance_as_the_optimal_map_at_greater_cost(task):
    latents = [task.encoder.transform(part) for part in (task.restored, task.clean, task.restored)]
    coloured = digits.cholesky_colouring(*latents, "empirical")
    np.testing.assert_allclose(
        np.cov(coloured.T), np.cov(latents[1].T), atol=1e-8 * np.abs(np.cov(latents[1].T)).max()
    )
    optimal = digits.GaussianTransport().fit(latents[0], X_target=latents[1]).transform(latents[2])
    assert np.sum((optimal - latents[2]) ** 2) < np.sum((coloured - latents[2]) ** 2)


def test_maps_of_single_pixels_give_their_moments_and_their_histograms(task):
    same = task._replace(X=task.restored)
    moments, histograms = (
        claims.METHODS[name](same) for name in (claims.MOMENTS, claims.HISTOGRAMS)
    )
    varying = task.restored.std(axis=0) > 1e-3
    np.testing.assert_allclose(
        moments.std(axis=0)[varying], task.clean.std(axis=0)[varying], atol=1e-12
    )
    np.testing.assert_allclose(
        np.sort(histograms, axis=0)[:, varying], np.sort(task.clean, axis=0)[:, varying], atol=1e-9
    )
