"""What regularizers ask of the net, beyond the batch at hand."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import skorch
import torch
from skorch.dataset import unpack_data
from skorch.utils import to_tensor

from ._frozen_copy import bare
from ._indexed import INDEX, INPUTS
from ._regularizer import Batch
from ._training_pass import LayerRecorder, is_labelled, recording
from ._weights import one_loss_per_sample, sample_losses


class TrainingOutputs(NamedTuple):
    """What the module says of the training samples.

    Attributes
    ----------
    index : Tensor of shape (n,), int64
        Numbers of the samples.
    y : Tensor of shape (n,) or (n, n_targets)
        Their labels as given.
    outputs : Tensor of shape (n, ...)
        Outputs of the module, or of one of its layers.
    """

    index: torch.Tensor  # type: ignore[assignment]  # hides tuple.index
    y: torch.Tensor
    outputs: torch.Tensor


class AnswersRegularizers(skorch.NeuralNet):
    """The part of a net that evaluates the module once more.

    It comes after the part that trains: the losses here are skorch's own.
    """

    recorders_: dict[str, LayerRecorder]

    def forward_again(self, X: Any, layer: str | None = None) -> Any:
        """Evaluate the module once more within a step, in the present mode and with its graph.

        Parameters
        ----------
        X : Tensor, or what the module takes
            Inputs, e.g. ``batch.X`` for another draw of dropout, or views of it.
        layer : str, default=None
            A layer among those that a regularizer looks at, whose features are wanted as well.

        Returns
        -------
        Tensor, or pair of Tensor
            The outputs; with `layer` also its features.

        Raises
        ------
        ValueError
            If no regularizer looks at the layer.
        """
        if layer is None:
            return self._infer(X)
        if layer not in self.recorders_:
            raise ValueError(
                f"layer {layer!r} is not among those that regularizers look at: "
                f"{list(self.recorders_)}; name it in the regularizer's attribute layer or layers"
            )
        recorder = self.recorders_[layer]
        before, recorder.features = recorder.features, None
        with recording([recorder]):
            outputs = self._infer(X)
        features = recorder.take()
        recorder.features = before
        return outputs, features

    def features(self, layer: str) -> Any:
        """Output of a layer in the forward pass of this batch, for `losses` of a regularizer.

        Parameters
        ----------
        layer : str
            A layer among those that a regularizer looks at.

        Returns
        -------
        Tensor
            Its features, with their graph.
        """
        return self.recorders_[layer].features

    def sample_losses(self, y_pred: Any, batch: Batch) -> torch.Tensor:
        """Losses of the samples of a batch for other outputs of the module.

        Parameters
        ----------
        y_pred : Tensor, or what the module returns
            Outputs, e.g. of `forward_again`.
        batch : Batch
            The batch, with the targets of the loss.

        Returns
        -------
        Tensor of shape (n,)
            What the criterion says, before sample weights and before any regularizer's `losses`.
        """
        if self.task_ == "regression":
            y_pred = in_shape_of(batch.targets, y_pred)
        with one_loss_per_sample(self.criterion_):
            losses = super().get_loss(y_pred, batch.targets, training=True)
        return sample_losses(self.criterion_, losses, batch.targets, batch.sample_weight)

    def training_batches(self) -> Iterator[Any]:
        """Go through the training samples in the order of the data, without change of mode.

        Yields
        ------
        X : Tensor, or what the module takes
            Inputs as the data set holds them.
        y : Tensor of shape (n,) or (n, n_targets)
            Labels as given.
        index : Tensor of shape (n,), int64
            Numbers of the samples; None in a stream.

        Raises
        ------
        ValueError
            If it is not called during training or from `finalize`.
        """
        if self.training_set_ is None:
            raise ValueError("the training samples are at hand during training only")
        for batch in self.get_iterator(self.training_set_, training=False):
            X, y = unpack_data(batch)
            index = X[INDEX] if is_labelled(X) else None
            X = X[INPUTS] if is_labelled(X) else X
            on_device = functools.partial(to_tensor, device=self._device())
            yield on_device(X), on_device(y), None if index is None else on_device(index)

    def training_outputs(self, layer: str | None = None) -> TrainingOutputs:
        """Evaluate the module on all training samples, in evaluation mode, without gradients.

        Parameters
        ----------
        layer : str, default=None
            A layer among those that a regularizer looks at, whose features are wanted instead of
            the outputs.

        Returns
        -------
        TrainingOutputs
            Numbers, labels and outputs, on the net's device, in the order of the data. In several
            processes those of this one's share.

        Raises
        ------
        ValueError
            If it is not called during training, or the data are a stream.
        """
        if self.n_samples_ is None:
            raise ValueError("training_outputs() needs numbered samples, not an IterableDataset")
        parts = []
        with self.evaluating():
            for X, y, index in self.training_batches():
                outputs = self.forward_again(X, layer)
                parts.append((index, y, outputs if layer is None else outputs[1]))
        return TrainingOutputs(*map(torch.cat, zip(*parts, strict=True)))

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode without gradients inside, and the mode from before after it.

        With `training_batches` and `forward_again` it goes through the training samples batch by
        batch, where `training_outputs` would hold the outputs of all.
        """
        was_training = bare(self.module_).training
        self._set_training(False)
        try:
            with torch.no_grad():
                yield
        finally:
            self._set_training(was_training)

    def _device(self):
        parameter = next(self.module_.parameters(), None)
        return torch.device("cpu") if parameter is None else parameter.device


def in_shape_of(targets, outputs):
    """Outputs in the shape of the targets, if they are as many: (n,) and (n, 1) are the same."""
    tensors = isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)
    fits = tensors and outputs.numel() == targets.numel()
    return outputs.reshape(targets.shape) if fits else outputs
