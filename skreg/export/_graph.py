"""A small language for the graphs of linear predictors in ONNX."""

from typing import Any

import numpy as np

from skreg._optional import require
from skreg.rows import in_main_memory


class Graph:
    """Nodes of one operator of skl2onnx, by the names of their results.

    All between input and outputs is in double precision, as in the estimators themselves: a
    product with a vector costs little, and single precision would lose what columns far from zero
    say, and the tails of rare probabilities.

    Parameters
    ----------
    scope, operator, container : object
        What skl2onnx hands to a converter.
    """

    def __init__(self, scope: Any, operator: Any, container: Any) -> None:
        self.model = operator.raw_operator
        self._scope, self._operator, self._container = scope, operator, container
        self._proto = require("skl2onnx.proto", "export", "to_onnx").onnx_proto.TensorProto

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The result of an operation of ONNX."""
        result = self._scope.get_unique_variable_name(f"{kind.lower()}_result")
        self._add(kind, inputs, result, **attributes)
        return result

    def constant(self, values: Any) -> str:
        """Numbers in double precision, integers or strings."""
        values = np.asarray(values)
        types = {"f": self._proto.DOUBLE, "i": self._proto.INT64, "U": self._proto.STRING}
        name = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(
            name, types[values.dtype.kind], list(values.shape), values.ravel().tolist()
        )
        return name

    def integers(self, value: str) -> str:
        """Truth values as 0 and 1."""
        return self.node("Cast", value, to=self._proto.INT64)

    def columns(self, value: str, indices: Any) -> str:
        """Some columns of a matrix."""
        return self.node("Gather", value, self.constant(np.asarray(indices)), axis=1)

    def beside(self, *parts: str) -> str:
        """Matrices beside one another."""
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=1)

    def linear_predictor(self) -> str:
        """``X @ coef_.T + intercept_``, one column for each row of `coef_`, or of `intercept_`."""
        coef = np.atleast_2d(in_main_memory(self.model.coef_)).astype(np.float64)
        intercept = np.atleast_1d(in_main_memory(self.model.intercept_)).astype(np.float64)
        product = self.node("MatMul", self._features(), self.constant(coef.T))
        return self.node("Add", product, self.constant(intercept))

    def _features(self) -> str:
        """The columns of all inputs: a data frame is one input for each column."""
        names = [variable.onnx_name for variable in self._operator.inputs]
        return self.beside(*(self.node("Cast", name, to=self._proto.DOUBLE) for name in names))

    def probabilities(self, predictor: str) -> tuple[str, str]:
        """sigma(z) and sigma(-z) of a linear predictor, each accurate in both tails.

        sigma(z) = 1 / (1 + t) if z >= 0, else t / (1 + t), with t = exp(-|z|).
        """
        one = self.constant(1.0)
        t = self.node("Exp", self.node("Neg", self.node("Abs", predictor)))
        negative = self.node("Less", predictor, self.constant(0.0))
        scale = self.node("Add", t, one)
        up, down = self.node("Where", negative, t, one), self.node("Where", negative, one, t)
        return self.node("Div", up, scale), self.node("Div", down, scale)

    def choose(self, labels: np.ndarray, positions: str) -> str:
        """The label at each position."""
        return self.node("Gather", self.constant(labels), positions, axis=0)

    def labels(self) -> np.ndarray:
        """Labels as ONNX knows them: integers or strings, or positions, with the option `nocl`."""
        classifier = require("skl2onnx.common.utils_classifier", "export", "to_onnx")
        labels = np.asarray(classifier.get_label_classes(self._scope, self.model))
        if labels.dtype.kind in "OU":
            return labels.astype(str)
        whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels):
            raise ValueError(
                f"labels of a classifier in ONNX are integers or strings, but {self.model} was "
                f"fitted on the labels {labels.tolist()}; fit it on integers or strings"
            )
        return whole

    def write_labels(self, value: str) -> None:
        """Make a value the first output."""
        self._add("Identity", [value], self._operator.outputs[0].full_name)

    def write_numbers(self, value: str) -> None:
        """Make a value the last output, in the precision of the input."""
        types = require("skl2onnx.common.data_types", "export", "to_onnx")
        output = self._operator.outputs[-1]
        self._add("Cast", [value], output.full_name, to=types.guess_proto_type(output.type))

    def _add(self, kind: str, inputs: Any, output: str, **attributes: Any) -> None:
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(inputs), [output], name=name, **attributes)
