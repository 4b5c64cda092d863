"""The benchmark of step times covers every regularizer, on the network it names."""

import pandas as pd
import pytest

from skreg.bench._cli import main
from skreg.bench.races import deep_overhead
from skreg.deep import regularizers


@pytest.mark.slow
def test_smallest_size_times_every_regularizer(tmp_path, capsys):
    words = ["bench", "deep-overhead", "--size", "smallest", "--output", str(tmp_path)]
    assert main(words) == 0, capsys.readouterr().out
    results = pd.read_parquet(tmp_path / "smallest" / "deep-overhead" / "results.parquet")
    assert set(results["method"]) == {"plain", *regularizers.__all__, "skorch", "by hand"}
    assert (results["milliseconds"] > 0).all()
    assert (results.loc[results["method"] == "plain", "ratio"] == 1).all()


def test_network_is_resnet_18():
    """Its form for CIFAR-10 has 11 173 962 weights."""
    network = deep_overhead.ResNet18(10)
    assert sum(p.numel() for p in network.parameters()) == 11_173_962


def test_claims_compare_the_median_ratio_with_the_allowed_one():
    results = pd.DataFrame({"method": ["a", "a", "a", "b"], "ratio": [1.0, 1.1, 9.0, 1.2]})
    assert deep_overhead.at_most(["a", "b"], 1.2)(results).reproduced
    verdict = deep_overhead.at_most(["a", "b"], 1.15)(results)
    assert not verdict.reproduced
    assert verdict.measured == "a 1.10, b 1.20 times"


def test_the_net_is_compared_with_its_rival():
    results = pd.DataFrame({"method": ["plain", "skorch"], "ratio": [1.0, 0.8]})
    assert deep_overhead.no_slower_than("skorch", 1.3)(results).reproduced
    verdict = deep_overhead.no_slower_than("skorch", 1.1)(results)
    assert not verdict.reproduced
    assert verdict.measured == "1.25 times"
