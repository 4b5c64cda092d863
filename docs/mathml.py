"""Formulas as MathML, which browsers set by themselves: the site needs no script and no network."""

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: Any, node: Any) -> None:
    translator.body.append(_converted(node.astext(), "inline"))
    raise nodes.SkipNode


def _display(translator: Any, node: Any) -> None:
    translator.body.append('<div class="formula">')
    for formula in filter(None, node.astext().split("\n\n")):
        translator.body.append(_converted(_aligned(formula), "block"))
    translator.body.append("</div>")
    raise nodes.SkipNode


def _converted(formula: str, display: str) -> str:
    try:
        return convert(formula, display=display)
    except Exception as error:
        raise ValueError(f"not a formula that can be set: {formula!r}") from error


def _aligned(formula: str) -> str:
    """Formulas of several lines, or with marks of alignment, as LaTeX's environment for them."""
    marked = "\\\\" in formula or "&" in formula
    if marked and "\\begin{" not in formula:
        return f"\\begin{{aligned}}{formula}\\end{{aligned}}"
    return formula
