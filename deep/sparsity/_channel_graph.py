"""Which channels of a network's layers are the same ones, read from its graph."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn.utils import parametrize

from ..frame._frozen_copy import bare
from ._channel_masks import NORMS, norm_layers
from ._counting import evaluating
from ._tracing import POOLS, POOLS_OF_FUNCTIONS, name_of, traced

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
ELEMENTWISE_LAYERS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign,
    nn.LogSigmoid, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.AlphaDropout,
)  # fmt: skip
POOLING_LAYERS = (*POOLS, nn.Upsample, nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d)
ELEMENTWISE = {
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish",
    "hardsigmoid", "hardtanh", "sigmoid", "tanh", "softplus", "softsign", "logsigmoid", "clamp",
    "clip", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "contiguous",
    "clone", "to", "float", "double", "half", "neg", "abs", "exp", "square", "sqrt", "pow", "add",
    "iadd", "sub", "isub", "mul", "imul", "multiply", "div", "truediv", "itruediv", "maximum",
    "minimum",
}  # fmt: skip
POOLING = POOLS_OF_FUNCTIONS | {"interpolate"}
PRODUCTS = {"mul", "imul", "multiply"}
REDUCTIONS = {"mean", "sum", "amax", "amin"}
ELSEWHERE = "the network's input", "the network's output"


class Channels(NamedTuple):
    """The channels along an axis of a tensor, by their numbers in the graph."""

    axis: int
    numbers: np.ndarray

    def repeated(self, times: int) -> np.ndarray:
        """Each number several times in a row."""
        return np.repeat(self.numbers, times)


class Ends(NamedTuple):
    """Channels that a layer takes in and puts out."""

    taken: np.ndarray
    made: np.ndarray


class ChannelGraph:
    """The channels of all tensors in a network's graph, numbered so that equal ones are one.

    A convolution or linear layer makes new channels. What acts on each channel by itself
    (normalisation, activation, pooling, depthwise convolution) passes them on, and what adds
    tensors makes their channels the same. Operations that are not known fix the channels that they
    see: those cannot be removed.

    Parameters
    ----------
    module : torch.nn.Module
        The network; it is called in evaluation mode.
    example_input : Tensor, array, tuple or dict of them
        An input.

    Attributes
    ----------
    channels : dict of fx.Node to Channels
        Those of each tensor.
    ends : dict of str to Ends
        Channels of convolutions, linear layers, normalisations and PReLU, by name.
    mixing : set of fx.Node
        Calls of layers that mix their channels, which thus see whether one is missing.
    unknown : set of fx.Node
        What makes channels in another way.
    fixed : list of (ndarray, str)
        Channels that cannot be removed, and what needs them.

    Raises
    ------
    ValueError
        If torch.fx cannot trace the network.
    """

    def __init__(self, module: nn.Module, example_input: Any) -> None:
        self.module = bare(module)
        with evaluating(self.module):  # a trace keeps the mode of functional dropout
            self.traced = traced(self.module)
        self.inputs = positional(self.traced, as_input(self.module, example_input))
        self.ends: dict[str, Ends] = {}
        self.mixing: set[fx.Node] = set()
        self.unknown: set[fx.Node] = set()
        self.fixed: list[tuple[np.ndarray, str]] = []
        self.channels: dict[fx.Node, Channels] = {}
        self._parents: list[int] = []
        with evaluating(self.module), torch.no_grad():
            ShapeProp(self.traced).propagate(*self.inputs)
        for node in self.traced.graph.nodes:
            self._visit(node)
        self._fix_what_is_read_before_normalisation()

    # what is the same

    def roots(self, numbers: np.ndarray) -> np.ndarray:
        """The same number for channels that are the same."""
        return np.array([self._root(number) for number in numbers], dtype=int)

    def _root(self, number):
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def _unite(self, first, second):
        for one, other in zip(first, second, strict=True):
            self._parents[self._root(other)] = self._root(one)

    def _new(self, n):
        numbers = np.arange(len(self._parents), len(self._parents) + n)
        self._parents += numbers.tolist()
        return numbers

    def groups(self) -> list[list[str]]:
        """Normalisation layers by the channels that they share; alone or several in a list."""
        found: dict[tuple[int, ...], list[str]] = {}
        for name in norm_layers(self.module):
            if name in self.ends:
                found.setdefault(tuple(self.roots(self.ends[name].made)), []).append(name)
        needed = {root for numbers, _ in self.fixed for root in self.roots(numbers)}
        return [names for roots, names in found.items() if not needed & set(roots)]

    # from node to node

    def _visit(self, node):
        shape = shape_of(node)
        if node.op == "output":
            self._fix(node.all_input_nodes, ELSEWHERE[1])
        elif shape is None and "tensor_meta" in node.meta:  # several tensors
            self._fix(node.all_input_nodes, described(node))
        elif shape is not None and node.op != "get_attr":
            channels = self._known(node, shape)
            self.channels[node] = self._opaque(node, shape) if channels is None else channels

    def _fix(self, nodes, reason):
        self.fixed += [(self.channels[n].numbers, reason) for n in nodes if n in self.channels]

    def _opaque(self, node, shape):
        """New channels that cannot be removed, nor those that went in."""
        reason = ELSEWHERE[0] if node.op == "placeholder" else described(node)
        self._fix(node.all_input_nodes, reason)
        axis = min(1, len(shape) - 1)
        numbers = self._new(shape[axis] if len(shape) else 0)
        self.fixed.append((numbers, reason))
        self.unknown.add(node)
        return Channels(axis, numbers)

    def _known(self, node, shape):
        """The channels of a tensor, None if the operation is not known."""
        if node.op == "call_module":
            return self._of_layer(node, self.module.get_submodule(node.target), shape)
        name = name_of(node)
        if name in ELEMENTWISE:
            return self._elementwise(node, shape)
        x = self.channels.get(node.args[0]) if node.args else None
        if name in ("cat", "concat", "concatenate"):
            return self._joined(node, shape)
        if x is None or not isinstance(node.args[0], fx.Node):
            return None
        if name in POOLING:
            return self._pooled(x, shape)
        if name == "flatten":
            return self._flattened(x, shape, _argument(node, 1, "start_dim", 0))
        if name in ("view", "reshape"):
            return self._viewed(node, x, shape)
        if name in REDUCTIONS:
            return self._reduced(node, x, shape)
        return None

    def _of_layer(self, node, layer, shape):
        x = self.channels.get(node.args[0]) if node.args else None
        if x is None or parametrize.is_parametrized(layer):
            return None
        if isinstance(layer, ELEMENTWISE_LAYERS):
            return x if shape[x.axis] == len(x.numbers) else None
        if isinstance(layer, POOLING_LAYERS):
            return self._pooled(x, shape)
        if isinstance(layer, nn.Flatten):
            return self._flattened(x, shape, layer.start_dim)
        if isinstance(layer, nn.PReLU):
            return self._through(node, x) if layer.num_parameters > 1 else x
        if isinstance(layer, NORMS) and x.axis == 1:
            return self._through(node, x)
        if isinstance(layer, nn.Linear) and x.axis == len(shape) - 1:
            return self._mixed(node, x, shape[-1])
        if isinstance(layer, CONVOLUTIONS) and x.axis == 1:
            if layer.groups == layer.in_channels > 1:
                return self._through(node, x, layer.out_channels // layer.groups)
            return self._mixed(node, x, shape[1])
        return None

    def _through(self, node, x, times=1):
        """A layer that acts on each channel by itself, and may make several of one."""
        return Channels(x.axis, self._layer(node, x.numbers, x.repeated(times)))

    def _mixed(self, node, x, n):
        self.mixing.add(node)
        return Channels(x.axis, self._layer(node, x.numbers, self._new(n)))

    def _layer(self, node, taken, made):
        """Note the ends of a layer; called a second time, its channels are the same again."""
        before = self.ends.setdefault(node.target, Ends(taken, made))
        self._unite(before.taken, taken)
        self._unite(before.made, made)
        return made

    def _pooled(self, x, shape):
        return x if x.axis == 1 and shape[1] == len(x.numbers) else None

    def _flattened(self, x, shape, start):
        if x.axis == 1 and start == 1:
            return Channels(1, x.repeated(shape[1] // max(len(x.numbers), 1)))
        return x if x.axis == 1 and start > 1 else None

    def _viewed(self, node, x, shape):
        """``x.view(len(x), -1)`` flattens; a number of features that is written out fixes it."""
        sizes = node.args[1] if isinstance(node.args[1], tuple | list) else node.args[1:]
        is_flat = len(sizes) == 2 and (sizes[1] == -1 or isinstance(sizes[1], fx.Node))
        return self._flattened(x, shape, 1) if is_flat else None

    def _reduced(self, node, x, shape):
        dims = _argument(node, 1, "dim", None)
        if dims is None or x.axis != 1:
            return None
        n_axes = len(shape_of(node.args[0]))
        dims = dims if isinstance(dims, tuple | list) else [dims]
        kept = all(dim % n_axes > 1 for dim in dims) and shape[1] == len(x.numbers)
        return x if kept else None

    def _elementwise(self, node, shape):
        """Channels of all tensors that meet here become the same."""
        shapes: dict[Any, Any] = {n: shape_of(n) for n in node.all_input_nodes}
        tensors = [n for n, size in shapes.items() if size is not None and np.prod(size) != 1]
        parts: list[Any] = [self.channels.get(n) for n in tensors]
        if not parts or any(part is None for part in parts):
            return None
        first = parts[0]
        fits = all(
            part.axis == first.axis and len(part.numbers) == shape[first.axis] for part in parts
        ) and all(len(shapes[n]) == len(shape) for n in tensors)
        if not fits:
            return None
        for part in parts[1:]:
            self._unite(first.numbers, part.numbers)
        return first

    def _joined(self, node, shape):
        dim = _argument(node, 1, "dim", 0) % len(shape)
        parts: list[Any] = [self.channels.get(n) for n in node.args[0]]
        if any(part is None or part.axis != dim for part in parts):
            return None
        return Channels(dim, np.concatenate([part.numbers for part in parts]))

    # what a channel says without its scaling factor

    def _fix_what_is_read_before_normalisation(self):
        """Channels that a layer reads without a normalisation in between cannot be removed."""
        everything = {
            name: torch.ones_like(layer.weight, dtype=torch.bool)
            for name, layer in norm_layers(self.module).items()
        }
        for node, x in self.inputs_without(everything, biases=False).items():
            channels = self.channels[node.all_input_nodes[0]]
            is_read = torch.isnan(x.movedim(channels.axis, 0).flatten(1)).any(1).cpu().numpy()
            self.fixed.append(
                (channels.numbers[is_read], f"{described(node)}, which reads them unnormalised")
            )

    def inputs_without(
        self, masks: Mapping[str, torch.Tensor], *, biases: bool
    ) -> dict[fx.Node, torch.Tensor]:
        """Inputs of the layers that mix channels, if scaling factors were zero where masks are.

        What depends on the input of the network is NaN; what is left does not change if it does.
        Without `biases` those of the normalisation are zero as well.
        """
        probe = _Probe(self, masks, biases)
        with evaluating(self.module), torch.no_grad():
            probe.run(*self.inputs)
        return probe.seen


class _Probe(fx.Interpreter):
    """A run of the network in which all that depends on its input is NaN."""

    def __init__(self, graph, masks, biases):
        super().__init__(graph.traced)
        self.sources = graph.mixing | graph.unknown
        self.mixing, self.masks, self.biases = graph.mixing, masks, biases
        self.seen: dict[fx.Node, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The result of a node."""
        if n in self.mixing:
            self.seen[n] = self.env[n.args[0]]  # type: ignore[index]  # a mixing layer has an input
        result = super().run_node(n)
        if n in self.sources and isinstance(result, torch.Tensor) and result.is_floating_point():
            return torch.full_like(result, float("nan"))
        if n.op == "call_module" and n.target in self.masks:
            return self._normalised(str(n.target), result)
        if name_of(n) in PRODUCTS:  # also of zero and NaN
            for part in n.all_input_nodes:
                factor = self.env[part]
                if isinstance(factor, torch.Tensor):
                    result = torch.where(factor == 0, 0.0, result)
        return result

    def _normalised(self, name, result):
        layer: Any = self.fetch_attr(name)
        shape = (-1, *[1] * (result.ndim - 2))
        constant = torch.zeros_like(layer.weight)
        if self.biases and layer.bias is not None:
            constant = layer.bias
        return torch.where(self.masks[name].view(shape), constant.view(shape), result)


def as_input(module: nn.Module, example: Any) -> Any:
    """Tensors of an example on the module's device, those of real numbers in its type."""
    if isinstance(example, dict):
        return {name: as_input(module, part) for name, part in example.items()}
    if isinstance(example, tuple | list):
        return tuple(as_input(module, part) for part in example)
    like = next(module.parameters(), torch.empty(0))
    x = torch.as_tensor(example, device=like.device)
    return x.to(like.dtype) if x.is_floating_point() else x


def positional(graph: Any, example: Any) -> tuple[Any, ...]:
    """Arguments of the graph in their order."""
    if isinstance(example, tuple):
        return example
    if not isinstance(example, dict):
        return (example,)
    parameters = inspect.signature(graph.forward).parameters
    missing = [
        name for name, p in parameters.items() if name not in example and p.default is p.empty
    ]
    if missing or example.keys() - parameters.keys():
        raise ValueError(f"example_input must name {list(parameters)}, got {list(example)}")
    return tuple(example.get(name, p.default) for name, p in parameters.items())


def shape_of(node: Any) -> Any:
    """Shape of the tensor that a node computes; None if it is something else."""
    meta = node.meta.get("tensor_meta")
    return tuple(meta.shape) if hasattr(meta, "shape") else None


def described(node: fx.Node) -> str:
    """How a message names a node."""
    if node.op == "call_module":
        return f"layer {node.target!r}"
    return f"operation {node.name!r}"


def _argument(node, position, name, default):
    if len(node.args) > position:
        rest = node.args[position:]
        return rest if name == "dim" and len(rest) > 1 and node.op == "call_method" else rest[0]
    return node.kwargs.get(name, default)


def channel_groups(module: nn.Module, example_input: Any) -> list[list[str]]:
    """Normalisation layers that must lose the same channels, because their outputs are added.

    Parameters
    ----------
    module : torch.nn.Module
        The network, which torch.fx can trace.
    example_input : Tensor, array, tuple or dict of them
        An input, for the shapes.

    Returns
    -------
    list of list of str
        The names, in groups of two layers or more.

    Raises
    ------
    ValueError
        If torch.fx cannot trace the network, or it has no normalisation with scaling factors.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skreg.deep.torch import channel_groups
    >>> class Shortcut(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv = nn.ModuleList([nn.Conv2d(1, 4, 1), nn.Conv2d(1, 4, 1)])
    ...         self.norm = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(4)])
    ...         self.head = nn.Linear(4, 2)
    ...
    ...     def forward(self, x):
    ...         parts = [norm(conv(x)) for norm, conv in zip(self.norm, self.conv)]
    ...         return self.head(torch.relu(parts[0] + parts[1]).mean((2, 3)))
    >>> channel_groups(Shortcut(), torch.zeros(1, 1, 5, 5))
    [['norm.0', 'norm.1']]
    """
    norm_layers(module)
    return [names for names in ChannelGraph(module, example_input).groups() if len(names) > 1]
