"""Does borrowing from earlier transitions give better probabilities of a rare last class?

Faletto and Bien (ICML 2023) simulate four ordered classes, the last one rare, whose boundaries have
coefficients that differ a little from boundary to boundary. Logistic regression of the last class
against the rest uses the few rare events alone. Proportional odds use all classes, but force the
same coefficients on all boundaries. PRESTO penalises the differences between adjacent boundaries,
so that the rare boundary borrows from the common ones. Its penalty is chosen by five stratified
folds among 20 values down to a hundredth of the largest.

Measured is the mean over the training rows of the squared error of the estimated probability of
the rare class, whose truth is known. Logistic regression and proportional odds are unpenalised, as
in the paper; an L2-penalised logistic regression tuned by log-loss and PRESTO with squared
differences are added. The diabetes data that ship with scikit-learn, cut into four stages, have no
known truth; there the log-loss of the rare class on held-out rows is measured.
"""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.bench import Benchmark, Claim, Figure, Metric, Setting, Verdict, by_seed
from skreg.bench.arena.views import new_figure
from skreg.datasets import load_ordinal_diabetes, make_ordinal
from skreg.ordinal import PrestoClassifierCV, ProportionalOddsClassifier

LOGISTIC, RIDGE = "Logistic, rare against rest", "Logistic, L2 by cross-validation"
ODDS = "Proportional odds"
BRIER, LOG_LOSS = "PRESTO, Brier", "PRESTO, log-loss"
SQUARED = "PRESTO, squared differences"
SMALLEST_PROBABILITY = 1e-8
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
HALF, THIRD, DENSE = "sparse 1/2", "sparse 1/3", "dense"
DIABETES = "Diabetes in four stages"


class Task(NamedTuple):
    """Training rows, rows to predict, and the truth there: probabilities or rare events."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    rare_probability: np.ndarray | None
    rare_event: np.ndarray | None


class Paper(NamedTuple):
    """Medians over 700 replications, read from the paper's figures: ratios of PRESTO's mean squared
    error to those of logistic regression and proportional odds."""

    to_logistic: float
    to_odds: float


DESIGNS = {
    (HALF, (0.0, 3.0, 5.0)): Paper(0.76, 0.66),
    (HALF, (0.0, 3.5, 5.5)): Paper(0.58, 0.79),
    (HALF, (0.0, 4.0, 6.0)): Paper(0.35, 0.90),
    (THIRD, (0.0, 3.0, 5.0)): Paper(0.58, 0.77),
    (THIRD, (0.0, 3.5, 5.5)): Paper(0.41, 0.89),
    (THIRD, (0.0, 4.0, 6.0)): Paper(0.27, 0.99),
    (DENSE, (0.0, 2.5, 4.5)): Paper(0.82, 0.67),
    (DENSE, (0.0, 3.0, 5.0)): Paper(0.63, 0.74),
    (DENSE, (0.0, 3.5, 5.5)): Paper(0.47, 0.86),
    (DENSE, (0.0, 4.0, 6.0)): Paper(0.29, 0.94),
}


def setting_name(design, intercepts):
    return f"{design}, α = ({', '.join(f'{a:g}' for a in intercepts)})"


PAPER = {setting_name(*key): medians for key, medians in DESIGNS.items()}
QUICK = setting_name(HALF, (0.0, 3.5, 5.5))


def simulation(seed, *, n_samples, design, intercepts):
    X, y, probability = make_ordinal(
        n_samples,
        10,
        differences="dense" if design == DENSE else "sparse",
        density=1 / 3 if design == THIRD else 1 / 2,
        intercepts=intercepts,
        random_state=seed,
    )
    return Task(X, y, X, probability[:, -1], None)


def diabetes(seed):
    X, y = load_ordinal_diabetes(return_X_y=True)
    splits = StratifiedShuffleSplit(seed + 1, test_size=0.3, random_state=0).split(X, y)
    *_, (train, test) = splits
    return Task(X[train], y[train], X[test], None, y[test] == y.max())


def rare_against_rest(make_model):
    """Fit a binary model of the last class; returns its probabilities at the test rows."""

    def probabilities(task, seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # unpenalised, nearly separable
            model = make_model(seed).fit(task.X, task.y == task.y.max())
        return model.predict_proba(task.X_test)[:, 1]

    return probabilities


def ordinal(make_model):
    """Fit all classes; returns the probability of the last one at the test rows."""

    def probabilities(task, seed):
        with warnings.catch_warnings():
            # a fold may hold fewer than all ten rare events, that is the setting
            warnings.filterwarnings("ignore", "class .* fewer than", UserWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)  # rare classes may be separable
            model = make_model(seed).fit(task.X, task.y)
        return model.predict_proba(task.X_test)[:, -1]

    return probabilities


def folds(seed):
    return StratifiedKFold(5, shuffle=True, random_state=seed)


def ridge_logistic(seed):
    return make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=np.logspace(-3, 2, 6), cv=folds(seed), scoring="neg_log_loss", l1_ratios=(0.0,),
            use_legacy_attributes=False,
        ),
    )  # fmt: skip


METHODS = {
    LOGISTIC: rare_against_rest(lambda _: LogisticRegression(C=np.inf, max_iter=1000)),
    RIDGE: rare_against_rest(ridge_logistic),
    ODDS: ordinal(lambda _: ProportionalOddsClassifier()),
    BRIER: ordinal(lambda seed: PrestoClassifierCV(cv=folds(seed))),
    LOG_LOSS: ordinal(lambda seed: PrestoClassifierCV(cv=folds(seed), scoring="neg_log_loss")),
    SQUARED: ordinal(
        lambda seed: PrestoClassifierCV(
            cv=folds(seed), scoring="neg_log_loss", l1_ratio=0.0, eps=1e-4
        )
    ),
}


def measure_error(task, methods, seed):
    for name, probabilities in methods.items():
        error = np.mean((probabilities(task, seed) - task.rare_probability) ** 2)
        yield {"method": name, "mse": 1e5 * error}


def measure_log_loss(task, methods, seed):
    for name, probabilities in methods.items():
        predicted = np.clip(probabilities(task, seed), SMALLEST_PROBABILITY, 1)
        yield {"method": name, "rare_log_loss": log_loss(task.rare_event, predicted)}


def ratios(results, setting, method, rival, metric="mse"):
    """Ratio of a method's error to a rival's for each seed."""
    values = by_seed(results, setting, metric, ["method"])
    return (values[method] / values[rival]).to_numpy()


def beats(method, rival, bound):
    def check(results):
        ratio = ratios(results, QUICK, method, rival)
        mean, wins, n = np.exp(np.log(ratio).mean()), int((ratio < 1).sum()), len(ratio)
        return Verdict(
            bool(mean <= bound and wins >= 0.65 * n),
            f"geometric mean of the ratios {mean:.2f}, {wins} of {n} seeds won",
            f"≤ {bound:.2f}, at least 65% of the seeds won",
        )

    return check


def near_the_papers_medians(results):
    found = [
        (np.median(ratios(results, name, BRIER, LOGISTIC)), paper.to_logistic,
         np.median(ratios(results, name, BRIER, ODDS)), paper.to_odds)
        for name, paper in PAPER.items()
    ]  # fmt: skip
    to_logistic, paper_logistic, to_odds, paper_odds = np.array(found).T
    off = np.concatenate([to_logistic - paper_logistic, to_odds - paper_odds])
    return Verdict(
        bool(np.all((to_logistic < 1) & (to_odds < 1.05))),
        f"median ratios {to_logistic.min():.2f} to {to_logistic.max():.2f} to logistic (paper "
        f"{paper_logistic.min():.2f} to {paper_logistic.max():.2f}), {to_odds.min():.2f} to "
        f"{to_odds.max():.2f} to proportional odds (paper {paper_odds.min():.2f} to "
        f"{paper_odds.max():.2f}); largest difference {np.abs(off).max():.2f}",
        "below 1 against logistic, below 1.05 against proportional odds in all ten settings",
    )


def diabetes_claim(results):
    to_logistic = ratios(results, DIABETES, BRIER, LOGISTIC, "rare_log_loss")
    to_odds = ratios(results, DIABETES, BRIER, ODDS, "rare_log_loss")
    wins, n = int((to_logistic < 1).sum()), len(to_logistic)
    return Verdict(
        bool(wins >= 0.65 * n and np.exp(np.log(to_odds).mean()) <= 1.05),
        f"better than logistic on {wins} of {n} splits; ratio to proportional odds "
        f"{np.exp(np.log(to_odds).mean()):.2f}",
        "at least 65% of the splits, ratio ≤ 1.05",
    )


def draw_ratios(results):
    names = [name for name in PAPER if name in set(results["setting"])]
    figure, panels = new_figure(2)
    for panel, rival, field in zip(
        panels, (LOGISTIC, ODDS), ("to_logistic", "to_odds"), strict=True
    ):
        for row, name in enumerate(names):
            for shift, method, colour in ((-0.13, BRIER, "#0072B2"), (0.13, LOG_LOSS, "#D55E00")):
                low, middle, high = np.quantile(
                    ratios(results, name, method, rival), [0.25, 0.5, 0.75]
                )
                panel.plot([low, high], [row + shift] * 2, color=colour)
                panel.plot(middle, row + shift, "o", color=colour, label=method if not row else "")
            paper = getattr(PAPER[name], field)
            panel.plot(paper, row, "D", color="black", label="paper, Brier" if not row else "")
        panel.axvline(1, color="#55595f", linestyle=(0, (4, 2)), linewidth=1)
        panel.set(xscale="log", xlabel=f"MSE / MSE of {rival.split(',')[0].lower()}")
        panel.set_xticks(TICKS, labels=[f"{tick:g}" for tick in TICKS])
        panel.minorticks_off()
    panels[0].set_yticks(range(len(names)), labels=names)
    for panel in panels:
        panel.set_ylim(len(names) - 0.5, -0.5)
    panels[1].set_yticks([])
    handles, labels = panels[0].get_legend_handles_labels()
    shown = {label: handle for handle, label in zip(handles, labels, strict=True) if label}
    figure.legend(
        list(shown.values()), list(shown), loc="outside upper left", ncols=3, frameon=False
    )
    return figure


def simulation_setting(design, intercepts):
    data = {"n_samples": 2500, "design": design, "intercepts": intercepts}
    parameters = {"full": data}
    if setting_name(design, intercepts) == QUICK:
        parameters |= {"quick": data, "smallest": data | {"n_samples": 1500}}
    return Setting(
        description=(
            f"10 uniform features, 4 classes, {design} differences between boundaries, intercepts "
            f"{', '.join(f'{a:g}' for a in intercepts)}; coefficients and data drawn anew for "
            "every seed."
        ),
        data=simulation,
        measure=measure_error,
        metrics=["mse"],
        parameters=parameters,
    )


benchmark = Benchmark(
    settings={setting_name(*key): simulation_setting(*key) for key in DESIGNS}
    | {
        DIABETES: Setting(
            description=(
                "442 patients, 10 features; the disease's progression cut at its quantiles 0.5, "
                "0.8 and 0.95; 30% of the rows are kept for the test, stratified."
            ),
            data=diabetes,
            measure=measure_log_loss,
            metrics=["rare_log_loss"],
            parameters={"quick": {}, "full": {}},
        )
    },
    methods=METHODS,
    metrics={
        "mse": Metric("Squared error of the rare probability, times 1e5", digits=2),
        "rare_log_loss": Metric("Log-loss of the rare class"),
    },
    repeats={"smallest": 2, "quick": 20, "full": 100},
    reference=BRIER,
    together=True,
    claims=[
        Claim(
            "The rare probability is estimated better than by logistic regression.",
            beats(BRIER, LOGISTIC, 0.85),
            [QUICK],
        ),
        Claim(
            "The rare probability is estimated better than by proportional odds.",
            beats(BRIER, ODDS, 0.90),
            [QUICK],
        ),
        Claim(
            "Chosen by log-loss, PRESTO is ahead of logistic regression too.",
            beats(LOG_LOSS, LOGISTIC, 0.85),
            [QUICK],
        ),
        Claim(
            "In every setting of the paper the median ratio is in PRESTO's favour.",
            near_the_papers_medians,
            list(PAPER),
            sizes=("full",),
        ),
        Claim(
            "Diabetes: PRESTO beats logistic regression and is no worse than proportional odds.",
            diabetes_claim,
            [DIABETES],
        ),
    ],
    figures=[
        Figure(
            "Ratio of PRESTO's mean squared error to that of each rival: median and quartiles over "
            "the seeds, next to the medians of the paper.",
            draw_ratios,
            [QUICK],
        )
    ],
)
