"""The strength that scores speak for, and its place on the grid."""

import warnings

import numpy as np
import pytest

from skreg.strengths import warn_at_edge

ALPHAS = np.array([1.0, 0.1, 0.01])


@pytest.mark.parametrize(
    ("position", "from_null", "text"),
    [(2, True, "smallest of the 3.*lower eps"), (0, False, "largest of the 3.*above")],
)
def test_a_choice_at_an_edge_is_warned_of(position, from_null, text):
    with pytest.warns(
        UserWarning, match=rf"LassoCV chose alpha={ALPHAS[position]:.3g}, the {text}"
    ):
        assert warn_at_edge("LassoCV", ALPHAS, position, from_null=from_null)


@pytest.mark.parametrize(
    ("alphas", "position", "from_null"),
    [
        (ALPHAS, 0, True),
        (ALPHAS, 1, False),
        (ALPHAS[:1], 0, False),
        (np.array([1.0, 0.0]), 1, False),
    ],
    ids=["null model", "inside", "one strength", "zero"],
)
def test_what_has_nothing_beyond_it_is_no_edge(alphas, position, from_null):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not warn_at_edge("LassoCV", alphas, position, from_null=from_null)
