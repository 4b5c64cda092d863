"""Ordinal data: the designs of Faletto and Bien (2023), and diabetes in stages."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.datasets import load_diabetes

from skreg.datasets import load_ordinal_diabetes, make_ordinal


def recovered_coefficients(X, probability):
    """Intercepts and coefficients by solving the linear predictors, which are exact."""
    eta = logit(np.cumsum(probability, axis=1)[:, :-1])
    return np.linalg.lstsq(np.column_stack([np.ones(len(X)), X]), eta, rcond=None)[0].T


def test_recorded_draw():
    X, y, probability = make_ordinal(random_state=0)
    assert X[0, 0] == 0.14305966145952187
    assert np.bincount(y).tolist() == [1261, 1172, 57, 10]
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert np.all(probability >= 0)


@pytest.mark.parametrize("density", [0.0, 1 / 3, 1.0])
def test_sparse_differences_are_multiples_of_one_half(density):
    X, _, probability = make_ordinal(
        4000, density=density, intercepts=(0, 4, 8), random_state=1
    ) if density < 1 else make_ordinal(
        20_000, 3, density=density, intercepts=(0, 4, 8), random_state=1
    )  # fmt: skip
    solution = recovered_coefficients(X, probability)
    np.testing.assert_allclose(solution[:, 0], [0, 4, 8], atol=1e-8)
    increments = np.diff(solution[:, 1:], axis=0, prepend=0)
    np.testing.assert_allclose(increments * 2, np.round(increments * 2), atol=1e-8)
    assert np.abs(increments).max() < 0.5 + 1e-8
    if density in (0.0, 1.0):
        np.testing.assert_allclose(np.abs(increments), 0.5 * density, atol=1e-8)


def test_dense_differences_are_uniform():
    increments = []
    for seed in range(30):
        X, _, probability = make_ordinal(
            500, differences="dense", intercepts=(0, 2.5, 4.5), random_state=seed
        )
        coef = recovered_coefficients(X, probability)[:, 1:]
        increments.append(np.diff(coef, axis=0, prepend=0))
    increments = np.array(increments)
    assert np.abs(increments).max() <= 0.5 + 1e-8
    assert increments.std() == pytest.approx(1 / np.sqrt(12), abs=0.02)


def test_outcomes_follow_the_probabilities():
    X, y, probability = make_ordinal(100_000, 5, intercepts=(-0.5, 2, 4), random_state=2)
    observed, expected = np.bincount(y) / len(y), probability.mean(axis=0)
    assert np.all(np.abs(observed - expected) < 5 * np.sqrt(expected / len(y)))
    assert np.all(np.abs(X) <= 1)


def test_random_state_fixes_the_draw():
    draws = [make_ordinal(300, random_state=state)[0]
             for state in (3, np.random.default_rng(3), np.random.RandomState(3), 4)]  # fmt: skip
    np.testing.assert_array_equal(draws[0], draws[1])
    again = make_ordinal(300, random_state=np.random.RandomState(3))[0]
    np.testing.assert_array_equal(draws[2], again)
    assert (draws[0] != draws[3]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 1}, "n_samples"),
        ({"n_features": 0}, "n_features"),
        ({"differences": "none"}, "differences"),
        ({"density": 1.5}, "density"),
        ({"intercepts": (0, 0)}, "intercepts"),
        ({"intercepts": ()}, "intercepts"),
        ({"random_state": "seed"}, "random_state"),
        ({"n_samples": 5, "intercepts": (0, 9, 30)}, "class was missing"),
        ({"intercepts": (0, 0.01, 0.02)}, "boundaries crossed"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_ordinal(**arguments)


def test_diabetes_is_cut_at_quantiles():
    X, y = load_ordinal_diabetes(return_X_y=True)
    target = load_diabetes().target
    assert np.bincount(y).tolist() == [221, 131, 67, 23]
    assert target[y == 0].max() < target[y == 1].min()
    assert load_ordinal_diabetes(quantiles=[0.5]).target.tolist() == (y > 0).tolist()
    assert X.shape == (442, 10)


def test_diabetes_as_frame_has_ordered_categories():
    bunch = load_ordinal_diabetes(as_frame=True)
    assert bunch.target.dtype.ordered
    assert bunch.target.cat.codes.tolist() == load_ordinal_diabetes().target.tolist()
    assert bunch.frame.columns.tolist() == [*bunch.feature_names, "stage"]


@pytest.mark.parametrize("quantiles", [[], [0.5, 0.5], [0, 0.5], [0.5, 1.0], [[0.5]]], ids=str)
def test_bad_quantiles_are_named(quantiles):
    with pytest.raises(ValueError, match="quantiles"):
        load_ordinal_diabetes(quantiles=quantiles)
