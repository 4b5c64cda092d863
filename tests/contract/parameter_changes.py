"""For every parameter of an estimator a second value, from its constraints or from a table."""

from numbers import Integral, Real

import numpy as np
import pytest
from estimator_cases import CASES, DAG, NETWORK, two_classes
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions

from skreg.causal import CoLiDE, SortNRegress
from skreg.coreset import SensitivitySampler
from skreg.probe import LinearNaiveBayes

WITHOUT_MEANING = {
    "curvature": "belongs to a positive strength, asked in tests of its own",
    "geometry": "belongs to losses that are exp-concave, asked in tests of its own",
    "tuning": "needs bounds on gradients and curvature, asked in tests of its own",
    "update": "belongs to other parameters, asked in tests of its own",
    "stratify": "belongs to classes, asked in tests of its own",
    "excess": "of estimators whose cost is known, asked in tests of its own",
    "compile": "how a network is computed, and minutes of compilation",
    "device": "there may be only one",
    "criterion": "a loss of torch, whose parameters are its own",
    "module": "another architecture, whose parameters are its own",
    "callbacks": "objects of skorch",
    "image_shape": "belongs to the size of patches, asked in tests of its own",
    "patch_size": "belongs to the shape of an image, asked in tests of its own",
    "warm_start": "how to go on, asked in tests of its own",
}


RULES = ("bic", "gcv", "loo", "scale")  # words in place of a number


def _other_solver(case):
    """Infinitely many features leave no choice; all others have one."""
    if case.params.get("n_components") == "inf":
        return "kernel"
    options = type(case.estimator)._parameter_constraints["solver"][0].options
    return min(options - {case.params["solver"]})


def _first_out(case):
    groups = case.params.get("groups")  # the penalty has a weight for each group, or each feature
    size = case.problem().X.shape[1] if groups is None else len(set(groups))
    return np.r_[np.inf, np.ones(size - 1)]


def _other_order(case):
    return [1, 0] if case.kind is two_classes else [1, 0, 2]


def _other_base(case):
    return clone(case.params["base"]).set_params(radius=3.0)


def _other_estimator(case):
    if case.cls == "RandomizedSmoothingClassifier":
        return LinearNaiveBayes(shrinkage=0.5)
    if case.cls == "CoresetEstimator":
        if case.is_classifier:
            return LinearNaiveBayes(shrinkage=0.5)
        return Ridge() if case.is_regressor else StandardScaler(with_std=False)
    if case.cls.startswith("DomainSpecific"):
        return LinearNaiveBayes(shrinkage=0.5) if case.is_classifier else Ridge(alpha=5.0)
    if case.cls == "StagedTraining":
        return case.estimator.estimator.__class__(**{**NETWORK, "lr": 0.02})
    return SortNRegress() if case.cls == "SelectParents" else CoLiDE("nv", **DAG)


def _other_loss(case):
    if case.cls == "CoresetEstimator":
        return lambda estimator, X, y: np.ones(len(X))
    options = type(case.estimator)._parameter_constraints["loss"][0].options
    return sorted(options - {case.params["loss"]})[0]


ALTERNATIVES = {
    "abstain_label": lambda case: -7,
    "affinity": lambda case: "rbf" if case.params["affinity"] == "knn" else "knn",
    "alphas": lambda case: [0.3, 0.1],
    "base": _other_base,
    "beta_1": lambda case: 0.9,
    "beta_2": lambda case: 0.99,
    "buffer_size": lambda case: 25,
    "chunk_size": lambda case: 7,
    "class_order": _other_order,
    "clip": lambda case: (-0.5, 0.5),
    "cv": lambda case: KFold(4),
    "discriminator": lambda case: LinearNaiveBayes(),
    "encoder": lambda case: PCA(2),
    "eps": lambda case: 0.5 if case.cls == "SensitivitySampler" else 0.2,
    "estimator": _other_estimator,
    "eta": lambda case: 0.3,
    "exclude_edges": lambda case: [(0, 1), (1, 2)],
    "exclude_lagged_edges": lambda case: [(0, 0), (1, 2)],
    "featurizer": lambda case: StandardScaler(),
    "groups": lambda case: [0, 1, 1, 0, 2],
    "include_edges": lambda case: [(0, 1)],
    "include_y": lambda case: None,
    "init": lambda case: np.triu(np.full((5, 5), 0.1), 1),
    "learning_rate": lambda case: 2e-3,
    "loss": _other_loss,
    "maps": lambda case: ("argmax",),
    "max_epochs": lambda case: (2, 2) if isinstance(case.params["max_epochs"], tuple) else 4,
    "max_nz": lambda case: 20,
    "metric": lambda case: "manhattan",
    "net_params": lambda case: {"module__width": 4},
    "p": lambda case: 3.0,
    "pool": lambda case: [0.01, 0.1],
    "penalty_weights": _first_out,
    "proportional": lambda case: [0],
    "priors": lambda case: np.arange(1.0, 4.0) / 6 if case.kind is not two_classes else [0.2, 0.8],
    "random_state": lambda case: 1,
    "regularizer": lambda case: None,
    "regularizers": lambda case: _sharpness_aware(),
    "optimizer": lambda case: _plain_descent(),
    "s": lambda case: (1.0, 0.8),
    "sampler": lambda case: SensitivitySampler(n_samples=30, random_state=1),
    "scale": lambda case: "global",
    "scoring": lambda case: "accuracy" if case.is_classifier else "neg_mean_absolute_error",
    "scores": lambda case: "leverage",
    "smoothing": lambda case: "absolute",
    "step_size": lambda case: 0.03,
    "solver": _other_solver,
    "stages": lambda case: [("once", {"max_epochs": 2})],
    "standardize": lambda case: False,
    "trainable": lambda case: ["*weight*"],
    "synthesizer": lambda case: "none",
    "temperature": lambda case: 2.0,
    "temperatures": lambda case: [1.0, 5.0],
    "tiers": lambda case: [0, 0, 1, 1, 2],
    "tol": lambda case: 10.0 * case.params["tol"],
}


def _sharpness_aware():
    from skreg.deep.regularizers import SAM

    return [("sam", SAM())]


def _plain_descent():
    from torch.optim import SGD

    return SGD


def alternative(case, name):
    """Another value of a parameter, None if none is known."""
    value = case.params[name]
    if name in ALTERNATIVES:
        return ALTERNATIVES[name](case)
    if isinstance(value, (bool, np.bool_)):
        return not value
    for constraint in type(case.estimator)._parameter_constraints.get(name, ()):
        if isinstance(constraint, StrOptions):
            others = sorted(constraint.options - {value})
            if others:
                return others[0]
        if constraint == "verbose":
            return 0
        if isinstance(constraint, Interval) and constraint.type is Integral:
            return 3 if value is None or isinstance(value, str) else value + 1
        if isinstance(constraint, Interval) and constraint.type is Real:
            return _other_number(value, constraint)
    return 2 if name == "n_jobs" else None


def _other_number(value, interval):
    candidates = [0.3, 0.7] if value in (None, 0.0, *RULES) else [0.4 * value, 2.5 * value, 0.5]
    return next(number for number in candidates if number in interval and number != value)


def can_change(case, name):
    """Whether an alternative is known, None included."""
    return alternative(case, name) is not None or name in ("include_y", "regularizer")


def for_parameters(condition=lambda case: True):
    """Parametrise a test over cases and the parameters that it can change."""
    rows = [
        pytest.param(case, name, id=f"{case}-{name}")
        for case in CASES
        if condition(case)
        for name in case.params
        if name not in WITHOUT_MEANING and can_change(case, name)
    ]
    return pytest.mark.parametrize(("case", "name"), rows)


def without_alternative():
    """Parameters that no alternative is known for."""
    return sorted(
        f"{case}: {name}"
        for case in CASES
        for name in case.params
        if name not in WITHOUT_MEANING and not can_change(case, name)
    )
