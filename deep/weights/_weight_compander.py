"""Weights as a bounded, zero-averse function of free variables. Experimental.

In the spirit of R. Cakaj, J. Mehnert, B. Yang, "Weight Compander: A Simple Weight
Reparameterization for Regularization", arXiv:2306.16993, 2023: the function below is reconstructed
from the paper's description, not taken from it.
"""

import math
import warnings
from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..frame._batches import check_choice, check_number
from ..frame._parametrizations import make_picklable

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NEAREST_POLE = 1e-4
HEADROOM = 1.25


class ExperimentalWarning(UserWarning):
    """What is used may change, or differ from the paper it is named after."""


def _softsign_inverse(z):
    return z / (1 - z.abs())


class _Compander(NamedTuple):
    """A bounded odd function with slope one at zero, its inverse, and its least upper bound."""

    function: Callable[[torch.Tensor], torch.Tensor]
    inverse: Callable[[torch.Tensor], torch.Tensor]
    bound: float


COMPANDERS = {
    "arctan": _Compander(torch.arctan, torch.tan, math.pi / 2),
    "tanh": _Compander(torch.tanh, torch.atanh, 1.0),
    "softsign": _Compander(nn.functional.softsign, _softsign_inverse, 1.0),
}


class WeightCompander(nn.Module):
    r"""Parametrization of weights by a bounded function of free variables.

    .. math::
        w = \Psi(v) = a \arctan(v / b), \qquad |w| < a \pi / 2, \qquad
        \Psi'(v) = \frac{a b}{b^2 + v^2}

    Large weights are bounded. A step of gradient descent in v moves w by
    :math:`-\eta \Psi'(v)^2 \, \partial L / \partial w`: small weights, where the slope is a / b,
    leave the neighbourhood of zero quickly if a > b, large ones slow down.

    Parameters
    ----------
    a : float
        Scale of the weights.
    b : float
        Scale of the free variables. The slope a / b at zero multiplies the learning rate there by
        its square.
    function : {"arctan", "tanh", "softsign"}, default="arctan"
        The function; :math:`a \tanh(v / b)` and :math:`a v / (b + |v|)` are bounded by a.
    learnable : bool, default=False
        Train log a and log b. Give them a much smaller learning rate than the weights, see
        `compander_param_groups`; at the full rate training collapses.

    Raises
    ------
    ValueError
        If a or b is not positive, or the function is unknown.

    Warns
    -----
    ExperimentalWarning
        Always: the paper's own formula was not at hand. This is a member of the family that it
        describes.

    See Also
    --------
    apply_weight_compander : Parametrize the layers of a network.

    References
    ----------
    .. [1] R. Cakaj, J. Mehnert, B. Yang, "Weight Compander: A Simple Weight Reparameterization for
       Regularization", arXiv:2306.16993, 2023.

    Examples
    --------
    >>> import torch, warnings
    >>> from skreg.deep.torch import ExperimentalWarning, WeightCompander
    >>> warnings.simplefilter("ignore", ExperimentalWarning)
    >>> layer = torch.nn.Linear(2, 1)
    >>> with torch.no_grad():
    ...     _ = layer.weight.copy_(torch.tensor([[0.1, -0.2]]))
    >>> _ = torch.nn.utils.parametrize.register_parametrization(
    ...     layer, "weight", WeightCompander(a=0.2, b=0.1)
    ... )
    >>> layer.weight.data
    tensor([[ 0.1000, -0.2000]])
    >>> layer.parametrizations.weight.original.data  # 0.1 tan(w / 0.2)
    tensor([[ 0.0546, -0.1557]])
    """

    def __init__(
        self,
        a: float,
        b: float,
        function: Literal["arctan", "tanh", "softsign"] = "arctan",
        learnable: bool = False,
    ) -> None:
        super().__init__()
        check_number("a", a, 0, above=True)
        check_number("b", b, 0, above=True)
        check_choice("function", function, COMPANDERS)
        warn_experimental()
        self.function = function
        log_a, log_b = torch.tensor(float(a)).log(), torch.tensor(float(b)).log()
        if learnable:
            self.log_a, self.log_b = nn.Parameter(log_a), nn.Parameter(log_b)
        else:
            self.register_buffer("log_a", log_a)
            self.register_buffer("log_b", log_b)

    def extra_repr(self) -> str:
        a, b = self.log_a.exp().item(), self.log_b.exp().item()
        return f"a={a:.4g}, b={b:.4g}, function={self.function!r}"

    @property
    def bound(self) -> torch.Tensor:
        """Least upper bound of the weights' absolute values."""
        return self.log_a.exp() * COMPANDERS[self.function].bound

    def forward(self, v: torch.Tensor) -> torch.Tensor:
        """Weights of free variables.

        Parameters
        ----------
        v : Tensor
            Free variables.

        Returns
        -------
        Tensor of the same shape
            The weights.
        """
        a, b = self.log_a.exp().to(v.dtype), self.log_b.exp().to(v.dtype)
        return a * COMPANDERS[self.function].function(v / b)

    def right_inverse(self, w: torch.Tensor) -> torch.Tensor:
        """Free variables of weights, which are clipped just inside the bound.

        Parameters
        ----------
        w : Tensor
            Weights.

        Returns
        -------
        Tensor of the same shape
            Free variables.
        """
        with torch.no_grad():
            a, b = self.log_a.exp().to(w.dtype), self.log_b.exp().to(w.dtype)
            largest = COMPANDERS[self.function].bound * (1 - NEAREST_POLE)
            return b * COMPANDERS[self.function].inverse((w / a).clamp(-largest, largest))


def apply_weight_compander(
    model: nn.Module,
    *,
    types: tuple[type[nn.Module], ...] = LAYERS,
    ratio: float = 1.5,
    width: float = 4.0,
    function: Literal["arctan", "tanh", "softsign"] = "arctan",
    learnable: bool = False,
    exclude: Collection[str] = (),
) -> nn.Module:
    r"""Parametrize the weights of a network's layers by `WeightCompander`, keeping their values.

    For a layer whose weights have the standard deviation :math:`\sigma`, the bound is `width`
    times :math:`\sigma`, or 1.25 times the largest weight if that is more, and a / b is `ratio`.
    Make the optimizer afterwards: its state belongs to the free variables, and so does weight
    decay. Biases, normalisations and embeddings stay as they are.

    Parameters
    ----------
    model : torch.nn.Module
        The network, changed in place.
    types : tuple of type, default=(Linear, Conv1d, Conv2d, Conv3d)
        Layers whose weights are parametrized.
    ratio : float, default=1.5
        Slope a / b at zero. It multiplies the learning rate of small weights by its square.
    width : float, default=4.0
        Bound of the weights in standard deviations.
    function : {"arctan", "tanh", "softsign"}, default="arctan"
        The function.
    learnable : bool, default=False
        Train log a and log b of each layer.
    exclude : collection of str, default=()
        Names of layers to leave alone.

    Returns
    -------
    torch.nn.Module
        The network.

    Raises
    ------
    ValueError
        If `ratio` or `width` is not positive, the function is unknown, a name in `exclude` is that
        of no layer, or a weight belongs to several modules.

    Warns
    -----
    ExperimentalWarning
        Always, see `WeightCompander`.
    UserWarning
        If there is no layer to parametrize.

    See Also
    --------
    remove_weight_compander : Turn the weights into plain parameters again.

    Examples
    --------
    >>> import torch, warnings
    >>> from skreg.deep.torch import ExperimentalWarning, apply_weight_compander
    >>> from skreg.deep.torch import remove_weight_compander
    >>> warnings.simplefilter("ignore", ExperimentalWarning)
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> x = torch.randn(5, 4)
    >>> before = net(x)
    >>> bool(torch.allclose(apply_weight_compander(net)(x), before, atol=1e-4))
    True
    >>> bool(torch.allclose(remove_weight_compander(net)(x), before, atol=1e-4))
    True
    """
    check_number("ratio", ratio, 0, above=True)
    check_number("width", width, 0, above=True)
    check_choice("function", function, COMPANDERS)
    named = dict(model.named_modules())
    unknown = [name for name in exclude if name not in named]
    if unknown:
        raise ValueError(f"exclude: the model has no module {unknown[0]!r}")
    layers: list[Any] = [
        layer
        for name, layer in named.items()
        if isinstance(layer, types)
        and name not in exclude
        and not parametrize.is_parametrized(layer, "weight")
    ]
    if not layers:
        warnings.warn("the model has no weights to parametrize", UserWarning, stacklevel=2)
    _require_untied(model, layers)
    for layer in layers:
        a, b = _scales(layer.weight.detach(), ratio, width, COMPANDERS[function].bound)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            compander = WeightCompander(a, b, function, learnable).to(layer.weight.device)
        parametrize.register_parametrization(layer, "weight", compander)
    warn_experimental()
    make_picklable(model)
    return model


def remove_weight_compander(model: nn.Module) -> nn.Module:
    """Turn companded weights into plain parameters of the same values.

    Parameters
    ----------
    model : torch.nn.Module
        The network, changed in place.

    Returns
    -------
    torch.nn.Module
        The network.
    """
    for layer, _ in companded_layers(model):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    return model


def compander_param_groups(
    model: nn.Module, lr: float, *, hyper_lr_scale: float = 0.05, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer: learned scales get a small rate and no weight decay.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    lr : float
        Learning rate of all other parameters.
    hyper_lr_scale : float, default=0.05
        Factor of `lr` for log a and log b.
    weight_decay : float, default=0.0
        Weight decay of all other parameters.

    Returns
    -------
    list of dict
        Two groups, or one if there are no learned scales.

    Raises
    ------
    ValueError
        If a number is negative.

    Examples
    --------
    >>> import torch, warnings
    >>> from skreg.deep.torch import ExperimentalWarning, apply_weight_compander
    >>> from skreg.deep.torch import compander_param_groups
    >>> warnings.simplefilter("ignore", ExperimentalWarning)
    >>> net = apply_weight_compander(torch.nn.Linear(4, 2), learnable=True)
    >>> groups = compander_param_groups(net, lr=0.1, weight_decay=5e-4)
    >>> [len(group["params"]) for group in groups]
    [2, 2]
    """
    check_number("lr", lr, 0)
    check_number("hyper_lr_scale", hyper_lr_scale, 0)
    check_number("weight_decay", weight_decay, 0)
    scales = {p for _, compander in companded_layers(model) for p in compander.parameters()}
    others = [p for p in model.parameters() if p not in scales]
    groups = [{"params": others, "lr": lr, "weight_decay": weight_decay}]
    if scales:
        in_order = [p for p in model.parameters() if p in scales]
        groups.append({"params": in_order, "lr": lr * hyper_lr_scale, "weight_decay": 0.0})
    return groups


class WeightStatistics(NamedTuple):
    """Sizes of the weights of one layer.

    Attributes
    ----------
    name : str
        Its name in the network.
    largest : float
        Largest absolute weight.
    share_near_zero : float
        Share of the weights below `threshold`.
    standard_deviation : float
        Standard deviation of the weights.
    """

    name: str
    largest: float
    share_near_zero: float
    standard_deviation: float


def weight_statistics(
    model: nn.Module, *, threshold: float = 0.01, types: tuple[type[nn.Module], ...] = LAYERS
) -> list[WeightStatistics]:
    """Sizes of the weights of each layer: what a compander is to change.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    threshold : float, default=0.01
        Absolute value below which a weight counts as near zero.
    types : tuple of type, default=(Linear, Conv1d, Conv2d, Conv3d)
        The layers.

    Returns
    -------
    list of WeightStatistics
        One for each layer.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import weight_statistics
    >>> layer = torch.nn.Linear(2, 1)
    >>> _ = torch.nn.init.ones_(layer.weight)
    >>> weight_statistics(layer)[0].largest
    1.0
    """
    statistics = []
    with torch.no_grad():
        for name, layer in model.named_modules():
            if isinstance(layer, types):
                w: Any = layer.weight
                size = w.abs()
                numbers = size.max(), (size < threshold).float().mean(), w.std(correction=0)
                statistics.append(WeightStatistics(name, *map(float, numbers)))
    return statistics


def companded_layers(model):
    """Layers whose weight is companded.

    Returns
    -------
    list of (torch.nn.Module, WeightCompander)
        The layers and their companders.
    """
    return [
        (layer, compander)
        for layer in model.modules()
        if parametrize.is_parametrized(layer, "weight")
        for compander in layer.parametrizations.weight
        if isinstance(compander, WeightCompander)
    ]


def warn_experimental():
    """Warn that the formula is a reconstruction."""
    warnings.warn(
        "WeightCompander is experimental: its formula is reconstructed from the paper's "
        "description and may change",
        ExperimentalWarning,
        stacklevel=3,
    )


def _scales(weight, ratio, width, bound):
    """The scales a and b of a layer."""
    reach = max(width * float(weight.std(correction=0)), HEADROOM * float(weight.abs().max()))
    a = (reach or 1.0) / bound  # weights that are all zero
    return a, a / ratio


def _require_untied(model, layers):
    """A parametrization would silently untie weights that modules share."""
    owners: dict[nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owners.setdefault(parameter, []).append(name)
    for layer in layers:
        names = owners.get(layer.weight, [])
        if len(names) > 1:
            raise ValueError(
                f"{' and '.join(names)} are one parameter: name these modules in `exclude`"
            )
