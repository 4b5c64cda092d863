"""State that outlives a call: nothing but what `fit` saw, and the parameters as they are now."""

import copy
import signal
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numpy as np
import pandas as pd
import pytest
from estimator_cases import (
    ROUNDING,
    answers,
    assert_same,
    fit,
    for_cases,
    learned,
    without_target,
)
from parameter_changes import alternative, for_parameters, without_alternative
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest


def test_every_parameter_has_an_alternative():
    assert without_alternative() == []


def full_state(estimator, X):
    return {**learned(estimator), **answers(estimator, X)}


@for_cases()
def test_a_second_fit_equals_a_fresh_one(case):
    problem = case.problem()
    other = case.problem(seed=1, n=len(problem.X) - 7)
    if case.has_target and case.is_classifier and not case.is_graph:
        other = other._replace(y=np.array(["b", "c", "d"])[other.y.astype(int)])
    frame = other._replace(X=pd.DataFrame(other.X, columns=list("abcde")))
    twice = fit(fit(case.new(), frame), problem)
    fresh = case.fitted
    assert vars(twice).keys() == vars(fresh).keys()
    assert_same(full_state(twice, problem.X), full_state(fresh, problem.X), ROUNDING)


@for_cases()
def test_a_fit_on_fewer_columns_equals_a_fresh_one(case):
    if case.params.get("groups") is not None:
        case = case._replace(estimator=case.new(groups=None))
    narrow = case.problem(seed=2, p=3)
    twice = fit(case.fitted.set_params(**case.params), narrow)
    fresh = fit(case.new(), narrow)
    assert_same(full_state(twice, narrow.X), full_state(fresh, narrow.X), ROUNDING)


@for_parameters()
def test_a_changed_parameter_acts_on_the_second_fit(case, name):
    problem, value = case.problem(), alternative(case, name)
    changed = fit(case.fitted.set_params(**{name: value}), problem)
    fresh = fit(case.new(**{name: value}), problem)
    assert_same(full_state(changed, problem.X), full_state(fresh, problem.X), ROUNDING)


@for_parameters(lambda case: "warm_start" in case.params)
def test_a_changed_parameter_acts_on_a_warm_start(case, name):
    problem, value = case.problem(), alternative(case, name)
    warm = fit(case.new(warm_start=True), problem)
    warm = fit(warm.set_params(**{name: value}), problem)
    cold = fit(case.new(**{name: value}), problem)
    assert_same(answers(warm, problem.X), answers(cold, problem.X), case.accuracy)


@for_cases(lambda case: "warm_start" in case.params)
def test_a_warm_start_ends_where_a_cold_one_does_on_other_data(case):
    other = case.problem(seed=3)
    warm = fit(fit(case.new(warm_start=True), case.problem()), other)
    assert_same(answers(warm, other.X), answers(fit(case.new(), other), other.X), case.accuracy)


# ------------------------------------------------------------------------------------------------
# partial_fit


def partially_fitted(case, problem, estimator=None, parts=2):
    estimator = case.new() if estimator is None else estimator
    classes = {"classes": np.unique(problem.y)} if case.is_classifier else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rows in np.array_split(np.arange(len(problem.X)), parts):
            estimator.partial_fit(*without_target(problem.rows(rows)), **classes)
            classes = {}
    return estimator


@contextmanager
def seconds(limit, what):
    """Stop what never returns."""

    def stop(*_):
        raise TimeoutError(f"{what} did not return within {limit} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def is_incremental(case):
    return hasattr(case.estimator, "partial_fit")


@for_cases(is_incremental)
def test_partial_fit_begins_anew_after_fit_only(case):
    problem = case.problem()
    fresh = partially_fitted(case, problem)
    refitted = fit(copy.deepcopy(fresh), problem)
    assert_same(answers(refitted, problem.X), case.answers, ROUNDING)


@for_cases(lambda case: hasattr(case.estimator, "get_state"))
def test_batches_of_sufficient_statistics_equal_one_fit(case):
    problem = case.problem()
    parts = partially_fitted(case, problem, parts=5)
    assert_same(answers(parts, problem.X), case.answers, case.accuracy)


@for_parameters(is_incremental)
def test_partial_fit_returns_after_a_changed_parameter(case, name):
    problem, value = case.problem(), alternative(case, name)
    some = problem.rows(np.arange(47))  # no multiple of a size: something is left in a buffer
    estimator = partially_fitted(case, some).set_params(**{name: value})
    refused = suppress(ValueError, AttributeError)  # what cannot be meant, or a method that is gone
    with seconds(5, "partial_fit"), refused:
        partially_fitted(case, case.problem(seed=1), estimator)
    for answer in answers(estimator, problem.X).values():
        assert np.isfinite(answer).all()


@for_cases(is_incremental)
def test_partial_fit_returns_after_any_size_was_lowered(case):
    problem = case.problem().rows(np.arange(47))
    for name, value in case.params.items():
        if isinstance(value, int) and not isinstance(value, bool) and value > 3:
            estimator = partially_fitted(case, problem).set_params(**{name: value // 2})
            with seconds(5, f"partial_fit after {name}={value // 2}"):
                partially_fitted(case, case.problem(seed=1), estimator)


@for_cases(lambda case: is_incremental(case) and hasattr(case.estimator, "get_state"))
def test_a_parameter_of_a_rule_acts_on_partial_fit(case):
    problem = case.problem()
    rules = ("priors", "var_smoothing", "shrinkage", "temperature", "ddof", "scaling", "sharpness")
    for name in case.params.keys() & {*rules}:
        value = alternative(case, name)
        first, last = np.array_split(np.arange(len(problem.X)), 2)
        changed = case.new().partial_fit(*problem.rows(first), classes=np.unique(problem.y))
        changed.set_params(**{name: value}).partial_fit(*problem.rows(last))
        fresh = case.new(**{name: value}).fit(*problem)
        assert_same(answers(changed, problem.X), answers(fresh, problem.X), case.accuracy)


@for_cases(lambda case: is_incremental(case) and {"lr", "warm_start"} <= case.params.keys())
def test_a_learning_rate_acts_on_a_warm_start(case):
    problem = case.problem()
    warm = fit(case.new(warm_start=True), problem)
    before = answers(warm, problem.X)
    fit(warm.set_params(lr=1e-14), problem)
    assert_same(answers(warm, problem.X), before, 1e-6)


@for_cases(lambda case: is_incremental(case) and "lr" in case.params)
def test_a_learning_rate_acts_on_partial_fit(case):
    problem = case.problem()
    estimator = partially_fitted(case, problem)
    before = answers(estimator, problem.X)
    partially_fitted(case, problem, estimator.set_params(lr=1e-14))
    assert_same(answers(estimator, problem.X), before, 1e-6)


# ------------------------------------------------------------------------------------------------
# a call that fails leaves the estimator as it was


def bad_inputs(case, problem):
    """(what is wrong, arguments, keywords) of calls that cannot be meant."""
    hole = problem.X.copy()
    hole[-1, -1] = np.nan
    endless = problem.X.copy()
    endless[0, 0] = np.inf
    yield "NaN in X", (hole, *problem[1:]), {}
    yield "infinity in X", (endless, *problem[1:]), {}
    if case.has_target:
        yield "y too short", (problem.X, problem.y[:-1]), {}
        yield "y too short with other labels", (problem.X, problem.y[:-1] + 5), {}
    if case.weighted:
        yield "a negative weight", tuple(problem), {"sample_weight": -np.ones(len(problem.X))}
        yield "too few weights", tuple(problem), {"sample_weight": np.ones(3)}


@for_cases()
def test_a_refused_fit_leaves_the_estimator_as_it_was(case):
    problem = case.problem()
    estimator = case.fitted
    before = full_state(estimator, problem.X)
    names = vars(estimator).keys()
    for what, arguments, keywords in bad_inputs(case, case.problem(seed=4)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError):
                estimator.fit(*arguments[: 2 if case.has_target else 1], **keywords)
        assert vars(estimator).keys() == names, what
        assert_same(full_state(estimator, problem.X), before, 0.0)


@for_cases(is_incremental)
def test_a_refused_partial_fit_leaves_the_estimator_as_it_was(case):
    problem = case.problem()
    estimator = partially_fitted(case, problem)
    before = full_state(estimator, problem.X)
    for what, arguments, keywords in bad_inputs(case, case.problem(seed=4)):
        if "labels" in what:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError):
                estimator.partial_fit(*arguments[: 2 if case.has_target else 1], **keywords)
        assert_same(full_state(estimator, problem.X), before, 0.0)


@for_cases(lambda case: is_incremental(case) and "n_samples" in case.params)
def test_rows_that_were_lost_are_not_counted(case):
    """A size below the rank is found out only when rows are reduced."""
    problem = case.problem()
    estimator = partially_fitted(case, problem)
    before = full_state(estimator, problem.X)
    with pytest.raises(ValueError), seconds(5, "partial_fit"):
        partially_fitted(case, problem, estimator.set_params(n_samples=1))
    assert_same(full_state(estimator, problem.X), before, 0.0)


@for_cases(lambda case: hasattr(case.estimator, "merge"))
def test_only_the_like_is_merged(case):
    estimator, other = case.fitted, fit(SelectKBest(k=1), case.problem())
    before = full_state(estimator, case.problem().X)
    with pytest.raises(TypeError):
        estimator.merge(other)
    assert_same(full_state(estimator, case.problem().X), before, 0.0)


class Interrupt:
    """Raise KeyboardInterrupt at the k-th call of a function of skreg, as Ctrl-C would."""

    def __init__(self, at=None):
        self.at, self.seen = at, 0

    def __call__(self, frame, event, argument):
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.startswith("skreg"):
            self.seen += 1
            if self.seen == self.at:
                raise KeyboardInterrupt

    def during(self, call):
        sys.setprofile(self)
        try:
            call()
        except KeyboardInterrupt:
            return True
        finally:
            sys.setprofile(None)
        return False


def interrupted_states(fitted, call):
    """States of a fitted estimator after its next call was interrupted at several places."""
    count = Interrupt()
    count.during(lambda: call(copy.deepcopy(fitted)))
    for at in sorted({1 + round(share * (count.seen - 1)) for share in np.linspace(0, 1, 5)}):
        estimator = copy.deepcopy(fitted)
        if Interrupt(at).during(lambda estimator=estimator: call(estimator)):
            yield estimator


def assert_old_or_new(estimator, old, new, X):
    """Entirely as before or, where the interrupt came last, entirely fitted."""
    state = full_state(estimator, X)
    try:
        assert_same(state, old, ROUNDING)
    except AssertionError:
        try:
            assert_same(state, new, ROUNDING)
        except AssertionError:
            changed = [
                name
                for name in old
                if name not in state or not np.array_equal(state[name], old[name], equal_nan=True)
                if old[name].dtype.kind in "iufb"
            ]
            pytest.fail(f"an interrupt left a mixture: {changed or 'labels'} changed")


@for_cases()
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(case):
    problem, other = case.problem(), case.problem(seed=5)
    if case.is_classifier and not case.is_graph:
        other = other._replace(y=other.y + 5)
    old = full_state(case.fitted, problem.X)
    new = full_state(fit(case.fitted, other), problem.X)
    for estimator in interrupted_states(case.fitted, lambda estimator: fit(estimator, other)):
        assert_old_or_new(estimator, old, new, problem.X)


@for_cases()
def test_an_interrupted_fit_of_other_columns_leaves_the_estimator_as_it_was(case):
    """`n_features_in_` and the names of the columns are part of what is learned."""
    groups = {"groups": None} if "groups" in case.params else {}
    problem, other = case.problem(), case.problem(seed=5, p=3)
    fitted = fit(case.new(**groups), problem)
    old = full_state(fitted, problem.X)
    for estimator in interrupted_states(fitted, lambda estimator: fit(estimator, other)):
        if getattr(estimator, "n_features_in_", 5) == 5:
            assert_same(full_state(estimator, problem.X), old, ROUNDING)
        else:
            new = full_state(fit(case.new(**groups), other), other.X)
            assert_same(full_state(estimator, other.X), new, ROUNDING)


@for_cases(is_incremental)
def test_an_interrupted_partial_fit_leaves_the_estimator_as_it_was(case):
    problem, other = case.problem(), case.problem(seed=5)

    def call(estimator):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.partial_fit(*without_target(other))

    fitted = partially_fitted(case, problem)
    grown = copy.deepcopy(fitted)
    call(grown)
    old, new = full_state(fitted, problem.X), full_state(grown, problem.X)
    for estimator in interrupted_states(fitted, call):
        assert_old_or_new(estimator, old, new, problem.X)


# ------------------------------------------------------------------------------------------------
# nothing is shared


@for_cases()
def test_two_threads_equal_one(case):
    problems = [case.problem(), case.problem(seed=6), case.problem(), case.problem(seed=6)]

    def state(problem):
        return full_state(case.new().fit(*without_target(problem)), problem.X)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(state, problems))
        alone = [state(problem) for problem in problems[:2]] * 2
    for got, wanted in zip(together, alone, strict=True):
        assert_same(got, wanted, ROUNDING)


@for_cases()
def test_inputs_and_parameters_are_not_modified(case):
    problem = case.problem()
    given = [np.asfortranarray(problem.X)] + ([] if problem.y is None else [problem.y.copy()])
    keywords = {"sample_weight": np.arange(1.0, len(problem.X) + 1)} if case.weighted else {}
    before = copy.deepcopy((given, keywords, case.new().get_params()))
    estimator = case.new()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(*given, **keywords)
    answers(estimator, given[0])
    after = (given, keywords, estimator.get_params())
    for now, then in zip(after[0], before[0], strict=True):
        np.testing.assert_array_equal(now, then)
    for name in keywords:
        np.testing.assert_array_equal(after[1][name], before[1][name])
    assert str(after[2]) == str(before[2])
    assert str(clone(estimator).get_params()) == str(before[2])
