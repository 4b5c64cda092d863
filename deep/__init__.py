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

try:
    importlib.import_module("torch")  # not bound here: skreg.deep.torch is a subpackage
except ImportError as error:
    raise ImportError(
        "skreg.deep needs PyTorch and skorch, which are not installed with skreg itself. "
        "Install them with:  pip install 'skreg[deep]'"
    ) from error

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
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "skorch":
            raise
        raise ImportError(
            f"skreg.deep.{name} needs skorch, which is not installed. "
            "Install it with:  pip install 'skreg[deep]'"
        ) from error


def __dir__():
    return sorted([*__all__, *_SUBPACKAGES])
