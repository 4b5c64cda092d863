"""At the edges: a finite answer, or a clear refusal, or a warning that names what happened.

Never a NaN in silence, and never an error of an index, an attribute, a type or a division.
"""

import warnings

import numpy as np
import pytest
from estimator_cases import (
    CASES,
    METHODS,
    OF_GRAPHS,
    answers,
    fit,
    for_cases,
    learned,
    without_target,
)
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, cross_val_score

CLEAR = 20  # characters that a message needs at least, to say what was given and what is allowed


def outcome(call):
    """(result or None, error or None, warnings) of a call."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            return call(), None, said
        except Exception as error:
            return None, error, said


def of_skreg(said):
    """Warnings that say something; those of numpy about a division say nothing to a user."""
    return [
        warning
        for warning in said
        if not issubclass(warning.category, (RuntimeWarning, DeprecationWarning, FutureWarning))
    ]


def assert_finite_or_said(estimator, X, error, said):
    if error is not None:
        assert isinstance(error, ValueError), f"{type(error).__name__}: {error}"
        assert not isinstance(error, np.linalg.LinAlgError), f"LinAlgError: {error}"
        assert len(str(error)) >= CLEAR
        return
    found = {**learned(estimator), **answers(estimator, X)}
    for name in ("dual_gap_", "kkt_residual_", "edge_frequencies_", "instability_"):
        found.pop(name, None)  # nan has a documented meaning there
    endless = {
        name for name, value in found.items() if value.dtype.kind == "f" and not usable(name, value)
    }
    assert not endless or of_skreg(said), f"silently not finite: {sorted(endless)}"
    if "predict_proba" in found:
        np.testing.assert_allclose(found["predict_proba"].sum(axis=1), 1.0, rtol=1e-6)


def usable(name, value):
    """An infinite intercept is a probability of zero or one; other attributes are finite."""
    if name == "intercept_":
        return not np.isnan(value).any()
    return np.isfinite(value).all()


def one_row(problem):
    return problem.rows([0])


def two_rows(problem):
    if problem.y is None or len(np.unique(problem.y)) > 3:
        return problem.rows([0, 1])
    labelled = np.flatnonzero(problem.y >= 0)
    other = labelled[problem.y[labelled] != problem.y[labelled[0]]][0]
    return problem.rows([labelled[0], other])


def one_column(problem):
    return problem._replace(X=problem.X[:, :1])


def one_class(problem):
    if problem.y is None:
        return problem
    return problem._replace(y=np.where(problem.y == -1, problem.y, problem.y.flat[0] * 0 + 1))


def constant_column(problem):
    X = problem.X.copy()
    X[:, 2] = 7.0
    return problem._replace(X=X)


def nearly_constant_column(problem):
    X = problem.X.copy()
    X[:, 2] = 7.0 * (1.0 + 1e-16 * np.arange(len(X)))
    return problem._replace(X=X)


def only_constant_columns(problem):
    return problem._replace(X=np.ones_like(problem.X))


def only_zeros(problem):
    return problem._replace(X=np.zeros_like(problem.X))


def duplicate_columns(problem):
    X = problem.X.copy()
    X[:, 3] = X[:, 0]
    X[:, 4] = -2.0 * X[:, 1]
    return problem._replace(X=X)


def duplicate_rows(problem):
    return problem.rows(np.repeat([0, 1, 2, 3], len(problem.X) // 4))


def fewer_rows_than_columns(problem):
    rng = np.random.default_rng(0)
    few = problem.rows(np.arange(12))
    return few._replace(X=np.hstack([few.X, rng.normal(size=(12, 20))]))


def constant_target(problem):
    return problem._replace(y=None if problem.y is None else np.ones_like(problem.y))


def rare_column(problem):
    """An indicator of two rows, which many a fold and resample lacks."""
    X = problem.X.copy()
    X[:, 2] = np.arange(len(X)) < 2
    return problem._replace(X=X)


def rare_class(problem):
    """One class has a single row."""
    if problem.y is None or len(np.unique(problem.y)) > 4:
        return problem
    y = np.where(problem.y == problem.y.max(), problem.y.min(), problem.y)
    y[5] = problem.y.max()
    return problem._replace(y=y)


SHAPES = (
    one_row,
    two_rows,
    one_column,
    one_class,
    constant_column,
    nearly_constant_column,
    only_constant_columns,
    only_zeros,
    duplicate_columns,
    duplicate_rows,
    fewer_rows_than_columns,
    constant_target,
    rare_column,
    rare_class,
)


def without_groups(case, problem):
    """The case's estimator; groups of columns only where the columns are the same ones."""
    if case.params.get("groups") is not None and problem.X.shape[1] != 5:
        return case.new(groups=None)
    return case.new()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
@for_cases()
def test_degenerate_data(case, shape):
    problem = shape(case.problem())
    estimator = without_groups(case, problem)
    _, error, said = outcome(lambda: estimator.fit(*without_target(problem)))
    if error is None:
        _, error, more = outcome(lambda: answers(estimator, problem.X))
        said += more
    assert_finite_or_said(estimator, problem.X, error, said)


HARMLESS = (constant_column, duplicate_columns, rare_column, one_column)


@pytest.mark.parametrize("shape", HARMLESS, ids=lambda shape: shape.__name__)
@for_cases(lambda case: case.kind.__name__ not in OF_GRAPHS)
def test_columns_that_say_nothing_are_no_error(case, shape):
    """Real tables have constant, repeated and rare columns; only covariances cannot use them."""
    problem = shape(case.problem())
    without_groups(case, problem).fit(*without_target(problem))


WEIGHTS = {
    "all zero": lambda n: np.zeros(n),
    "one row": lambda n: np.eye(1, n, 3)[0],
    "two rows": lambda n: (np.arange(n) < 2).astype(float),
    "first third": lambda n: (np.arange(n) < n // 3).astype(float),
    "tiny": lambda n: np.full(n, 1e-200),
    "huge": lambda n: np.full(n, 1e200),
    "uneven": lambda n: np.where(np.arange(n) % 2, 1.0, 1e-12),
}


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@for_cases(lambda case: case.weighted)
def test_degenerate_weights(case, weight):
    problem, estimator = case.problem(), case.new()
    weight = weight(len(problem.X))
    _, error, said = outcome(lambda: estimator.fit(*without_target(problem), sample_weight=weight))
    assert_finite_or_said(estimator, problem.X, error, said)


@for_cases(lambda case: case.weighted and case.is_classifier)
def test_a_class_without_weight(case):
    problem, estimator = case.problem(), case.new()
    weight = (problem.y != problem.y.min()).astype(float)
    _, error, said = outcome(lambda: estimator.fit(*problem, sample_weight=weight))
    assert_finite_or_said(estimator, problem.X, error, said)


@for_cases(lambda case: case.kind.__name__ == "nodes")
def test_a_resample_without_a_rare_row_is_not_the_end(case):
    """One row that a third of all bootstrap samples lack must not take the others with it."""
    X = case.problem().X.copy()
    X[:, 2] = np.arange(len(X)) == 0
    changed = {"n_bootstraps": 10} if "n_bootstraps" in case.params else {}
    _, error, _ = outcome(lambda: case.new(**changed).fit(X))
    assert error is None, f"{type(error).__name__}: {error}"


BAD_WEIGHTS = {"negative": -1.0, "nan": float("nan"), "infinite": float("inf")}


@pytest.mark.parametrize("number", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
@for_cases(lambda case: case.weighted)
def test_weights_that_are_no_weights_are_refused(case, number):
    problem = case.problem()
    one = np.ones(len(problem.X))
    one[4] = number
    for weight in (one, number):
        with pytest.raises((ValueError, TypeError)):
            fit(case.new(), problem, sample_weight=weight)


# ------------------------------------------------------------------------------------------------
# folds


def is_cross_validated(case):
    return "cv" in case.params


def lacking_a_class(problem):
    """Folds of which the first tests, and the second trains, on rows of fewer classes."""
    last = np.flatnonzero(problem.y == problem.y.max())
    others = np.setdiff1d(np.arange(len(problem.y)), last)
    return [
        (np.r_[others[20:], last], others[:20]),
        (others[20:], np.r_[others[:20], last]),
    ]


SCORINGS = (None, "neg_log_loss", "neg_brier_score", "accuracy")


@pytest.mark.parametrize("scoring", SCORINGS, ids=str)
@for_cases(lambda case: is_cross_validated(case) and case.is_classifier)
def test_a_class_missing_from_a_test_fold(case, scoring):
    problem = case.problem()
    fold = lacking_a_class(problem)[:1]
    estimator = case.new(cv=fold, scoring=scoring or case.params["scoring"])
    _, error, said = outcome(lambda: estimator.fit(*problem))
    assert error is None, f"{type(error).__name__}: {error}"
    scores = [value for name, value in learned(estimator).items() if name.startswith("score")]
    assert all(np.isfinite(value).all() for value in scores) or of_skreg(said)


@for_cases(lambda case: is_cross_validated(case) and case.is_classifier)
def test_a_class_missing_from_a_training_fold(case):
    problem = case.problem()
    estimator = case.new(cv=lacking_a_class(problem)[1:])
    _, error, said = outcome(lambda: estimator.fit(*problem))
    assert_finite_or_said(estimator, problem.X, error, said)


@for_cases(is_cross_validated)
def test_masks_are_splits(case):
    problem = case.problem()
    half = np.arange(len(problem.X)) % 2 == 0
    by_mask = case.new(cv=[(half, ~half)])
    by_number = case.new(cv=[(np.flatnonzero(half), np.flatnonzero(~half))])
    _, error, _ = outcome(lambda: (by_mask.fit(*problem), by_number.fit(*problem)))
    assert error is None, f"{type(error).__name__}: {error}"
    assert by_mask.alpha_ == by_number.alpha_
    np.testing.assert_array_equal(by_mask.coef_, by_number.coef_)


@for_cases(lambda case: is_cross_validated(case) and case.weighted)
def test_a_fold_without_weight_is_left_out(case):
    problem = case.problem()
    n = len(problem.X)
    folds = list(KFold(3).split(problem.X))
    weight = np.ones(n)
    weight[folds[0][1]] = 0.0
    estimator = case.new(cv=folds)
    _, error, said = outcome(lambda: estimator.fit(*problem, sample_weight=weight))
    assert error is None, f"{type(error).__name__}: {error}"
    assert_finite_or_said(estimator, problem.X, error, said)


@for_cases(is_cross_validated)
def test_grids_of_one_strength(case):
    problem = case.problem()
    estimator = case.new(alphas=[0.1])
    _, error, _ = outcome(lambda: estimator.fit(*problem))
    assert error is None, f"{type(error).__name__}: {error}"
    assert estimator.alpha_ == 0.1


@for_cases(lambda case: case.is_classifier and not case.is_graph)
def test_scores_of_folds_without_a_class(case):
    problem = case.problem()
    folds = lacking_a_class(problem)

    def scores():
        return cross_val_score(
            case.new(), *problem, cv=folds, scoring="accuracy", error_score="raise"
        )

    found, error, _ = outcome(scores)
    if error is None:
        assert np.isfinite(found).all()
    else:
        assert isinstance(error, ValueError)
        assert len(str(error)) >= CLEAR


@for_cases(lambda case: case.is_regressor)
def test_scores_of_a_constant_test_target(case):
    problem = case.problem()
    score, error, said = outcome(lambda: case.fitted.score(problem.X, np.zeros_like(problem.y)))
    assert error is None, f"{type(error).__name__}: {error}"
    assert np.isfinite(score) or of_skreg(said)


# ------------------------------------------------------------------------------------------------
# batches


@for_cases(lambda case: hasattr(case.estimator, "partial_fit") and case.is_classifier)
def test_a_class_that_has_not_come_yet(case):
    problem = case.problem()
    classes = np.unique(problem.y)
    for first in classes:
        estimator = case.new()
        rows = np.flatnonzero(problem.y == first)
        estimator.partial_fit(*problem.rows(rows), classes=classes)
        proba = estimator.predict_proba(problem.X)
        assert proba.shape == (len(problem.X), len(classes))
        assert np.isfinite(proba).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@for_cases(lambda case: hasattr(case.estimator, "partial_fit") and case.is_classifier)
def test_a_first_batch_of_one_class_has_one_column(case):
    problem = case.problem()
    estimator = case.new()
    rows = problem.rows(np.flatnonzero(problem.y == problem.y[0]))
    _, error, _ = outcome(lambda: estimator.partial_fit(*rows))
    if error is None:
        assert estimator.predict_proba(problem.X).shape == (len(problem.X), 1)
        np.testing.assert_array_equal(estimator.predict(problem.X), problem.y[0])
    else:
        assert isinstance(error, ValueError)


@for_cases(lambda case: hasattr(case.estimator, "partial_fit"))
def test_batches_of_one_row(case):
    problem = case.problem()
    estimator = case.new()
    classes = {"classes": np.unique(problem.y)} if case.is_classifier else {}
    for i in range(8):
        row = without_target(problem.rows([i]))
        _, error, said = outcome(lambda row=row: estimator.partial_fit(*row, **classes))
        assert_finite_or_said(estimator, problem.X, error, said)


@for_cases()
def test_empty_data_are_refused(case):
    problem = case.problem()
    with pytest.raises(ValueError):
        case.new().fit(*without_target(problem.rows(np.arange(0))))
    with pytest.raises(ValueError):
        case.new().fit(*without_target(problem._replace(X=problem.X[:, :0])))


@for_cases()
def test_before_a_fit_there_is_no_answer(case):
    problem = case.problem()
    for method in METHODS:
        if hasattr(case.new(), method):
            with pytest.raises(NotFittedError):
                getattr(case.new(), method)(problem.X)


@for_cases(lambda case: "priors" in case.params)
def test_a_class_of_prior_zero_has_probability_zero(case):
    problem = case.problem()
    n_classes = len(np.unique(problem.y))
    for k in range(n_classes):
        priors = np.where(np.arange(n_classes) == k, 0.0, 1.0 / (n_classes - 1))
        proba = case.new(priors=priors).fit(*problem).predict_proba(problem.X)
        np.testing.assert_array_equal(proba[:, k], 0.0)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@for_cases(lambda case: case.cls == "GroupLasso")
def test_groups_that_are_no_labels_are_refused(case):
    with pytest.raises(ValueError):
        case.new(groups=[0.0, np.nan, 1.0, np.nan, 1.0]).fit(*case.problem())


@for_cases(lambda case: case.is_classifier and case.cls.startswith("Coreset"))
def test_a_rare_class_is_in_every_coreset(case):
    """Of two classes as of three: losing the rare one changes the problem."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 5))
    y = (np.arange(2000) < 8).astype(int)
    sampler = case.params["sampler"]
    for seed in range(10):
        estimator = case.new(sampler=type(sampler)(n_samples=100, random_state=seed))
        assert len(estimator.fit(X, y).classes_) == 2


def test_every_case_is_small():
    assert all(len(case.problem().X) <= 300 for case in CASES)
