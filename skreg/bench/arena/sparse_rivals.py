"""Contestants of the race between sparse solvers: one adapter for each library.

An adapter takes a `Problem` and returns a function of the tolerance that solves it and returns the
coefficients (n_alphas, n_features) or (n_alphas, n_classes, n_features). It returns None if the
library does not solve such problems. What the adapter does before it returns is not timed: the
storage order that the library prefers, its own objects. To add a competitor, write its adapter and
add a line to `LIBRARIES`, to `FRESH` if it has estimators, and to `rivals.NEEDS`.
"""

import time
from typing import Any

import numpy as np
import scipy.sparse

from skreg.bench.arena.sparse_problems import (
    ELASTIC_NET,
    GROUP_LASSO,
    GROUP_SIZE,
    LASSO,
    LEAST_SQUARES,
    LOGISTIC,
    MULTINOMIAL,
    POISSON,
    alpha_max,
)

DESCENTS = 10_000  # more iterations than are needed, so that the tolerance decides when to stop,
NEWTON_STEPS = 300  # but few enough to end where rounding keeps a library from its tolerance
SAGA_EPOCHS = 2000  # in all, about fifteen seconds on the digits
LONGEST_PATH = 60.0  # processor seconds; skglm's Poisson paths take ten minutes and miss their gaps
STEPS_TO_ALPHA = 20


def skreg(problem):
    from skreg import optim

    groups = np.arange(problem.X.shape[1]) // GROUP_SIZE
    loss = {
        LOGISTIC: optim.Logistic(),
        MULTINOMIAL: optim.Multinomial(),
        POISSON: optim.Poisson(),
    }.get(problem.kind, optim.Quadratic())
    penalty: Any = {
        ELASTIC_NET: optim.ElasticNet(0.0, problem.l1_ratio),
        GROUP_LASSO: optim.GroupL2(0.0, groups),
    }.get(problem.kind, optim.L1(0.0))
    penalties = [penalty._replace(alpha=float(alpha)) for alpha in problem.alphas]
    target = problem.y.T

    def solve(tol):
        arguments = {"fit_intercept": False, "tol": tol}
        if len(penalties) == 1:
            solutions = [optim.solve(problem.X, target, loss, penalties[0], **arguments)]
        else:
            solutions = optim.solve_path(problem.X, target, loss, penalties, **arguments)
        return np.array([solution.coef for solution in solutions])

    return solve


def celer(problem):
    if problem.kind in (MULTINOMIAL, POISSON):
        return None
    from celer.homotopy import celer_path

    arguments = {"pb": "lasso", "l1_ratio": problem.l1_ratio, "max_iter": 100}
    alphas = problem.alphas
    if problem.kind == GROUP_LASSO:
        arguments |= {"pb": "grouplasso", "groups": GROUP_SIZE}
    if problem.kind == LOGISTIC:
        arguments |= {"pb": "logreg", "use_PN": True}
        alphas = alphas * len(problem.y)

    def solve(tol):
        return celer_path(problem.X, problem.y, alphas=alphas, tol=tol, **arguments)[1].T

    return solve


def skglm(problem):
    if problem.kind == MULTINOMIAL:
        return None
    from skglm import datafits, penalties, solvers

    n_features = problem.X.shape[1]
    starts = np.arange(0, n_features + 1, GROUP_SIZE, dtype=np.int32)
    members = np.arange(n_features, dtype=np.int32)
    solver: Any = solvers.AndersonCD(max_iter=100, fit_intercept=False)
    datafit: Any = datafits.Quadratic()
    if problem.kind == GROUP_LASSO:
        solver = solvers.GroupBCD(max_iter=1000, fit_intercept=False)
        datafit = datafits.QuadraticGroup(starts, members)
    elif problem.kind in (LOGISTIC, POISSON):
        solver = solvers.ProxNewton(max_iter=100, fit_intercept=False)
        datafit = datafits.Logistic() if problem.kind == LOGISTIC else datafits.Poisson()
    scale = alpha_max(problem)  # skglm's tolerance is an absolute violation of optimality

    def penalty(alpha):
        if problem.kind == ELASTIC_NET:
            return penalties.L1_plus_L2(alpha, problem.l1_ratio)
        if problem.kind == GROUP_LASSO:
            return penalties.WeightedGroupL2(alpha, np.ones(len(starts) - 1), starts, members)
        return penalties.L1(alpha)

    def solve(tol):
        solver.tol = tol * scale
        w, coefs, start = np.zeros(n_features), [], time.process_time()
        for alpha in problem.alphas:
            if time.process_time() - start < LONGEST_PATH:
                w = solver.solve(problem.X, problem.y, datafit, penalty(alpha), w, problem.X @ w)[0]
            coefs.append(w.copy())
        return np.array(coefs)

    return solve


def scikit_learn(problem):
    if problem.kind in (LASSO, ELASTIC_NET):
        return _scikit_learn_descent(problem)
    return _scikit_learn_saga(problem) if problem.kind == MULTINOMIAL else None


def _scikit_learn_descent(problem):
    from sklearn.linear_model import enet_path

    arguments = {"l1_ratio": problem.l1_ratio, "alphas": problem.alphas, "max_iter": DESCENTS}

    def solve(tol):
        return enet_path(problem.X, problem.y, tol=tol, **arguments)[1].T

    return solve


def _scikit_learn_saga(problem):
    X, labels = np.ascontiguousarray(problem.X), problem.y.argmax(axis=0)
    epochs = SAGA_EPOCHS // len(problem.alphas)

    def solve(tol):
        return _logistic_coefs(problem, X, labels, solver="saga", tol=tol, max_iter=epochs)

    return solve


def liblinear(problem):
    if problem.kind != LOGISTIC:
        return None
    X = problem.X.tocsr() if scipy.sparse.issparse(problem.X) else np.ascontiguousarray(problem.X)
    arguments = {"solver": "liblinear", "max_iter": NEWTON_STEPS}

    def solve(tol):
        return _logistic_coefs(problem, X, problem.y, tol=tol, **arguments)[:, 0]

    return solve


def _logistic_coefs(problem, X, labels, **arguments):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        l1_ratio=1.0, fit_intercept=False, warm_start=True, random_state=0, **arguments
    )
    coefs = [
        model.set_params(C=1 / (len(labels) * alpha)).fit(X, labels).coef_.copy()
        for alpha in problem.alphas
    ]
    return np.array(coefs)


def adelie(problem):
    if problem.kind == MULTINOMIAL:
        return None
    import adelie as ad

    if scipy.sparse.issparse(problem.X):
        X = ad.matrix.sparse(problem.X, method="naive", n_threads=1)
    else:
        X = ad.matrix.dense(problem.X, method="naive", n_threads=1)
    n_features = problem.X.shape[1]
    glm = {
        LOGISTIC: lambda: ad.glm.binomial((problem.y > 0).astype(float)),
        POISSON: lambda: ad.glm.poisson(problem.y),
    }.get(problem.kind, lambda: ad.glm.gaussian(problem.y))()
    groups = np.arange(0, n_features, GROUP_SIZE if problem.kind == GROUP_LASSO else 1)
    alphas = problem.alphas
    if len(alphas) == 1:  # it is made for paths: from the zero solution to the strength
        alphas = np.geomspace(max(alpha_max(problem), alphas[0]), alphas[0], STEPS_TO_ALPHA)
    arguments = {
        "groups": groups,
        "penalty": np.ones(len(groups)),
        "alpha": problem.l1_ratio,
        "lmda_path": alphas,
        "intercept": False,
        "early_exit": False,
        "progress_bar": False,
    }

    def solve(tol):
        extra = {} if problem.kind in LEAST_SQUARES else {"irls_tol": tol}
        betas = ad.grpnet(X, glm, tol=tol, **extra, **arguments).betas
        coefs = np.zeros((len(alphas), n_features))
        coefs[: betas.shape[0]] = betas.toarray()
        return coefs[-len(problem.alphas) :]

    return solve


LIBRARIES = {
    "skreg": skreg,
    "celer": celer,
    "skglm": skglm,
    "scikit-learn": scikit_learn,
    "liblinear": liblinear,
    "adelie": adelie,
}
FRESH = {
    "skreg": "from skreg.linear_model import Lasso",
    "celer": "from celer import Lasso",
    "skglm": "from skglm import Lasso",
    "scikit-learn": "from sklearn.linear_model import Lasso",
}
