"""Binary masks that are trained, on weights that are not.

K. Zheng et al., "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained
Vision-Language Models", ICCV 2023.
"""

import contextlib
import difflib
import json
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import IO, Any, TypeAlias

import numpy as np
import torch
from torch import nn

from ..frame._batches import check_number
from ..frame._settings import settings
from ._masks import Layers, MaskedWeight, choose_weights, masked_weights, parametrize_weights
from ._packing import check_mask, pack_mask, unpack_mask

SHAPES = "shapes"

File: TypeAlias = str | PathLike[str] | IO[bytes]


class _StraightThrough(torch.autograd.Function):
    """W where m > alpha, zero elsewhere; the gradient in m is that in a factor of W."""

    generate_vmap_rule = True

    @staticmethod
    def forward(scores: torch.Tensor, weight: torch.Tensor, threshold: float) -> torch.Tensor:
        return weight * (scores > threshold)  # faster than torch.where

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG004
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        return gradient * weight, None, None


class BinaryMask(MaskedWeight):
    r"""Parametrization of a frozen weight by scores, which switch its entries on or off.

    .. math::
        W_{\text{eff}} = \mathbb 1[m > \alpha] \odot W, \qquad
        \frac{\partial L}{\partial m} := \frac{\partial L}{\partial W_{\text{eff}}} \odot W

    What trains are the scores m, in place of the weight W, which becomes a buffer. All entries are
    on at first. A score falls where the loss does when the entry is taken away, and switched-off
    entries can come back.

    Parameters
    ----------
    init : float, default=1e-2
        All scores at first.
    threshold : float, default=5e-3
        The threshold :math:`\alpha`, less than `init`. An optimizer that moves each score by its
        learning rate at most, as Adam does, must be given (init - threshold) / lr steps before it
        can switch anything off.

    Attributes
    ----------
    base : Tensor
        The weight W.
    is_open : bool
        Whether all entries count as switched on, see `unmasked`.

    Raises
    ------
    ValueError
        If a number is not finite, or `threshold` is not less than `init`.

    See Also
    --------
    apply_binary_masks : Parametrize the layers of a network.

    References
    ----------
    .. [1] K. Zheng et al., "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained
       Vision-Language Models", ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import BinaryMask
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[3.0, -4.0]]))
    >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", BinaryMask())
    >>> layer(torch.ones(1, 2)).sum().backward()
    >>> layer.parametrizations.weight.original.grad
    tensor([[ 3., -4.]])
    """

    extra_repr = settings
    base: torch.Tensor | None

    def __init__(self, init: float = 1e-2, threshold: float = 5e-3) -> None:
        super().__init__()
        check_number("init", init)
        check_number("threshold", threshold)
        if not threshold < init:
            raise ValueError(
                f"threshold must be less than init={init!r}, else all entries are switched off at "
                f"first, got {threshold!r}"
            )
        self.init = init
        self.threshold = threshold
        self.is_open = False
        self.register_buffer("base", None)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """Weight with zeros where scores are not above the threshold.

        Parameters
        ----------
        scores : Tensor
            Scores.

        Returns
        -------
        Tensor of the same shape
            The masked weight.

        Raises
        ------
        ValueError
            If another parametrization makes the weight.
        """
        if self.base is None:
            raise ValueError(
                "BinaryMask freezes a plain weight, but another parametrization makes this one: "
                "remove that before"
            )
        if self.is_open:
            return self.base
        return _StraightThrough.apply(scores, self.base, self.threshold)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """Freeze a weight, and switch all of it on.

        Parameters
        ----------
        weight : Tensor
            The weight.

        Returns
        -------
        Tensor of the same shape
            Scores.
        """
        self.base = weight.detach().clone()
        return torch.full_like(self.base, self.init)

    def mask_of(self, original: torch.Tensor) -> torch.Tensor:
        """Where scores are above the threshold.

        Parameters
        ----------
        original : Tensor
            Scores.

        Returns
        -------
        Tensor of bool, of the same shape
            True where the weight is switched on.
        """
        return original > self.threshold

    def scores_for(self, mask: torch.Tensor) -> torch.Tensor:
        """Scores of a mask, `init` where it is true and as far below the threshold elsewhere.

        Parameters
        ----------
        mask : Tensor of bool
            The mask.

        Returns
        -------
        Tensor of the same shape
            Scores.
        """
        return torch.where(mask, self.init, 2 * self.threshold - self.init)


def apply_binary_masks(
    module: nn.Module, layers: Layers = "all", *, init: float = 1e-2, threshold: float = 5e-3
) -> nn.Module:
    """Let scores of weights train in place of all parameters of a network, in place.

    Weights of the layers become buffers, on which the scores switch; all other parameters are
    frozen (``requires_grad=False``). The network computes what it did before, bit for bit. Give the
    optimizer the values of `mask_scores`, and a head that is to train with them after
    ``requires_grad_(True)``.

    Masks that are there already are taken back: all entries are switched on.

    Parameters
    ----------
    module : torch.nn.Module
        The network, pretrained.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        The layers, as for `choose_weights`.
    init : float, default=1e-2
        All scores at first.
    threshold : float, default=5e-3
        Scores that are not above it switch off, see `BinaryMask`.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If there is no such layer, `threshold` is not less than `init`, or another parametrization
        makes a weight.

    See Also
    --------
    remove_masks : Turn masked weights into plain parameters.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_binary_masks, mask_scores
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> net = apply_binary_masks(net, "0")
    >>> [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    ['0.parametrizations.weight.original']
    >>> optimizer = torch.optim.Adam(mask_scores(net).values(), lr=8e-5)
    """
    made = BinaryMask(init, threshold)  # checks the numbers before anything changes
    weights = choose_weights(module, layers)
    there = {id(_scores_of(weight)): mask for weight, mask in masked_weights(module, BinaryMask)}
    masked = [weight for weight in weights if weight.is_parametrized]
    foreign = [weight.name for weight in masked if id(_scores_of(weight)) not in there]
    if foreign:
        raise ValueError(
            f"another parametrization makes the weight {foreign[0]!r}, which thus cannot be "
            "frozen: remove that before, or leave the layer out"
        )
    for mask in there.values():
        mask.init, mask.threshold = made.init, made.threshold
    new = [weight for weight in weights if not weight.is_parametrized]
    parametrize_weights(module, new, lambda _: BinaryMask(init, threshold))
    module.requires_grad_(False)
    with torch.no_grad():
        for scores in mask_scores(module).values():
            scores.fill_(init)
    for weight in weights:
        _scores_of(weight).requires_grad_(True)
    return module


def _scores_of(weight):
    """What a parametrized weight is made from, if it is one tensor."""
    return getattr(weight.layer.parametrizations[weight.attribute], "original", None)


def mask_scores(module: nn.Module) -> dict[str, nn.Parameter]:
    """Scores of the binary masks of a network.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    dict of str to Parameter
        By the name of the weight.
    """
    return {weight.name: _scores_of(weight) for weight, _ in masked_weights(module, BinaryMask)}


def set_binary_masks(module: nn.Module, masks: Mapping[str, torch.Tensor]) -> nn.Module:
    """Switch the weights of a network, in place: another task on the same base.

    Parameters
    ----------
    module : torch.nn.Module
        A network with binary masks.
    masks : dict of str to Tensor of bool
        By the name of the weight, true where it is switched on, as `weight_masks` gives them.
        Weights that are not named keep their masks.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If a name is not that of a weight with a binary mask, or a shape is another.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_binary_masks, set_binary_masks
    >>> net = apply_binary_masks(torch.nn.Sequential(torch.nn.Linear(2, 1)))
    >>> _ = set_binary_masks(net, {"0.weight": torch.tensor([[True, False]])})
    >>> bool(net[0].weight[0, 1] == 0)
    True
    """
    there = {weight.name: (weight, mask) for weight, mask in masked_weights(module, BinaryMask)}
    for name, mask in masks.items():
        if name not in there:
            close = difflib.get_close_matches(name, there, n=3, cutoff=0.5) or list(there)
            raise ValueError(
                f"masks: no weight with a binary mask is called {name!r}; there is "
                f"{', '.join(close) or 'none: apply_binary_masks before'}"
            )
        check_mask(f"masks[{name!r}]", mask, there[name][0].value.shape)
    with torch.no_grad():
        for name, mask in masks.items():
            weight, held = there[name]
            _scores_of(weight).copy_(held.scores_for(mask))
    return module


@contextlib.contextmanager
def unmasked(module: nn.Module) -> Iterator[None]:
    """Let a network with binary masks compute what its base does.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Yields
    ------
    None
        Inside, all entries of the weights are switched on.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import apply_binary_masks, set_binary_masks, unmasked
    >>> net = apply_binary_masks(torch.nn.Sequential(torch.nn.Linear(2, 1)))
    >>> x, before = torch.ones(1, 2), net(torch.ones(1, 2))
    >>> _ = set_binary_masks(net, {"0.weight": torch.zeros(1, 2, dtype=torch.bool)})
    >>> with unmasked(net):
    ...     torch.equal(net(x), before)
    True
    """
    masks = [mask for _, mask in masked_weights(module, BinaryMask)]
    for mask in masks:
        mask.is_open = True
    try:
        yield
    finally:
        for mask in masks:
            mask.is_open = False


def save_masks(masks: Mapping[str, torch.Tensor], file: File) -> None:
    """Write masks to a file, eight entries in a byte: what a task adds to a network.

    Parameters
    ----------
    masks : dict of str to Tensor of bool
        Masks by the name of the weight, as `weight_masks` gives them.
    file : str, path or binary file
        Where to, in NumPy's format ``.npz``; the ending is added to a name without it.

    Raises
    ------
    ValueError
        If a mask is not Boolean.

    See Also
    --------
    load_masks : Read them.
    """
    for name, mask in masks.items():
        check_mask(f"masks[{name!r}]", mask)
    arrays = {
        f"mask {name}": np.frombuffer(pack_mask(mask), dtype=np.uint8)
        for name, mask in masks.items()
    }
    shapes = json.dumps({name: list(mask.shape) for name, mask in masks.items()})
    np.savez(
        file, allow_pickle=False, **arrays, **{SHAPES: np.frombuffer(shapes.encode(), np.uint8)}
    )


def load_masks(file: File) -> dict[str, torch.Tensor]:
    """Read masks from a file.

    Parameters
    ----------
    file : str, path or binary file
        A file that `save_masks` wrote.

    Returns
    -------
    dict of str to Tensor of bool
        Masks by the name of the weight, for `set_binary_masks` or `apply_masks`.

    Raises
    ------
    ValueError
        If the file does not hold masks.

    Examples
    --------
    >>> import io, torch
    >>> from skreg.deep.torch import apply_masks, load_masks, save_masks
    >>> net, file = torch.nn.Sequential(torch.nn.Linear(2, 1)), io.BytesIO()
    >>> save_masks({"0.weight": torch.tensor([[True, False]])}, file)
    >>> _ = file.seek(0)
    >>> apply_masks(net, load_masks(file))[0].weight[0, 1].item()
    0.0
    """
    with np.load(file, allow_pickle=False) as arrays:
        if SHAPES not in arrays:
            raise ValueError("the file holds no masks: write it by save_masks")
        shapes = json.loads(arrays[SHAPES].tobytes())
        return {
            name: unpack_mask(arrays[f"mask {name}"].tobytes(), shape)
            for name, shape in shapes.items()
        }
