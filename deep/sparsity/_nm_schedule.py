"""How far N:M training has come: what is left of masked weights, and the pattern so far."""

import math
from typing import Literal, TypeAlias

from ..frame._batches import check_choice, check_number
from ._nm_pattern import check_pattern

Recipe: TypeAlias = Literal[
    "ste", "srste", "mdgf-linear", "mdgf-exp", "sdgf-step", "sdgf-geometric"
]
Pattern: TypeAlias = tuple[int, int]

RECIPES = ("ste", "srste", "mdgf-linear", "mdgf-exp", "sdgf-step", "sdgf-geometric")
LAST_BETA = 1e-3  # where decay_coef="auto" lets the exponential end
COARSENESS = (8, 4, 2, 1)  # groups of "sdgf-geometric", in multiples of the final ones


def nm_beta(
    step: int,
    progress: float,
    recipe: Recipe = "mdgf-exp",
    *,
    decay_coef: float | Literal["auto"] = "auto",
    dense_fraction: float = 0.0,
    finetune_fraction: float = 0.1,
) -> float:
    r"""Factor of the weights outside of the mask, at some moment of the training.

    With t the steps since the end of the dense phase, it is one before and

    .. math::
        \beta_t = \max(0, 1 - c t) \quad \text{(mdgf-linear)}, \qquad
        \beta_t = e^{-c t} \quad \text{(mdgf-exp)}

    until the last `finetune_fraction`, in which it is zero. All other recipes have zero throughout.

    Parameters
    ----------
    step : int
        Steps of the optimizer so far.
    progress : float
        Share of the training done, in [0, 1]: it tells how long a phase is.
    recipe : str, default="mdgf-exp"
        As for `NMSparsity`.
    decay_coef : float or "auto", default="auto"
        The constant c > 0. "auto" takes the one with which the sparse phase ends at zero (linear)
        or 0.001 (exponential).
    dense_fraction : float, default=0.0
        Share of the training before the sparse phase.
    finetune_fraction : float, default=0.1
        Share of the training after it.

    Returns
    -------
    float
        The factor, in [0, 1].

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> from skreg.deep.torch import nm_beta
    >>> nm_beta(50, 0.5, "mdgf-linear", decay_coef=0.01)
    0.5
    >>> [round(nm_beta(0, p), 3) for p in (0.0, 0.45, 0.89, 0.9)]
    [1.0, 0.032, 0.001, 0.0]
    """
    check_choice("recipe", recipe, RECIPES)
    check_number("step", step, 0)
    check_schedule(progress, decay_coef, dense_fraction, finetune_fraction)
    if not recipe.startswith("mdgf") or progress >= 1 - finetune_fraction:
        return 0.0
    if progress <= dense_fraction:
        return 1.0
    if decay_coef == "auto":
        done = _share_of_sparse_phase(progress, dense_fraction, finetune_fraction)
        return 1 - done if recipe == "mdgf-linear" else LAST_BETA**done
    decayed = decay_coef * step * (1 - dense_fraction / progress)
    return max(0.0, 1 - decayed) if recipe == "mdgf-linear" else math.exp(-decayed)


def nm_pattern(
    progress: float,
    n: int,
    m: int,
    recipe: Recipe = "sdgf-step",
    *,
    dense_fraction: float = 0.0,
    finetune_fraction: float = 0.1,
) -> Pattern:
    """Pattern of the mask, at some moment of the training.

    All entries are kept in the dense phase. The recipes of structure decay divide the sparse phase
    into equal parts: "sdgf-step" keeps m - 1, m / 2, m / 4, ..., n of m; "sdgf-geometric" keeps
    8n of 8m, 4n of 4m, 2n of 2m, n of m. All others keep n of m.

    Parameters
    ----------
    progress : float
        Share of the training done, in [0, 1].
    n : int
        Entries that are kept in the end, in each group.
    m : int
        Size of a group in the end.
    recipe : str, default="sdgf-step"
        As for `NMSparsity`.
    dense_fraction : float, default=0.0
        Share of the training before the sparse phase.
    finetune_fraction : float, default=0.1
        Share of the training after it, in which the pattern is the last one.

    Returns
    -------
    (int, int)
        How many are kept, and of how many.

    Raises
    ------
    ValueError
        If an argument is out of its range; for "sdgf-step" unless m / n is a power of two.

    Examples
    --------
    >>> from skreg.deep.torch import nm_pattern
    >>> [nm_pattern(p, 1, 8, finetune_fraction=0.0) for p in (0.0, 0.25, 0.5, 0.75)]
    [(7, 8), (4, 8), (2, 8), (1, 8)]
    """
    patterns = nm_patterns(n, m, recipe)
    check_schedule(progress, "auto", dense_fraction, finetune_fraction)
    if progress < dense_fraction:
        return m, m
    done = _share_of_sparse_phase(progress, dense_fraction, finetune_fraction)
    return patterns[min(int(done * len(patterns) + 1e-9), len(patterns) - 1)]


def nm_patterns(n, m, recipe):
    """The patterns of the equal parts of the sparse phase."""
    check_pattern(n, m)
    check_choice("recipe", recipe, RECIPES)
    if n == m or not recipe.startswith("sdgf"):
        return [(n, m)]
    if recipe == "sdgf-geometric":
        return [(k * n, k * m) for k in COARSENESS]
    halvings = (m // n).bit_length() - 1
    if n << halvings != m:
        raise ValueError(
            f"recipe='sdgf-step' halves the number of weights until n of m are left: m / n must "
            f"be a power of two, got n={n}, m={m}; take another m or recipe"
        )
    return [(m - 1, m), *((m >> i, m) for i in range(1, halvings + 1))]


def check_schedule(progress, decay_coef, dense_fraction, finetune_fraction):
    """Raise ValueError unless the numbers of a schedule are in their ranges."""
    check_number("progress", progress, 0, 1)
    if decay_coef != "auto":
        check_number('decay_coef must be "auto" or decay_coef', decay_coef, 0, above=True)
    check_number("dense_fraction", dense_fraction, 0, 1, below=True)
    check_number("finetune_fraction", finetune_fraction, 0, 1, below=True)
    if dense_fraction + finetune_fraction >= 1:
        raise ValueError(
            "dense_fraction + finetune_fraction must be below 1, so that there is a sparse phase, "
            f"got {dense_fraction!r} and {finetune_fraction!r}"
        )


def _share_of_sparse_phase(progress, dense_fraction, finetune_fraction):
    """Share of the sparse phase that is done, in [0, 1]."""
    done = (progress - dense_fraction) / (1 - dense_fraction - finetune_fraction)
    return min(max(done, 0.0), 1.0)
