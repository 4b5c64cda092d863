"""Networks that embed images, and how well one distance tells whether two are of one class."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import ProxyNetwork
from skreg.deep import DeepClassifier, Regularizer
from skreg.metrics import operating_point_inconsistency_score, recall_at_k


class ContrastiveMargins(Regularizer):
    """The hinges of TCM, averaged over all pairs of a kind instead of the hard ones."""

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
        pull = (self.margin_pos - cosine).clamp(min=0)[same & pairs]
        push = (cosine - self.margin_neg).clamp(min=0)[~same]
        # a small last batch may hold no pair of a kind
        return pull.sum() / max(len(pull), 1) + push.sum() / max(len(push), 1)


def proxy_softmax(epochs: int, seed: int) -> DeepClassifier:
    """An embedding and a proxy for each class, by Adam."""
    return DeepClassifier(
        module=ProxyNetwork,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=128,
        random_state=seed,
        net_params={"optimizer__weight_decay": 0.0},
    )


def verification(model: Any, task: Split, seed: int) -> dict[str, float]:
    """Consistency of one threshold for all classes, and recall, of the embeddings."""
    with torch.no_grad():
        embeddings = model.net_.module_.embedding(torch.from_numpy(task.X_test)).numpy()
    return {
        "opis": 1000 * operating_point_inconsistency_score(embeddings, task.y_test),
        "recall": recall_at_k(embeddings, task.y_test),
    }
