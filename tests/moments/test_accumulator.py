"""Moments merge as if their rows had been one set, whatever the scatter and the classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skreg.moments import Moments, merge_over_classes, moments, moments_by_class


def of_rows(X, w, codes=None, *, full):
    """Moments by their definition."""
    groups = np.zeros(len(X), dtype=int) if codes is None else codes
    n_groups = 1 if codes is None else 3
    weight = np.bincount(groups, w, n_groups)
    mean = np.zeros((n_groups, X.shape[1]))
    for k in range(n_groups):
        if weight[k] > 0:
            mean[k] = np.average(X[groups == k], axis=0, weights=w[groups == k])
    away = X - mean[groups]
    scatter = away.T @ (w[:, None] * away)
    scatter = scatter if full else np.diagonal(scatter)
    return Moments(weight[0], mean[0], scatter) if codes is None else Moments(weight, mean, scatter)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("classes", [True, False])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n_parts=st.integers(2, 5), d=st.integers(1, 4))
def test_merged_moments_are_those_of_all_rows(full, classes, seed, n_parts, d):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((30, d)) * 10.0 ** rng.integers(-3, 4, d) + 5
    w, codes = rng.integers(0, 4, 30).astype(float), rng.integers(0, 3, 30)
    w[0] = 1.0
    cut = np.array_split(rng.permutation(30), n_parts)
    parts = [of_rows(X[i], w[i], codes[i] if classes else None, full=full) for i in cut]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    whole = of_rows(X, w, codes if classes else None, full=full)
    unit = np.abs(X).max(axis=0)
    square = unit * unit[:, None] if full else unit**2
    np.testing.assert_allclose(merged.weight, whole.weight)
    np.testing.assert_allclose(merged.mean / unit, whole.mean / unit, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(merged.scatter / square, whole.scatter / square, atol=1e-11)


def test_no_rows_are_the_neutral_element():
    X, w = np.random.default_rng(0).standard_normal((20, 3)) + 1e6, np.ones(20)
    some = of_rows(X, w, np.arange(20) % 3, full=False)
    for both in (some.merge(Moments.of_no_rows(3, 3)), Moments.of_no_rows(3, 3).merge(some)):
        for mine, expected in zip(both, some, strict=True):
            np.testing.assert_array_equal(mine, expected)


def test_covariance_is_numpys_and_total_scatter_is_that_about_the_grand_mean():
    rng = np.random.default_rng(1)
    X, w, codes = rng.standard_normal((50, 3)), rng.integers(1, 5, 50), np.arange(50) % 3
    exact = moments(X, w.astype(float))
    np.testing.assert_allclose(exact.covariance, np.cov(X.T, bias=True, fweights=w), rtol=1e-12)
    classes = of_rows(X, w.astype(float), codes, full=False)
    mean = np.average(X, axis=0, weights=w)
    np.testing.assert_allclose(classes.grand_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(classes.total_scatter, w @ (X - mean) ** 2, rtol=1e-12)


def test_a_column_is_constant_if_and_only_if_it_does_not_vary():
    X = np.c_[np.arange(9.0), np.full(9, 0.1), 1e-170 * np.arange(9.0)]
    found = moments(X, np.ones(9))
    np.testing.assert_array_equal(found.constant, [False, True, False])
    streamed = moments_by_class(X[:, :2], np.zeros(9, dtype=np.intp), np.ones(9), 1)
    np.testing.assert_array_equal(streamed.constant, [False, True])


def test_exact_and_streamed_moments_agree_on_dense_and_sparse_rows():
    rng = np.random.default_rng(2)
    X, w = rng.standard_normal((200, 4)) * (rng.random((200, 4)) < 0.4), rng.integers(0, 3, 200)
    exact = moments(X, w.astype(float))
    for rows in (X, sparse.csr_array(X)):
        streamed = moments_by_class(rows, np.zeros(200, dtype=np.intp), w.astype(float), 1)
        np.testing.assert_allclose(streamed.mean[0], exact.mean, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(streamed.scatter, np.diagonal(exact.scatter), rtol=1e-12)


def test_labels_of_different_kinds_are_not_merged():
    numbers = np.array([0, 1]), Moments.of_no_rows(2, 2)
    names = np.array(["a", "b"]), Moments.of_no_rows(2, 2)
    with pytest.raises(ValueError, match="all numbers or all strings"):
        merge_over_classes(numbers, names)


def test_the_repr_is_a_summary():
    full = moments(np.random.default_rng(3).standard_normal((40, 30)), np.full(40, 0.5))
    assert repr(full) == "Moments(weight=20, 30 columns, full scatter)"
    assert repr(Moments.of_no_rows(5, 2)) == (
        "Moments(weight=0, 2 classes, 5 columns, diagonal scatter)"
    )
