"""Moments of rows with missing values against closed forms, likelihoods and complete rows."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning

from skreg.causal import CoLiDE, SortNRegress, _missing
from skreg.causal._missing import em_moments, em_step, patterns_of
from skreg.causal.metrics import structural_hamming_distance
from skreg.datasets import make_linear_sem
from skreg.moments import moments

NAMES = list("abcdefgh")


def rows(n=300, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def with_holes(X, share=0.2, seed=0):
    holes = np.random.default_rng(seed).random(X.shape) < share
    return np.where(holes, np.nan, X)


def em(X, weights=None):
    return em_moments(X, np.ones(len(X)) if weights is None else weights, NAMES[: X.shape[1]])


def log_likelihood(X, mean, C):
    total = 0.0
    for row in X:
        seen = ~np.isnan(row)
        if seen.any():
            total += multivariate_normal.logpdf(row[seen], mean[seen], C[np.ix_(seen, seen)])
    return total


def close(a, b, tolerance):
    np.testing.assert_allclose(a.mean, b.mean, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a.covariance, b.covariance, rtol=tolerance, atol=tolerance)
    assert a.weight == pytest.approx(b.weight)


def test_without_missing_values_they_are_the_moments_of_the_rows():
    X = rows()
    close(em(X), moments(X, np.ones(len(X))), 1e-12)
    for model in (CoLiDE("ev", mode="fast"), SortNRegress()):
        plain = model.fit(X).adjacency_matrix_
        np.testing.assert_array_equal(
            model.set_params(missing="em").fit(X).adjacency_matrix_, plain
        )


def test_one_column_with_holes_has_a_closed_form():
    """Anderson 1957: the regression on the complete column, at the mean and variance of all."""
    X = rows(d=2)
    X[200:, 1] = np.nan
    x, (seen_x, seen_y) = X[:, 0], X[:200].T
    slope = np.cov(seen_x, seen_y, ddof=0)[0, 1] / seen_x.var()
    left = seen_y.var() - slope**2 * seen_x.var()
    found = em(X)
    mean = [x.mean(), seen_y.mean() + slope * (x.mean() - seen_x.mean())]
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6)
    C = [[x.var(), slope * x.var()], [slope * x.var(), left + slope**2 * x.var()]]
    np.testing.assert_allclose(found.covariance, C, rtol=1e-6)


def test_no_step_lowers_the_likelihood_and_the_end_is_a_maximum():
    X = with_holes(rows(n=60), 0.3)
    parts, mean, C = patterns_of(X, np.ones(60)), np.zeros(4), np.diag(np.nanvar(X, axis=0))
    values = [log_likelihood(X, mean, C)]
    for _ in range(30):
        mean, C = em_step(parts, mean, C, NAMES)
        values.append(log_likelihood(X, mean, C))
    assert np.all(np.diff(values) >= -1e-9)
    found = em(X)
    best = log_likelihood(X, found.mean, found.covariance)
    assert best >= values[-1] - 1e-9
    rng = np.random.default_rng(0)
    for _ in range(20):
        A = np.eye(4) + 1e-3 * rng.normal(size=(4, 4))
        step = 1e-3 * rng.normal(size=4)
        assert log_likelihood(X, found.mean + step, A @ found.covariance @ A.T) < best


def test_values_that_are_missing_where_another_is_large_do_not_bias_the_mean():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    y = x + 0.5 * rng.normal(size=4000)
    X = np.column_stack([x, np.where(x > 0.5, np.nan, y)])
    assert abs(np.nanmean(X[:, 1])) > 0.4
    assert abs(em(X).mean[1]) < 4 * y.std() / np.sqrt(1000)


def test_a_weight_is_that_many_copies_and_order_and_units_do_not_matter():
    X = with_holes(rows(n=100))
    weights = np.random.default_rng(1).integers(0, 3, size=100)
    found = em(X)
    close(em(X, weights.astype(float)), em(np.repeat(X, weights, axis=0)), 1e-10)
    close(em(X[::-1]), found, 1e-9)
    unit = np.array([1e6, 1.0, 1e-6, 3.0])
    scaled = em(X * unit + 5.0 * unit)
    np.testing.assert_allclose(scaled.mean, (found.mean + 5.0) * unit, rtol=1e-6)
    np.testing.assert_allclose(
        scaled.covariance, found.covariance * np.outer(unit, unit), rtol=1e-6
    )
    columns = [2, 0, 3, 1]
    np.testing.assert_allclose(
        em(X[:, columns]).covariance, found.covariance[np.ix_(columns, columns)], atol=1e-6
    )


def test_rows_without_values_count_for_nothing():
    X = with_holes(rows(n=80))
    close(em(np.vstack([X, np.full((5, 4), np.nan)])), em(X), 1e-12)


@pytest.mark.parametrize("model", [CoLiDE("ev", mode="fast"), SortNRegress(threshold=0.3)])
def test_a_graph_is_found_from_rows_of_which_few_are_complete(model):
    distances = []
    for seed in range(3):
        sem = make_linear_sem(800, 8, edges_per_node=1, random_state=seed)
        X = with_holes(sem.X, 0.15, seed)
        assert np.isnan(X).any(axis=1).mean() > 0.6
        fitted = model.set_params(missing="em").fit(pd.DataFrame(X, columns=NAMES))
        distances.append(
            structural_hamming_distance(sem.adjacency, fitted.adjacency_matrix_)
            - structural_hamming_distance(sem.adjacency, model.fit(sem.X).adjacency_matrix_)
        )
    assert np.mean(distances) <= 2


def test_missing_values_of_a_frame():
    frame = pd.DataFrame(with_holes(rows()), columns=list("abcd"))
    numbers = SortNRegress(missing="em").fit(frame.to_numpy()).adjacency_matrix_
    nullable = SortNRegress(missing="em").fit(frame.convert_dtypes()).adjacency_matrix_
    np.testing.assert_array_equal(nullable, numbers)


def test_a_prediction_is_missing_where_a_parent_is():
    X = rows()
    model = SortNRegress(missing="em").fit(X)
    gappy = with_holes(X)
    predicted = model.predict(gappy)
    for j in range(4):
        lost = np.isnan(gappy[:, model.adjacency_matrix_[:, j] != 0]).any(axis=1)
        np.testing.assert_array_equal(np.isnan(predicted[:, j]), lost)
    known = ~np.isnan(predicted)
    np.testing.assert_allclose(predicted[known], model.predict(X)[known], atol=1e-12)


def test_missing_values_are_refused_unless_allowed():
    X = with_holes(rows())
    for model in (CoLiDE(), SortNRegress()):
        with pytest.raises(ValueError, match="contains NaN: fit with missing='em'"):
            model.fit(X)
        assert not model.__sklearn_tags__().input_tags.allow_nan
        assert model.set_params(missing="em").__sklearn_tags__().input_tags.allow_nan
        with pytest.raises(ValueError, match="infinity"):
            model.fit(np.where(np.isnan(X), np.inf, X))
        with pytest.raises(ValueError, match=r"contains NaN in \d+ of \d+ rows.*read once"):
            model.fit_stream([X])
        with pytest.raises(ValueError, match="'missing' parameter"):
            model.set_params(missing="drop").fit(X)
    with pytest.raises(ValueError, match="alpha='stability' draws complete rows; use a number"):
        CoLiDE("ev", alpha="stability", missing="em", mode="fast").fit(X)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("score", ()),
        ("noise_report", ()),
        ("counterfactual", ({0: 1.0},)),
        ("average_effect", (0, 1)),
    ],
)
def test_what_wants_complete_rows_says_so(name, arguments):
    X = rows()
    model = SortNRegress(missing="em").fit(with_holes(X))
    X[[7, 9], 1] = np.nan
    order = (*arguments, X) if name == "average_effect" else (X, *arguments)
    message = f"NaN in 2 of {len(X)} rows, first in row 7: {name} takes complete rows; leave"
    with pytest.raises(ValueError, match=message):
        getattr(model, name)(*order)


def test_what_the_rows_do_not_tell_is_refused_by_name():
    X = rows()
    unseen, apart, constant, total = (X.copy() for _ in range(4))
    unseen[:, 2] = np.nan
    apart[:150, 0], apart[150:, 3] = np.nan, np.nan
    constant[:, 1], constant[0, 0] = 7.0, np.nan
    total[:, 3], total[0, 0] = total[:, 0] - total[:, 1], np.nan
    huge = 1e200 * X
    huge[0, 0] = np.nan
    model = SortNRegress(missing="em")
    for spoilt, message in [
        (unseen, "column 'x2' has no value"),
        (apart, "no row has values of both 'x0' and 'x3'"),
        (constant, "column 'x1' is constant"),
        (total, "the other columns determine column 'x3'"),
        (huge, "overflows; rescale it"),
        (np.where(np.arange(300)[:, None] < 3, with_holes(X, 0.3), np.nan), "determine|no "),
    ]:
        with pytest.raises(ValueError, match=message):
            model.fit(spoilt)


def test_an_unfinished_maximum_is_warned_of(monkeypatch):
    monkeypatch.setattr(_missing, "MAX_ITER", 2)
    with pytest.warns(ConvergenceWarning, match="after 2 steps of EM"):
        em(with_holes(rows()))
