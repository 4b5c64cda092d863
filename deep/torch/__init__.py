"""Losses, optimizers, penalties and parametrizations for any PyTorch training loop."""

from skreg.deep.torch._memory import SampleMemory
from skreg.deep.torch._optimizer import OptimizerWrapper
from skreg.deep.torch._targets import as_probabilities

__all__ = ["OptimizerWrapper", "SampleMemory", "as_probabilities"]
