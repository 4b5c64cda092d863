"""Heads of several domains against the plain estimators, by hand, and in compositions."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.domain import DomainSpecificClassifier, DomainSpecificRegressor
from skreg.domain._heads import held_out_temperature

SELECTIONS = ["similarity", "entropy", "discriminator", "uniform", "shared"]
RULES = [
    {"selection": selection, "combine": combine}
    for selection in SELECTIONS
    for combine in ("hard", "soft")
]
FOLDS = "folds are drawn: copies of a row come into several, a row of weight two into one"


def expected_failures(estimator):
    if not estimator.get_params().get("calibrate"):
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": FOLDS,
        "check_sample_weight_equivalence_on_sparse_data": FOLDS,
    }


@pytest.mark.filterwarnings("ignore:DomainSpecific.* got rows of one domain")
@pytest.mark.filterwarnings("ignore:Rows of a single class")
@parametrize_with_checks(
    [
        DomainSpecificClassifier(),
        DomainSpecificClassifier(selection="entropy", combine="soft", calibrate=True),
        DomainSpecificRegressor(similarity="mahalanobis"),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def sites(seed=0, n=60, n_domains=3, n_classes=3, d=4):
    """Rows around a mean for each domain, each with a labelling rule of its own."""
    rng = np.random.default_rng(seed)
    domains = np.repeat(np.arange(n_domains), n)
    means = 4.0 * rng.normal(size=(n_domains, d))
    rules = rng.normal(size=(n_domains, d, n_classes))
    deviations = rng.normal(size=(len(domains), d))
    y = np.einsum("nd,ndc->nc", deviations, rules[domains]).argmax(axis=1)
    return means[domains] + deviations, y, np.array(["a", "b", "c", "d"])[domains]


@pytest.fixture(scope="module")
def data():
    return sites()


def proba_of(model, X):
    return np.array([head.predict_proba(X) for head in model.domain_estimators_])


# ------------------------------------------------------------------------------------------------
# oracles


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_one_domain_is_the_plain_estimator(data, rule):
    X, y, _ = data
    plain = LogisticRegression().fit(X, y)
    with pytest.warns(UserWarning, match="got rows of one domain only"):
        model = DomainSpecificClassifier(**rule).fit(X, y, domains=np.zeros(len(y)))
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), rtol=1e-12)


def test_shared_is_the_pooled_estimator_and_uniform_the_mean(data):
    X, y, domains = data
    pooled = LogisticRegression().fit(X, y)
    shared = DomainSpecificClassifier(selection="shared").fit(X, y, domains=domains)
    np.testing.assert_array_equal(shared.predict_proba(X), pooled.predict_proba(X))
    np.testing.assert_array_equal(shared.predict(X), pooled.predict(X))
    uniform = DomainSpecificClassifier(selection="uniform").fit(X, y, domains=domains)
    everyone = [*proba_of(uniform, X), pooled.predict_proba(X)]
    np.testing.assert_allclose(uniform.predict_proba(X), np.mean(everyone, axis=0), rtol=1e-12)
    alone = clone(uniform).set_params(include_shared=False).fit(X, y, domains=domains)
    np.testing.assert_allclose(alone.predict_proba(X), proba_of(alone, X).mean(axis=0), rtol=1e-12)
    assert alone.shared_estimator_ is None


@pytest.mark.parametrize("level", ["sample", "batch"])
@pytest.mark.parametrize("selection", ["similarity", "entropy", "discriminator"])
def test_gamma_zero_is_uniform_and_a_large_one_is_hard(data, selection, level):
    X, y, domains = data
    common = {"selection": selection, "include_shared": False, "level": level}
    uniform = DomainSpecificClassifier(selection="uniform", include_shared=False)
    uniform.fit(X, y, domains=domains)
    flat = DomainSpecificClassifier(combine="soft", gamma=0.0, **common).fit(X, y, domains=domains)
    np.testing.assert_allclose(flat.predict_proba(X), uniform.predict_proba(X), rtol=1e-12)
    hard = DomainSpecificClassifier(**common).fit(X, y, domains=domains)
    sharp = clone(flat).set_params(gamma=1e5).fit(X, y, domains=domains)
    apart = np.sort(hard.gap_estimates(X), axis=1)
    clear = (apart[:, 1] > 1.001 * apart[:, 0]) & (apart[:, 1] > 1e-6)
    np.testing.assert_allclose(
        sharp.predict_proba(X)[clear], hard.predict_proba(X)[clear], atol=1e-9
    )
    assert clear.mean() > 0.8


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_known_domains_go_to_their_own_heads(data, rule):
    X, y, domains = data
    model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
    for i, name in enumerate(model.domains_):
        rows = X[domains == name]
        expected = model.domain_estimators_[i].predict_proba(rows)
        for given in (name, [name] * len(rows)):
            np.testing.assert_allclose(model.predict_proba(rows, domains=given), expected)
        np.testing.assert_array_equal(
            model.predict(rows, sample_domain=name), model.domain_estimators_[i].predict(rows)
        )
    mixed = np.where(np.arange(len(y)) % 2, domains, "elsewhere")
    got = model.predict_proba(X, domains=mixed)
    np.testing.assert_allclose(got[::2], model.predict_proba(X[::2]), rtol=1e-9)
    np.testing.assert_allclose(got[1::2], model.predict_proba(X[1::2], domains=domains[1::2]))


@pytest.mark.parametrize("combine", ["hard", "soft"])
@pytest.mark.parametrize("selection", ["similarity", "discriminator"])
def test_opposite_labels_far_apart(selection, combine):
    rng = np.random.default_rng(0)
    domains = np.repeat([0, 1], 200)
    X = rng.normal(size=(400, 2)) + np.where(domains == 0, 10.0, -10.0)[:, None]
    y = (X[:, 0] > np.where(domains == 0, 10.0, -10.0)) ^ domains.astype(bool)
    model = DomainSpecificClassifier(
        LogisticRegression(C=1e4), selection=selection, combine=combine, gamma=5.0
    ).fit(X, y, domains=domains)
    near = rng.normal(size=(200, 2))
    truth = near[:, 0] > 0
    near = near[clear := np.abs(near[:, 0]) > 0.1]
    truth = truth[clear]
    assert model.score(near + 10.0, truth) == 1.0
    assert model.score(near - 10.0, ~truth) == 1.0
    pooled = LogisticRegression().fit(X, y)
    assert 0.3 < pooled.score(np.vstack([near + 10, near - 10]), np.r_[truth, ~truth]) < 0.7


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("level", ["sample", "batch"])
def test_weights_are_distributions_and_make_the_predictions(data, rule, level):
    X, y, domains = data
    model = DomainSpecificClassifier(level=level, **rule).fit(X, y, domains=domains)
    new = sites(seed=1)[0]
    weights = model.domain_weights(new)
    assert weights.shape == (len(new), 4)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-12)
    everyone = np.array([*proba_of(model, new), model.shared_estimator_.predict_proba(new)])
    expected = np.einsum("nk,knc->nc", weights, everyone)
    np.testing.assert_allclose(model.predict_proba(new), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(
        model.predict(new), model.classes_[model.predict_proba(new).argmax(axis=1)]
    )
    gaps = model.gap_estimates(new)
    assert gaps.shape == weights.shape
    used = np.isfinite(gaps)
    assert (weights[~used] == 0.0).all()
    if level == "batch":
        assert (weights == weights[0]).all()


def test_gaps_are_what_they_are_said_to_be(data):
    X, y, domains = data
    means = [X[domains == name].mean(axis=0) for name in "abc"]
    model = DomainSpecificClassifier().fit(X, y, domains=domains)
    np.testing.assert_allclose(model.domain_means_, means)
    expected = np.linalg.norm(X[:, None] - np.array(means), axis=2)
    np.testing.assert_allclose(model.gap_estimates(X)[:, :3], expected, rtol=1e-9)
    assert np.isinf(model.gap_estimates(X)[:, 3]).all()
    told = DomainSpecificClassifier(selection="discriminator").fit(X, y, domains=domains)
    wanted = LogisticRegression(max_iter=1000).fit(X, domains).predict_log_proba(X)
    np.testing.assert_allclose(told.gap_estimates(X)[:, :3], -wanted, rtol=1e-6, atol=1e-9)


def test_names_of_domains_and_order_of_rows_do_not_matter(data):
    X, y, domains = data
    new = sites(seed=1)[0]
    renamed = pd.Series(domains).map({"a": (3, "z"), "b": (1, "x"), "c": (2, "y")})
    order = np.random.default_rng(0).permutation(len(new))
    for rule in RULES:
        model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
        wanted = model.predict_proba(new)
        np.testing.assert_allclose(model.predict_proba(new[order]), wanted[order], rtol=1e-9)
        other = clone(model).fit(X, y, domains=renamed)
        np.testing.assert_allclose(other.predict_proba(new), wanted, rtol=1e-6, atol=1e-9)


def test_blocks_of_rows_change_nothing(data, monkeypatch):
    X, y, domains = data
    new = sites(seed=1)[0]
    for rule in RULES:
        model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
        wanted = model.predict_proba(new)
        with monkeypatch.context() as patch:
            patch.setattr("skreg.domain._heads.ROWS_AT_LEAST", 7)
            patch.setattr("skreg.domain._heads.ROWS_PER_HEAD", 1)
            patch.setattr("skreg.domain._heads.CACHE_BYTES", 1)
            np.testing.assert_allclose(model.predict_proba(new), wanted, rtol=1e-12)


# ------------------------------------------------------------------------------------------------
# data of all kinds


@pytest.mark.parametrize(
    "params",
    [{}, {"similarity": "cosine"}, {"selection": "discriminator"}, {"selection": "entropy"}],
    ids=str,
)
def test_sparse_rows(data, params):
    X, y, domains = data
    X = np.where(np.abs(X) < 1.0, 0.0, X)
    dense = DomainSpecificClassifier(**params)
    wanted = dense.fit(X, y, domains=domains).predict_proba(X)
    rows = sparse.csr_array(X)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    model = clone(dense).fit(rows, y, domains=domains)
    np.testing.assert_allclose(model.predict_proba(rows), wanted, rtol=1e-4, atol=1e-6)


def test_mahalanobis_of_sparse_rows_is_refused(data):
    X, y, domains = data
    model = DomainSpecificClassifier(similarity="mahalanobis")
    with pytest.raises((ValueError, TypeError), match=r"make X dense|dense data is required"):
        model.fit(sparse.csr_array(X), y, domains=domains)
    model.set_params(featurizer=TruncatedSVD(2, random_state=0))
    assert model.fit(sparse.csr_array(X), y, domains=domains).score(X, y) > 0.5


def test_weights_are_repetitions(data):
    X, y, domains = data
    weight = np.random.default_rng(0).integers(0, 4, size=len(y)).astype(float)
    copies = np.repeat(np.arange(len(y)), weight.astype(int))
    head = LogisticRegression(tol=1e-9, max_iter=1000)
    for params in ({}, {"selection": "discriminator", "discriminator": head},
                   {"similarity": "mahalanobis"}, {"featurizer": StandardScaler()}):  # fmt: skip
        model = DomainSpecificClassifier(head, combine="soft", **params)
        got = model.fit(X, y, domains=domains, sample_weight=weight).predict_proba(X)
        wanted = clone(model).fit(X[copies], y[copies], domains=domains[copies])
        np.testing.assert_allclose(got, wanted.predict_proba(X), atol=1e-5)


def test_a_domain_without_weight_is_not_there(data):
    X, y, domains = data
    weight = (domains != "b").astype(float)
    model = DomainSpecificClassifier().fit(X, y, domains=domains, sample_weight=weight)
    assert list(model.domains_) == ["a", "c"]
    rest = clone(model).fit(X[weight > 0], y[weight > 0], domains=domains[weight > 0])
    np.testing.assert_allclose(model.predict_proba(X), rest.predict_proba(X), rtol=1e-6)
    with pytest.raises(ValueError, match="at least one non-zero"):
        model.fit(X, y, domains=domains, sample_weight=np.zeros(len(y)))


def test_heads_that_take_no_weights_are_refused(data):
    X, y, domains = data
    for head, name in ((KNeighborsClassifier(), "KNeighborsClassifier"),
                       (make_pipeline(StandardScaler(), GaussianNB()), "Pipeline")):  # fmt: skip
        model = DomainSpecificClassifier(head)
        assert model.fit(X, y, domains=domains).score(X, y, sample_weight=np.ones(len(y))) > 0.5
        with pytest.raises(ValueError, match=rf"{name}.fit takes none"):
            model.fit(X, y, domains=domains, sample_weight=np.ones(len(y)))


def test_a_domain_of_one_class_and_missing_classes(data):
    X, y, domains = data
    labels = np.array(["x", "y", "z"])[y]
    labels[domains == "a"] = "x"
    labels[(domains == "b") & (labels == "z")] = "y"
    with pytest.warns(UserWarning, match=r"Rows of a single class in domain 'a' \(1 of the heads"):
        model = DomainSpecificClassifier().fit(X, labels, domains=domains)
    at_a = model.predict_proba(X, domains="a")
    np.testing.assert_array_equal(at_a, np.tile([1.0, 0.0, 0.0], (len(X), 1)))
    at_b = model.predict_proba(X, domains="b")
    np.testing.assert_array_equal(at_b[:, 2], 0.0)
    np.testing.assert_array_equal(at_b[:, :2], model.domain_estimators_[1].predict_proba(X))
    assert set(model.predict(X, domains="b")) == {"x", "y"}
    for rule in RULES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proba = clone(model).set_params(**rule).fit(X, labels, domains=domains).predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert np.isfinite(model.decision_function(X)).all()


def test_many_domains(data):
    rng = np.random.default_rng(0)
    domains = np.repeat(np.arange(300), 6)
    X = rng.normal(size=(1800, 3)) + 20.0 * rng.normal(size=(300, 3))[domains]
    y = np.tile([0, 1], 900)
    model = DomainSpecificClassifier(GaussianNB(), n_jobs=2).fit(X, y, domains=domains)
    best = model.domain_weights(X)[:, :300].argmax(axis=1)
    chosen = [
        model.domain_estimators_[i].predict(row[None])[0] for i, row in zip(best, X, strict=True)
    ]
    np.testing.assert_array_equal(model.predict(X), chosen)


def test_frames_names_types_and_one_row(data):
    X, y, domains = data
    frame = pd.DataFrame(X, columns=list("pqrs"))
    series = pd.Series(domains, index=np.arange(len(y))[::-1], dtype="category")
    wanted = DomainSpecificClassifier().fit(X, y, domains=domains).predict_proba(X)
    model = DomainSpecificClassifier(featurizer=StandardScaler().set_output(transform="pandas"))
    model.fit(frame, pd.Series(y), domains=series)
    assert list(model.feature_names_in_) == list("pqrs")
    assert list(model.domain_estimators_[0].feature_names_in_) == list("pqrs")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(frame)
        model.predict_proba(frame.iloc[:1])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"p": "z"}))
    single = DomainSpecificClassifier().fit(X.astype(np.float32), y, domains=domains)
    np.testing.assert_allclose(single.predict_proba(X.astype(np.float32)), wanted, atol=2e-3)
    locked = X.copy()
    locked.setflags(write=False)
    model = DomainSpecificClassifier().fit(locked, y, domains=domains)
    np.testing.assert_allclose(model.predict_proba(locked[:1]), wanted[:1], rtol=1e-9)


def test_second_fit_clone_and_pickle(data):
    X, y, domains = data
    other = sites(seed=5, n_domains=2, n_classes=2, d=3)
    model = DomainSpecificClassifier(calibrate=True, random_state=0).fit(X, y, domains=domains)
    wanted = model.predict_proba(X)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), wanted)
    again.fit(other[0], other[1], domains=other[2])
    fresh = clone(model).fit(other[0], other[1], domains=other[2])
    np.testing.assert_array_equal(again.predict_proba(other[0]), fresh.predict_proba(other[0]))
    assert list(again.domains_) == ["a", "b"]
    threads = clone(model).set_params(n_jobs=2).fit(X, y, domains=domains)
    np.testing.assert_array_equal(threads.predict_proba(X), wanted)


def test_a_failed_fit_leaves_the_last_one(data):
    X, y, domains = data
    model = DomainSpecificClassifier().fit(X, y, domains=domains)
    wanted = model.predict_proba(X)
    with pytest.raises(ValueError, match="shape"):
        model.fit(X[:50], y[:50], domains=domains)
    np.testing.assert_array_equal(model.predict_proba(X), wanted)


# ------------------------------------------------------------------------------------------------
# calibration


def test_calibration_cools_certain_heads_and_keeps_labels(data):
    rng = np.random.default_rng(0)
    X, y, domains = sites(n=100)
    y = np.where(rng.random(len(y)) < 0.25, rng.permutation(y), y)
    sure = DomainSpecificClassifier(DecisionTreeClassifier(min_samples_leaf=5, random_state=0))
    sure.fit(X, y, domains=domains)
    cooled = clone(sure).set_params(calibrate=True, random_state=0).fit(X, y, domains=domains)
    assert cooled.temperatures_.shape == (4,)
    assert (cooled.temperatures_ > 1.2).all()
    np.testing.assert_array_equal(cooled.predict(X), sure.predict(X))
    expected = sure.predict_proba(X, domains="a") ** (1 / cooled.temperatures_[0])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(cooled.predict_proba(X, domains="a"), expected, rtol=1e-9)
    assert sure.temperatures_ is None


def test_calibration_of_rare_and_single_classes():
    X, y, domains = sites(n=12)
    y[domains == "a"] = 0
    y[(domains == "b")] = [1, *[0] * 11]
    with pytest.warns(UserWarning, match="single class"):
        model = DomainSpecificClassifier(calibrate=True, random_state=0).fit(X, y, domains=domains)
    assert model.temperatures_[0] == 1.0
    assert np.isfinite(model.temperatures_).all()


def test_a_row_whose_class_its_fold_lacks_is_no_evidence():
    X, y, _ = sites(n=40, n_classes=2)
    usual, rare = (
        held_out_temperature(LogisticRegression(), X, labels, np.arange(3), None, {}, seed=0)
        for labels in (y, np.where(np.arange(120) == 7, 2, y))
    )
    assert rare == pytest.approx(usual, rel=0.5)


# ------------------------------------------------------------------------------------------------
# compositions


def test_under_metadata_routing(data):
    X, y, domains = data
    folds = LeaveOneGroupOut()
    model = make_pipeline(StandardScaler(), DomainSpecificClassifier())
    with config_context(enable_metadata_routing=True):
        for name in ("domains", "sample_domain"):
            got = cross_val_predict(
                model, X, y, cv=folds, params={"groups": domains, name: domains}
            )
            for train, test in folds.split(X, y, domains):
                inner = clone(model).fit(X[train], y[train], **{name: domains[train]})
                np.testing.assert_array_equal(got[test], inner.predict(X[test]))
                assert len(inner[-1].domains_) == 2
        pipeline = clone(model).fit(X, y, domains=domains)
        known = pipeline.predict(X, domains=domains)
        inside, scaled = pipeline[-1], pipeline[0].transform(X)
        np.testing.assert_array_equal(known, inside.predict(scaled, domains=domains))
        search = GridSearchCV(
            model, {"domainspecificclassifier__similarity": ["euclidean", "cosine"]}, cv=folds
        ).fit(X, y, groups=domains, domains=domains)
        assert len(search.best_estimator_[-1].domains_) == 3


def test_without_routing(data):
    X, y, domains = data
    search = GridSearchCV(DomainSpecificClassifier(), {"combine": ["hard", "soft"]}, cv=3)
    search.fit(X, y, domains=domains)
    assert list(search.best_estimator_.domains_) == ["a", "b", "c"]
    pipeline = make_pipeline(StandardScaler(), DomainSpecificClassifier())
    pipeline.fit(X, y, domainspecificclassifier__domains=domains)
    assert len(pipeline[-1].domains_) == 3


def test_metadata_of_heads_are_cut_to_their_rows(data):
    X, y, domains = data

    class Recording(GaussianNB):
        def fit(self, X, y, sample_weight=None, tag=None):
            self.tag_ = np.array(tag)
            return super().fit(X, y, sample_weight)

    tag = np.arange(len(y))
    weight = (tag % 5 > 0).astype(float)
    with config_context(enable_metadata_routing=True):
        head = Recording().set_fit_request(tag=True, sample_weight=True)
        model = DomainSpecificClassifier(head)
        model.fit(X, y, domains=domains, tag=tag, sample_weight=weight)
    for name, fitted in zip(model.domains_, model.domain_estimators_, strict=True):
        np.testing.assert_array_equal(fitted.tag_, tag[(domains == name) & (weight > 0)])
    with pytest.raises(ValueError, match="tag"):
        DomainSpecificClassifier(Recording()).fit(X, y, domains=domains, tag=tag)


def test_heads_without_probabilities_choose_hard(data):
    X, y, domains = data
    model = DomainSpecificClassifier(LinearSVC()).fit(X, y, domains=domains)
    assert model.score(X, y) > 0.8
    assert not hasattr(model, "predict_proba")
    for params, name in (({"selection": "entropy"}, "selection='entropy'"),
                         ({"selection": "uniform"}, "selection='uniform'"),
                         ({"combine": "soft"}, "combine='soft'"),
                         ({"calibrate": True}, "calibrate=True")):  # fmt: skip
        with pytest.raises(ValueError, match=f"{name} needs class probabilities"):
            clone(model).set_params(**params).fit(X, y, domains=domains)


def test_any_head_and_featurizer(data):
    X, y, domains = data
    for head in (RandomForestClassifier(5, random_state=0), SGDClassifier(random_state=0),
                 make_pipeline(StandardScaler(), LogisticRegression())):  # fmt: skip
        model = DomainSpecificClassifier(head, featurizer=PCA(3, random_state=0))
        assert model.fit(X, y, domains=domains).score(X, y) > 0.7
        assert model.n_features_in_ == 4


# ------------------------------------------------------------------------------------------------
# refusals


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"selection": "nearest"}, "selection"),
        ({"level": "rows"}, "level"),
        ({"combine": "both"}, "combine"),
        ({"gamma": -1.0}, "gamma"),
        ({"gamma": np.inf}, "gamma"),
        ({"similarity": "l1"}, "similarity"),
        ({"estimator": 3}, "estimator"),
        ({"featurizer": LogisticRegression()}, "featurizer"),
        ({"discriminator": LinearSVC()}, "discriminator"),
        ({"calibrate": 2}, "calibrate"),
        ({"include_shared": None}, "include_shared"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"random_state": "x"}, "random_state"),
        ({"selection": "shared", "include_shared": False}, "set include_shared=True"),
    ],
    ids=str,
)
def test_bad_parameters(data, params, message):
    X, y, domains = data
    with pytest.raises(ValueError, match=message):
        DomainSpecificClassifier(**params).fit(X, y, domains=domains)


def test_bad_data(data):
    X, y, domains = data
    model = DomainSpecificClassifier()
    with pytest.raises(ValueError, match=r"shape \(180,\); got shape \(3,\)"):
        model.fit(X, y, domains=domains[:3])
    with pytest.raises(ValueError, match="two names of one argument"):
        model.fit(X, y, domains=domains, sample_domain=domains)
    model.fit(X, y, domains=domains)
    with pytest.raises(ValueError, match="two names of one argument"):
        model.predict(X, domains=domains, sample_domain=domains)
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.where(np.arange(4) == 1, np.nan, X))
    with pytest.raises(ValueError, match="overflow"):
        model.domain_weights(1e200 * X)
    with pytest.raises(ValueError, match="fit again after such a change"):
        model.set_params(selection="discriminator").predict(X)


# ------------------------------------------------------------------------------------------------
# regression


def test_regression_rules_against_the_heads():
    X, y, domains = sites()
    target = np.column_stack([X[:, 0] * (1 + y), X[:, 1] ** 2])
    new = sites(seed=1)[0]
    for target_ in (target, target[:, 0]):
        for rule in RULES:
            if rule["selection"] == "entropy":
                continue
            model = DomainSpecificRegressor(**rule).fit(X, target_, domains=domains)
            answers = np.array([head.predict(new) for head in model._heads])
            wanted = np.einsum("nk,kn...->n...", model.domain_weights(new), answers)
            np.testing.assert_allclose(model.predict(new), wanted, rtol=1e-9, atol=1e-9)
    pooled = DomainSpecificRegressor(selection="shared").fit(X, target, domains=domains)
    np.testing.assert_array_equal(pooled.predict(new), Ridge().fit(X, target).predict(new))


def test_regression_on_two_slopes():
    rng = np.random.default_rng(0)
    domains = np.repeat(["up", "down"], 50)
    side = np.where(domains == "up", 1.0, -1.0)
    X = rng.normal(size=(100, 2)) + 10.0 * side[:, None]
    y = side * X[:, 0]
    model = DomainSpecificRegressor(LinearRegression()).fit(X, y, domains=domains)
    np.testing.assert_allclose(model.predict([[9.0, 11.0], [-9.0, -11.0]]), [9.0, 9.0])
    assert model.predict([[9.0, 11.0]], domains="down") == pytest.approx(-9.0)
    assert model.score(X, y) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="selection"):
        DomainSpecificRegressor(selection="entropy").fit(X, y, domains=domains)
    assert not hasattr(model, "adapt")


def test_labels_of_every_type():
    X, codes = load_iris(return_X_y=True)
    domains = np.arange(150) % 3
    wanted = DomainSpecificClassifier(GaussianNB()).fit(X, codes, domains=domains).predict(X)
    for names in (np.array(["u", "v", "w"]), np.array([-5, 0, 7]), np.array(["u", "v", "w"], "O")):
        model = DomainSpecificClassifier(GaussianNB()).fit(X, names[codes], domains=domains)
        np.testing.assert_array_equal(model.predict(X), names[wanted])
