"""The page of the demo: one HTML file that loads nothing from anywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from skreg.demo._told import Told

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #59616b; --paper: #fff; --faint: #f4f5f7;
  --line: #d9dde2; --strong: #0b5394; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #a3abb5; --paper: #16191d;
  --faint: #22272d; --line: #3a414a; --strong: #8ec2f2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 74rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 "Source Sans 3", "Segoe UI", "Helvetica Neue", Helvetica,
  Arial, "Liberation Sans", "DejaVu Sans", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 2.6rem 0 .3rem; padding-top: 1.2rem;
  border-top: 2px solid var(--ink); }
p, ul { margin: .5rem 0; max-width: 48rem; }
nav ul, .next { padding-left: 1.1rem; }
a { color: var(--strong); }
.result { font-weight: 600; font-size: 1.05rem; border-left: 4px solid var(--strong);
  padding-left: .8rem; margin: .8rem 0; }
.soft { color: var(--soft); font-size: .9rem; }
.pair { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); align-items: start; }
@media (min-width: 62rem) { .pair { grid-template-columns: minmax(0, 31rem) minmax(0, 1fr); } }
figure { margin: .6rem 0; }
figure svg { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .3rem; }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { background: var(--faint); border: 1px solid var(--line); border-radius: 4px; margin: .6rem 0;
  padding: .7rem .8rem; font-size: .8rem; line-height: 1.45; overflow-x: auto; tab-size: 4; }
code { font-size: .92em; }
table { border-collapse: collapse; font-size: .9rem; max-width: 48rem; }
td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
td:first-child { color: var(--soft); white-space: nowrap; }
.failed { border-color: #c2452d; }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --paper: #fff;
  --faint: #fff; --strong: #000; } body { max-width: none; padding: 0; font-size: 10.5pt; }
  .pair { grid-template-columns: minmax(0, 1fr); } figure svg { max-width: 13cm; }
  pre { white-space: pre-wrap; } figure, pre, .result { break-inside: avoid; }
  h2 { break-after: avoid; } }
"""
_NEXT = (
    ("skreg warmup", "compiles the kernels of all families ahead"),
    ("skreg bench list", "the papers' claims that can be measured here"),
    ("skreg bench quick", "all of them, small, with intervals over seeds and rivals"),
    ("skreg info", "versions, machine, extras and what each needs"),
)


def write_page(page: str, path: Path) -> None:
    """Write the whole page or nothing.

    Parameters
    ----------
    page : str
        From `render_page`.
    path : Path
        The HTML file; one that is there is replaced.

    Raises
    ------
    OSError
        If it cannot be written. What was there stays.
    """
    temporary = temporary_beside(path)
    try:
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_beside(path: Path) -> Path:
    """A file of this process in the same folder, to be renamed."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def render_page(
    stories: Sequence[Told],
    failures: Mapping[str, str],
    left_out: Mapping[str, str],
    facts: Mapping[str, str],
) -> str:
    """The page as HTML.

    Parameters
    ----------
    stories : sequence of Told
        What was told, in the order of the page.
    failures, left_out : mapping of str to str
        Reasons by the names of stories that failed, and of those that could not run.
    facts : mapping of str to str
        Versions, machine, seconds, seed.

    Returns
    -------
    str
        The document.
    """
    contents = "".join(f'<li><a href="#{s.name}">{escape(s.title)}</a></li>' for s in stories)
    missing = "".join(
        f'<p class="result failed">{escape(name)} {verb}: {escape(reason)}</p>'
        for verb, reasons in (("failed", failures), ("was left out", left_out))
        for name, reason in reasons.items()
    )
    rows = "".join(f"<tr><td>{escape(k)}</td><td>{escape(v)}</td></tr>" for k, v in facts.items())
    further = "".join(f"<li><code>{command}</code>: {what}</li>" for command, what in _NEXT)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What skreg does: a demo</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>What skreg does</h1>
<p>Small stories, measured on this machine a moment ago. Below each figure or beside it stands the
function that it rests on: its source, as it ran. Intervals cover 95%, over independent draws.
Seconds within a story are those of one processor core.</p>
<nav><ul>{contents}</ul></nav>
{missing}
{"".join(map(_section, stories))}
<h2>Where to go next</h2>
<ul class="next">{further}
<li>README.md and the scripts <code>examples/plot_*.py</code> in the sources, to run and change</li>
</ul>
<h2>How this was measured</h2>
<table>{rows}</table>
</body>
</html>
"""


def _section(story: Told) -> str:
    paragraphs = "".join(f"<p>{_prose(p)}</p>" for p in story.text.split("\n\n"))
    compiled = f", {story.n_compiled} versions of kernels compiled" if story.n_compiled else ""
    return f"""
<section>
<h2 id="{story.name}">{escape(story.title)}</h2>
<p class="result">{escape(story.sentence)}</p>
{paragraphs}
<div class="pair">
<figure>{story.svg}<figcaption>{escape(story.caption)}</figcaption></figure>
<div><pre><code>{escape(story.code.rstrip())}</code></pre>
<p class="soft"><code>skreg demo {story.name}</code>: {story.seconds:.1f} s{compiled}</p></div>
</div>
</section>
"""


def _prose(paragraph: str) -> str:
    """A paragraph of a docstring as HTML."""
    text = escape(" ".join(paragraph.split()), quote=False)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
