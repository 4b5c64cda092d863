"""The picture of a path."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from skreg.linear_model import (
    ElasticNetCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    NonNegativeLeastSquares,
    RegularizationPathDisplay,
    SparseLogisticRegressionCV,
)

# few strengths keep the tests fast; that the choice falls at the edge of them is not the topic
pytestmark = pytest.mark.filterwarnings("ignore:.*CV chose alpha")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


def test_lines_show_the_path(diabetes):
    X, y = diabetes
    display = RegularizationPathDisplay.from_estimator(Lasso(), X, y, alphas=12, eps=0.01)
    path = Lasso().path(X, y, alphas=12, eps=0.01)
    used = path.coefs.any(axis=1)
    assert len(display.coef_lines_) == used.sum()
    drawn = {line.get_label(): line.get_ydata() for line in display.coef_lines_}
    assert_allclose(drawn["bmi"], path.coefs[list(X.columns).index("bmi")])
    assert display.axes_.shape == (1,)
    assert display.alpha_lines_ == {}
    left, right = display.axes_[0].get_xlim()
    assert left > path.alphas[0] > path.alphas[-1] > right


def test_errors_and_choices_of_a_cross_validation(diabetes):
    X, y = diabetes
    model = LassoCV(alphas=15).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    mean = model.mse_path_.mean(axis=1)
    assert_allclose(display.error_line_.get_ydata(), mean)
    error = model.mse_path_.std(axis=1, ddof=1) / np.sqrt(5)
    top = display.error_band_.get_paths()[0].vertices[:, 1].max()
    assert_allclose(top, (mean + error).max())
    for name, alpha in [
        ("best", model.alpha_best_),
        ("one standard error", model.alpha_one_standard_error_),
    ]:
        for line in display.alpha_lines_[name]:
            assert line.get_xdata()[0] == alpha
    assert "mean squared error" in display.axes_[1].get_ylabel()


def test_several_mixtures_and_scorers(diabetes):
    X, y = diabetes
    model = ElasticNetCV(l1_ratio=[0.3, 1.0], alphas=5, scoring="r2").fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    assert_allclose(display.errors, -model.score_path_[1])
    assert "minus r2" in display.axes_[1].get_ylabel()


def test_several_outputs_are_shown_by_their_norm(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, -2 * y])
    display = RegularizationPathDisplay.from_estimator(MultiTaskLasso(), X.to_numpy(), Y, alphas=5)
    assert all(np.all(line.get_ydata() >= 0) for line in display.coef_lines_)
    assert "norm" in display.axes_[0].get_ylabel()
    labels = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert set(labels) <= {f"x{j}" for j in range(10)}


def test_binary_classifier_on_given_axes(diabetes):
    X, y = diabetes
    model = SparseLogisticRegressionCV(alphas=4).fit(X, y > 140)
    _, axes = plt.subplots(2)
    display = RegularizationPathDisplay.from_estimator(model, X, y > 140, ax=axes)
    assert display.axes_[0] is axes[0]
    assert display.figure_ is axes[0].figure
    with pytest.raises(ValueError, match=r"holds 3 Axes, but .* draws 2 panels"):
        display.plot(np.r_[axes, axes[:1]])


def test_estimators_without_path_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="no regularization path"):
        RegularizationPathDisplay.from_estimator(NonNegativeLeastSquares(), X, y)
    with pytest.raises(NotFittedError):
        RegularizationPathDisplay.from_estimator(LassoCV(), X, y)


def drawn_names(display):
    return {text.get_text() for text in display.axes_[0].get_legend().get_texts()}


@pytest.mark.parametrize("model", [Lasso(), LassoCV(alphas=5)], ids=["one strength", "CV"])
@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("array", [f"x{j}" for j in range(10)]),
        ("integers", [str(j) for j in range(10)]),
        ("frame", ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]),
        ("fitted on a frame", ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]),
    ],
)
@pytest.mark.parametrize("wrap", ["", "pipeline", "search", "search in a pipeline", "nested"])
def test_models_inside_others_are_drawn_under_the_names_of_the_columns(
    diabetes, model, kind, names, wrap
):
    X, y = diabetes
    model = clone(model)
    if wrap == "pipeline":
        model = make_pipeline(StandardScaler(), model)
    elif wrap == "search":
        model = GridSearchCV(make_pipeline(StandardScaler(), model), {}, cv=2)
    elif wrap == "search in a pipeline":
        model = make_pipeline(StandardScaler(), GridSearchCV(model, {}, cv=2))
    elif wrap == "nested":
        model = make_pipeline(StandardScaler(), make_pipeline("passthrough", model))
    values = {
        "array": X.to_numpy(),
        "integers": X.set_axis(range(10), axis=1),
        "frame": X,
        "fitted on a frame": X,
    }[kind]
    model.fit(values, y)
    given = X.to_numpy() if kind == "fitted on a frame" else values
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        display = RegularizationPathDisplay.from_estimator(model, given, y, alphas=5)
    scaled = StandardScaler().fit_transform(X) if wrap else X.to_numpy()
    expected = Lasso().path(scaled, y, alphas=5)
    lines = {line.get_label(): line.get_ydata() for line in display.coef_lines_[:7]}
    assert len(lines) == 7
    assert drawn_names(display) == set(lines)
    for name, values in lines.items():
        assert_allclose(values, expected.coefs[names.index(name)], atol=1e-3)


def test_transformers_name_their_features(diabetes):
    X, y = diabetes
    squares = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    model = make_pipeline(squares, StandardScaler(), LassoCV(alphas=4)).fit(X[["bmi", "bp"]], y)
    display = RegularizationPathDisplay.from_estimator(model, X[["bmi", "bp"]], y)
    assert drawn_names(display) == {"bmi", "bp", "bmi bp"}
    nameless = make_pipeline(FunctionTransformer(np.asarray), LassoCV(alphas=4)).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(nameless, X, y)
    assert drawn_names(display) <= {f"x{j}" for j in range(10)}


def test_unfitted_pipelines_and_wrapped_models_without_path_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(NotFittedError):
        RegularizationPathDisplay.from_estimator(make_pipeline(StandardScaler(), Lasso()), X, y)
    model = make_pipeline(StandardScaler(), NonNegativeLeastSquares()).fit(X, y)
    with pytest.raises(ValueError, match="NonNegativeLeastSquares has no regularization path"):
        RegularizationPathDisplay.from_estimator(model, X, y)


def test_columns_of_axes_and_arrays_of_names(diabetes):
    X, y = diabetes
    model = LassoCV(alphas=4).fit(X, y)
    figure, axes = plt.subplots(2, 1, squeeze=False)
    display = RegularizationPathDisplay.from_estimator(model, X, y, ax=axes)
    assert display.axes_[1] is axes[1, 0]
    assert display.figure_ is figure
    figure, ax = plt.subplots()
    display = RegularizationPathDisplay.from_estimator(Lasso(), X, y, alphas=4, ax=ax)
    assert list(display.axes_) == [ax]
    assert plt.get_fignums()[-1] == figure.number
    names = np.array(["first", 2])
    path = {"alphas": np.array([0.2, 0.1]), "coefs": np.ones((2, 2))}
    display = RegularizationPathDisplay(**path, feature_names=names).plot()
    assert drawn_names(display) == {"first", "2"}
    with pytest.raises(ValueError, match="feature_names must name 2 features, it holds 1"):
        RegularizationPathDisplay(**path, feature_names=["one"]).plot()


def test_strength_zero_is_beyond_a_logarithmic_axis(diabetes):
    X, y = diabetes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display = RegularizationPathDisplay.from_estimator(Lasso(), X, y, alphas=[1.0, 0.1, 0.0])
        display.figure_.canvas.draw()
    left, right = display.axes_[0].get_xlim()
    assert left > 1.0 > 0.1 > right > 0.0


@pytest.mark.parametrize("model", [Lasso(), LassoCV(alphas=6)], ids=["one panel", "two panels"])
def test_a_picture_fits_into_one_axes_of_a_figure(diabetes, model):
    X, y = diabetes
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    model = clone(model).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y, ax=right)
    figure.canvas.draw()
    assert display.figure_ is figure
    assert left.has_data() is False
    assert all(ax.get_position().x0 > left.get_position().x1 for ax in display.axes_)
    if len(display.axes_) == 2:
        assert not right.axison
        upper, lower = display.axes_
        assert upper.get_position().y0 > lower.get_position().y1
        assert upper.get_xlim() == lower.get_xlim()
        with pytest.raises(ValueError, match=r"ax was divided before.*array of 2 Axes"):
            display.plot(right)
        free = figure.add_axes((0, 0, 1, 1))  # in no grid
        upper, lower = display.plot(free).axes_
        assert upper.get_position().y0 > lower.get_position().y1


@pytest.mark.filterwarnings("ignore:LassoCV chose")
@pytest.mark.parametrize(
    ("alphas", "rule", "words", "marker"),
    [
        ([4.0, 2.0, 1.0], "min", "try smaller ones", ">"),
        ([0.1, 0.05, 0.01], "one_standard_error", "try larger ones", "<"),
        (20, "min", None, None),
    ],
)
def test_a_choice_at_the_edge_is_marked_and_named(diabetes, alphas, rule, words, marker):
    X, y = diabetes
    model = LassoCV(alphas=alphas, selection_rule=rule).fit(X, y)
    display = RegularizationPathDisplay.from_estimator(model, X, y)
    labels = " ".join(text.get_text() for text in display.axes_[1].get_legend().get_texts())
    assert display.at_edge is model.alpha_at_edge_ is (words is not None)
    if words is None:
        assert not hasattr(display, "edge_mark_")
        assert "edge" not in labels
        return
    assert words in labels
    assert display.edge_mark_.get_marker() == marker
    assert display.edge_mark_.get_xdata()[0] == model.alpha_
    error = model.mse_path_[list(model.alphas_).index(model.alpha_)].mean()
    assert_allclose(display.edge_mark_.get_ydata()[0], error)
    left, right = display.axes_[1].get_xlim()  # strengths fall from left to right
    assert left > right


def test_reprs_are_short(diabetes):
    X, y = diabetes
    path = Lasso().path(X, y, alphas=7)
    assert repr(path).startswith("RegularizationPath(7 strengths from 2.15 to 0.00215, 10 features")
    assert f"largest dual gap {path.dual_gaps.max():.1e}" in repr(path)
    tasks = MultiTaskLasso().path(X, np.column_stack([y, -y]), alphas=[1.0])
    assert "1 strength 1, 10 features, 2 outputs" in repr(tasks)
    model = LassoCV(alphas=7).fit(X, y)
    text = repr(RegularizationPathDisplay.from_estimator(model, X, y))
    assert text == (
        "RegularizationPathDisplay(7 strengths from 2.15 to 0.00215, 10 of 10 features, "
        f"best at {model.alpha_:.3g})"
    )
