"""The gradient of the loss in the increments, from sums over the rows of each class."""

from skreg._jit import kernel
from skreg.ordinal._design import class_sums, n_columns


@kernel
def all_class_sums(design, model, out):
    """out[j] <- `class_sums` of column j, for all columns."""
    for j in range(n_columns(design)):
        class_sums(design, j, 0, model, out[j])


@kernel
def gradient_from_sums(sums, out):
    """Gradient with respect to psi_l of feature j, out[l, j], from the sums over each class.

    grad_l = sum_{c_i = l} x_i ga_i + sum_{c_i > l} x_i (ga_i + gb_i)
    """
    last = sums.shape[2] - 1
    for j in range(sums.shape[0]):
        beyond = 0.0
        for c in range(last, 0, -1):
            beyond += sums[j, 1, c]
            out[c - 1, j] = sums[j, 0, c - 1] + beyond
