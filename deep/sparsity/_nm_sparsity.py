"""N:M sparsity: of every m successive weights at most n are not zero, from the first step on."""

from typing import Literal, NamedTuple

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
from ._nm_pattern import is_nm_sparse, mask_along
from ._nm_schedule import Pattern, Recipe, check_schedule, nm_beta, nm_pattern, nm_patterns


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
        check_schedule(0.0, decay_coef, dense_fraction, finetune_fraction)
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
        return mask_along(original, *self.pattern_, self.dim)

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
