"""An estimator means the same inside scikit-learn's compositions and in every display."""

import dataclasses
import inspect
import warnings

import matplotlib
import numpy as np
import pandas as pd
import pytest
from estimator_cases import (
    BY_NAME,
    ROUNDING,
    answers,
    assert_same,
    dense,
    fit,
    for_cases,
    public_classes,
)
from parameter_changes import alternative
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")

FOLDS = KFold(3, shuffle=True, random_state=0)


def predicts(case):
    return case.is_classifier or case.is_regressor


def methods_of(estimator):
    return [
        method for method in ("predict_proba", "predict", "transform") if hasattr(estimator, method)
    ]


def assert_methods_agree(got, X_got, wanted, X_wanted, tolerance=ROUNDING):
    for method in methods_of(wanted):
        given, needed = getattr(got, method)(X_got), getattr(wanted, method)(X_wanted)
        assert_same({method: dense(given)}, {method: dense(needed)}, tolerance)


@for_cases(lambda case: methods_of(case.new()))
def test_in_a_pipeline_behind_a_scaler(case):
    problem = case.problem()
    scaled = problem._replace(X=StandardScaler().fit_transform(problem.X))
    inside = fit(make_pipeline(StandardScaler(), case.new()), problem)
    assert_methods_agree(inside, problem.X, fit(case.new(), scaled), scaled.X)


@for_cases(lambda case: methods_of(case.new()))
def test_in_a_pipeline_behind_a_column_transformer_with_frames(case):
    problem = case.problem()
    frame = pd.DataFrame(problem.X, columns=list("abcde"))
    columns = ColumnTransformer(
        [("all", "passthrough", list("abcde"))], verbose_feature_names_out=False
    ).set_output(transform="pandas")
    inside = fit(Pipeline([("columns", columns), ("model", case.new())]), problem._replace(X=frame))
    assert_methods_agree(inside, frame, case.fitted, problem.X)
    assert list(inside[-1].feature_names_in_) == list("abcde")


@for_cases(lambda case: hasattr(case.fitted, "transform"))
def test_in_a_column_transformer(case):
    problem = case.problem()
    columns = ColumnTransformer([("some", case.new(), [0, 1, 2])])
    got = fit(columns, problem).transform(problem.X)
    part = problem._replace(X=problem.X[:, :3])
    assert_same({"X": got}, {"X": fit(case.new(), part).transform(part.X)}, ROUNDING)


def grid_of(case):
    """One parameter with two values, the second of which wins."""
    for name in ("alpha", "alphas", "threshold", "shrinkage", "n_neighbors", "p", "max_epochs"):
        if name in case.params:
            return {name: [case.params[name], alternative(case, name)]}
    name = "fit_intercept" if "fit_intercept" in case.params else next(iter(case.params))
    return {name: [case.params[name], alternative(case, name)]}


def second_wins(grid):
    (name, values) = next(iter(grid.items()))

    def score(estimator, X, y=None):
        return float(str(estimator.get_params()[name]) == str(values[1]))

    return score


@for_cases(lambda case: methods_of(case.new()))
def test_in_a_grid_search(case):
    problem, grid = case.problem(), grid_of(case)
    search = GridSearchCV(
        case.new(), grid, cv=FOLDS, scoring=second_wins(grid), error_score="raise"
    )
    fit(search, problem)
    wanted = fit(case.new(**{name: values[1] for name, values in grid.items()}), problem)
    assert_methods_agree(search, problem.X, wanted, problem.X)


@for_cases(predicts)
def test_scores_of_a_grid_search_in_a_pipeline(case):
    """The estimator's own score, inside and by hand."""
    problem = case.problem()
    pipeline = Pipeline([("scaler", StandardScaler()), ("model", case.new())])
    folds = list(FOLDS.split(problem.X))
    search = GridSearchCV(pipeline, {"scaler__with_std": [True]}, cv=folds, error_score="raise")
    fit(search, problem)
    for k, (train, test) in enumerate(folds):
        model = fit(clone(pipeline), problem.rows(train))
        wanted = model.score(*problem.rows(test))
        assert search.cv_results_[f"split{k}_test_score"][0] == pytest.approx(wanted, abs=1e-9)


def method_of_a_stack(case):
    methods = ("predict_proba", "decision_function") if case.is_classifier else ()
    return next((name for name in methods if hasattr(case.estimator, name)), "predict")


@for_cases(predicts)
def test_cross_val_predict_equals_a_loop(case):
    problem = case.problem()
    folds = list(FOLDS.split(problem.X))
    method = method_of_a_stack(case)
    if case.is_graph:  # rows without a label are a class of their own for cross_val_predict
        method = "predict"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        got = cross_val_predict(case.new(), *problem, cv=folds, method=method)
    wanted = np.empty_like(got)
    for train, test in folds:
        wanted[test] = getattr(fit(case.new(), problem.rows(train)), method)(problem.X[test])
    assert_same({method: got}, {method: wanted}, ROUNDING)


@for_cases(lambda case: predicts(case) and case.kind.__name__ != "two_targets")
def test_in_a_stack(case):
    problem = case.problem()
    kind, other = (
        (StackingClassifier, DummyClassifier())
        if case.is_classifier
        else (StackingRegressor, DummyRegressor())
    )
    stack = kind([("model", case.new()), ("other", other)], cv=FOLDS)
    if case.is_graph:
        problem = problem._replace(y=np.maximum(problem.y, 0))
    fit(stack, problem)
    wanted = fit(case.new(), problem)
    got = dict(stack.named_estimators_)["model"]
    assert_same(answers(got, problem.X), answers(wanted, problem.X), ROUNDING)
    columns = stack.transform(problem.X)
    method = method_of_a_stack(case)
    alone = getattr(wanted, method)(problem.X)
    alone = alone[:, 1:] if alone.ndim == 2 and alone.shape[1] == 2 else alone
    alone = alone.reshape(len(alone), -1)
    assert_same({"X": columns[:, : alone.shape[1]]}, {"X": alone}, ROUNDING)


@for_cases(
    lambda case: (
        case.is_classifier and hasattr(case.estimator, "predict_proba") and not case.is_graph
    )
)
def test_in_a_soft_vote_of_named_classes(case):
    problem = case.problem()
    named = problem._replace(y=np.array(["a", "b", "c"])[problem.y])
    vote = fit(VotingClassifier([("model", case.new())], voting="soft"), named)
    wanted = case.fitted.predict_proba(problem.X)
    assert_same({"p": vote.predict_proba(problem.X)}, {"p": wanted}, ROUNDING)


@for_cases(lambda case: case.is_classifier and not case.is_graph)
def test_calibrated(case):
    problem = case.problem()
    frozen = CalibratedClassifierCV(FrozenEstimator(case.fitted))
    for model in (frozen, CalibratedClassifierCV(case.new(), cv=FOLDS)):
        proba = fit(model, problem).predict_proba(problem.X)
        assert np.isfinite(proba).all()
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@for_cases(lambda case: methods_of(case.new()))
def test_frozen(case):
    problem, other = case.problem(), case.problem(seed=1)
    frozen = FrozenEstimator(case.fitted).fit(other.X, other.y)
    assert_methods_agree(frozen, problem.X, case.fitted, problem.X, 0.0)


def selects(case):
    """Whether the penalty sets coefficients to zero."""
    weighted = "penalty_weights" in case.params
    return weighted and hasattr(case.fitted, "coef_") and case.params.get("l1_ratio", 1) > 0


def fewest(case):
    """A strength at which some coefficients are zero and others are not."""
    return {"alpha": 3.0 * case.params["alpha"]} if "alpha" in case.params else {}


@for_cases(selects)
def test_select_from_model_selects_the_active_set(case):
    problem = case.problem()
    selector = fit(SelectFromModel(case.new(**fewest(case))), problem)
    nonzero = np.atleast_2d(selector.estimator_.coef_).any(axis=0)
    np.testing.assert_array_equal(selector.get_support(), nonzero)


@for_cases(predicts)
def test_routed_weights_in_a_pipeline(case):
    if not case.weighted:
        pytest.skip("takes no weights")
    problem = case.problem()
    weight = 1.0 + np.arange(len(problem.X)) % 3
    pipeline = Pipeline([("model", case.new())])
    got = fit(pipeline, problem, model__sample_weight=weight)
    wanted = fit(case.new(), problem, sample_weight=weight)
    assert_methods_agree(got, problem.X, wanted, problem.X)


# ------------------------------------------------------------------------------------------------
# own estimators in own estimators


def test_parents_are_selected_by_every_graph():
    problem = BY_NAME["SelectParents"].problem()
    for name, case in BY_NAME.items():
        if case.kind.__name__ == "nodes":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                selected = BY_NAME["SelectParents"].new(estimator=case.new()).fit(*problem)
            nodes = np.column_stack([problem.X, problem.y])
            graph = fit(case.new(), problem._replace(X=nodes, y=None)).adjacency_matrix_
            np.testing.assert_array_equal(selected.get_support(), graph[:-1, -1] != 0, name)


@for_cases(lambda case: predicts(case) and case.weighted and "estimator" not in case.params)
def test_a_coreset_of_all_rows_is_all_rows(case):
    from skreg.coreset import CoresetEstimator, SensitivitySampler

    problem = case.problem()
    everything = SensitivitySampler(n_samples=len(problem.X) * 1000, random_state=0)
    got = fit(CoresetEstimator(case.new(), everything), problem)
    np.testing.assert_allclose(got.coreset_.sample_weight, 1.0)
    if "random_state" not in case.params:
        assert_same(
            answers(got.estimator_, problem.X),
            case.answers,
            max(case.accuracy, ROUNDING),
        )


def strongest_edge(case, problem):
    weights = np.abs(fit(case.new(), problem).adjacency_matrix_)
    return tuple(int(node) for node in np.unravel_index(weights.argmax(), weights.shape))


@for_cases(lambda case: "include_edges" in case.params)
def test_what_a_required_edge_implies_is_implied(case):
    """There is no way back, said or not said; and an edge that is there anyway changes little."""
    problem = case.problem()
    cause, effect = strongest_edge(case, problem)
    back = [(effect, cause)]
    required = fit(case.new(include_edges=back), problem).adjacency_matrix_
    said = fit(
        case.new(include_edges=back, exclude_edges=[(cause, effect)]), problem
    ).adjacency_matrix_
    np.testing.assert_allclose(required, said, atol=1e-6)


# ------------------------------------------------------------------------------------------------
# what a display shows


def numbers_shown(display):
    """Numbers and labels among the public attributes of a display, by name; not its title."""
    found = {}
    for name, value in vars(display).items():
        if name == "name" or name.endswith("_") or name.startswith("_"):
            continue
        if dataclasses.is_dataclass(value):
            found.update(vars(value))
        elif hasattr(value, "_asdict"):
            found.update(value._asdict())
        elif isinstance(value, list) and value and hasattr(value[0], "_fields"):
            found[name] = np.array([tuple(item) for item in value], dtype=float)
        elif value is not None:
            found[name] = np.asarray(value)
    return {name: np.asarray(value) for name, value in found.items()}


def assert_shown(got, wanted, what):
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(got, wanted, rtol=ROUNDING, err_msg=what)
    else:
        np.testing.assert_array_equal(got, wanted, what)


DISPLAYS = {  # a case that each display can draw
    "AdjacencyDisplay": "CoLiDE",
    "DAGDisplay": "CoLiDE",
    "ConvergenceDisplay": "CoLiDE",
    "OrdinalProbabilityDisplay": "PrestoClassifier",
    "RareReliabilityDisplay": "PrestoClassifier",
    "PrestoPathDisplay": "PrestoClassifierCV",
    "RegularizationPathDisplay": "LassoCV",
    "LossCurveDisplay": "DeepClassifier",
    "SparsityDisplay": "DeepClassifier",
    "TiltingDisplay": "SparseLogisticRegression-binary",
}


# these fit clones anew on the data that they are given, or need more data than X and y, and are
# tested in their folders
MEASURE = {
    "CertifiedAccuracyDisplay",
    "CoresetDisplay",
    "LearningCurveTheoryDisplay",
    "MemorizationOnsetDisplay",
    "SampleWeightDisplay",
    "ProbeLearningCurveDisplay",
    "TiltingPathDisplay",
    "RegretDisplay",
    "TaskAccuracyDisplay",
    "TransportPlanDisplay",
    "TransportTradeoffDisplay",
}


def displays():
    """Displays of what an estimator has learned."""
    return [
        cls
        for cls in public_classes()
        if cls.__name__.endswith("Display") and cls.__name__ not in MEASURE
    ]


def draw(display, estimator, X, y):
    """Call `from_estimator` with what its signature asks for."""
    wanted = inspect.signature(display.from_estimator).parameters
    offered = {"X": X, "y": y, "feature": 0 if not hasattr(X, "columns") else X.columns[0]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shown = display.from_estimator(
            estimator, **{name: value for name, value in offered.items() if name in wanted}
        )
    matplotlib.pyplot.close("all")
    return shown


def shown_by_all(display, X, y):
    case = BY_NAME[DISPLAYS[display.__name__]]
    problem = case.problem()._replace(X=X, y=y)
    plain = fit(case.new(), problem)
    pipeline = fit(Pipeline([("same", "passthrough"), ("model", case.new())]), problem)
    first = next(name for name in ("alpha", "alphas", "lr") if name in case.params)
    grid = {first: [case.params[first]]}
    search = fit(GridSearchCV(case.new(), grid, cv=FOLDS), problem)
    deep_grid = {f"model__{first}": [case.params[first]]}
    both = fit(GridSearchCV(clone(pipeline), deep_grid, cv=FOLDS), problem)
    wanted = numbers_shown(draw(display, plain, X, y))
    yield from (
        (name, numbers_shown(draw(display, estimator, X, y)), wanted)
        for name, estimator in (("pipeline", pipeline), ("search", search), ("both", both))
    )


@pytest.mark.parametrize("display", displays(), ids=lambda display: display.__name__)
def test_a_display_shows_the_same_of_what_is_inside(display):
    case = BY_NAME[DISPLAYS[display.__name__]]
    problem = case.problem()
    y = problem.y
    if case.is_ordinal:  # an order that is not that of the sorted labels
        names = ["none", "severe", "dead"]
        y = pd.Series(pd.Categorical.from_codes(y, names, ordered=True))
    for name, got, wanted in shown_by_all(display, problem.X, y):
        assert got.keys() == wanted.keys(), name
        for attribute, value in wanted.items():
            assert_shown(got[attribute], value, f"{name}: {attribute}")


@pytest.mark.parametrize("columns", [list("abcde"), list(range(5))], ids=["names", "numbers"])
@pytest.mark.parametrize("display", displays(), ids=lambda display: display.__name__)
def test_a_display_takes_frames(display, columns):
    case = BY_NAME[DISPLAYS[display.__name__]]
    problem = case.problem()
    frame = pd.DataFrame(problem.X, columns=columns)
    got = numbers_shown(draw(display, fit(case.new(), problem._replace(X=frame)), frame, problem.y))
    wanted = numbers_shown(draw(display, case.fitted, problem.X, problem.y))
    for attribute, value in wanted.items():
        if value.dtype.kind in "biuf":
            assert_shown(got[attribute], value, attribute)


def test_every_display_has_a_case():
    assert {display.__name__ for display in displays()} == DISPLAYS.keys()
