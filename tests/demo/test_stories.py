"""The stories at other seeds and small sizes: what they say follows from what was measured."""

import importlib

import numpy as np
import pytest

from skreg.demo._registry import NEEDS, STORIES
from skreg.demo._shown import shown_source
from skreg.demo._told import tell
from skreg.demo.stories import (
    causal_graph,
    coreset,
    few_labels,
    many_classes,
    rare_event,
    sparse_certificate,
)
from skreg.probe import LinearNaiveBayes

WITHOUT_TORCH = [name for name in STORIES if name not in NEEDS]
SMALL = {
    "many-classes": {"n_draws": 2, "n_rows": 4000, "n_classes": 100},
    "rare-event": {"n_draws": 4},
    "sparse-certificate": {"n_draws": 2, "n_rows": 100, "n_features": 500},
    "causal-graph": {"n_draws": 1},
    "coreset": {"n_draws": 8, "n_rows": 20_000, "rival_rows": 500},
    "few-labels": {"n_draws": 5, "sizes": (8, 32, 128)},
}


@pytest.fixture(scope="module", params=[3, 41])
def measured(request):
    """Each story at a small size, once for each seed."""
    cache = {}

    def measure(name):
        if name not in cache:
            module = importlib.import_module(STORIES[name])
            cache[name] = module.measure(request.param, **SMALL[name])
        return cache[name]

    return measure


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_every_story_says_one_sentence_and_draws(name, measured):
    module = importlib.import_module(STORIES[name])
    sentence = module.sentence(measured(name))
    assert "\n" not in sentence
    assert 60 < len(sentence) < 330
    assert any(character.isdigit() for character in sentence)
    figure, caption = module.draw(measured(name))
    for axes in figure.axes:
        assert axes.get_title(loc="left") or axes.get_title()
    assert caption.endswith(".")


@pytest.mark.parametrize("name", STORIES)
def test_shown_code_is_about_ten_lines_that_fit_a_page(name):
    pytest.importorskip("torch") if name in NEEDS else None
    code = shown_source(importlib.import_module(STORIES[name]).SHOWN)
    compile(code, name, "exec")
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 16
    assert max(map(len, lines)) <= 90


def test_naive_bayes_of_two_halves_is_that_of_all_rows():
    rng = np.random.default_rng(4)
    X, y, *_ = many_classes.draw_rows(rng, many_classes.CORRELATED, 2000, 20)
    merged, whole = many_classes.fit_in_two_places(X, y), LinearNaiveBayes().fit(X, y)
    np.testing.assert_allclose(merged.coef_, whole.coef_, rtol=1e-5, atol=1e-6)


def test_the_price_of_correlated_features_is_shown(measured):
    found = measured("many-classes")
    assert found.lead(many_classes.CORRELATED).mean < 0.0
    assert abs(found.lead(many_classes.INDEPENDENT).mean) < 0.02


def test_rare_probabilities_are_better_than_logistic_regressions(measured):
    assert measured("rare-event").ratio(rare_event.LOGISTIC).mean < 0.9


def test_every_answer_that_counts_reaches_the_gap(measured):
    runs = measured("sparse-certificate").runs
    for name in (sparse_certificate.OURS, sparse_certificate.LIBLINEAR):
        assert all(draw[-1].gap <= sparse_certificate.TARGET for draw in runs[name])


def test_the_gap_is_zero_at_the_solution_and_the_null_models_at_zero():
    rng = np.random.default_rng(5)
    X, y, alpha = sparse_certificate.draw_problem(rng, 50, 80)
    model, gap = sparse_certificate.certified_fit(X, y, alpha, 1e-12)
    assert abs(sparse_certificate.relative_gap(X, y, model.coef_.ravel(), alpha)) < 1e-10
    assert gap < 1e-10
    worse = 2.0 * model.coef_.ravel()
    assert sparse_certificate.relative_gap(X, y, worse, alpha) > 1e-3


def test_colide_is_closer_than_least_squares_in_raw_units(measured):
    found = measured("causal-graph")
    assert found.lead(causal_graph.LEAST_SQUARES).mean < -2
    assert found.error_of_level(causal_graph.COLIDE) < 0.05


def test_coresets_cost_less_and_see_the_rare_effect(measured):
    found = measured("coreset")
    assert found.ratio().mean < 1.0
    assert abs(found.effects[coreset.LEWIS] - coreset.RARE_EFFECT) < 2.0
    assert 0.0 <= found.certified < 1e-3


def test_the_best_cost_is_that_of_the_linear_program():
    from skreg.coreset import LpRegressor

    X, y = coreset.draw_rows(np.random.default_rng(8), 3000)
    exact = LpRegressor(p=1).fit(X, y)
    best, bound = coreset.best_cost(X, y, np.append(exact.coef_, exact.intercept_) + 0.1)
    assert bound <= exact.objective_ * (1 + 1e-9)
    assert best >= exact.objective_ * (1 - 1e-9)
    assert best / bound < 1.001


def test_many_labels_are_better_used_by_logistic_regression(measured):
    lead = measured("few-labels").lead(few_labels.BALANCED)
    assert lead[-1].mean > 0


def test_a_lost_comparison_is_said():
    """The words follow the numbers, whoever wins."""
    truth = [np.full(5, 0.01), np.full(5, 0.02), np.full(5, 0.01)]
    off = [t + e for t, e in zip(truth, (0.01, 0.011, 0.012), strict=True)]
    near = [t + e for t, e in zip(truth, (0.001, 0.0011, 0.0012), strict=True)]
    estimates = {rare_event.PRESTO: off, rare_event.LOGISTIC: near, rare_event.ODDS: near}
    lost = rare_event.sentence(rare_event.Measured(truth, estimates, [5, 6, 7]))
    assert lost.count("(worse)") == 2
    estimates = {rare_event.PRESTO: near, rare_event.LOGISTIC: off, rare_event.ODDS: near}
    won = rare_event.sentence(rare_event.Measured(truth, estimates, [5, 6, 7]))
    assert "(better)" in won

    errors = {
        few_labels.NAIVE: np.array([[0.3, 0.3]] * 3),
        few_labels.LOGISTIC: np.array([[0.1, 0.1]] * 3),
        few_labels.BALANCED: np.array([[0.1, 0.1]] * 3),
    }
    assert few_labels.sentence(few_labels.Measured(errors, (8, 16))).count("never ahead") == 2


def test_wrong_labels_are_found():
    pytest.importorskip("torch")
    from skreg.demo.stories import wrong_labels

    found = wrong_labels.measure(3, n_draws=1, n_rows=600)
    assert found.lead(wrong_labels.PLAIN).mean > 0.05
    assert np.mean(found.found) > 0.5
    assert np.mean(found.alarms) < 0.05
    assert "ELR finds" in wrong_labels.sentence(found)
    wrong_labels.draw(found)


def test_a_told_story_is_all_that_the_page_needs(tell_toys):
    told = tell("toy-well", tell_toys("toy-well")["toy-well"], 2)
    assert told.text.startswith("It measures nothing")
    assert told.sentence == "<measured> 3"
    assert told.svg.startswith("<svg")
    assert told.svg.endswith("</svg>")
