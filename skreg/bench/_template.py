"""The pages of reports, jinja2 templates with their style inside."""

_STYLE = """
:root { --ink: #1d2126; --soft: #5b636d; --line: #d9dde2; --faint: #f5f6f8; --link: #0b5394; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.75rem 4rem; max-width: 66rem; background: #fff;
  color: var(--ink); font: 16px/1.55 "Source Sans 3", "Segoe UI", "Helvetica Neue", Helvetica,
  Arial, "Liberation Sans", "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .5rem; }
section { margin-top: 2rem; }
section + section { margin-top: 4rem; padding-top: 1.6rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.12rem; margin: 2.1rem 0 .4rem; }
h4 { font-size: 1rem; margin: 1.5rem 0 .1rem; }
h1, h2, h3, h4, p, td { overflow-wrap: break-word; }
p { margin: .45rem 0; max-width: 46rem; }
.meta, figcaption, .caption { color: var(--soft); font-size: .9rem; }
.caption { margin: .1rem 0 .4rem; }
a { color: var(--link); }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35;
  font-variant-numeric: tabular-nums lining-nums; }
.wide { overflow-x: auto; margin: .2rem 0 1rem; }
thead th { white-space: normal; border-bottom: 1.5px solid var(--ink); font-weight: 600;
  vertical-align: bottom; }
th, td { padding: .34rem .7rem; text-align: right; white-space: nowrap; vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; font-weight: 400; }
.numbers th:first-child, .numbers td:first-child {
  position: sticky; left: 0; background: #fff; white-space: normal; min-width: 7rem; }
thead th:first-child { font-weight: 400; color: var(--soft); }
tbody tr { border-bottom: 1px solid var(--line); }
tbody tr.reference td:first-child { font-weight: 600; }
.se, .median { color: var(--soft); font-size: .82em; display: inline-block; }
td.strong .mean { font-weight: 700; }
table.text { width: 100%; margin: .4rem 0 1rem; }
table.text th, table.text td { text-align: left; white-space: normal; }
table.claims th:first-child { width: 8.8rem; }
table.claims th:nth-child(2) { width: 46%; }
table.facts td:first-child { width: 9.5rem; color: var(--soft); }
.badge { display: inline-block; padding: .08rem .55rem; border-radius: .7rem; font-size: .8rem;
  font-weight: 600; white-space: nowrap; background: #eceef1; color: #464d56; }
.badge.reproduced { background: #d3e6f3; color: #003f66; }
.badge.contradicted { background: #8f3d00; color: #fff; }
.badge.undecided { background: #fff; color: #464d56; box-shadow: inset 0 0 0 1px #8b9097; }
figure { margin: 1rem 0 1.6rem; }
figure .wide { margin: 0; }
figure .title { font-weight: 600; margin: 0 0 .3rem; }
figure svg { max-width: 100%; height: auto; display: block; }
figcaption { max-width: 46rem; margin-top: .3rem; }
pre { background: var(--faint); border: 1px solid var(--line); border-radius: 4px;
  padding: .6rem .8rem; font: .82rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas,
  "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.note { border-left: 4px solid #8f3d00; padding-left: .9rem; }
@media (max-width: 40rem) {
  body { padding: 1.2rem 1rem 3rem; }
  h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; }
  .numbers th:first-child, .numbers td:first-child { min-width: 5.5rem; max-width: 9.5rem; }
  table.text, .text tbody, .text tr, .text td { display: block; }
  .text thead { display: none; }
  .text tr { padding: .45rem 0; }
  .text td, table.facts td:first-child { padding: .1rem 0; width: auto; }
}
@media print {
  @page { margin: 1.6cm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  section + section { break-before: page; border-top: 0; padding-top: 0; margin-top: 0; }
  h2, h3, h4, .about, .caption, thead { break-after: avoid; }
  tr, figure, pre, .wide { break-inside: avoid; }
  .wide { overflow: visible; }
  .numbers { font-size: 8pt; }
  .numbers th, .numbers td { padding: 2pt 3pt; white-space: normal; }
  .numbers th:first-child, .numbers td:first-child { min-width: 0; max-width: none; }
  .numbers .mean, .numbers .se, .numbers .median { white-space: nowrap; }
  .numbers .se, .numbers .median { display: block; min-width: 0 !important; }
  figure svg { min-width: 0 !important; }
  .badge { border: 1px solid currentColor; }
  .badge.contradicted { background: none; color: inherit; border-width: 2px; }
}
"""

SECTION = """
{% macro number_table(table) %}
<h4>{{ table.title }}</h4>
<p class="caption">{{ table.caption }}</p>
<div class="wide"><table class="numbers">
<thead><tr><th>{{ table.corner }}</th>
{% for head in table.head %}<th>{{ head }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for method, entries in table.rows %}
<tr{% if method == reference %} class="reference"{% endif %}><td>{{ method }}</td>
{% for entry in entries %}
<td{% if entry.strong %} class="strong"{% endif %}><span class="mean">{{ entry.mean }}</span>
{%- set se, median = table.widths[loop.index0] %}
{%- if se %} <span class="se" style="min-width: {{ se + 0.7 }}ch">
{{- "±" if entry.standard_error }}{{ entry.standard_error }}</span>{% endif %}
{%- if median %} <span class="median" style="min-width: {{ median + 0.7 }}ch">
{{- "[%s]" | format(entry.median) if entry.median }}</span>{% endif %}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
{% endmacro %}

<section id="{{ name }}">
<h2>{{ summary }}</h2>
{% if paper %}
<p class="meta">{{ paper.authors | join("; ") }} ({{ paper.year }}). <i>{{ paper.title }}</i>.
{{ paper.venue }}.
{%- if paper.arxiv %} <a href="https://arxiv.org/abs/{{ paper.arxiv }}">arXiv:{{ paper.arxiv }}</a>
{%- endif %}{% if paper.code %} <a href="{{ paper.code }}">Code of the authors</a>{% endif %}</p>
{% endif %}
<p class="meta">{{ name }}, size {{ size }}, {{ run.seeds | length }}
seed{{ "" if run.seeds | length == 1 else "s" }}, {{ count_of_cells(run.plan.cells | length) }},
{{ "%.0f" | format(run.cell_seconds) }} s of
computing.</p>
{% if run.n_missing %}
<p class="note">{{ run.n_missing }} of {{ run.plan.cells | length }} cells are missing: the run was
not finished. Numbers are those so far, and nothing is decided on them.</p>
{% endif %}
{% if run.faults %}
<p class="note">{{ run.faults | length }} part{{ "" if run.faults | length == 1 else "s" }} of this
failed, as is said below.</p>
{% endif %}

{% if run.claims %}
<table class="text claims">
<thead><tr><th>Verdict</th><th>Claim</th><th>Measured and required</th></tr></thead>
<tbody>
{% for claim in run.claims %}
<tr>
<td><span class="badge {{ claim.badge | replace(' ', '-') }}">{{ claim.badge }}</span></td>
<td>{{ claim.statement }}</td>
<td class="meta">{{ claim.numbers }}</td>
</tr>
{% endfor %}
</tbody>
</table>
{% endif %}
{% for paragraph in paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}

{% if run.pictures %}
<h3>Figures</h3>
{% for picture in run.pictures %}
{% if picture.svg %}
<figure><p class="title">{{ picture.title }}</p>
<div class="wide">{{ picture.svg | safe }}</div>
<figcaption>{{ picture.text }}</figcaption></figure>
{% else %}
<p class="note">A figure could not be drawn: {{ picture.problem }}</p>
{% endif %}
{% endfor %}
{% endif %}

{% for setting, description, tables in settings %}
<h3>{{ setting }}</h3>
<p class="about">{{ description }}</p>
{% for table in tables %}
{{ number_table(table) }}
{% endfor %}
{% endfor %}

{% if run.failures %}
<div class="note">
<h3>Failed cells</h3>
<p>{{ run.failures | length }} of {{ run.plan.cells | length }} cells failed. The tables hold what
the others measured.</p>
{% for failure in run.failures %}
<h4>{{ failure.setting }}, {{ failure.methods | join(", ") }}, seed {{ failure.seed }}</h4>
<pre>{{ failure.traceback }}</pre>
{% endfor %}
</div>
{% endif %}
{% if run.warnings %}
<h3>Warnings while it ran</h3>
<table class="text facts"><tbody>
{% for message, count in run.warnings.items() %}
<tr><td>{{ count }} time{{ "" if count == 1 else "s" }}</td><td>{{ message }}</td></tr>
{% endfor %}
</tbody></table>
{% endif %}

<h3>How to repeat this</h3>
<pre>{{ command }}</pre>
<table class="text facts"><tbody>
<tr><td>Date</td><td>{{ run.date.strftime("%Y-%m-%d %H:%M:%S %Z") }}</td></tr>
<tr><td>Seeds</td><td>{{ run.seeds | join(", ") }}</td></tr>
<tr><td>Versions</td><td>{% for name, version in versions.items() %}{{ name }} {{ version }}
{%- if not loop.last %}, {% endif %}{% endfor %}</td></tr>
{% for name, value in machine.items() %}
<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}
</tbody></table>
</section>
"""

PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{{{ title }}}}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{{{{ title }}}}</h1>
{{% if overview %}}
<table class="text">
<thead><tr><th>Benchmark</th><th>Question</th><th>Verdicts</th></tr></thead>
<tbody>
{{% for record in records %}}
<tr><td><a href="#{{{{ record.name }}}}">{{{{ record.paper or record.name }}}}</a></td>
<td>{{{{ record.summary }}}}</td>
<td>{{% for badge, count in record.verdicts.items() %}}
<span class="badge {{{{ badge | replace(' ', '-') }}}}">{{{{ count }}}} {{{{ badge }}}}</span>
{{% endfor %}}
<span class="meta">
{{%- if record.n_failed %}} {{{{ count_of_cells(record.n_failed) }}}} failed{{% endif %}}
{{%- if record.n_missing %}} {{{{ count_of_cells(record.n_missing) }}}} missing{{% endif %}}
</span></td></tr>
{{% endfor %}}
</tbody>
</table>
{{% endif %}}
{{% for record in records %}}
{{{{ record.section | safe }}}}
{{% endfor %}}
</body>
</html>
"""
