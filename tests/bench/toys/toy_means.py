"""Does the median estimate the centre of a normal sample as well as the mean?

The first paragraph.

The second paragraph, with <markup> & more.
"""

import os
import warnings
from pathlib import Path

import numpy as np

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict
from skreg.bench.arena.views import draw_curves, new_figure


def normal_sample(seed, *, n_samples):
    return np.random.default_rng(seed).normal(size=max(n_samples))[None, :], n_samples


def squared_errors(data, methods, seed):
    sample, sizes = data
    for name, method in methods.items():
        _leave_a_trace(name, seed)
        for size in sizes:
            error = method(sample[0, :size]) ** 2
            yield {"method": name, "n_samples": size, "squared_error": error}


def _leave_a_trace(name, seed):
    """Tell the tests which cells ran, and fail or stop in those that they name."""
    if "TOY_TRACES" in os.environ:
        with open(Path(os.environ["TOY_TRACES"]), "a") as traces:
            traces.write(f"{name} {seed}\n")
    if f"{name} {seed}" in os.environ.get("TOY_FAILS", "").split(", "):
        raise ZeroDivisionError("the toy was asked to fail")
    if os.environ.get("TOY_INTERRUPTED") == f"{name} {seed}":
        raise KeyboardInterrupt
    if os.environ.get("TOY_WARNS"):
        warnings.warn("the toy was asked to warn\nat length", RuntimeWarning, stacklevel=2)


def mean_is_better(results):
    error = results.groupby("method")["squared_error"].mean()
    ratio = error["median"] / error["mean"]
    return Verdict(bool(ratio > 1), f"ratio {ratio:.2f}", "> 1")


def median_is_better(results):
    error = results.groupby("method")["squared_error"].mean()
    ratio = error["median"] / error["mean"]
    return Verdict(bool(ratio < 0.01), f"ratio {ratio:.2f}", "< 0.01")


def curves(results):
    figure, (panel,) = new_figure(1)
    draw_curves(panel, results, "normal", "squared_error", "n_samples", ["mean", "median"])
    return figure


benchmark = Benchmark(
    settings={
        "normal": Setting(
            description="Standard normal samples.",
            data=normal_sample,
            measure=squared_errors,
            metrics=["squared_error"],
            axis=Axis("n_samples", "samples"),
            parameters={
                "smallest": {"n_samples": [5, 10]},
                "quick": {"n_samples": [5, 10]},
                "full": {"n_samples": [5, 10, 100]},
            },
        )
    },
    methods={"mean": np.mean, "median": np.median},
    metrics={"squared_error": Metric("Squared error")},
    repeats={"smallest": 2, "quick": 4, "full": 8},
    reference="mean",
    claims=[
        Claim("The mean is better.", mean_is_better, ["normal"]),
        Claim("The median is a hundred times better.", median_is_better, ["normal"]),
    ],
    figures=[Figure("Squared error against the sample size.", curves, ["normal"])],
)
