"""Where a network's channels come from and where they can be closed, found by tracing it."""

import copy
import threading
from collections import Counter
from typing import Any, NamedTuple

from torch import fx, nn

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)
# activations without parameters that leave zeros zero, by the names of their functions
ACTIVATIONS: dict[str, type[nn.Module]] = {
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "softsign": nn.Softsign,
    "tanh": nn.Tanh,
}
# of those and the identity, the ones whose absolute value falls up to zero and rises from there
VALLEYS = (
    nn.Identity,
    nn.CELU,
    nn.ELU,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.ReLU,
    nn.SELU,
    nn.Softsign,
    nn.Tanh,
)
# what else leaves channels where they are and zeros zero
POOLS_OF_MODULES = (
    nn.Identity,
    nn.Flatten,
    *(
        getattr(nn, f"{kind}{d}d")
        for kind in ("MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool")
        for d in (1, 2, 3)
    ),
    *(getattr(nn, name) for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")),
)
POOLS_OF_FUNCTIONS = {
    "contiguous",
    "dropout",
    "flatten",
    "reshape",
    "squeeze",
    "view",
    *(
        f"{kind}_pool{d}d"
        for kind in ("max", "avg", "adaptive_max", "adaptive_avg")
        for d in (1, 2, 3)
    ),
}
ADDITIONS = {"add", "iadd"}
_tracing = threading.Lock()  # torch.fx replaces methods of torch.nn.Module while it traces


class Layer(NamedTuple):
    """A convolution or linear layer, and what becomes of its channels.

    Attributes
    ----------
    name : str
        Its name.
    source : str or None
        Layer whose output channels are its input, where a channel closed there is zero here.
    exit : str or None
        Module whose output is to be multiplied by a mask to close channels: the layer, or the
        batch normalization after it. None if they cannot be closed.
    activation : torch.nn.Module or None
        Activation function that follows; the identity before an addition.
    """

    name: str
    source: str | None
    exit: str | None
    activation: nn.Module | None


class _Tracer(fx.Tracer):
    """A tracer that does not look into layers, and leaves modules of other threads alone."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        kinds = (*LAYERS, *NORMS, *POOLS_OF_MODULES, *ACTIVATIONS.values())
        return isinstance(m, kinds) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if not any(m is part for part in self.root.modules()):
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


def channel_graph(module: nn.Module) -> list[Layer]:
    """Layers of a network in the order of their calls.

    The channels of a layer can be closed if it is called once, and its output, or that of a
    normalization per channel, goes to an activation function only, or to the addition of a
    residual block that it stands in, unless what comes of that is the network's output.

    Parameters
    ----------
    module : torch.nn.Module
        The network.

    Returns
    -------
    list of Layer
        The layers.

    Raises
    ------
    ValueError
        If torch.fx cannot trace the network.
    """
    traced = _traced(module)
    modules = dict(module.named_modules())
    calls = Counter(node.target for node in traced.nodes if node.op == "call_module")
    found: dict[fx.Node, Layer] = {}  # by the node after which channels can be closed
    layers = []
    for node in traced.nodes:
        if not isinstance(_module_of(node, modules), LAYERS):
            continue
        name = str(node.target)
        before = found.get(_origin(node.all_input_nodes[0], modules))
        source = None if before is None else before.name
        exit_node = _exit(node, modules)
        once = calls[node.target] == calls[exit_node.target] == 1
        activation = _activation_after(exit_node, node, modules) if once else None
        closable = None if activation is None else str(exit_node.target)
        layer = Layer(name, source, closable, activation)
        if closable is not None:
            found[exit_node] = layer
        layers.append(layer)
    return layers


def _traced(module):
    with _tracing:
        try:
            return _Tracer().trace(module)
        except Exception as error:
            raise ValueError(
                f"the layers of {type(module).__name__} cannot be followed: torch.fx, which does "
                f"that, says {error}. Its forward must not depend on the values of its inputs"
            ) from error


def _module_of(node, modules):
    return modules.get(node.target) if node.op == "call_module" else None


def _name_of(node):
    """Name of the function or method that a node calls."""
    if node.op == "call_method":
        return node.target.removesuffix("_")
    name = getattr(node.target, "__name__", "") if node.op == "call_function" else ""
    return name.removesuffix("_")


def _exit(node, modules):
    """The normalization that alone takes the output of a layer, or else the layer."""
    if len(node.users) == 1:
        user = next(iter(node.users))
        if _is_per_channel(_module_of(user, modules)):
            return user
    return node


def _is_per_channel(module):
    if isinstance(module, nn.GroupNorm):
        return module.num_groups == module.num_channels
    return isinstance(module, NORMS)


def _activation_after(exit_node, node, modules):
    """What alone takes the channels: an activation, the identity for an addition, or None."""
    if len(exit_node.users) != 1:
        return None
    user = next(iter(exit_node.users))
    if any(after.op == "output" for after in user.users):
        return None
    if _name_of(user) in ADDITIONS:
        others = [other for other in user.all_input_nodes if other is not exit_node]
        inside = all(node.all_input_nodes[0] not in _ancestors(other) for other in others)
        return nn.Identity() if others and inside else None
    return _activation(user, modules)


def _activation(node, modules):
    """A module like the activation function that a node calls, not in place, or None."""
    module = _module_of(node, modules)
    if isinstance(module, tuple(ACTIVATIONS.values())):
        activation = copy.copy(module)
    elif _name_of(node) in ACTIVATIONS:
        arguments = {key: value for key, value in node.kwargs.items() if key != "input"}
        activation = ACTIVATIONS[_name_of(node)](*node.args[1:], **arguments)
    else:
        return None
    if hasattr(activation, "inplace"):
        activation.inplace = False
    return activation


def _ancestors(node):
    """The node and all that it is computed from."""
    seen, todo = set(), [node]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo += one.all_input_nodes
    return seen


def _origin(node, modules):
    """Where the channels come from: back over what leaves channels and zeros as they are."""
    while _leaves_channels(node, modules):
        node = node.all_input_nodes[0]
    return node


def _leaves_channels(node, modules):
    if _activation(node, modules) is not None:
        return True
    module = _module_of(node, modules)
    if module is not None:
        return isinstance(module, POOLS_OF_MODULES)
    name = _name_of(node)
    return name in POOLS_OF_FUNCTIONS or (name == "mean" and _is_over_positions(node))


def _is_over_positions(node):
    """Whether a mean is one over the last two axes of images."""
    axes = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    return isinstance(axes, list | tuple) and sorted(axes) in ([2, 3], [-2, -1])
