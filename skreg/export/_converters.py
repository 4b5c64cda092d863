"""Converters for skl2onnx: from a linear predictor to what an estimator predicts."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skreg import coreset, linear_model, online, ordinal, probe
from skreg._optional import require
from skreg.export._graph import Graph


def write_predictor(graph: Graph) -> None:
    """Regression: the linear predictor."""
    graph.write_numbers(graph.linear_predictor())


def write_mean_count(graph: Graph) -> None:
    """Poisson regression: exp of the linear predictor."""
    graph.write_numbers(graph.node("Exp", graph.linear_predictor()))


def write_classes(graph: Graph) -> None:
    """Logistic of one score for two classes, softmax of one score for each of more."""
    if not hasattr(graph.model, "predict_proba"):
        raise ValueError(
            f"{type(graph.model).__name__} with loss={graph.model.loss!r} has no probabilities, "
            "which graphs of classifiers return; fit it with loss='log_loss'"
        )
    scores = graph.linear_predictor()
    if len(graph.model.classes_) == 2:
        second, first = graph.probabilities(scores)
        chosen = graph.integers(graph.node("Greater", scores, graph.constant(0.0)))
        best = graph.node("Reshape", chosen, graph.constant(np.array([-1])))
        probabilities = graph.beside(first, second)
    else:
        best = graph.node("ArgMax", scores, axis=1, keepdims=0)
        probabilities = graph.node("Softmax", scores, axis=1)
    graph.write_labels(graph.choose(graph.labels(), best))
    graph.write_numbers(probabilities)


def write_ordered_classes(graph: Graph) -> None:
    """Cumulative links: differences between the boundaries, crossings repaired."""
    if graph.model.link_ not in ORDERED:
        raise ValueError(
            f"{type(graph.model).__name__} with link={graph.model.link_!r} has no converter to "
            f"ONNX, whose function Erf loses the tails of the normal distribution; the links "
            f"{list(ORDERED)} have one"
        )
    if graph.model._has_offset:
        raise ValueError(
            f"{type(graph.model).__name__} was fitted with an offset, for which ONNX has no input"
        )
    order = np.searchsorted(graph.model.classes_, graph.model.class_order_)
    eta = without_crossing(graph, graph.linear_predictor(), len(order) - 1)
    ordered = ORDERED[graph.model.link_](graph, eta, len(order) - 1)
    best = graph.node("ArgMax", ordered, axis=1, keepdims=0)
    graph.write_labels(graph.choose(graph.labels()[order], best))
    graph.write_numbers(graph.columns(ordered, np.argsort(order)))


def logit_probabilities(graph: Graph, eta: str, n_boundaries: int) -> str:
    """pi_c = sigma(eta_c) sigma(-eta_{c-1}) (1 - exp(-d)), d = eta_c - eta_{c-1}."""
    below, above = graph.probabilities(eta)
    parts = [graph.columns(below, [0]), graph.columns(above, [n_boundaries - 1])]
    if n_boundaries > 1:
        upper, lower = np.arange(1, n_boundaries), np.arange(n_boundaries - 1)
        inside = graph.node("Mul", graph.columns(below, upper), graph.columns(above, lower))
        gap = one_minus_exp(graph, increments(graph, eta, n_boundaries))
        parts.insert(1, graph.node("Mul", inside, gap))
    return graph.beside(*parts)


def cloglog_probabilities(graph: Graph, eta: str, n_boundaries: int) -> str:
    """pi_c = exp(-e^b) (1 - exp(-D)), D = e^a (1 - exp(-d)); a = eta_c, b = eta_{c-1}, d = a - b.

    e^eta is capped where it would overflow; exp(-e^eta) is 0 long before.
    """
    rate = graph.node("Exp", graph.node("Min", eta, graph.constant(LARGEST_EXPONENT)))
    above = graph.node("Exp", graph.node("Neg", rate))
    first = one_minus_exp(graph, graph.columns(rate, [0]))
    parts = [first, graph.columns(above, [n_boundaries - 1])]
    if n_boundaries > 1:
        gap = one_minus_exp(graph, increments(graph, eta, n_boundaries))
        upper, lower = np.arange(1, n_boundaries), np.arange(n_boundaries - 1)
        mass = one_minus_exp(graph, graph.node("Mul", graph.columns(rate, upper), gap))
        parts.insert(1, graph.node("Mul", graph.columns(above, lower), mass))
    return graph.beside(*parts)


def loglog_probabilities(graph: Graph, eta: str, n_boundaries: int) -> str:
    """Those of the complementary link, with the signs and the order of the classes turned."""
    turned = graph.node("Neg", graph.columns(eta, np.arange(n_boundaries)[::-1]))
    probabilities = cloglog_probabilities(graph, turned, n_boundaries)
    return graph.columns(probabilities, np.arange(n_boundaries + 1)[::-1])


ORDERED = {
    "logit": logit_probabilities,
    "cloglog": cloglog_probabilities,
    "loglog": loglog_probabilities,
}
LARGEST_EXPONENT = 709.0


def increments(graph: Graph, eta: str, n_boundaries: int) -> str:
    """eta_c - eta_{c-1} of the middle classes."""
    upper, lower = np.arange(1, n_boundaries), np.arange(n_boundaries - 1)
    return graph.node("Sub", graph.columns(eta, upper), graph.columns(eta, lower))


def one_minus_exp(graph: Graph, d: str) -> str:
    """1 - exp(-d) = tanh(d / 2) (1 + exp(-d)), which keeps its digits where d is small."""
    tanh = graph.node("Tanh", graph.node("Mul", d, graph.constant(0.5)))
    rest = graph.node("Add", graph.node("Exp", graph.node("Neg", d)), graph.constant(1.0))
    return graph.node("Mul", tanh, rest)


def without_crossing(graph: Graph, eta: str, n_boundaries: int) -> str:
    """The running minimum from the last boundary down, as `PrestoClassifier` repairs crossings."""
    lowest = [graph.columns(eta, [n_boundaries - 1])]
    for k in range(n_boundaries - 2, -1, -1):
        lowest.insert(0, graph.node("Min", graph.columns(eta, [k]), lowest[0]))
    return graph.beside(*lowest)


class Kind(NamedTuple):
    """Estimators whose graphs are written in one way."""

    alias: str
    write: Callable[[Graph], None]
    classes: tuple[type, ...]

    @property
    def of_classifiers(self) -> bool:
        """Whether there are labels and probabilities."""
        return all(hasattr(cls, "predict_proba") for cls in self.classes)

    def convert(self, scope: Any, operator: Any, container: Any) -> None:
        """Write the graph of one estimator; a converter of skl2onnx."""
        self.write(Graph(scope, operator, container))

    def shape(self, operator: Any) -> None:
        """Set types and shapes of the outputs; a shape calculator of skl2onnx."""
        types = require("skl2onnx.common.data_types", "export", "to_onnx")
        model, n_samples = operator.raw_operator, operator.inputs[0].get_first_dimension()
        if not self.of_classifiers:
            operator.outputs[0].type.shape = [n_samples, np.size(model.intercept_)]
            return
        of_strings = np.asarray(model.classes_).dtype.kind in "OU"
        nocl = operator.scope_inst.get_options(model, {"nocl": False})["nocl"]
        label_type = types.StringTensorType if of_strings and not nocl else types.Int64TensorType
        operator.outputs[0].set_type(label_type([n_samples]))
        operator.outputs[1].type.shape = [n_samples, len(model.classes_)]


KINDS = (
    Kind(
        "SkregLinearRegressor",
        write_predictor,
        (
            coreset.LpRegressor,
            linear_model.ElasticNet,
            linear_model.ElasticNetCV,
            linear_model.GroupLasso,
            linear_model.GroupLassoCV,
            linear_model.HuberLasso,
            linear_model.HuberLassoCV,
            linear_model.Lasso,
            linear_model.LassoCV,
            linear_model.MultiTaskLasso,
            linear_model.MultiTaskLassoCV,
            linear_model.NonNegativeLeastSquares,
            online.OptimisticOMDRegressor,
        ),
    ),
    Kind(
        "SkregCountRegressor",
        write_mean_count,
        (linear_model.SparsePoissonRegressor, linear_model.SparsePoissonRegressorCV),
    ),
    Kind(
        "SkregLinearClassifier",
        write_classes,
        (
            linear_model.SparseLogisticRegression,
            linear_model.SparseLogisticRegressionCV,
            online.OptimisticOMDClassifier,
            probe.LinearNaiveBayes,
        ),
    ),
    Kind(
        "SkregOrdinalClassifier",
        write_ordered_classes,
        (
            ordinal.PrestoClassifier,
            ordinal.PrestoClassifierCV,
            ordinal.ProportionalOddsClassifier,
        ),
    ),
)
