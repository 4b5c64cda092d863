"""How many labels does a linear probe need?

Naive Bayes comes close to its best error with few labels; logistic regression needs more, but its
best error is lower (Zheng et al., ICML 2023). So the curves of their errors may cross, and
`skreg.probe` says where, with an interval. Data are the 30 features of tumours that ship with
scikit-learn. Labelled subsets are drawn at random, as in the paper, hence unbalanced, so logistic
regression with balanced class weights takes part too.

When not to use it: with a hundred labels and more, or where logistic regression with balanced class
weights is at hand; most of naive Bayes' lead here comes from unbalanced draws.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skreg.demo._intervals import Interval, mean_over_seeds
from skreg.demo._pictures import figure_with
from skreg.pictures import GREY, series_style
from skreg.probe import LinearNaiveBayes, crossover_size, probe_learning_curve

NAIVE, LOGISTIC, BALANCED = "naive Bayes", "logistic regression", "logistic, balanced weights"
SIZES = (4, 8, 16, 32, 64, 128, 256)


def errors_by_number_of_labels(X, y, X_test, y_test, sizes, seed):
    """Test errors of three probes, fitted to the same random subsets."""
    probes = {
        "naive Bayes": LinearNaiveBayes(),
        "logistic regression": LogisticRegression(),
        "logistic, balanced weights": LogisticRegression(class_weight="balanced"),
    }
    data = X, y, X_test, y_test
    draw = {"train_sizes": sizes, "n_repeats": 1, "random_state": seed}
    return probe_learning_curve(probes, *data, **draw).errors


SHOWN = errors_by_number_of_labels


class Measured(NamedTuple):
    """Errors (n_draws, n_sizes) by probe."""

    errors: dict[str, np.ndarray]
    sizes: tuple[int, ...]

    def lead(self, rival: str) -> list[Interval]:
        """Error of naive Bayes minus that of a rival, for each size."""
        return [mean_over_seeds(column) for column in (self.errors[NAIVE] - self.errors[rival]).T]

    def crossing(self, rival: str) -> Any:
        """Where the rival overtakes for good."""
        return crossover_size(self.sizes, self.errors[NAIVE], self.errors[rival], random_state=0)


def measure(seed: int, n_draws: int = 40, sizes: tuple[int, ...] = SIZES) -> Measured:
    """Learning curves, each with a split into training and test rows of its own."""
    X, y = load_breast_cancer(return_X_y=True)
    errors: dict[str, list[np.ndarray]] = {NAIVE: [], LOGISTIC: [], BALANCED: []}
    random = np.random.RandomState(seed)
    for _ in range(n_draws):
        X_pool, X_test, y_pool, y_test = train_test_split(
            X, y, test_size=150, stratify=y, random_state=random
        )
        curves = errors_by_number_of_labels(X_pool, y_pool, X_test, y_test, sizes, random)
        for probe, error in curves.items():
            errors[probe].append(error[0])
    return Measured({probe: np.array(rows) for probe, rows in errors.items()}, sizes)


def outcome(measured: Measured, rival: str) -> str:
    """At which sizes naive Bayes leads beyond noise, and where it is overtaken."""
    leads = zip(measured.sizes, measured.lead(rival), strict=True)
    ahead = [size for size, lead in leads if lead.side_of(0) < 0]
    crossing = measured.crossing(rival)
    if not ahead:
        first = "never ahead beyond noise"
    elif len(ahead) == 1:
        first = f"ahead with {ahead[0]} labels"
    else:
        first = f"ahead with {ahead[0]} to {ahead[-1]} labels"
    low, high = crossing.confidence_interval
    if crossing.censored == "right":
        return f"{first}, not overtaken"
    if crossing.censored == "left" or not ahead:
        return first
    return f"{first}, overtaken at {crossing.size:.0f} [{low:.0f}, {high:.0f}]"


def sentence(measured: Measured) -> str:
    """Who leads where, against both rivals."""
    most = -1
    error = {probe: errors[:, most].mean() for probe, errors in measured.errors.items()}
    return (
        f"Naive Bayes on tumours against logistic regression: {outcome(measured, LOGISTIC)}; "
        f"against balanced class weights: {outcome(measured, BALANCED)}; with "
        f"{measured.sizes[most]} labels errors are {error[NAIVE]:.3f}, {error[LOGISTIC]:.3f} and "
        f"{error[BALANCED]:.3f}"
    )


def draw(measured: Measured) -> tuple[Any, str]:
    """Error against number of labels, and the differences that count."""
    figure, (curves, leads) = figure_with(2, height=3.4, sharex=True)
    sizes = np.array(measured.sizes)
    for i, (probe, errors) in enumerate(measured.errors.items()):
        curves.plot(sizes, errors.mean(axis=0), label=probe, **series_style(i))
        if probe != NAIVE:
            mean, low, high = np.transpose(measured.lead(probe))
            reach = np.array([mean - low, high - mean])
            leads.errorbar(sizes * 1.04 ** (2 * i - 3), mean, reach, capsize=3, **series_style(i))
    crossing = measured.crossing(LOGISTIC)
    if crossing.censored is None:
        for panel in (curves, leads):
            panel.axvline(crossing.size, color=GREY, linestyle=(0, (4, 2)))
            panel.axvspan(*crossing.confidence_interval, color=GREY, alpha=0.15, linewidth=0)
    curves.set(xscale="log", ylim=(0, None), ylabel="error on new rows")
    curves.set_title("Error by number of labels")
    leads.axhline(0, color=GREY, linewidth=1)
    leads.set(xlabel="labels", ylabel="naive Bayes minus rival")
    leads.set_title("Difference of errors: below 0 naive Bayes leads")
    leads.set_xticks(sizes, labels=[str(size) for size in sizes])
    leads.minorticks_off()
    figure.legend(*curves.get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure, (
        "Means over draws, differences with their 95% intervals. The dashed line is where logistic "
        "regression overtakes naive Bayes for good, the grey band the interval of that."
    )
