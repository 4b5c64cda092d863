"""What a change of units, of an order or of weights does, wherever mathematics says what."""

import warnings

import numpy as np
import pytest
from estimator_cases import CASES, CLOSED, OF_GRAPHS, answers, assert_same, fit, for_cases
from scipy import sparse
from sklearn.model_selection import KFold

SCALES = {"1e-6": 1e-6, "1e6": 1e6}


def explicit_folds(case, n):
    """Folds as lists of row numbers, for estimators that cut some."""
    return list(KFold(3, shuffle=True, random_state=0).split(np.zeros((n, 1))))


def folded(case, n, place=None, **params):
    """The case's estimator with folds of the given rows; row i stands at `place[i]`."""
    if "cv" not in case.params:
        return case.new(**params)
    place = np.arange(n) if place is None else place
    folds = [(place[train], place[test]) for train, test in explicit_folds(case, n)]
    return case.new(cv=folds, **params)


# ------------------------------------------------------------------------------------------------
# rows


def draws_rows(case):
    params = case.estimator.get_params()
    return "sampler" in params or any(name.endswith("random_state") for name in params)


@for_cases(lambda case: not draws_rows(case))
def test_the_order_of_rows_does_not_matter(case):
    problem = case.problem()
    n = len(problem.X)
    order = np.random.default_rng(0).permutation(n)
    place = np.empty(n, dtype=int)
    place[order] = np.arange(n)
    got = fit(folded(case, n, place), problem.rows(order))
    wanted = fit(folded(case, n), problem)
    tolerance = max(case.accuracy, CLOSED)
    got, wanted = answers(got, problem.X), answers(wanted, problem.X)
    if case.is_graph:
        got["label_distributions_"] = got["label_distributions_"][place]
    assert_same(got, wanted, tolerance)


def integer_weights(n, seed=0):
    return np.random.default_rng(seed).integers(0, 4, size=n)


def weighted_and_deterministic(case):
    return case.weighted and not draws_rows(case) and "cv" not in case.params


@for_cases(weighted_and_deterministic)
def test_a_weight_is_that_many_copies_of_a_row(case):
    problem = case.problem()
    weight = integer_weights(len(problem.X))
    copies = problem.rows(np.repeat(np.arange(len(problem.X)), weight))
    got = fit(case.new(), problem, sample_weight=weight.astype(float))
    wanted = fit(case.new(), copies)
    assert_same(answers(got, problem.X), answers(wanted, problem.X), max(case.accuracy, CLOSED))


@for_cases(lambda case: case.weighted and not draws_rows(case) and "cv" in case.params)
def test_a_weight_is_that_many_copies_of_a_row_in_its_fold(case):
    problem = case.problem()
    n = len(problem.X)
    weight = 1 + integer_weights(n)
    source = np.repeat(np.arange(n), weight)
    folds = [
        (np.flatnonzero(np.isin(source, train)), np.flatnonzero(np.isin(source, test)))
        for train, test in explicit_folds(case, n)
    ]
    got = fit(folded(case, n), problem, sample_weight=weight.astype(float))
    wanted = fit(case.new(cv=folds), problem.rows(source))
    assert got.alpha_ == pytest.approx(wanted.alpha_, rel=1e-6)
    assert_same(answers(got, problem.X), answers(wanted, problem.X), max(case.accuracy, CLOSED))


@for_cases(lambda case: case.weighted and not draws_rows(case))
def test_a_row_without_weight_is_absent(case):
    problem = case.problem()
    n = len(problem.X)
    present = np.arange(n) % 5 != 2
    wild = problem._replace(X=np.where(present[:, None], problem.X, 1e3 + problem.X))
    if case.is_regressor and case.kind.__name__ != "counts":
        far = present if wild.y.ndim == 1 else present[:, None]
        wild = wild._replace(y=np.where(far, problem.y, 1e3))
    place = np.cumsum(present) - 1
    estimator = folded(case, n)
    alone = case.new()
    if "cv" in case.params:
        kept = [
            (place[train[present[train]]], place[test[present[test]]])
            for train, test in explicit_folds(case, n)
        ]
        alone = case.new(cv=kept)
    got = fit(estimator, wild, sample_weight=present.astype(float))
    wanted = fit(alone, problem.rows(present))
    assert_same(answers(got, problem.X), answers(wanted, problem.X), max(case.accuracy, CLOSED))


def ratios_of_weights_matter(case):
    """Where the loss is a mean; a sum meets a penalty, a temperature or a prior of its own."""
    if case.cls in ("LpRegressor", "LinearNaiveBayes", "LinearProbe", "SortNRegress"):
        return False
    return case.weighted and not draws_rows(case)


@pytest.mark.parametrize("factor", SCALES.values(), ids=SCALES)
@for_cases(ratios_of_weights_matter)
def test_only_ratios_of_weights_matter(case, factor):
    problem = case.problem()
    weight = 1.0 + integer_weights(len(problem.X))
    got = fit(folded(case, len(weight)), problem, sample_weight=factor * weight)
    wanted = fit(folded(case, len(weight)), problem, sample_weight=weight)
    assert_same(answers(got, problem.X), answers(wanted, problem.X), max(case.accuracy, CLOSED))


# ------------------------------------------------------------------------------------------------
# columns


def permuted_params(case, order):
    """Parameters that speak of columns, for columns in another order."""
    changed = {}
    for name in ("penalty_weights", "groups", "tiers"):
        if case.params.get(name) is not None:
            changed[name] = np.asarray(case.params[name])[order]
    return changed


@for_cases(lambda case: not case.cls.startswith(("Deep", "Staged")))
def test_the_order_of_columns_does_not_matter(case):
    problem = case.problem()
    order = np.array([3, 0, 4, 1, 2])
    moved = problem._replace(X=problem.X[:, order])
    got = answers(fit(case.new(**permuted_params(case, order)), moved), moved.X)
    wanted = case.answers
    tolerance = max(case.accuracy, CLOSED)
    for name, value in wanted.items():
        if name in ("adjacency_matrix_", "edge_frequency_", "lagged_adjacency_"):
            wanted[name] = value[..., order[:, None], order]
        elif name == "parent_weights_" or (case.kind.__name__ == "nodes" and name == "predict"):
            wanted[name] = value[..., order]
        elif name == "transform" and value.shape == problem.X.shape:
            wanted[name] = value[:, order]
        elif name == "coreset":
            wanted[name] = np.column_stack([value[:, order], value[:, -1]])
    if "parent_weights_" in wanted:
        chosen = np.flatnonzero(wanted["parent_weights_"])
        wanted["transform"] = moved.X[:, chosen]
    assert_same(got, wanted, tolerance)


def has_intercept(case):
    """Whether a shift of the features moves nothing but an intercept or a mean."""
    if "fit_intercept" in case.params:
        return case.params["fit_intercept"]
    return True


OFFSETS = {"1e3": 1e3, "1e6": 1e6}


@pytest.mark.parametrize("offset", OFFSETS.values(), ids=OFFSETS)
@for_cases(has_intercept)
def test_an_offset_of_the_columns_moves_an_intercept_only(case, offset):
    """Data lose six digits at an offset of a million spreads, answers lose no more."""
    problem = case.problem()
    shift = offset * np.array([1.0, -2.0, 0.5, 0.0, 3.0])
    X = problem.X + shift
    unshifted = problem._replace(X=X - shift)  # what is left of the digits
    got = answers(fit(case.new(), problem._replace(X=X)), X)
    wanted = answers(fit(case.new(), unshifted), unshifted.X)
    if case.kind.__name__ == "nodes":
        wanted["predict"] = wanted["predict"] + shift
    if "parent_weights_" in wanted:
        wanted["transform"] = wanted["transform"] + shift[wanted["parent_weights_"] != 0]
    if "coreset" in wanted:
        wanted["coreset"] = wanted["coreset"] + np.append(shift, 0.0)
    assert_same(got, wanted, max(case.accuracy, digits_lost(case, offset), CLOSED))


def ignores_units(case):
    """Whether nothing depends on the unit of any column."""
    of_every_unit = ("LpRegressor", "NonNegativeLeastSquares", "SensitivitySampler")
    return bool(case.params.get("standardize")) or case.cls in (
        *of_every_unit,
        "StandardScaler",
        "StreamingCoreset",
    )


def ignores_a_common_unit(case):
    """Whether nothing depends on a unit that all columns have in common."""
    if case.is_graph:
        return case.params["affinity"] != "rbf"
    if case.cls == "CoresetEstimator":
        return case.is_regressor or case.is_classifier
    # random features: relu is homogeneous, and other kinds have a scale of their own
    return case.cls in ("GroupLassoCV", "LinearNaiveBayes", "LinearProbe") or case.cls.startswith(
        "RandomFeatureRidge"
    )


def of_a_common_unit(case, c):
    """The strengths of the same problem with all columns multiplied by c."""
    params = case.params
    if case.is_graph:
        return {"gamma": params["gamma"] / c**2}
    if "alpha" in params and "l1_ratio" in params:
        lasso, ridge = c * params["l1_ratio"], c**2 * (1 - params["l1_ratio"])
        return {"alpha": params["alpha"] * (lasso + ridge), "l1_ratio": lasso / (lasso + ridge)}
    return {"alpha": params["alpha"] * c} if case.cls == "GroupLasso" else None


def rescaled_columns(case, factors):
    """The parameters of the same problem with columns X_j c_j, None if there are none.

    Coefficients become w_j / c_j, so that penalty weights of the l1 norm become c_j omega_j. A
    ridge would need c_j^2 and a norm of a group one factor for all of it: for these only a common
    factor c can be undone, by alpha.
    """
    common = np.ptp(factors) == 0.0
    if case.cls.startswith("CoLiDE") or case.kind.__name__ in OF_GRAPHS:
        return {} if common else None
    if ignores_units(case):
        return {}
    if ignores_a_common_unit(case):
        return {} if common else None
    if case.cls == "RandomizedSmoothingClassifier":  # noise has one size for all columns
        return {"sigma": factors[0] * case.params["sigma"]} if common else None
    by_entries = "groups" not in case.params and case.params.get("l1_ratio", 1.0) == 1.0
    if "penalty_weights" in case.params and by_entries:
        return {"penalty_weights": factors}
    return of_a_common_unit(case, factors[0]) if common else None


@for_cases(lambda case: rescaled_columns(case, np.full(5, 2.0)) is not None)
@pytest.mark.parametrize("factor", SCALES.values(), ids=SCALES)
def test_a_common_unit_of_the_columns_can_be_undone(case, factor):
    factors = np.full(5, factor)
    assert_scale_undone(case, factors, rescaled_columns(case, factors))


@for_cases(lambda case: rescaled_columns(case, np.arange(1.0, 6.0)) is not None)
def test_units_of_single_columns_can_be_undone(case):
    factors = np.array([1e-6, 1.0, 1e3, 1e6, 1e-2])
    assert_scale_undone(case, factors, rescaled_columns(case, factors))


def assert_scale_undone(case, factors, params):
    problem = case.problem()
    scaled = problem._replace(X=problem.X * factors)
    if case.kind.__name__ == "node_and_parents":  # the target is a node among the others
        scaled = scaled._replace(y=problem.y * factors[0])
    got = answers(fit(case.new(**params), scaled), scaled.X)
    wanted = case.answers
    if case.kind.__name__ == "nodes":
        wanted["predict"] = wanted["predict"] * factors
    if "parent_weights_" in wanted:
        wanted["transform"] = wanted["transform"] * factors[wanted["parent_weights_"] != 0]
    if "coreset" in wanted:
        wanted["coreset"] = wanted["coreset"] * np.append(factors, 1.0)
    assert_same(got, wanted, max(case.accuracy, CLOSED))


@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e9], ids=str)
@for_cases(lambda case: "affinity" in case.params)
def test_a_unit_of_given_affinities_does_not_matter(case, unit):
    """Harmonic values are ratios of weights: those of a path 0 - 1 - 2 - 3 - 4 are exact."""
    W = np.zeros((5, 5))
    for i, weight in enumerate((1.0, 2.0, 3.0, 6.0)):
        W[i, i + 1] = W[i + 1, i] = weight * unit
    resistance = np.cumsum([0.0, 1.0, 1 / 2, 1 / 3, 1 / 6]) / 2.0
    for weights in (W, sparse.csr_array(W)):
        for solver in ("direct", "cg"):
            estimator = case.new(affinity="precomputed", solver=solver, tol=1e-12)
            estimator.fit(weights, [0, -1, -1, -1, 1])
            np.testing.assert_allclose(
                estimator.label_distributions_[:, 1], resistance, atol=case.accuracy
            )


@pytest.mark.parametrize("bridge", [1e-12, 1e-17, 1e-300], ids=str)
@for_cases(lambda case: "affinity" in case.params)
def test_a_weak_bridge_is_a_bridge(case, bridge):
    """Ends joined by weights eps and 2 eps: the middle sees one end twice as well, 1/3."""
    W = np.zeros((5, 5))
    for i, weight in enumerate((bridge, 1.0, 1.0, 2 * bridge)):
        W[i, i + 1] = W[i + 1, i] = weight
    for weights in (W, sparse.csr_array(W)):
        for solver in ("direct", "cg"):
            estimator = case.new(affinity="precomputed", solver=solver)
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                estimator.fit(weights, [0, -1, -1, -1, 1])
            found = estimator.label_distributions_[1:4, 0]
            assert np.allclose(found, 1 / 3, atol=1e-6) or said


# ------------------------------------------------------------------------------------------------
# targets


def rescaled_target(case, c):
    """The parameters of the same problem with the target c y, None if there are none.

    A squared loss of residuals c r with coefficients c w: the l1 norm grows by c where the loss
    grows by c^2, so alpha grows by c; a ridge keeps its strength.
    """
    params = case.params
    if case.cls in ("Lasso", "GroupLasso", "MultiTaskLasso"):
        return {"alpha": c * params["alpha"]}
    if case.cls == "HuberLasso":
        return {"alpha": c * params["alpha"], "delta": c * params["delta"]}
    if case.cls == "HuberLassoCV":
        return {"delta": c * params["delta"]}
    if case.cls == "SparsePoissonRegressor":
        return {"alpha": c * params["alpha"]}
    if case.cls == "ElasticNet":
        ratio = params["l1_ratio"]
        lasso, ridge = c * ratio, 1 - ratio
        return {"alpha": params["alpha"] * (lasso + ridge), "l1_ratio": lasso / (lasso + ridge)}
    if case.cls == "ElasticNetCV":
        return None  # its strengths share one ratio
    if case.kind.__name__ == "node_and_parents":
        return None  # the target is a node, in the unit of the others
    if case.cls == "OptimisticOMDRegressor":  # both penalties shrink by shares of the steps
        return {"radius": c * params["radius"], "l1": c * params["l1"]}
    if case.cls in ("DriftAdaptiveEnsemble", "OnlineSimplexAggregator"):
        return None  # learners are weighed by losses in their unit; weights sum to one
    return {}


def is_scalable(case):
    numeric = case.kind.__name__ in ("regression", "two_targets", "counts")
    return numeric and case.has_target and rescaled_target(case, 2.0) is not None


@pytest.mark.parametrize("factor", SCALES.values(), ids=SCALES)
@for_cases(is_scalable)
def test_a_unit_of_the_target_is_the_unit_of_the_predictions(case, factor):
    problem = case.problem()
    scaled = problem._replace(y=factor * problem.y)
    got = answers(fit(case.new(**rescaled_target(case, factor)), scaled), problem.X)
    wanted = case.answers
    if "predict" in wanted:
        wanted["predict"] = factor * wanted["predict"]
    assert_same(got, wanted, max(case.accuracy, CLOSED))


def digits_lost(case, offset):
    """What rounding takes from an answer at an offset of that many spreads.

    Scores of rows need a constant factor of accuracy only, and come from a Gram matrix, which loses
    the square of the condition number; everything else loses what the data lose.
    """
    return 1e-14 * offset**2 if draws_rows(case) else 1e-12 * abs(offset)


@pytest.mark.parametrize("offset", [1e3, -1e6], ids=["1e3", "-1e6"])
@for_cases(
    lambda case: is_scalable(case) and case.kind.__name__ != "counts" and has_intercept(case)
)
def test_an_offset_of_the_target_is_an_offset_of_the_predictions(case, offset):
    problem = case.problem()
    y = problem.y + offset
    shifted = problem._replace(y=y)
    rounded = problem._replace(y=y - offset)
    got = answers(fit(case.new(), shifted), problem.X)
    wanted = answers(fit(case.new(), rounded), problem.X)
    if "predict" in got:
        got["predict"] = got["predict"] - offset
    assert_same(got, wanted, max(case.accuracy, digits_lost(case, offset), CLOSED))


def test_what_scales_have_no_answer_is_known():
    """A new estimator is asked about its units: none may fall through `rescaled_columns`."""
    without = {case.cls for case in CASES if rescaled_columns(case, np.full(5, 2.0)) is None}
    assert without <= {
        "BalancedAssignment",  # columns are compared with one another
        # margins of energies have the unit of logits, and steps of Adam none of the columns
        "ClassIncrementalClassifier",
        "VORLogisticHead",
        "CoresetEstimator",  # that of its estimator
        "DomainSpecificClassifier",
        "DomainSpecificRegressor",
        "ElasticNetCV",  # its strengths share one ratio
        # what transport moves least depends on the units of the columns, one against another
        "GaussianTransport",
        "LinearTransportRestorer",
        "RandomFeatures",  # features have the unit of the columns
        "SparseTransportTransformer",
        # the ball of coefficients has their units, and the weights of experts have none
        "DriftAdaptiveEnsemble",
        "OnlineSimplexAggregator",
        "OptimisticOMDClassifier",
        "OptimisticOMDRegressor",
        "StagedTraining",  # that of its estimator
        "WeightedGaussianMixture",  # its start compares columns, and reg_covar has their unit
    }
