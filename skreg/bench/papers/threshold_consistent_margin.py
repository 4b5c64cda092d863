"""Does a threshold-consistent margin make one distance threshold fit all classes?

Zhang et al. (ICLR 2024) verify "same class or not" by one global threshold on the distance of
embeddings. Losses of metric learning leave classes of different compactness, so that no threshold
suits all of them: the operating-point inconsistency score (OPIS) is the variance across classes of
their utility at one threshold. Their margin loss (TCM) pulls hard pairs to fixed cosines.

In a small version, a network embeds handwritten digits in 32 dimensions, trained by a softmax over
the cosines to ten class proxies, with TCM of several weights added. Rivals are the plain loss,
weight decay, label smoothing, and a contrastive loss with the same margins that averages over all
pairs instead of the hard ones. Classes are seen in training, or not. Recall at 1 is reported
beside OPIS: the two are different virtues.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

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
from skreg.bench.arena.networks import one_thread, perceptron
from skreg.bench.arena.views import new_figure
from skreg.deep import DeepClassifier, Regularizer
from skreg.deep.regularizers import ThresholdConsistentMargin
from skreg.metrics import operating_point_inconsistency_score, recall_at_k

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

EXTRA = "deep"

PLAIN, DECAY, SMOOTHING = "Proxy softmax", "Weight decay", "Label smoothing 0.1"
CONTRASTIVE = "Contrastive margins"
TCM = {weight: f"TCM, weight {weight:g}" for weight in (0.3, 1.0, 3.0)}
SEEN, UNSEEN = "Classes seen in training", "Classes not seen in training"


class Task(NamedTuple):
    """Digits to train on and digits to embed."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


class ProxyNetwork(nn.Module):
    """Logits that are scaled cosines between an embedding and one proxy for each class."""

    def __init__(self, n_inputs: int, n_outputs: int, scale: float = 16.0) -> None:
        super().__init__()
        self.embedding = perceptron(n_inputs, 256, 32)
        self.proxies = nn.Parameter(torch.randn(n_outputs, 32))
        self.scale = scale

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Logits."""
        proxies = F.normalize(self.proxies, dim=1)
        return self.scale * F.linear(F.normalize(self.embedding(X), dim=1), proxies)


class ContrastiveMargins(Regularizer):
    """The hinges of TCM, averaged over all pairs of a kind."""

    layer = "embedding"

    def __init__(self, margin_pos: float = 0.9, margin_neg: float = 0.5) -> None:
        self.margin_pos = margin_pos
        self.margin_neg = margin_neg

    def penalty(self, net: Any, batch: Any, y_pred: Any, features: Any) -> torch.Tensor:
        """Mean hinge of the pairs of one class, and of those of two classes."""
        z = F.normalize(features, dim=1)
        cosine = z @ z.T
        same = batch.y[:, None] == batch.y
        pairs = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
        pull = (self.margin_pos - cosine).clamp(min=0)[same & pairs].mean()
        return pull + (cosine - self.margin_neg).clamp(min=0)[~same].mean()


class Method(NamedTuple):
    """What is added to the plain loss."""

    regularizer: Callable[[], Regularizer] | None = None
    weight_decay: float = 0.0
    label_smoothing: float = 0.0


METHODS = {
    PLAIN: Method(),
    DECAY: Method(weight_decay=1e-3),
    SMOOTHING: Method(label_smoothing=0.1),
    CONTRASTIVE: Method(ContrastiveMargins),
} | {
    name: Method(
        functools.partial(
            ThresholdConsistentMargin, weight_pos=weight, weight_neg=weight, layer="embedding"
        )
    )
    for weight, name in TCM.items()
}


def seen_classes(seed: int, *, epochs: int) -> Any:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        X.astype(np.float32) / 16, y, train_size=900, stratify=y, random_state=seed
    )
    return Task(X, y, X_test, y_test), epochs


def unseen_classes(seed: int, *, epochs: int) -> Any:
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32) / 16
    known = np.isin(y, np.random.default_rng(seed).permutation(10)[:6])
    return Task(X[known], y[known], X[~known], y[~known]), epochs


def measure(data: Any, methods: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    task, epochs = data
    for name, method in methods.items():
        model = DeepClassifier(
            module=ProxyNetwork,
            regularizers=[("it", method.regularizer())] if method.regularizer else None,
            optimizer=torch.optim.AdamW,
            lr=1e-3,
            max_epochs=epochs,
            batch_size=128,
            random_state=seed,
            net_params={
                "optimizer__weight_decay": method.weight_decay,
                "criterion__label_smoothing": method.label_smoothing,
            },
        )
        with one_thread(), torch.no_grad():
            embed = model.fit(task.X, task.y).net_.module_.embedding
            embeddings = embed(torch.from_numpy(task.X_test)).numpy()
        yield {
            "method": name,
            "opis": 1000 * operating_point_inconsistency_score(embeddings, task.y_test),
            "recall": recall_at_k(embeddings, task.y_test),
        }


def consistent(results: pd.DataFrame) -> Verdict:
    opis = by_seed(results, SEEN, "opis", ["method"])
    recall = by_seed(results, SEEN, "recall", ["method"])
    ratio = opis[TCM[1.0]] / opis[PLAIN]
    gain = (recall[TCM[1.0]] - recall[PLAIN]).mean()
    return Verdict(
        bool(ratio.max() < 1 / 3 and gain >= 0),
        f"OPIS is {ratio.min():.2f} to {ratio.max():.2f} of the plain loss's, recall {gain:+.4f}",
        "below 1/3 on every seed, mean recall not lower",
    )


def beats_rivals(results: pd.DataFrame) -> Verdict:
    opis = by_seed(results, SEEN, "opis", ["method"]).mean()
    best = min((PLAIN, DECAY, SMOOTHING, CONTRASTIVE), key=opis.get)
    return Verdict(
        bool(opis[TCM[1.0]] < opis[best]),
        f"mean OPIS {opis[TCM[1.0]]:.2f}e-3, best rival ({best}) {opis[best]:.2f}e-3",
        "below every rival",
    )


def consistent_on_unseen_classes(results: pd.DataFrame) -> Verdict:
    opis = by_seed(results, UNSEEN, "opis", ["method"])
    recall = by_seed(results, UNSEEN, "recall", ["method"])
    lower = opis[TCM[1.0]] < opis[PLAIN]
    gain = (recall[TCM[1.0]] - recall[PLAIN]).mean()
    return Verdict(
        bool(lower.all() and gain >= 0),
        f"OPIS {opis[PLAIN].mean():.1f}e-3 → {opis[TCM[1.0]].mean():.1f}e-3, lower on "
        f"{int(lower.sum())} of {len(lower)} seeds; recall {gain:+.3f}",
        "lower on every seed, mean recall not lower",
    )


def draw_both_virtues(results: pd.DataFrame) -> MatplotlibFigure:
    figure, panels = new_figure(2)
    for panel, setting in zip(panels, (SEEN, UNSEEN), strict=True):
        opis, recall = (
            mean_and_standard_error(by_seed(results, setting, metric, ["method"]))
            for metric in ("opis", "recall")
        )
        for number, name in enumerate(METHODS):
            colour = f"C{number}"
            panel.errorbar(
                opis.loc[name, "mean"], recall.loc[name, "mean"],
                xerr=opis.loc[name, "standard_error"], yerr=recall.loc[name, "standard_error"],
                fmt="o", color=colour, label=name if panel is panels[0] else "",
            )  # fmt: skip
        panel.set(title=setting, xscale="log", xlabel="OPIS, times 1000", ylabel="Recall at 1")
    figure.legend(loc="outside upper left", ncols=4)
    return figure


benchmark = Benchmark(
    settings={
        SEEN: Setting(
            description=(
                "900 training and 897 test digits of all ten classes; network 64-256-32, 30 epochs "
                "of Adam."
            ),
            data=seen_classes,
            measure=measure,
            metrics=["opis", "recall"],
            parameters={"smallest": {"epochs": 2}, "quick": {"epochs": 30}, "full": {"epochs": 30}},
        ),
        UNSEEN: Setting(
            description="Six random classes to train on, all digits of the other four to embed.",
            data=unseen_classes,
            measure=measure,
            metrics=["opis", "recall"],
            parameters={"full": {"epochs": 30}},
        ),
    },
    methods=METHODS,
    metrics={
        "opis": Metric("Operating-point inconsistency, times 1000", digits=2),
        "recall": Metric("Recall at 1", digits=4, better="higher"),
    },
    repeats={"smallest": 1, "quick": 5, "full": 10},
    reference=PLAIN,
    claims=[
        Claim("One threshold fits all classes, at no loss of recall.", consistent, [SEEN]),
        Claim("No rival is as consistent.", beats_rivals, [SEEN]),
        Claim("The same holds for unseen classes.", consistent_on_unseen_classes, [UNSEEN]),
    ],
    figures=[
        Figure(
            "Consistency (left is better) and recall (up is better): mean over the seeds with one "
            "standard error.",
            draw_both_virtues,
            [SEEN, UNSEEN],
        )
    ],
)
