"""Masks that adapt a pretrained network, in the training step."""

import functools
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import nn

from skreg._warnings import warn

from ..frame._batches import check_choice, check_number
from ..frame._frozen_copy import FrozenCopy, bare
from ..frame._processes import mean_over_processes, of_first_process
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._training_pass import last_linear
from ._binary_mask import BinaryMask, apply_binary_masks, mask_scores, unmasked
from ._counting import evaluating
from ._gradient_dropout import GradientDropoutStep, reference_cross_entropy
from ._masks import Layers, choose_layers, weight_masks


class MaskTuning(Regularizer):
    r"""Adapts a pretrained network by switching weights off (Zheng et al. 2023).

    For small data sets that a pretrained network fits almost: its weights stay as they are, bit for
    bit, and scores of weights train in their place, see `skreg.deep.torch.BinaryMask`. The result
    is one bit for each weight, and several tasks can share one network. Give the pretrained network
    as the module.

    The loss is that of the task plus `norm_penalty` times the sum of the Euclidean norms of the
    tensors of scores. So that the network does not forget what it could do, entries of the gradient
    in scores are dropped at random where they conflict with the gradient of the cross entropy
    between the predictions and those of the untouched network, see
    `skreg.deep.torch.gradient_dropout`. That takes two forward and two backward passes a step, one
    of the forward passes without gradient.

    The learning rate is the net's: 8e-5 to 2e-4 with Adam. Adam moves a score by about the rate
    in a step, so that nothing changes before the rates of the steps sum up to `init` less
    `threshold`: 63 steps at the rate 8e-5, or 125 under a cosine schedule. Much larger rates switch
    weights off in a few steps. As Adam does not heed the size of gradients, weights that have none,
    such as those of dead units, are switched off by the penalty; that changes nothing, but inflates
    the masked share.

    Normalizations by batches use their running statistics, in training as well, which stay as they
    are. `skreg.deep.torch.save_masks` writes the masks to a file, and
    `skreg.deep.torch.remove_masks` makes a plain network for export.

    Parameters
    ----------
    layers : {"all", "hidden"}, str, list of str or callable, default=None
        Layers whose weights are masked, as for `skreg.deep.torch.choose_weights`; the paper masks
        attention and the first convolution. None means all but the last layer, the head.
    init : float, default=1e-2
        All scores at first.
    threshold : float, default=5e-3
        Weights whose scores are not above it are switched off.
    norm_penalty : float, default=1e-4
        Strength of the norms of scores. With SGD it does next to nothing.
    gdr_strength : float, default=1.0
        Strength of gradient dropout, in [0, 1]: 1 drops entries to zero. 0 is plain mask tuning,
        which compares no gradients and costs little more than plain training.
    temperature : float, default=1.0
        Temperature of the predictions that are compared.
    reference_mode : {"dropout", "sum"}, default="dropout"
        "sum" adds the cross entropy to the untouched network to the loss instead, which one
        backward pass takes; `gdr_strength` is its strength then. Try it as well: in small
        experiments it is the better one.
    head : {"frozen", "train"}, default="frozen"
        Whether the last linear layer trains along, with the plain gradient of the task, as new
        classes need. What is compared then are the outputs of the head that was there at first.

    Attributes
    ----------
    masks_ : dict of str to ndarray of bool
        Masks by the name of the weight, true where it is switched on.
    masked_fraction_ : float
        Share of the weights of these layers that is switched off.
    max_travel_ : float
        Longest way of a score from where it began.

    Warns
    -----
    UserWarning
        If nothing is switched off in the end, or all of a layer.

    References
    ----------
    .. [1] K. Zheng, W. Wu, R. Feng, K. Zhu, J. Liu, D. Zhao, Z.-J. Zha, W. Chen, Y. Shen,
       "Regularized Mask Tuning: Uncovering Hidden Knowledge in Pre-trained Vision-Language Models",
       ICCV 2023.

    Examples
    --------
    A network that knows digits learns to read some that are shifted by a pixel:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import MaskTuning
    >>> X, y = load_digits(return_X_y=True)
    >>> net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    >>> before = DeepClassifier(net, lr=0.01, max_epochs=10, random_state=0).fit(X / 16, y)
    >>> shifted = np.roll(X, 8, axis=1) / 16
    >>> after = DeepClassifier(
    ...     before.net_.module_,
    ...     [("masks", MaskTuning())],
    ...     lr=2e-4,
    ...     batch_size=32,
    ...     max_epochs=10,
    ...     random_state=0,
    ... ).fit(shifted[:300], y[:300])
    >>> bool(after.score(shifted[300:], y[300:]) > before.score(shifted[300:], y[300:]))
    True
    """

    layers: Any  # chooses weights, no features
    looks_into_module = True
    fixed = ("layers", "init", "threshold", "head")

    def __init__(
        self,
        layers: Layers | None = None,
        *,
        init: float = 1e-2,
        threshold: float = 5e-3,
        norm_penalty: float = 1e-4,
        gdr_strength: float = 1.0,
        temperature: float = 1.0,
        reference_mode: Literal["dropout", "sum"] = "dropout",
        head: Literal["frozen", "train"] = "frozen",
    ) -> None:
        self.layers = layers
        self.init = init
        self.threshold = threshold
        self.norm_penalty = norm_penalty
        self.gdr_strength = gdr_strength
        self.temperature = temperature
        self.reference_mode = reference_mode
        self.head = head

    # what it needs

    @property
    def _compares(self):
        """Whether predictions of the untouched network are asked for."""
        return self.gdr_strength != 0

    @property
    def _drops(self):
        return self._compares and self.reference_mode == "dropout"

    @property
    def tasks(self) -> tuple[str, ...]:  # type: ignore[override]  # declared by a property
        """The untouched network is compared by probabilities of classes."""
        if not self._compares:
            return ("classification", "regression", "dense")
        return ("classification", "dense") if self.head == "frozen" else ("classification",)

    @property
    def reads_softmax(self) -> bool:  # type: ignore[override]  # declared by a property
        """Whether outputs are compared as class probabilities."""
        return self._compares

    @property
    def repeats_passes(self) -> bool:  # type: ignore[override]  # declared by a property
        """A gradient besides that of the loss, which no one scales."""
        return self._drops

    @property
    def wanted_layers(self) -> tuple[str, ...]:
        """The input of a head that trains goes through the former head as well."""
        return ("penultimate",) if self._compares and self.head == "train" else ()

    # the network

    def initialize(self) -> Self:
        BinaryMask(self.init, self.threshold)  # checks both
        check_number("norm_penalty", self.norm_penalty, 0)
        check_number("gdr_strength", self.gdr_strength, 0, 1)
        check_number("temperature", self.temperature, 0, above=True)
        check_choice("reference_mode", self.reference_mode, ("dropout", "sum"))
        check_choice("head", self.head, ("frozen", "train"))
        return self

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Freeze the network, and put masks on its weights."""
        layers = self._body(module) if self.layers is None else self.layers
        apply_binary_masks(module, layers, init=self.init, threshold=self.threshold)
        if self.head == "train":
            self._free(last_linear(module))

    def _body(self, module):
        """Names of all layers but the head."""
        names = [name for name, _ in choose_layers(module)]
        if len(names) == 1:
            raise ValueError(
                f"MaskTuning masks all layers but the last, but {type(module).__name__} has the "
                f"layer {names[0]!r} only: name it in layers"
            )
        return names[:-1]

    def _free(self, head):
        if nn.utils.parametrize.is_parametrized(head, "weight"):
            raise ValueError(
                'head="train" trains the last linear layer, whose weight is masked by '
                f'layers={self.layers!r}: leave it out, or set head="frozen"'
            )
        head.requires_grad_(True)

    def state(self, net: Net) -> nn.Module:
        """Make a seed, and a copy of a head that trains."""
        self.module_ = bare(net.module_)
        head = last_linear(self.module_) if self.head == "train" else None
        self.reference_ = Reference(head)
        return self.reference_

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Let gradients be compared before each step."""
        if not self._drops:
            return optimizer
        scores = self._trained_scores()
        self.step_ = GradientDropoutStep(optimizer, scores, self.gdr_strength)
        return self.step_

    def _trained_scores(self):
        return [scores for scores in mask_scores(self.module_).values() if scores.requires_grad]

    # training

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        """Let batch normalizations keep their statistics."""
        hold_statistics(self.module_)
        self.is_compiled_ = is_compiled(net.module_)

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        """Let batch normalizations do again what they are told."""
        release_statistics(self.module_)

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Agree on the seed of the draws, which must be one for all processes."""
        self.seed_ = of_first_process(int(self.reference_.seed), net.process_group)

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Norms of the scores, and what the untouched network says of the batch."""
        scores = self._trained_scores()
        norms = torch.stack([torch.linalg.vector_norm(m) for m in scores]).sum()
        penalty = self.norm_penalty * norms
        if not self._compares:
            return penalty
        loss = self._reference_loss(net, batch, y_pred, features)
        if self.reference_mode == "sum":
            return penalty + self.gdr_strength * loss
        self._keep_gradient(net, batch, loss)
        return penalty

    def _reference_loss(self, net, batch, y_pred, features):
        if self.is_compiled_:  # such a graph cannot be gone through twice
            outputs = self._outputs(net, batch)
        elif self.head == "train":
            outputs = self.reference_.outputs(features["penultimate"])
        else:
            outputs = first_of(y_pred)
        with torch.no_grad(), evaluating(self.module_), unmasked(self.module_):
            reference = self._outputs(net, batch)
        return reference_cross_entropy(outputs, reference, self.temperature, batch.sample_weight)

    def _outputs(self, net, batch):
        """Outputs, by the head that was there at first."""
        if self.head == "frozen":
            return first_of(net.forward_again(batch.X))
        _, features = net.forward_again(batch.X, "penultimate")
        return self.reference_.outputs(features)

    def _keep_gradient(self, net, batch, loss):
        """Hand the gradient of the reference loss to the optimizer, and the draws of the step."""
        self.step_.generator = torch.Generator(loss.device).manual_seed(self.seed_ + batch.step)
        gradients = torch.autograd.grad(
            loss, self.step_.parameters, retain_graph=not self.is_compiled_, materialize_grads=True
        )
        means = [mean_over_processes(one, 1, net.process_group) for one in gradients]
        self.step_.add_reference_gradients(means, len(batch.y))

    # what comes of it

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Tell if nothing was switched off, or all of a layer."""
        if not net.steps_:
            return
        empty = [name for name, mask in self.masks_.items() if not mask.any()]
        if empty:
            warn(
                f"MaskTuning switched off all of {', '.join(empty)}, behind which nothing depends "
                "on the inputs: lower the learning rate, or train less"
            )
        if not self.masked_fraction_:
            warn(
                f"MaskTuning switched nothing off: in {net.steps_} steps scores moved by at most "
                f"{self.max_travel_:.3g}, and must fall by {self.init - self.threshold:.3g}; "
                "predictions are those of the untouched network. Train longer, or with a higher "
                "learning rate"
            )

    @property
    def masks_(self) -> dict[str, np.ndarray]:
        """Masks by the name of the weight."""
        return {name: mask.cpu().numpy() for name, mask in weight_masks(self.module_).items()}

    @property
    def masked_fraction_(self) -> float:
        """Share of the weights that is switched off."""
        masks = [mask.ravel() for mask in self.masks_.values()]
        return float(1 - np.concatenate(masks).mean())

    @property
    def max_travel_(self) -> float:
        """Longest way of a score."""
        scores = self._trained_scores()
        return max(float((m.detach() - self.init).abs().max()) for m in scores)


class Reference(nn.Module):
    """What the comparison with the untouched network needs beside the network.

    Attributes
    ----------
    seed : Tensor of shape (), int64
        Seed of the draws.
    head : FrozenCopy or None
        The head as it was, if it trains.
    """

    seed: torch.Tensor

    def __init__(self, head: nn.Module | None) -> None:
        super().__init__()
        self.register_buffer("seed", torch.randint(2**62, ()))
        self.head = None if head is None else FrozenCopy(head)

    def outputs(self, features: torch.Tensor) -> torch.Tensor:
        """What the former head makes of features, with their graph."""
        head: Any = self.head
        return head.module(features.to(head.module.weight.dtype))  # half precision ends here


def first_of(outputs):
    """The logits, if the module returns more."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def is_compiled(module):
    """Whether ``torch.compile`` runs a module or a part of it."""
    return any(
        hasattr(part, "_orig_mod") or part._compiled_call_impl is not None
        for part in module.modules()
    )


def hold_statistics(module):
    """Keep batch normalizations in evaluation mode, whatever mode the network is told."""
    for norm in _with_statistics(module):
        norm.eval()
        norm.train = functools.partial(_stay, norm)


def _stay(norm, mode=True):  # noqa: ARG001
    return norm


def release_statistics(module):
    """Undo `hold_statistics`."""
    for norm in _with_statistics(module):
        vars(norm).pop("train", None)


def _with_statistics(module):
    kind = nn.modules.batchnorm._BatchNorm
    return [part for part in module.modules() if isinstance(part, kind)]
