"""Certificates are wrong in at most alpha of the cases, where the truth is known.

Draws come from known distributions and go through the very lines that certify a classifier.
"""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skreg.robustness import RandomizedSmoothingClassifier, certified_radius
from skreg.robustness._certify import (
    Rule,
    best_certificates,
    certificates_of_choices,
    choose,
    vote,
)
from skreg.robustness._simplex_maps import Candidate
from skreg.robustness._smoothing_votes import Tally

REPETITIONS, ALPHA = 2000, 0.05
ALLOWED = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / REPETITIONS)
HARD, SOFT = [Candidate("argmax", np.inf)], [Candidate("sparsemax", 1.0)]


def votes(p):
    """Scores whose argmax is k with probability p_k."""
    p = np.asarray(p)
    return lambda rng, n: np.eye(len(p))[:, rng.choice(len(p), size=n, p=p)]


def dirichlet(a):
    """Scores on the simplex, which sparsemax leaves as they are, with mean a / sum(a)."""
    return lambda rng, n: rng.dirichlet(a, size=n).T


def tallied(draw, candidates, n, rng, repetitions, keep=False):
    """As many tallies of n draws as there are repetitions."""
    tallies = [Tally(candidates, len(draw(rng, 1)), keep) for _ in range(repetitions)]
    for tally in tallies:
        tally.add(draw(rng, n))
    return tallies


def certified(draw, candidates, rule, rng, n0=30, keep=False, repetitions=REPETITIONS):
    """Certificates of the same input again and again, as `certify` makes them."""
    if rule.selection == "union":
        return best_certificates(tallied(draw, candidates, rule.n, rng, repetitions, keep), rule)
    choices = choose(tallied(draw, candidates, n0, rng, repetitions), rule)
    tallies = [tallied(draw, [candidates[j]], rule.n, rng, 1, keep)[0] for j in choices.map_index]
    return certificates_of_choices(tallies, choices, rule)


def share_of_wrong(certificates, p, rule):
    """How often the class is not the most probable one, or the radius larger than that of p."""
    top = int(np.argmax(p))
    truth = certified_radius(p[top], np.delete(p, top).max(), rule.sigma, rule.radius)
    wrong = (certificates.label != top) | (certificates.radius > truth + 1e-12)
    return np.mean(wrong & (certificates.label >= 0))


CLOSE = (0.5, 0.05, 0.45)  # where bounds of two classes only, at level alpha each, fail
CASES = {
    "close, ten draws": (votes(CLOSE), CLOSE, HARD, 10),
    "close": (votes(CLOSE), CLOSE, HARD, 200),
    "tie": (votes((0.5, 0.5, 0.0)), (0.5, 0.5, 0.0), HARD, 200),
    "confident": (votes((0.97, 0.02, 0.01)), (0.97, 0.02, 0.01), HARD, 200),
    "two classes": (votes((0.55, 0.45)), (0.55, 0.45), HARD, 200),
    "soft": (dirichlet([5.0, 3.0, 2.0]), (0.5, 0.3, 0.2), SOFT, 200),
    "soft, two classes": (dirichlet([0.3, 0.2]), (0.6, 0.4), SOFT, 200),
    "soft, rare": (dirichlet([0.2, 0.02, 0.02]), (10 / 12, 1 / 12, 1 / 12), SOFT, 200),
}


@pytest.mark.parametrize("selection", ["split", "union"])
@pytest.mark.parametrize("name", CASES)
def test_miscoverage_is_at_most_alpha(name, selection):
    draw, p, candidates, n = CASES[name]
    rule = Rule(sigma=1.0, alpha=ALPHA, n=n, selection=selection)
    certificates = certified(draw, candidates, rule, np.random.default_rng(0))
    assert share_of_wrong(certificates, p, rule) <= ALLOWED


@pytest.mark.parametrize(
    ("name", "selection"),
    [("soft", "split"), ("soft", "union"), ("soft, two classes", "split")],
)
def test_miscoverage_of_betting_is_at_most_alpha(name, selection):
    draw, p, candidates, _ = CASES[name]
    rule = Rule(sigma=1.0, alpha=ALPHA, n=60, selection=selection)
    certificates = certified(draw, candidates, rule, np.random.default_rng(0), keep=True)
    assert share_of_wrong(certificates, p, rule) <= ALLOWED
    moments_only = certified(draw, candidates, rule, np.random.default_rng(0), repetitions=200)
    assert certificates.radius.mean() > moments_only.radius.mean()


@pytest.mark.parametrize("selection", ["split", "union"])
@pytest.mark.parametrize("radius", ["multi", "mono", "margin"])
def test_miscoverage_of_each_radius_with_several_candidates(radius, selection):
    """Scores of votes, which three of the four candidates leave as they are."""
    candidates = [*HARD, *SOFT, Candidate("sparsemax", 2.0), Candidate("softmax", 1e6)]
    rule = Rule(1.0, ALPHA, 150, radius, selection)
    certificates = certified(votes(CLOSE), candidates, rule, np.random.default_rng(1), 40)
    assert share_of_wrong(certificates, CLOSE, rule) <= ALLOWED


def test_the_level_is_spent_and_not_given_away():
    """Two classes: one bound at level alpha, which fails about as often."""
    rule, p = Rule(1.0, 0.2, 300), (0.7, 0.3)
    wrong = share_of_wrong(certified(votes(p), HARD, rule, np.random.default_rng(2)), p, rule)
    assert 0.15 < wrong < 0.2 + 3 * np.sqrt(0.16 / REPETITIONS)


def test_levels_are_shared_among_the_bounds_that_are_needed():
    assert Rule(1.0, 0.06, 9).level(5, 3) == pytest.approx(0.06 / 3)
    assert Rule(1.0, 0.06, 9).level(5, 2) == pytest.approx(0.06)
    assert Rule(1.0, 0.06, 9, "mono").level(5, 3) == pytest.approx(0.06)
    union = {"selection": "union"}
    assert Rule(1.0, 0.06, 9, **union).level(5, 3) == pytest.approx(0.06 / (2 * 3 * 5))
    assert Rule(1.0, 0.06, 9, **union).level(5, 2) == pytest.approx(0.06 / (2 * 5))
    assert Rule(1.0, 0.06, 9, "mono", **union).level(5, 3) == pytest.approx(0.06 / (3 * 5))


def test_early_abstention_costs_nothing_that_the_draws_could_have_proved():
    """With as many draws before as after, decided cases are those that come to nothing anyway."""
    rng = np.random.default_rng(3)
    draw, rule = votes((0.4, 0.35, 0.25)), Rule(1.0, 0.001, 500, "mono")
    choices = choose(tallied(draw, HARD, 500, rng, 300), rule)
    assert choices.hopeless.sum() > 150
    later = choices._replace(hopeless=np.zeros(300, dtype=bool))
    proved = certificates_of_choices(tallied(draw, HARD, 500, rng, 300), later, rule)
    assert (proved.label[choices.hopeless] == -1).all()
    given_up = certificates_of_choices(tallied(draw, HARD, 500, rng, 300), choices, rule)
    found = [values[choices.hopeless] for values in given_up[:4]]
    for values, expected in zip(found, (-1, 0.0, 0.0, 1.0), strict=True):
        assert (values == expected).all()


def test_draws_that_decide_nothing_go_on():
    rng, rule = np.random.default_rng(4), Rule(1.0, 0.001, 10_000)
    assert not choose(tallied(votes((0.6, 0.4)), HARD, 20, rng, 50), rule).hopeless.any()
    assert not choose(tallied(votes((0.3, 0.3, 0.4)), HARD, 1, rng, 50), rule).hopeless.any()
    assert choose(tallied(votes((0.3, 0.3, 0.4)), HARD, 1, rng, 50), rule).label.std() > 0


@pytest.fixture(scope="module")
def plane():
    """A linear classifier of two classes, whose boundary is at 0 of the first column."""
    X = np.array([[-1.0, 0.0], [1.0, 0.0], [-1.0, 1.0], [1.0, 1.0]])
    linear = LogisticRegression().fit(X, [0, 1, 0, 1])
    linear.coef_, linear.intercept_ = np.array([[3.0, 0.0]]), np.array([0.0])
    return FrozenEstimator(linear), X


@pytest.mark.parametrize("selection", ["split", "union"])
def test_of_a_linear_classifier_the_radius_is_the_distance(plane, selection):
    """Two thousand times the same point, each with noise of its own."""
    linear, X = plane
    model = RandomizedSmoothingClassifier(
        linear, sigma=0.5, alpha=ALPHA, n0=50, n=200, maps=("argmax",), noise="independent",
        selection=selection, random_state=0,
    ).fit(X, [0, 1, 0, 1])  # fmt: skip
    distance = 0.3
    result = model.certify(np.tile([distance, 2.0], (REPETITIONS, 1)))
    wrong = (result.label == 0) | (result.radius > distance)
    assert wrong.mean() <= ALLOWED
    assert result.radius.std() > 0
    p = norm.cdf(distance / 0.5)
    counts = model.predict_proba(np.tile([distance, 2.0], (500, 1)))[:, 1]
    assert counts.mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 100_000))
    assert counts.std() == pytest.approx(np.sqrt(p * (1 - p) / 200), rel=0.15)


def test_with_many_draws_the_radius_approaches_the_distance(plane):
    linear, X = plane
    model = RandomizedSmoothingClassifier(
        linear, sigma=0.5, n=100_000, maps=("argmax",), random_state=0
    ).fit(X, [0, 1, 0, 1])
    distances = np.array([-0.6, -0.2, 0.1, 0.4, 0.8])
    points = np.column_stack([distances, np.arange(5)])
    for radius in ("multi", "mono"):
        found = model.set_params(radius=radius).certify(points)
        np.testing.assert_array_equal(found.label, distances > 0)
        assert (found.radius <= np.abs(distances)).all()
        np.testing.assert_allclose(found.radius, np.abs(distances), atol=0.02)


def test_wrong_predictions_of_a_tie_are_rare():
    """Cohen's rule at a tie of two of three classes: any answer is an error."""
    rng = np.random.default_rng(5)
    counts = rng.multinomial(101, [0.45, 0.45, 0.1], size=REPETITIONS)
    assert (vote(counts, ALPHA) >= 0).mean() <= ALLOWED


def test_votes_are_the_binomial_test():
    from scipy.stats import binomtest

    counts = np.random.default_rng(6).multinomial(30, [0.5, 0.3, 0.2], size=50)
    for row, found in zip(counts, vote(counts, 0.1), strict=True):
        m2, m1 = np.sort(row)[-2:]
        sure = binomtest(m1, m1 + m2).pvalue <= 0.1
        assert found == (row.argmax() if sure else -1)
