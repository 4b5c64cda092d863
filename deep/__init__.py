"""Composable regularizers for PyTorch networks behind ``fit`` and ``predict``.

Three tiers, each usable alone:

- `skreg.deep.torch`: losses, optimizers, penalties and parametrizations for any training loop
  (needs torch only).
- `skreg.deep.regularizers`: the same as `Regularizer` objects for the skorch nets
  `RegularizedNetClassifier` and `RegularizedNetRegressor`.
- `DeepClassifier`, `DeepRegressor` and `DeepAutoencoder`: scikit-learn estimators that build such
  a net in ``fit``; `StagedTraining` trains one in stages.
"""

import importlib

from skreg._optional import require

require("torch", "deep", "skreg.deep")  # not bound here: skreg.deep.torch is a subpackage

_MODULE_OF = {
    "AccelerateMixin": "frame._accelerate",
    "Batch": "frame._regularizer",
    "DeepAutoencoder": "estimators._autoencoder",
    "DeepClassifier": "estimators._classifier",
    "DeepRegressor": "estimators._regressor",
    "IndexedDataset": "frame._indexed",
    "LossCurveDisplay": "estimators._display",
    "MLPAutoencoder": "estimators._modules",
    "ResidualMLP": "estimators._modules",
    "SmallCNN": "estimators._modules",
    "RegularizedNetClassifier": "frame._nets",
    "RegularizedNetRegressor": "frame._nets",
    "Regularizer": "frame._regularizer",
    "StagedTraining": "estimators._staged",
}
_SUBPACKAGES = ("regularizers", "torch")

__all__ = [*_MODULE_OF]


def __getattr__(name):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"skreg.deep.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'skreg.deep' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"skreg.deep.{_MODULE_OF[name]}"), name)
    except ModuleNotFoundError:
        require("skorch", "deep", f"skreg.deep.{name}")
        raise


def __dir__():
    return sorted([*__all__, *_SUBPACKAGES])
