"""`to_onnx` and `register_converters`."""

from typing import Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skreg._optional import require
from skreg.export._converters import KINDS

CLASSIFIER_OPTIONS = {
    "nocl": [True, False],
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
}


def register_converters() -> None:
    """Teach skl2onnx the linear predictors of skreg.

    After it `skl2onnx.to_onnx` and `skl2onnx.convert_sklearn` know `skreg.probe.LinearNaiveBayes`,
    the regressors and classifiers of `skreg.linear_model`, the classifiers of `skreg.ordinal` and
    `skreg.coreset.LpRegressor`, alone and as parts of what they know already.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    """
    skl2onnx = require("skl2onnx", "export", "skreg.export.register_converters")
    for kind in KINDS:
        options = CLASSIFIER_OPTIONS if kind.of_classifiers else None
        for cls in kind.classes:
            skl2onnx.update_registered_converter(
                cls, kind.alias, kind.shape, kind.convert, options=options
            )


def to_onnx(estimator: Any, X: Any, *, target_opset: int | None = None) -> Any:
    """Convert a fitted linear predictor, or a pipeline that ends in one, to ONNX.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator: `skreg.probe.LinearNaiveBayes`, a regressor or classifier of
        `skreg.linear_model` or `skreg.ordinal`, `skreg.coreset.LpRegressor`, or a pipeline or
        other composition of them and of what skl2onnx knows.
    X : ndarray or pandas.DataFrame of shape (n_samples, n_features)
        Some rows of data, of which one is enough: their type is that of the inputs of the graph,
        and of its numbers. An array is one input, X; a data frame is one input of shape
        (n_samples, 1) for each column, with its name.
    target_opset : int, default=None
        Version of ONNX's operators, for runtimes that do not know the latest that skl2onnx knows.

    Returns
    -------
    onnx.ModelProto
        The graph; its method ``SerializeToString`` gives the bytes of a file. Its outputs are
        ``variable`` for regressors, of shape (n_samples, n_outputs), and for classifiers ``label``
        and ``probabilities``, whose columns follow `classes_`.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ImportError
        If skl2onnx is not installed.
    ValueError
        If labels are numbers that are no integers, or if a classifier of `skreg.ordinal` has
        the link "probit", or was fitted with an offset.
    TypeError
        If the estimator, or a part of it, is none that has a converter.

    Notes
    -----
    Numbers of the graph are in double precision between its input and its outputs, so that an
    answer differs from that of the estimator by the rounding of its output: 6e-8 of it in single
    precision, 1e-16 in double. Other steps of a pipeline work in the precision of the input.

    Options of skl2onnx, such as `zipmap`, which is off here, are there after
    `register_converters` through ``skl2onnx.to_onnx``.

    Examples
    --------
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from skreg.export import to_onnx
    >>> from skreg.probe import LinearNaiveBayes
    >>> X, y = load_iris(return_X_y=True)
    >>> graph = to_onnx(LinearNaiveBayes().fit(X, y), X[:1])
    >>> session = onnxruntime.InferenceSession(graph.SerializeToString())
    >>> label, probabilities = session.run(None, {"X": X[:2]})
    >>> label.tolist(), probabilities.shape
    ([0, 0], (2, 3))
    """
    check_is_fitted(estimator)
    register_converters()
    skl2onnx = require("skl2onnx", "export", "skreg.export.to_onnx")
    options = {"zipmap": False} if is_classifier(estimator) else None
    unknown = skl2onnx.common.exceptions
    try:
        return skl2onnx.to_onnx(estimator, X[:1], target_opset=target_opset, options=options)
    except (unknown.MissingShapeCalculator, unknown.MissingConverter) as error:
        raise TypeError(
            f"{type(estimator).__name__} is, or contains, a model without a converter to ONNX: of "
            "skreg linear predictors have one. A file of skops keeps any estimator without torch, "
            "see skreg.export.skops_types."
        ) from error
