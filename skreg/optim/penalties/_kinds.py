"""What many penalties have in common, registered by one line above the class.

A body that a file registers below its class takes the place of one that came from here.
"""

from skreg.optim.penalties._arithmetic import part_of_scale, scale_of_block, zero_sign_flips
from skreg.optim.penalties._functions import (
    block_conjugate,
    block_labels,
    block_ridge,
    block_threshold,
    checked,
    constrained,
    face_curvature,
    face_return,
    ridge_share,
    separable,
)


def entrywise(cls: type) -> type:
    """A sum over single coefficients that curves by its quadratic part only, with a kink at 0."""
    separable.register(cls)(_yes)
    block_labels.register(cls)(_none)
    face_curvature.register(cls)(_ridge_alone)
    face_return.register(cls)(_zero_at_kink)
    return cls


def finite(cls: type) -> type:
    """No coefficient is restricted: the penalty is finite everywhere, but for excluded blocks."""
    constrained.register(cls)(_no)
    return cls


def without_ridge(cls: type) -> type:
    """No quadratic part: a gauge, whose conjugate is 0 or infinite. No numbers of its own."""
    block_ridge.register(cls)(_zero_of_block)
    block_conjugate.register(cls)(_zero_at)
    ridge_share.register(cls)(_zero)
    checked.register(cls)(_as_it_is)
    return cls


def with_ridge(cls: type) -> type:
    """alpha weights_b (l1_ratio norm + (1 - l1_ratio) square / 2), by the field `l1_ratio`."""
    block_threshold.register(cls)(_share_of_scale)
    block_ridge.register(cls)(_rest_of_scale)
    ridge_share.register(cls)(_rest)
    checked.register(cls)(_with_ratio)
    return cls


def _yes(penalty):
    return True


def _no(penalty):
    return False


def _none(penalty):
    return None


def _zero(penalty):
    return 0.0


def _zero_of_block(penalty, b):
    return 0.0


def _zero_at(penalty, b, q):
    return 0.0


def _as_it_is(penalty, blocks):
    return penalty


def _ridge_alone(penalty, b, w):
    return block_ridge(penalty, b), 0.0


def _zero_at_kink(penalty, b, old, new):
    if block_threshold(penalty, b) > 0.0:
        zero_sign_flips(old, new)


def _share_of_scale(penalty, b):
    return part_of_scale(scale_of_block(penalty, b), penalty.l1_ratio)


def _rest_of_scale(penalty, b):
    return part_of_scale(scale_of_block(penalty, b), 1.0 - penalty.l1_ratio)


def _rest(penalty):
    return 1.0 - penalty.l1_ratio


def _with_ratio(penalty, blocks):
    return ratio_checked(penalty)


def ratio_checked(penalty):
    """The penalty with a share `l1_ratio` that is a float in [0, 1], else ValueError."""
    if not 0.0 <= penalty.l1_ratio <= 1.0:
        raise ValueError(f"l1_ratio must lie in [0, 1], not {penalty.l1_ratio!r}")
    return penalty._replace(l1_ratio=float(penalty.l1_ratio))
