"""The probability of a rare last stage.

2,500 patients in four ordered stages, of which the last is seen about 15 times. Logistic regression
of that stage against the rest learns from these few alone; proportional odds borrow from all stages
but force one set of coefficients on them. PRESTO (Faletto and Bien, ICML 2023) lets the
coefficients differ and penalises how much. Data are simulated as in the paper, so that the true
probabilities are known; every draw has coefficients of its own.

When not to use it: where the last stage is common, or has nothing to do with the earlier ones,
logistic regression needs no order to lean on.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from skreg.datasets import make_ordinal
from skreg.demo._intervals import Interval, mean_ratio
from skreg.demo._pictures import figure_with
from skreg.ordinal import PrestoClassifierCV, ProportionalOddsClassifier
from skreg.pictures import GREY, series_style

PRESTO, LOGISTIC, ODDS = "PRESTO", "logistic regression", "proportional odds"
WORDS = {-1: "better", 1: "worse", 0: "level"}


def rare_probabilities(X, y):
    """Probability of the last stage for every row, by three models."""
    rare = y.max()
    logistic = LogisticRegression(C=np.inf, max_iter=1000).fit(X, y == rare)
    odds = ProportionalOddsClassifier().fit(X, y)
    presto = PrestoClassifierCV(cv=5).fit(X, y)
    return {
        "PRESTO": presto.predict_proba(X)[:, -1],
        "logistic regression": logistic.predict_proba(X)[:, 1],
        "proportional odds": odds.predict_proba(X)[:, -1],
    }


SHOWN = rare_probabilities


class Measured(NamedTuple):
    """For each draw: true rare probabilities, estimates by method, number of rare events."""

    truth: list[np.ndarray]
    estimates: dict[str, list[np.ndarray]]
    n_rare: list[int]

    def errors(self, method: str) -> np.ndarray:
        """Mean squared error of the rare probability, for each draw."""
        pairs = zip(self.estimates[method], self.truth, strict=True)
        return np.array([np.mean((estimate - truth) ** 2) for estimate, truth in pairs])

    def ratio(self, rival: str) -> Interval:
        """Error of PRESTO relative to that of a rival."""
        return mean_ratio(self.errors(PRESTO), self.errors(rival))


def measure(seed: int, n_draws: int = 20, n_rows: int = 2500) -> Measured:
    """Estimate the rare probabilities of several draws."""
    measured = Measured([], {PRESTO: [], LOGISTIC: [], ODDS: []}, [])
    for k in range(n_draws):
        X, y, probability = make_ordinal(
            n_rows, 10, intercepts=(0.0, 3.5, 5.5), random_state=np.random.default_rng((seed, k))
        )
        measured.truth.append(probability[:, -1])
        measured.n_rare.append(int(np.sum(y == y.max())))
        for name, estimate in rare_probabilities(X, y).items():
            measured.estimates[name].append(estimate)
    return measured


def sentence(measured: Measured) -> str:
    """Ratios of errors with their intervals."""
    logistic, odds = measured.ratio(LOGISTIC), measured.ratio(ODDS)
    return (
        f"A stage seen {min(measured.n_rare)} to {max(measured.n_rare)} times in "
        f"{len(measured.truth[0]):,} rows: PRESTO's squared error of its probability is "
        f"{logistic.text()} times that of logistic regression ({WORDS[logistic.side_of(1)]}) and "
        f"{odds.text()} times that of proportional odds ({WORDS[odds.side_of(1)]})"
    )


def reliability(measured: Measured, method: str, n_bins: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Mean estimated and mean true probability of equally many rows, from low to high estimates."""
    estimate, truth = np.concatenate(measured.estimates[method]), np.concatenate(measured.truth)
    bins = np.array_split(np.argsort(estimate), n_bins)
    return tuple(np.array([values[rows].mean() for rows in bins]) for values in (estimate, truth))  # type: ignore[return-value]


def draw(measured: Measured) -> tuple[Any, str]:
    """Ratios of all draws, and reliability."""
    figure, (ratios, reliable) = figure_with(2)
    for row, rival in enumerate((LOGISTIC, ODDS)):
        values = measured.errors(PRESTO) / measured.errors(rival)
        mean, low, high = measured.ratio(rival)
        style = series_style(row + 1)
        ratios.plot(values, np.full(len(values), row), linestyle="none", alpha=0.4, **style)
        ratios.plot([low, high], [row - 0.25] * 2, color=style["color"], linewidth=3)
        ratios.plot(mean, row - 0.25, "|", color=style["color"], markersize=16, markeredgewidth=3)
    ratios.axvline(1, color=GREY, linestyle=(0, (4, 2)))
    ratios.set(xscale="log", ylim=(1.5, -0.7), xlabel="squared error of PRESTO / of the rival")
    ratios.set_yticks([0, 1], labels=["logistic\nregression", "proportional\nodds"])
    ratios.set_xticks([0.1, 0.2, 0.5, 1, 2], labels=["0.1", "0.2", "0.5", "1", "2"])
    ratios.minorticks_off()
    ratios.set_title("Error: left of 1 PRESTO is better")
    ends = [1.0, 0.0]
    for i, name in enumerate((PRESTO, LOGISTIC, ODDS)):
        estimate, truth = reliability(measured, name)
        reliable.plot(np.maximum(estimate, 1e-7), truth, label=name, **series_style(i))
        ends = [min(ends[0], truth.min()), max(ends[1], truth.max())]
    reliable.plot(ends, ends, color=GREY, linestyle=(0, (4, 2)), label="reliable")
    reliable.set(xscale="log", yscale="log", xlabel="estimated probability of the last stage")
    reliable.set(ylabel="true probability")
    ticks = [tick for tick in (5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2) if ends[0] <= tick]
    reliable.set_yticks(ticks, labels=[f"{tick:.1%}" for tick in ticks])
    reliable.set_ylim(ends[0] / 1.3, ends[1] * 1.3)
    reliable.minorticks_off()
    reliable.set_title("Reliability, rows by their estimate")
    reliable.legend(loc="upper left", fontsize=9.5)
    return figure, (
        "Above: dots are draws, bars the geometric mean with its 95% interval. Below: mean true "
        "probability of an eighth of the rows each, all draws together; on the dashed line the "
        "estimates are reliable."
    )
