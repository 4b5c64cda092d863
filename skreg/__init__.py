"""Recent statistical-learning papers as scikit-learn estimators.

Subpackages are imported on first use, so that ``import skreg`` stays cheap:

- `skreg.probe`: linear probes on frozen features.
- `skreg.linear_model`: sparse linear models with certified solutions.
- `skreg.ordinal`: probabilities of rare ordered events.
- `skreg.causal`: linear acyclic graphs with their noise levels.
- `skreg.coreset`: importance scores of rows, and weighted subsets that keep l_p losses.
- `skreg.semi_supervised`: labels spread over graphs.
- `skreg.metrics`: metrics of confidence, retrieval and imbalanced regression.
- `skreg.datasets`: generators of the papers' synthetic settings.
- `skreg.optim`: the engine below the estimators.
- `skreg.bench`: the statistical benchmarks behind the ``skreg`` command.
- `skreg.deep`: regularizers for PyTorch networks (needs ``pip install 'skreg[deep]'``).
"""

import importlib

from skreg._version import __version__

_SUBPACKAGES = (
    "bench",
    "causal",
    "coreset",
    "datasets",
    "deep",
    "linear_model",
    "metrics",
    "optim",
    "ordinal",
    "probe",
    "semi_supervised",
)

__all__ = ["__version__", *_SUBPACKAGES]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"skreg.{name}")
    raise AttributeError(f"module 'skreg' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
