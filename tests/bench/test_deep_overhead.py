"""The benchmark of step times covers every regularizer, on the network it names."""

import pandas as pd
import pytest

from skreg.bench import Evidence
from skreg.bench._cli import main
from skreg.bench.arena.networks import ResNet18
from skreg.bench.races import deep_overhead
from skreg.deep import regularizers


@pytest.mark.slow
def test_smallest_size_times_every_regularizer(tmp_path, capsys):
    words = ["bench", "deep-overhead", "--size", "smallest", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / "deep-overhead" / "results.parquet")
    timed = {*regularizers.__all__} - {*deep_overhead.FOR_PIXELS}
    assert set(results["method"]) == {"plain", *timed, "skorch", "by hand"}
    assert (results["milliseconds"] > 0).all()
    assert (results.loc[results["method"] == "plain", "ratio"] == 1).all()


def test_network_is_resnet_18():
    """Its form for CIFAR-10 has 11 173 962 weights."""
    network = ResNet18(10)
    assert sum(p.numel() for p in network.parameters()) == 11_173_962


def verdict_of(milliseconds):
    """Verdict on two regularizers that may cost a fifth, each in a setting of its own."""
    rows = [
        {"setting": setting, "method": method, "seed": seed, "milliseconds": time}
        for (setting, method), times in milliseconds.items()
        for seed, time in enumerate(times)
    ]
    benchmark = deep_overhead.benchmark
    evidence = Evidence(pd.DataFrame(rows), benchmark.settings, benchmark.metrics)
    return deep_overhead.costs_at_most(1.2, "ELR", "ConR")(evidence).outcome


@pytest.mark.parametrize(
    ("elr", "conr", "outcome"),
    [
        ([10.5, 21.0, 42.0], [5.5, 5.5, 5.5], "reproduced"),
        ([15.0, 30.0, 60.0], [5.5, 5.5, 5.5], "contradicted"),
        ([10.5, 21.0, 42.0], [8.0, 8.0, 8.0], "contradicted"),
        ([10.0, 20.0, 60.0], [5.5, 5.5, 5.5], "undecided"),
    ],
)
def test_step_is_compared_with_the_plain_one_of_the_same_repeat_and_setting(elr, conr, outcome):
    assert outcome == verdict_of(
        {
            (deep_overhead.CLASSIFICATION, "plain"): [10.0, 20.0, 40.0],
            (deep_overhead.CLASSIFICATION, "ELR"): elr,
            (deep_overhead.REGRESSION, "plain"): [5.0, 5.0, 5.0],
            (deep_overhead.REGRESSION, "ConR"): conr,
        }
    )
