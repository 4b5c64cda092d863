"""The picture of a path."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError

from skreg.linear_model import (
    ElasticNetCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    NonNegativeLeastSquares,
    RegularizationPathDisplay,
    SparseLogisticRegressionCV,
)


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
    assert display.axes_.shape == (1,) and display.alpha_lines_ == {}
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
    display = RegularizationPathDisplay.from_estimator(model, X, y > 140, axes=axes)
    assert display.axes_[0] is axes[0] and display.figure_ is axes[0].figure
    with pytest.raises(ValueError, match="2 Axes"):
        display.plot(axes[0])


def test_estimators_without_path_are_refused(diabetes):
    X, y = diabetes
    with pytest.raises(ValueError, match="no regularization path"):
        RegularizationPathDisplay.from_estimator(NonNegativeLeastSquares(), X, y)
    with pytest.raises(NotFittedError):
        RegularizationPathDisplay.from_estimator(LassoCV(), X, y)
