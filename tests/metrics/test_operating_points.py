"""The operating-point inconsistency score, error rates of verification, and recall."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_curve
from sklearn.neighbors import KNeighborsClassifier

from skreg.metrics import (
    operating_point_inconsistency_score,
    operating_points,
    recall_at_k,
    verification_error_rates,
)

LINE = np.array([[0.0], [0.1], [1.0], [1.5]])
LABELS = np.array([0, 0, 1, 1])
FIXED = {"thresholds": np.linspace(0.2, 0.8, 601), "normalize": False}


def random_embeddings(seed=0, n_samples=60, n_classes=4, n_features=5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n_samples)
    spread = np.linspace(0.3, 1.2, n_classes)[labels, None]
    centres = rng.normal(size=(n_classes, n_features))[labels]
    return centres + spread * rng.normal(size=(n_samples, n_features)), labels


def by_definition(embeddings, labels, thresholds, c=1.0):
    """The curves, class by class and pair by pair."""
    z = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distance = cdist(z, z)
    utilities = []
    for label in np.unique(labels):
        inside = np.flatnonzero(labels == label)
        outside = np.flatnonzero(labels != label)
        if len(inside) < 2:
            continue
        within = distance[np.ix_(inside, inside)][np.triu_indices(len(inside), 1)]
        between = distance[np.ix_(inside, outside)].ravel()
        phi = np.array([(within <= t).mean() for t in thresholds])
        psi = np.array([(between > t).mean() for t in thresholds])
        with np.errstate(invalid="ignore"):
            utilities.append(np.nan_to_num((1 + c**2) * phi * psi / (c**2 * psi + phi)))
    return np.array(utilities)


def test_four_points_by_hand():
    score = operating_point_inconsistency_score(LINE, LABELS, **FIXED)
    assert score == pytest.approx(0.12479, abs=5e-6)  # 0.125 but for the step of the rule
    shared = operating_point_inconsistency_score(LINE + [[0], [0], [0], [-0.4]], LABELS, **FIXED)
    assert shared == 0.0


@pytest.mark.parametrize("c", [1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_curves_and_score_by_definition(seed, c):
    embeddings, labels = random_embeddings(seed)
    labels[0] = 9  # alone in its class: no utility of its own, but an end of others' pairs
    points = operating_points(embeddings, labels, c=c)
    z = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    negative = cdist(z, z)[labels[:, None] < labels]
    np.testing.assert_allclose(
        points.thresholds, np.linspace(*np.quantile(negative, [0.01, 0.1]), 101), rtol=1e-12
    )
    expected = by_definition(embeddings, labels, points.thresholds, c)
    assert points.classes.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(points.utilities, expected, rtol=1e-12)
    width = points.thresholds[-1] - points.thresholds[0]
    score = trapezoid(expected.var(axis=0), points.thresholds) / width
    assert operating_point_inconsistency_score(embeddings, labels, c=c) == pytest.approx(score)
    assert points.inconsistencies.mean() == pytest.approx(score)


def test_rates_are_those_of_the_roc_curve_of_the_class():
    embeddings, labels = random_embeddings()
    z = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distance = cdist(z, z)
    first, second = np.triu_indices(len(labels), 1)
    for label in range(4):
        ends = (labels[first] == label).astype(int) + (labels[second] == label)
        pairs = distance[first, second][ends > 0]
        fpr, tpr, cut = roc_curve(ends[ends > 0] == 2, -pairs, drop_intermediate=False)
        inner = slice(5, -5, 7)
        points = operating_points(embeddings, labels, thresholds=-cut[inner] + 1e-12)
        np.testing.assert_allclose(points.sensitivities[label], tpr[inner], rtol=1e-12)
        np.testing.assert_allclose(points.specificities[label], 1 - fpr[inner], rtol=1e-12)


def test_score_is_at_most_a_quarter_and_ignores_names_order_scale_and_rotation():
    embeddings, labels = random_embeddings()
    score = operating_point_inconsistency_score(embeddings, labels)
    assert 0 < score <= 0.25
    rng = np.random.default_rng(0)
    order = rng.permutation(60)
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    names = np.array(["d", "b", "c", "a"])
    for same in (
        (embeddings[order], labels[order]),
        (embeddings * rng.uniform(0.1, 9, (60, 1)), labels),
        (embeddings @ rotation, labels),
        (embeddings * 1e-200, labels),
        (pd.DataFrame(embeddings), pd.Series(names[labels])),
    ):
        assert operating_point_inconsistency_score(*same) == pytest.approx(score, rel=1e-6)
    extreme = operating_point_inconsistency_score(
        [[0.0], [0.0], [1.0], [5.0]], LABELS, thresholds=[0.1, 0.2], normalize=False
    )
    assert extreme == 0.25


def test_blocks_do_not_matter(monkeypatch):
    embeddings, labels = random_embeddings()
    whole = operating_points(embeddings, labels)
    recall = recall_at_k(embeddings, labels, 3)
    monkeypatch.setattr("skreg.metrics._embeddings._BLOCK_ENTRIES", 200)
    for found, expected in zip(operating_points(embeddings, labels), whole, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert recall_at_k(embeddings, labels, 3) == recall


def test_random_pairs_give_nearly_the_quantiles_of_all_pairs():
    embeddings, labels = random_embeddings(n_samples=300)
    whole = operating_points(embeddings, labels, max_pairs=None)
    some = operating_points(embeddings, labels, max_pairs=20_000, random_state=0)
    again = operating_points(embeddings, labels, max_pairs=20_000, random_state=0)
    np.testing.assert_array_equal(some.thresholds, again.thresholds)
    assert not np.array_equal(some.thresholds, whole.thresholds)
    z = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    negative = cdist(z, z)[labels[:, None] < labels]
    rates = [(negative <= some.thresholds[end]).mean() for end in (0, -1)]
    standard_errors = np.sqrt(np.array([0.01 * 0.99, 0.1 * 0.9]) / 20_000)
    assert np.all(np.abs(np.array(rates) - [0.01, 0.1]) <= 4 * standard_errors)


def test_error_rates_by_hand():
    accept, reject = verification_error_rates(LINE, LABELS, 0.95, normalize=False)
    np.testing.assert_allclose(accept, [1 / 4, 1 / 4])  # of the four, only 0.1 and 1 are that near
    np.testing.assert_allclose(reject, [0, 0])
    accept, reject = verification_error_rates(LINE, [0, 0, 1, 2], 0.05, normalize=False)
    np.testing.assert_array_equal(accept, [0, 0, 0])
    np.testing.assert_array_equal(reject, [1, np.nan, np.nan])
    equal = np.ones((3, 2))
    assert verification_error_rates(equal, [0, 0, 1], 0.0)[1][0] == 0.0
    assert np.isnan(verification_error_rates(LINE, [0] * 4, 0.5, normalize=False)[0]).all()


@pytest.mark.parametrize("k", [1, 3, 10])
def test_recall_by_definition(k):
    embeddings, labels = random_embeddings()
    z = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    neighbours = KNeighborsClassifier(k).fit(z, labels).kneighbors(return_distance=False)
    expected = (labels[neighbours] == labels[:, None]).any(axis=1).mean()
    assert recall_at_k(embeddings, labels, k) == pytest.approx(expected, rel=1e-14)


def test_recall_takes_earlier_rows_of_equally_near_ones_and_leaves_out_single_samples():
    rows = [[0.0], [1.0], [-1.0], [9.0]]
    assert recall_at_k(rows, [0, 0, 1, 2], normalize=False) == 1.0
    assert recall_at_k(rows, [0, 1, 0, 2], normalize=False) == 0.5  # row 0 takes row 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [0, 0, 0, 0]}, "two classes or more, got 1"),
        ({"labels": [0, 1, 2, 3]}, "no class has two samples"),
        ({"labels": [0, 0, 1]}, "inconsistent numbers of samples"),
        ({"labels": [0.1, 0.2, 0.3, 0.4]}, "Unknown label type"),
        ({"embeddings": [[np.nan], [1.0], [2.0], [3.0]]}, "embeddings contains NaN"),
        ({"embeddings": [1.0, 2.0, 3.0, 4.0]}, "Expected 2D array"),
        ({"normalize": True}, "embeddings must not be zero, row 0 is"),
        ({"thresholds": [0.2, 0.2]}, "increasing numbers"),
        ({"thresholds": [0.2]}, "increasing numbers"),
        ({"far_range": (0.1, 0.1)}, "far_range must be two increasing rates"),
        ({"far_range": (0.1,)}, "far_range must be two increasing rates"),
        ({"far_range": (0.5, 1.5)}, "far_range must be two increasing rates"),
        ({"n_thresholds": 1}, "n_thresholds"),
        ({"c": 0.0}, "'c' parameter"),
        ({"max_pairs": 0}, "max_pairs"),
    ],
)
def test_bad_arguments(arguments, message):
    given = {"embeddings": LINE, "labels": LABELS, "normalize": False} | arguments
    for function in (operating_points, operating_point_inconsistency_score):
        with pytest.raises(ValueError, match=message):
            function(**given)


def test_bad_arguments_of_the_others():
    with pytest.raises(ValueError, match="all 1 from false accept rate"):
        operating_points([[0.0], [0.0], [1.0], [1.0]], LABELS, normalize=False)
    with pytest.raises(ValueError, match="threshold"):
        verification_error_rates(LINE, LABELS, -0.1)
    with pytest.raises(ValueError, match="k must be below the number of samples, got 4 for 4"):
        recall_at_k(LINE, LABELS, 4, normalize=False)
    with pytest.raises(ValueError, match="nothing to recall"):
        recall_at_k(LINE, [0, 1, 2, 3], normalize=False)


def test_the_text_of_operating_points_is_short():
    rows = [[0.0], [0.1], [1.0], [1.5]]
    points = operating_points(rows, [0, 0, 1, 1], thresholds=[0.2, 0.5, 0.8], normalize=False)
    assert repr(points) == (
        "OperatingPoints(2 classes at 3 thresholds from 0.2 to 0.8, mean inconsistency 0.0625)"
    )
