"""Every linear classifier is read as it decides; what is not linear is refused by name."""

import importlib
import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import set_config
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFE, SelectFromModel, SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.utils import all_estimators

import skreg
from skreg.coreset import CoresetEstimator, SensitivitySampler
from skreg.linear_model import SparseLogisticRegression, SparseLogisticRegressionCV
from skreg.ordinal import PrestoClassifier, PrestoClassifierCV, ProportionalOddsClassifier
from skreg.probe import LinearNaiveBayes
from skreg.robustness import boundary_distance, boundary_tilting, robust_accuracy_score
from skreg.semi_supervised import GraphLabelPropagation

pytestmark = pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
LINEAR = {
    *("ComplementNB", "LinearDiscriminantAnalysis", "LinearSVC", "LogisticRegression"),
    *("LogisticRegressionCV", "MultinomialNB", "NearestCentroid", "OneVsRestClassifier"),
    *("PassiveAggressiveClassifier", "Perceptron", "RidgeClassifier", "RidgeClassifierCV"),
    *("SGDClassifier",),
}


def data(n_classes, seed=1):
    X, y = make_blobs(
        120, 5, centers=n_classes, cluster_std=2.0, center_box=(0, 8), random_state=seed
    )
    return np.abs(X), y


def quietly(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


def assert_decides_so(model, X, y=None):
    """Steps to the boundary, read off its own labels: a little less stays, a little more leaves."""
    d = boundary_distance(model, X, signed=False)
    predicted = model.predict(X)
    rng = np.random.default_rng(0)
    dense = X.toarray() if sparse.issparse(X) else np.asarray(X)
    step = rng.normal(size=dense.shape)
    step *= 0.99 * (d / np.linalg.norm(step, axis=1))[:, None]
    within = dense + step
    within = pd.DataFrame(within, columns=X.columns) if hasattr(X, "columns") else within
    assert np.mean(model.predict(within) == predicted) == 1.0
    if hasattr(model, "decision_function") and len(model.classes_) == 2 and not is_centroid(model):
        signed = boundary_distance(model, X)
        told = model.decision_function(X)
        np.testing.assert_allclose(signed * np.median(told / signed), told, rtol=1e-6, atol=1e-7)
    if y is not None:
        assert robust_accuracy_score(model, X, y, 0.0) == np.mean(predicted == y)


def is_centroid(model):
    return hasattr(model, "centroids_")


def classifiers_of_sklearn():
    """Those that can be made without arguments, or around a logistic regression."""
    for name, cls in all_estimators("classifier"):
        missing = [
            parameter.name
            for parameter in inspect.signature(cls).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        inner = {
            "estimator": LogisticRegression(),
            "estimators": [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))],
        }
        if set(missing) <= inner.keys():
            yield name, cls(**{part: inner[part] for part in missing})


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", [n for n, _ in classifiers_of_sklearn() if n in LINEAR])
def test_every_linear_classifier_of_sklearn_agrees(name, n_classes):
    X, y = data(n_classes)
    assert_decides_so(quietly(dict(classifiers_of_sklearn())[name], X, y), X, y)


@pytest.mark.parametrize("name", [n for n, _ in classifiers_of_sklearn() if n not in LINEAR])
def test_every_other_classifier_of_sklearn_is_refused_by_name(name):
    X, y = (part[::3] for part in data(2))
    model = dict(classifiers_of_sklearn())[name]
    if "n_estimators" in model.get_params():
        model.set_params(n_estimators=3)
    try:
        quietly(model, X, y)
    except (ValueError, IndexError):
        pytest.skip("does not fit such data")
    with pytest.raises(TypeError, match=name):
        boundary_distance(model, X)


def test_the_walk_meets_all_linear_ones():
    found = {name for name, _ in classifiers_of_sklearn()}
    assert found >= LINEAR - {"PassiveAggressiveClassifier"}  # on its way out of scikit-learn


OTHERS = [
    SVC(kernel="linear"),
    NuSVC(kernel="linear", nu=0.2),
    LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5),
    LogisticRegression(fit_intercept=False),
    LinearSVC(fit_intercept=False),
    BernoulliNB(binarize=None),
    SelfTrainingClassifier(LogisticRegression()),
    SparseLogisticRegression(alpha=0.01),
    SparseLogisticRegressionCV(alphas=3, eps=0.1, cv=2),
    LinearNaiveBayes(),
    LinearNaiveBayes(temperature=3.0, shrinkage=0.5),
    PrestoClassifier(alpha=0.01),
    PrestoClassifier(alpha=0.01, link="cloglog"),
    PrestoClassifier(alpha=0.01, link="loglog"),
    PrestoClassifierCV(alphas=3, eps=0.1, cv=2),
    ProportionalOddsClassifier(alpha=0.01),
    CoresetEstimator(LogisticRegression(), SensitivitySampler(n_samples=60, random_state=0)),
]


@pytest.mark.parametrize("model", OTHERS, ids=lambda model: repr(model)[:40])
def test_more_linear_classifiers_of_two_classes(model):
    X, y = data(2)
    if isinstance(model, BernoulliNB):
        X = (X > 3).astype(float)
    labels = np.array(["low", "high"], dtype=object)[y]
    model = quietly(clone(model), X, labels)
    assert_decides_so(model, X, labels)
    tilting = boundary_tilting(model, X, labels)
    assert list(tilting.classes) == ["high", "low"]
    assert tilting.error_rate == pytest.approx(np.mean(model.predict(X) != labels))
    positive = boundary_distance(model, X) > 0
    np.testing.assert_array_equal(positive, model.predict(X) == "low")


def classifiers_of_skreg():
    """All public classifiers but networks, which need an extra."""
    rooms = [name for name in skreg.__all__ if name[0] != "_" and name != "deep"]
    modules = [importlib.import_module(f"skreg.{room}") for room in rooms]
    public = [getattr(module, name) for module in modules for name in module.__all__]
    classes = {thing for thing in public if inspect.isclass(thing)}
    return sorted((c for c in classes if issubclass(c, ClassifierMixin)), key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", classifiers_of_skreg(), ids=lambda cls: cls.__name__)
def test_every_classifier_of_skreg_agrees_or_is_refused(cls):
    X, y = data(2)
    needed = {"estimator": LogisticRegression()}
    parameters = inspect.signature(cls).parameters
    try:
        model = quietly(cls(**{k: v for k, v in needed.items() if k in parameters}), X, y)
    except (TypeError, ValueError):
        pytest.skip("does not fit such data")
    try:
        boundary_distance(model, X)
    except TypeError as refusal:
        assert cls.__name__ in str(refusal)  # noqa: PT017
    else:
        assert_decides_so(model, X, y)


def test_labels_on_graphs_and_networks_are_refused():
    X, y = data(2)
    with pytest.raises(TypeError, match="GraphLabelPropagation is not a linear classifier"):
        boundary_distance(GraphLabelPropagation().fit(X, y), X)
    pytest.importorskip("skorch")
    from skreg.deep import DeepClassifier

    network = DeepClassifier(max_epochs=1, device="cpu", random_state=0).fit(X, y)
    with pytest.raises(TypeError, match="DeepClassifier is not a linear classifier"):
        boundary_distance(network, X)


def test_the_order_of_an_ordinal_model_is_not_that_of_the_signs():
    X, y = data(2)
    labels = np.array(["low", "high"])[y]
    for order in (["low", "high"], ["high", "low"]):
        model = PrestoClassifier(alpha=0.01, class_order=order).fit(X, labels)
        np.testing.assert_array_equal(boundary_distance(model, X) > 0, model.predict(X) == "low")


@pytest.mark.parametrize("model", OTHERS, ids=lambda model: repr(model)[:40])
def test_more_classifiers_of_three_classes(model):
    X, y = data(3)
    if isinstance(model, BernoulliNB):
        X = (X > 3).astype(float)
    model = quietly(clone(model), X, y)
    ordinal = (PrestoClassifier, PrestoClassifierCV, ProportionalOddsClassifier)
    if isinstance(model, (SVC, NuSVC)):
        with pytest.raises(TypeError, match="SVC decides between 3 classes by votes of pairs"):
            boundary_distance(model, X)
    elif isinstance(model, ordinal):
        with pytest.raises(TypeError, match=f"{type(model).__name__} compares .* 3 classes"):
            boundary_distance(model, X)
    else:
        assert_decides_so(model, X, y)


def test_classifiers_of_sparse_rows():
    X, y = data(2)
    X[X < 3] = 0.0
    S = sparse.csr_matrix(X)
    for model in (SVC(kernel="linear"), LinearSVC(), LogisticRegression(), LinearNaiveBayes()):
        quietly(model, S, y)
        if isinstance(model, LogisticRegression):
            model.sparsify()
        assert_decides_so(model, S, y)


# ------------------------------------------------------------------------------------------------
# pipelines


STEPS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler((-1, 3)),
    MaxAbsScaler(),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    PCA(3),
    PCA(whiten=True),
    IncrementalPCA(3, whiten=True),
    TruncatedSVD(3, random_state=0),
    FunctionTransformer(),
    SelectKBest(k=2),
    VarianceThreshold(),
    SelectFromModel(LinearSVC(C=0.01, penalty="l1")),
    GaussianRandomProjection(4, random_state=0),
    SparseRandomProjection(4, random_state=0),
    make_pipeline(StandardScaler(), PCA(4)),
    FrozenEstimator(StandardScaler().fit(data(2)[0])),
    "passthrough",
    None,
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: repr(step)[:40])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_behind_every_affine_step(step, n_classes):
    X, y = data(n_classes)
    X = X * [1.0, 100.0, 0.01, 3.0, 1.0] + [0.0, 5.0, 1.0, -3.0, 100.0]
    last = make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=10))
    model = quietly(Pipeline([("step", step), ("last", last)]), X, y)
    assert_decides_so(model, X, y)


def test_behind_steps_on_sparse_rows():
    X, y = data(2)
    X[X < 2.5] = 0.0
    S = sparse.csr_array(X)
    steps = (MaxAbsScaler(), TruncatedSVD(3, random_state=0), SelectKBest(k=3), PCA(2))
    for step in steps:
        model = quietly(make_pipeline(clone(step), LogisticRegression()), S, y)
        np.testing.assert_allclose(boundary_distance(model, S), boundary_distance(model, X))


def test_behind_transformers_of_single_columns():
    X, y = data(3)
    frame = pd.DataFrame(X * [1.0, 100.0, 0.01, 3.0, 1.0], columns=list("abcde"))
    columns = ColumnTransformer(
        [
            ("scaled", StandardScaler(), ["d", "a"]),
            ("again", make_pipeline(MinMaxScaler(), PCA(1)), ["a", "b"]),
            ("none", StandardScaler(), []),
            ("gone", "drop", ["c"]),
        ],
        remainder="passthrough",
    )
    model = make_pipeline(columns, LogisticRegression(C=10, max_iter=1000))
    assert_decides_so(model.fit(frame, y), frame, y)
    by_position = ColumnTransformer(
        [("scaled", RobustScaler(), [True, False, True, False, True])], remainder="passthrough"
    )
    model = make_pipeline(by_position, LogisticRegression(C=10, max_iter=1000))
    assert_decides_so(model.fit(X, y), X, y)
    bad = ColumnTransformer([("bad", Normalizer(), [0, 1])], remainder="passthrough")
    with pytest.raises(TypeError, match=r"step 'columntransformer' .*step 'bad' .Normalizer"):
        boundary_distance(make_pipeline(bad, LogisticRegression()).fit(X, y), X)


def test_a_step_takes_no_step_for_its_parent():
    """A subclass that does more than its parent is found out by its answers."""

    class Squared(StandardScaler):
        def transform(self, X):
            return super().transform(X) ** 2

    X, y = data(2)
    model = make_pipeline(Squared(), LogisticRegression()).fit(X, y)
    with pytest.raises(TypeError, match="Pipeline does not decide by its coef_"):
        boundary_distance(model, X)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (MinMaxScaler(clip=True), "step 'bad' .MinMaxScaler.*clip=True"),
        (Normalizer(), "step 'bad' .Normalizer"),
        (PolynomialFeatures(), "step 'bad' .PolynomialFeatures"),
        (QuantileTransformer(n_quantiles=10), "step 'bad' .QuantileTransformer"),
        (FunctionTransformer(np.log1p), "step 'bad' .FunctionTransformer.*function"),
        (make_pipeline(Normalizer()), "step 'bad' .Pipeline.*step 'normalizer'"),
    ],
)
def test_steps_that_are_not_affine_are_named(step, message):
    X, y = data(2)
    model = Pipeline([("good", StandardScaler()), ("bad", step), ("last", LogisticRegression())])
    if isinstance(step, FunctionTransformer):
        model.set_params(good="passthrough")
    with pytest.raises(TypeError, match=message):
        boundary_distance(model.fit(X, y), X)


def test_inside_of_searches_and_frozen_ones():
    X, y = data(2)
    frame = pd.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1]}, cv=2).fit(frame, y)
    wanted = boundary_distance(search.best_estimator_, frame)
    for model in (search, FrozenEstimator(search), make_pipeline("passthrough", search)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(boundary_distance(model, frame), wanted)
    centroid = GridSearchCV(make_pipeline(StandardScaler(), NearestCentroid()), {}, cv=2)
    nearer = boundary_distance(centroid.fit(X, y), X) > 0
    np.testing.assert_array_equal(nearer, centroid.predict(X) == 1)
    with pytest.raises(ValueError, match="feature names"):
        boundary_distance(search, frame[list("edcba")])
    without = GridSearchCV(pipeline, {}, cv=2, refit=False).fit(X, y)
    with pytest.raises((TypeError, NotFittedError), match="refit"):
        boundary_distance(without, X)


def test_frames_of_pandas_through_selected_columns():
    X, y = data(3)
    frame = pd.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), SelectKBest(k=3), LogisticRegression())
    set_config(transform_output="pandas")
    try:
        assert_decides_so(pipeline.fit(frame, y), frame, y)
    finally:
        set_config(transform_output="default")


# ------------------------------------------------------------------------------------------------
# refusals


class Twisted(ClassifierMixin, BaseEstimator):
    """Weights that it does not decide by."""

    def fit(self, X, y):
        self.inner_ = LogisticRegression().fit(X, y)
        self.coef_, self.intercept_ = self.inner_.coef_, self.inner_.intercept_
        self.classes_, self.n_features_in_ = self.inner_.classes_, X.shape[1]
        return self

    def predict(self, X):
        return self.inner_.predict(np.sin(X))


class Exponential(Twisted):
    """The labels of a linear model, but scores through a link."""

    def predict(self, X):
        return self.inner_.predict(X)

    def decision_function(self, X):
        return np.sinh(self.inner_.decision_function(X))


class Labels(ClassifierMixin, BaseEstimator):
    """x > 1e6, with an error that is small beside the terms of the score."""

    def fit(self, X, y):
        self.classes_, self.error_ = np.unique(y), 0.05
        self.coef_, self.intercept_ = np.array([[1.0]]), np.array([-1e6])
        return self

    def predict(self, X):
        return (X[:, 0] - 1e6 + self.error_ > 0.0).astype(int)


def test_scores_that_are_lost_in_rounding_are_told():
    """Single precision has steps of 1 at 1e7, as large as the data's deviation."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)) + 1e7
    y = (X[:, 0] > 1e7).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    single = X.astype(np.float32)
    with pytest.warns(UserWarning, match="Pipeline are lost in rounding"):
        boundary_distance(model.fit(single, y), single)
    near = 1e6 + np.array([[-0.01], [0.01]])
    labels = Labels().fit(near, [0, 1])
    with pytest.warns(UserWarning, match="Labels are lost in rounding"):
        boundary_distance(labels, near)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        boundary_distance(model.fit(X, y), X)
        labels.error_ = 0.0
        boundary_distance(labels, near)


class Cautious(ClassifierMixin, BaseEstimator):
    """Labels of what it holds, but close to the boundary."""

    def fit(self, X, y):
        self.estimator_ = LogisticRegression().fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X):
        return (self.estimator_.decision_function(X) > 1e-6).astype(int)


def test_a_holder_is_not_known_by_its_labels_alone():
    X, y = data(2)
    with pytest.raises(TypeError, match="Cautious is not a linear classifier"):
        boundary_distance(Cautious().fit(X, y), X)


@pytest.mark.parametrize("cls", [Twisted, Exponential])
def test_weights_that_do_not_decide_are_found_out(cls):
    X, y = data(2)
    with pytest.raises(TypeError, match=f"{cls.__name__} does not decide by its coef_"):
        boundary_distance(cls().fit(X, y), X)


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(LogisticRegression(), cv=2),
        RFE(LogisticRegression()),
        GaussianNB(),
        SVC(kernel="rbf"),
        NearestCentroid(metric="manhattan"),
        OneVsRestClassifier(GaussianNB()),
        OneVsRestClassifier(SVC(kernel="poly")),
        make_pipeline(StandardScaler(), SVC()),
    ],
    ids=lambda model: repr(model)[:40],
)
def test_what_is_not_linear_is_refused_by_name(model):
    X, y = data(3)
    name = type(model[-1] if isinstance(model, Pipeline) else model).__name__
    inner = getattr(model, "estimator", model)
    with pytest.raises(TypeError, match=f"{name}|{type(inner).__name__}"):
        boundary_distance(quietly(model, X, y), X)


def test_regressors_and_several_labels_are_refused():
    X, y = data(2)
    with pytest.raises(TypeError, match="LinearRegression is not a classifier"):
        boundary_distance(LinearRegression().fit(X, y), X)
    with pytest.raises(TypeError, match="Pipeline is not a classifier"):
        boundary_distance(make_pipeline(StandardScaler()).fit(X), X)
    several = np.column_stack([y, 1 - y, y])
    with pytest.raises(TypeError, match="several labels"):
        boundary_distance(OneVsRestClassifier(LogisticRegression()).fit(X, several), X)
    with pytest.raises(TypeError, match="RidgeClassifier"):
        boundary_distance(RidgeClassifier().fit(X, several), X)


def test_what_is_not_fitted_or_broken_is_refused():
    X, y = data(2)
    for model in (LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())):
        with pytest.raises(NotFittedError):
            boundary_distance(model, X)
    model = LogisticRegression().fit(X, y)
    model.coef_ = model.coef_ * np.nan
    with pytest.raises(ValueError, match="not finite"):
        boundary_distance(model, X)
