"""On hard data an answer is finite, or what went wrong is said."""

import numpy as np
import pytest
from estimator_cases import OF_GRAPHS, answers, for_cases, without_target
from sklearn.preprocessing import StandardScaler
from test_degenerate import assert_finite_or_said, outcome, without_groups


def huge(problem):
    return problem._replace(X=1e100 * problem.X)


def tiny(problem):
    return problem._replace(X=1e-100 * problem.X)


def uneven(problem):
    return problem._replace(X=problem.X * np.array([1e-8, 1e8, 1.0, 1e-4, 1e4]))


def timestamps(problem):
    X = problem.X.copy()
    X[:, 1] = 1.7e9 + 100.0 * X[:, 1]
    return problem._replace(X=X)


def heavy_tails(problem):
    return problem._replace(X=np.sinh(3.0 * problem.X))


def one_outlier(problem):
    X = problem.X.copy()
    X[0] = 1e12
    return problem._replace(X=X)


def separable(problem):
    """The classes, or the target, are a function of the first column."""
    if problem.y is None:
        return problem
    X = problem.X.copy()
    X[:, 0] = problem.y if problem.y.ndim == 1 else problem.y[:, 0]
    return problem._replace(X=X)


def wide(problem):
    rng = np.random.default_rng(0)
    few = problem.rows(np.arange(24))
    return few._replace(X=np.hstack([few.X, rng.normal(size=(24, 60))]))


def big_target(problem):
    if problem.y is None or problem.y.dtype.kind != "f":
        return problem
    return problem._replace(y=1e8 * problem.y)


PATH_LENGTHS = {"warm_iter", "max_iter", "estimator__warm_iter", "estimator__max_iter"}
HARD = (huge, tiny, uneven, timestamps, heavy_tails, one_outlier, separable, wide, big_target)


@pytest.mark.parametrize("hard", HARD, ids=lambda hard: hard.__name__)
@for_cases()
def test_answers_on_hard_data(case, hard):
    problem = hard(case.problem())
    estimator = without_groups(case, problem)
    _, error, said = outcome(lambda: estimator.fit(*without_target(problem)))
    if error is None:
        _, error, more = outcome(lambda: answers(estimator, problem.X))
        said += more
    assert_finite_or_said(estimator, problem.X, error, said)


@for_cases(lambda case: not case.cls.startswith("Deep"))
def test_an_easy_problem_is_solved_without_a_word(case):
    problem = case.problem()
    estimator = case.new()
    if case.kind.__name__ in OF_GRAPHS:  # the cases cut long paths short
        for name in estimator.get_params().keys() & PATH_LENGTHS:
            estimator.set_params(**{name: None})
    _, error, said = outcome(lambda: estimator.fit(*without_target(problem)))
    assert error is None
    assert [str(warning.message) for warning in said] == []


@pytest.mark.parametrize("distance", [1e3, 1e8], ids=str)
@for_cases()
def test_answers_far_from_the_data_are_finite(case, distance):
    assert_finite_at(case, distance)


@for_cases()
def test_answers_at_the_edge_of_double_precision_are_finite(case):
    assert_finite_at(case, 1e200)


def assert_finite_at(case, distance):
    far = distance * case.problem().X[:7]
    estimator = case.fitted
    found, error, said = outcome(lambda: answers(estimator, far))
    if error is not None:
        assert isinstance(error, ValueError)
        return
    if "predict_proba" in found:
        assert np.isfinite(found["predict_proba"]).all()
        np.testing.assert_allclose(found["predict_proba"].sum(axis=1), 1.0, rtol=1e-6)
    elif case.kind.__name__ != "counts":  # an exponential of 1e8 is infinite
        for value in found.values():
            assert np.isfinite(value).all() or said


@for_cases(lambda case: case.kind.__name__ in OF_GRAPHS)
def test_equal_variances_are_said(case):
    """An order that is read off variances is not there when these are made equal."""
    problem = case.problem()
    scaled = problem._replace(X=StandardScaler().fit_transform(problem.X))
    if problem.y is not None:
        scaled = scaled._replace(y=(problem.y - problem.y.mean()) / problem.y.std())
    _, error, said = outcome(lambda: case.new().fit(*without_target(scaled)))
    assert error is None
    assert any("varianc" in str(warning.message) for warning in said)
