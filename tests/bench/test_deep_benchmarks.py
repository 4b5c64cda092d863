"""The benchmarks of skreg.deep run at their smallest size, and their parts are right."""

import ast
import importlib
import re

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("skorch")

import torch
from torch import nn
from torch.nn import functional as F

from skreg.bench import Evidence
from skreg.bench._cells import plan_cells
from skreg.bench._cli import main
from skreg.bench._registry import find_benchmarks, load_benchmark
from skreg.bench.arena import deep_methods, deep_tasks, embeddings, modular_addition, networks
from skreg.bench.arena.deep_checks import sooner
from skreg.bench.papers import stablemax_perpgrad
from skreg.deep import DeepClassifier
from skreg.deep.regularizers import LabelSmoothing

NAMES = [
    "early-learning-regularization",
    "self-knowledge-distillation",
    "stablemax-perpgrad",
    "conr",
    "threshold-consistent-margin",
]
WITH_TORCH = [*NAMES, "tram", "conv-orthogonality", "weight-compander", "deep-overhead"]


def numbers_of(name, draw, n_seeds=5):
    """A benchmark, and results of its full size with numbers of any kind."""
    benchmark = load_benchmark(find_benchmarks()[name].path)
    rows = []
    for cell in plan_cells(name, benchmark, "full", n_seeds):
        setting = benchmark.settings[cell.setting]
        places = cell.parameters["epochs"] if setting.axis else [None]
        rows += [
            {"setting": cell.setting, "method": method, "seed": cell.seed}
            | ({setting.axis.column: place} if setting.axis else {})
            | {metric: draw(metric, method) for metric in setting.metrics}
            for method in cell.methods
            for place in places
        ]
    return benchmark, pd.DataFrame(rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_smallest_size_runs(name, tmp_path, capsys):
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    benchmark = load_benchmark(find_benchmarks()[name].path)
    assert set(results["method"]) == set(benchmark.methods)


def test_benchmarks_say_that_they_need_torch():
    files = find_benchmarks()
    assert all(files[name].extra == "deep" for name in WITH_TORCH)


@pytest.mark.parametrize("name", WITH_TORCH)
def test_claims_read_results_and_say_nothing_about_one_seed(name):
    rng = np.random.default_rng(0)
    for n_seeds in (1, 5):
        benchmark, results = numbers_of(name, lambda metric, method: rng.uniform(1, 2), n_seeds)
        evidence = Evidence(results, benchmark.settings, benchmark.metrics)
        for claim in benchmark.claims:
            read = results["setting"].isin(claim.settings)
            verdict = claim.check(evidence._replace(results=results[read]))
            assert verdict.measured
            if n_seeds == 1:
                assert verdict.outcome != "reproduced"


def record_in(path):
    """Arguments of the PAPER of a file, read without importing it."""
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="PAPER")], value=ast.Call(keywords=keywords)):
                return {word.arg: ast.literal_eval(word.value) for word in keywords}
    raise AssertionError(f"{path.name} has no PAPER")


@pytest.mark.parametrize("name", [name for name in WITH_TORCH if name != "deep-overhead"])
def test_records_of_papers_are_literals_and_name_what_there_is(name):
    record = record_in(find_benchmarks()[name].path)
    assert all(author.count(", ") == 1 for author in record["authors"])
    assert re.fullmatch(r"\d{4}\.\d{5}", record["arxiv"])
    assert record.get("code", "https://github.com/").startswith("https://github.com/")
    for path in record["here"].split(", "):
        module, _, attribute = path.rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), path


@pytest.mark.parametrize("name", WITH_TORCH)
def test_figures_draw_one_seed_and_several(name):
    rng = np.random.default_rng(0)
    for n_seeds in (1, 3):
        benchmark, results = numbers_of(name, lambda metric, method: rng.uniform(1, 2), n_seeds)
        assert benchmark.figures
        for figure in benchmark.figures:
            panels = figure.draw(results).axes
            assert panels
            assert all(panel.get_title(loc="center") and panel.get_xlabel() for panel in panels)


def lead_of(perp, decay):
    """Verdict on who is sooner, from the epochs at which seeds reach the accuracy."""
    epochs = [50, 100, 150]
    rows = [
        {
            "setting": stablemax_perpgrad.ADDITION, "method": method, "seed": seed, "epoch": epoch,
            "accuracy": 0.95 if epoch >= reached else 0.5,
        }
        for method, times in {stablemax_perpgrad.PERP: perp, "decay": decay}.items()
        for seed, reached in enumerate(times)
        for epoch in epochs
    ]  # fmt: skip
    addition = stablemax_perpgrad.ADDITION
    check = sooner(stablemax_perpgrad.PERP, "decay", "accuracy", setting=addition, reached=0.9)
    return check(Evidence(pd.DataFrame(rows), stablemax_perpgrad.benchmark.settings, {})).outcome


def test_who_generalises_sooner_is_told_by_the_epochs_of_each_seed():
    never = np.inf
    assert lead_of([50, 50, 50], [100, 150, 150]) == "reproduced"
    assert lead_of([50, 50, 50], [never, never, never]) == "reproduced"
    assert lead_of([50, 50, 50], [50, 50, 50]) == "contradicted"
    assert lead_of([never, never, never], [150, 100, 150]) == "contradicted"
    assert lead_of([50, 150, 100], [100, 100, 100]) == "undecided"
    assert lead_of([50, 50, 50], [50, never, never]) == "undecided"
    assert lead_of([never, never, never], [never, never, never]) == "undecided"


def test_what_a_method_adds_reaches_the_net():
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    y = np.arange(40) % 2
    method = deep_methods.with_regularizer(LabelSmoothing, 0.3)
    method = method._replace(net_params=deep_methods.with_decay(0.25).net_params)
    model = DeepClassifier(max_epochs=1, net_params={"optimizer__weight_decay": 0.0})
    net = deep_methods.fitted(model, method, X, y).net_
    assert dict(net.regularizers)["LabelSmoothing"].smoothing == 0.3
    assert net.optimizer_.param_groups[0]["weight_decay"] == 0.25


def test_perceptron_is_linear_layers_with_relu_between():
    net = networks.perceptron(3, 5, 4, 2)
    assert [type(layer) for layer in net] == [nn.Linear, nn.ReLU] * 2 + [nn.Linear]
    assert [tuple(net[i].weight.shape) for i in (0, 2, 4)] == [(5, 3), (4, 5), (2, 4)]
    dropping = networks.perceptron(3, 5, 2, dropout=0.2, bias=False)
    assert [type(layer) for layer in dropping] == [nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert dropping[0].bias is None
    assert dropping[2].p == 0.2


def test_share_of_wrong_digits_is_that_of_the_paper():
    task = deep_tasks.noisy_digits(0)
    wrong = np.mean(task.y != task.truth)
    assert wrong == pytest.approx(0.36, abs=4 * np.sqrt(0.36 * 0.64 / len(task.y)))
    np.testing.assert_array_equal(task.y, deep_tasks.noisy_digits(0).y)


def test_classes_to_embed_are_not_those_of_training():
    task = deep_tasks.digits_of_unseen_classes(0)
    assert len(set(task.y)) == 6
    assert len(set(task.y_test)) == 4
    assert not set(task.y) & set(task.y_test)


def test_pairs_of_addition_are_all_pairs_once():
    pairs = modular_addition.addition(0, modulus=7, epochs=[1])
    X, y = torch.cat([pairs.X, pairs.X_test]), torch.cat([pairs.y, pairs.y_test])
    assert len(torch.unique(X, dim=0)) == len(X) == 49
    assert torch.equal(y, (X[:, :7].argmax(1) + X[:, 7:].argmax(1)) % 7)
    assert len(pairs.y) == 19


def test_turned_digits_are_skewed_in_training_and_uniform_in_the_test():
    images = deep_tasks.turned_digits(0)
    assert np.mean(images.y > 60) < 0.05
    assert np.mean(images.y_test > 60) > 0.4
    upright = deep_tasks.turned(np.ones((1, 8, 8)), [0.0])[0, 0]
    np.testing.assert_allclose(upright, np.pad(np.ones((8, 8)), 2), atol=1e-6)


def test_proxy_network_puts_out_scaled_cosines():
    net = networks.ProxyNetwork(5, 3)
    X = torch.randn(4, 5)
    expected = 16 * F.cosine_similarity(net.embedding(X)[:, None], net.proxies[None], dim=2)
    torch.testing.assert_close(net(X), expected)


def test_contrastive_margins_average_over_all_pairs():
    z, y = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    batch = type("Batch", (), {"y": y})
    found = embeddings.ContrastiveMargins().penalty(None, batch, None, z)
    pull, push = [], []
    for i in range(6):
        for j in set(range(6)) - {i}:
            s = F.cosine_similarity(z[i], z[j], dim=0)
            (pull if y[i] == y[j] else push).append(
                (0.9 - s if y[i] == y[j] else s - 0.5).clamp(min=0)
            )
    assert found.item() == pytest.approx((np.mean(pull) + np.mean(push)).item(), rel=1e-5)


@pytest.mark.parametrize("y", [[0], [0, 0], [0, 1, 2]])
def test_contrastive_margins_are_finite_without_pairs_of_a_kind(y):
    z, batch = torch.randn(len(y), 4), type("Batch", (), {"y": torch.tensor(y)})
    assert torch.isfinite(embeddings.ContrastiveMargins().penalty(None, batch, None, z))
