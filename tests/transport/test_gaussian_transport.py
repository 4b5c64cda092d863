"""GaussianTransport: moments of what it returns, shrinkage, batches, weights, units, refusals."""

import pickle

import numpy as np
import ot
import pytest
import sklearn
from numpy.exceptions import RankWarning
from sklearn.covariance import OAS, EmpiricalCovariance, LedoitWolf, oas
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skreg.transport import GaussianTransport


def two_samples(seed=0, n_source=60, n_target=80, d=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_source, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    T = rng.normal(size=(n_target, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    return X, T


def biased_covariance(X):
    return np.cov(X.T, bias=True)


def test_moved_rows_have_mean_and_covariance_of_the_target():
    X, T = two_samples()
    moved = GaussianTransport().fit(X, X_target=T).transform(X)
    np.testing.assert_allclose(moved.mean(axis=0), T.mean(axis=0), atol=1e-10)
    np.testing.assert_allclose(biased_covariance(moved), biased_covariance(T), atol=1e-10)


def test_equals_linear_transport_of_pot():
    for reg in (0.0, 0.3):
        X, T = two_samples()
        ours = GaussianTransport(reg=reg).fit(X, X_target=T)
        theirs = ot.da.LinearTransport(reg=reg).fit(Xs=X, Xt=T)
        np.testing.assert_allclose(ours.transform(X), theirs.transform(Xs=X), atol=1e-8)
        np.testing.assert_allclose(
            ours.inverse_transform(T), theirs.inverse_transform(Xt=T), atol=1e-7
        )


def test_the_distance_is_that_of_pot_and_not_its_square():
    X, T = two_samples()
    distance = GaussianTransport().fit(X, X_target=T).wasserstein_distance_
    moments = X.mean(axis=0), T.mean(axis=0), biased_covariance(X), biased_covariance(T)
    assert distance == pytest.approx(
        float(ot.gaussian.bures_wasserstein_distance(*moments)), rel=1e-10
    )


def test_a_sample_is_its_own_target():
    X, _ = two_samples()
    transport = GaussianTransport().fit(X, X_target=X)
    np.testing.assert_allclose(transport.transform(X), X, atol=1e-8)
    assert transport.wasserstein_distance_ <= 1e-12


def test_alpha_interpolates_and_returns_the_rows_themselves_at_one():
    X, T = two_samples()
    transport = GaussianTransport().fit(X, X_target=T)
    np.testing.assert_array_equal(transport.transform(X, alpha=1.0), X)
    np.testing.assert_array_equal(transport.transform(X, alpha=1), X)
    half = 0.5 * (transport.transform(X) + X)
    np.testing.assert_allclose(transport.transform(X, alpha=0.5), half, atol=1e-12)
    np.testing.assert_array_equal(
        GaussianTransport(alpha=0.5).fit(X, X_target=T).transform(X),
        transport.transform(X, alpha=0.5),
    )


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_the_way_back(alpha):
    X, T = two_samples()
    transport = GaussianTransport(alpha=alpha).fit(X, X_target=T)
    np.testing.assert_allclose(transport.inverse_transform(transport.transform(X)), X, atol=1e-8)
    np.testing.assert_allclose(
        transport.inverse_transform(transport.transform(X, 0.7), 0.7), X, atol=1e-8
    )


def test_without_a_target_rows_are_whitened_and_moved_least():
    X, _ = two_samples()
    transport = GaussianTransport().fit(X)
    white = transport.transform(X)
    np.testing.assert_allclose(white.mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(biased_covariance(white), np.eye(5), atol=1e-10)
    np.testing.assert_allclose(transport.operator_, transport.operator_.T, atol=1e-12)
    assert transport.n_samples_seen_ == (60, 0)


def test_a_matrix_in_place_of_y_is_the_target_and_labels_are_not():
    X, T = two_samples()
    wanted = GaussianTransport().fit(X, X_target=T).transform(X)
    np.testing.assert_array_equal(GaussianTransport().fit(X, T).transform(X), wanted)
    np.testing.assert_array_equal(GaussianTransport().fit(X, -X, X_target=T).transform(X), wanted)
    white = GaussianTransport().fit(X).transform(X)
    labels = np.arange(60) % 2
    np.testing.assert_array_equal(GaussianTransport().fit(X, labels).transform(X), white)
    np.testing.assert_array_equal(GaussianTransport().fit(X, labels[:, None]).transform(X), white)
    one = GaussianTransport().fit(X[:, :1], T[:, :1])
    assert one.operator_[0, 0] == pytest.approx(T[:, 0].std() / X[:, 0].std(), rel=1e-12)


# ------------------------------------------------------------------------------------------------
# shrinkage


@pytest.mark.parametrize("shape", [(40, 6), (12, 6), (7, 30), (2, 5), (30, 1)])
@pytest.mark.parametrize("name", ["ledoit_wolf", "oas"])
def test_shrunk_covariances_are_those_of_scikit_learn(name, shape):
    rng = np.random.default_rng(0)
    X = 3.0 + rng.normal(size=shape) * rng.uniform(0.1, 3, size=shape[1])
    estimator = {"ledoit_wolf": LedoitWolf, "oas": OAS}[name]().fit(X)
    ours = GaussianTransport(name).fit(X)
    np.testing.assert_allclose(ours.source_covariance_, estimator.covariance_, atol=1e-12)
    assert ours.shrinkage_source_ == pytest.approx(estimator.shrinkage_, rel=1e-9, abs=1e-12)
    by_hand = GaussianTransport(type(estimator)()).fit(X)
    np.testing.assert_allclose(by_hand.operator_, ours.operator_, rtol=1e-7, atol=1e-9)
    assert by_hand.shrinkage_source_ == estimator.shrinkage_


def test_an_estimator_without_shrinkage():
    X, T = two_samples()
    given = GaussianTransport(EmpiricalCovariance()).fit(X, X_target=T)
    np.testing.assert_allclose(
        given.operator_, GaussianTransport().fit(X, X_target=T).operator_, atol=1e-9
    )
    assert given.shrinkage_source_ is None


# ------------------------------------------------------------------------------------------------
# more columns than rows


@pytest.mark.parametrize("covariance", ["empirical", "ledoit_wolf", "oas"])
@pytest.mark.parametrize("with_target", [True, False])
def test_few_rows_in_their_span_equal_all_columns(covariance, with_target):
    """Batches form matrices of all columns, one fit of few rows does not."""
    X, T = two_samples(n_source=7, n_target=9, d=30)
    T = 1e-3 * T
    settings = {"covariance": covariance, "random_state": 0}
    spanned = GaussianTransport(**settings).fit(X, X_target=T if with_target else None)
    assert spanned._map.operator.basis is not None
    dense = GaussianTransport(**settings).partial_fit(X)
    if with_target:
        dense.partial_fit(T, role="target")
    assert dense._map.operator.basis is None
    scale = np.abs(dense.operator_).max()
    np.testing.assert_allclose(spanned.operator_, dense.operator_, atol=1e-11 * scale)
    assert spanned.wasserstein_distance_ == pytest.approx(dense.wasserstein_distance_, rel=1e-10)
    if covariance == "empirical":
        np.testing.assert_allclose(spanned.noise_covariance_, dense.noise_covariance_, atol=1e-11)
    np.testing.assert_allclose(spanned.transform(X), dense.transform(X), atol=1e-7)


def test_twenty_thousand_columns_form_no_matrix_of_all_of_them():
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(50, 20_000)), 2.0 * rng.normal(size=(40, 20_000))
    transport = GaussianTransport("ledoit_wolf").fit(X, X_target=T)
    sizes = [part.size for part in transport._map.operator if isinstance(part, np.ndarray)]
    assert max(sizes) == 20_000 * 90
    unseen = rng.normal(size=(50, 20_000))
    moved = transport.transform(unseen)
    assert moved.var() == pytest.approx(4.0, rel=0.1)
    np.testing.assert_allclose(transport.inverse_transform(moved), unseen, atol=1e-8)


def test_noise_fills_what_a_singular_source_lacks():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 2)) @ rng.normal(size=(2, 4))
    T = rng.normal(size=(20_000, 4)) @ rng.normal(size=(4, 4))
    transport = GaussianTransport(random_state=0).fit(X, X_target=T)
    S, R, N = (
        transport.source_covariance_, transport.target_covariance_, transport.noise_covariance_
    )  # fmt: skip
    np.testing.assert_allclose(transport.operator_ @ S @ transport.operator_.T + N, R, atol=1e-10)
    moved = transport.transform(X)
    np.testing.assert_allclose(biased_covariance(moved), R, atol=0.1 * np.abs(R).max())
    at_half = transport.transform(X, alpha=0.5) - 0.5 * X
    np.testing.assert_allclose(at_half, 0.5 * moved, atol=1e-10)  # a quarter of the covariance


def test_noise_is_a_draw_for_every_row():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 1)) @ np.ones((1, 3))
    T = rng.normal(size=(50, 3))
    transport = GaussianTransport(random_state=0).fit(X, X_target=T)
    same = np.zeros((4000, 3))
    drawn = transport.transform(same)
    np.testing.assert_allclose(biased_covariance(drawn), transport.noise_covariance_, atol=0.15)
    np.testing.assert_array_equal(drawn, transport.transform(same))


def test_a_singular_source_without_noise_is_said():
    X, T = two_samples(n_source=4)
    with pytest.warns(RankWarning, match="singular"):
        GaussianTransport(noise="none").fit(X, X_target=T)


def test_a_singular_source_is_no_matter_where_it_reaches_all_of_the_target():
    X, _ = two_samples(n_source=4)
    transport = GaussianTransport(noise="none").fit(X, X_target=2.0 * X)  # a warning is an error
    np.testing.assert_allclose(transport.transform(X), 2.0 * X, atol=1e-8)


# ------------------------------------------------------------------------------------------------
# batches and weights


@pytest.mark.parametrize("covariance", ["empirical", "ledoit_wolf", "oas"])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_batches_in_any_order_equal_one_fit(covariance, offset):
    X, T = two_samples()
    X = X + offset
    whole = GaussianTransport(covariance).fit(X, X_target=T)
    rng = np.random.default_rng(0)
    parts = [(part, "source") for part in np.array_split(rng.permutation(X), 7)]
    parts += [(part, "target") for part in np.array_split(rng.permutation(T), [1, 2, 50])]
    batches = GaussianTransport(covariance)
    for i in rng.permutation(len(parts)):
        rows, role = parts[i]
        batches.partial_fit(rows, role=role)
    np.testing.assert_allclose(batches.operator_, whole.operator_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(batches.transform(X), whole.transform(X), atol=1e-7)
    assert batches.shrinkage_source_ == pytest.approx(whole.shrinkage_source_, rel=1e-7)
    assert batches.n_samples_seen_ == whole.n_samples_seen_ == (60, 80)


def test_a_fit_of_few_rows_can_go_on():
    X, T = two_samples(d=30, n_source=40, n_target=12)
    some = GaussianTransport("ledoit_wolf").fit(X[:10], X_target=T)
    more = some.partial_fit(X[10:])
    whole = GaussianTransport("ledoit_wolf").fit(X, X_target=T)
    np.testing.assert_allclose(more.operator_, whole.operator_, rtol=1e-7, atol=1e-9)


def test_before_two_rows_of_each_side_there_is_no_map():
    X, _ = two_samples()
    transport = GaussianTransport().partial_fit(X[:1])
    with pytest.raises(NotFittedError, match="1 rows of the source"):
        transport.transform(X)
    transport.partial_fit(X[1:2]).transform(X)


@pytest.mark.parametrize("covariance", ["empirical", "ledoit_wolf", "oas"])
def test_a_weight_counts_copies(covariance):
    X, T = two_samples(n_source=20, n_target=20)
    copies = np.arange(20) % 3
    weighted = GaussianTransport(covariance).fit(
        X, X_target=T, sample_weight=copies, target_weight=copies[::-1]
    )
    repeated = GaussianTransport(covariance).fit(
        np.repeat(X, copies, axis=0), X_target=np.repeat(T, copies[::-1], axis=0)
    )
    np.testing.assert_allclose(weighted.operator_, repeated.operator_, rtol=1e-9, atol=1e-10)


def test_weights_of_few_rows_are_those_of_many():
    X, T = two_samples(n_source=7, n_target=9, d=30)
    weight, other = np.arange(7.0), np.arange(9.0)
    spanned = GaussianTransport("ledoit_wolf").fit(
        X, X_target=T, sample_weight=weight, target_weight=other
    )
    dense = (
        GaussianTransport("ledoit_wolf")
        .partial_fit(X, sample_weight=weight)
        .partial_fit(T, role="target", sample_weight=other)
    )
    np.testing.assert_allclose(spanned.operator_, dense.operator_, rtol=1e-7, atol=1e-9)


# ------------------------------------------------------------------------------------------------
# units


@pytest.mark.parametrize("covariance", ["empirical", "ledoit_wolf"])
@pytest.mark.parametrize("n_source", [60, 4])
@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("scale_target", [1e-8, 1e8])
def test_units_of_both_sides(covariance, n_source, scale, scale_target):
    X, T = two_samples(n_source=n_source)
    settings = {"covariance": covariance, "random_state": 0}
    plain = GaussianTransport(**settings).fit(X, X_target=T)
    scaled = GaussianTransport(**settings).fit(scale * X, X_target=scale_target * T)
    np.testing.assert_allclose(
        scaled.transform(scale * X) / scale_target, plain.transform(X), atol=1e-7
    )


def test_a_far_offset_moves_means_only():
    X, T = two_samples()
    plain = GaussianTransport().fit(X, X_target=T)
    far = GaussianTransport().fit(X + 1e6, X_target=T - 1e6)
    np.testing.assert_allclose(far.operator_, plain.operator_, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(far.transform(X + 1e6) + 1e6, plain.transform(X), atol=1e-6)


def test_single_precision_stays_single_and_is_counted_in_double():
    X, T = (sample.astype(np.float32) for sample in two_samples())
    single = GaussianTransport().fit(X, X_target=T)
    double = GaussianTransport().fit(X.astype(float), X_target=T.astype(float))
    moved = single.transform(X)
    assert moved.dtype == single.inverse_transform(X).dtype == np.float32
    np.testing.assert_allclose(moved, double.transform(X.astype(float)), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(single.transform(X, alpha=1.0), X)


# ------------------------------------------------------------------------------------------------
# among others


def test_named_columns_and_frames():
    pd = pytest.importorskip("pandas")
    X, T = (pd.DataFrame(sample, columns=list("abcde")) for sample in two_samples())
    transport = GaussianTransport().set_output(transform="pandas").fit(X, X_target=T)
    moved = transport.transform(X)
    assert list(moved.columns) == list(transport.get_feature_names_out()) == list("abcde")
    again = pickle.loads(pickle.dumps(transport)).transform(X)
    pd.testing.assert_frame_equal(again, moved)


def test_the_target_is_routed_through_a_pipeline_and_a_search():
    rng = np.random.default_rng(0)
    X, T = two_samples()
    y = rng.integers(0, 2, size=60)
    with sklearn.config_context(enable_metadata_routing=True):
        transport = GaussianTransport().set_fit_request(X_target=True)
        model = make_pipeline(transport, LogisticRegression()).fit(X, y, X_target=T)
        np.testing.assert_allclose(
            model[0].transform(X), GaussianTransport().fit(X, X_target=T).transform(X)
        )
        search = GridSearchCV(model, {"gaussiantransport__alpha": [0.0, 0.5, 1.0]}, cv=3)
        search.fit(X, y, X_target=T)
        assert len(search.cv_results_["params"]) == 3
        assert search.best_estimator_[0].n_samples_seen_ == (60, 80)


def test_domains_are_aligned():
    """A classifier of the target reads rows of the source after they were moved."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    T = rng.normal(size=(400, 3)) + 2.0 * y[:, None] * [1, 0, 0]
    X = T @ np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.5]]) + 10.0
    model = LogisticRegression().fit(T, y)
    moved = GaussianTransport().fit(X, X_target=T).transform(X)
    assert model.score(moved, y) > 0.8 > model.score(X, y) + 0.2


# ------------------------------------------------------------------------------------------------
# what cannot be meant


BAD = {
    "X_target has 4 features": {"X_target": np.ones((5, 4))},
    "minimum of 2": {"X_target": np.ones((1, 5))},
    "Input X_target contains NaN": {"X_target": np.full((3, 5), np.nan)},
    "Input X_target contains infinity": {"X_target": np.full((3, 5), np.inf)},
    "target has 1 rows of positive weight": {
        "X_target": np.eye(5), "target_weight": np.eye(5)[0],
    },
    "source has 1 rows of positive weight": {"sample_weight": np.eye(60)[0]},
    "target_weight needs the rows": {"target_weight": np.ones(3)},
}  # fmt: skip


@pytest.mark.parametrize("message", BAD)
def test_bad_samples_are_refused(message):
    X, _ = two_samples()
    with pytest.raises(ValueError, match=message):
        GaussianTransport().fit(X, **BAD[message])


@pytest.mark.parametrize(
    "params",
    [
        {"covariance": "shrunk"}, {"reg": -1.0}, {"noise": "some"},
        {"alpha": np.nan}, {"rtol": -1.0}, {"random_state": "seed"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters_are_refused(params):
    X, T = two_samples()
    with pytest.raises(ValueError, match=next(iter(params))):
        GaussianTransport(**params).fit(X, X_target=T)


@pytest.mark.parametrize("alpha", [np.nan, np.inf, "half", [0.5]])
def test_an_alpha_that_is_no_number_is_refused(alpha):
    X, T = two_samples()
    transport = GaussianTransport().fit(X, X_target=T)
    for method in (transport.transform, transport.inverse_transform):
        with pytest.raises(ValueError, match="alpha must be a finite number"):
            method(X, alpha=alpha)


def test_estimators_of_covariances_take_no_batches_and_no_weights():
    X, _ = two_samples()
    with pytest.raises(ValueError, match="all rows at once"):
        GaussianTransport(LedoitWolf()).partial_fit(X)
    with pytest.raises(ValueError, match="takes no weights"):
        GaussianTransport(LedoitWolf()).fit(X, sample_weight=np.ones(60))


def test_bad_batches_are_refused():
    X, T = two_samples()
    transport = GaussianTransport().partial_fit(X)
    with pytest.raises(ValueError, match="role must be"):
        transport.partial_fit(T, role="goal")
    with pytest.raises(ValueError, match="features"):
        transport.partial_fit(T[:, :3], role="target")
    with pytest.raises(ValueError, match="at least one non-zero"):
        transport.partial_fit(T, role="target", sample_weight=np.zeros(80))
    assert transport.n_samples_seen_ == (60, 0)


def test_what_overflows_is_refused():
    X, T = two_samples()
    with pytest.raises(ValueError, match="not finite"):
        GaussianTransport().fit(1e200 * X, X_target=T)


def test_the_oracle_approximating_formula_of_one_row_twice():
    assert (
        GaussianTransport("oas").fit(np.ones((2, 3))).shrinkage_source_
        == oas(np.ones((2, 3)), assume_centered=False)[1]
    )


def test_a_fit_of_few_rows_keeps_none_that_the_caller_can_change():
    X, T = two_samples(d=30, n_source=20, n_target=8)
    whole = GaussianTransport("oas").fit(X, X_target=T)
    first = X[:10].copy()
    some = GaussianTransport("oas").fit(first, X_target=T)
    first[:] = 0.0
    np.testing.assert_allclose(some.partial_fit(X[10:]).operator_, whole.operator_, atol=1e-9)
