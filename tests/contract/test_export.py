"""What was fitted survives a file of skops, and linear predictors have a converter."""

import pytest
from estimator_cases import (
    BY_NAME,
    CASES,
    ROUNDING,
    answers,
    assert_same,
    fit,
    for_cases,
    learned,
)
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skreg.export import skops_types
from skreg.export._converters import KINDS
from skreg.export._skops import PARTS
from skreg.probe import LinearProbe
from skreg.robustness import untilt


def without_torch(case):
    return not type(case.estimator).__module__.startswith("skreg.deep.")


@for_cases(without_torch)
def test_a_file_of_skops_answers_the_same(case):
    io = pytest.importorskip("skops.io")
    problem, estimator = case.problem(), case.fitted
    again = io.loads(io.dumps(estimator), trusted=skops_types())
    assert vars(again).keys() == vars(estimator).keys()
    assert_same(answers(again, problem.X), answers(estimator, problem.X), 0.0)
    assert_same(learned(again), learned(estimator), 0.0)


@for_cases(without_torch)
def test_what_skops_loaded_can_be_fitted_again(case):
    io = pytest.importorskip("skops.io")
    again = io.loads(io.dumps(case.fitted), trusted=skops_types())
    other = case.problem(seed=1)
    wanted = answers(fit(case.new(), other), other.X)
    assert_same(answers(fit(again, other), other.X), wanted, ROUNDING)


def test_skops_goes_on_with_partial_fit():
    io = pytest.importorskip("skops.io")
    case = BY_NAME["LinearNaiveBayes"]
    X, y = case.problem()
    first = case.new().partial_fit(X[:40], y[:40], classes=[0, 1, 2])
    again = io.loads(io.dumps(first), trusted=skops_types()).partial_fit(X[40:], y[40:])
    assert_same(answers(again, X), case.answers, ROUNDING)


def test_nothing_is_trusted_that_no_file_needs():
    io = pytest.importorskip("skops.io")
    stored = [io.dumps(case.fitted) for case in CASES if without_torch(case)]
    batches = BY_NAME["RandomFeatureRidge-batches"]  # what only batches need
    stored.append(io.dumps(batches.new().partial_fit(*batches.problem())))
    X, y = make_classification(random_state=0)
    stored.append(io.dumps(untilt(LogisticRegression().fit(X, y), X, y, 0.5)))
    needed = {name for data in stored for name in io.get_untrusted_types(data=data)}
    assert set(PARTS) <= needed
    assert needed <= set(skops_types())
    assert {name.partition(".")[0] for name in skops_types()} <= {"skreg", "scipy", "sklearn"}


def test_every_linear_predictor_has_a_converter_to_onnx():
    known = {cls for kind in KINDS for cls in kind.classes}
    fitted = [case.fitted for case in CASES if without_torch(case)]
    linear = {
        type(e)
        for e in fitted
        if hasattr(e, "coef_") and hasattr(e, "predict") and not hasattr(e, "feature_map_")
    }
    linear.remove(LinearProbe)  # an average of linear classifiers, but for a single member
    assert known == linear
