"""Linear scores behind a transformer as scores of what goes into it, if the transformer is affine.

With z = M x + c the score w.z + b is (M^T w).x + (b + w.c). A transformer joins by registering its
function with `pull_back`.
"""

from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection


class Scores(NamedTuple):
    """Coefficients (n_scores, n_features) and intercepts (n_scores,) of linear scores."""

    coef: np.ndarray
    intercept: np.ndarray


KNOWN = (
    "StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PCA, IncrementalPCA, TruncatedSVD, "
    "random projections, selections of columns, ColumnTransformer and Pipeline of these, "
    "FunctionTransformer without a function, or 'passthrough'"
)


@singledispatch
def pull_back(step: Any, scores: Scores) -> Scores:  # noqa: ARG001
    """The scores as functions of what goes into the step.

    Raises
    ------
    TypeError
        If the step is not affine, with the reason.
    """
    raise TypeError(f"it is not known to be affine; known are {KNOWN}")


def pull_back_through(steps: list[tuple[str, Any]], scores: Scores) -> Scores:
    """The scores as functions of what goes into the first of several steps.

    Parameters
    ----------
    steps : list of (str, transformer)
        Fitted, in the order in which rows pass through them.
    scores : Scores
        Scores of what comes out.

    Returns
    -------
    Scores
        Scores of what goes in.

    Raises
    ------
    TypeError
        If a step is not affine, naming it.
    """
    for name, step in reversed(steps):
        if step is None or isinstance(step, str):  # "passthrough"
            continue
        try:
            scores = pull_back(step, scores)
        except TypeError as error:
            raise TypeError(
                f"step {name!r} ({type(step).__name__}) has no linear boundary in front of it: "
                f"{error}. Transform X by it first, and give the estimator that follows."
            ) from error
    return scores


def _shifted(scores: Scores, shift: Any) -> Scores:
    """Of z = x + shift."""
    return (
        scores
        if shift is None
        else scores._replace(intercept=scores.intercept + scores.coef @ shift)
    )


def _scaled(scores: Scores, factor: Any) -> Scores:
    """Of z = factor x, column by column."""
    return scores._replace(coef=scores.coef * factor)


def _projected(scores: Scores, components: Any) -> Scores:
    """Of z = components x."""
    return scores._replace(coef=scores.coef @ components)


@pull_back.register
def _(step: StandardScaler, scores: Scores) -> Scores:
    if step.scale_ is not None:
        scores = _scaled(scores, 1.0 / step.scale_)
    return scores if not step.with_mean else _shifted(scores, -step.mean_)


@pull_back.register
def _(step: RobustScaler, scores: Scores) -> Scores:
    if step.scale_ is not None:
        scores = _scaled(scores, 1.0 / step.scale_)
    return scores if step.center_ is None else _shifted(scores, -step.center_)


@pull_back.register
def _(step: MinMaxScaler, scores: Scores) -> Scores:
    _refuse_clipping(step)
    return _scaled(_shifted(scores, step.min_), step.scale_)


@pull_back.register
def _(step: MaxAbsScaler, scores: Scores) -> Scores:
    _refuse_clipping(step)
    return _scaled(scores, 1.0 / step.scale_)


def _refuse_clipping(step: Any) -> None:
    if getattr(step, "clip", False):
        raise TypeError("clip=True bends it; fit it with clip=False")


@pull_back.register(PCA)
@pull_back.register(IncrementalPCA)
def _(step: Any, scores: Scores) -> Scores:
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        scores = _scaled(scores, 1.0 / np.maximum(deviation, np.finfo(deviation.dtype).eps))
    return _shifted(_projected(scores, step.components_), -step.mean_)


@pull_back.register(TruncatedSVD)
@pull_back.register(GaussianRandomProjection)
@pull_back.register(SparseRandomProjection)
def _(step: Any, scores: Scores) -> Scores:
    return _projected(scores, step.components_)


@pull_back.register
def _(step: SelectorMixin, scores: Scores) -> Scores:
    selected = step.get_support()
    coef = np.zeros((len(scores.coef), len(selected)))
    coef[:, selected] = scores.coef
    return scores._replace(coef=coef)


@pull_back.register
def _(step: FunctionTransformer, scores: Scores) -> Scores:
    if step.func is not None:
        raise TypeError("nothing is known of its function")
    return scores


@pull_back.register
def _(step: ColumnTransformer, scores: Scores) -> Scores:
    """Each transformer's scores are those of its block of what comes out."""
    coef, intercept = np.zeros((len(scores.coef), step.n_features_in_)), scores.intercept
    for name, transformer, _ in step.transformers_:
        block = step.output_indices_[name]
        if block.start == block.stop:  # "drop", or a selection of no column
            continue
        inside = Scores(scores.coef[:, block], np.zeros(len(coef)))
        inside = pull_back_through([(name, transformer)], inside)
        # a scatter by positions: names, masks, slices and functions have become these in `fit`
        coef[:, step._transformer_to_input_indices[name]] += inside.coef
        intercept = intercept + inside.intercept
    return Scores(coef, intercept)


@pull_back.register
def _(step: Pipeline, scores: Scores) -> Scores:
    return pull_back_through(step.steps, scores)


@pull_back.register
def _(step: FrozenEstimator, scores: Scores) -> Scores:
    return pull_back(step.estimator, scores)
