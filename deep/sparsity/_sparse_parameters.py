"""Weights of which only some entries train, all others keep every bit.

T. Hu, J. Zhang, R. Yi, H. Huang, Y. Wang, L. Ma, "SaRA: High-Efficient Diffusion Model Fine-tuning
with Progressive Sparse Low-Rank Adaptation", ICLR 2025.
"""

import difflib
import fnmatch
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from ..frame._batches import check_choice, check_number, in_full_precision
from ._masks import (
    MaskedWeight,
    Weight,
    masked_weights,
    parametrize_weights,
    remove_masks,
    weight_masks,
)

Names: TypeAlias = str | Sequence[str] | Callable[[str, Any], bool]
"""Parameters to choose: a pattern of names, several, or a condition on name and parameter."""

Patch: TypeAlias = dict[str, dict[str, Any]]
"""What a training has changed, by the name of the parameter: its shape, positions and values."""


class SparseEntries(MaskedWeight):
    r"""Parametrization of a weight of which some entries train and the others are fixed.

    What trains is a vector of the entries where the mask is true; the weight is the fixed one with
    these written into it. Gradients, the state of the optimizer and its weight decay have the size
    of the vector, and fixed entries never change by a bit, not even those that are not finite.

    Parameters
    ----------
    weight : Tensor
        The weight at the beginning.
    mask : Tensor of bool
        Entries that train, of the shape of the weight.
    threshold : float, default=inf
        Absolute value below which `reselect` lets an entry go on training.

    Attributes
    ----------
    frozen : Tensor
        The weight, whose entries hold wherever nothing trains. It is a buffer, as are the others.
    index : Tensor of shape (n_entries,), int64
        Positions of the trained entries in the flat weight.
    active : Tensor of shape (n_entries,), bool
        Which of them train on after `reselect`.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import SparseEntries
    >>> layer = torch.nn.Linear(3, 1, bias=False)
    >>> entries = SparseEntries(layer.weight, torch.tensor([[True, False, True]]))
    >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", entries)
    >>> [tuple(parameter.shape) for parameter in layer.parameters()]
    [(2,)]
    """

    frozen: torch.Tensor
    index: torch.Tensor
    active: torch.Tensor
    threshold: torch.Tensor

    def __init__(
        self, weight: torch.Tensor, mask: torch.Tensor, threshold: float = math.inf
    ) -> None:
        super().__init__()
        if mask.dtype != torch.bool or mask.shape != weight.shape:
            raise ValueError(
                f"mask must be bool of the shape of the weight, {tuple(weight.shape)}, got "
                f"{mask.dtype} of shape {tuple(mask.shape)}"
            )
        weight, mask = weight.detach(), mask.to(weight.device)
        index = mask.flatten().nonzero().squeeze(1)
        self.register_buffer("frozen", weight.clone(memory_format=torch.contiguous_format))
        self.register_buffer("index", index)
        self.register_buffer("active", torch.ones_like(index, dtype=torch.bool))
        self.register_buffer("threshold", weight.new_tensor(threshold))

    def extra_repr(self) -> str:
        return f"{int(self.active.sum())} of {self.frozen.numel()} entries train"

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Weight with the trained entries in their places.

        Parameters
        ----------
        values : Tensor of shape (n_entries,)
            The trained entries. Those that do not train on have no effect.

        Returns
        -------
        Tensor
            The weight.
        """
        if not len(values):
            return self.frozen
        flat = self.frozen.flatten()
        current = torch.where(self.active, values, flat[self.index])
        return flat.scatter(0, self.index, current).view(self.frozen.shape)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """Entries of a weight that train; assigning a weight changes no others.

        Parameters
        ----------
        weight : Tensor
            The weight.

        Returns
        -------
        Tensor of shape (n_entries,)
            The entries.
        """
        return weight.flatten()[self.index]

    def trained_part(self, values: torch.Tensor) -> torch.Tensor:
        """Weight with zeros in place of all entries that do not train (on).

        Parameters
        ----------
        values : Tensor of shape (n_entries,)
            The trained entries.

        Returns
        -------
        Tensor of the shape of the weight
            The masked weight.
        """
        part = torch.where(self.active, values, 0.0)
        zeros = torch.zeros_like(self.frozen).flatten()
        return zeros.scatter(0, self.index, part).view(self.frozen.shape)

    def mask_of(self, original: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Entries that train (on)."""
        mask = torch.zeros_like(self.frozen, dtype=torch.bool).flatten()
        return mask.scatter(0, self.index, self.active).view(self.frozen.shape)

    @torch.no_grad()
    def reselect(self, values: torch.Tensor) -> None:
        """Fix the entries that have left the threshold behind, at the values that they have.

        The vector keeps its length, so that the optimizer's state of what trains on stays as it
        is, and checkpoints fit.

        Parameters
        ----------
        values : Tensor of shape (n_entries,)
            The trained entries.
        """
        stays = self.active & (values.abs() < self.threshold)
        leaves = self.active & ~stays
        flat = self.frozen.flatten()
        flat[self.index[leaves]] = values[leaves]
        self.frozen.copy_(flat.view(self.frozen.shape))
        self.active.copy_(stays)


class SparseParameters:
    r"""Lets the smallest entries of a network's parameters train, and no others.

    Of all parameters P that train (weights, biases, normalisations, embeddings), those entries are
    chosen for which

    .. math:: |P_0| < \theta

    at the time of the call (SaRA, section 4.1): the network hardly uses them. Each parameter is
    parametrized in place by `SparseEntries`, so that ``module.parameters()`` yields vectors of the
    chosen entries; make the optimizer afterwards. Parameters that have no such entry, and those
    with ``requires_grad=False``, stay as they are. A parameter that several layers share is
    chosen once.

    Parameters
    ----------
    module : torch.nn.Module
        The pretrained network. Of one whose weights were just drawn, which entries are the
        smallest means nothing.
    threshold : float, optional
        The threshold :math:`\theta`, in units of the weights.
    fraction : float, optional
        Share of the entries to choose, in (0, 1], in place of a threshold; equal values are
        chosen together. The threshold is the least absolute value that is not chosen.
    scope : {"global", "tensor"}, default="global"
        Whether the fraction is one of all entries, or of each parameter's.
    parameters : str, list of str or callable, default="*"
        Parameters in which entries may be chosen: patterns of their names, such as
        ``"*.weight"``, or a condition ``parameters(name, parameter)``. The others are fixed.
    dense : str, list of str or callable, default=()
        Parameters that train as a whole, such as ``"head.*"``, a new last layer.

    Attributes
    ----------
    module : torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If not one of `threshold` and `fraction` is given, one is out of its range, a pattern fits
        no name, no entry is chosen, or a parameter has a parametrization already.

    See Also
    --------
    MaskedNuclearNorm : The low-rank penalty on the chosen entries.
    SaRA : An optimizer that does all of it.

    References
    ----------
    .. [1] T. Hu et al., "SaRA: High-Efficient Diffusion Model Fine-tuning with Progressive Sparse
       Low-Rank Adaptation", ICLR 2025.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import SparseParameters
    >>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    >>> sparse = SparseParameters(net, fraction=0.25)
    >>> sparse.n_trainable, sum(p.numel() for p in net.parameters())
    (44, 44)
    >>> optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    >>> net(torch.ones(4, 8)).sum().backward()
    >>> optimizer.step()

    What was learnt fits into a small file, and onto the pretrained network:

    >>> patch = sparse.patch()
    >>> net = sparse.remove()
    >>> [tuple(parameter.shape) for parameter in net.parameters()]
    [(16, 8), (16,), (2, 16), (2,)]
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        threshold: float | None = None,
        fraction: float | None = None,
        scope: Literal["global", "tensor"] = "global",
        parameters: Names = "*",
        dense: Names = (),
    ) -> None:
        check_selection(threshold, fraction, scope)
        there = _trained_parameters(module)
        whole = _fitting("dense", dense, there)
        sparse = {name: weight for name, weight in there.items() if name not in whole}
        _refuse_parametrized(sparse)
        chosen = _fitting("parameters", parameters, there) & sparse.keys()
        limits = _limits({n: sparse[n].value.detach() for n in chosen}, threshold, fraction, scope)
        masks = {name: _smaller(w.value, limits.get(name, 0.0)) for name, w in sparse.items()}
        if not any(mask.any() for mask in masks.values()):
            raise ValueError(_nothing_chosen(sparse, chosen, threshold, fraction))
        parametrize_weights(
            module,
            sparse.values(),
            lambda w: SparseEntries(w.value, masks[w.name], limits.get(w.name, 0.0)),
        )
        self.module = module
        for entries, values in self._entries():
            values.requires_grad_(len(entries.index) > 0)

    def __repr__(self) -> str:
        return f"SparseParameters({self.n_trainable} of {self.n_parameters} parameters train)"

    def _named(self) -> list[tuple[str, SparseEntries, torch.Tensor]]:
        held: list[Any] = [
            (w.name, entries, trained_vector(w)) for w, entries in _sparse(self.module)
        ]
        if not held:
            raise RuntimeError("the entries are plain parameters again: nothing is chosen any more")
        return held

    def _entries(self) -> Iterator[tuple[SparseEntries, torch.Tensor]]:
        return ((entries, values) for _, entries, values in self._named())

    def _whole(self) -> dict[str, torch.Tensor]:
        """Parameters that train as a whole."""
        vectors = {id(values) for _, values in self._entries()}
        named = self.module.named_parameters()
        return {name: p for name, p in named if p.requires_grad and id(p) not in vectors}

    @property
    def n_parameters(self) -> int:
        """Number of parameters of the network."""
        n_fixed = sum(entries.frozen.numel() - len(v) for entries, v in self._entries())
        return n_fixed + sum(p.numel() for p in self.module.parameters())

    @property
    def n_chosen(self) -> int:
        """Number of entries that were chosen, and of those of parameters that train as a whole."""
        n_whole = sum(p.numel() for p in self._whole().values())
        return n_whole + sum(len(entries.index) for entries, _ in self._entries())

    @property
    def n_trainable(self) -> int:
        """Number of entries that train now: fewer than were chosen after `reselect`."""
        n_fixed = sum(int((~entries.active).sum()) for entries, _ in self._entries())
        return self.n_chosen - n_fixed

    @property
    def masks(self) -> dict[str, torch.Tensor]:
        """By the name of the parameter, true where an entry trains."""
        return weight_masks(self.module)

    @property
    def thresholds(self) -> dict[str, float]:
        """Thresholds of the parameters that have chosen entries."""
        return {n: e.threshold.item() for n, e, _ in self._named() if len(e.index)}

    @property
    def still_small(self) -> float:
        """Share of the chosen entries whose absolute value is below the threshold at present."""
        with torch.no_grad():
            n_small = sum(
                int((e(v).flatten()[e.index].abs() < e.threshold).sum()) for e, v in self._entries()
            )
        return n_small / sum(len(entries.index) for entries, _ in self._entries())

    def reselect(self) -> None:
        """Go on with those of the entries that are still below the threshold, and fix the others.

        This is the paper's progressive parameter adjustment. Optimizers need not be told: what
        they know of the entries that train on stays.
        """
        for entries, values in self._entries():
            entries.reselect(values)

    def patch(self) -> Patch:
        """What was trained: values and positions, for `apply_patch`.

        Returns
        -------
        dict of str to dict
            By the name of the parameter: its ``"shape"``, and flat tensors of the ``"index"``
            and the ``"values"`` of the entries. Write it with ``torch.save``. Buffers, such as
            the statistics of batch normalisation, are not in it.
        """
        patch = {}
        with torch.no_grad():
            for name, entries, values in self._named():
                if len(entries.index):
                    patch[name] = _excerpt(entries(values), entries.index)
            for name, parameter in self._whole().items():
                index = torch.arange(parameter.numel(), device=parameter.device)
                patch[name] = _excerpt(parameter, index)
        return patch

    def remove(self) -> nn.Module:
        """Turn all parameters into plain ones of the same values, which train.

        Returns
        -------
        torch.nn.Module
            The network.
        """
        return merge_entries(self.module)


def merge_entries(module: nn.Module) -> nn.Module:
    """Turn parameters with chosen entries, if any, into plain ones that train."""
    held = list(_sparse(module))
    for weight, _ in held:
        trained_vector(weight).requires_grad_(True)
    return remove_masks(module) if held else module


@torch.no_grad()
def apply_patch(module: nn.Module, patch: Mapping[str, Any], scale: float = 1.0) -> nn.Module:
    """Put what was trained by `SparseParameters` into a network, in place.

    Parameters
    ----------
    module : torch.nn.Module
        The network from which the training began, or one of the same shapes.
    patch : dict of str to dict
        A patch, as of `SparseParameters.patch`.
    scale : float, default=1.0
        How far to go: 0 leaves the entries as they are, 1 gives them the trained values, bit for
        bit, others are in between or beyond.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If the network has no parameter of a name, or it has another shape.

    Examples
    --------
    >>> import copy, torch
    >>> from skreg.deep.torch import SparseParameters, apply_patch
    >>> base = torch.nn.Linear(4, 2)
    >>> tuned = copy.deepcopy(base)
    >>> sparse = SparseParameters(tuned, fraction=0.5)
    >>> with torch.no_grad():
    ...     for parameter in tuned.parameters():
    ...         _ = parameter.add_(1.0)
    >>> bool(torch.equal(apply_patch(base, sparse.patch()).weight, tuned.weight))
    True
    """
    check_number("scale", scale)
    there = dict(module.named_parameters(remove_duplicate=False))
    for name, part in patch.items():
        if name not in there:
            close = difflib.get_close_matches(name, there, n=3, cutoff=0.5) or list(there)
            raise ValueError(f"patch: no parameter is called {name!r}; there is {', '.join(close)}")
        if tuple(part["shape"]) != there[name].shape:
            raise ValueError(
                f"patch: {name!r} has the shape {tuple(part['shape'])}, in the network "
                f"{tuple(there[name].shape)}: it belongs to another network"
            )
    for name, part in patch.items():
        parameter = there[name]
        flat = parameter.flatten().clone()
        index = part["index"].to(flat.device, torch.int64)
        # lerp is exact at both ends
        flat[index] = torch.lerp(flat[index], part["values"].to(flat), float(scale))
        parameter.copy_(flat.view(parameter.shape))
    return module


def check_selection(threshold: Any, fraction: Any, scope: Any) -> None:
    """Raise ValueError unless the entries to choose are told by one number in its range."""
    if (threshold is None) == (fraction is None):
        raise ValueError(
            f"give one of threshold and fraction, and None for the other; got {threshold=} and "
            f"{fraction=}"
        )
    if threshold is not None:
        check_number("threshold", threshold, 0, above=True)
    if fraction is not None:
        check_number("fraction", fraction, 0, 1, above=True)
    check_choice("scope", scope, ("global", "tensor"))


def _sparse(module: nn.Module) -> Iterator[tuple[Weight, SparseEntries]]:
    return masked_weights(module, SparseEntries)


def trained_vector(weight: Weight) -> nn.Parameter:
    """The vector of trained entries."""
    made_from: Any = weight.layer.parametrizations
    return made_from[weight.attribute].original


def _trained_parameters(module: nn.Module) -> dict[str, Weight]:
    """Parameters that train; those that several layers share come once."""
    found: dict[int, Weight] = {}
    for prefix, layer in module.named_modules():
        for attribute, parameter in layer._parameters.items():
            if parameter is None or not parameter.requires_grad:
                continue
            name = f"{prefix}.{attribute}" if prefix else attribute
            if isinstance(parameter, UninitializedParameter):
                raise ValueError(f"{name!r} has no shape yet: call the network once before")
            found.setdefault(id(parameter), Weight(name, layer, attribute))
    if not found:
        raise ValueError(f"{type(module).__name__} has no parameters that train")
    return {weight.name: weight for weight in found.values()}


def _refuse_parametrized(weights: Mapping[str, Weight]) -> None:
    for name in weights:
        if "parametrizations" in name.split("."):
            raise ValueError(
                f"{name!r} belongs to a parametrization, such as a mask or weight normalisation, "
                "whose entries are not those of a weight: remove it first, let it train as a "
                "whole (dense), or not at all (requires_grad_(False))"
            )


def _fitting(argument: str, wanted: Names, there: Mapping[str, Weight]) -> set[str]:
    """Names of the parameters that an argument means."""
    if callable(wanted):
        return {name for name, weight in there.items() if wanted(name, weight.value)}
    names: set[str] = set()
    for pattern in [wanted] if isinstance(wanted, str) else wanted:
        if not isinstance(pattern, str):
            raise ValueError(
                f"{argument} must be patterns of names or a callable of name and parameter, got "
                f"{pattern!r}"
            )
        fitting = set(fnmatch.filter(there, pattern))
        if not fitting:
            close = difflib.get_close_matches(pattern, there, n=3, cutoff=0.5) or list(there)
            raise ValueError(
                f"{argument}: no parameter that trains is called {pattern!r}; there is "
                f"{', '.join(close)}"
            )
        names |= fitting
    return names


def _limits(
    values: Mapping[str, torch.Tensor],
    threshold: float | None,
    fraction: float | None,
    scope: str,
) -> dict[str, float]:
    """Thresholds by the name of the parameter."""
    if fraction is None:
        return dict.fromkeys(values, float(threshold or 0.0))
    sizes = {name: in_full_precision(value.abs().flatten()) for name, value in values.items()}
    if scope == "tensor":
        return {name: _least_not_chosen(size, fraction) for name, size in sizes.items()}
    if not sizes:
        return {}
    return dict.fromkeys(sizes, _least_not_chosen(torch.cat([*sizes.values()]), fraction))


def _least_not_chosen(sizes: torch.Tensor, fraction: float) -> float:
    """Threshold below which a fraction lies, and what equals its largest member."""
    n_chosen = round(fraction * len(sizes))
    if not n_chosen:
        return 0.0
    above = sizes[sizes > sizes.kthvalue(n_chosen).values]
    return above.min().item() if len(above) else math.inf


def _smaller(value: torch.Tensor, limit: float) -> torch.Tensor:
    """Entries below a threshold, which is taken in the precision of the weight."""
    return value.detach().abs() < limit


def _nothing_chosen(
    sparse: Mapping[str, Weight], chosen: set[str], threshold: float | None, fraction: float | None
) -> str:
    sizes = [sparse[name].value.detach().abs() for name in chosen]
    n = sum(size.numel() for size in sizes)
    told = f"{threshold=}" if fraction is None else f"{fraction=}"
    if not n:
        return "no parameter is left in which entries may be chosen: see parameters and dense"
    least = min(size.min().item() for size in sizes if size.numel())
    return (
        f"{told} chooses none of {n} entries, of which the smallest absolute value is {least:.3g}: "
        "raise it"
    )


def _excerpt(value: torch.Tensor, index: torch.Tensor) -> dict[str, Any]:
    """Some entries of a parameter, on the CPU, as a patch holds them."""
    small = torch.int32 if value.numel() < 2**31 else torch.int64
    return {
        "shape": tuple(value.shape),
        "index": index.to("cpu", small),
        "values": value.detach().flatten()[index].cpu(),
    }
