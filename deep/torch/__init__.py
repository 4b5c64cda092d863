"""Losses, optimizers, penalties and parametrizations for any PyTorch training loop."""

from skreg.deep.torch._fisher_sam import FisherSAM, fisher_diagonal
from skreg.deep.torch._memory import SampleMemory
from skreg.deep.torch._optimizer import OptimizerWrapper
from skreg.deep.torch._sam import SAM, TwoPassOptimizer, frozen_buffers
from skreg.deep.torch._sharpness import epsilon_sharpness, linear_cka
from skreg.deep.torch._targets import as_probabilities
from skreg.deep.torch._tram import TRAM
from skreg.deep.torch._trust_region import TrustRegionDistance

__all__ = [
    "SAM",
    "TRAM",
    "FisherSAM",
    "OptimizerWrapper",
    "SampleMemory",
    "TrustRegionDistance",
    "TwoPassOptimizer",
    "as_probabilities",
    "epsilon_sharpness",
    "fisher_diagonal",
    "frozen_buffers",
    "linear_cka",
]
