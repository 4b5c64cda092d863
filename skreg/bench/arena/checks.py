"""Checks that make the verdicts on claims, all from intervals over seeds.

A check is a function of the `Evidence`. `gain`, `ratio`, `level` and `grows_like` reduce each seed
to one number, pair methods by seed, and take Student's interval at 95 % for the mean over the
seeds. A claim is *reproduced* where the whole interval meets the requirement, *contradicted* where
no part of it does, and *undecided* where it covers the threshold or where there is one seed.
`every` asks a bound of each single result, as a certificate must; `all_of` joins several checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy import stats

from skreg.bench._benchmark import Evidence, NoValuesError, Verdict

CONFIDENCE = 0.95
SHOWN = 6  # verdicts that are told one by one
Check = Callable[[Evidence], Verdict]
Outcome = Literal["reproduced", "contradicted", "undecided"]


class Bound(NamedTuple):
    """A requirement on one number: at least or at most a value."""

    value: float
    at_least: bool

    @classmethod
    def of(cls, at_least: float | None, at_most: float | None) -> Bound:
        """The one that is given.

        Raises
        ------
        ValueError
            If both or none are given.
        """
        if at_least is not None and at_most is None:
            return cls(at_least, True)
        if at_most is not None and at_least is None:
            return cls(at_most, False)
        raise ValueError(f"give at_least or at_most; got {at_least=} and {at_most=}")

    def met_by(self, value: Any) -> Any:
        """Whether a number, or each of several, meets it; NaN does not."""
        return value >= self.value if self.at_least else value <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {_number(self.value)}"


class Interval(NamedTuple):
    """Mean over the seeds and its interval at 95 %."""

    mean: float
    low: float
    high: float
    n_seeds: int

    @classmethod
    def of(cls, values: np.ndarray) -> Interval:
        """Student's interval of the mean; unbounded for one value."""
        n, mean = len(values), float(np.mean(values))
        if n < 2:
            return cls(mean, -math.inf, math.inf, n)
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * stats.sem(values))
        return cls(mean, mean - half, mean + half, n)

    def judged(self, bound: Bound) -> Outcome:
        """Outcome of a requirement on the mean."""
        ends = bound.met_by(self.low), bound.met_by(self.high)
        return "reproduced" if all(ends) else "undecided" if any(ends) else "contradicted"

    def __str__(self) -> str:
        seeds = f"{self.n_seeds} seed{'s' if self.n_seeds > 1 else ''}"
        if self.n_seeds < 2:
            return f"{_number(self.mean)} ({seeds})"
        return (
            f"{_number(self.mean)} ({_number(self.low)} to {_number(self.high)} at 95 %, {seeds})"
        )


def gain(
    method: str,
    rivals: str | Sequence[str],
    metric: str,
    *,
    setting: str,
    at: float | None = None,
    at_least: float = 0.0,
) -> Check:
    """A method is better than its rivals by some margin, in the direction of the metric.

    Parameters
    ----------
    method : str
        The method.
    rivals : str or sequence of str
        One or several others, each of which must be beaten.
    metric : str
        The column that is compared.
    setting : str
        Where.
    at : float, optional
        The place on the setting's axis, if it has one.
    at_least : float, default=0.0
        The margin, in the metric's unit; a negative one asks that the method is not much worse.

    Returns
    -------
    callable
        The check.
    """

    def over(rival: str) -> Check:
        def gains(evidence: Evidence) -> np.ndarray:
            ours, theirs = _paired(evidence, method, rival, metric, setting, at)
            return theirs - ours if evidence.metrics[metric].better == "lower" else ours - theirs

        return statistic(gains, f"gain over {rival}{_place(at)}", at_least=at_least)

    return all_of(*(over(rival) for rival in _several(rivals)))


def ratio(
    method: str,
    rivals: str | Sequence[str],
    metric: str,
    *,
    setting: str,
    at: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Check:
    """The geometric mean over the seeds of a method's value over its rivals' is bounded.

    Parameters
    ----------
    method : str
        The method.
    rivals : str or sequence of str
        One or several others; the bound holds for each.
    metric : str
        A column of positive numbers.
    setting : str
        Where.
    at : float, optional
        The place on the setting's axis, if it has one.
    at_least, at_most : float
        The bound, one of the two.

    Returns
    -------
    callable
        The check.
    """

    def to(rival: str) -> Check:
        def ratios(evidence: Evidence) -> np.ndarray:
            ours, theirs = _paired(evidence, method, rival, metric, setting, at)
            return ours / theirs

        label = f"ratio to {rival}{_place(at)}"
        return statistic(ratios, label, at_least=at_least, at_most=at_most, log=True)

    return all_of(*(to(rival) for rival in _several(rivals)))


def level(
    method: str,
    metric: str,
    *,
    setting: str,
    at: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Check:
    """The mean over the seeds of one method's value is bounded.

    Parameters
    ----------
    method : str
        The method.
    metric : str
        The column.
    setting : str
        Where.
    at : float, optional
        The place on the setting's axis, if it has one.
    at_least, at_most : float
        The bound, one of the two.

    Returns
    -------
    callable
        The check.
    """

    def values(evidence: Evidence) -> np.ndarray:
        return evidence.values(setting, metric, method, at).to_numpy(dtype=float)

    return statistic(values, f"mean of {method}{_place(at)}", at_least=at_least, at_most=at_most)


def grows_like(
    method: str,
    metric: str,
    *,
    setting: str,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Check:
    """A metric grows along the setting's axis like a power of it whose exponent is bounded.

    Parameters
    ----------
    method : str
        The method.
    metric : str
        A column of positive numbers.
    setting : str
        One with an axis of positive numbers.
    at_least, at_most : float
        Bound of the exponent, one of the two: of the least-squares slope of the logarithms, seed by
        seed.

    Returns
    -------
    callable
        The check.
    """

    def slopes(evidence: Evidence) -> np.ndarray:
        axis = evidence.settings[setting].axis
        if axis is None:
            raise ValueError(f"setting {setting!r} has no axis to grow along")
        rows = evidence.results
        rows = rows[(rows["setting"] == setting) & (rows["method"] == method)]
        if rows.empty:
            raise NoValuesError(method, setting)
        curves = rows.pivot(index="seed", columns=axis.column, values=metric)
        log_place = np.log(curves.columns.to_numpy(dtype=float))
        log_place -= log_place.mean()
        return np.log(curves.to_numpy(dtype=float)) @ log_place / (log_place @ log_place)

    return statistic(slopes, f"exponent of {method}", at_least=at_least, at_most=at_most)


def statistic(
    of_seeds: Callable[[Evidence], np.ndarray],
    label: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    log: bool = False,
) -> Check:
    """The mean over the seeds of any number is bounded; the check that others are made of.

    Parameters
    ----------
    of_seeds : callable
        ``of_seeds(evidence)`` returns one number for each seed, shape (n_seeds,). Infinite numbers
        have no mean: then every seed must meet the bound, or none.
    label : str
        What the number is.
    at_least, at_most : float
        The bound, one of the two.
    log : bool, default=False
        Take the geometric mean, for ratios.

    Returns
    -------
    callable
        The check.
    """
    bound = Bound.of(at_least, at_most)

    def check(evidence: Evidence) -> Verdict:
        with np.errstate(all="ignore"):  # what has no value is told below
            values = np.asarray(of_seeds(evidence), dtype=float)
            scaled = np.log(values) if log else values
        if not len(values):
            return Verdict("undecided", f"{label}: no seed has a value", str(bound))
        if np.isnan(values).any():
            lost = f"{int(np.isnan(values).sum())} of {len(values)} seeds have no value"
            return Verdict("undecided", f"{label}: {lost}", str(bound))
        if not np.isfinite(scaled).all():
            return _judged_one_by_one(values, label, bound)
        interval = Interval.of(scaled)
        if log:
            mean, low, high = (float(np.exp(number)) for number in interval[:3])
            interval = Interval(mean, low, high, interval.n_seeds)
        return Verdict(interval.judged(bound), f"{label} {interval}", str(bound))

    return check


def _judged_one_by_one(values: np.ndarray, label: str, bound: Bound) -> Verdict:
    met = bound.met_by(values)
    outcome: Outcome = "undecided"
    if len(values) > 1 and met.all() == met.any():
        outcome = "reproduced" if met.all() else "contradicted"
    return Verdict(outcome, f"{label} {bound} on {met.sum()} of {len(values)} seeds", str(bound))


def every(
    methods: str | Sequence[str],
    metric: str,
    *,
    settings: str | Sequence[str],
    at_least: float | None = None,
    at_most: float | None = None,
) -> Check:
    """Each single result of some methods meets a bound, whatever the seed and the place.

    Parameters
    ----------
    methods : str or sequence of str
        The methods.
    metric : str
        The column.
    settings : str or sequence of str
        Where.
    at_least, at_most : float
        The bound, one of the two. A missing number does not meet it.

    Returns
    -------
    callable
        The check. It is never undecided.
    """
    bound = Bound.of(at_least, at_most)

    def check(evidence: Evidence) -> Verdict:
        rows = evidence.results
        rows = rows[rows["setting"].isin(_several(settings))]
        for method in _several(methods):
            if not (rows["method"] == method).any():
                raise NoValuesError(method, " and ".join(_several(settings)))
        values = rows.loc[rows["method"].isin(_several(methods)), metric].to_numpy(dtype=float)
        met = bound.met_by(values)
        worst = np.min(values) if bound.at_least else np.max(values)
        return Verdict(
            "reproduced" if met.all() else "contradicted",
            f"met by {met.sum()} of {len(met)} results, the worst {_number(worst)}",
            f"{bound} in each",
        )

    return check


def all_of(*checks: Check, names: Sequence[str] = ()) -> Check:
    """Several checks at once: reproduced where all are, contradicted where one is.

    Parameters
    ----------
    *checks : callable
        One or more.
    names : sequence of str, default=()
        What to call each in the text.

    Returns
    -------
    callable
        The check. Of more than `SHOWN` checks its text tells those that were not reproduced.
    """
    if len(checks) == 1:
        return checks[0]

    def check(evidence: Evidence) -> Verdict:
        verdicts = [one(evidence) for one in checks]
        outcomes = {verdict.outcome for verdict in verdicts}
        outcome: Outcome = "reproduced"
        if "contradicted" in outcomes:
            outcome = "contradicted"
        elif "undecided" in outcomes:
            outcome = "undecided"
        heads = [f"{name}: " for name in names] or [""] * len(verdicts)
        told = list(zip(heads, verdicts, strict=True))
        measured = []
        if len(told) > SHOWN:
            held = [verdict.outcome == "reproduced" for verdict in verdicts]
            measured = [f"held in {sum(held)} of {len(held)}"]
            told = [pair for pair in told if pair[1].outcome != "reproduced"][:SHOWN]
        measured += [head + verdict.measured for head, verdict in told]
        required = "; ".join(dict.fromkeys(verdict.required for verdict in verdicts))
        return Verdict(outcome, "; ".join(measured), required)

    return check


def _paired(
    evidence: Evidence, method: str, rival: str, metric: str, setting: str, at: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Values of two methods on the seeds that both have."""
    ours, theirs = (evidence.values(setting, metric, name, at) for name in (method, rival))
    seeds = ours.index.intersection(theirs.index)
    return ours[seeds].to_numpy(dtype=float), theirs[seeds].to_numpy(dtype=float)


def _place(at: float | None) -> str:
    return "" if at is None else f" (at {_number(at)})"


def _several(names: str | Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def _number(value: float) -> str:
    """Three digits, and a power of ten only where it is shorter."""
    if not math.isfinite(value):
        return f"{value:g}".replace("inf", "∞").replace("-", "−")
    return f"{value:.3g}".replace("-", "−")
