"""Linear heads asked by one product against each of them asked by itself."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit, softmax
from scipy.stats import entropy
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    Perceptron,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skreg.domain import DomainSpecificClassifier, DomainSpecificRegressor
from skreg.domain._linear_heads import (
    LinearClassifiers,
    LinearRegressors,
    logistic,
    logistic_and_entropies,
)

RULES = [
    {},
    {"similarity": "cosine"},
    {"similarity": "mahalanobis"},
    {"combine": "soft", "gamma": 2.0},
    {"level": "batch"},
    {"level": "batch", "combine": "soft"},
    {"selection": "discriminator"},
    {"selection": "discriminator", "combine": "soft"},
    {"selection": "discriminator", "level": "batch"},
    {"selection": "uniform"},
    {"selection": "entropy"},
    {"selection": "entropy", "combine": "soft", "gamma": 0.5},
    {"selection": "entropy", "level": "batch"},
    {"selection": "entropy", "level": "batch", "combine": "soft"},
    {"selection": "entropy", "calibrate": True, "random_state": 0},
]
WITHOUT_PROBA = [
    rule
    for rule in RULES
    if rule.get("selection") in (None, "discriminator") and "combine" not in rule
]


def sites(n_classes, n_domains=3, n=240, d=5, seed=0):
    rng = np.random.default_rng(seed)
    domains = np.arange(n) % n_domains
    means = 2.0 * rng.normal(size=(n_domains, d))
    deviations = rng.normal(size=(n, d))
    rules = rng.normal(size=(n_domains, d, n_classes))
    y = np.einsum("nd,ndc->nc", deviations, rules[domains]).argmax(axis=1)
    return means[domains] + deviations, np.array(["no", "yes", "why", "what"])[y], domains


def by_each_head(monkeypatch, model, X, method):
    with monkeypatch.context() as patch:
        patch.setattr("skreg.domain._estimator.MOST_SCORES", -1)
        return getattr(model, method)(X)


def assert_as_by_each_head(monkeypatch, model, X, method, linear, rtol=1e-9):
    """The same answers, of the same type, by one product where that is said to be possible."""
    asked = model._linear(X, model._heads[model._candidates], method) is None
    assert asked is not linear
    got = getattr(model, method)(X)
    wanted = by_each_head(monkeypatch, model, X, method)
    assert got.dtype == wanted.dtype
    assert got.flags.c_contiguous
    if method == "predict" and got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted)
    else:
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol)


# ------------------------------------------------------------------------------------------------
# classifiers


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(("n_classes", "n_domains"), [(2, 2), (2, 3), (4, 2), (3, 3)])
def test_logistic_heads(monkeypatch, rule, n_classes, n_domains):
    X, y, domains = sites(n_classes, n_domains)
    new = sites(n_classes, n_domains, seed=1)[0]
    model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
    # 1 - p costs digits of small entropies, which the logarithm of a soft weight shows
    soft = rule.get("selection") == "entropy" and rule.get("combine") == "soft"
    for method in ("predict", "predict_proba"):
        rtol = 1e-6 if soft else 1e-9
        assert_as_by_each_head(monkeypatch, model, new, method, linear=True, rtol=rtol)
    weights = model.domain_weights(new)
    wanted = by_each_head(monkeypatch, model, new, "domain_weights")
    np.testing.assert_allclose(weights, wanted, rtol=1e-6, atol=1e-12)
    heads = np.array([head.predict_proba(new) for head in model._heads])
    if "calibrate" not in rule:
        mixture = np.einsum("nh,hnc->nc", weights, heads)
        np.testing.assert_allclose(model.predict_proba(new), mixture, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("head", [
    LinearSVC(), LinearSVC(fit_intercept=False), RidgeClassifier(), SGDClassifier(random_state=0),
    RidgeClassifier(fit_intercept=False), Perceptron(random_state=0),
    LogisticRegression(solver="liblinear"),
], ids=str)  # fmt: skip
def test_linear_heads_without_probabilities(monkeypatch, head, n_classes):
    if head.get_params().get("solver") == "liblinear" and n_classes > 2:
        pytest.skip("is for two classes")
    X, y, domains = sites(n_classes)
    new = sites(n_classes, seed=1)[0]
    for rule in WITHOUT_PROBA:
        model = DomainSpecificClassifier(head, **rule).fit(X, y, domains=domains)
        assert_as_by_each_head(monkeypatch, model, new, "predict", linear=True)


def test_heads_that_are_linear_are_not_asked():
    X, y, domains = sites(3)

    class Silent(LogisticRegression):  # inherits all methods that answer
        pass

    def never(*_):
        raise AssertionError("was asked")

    for rule in RULES:
        model = DomainSpecificClassifier(Silent(), **rule).fit(X, y, domains=domains)
        if rule.get("level") == "batch":
            continue
        for fitted in model._heads:
            fitted.predict = fitted.predict_proba = fitted.decision_function = never
        model.predict(X)
        model.predict_proba(X)


@pytest.mark.parametrize("name", ["predict", "predict_proba", "decision_function"])
def test_heads_with_a_method_of_their_own_are_asked(name):
    X, y, domains = sites(2)

    def own(self, X):
        return {
            "predict": np.full(len(X), "yes"),
            "predict_proba": np.tile([0.25, 0.75], (len(X), 1)),
            "decision_function": np.full(len(X), 3.0),
        }[name]

    head = type("Own", (LogisticRegression,), {name: own})()
    for rule in RULES[:-1]:
        model = DomainSpecificClassifier(head, **rule).fit(X, y, domains=domains)
        proba = model.predict_proba(X)
        if name == "predict":
            chosen_alone = rule.get("selection") != "entropy" and model.combine == "hard"
            if chosen_alone and model.selection != "uniform":
                assert (model.predict(X) == "yes").all()
        else:
            second = 0.75 if name == "predict_proba" else expit(3.0)
            np.testing.assert_allclose(proba[:, 1], second)


def test_heads_that_cannot_be_stacked_are_asked(monkeypatch):
    X, y, domains = sites(3)
    some = np.where((domains == 1) & (y == "why"), "no", y)
    single = np.where(domains == 1, "no", y)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    for head, labels in ((pipeline, y), (None, some), (None, single)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = DomainSpecificClassifier(head, combine="soft").fit(X, labels, domains=domains)
        assert_as_by_each_head(monkeypatch, model, X, "predict_proba", linear=False)
    sparse_heads = DomainSpecificClassifier(SGDClassifier(random_state=0, penalty="l1"))
    sparse_heads.fit(X, y, domains=domains)
    wanted = sparse_heads.predict(X)
    for fitted in sparse_heads.domain_estimators_:
        fitted.sparsify()
    assert_as_by_each_head(monkeypatch, sparse_heads, X, "predict", linear=False)
    np.testing.assert_array_equal(sparse_heads.predict(X), wanted)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_all_kinds(monkeypatch, n_classes):
    X, y, domains = sites(n_classes, n=120)
    holes = np.where(np.abs(X) < 1.0, 0.0, X)
    csr = sparse.csr_array(holes)
    csr.indices, csr.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    locked = X.copy()
    locked.setflags(write=False)
    for rule in RULES:
        model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
        for given in (np.asfortranarray(X), X[::-1], locked, csr):
            if sparse.issparse(given) and rule.get("similarity") == "mahalanobis":
                continue  # is refused
            for method in ("predict", "predict_proba"):
                assert_as_by_each_head(monkeypatch, model, given, method, linear=True, rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_single_precision(monkeypatch, n_classes):
    X, y, domains = sites(n_classes, n=120)
    X = X.astype(np.float32)
    for rule in RULES:
        if rule.get("selection") == "entropy" and rule.get("combine") == "soft":
            continue  # 1 - p of a head that is asked has lost its digits
        model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
        for method in ("predict", "predict_proba"):
            assert_as_by_each_head(monkeypatch, model, X, method, linear=True, rtol=1e-4)


def test_one_row():
    X, y, domains = sites(3)
    for rule in RULES:
        model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
        for i in (0, 5):
            row = model.predict_proba(X[i : i + 1])
            assert row.shape == (1, 3)
            if model.level == "sample":
                np.testing.assert_allclose(row[0], model.predict_proba(X)[i], rtol=1e-9)


def test_heads_of_one_precision_and_rows_of_another(monkeypatch):
    X, y, domains = sites(3)
    single = X.astype(np.float32)
    for fitted_on, asked_about in ((X, single), (single, X)):
        model = DomainSpecificClassifier(selection="uniform").fit(fitted_on, y, domains=domains)
        assert_as_by_each_head(monkeypatch, model, asked_about, "predict_proba", True, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rows_that_are_not_finite_are_refused(rule, bad):
    X, y, domains = sites(3)
    model = DomainSpecificClassifier(**rule).fit(X, y, domains=domains)
    rows = X.copy()
    rows[7, 2] = bad
    for ask in (model.predict, model.predict_proba, model.domain_weights):
        if ask == model.domain_weights and rule.get("selection") == "uniform":
            continue  # has the same weights everywhere
        with pytest.raises(ValueError, match="NaN" if np.isnan(bad) else "infinity"):
            ask(rows)


def test_adapted_heads_answer_by_what_they_have_learned():
    X, y, domains = sites(2)
    head = SGDClassifier(loss="log_loss", random_state=0)
    model = DomainSpecificClassifier(head).fit(X, y, domains=domains)
    model.adapt(X + 1.0, beta=0.5, lr_scale=50.0)
    chosen = model.domain_weights(X).argmax(axis=1)
    alone = np.array([fitted.predict(X) for fitted in model.domain_estimators_])
    np.testing.assert_array_equal(model.predict(X), alone[chosen, np.arange(len(X))])


def test_certain_heads_are_told_apart_where_their_entropies_are_equal():
    X, y, domains = sites(2, n_domains=2)
    model = DomainSpecificClassifier(LogisticRegression(C=1e6), selection="entropy")
    model.fit(X, y, domains=domains)
    far = 1e4 * sites(2, seed=1)[0]
    chosen = model.domain_weights(far).argmax(axis=1)
    scores = np.abs([head.decision_function(far) for head in model._heads])
    np.testing.assert_array_equal(chosen, scores.argmax(axis=0))
    labels = np.array([head.predict(far) for head in model._heads])
    np.testing.assert_array_equal(model.predict(far), labels[chosen, np.arange(len(far))])


# ------------------------------------------------------------------------------------------------
# formulas


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("n_scores", [1, 2, 5])
def test_probabilities_and_entropies_are_those_of_scipy(scale, n_scores):
    scores = scale * np.random.default_rng(0).normal(size=(3, n_scores, 40))
    kept = scores.copy()
    if n_scores == 1:
        wanted = expit(scores)
        everything = np.concatenate([expit(-scores), wanted], axis=1)
    else:
        wanted = everything = softmax(scores, axis=1)
    np.testing.assert_allclose(logistic(scores), wanted, rtol=1e-12, atol=1e-300)
    proba, gaps = logistic_and_entropies(scores)
    np.testing.assert_allclose(proba, wanted, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(gaps, entropy(everything, axis=1), rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(scores, kept)


# ------------------------------------------------------------------------------------------------
# regressors


@pytest.mark.parametrize("head", [Ridge(), LinearRegression(), Ridge(fit_intercept=False)], ids=str)
@pytest.mark.parametrize("n_outputs", [None, 1, 3])
def test_linear_regressors(monkeypatch, head, n_outputs):
    X, _, domains = sites(2)
    shape = (len(X),) if n_outputs is None else (len(X), n_outputs)
    target = np.random.default_rng(0).normal(size=shape) + (X[:, :1] if n_outputs else X[:, 0])
    for given in (X, X.astype(np.float32), sparse.csr_array(X)):
        for rule in ({}, {"combine": "soft"}, {"selection": "uniform"},
                     {"selection": "discriminator"}, {"level": "batch"}):  # fmt: skip
            model = DomainSpecificRegressor(head, **rule).fit(given, target, domains=domains)
            rtol = 1e-4 if given.dtype == np.float32 else 1e-9
            assert_as_by_each_head(monkeypatch, model, given, "predict", True, rtol)
            assert model.predict(given).shape == model.domain_estimators_[0].predict(given).shape


def test_other_regressors_are_asked(monkeypatch):
    X, _, domains = sites(2)

    class Own(Ridge):
        def predict(self, X):
            return 7.0 + super().predict(X)

    for head in (Lasso(), Own()):
        model = DomainSpecificRegressor(head).fit(X, X[:, 0], domains=domains)
        assert_as_by_each_head(monkeypatch, model, X, "predict", linear=False)


def test_what_answers():
    X, y, domains = sites(2)
    model = DomainSpecificClassifier(SGDClassifier())
    assert isinstance(model.fit(X, y, domains=domains)._asked(X), LinearClassifiers)
    numbers = DomainSpecificRegressor().fit(X, X[:, 0], domains=domains)
    assert isinstance(numbers._asked(X), LinearRegressors)
