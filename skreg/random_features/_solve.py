"""Coefficients, strength and errors, by whichever decomposition is the smaller one."""

from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from skreg._summary import summary
from skreg.random_features._criteria import (
    Choice,
    Criterion,
    choose,
    default_alphas,
    gcv,
    left_out_squares,
)
from skreg.random_features._features import RandomFeatures
from skreg.random_features._rows import (
    KEPT_BYTES,
    Targets,
    gathered_from,
    left_out_from,
    left_vectors,
)
from skreg.random_features._spectrum import (
    Centred,
    Gathered,
    GramSide,
    RowSide,
    Spectrum,
    centred_features,
    centred_kernel,
    kernel_of_features,
)


class Rule(NamedTuple):
    """How the strength is chosen.

    Attributes
    ----------
    criterion : {"loo", "gcv"}
        Which errors are compared.
    alphas : int or ndarray of shape (n_alphas,)
        Size of the default grid, or the strengths, increasing.
    centre : bool
        Whether there is an intercept.
    """

    criterion: Literal["loo", "gcv"]
    alphas: int | np.ndarray
    centre: bool

    def choose(self, spectrum: Spectrum, criterion: Criterion) -> Choice:
        """The best strength; between those of the default grid too."""
        if isinstance(self.alphas, int):
            return choose(criterion, default_alphas(spectrum, self.alphas), refine=True)
        return choose(criterion, self.alphas, refine=False)


class Solution(NamedTuple):
    """What a fit has found.

    Attributes
    ----------
    spectrum : Spectrum
        Of the training rows.
    choice : Choice
        The strength.
    coef : ndarray of shape (k, n_outputs) or (n, n_outputs)
        Weights of the features or, with infinitely many of them, of the rows.
    intercept : ndarray of shape (n_outputs,)
        Intercepts.
    """

    spectrum: Spectrum
    choice: Choice
    coef: np.ndarray
    intercept: np.ndarray

    def __repr__(self) -> str:
        return summary(self)


def solve_gram(
    rows: Any, features: RandomFeatures, targets: Targets, rule: Rule, *, n_kept: int | None
) -> Solution:
    """Through B^T B of rows that are reduced chunk by chunk.

    Leave-one-out needs the rows again: once if U of `n_kept` rows fits into memory, else once for
    the grid and once for each step of its refinement.
    """
    what: dict[str, Any] = {"features": features, "targets": targets}
    gathered = rows.reduce(partial(gathered_from, centre=rule.centre, **what), Gathered.merge)
    side = _gram_side(gathered, rule)
    spectrum = side.spectrum
    if rule.criterion == "gcv":
        return _of_gram(side, rule, partial(gcv, spectrum))
    if n_kept is not None and 8 * n_kept * len(spectrum.eigenvalues) <= KEPT_BYTES:
        centred = Centred.of(targets(rows.y), rows.sample_weight, rule.centre)
        left = left_vectors(rows, features, side)
        return _of_gram(side, rule, _leave_one_out(left, centred, spectrum))

    def passes(alphas):
        squares = rows.reduce(partial(left_out_from, side=side, alphas=alphas, **what), np.add)
        return squares / spectrum.weight

    return _of_gram(side, rule, passes)


def solve_gathered(gathered: Gathered, rule: Rule) -> Solution:
    """From moments alone, by generalised cross-validation."""
    side = _gram_side(gathered, rule)
    return _of_gram(side, rule, partial(gcv, side.spectrum))


def _gram_side(gathered, rule):
    if gathered.n_observations == 0.0:
        raise ValueError("the sum of sample_weight must be positive")
    _require_finite(gathered.moments.features.scatter)
    return GramSide.of(gathered, rule.centre)


def _of_gram(side, rule, criterion):
    choice = rule.choose(side.spectrum, criterion)
    coef = side.coef(choice.alpha)
    return Solution(side.spectrum, choice, coef, side.target_mean - side.mean @ coef)


def solve_rows(
    X: Any,
    y: np.ndarray,
    sample_weight: np.ndarray,
    features: RandomFeatures,
    rule: Rule,
    solver: Literal["kernel", "svd"],
) -> Solution:
    """Through B B^T or B of rows in memory."""
    targets = Centred.of(y, sample_weight, rule.centre)
    root = targets.root
    if solver == "svd":
        B = centred_features(features._in_double(X), root, centre=rule.centre)
        _require_finite(B)
        side = RowSide.of_features(B, targets, rule.centre)
    else:
        K = kernel_of_features(features._blocks(X), root, centre=rule.centre)
        side = _kernel_side(K, targets, rule, features._n_features_out)
    choice, dual = _chosen_dual(side, rule)
    means, coefs = [], []
    for block in features._blocks(X):
        means.append(sample_weight @ block / targets.weight * rule.centre)
        coefs.append((block - means[-1]).T @ dual)
    coef = np.concatenate(coefs)
    intercept = targets.mean - np.concatenate(means) @ coef
    return Solution(side.spectrum, choice, coef, intercept)


def solve_limit(
    X: Any, y: np.ndarray, sample_weight: np.ndarray, features: RandomFeatures, rule: Rule
) -> Solution:
    """Infinitely many features, through their limit kernel."""
    targets = Centred.of(y, sample_weight, rule.centre)
    K = features._limit(X, X)
    K_centred = centred_kernel(K, targets.root, centre=rule.centre)
    side = _kernel_side(K_centred, targets, rule, np.inf)
    choice, dual = _chosen_dual(side, rule)
    intercept = np.zeros(y.shape[1])
    if rule.centre:
        intercept = targets.mean - sample_weight @ (K @ dual) / targets.weight
    return Solution(side.spectrum, choice, dual, intercept)


def _kernel_side(K, targets, rule, n_features):
    _require_finite(K)
    return RowSide.of_kernel(K, targets, rule.centre, n_features)


def _chosen_dual(side, rule):
    criterion = partial(gcv, side.spectrum)
    if rule.criterion == "loo":
        criterion = _leave_one_out(side.left, side.targets, side.spectrum)
    choice = rule.choose(side.spectrum, criterion)
    return choice, side.dual_coef(choice.alpha)


def _leave_one_out(left, targets, spectrum):
    def errors(alphas):
        squares = left_out_squares(left, targets.y, targets.root, spectrum, alphas)
        return squares / spectrum.weight

    return errors


def _require_finite(matrix):
    if not np.isfinite(matrix).all():
        raise ValueError(
            "the features, or their squares, overflow: divide the columns of X by their scale"
        )
