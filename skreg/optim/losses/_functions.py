"""What a loss l(z, y) of a prediction z against a target y is to the engine.

Predictions and targets are arrays of shape (n_outputs, n_samples); a loss of one output has one
row. The dual variable u of a sample lives where l'(z, y) does. Every loss is convex, nonnegative
for admissible targets, and has 0 in the domain of its conjugate l*(u) = sup_z u z - l(z, y), so
that shrinking a dual variable keeps it feasible.
"""

from typing import Any

from skreg._jit import generic


@generic
def loss_value(loss, prediction, target):
    """Loss of each sample, shape (n_samples,)."""


@generic
def loss_gradient(loss, prediction, target):
    """Gradient with respect to the prediction, shape (n_outputs, n_samples)."""


@generic
def loss_curvature(loss, prediction, target):
    """Diagonal model of the Hessian, positive where a step must be damped; shape of prediction.

    It is the second derivative for smooth losses of one output and an upper bound elsewhere.
    """


@generic
def loss_hessian_product(loss, prediction, target, direction):
    """Hessian of each sample times `direction`; shape of prediction."""


@generic
def loss_conjugate(loss, dual, target):
    """l*(u, y) of each sample, infinite outside of its domain; shape (n_samples,)."""


@generic
def dual_metric_product(loss, prediction, target, direction):
    """A positive semi-definite matrix M(z) times `direction`; shape of prediction.

    M is such that l'(z) - M(z) v stays in the domain of l* for all small v, uniformly over the
    samples.
    """


@generic
def smoothness(loss):
    """Lipschitz constant of the gradient with respect to the prediction (inf if there is none)."""


@generic
def step_unit(loss):
    """Change of a prediction over which `loss_curvature` may lose its order; inf if it bounds."""


@generic
def location(loss, target, sample_weight):
    """Typical target of a loss of z - y, which moves with both; (n_outputs,). 0 for others."""


@generic
def initial_intercept(loss, target, sample_weight):
    """Minimiser of sum_i s_i l(b, y_i), or a start close to it; shape (n_outputs,)."""


@generic
def admissible(loss, target):
    """Flags of the samples for whose target the loss is defined; shape (n_samples,)."""


@generic
def rounding_of_value(loss, target_size, precision):
    """What predictions with relative errors `precision` make of a loss that should be 0.

    `target_size` is the root mean square of the target.
    """


@generic
def takes_several_outputs(loss):
    """Whether a sample may have several outputs.

    Their Hessian is a multiple of the identity, or that of a loss that `couples_outputs`.
    """


@generic
def couples_outputs(loss):
    """Whether the Hessian of a sample is diag(p) - p p^T, with `probabilities` p that sum to one.

    Such a loss is blind to a common shift of all outputs, and fixes intercepts up to one.
    """


@generic
def is_half_square(loss):
    """Whether l(z, y) = ||z - y||^2 / 2, of which second moments say everything."""


@generic
def probabilities(loss, prediction, target):
    """The p of a loss that couples its outputs, shape of prediction; others have none."""


LOSS_FUNCTIONS = (
    loss_value,
    loss_gradient,
    loss_curvature,
    loss_hessian_product,
    loss_conjugate,
    dual_metric_product,
    smoothness,
    step_unit,
    location,
    initial_intercept,
    admissible,
    rounding_of_value,
    takes_several_outputs,
    couples_outputs,
    is_half_square,
)


def check_loss(loss: Any) -> None:
    """Raise TypeError if the class of `loss` lacks a function of a loss, by the name of that."""
    cls = type(loss)
    missing = [function.__name__ for function in LOSS_FUNCTIONS if not function.knows(cls)]
    if not missing and couples_outputs(loss) and not probabilities.knows(cls):
        missing = [probabilities.__name__]
    if missing:
        raise TypeError(f"{cls.__name__} is no loss of the engine: it lacks {', '.join(missing)}")
