"""One batch in one optimizer step: what the regularizers see of it."""

import contextlib
from collections.abc import Mapping
from typing import Any

import torch
from skorch.utils import to_tensor
from torch import nn

from ._indexed import INDEX, INPUTS, WEIGHT
from ._regularizer import Batch, Net


def is_labelled(inputs):
    """Whether the inputs of a batch come with their numbers."""
    return isinstance(inputs, Mapping) and INDEX in inputs


class TrainingPass:
    """A batch in one optimizer step, with what its first pass fixed for the later ones.

    Attributes
    ----------
    raw : tuple
        The batch as the iterator yields it.
    step : int
        Number of the optimizer step.
    progress : float
        Share of the planned training before it.
    batch : Batch
        The batch for the regularizers.
    targets : Tensor or None
        The targets of the first pass, once they are known.
    loss : Tensor or None
        The loss of the latest pass.
    is_open : bool
        Whether the forward pass is still to come.
    """

    def __init__(self, raw: Any, step: int, progress: float) -> None:
        self.raw = raw
        self.step = step
        self.progress = progress
        self.batch: Any = None
        self.targets: Any = None
        self.loss: torch.Tensor | None = None
        self.is_open = True

    def prepare(self, net: Net, inputs: Any) -> None:
        """Put the batch on the device and let the regularizers change its inputs, once."""
        self.is_open = False
        if self.batch is not None:
            self.batch = self.batch._replace(first_pass=False)
            return
        labelled = inputs if is_labelled(inputs) else {INPUTS: inputs}
        index, weight = (
            None if part is None else to_tensor(part, device=net.device)
            for part in (labelled.get(INDEX), labelled.get(WEIGHT))
        )
        self.batch = Batch(
            X=to_tensor(labelled[INPUTS], device=net.device),
            y=to_tensor(self.raw[1], device=net.device),
            index=index,
            sample_weight=weight,
            first_pass=True,
            step=self.step,
            progress=self.progress,
            extras={},
        )
        X = self.batch.X
        for regularizer in net.hooks_["inputs"]:
            X = regularizer.inputs(net, self.batch, X)
        self.batch = self.batch._replace(X=X)

    def find_targets(self, net: Net) -> torch.Tensor:
        """Let the regularizers change the targets, once."""
        if self.targets is None:
            y = self.batch.y
            with torch.no_grad():
                for regularizer in net.hooks_["targets"]:
                    y = regularizer.targets(net, self.batch, y)
            self.targets = y
            self.batch = self.batch._replace(targets=y)
        return self.targets


class LayerRecorder:
    """Forward hook that keeps what a layer put out, or took in, in a forward pass.

    It looks only while it is open, whatever the mode of the layer: a frozen layer in evaluation
    mode has features as well. Copies and pickles of it, which come about when a module with the
    hook is copied, hold no features.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_open = False
        self.features: Any = None

    def attach(self, module: nn.Module) -> Any:
        """Register the hook on the named layer of the module and return its handle."""
        if self.name == "penultimate":
            return last_linear(module).register_forward_pre_hook(self.record_input)
        return module.get_submodule(self.name).register_forward_hook(self.record_output)

    def record_input(self, _layer: nn.Module, inputs: Any) -> None:
        """Keep the input of the layer."""
        if self.is_open:
            self.features = inputs[0]

    def record_output(self, _layer: nn.Module, _inputs: Any, output: Any) -> None:
        """Keep the output of the layer."""
        if self.is_open:
            self.features = output

    def take(self) -> torch.Tensor:
        """The features, which are forgotten here."""
        features, self.features = self.features, None
        if features is None:
            raise ValueError(f"layer {self.name!r} took no part in the forward pass")
        return features

    def __getstate__(self):
        return {"name": self.name, "is_open": False, "features": None}


@contextlib.contextmanager
def recording(recorders):
    """Let recorders look at the forward pass inside."""
    for recorder in recorders:
        recorder.is_open = True
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.is_open = False


def last_linear(module):
    """Find the last linear layer of the module, in the order of registration."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ValueError(f"'penultimate' needs a torch.nn.Linear in {type(module).__name__}")
    return layers[-1]
