"""A learned graph in the languages of other tools."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg._optional import require
from skreg.causal._graph_texts import dagitty_text, dot_text, gml_line
from skreg.causal._names import node_number


class ExportsMixin:
    """Edges of a graph with `adjacency_matrix_` and names of its nodes, as lists and texts."""

    adjacency_matrix_: np.ndarray
    _names: Callable[[], list[str]]

    def _nodes(self) -> tuple[list[str], np.ndarray]:
        """Names of the nodes, and the weights of the graph."""
        return self._names(), self.adjacency_matrix_

    def edges(self) -> list[tuple[str, str, float]]:
        """List the edges, the strongest first.

        Returns
        -------
        list of (str, str, float)
            Name of the cause, name of the effect, weight.
        """
        check_is_fitted(self)
        names, W = self._nodes()
        pairs = np.argwhere(W)
        strength = np.abs(W[W != 0])
        return [
            (names[i], names[j], float(W[i, j]))
            for i, j in pairs[np.argsort(-strength, kind="stable")]
        ]

    def to_networkx(self) -> Any:
        """Make a networkx graph.

        Returns
        -------
        networkx.DiGraph
            Nodes are the column names (``x0``, ``x1``, ... without names); edges carry ``weight``.

        Raises
        ------
        ImportError
            If networkx is not installed.
        """
        networkx = require("networkx", "graph", "to_networkx")
        check_is_fitted(self)
        graph = networkx.DiGraph()
        graph.add_nodes_from(self._nodes()[0])
        graph.add_weighted_edges_from(self.edges())
        return graph

    def to_graphviz(self) -> str:
        r"""Write the graph in Graphviz's language.

        Returns
        -------
        str
            Text for ``dot``, with the weights as labels.
        """
        check_is_fitted(self)
        return dot_text(self._nodes()[0], self.edges())

    def to_dagitty(
        self, *, exposure: int | str | None = None, outcome: int | str | None = None
    ) -> str:
        """Write the graph for DAGitty, on its web page or in R.

        Parameters
        ----------
        exposure, outcome : int or str, default=None
            Columns to mark as such, by number or name.

        Returns
        -------
        str
            Text of a ``dag``, with the weights as path coefficients ``beta``.

        Raises
        ------
        ValueError
            If a column does not exist, exposure and outcome are the same, or a name cannot be
            written in DAGitty's language.
        """
        check_is_fitted(self)
        names = self._nodes()[0]
        given = {"exposure": exposure, "outcome": outcome}
        marks = {
            node_number(node, names, mark): mark for mark, node in given.items() if node is not None
        }
        if exposure is not None and outcome is not None and len(marks) == 1:
            raise ValueError(f"exposure and outcome are both {exposure!r}; they must differ")
        return dagitty_text(names, self.edges(), marks)

    def to_dowhy(self) -> str:
        """Write the graph for DoWhy: the argument ``graph`` of its ``CausalModel``.

        Returns
        -------
        str
            One line of GML, without the weights, which DoWhy does not read.

        Notes
        -----
        DoWhy takes a text of several lines for no graph at all, and one with ``.dot`` or ``.gml``
        in it for the name of a file. So there is one line, and names are in letters, digits and
        character references.
        """
        check_is_fitted(self)
        return gml_line(self._nodes()[0], self.edges())
