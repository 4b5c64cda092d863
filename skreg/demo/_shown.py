"""The code on the page: the source of the function that ran, with the imports that it needs."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable


def shown_source(function: Callable) -> str:
    """Source of a function, below those imports of its module whose names it uses.

    Parameters
    ----------
    function : callable
        A function of a module that can be read.

    Returns
    -------
    str
        Python code that runs by itself.
    """
    source = inspect.getsource(function)
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    module = ast.parse(inspect.getsource(inspect.getmodule(function)))  # type: ignore[arg-type]
    lines = []
    for node in module.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            kept = [alias for alias in node.names if (alias.asname or alias.name) in used]
            if kept:
                node.names = kept
                lines.append(ast.unparse(node))
    return "\n".join(lines) + "\n\n\n" + source if lines else source
