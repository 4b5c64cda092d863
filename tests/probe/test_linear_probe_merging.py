"""`LinearProbe` of sums: merged, stored, restored, and a shrinkage that needs no rows."""

import functools
import operator

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.covariance import oas
from sklearn.datasets import load_wine

from skreg.probe import LinearNaiveBayes, LinearProbe

X, Y = load_wine(return_X_y=True)
FIXED = {"scaling": 1.0, "shrinkage": 0.2, "sharpness": 0.5, "logistic": False}
OAS = {**FIXED, "shrinkage": "oas"}
PLACES = np.array_split(np.random.default_rng(0).permutation(178), 3)


def assert_same_probe(one, other):
    np.testing.assert_array_equal(one.classes_, other.classes_)
    np.testing.assert_allclose(one.class_count_, other.class_count_)
    np.testing.assert_allclose(one.shrinkage_, other.shrinkage_, rtol=1e-9)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("params", [FIXED, OAS])
def test_merged_probes_are_one_fit(params):
    probes = [LinearProbe(**params).fit(X[rows], Y[rows]) for rows in PLACES]
    before = probes[0].predict_proba(X)
    assert_same_probe(functools.reduce(operator.add, probes), LinearProbe(**params).fit(X, Y))
    np.testing.assert_array_equal(probes[0].predict_proba(X), before)


@pytest.mark.parametrize("params", [FIXED, OAS])
def test_a_state_can_be_stored_sent_and_continued(params):
    first, rest = PLACES[0], np.concatenate(PLACES[1:])
    state = LinearProbe(**params).fit(X[first], Y[first]).get_state()
    assert state["M2"].shape == (13, 13)
    state = {key: np.array(value.tolist()) for key, value in state.items()}
    again = LinearProbe.from_state(state, **params)
    assert_same_probe(again, LinearProbe(**params).fit(X[first], Y[first]))
    assert_same_probe(again.partial_fit(X[rest], Y[rest]), LinearProbe(**params).fit(X, Y))
    state["mean"][:] = np.nan  # copies: the probe keeps its own
    assert_same_probe(again, LinearProbe(**params).fit(X, Y))


def test_merging_unites_the_classes():
    parts = [LinearProbe(**FIXED).fit(X[rows], Y[rows]) for rows in (Y < 2, Y > 0)]
    twice = np.concatenate([np.flatnonzero(Y < 2), np.flatnonzero(Y > 0)])
    assert_same_probe(parts[0].merge(parts[1]), LinearProbe(**FIXED).fit(X[twice], Y[twice]))


@pytest.mark.parametrize("rows", [slice(None), slice(50, 70)])
def test_oas_is_that_of_scikit_learn(rows):
    features, y = X[rows] / X.std(axis=0), Y[rows]
    probe = LinearProbe(**{**OAS, "scaling": 0.0}).fit(features, y)
    residual = (
        features
        - np.array([features[y == k].mean(axis=0) for k in np.unique(y)])[
            np.unique(y, return_inverse=True)[1]
        ]
    )
    assert probe.shrinkage_ == pytest.approx(oas(residual, assume_centered=True)[1], rel=1e-9)


def test_oas_of_one_column_or_of_no_spread_is_all_of_the_identity():
    assert LinearProbe(**OAS).fit(X[:, :1], Y).shrinkage_ == 1.0
    assert LinearProbe(**OAS).fit(np.ones((178, 3)), Y).shrinkage_ == 1.0


def test_only_probes_of_sums_merge():
    for params in ({}, {**FIXED, "logistic": True}, {**FIXED, "quadratic": True}):
        probe = LinearProbe(**params)
        assert not hasattr(probe, "merge")
        assert not hasattr(probe, "get_state")
    state = LinearProbe(**FIXED).fit(X, Y).get_state()
    with pytest.raises(ValueError, match="need rows, not a state"):
        LinearProbe.from_state(state)
    for other in ({"scaling": "loo"}, {"logistic": True}, {"quadratic": True}):
        with pytest.raises(ValueError, match='shrinkage="oas" is that of a single member'):
            LinearProbe(**{**OAS, **other}).fit(X, Y)


def test_what_does_not_fit_together_is_refused():
    probe = LinearProbe(**FIXED).fit(X, Y)
    with pytest.raises(TypeError, match="LinearProbe with LinearNaiveBayes"):
        probe.merge(LinearNaiveBayes().fit(X, Y))
    with pytest.raises(ValueError, match="13 and 12 features"):
        probe.merge(LinearProbe(**FIXED).fit(X[:, 1:], Y))
    with pytest.raises(ValueError, match=r"shrinkage=0.2 and 0.3"):
        probe.merge(LinearProbe(**{**FIXED, "shrinkage": 0.3}).fit(X, Y))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("M2", np.ones(13), "do not fit"),
        ("M2", -np.eye(13), "must not be negative"),
        ("M2", np.triu(np.ones((13, 13))), "symmetric"),
        ("mean", np.full((3, 13), np.nan), "NaN"),
        ("c", np.array([1.0, 0.0, 0.0]), "one class"),
        ("classes", np.array([2, 1, 0]), "sorted"),
    ],
)
def test_broken_states_are_refused(key, value, message):
    state = LinearProbe(**FIXED).fit(X, Y).get_state()
    with pytest.raises(ValueError, match=message):
        LinearProbe.from_state({**state, key: value}, **FIXED)


def test_a_state_that_lacks_a_part_names_it():
    state = LinearProbe(**FIXED).fit(X, Y).get_state()
    del state["M2"]
    with pytest.raises(ValueError, match=r"state lacks \['M2'\]"):
        LinearProbe.from_state(state, **FIXED)


@pytest.mark.parametrize("probe", [LinearProbe(**FIXED), LinearNaiveBayes()])
def test_batches_and_blocks_without_weight_change_nothing(probe):
    rows = np.concatenate(PLACES)
    Z, y, nothing = X[rows], Y[rows], np.zeros(60)
    whole = clone(probe).fit(Z[60:], y[60:])
    parts = clone(probe).partial_fit(Z[60:], y[60:]).partial_fit(Z[:60], y[:60], None, nothing)
    np.testing.assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-12)
    with pytest.raises(ValueError, match="at least one non-zero"):
        clone(probe).partial_fit(Z[:60], y[:60], None, nothing)
    da = pytest.importorskip("dask.array")
    blocks = da.from_array(Z, chunks=(60, 13)), da.from_array(y, chunks=60)
    weights = da.from_array(np.append(nothing, np.ones(118)), chunks=60)
    blockwise = clone(probe).fit(*blocks, weights)
    np.testing.assert_allclose(blockwise.predict_proba(X), whole.predict_proba(X), atol=1e-9)
