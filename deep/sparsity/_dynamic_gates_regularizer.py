"""Dynamic channel gates in the training step."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ..frame._frozen_copy import bare
from ..frame._optimizer import innermost
from ..frame._parameter_groups import own_group
from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net, Regularizer
from ._dynamic_gates import (
    GATING,
    POOLINGS,
    add_dynamic_gates,
    channel_gatings,
    check_rows,
    check_rule,
    mean_gate_loss,
    remove_dynamic_gates,
)
from ._gate_places import channel_graph
from ._gated_flops import look, set_mass_for_flops
from ._masks import Layers

UNKNOWN = math.nan  # mass that the first epoch is to choose


class DynamicGates(Regularizer):
    """Learns which channels each sample needs, and closes the others (FTWT).

    Gates are put into the module by `skreg.deep.torch.add_dynamic_gates`. While the share of the
    planned training that is done is below `cooldown`, they learn to predict which channels the
    activations of their layers need, by `skreg.deep.torch.gate_loss`; then they stay as they are,
    to the last bit, and the rest of the network goes on learning around them. They have a group of
    their own in the optimizer, without weight decay.

    Give a trained module: ``DeepClassifier(module=trained.net_.module_)``, or an instance into
    which ``load_state_dict`` has put the weights of the network without gates. Gates that it has
    are replaced.

    **Closed channels are computed and then set to zero.** `flops_reduction_` is what would be saved
    by a runtime that does not compute them; predictions take as long as before. In several
    processes, ``DistributedDataParallel`` needs ``find_unused_parameters=True``: after the
    cool-down gates get no gradients.

    Parameters
    ----------
    mass : float, default=0.9
        Share of the activations that each layer should keep, in (0, 1]. The smaller, the fewer
        channels are open.
    prune_ratio : float, default=None
        Share of the channels that each layer should close instead, in [0, 1).
    flops_target : float, default=None
        Share of the operations to save, in (0, 1). The mass is then chosen so that the activations
        of the module as given, all training data passed through it some times, allow that. What
        gates save in the end differs, as they are not always right.
    mode : {"decoupled", "joint"}, default="decoupled"
        Whether only the gates learn from the loss of the gates, or the layers before them too.
    cooldown : float, default=0.5
        Share of the planned training after which gates stay as they are, in [0, 1].
    gate_lr : float, default=0.1
        Learning rate of the gates where that of the rest is the optimizer's initial one; schedules
        change both in the same proportion.
    softmax : bool, default=True
        Whether gates see the softmax over channels of their averaged input, as in the authors'
        code. In short trainings of small networks gates fit much better without it, and with
        ``pooling="max"``.
    pooling : {"avg", "max"}, default="avg"
        Mean or maximum over positions of the input that gates see.
    min_channels : int, default=1
        Number of channels that stay open in each layer.
    layers : {"all", "hidden"}, str, list of str or callable, default="all"
        Layers that may get gates, as for `skreg.deep.torch.choose_weights`.

    Attributes
    ----------
    mass_ : float
        The mass, given or chosen.
    flops_reduction_ : float
        Mean share of the operations that gates save on the training data, see
        `skreg.deep.torch.gated_flops`, which tells it for other data.
    mask_accuracy_ : float
        Share of the channels, over layers and training data, on which gates and activations agree.
    active_channels_ : dict of str to float
        Mean number of open channels by layer, on the training data.

    References
    ----------
    .. [1] S. Elkerdawy, M. Elhoushi, H. Zhang, N. Ray, "Fire Together Wire Together: A Dynamic
       Pruning Approach with Self-Supervised Mask Prediction", CVPR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg.deep import DeepClassifier, SmallCNN
    >>> from skreg.deep.regularizers import DynamicGates
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X.reshape(-1, 1, 8, 8)
    >>> plain = DeepClassifier(SmallCNN, max_epochs=5, random_state=0).fit(X, y)
    >>> gated = DeepClassifier(
    ...     plain.net_.module_,
    ...     [("gates", DynamicGates(mass=0.7))],
    ...     max_epochs=5,
    ...     random_state=0,
    ... ).fit(X, y)
    >>> gated.score(X, y) > 0.9, dict(gated.net_.regularizers)["gates"].flops_reduction_ > 0
    (True, True)
    """

    looks_into_module = True
    layers: Any  # chooses layers to gate; those that are looked at are the gates
    fixed = ("flops_target", "softmax", "pooling", "layers")
    names_: tuple[str, ...] = ()

    def __init__(
        self,
        mass: float = 0.9,
        *,
        prune_ratio: float | None = None,
        flops_target: float | None = None,
        mode: Literal["decoupled", "joint"] = "decoupled",
        cooldown: float = 0.5,
        gate_lr: float = 0.1,
        softmax: bool = True,
        pooling: Literal["avg", "max"] = "avg",
        min_channels: int = 1,
        layers: Layers = "all",
    ) -> None:
        self.mass = mass
        self.prune_ratio = prune_ratio
        self.flops_target = flops_target
        self.mode = mode
        self.cooldown = cooldown
        self.gate_lr = gate_lr
        self.softmax = softmax
        self.pooling = pooling
        self.min_channels = min_channels
        self.layers = layers

    @property
    def wanted_layers(self) -> tuple[str, ...]:
        """The gates, whose decisions `penalty` gets."""
        return self.names_

    def initialize(self) -> Self:
        check_rule(self.mass, self.prune_ratio, self.mode, self.min_channels)
        check_number("cooldown", self.cooldown, 0.0, 1.0)
        check_number("gate_lr", self.gate_lr, 0.0)
        check_choice("pooling", self.pooling, POOLINGS)
        if self.flops_target is not None:
            check_number("flops_target", self.flops_target, 0.0, 1.0, above=True, below=True)
            if self.prune_ratio is not None:
                raise ValueError(
                    "flops_target chooses the mass, which prune_ratio takes the place of: give one"
                )
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Put the gates into the module, in place of any that it has."""
        add_dynamic_gates(
            remove_dynamic_gates(module),
            softmax=self.softmax,
            pooling=self.pooling,
            layers=self.layers,
        )
        self.names_ = tuple(
            f"{name}.{GATING}" if name else GATING for name in channel_gatings(module)
        )
        self._set_rule(module, UNKNOWN if self.flops_target is not None else self.mass)

    def _set_rule(self, module, mass):
        for gating in channel_gatings(module).values():
            gating.learn_by(mass, self.prune_ratio, self.mode, self.min_channels)

    def state(self, net: Net) -> None:
        """Let the gates know the rule; what must outlive a call stands in the module itself."""
        module = bare(net.module_)
        chosen = self._mass_of(module)
        self._set_rule(module, self.mass if self.flops_target is None else chosen)

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Give the gates a group of their own."""
        self._own_group(net, optimizer)
        return optimizer

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Take over a learning rate that was set since."""
        self._own_group(net, net.optimizer_)

    def _own_group(self, net, optimizer):
        gatings = channel_gatings(net.module_).values()
        parameters = [p for gating in gatings for p in gating.parameters()]
        defaults = innermost(optimizer).defaults
        decay: dict[str, Any] = {"weight_decay": 0.0} if "weight_decay" in defaults else {}
        scale = self.gate_lr / defaults["lr"] if defaults["lr"] else 0.0
        own_group(optimizer, parameters, lr_scale=scale, **decay)

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Choose the mass, if it is to be chosen and no earlier training or checkpoint did.

        Raises
        ------
        ValueError
            If no mass saves as many operations as are wanted.
        """
        module = bare(net.module_)
        self.mass_ = self._mass_of(module)
        if self.flops_target is not None and math.isnan(self.mass_):
            batches = functools.partial(self._batches, net, module)
            set_mass_for_flops(module, self.flops_target, batches)
            self.mass_ = self._mass_of(module)

    def _mass_of(self, module):
        return next(iter(channel_gatings(module).values())).mass.item()

    def _batches(self, net: Any, module: nn.Module) -> Iterator[tuple[Callable[[], Any], int]]:
        """Calls of the module on batches of the training data, and their numbers of samples."""
        for X, y, _ in net.training_batches():
            call = (
                functools.partial(module, **X)
                if isinstance(X, Mapping)
                else (functools.partial(module, X))
            )
            yield call, len(y)

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """The loss of the gates, before the cool-down."""
        check_rows(
            {name.removesuffix(f".{GATING}"): features[name] for name in features}, len(batch.y)
        )
        if batch.progress >= self.cooldown:
            return None
        return mean_gate_loss(features.values(), batch.sample_weight)

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Count what the gates save, and how often they are right."""
        if net.training_set_ is None:  # training that could not go on
            return
        saved = right = n_seen = 0.0
        names, graph = [*channel_gatings(module)], channel_graph(module)
        n_open = torch.zeros(len(names), dtype=torch.float64)
        for forward, n in self._batches(net, module):
            flops, decisions = look(module, graph, forward, n)
            agreeing = [decisions[name].mask == decisions[name].target for name in names]
            saved += n * flops.reduction
            right += n * torch.cat(agreeing, 1).double().mean().item()
            n_open += torch.stack([flops.active[name].sum() for name in names]).cpu()
            n_seen += n
        means = torch.tensor([saved, right, *n_open.tolist()], dtype=torch.float64) / n_seen
        means = mean_over_processes(means, n_seen, net.process_group)
        self.flops_reduction_, self.mask_accuracy_, *n_active = means.tolist()
        self.active_channels_ = dict(zip(names, n_active, strict=True))
