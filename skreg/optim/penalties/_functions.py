"""What a penalty is to the engine: functions on one block of coefficients.

A block is a set of features with all their outputs, flattened; without groups it is one feature.
Its index `b` picks its weight. A weight of 0 frees the block, an infinite weight excludes it.
"""

from typing import Any

from skreg._jit import generic


@generic
def block_value(penalty, b, w):
    """Penalty of block b at w."""


@generic
def block_prox(penalty, b, v, step):
    """v <- argmin_x ||x - v||^2 / 2 + step * penalty_b(x), in place."""


@generic
def block_distance(penalty, b, w, q):
    """Largest entry (separable penalties) or norm of the distance from q to the subdifferential
    at w.

    q is minus the gradient of the smooth part.
    """


@generic
def block_threshold(penalty, b):
    """Radius of the subdifferential at 0."""


@generic
def block_gauge(penalty, b, q):
    """Smallest c >= 0 with q in c times the subdifferential at 0; 0 for a threshold of 0."""


@generic
def block_conjugate(penalty, b, q):
    """Conjugate of a penalty with a quadratic part at q."""


@generic
def block_ridge(penalty, b):
    """Weight a2 of the quadratic part a2 ||w||^2 / 2."""


@generic
def face_gradient(penalty, b, w, out):
    """out <- gradient of the penalty along the face that holds w."""


@generic
def face_curvature(penalty, b, w):
    """(a, c) such that a I + c w w^T is the Hessian of the penalty along the face that holds w."""


@generic
def face_return(penalty, b, old, new):
    """Put back onto the face's closure what a step from `old` to `new` took across a kink."""


@generic
def separable(penalty):
    """Whether the entries of a block are penalised separately."""


@generic
def constrained(penalty):
    """Whether a coefficient remains restricted where its weight or alpha is 0."""


@generic
def ridge_share(penalty):
    """Share of the quadratic part, 1 - l1_ratio."""


@generic
def block_labels(penalty):
    """Label 0, 1, .. of the block of each feature; None where every feature is one."""


@generic
def checked(penalty, blocks):
    """The penalty with its own numbers checked, in the types that kernels take.

    `alpha` and `weights`, which every penalty has, are in order. ValueError for bad numbers.
    """


PENALTY_FUNCTIONS = (
    block_value,
    block_prox,
    block_distance,
    block_threshold,
    block_gauge,
    block_conjugate,
    block_ridge,
    face_gradient,
    face_curvature,
    face_return,
    separable,
    constrained,
    ridge_share,
    block_labels,
    checked,
)


def check_penalty(penalty: Any) -> None:
    """Raise TypeError if the class of `penalty` lacks a function or field of one, by its name.

    The certificate needs a convex penalty's conjugate.
    """
    cls = type(penalty)
    missing = [function.__name__ for function in PENALTY_FUNCTIONS if not function.knows(cls)]
    missing += [name for name in ("alpha", "weights") if not hasattr(penalty, name)]
    if missing:
        name = cls.__name__
        raise TypeError(f"{name} is no penalty of the engine: it lacks {', '.join(missing)}")
