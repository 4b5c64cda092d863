"""Composable regularizers for PyTorch networks behind ``fit`` and ``predict``.

Three tiers, each usable alone:

- `skreg.deep.torch`: losses, optimizers, penalties and parametrizations for any training loop
  (needs torch only).
- `skreg.deep.regularizers`: the same as `Regularizer` objects for the skorch nets
  `RegularizedNetClassifier`, `RegularizedNetSegmenter` and `RegularizedNetRegressor`.
- `DeepClassifier`, `DeepRegressor`, `DeepSegmenter` and `DeepAutoencoder`: scikit-learn estimators
  that build such a net in ``fit``; `StagedTraining` trains one in stages.
"""

import importlib
from typing import TYPE_CHECKING, Any

from skreg._optional import require

if TYPE_CHECKING:  # for readers of types; what loads, and when, is below
    from . import regularizers as regularizers
    from . import torch as torch
    from .estimators._autoencoder import DeepAutoencoder as DeepAutoencoder
    from .estimators._classifier import DeepClassifier as DeepClassifier
    from .estimators._display import LossCurveDisplay as LossCurveDisplay
    from .estimators._modules import MLPAutoencoder as MLPAutoencoder
    from .estimators._modules import ResidualMLP as ResidualMLP
    from .estimators._modules import SmallCNN as SmallCNN
    from .estimators._modules import SmallUNet as SmallUNet
    from .estimators._regressor import DeepRegressor as DeepRegressor
    from .estimators._segmenter import DeepSegmenter as DeepSegmenter
    from .estimators._staged import StagedTraining as StagedTraining
    from .frame._accelerate import AccelerateMixin as AccelerateMixin
    from .frame._indexed import IndexedDataset as IndexedDataset
    from .frame._nets import RegularizedNetClassifier as RegularizedNetClassifier
    from .frame._nets import RegularizedNetRegressor as RegularizedNetRegressor
    from .frame._nets import RegularizedNetSegmenter as RegularizedNetSegmenter
    from .frame._regularizer import Batch as Batch
    from .frame._regularizer import Regularizer as Regularizer
    from .segmentation._display import MemorizationOnsetDisplay as MemorizationOnsetDisplay
    from .segmentation._weight_display import SampleWeightDisplay as SampleWeightDisplay
    from .sparsity._display import SparsityDisplay as SparsityDisplay
    from .transfer._class_incremental import (
        ClassIncrementalClassifier as ClassIncrementalClassifier,
    )
    from .transfer._task_accuracy_display import TaskAccuracyDisplay as TaskAccuracyDisplay
    from .transfer._virtual_outliers import EnergyMarginLoss as EnergyMarginLoss
    from .transfer._virtual_outliers import VirtualOutlierSynthesizer as VirtualOutlierSynthesizer
    from .transfer._vor_logistic_head import VORLogisticHead as VORLogisticHead

require("torch", "deep", "skreg.deep")  # not bound here: skreg.deep.torch is a subpackage

_MODULE_OF = {
    "AccelerateMixin": "frame._accelerate",
    "Batch": "frame._regularizer",
    "ClassIncrementalClassifier": "transfer._class_incremental",
    "DeepAutoencoder": "estimators._autoencoder",
    "DeepClassifier": "estimators._classifier",
    "DeepRegressor": "estimators._regressor",
    "DeepSegmenter": "estimators._segmenter",
    "EnergyMarginLoss": "transfer._virtual_outliers",
    "IndexedDataset": "frame._indexed",
    "LossCurveDisplay": "estimators._display",
    "MLPAutoencoder": "estimators._modules",
    "ResidualMLP": "estimators._modules",
    "SampleWeightDisplay": "segmentation._weight_display",
    "SmallCNN": "estimators._modules",
    "SmallUNet": "estimators._modules",
    "SparsityDisplay": "sparsity._display",
    "MemorizationOnsetDisplay": "segmentation._display",
    "RegularizedNetClassifier": "frame._nets",
    "RegularizedNetRegressor": "frame._nets",
    "RegularizedNetSegmenter": "frame._nets",
    "Regularizer": "frame._regularizer",
    "StagedTraining": "estimators._staged",
    "TaskAccuracyDisplay": "transfer._task_accuracy_display",
    "VORLogisticHead": "transfer._vor_logistic_head",
    "VirtualOutlierSynthesizer": "transfer._virtual_outliers",
}
_SUBPACKAGES = ("regularizers", "torch")

__all__ = [*_MODULE_OF]


if not TYPE_CHECKING:  # a checker would take every name for one that there is

    def __getattr__(name: str) -> Any:
        if name in _SUBPACKAGES:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
        except ModuleNotFoundError:
            require("skorch", "deep", f"{__name__}.{name}")
            raise


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBPACKAGES])
