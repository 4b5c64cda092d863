"""A thousand classes in one pass over the rows.

Linear naive Bayes is closed-form: it counts, sums and squares, so 80,000 rows of 1,000 classes
are fitted in one pass, and two halves that were read on two machines merge exactly. Logistic
regression iterates over rows times classes. Classes are simulated as normal clouds; in the first
panel the noise of the features is independent, in the second it is correlated.

When not to use it: where features are strongly correlated, as in the second panel, linear
discriminant analysis is more accurate at the price of a covariance matrix.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from skreg.demo._clock import timed
from skreg.demo._intervals import Interval, in_words, mean_over_seeds
from skreg.demo._pictures import figure_with
from skreg.pictures import series_style
from skreg.probe import LinearNaiveBayes

NAIVE, LDA, GAUSSIAN = "linear naive Bayes", "LDA", "GaussianNB"
LOGISTIC = "logistic, 1 iteration"
N_TEST = 5000
INDEPENDENT, CORRELATED = "independent noise", "correlated noise"


def fit_in_two_places(X, y):
    """Each half could lie on another machine."""
    half = len(X) // 2
    here = LinearNaiveBayes().fit(X[:half], y[:half])
    there = LinearNaiveBayes().fit(X[half:], y[half:])
    return here.merge(there)


SHOWN = fit_in_two_places


class Measured(NamedTuple):
    """Seconds and accuracies over draws, by kind of noise and method; shapes of the data."""

    seconds: dict[str, dict[str, list[float]]]
    accuracy: dict[str, dict[str, list[float]]]
    n_rows: int
    n_classes: int

    def lead(self, noise: str) -> Interval:
        """Accuracy of naive Bayes minus that of LDA."""
        accuracy = self.accuracy[noise]
        return mean_over_seeds(np.subtract(accuracy[NAIVE], accuracy[LDA]))


def draw_rows(rng, noise, n_rows, n_classes, n_features=64):
    """Normal clouds around normal means, features on different scales."""
    y = rng.integers(n_classes, size=n_rows + N_TEST)
    X = 1.5 * rng.standard_normal((len(y), n_features), dtype=np.float32)
    if noise == CORRELATED:
        mixing = rng.standard_normal((n_features, n_features)) / np.sqrt(n_features)
        X = X @ (np.eye(n_features) + mixing / 2).astype(np.float32)
    X += rng.standard_normal((n_classes, n_features), dtype=np.float32)[y]
    X *= np.exp(rng.standard_normal(n_features, dtype=np.float32) / 2)
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]


def measure(seed: int, n_draws: int = 3, n_rows: int = 80_000, n_classes: int = 1000) -> Measured:
    """Fit on several draws; the slow rivals on the first one only."""
    seconds: dict[str, dict[str, list[float]]] = {}
    accuracy: dict[str, dict[str, list[float]]] = {}
    for noise in (INDEPENDENT, CORRELATED):
        seconds[noise], accuracy[noise] = {}, {}
        for k in range(n_draws):
            rng = np.random.default_rng((seed, k))
            X, y, X_test, y_test = draw_rows(rng, noise, n_rows, n_classes)
            if k == 0:
                fit_in_two_places(X[:100], y[:100] % 2)  # loads the kernels
            fits: dict[str, Any] = {
                NAIVE: fit_in_two_places,
                LDA: LinearDiscriminantAnalysis().fit,
            }
            if k == 0 and noise == INDEPENDENT:
                fits[GAUSSIAN] = GaussianNB().fit
                fits[LOGISTIC] = LogisticRegression(max_iter=1).fit
            for name, fit in fits.items():
                model, spent = timed(fit, X, y)
                seconds[noise].setdefault(name, []).append(spent)
                accuracy[noise].setdefault(name, []).append(model.score(X_test, y_test))
    return Measured(seconds, accuracy, n_rows, n_classes)


def sentence(measured: Measured) -> str:
    """Times and accuracies with independent noise, and who leads with correlated noise."""
    seconds = {name: np.median(s) for name, s in measured.seconds[INDEPENDENT].items()}
    accuracy = {name: np.mean(a) for name, a in measured.accuracy[INDEPENDENT].items()}
    parts = [
        f"{name} {in_words(seconds[name])} (accuracy {accuracy[name]:.2f})"
        for name in (NAIVE, LDA, GAUSSIAN, LOGISTIC)
    ]
    side = measured.lead(CORRELATED).side_of(0)
    verdict = {-1: "LDA leads", 1: "naive Bayes leads", 0: "naive Bayes and LDA are level"}[side]
    naive, lda = (np.mean(measured.accuracy[CORRELATED][name]) for name in (NAIVE, LDA))
    return (
        f"{measured.n_rows:,} rows of {measured.n_classes:,} classes: {', '.join(parts)}; "
        f"with correlated noise {verdict}, {naive:.2f} to {lda:.2f}"
    )


def draw(measured: Measured) -> tuple[Any, str]:
    """Accuracy against seconds, a panel for each kind of noise."""
    figure, panels = figure_with(2, height=2.9, sharex=True)
    for panel, noise in zip(panels, measured.seconds, strict=True):
        for i, name in enumerate((NAIVE, LDA, GAUSSIAN, LOGISTIC)):
            if name in measured.seconds[noise]:
                panel.plot(
                    measured.seconds[noise][name],
                    measured.accuracy[noise][name],
                    linestyle="none",
                    label=name,
                    **series_style(i),
                )
        panel.set(xscale="log", ylim=(0, 1.05), ylabel="accuracy on new rows")
        panel.set_title(f"{measured.n_classes:,} classes, {noise}")
    panels[-1].set_xlabel("processor seconds to fit")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=2)
    lead = {noise: measured.lead(noise).text(3) for noise in measured.seconds}
    return figure, (
        "Up and to the left is better; one mark for each draw of the data. Accuracy of naive Bayes "
        f"minus that of LDA, mean and 95% interval over draws: {lead[INDEPENDENT]} with "
        f"independent noise, {lead[CORRELATED]} with correlated noise. Logistic regression "
        "is stopped after its first iteration."
    )
