"""The benchmarks on sharpness, orthogonality and companding run, and their parts are right."""

import copy

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("skorch")

import torch
from torch.nn import functional as F

from skreg.bench import Evidence
from skreg.bench._cli import main
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench.arena import fine_tuning, orthogonal_kernels
from skreg.bench.arena.deep_checks import over_kernels
from skreg.bench.papers import conv_orthogonality, tram
from skreg.deep.torch import orthogonal_conv_init_, orthogonality_loss


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tram", "conv-orthogonality", "weight-compander"])
def test_smallest_size_runs(name, tmp_path, capsys):
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    file = find_benchmarks()[name]
    assert file.extra == "deep"
    assert set(results["method"]) == set(load_benchmark(file.path).methods)


def test_shifts_keep_all_pixels_and_move_the_image_by_one():
    X = torch.arange(128.0).reshape(2, 64)
    shifts = fine_tuning.shifted(X)
    assert shifts.shape == (8, 64)
    assert torch.equal(shifts.sort(dim=1).values, X.repeat(4, 1))
    np.testing.assert_array_equal(shifts[0].reshape(8, 8)[1:], X[0].reshape(8, 8)[:-1])


def test_fine_tuning_is_deterministic_and_plain_adam_is_adam():
    task = fine_tuning.pretrained_digits(0, epochs=1, fine_tuning=2)
    method = tram.METHODS[tram.ADAM]
    first, _ = fine_tuning.fine_tuned(task, method, 3)
    network = copy.deepcopy(task.network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for index in fine_tuning.batches(100, 32, 2, 3):
        optimizer.zero_grad()
        F.cross_entropy(network(task.X[index]), task.y[index]).backward()
        optimizer.step()
    for found, wanted in zip(first.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_same_padding_is_wrong_at_orthogonal_kernels_with_stride_two_and_misses_lags_without():
    weight = orthogonal_conv_init_(torch.empty(6, 4, 3, 3, dtype=torch.float64), stride=2)
    assert orthogonal_kernels.same_padding_loss(weight, stride=2) > 1
    row = torch.zeros(1, 1, 3, 3, dtype=torch.float64)
    row[0, 0, 1, 0] = row[0, 0, 1, 2] = 0.5**0.5  # correlates with itself at lag two only
    assert orthogonal_kernels.same_padding_loss(row).item() == pytest.approx(0.0, abs=1e-12)
    assert orthogonality_loss(row).item() == pytest.approx(0.5)


def test_flattened_kernel_is_a_matrix():
    Q = torch.linalg.qr(torch.randn(36, 6, dtype=torch.float64))[0].T
    assert orthogonal_kernels.flattened_loss(Q.reshape(6, 4, 3, 3)).item() == pytest.approx(
        0, abs=1e-12
    )


def test_kernel_descends_to_an_orthogonal_convolution():
    kernel = orthogonal_kernels.random_kernel(0, shape=(3, 4, 1), n_steps=200)
    before = kernel.weight.clone()
    weight = orthogonal_kernels.descended(kernel, orthogonality_loss)
    assert orthogonality_loss(weight) < 1e-3 < orthogonality_loss(before)
    assert torch.equal(kernel.weight, before)


def test_most_extreme_singular_values_are_those_of_all_kernels():
    kernels = conv_orthogonality.KERNELS
    rows = [
        {"setting": setting, "method": "it", "seed": seed, "sigma_min": low, "sigma_max": high}
        for setting, pairs in zip(
            kernels,
            [[(0.5, 1.0), (0.9, 1.1)], [(0.6, 3.0), (0.2, 1.2)], [(0.7, 2.0), (0.8, 1.3)]],
            strict=True,
        )
        for seed, (low, high) in enumerate(pairs)
    ]
    evidence = Evidence(pd.DataFrame(rows), conv_orthogonality.benchmark.settings, {})
    lowest = over_kernels(kernels, "it", "sigma_min", at_most=1)(evidence)
    assert "smallest singular value of it 0.35 (" in lowest.measured
    highest = over_kernels(kernels, "it", "sigma_max", at_least=1)(evidence)
    assert "largest singular value of it 2.15 (" in highest.measured
