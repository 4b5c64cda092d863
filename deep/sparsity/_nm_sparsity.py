"""N:M sparsity: of every m successive weights at most n are not zero, from the first step on."""

import math
from numbers import Integral
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ._masks import (
    Layers,
    MaskedWeight,
    Weight,
    choose_weights,
    dense_value,
    masked_weights,
    parametrize_weights,
    remove_masks,
)

Recipe: TypeAlias = Literal[
    "ste", "srste", "mdgf-linear", "mdgf-exp", "sdgf-step", "sdgf-geometric"
]
Pattern: TypeAlias = tuple[int, int]

RECIPES = ("ste", "srste", "mdgf-linear", "mdgf-exp", "sdgf-step", "sdgf-geometric")
LAST_BETA = 1e-3  # where decay_coef="auto" lets the exponential end
COARSENESS = (8, 4, 2, 1)  # groups of "sdgf-geometric", in multiples of the final ones
BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def nm_mask(weight: torch.Tensor, n: int, m: int, dim: int = 1) -> torch.Tensor:
    """Entries of a tensor that are the n of largest absolute value among m successive ones.

    Of equal values the later one is kept, so that a mask is always the same, and has exactly n
    entries in each group; NaN counts as the largest.

    Parameters
    ----------
    weight : Tensor
        Floating-point numbers, for example the weight of a layer.
    n : int
        Entries to keep in each group.
    m : int
        Size of a group.
    dim : int, default=1
        Axis along which groups lie, the inputs of a linear layer or a convolution.

    Returns
    -------
    Tensor of bool, of the shape of the weight
        True where the entry is kept.

    Raises
    ------
    ValueError
        Unless 1 <= n <= m, and m divides the length of the axis.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import nm_mask
    >>> nm_mask(torch.tensor([[1.0, -3.0, 2.0, 0.5, 0.1, 0.2, -0.3, 0.4]]), 2, 4).int()
    tensor([[0, 1, 1, 0, 0, 0, 1, 1]], dtype=torch.int32)
    """
    return _mask(weight, n, m, _axis(weight, n, m, dim))


def is_nm_sparse(weight: torch.Tensor, n: int, m: int, dim: int = 1) -> bool:
    """Whether at most n of each m successive entries are not zero.

    Parameters
    ----------
    weight : Tensor
        The tensor.
    n : int
        Number of entries that may differ from zero.
    m : int
        Size of a group.
    dim : int, default=1
        Axis along which groups lie.

    Returns
    -------
    bool
        Whether the pattern holds.

    Raises
    ------
    ValueError
        As for `nm_mask`.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import is_nm_sparse
    >>> is_nm_sparse(torch.tensor([[0.0, 1.0, 2.0, 0.0]]), 2, 4)
    True
    """
    used = weight.detach() != 0
    return bool((_groups(used, m, _axis(weight, n, m, dim)).sum(0) <= n).all())


def nm_project(weight: torch.Tensor, n: int, m: int, dim: int = 1) -> torch.Tensor:
    """The nearest tensor that has the pattern: zeros outside of `nm_mask`.

    Parameters
    ----------
    weight : Tensor
        Floating-point numbers.
    n : int
        Entries to keep in each group.
    m : int
        Size of a group.
    dim : int, default=1
        Axis along which groups lie.

    Returns
    -------
    Tensor of the same shape
        The projection.

    Raises
    ------
    ValueError
        As for `nm_mask`.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import nm_project
    >>> nm_project(torch.tensor([[1.0, -3.0, 2.0, 0.5]]), 2, 4)
    tensor([[ 0., -3.,  2.,  0.]])
    """
    return torch.where(nm_mask(weight, n, m, dim), weight, 0.0)


def _axis(weight, n, m, dim):
    """The axis of the groups, counted from the front, after all arguments were checked."""
    check_pattern(n, m)
    if not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        kind = weight.dtype if isinstance(weight, torch.Tensor) else type(weight).__name__
        raise ValueError(f"weight must be a Tensor of floating-point numbers, got {kind}")
    if not isinstance(dim, int) or not -weight.ndim <= dim < weight.ndim:
        raise ValueError(f"dim must be an axis of the weight, which has {weight.ndim}, got {dim!r}")
    dim = dim % weight.ndim
    if weight.shape[dim] % m:
        raise ValueError(
            f"axis {dim} of the weight of shape {tuple(weight.shape)} has {weight.shape[dim]} "
            f"entries, which groups of m={m} do not divide"
        )
    return dim


def check_pattern(n, m):
    """Raise ValueError unless n and m are whole numbers with 1 <= n <= m."""
    whole = all(isinstance(number, Integral) and not isinstance(number, bool) for number in (n, m))
    if not whole or not 1 <= n <= m:
        raise ValueError(f"n and m must be whole numbers with 1 <= n <= m, got n={n!r}, m={m!r}")


def _groups(values, m, dim):
    """The entries with the place in their group as the first axis."""
    return values.unflatten(dim, (values.shape[dim] // m, m)).movedim(dim + 1, 0)


def _mask(weight, n, m, dim):
    """`nm_mask` of arguments that are known to be right."""
    if n == m:
        return torch.ones_like(weight, dtype=torch.bool)
    sizes = _groups(weight.detach().abs(), m, dim).contiguous()
    # numbers that are not negative are in the order of their bits, NaN after all others
    largest = _largest(sizes.view(BITS[sizes.element_size()]), n)
    return largest.movedim(0, dim + 1).flatten(dim, dim + 1)


def _largest(keys, n):
    """Mask of the n largest integers along the first axis, of equal ones the later.

    Sorting, or torch's own selection, costs several times as much on groups so short.
    """
    m = len(keys)
    if 2 * n > m:  # those that are left are the smallest: ~ turns the order round
        return ~_largest(~keys.flip(0), m - n).flip(0)
    threshold = _at_rank(keys, n)
    above, equal = keys > threshold, keys == threshold
    room = n - above.sum(0, dtype=torch.int16)
    from_the_end = equal.flip(0).cumsum(0, dtype=torch.int16).flip(0)
    return above | (equal & (from_the_end <= room))


def _at_rank(keys, n):
    """The n-th largest along the first axis."""
    if n == 1:
        return keys.amax(0)
    best: list[torch.Tensor] = []
    for key in keys:
        for rank, better in enumerate(best):
            best[rank], key = torch.maximum(better, key), torch.minimum(better, key)
        if len(best) < n:
            best.append(key)
    return best[-1]


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
    _check_schedule(progress, decay_coef, dense_fraction, finetune_fraction)
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
    _check_schedule(progress, "auto", dense_fraction, finetune_fraction)
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


def _check_schedule(progress, decay_coef, dense_fraction, finetune_fraction):
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


class _StraightThrough(torch.autograd.Function):
    """The masked weight, whose gradient goes to the dense one as it is.

    With a decay, that of the entries outside of the mask is added (SR-STE).
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(weight, mask, beta, decay):  # noqa: ARG004  # its context takes the decay
        return torch.where(mask, weight, 0.0 if beta is None else beta * weight)

    @staticmethod
    def setup_context(ctx, inputs, output):  # noqa: ARG004  # torch's signature
        weight, mask, _, ctx.decay = inputs
        ctx.save_for_backward(*((weight, mask) if ctx.decay else ()))

    @staticmethod
    def backward(ctx, gradient):
        if ctx.decay:
            weight, mask = ctx.saved_tensors
            gradient = gradient + ctx.decay * torch.where(mask, 0.0, weight)
        return gradient, None, None, None


class Held(NamedTuple):
    """A sparse weight, and the dense one that it was made of."""

    value: torch.Tensor
    dense: torch.Tensor
    version: int

    def is_of(self, dense: torch.Tensor) -> bool:
        """Whether it is still what comes of a dense weight."""
        return dense is self.dense and dense._version == self.version


def _can_be_held(weight):
    """Whether what is made of a weight is a constant, and it would be known if that changed."""
    return not (torch.is_grad_enabled() or torch.compiler.is_compiling() or weight.is_inference())


class NMSparsity(MaskedWeight):
    r"""Parametrization of a weight by a dense one, of which n of m successive entries are kept.

    The mask M is that of the dense weight W at each call (`nm_mask`), the layer computes with

    .. math::
        \tilde W = (M + (1 - M) \beta) \odot W,

    and the gradient with respect to :math:`\tilde W` goes to all of W, so that what is masked can
    come back:

    - "ste": :math:`\beta = 0`, the straight-through estimator.
    - "srste": adds :math:`\lambda (1 - M) \odot W` to the gradient (Zhou et al. 2021).
    - "mdgf-linear", "mdgf-exp", mask decay: :math:`\beta` falls from one as `nm_beta` tells.
    - "sdgf-step", "sdgf-geometric", structure decay: :math:`\beta = 0`, and the pattern tightens as
      `nm_pattern` tells.

    Parameters
    ----------
    n : int, default=2
        Entries that are kept in the end, in each group.
    m : int, default=4
        Size of a group.
    recipe : str, default="mdgf-exp"
        One of those above.
    decay_coef : float or "auto", default="auto"
        Constant of the mask decay, as for `nm_beta`.
    srste_lambda : float, default=2e-4
        Factor :math:`\lambda` of "srste". It is added to whatever gradient comes: where losses are
        scaled, as half precision does, it must be scaled by hand.
    dim : {0, 1}, default=1
        Axis along which groups lie: 1 the inputs (channels), 0 the outputs.
    gradient : {"ste", "masked"}, default="ste"
        Whether the gradient goes through as it is, or, by the chain rule, multiplied by
        :math:`M + (1 - M) \beta`, without which masks freeze sooner.
    dense_fraction : float, default=0.0
        Share of the training before weights are masked.
    finetune_fraction : float, default=0.1
        Share of the training after the schedules have ended.

    Attributes
    ----------
    beta : Tensor of shape ()
        Present factor of the masked entries.
    pattern_ : (int, int)
        Present pattern.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    See Also
    --------
    apply_nm_sparsity : Parametrize the layers of a network.

    References
    ----------
    .. [1] A. Bambhaniya, A. Yazdanbakhsh, S. Subramanian, S.-C. Kao, S. Agrawal, U. Evci,
       T. Krishna, "Progressive Gradient Flow for Robust N:M Sparsity Training in Transformers",
       CPAL 2025.
    .. [2] A. Zhou, Y. Ma, J. Zhu, J. Liu, Z. Zhang, K. Yuan, W. Sun, H. Li, "Learning N:M
       Fine-grained Structured Sparse Neural Networks From Scratch", ICLR 2021.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import NMSparsity
    >>> sparsity = NMSparsity(2, 4, "ste")
    >>> weight = torch.tensor([[1.0, -3.0, 2.0, 0.5]], requires_grad=True)
    >>> sparsity(weight).detach()
    tensor([[ 0., -3.,  2.,  0.]])
    >>> sparsity(weight).sum().backward()
    >>> weight.grad
    tensor([[1., 1., 1., 1.]])
    """

    beta: torch.Tensor
    held: Held | None

    def __init__(
        self,
        n: int = 2,
        m: int = 4,
        recipe: Recipe = "mdgf-exp",
        *,
        decay_coef: float | Literal["auto"] = "auto",
        srste_lambda: float = 2e-4,
        dim: Literal[0, 1] = 1,
        gradient: Literal["ste", "masked"] = "ste",
        dense_fraction: float = 0.0,
        finetune_fraction: float = 0.1,
    ) -> None:
        super().__init__()
        nm_patterns(n, m, recipe)
        check_number("srste_lambda", srste_lambda, 0)
        check_choice("dim", dim, (0, 1))
        check_choice("gradient", gradient, ("ste", "masked"))
        _check_schedule(0.0, decay_coef, dense_fraction, finetune_fraction)
        if recipe == "srste" and gradient != "ste":
            raise ValueError(
                'recipe="srste" is a straight-through gradient with a decay: gradient must be '
                f'"ste", got {gradient!r}'
            )
        self.n, self.m, self.recipe = int(n), int(m), recipe
        self.decay_coef, self.srste_lambda = decay_coef, srste_lambda
        self.dim, self.gradient = dim, gradient
        self.dense_fraction, self.finetune_fraction = dense_fraction, finetune_fraction
        self.is_final = False
        self.held = None
        self.register_buffer("beta", torch.zeros(()))
        self.set_progress(0, 1)

    def extra_repr(self) -> str:
        return f"{self.n}:{self.m}, recipe={self.recipe!r}, dim={self.dim}"

    @property
    def beta_(self) -> float:
        """Present factor of the masked entries."""
        return float(self.beta)

    def set_progress(self, step: int, total_steps: int | None = None) -> None:
        """Take the pattern and factor of a moment of the training; call it before each step.

        Parameters
        ----------
        step : int
            Steps of the optimizer so far.
        total_steps : int, optional
            Steps of the whole training. Recipes without a schedule do not need it.

        Raises
        ------
        ValueError
            If it is needed and not given, or a number is out of its range.
        """
        check_number("step", step, 0)
        if total_steps is None:
            self._require_no_plan()
            progress = 0.0
        else:
            check_number("total_steps", total_steps, 1)
            progress = min(step / total_steps, 1.0)
        phases = {
            "dense_fraction": self.dense_fraction,
            "finetune_fraction": self.finetune_fraction,
        }
        self.set_stage(
            nm_pattern(progress, self.n, self.m, self.recipe, **phases),
            nm_beta(step, progress, self.recipe, decay_coef=self.decay_coef, **phases),
        )

    def _require_no_plan(self):
        if self.dense_fraction or self.recipe not in ("ste", "srste"):
            raise ValueError(
                f"total_steps is unknown, but recipe={self.recipe!r} with dense_fraction="
                f"{self.dense_fraction!r} follows the progress of training: give the number of "
                "steps of the whole training"
            )

    def set_stage(self, pattern: Pattern, beta: float) -> None:
        """Take a pattern and a factor from elsewhere.

        Parameters
        ----------
        pattern : (int, int)
            How many are kept, and of how many.
        beta : float
            Factor of the masked entries.
        """
        self.pattern_ = pattern
        self.beta.fill_(beta)
        self.is_final, self.held = False, None

    def hold(self) -> None:
        """Take the final pattern, without what is masked, and compute the weight only once.

        In evaluation mode and without gradients, each call then takes the weight of the call before
        it, unless the dense weight is another or was changed in place since, by whatever autograd
        knows of: those who change ``weight.data`` call this again. Compiled networks compute it
        each time; of them, `finalize_nm_sparsity` makes plain ones.
        """
        self.set_stage((self.n, self.m), 0.0)
        self.is_final = True

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight that the layer computes with.

        Parameters
        ----------
        weight : Tensor
            The dense weight.

        Returns
        -------
        Tensor of the same shape
            The weight with the present pattern.
        """
        if self.training or not self.is_final or not _can_be_held(weight):
            self.held = None
            return self._sparse(weight)
        if self.held is None or not self.held.is_of(weight):
            self.held = Held(self._sparse(weight), weight, weight._version)
        return self.held.value

    def _sparse(self, weight):
        kept, size = self.pattern_
        if kept == size:
            return weight
        mask = self.mask_of(weight)
        beta = self.beta if self.recipe.startswith("mdgf") and not self.is_final else None
        if self.gradient == "masked":
            return torch.where(mask, weight, 0.0 if beta is None else beta * weight)
        decay = self.srste_lambda if self.recipe == "srste" else 0.0
        return _StraightThrough.apply(weight, mask, beta, decay)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight itself: what it has outside of the pattern may come back.

        Parameters
        ----------
        weight : Tensor
            A weight.

        Returns
        -------
        Tensor of the same shape
            The dense weight.
        """
        return weight

    def mask_of(self, original: torch.Tensor) -> torch.Tensor:
        """Mask of the present pattern.

        Parameters
        ----------
        original : Tensor
            The dense weight, as `forward` gets it.

        Returns
        -------
        Tensor of bool
            True where the weight is kept.
        """
        return _mask(original, *self.pattern_, self.dim)

    def get_extra_state(self) -> torch.Tensor:
        """The present pattern and whether it is held, which belong to the state of the network.

        Returns
        -------
        Tensor of shape (3,), int64
            How many are kept, of how many, and one if `hold` was called last.
        """
        return torch.tensor([*self.pattern_, int(self.is_final)])

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Take the pattern of a stored state.

        Parameters
        ----------
        state : Tensor of shape (3,)
            As of `get_extra_state`.
        """
        kept, size, is_final = state.tolist()
        self.pattern_, self.is_final = (kept, size), bool(is_final)

    def __getstate__(self):
        return {**vars(self), "held": None}

    def _apply(self, *args, **kwargs):
        self.held = None  # parameters that move stay the same objects of the same version
        return super()._apply(*args, **kwargs)


def apply_nm_sparsity(
    module: nn.Module,
    n: int = 2,
    m: int = 4,
    recipe: Recipe = "mdgf-exp",
    *,
    decay_coef: float | Literal["auto"] = "auto",
    srste_lambda: float = 2e-4,
    dim: Literal[0, 1] = 1,
    gradient: Literal["ste", "masked"] = "ste",
    dense_fraction: float = 0.0,
    finetune_fraction: float = 0.1,
    layers: Layers = "hidden",
) -> nn.Module:
    """Parametrize the weights of a network's layers by `NMSparsity`, in place.

    Make the optimizer afterwards, call `set_nm_progress` before each step, and
    `finalize_nm_sparsity` in the end. Biases, normalisations and embeddings stay as they are.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    n, m : int, default=2, 4
        Entries to keep in each group, and its size.
    recipe : str, default="mdgf-exp"
        As for `NMSparsity`, like all that follows.
    decay_coef : float or "auto", default="auto"
        Decay of the masked weights.
    srste_lambda : float, default=2e-4
        Strength that shrinks them.
    dim : {0, 1}, default=1
        Axis along which groups lie.
    gradient : {"ste", "masked"}, default="ste"
        What masked weights get of the gradient.
    dense_fraction, finetune_fraction : float, default=0.0, 0.1
        Shares of the training without a pattern, and with the last one only.
    layers : {"all", "hidden"}, str, list of str or callable, default="hidden"
        The layers, as for `choose_weights`: by default all but the first and the last.

    Returns
    -------
    torch.nn.Module
        The network, which can be pickled.

    Raises
    ------
    ValueError
        If an argument is out of its range, there is no such layer, or groups do not divide one.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_nm_sparsity, finalize_nm_sparsity, sparsity_report
    >>> net = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(3)))
    >>> _ = finalize_nm_sparsity(apply_nm_sparsity(net, 1, 4))
    >>> sparsity_report(net)[["layer", "density", "pattern"]]
      layer  density pattern
    0     0     1.00   dense
    1     1     0.25     1:4
    2     2     1.00   dense
    """

    def make(_: Weight) -> NMSparsity:
        return NMSparsity(
            n,
            m,
            recipe,
            decay_coef=decay_coef,
            srste_lambda=srste_lambda,
            dim=dim,
            gradient=gradient,
            dense_fraction=dense_fraction,
            finetune_fraction=finetune_fraction,
        )

    weights = choose_weights(module, layers)
    make(weights[0])  # what is wrong with arguments is told before what is with layers
    _require_divisible(weights, max(size for _, size in nm_patterns(n, m, recipe)), dim)
    return parametrize_weights(module, weights, make)


def _require_divisible(weights, m, dim):
    """Raise ValueError if groups of m do not divide the inputs or outputs of a layer."""
    lengths = {weight: weight.value.shape[dim] // _n_parts(weight, dim) for weight in weights}
    misfits = [weight for weight, length in lengths.items() if length % m]
    if not misfits:
        return
    of = "inputs" if dim == 1 else "outputs"
    told = ", ".join(
        f"{_layer_name(one)!r} has {lengths[one]} (weight of shape {tuple(one.value.shape)})"
        for one in misfits
    )
    left_out = {_layer_name(one) for one in misfits}
    names = dict.fromkeys(_layer_name(one) for one in weights)
    fitting = [name for name in names if name not in left_out]
    remedy = f"layers={fitting!r}" if fitting else "none of the layers is left, take another m"
    raise ValueError(
        f"groups of {m} successive {of} do not divide those of a layer: {told}. Leave out "
        f"{', '.join(map(repr, sorted(left_out)))}: {remedy}"
    )


def _n_parts(weight, dim):
    """Number of parts of an axis that have nothing to do with one another."""
    if dim == 1:  # a convolution's weight has the inputs of one of its groups
        return 1
    return 3 if weight.attribute == "in_proj_weight" else getattr(weight.layer, "groups", 1)


def _layer_name(weight):
    return weight.name.rpartition(".")[0]


def set_nm_progress(module: nn.Module, step: int, total_steps: int | None = None) -> None:
    """Tell all N:M sparse weights of a network how far its training is, before each step.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    step : int
        Steps of the optimizer so far.
    total_steps : int, optional
        Steps of the whole training; recipes without a schedule do not need it.

    Raises
    ------
    ValueError
        If it is needed and not given.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_nm_sparsity, set_nm_progress
    >>> layer = apply_nm_sparsity(torch.nn.Linear(8, 2), 1, 8, "sdgf-step", layers="all")
    >>> set_nm_progress(layer, step=500, total_steps=1000)
    >>> layer.parametrizations.weight[0].pattern_
    (2, 8)
    """
    for _, part in masked_weights(module, NMSparsity):
        part.set_progress(step, total_steps)


def finalize_nm_sparsity(module: nn.Module) -> nn.Module:
    """Turn N:M sparse weights into plain parameters that have the final pattern, in place.

    Masks of other kinds are taken off as well, by `remove_masks`. Of a network with n = 2, m = 4,
    ``torch.sparse.to_sparse_semi_structured(layer.weight)`` is the form that GPUs multiply faster.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    torch.nn.Module
        The network, with the layers and names that it had before.

    Raises
    ------
    ValueError
        If it has no such weight, or another parametrization has spoilt the pattern of one.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_nm_sparsity, finalize_nm_sparsity, is_nm_sparse
    >>> net = apply_nm_sparsity(torch.nn.Linear(8, 2), 2, 4, layers="all")
    >>> is_nm_sparse(finalize_nm_sparsity(net).weight, 2, 4)
    True
    """
    sparse = list(masked_weights(module, NMSparsity))
    if not sparse:
        raise ValueError(
            f"{type(module).__name__} has no N:M sparse weight: call apply_nm_sparsity before "
            "training"
        )
    for weight, part in sparse:
        part.hold()
        if not is_nm_sparse(weight.value, part.n, part.m, part.dim):
            raise ValueError(
                f"weight {weight.name!r} is not {part.n}:{part.m} sparse: another parametrization "
                "changes it after the mask; take that one off first"
            )
    return remove_masks(module)


def pruned_energy(module: nn.Module) -> torch.Tensor:
    """Half the sum of squares of what is masked; its gradient is (1 - M) * W.

    The penalty of SR-STE, in a form that follows a loss which is scaled.
    """
    terms = []
    for weight, part in masked_weights(module, NMSparsity):
        dense = dense_value(weight, part)
        terms.append(0.5 * torch.where(part.mask_of(dense), 0.0, dense).square().sum())
    return torch.stack(terms).sum()
