"""ONNX Runtime answers as the estimator does: labels, probabilities, numbers."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, make_regression
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.coreset import LpRegressor
from skreg.export import register_converters, to_onnx
from skreg.export._converters import KINDS
from skreg.linear_model import (
    ElasticNet,
    GroupLasso,
    HuberLasso,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    NonNegativeLeastSquares,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
)
from skreg.ordinal import PrestoClassifier, PrestoClassifierCV, ProportionalOddsClassifier
from skreg.probe import LinearNaiveBayes
from skreg.semi_supervised import GraphLabelPropagation

pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

ROUNDING = {np.float32: 1e-5, np.float64: 1e-10}
TYPES = pytest.mark.parametrize("dtype", list(ROUNDING), ids=lambda dtype: dtype.__name__)
PIPED = pytest.mark.parametrize("piped", [False, True], ids=["alone", "behind a scaler"])

REGRESSORS = {
    "one": [
        ElasticNet(0.1),
        GroupLasso([0, 0, 1, 1, 2], alpha=0.1),
        HuberLasso(0.1),
        Lasso(0.1),
        Lasso(0.1, fit_intercept=False),
        LassoCV(alphas=3, cv=2),
        LpRegressor(),
        NonNegativeLeastSquares(),
    ],
    "two": [Lasso(0.1), MultiTaskLasso(0.1), NonNegativeLeastSquares()],
    "counts": [SparsePoissonRegressor(0.01)],
}
CLASSIFIERS = [
    LinearNaiveBayes(),
    LinearNaiveBayes(shrinkage="loo", temperature="loo"),
    SparseLogisticRegression(0.01),
    SparseLogisticRegressionCV(alphas=3, cv=2),
    PrestoClassifier(0.01),
    PrestoClassifierCV(alphas=3, eps=0.01, cv=2),
    ProportionalOddsClassifier(0.01),
    PrestoClassifier(0.01, link="cloglog"),
    ProportionalOddsClassifier(0.01, link="loglog"),
]


def target(kind, X, rng):
    score = X[:, 0] - 2.0 * X[:, 1]
    if kind == "counts":
        return rng.poisson(np.exp(0.5 * score)).astype(float)
    y = 1.0 + score + rng.normal(size=len(X))
    return y if kind == "one" else np.column_stack([y, X[:, 2] - y])


def run(graph, inputs):
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)


def assert_classifies_the_same(model, X, graph, inputs=None):
    label, probabilities = run(graph, {"X": X} if inputs is None else inputs)
    np.testing.assert_array_equal(label, model.predict(X))
    np.testing.assert_allclose(
        probabilities,
        model.predict_proba(X),
        rtol=0.0,
        atol=ROUNDING[probabilities.dtype.type],
    )


@PIPED
@TYPES
@pytest.mark.parametrize(
    ("kind", "model"), [(kind, model) for kind in REGRESSORS for model in REGRESSORS[kind]], ids=str
)
def test_regressors_predict_the_same(kind, model, dtype, piped):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    model = make_pipeline(StandardScaler(), model) if piped else model
    model.fit(X, target(kind, X, rng))
    X = X.astype(dtype)
    (prediction,) = run(to_onnx(model, X), {"X": X})
    wanted = model.predict(X)
    assert prediction.dtype == dtype
    assert prediction.shape == (60, 2 if kind == "two" else 1)
    np.testing.assert_allclose(
        prediction, wanted.reshape(prediction.shape), atol=ROUNDING[dtype], rtol=ROUNDING[dtype]
    )


@PIPED
@TYPES
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=str)
def test_classifiers_answer_the_same(model, n_classes, dtype, piped):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 4))
    score = X[:, 0] - X[:, 1] + 0.5 * rng.logistic(size=200)
    y = np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))
    model = make_pipeline(StandardScaler(), model) if piped else model
    model.fit(X, y)
    X = X.astype(dtype)
    assert_classifies_the_same(model, X, to_onnx(model, X))


@TYPES
def test_columns_far_from_zero_keep_their_digits(dtype):
    """The products are in double precision; in single they are off by tenths."""
    X, y = load_breast_cancer(return_X_y=True)
    X = X.astype(dtype) + dtype(1000.0)
    for model in (LinearNaiveBayes(temperature="loo"), SparseLogisticRegression(0.001, tol=1e-4)):
        assert_classifies_the_same(model.fit(X.astype(float), y), X, to_onnx(model, X))


@pytest.mark.parametrize("model", CLASSIFIERS[::2], ids=str)
@pytest.mark.parametrize(
    "names",
    [["rarely", "often"], ["rarely", "often", "always"], [False, True], [1.0, 2.0], [7, 3, 5]],
    ids=str,
)
def test_labels_come_back_as_integers_or_strings(model, names):
    X, y = load_iris(return_X_y=True)
    X = X[y < len(names)]
    labels = np.asarray(names)[y[y < len(names)]]
    if "class_order" in model.get_params():
        model = type(model)(0.01, class_order=names)
    model.fit(X, labels)
    label, probabilities = run(to_onnx(model, X), {"X": X})
    np.testing.assert_array_equal(label, model.predict(X))
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-10)


def test_ordinal_models_with_the_probit_link_or_with_an_offset_are_refused():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"link='probit' has no converter .* \['logit', 'cloglog'"):
        to_onnx(PrestoClassifier(link="probit").fit(X, y), X)
    with pytest.raises(ValueError, match="PrestoClassifier was fitted with an offset"):
        to_onnx(PrestoClassifier().fit(X, y, offset=X[:, 0]), X)


def test_labels_that_are_no_integers_are_refused():
    """No fit takes them, but a state may hold them."""
    state = {"classes": [0.5, 1.5], "c": [2, 3], "mean": [[0.0], [1.0]], "M2": [1.0]}
    with pytest.raises(ValueError, match=r"integers or strings.*\[0\.5, 1\.5\]"):
        to_onnx(LinearNaiveBayes.from_state(state), np.ones((1, 1)))


@pytest.mark.parametrize("link", ["logit", "cloglog", "loglog"])
def test_rare_probabilities_keep_their_digits(link):
    """Single precision outside, but the tails of both boundaries are exact."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(3000, 2))
    y = np.digitize(3.0 * X[:, 0] + rng.logistic(size=3000), [6.0, 11.0])
    model = PrestoClassifier(0.001, link=link).fit(X, y)
    X = np.linspace(-9.0, 9.0, 50, dtype=np.float32)[:, None] * np.ones(2, dtype=np.float32)
    _, probabilities = run(to_onnx(model, X), {"X": X})
    wanted = model.predict_proba(X)
    assert wanted.min() < 1e-12
    np.testing.assert_allclose(probabilities, wanted, rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("link", ["logit", "cloglog", "loglog"])
def test_crossing_boundaries_are_repaired_as_in_the_estimator(link):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 3))
    y = np.digitize(X[:, 0] * rng.choice([-2.0, 2.0], size=400) + X[:, 1], [-1.0, 0.0, 1.0])
    model = PrestoClassifier(0.0, link=link).fit(X, y)
    for far in (6.0 * X, 1e4 * X):
        assert (model.predict_proba(far) == 0.0).any()
        assert_classifies_the_same(model, far, to_onnx(model, far))


def test_a_class_without_samples_has_probability_zero():
    X, y = load_iris(return_X_y=True)
    model = LinearNaiveBayes().partial_fit(X, y, classes=[0, 1, 2, 3])
    _, probabilities = run(to_onnx(model, X), {"X": X})
    np.testing.assert_allclose(probabilities, model.predict_proba(X), atol=1e-10)
    assert not probabilities[:, 3].any()


def test_a_data_frame_is_one_input_for_each_column():
    pd = pytest.importorskip("pandas")
    values, y = load_iris(return_X_y=True)
    X = pd.DataFrame(values, columns=["a", "b", "c", "d"])
    inputs = {name: X[[name]].to_numpy() for name in X}
    for model in (LinearNaiveBayes(), PrestoClassifier()):
        model.fit(X, y)
        assert_classifies_the_same(model, X, to_onnx(model, X), inputs)
        assert_classifies_the_same(model, X, to_onnx(model, values), {"X": values})
    model = make_pipeline(StandardScaler(), LinearNaiveBayes()).fit(X, y)
    label, probabilities = run(to_onnx(model, X), inputs)
    np.testing.assert_array_equal(label, model.predict(X))
    wanted = model.predict_proba(X)  # skl2onnx joins columns in single precision
    np.testing.assert_allclose(probabilities, wanted, rtol=0.0, atol=1e-5)


def test_integers_are_features_too():
    X = np.random.default_rng(0).integers(0, 9, size=(50, 3))
    model = Lasso(0.1).fit(X, X[:, 0] - X[:, 2])
    (prediction,) = run(to_onnx(model, X), {"X": X})
    np.testing.assert_allclose(prediction[:, 0], model.predict(X), atol=1e-5)


def test_older_versions_of_the_operators():
    X, y = load_iris(return_X_y=True)
    model = PrestoClassifier().fit(X, y)
    graph = to_onnx(model, X, target_opset=15)
    assert graph.opset_import[0].version == 15
    assert_classifies_the_same(model, X, graph)


def test_skl2onnx_knows_them_inside_of_others_and_with_its_options():
    skl2onnx = pytest.importorskip("skl2onnx")
    X, y = load_iris(return_X_y=True)
    parts = [("probe", LinearNaiveBayes()), ("sparse", SparseLogisticRegression(0.1))]
    stack = StackingClassifier(parts, LogisticRegression(), cv=2).fit(X, y)
    label, probabilities = run(to_onnx(stack, X), {"X": X})
    np.testing.assert_array_equal(label, stack.predict(X))
    np.testing.assert_allclose(probabilities, stack.predict_proba(X), atol=1e-5)
    register_converters()
    probe = LinearNaiveBayes().fit(X, np.array(["a", "b", "c"])[y])
    single = X.astype(np.float32)  # the only precision of zipmap
    _, by_name = run(skl2onnx.to_onnx(probe, single), {"X": single})
    assert by_name[0].keys() == {"a", "b", "c"}
    positions, _ = run(
        skl2onnx.to_onnx(probe, X, options={"zipmap": False, "nocl": True}), {"X": X}
    )
    np.testing.assert_array_equal(probe.classes_[positions], probe.predict(X))


@pytest.mark.parametrize("model", [Lasso(), make_pipeline(StandardScaler(), Lasso())], ids=str)
def test_what_is_not_fitted_is_refused(model):
    with pytest.raises(NotFittedError):
        to_onnx(model, np.ones((1, 2)))


@pytest.mark.parametrize("piped", [False, True])
def test_a_model_without_a_converter_is_refused_in_words(piped):
    X, _ = make_regression(30, 4, random_state=0)
    labels = np.where(np.arange(30) < 10, np.arange(30) % 2, -1)
    model = GraphLabelPropagation()
    model = (make_pipeline(StandardScaler(), model) if piped else model).fit(X, labels)
    with pytest.raises(TypeError, match=r"without a converter to ONNX.*skops_types"):
        to_onnx(model, X[:1])


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'skreg\[export\]'"):
        register_converters()


def test_kinds_are_of_classifiers_or_of_regressors():
    for kind in KINDS:
        assert len({hasattr(cls, "predict_proba") for cls in kind.classes}) == 1
