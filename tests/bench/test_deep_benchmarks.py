"""The benchmarks of skreg.deep run at their smallest size, and their parts are right."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("skorch")

import torch
from torch import nn
from torch.nn import functional as F

from skreg.bench._cli import main
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench.arena import networks
from skreg.bench.papers import (
    conr,
    early_learning_regularization,
    stablemax_perpgrad,
    threshold_consistent_margin,
)
from skreg.deep import RegularizedNetClassifier

NAMES = [
    "early-learning-regularization",
    "stablemax-perpgrad",
    "conr",
    "threshold-consistent-margin",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_smallest_size_runs(name, tmp_path, capsys):
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    benchmark = load_benchmark(find_benchmarks()[name].path)
    assert set(results["method"]) == set(benchmark.methods)


def test_benchmarks_say_that_they_need_torch_and_one_is_quick():
    files = find_benchmarks()
    assert all(files[name].extra == "deep" for name in NAMES)
    quick = [name for name in NAMES if "quick" in load_benchmark(files[name].path).sizes]
    assert quick == ["threshold-consistent-margin"]


def test_perceptron_is_linear_layers_with_relu_between():
    net = networks.perceptron(3, 5, 4, 2)
    assert [type(layer) for layer in net] == [nn.Linear, nn.ReLU] * 2 + [nn.Linear]
    assert [tuple(net[i].weight.shape) for i in (0, 2, 4)] == [(5, 3), (4, 5), (2, 4)]


def test_mixup_trains_on_the_mixed_loss():
    X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    y = np.arange(12) % 3
    mixup = networks.Mixup()
    net = RegularizedNetClassifier(
        nn.Linear(3, 3), regularizers=[("mixup", mixup)], batch_size=12, max_epochs=1, lr=0.0,
        train_split=None, verbose=0,
    ).fit(X, y)  # fmt: skip
    share, partner, _ = mixup.mixing_
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    logits = net.module_(share * inputs + (1 - share) * inputs[partner])
    expected = share * F.cross_entropy(logits, labels)
    expected = expected + (1 - share) * F.cross_entropy(logits, labels[partner])
    assert net.history[-1]["train_loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_share_of_wrong_digits_is_that_of_the_paper():
    task, _ = early_learning_regularization.noisy_digits(0, epochs=1)
    wrong = np.mean(task.y != task.truth)
    assert wrong == pytest.approx(0.36, abs=4 * np.sqrt(0.36 * 0.64 / len(task.y)))
    again, _ = early_learning_regularization.noisy_digits(0, epochs=1)
    np.testing.assert_array_equal(task.y, again.y)


def test_pairs_of_addition_are_all_pairs_once():
    pairs = stablemax_perpgrad.addition(0, modulus=7, epochs=[1])
    X, y = torch.cat([pairs.X, pairs.X_test]), torch.cat([pairs.y, pairs.y_test])
    assert len(torch.unique(X, dim=0)) == len(X) == 49
    assert torch.equal(y, (X[:, :7].argmax(1) + X[:, 7:].argmax(1)) % 7)
    assert len(pairs.y) == 19


def test_turned_digits_are_skewed_in_training_and_uniform_in_the_test():
    images, _ = conr.turned_digits(0, epochs=1)
    assert np.mean(images.y > 60) < 0.05
    assert np.mean(images.y_test > 60) > 0.4
    upright = conr.turn(np.ones((1, 8, 8)), [0.0])[0, 0]
    np.testing.assert_allclose(upright, np.pad(np.ones((8, 8)), 2), atol=1e-6)


def test_proxy_network_puts_out_scaled_cosines():
    net = threshold_consistent_margin.ProxyNetwork(5, 3)
    X = torch.randn(4, 5)
    expected = 16 * F.cosine_similarity(net.embedding(X)[:, None], net.proxies[None], dim=2)
    torch.testing.assert_close(net(X), expected)


def test_contrastive_margins_average_over_all_pairs():
    z, y = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    batch = type("Batch", (), {"y": y})
    found = threshold_consistent_margin.ContrastiveMargins().penalty(None, batch, None, z)
    pull, push = [], []
    for i in range(6):
        for j in set(range(6)) - {i}:
            s = F.cosine_similarity(z[i], z[j], dim=0)
            (pull if y[i] == y[j] else push).append(
                (0.9 - s if y[i] == y[j] else s - 0.5).clamp(min=0)
            )
    assert found.item() == pytest.approx((np.mean(pull) + np.mean(push)).item(), rel=1e-5)
