"""What a benchmark declares: its paper, settings, methods, metrics, repeats, claims and figures."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as MatplotlibFigure

SIZES = ("smallest", "quick", "full")


@dataclass(frozen=True)
class Metric:
    """One measured column of the results.

    Parameters
    ----------
    label : str
        What is measured, for table titles and axis labels.
    unit : str, default=""
        The unit, e.g. ``"s"`` or ``"MB"``; empty for a proportion or a ratio.
    digits : int, default=3
        Digits after the decimal point in tables.
    better : {"lower", "higher"}, default="lower"
        The direction in which a method improves.
    """

    label: str
    unit: str = ""
    digits: int = 3
    better: str = "lower"

    @property
    def title(self) -> str:
        """The label followed by the unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


@dataclass(frozen=True)
class Axis:
    """The column along which a setting's results are tabulated, e.g. the training size.

    Parameters
    ----------
    column : str
        Name of the column in the results.
    label : str
        What the column holds, for table heads and axis labels.
    """

    column: str
    label: str


@dataclass(frozen=True)
class Setting:
    """One data setting: how its data arise, and how methods are measured on them.

    Parameters
    ----------
    description : str
        One sentence about the data and the split, shown above the table.
    data : callable
        ``data(seed, **parameters)`` returns the data of one repeat. Equal arguments give equal
        data, so that methods compared at one seed see the same rows.
    measure : callable
        ``measure(data, methods, seed)`` yields one dict for each row of results, with the key
        ``"method"``, the axis column if there is one, and the measured metrics. `methods` holds
        all methods of the cell by name.
    metrics : sequence of str
        The metrics that this setting measures, in the order of the report.
    axis : Axis, optional
        The column along which the results are tabulated; without it, one column per metric.
    methods : sequence of str, optional
        The methods that take part; all of them if left out.
    parameters : mapping of str to mapping
        Keyword arguments of `data` for each size; a size that is left out does not run the setting.
    """

    description: str
    data: Callable[..., Any]
    measure: Callable[[Any, Mapping[str, Any], int], Iterable[Mapping[str, Any]]]
    metrics: Sequence[str]
    axis: Axis | None = None
    methods: Sequence[str] | None = None
    parameters: Mapping[str, Mapping[str, Any]] = field(
        default_factory=lambda: {size: {} for size in SIZES}
    )


class Paper(NamedTuple):
    """A paper whose method or claim stands in skreg.

    CITATION.cff, the README's table of papers and the site's pages are written from these records.

    Attributes
    ----------
    title : str
        Its title.
    authors : tuple of str
        "Family, Given" each.
    venue : str
        Conference or journal, with volume and number where it has them.
    year : int
        Of publication.
    here : str
        What of it stands here: names of modules and classes.
    kind : {"conference-paper", "article", "report"}, default="conference-paper"
        As in the Citation File Format.
    arxiv : str, default=""
        Number of the preprint, such as "2305.00001".
    code : str, default=""
        Address of the authors' code.
    """

    title: str
    authors: tuple[str, ...]
    venue: str
    year: int
    here: str
    kind: str = "conference-paper"
    arxiv: str = ""
    code: str = ""

    @property
    def short(self) -> str:
        """Authors and year, as in a text."""
        families = [author.partition(",")[0] for author in self.authors]
        if len(families) > 2:
            return f"{families[0]} et al. ({self.year})"
        return f"{' and '.join(families)} ({self.year})"


class Verdict(NamedTuple):
    """Outcome of one claim.

    Attributes
    ----------
    outcome : {"reproduced", "contradicted", "undecided"}
        Whether it held, did not hold, or cannot be told from these results.
    measured : str
        The numbers found.
    required : str
        What was asked of them.
    """

    outcome: Literal["reproduced", "contradicted", "undecided"]
    measured: str
    required: str


class NoValuesError(LookupError):
    """There are no results of a method that a claim asks about."""

    def __init__(self, method: str, setting: str, at: float | None = None) -> None:
        place = "" if at is None else f" at {at:g}"
        super().__init__(f"there are no results of {method!r} in {setting!r}{place}")
        self.method = method


class Evidence(NamedTuple):
    """What the check of a claim reads.

    Attributes
    ----------
    results : DataFrame
        The table of all results.
    settings : mapping of str to Setting
        The settings of the benchmark.
    metrics : mapping of str to Metric
        Its metrics.
    """

    results: pd.DataFrame
    settings: Mapping[str, Setting]
    metrics: Mapping[str, Metric]

    def values(self, setting: str, metric: str, method: str, at: float | None = None) -> pd.Series:
        """Values of one method over the seeds.

        Parameters
        ----------
        setting, metric, method : str
            Which ones.
        at : float, optional
            The place on the axis of a setting that has one.

        Returns
        -------
        Series of shape (n_seeds,)
            With the seeds as its index.

        Raises
        ------
        NoValuesError
            If there are none.
        ValueError
            If `at` is missing for a setting with an axis, or given for one without.
        """
        axis = self.settings[setting].axis
        if (axis is None) != (at is None):
            need = f"has the axis {axis.column!r}: name a place" if axis else "has no axis"
            raise ValueError(f"setting {setting!r} {need}; got at={at}")
        rows = self.results[
            (self.results["setting"] == setting) & (self.results["method"] == method)
        ]
        if axis is not None:
            rows = rows[rows[axis.column] == at]
        if rows.empty:
            raise NoValuesError(method, setting, at)
        return rows.set_index("seed")[metric].sort_index()


@dataclass(frozen=True)
class Claim:
    """Something a paper says about the results.

    Parameters
    ----------
    statement : str
        The claim, in words.
    check : callable
        ``check(evidence)`` returns a `Verdict`; `skreg.bench.arena.checks` makes them.
    settings : sequence of str
        The settings that the check reads. The claim has no verdict while one of them is missing
        from the size, or one of their cells failed.
    sizes : sequence of str, default=("quick", "full")
        The sizes that decide it. At others its numbers are shown, without a verdict.
    """

    statement: str
    check: Callable[[Evidence], Verdict]
    settings: Sequence[str]
    sizes: Sequence[str] = ("quick", "full")


@dataclass(frozen=True)
class Figure:
    """One picture of the results.

    Parameters
    ----------
    caption : str
        What one sees.
    draw : callable
        ``draw(results)`` returns a matplotlib figure.
    settings : sequence of str
        The settings that it draws; it is left out while results of one of them are missing.
    """

    caption: str
    draw: Callable[[pd.DataFrame], MatplotlibFigure]
    settings: Sequence[str]


@dataclass(frozen=True)
class Benchmark:
    """A statistical benchmark: who competes on what, how often, and what the paper claims.

    Parameters
    ----------
    settings : mapping of str to Setting
        The data settings by name.
    methods : mapping of str to object
        The methods by name, ours and rivals: estimators, functions, whatever `measure` of the
        settings understands.
    metrics : mapping of str to Metric
        The metrics by column name.
    repeats : mapping of str to int
        Number of seeds at each size ("smallest", "quick", "full").
    reference : str
        The method from which paired differences are taken.
    claims : sequence of Claim, default=()
        What the paper claims.
    figures : sequence of Figure, default=()
        Pictures for the report.
    together : bool, default=False
        Measure all methods of a setting and seed in one cell, which builds the data once. Otherwise
        each method is a cell of its own.
    serial : bool, default=False
        Run one cell at a time in the main process, whatever ``--n-jobs`` and ``--dask`` say: for
        timings. BLAS then has all threads; a cell of any other benchmark has one. At sizes above
        "smallest" the cells of size "smallest" run first and are thrown away, so that kernels are
        compiled and packages loaded before anything is timed.
    seconds : mapping of str to float, default={}
        Computing time of all cells at each size, one after the other, as it was measured once: from
        it a first run says how long it will take.
    needs : mapping of str to tuple of str, default={}
        For methods that need a package beyond the benchmark's extra: the module's name and the
        extra of skreg that brings it, or the whole command where no extra can. Where the module is
        missing the method is left out, and claims about it say what to install.

    Raises
    ------
    ValueError
        If the parts do not refer to one another by name.
    """

    settings: Mapping[str, Setting]
    methods: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    repeats: Mapping[str, int]
    reference: str
    claims: Sequence[Claim] = ()
    figures: Sequence[Figure] = ()
    together: bool = False
    serial: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def absent(self) -> dict[str, str]:
        """Methods whose packages are not installed, with what brings them."""
        return {
            method: extra
            for method, (module, extra) in self.needs.items()
            if importlib.util.find_spec(module) is None
        }

    @property
    def sizes(self) -> list[str]:
        """The sizes at which a setting is run."""
        parameters = [setting.parameters for setting in self.settings.values()]
        return [size for size in SIZES if any(size in sizes for sizes in parameters)]

    def __post_init__(self) -> None:
        _require_known("reference", [self.reference], self.methods)
        _require_known("repeats", SIZES, self.repeats)
        _require_known("needs", self.needs, self.methods)
        _require_known("seconds", self.seconds, SIZES)
        for name, setting in self.settings.items():
            _require_known(f"settings[{name!r}].metrics", setting.metrics, self.metrics)
            _require_known(f"settings[{name!r}].methods", setting.methods or (), self.methods)
            _require_known(f"settings[{name!r}].parameters", setting.parameters, SIZES)
        for claim in self.claims:
            _require_known(f"settings of claim {claim.statement!r}", claim.settings, self.settings)
            _require_known(f"sizes of claim {claim.statement!r}", claim.sizes, SIZES)
        for figure in self.figures:
            _require_known(f"settings of figure {figure.caption!r}", figure.settings, self.settings)


def _require_known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{what}: {unknown[0]!r} is not one of {', '.join(map(repr, known))}")
