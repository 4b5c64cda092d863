"""Labels are names: the same answer under every other naming (of ordered ones: in their order)."""

import warnings

import numpy as np
import pandas as pd
import pytest
from estimator_cases import ROUNDING, answers, assert_same, class_scores, fit, for_cases

STAGES = np.array(["low", "mid", "top"])  # alphabetical order is the order
SEVERITY = np.array(["none", "severe", "dead"])  # alphabetical: neither the order nor its reverse
PARTLY_STAGES = np.append(STAGES, "-1")  # the code -1 has the label "-1"


def categorical(categories, ordered):
    return lambda codes: pd.Series(pd.Categorical.from_codes(codes, categories, ordered=ordered))


def polars_labels(names, kind):
    def make(codes):
        polars = pytest.importorskip("polars")
        dtype = {
            "Enum": lambda: polars.Enum(list(names)),
            "Categorical": lambda: polars.Categorical,
            "String": lambda: polars.String,
        }[kind]()
        return polars.Series(names[codes].tolist(), dtype=dtype)

    return make


# the labels of the codes 0, 1, 2 and what is given to fit; sorted labels are in the codes' order
SAME_ORDER = {
    "strings": (STAGES, lambda codes: STAGES[codes]),
    "object strings": (STAGES, lambda codes: STAGES[codes].astype(object)),
    "list of strings": (STAGES, lambda codes: STAGES[codes].tolist()),
    "series of strings": (STAGES, lambda codes: pd.Series(STAGES[codes])),
    "nullable strings": (STAGES, lambda codes: pd.Series(STAGES[codes], dtype="string")),
    "negative": (np.array([-9, -5, -2]), lambda codes: np.array([-9, -5, -2])[codes]),
    "huge": (10**12 + np.arange(3), lambda codes: 10**12 + codes),
    "whole floats": (np.arange(3.0), lambda codes: codes.astype(float)),
    "nullable integers": (np.arange(3), lambda codes: pd.Series(codes, dtype="Int64")),
    "small integers": (np.arange(3), lambda codes: codes.astype("int8")),
    "unsigned": (np.arange(3), lambda codes: codes.astype("uint8")),
    "ordered categorical": (STAGES, categorical(STAGES, True)),
    "unordered categorical": (STAGES, categorical(STAGES, False)),
    "categorical of numbers": (np.arange(3), categorical(np.arange(3), True)),
    "polars strings": (STAGES, polars_labels(STAGES, "String")),
    "polars categorical": (STAGES, polars_labels(STAGES, "Categorical")),
    "polars enumeration": (STAGES, polars_labels(STAGES, "Enum")),
}
# sorted labels are in another order than the codes; the order is part of y
OTHER_ORDER = {
    "ordered categorical": (SEVERITY, categorical(SEVERITY, True)),
    "ordered categorical of numbers": (
        np.array([3, 1, 2]),
        categorical(np.array([3, 1, 2]), True),
    ),
    "polars enumeration": (SEVERITY, polars_labels(SEVERITY, "Enum")),
}
NO_ORDER = {
    "strings": (SEVERITY, lambda codes: SEVERITY[codes]),
    "numbers": (np.array([5, -3, 2]), lambda codes: np.array([5, -3, 2])[codes]),
    "categorical": (SEVERITY, categorical(SEVERITY, False)),
}


def is_nominal(case):
    return case.is_classifier and not case.is_graph


def as_codes(estimator, X, labels):
    """Scores of classes in the order of the codes, and predictions as codes."""
    labels = list(labels)
    columns = [labels.index(label) for label in np.asarray(estimator.classes_).tolist()]
    assert sorted(columns) == sorted(set(columns))
    scores = class_scores(estimator, X)
    predicted = [labels.index(label) for label in np.asarray(estimator.predict(X)).tolist()]
    return {"scores": scores[:, np.argsort(columns)], "predict": np.array(predicted)}


def assert_labels_do_not_matter(case, labels, given, tolerance):
    problem = case.problem()
    codes = problem.y.astype(int)
    labels = labels[: codes.max() + 1].tolist()
    renamed = fit(case.new(), problem._replace(y=given(codes)))
    wanted = as_codes(case.fitted, problem.X, range(codes.max() + 1))
    assert_same(as_codes(renamed, problem.X, labels), wanted, tolerance)


@pytest.mark.parametrize(("labels", "given"), SAME_ORDER.values(), ids=SAME_ORDER)
@for_cases(is_nominal)
def test_labels_in_the_same_order(case, labels, given):
    assert_labels_do_not_matter(case, labels, given, ROUNDING)


@pytest.mark.parametrize(("labels", "given"), OTHER_ORDER.values(), ids=OTHER_ORDER)
@for_cases(is_nominal)
def test_labels_that_bring_their_own_order(case, labels, given):
    n_classes = len(np.unique(case.problem().y))
    if n_classes < len(labels):
        labels = labels[:n_classes]
    assert_labels_do_not_matter(case, labels, given, max(case.accuracy, 1e-6))


@pytest.mark.parametrize(("labels", "given"), NO_ORDER.values(), ids=NO_ORDER)
@for_cases(lambda case: is_nominal(case) and not case.is_ordinal)
def test_labels_without_order(case, labels, given):
    assert_labels_do_not_matter(case, labels, given, max(case.accuracy, 1e-6))


@for_cases(lambda case: case.is_ordinal)
def test_labels_whose_order_is_a_parameter(case):
    problem = case.problem()
    labels = SEVERITY[: len(np.unique(problem.y))]
    named = fit(case.new(class_order=labels), problem._replace(y=labels[problem.y]))
    wanted = as_codes(case.fitted, problem.X, range(len(labels)))
    assert_same(as_codes(named, problem.X, labels), wanted, ROUNDING)


@for_cases(is_nominal)
def test_truth_values_are_labels(case):
    problem = case.problem()
    truth = problem.y > 0
    wanted = fit(case.new(), problem._replace(y=truth.astype(int)))
    for given in (truth, pd.Series(truth), pd.Series(truth, dtype="boolean")):
        got = fit(case.new(), problem._replace(y=given))
        assert list(got.classes_) == [False, True]
        assert_same(answers(got, problem.X), answers(wanted, problem.X), ROUNDING)


@for_cases(lambda case: case.is_classifier)
def test_object_numbers_are_numbers_or_refused(case):
    """scikit-learn knows no type of target for them; what they may not be is other classes."""
    problem = case.problem()
    try:
        got = fit(case.new(), problem._replace(y=problem.y.astype(object)))
    except ValueError as error:
        assert "label type" in str(error)  # noqa: PT017  # a refusal is allowed, not required
    else:
        assert_same(answers(got, problem.X), case.answers, ROUNDING)


# labels of a graph: -1, or "-1" among strings, is no label
PARTLY = {
    "strings": (STAGES, lambda codes: PARTLY_STAGES[codes]),
    "object strings": (STAGES, lambda codes: PARTLY_STAGES[codes].astype(object)),
    "series of strings": (STAGES, lambda codes: pd.Series(PARTLY_STAGES[codes])),
    "list of strings": (STAGES, lambda codes: PARTLY_STAGES[codes].tolist()),
    "negative": (np.array([-9, -5, -2]), lambda codes: np.array([-9, -5, -2, -1])[codes]),
    "huge": (10**12 + np.arange(3), lambda codes: np.where(codes < 0, -1, 10**12 + codes)),
    "whole floats": (np.arange(3.0), lambda codes: codes.astype(float)),
    "nullable integers": (np.arange(3), lambda codes: pd.Series(codes, dtype="Int64")),
    "any order": (np.array([5, -3, 2]), lambda codes: np.array([5, -3, 2, -1])[codes]),
}


@pytest.mark.parametrize(("labels", "given"), PARTLY.values(), ids=PARTLY)
@for_cases(lambda case: case.is_graph)
def test_labels_of_a_graph(case, labels, given):
    assert_labels_do_not_matter(case, labels, given, case.accuracy)


# ------------------------------------------------------------------------------------------------
# an order that was guessed is said, and one that is lost on the way is said


@pytest.mark.parametrize(
    "given",
    [
        lambda codes: SEVERITY[codes],
        lambda codes: SEVERITY[codes].astype(object),
        categorical(SEVERITY, False),
    ],
    ids=["strings", "object strings", "unordered categorical"],
)
@for_cases(lambda case: case.is_ordinal and len(np.unique(case.problem().y)) > 2)
def test_a_guessed_order_is_said(case, given):
    problem = case.problem()
    with pytest.warns(UserWarning, match="order"):
        case.new().fit(problem.X, given(problem.y))


@for_cases(lambda case: case.is_ordinal)
def test_a_known_order_is_taken_without_a_word(case):
    problem = case.problem()
    labels = SEVERITY[: len(np.unique(problem.y))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        case.new().fit(*problem)
        case.new(class_order=labels).fit(problem.X, labels[problem.y])
        case.new().fit(problem.X, categorical(STAGES, True)(problem.y))


@for_cases(lambda case: case.is_ordinal and len(np.unique(case.problem().y)) > 2)
def test_an_order_that_compositions_lose_is_said(case):
    """cross_val_predict, votes and stacks number the sorted labels before an estimator sees them.

    Nothing can be said there, so that it is said where the labels themselves are fitted.
    """
    problem = case.problem()
    with pytest.warns(UserWarning, match="order"):
        case.new().fit(problem.X, categorical(SEVERITY, True)(problem.y))
