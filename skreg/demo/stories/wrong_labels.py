"""Training on wrong labels, and finding them.

Two fifths of the labels of handwritten digits are drawn anew from all ten classes. A network that
is trained by cross entropy memorises them. Early-learning regularization (ELR, Liu et al., NeurIPS
2020) keeps alive what the network predicted before it did, and its memory tells which labels are
wrong. Stopping cross entropy early, by its loss on held-out rows with wrong labels too, is the
obvious rival and takes part.

When not to use it: if accuracy is all that counts, stopping early may do as well or better; ELR
adds the list of suspected labels, and needs no held-out rows.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import ELR
from skreg.demo._intervals import Interval, mean_over_seeds
from skreg.demo._pictures import figure_with
from skreg.pictures import GREY, series_style

PLAIN, WITH_ELR, STOPPED = "cross entropy", "with ELR", "cross entropy, stopped early"
ORDER = WITH_ELR, PLAIN, STOPPED
SHARE_REDRAWN = 0.4


def train_with_memory(X, y, seed, max_epochs=20):
    """A network, and for each label whether its memory contradicts it."""
    settings = {"max_epochs": max_epochs, "batch_size": 64, "random_state": seed}
    model = DeepClassifier(regularizers=[("elr", ELR())], **settings).fit(X, y)
    return model, dict(model.net_.regularizers)["elr"].label_issues_


SHOWN = train_with_memory


class Measured(NamedTuple):
    """Accuracy on clean digits by method, shares of suspected labels, for each draw."""

    accuracy: dict[str, list[float]]
    found: list[float]
    alarms: list[float]

    def lead(self, rival: str) -> Interval:
        """Accuracy with ELR minus that of a rival."""
        return mean_over_seeds(np.subtract(self.accuracy[WITH_ELR], self.accuracy[rival]))


def measure(seed: int, n_draws: int = 3, n_rows: int = 1797, max_epochs: int = 20) -> Measured:
    """Train three networks on each draw of the wrong labels."""
    digits, truth = load_digits(return_X_y=True)
    digits, truth = (digits[:n_rows] / 16).astype(np.float32), truth[:n_rows]
    measured = Measured({PLAIN: [], STOPPED: [], WITH_ELR: []}, [], [])
    for k in range(n_draws):
        rng = np.random.default_rng((seed, k))
        X, X_test, right, y_test = train_test_split(
            digits, truth, train_size=0.7, stratify=truth, random_state=int(rng.integers(2**31))
        )
        redrawn = rng.random(len(right)) < SHARE_REDRAWN
        y = np.where(redrawn, rng.integers(10, size=len(right)), right)
        network = int(rng.integers(2**31))
        settings = {"batch_size": 64, "max_epochs": max_epochs, "random_state": network}
        models = {
            PLAIN: DeepClassifier(**settings).fit(X, y),
            STOPPED: DeepClassifier(early_stopping=True, **settings).fit(X, y),
        }
        models[WITH_ELR], suspected = train_with_memory(X, y, network, max_epochs)
        for name, model in models.items():
            measured.accuracy[name].append(model.score(X_test, y_test))
        measured.found.append(float(np.mean(suspected[y != right])))
        measured.alarms.append(float(np.mean(suspected[y == right])))
    return measured


def sentence(measured: Measured) -> str:
    """Accuracies, differences with intervals, and how many wrong labels are found."""
    mean = {name: np.mean(values) for name, values in measured.accuracy.items()}
    plain, stopped = measured.lead(PLAIN), measured.lead(STOPPED)
    words = {-1: "behind", 1: "ahead of", 0: "level with"}
    return (
        f"{SHARE_REDRAWN:.0%} of the labels drawn anew: accuracy {mean[WITH_ELR]:.2f} with ELR, "
        f"{words[plain.side_of(0)]} cross entropy's {mean[PLAIN]:.2f} (difference {plain.text()}) "
        f"and {words[stopped.side_of(0)]} its {mean[STOPPED]:.2f} when stopped early "
        f"({stopped.text()}); ELR finds {np.mean(measured.found):.0%} of the wrong labels and "
        f"suspects {np.mean(measured.alarms):.1%} of the right ones"
    )


def draw(measured: Measured) -> tuple[Any, str]:
    """Accuracies of all draws, and shares of suspected labels."""
    figure, (accuracy, suspected) = figure_with(2, height=2.6)
    for i, name in enumerate(ORDER):
        values = measured.accuracy[name]
        mean, low, high = mean_over_seeds(values)
        style = series_style(i)
        accuracy.plot([low, high], [i - 0.25] * 2, color=style["color"], linewidth=3)
        accuracy.plot(mean, i - 0.25, "|", color=style["color"], markersize=16, markeredgewidth=3)
        accuracy.plot(values, np.full(len(values), i), linestyle="none", alpha=0.6, **style)
    accuracy.set_yticks(range(3), labels=[name.replace(", ", ",\n") for name in ORDER])
    accuracy.set(ylim=(2.5, -0.7), xlabel="accuracy on clean digits")
    accuracy.set_title("Right is better")
    rows = ("wrong labels", measured.found, 0), ("right labels", measured.alarms, 1)
    for row, (_, values, i) in enumerate(rows):
        suspected.barh(row, np.mean(values), height=0.5, color=series_style(i)["color"], alpha=0.5)
        suspected.plot(values, np.full(len(values), row), linestyle="none", **series_style(i))
    suspected.set_yticks([0, 1], labels=[name for name, _, _ in rows])
    suspected.set(xlim=(0, 1), ylim=(1.6, -0.6), xlabel="share that ELR suspects")
    suspected.set_title("Which labels are wrong?")
    suspected.axvline(0, color=GREY, linewidth=1)
    return figure, (
        "Marks are draws of the wrong labels, bars above the mean accuracy with its 95% interval. "
        "Below: the share of wrong and of right labels that ELR's memory contradicts."
    )
