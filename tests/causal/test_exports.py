"""Texts of graphs for other tools, read back by readers that are not ours or follow a grammar."""

import re

import networkx
import numpy as np
import pandas as pd
import pytest

from skreg.causal import SortNRegress
from skreg.datasets import make_linear_sem

AWKWARD = ["a", 'say "b"', "näh und fern", "c.dot", "graph { d }", "5 % [e] & &amp;", "f\\g"]


def fitted(columns):
    sem = make_linear_sem(200, len(columns), edges_per_node=1, random_state=0)
    return SortNRegress(threshold=0.3).fit(pd.DataFrame(sem.X, columns=columns))


def read_dagitty(text):
    """Nodes with marks, and edges with weights, by DAGitty's published grammar.

    An id is a bare word or a string, in which only the quote is escaped; `;` and white space part
    statements; attributes stand in brackets.
    """
    string = r'"((?:[^"\\\x00-\x1f\x7f]|\\"|\\(?!"))+)"'
    space = r"[\n\r\t ;]*"
    opening = re.match(rf"{space}dag{space}\{{{space}", text)
    position, nodes, edges = opening.end(), {}, {}
    while not re.compile(rf"\}}{space}$").match(text, position):
        name = re.compile(string + space).match(text, position)
        position = name.end()
        first = name[1].replace('\\"', '"')
        arrow = re.compile(rf"->{space}{string}{space}").match(text, position)
        if arrow:
            position = arrow.end()
        attribute = re.compile(rf'\[{space}(\w+)(?:={space}"([-+.\w]+)")?{space}\]{space}').match(
            text, position
        )
        if attribute:
            position = attribute.end()
        if arrow:
            assert attribute[1] == "beta"
            edges[first, arrow[1].replace('\\"', '"')] = float(attribute[2])
        else:
            nodes[first] = attribute[1] if attribute else None
    return nodes, edges


@pytest.mark.parametrize("columns", [list("abcdefg"), AWKWARD], ids=["plain", "awkward"])
def test_dagitty_reads_the_same_graph(columns):
    model = fitted(columns)
    nodes, edges = read_dagitty(model.to_dagitty(exposure=0, outcome=columns[2]))
    assert nodes == {**dict.fromkeys(columns), columns[0]: "exposure", columns[2]: "outcome"}
    assert edges == {(cause, effect): weight for cause, effect, weight in model.edges()}
    assert len(edges) > 3


def test_a_small_dagitty_text():
    model = SortNRegress().fit(np.random.default_rng(0).normal(size=(20, 2)) * [1, 3])
    model.adjacency_matrix_ = np.array([[0, -0.5], [0, 0]])
    assert model.to_dagitty(exposure="x0", outcome="x1") == (
        'dag {\n"x0" [exposure]\n"x1" [outcome]\n"x0" -> "x1" [beta="-0.5"]\n}\n'
    )
    assert "exposure" not in model.to_dagitty()


@pytest.mark.parametrize("columns", [list("abcdefg"), AWKWARD], ids=["plain", "awkward"])
def test_dowhy_reads_the_same_graph(columns):
    model = fitted(columns)
    text = model.to_dowhy()
    # DoWhy asks for these in turn, of the first line: a file of Graphviz, of GML, dot, GML
    kinds = [r".*\.dot", r".*\.gml", r".*graph\s*\{.*\}\s*", r".*graph\s*\[.*\]\s*"]
    assert [bool(re.match(kind, text)) for kind in kinds] == [False, False, False, True]
    graph = networkx.parse_gml(text)  # as DoWhy does
    assert networkx.is_directed(graph)
    assert set(graph) == set(columns)
    assert set(graph.edges) == {edge[:2] for edge in model.edges()}


def test_names_that_cannot_be_written_are_refused():
    for name in ("a\\", "a\nb", ""):
        with pytest.raises(ValueError, match="rename the column"):
            fitted([name, *"bcdefg"]).to_dagitty()


def test_marks_must_be_two_columns():
    model = fitted(list("abcdefg"))
    with pytest.raises(ValueError, match="exposure names 'z', which is not a column"):
        model.to_dagitty(exposure="z")
    with pytest.raises(ValueError, match="exposure and outcome are both 'a'"):
        model.to_dagitty(exposure="a", outcome=0)
