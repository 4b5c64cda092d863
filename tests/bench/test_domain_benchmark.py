"""The benchmark of heads of domains runs, and its tasks are what they are said to be."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("skorch")

from skreg.bench._cli import main
from skreg.bench.arena import domain_networks as networks
from skreg.bench.arena import domain_tasks as tasks
from skreg.bench.arena.domain_settings import OF_NETWORKS, ON_FEATURES, POOLED, SIMILAR


def test_smallest_size_runs(tmp_path, capsys):
    name = "domain-specific-risk-minimization"
    words = ["bench", name, "--size", "smallest", "--n-jobs", "1", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / name / "results.parquet")
    assert set(results["method"]) == set(ON_FEATURES)
    assert results["accuracy"].between(0, 1).all()


def test_four_rules_are_linear_in_each_domain():
    task = tasks.shifted_concepts(1, n=50)
    assert task.train.X.shape == (200, 10)
    assert set(task.target.domains) == {1}
    for head in task.model.domain_estimators_:
        assert max(head.score(*part) for part in by_domain(task.held_out)) > 0.8
    again = tasks.shifted_concepts(1, n=50)
    np.testing.assert_array_equal(again.target.X, task.target.X)
    found = {name: method(task)["accuracy"] for name, method in ON_FEATURES.items()}
    assert found[SIMILAR] > found[POOLED]


def by_domain(rows):
    for name in np.unique(rows.domains):
        yield rows.X[rows.domains == name], rows.y[rows.domains == name]


def test_turned_digits_are_disjoint_parts():
    domains = tasks.rotated_digits(0)
    assert sum(len(rows.y) for rows in domains.values()) == 1797
    train, target = tasks.without_angle(domains, 30)
    assert set(target.domains) == {30}
    assert set(train.domains) == {0, 15, 45, 60, 75}
    plain = domains[0].X.reshape(-1, 8, 8)
    assert plain.max() == 1.0


def test_networks_answer_for_each_angle():
    task = networks.turned_digits(0, targets=(0,), max_epochs=1)
    rows = list(networks.measure(task, OF_NETWORKS, seed=0))
    assert [row["method"] for row in rows] == list(OF_NETWORKS)
    assert all(row["angle"] == 0 and 0 <= row["accuracy"] <= 1 for row in rows)
