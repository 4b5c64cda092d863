"""How far a model's predictive distribution has moved: the radius of TRAM, and penalties.

T. Sherborne, N. Saphra, P. Dasigi, H. Peng, "TRAM: Bridging Trust Regions and Sharpness Aware
Minimization", ICLR 2024.
"""

import contextlib
import math
from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from torch import nn
from torch.func import functional_call

from ..frame._batches import check_choice, check_number
from ..frame._frozen_copy import FrozenCopy, bare, tensors_of
from ..frame._settings import settings
from ._sam import frozen_buffers

TARGETS = ("previous", "initial", "ema", "input_noise")


def _weighted_mean(terms, share):
    """Mean over samples (n, ...), each with its share of the whole, and over what else there is."""
    return share @ terms.flatten(1).mean(1) if terms.ndim > 1 else share @ terms


def _kl(log_p, log_q, share):
    """Mean over distributions of KL(p || q); the last dimension holds the classes."""
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), 0.0)
    return _weighted_mean(terms.sum(-1), share)


def _kernel_mean(a, b, share):
    """Mean of the inverse multiquadratic kernel (1 + |a_i - b_j|^2)^(-1/2) over all pairs."""
    return share @ torch.cdist(a, b).square().add(1.0).rsqrt() @ share


def _mmd(p, q, share):
    share = share.repeat_interleave(math.prod(p.shape[1:-1])) / math.prod(p.shape[1:-1])
    p, q = p.flatten(0, -2), q.flatten(0, -2)
    squared = _kernel_mean(p, p, share) + _kernel_mean(q, q, share) - 2 * _kernel_mean(p, q, share)
    return squared.clamp(min=0)


def _divergences():
    def of_log_probabilities(function):
        return lambda t, c, share: function(t.log_softmax(-1), c.log_softmax(-1), share)

    return {
        "kl": of_log_probabilities(_kl),
        "reverse_kl": of_log_probabilities(lambda t, c, share: _kl(c, t, share)),
        "symmetric_kl": of_log_probabilities(lambda t, c, s: _kl(t, c, s) + _kl(c, t, s)),
        "mmd": lambda t, c, share: _mmd(t.softmax(-1), c.softmax(-1), share),
        "l2": lambda t, c, share: _weighted_mean((t - c).square().sum(-1), share),
    }


DIVERGENCES = _divergences()


class TrustRegionDistance(nn.Module):
    r"""Distance between a model's predictions and those of a target, as one number per batch.

    .. math::
        d = \frac1n \sum_x \mathrm{KL}\left(p(\cdot|x, \theta') \,\|\, p(\cdot|x, \theta)\right)
        \quad \text{or} \quad
        d = \frac1n \sum_x \mathrm{KL}\left(p(\cdot|x + z, \theta) \,\|\, p(\cdot|x,
        \theta)\right),

    the target coming first (equations 4 and 5). In a training step, call the distance and then
    `update`, both at the parameters before the step. The target is part of ``state_dict``; to load
    one, `setup` or `allocate` the same model before.

    Parameters
    ----------
    target : {"previous", "initial", "ema", "input_noise"}, default="previous"
        The parameters :math:`\theta'`: those of the step before, those at `setup`, or an
        exponential moving average; "input_noise" takes the present ones at noised inputs. Without
        dropout "previous" is a very small distance.
    divergence : {"kl", "reverse_kl", "symmetric_kl", "mmd", "l2"}, default="kl"
        Kullback-Leibler divergence of the softmax of the outputs, target first or current first or
        both added; squared maximum mean discrepancy between the two sets of distributions, with
        an inverse multiquadratic kernel; or, for regression, the mean squared Euclidean distance
        of the outputs. Classes are the last dimension.
    sigma : float, default=0.1
        Scale of the noise.
    noise : {"normal", "uniform"}, default="normal"
        Normal with standard deviation `sigma`, or uniform between plus and minus `sigma`.
    decay : float, default=0.999
        Of the moving average: ``ema = decay * ema + (1 - decay) * theta``.
    scale : float, default=1.0
        Factor of the distance.
    target_mode : {"eval", "same"}, default="eval"
        Whether :math:`\theta'` predicts in evaluation mode, so that the noise of dropout and
        of batch statistics in the current predictions counts as distance, or in the present mode
        of the model. Noised inputs are always predicted in the present mode.
    embedding : str, optional
        Name of the submodule whose output gets the noise instead of the inputs; needed for integer
        inputs.
    generator : torch.Generator, optional
        Source of the noise, on the device of the inputs; the default one of torch otherwise.

    Raises
    ------
    ValueError
        If an argument is not one of its values or out of range.

    References
    ----------
    .. [1] T. Sherborne et al., "TRAM: Bridging Trust Regions and Sharpness Aware Minimization",
       ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import TrustRegionDistance
    >>> model = torch.nn.Linear(1, 2)
    >>> distance = TrustRegionDistance(target="initial").setup(model)
    >>> x = torch.ones(4, 1)
    >>> float(distance(model, x, model(x)))
    0.0
    """

    extra_repr = settings

    has_target: torch.Tensor

    def __init__(
        self,
        target: Literal["previous", "initial", "ema", "input_noise"] = "previous",
        divergence: Literal["kl", "reverse_kl", "symmetric_kl", "mmd", "l2"] = "kl",
        *,
        sigma: float = 0.1,
        noise: Literal["normal", "uniform"] = "normal",
        decay: float = 0.999,
        scale: float = 1.0,
        target_mode: Literal["eval", "same"] = "eval",
        embedding: str | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_choice("target", target, TARGETS)
        check_choice("divergence", divergence, DIVERGENCES)
        check_choice("noise", noise, ("normal", "uniform"))
        check_choice("target_mode", target_mode, ("eval", "same"))
        check_number("decay", decay, 0, 1)
        check_number("sigma", sigma, 0, above=target == "input_noise")
        check_number("scale", scale, 0)
        self.target = target
        self.divergence = divergence
        self.sigma = sigma
        self.noise = noise
        self.decay = decay
        self.scale = scale
        self.target_mode = target_mode
        self.embedding = embedding
        self.generator = generator
        self.register_module("reference", None)
        self.register_buffer("has_target", torch.tensor(False))
        self._is_set_up = target == "input_noise"
        self._held: dict[str, torch.Tensor] | None = None

    def allocate(self, model: nn.Module) -> Self:
        """Make room for the target of a model, so that a ``state_dict`` can be loaded.

        Parameters
        ----------
        model : torch.nn.Module
            The model.

        Returns
        -------
        TrustRegionDistance
            This object.
        """
        if self.target != "input_noise":
            self.reference = FrozenCopy(model)
        return self

    def setup(self, model: nn.Module) -> Self:
        """Take the present parameters and buffers of the model as the target.

        Parameters
        ----------
        model : torch.nn.Module
            The model.

        Returns
        -------
        TrustRegionDistance
            This object.
        """
        self.allocate(model)
        self.has_target.fill_(True)
        self._is_set_up = True
        return self

    def update(self, model: nn.Module) -> None:
        """Let the target follow the model.

        Parameters
        ----------
        model : torch.nn.Module
            The model, at its parameters before the step.

        Raises
        ------
        RuntimeError
            If there is no target yet.
        """
        if self.target in ("previous", "ema"):
            self._follow(tensors_of(bare(model)))

    @torch.no_grad()
    def hold(self, model: nn.Module) -> None:
        """Note where the model is, for an update after a step that evaluates it several times.

        Parameters
        ----------
        model : torch.nn.Module
            The model, at its parameters before the step.
        """
        if self.target in ("previous", "ema"):
            values = tensors_of(bare(model))
            self._held = {name: value.clone() for name, value in values.items()}

    def update_to_held(self) -> None:
        """Let the target follow to where the model was at the last `hold`, once."""
        if self._held is not None:
            self._follow(self._held)
            self._held = None

    def _follow(self, values):
        self._require_target()
        weight = 1.0 if self.target == "previous" else 1.0 - self.decay
        self.reference.follow_tensors(values, weight)

    def forward(
        self, model: nn.Module, x: Any, logits: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Distance of a batch, without gradient.

        Parameters
        ----------
        model : torch.nn.Module
            The model. Its gradients, buffers and mode are left alone.
        x : Tensor of shape (n, ...), or tuple or dict of arguments
            The model's inputs.
        logits : Tensor of shape (n, ..., n_classes)
            The model's outputs on them.
        weight : Tensor of shape (n,), optional
            Weights of the samples, none negative: the distance is that of a batch in which each
            sample occurs that many times.

        Returns
        -------
        Tensor of shape (), float32 or float64
            The distance; zero for a batch without samples, or with weights of zero.

        Raises
        ------
        RuntimeError
            If there is no target yet.
        ValueError
            If a divergence of distributions meets a single output, or the noise meets integers.
        """
        with torch.no_grad():
            distance = self.penalty(model, x, logits.detach(), weight)
        return distance.clamp(min=0)  # rounding, where the two predictions are almost the same

    def penalty(
        self, model: nn.Module, x: Any, logits: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Distance of a batch that can be differentiated through the current predictions.

        Added to a loss with a factor of 0.1, it is the trust-region penalty that TRAM replaces:
        TRPO (target="previous"), R3F ("input_noise") or MESA ("ema").

        Parameters
        ----------
        model : torch.nn.Module
            The model.
        x : Tensor of shape (n, ...), or tuple or dict of arguments
            The model's inputs.
        logits : Tensor of shape (n, ..., n_classes)
            The model's outputs on them, with their graph.
        weight : Tensor of shape (n,), optional
            Weights of the samples, as above.

        Returns
        -------
        Tensor of shape (), float32 or float64
            The distance; zero for a batch without samples, or with weights of zero.

        Raises
        ------
        RuntimeError
            If there is no target yet.
        ValueError
            If a divergence of distributions meets a single output, or the noise meets integers.
        """
        if self.divergence != "l2" and (logits.ndim < 2 or logits.shape[-1] < 2):
            raise ValueError(
                f"divergence={self.divergence!r} needs at least two classes in the last of two or "
                f"more dimensions, got outputs of shape {tuple(logits.shape)}; for one output "
                "take divergence='l2'"
            )
        if logits.numel() == 0:
            return logits.float().sum()
        if self.target == "input_noise":
            target = self._noised(model, x)
        else:
            with torch.no_grad():
                target = self._at_target(model, x)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        target, logits = _matrix(target).to(dtype), _matrix(logits).to(dtype)
        if weight is None:
            weight = logits.new_ones(len(logits))
        with torch.autocast(logits.device.type, enabled=False):
            weight = weight.to(dtype)
            share = weight / weight.sum().clamp(min=torch.finfo(dtype).tiny)
            return self.scale * DIVERGENCES[self.divergence](target, logits, share)

    @property
    def is_set_up(self) -> bool:
        """Whether there is a target, or none is needed."""
        if not self._is_set_up:  # a tensor, as it is part of state_dict; looked at once
            self._is_set_up = bool(self.has_target)
        return self._is_set_up

    def _load_from_state_dict(self, state_dict, prefix, *args):
        super()._load_from_state_dict(state_dict, prefix, *args)
        needs_target = self.target != "input_noise"
        self._is_set_up = not needs_target
        is_stored = any(key.startswith(f"{prefix}reference.") for key in state_dict)
        if needs_target and is_stored and self.reference is None:
            error_messages = args[-1]
            error_messages.append("there is no room for the target: call allocate(model) before")

    def _require_target(self):
        if not self.is_set_up:
            raise RuntimeError("there is no target yet: call setup(model) before training")

    def _at_target(self, model, x):
        self._require_target()
        model = bare(model)
        # each tensor under one name, by which functional_call also replaces it in other layers
        named = dict((*model.named_parameters(), *model.named_buffers()))
        self.reference.move_to(named)
        values = {name: t for name, t in self.reference.tensors().items() if name in named}
        args, kwargs = _arguments(x)
        mode = _evaluating(model) if self.target_mode == "eval" else contextlib.nullcontext()
        with mode:
            return functional_call(model, values, args, kwargs)

    def _noised(self, model, x):
        args, kwargs = _arguments(x)
        with contextlib.ExitStack() as stack:
            stack.enter_context(frozen_buffers(model))
            if self.embedding is not None:
                layer = model.get_submodule(self.embedding)
                hook = layer.register_forward_hook(lambda _, __, output: self._add_noise(output))
                stack.callback(hook.remove)
                return model(*args, **kwargs)
            if kwargs or len(args) != 1 or not args[0].is_floating_point():
                raise ValueError(
                    "target='input_noise' needs one floating-point tensor as input; for token "
                    "inputs, or several, name the submodule whose output gets the noise in "
                    "`embedding`"
                )
            return model(self._add_noise(args[0]))

    def _add_noise(self, values):
        z = torch.empty_like(values)
        if self.noise == "normal":
            z.normal_(0.0, self.sigma, generator=self.generator)
        else:
            z.uniform_(-self.sigma, self.sigma, generator=self.generator)
        return values + z


def _arguments(x):
    if isinstance(x, Mapping):
        return (), dict(x)
    return (tuple(x) if isinstance(x, tuple | list) else (x,)), {}


def _matrix(outputs):
    return outputs if outputs.ndim > 1 else outputs[:, None]


@contextlib.contextmanager
def _evaluating(model):
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
