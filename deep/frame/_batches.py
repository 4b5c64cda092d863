"""What losses ask of a batch: shapes and ranges of its parts, and means that may be empty."""

from math import inf
from numbers import Real

import torch
from torch.nn import functional as F


def check_logits(logits, name="logits"):
    """Raise ValueError unless `logits` are real numbers of shape (n, n_classes)."""
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(
            f"{name} must be floating-point numbers of shape (n, n_classes), "
            f"got {logits.dtype} of shape {tuple(logits.shape)}"
        )


def check_targets(target, logits):
    """Raise ValueError unless `target` holds class numbers or class probabilities for `logits`.

    The range of class numbers is checked on the CPU only: elsewhere the host would have to wait
    for the device, whose own assertion tells.
    """
    n, n_classes = logits.shape
    if target.is_floating_point():
        fits = target.shape == logits.shape
    else:
        fits = target.shape == (n,) and target.dtype != torch.bool
    if not fits:
        raise ValueError(
            f"target must be class numbers of shape ({n},) or probabilities of shape "
            f"({n}, {n_classes}), got {target.dtype} of shape {tuple(target.shape)}"
        )
    if not target.is_floating_point():
        check_range("target", target, n_classes)


def check_probabilities(probabilities):
    """Raise ValueError unless the rows are distributions; on the CPU only, as for `check_targets`.

    The tolerance leaves room for half precision.
    """
    check_logits(probabilities, "probabilities")
    if torch.compiler.is_compiling() or probabilities.device.type != "cpu":
        return
    far_from_one = (probabilities.sum(1) - 1).abs() > 0.02
    if far_from_one.any() or not (probabilities >= 0).all():
        raise ValueError(
            "probabilities must be rows of numbers that are not negative and sum to one; of "
            "logits, give the softmax"
        )


def check_index(index, n, n_samples):
    """Raise ValueError unless `index` numbers `n` of `n_samples` samples; None is not allowed."""
    if index is None:
        raise ValueError("index, the stable number of each sample, is required in training mode")
    if index.shape != (n,) or index.is_floating_point() or index.dtype == torch.bool:
        raise ValueError(
            f"index must be integers of shape ({n},), "
            f"got {index.dtype} of shape {tuple(index.shape)}"
        )
    check_range("index", index, n_samples)


def check_range(name, integers, bound):
    """Raise ValueError if integers on the CPU leave 0, ..., bound - 1."""
    if torch.compiler.is_compiling() or integers.device.type != "cpu" or not integers.numel():
        return
    smallest, largest = torch.aminmax(integers)
    if smallest < 0 or largest >= bound:
        raise ValueError(
            f"{name} must lie in 0, ..., {bound - 1}, got {int(smallest)} to {int(largest)}"
        )


def check_number(name, value, low=-inf, high=inf, *, above=False, below=False):
    """Raise ValueError unless low <= value <= high; `above` and `below` exclude the bounds.

    A number is a real number or a tensor of shape (); truth values, NaN and infinity are none.
    """
    left, right = "(" if above or low == -inf else "[", ")" if below or high == inf else "]"
    allowed = f"in {left}{low:g}, {high:g}{right}"
    if not _is_number(value):
        raise ValueError(f"{name} must be a number {allowed}, got {value!r}")
    within = low < value if above else low <= value
    within = within and (value < high if below else value <= high)
    if not within or value in (-inf, inf):
        raise ValueError(f"{name} must be {allowed}, got {value!r}")


def _is_number(value):
    if isinstance(value, torch.Tensor):
        return value.ndim == 0 and not value.is_complex() and value.dtype != torch.bool
    return isinstance(value, Real) and not isinstance(value, bool)


def check_choice(name, value, choices):
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def in_full_precision(x):
    """Return `x` as float32 if it is of a half-precision type, and as it is otherwise."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def softmax(logits):
    """Class probabilities of logits of shape (n, n_classes), at least in float32."""
    return in_full_precision(logits).softmax(1)


def mean_or_zero(values, weight=None):
    """Mean of `values`, each times its `weight` if given; zero if there are none."""
    if weight is not None:
        values = values * weight
    return values.sum() / max(values.numel(), 1)


def cosines(a, b):
    """Cosines between the rows of `a` and those of `b`, at least in float32 even under autocast."""
    with torch.autocast(a.device.type, enabled=False):
        a, b = in_full_precision(a), in_full_precision(b)
        return F.normalize(a, dim=1) @ F.normalize(b, dim=1).to(a.dtype).T
