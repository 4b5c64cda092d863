"""What was fitted survives pickle, deepcopy, joblib, threads and processes, and goes on there."""

import copy
import pickle
import warnings
from io import BytesIO

import joblib
import numpy as np
import pytest
from estimator_cases import (
    BY_NAME,
    ROUNDING,
    answers,
    assert_same,
    dense,
    fit,
    for_cases,
    learned,
    without_target,
)
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_validate


def through_joblib(estimator):
    buffer = BytesIO()
    joblib.dump(estimator, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


COPIES = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
    "joblib": through_joblib,
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@for_cases()
def test_a_copy_answers_the_same(case, copied):
    problem = case.problem()
    estimator = case.fitted
    again = copied(estimator)
    assert vars(again).keys() == vars(estimator).keys()
    assert_same(answers(again, problem.X), answers(estimator, problem.X), 0.0)
    assert_same(learned(again), learned(estimator), 0.0)


@for_cases()
def test_a_copy_can_be_fitted_again(case):
    other = case.problem(seed=1)
    again = fit(pickle.loads(pickle.dumps(case.fitted)), other)
    assert_same(answers(again, other.X), answers(fit(case.new(), other), other.X), ROUNDING)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@for_cases(lambda case: hasattr(case.estimator, "partial_fit"))
def test_a_copy_goes_on_with_partial_fit(case, copied):
    problem = case.problem()
    first, last = (problem.rows(rows) for rows in np.array_split(np.arange(len(problem.X)), 2))
    classes = {"classes": np.unique(problem.y)} if case.is_classifier else {}
    estimator = case.new().partial_fit(*without_target(first), **classes)
    again = copied(estimator)
    estimator.partial_fit(*without_target(last))
    again.partial_fit(*without_target(last))
    assert_same(answers(again, problem.X), answers(estimator, problem.X), ROUNDING)


@for_cases()
def test_a_clone_of_a_fitted_estimator_is_a_new_one(case):
    problem = case.problem()
    new = clone(case.fitted)
    assert not [name for name in vars(new) if name.endswith("_")]
    assert_same(answers(fit(new, problem), problem.X), case.answers, ROUNDING)


def fitted_on_folds(case, **how):
    problem = case.problem()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = cross_validate(
            case.new(),
            problem.X,
            problem.y,
            cv=KFold(2, shuffle=True, random_state=0),
            scoring=lambda estimator, X, y=None: 0.0,
            return_estimator=True,
            error_score="raise",
            **how,
        )
    return [answers(estimator, problem.X) for estimator in result["estimator"]]


@for_cases()
def test_cross_validate_in_threads_equals_one_after_the_other(case):
    alone = fitted_on_folds(case)
    with joblib.parallel_config("threading"):
        together = fitted_on_folds(case, n_jobs=2)
    for got, wanted in zip(together, alone, strict=True):
        assert_same(got, wanted, ROUNDING)


def test_cross_validate_in_processes_returns_estimators():
    """One pool for one estimator of each folder; to start it is what costs."""
    names = {case.estimator.__module__.split(".")[1]: name for name, case in BY_NAME.items()}
    for name in names.values():
        case = BY_NAME[name]
        for got, wanted in zip(fitted_on_folds(case, n_jobs=2), fitted_on_folds(case), strict=True):
            assert_same({k: dense(v) for k, v in got.items()}, wanted, ROUNDING)
