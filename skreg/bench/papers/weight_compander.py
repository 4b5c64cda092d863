"""Does companding keep weights small and away from zero, and does that help?

Cakaj, Mehnert and Yang (arXiv:2306.16993) train a free variable behind each weight, of which the
weight is a bounded nonlinear function, and report better accuracy in image classification on top of
the usual regularizers. Their formula was not at hand; what is measured is the arctangent of
`skreg.deep.torch.WeightCompander`, which fits their description. Outcomes are those of the
reconstruction, not of the paper.

A perceptron is trained on 200 handwritten digits, with momentum, weight decay and a cosine
schedule. Measured are accuracy and log-loss on the other digits, and, in the middle layer, the
largest weight and the share of weights below 0.01.

Rivals are the plain network, label smoothing and dropout.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from skorch.callbacks import LRScheduler
from torch import nn

from skreg.bench import (
    Benchmark,
    Claim,
    Figure,
    Metric,
    Setting,
    Verdict,
    by_seed,
    mean_and_standard_error,
)
from skreg.bench.arena.networks import one_thread
from skreg.bench.arena.views import new_figure
from skreg.deep import DeepClassifier
from skreg.deep.regularizers import WeightCompander
from skreg.deep.torch import ExperimentalWarning, weight_statistics

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

PLAIN, SMOOTHING, DROPOUT = "Plain", "Label smoothing 0.1", "Dropout 0.2"
STEEP, WIDE, FLAT = "Slope 2, bound 4 s.d.", "Slope 2, bound 8 s.d.", "Slope 1, bound 8 s.d."
LEARNED = "Learned scales"
SETTING = "200 digits"


class Method(NamedTuple):
    """What is added to plain training."""

    compander: Callable[[], WeightCompander] | None = None
    dropout: float = 0.0
    label_smoothing: float = 0.0


METHODS = {
    PLAIN: Method(),
    SMOOTHING: Method(label_smoothing=0.1),
    DROPOUT: Method(dropout=0.2),
    STEEP: Method(lambda: WeightCompander(2.0, 4.0)),
    WIDE: Method(lambda: WeightCompander(2.0, 8.0)),
    FLAT: Method(lambda: WeightCompander(1.0, 8.0)),
    LEARNED: Method(lambda: WeightCompander(2.0, 4.0, learnable=True)),
}


def few_digits(seed: int, *, epochs: int) -> Any:
    X, y = load_digits(return_X_y=True)
    split = train_test_split(
        X.astype(np.float32) / 16, y, train_size=200, stratify=y, random_state=seed
    )
    return split, epochs


def network(dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(256, 256), nn.ReLU(), nn.Dropout(dropout),
        nn.Linear(256, 10),
    )  # fmt: skip


def measure(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    (X, X_test, y, y_test), epochs = data
    for name, method in methods.items():
        model = DeepClassifier(
            module=network,
            regularizers=[("it", method.compander())] if method.compander else None,
            optimizer=torch.optim.SGD,
            lr=0.05,
            max_epochs=epochs,
            batch_size=50,
            standardize=False,
            callbacks=[LRScheduler("CosineAnnealingLR", T_max=epochs)],
            random_state=seed,
            net_params={
                "module__dropout": method.dropout,
                "optimizer__momentum": 0.9,
                "optimizer__weight_decay": 5e-4,
                "criterion__label_smoothing": method.label_smoothing,
            },
        )
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            probability = model.fit(X, y).predict_proba(X_test).astype(np.float64)
        _, middle, _ = weight_statistics(model.net_.module_)
        yield {
            "method": name,
            "accuracy": 100 * np.mean(probability.argmax(axis=1) == y_test),
            "log_loss": log_loss(y_test, probability),
            "largest": middle.largest,
            "near_zero": middle.share_near_zero,
        }


def differences(results: pd.DataFrame, metric: str, method: str) -> np.ndarray:
    values = by_seed(results, SETTING, metric, ["method"])
    return (values[method] - values[PLAIN]).to_numpy()


def small_and_away_from_zero(results: pd.DataFrame) -> Verdict:
    largest, near_zero = (differences(results, m, STEEP) for m in ("largest", "near_zero"))
    return Verdict(
        bool((largest < 0).all() and (near_zero < 0).all()),
        f"largest weight {largest.mean():+.3f}, share near zero {near_zero.mean():+.3f}; highest "
        f"of all seeds {largest.max():+.3f} and {near_zero.max():+.3f}",
        "both lower on every seed",
    )


def harmless(results: pd.DataFrame) -> Verdict:
    loss = {name: differences(results, "accuracy", name).mean() for name in (STEEP, WIDE)}
    return Verdict(
        all(value >= -0.5 for value in loss.values()),
        "; ".join(f"{name}: {value:+.2f} points" for name, value in loss.items()),
        "mean ≥ -0.5 points",
    )


def better_accuracy(results: pd.DataFrame) -> Verdict:
    gain = differences(results, "accuracy", STEEP)
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return Verdict(
        bool(gain.mean() > 2 * error),
        f"{gain.mean():+.2f} ± {error:.2f} points",
        "more than two standard errors above the plain network",
    )


def draw_weights(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    names = list(METHODS)
    labels = {"accuracy": "Test accuracy (%)", "near_zero": "Share of weights below 0.01"}
    for panel, (metric, label) in zip(panels, labels.items(), strict=True):
        statistics = mean_and_standard_error(by_seed(results, SETTING, metric, ["method"]))
        statistics = statistics.loc[names]
        panel.errorbar(
            statistics["mean"], range(len(names)), xerr=statistics["standard_error"], fmt="o",
            color="#0072B2",
        )  # fmt: skip
        panel.set_yticks(
            range(len(names)), labels=names if panel is panels[0] else [""] * len(names)
        )
        panel.set(xlabel=label)
        panel.invert_yaxis()
    return figure


benchmark = Benchmark(
    settings={
        SETTING: Setting(
            description=(
                "200 training digits of 8 x 8 pixels, perceptron 64-256-256-10, 80 epochs of SGD "
                "with momentum 0.9, weight decay 5e-4 and a cosine schedule; 1597 test digits."
            ),
            data=few_digits,
            measure=measure,
            metrics=["accuracy", "log_loss", "largest", "near_zero"],
            parameters={"smallest": {"epochs": 2}, "full": {"epochs": 80}},
        )
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", "%", digits=2, better="higher"),
        "log_loss": Metric("Log-loss"),
        "largest": Metric("Largest weight"),
        "near_zero": Metric("Share of weights below 0.01"),
    },
    repeats={"smallest": 1, "quick": 10, "full": 10},
    reference=PLAIN,
    claims=[
        Claim(
            "Companding bounds the weights and keeps them away from zero.",
            small_and_away_from_zero,
            [SETTING],
        ),
        Claim("It costs no accuracy.", harmless, [SETTING]),
        Claim("It improves accuracy on top of weight decay.", better_accuracy, [SETTING]),
    ],
    figures=[
        Figure("Means over the seeds with one standard error.", draw_weights, [SETTING]),
    ],
)
