"""The page of the report, a jinja2 template with its style inside."""

_STYLE = """
:root { --ink: #1d2126; --soft: #5b636d; --line: #d9dde2; --faint: #f5f6f8; --link: #0b5394; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.75rem 4rem; max-width: 66rem; background: #fff;
  color: var(--ink); font: 16px/1.55 "Source Sans 3", "Segoe UI", "Helvetica Neue", Helvetica,
  Arial, "Liberation Sans", "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; line-height: 1.25; margin: 3rem 0 .4rem; padding-top: 1.4rem;
  border-top: 2px solid var(--ink); }
h3 { font-size: 1.12rem; margin: 2.1rem 0 .4rem; }
h4 { font-size: 1rem; margin: 1.5rem 0 .1rem; }
p { margin: .45rem 0; max-width: 46rem; }
.lead { font-size: 1.12rem; }
.meta, figcaption, .caption { color: var(--soft); font-size: .9rem; }
.caption { margin: .1rem 0 .4rem; }
a { color: var(--link); }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35; margin: .2rem 0 1rem;
  font-variant-numeric: tabular-nums lining-nums; }
.wide { overflow-x: auto; }
thead th { white-space: normal; border-bottom: 1.5px solid var(--ink); font-weight: 600;
  vertical-align: bottom; }
th, td { padding: .34rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 400; }
thead th:first-child { font-weight: 400; color: var(--soft); }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr.reference td:first-child { font-weight: 600; }
td .se { color: var(--soft); font-size: .82em; }
td.strong .mean { font-weight: 700; }
table.claims, table.facts { width: 100%; }
table.claims th, table.claims td, table.facts td {
  text-align: left; white-space: normal; vertical-align: top; }
table.claims th:nth-child(1) { width: 8.6rem; }
table.claims th:nth-child(2) { width: 35%; }
table.claims th:nth-child(4) { width: 20%; }
table.facts td:first-child { width: 9.5rem; color: var(--soft); }
.badge { display: inline-block; padding: .08rem .55rem; border-radius: .7rem; font-size: .8rem;
  font-weight: 600; white-space: nowrap; }
.badge.reproduced { background: #dcefe2; color: #14532b; }
.badge.not-reproduced { background: #fbe3dc; color: #8a2a10; }
.badge.not-tested { background: #eceef1; color: #464d56; }
figure { margin: 1rem 0 1.6rem; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { max-width: 46rem; margin-top: .3rem; }
pre { background: var(--faint); border: 1px solid var(--line); border-radius: 4px;
  padding: .6rem .8rem; font: .82rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.failed { border-left: 4px solid #c2452d; padding-left: .9rem; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; }
  table, figure { break-inside: avoid; } }
"""

_BODY = """
{% macro claims_table(claims) %}
<table class="claims">
<thead><tr><th>Verdict</th><th>Claim</th><th>Measured</th><th>Required</th></tr></thead>
<tbody>
{% for claim in claims %}
<tr>
<td><span class="badge {{ claim.badge | replace(' ', '-') }}">{{ claim.badge }}</span></td>
<td>{{ claim.statement }}</td>
{% if claim.verdict %}
<td>{{ claim.verdict.measured }}</td><td>{{ claim.verdict.required }}</td>
{% else %}
<td colspan="2" class="meta">{{ claim.reason }}</td>
{% endif %}
</tr>
{% endfor %}
</tbody>
</table>
{% endmacro %}

{% macro number_table(table, reference) %}
<h4>{{ table.title }}</h4>
<p class="caption">{{ table.caption }}</p>
<div class="wide"><table>
<thead><tr><th>{{ table.corner }}</th>
{% for head in table.head %}<th>{{ head }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for method, entries in table.rows %}
<tr{% if method == reference %} class="reference"{% endif %}><td>{{ method }}</td>
{% for entry in entries %}
<td{% if entry.strong %} class="strong"{% endif %}><span class="mean">{{ entry.mean }}</span>
{%- if entry.standard_error %} <span class="se">±{{ entry.standard_error }}</span>{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
{% endmacro %}

<h1>{{ title }}</h1>
<p class="meta">skreg {{ versions["skreg"] }} · {{ date.strftime("%Y-%m-%d %H:%M %Z") }} ·
{{ machine["Processor"] }}</p>

{% if sections | length > 1 %}
<table class="facts">
<tbody>
{% for section in sections %}
<tr><td><a href="#{{ section.run.file.name }}">{{ section.run.file.name }}</a></td>
<td>{{ section.run.file.summary }}
<span class="meta">{{ section.run.n_reproduced }} of {{ section.run.n_judged }} tested claims
reproduced{% if section.run.failures %}; {{ section.run.failures | length }} cells
failed{% endif %}.</span></td></tr>
{% endfor %}
</tbody>
</table>
{% endif %}

{% for section in sections %}
{% set run = section.run %}
{% if sections | length > 1 %}
<h2 id="{{ run.file.name }}">{{ run.file.name }}</h2>
{% endif %}
<p class="lead">{{ run.file.summary }}</p>
{% for paragraph in section.paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
<p class="meta">Size {{ run.size }}, seeds {{ run.seeds | join(", ") }},
{{ run.outcomes | length }} cell{{ "" if run.outcomes | length == 1 else "s" }},
{{ "%.0f" | format(run.cell_seconds) }} s of computing.</p>

{% if run.failures %}
<div class="failed">
<h3>Failed cells</h3>
<p>{{ run.failures | length }} of {{ run.outcomes | length }} cells failed. The tables hold what
the others measured.</p>
{% for failure in run.failures %}
<h4>{{ failure.setting }}, {{ failure.methods | join(", ") }}, seed {{ failure.seed }}</h4>
<pre>{{ failure.traceback }}</pre>
{% endfor %}
</div>
{% endif %}

{% if run.claims %}
<h3>Claims</h3>
{{ claims_table(run.claims) }}
{% endif %}

{% if section.figures %}
<h3>Figures</h3>
{% for caption, svg in section.figures %}
<figure>{{ svg | safe }}<figcaption>{{ caption }}</figcaption></figure>
{% endfor %}
{% endif %}

{% for name, description, tables in section.settings %}
<h3>{{ name }}</h3>
<p>{{ description }}</p>
{% for table in tables %}
{{ number_table(table, run.benchmark.reference) }}
{% endfor %}
{% endfor %}

{% if run.warnings %}
<h3>Warnings while it ran</h3>
<table class="facts"><tbody>
{% for message, count in run.warnings.items() %}
<tr><td>{{ count }} times</td><td>{{ message }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}
{% endfor %}

<h2>How to repeat this</h2>
<pre>{{ command }}</pre>
<table class="facts"><tbody>
<tr><td>Date</td><td>{{ date.strftime("%Y-%m-%d %H:%M:%S %Z") }}</td></tr>
{% for section in sections %}
<tr><td>Seeds</td><td>{{ section.run.file.name }}: {{ section.run.seeds | join(", ") }}</td></tr>
{% endfor %}
<tr><td>Versions</td><td>{% for name, version in versions.items() %}{{ name }} {{ version }}
{%- if not loop.last %}, {% endif %}{% endfor %}</td></tr>
{% for name, value in machine.items() %}
<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}
</tbody></table>
"""

TEMPLATE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{{{ title }}}}</title>
<style>{_STYLE}</style>
</head>
<body>
{_BODY}
</body>
</html>
"""
