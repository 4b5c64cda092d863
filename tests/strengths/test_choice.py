"""The strength that scores speak for, and its place on the grid."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from skreg.strengths import (
    RegularizationPath,
    choose_by_scores,
    choose_strength,
    edge_of,
    standard_error,
    warn_at_edge,
)

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


def folds_around(mean, error=1.0):
    """Scores on three folds with these means and this standard error of the mean."""
    spread = np.array([-1.0, 0.0, 1.0]) * np.sqrt(3) * error
    return np.asarray(mean, dtype=float)[:, None] + spread


def test_one_standard_error_rule_by_hand():
    # errors 5, 2, 1, 3 with standard error 1 at the best one: 2 is within, 5 is not
    best = np.array([0.0, 1.0, 2.0]) * np.sqrt(3)
    best = best - best.mean() + 1
    scores = -np.array([np.full(3, 5.0), np.full(3, 2.0), best, np.full(3, 3.0)])
    np.testing.assert_allclose(standard_error(scores[2]), 1.0)
    scores[1] += 1e-9
    assert choose_strength(scores) == (2, 1)
    scores[1] -= 1e-3
    assert choose_strength(scores) == (2, 2)


def test_ties_and_single_folds_take_the_stronger_penalty():
    assert choose_strength(np.array([[0.0], [1.0], [1.0]])) == (1, 1)


@pytest.mark.parametrize("step", [2.0, 10.0])
@pytest.mark.parametrize(("per_decade", "edge"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize("side", ["smallest", "largest"])
def test_an_edge_is_where_ten_times_beyond_would_gain_a_standard_error(
    side, per_decade, edge, step
):
    # the score rises by `per_decade` standard errors in each decade towards one end of the grid
    alphas = 2.0 / step ** np.arange(5)
    decades = np.abs(np.log10(alphas / alphas[0 if side == "smallest" else -1]))
    scores = folds_around(per_decade * decades * 0.3, error=0.3)
    position = choose_strength(scores).best
    assert position == (4 if side == "smallest" else 0)
    found = edge_of(alphas, position, from_null=False, scores=scores)
    assert found == (side if edge else None)
    assert edge_of(alphas, position, from_null=False) == side
    if side == "largest":
        assert edge_of(alphas, position, from_null=True, scores=scores) is None


@pytest.mark.parametrize("alphas", [[1.0, 1.0, 1.0], [1.0, 0.5, 0.0]], ids=["equal", "zero"])
def test_equal_strengths_and_zero_have_nothing_below(alphas):
    scores = folds_around([0.0, 5.0, 10.0])
    assert edge_of(np.array(alphas), 2, from_null=True, scores=scores) is None


def test_repeated_strengths_at_the_end_are_one():
    scores = folds_around([0.0, 5.0, 5.0])
    assert edge_of(np.array([1.0, 0.1, 0.1]), 1, from_null=True, scores=scores) == "smallest"


def test_the_next_strength_may_be_zero():
    scores = folds_around([5.0, 0.0])
    assert edge_of(np.array([1.0, 0.0]), 0, from_null=False, scores=scores) == "largest"


def choose(scores, rule, alphas=ALPHAS, from_null=True):
    return choose_by_scores(alphas, scores, by="Model", selection_rule=rule, from_null=from_null)


def test_the_choice_of_several_paths_and_its_attributes():
    scores = np.array([folds_around([0, 3, 2.5]), folds_around([3.5, 4, 0])])
    alphas = np.array([ALPHAS, 2 * ALPHAS])
    for rule, alpha in (("min", 0.2), ("one_standard_error", 2.0)):
        choice = choose(scores, rule, alphas)
        assert (choice.path, choice.alpha, choice.at_edge) == (1, alpha, False)
        assert (choice.alpha_best, choice.alpha_one_standard_error) == (0.2, 2.0)
        model = SimpleNamespace()
        choice.store(model)
        assert model.alphas_ is alphas
        assert model.score_path_ is scores
        assert (model.alpha_, model.alpha_best_, model.alpha_at_edge_) == (alpha, 0.2, False)
        assert model.alpha_one_standard_error_ == 2.0
    single = choose(scores[:1], "min")
    assert single.alphas.shape == (3,)
    assert np.array_equal(single.score_path, scores[0])


def test_a_best_score_at_the_edge_is_told_under_both_rules():
    scores = folds_around([0.0, 9.5, 10.0], error=0.4)[None]
    with pytest.warns(UserWarning, match=r"Model chose alpha=0.01, the smallest of the 3"):
        assert choose(scores, "min").at_edge
    scores = folds_around([0.0, 9.5, 10.0], error=0.49)[None]
    with pytest.warns(UserWarning, match=r"Model chose alpha=0.01, the smallest of the 3"):
        assert choose(scores, "one_standard_error").at_edge
    alphas = np.array([1.0, 0.011, 0.01])
    text = r"chose alpha=0.011 by the best score at alpha=0.01, the smallest of the 3"
    with pytest.warns(UserWarning, match=text):
        assert choose(folds_around([0.0, 9.6, 10.0])[None], "one_standard_error", alphas).at_edge


def test_the_largest_strength_within_one_standard_error_may_lie_above_the_grid():
    scores = folds_around([9.5, 10.0, 0.0])[None]
    with pytest.warns(UserWarning, match="chose alpha=1, the largest of the 3.* above"):
        assert choose(scores, "one_standard_error", from_null=False).at_edge
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not choose(scores, "one_standard_error").at_edge
        assert not choose(scores, "min", from_null=False).at_edge


def test_records_of_arrays_compare_by_identity():
    path = RegularizationPath(*(np.ones(2) for _ in range(6)))
    assert path in [path]  # not the truth value of an array
    assert path not in [RegularizationPath(*(np.ones(2) for _ in range(6)))]
