"""Does the median estimate the centre of a normal sample as well as the mean?

The first paragraph.

The second paragraph, with <markup> & more.
"""

import os
import warnings
from pathlib import Path

import numpy as np

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting
from skreg.bench.arena.checks import level, ratio
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


def curves(results):
    if os.environ.get("TOY_FIGURE_FAILS"):
        raise ZeroDivisionError("the toy was asked to fail")
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
        Claim(
            "The mean is not far off.",
            level("mean", "squared_error", setting="normal", at=10, at_most=2.0),
            ["normal"],
        ),
        Claim(
            "The median is far off.",
            level("median", "squared_error", setting="normal", at=10, at_least=100.0),
            ["normal"],
        ),
        Claim(
            "The mean is better.",
            ratio("mean", "median", "squared_error", setting="normal", at=10, at_most=1.0),
            ["normal"],
        ),
    ],
    figures=[Figure("Squared error against the sample size.", curves, ["normal"])],
)
