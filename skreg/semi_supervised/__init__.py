"""Semi-supervised learning on graphs."""

from skreg.semi_supervised._label_propagation import GraphLabelPropagation

__all__ = ["GraphLabelPropagation"]
