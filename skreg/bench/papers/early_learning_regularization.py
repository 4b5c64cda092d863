"""Do ELR and self-distillation help where labels or a network's confidence are wrong?

Liu et al. (NeurIPS 2020) add a term to the cross entropy that keeps what a network predicts early
in training, before it memorises wrong labels (ELR); ELR+ adds a second network, averaged weights
and mixup. In a small version of their experiment, 40% of the training labels of handwritten digits
are drawn anew from all classes. Measured is the accuracy on clean test digits after the last epoch,
how many of the wrong labels were memorised, and how well wrong labels are found: by ELR's running
averages, for other methods by their predictions of the training digits.

Kim et al. (ICCV 2021) soften each target by the network's own prediction of the epoch before
(PS-KD) for better confidence. In a small version, 500 samples of a simulated problem with a tenth
of the labels flipped train a network on inputs with Gaussian noise. With twice the noise the
network is calibrated without help, and PS-KD is expected to harm: its strength must be validated.

Rivals are plain cross entropy, label smoothing, weight decay and mixup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
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
from skreg.bench.arena.networks import GaussianNoise, Mixup, one_thread, perceptron
from skreg.bench.arena.views import new_figure
from skreg.deep import DeepClassifier, Regularizer
from skreg.deep.regularizers import ELR, PSKD, ELRPlus
from skreg.metrics import expected_calibration_error, risk_coverage_score

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

PLAIN, SMOOTHING, DECAY = "Cross entropy", "Label smoothing 0.1", "Weight decay"
MIXUP, PS_KD = "Mixup", "PS-KD"
ELR_WEAK, ELR_, ELR_PLUS = "ELR, strength 1", "ELR, strength 3", "ELR+"
DIGITS = "Digits, 40% of the labels drawn anew"
NOISE, MORE_NOISE = "Input noise 0.3", "Input noise 0.6"


class Task(NamedTuple):
    """Training rows with labels as given, their true labels, and test rows."""

    X: np.ndarray
    y: np.ndarray
    truth: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    noise: float


class Method(NamedTuple):
    """What is added to plain training; the regularizers are made anew for every fit."""

    regularizers: Callable[[], list[tuple[str, Regularizer]]] = list
    label_smoothing: float = 0.0
    weight_decay: float = 0.0
    passes: int = 1


METHODS = {
    PLAIN: Method(),
    SMOOTHING: Method(label_smoothing=0.1),
    DECAY: Method(weight_decay=5e-3),
    MIXUP: Method(lambda: [("mixup", Mixup())]),
    PS_KD: Method(lambda: [("ps_kd", PSKD())]),
    ELR_WEAK: Method(lambda: [("elr", ELR(lam=1.0))]),
    ELR_: Method(lambda: [("elr", ELR(lam=3.0))]),
    # the paper's ramp of 40000 steps is about half of a network's training
    ELR_PLUS: Method(lambda: [("elr_plus", ELRPlus(ema_rampup=1200))], passes=2),
}


def noisy_digits(seed: int, *, epochs: int) -> Any:
    rng = np.random.default_rng(seed)
    X, truth = load_digits(return_X_y=True)
    X, X_test, truth, y_test = train_test_split(
        X.astype(np.float32) / 16, truth, train_size=0.7, stratify=truth, random_state=seed
    )
    redrawn = rng.random(len(truth)) < 0.4
    y = np.where(redrawn, rng.integers(0, 10, len(truth)), truth)
    return Task(X, y, truth, X_test, y_test, 0.0), epochs


def flipped_clusters(seed: int, *, noise: float, epochs: int) -> Any:
    X, y = make_classification(
        2000, 20, n_informative=10, n_redundant=5, n_classes=5, n_clusters_per_class=2, flip_y=0.1,
        class_sep=1.2, random_state=seed,
    )  # fmt: skip
    X, X_test, y, y_test = train_test_split(X, y, train_size=500, random_state=seed)
    scaler = StandardScaler().fit(X)
    X, X_test = (scaler.transform(part).astype(np.float32) for part in (X, X_test))
    return Task(X, y, y, X_test, y_test, noise), epochs


def fitted(
    task: Task,
    method: Method,
    seed: int,
    *,
    widths: Sequence[int],
    epochs: int,
    batch_size: int,
    nesterov: bool = False,
    callbacks: Sequence[Any] = (),
) -> DeepClassifier:
    regularizers = [*method.regularizers()]
    if task.noise:
        regularizers.insert(0, ("noise", GaussianNoise(task.noise)))
    model = DeepClassifier(
        module=perceptron_of(task, widths),
        regularizers=regularizers,
        optimizer=torch.optim.SGD,
        lr=0.05,
        max_epochs=epochs * method.passes,
        batch_size=batch_size,
        callbacks=list(callbacks),
        random_state=seed,
        net_params={
            "optimizer__momentum": 0.9,
            "optimizer__nesterov": nesterov,
            "optimizer__weight_decay": method.weight_decay,
            "criterion__label_smoothing": method.label_smoothing,
        },
    )
    with one_thread():
        return model.fit(task.X, task.y)


def perceptron_of(task: Task, widths: Sequence[int]) -> Callable[[], nn.Module]:
    def module() -> nn.Module:
        return perceptron(task.X.shape[1], *widths, int(task.y.max()) + 1)

    return module


def measure_noisy_digits(
    data: Any, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    task, epochs = data
    for name, method in methods.items():
        model = fitted(task, method, seed, widths=(256, 256), epochs=epochs, batch_size=64)
        wrong, predicted = task.y != task.truth, model.predict(task.X)
        suspected = predicted != task.y
        if "elr" in dict(model.net_.regularizers):
            suspected = dict(model.net_.regularizers)["elr"].label_issues_
        yield {
            "method": name,
            "accuracy": model.score(task.X_test, task.y_test),
            "memorised": np.mean(predicted[wrong] == task.y[wrong]),
            "found": np.mean(suspected[wrong]),
            "false_alarms": np.mean(suspected[~wrong]),
        }


def measure_confidence(
    data: Any, methods: Mapping[str, Any], seed: int
) -> Iterator[dict[str, Any]]:
    task, epochs = data
    steps = [epochs // 2, 3 * epochs // 4]
    for name, method in methods.items():
        model = fitted(
            task,
            method._replace(weight_decay=method.weight_decay or 5e-4),
            seed,
            widths=(128, 128),
            epochs=epochs,
            batch_size=50,
            nesterov=True,
            callbacks=[LRScheduler("MultiStepLR", milestones=steps, gamma=0.1)],
        )
        probability = model.predict_proba(task.X_test)
        yield {
            "method": name,
            "error": np.mean(probability.argmax(axis=1) != task.y_test),
            "log_loss": log_loss(task.y_test, probability),
            "calibration": expected_calibration_error(task.y_test, probability),
            "risk_coverage": risk_coverage_score(task.y_test, probability),
        }


def differences(
    results: pd.DataFrame, setting: str, metric: str, method: str, rival: str
) -> np.ndarray:
    values = by_seed(results, setting, metric, ["method"])
    return (values[method] - values[rival]).to_numpy()


def elr_beats_plain(results: pd.DataFrame) -> Verdict:
    gain = differences(results, DIGITS, "accuracy", ELR_, PLAIN)
    return Verdict(
        bool(gain.mean() >= 0.10),
        f"mean gain {gain.mean():.3f}, from {gain.min():.3f} to {gain.max():.3f}",
        "mean gain ≥ 0.10",
    )


def elr_finds_wrong_labels(results: pd.DataFrame) -> Verdict:
    found = by_seed(results, DIGITS, "found", ["method"])[ELR_].mean()
    alarms = by_seed(results, DIGITS, "false_alarms", ["method"])[ELR_].mean()
    return Verdict(
        bool(found >= 0.7 and alarms < 0.03),
        f"{found:.1%} of the wrong labels found, {alarms:.1%} of the right ones suspected",
        "≥ 70% found, < 3% false alarms",
    )


def elr_plus_beats_elr(results: pd.DataFrame) -> Verdict:
    gain = differences(results, DIGITS, "accuracy", ELR_PLUS, ELR_)
    return Verdict(
        bool(gain.mean() > 0),
        f"mean gain {gain.mean():.3f}, ahead on {int((gain > 0).sum())} of {len(gain)} seeds",
        "mean gain > 0",
    )


def elr_beats_rivals(results: pd.DataFrame) -> Verdict:
    values = by_seed(results, DIGITS, "accuracy", ["method"]).mean()
    best = max((PLAIN, SMOOTHING, DECAY, MIXUP, PS_KD), key=values.get)
    return Verdict(
        bool(values[ELR_] > values[best]),
        f"ELR {values[ELR_]:.3f}, best rival ({best}) {values[best]:.3f}",
        "mean accuracy above that of every rival",
    )


def ps_kd_improves_confidence(results: pd.DataFrame) -> Verdict:
    loss = differences(results, NOISE, "log_loss", PS_KD, PLAIN)
    calibration = differences(results, NOISE, "calibration", PS_KD, PLAIN)
    ranking = differences(results, NOISE, "risk_coverage", PS_KD, SMOOTHING)
    return Verdict(
        bool(loss.mean() <= -0.2 and calibration.mean() <= -0.04 and ranking.mean() <= 0),
        f"log-loss {loss.mean():+.3f} and calibration error {calibration.mean():+.3f} against "
        f"cross entropy, area under risk-coverage {ranking.mean():+.4f} against label smoothing",
        "≤ -0.2, ≤ -0.04, ≤ 0",
    )


def ps_kd_harms_the_calibrated(results: pd.DataFrame) -> Verdict:
    calibration = differences(results, MORE_NOISE, "calibration", PS_KD, PLAIN)
    return Verdict(
        bool(calibration.mean() > 0),
        f"calibration error {calibration.mean():+.3f}, higher on "
        f"{int((calibration > 0).sum())} of {len(calibration)} seeds",
        "mean difference > 0",
    )


def draw_accuracy(results: pd.DataFrame) -> MatplotlibFigure:
    figure, (panel,) = new_figure(1)
    statistics = mean_and_standard_error(by_seed(results, DIGITS, "accuracy", ["method"]))
    statistics = statistics.loc[[name for name in METHODS if name in statistics.index]]
    panel.errorbar(
        statistics["mean"], range(len(statistics)), xerr=statistics["standard_error"], fmt="o",
        color="#0072B2",
    )  # fmt: skip
    panel.set_yticks(range(len(statistics)), labels=statistics.index)
    panel.set(xlabel="Accuracy on clean test digits, last epoch")
    panel.invert_yaxis()
    return figure


def confidence_setting(noise: float, note: str) -> Setting:
    return Setting(
        description=(
            "20 features, 5 classes of two clusters, 10% of the labels flipped, 500 training rows; "
            f"noise of standard deviation {noise} is added to the inputs of each step. {note}"
        ),
        data=flipped_clusters,
        measure=measure_confidence,
        metrics=["error", "log_loss", "calibration", "risk_coverage"],
        methods=[PLAIN, SMOOTHING, DECAY, MIXUP, PS_KD],
        parameters={
            "smallest": {"noise": noise, "epochs": 4},
            "full": {"noise": noise, "epochs": 80},
        },
    )


benchmark = Benchmark(
    settings={
        DIGITS: Setting(
            description=(
                "1257 training digits of 8 x 8 pixels, whose labels are drawn anew from all ten "
                "classes with probability 0.4 (36% are then wrong); network 64-256-256-10, 120 "
                "epochs of SGD without weight decay; 540 clean test digits."
            ),
            data=noisy_digits,
            measure=measure_noisy_digits,
            metrics=["accuracy", "memorised", "found", "false_alarms"],
            parameters={"smallest": {"epochs": 4}, "full": {"epochs": 120}},
        ),
        NOISE: confidence_setting(0.3, "Cross entropy is over-confident here."),
        MORE_NOISE: confidence_setting(0.6, "Cross entropy is nearly calibrated here."),
    },
    methods=METHODS,
    metrics={
        "accuracy": Metric("Test accuracy", better="higher"),
        "memorised": Metric("Wrong labels memorised"),
        "found": Metric("Wrong labels found", better="higher"),
        "false_alarms": Metric("Right labels suspected"),
        "error": Metric("Test error"),
        "log_loss": Metric("Log-loss"),
        "calibration": Metric("Expected calibration error"),
        "risk_coverage": Metric("Area under risk-coverage"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 5},
    reference=PLAIN,
    claims=[
        Claim("ELR keeps the network from memorising wrong labels.", elr_beats_plain, [DIGITS]),
        Claim("ELR's running averages find wrong labels.", elr_finds_wrong_labels, [DIGITS]),
        Claim("ELR is ahead of all rivals.", elr_beats_rivals, [DIGITS]),
        Claim("ELR+ is ahead of ELR.", elr_plus_beats_elr, [DIGITS]),
        Claim(
            "PS-KD gives better confidence than cross entropy, and ranks no worse than label "
            "smoothing.",
            ps_kd_improves_confidence,
            [NOISE],
        ),
        Claim(
            "PS-KD harms a network that is calibrated already.",
            ps_kd_harms_the_calibrated,
            [MORE_NOISE],
        ),
    ],
    figures=[
        Figure("Mean over the seeds with one standard error.", draw_accuracy, [DIGITS]),
    ],
)
