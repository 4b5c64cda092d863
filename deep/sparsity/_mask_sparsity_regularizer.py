"""Sparse scaling factors in the training step: of all channels, or of those to be pruned."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
from skorch.callbacks import LRScheduler
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skreg._warnings import warn

from ..frame._batches import check_choice, check_number
from ..frame._changes import same
from ..frame._frozen_copy import bare
from ..frame._optimizer import innermost
from ..frame._regularizer import Batch, Net, Regularizer
from ._channel_graph import ChannelGraph
from ._channel_masks import METHODS, SCOPES, channel_masks, checked_masks, norm_layers
from ._masks import Layers
from ._scaling_factors import NORMS_OF_PENALTY, ScalingFactorPenalty, travel_strength

MODES = ("prox", "subgradient", "loss")


class PenalizedFactors(Regularizer):
    """What the two regularizers have in common: when the penalty acts, and how strongly."""

    strength: float | Literal["auto"]
    norm: Literal["l1", "l2", "smooth_l1"]
    mode: Literal["prox", "subgradient", "loss"]
    penalize_bias: bool
    start: float = 0.0
    choosing: tuple[str, ...] = ()  # parameters by which channels are chosen
    safety = 3.0  # of the automatic strength

    def initialize(self) -> Self:
        if self.strength != "auto":
            check_number("strength", self.strength, 0)
        check_choice("norm", self.norm, NORMS_OF_PENALTY)
        check_choice("mode", self.mode, MODES)
        if self.mode == "prox" and self.norm == "smooth_l1":
            raise ValueError(
                'norm="smooth_l1" has no proximal step: take norm="l1", which reaches zero, or '
                'mode="subgradient"'
            )
        return self

    def state(self, net: Net) -> nn.Module:
        """Make what a checkpoint needs: masks and strength."""
        self.chosen_ = ChosenChannels(bare(net.module_))
        return self.chosen_

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Masks and strength are found when the first batch comes: weights are loaded by then."""
        self.penalty_: ScalingFactorPenalty | None = None

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Find masks and strength, once in a call."""
        if self.penalty_ is None and batch.progress >= self.start:
            self._begin(net, X)
        return X

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """Penalise factors in the loss."""
        if self.mode != "loss" or self.penalty_ is None:
            return None
        return self.penalty_.penalty(bare(net.module_), self._lr(net))

    def on_grad_computed(self, net: Net, **kwargs: Any) -> None:
        """Add the subgradient."""
        if self.mode == "subgradient" and self.penalty_ is not None:
            self.penalty_.add_to_grad(bare(net.module_), self._lr(net))

    def after_step(self, net: Net, batch: Batch) -> None:
        """Make the proximal step."""
        if self.mode == "prox" and self.penalty_ is not None:
            self.penalty_.prox_(bare(net.module_), self._lr(net))

    @property
    def prune_masks_(self) -> dict[str, torch.Tensor]:
        """Masks of the layers, True where a channel is to be pruned."""
        return self.chosen_.masks()

    @property
    def strength_(self) -> float:
        """Strength of the penalty; NaN before it is found."""
        return float(self.chosen_.strength)

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Keep the factors that training led to."""
        self.scaling_factors_ = {
            name: layer.weight.detach().clone() for name, layer in norm_layers(module).items()
        }

    def _begin(self, net, X):
        chosen, module, now = self.chosen_, bare(net.module_), self.get_params(deep=False)
        before = vars(self).get("chosen_with_", now)
        changed = {name for name, value in now.items() if not same(value, before[name])}
        choose = not chosen.is_chosen or bool(changed.intersection(self.choosing))
        if choose:
            chosen.choose(self._masks(module, X))
        if choose or changed & {"strength", "mode"}:
            chosen.strength.fill_(self._strength(net, module))
        self.chosen_with_ = now
        masks = {name: mask for name, mask in self.prune_masks_.items() if mask.any()}
        self.penalty_ = ScalingFactorPenalty(self.strength_, masks, self.norm, self.penalize_bias)

    def _masks(self, module, X) -> Mapping[str, Any]:
        raise NotImplementedError

    def _strength(self, net, module):
        if self.strength != "auto":
            return self.strength
        masks = self.prune_masks_
        distances = [
            layer.weight.detach()[masks[name]].abs().max()
            for name, layer in norm_layers(module).items()
            if masks[name].any()
        ]
        if not distances:
            return 0.0
        group = self._group(net)
        momentum = 0.0
        if self.mode != "prox":
            if not isinstance(innermost(net.optimizer_), torch.optim.SGD):
                raise ValueError(
                    f'strength="auto" with mode={self.mode!r} is for SGD, but the optimizer is '
                    f"{type(innermost(net.optimizer_)).__name__}, which rescales the penalty: take "
                    'mode="prox", or give a strength'
                )
            momentum = group.get("momentum", 0.0)
        total_lr = float(planned_rates(net, group).sum())
        return travel_strength(
            total_lr, momentum=momentum, distance=float(max(distances)), safety=self.safety
        )

    def _lr(self, net):
        return self._group(net)["lr"]

    def _group(self, net):
        """Options of the optimizer for factors: of the first that trains."""
        for layer in norm_layers(net.module_).values():
            for group in net.optimizer_.param_groups:
                if any(layer.weight is parameter for parameter in group["params"]):
                    return group
        raise ValueError("the optimizer does not have the scaling factors of normalisation layers")


class ChosenChannels(nn.Module):
    """Masks and strength that were found, as a part of a checkpoint.

    Attributes
    ----------
    pruned : Tensor of bool
        Masks of all normalisation layers, one after the other.
    strength : Tensor of shape ()
        Strength of the penalty.
    is_chosen : Tensor of shape (), bool
        Whether they were found.
    """

    pruned: torch.Tensor
    strength: torch.Tensor
    is_chosen: torch.Tensor

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        layers = norm_layers(module)
        device = next(iter(layers.values())).weight.device
        self.widths = {name: len(layer.weight) for name, layer in layers.items()}
        n = sum(self.widths.values())
        self.register_buffer("pruned", torch.zeros(n, dtype=torch.bool, device=device))
        self.register_buffer("strength", torch.tensor(math.nan, dtype=torch.float64, device=device))
        self.register_buffer("is_chosen", torch.tensor(False, device=device))

    def choose(self, masks: Mapping[str, torch.Tensor]) -> None:
        """Keep masks; layers without one lose no channels."""
        for name, part in self.masks().items():
            part.copy_(masks[name]) if name in masks else part.fill_(False)
        self.is_chosen.fill_(True)

    def masks(self) -> dict[str, torch.Tensor]:
        """Masks by layer, in the memory of `pruned`."""
        parts = self.pruned.split([*self.widths.values()])
        return dict(zip(self.widths, parts, strict=True))


def planned_rates(net: Net, group: Mapping[str, Any]) -> np.ndarray:
    """Learning rates of the optimizer steps that are left, as far as schedules tell them.

    Parameters
    ----------
    net : RegularizedNetClassifier or RegularizedNetRegressor
        The net, in training.
    group : mapping
        A parameter group of its optimizer.

    Returns
    -------
    ndarray of shape (n_steps,)
        The rates. A schedule that looks at losses counts as constant.

    Raises
    ------
    ValueError
        If the number of batches is not known.
    """
    if net.n_batches_ is None:
        raise ValueError(
            'strength="auto" needs to know the number of batches, which a stream does not tell: '
            "give a strength"
        )
    per_epoch = math.ceil(net.n_batches_ / net.accumulation_steps)
    n_steps = net.planned_ * per_epoch
    initial = group.get("initial_lr", group["lr"])
    rates = np.full(n_steps, float(initial))
    for _, callback in net.callbacks_:
        if isinstance(callback, LRScheduler) and callback.policy_ is not ReduceLROnPlateau:
            by_step = callback.step_every == "batch"
            scheduled = _scheduled(callback, initial, n_steps if by_step else net.planned_)
            rates *= (scheduled if by_step else np.repeat(scheduled, per_epoch)) / initial
    done = (len(net.history) - 1) * per_epoch + net.batches_done_ // net.accumulation_steps
    return rates[min(done, n_steps - 1) :]


def _scheduled(callback, initial, n):
    """Rates of a schedule; skorch's own simulation has no momentum, which cycles ask for."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=initial, momentum=0.9)
    schedule = callback.policy_(optimizer, **callback.kwargs)
    rates = []
    for _ in range(n):
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    return np.array(rates)


class NetworkSlimming(PenalizedFactors):
    r"""Penalises the scaling factors of all channels (Liu et al. 2017).

    Channels that the network can do without get small factors: `skreg.deep.torch.channel_masks`
    then says which, and `skreg.deep.torch.prune_channels` removes them. All other factors shrink as
    well, which costs accuracy; `MaskSparsity` goes on from there, or from the network before.

    Parameters
    ----------
    strength : float or "auto", default="auto"
        Strength of the penalty; "auto" is that of `skreg.deep.torch.travel_strength`.
    norm : {"l1", "l2", "smooth_l1"}, default="l1"
        The penalty, as of `skreg.deep.torch.ScalingFactorPenalty`.
    mode : {"prox", "subgradient", "loss"}, default="prox"
        A proximal step after each step of the optimizer, which suits all optimizers and reaches
        exact zeros; or the authors' way, a subgradient that is added to the gradient; or a term
        of the loss. The latter two are for SGD: Adam would rescale them.
    penalize_bias : bool, default=False
        Penalise the biases as well.

    Attributes
    ----------
    scaling_factors_ : dict of str to Tensor of shape (n_channels,)
        Factors of the layers when training ended.
    strength_ : float
        The strength.

    References
    ----------
    .. [1] Z. Liu, J. Li, Z. Shen, G. Huang, S. Yan, C. Zhang, "Learning Efficient Convolutional
       Networks through Network Slimming", ICCV 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import NetworkSlimming
    >>> X, y = load_iris(return_X_y=True)
    >>> def network():
    ...     return nn.Sequential(
    ...         nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3)
    ...     )
    >>> slimming = NetworkSlimming(strength=1.5)
    >>> model = DeepClassifier(
    ...     network, regularizers=[("slim", slimming)], lr=0.01, random_state=0
    ... ).fit(X, y)
    >>> factors = dict(model.net_.regularizers)["slim"].scaling_factors_["1"]
    >>> bool((factors == 0).sum() > 10)
    True
    """

    safety = 1.5  # of all factors, more would empty layers that the network needs

    def __init__(
        self,
        strength: float | Literal["auto"] = "auto",
        *,
        norm: Literal["l1", "l2", "smooth_l1"] = "l1",
        mode: Literal["prox", "subgradient", "loss"] = "prox",
        penalize_bias: bool = False,
    ) -> None:
        self.strength = strength
        self.norm = norm
        self.mode = mode
        self.penalize_bias = penalize_bias

    def _masks(self, module, X):
        return {
            name: torch.ones_like(layer.weight, dtype=torch.bool)
            for name, layer in norm_layers(module).items()
        }


class MaskSparsity(PenalizedFactors):
    r"""Penalises the scaling factors of the channels that are to be pruned (Jiang et al. 2023).

    First it is decided which channels go; then their factors, and only theirs, are driven to zero
    while all others train freely; at the end `skreg.deep.torch.prune_channels` removes them, which
    changes nothing. The network should be trained before: by another fit, ``module=`` its module,
    or by the share `start` of this one. What averages weights comes after it in the list, and then
    averages zeros.

    Parameters
    ----------
    amount : float, default=0.5
        Share of the channels to prune, in [0, 1).
    prune_masks : dict of str to array of bool, default=None
        Which channels, instead of those with the smallest factors: True where one is to go, by
        normalisation layer, for example `skreg.deep.torch.channel_masks` of a network that was
        trained with `NetworkSlimming` from the same weights.
    strength : float or "auto", default="auto"
        Strength of the penalty; "auto" is that of `skreg.deep.torch.travel_strength` for the rest
        of the planned training.
    start : float, default=0.0
        Share of the planned training, in [0, 1), after which channels are chosen.
    method : {"quantile", "threshold", "optimal_threshold"}, default="quantile"
        How they are chosen, as of `skreg.deep.torch.channel_masks`; `amount` is for "quantile".
    threshold : float, default=0.01
        Largest factor to prune, for "threshold"; and what all factors of pruned channels should
        have come under when training ends.
    scope : {"global", "layer"}, default="layer"
        For "quantile", whether factors of all layers are compared, or those of one layer with one
        another. Compare all only in a network that was trained with a penalty on all.
    min_channels : int, default=1
        Number of channels that each layer keeps in any case.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        Normalisation layers that may lose channels; of "all" those whose channels
        `skreg.deep.torch.prune_channels` can remove.
    groups : list of list of str, default=None
        Layers that must lose the same channels; None finds them by
        `skreg.deep.torch.channel_groups`.
    norm : {"l1", "l2", "smooth_l1"}, default="l1"
        The penalty, as of `skreg.deep.torch.ScalingFactorPenalty`.
    mode : {"prox", "subgradient", "loss"}, default="prox"
        A proximal step after each step of the optimizer, which suits all optimizers and reaches
        exact zeros; or the authors' way, a subgradient that is added to the gradient; or a term
        of the loss. The latter two are for SGD: Adam would rescale them.
    penalize_bias : bool, default=False
        Penalise the biases of these channels as well.

    Attributes
    ----------
    prune_masks_ : dict of str to Tensor of shape (n_channels,), bool
        The channels to be pruned.
    scaling_factors_ : dict of str to Tensor of shape (n_channels,)
        Factors of the layers when training ended.
    strength_ : float
        The strength.

    Warns
    -----
    UserWarning
        If all factors are equal when channels are chosen, as in a network that was not trained; if
        factors of pruned channels are above `threshold` when training ends, or none were chosen.

    References
    ----------
    .. [1] N. Jiang, X. Zhao, C. Zhao, Y. An, M. Tang, J. Wang, "Pruning-aware Sparse Regularization
       for Network Pruning", Machine Intelligence Research 20, 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import MaskSparsity
    >>> from skreg.deep.torch import prune_channels
    >>> X, y = load_iris(return_X_y=True)
    >>> def network():
    ...     return nn.Sequential(
    ...         nn.Linear(4, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3)
    ...     )
    >>> masked = MaskSparsity(amount=0.75, start=0.5)
    >>> model = DeepClassifier(
    ...     network, regularizers=[("masked", masked)], lr=0.01, random_state=0
    ... ).fit(X, y)
    >>> masks = dict(model.net_.regularizers)["masked"].prune_masks_
    >>> small = prune_channels(model.net_.module_, masks, X[:1])
    >>> small[0]
    Linear(in_features=4, out_features=8, bias=True)
    >>> tuned = DeepClassifier(small, max_epochs=1, random_state=0).fit(X, y)
    >>> tuned.score(X, y) > 0.9
    True
    """

    looks_into_module = True
    layers: Any  # chooses normalisations, no features
    wanted_layers = ()
    choosing = (
        "amount", "prune_masks", "method", "threshold", "scope", "min_channels", "layers", "groups",
    )  # fmt: skip

    def __init__(
        self,
        amount: float = 0.5,
        *,
        prune_masks: Mapping[str, Any] | None = None,
        strength: float | Literal["auto"] = "auto",
        start: float = 0.0,
        method: Literal["quantile", "threshold", "optimal_threshold"] = "quantile",
        threshold: float = 0.01,
        scope: Literal["global", "layer"] = "layer",
        min_channels: int = 1,
        layers: Layers = "all",
        groups: Sequence[Sequence[str]] | None = None,
        norm: Literal["l1", "l2", "smooth_l1"] = "l1",
        mode: Literal["prox", "subgradient", "loss"] = "prox",
        penalize_bias: bool = False,
    ) -> None:
        self.amount = amount
        self.prune_masks = prune_masks
        self.strength = strength
        self.start = start
        self.method = method
        self.threshold = threshold
        self.scope = scope
        self.min_channels = min_channels
        self.layers = layers
        self.groups = groups
        self.norm = norm
        self.mode = mode
        self.penalize_bias = penalize_bias

    def initialize(self) -> Self:
        check_number("amount", self.amount, 0, 1, below=True)
        check_number("start", self.start, 0, 1, below=True)
        check_choice("method", self.method, METHODS)
        check_choice("scope", self.scope, SCOPES)
        check_number("threshold", self.threshold, 0)
        check_number("min_channels", self.min_channels, 1)
        return super().initialize()

    def state(self, net: Net) -> nn.Module:
        """Make what a checkpoint needs, and look at given masks before anything is trained."""
        if self.prune_masks is not None:
            checked_masks(self.prune_masks, norm_layers(net.module_))
        return super().state(net)

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Keep the factors, and tell if pruning would hurt."""
        super().finalize(net, module)
        if not self.chosen_.is_chosen:
            if net.history:
                warn(
                    "MaskSparsity chose no channels: training ended before the share "
                    f"start={self.start!r} of the planned epochs; lower start, or train on"
                )
            return
        masks = self.prune_masks_
        left = [self.scaling_factors_[name][mask].abs() for name, mask in masks.items()]
        largest = float(torch.cat(left).max()) if any(map(len, left)) else 0.0
        if largest > self.threshold:
            warn(
                f"MaskSparsity left scaling factors of up to {largest:.3g} on channels to be "
                f"pruned, more than threshold={self.threshold:g}: to remove them will change "
                f"predictions. Train longer, or raise strength (now {self.strength_:.3g})"
            )

    def _masks(self, module, X):
        if self.prune_masks is not None:
            return checked_masks(self.prune_masks, norm_layers(module))
        factors = torch.cat([layer.weight.detach() for layer in norm_layers(module).values()])
        if (factors == factors[0]).all():
            warn(
                "MaskSparsity chooses channels of a network whose scaling factors are all equal, "
                "which tell nothing: train it before, or set start to a share of this training"
            )
        groups, layers = self.groups, self.layers
        if groups is None:
            found = ChannelGraph(module, X).groups()
            groups = [names for names in found if len(names) > 1]
            if layers == "all":
                layers = [name for names in found for name in names]
        return channel_masks(
            module,
            self.method,
            self.amount,
            self.threshold,
            min_channels=int(self.min_channels),
            groups=groups,
            layers=layers,
            scope=self.scope,
        )
