"""`SparseTransportTransformer` against POT, and what users of scikit-learn do with it."""

import numpy as np
import ot
import pytest
from sklearn import config_context
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.transport import SparseTransportTransformer


def domains(seed, n=60, m=40, shift=(4.0, -1.0)):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)), shift + rng.normal(size=(m, 2))


def test_without_a_binding_constraint_sources_move_as_with_quadratic_transport_of_pot():
    X, X_target = domains(0)
    theirs = ot.da.BaseTransport()
    theirs.xs_, theirs.xt_, theirs.norm = X, X_target, "max"
    theirs.nx = ot.backend.get_backend(X)
    cost = ot.dist(X, X_target)
    plan = ot.smooth.smooth_ot_dual(
        np.full(60, 1 / 60), np.full(40, 1 / 40), cost / cost.max(), reg=1.0, reg_type="l2",
        stopThr=1e-12, numItermax=5000,
    )  # fmt: skip
    theirs.coupling_ = plan
    ours = SparseTransportTransformer(max_nz=60).fit(X, X_target=X_target)
    np.testing.assert_allclose(ours.plan_.toarray(), plan, atol=1e-6)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(Xs=X), atol=1e-3)
    new = np.random.default_rng(1).normal(size=(25, 2))
    np.testing.assert_allclose(ours.transform(new), theirs.transform(Xs=new), atol=1e-3)


def test_the_limit_holds_on_the_side_that_is_asked():
    X, X_target = domains(1, 30, 90)
    counts = {}
    for constrain, limit in (("target", 2), ("source", 4)):
        model = SparseTransportTransformer(
            limit, gamma=30.0, constrain=constrain, recovery="k_sparse"
        )
        model.fit(X, X_target=X_target)
        assert model.plan_.shape == (30, 90)
        assert model.marginal_error_ <= 1e-8
        entries = model.plan_.toarray() > 0
        counts[constrain] = entries.sum(axis=0).max(), entries.sum(axis=1).max()
    assert counts["target"][0] <= 2
    assert counts["source"][1] <= 4
    assert counts["target"][1] > 4  # sources are free there


def test_moved_samples_have_the_mean_of_the_target():
    X, X_target = domains(2)
    moved = SparseTransportTransformer().fit_transform(X, X_target=X_target)
    np.testing.assert_allclose(moved.mean(axis=0), X_target.mean(axis=0), atol=1e-6)
    again = SparseTransportTransformer().fit(X, X_target)
    np.testing.assert_array_equal(again.transform(X), moved)


def test_a_shift_of_the_domain_is_undone_for_a_classifier():
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], 60)
    X = rng.normal(size=(120, 2)) + 4.0 * y[:, None]
    X_target = rng.normal(size=(100, 2)) + 4.0 * np.repeat([0, 1], 50)[:, None] + [9.0, -9.0]
    y_target = np.repeat([0, 1], 50)
    moved = SparseTransportTransformer(4).fit_transform(X, X_target=X_target)
    assert KNeighborsClassifier().fit(moved, y).score(X_target, y_target) > 0.95
    labels = SparseTransportTransformer(4).fit(X, X_target=X_target).transform_labels(y)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(labels.argmax(axis=1) == y_target) > 0.95


def test_masses_are_shares_and_samples_without_mass_take_no_part():
    X, X_target = domains(4)
    mass = np.arange(60.0)
    target_mass = np.where(np.arange(40) < 5, 0.0, 1.0)
    full = SparseTransportTransformer().fit(
        X, X_target=X_target, source_mass=7 * mass, target_mass=target_mass
    )
    part = SparseTransportTransformer().fit(X[1:], X_target=X_target[5:], source_mass=mass[1:])
    np.testing.assert_allclose(full.plan_.toarray()[1:, 5:], part.plan_.toarray(), atol=1e-9)
    assert full.plan_.shape == (60, 40)
    np.testing.assert_allclose(full.transform_labels(np.arange(60) % 2)[:5], 0.0)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        full.fit(X, X_target=X_target, target_mass=np.zeros(40))


def test_new_samples_move_by_the_mean_if_asked():
    X, X_target = domains(5)
    model = SparseTransportTransformer(out_of_sample="mean").fit(X, X_target=X_target)
    shift = model.transform(X) - X
    np.testing.assert_allclose(shift - shift[0], 0.0, atol=1e-12)
    np.testing.assert_allclose(shift[0], X_target.mean(axis=0) - X.mean(axis=0), atol=1e-6)


def test_the_unit_of_the_features_does_not_matter_but_without_scaling():
    X, X_target = domains(6)
    plan = SparseTransportTransformer().fit(X, X_target=X_target).plan_.toarray()
    for scaling, same in (("max", True), ("median", True), (None, False)):
        ours = SparseTransportTransformer(cost_scaling=scaling)
        one = ours.fit(X, X_target=X_target).plan_.toarray()
        other = ours.fit(30.0 * X, X_target=30.0 * X_target).plan_.toarray()
        assert np.allclose(one, other, atol=1e-7) == same
    again = SparseTransportTransformer(metric=lambda x, z: ((x - z) ** 2).sum())
    np.testing.assert_allclose(
        again.fit(X, X_target=X_target).plan_.toarray(), plan, atol=1e-7
    )  # fmt: skip


def test_where_both_domains_lie_does_not_matter():
    X, X_target = domains(10)
    moved = SparseTransportTransformer().fit_transform(X, X_target=X_target)
    shift = np.array([100.0, -7.0])
    again = SparseTransportTransformer().fit_transform(X + shift, X_target=X_target + shift)
    np.testing.assert_allclose(again, moved + shift, atol=1e-6)


def test_the_target_is_routed_through_a_pipeline():
    X, X_target = domains(7)
    with config_context(enable_metadata_routing=True):
        model = SparseTransportTransformer().set_fit_request(X_target=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, X_target=X_target)
    alone = SparseTransportTransformer().fit(StandardScaler().fit_transform(X), X_target=X_target)
    np.testing.assert_allclose(
        pipeline.transform(X), alone.transform(StandardScaler().fit_transform(X))
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X_target": np.ones((3, 3))}, "X_target has 3 features, X has 2"),
        ({"X_target": [[np.nan, 0.0]]}, "X_target contains NaN"),
        ({"source_mass": [-1.0] * 60}, "Negative values"),
        ({"max_nz": 0}, "max_nz"),
        ({"metric": "no such"}, "metric"),
        ({"constrain": "rows"}, "constrain"),
    ],
)
def test_bad_input_is_named(changes, message):
    X, X_target = domains(8)
    arguments = {"X_target": X_target} | changes
    params = {name: arguments.pop(name) for name in list(arguments) if name in ("max_nz", "metric")}
    if "constrain" in arguments:
        params["constrain"] = arguments.pop("constrain")
    with pytest.raises(ValueError, match=message):
        SparseTransportTransformer(**params).fit(X, **arguments)


def test_labels_of_another_length_are_refused():
    X, X_target = domains(9)
    model = SparseTransportTransformer().fit(X, X_target=X_target)
    with pytest.raises(ValueError, match="one label for each of the 60 sources"):
        model.transform_labels(np.zeros(59))
