"""Fitted models for other programs and other days: ONNX graphs, and files that are safe to load.

- `to_onnx` converts linear predictors and pipelines that end in one, for any runtime of ONNX, in
  which neither skreg nor Python is needed. `register_converters` teaches skl2onnx the same.
- `skops_types` names the types in a file that `skops.io.dump` wrote, for `skops.io.load`, which
  runs no code from it. Every estimator outside of `skreg.deep` can be stored that way.

``pip install 'skreg[export]'`` brings skl2onnx and skops.
"""

from skreg.export._onnx import register_converters, to_onnx
from skreg.export._skops import skops_types

__all__ = ["register_converters", "skops_types", "to_onnx"]
