"""The smoothed classifier: ways to the same scores, reproducibility, labels, bad input."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import norm
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris, make_classification
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Perceptron, Ridge, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skreg.probe import LinearNaiveBayes
from skreg.robustness import RandomizedSmoothingClassifier
from skreg.robustness._certify import choose
from skreg.robustness._smoothing_models import scores_of
from skreg.robustness._smoothing_scores import AffineScores, InputScores, LayerScores

FEW = {"n0": 100, "n": 400, "alpha": 0.01, "random_state": 0}


def fitted_quietly(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def model(iris):
    return RandomizedSmoothingClassifier(LogisticRegression(max_iter=500), 0.5, **FEW).fit(*iris)


def smoothed(estimator, X, y, sigma=0.5, **params):
    return RandomizedSmoothingClassifier(
        FrozenEstimator(fitted_quietly(estimator, X, y)), sigma, **{**FEW, **params}
    ).fit(X, y)


class InUnits(GaussianNB):
    """Scores that no fast way knows, of inputs in a unit."""

    def __init__(self, unit=1.0):
        super().__init__()
        self.unit = unit

    def fit(self, X, y):
        return super().fit(X / self.unit, y)

    def predict_proba(self, X):
        return super().predict_proba(X / self.unit)


def assert_same_result(got, wanted, tolerance=0.0):
    for name in ("label", "abstain", "map_index"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), name)
    for name in ("radius", "p_lower", "p_upper"):
        np.testing.assert_allclose(getattr(got, name), getattr(wanted, name), atol=tolerance)


# ------------------------------------------------------------------------------------------------
# fast ways and the slow one


def network(**params):
    return MLPClassifier((7, 5), max_iter=40, random_state=0, **params)


FAST = {
    "logistic": (LogisticRegression(max_iter=500), AffineScores),
    "svm": (LinearSVC(), AffineScores),
    "ridge": (RidgeClassifier(), AffineScores),
    "perceptron": (Perceptron(), AffineScores),
    "discriminant": (LinearDiscriminantAnalysis(), AffineScores),
    "naive Bayes of skreg": (LinearNaiveBayes(), AffineScores),
    "pipeline": (make_pipeline(StandardScaler(), PCA(3, whiten=True), LinearSVC()), AffineScores),
    "selection": (
        make_pipeline(RobustScaler(), SelectKBest(k=2), "passthrough", LogisticRegression()),
        AffineScores,
    ),
    "unscaled": (
        make_pipeline(
            RobustScaler(with_scaling=False),
            StandardScaler(with_std=False),
            MaxAbsScaler(),
            TruncatedSVD(3, random_state=0),
            PCA(2),
            LogisticRegression(),
        ),
        AffineScores,
    ),
    "nested": (
        make_pipeline(MinMaxScaler(), make_pipeline(StandardScaler(), LogisticRegression())),
        AffineScores,
    ),
    "search": (GridSearchCV(LogisticRegression(max_iter=500), {"C": [1.0]}), AffineScores),
    "relu": (network(), LayerScores),
    "tanh": (network(activation="tanh"), LayerScores),
    "logistic units": (network(activation="logistic"), LayerScores),
    "identity": (network(activation="identity"), LayerScores),
    "scaled network": (make_pipeline(StandardScaler(), network()), LayerScores),
}
SLOW = {
    "trees": DecisionTreeClassifier(max_depth=3, random_state=0),
    "neighbours": KNeighborsClassifier(3),
    "kernel": SVC(),
    "linear kernel": SVC(kernel="linear"),
    "clipped": make_pipeline(MinMaxScaler(clip=True), LogisticRegression()),
    "polynomial": make_pipeline(PolynomialFeatures(2), StandardScaler(), LogisticRegression()),
    "calibrated": CalibratedClassifierCV(LinearSVC(), cv=2),
    "gaussian": GaussianNB(),
}


def by_hand(estimator, rows):
    """Scores of the estimator's own methods, up to a shift for each row."""
    if hasattr(estimator, "decision_function"):
        z = estimator.decision_function(rows)
        return z if z.ndim == 2 else np.column_stack([np.zeros(len(z)), z])
    return np.log(np.maximum(estimator.predict_proba(rows), 1e-12))


def centred(z):
    return z - z.mean(axis=0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_scores_under_noise_are_those_of_the_estimator_at_noisy_inputs(iris, name, n_classes):
    X, y = iris
    X, y = X[y < n_classes], y[y < n_classes]
    estimator, kind = FAST[name] if name in FAST else (SLOW[name], InputScores)
    estimator = fitted_quietly(clone(estimator), X, y)
    scores = scores_of(estimator, 0.3, "auto", (4,))
    if not (name == "linear kernel" and n_classes == 2):  # then it is a linear classifier
        assert type(scores) is kind
    draws = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    place = scores.place(X[10:11])[0]
    got = scores.scores(place, scores.noise(draws))
    wanted = by_hand(estimator, X[10] + 0.3 * draws).T
    assert got.shape == (n_classes, 50)
    spread = np.abs(centred(wanted)).max()
    np.testing.assert_allclose(centred(got), centred(wanted), atol=2e-5 * max(spread, 1.0))


def test_a_head_whose_coefficients_are_not_its_scores_is_evaluated_itself(iris):
    class Bent(LogisticRegression):
        def decision_function(self, X):
            return np.abs(super().decision_function(X))

    bent = fitted_quietly(Bent(), *iris)
    assert type(scores_of(bent, 0.3, "auto", (4,))) is InputScores


def test_the_fast_and_the_slow_way_prove_the_same(iris):
    X, y = iris
    # probabilities of a logistic regression, as logarithms, are its scores up to a shift
    slow = smoothed(LogisticRegression(max_iter=500), X, y, response="predict_proba", n=2000)
    fast = smoothed(LogisticRegression(max_iter=500), X, y, response="logits", n=2000)
    assert_same_result(fast.certify(X[::10]), slow.certify(X[::10]), tolerance=1e-5)


def test_inputs_far_from_zero_keep_their_noise(iris):
    """Single precision would round a million by 0.06."""
    X, y = iris
    far = X + 1e6
    for estimator in (DecisionTreeClassifier(random_state=0), LogisticRegression()):
        near = smoothed(make_pipeline(StandardScaler(), estimator), X, y)
        moved = smoothed(make_pipeline(StandardScaler(), estimator), far, y)
        got, wanted = moved.predict_proba(far[::10]), near.predict_proba(X[::10])
        np.testing.assert_allclose(got, wanted, atol=0.01)


# ------------------------------------------------------------------------------------------------
# reproducibility


@pytest.mark.parametrize("params", [{}, {"selection": "union"}, {"bound": "betting"},
                                    {"noise": "independent"}], ids=str)  # fmt: skip
def test_answers_depend_neither_on_batches_nor_on_threads(iris, params):
    X, y = iris
    rows = X[::9]
    soft = {"maps": ("softmax", "argmax"), "temperatures": [1.0, 10.0], **params}
    wanted = smoothed(GaussianNB(), X, y, **soft)
    result, labels = wanted.certify(rows), wanted.predict(rows)
    for other in ({"batch_size": 7}, {"batch_size": 10_000}, {"n_jobs": 3}):
        got = clone(wanted).set_params(**other).fit(X, y)
        assert_same_result(got.certify(rows), result, tolerance=1e-6)
        np.testing.assert_array_equal(got.predict(rows), labels)


def test_a_row_has_the_same_answer_in_any_company(iris, model):
    X, _ = iris
    result = model.certify(X[::5])
    for i in (0, 7, 19):
        alone = model.certify(X[::5][i : i + 1])
        assert_same_result(alone, type(result)(*(values[i : i + 1] for values in result)), 1e-6)
    order = np.random.default_rng(0).permutation(30)
    assert_same_result(
        model.certify(X[::5][order]), type(result)(*(values[order] for values in result)), 1e-6
    )


def test_independent_noise_belongs_to_the_position(iris):
    X, y = iris
    model = smoothed(LogisticRegression(max_iter=500), X, y, noise="independent", n=1000)
    same = np.repeat(X[100:101], 20, axis=0)
    proba = model.predict_proba(same)[:, 2]
    assert len(np.unique(proba)) > 5
    np.testing.assert_array_equal(model.predict_proba(same[:6])[:, 2], proba[:6])
    shared = model.set_params(noise="shared").predict_proba(same)[:, 2]
    assert len(np.unique(shared)) == 1


def test_noise_that_is_not_kept_is_drawn_again(iris, model, monkeypatch):
    X, _ = iris
    result = model.certify(X[::9])
    monkeypatch.setattr("skreg.robustness._smoothing_draws.LARGEST_KEPT", 100)
    assert_same_result(model.certify(X[::9]), result, 1e-12)


def test_seeds(iris, model):
    X, _ = iris
    rows = X[48:110:3]
    p = model.predict_proba(rows)
    np.testing.assert_array_equal(model.predict_proba(rows), p)
    other = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(other.predict_proba(rows), p)
    assert (other.set_params(random_state=1).predict_proba(rows) != p).any()
    other.set_params(random_state=None)
    assert (other.predict_proba(rows) != other.predict_proba(rows)).any()
    other.set_params(random_state=np.random.RandomState(0))
    first = other.predict_proba(rows)
    assert (other.predict_proba(rows) != first).any()
    other.set_params(random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(other.predict_proba(rows), first)


@pytest.mark.parametrize("unit", [1e-50, 1e50])
def test_units_beyond_single_precision(iris, unit):
    X, y = iris
    found = [
        smoothed(InUnits(scale), scale * X, y, sigma=0.5 * scale).certify(scale * X[::9]).radius
        / scale
        for scale in (1.0, unit)
    ]
    np.testing.assert_allclose(found[1], found[0], atol=0.01)


@pytest.mark.parametrize("unit", [0.125, 1000.0, 1e-9])
def test_radii_are_in_the_unit_of_the_inputs(iris, unit):
    X, y = iris

    class Scaled(LogisticRegression):
        def fit(self, X, y):
            super().fit(X / unit, y)
            self.coef_ = self.coef_ / unit
            return self

    rows = X[::9]
    result = smoothed(LogisticRegression(max_iter=500), X, y).certify(rows)
    other = smoothed(Scaled(max_iter=500), unit * X, y, sigma=0.5 * unit).certify(unit * rows)
    np.testing.assert_allclose(other.radius, unit * result.radius, rtol=1e-6)


def test_more_draws_prove_more(iris):
    X, y = iris
    radii = [
        smoothed(LogisticRegression(max_iter=500), X, y, n=n).certify(X[::5]).radius.mean()
        for n in (100, 1000, 10_000)
    ]
    assert radii[0] < radii[1] < radii[2]


# ------------------------------------------------------------------------------------------------
# what is said


def test_predicted_shares_are_probabilities_of_a_half_space():
    X, y = make_classification(100, 4, random_state=0)
    model = smoothed(LogisticRegression(), X, y, n=20_000, sigma=1.0)
    linear = model.estimator_
    distance = linear.decision_function(X[:20]) / np.linalg.norm(linear.coef_)
    p = norm.cdf(distance)
    np.testing.assert_allclose(model.predict_proba(X[:20])[:, 1], p, atol=0.015)


def test_within_its_radius_no_attack_changes_the_class(iris):
    """The steepest direction of a linear classifier, and random ones."""
    X, y = iris
    linear = LogisticRegression(max_iter=500)
    model = smoothed(linear, X, y, n=2000, maps=("argmax",))
    result = model.certify(X[::3])
    rng = np.random.default_rng(0)
    W = model.estimator_.coef_
    for i in np.flatnonzero(~result.abstain)[::4]:
        others = np.delete(np.arange(3), result.label[i])
        away = np.vstack([W[others] - W[result.label[i]], rng.normal(size=(5, 4))])
        steps = 0.95 * result.radius[i] * away / np.linalg.norm(away, axis=1, keepdims=True)
        labels = model.predict(X[::3][i] + steps)
        assert set(labels) <= {result.label[i], -1}


def test_multi_proves_no_less_than_cohen_on_the_whole_and_soft_maps_gain_nothing_here():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    base = FrozenEstimator(LogisticRegression(max_iter=300).fit(X[300:], y[300:]))
    common = {"sigma": 0.25, "n0": 500, "n": 5000, "random_state": 0}
    radius = {}
    for name, params in {
        "mono": {"maps": ("argmax",), "radius": "mono"},
        "multi": {"maps": ("argmax",)},
        "margin": {"maps": ("argmax",), "radius": "margin"},
        "all": {},
        "soft": {"maps": ("softmax", "sparsemax")},
        "betting": {"maps": ("softmax", "sparsemax"), "bound": "betting"},
        "union": {"selection": "union", "temperatures": [10.0]},
    }.items():
        model = RandomizedSmoothingClassifier(base, **common, **params).fit(X[300:], y[300:])
        radius[name] = model.certify(X[:30]).average_radius(y[:30])
    assert radius["multi"] > radius["mono"]
    assert radius["multi"] > radius["margin"]
    assert radius["all"] >= radius["multi"] - 0.001
    assert radius["soft"] < radius["betting"] < radius["multi"]
    assert 0 < radius["union"] < radius["multi"]


def test_a_known_slope_helps_where_the_margin_is_small():
    X, y = load_digits(n_class=2, return_X_y=True)
    X = X / 16
    linear = LogisticRegression(C=0.01).fit(X, y)
    slope = np.linalg.norm(linear.coef_) / np.sqrt(2)  # of (0, d), less what classes share
    common = {"sigma": 0.5, "maps": ("softmax",), "temperatures": [1.0], "random_state": 0}
    found = {}
    for L in (None, "auto", slope, 10 * slope):
        model = RandomizedSmoothingClassifier(FrozenEstimator(linear), lipschitz=L, **common)
        found[L] = model.fit(X, y).certify(X[:100])
    np.testing.assert_allclose(found["auto"].radius, found[slope].radius, rtol=1e-9)
    unsure = found[None].p_lower < 0.7
    assert unsure.any()
    assert (found["auto"].radius[unsure] > found[None].radius[unsure]).all()
    assert (found["auto"].radius >= found[10 * slope].radius).all()
    steep = {**common, "temperatures": [20.0], "lipschitz": "auto"}
    found["steep"] = RandomizedSmoothingClassifier(FrozenEstimator(linear), **steep).fit(
        X, y
    ).certify(X[:100])  # fmt: skip
    # the truth: E softmax crosses one half on the boundary itself
    distance = np.abs(linear.decision_function(X[:100])) / np.linalg.norm(linear.coef_)
    assert (found["auto"].radius <= distance).all()
    assert (found["steep"].radius <= distance).all()


def test_a_slope_that_is_not_known_is_refused(iris):
    model = smoothed(GaussianNB(), *iris, lipschitz="auto")
    with pytest.raises(ValueError, match="lipschitz='auto' is for linear classifiers"):
        model.certify(iris[0][:2])


def test_results(iris, model):
    X, y = iris
    result = model.certify(X[::4])
    labels, radii = y[::4], np.array([0.0, 0.3, 10.0])
    right = result.label == labels
    wanted = [np.mean(right & (result.radius >= r) & ~result.abstain) for r in radii]
    np.testing.assert_allclose(result.certified_accuracy(labels, radii), wanted)
    np.testing.assert_allclose(model.certified_accuracy(X[::4], labels, radii), wanted)
    average = result.average_radius(labels)
    assert average == pytest.approx(np.mean(result.radius * right))
    assert model.average_certified_radius(X[::4], labels) == average
    fine = np.linspace(0, result.radius.max(), 20_001)
    area = np.trapezoid(result.certified_accuracy(labels, fine), fine)
    assert area == pytest.approx(average, rel=1e-3)
    assert (result.radius[result.abstain] == 0).all()
    assert (result.radius[~result.abstain] > 0).all()
    assert len(repr(result)) < 400
    assert len(model.candidates_) == 15
    with pytest.raises(ValueError, match="y has shape"):
        result.certified_accuracy(labels[:-1], radii)
    with pytest.raises(ValueError, match="radii"):
        result.certified_accuracy(labels, [-0.1])


def test_abstentions_are_errors_in_every_score():
    X = np.array([[-1.0], [1.0], [-0.001], [0.001]])
    model = smoothed(LogisticRegression(), X, [0, 1, 0, 1], n=50, sigma=0.3)
    labels = model.predict(X)
    np.testing.assert_array_equal(labels, [0, 1, -1, -1])
    assert model.score(X, [0, 1, 0, 1]) == 0.5
    assert model.score(X, [0, 1, 0, 1], sample_weight=[3, 3, 1, 1]) == 0.75
    result = model.certify(X)
    assert list(result.abstain) == [False, False, True, True]
    assert list(result.certified_accuracy([0, 1, 0, 1], [0.0])) == [0.5]
    # an abstention is no answer, even where the truth is no class
    assert list(result.certified_accuracy([0, 1, -1, -1], [0.0])) == [0.5]


LABELS = {
    "integers": ([3, 7], -1, -1, "i"),
    "floats": ([0.0, 1.0], np.nan, np.nan, "f"),
    "truths": ([False, True], -1, -1, "i"),
    "strings, a number": (["no", "yes"], -1, "-1", "U"),
    "strings, a longer one": (["no", "yes"], "undecided", "undecided", "U"),
    "strings, none": (["no", "yes"], None, None, "O"),
    "integers, none": ([0, 1], None, None, "O"),
    "integers, text": ([0, 1], "?", "?", "O"),
    "plus and minus": ([-1, 1], 0, 0, "i"),
}


@pytest.mark.parametrize(("classes", "abstain", "shown", "kind"), LABELS.values(), ids=LABELS)
def test_labels_of_any_kind(classes, abstain, shown, kind):
    X = np.array([[-1.0], [1.0], [-0.001], [0.001]])
    y = np.array(classes)[[0, 1, 0, 1]]
    model = smoothed(LogisticRegression(), X, y, n=50, sigma=0.3, abstain_label=abstain)
    labels = model.predict(X)
    assert labels.dtype.kind == kind
    assert list(labels[:2]) == classes
    assert all(label is shown or label == shown or label != label for label in labels[2:])
    np.testing.assert_array_equal(model.certify(X).label[:2], y[:2])
    assert model.score(X, y) == 0.5
    assert model.certified_accuracy(X, y, [0.0])[0] == 0.5


# ------------------------------------------------------------------------------------------------
# fitting


def test_noisy_copies_are_fresh_and_of_the_right_size(iris):
    X, y = iris
    seen = []

    class Watched(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            seen.append((X, y, sample_weight))
            return super().fit(X, y, sample_weight)

    weight = np.arange(150) % 3
    RandomizedSmoothingClassifier(Watched(max_iter=500), 0.2, noise_augment=3, random_state=0).fit(
        X, y, sample_weight=weight
    )
    rows, labels, weights = seen[0]
    noise = rows.reshape(4, 150, 4) - X
    assert (noise[0] == 0).all()
    np.testing.assert_allclose(noise[1:].std(axis=(1, 2)), 0.2, rtol=0.1)
    correlations = np.corrcoef(noise[1:].reshape(3, -1))
    assert np.abs(correlations - np.eye(3)).max() < 0.15
    np.testing.assert_array_equal(labels, np.tile(y, 4))
    np.testing.assert_array_equal(weights, np.tile(weight, 4))


def test_weights_are_copies_of_rows(iris):
    X, y = iris
    weight = np.arange(150) % 3
    for estimator in (GaussianNB(), make_pipeline(StandardScaler(with_std=False), GaussianNB())):
        got = RandomizedSmoothingClassifier(estimator, **FEW).fit(X, y, sample_weight=weight)
        rows = np.repeat(np.arange(150), weight)
        wanted = RandomizedSmoothingClassifier(estimator, **FEW).fit(X[rows], y[rows])
        np.testing.assert_allclose(got.predict_proba(X), wanted.predict_proba(X), atol=0.03)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        RandomizedSmoothingClassifier(KNeighborsClassifier()).fit(X, y, sample_weight=weight)


def test_frames_and_names_without_a_warning(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    columns = ColumnTransformer([("some", StandardScaler(), ["d", "a"])], remainder="drop")
    for estimator in (
        make_pipeline(columns, LogisticRegression()),
        make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
        GaussianNB(),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            own = RandomizedSmoothingClassifier(estimator, **FEW).fit(frame, y)
            frozen = FrozenEstimator(clone(estimator).fit(frame, y))
            other = RandomizedSmoothingClassifier(frozen, **FEW).fit(frame, y)
            result = own.certify(frame[::9])
            assert_same_result(other.certify(frame[::9]), result)
            np.testing.assert_array_equal(own.predict(frame), other.predict(frame))
        assert list(own.feature_names_in_) == list("abcd")
        with pytest.raises(ValueError, match="feature names"):
            own.certify(frame[["b", "a", "c", "d"]])


def test_containers(iris):
    X, y = iris
    wanted = smoothed(GaussianNB(), X, y).certify(X[:9])
    locked = X.copy()
    locked.setflags(write=False)
    for form in (locked, np.asfortranarray(X), X.tolist(), X.astype(">f8")):
        assert_same_result(smoothed(GaussianNB(), form, y).certify(form[:9]), wanted, 1e-9)
    single = smoothed(GaussianNB(), X, y).certify(X[:9].astype(np.float32))
    np.testing.assert_allclose(single.radius, wanted.radius, atol=1e-3)


def test_selection_and_proof_have_different_draws(iris, monkeypatch):
    """With as many draws for both, the first ones say something else than the bounds."""
    X, y = iris
    model = smoothed(LogisticRegression(max_iter=500), X, y, n0=400, n=400, maps=("argmax",))
    seen = []

    def watched(firsts, rule):
        seen.extend(tally.sums[0].max() for tally in firsts)
        return choose(firsts, rule)

    monkeypatch.setattr("skreg.robustness._smoothing_classifier.choose", watched)
    result = model.certify(X[100:])
    shares = model.predict_proba(X[100:]).max(axis=1) * 400
    assert (np.array(seen) != shares).mean() > 0.5
    assert (result.p_lower < shares / 400).all()


def test_in_a_search(iris):
    search = GridSearchCV(
        RandomizedSmoothingClassifier(LogisticRegression(max_iter=500), **FEW),
        {"sigma": [0.2, 2.0], "estimator__C": [1.0]}, cv=2,
    ).fit(*iris)  # fmt: skip
    assert search.best_params_["sigma"] == 0.2


def test_a_second_fit_forgets_the_first(iris):
    X, y = iris
    model = RandomizedSmoothingClassifier(GaussianNB(), **FEW).fit(X[:, :2], y > 0)
    again = model.fit(X, y)
    assert_same_result(
        again.certify(X[:9]),
        RandomizedSmoothingClassifier(GaussianNB(), **FEW).fit(X, y).certify(X[:9]),
    )


def test_parameters_act_after_the_fit(iris, model):
    X, _ = iris
    model = pickle.loads(pickle.dumps(model))
    small = model.certify(X[:5])
    large = model.set_params(sigma=1.0).certify(X[:5])
    assert (large.radius != small.radius).all()
    with pytest.raises(ValueError, match="sigma"):
        model.set_params(sigma=-1.0).certify(X[:5])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_row_one_column(dtype):
    X = np.array([[0.0], [1.0]], dtype=dtype)
    result = smoothed(LogisticRegression(C=1e4), X, [0, 1], sigma=0.2).certify(X[:1])
    assert result.label.shape == (1,)
    assert 0.2 < result.radius[0] <= 0.5


def test_scores_of_minus_infinity_are_never_reached(iris):
    X, y = iris
    absent = LinearNaiveBayes().fit(X, y, sample_weight=(y < 2).astype(float))
    assert np.isneginf(absent.decision_function(X)).any()
    model = smoothed(FrozenEstimator(absent), X, y)
    assert (model.predict_proba(X[::5])[:, 2] == 0).all()
    assert (model.certify(X[:100:5]).label == y[:100:5]).mean() > 0.9


def test_nan_scores_are_refused(iris):
    class Broken(GaussianNB):
        def predict_proba(self, X):
            return np.full((len(X), 3), np.nan)

    with pytest.raises(ValueError, match="NaN"):
        smoothed(Broken(), *iris).certify(iris[0][:2])


BAD = {
    "sigma zero": ({"sigma": 0.0}, "sigma"),
    "sigma negative": ({"sigma": -0.1}, "sigma"),
    "sigma infinite": ({"sigma": np.inf}, "sigma"),
    "n0": ({"n0": 0}, "n0"),
    "n": ({"n": 1}, "'n'"),
    "alpha 0": ({"alpha": 0.0}, "alpha"),
    "alpha 1": ({"alpha": 1.0}, "alpha"),
    "map": ({"maps": ("argmax", "entmax")}, "maps must hold some of"),
    "maps twice": ({"maps": ("argmax", "argmax")}, "each once"),
    "no map": ({"maps": ()}, "maps must hold some of"),
    "temperature": ({"temperatures": [1.0, -1.0]}, "temperatures must be"),
    "no temperature": ({"temperatures": []}, "temperatures must be"),
    "infinite temperature": ({"temperatures": [np.inf]}, "temperatures must be"),
    "selection": ({"selection": "maximum"}, "selection"),
    "radius": ({"radius": "best"}, "radius"),
    "lipschitz": ({"lipschitz": 0.0}, "lipschitz"),
    "bound": ({"bound": "hoeffding"}, "bound"),
    "noise": ({"noise": "none"}, "noise"),
    "noise_augment": ({"noise_augment": -1}, "noise_augment"),
    "batch_size": ({"batch_size": 0}, "batch_size"),
    "response": ({"response": "predict"}, "response"),
    "abstain_label": ({"abstain_label": 1}, "abstain_label = 1 is one of the classes"),
    "no scores": ({"estimator": Ridge()}, "neither decision_function nor predict_proba"),
    "no logits": ({"estimator": GaussianNB(), "response": "logits"}, "no decision_function"),
    "no probabilities": (
        {"estimator": LinearSVC(), "response": "predict_proba"},
        "no predict_proba",
    ),
    "function": ({"estimator": np.sum}, "estimator must be a classifier or a torch.nn.Module"),
    "pairs": ({"estimator": SVC(decision_function_shape="ovo")}, "decision_function_shape"),
    "frozen": (
        {"estimator": FrozenEstimator(GaussianNB()), "noise_augment": 1},
        "noise_augment = 1 asks for training",
    ),
}


@pytest.mark.parametrize(("params", "named"), BAD.values(), ids=BAD)
def test_bad_parameters_are_named(iris, params, named):
    with pytest.raises(ValueError, match=named):
        RandomizedSmoothingClassifier(**{"estimator": GaussianNB(), **params}).fit(*iris)


def test_bad_data_are_named(iris, model):
    X, y = iris
    with pytest.raises(NotFittedError):
        RandomizedSmoothingClassifier(GaussianNB()).certify(X)
    with pytest.raises(ValueError, match="one class"):
        RandomizedSmoothingClassifier(GaussianNB()).fit(X, np.zeros(150))
    with pytest.raises(ValueError, match="Unknown label type"):
        RandomizedSmoothingClassifier(GaussianNB()).fit(X, X[:, 0])
    with pytest.raises(TypeError, match="dense data is required"):
        RandomizedSmoothingClassifier(GaussianNB()).fit(sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="features"):
        model.certify(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        model.certify(np.full((1, 4), np.nan))
    with pytest.raises(ValueError, match="Negative values"):
        RandomizedSmoothingClassifier(GaussianNB()).fit(X, y, sample_weight=-np.ones(150))


def test_progress_is_counted(iris, model, capsys):
    model = pickle.loads(pickle.dumps(model)).set_params(verbose=1)
    model.certify(iris[0][:20])
    assert "RandomizedSmoothingClassifier" in capsys.readouterr().err
