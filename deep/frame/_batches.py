"""What losses ask of a batch: shapes and ranges of its parts, and means that may be empty."""

import torch
from torch.nn import functional as F


def check_logits(logits):
    """Raise ValueError unless `logits` are real numbers of shape (n, n_classes)."""
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(
            "logits must be floating-point numbers of shape (n, n_classes), "
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


def check_number(name, value, low=float("-inf"), high=float("inf"), *, above=False, below=False):
    """Raise ValueError unless low <= value <= high; `above` and `below` exclude the bounds."""
    if (
        not low <= value <= high
        or (above and value == low)
        or (below and value == high)
        or value in (float("-inf"), float("inf"))
    ):
        left, right = "(" if above else "[", ")" if below or high == float("inf") else "]"
        raise ValueError(f"{name} must be in {left}{low:g}, {high:g}{right}, got {value!r}")


def check_choice(name, value, choices):
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def in_full_precision(x):
    """Return `x` as float32 if it is of a half-precision type, and as it is otherwise."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


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
