"""How far a model's predictive distribution has moved: the radius of TRAM, and penalties.

T. Sherborne, N. Saphra, P. Dasigi, H. Peng, "TRAM: Bridging Trust Regions and Sharpness Aware
Minimization", ICLR 2024.
"""

import contextlib
import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.func import functional_call

from ..frame._batches import check_choice, check_number
from ._sam import frozen_buffers

TARGETS = ("previous", "initial", "ema", "input_noise")


def _kl(log_p, log_q):
    """Mean over distributions of KL(p || q); the last dimension holds the classes."""
    p = log_p.exp()
    terms = torch.where(p > 0, p * (log_p - log_q), 0.0)
    return terms.sum() / math.prod(p.shape[:-1])


def _kernel_mean(a, b):
    """Mean of the inverse multiquadratic kernel (1 + |a_i - b_j|^2)^(-1/2) over all pairs."""
    return torch.cdist(a, b).square().add(1.0).rsqrt().mean()


def _mmd(p, q):
    p, q = p.flatten(0, -2), q.flatten(0, -2)
    squared = _kernel_mean(p, p) + _kernel_mean(q, q) - 2 * _kernel_mean(p, q)
    return squared.clamp(min=0)


def _divergences():
    def of_log_probabilities(function):
        return lambda t, c: function(t.log_softmax(-1), c.log_softmax(-1))

    return {
        "kl": of_log_probabilities(_kl),
        "reverse_kl": of_log_probabilities(lambda t, c: _kl(c, t)),
        "symmetric_kl": of_log_probabilities(lambda t, c: _kl(t, c) + _kl(c, t)),
        "mmd": lambda t, c: _mmd(t.softmax(-1), c.softmax(-1)),
        "l2": lambda t, c: (t - c).square().sum() / math.prod(t.shape[:-1]),
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
    `update`, both at the parameters before the step.

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

    def __init__(
        self,
        target="previous",
        divergence="kl",
        *,
        sigma=0.1,
        noise="normal",
        decay=0.999,
        scale=1.0,
        target_mode="eval",
        embedding=None,
        generator=None,
    ):
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
        self._target_values = None
        self._held = None

    def setup(self, model):
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
        if self.target != "input_noise":
            self._target_values = {name: t.clone() for name, t in _values(model).items()}
        return self

    @torch.no_grad()
    def update(self, model):
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
            self._move_to(model)
            self._follow(_values(model))

    @torch.no_grad()
    def hold(self, model):
        """Note where the model is, for an update after a step that evaluates it several times.

        Parameters
        ----------
        model : torch.nn.Module
            The model, at its parameters before the step.
        """
        if self.target in ("previous", "ema"):
            self._move_to(model)
            self._held = {name: value.clone() for name, value in _values(model).items()}

    @torch.no_grad()
    def update_to_held(self):
        """Let the target follow to where the model was at the last `hold`, once."""
        if self._held is not None:
            self._follow(self._held)
            self._held = None

    def _follow(self, values):
        weight = 1.0 if self.target == "previous" else 1.0 - self.decay
        for name, value in values.items():
            if value.is_floating_point() and weight != 1.0:
                self._target_values[name].lerp_(value, weight)
            else:
                self._target_values[name].copy_(value)

    def forward(self, model, x, logits):
        """Distance of a batch, without gradient.

        Parameters
        ----------
        model : torch.nn.Module
            The model. Its gradients, buffers and mode are left alone.
        x : Tensor of shape (n, ...), or tuple or dict of arguments
            The model's inputs.
        logits : Tensor of shape (n, ..., n_classes)
            The model's outputs on them.

        Returns
        -------
        Tensor of shape (), float32 or float64
            The distance; zero for a batch without samples.

        Raises
        ------
        RuntimeError
            If there is no target yet.
        ValueError
            If a divergence of distributions meets a single output, or the noise meets integers.
        """
        with torch.no_grad():
            return self.penalty(model, x, logits.detach())

    def penalty(self, model, x, logits):
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

        Returns
        -------
        Tensor of shape (), float32 or float64
            The distance; zero for a batch without samples.

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
        with torch.autocast(logits.device.type, enabled=False):
            return self.scale * DIVERGENCES[self.divergence](target, logits)

    def get_extra_state(self):
        """Return the target for ``state_dict``.

        Returns
        -------
        dict of str to Tensor, or None
            Its parameters and buffers by name; None if there is none.
        """
        return self._target_values

    def set_extra_state(self, state):
        """Take the target from ``state_dict``.

        Parameters
        ----------
        state : dict of str to Tensor, or None
            Parameters and buffers by name.
        """
        if state is not None:
            state = {name: value.clone() for name, value in state.items()}
        self._target_values = state

    @property
    def is_set_up(self):
        """Whether there is a target, or none is needed."""
        return self.target == "input_noise" or self._target_values is not None

    def _at_target(self, model, x):
        self._move_to(model)
        args, kwargs = _arguments(x)
        mode = _evaluating(model) if self.target_mode == "eval" else contextlib.nullcontext()
        with mode:
            return functional_call(model, self._target_values, args, kwargs)

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

    def _move_to(self, model):
        if self._target_values is None:
            raise RuntimeError("there is no target yet: call setup(model) before training")
        for name, value in _values(model).items():
            if self._target_values[name].device != value.device:
                self._target_values[name] = self._target_values[name].to(value.device)


def _values(model):
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach() for name, tensor in named}


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
