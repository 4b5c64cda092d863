"""The estimators that the contract is about, with a small problem that suits each.

`discover` walks the public packages, so that an estimator is asked everything from the day on which
it is exported. What cannot be guessed of it (arguments without a default, settings that make it
fast, a kind of problem that its tags do not tell) is one line in `SETTINGS`.
"""

import copy
import functools
import importlib
import importlib.util
import inspect
import pkgutil
import warnings
from typing import Any, NamedTuple

import numpy as np
import pytest
from exemptions import NO_CASE
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import skreg
from skreg.causal import CoLiDE
from skreg.coreset import SensitivitySampler
from skreg.datasets import make_linear_sem, make_structural_var
from skreg.online import OptimisticOMDClassifier, OptimisticOMDRegressor
from skreg.probe import LinearNaiveBayes

ROUNDING = 1e-9  # the same computation, or one whose sums come in another order
CLOSED = 1e-7  # closed forms in another order, or at another scale
SOLVED = 1e-4  # a duality gap of 1e-10 bounds coefficients by its root, times a condition number
SINGLE = 1e-2  # a few steps of a network, or data in single precision


def public_packages():
    """The public packages of skreg, those of an extra only where it is installed."""
    names = [f"skreg.{name}" for name in skreg.__all__ if not name.startswith("_")]
    while names:
        name = names.pop()
        if name == "skreg.deep" and importlib.util.find_spec("skorch") is None:
            continue
        package = importlib.import_module(name)
        yield package
        names.extend(
            f"{name}.{module.name}"
            for module in pkgutil.iter_modules(getattr(package, "__path__", ()))
            if module.ispkg and not module.name.startswith("_")
        )


def public_classes():
    """Every public class of skreg, once, by name."""
    found = {}
    for package in public_packages():
        for name in getattr(package, "__all__", ()):
            value = getattr(package, name)
            if inspect.isclass(value):
                found[f"{value.__module__}.{name}"] = value
    return [found[name] for name in sorted(found)]


def discover():
    """Every public class that can be fitted."""
    return [
        cls
        for cls in public_classes()
        if issubclass(cls, BaseEstimator)
        and hasattr(cls, "fit")
        and not inspect.isabstract(cls)
        and cls.__name__ not in NO_CASE
    ]


class Problem(NamedTuple):
    """Features and target, None if the estimator has none."""

    X: Any
    y: Any = None

    def rows(self, indices):
        return Problem(self.X[indices], None if self.y is None else self.y[indices])


# ------------------------------------------------------------------------------------------------
# problems: (X, y) of about n rows and p columns; neither depends on the estimator


def _features(rng, n, p):
    return rng.normal(size=(n, p))


def regression(rng, n=60, p=5):
    X = _features(rng, n, p)
    return Problem(X, 2.0 + X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=n))


def two_targets(rng, n=60, p=5):
    X, y = regression(rng, n, p)
    return Problem(X, np.column_stack([y, X[:, 1] + X[:, 2] + rng.normal(size=n)]))


def counts(rng, n=60, p=5):
    X = _features(rng, n, p)
    return Problem(X, rng.poisson(np.exp(0.5 + 0.5 * X[:, 0] - 0.3 * X[:, 1])).astype(float))


def _score(rng, X):
    return 1.5 * X[:, 0] - X[:, 1] + rng.logistic(size=len(X))


def two_classes(rng, n=60, p=5):
    X = _features(rng, n, p)
    return Problem(X, (_score(rng, X) > 0.0).astype(int))


def ordered_classes(rng, n=75, p=5):
    """Three classes in an order; every one occurs in each third of the rows."""
    X = _features(rng, n, p)
    score = _score(rng, X)
    return Problem(X, np.digitize(score, np.quantile(score, [0.4, 0.75])))


def partly_labelled(rng, n=75, p=5):
    """Three clusters; one label in three is known."""
    y = np.arange(n) % 3
    X = _features(rng, n, p) + 3.0 * np.eye(3, p)[y]
    return Problem(X, np.where(rng.random(n) < 0.35, y, -1))


def unlabelled(rng, n=60, p=5):
    return Problem(_features(rng, n, p))


def nodes(rng, n=200, p=5):
    sem = make_linear_sem(n, p, edges_per_node=1, random_state=int(rng.integers(2**31)))
    return Problem(sem.X)


def series(rng, n=200, p=5):
    seed = int(rng.integers(2**31))
    return Problem(make_structural_var(n, p, largest_root=0.6, random_state=seed).X)


def node_and_parents(rng, n=200, p=5):
    X = nodes(rng, n, p).X
    return Problem(X, X[:, 0] - X[:, 1] + rng.normal(size=len(X)))


KINDS = {
    kind.__name__: kind
    for kind in (
        regression,
        two_targets,
        counts,
        two_classes,
        ordered_classes,
        partly_labelled,
        unlabelled,
        nodes,
        series,
        node_and_parents,
    )
}
OF_GRAPHS = ("nodes", "series", "node_and_parents")  # kinds whose columns cause one another


def guessed_kind(estimator):
    """The kind of problem that an estimator's tags ask for."""
    tags = get_tags(estimator)
    if tags.estimator_type == "classifier":
        return ordered_classes if tags.classifier_tags.multi_class else two_classes
    if tags.target_tags.positive_only:
        return counts
    if not tags.target_tags.single_output:
        return two_targets
    return regression


# ------------------------------------------------------------------------------------------------
# settings: only what cannot be guessed


class Setting(NamedTuple):
    """Arguments of an estimator and, if its tags do not tell it, the kind of its problem."""

    name: str
    params: dict
    kind: Any = None
    accuracy: float | None = None


SHARP = {"tol": 1e-10}
PATH = {"alphas": 4, "eps": 1e-3, "cv": 2}
DAG = {"mode": "fast", "warm_iter": 1500, "max_iter": 1500, "checkpoint": 300}
FAST_DAG = CoLiDE("ev", **DAG)
NETWORK = {
    "max_epochs": 3,
    "lr": 0.01,
    "batch_size": 32,
    "dtype": "float64",
    "device": "cpu",
    "random_state": 0,
    "net_params": {"module__width": 8},
}
# an odd number of draws and a level near 1, so that nothing abstains
LANDMARKS = {"n_components": 12, "kind": "erf", "draw": "rows", "random_state": 0}
SMOOTHING = {"n0": 50, "n": 501, "alpha": 0.999, "abstain_label": -11, "random_state": 0}
SAMPLER = SensitivitySampler(n_samples=40, random_state=0)


def staged_training():
    """Cases of a meta-estimator over estimators of an extra."""
    if importlib.util.find_spec("skorch") is None:
        return {}
    from skreg.deep import DeepClassifier, DeepRegressor

    stages = [("head", {"trainable": ["head.*"], "max_epochs": 1}), ("all", {"max_epochs": 2})]
    return {
        "StagedTraining": [
            Setting("classifier", {"estimator": DeepClassifier(**NETWORK), "stages": stages}),
            Setting("regressor", {"estimator": DeepRegressor(**NETWORK), "stages": stages}),
        ]
    }


def tasks_in_turn():
    """Cases of heads whose classes come one task at a time; chunks of a stream repeat classes."""
    if importlib.util.find_spec("torch") is None:
        return {}
    from torch.nn import Identity

    from skreg.deep.torch import VirtualOutlierSynthesizer

    params = {
        "synthesizer": VirtualOutlierSynthesizer(n_neighbors=5, n_boundary=5, n_draws=10),
        "max_epochs": (4, 2),
        "allow_repeated": True,
        "random_state": 0,
    }
    return {
        "ClassIncrementalClassifier": [Setting("", {"module": Identity(), "lr": 0.01, **params})],
        "VORLogisticHead": [Setting("", params), Setting("binary", params, two_classes)],
    }


SETTINGS = {
    "Lasso": [
        Setting("", {"alpha": 0.05, **SHARP}),
        Setting("positive", {"alpha": 0.05, "positive": True, **SHARP}),
    ],
    "ElasticNet": [Setting("", {"alpha": 0.1, **SHARP})],
    "GroupLasso": [
        Setting("", {"groups": ["a", "a", "b", "b", "c"], "alpha": 0.05, **SHARP}),
    ],
    "MultiTaskLasso": [Setting("", {"alpha": 0.05, **SHARP})],
    "NonNegativeLeastSquares": [Setting("", SHARP)],
    "HuberLasso": [Setting("", {"alpha": 0.05, "delta": 0.5, **SHARP})],
    "SparsePoissonRegressor": [Setting("", {"alpha": 0.05, **SHARP})],
    "SparseLogisticRegression": [
        Setting("", {"alpha": 0.02, **SHARP}),
        Setting("binary", {"alpha": 0.02, **SHARP}, two_classes),
        Setting("rows", {"alpha": 0.02, "row_groups": True, **SHARP}),
        Setting("ridge", {"alpha": 0.05, "l1_ratio": 0.5, **SHARP}),
    ],
    "LassoCV": [Setting("", PATH)],
    "ElasticNetCV": [Setting("", PATH)],
    "GroupLassoCV": [Setting("", PATH)],
    "MultiTaskLassoCV": [Setting("", PATH)],
    "HuberLassoCV": [Setting("", PATH)],
    "SparsePoissonRegressorCV": [Setting("", PATH)],
    "SparseLogisticRegressionCV": [
        Setting("", PATH),
        Setting("binary", PATH, two_classes),
    ],
    "PrestoClassifier": [
        Setting("", {"alpha": 0.02, **SHARP}),
        Setting("binary", {"alpha": 0.02, **SHARP}, two_classes),
    ],
    "ProportionalOddsClassifier": [
        Setting("", {"alpha": 0.01, **SHARP}),
        Setting("binary", {"alpha": 0.01, **SHARP}, two_classes),
    ],
    "PrestoClassifierCV": [Setting("", {"alphas": 3, "eps": 0.1, "cv": 2, "tol": 1e-10})],
    "LinearNaiveBayes": [
        Setting("", {}, accuracy=CLOSED),
        Setting("binary", {}, two_classes, CLOSED),
    ],
    "LinearProbe": [
        Setting("", {}, accuracy=SOLVED),
        Setting("closed", {"logistic": False}, two_classes, CLOSED),
        Setting(
            "one member",
            {"scaling": 1.0, "shrinkage": 0.2, "sharpness": 0.5, "logistic": False},
            accuracy=CLOSED,
        ),
        Setting("quadratic", {"logistic": False, "quadratic": True}, accuracy=CLOSED),
    ],
    "GraphLabelPropagation": [
        Setting("", {"max_iter": 500}, partly_labelled, CLOSED),
        Setting("rbf", {"affinity": "rbf", "gamma": 0.5, "max_iter": 500}, partly_labelled, CLOSED),
    ],
    "CoLiDE": [
        Setting("", {"noise": "nv", **DAG}, nodes, 1e-3),
        Setting("ev", {"noise": "ev", **DAG}, nodes, 1e-3),
        Setting(
            "bic", {"noise": "ev", "alpha": "bic", "alphas": (0.5, 0.2, 0.1), **DAG}, nodes, 1e-3
        ),
    ],
    "BootstrapDAG": [
        Setting("", {"estimator": FAST_DAG, "n_bootstraps": 3, "random_state": 0}, nodes, 1e-3)
    ],
    "SelectParents": [Setting("", {"estimator": FAST_DAG}, node_and_parents, 1e-3)],
    "SortNRegress": [Setting("", {}, nodes, CLOSED)],
    "StructuralVAR": [
        Setting("", DAG, series, 1e-3),
        Setting("ev", {"order": 2, "noise": "ev", "alpha": 0.1, **DAG}, series, 5e-3),
    ],
    "SensitivitySampler": [
        Setting("", {"n_samples": 40, "random_state": 0}, accuracy=CLOSED),
        Setting("classes", {"n_samples": 40, "random_state": 0}, ordered_classes, CLOSED),
    ],
    "StreamingCoreset": [
        Setting("", {"n_samples": 20, "buffer_size": 30, "random_state": 0}, accuracy=CLOSED)
    ],
    "WeightedGaussianMixture": [
        Setting(
            "",
            {"n_components": 2, "max_iter": 1000, "tol": 1e-10, "random_state": 0},
            unlabelled,
            SOLVED,
        )
    ],
    "LpRegressor": [
        Setting("", SHARP),
        Setting("linear", {"p": 1.0}),
    ],
    "CoresetEstimator": [
        Setting(
            "classifier",
            {"estimator": LinearNaiveBayes(), "sampler": SAMPLER},
            ordered_classes,
            CLOSED,
        ),
        Setting(
            "regressor", {"estimator": LinearRegression(), "sampler": SAMPLER}, accuracy=CLOSED
        ),
        Setting(
            "transformer", {"estimator": StandardScaler(), "sampler": SAMPLER}, accuracy=CLOSED
        ),
    ],
    "GaussianTransport": [Setting("", {}, unlabelled, CLOSED)],
    "LinearTransportRestorer": [Setting("", {}, unlabelled, CLOSED)],
    "SparseTransportTransformer": [Setting("", {}, unlabelled, SOLVED)],
    "BalancedAssignment": [Setting("", {}, unlabelled, SOLVED)],
    "RandomizedSmoothingClassifier": [
        Setting("", {"estimator": LinearNaiveBayes(), **SMOOTHING}, accuracy=CLOSED),
    ],
    "DomainSpecificClassifier": [
        Setting("", {"estimator": LinearNaiveBayes(), "random_state": 0}, accuracy=CLOSED),
        Setting(
            "entropy",
            {"estimator": LinearNaiveBayes(), "selection": "entropy", "random_state": 0},
            two_classes,
        ),
    ],
    "DomainSpecificRegressor": [
        Setting("", {"estimator": Ridge(alpha=0.1)}, accuracy=CLOSED),
        Setting("soft", {"estimator": LinearRegression(), "combine": "soft"}, two_targets, CLOSED),
    ],
    "OptimisticOMDRegressor": [
        Setting("", {}, accuracy=CLOSED),
        Setting("whole vectors", {"l1": 0.01, "alpha": 0.01}, accuracy=CLOSED),
    ],
    "OptimisticOMDClassifier": [
        Setting("", {}, accuracy=CLOSED),
        Setting("binary", {}, two_classes, CLOSED),
    ],
    "DriftAdaptiveEnsemble": [
        Setting("regressor", {"base": OptimisticOMDRegressor()}, accuracy=CLOSED),
        Setting("classifier", {"base": OptimisticOMDClassifier()}, ordered_classes, CLOSED),
    ],
    "OnlineSimplexAggregator": [Setting("", {}, accuracy=CLOSED)],
    "RandomFeatures": [
        Setting("", {"n_components": 12, "random_state": 0}, unlabelled, CLOSED),
        Setting("landmarks", LANDMARKS, unlabelled, CLOSED),
    ],
    "RandomFeatureRidge": [
        Setting("", {"n_components": 100, "random_state": 0}, accuracy=SOLVED),
        Setting("limit", {"n_components": "inf", "kind": "erf", "random_state": 0}),
        Setting("batches", {"n_components": 8, "alpha": "gcv", "random_state": 0}),
        Setting("landmarks", LANDMARKS),
    ],
    "RandomFeatureRidgeClassifier": [
        Setting("", {"n_components": 100, "random_state": 0}),
        Setting("binary", {"n_components": 100, "random_state": 0}, two_classes),
    ],
    "DeepAutoencoder": [Setting("", NETWORK, unlabelled)],
    "DeepClassifier": [Setting("", NETWORK)],
    "DeepRegressor": [Setting("", NETWORK)],
    **staged_training(),
    **tasks_in_turn(),
}


class Case(NamedTuple):
    """An estimator with its settings, not fitted, and what problem it is given."""

    name: str
    estimator: Any
    kind: Any
    accuracy: float

    def __str__(self):
        return self.name

    @property
    def cls(self):
        return type(self.estimator).__name__

    @property
    def params(self):
        return self.estimator.get_params(deep=False)

    def new(self, **params):
        """A new estimator with the case's settings, some of them changed."""
        return clone(self.estimator).set_params(**params)

    def problem(self, seed=0, **size):
        return self.kind(np.random.default_rng(seed), **size)

    @property
    def tags(self):
        return get_tags(self.estimator)

    @property
    def is_classifier(self):
        return self.tags.estimator_type == "classifier"

    @property
    def is_regressor(self):
        return self.tags.estimator_type == "regressor"

    @property
    def is_graph(self):
        return self.kind is partly_labelled

    @property
    def is_ordinal(self):
        return "class_order" in self.params

    @property
    def has_target(self):
        return self.problem().y is not None

    @property
    def weighted(self):
        return "sample_weight" in inspect.signature(self.estimator.fit).parameters

    @property
    def fitted(self):
        """A copy of the case fitted on its first problem."""
        return copy.deepcopy(_fitted(self.name))

    @property
    def answers(self):
        """What the case fitted on its first problem answers there."""
        return dict(_answers(self.name))


def _cases():
    for cls in discover():
        for setting in SETTINGS.get(cls.__name__, [Setting("", {})]):
            estimator = cls(**setting.params)
            name = cls.__name__ + (f"-{setting.name}" if setting.name else "")
            kind = setting.kind or guessed_kind(estimator)
            yield Case(name, estimator, kind, setting.accuracy or SOLVED)


CASES = list(_cases())
BY_NAME = {case.name: case for case in CASES}


def for_cases(condition=lambda case: True):
    """Parametrise a test over the cases that meet a condition."""
    chosen = [case for case in CASES if condition(case)]
    return pytest.mark.parametrize("case", chosen, ids=str)


@functools.cache
def _fitted(name):
    case = BY_NAME[name]
    return fit(case.new(), case.problem())


@functools.cache
def _answers(name):
    return answers(_fitted(name), BY_NAME[name].problem().X)


# ------------------------------------------------------------------------------------------------
# fitting and asking


def fit(estimator, problem, **params):
    """Fit without a word; what is said is asked in `test_degenerate` and `test_certificate`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(*without_target(problem), **params)


def without_target(problem):
    return (problem.X,) if problem.y is None else (problem.X, problem.y)


METHODS = (
    "predict_proba",
    "predict",
    "transform",
    "predict_cumulative_proba",
)
LEARNED = (
    "adjacency_matrix_",
    "edge_frequency_",
    "lagged_adjacency_",
    "parent_weights_",
    "label_distributions_",
    "sample_indices_",
    "sample_weight_",
    "inclusion_proba_",
)


def answers(estimator, X):
    """What a user reads off a fitted estimator, by name."""
    found = {}
    if hasattr(estimator, "predict_proba"):  # labels may flip where two classes tie
        methods = [method for method in METHODS if method != "predict"]
    else:
        methods = METHODS
    for method in methods:
        if hasattr(estimator, method):
            found[method] = dense(getattr(estimator, method)(X))
    for name in LEARNED:
        if hasattr(estimator, name):
            found[name] = np.asarray(getattr(estimator, name))
    if hasattr(estimator, "get_coreset"):
        rows, _, weight = estimator.get_coreset()
        found["coreset"] = np.column_stack([dense(rows), weight])
    assert found, f"{type(estimator).__name__} answers nothing: add what it learns to LEARNED"
    return found


def class_scores(estimator, X):
    """Probabilities or, of a classifier without these, decision values; a column for each class."""
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(X)
    scores = estimator.decision_function(X)
    return scores if scores.ndim == 2 else np.column_stack([-scores, scores])


def learned(estimator):
    """Numbers among the learned attributes, by name."""
    found = {}
    for name, value in vars(estimator).items():
        if name.endswith("_") and not name.startswith("_"):
            value = value.toarray() if sparse.issparse(value) else value
            if isinstance(value, (np.ndarray, float, int, str, bool, np.generic)):
                array = np.asarray(value)
                if array.dtype.kind in "biufUSO":
                    found[name] = array
    return found


def dense(values):
    return values.toarray() if sparse.issparse(values) else np.asarray(values)


def assert_same(actual, expected, tolerance):
    """Every answer agrees to a share of the spread of the expected one."""
    assert actual.keys() == expected.keys()
    for name, wanted in expected.items():
        got = actual[name]
        assert got.shape == wanted.shape, f"{name}: shape {got.shape}, expected {wanted.shape}"
        if wanted.dtype.kind not in "iuf":
            np.testing.assert_array_equal(got, wanted, err_msg=name)
            continue
        finite = wanted[np.isfinite(wanted)]
        spread = max(np.ptp(finite), np.abs(finite).max() * 1e-3) if finite.size else 1.0
        np.testing.assert_allclose(
            got.astype(float), wanted, rtol=0.0, atol=tolerance * (spread or 1.0), err_msg=name
        )
