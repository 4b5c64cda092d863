"""A monitor of the effective rank of features, in the training step."""

from typing import Any, Self

from ..frame._processes import gather_objects
from ..frame._regularizer import Batch, Net, Regularizer
from ._effective_rank import FeatureScatter, effective_rank


class EffectiveRankMonitor(Regularizer):
    """Writes how many directions the features of some layers use into the history; changes nothing.

    After each epoch ``effective_rank_LAYER`` is the effective rank (Roy and Vetterli 2007) of the
    centred features of all training batches of the epoch, in several processes of those of all. It
    falls where a representation collapses.

    Parameters
    ----------
    layers : tuple of str, default=("penultimate",)
        Names of layers whose output are the features; ``"penultimate"`` is the input of the last
        linear layer. Its cost grows with the square of the number of features.

    References
    ----------
    .. [1] O. Roy, M. Vetterli, "The effective rank: A measure of effective dimensionality",
       EUSIPCO 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import EffectiveRankMonitor
    >>> X, y = load_iris(return_X_y=True)
    >>> monitor = ("rank", EffectiveRankMonitor(layers=("embedding", "penultimate")))
    >>> model = DeepClassifier(regularizers=[monitor], max_epochs=3, random_state=0).fit(X, y)
    >>> bool((model.history_["effective_rank_embedding"] < 4.01).all())  # of four inputs
    True
    """

    def __init__(self, layers: tuple[str, ...] = ("penultimate",)) -> None:
        self.layers = layers

    def initialize(self) -> Self:
        if not isinstance(self.layers, tuple) or not self.layers:
            raise ValueError(f"layers must be a tuple of names, got {self.layers!r}")
        return self

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        self.scatters_ = {layer: FeatureScatter() for layer in self.layers}

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> None:
        if batch.first_pass:
            for layer, scatter in self.scatters_.items():
                scatter.update(features[layer])

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        for layer, own in self.scatters_.items():
            scatter = FeatureScatter()
            for sums in gather_objects(own.sums(), net.process_group):
                scatter.merge(*sums)
            if scatter.n:
                rank = float(effective_rank(scatter.singular_values()))
                net.history.record(f"effective_rank_{layer}", rank)
