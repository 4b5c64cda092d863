"""Recent statistical-learning papers as scikit-learn estimators.

Subpackages are imported on first use, so that ``import skreg`` stays cheap:

- `skreg.probe`: linear probes on frozen features.
- `skreg.linear_model`: sparse linear models with certified solutions.
- `skreg.ordinal`: probabilities of rare ordered events.
- `skreg.causal`: linear acyclic graphs with their noise levels.
- `skreg.coreset`: importance scores of rows, and weighted subsets that keep l_p losses.
- `skreg.semi_supervised`: labels spread over graphs.
- `skreg.transport`: sparse transport plans, and linear maps between distributions.
- `skreg.robustness`: certified robustness, and the tilting of linear boundaries.
- `skreg.domain`: heads for each source domain, for rows of a domain unknown.
- `skreg.online`: learning from streams with a certificate of regret.
- `skreg.random_features`: random features, their ridge regression and how many are enough.
- `skreg.metrics`: metrics of confidence, retrieval and imbalanced regression.
- `skreg.datasets`: generators of the papers' synthetic settings.
- `skreg.optim`: the engine below the estimators.
- `skreg.export`: ONNX graphs, and files of skops.
- `skreg.bench`: the statistical benchmarks behind the ``skreg`` command.
- `skreg.deep`: regularizers for PyTorch networks (needs ``pip install 'skreg[deep]'``).
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from skreg._version import __version__

if TYPE_CHECKING:  # for readers of types; each is imported on first use
    from skreg import bench as bench
    from skreg import causal as causal
    from skreg import coreset as coreset
    from skreg import datasets as datasets
    from skreg import deep as deep
    from skreg import domain as domain
    from skreg import export as export
    from skreg import linear_model as linear_model
    from skreg import metrics as metrics
    from skreg import online as online
    from skreg import optim as optim
    from skreg import ordinal as ordinal
    from skreg import probe as probe
    from skreg import random_features as random_features
    from skreg import robustness as robustness
    from skreg import semi_supervised as semi_supervised
    from skreg import transport as transport

_SUBPACKAGES = (
    "bench",
    "causal",
    "coreset",
    "datasets",
    "deep",
    "domain",
    "export",
    "linear_model",
    "metrics",
    "online",
    "optim",
    "ordinal",
    "probe",
    "random_features",
    "robustness",
    "semi_supervised",
    "transport",
)

__all__ = ["__version__", *_SUBPACKAGES]


if not TYPE_CHECKING:  # a checker would take every name for one that there is

    def __getattr__(name: str) -> ModuleType:
        if name in _SUBPACKAGES:
            return importlib.import_module(f"skreg.{name}")
        raise AttributeError(f"module 'skreg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
