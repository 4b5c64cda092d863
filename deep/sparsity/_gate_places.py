"""Where a network's channels come from and where they can be closed, found by tracing it."""

import copy
from collections import Counter
from typing import Any, NamedTuple

from torch import fx, nn

from ._tracing import POOLS, POOLS_OF_FUNCTIONS, module_of, name_of, traced

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
LEAVING_MODULES = (
    *(nn.Identity, nn.Flatten, *POOLS),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
)
LEAVING_FUNCTIONS = POOLS_OF_FUNCTIONS | {
    "contiguous", "dropout", "flatten", "reshape", "squeeze", "view",
}  # fmt: skip
ADDITIONS = {"add", "iadd"}
WHOLE = (*LAYERS, *NORMS, *LEAVING_MODULES, *ACTIVATIONS.values())


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
    nodes = traced(module, WHOLE).graph.nodes
    modules = dict(module.named_modules())
    calls = Counter(node.target for node in nodes if node.op == "call_module")
    found: dict[fx.Node, Layer] = {}  # by the node after which channels can be closed
    layers = []
    for node in nodes:
        if not isinstance(module_of(node, modules), LAYERS):
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


def _exit(node, modules):
    """The normalization that alone takes the output of a layer, or else the layer."""
    if len(node.users) == 1:
        user = next(iter(node.users))
        if _is_per_channel(module_of(user, modules)):
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
    if name_of(user) in ADDITIONS:
        others = [other for other in user.all_input_nodes if other is not exit_node]
        inside = all(node.all_input_nodes[0] not in _ancestors(other) for other in others)
        return nn.Identity() if others and inside else None
    return _activation(user, modules)


def _activation(node, modules):
    """A module like the activation function that a node calls, not in place, or None."""
    module: Any = module_of(node, modules)
    if isinstance(module, tuple(ACTIVATIONS.values())):
        activation = copy.copy(module)
    elif name_of(node) in ACTIVATIONS:
        arguments = {key: value for key, value in node.kwargs.items() if key != "input"}
        activation = ACTIVATIONS[name_of(node)](*node.args[1:], **arguments)
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
    module = module_of(node, modules)
    if module is not None:
        return isinstance(module, LEAVING_MODULES)
    name = name_of(node)
    return name in LEAVING_FUNCTIONS or (name == "mean" and _is_over_positions(node))


def _is_over_positions(node):
    """Whether a mean is one over the last two axes of images."""
    axes = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    return isinstance(axes, list | tuple) and sorted(axes) in ([2, 3], [-2, -1])
