"""Networks as graphs of the calls that they make, by torch.fx."""

import threading
from typing import Any

from torch import fx, nn

POOLS = tuple(
    getattr(nn, f"{kind}Pool{d}d")
    for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg")
    for d in (1, 2, 3)
)
POOLS_OF_FUNCTIONS = {
    f"{kind}_pool{d}d" for kind in ("max", "avg", "adaptive_max", "adaptive_avg") for d in (1, 2, 3)
}
_tracing = threading.Lock()  # torch.fx replaces methods of torch.nn.Module while it traces


class _Tracer(fx.Tracer):
    """A tracer that takes some modules as a whole, and leaves those of other threads alone."""

    def __init__(self, whole: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.whole = whole

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self.whole) or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if not any(m is part for part in self.root.modules()):
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


def traced(module: nn.Module, whole: tuple[type[nn.Module], ...] = ()) -> fx.GraphModule:
    """The graph of a network's calls.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    whole : tuple of type
        Modules that are not looked into, besides those of torch.

    Returns
    -------
    fx.GraphModule
        The graph with the modules that it calls.

    Raises
    ------
    ValueError
        If torch.fx cannot trace the network.
    """
    with _tracing:
        tracer = _Tracer(whole)
        try:
            graph = tracer.trace(module)
        except Exception as error:
            raise ValueError(
                f"torch.fx cannot follow the calls of {type(module).__name__} ({error}): its "
                "forward must not depend on the values of its inputs; a part that does can be "
                "taken as a whole, by torch.fx.wrap"
            ) from error
        return fx.GraphModule(tracer.root, graph, type(module).__name__)


def module_of(node: fx.Node, modules: dict[str, nn.Module]) -> nn.Module | None:
    """Module that a node calls, None if it calls something else.

    Parameters
    ----------
    node : fx.Node
        The node.
    modules : dict of str to torch.nn.Module
        Those of the network by name.

    Returns
    -------
    torch.nn.Module or None
        The module.
    """
    return modules.get(str(node.target)) if node.op == "call_module" else None


def name_of(node: fx.Node) -> str:
    """Name of the function or method that a node calls, without the underscore of those in place.

    Parameters
    ----------
    node : fx.Node
        The node.

    Returns
    -------
    str
        The name, empty if it calls something else.
    """
    if node.op == "call_method":
        return str(node.target).removesuffix("_")
    name = getattr(node.target, "__name__", "") if node.op == "call_function" else ""
    return name.removesuffix("_")
