"""Does linear naive Bayes need fewer labels than logistic regression as a linear probe?

Zheng et al. (ICML 2023) compare two linear classifiers on frozen features: Gaussian naive Bayes
with one variance per feature shared by all classes, and multinomial logistic regression. Their
theory says that naive Bayes comes close to its best error after O(log n) samples in n features
where every feature carries signal, logistic regression after O(n), while the best error of logistic
regression is the lower one. So two regimes are expected: naive Bayes ahead at few labels, logistic
regression ahead at many, and a crossover between them.

Every repeat draws its own split of the data. All methods see the same training subset and the same
test rows. A subset of m rows is drawn at random, and drawn again until every class occurs in it.
Such draws are unbalanced, hence the second logistic regression with balanced class weights.
Features are scaled to [0, 1] by the minima and maxima of the training subset (not in the
simulation, where the scales are part of the design). The error is the share of test rows that are
misclassified.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier

from skreg.bench import Axis, Benchmark, Claim, Figure, Metric, Setting, Verdict, by_seed
from skreg.bench.arena.views import draw_curves, new_figure, share_legend
from skreg.probe import LinearNaiveBayes, crossover_size, probe_learning_curve

NB, LR, CENTROID = "LinearNaiveBayes", "LogisticRegression", "NearestCentroid"
LDA, BALANCED = "LDA, Ledoit-Wolf shrinkage", "LogisticRegression, balanced"
METHODS = {
    NB: LinearNaiveBayes(),
    "LinearNaiveBayes, LOO shrinkage": LinearNaiveBayes(shrinkage="loo"),
    LR: LogisticRegression(C=1.0, max_iter=1000),
    BALANCED: LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced"),
    "GaussianNB": GaussianNB(),
    LDA: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    CENTROID: NearestCentroid(),
}
TWO_CLASSES, FIVE_CLASSES = "Gaussian mixture, 2 classes", "Gaussian mixture, 5 classes"
CANCER, PIXELS = "Breast cancer", "Digits, raw pixels"
SAME, NEW = "Digits, frozen features, same classes", "Digits, frozen features, new classes"
CURVES = (CANCER, PIXELS, SAME, NEW)


class Task(NamedTuple):
    """Rows to draw training subsets from, test rows, and the sizes of the subsets."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    train_sizes: list[int]


def split(X, y, n_test, train_sizes, seed):
    X, X_test, y, y_test = train_test_split(X, y, test_size=n_test, stratify=y, random_state=seed)
    return Task(X, y, X_test, y_test, list(train_sizes))


def breast_cancer(seed, *, train_sizes):
    X, y = load_breast_cancer(return_X_y=True)
    return split(X, y, 150, train_sizes, seed)


def digit_pixels(seed, *, train_sizes):
    X, y = load_digits(return_X_y=True)
    return split(X, y, 500, train_sizes, seed)


def frozen_features_of_same_classes(seed, *, train_sizes):
    X, y = load_digits(return_X_y=True)
    X_backbone, X, y_backbone, y = train_test_split(
        X / 16, y, train_size=800, stratify=y, random_state=seed
    )
    return split(hidden_layer(X_backbone, y_backbone, X, seed), y, 400, train_sizes, seed)


def frozen_features_of_new_classes(seed, *, train_sizes):
    X, y = load_digits(return_X_y=True)
    new = y >= 5
    features = hidden_layer(X[~new] / 16, y[~new], X[new] / 16, seed)
    return split(features, y[new], 400, train_sizes, seed)


def hidden_layer(X_backbone, y_backbone, X, seed):
    """Hidden layer, at X, of a network that was trained for 40 epochs on the backbone's rows."""
    network = MLPClassifier(hidden_layer_sizes=(128,), max_iter=40, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 40 epochs are the design
        network.fit(X_backbone, y_backbone)
    return np.maximum(X @ network.coefs_[0] + network.intercepts_[0], 0)


def class_levels(n_classes):
    """The mean of class k is a_k (1, ..., 1), with a = -1, 1, 2, 4, 8, ..."""
    return np.array([-1.0, *(2.0**k for k in range(n_classes - 1))])


def bayes_error(n_classes, n_features):
    """Error of the best classifier of the mixture.

    All classes share one diagonal covariance, so sum_j x_j / s2_j is sufficient: classes are unit
    normals on a line at a_k sqrt((n + 1) / 2), and two neighbours at distance d confuse a share
    Phi(-d / 2) of either class.
    """
    distances = np.diff(class_levels(n_classes)) * np.sqrt((n_features + 1) / 2)
    return 2 * norm.cdf(-distances / 2).sum() / n_classes


def mixture_sample(rng, n_classes, n_features, n_samples):
    """Balanced sample; variances n in the first half of the features and 1 in the second."""
    y = np.arange(n_samples) % n_classes
    scale = np.where(np.arange(n_features) < n_features // 2, np.sqrt(n_features), 1.0)
    X = class_levels(n_classes)[y, None] + scale * rng.standard_normal((n_samples, n_features))
    if n_classes > 2:
        X = (X - 2.0 ** (n_classes - 3)) / 2.0 ** (n_classes - 3)
    return X, y


def gaussian_mixtures(seed, *, n_classes, n_features, largest, n_test):
    """One task for each number of features, with sizes from 2 K to `largest` in steps of 1/5."""
    rng = np.random.default_rng(seed)
    n_steps = int(np.log(largest / (2 * n_classes)) / np.log(1.2))
    train_sizes = np.unique(np.round(2 * n_classes * 1.2 ** np.arange(n_steps + 1)).astype(int))
    for n in n_features:
        X, y = mixture_sample(rng, n_classes, n, 4 * largest)
        X_test, y_test = mixture_sample(rng, n_classes, n, n_test)
        yield Task(X, y, X_test, y_test, train_sizes.tolist())


def curve_errors(task, methods, seed, scaler):
    """Test errors of each method, (1, n_sizes), all on the same training subsets."""
    return probe_learning_curve(
        methods,
        task.X,
        task.y,
        task.X_test,
        task.y_test,
        train_sizes=task.train_sizes,
        n_repeats=1,
        scaler=scaler,
        random_state=seed,
    ).errors


def measure_curves(task, methods, seed):
    for method, errors in curve_errors(task, methods, seed, scaler="minmax").items():
        for size, error in zip(task.train_sizes, errors[0], strict=True):
            yield {"method": method, "n_train": size, "error": error}


def measure_sample_complexity(tasks, methods, seed):
    """First size at which the error of each method falls below the Bayes error + 0.01."""
    for task in tasks:
        n_features, n_classes = task.X.shape[1], len(np.unique(task.y))
        target = bayes_error(n_classes, n_features) + 0.01
        first_size = dict.fromkeys(methods, np.inf)
        for size in task.train_sizes:
            open_methods = {name: methods[name] for name in methods if first_size[name] == np.inf}
            if not open_methods:
                break
            here = task._replace(train_sizes=[size])
            for name, errors in curve_errors(here, open_methods, seed + size, None).items():
                if errors[0, 0] < target:
                    first_size[name] = size
        for name, size in first_size.items():
            yield {"method": name, "n_features": n_features, "sample_complexity": size}


def errors_of(results, setting, method):
    """Training sizes (n_sizes,) and errors (n_seeds, n_sizes) of one method."""
    curve = by_seed(results, setting, "error", ["method", "n_train"])[method].sort_index(axis=1)
    return curve.columns.to_numpy(dtype=int), curve.to_numpy()


def lead_of_nb(results, setting, rival=LR):
    """Rival's error minus NB error by training size: mean over seeds and standard error."""
    sizes, nb = errors_of(results, setting, NB)
    lead = errors_of(results, setting, rival)[1] - nb
    return sizes, lead.mean(axis=0), lead.std(axis=0, ddof=1) / np.sqrt(len(lead))


def crossover(results, setting):
    sizes, nb = errors_of(results, setting, NB)
    return crossover_size(sizes, nb, errors_of(results, setting, LR)[1], random_state=0)


def complexities(results, setting, method):
    """Mean sample complexity over seeds by number of features."""
    rows = results[(results["setting"] == setting) & (results["method"] == method)]
    mean = rows.groupby("n_features")["sample_complexity"].mean()
    return mean.set_axis(mean.index.astype(int))


def listed(numbers, form):
    return ", ".join(f"{number:{form}}" for number in numbers).replace("-", "−")


def lr_grows_linearly(results):
    m = complexities(results, TWO_CLASSES, LR)
    n = m.index
    measured = f"m = {listed(m, '.0f')} at n = {listed(n, 'd')}"
    return Verdict(bool(m.iloc[-1] >= 4 * m.iloc[0]), measured, f"m({n[-1]}) ≥ 4 m({n[0]})")


def nb_grows_at_most_twofold(results):
    m = complexities(results, TWO_CLASSES, NB)
    n = m.index
    measured = f"m = {listed(m, '.1f')} at n = {listed(n, 'd')}"
    return Verdict(bool(m.iloc[-1] <= 2 * m.iloc[0]), measured, f"m({n[-1]}) ≤ 2 m({n[0]})")


def lr_needs_five_times_more(setting):
    def check(results):
        ratio = complexities(results, setting, LR) / complexities(results, setting, NB)
        measured = f"ratio {listed(ratio, '.1f')} at n = {listed(ratio.index, 'd')}"
        return Verdict(bool((ratio >= 5).all()), measured, "ratio ≥ 5 for all n")

    return check


def nb_leads_at_few_labels(setting, sizes, margin, rival=LR):
    def check(results):
        train_sizes, lead, _ = lead_of_nb(results, setting, rival)
        mean = lead[np.isin(train_sizes, sizes)].mean()
        where = f"over m = {listed(sizes, 'd')}"
        return Verdict(
            bool(mean >= margin),
            f"mean {'LR' if rival == LR else 'balanced LR'} − NB {where}: {listed([mean], '+.3f')}",
            f"≥ {margin:g}" if margin else "≥ 0",
        )

    return check


def lr_leads_from(setting, first):
    def check(results):
        sizes, lead, standard_error = lead_of_nb(results, setting)
        many = sizes >= first
        differences = ", ".join(
            f"{d:+.3f} ± {e:.3f}" for d, e in zip(lead[many], standard_error[many], strict=True)
        ).replace("-", "−")
        return Verdict(
            bool((lead[many] < 0).all()),
            f"LR − NB {differences} at m = {listed(sizes[many], 'd')}",
            f"LR − NB < 0 for all m ≥ {first}",
        )

    return check


def crossover_between(setting, low, high):
    def check(results):
        found = crossover(results, setting)
        return Verdict(
            bool(low <= found.size <= high),
            f"crossover at m = {found.size:.0f}, {interval(found)}",
            f"{low} ≤ m ≤ {high}",
        )

    return check


def interval(found):
    low, high = found.confidence_interval
    return f"95% interval [{low:.0f}, {high:.0f}]".replace("inf", "∞")


def nb_loses_at_two_labels_per_class(setting, size):
    def check(results):
        nb, lr, centroid = (
            errors[:, sizes == size].mean()
            for sizes, errors in (errors_of(results, setting, m) for m in (NB, LR, CENTROID))
        )
        return Verdict(
            bool(nb > lr and nb > centroid),
            f"NB {nb:.3f}, LR {lr:.3f}, nearest centroid {centroid:.3f} at m = {size}",
            "NB > LR and NB > nearest centroid",
        )

    return check


def nb_never_leads_beyond_noise(results):
    sizes, lead, standard_error = lead_of_nb(results, PIXELS)
    best = np.argmax(lead - 2 * standard_error)
    return Verdict(
        bool(lead[best] <= 2 * standard_error[best]),
        f"largest lead of NB {lead[best]:+.3f} ± {standard_error[best]:.3f} at m = {sizes[best]}",
        "LR − NB ≤ 2 standard errors for all m",
    )


def draw_learning_curves(results):
    figure, panels = new_figure(len(CURVES))
    for panel, setting in zip(panels, CURVES, strict=True):
        draw_curves(panel, results, setting, "error", "n_train", list(METHODS))
        panel.set(
            title=setting,
            xlabel="training samples m",
            ylabel="test error",
            xscale="log",
            yscale="log",
        )
        label_errors(panel)
        mark_crossover(panel, crossover(results, setting))
        label_sizes(panel, errors_of(results, setting, NB)[0])
    share_legend(figure, panels[0])
    return figure


def mark_crossover(panel, found):
    lower, upper = panel.get_xlim()
    if np.isfinite(found.size) and found.censored is None:
        panel.axvline(found.size, color="#55595f", linestyle=(0, (4, 2)), linewidth=1)
        low, high = np.clip(found.confidence_interval, lower, upper)
        panel.axvspan(low, high, color="#55595f", alpha=0.1, linewidth=0)
        text = f"NB = LR at m = {found.size:.0f}"
    else:
        text = "NB ahead throughout" if np.isinf(found.size) else "LR ahead throughout"
    panel.text(0.98, 0.96, text, transform=panel.transAxes, ha="right", va="top", color="#55595f")
    panel.set_xlim(lower, upper)


def label_sizes(panel, sizes):
    panel.set_xticks(sizes, labels=[f"{size:g}" for size in sizes])
    panel.minorticks_off()


def label_errors(panel):
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.get_major_locator().set_params(subs=(1, 2, 5))


def draw_sample_complexities(results):
    figure, (panel,) = new_figure(1)
    draw_curves(panel, results, TWO_CLASSES, "sample_complexity", "n_features", list(METHODS))
    panel.set(
        xlabel="features n",
        ylabel="samples to Bayes error + 0.01",
        xscale="log",
        yscale="log",
    )
    label_sizes(panel, complexities(results, TWO_CLASSES, NB).index)
    share_legend(figure, panel, n_columns=2)
    return figure


def curve_setting(description, data, smallest, full, sizes=("smallest", "quick", "full")):
    train_sizes = {"smallest": smallest, "quick": full, "full": full}
    return Setting(
        description=description,
        data=data,
        measure=measure_curves,
        metrics=["error"],
        axis=Axis("n_train", "training samples m"),
        parameters={size: {"train_sizes": train_sizes[size]} for size in sizes},
    )


def mixture_setting(description, parameters):
    return Setting(
        description=description,
        data=gaussian_mixtures,
        measure=measure_sample_complexity,
        metrics=["sample_complexity"],
        axis=Axis("n_features", "features n"),
        methods=[NB, LR, "GaussianNB", LDA],
        parameters=parameters,
    )


_TWO = {"n_classes": 2, "n_features": [50, 100, 200, 400], "largest": 1000}
_FIVE = {"n_classes": 5, "n_features": [50], "largest": 2000}

benchmark = Benchmark(
    settings={
        TWO_CLASSES: mixture_setting(
            "Simulation: normal classes with means −1 and 1 in every coordinate and one diagonal "
            "covariance (variance n in half of the features, 1 in the others). Measured is the "
            "first training size at which the test error falls below the Bayes error + 0.01, on "
            "sizes that grow by a fifth; ∞ where the largest size did not suffice.",
            {
                "smallest": {**_TWO, "n_features": [10, 20], "largest": 100, "n_test": 1000},
                "quick": {**_TWO, "n_test": 2000},
                "full": {**_TWO, "n_test": 10000},
            },
        ),
        FIVE_CLASSES: mixture_setting(
            "As above, with five classes at −1, 1, 2, 4 and 8 in every coordinate, shifted and "
            "scaled as in the paper.",
            {"quick": {**_FIVE, "n_test": 2000}, "full": {**_FIVE, "n_test": 10000}},
        ),
        CANCER: curve_setting(
            "569 tumours, 30 features, 2 classes; 150 rows are kept for the test.",
            breast_cancer,
            [8, 32, 128],
            [4, 8, 16, 32, 64, 128, 256],
        ),
        PIXELS: curve_setting(
            "1797 images of digits, 64 pixels, 10 classes; 500 rows are kept for the test.",
            digit_pixels,
            [20, 100],
            [20, 30, 50, 100, 200, 500, 1000],
        ),
        SAME: curve_setting(
            "The 128 hidden units of a network that was trained on 800 other digits with all ten "
            "classes; 400 rows are kept for the test.",
            frozen_features_of_same_classes,
            [30, 100],
            [20, 30, 50, 100, 200, 500],
        ),
        NEW: curve_setting(
            "The 128 hidden units of a network that was trained on the digits 0 to 4, probed on "
            "the digits 5 to 9; 400 rows are kept for the test.",
            frozen_features_of_new_classes,
            [20, 100],
            [10, 20, 50, 100, 400],
        ),
    },
    methods=METHODS,
    metrics={
        "error": Metric("Test error"),
        "sample_complexity": Metric("Sample complexity m", "samples", digits=1),
    },
    repeats={"smallest": 2, "quick": 5, "full": 20},
    reference=NB,
    together=True,
    claims=[
        Claim(
            "Simulation: the samples that logistic regression needs grow linearly with n.",
            lr_grows_linearly,
            [TWO_CLASSES],
        ),
        Claim(
            "Simulation: the samples that naive Bayes needs grow no faster than log n.",
            nb_grows_at_most_twofold,
            [TWO_CLASSES],
        ),
        Claim(
            "Simulation, 2 classes: logistic regression needs at least five times the samples "
            "that naive Bayes needs.",
            lr_needs_five_times_more(TWO_CLASSES),
            [TWO_CLASSES],
        ),
        Claim(
            "Simulation, 5 classes: logistic regression needs at least five times the samples "
            "that naive Bayes needs.",
            lr_needs_five_times_more(FIVE_CLASSES),
            [FIVE_CLASSES],
        ),
        Claim(
            "Breast cancer: naive Bayes is ahead at few labels.",
            nb_leads_at_few_labels(CANCER, [4, 8, 16], 0.01),
            [CANCER],
        ),
        Claim(
            "Breast cancer: logistic regression is ahead at many labels.",
            lr_leads_from(CANCER, 128),
            [CANCER],
        ),
        Claim(
            "Breast cancer: the curves cross between 16 and 128 labels.",
            crossover_between(CANCER, 16, 128),
            [CANCER],
        ),
        Claim(
            "Frozen features, same classes: naive Bayes is ahead at 30 and 50 labels.",
            nb_leads_at_few_labels(SAME, [30, 50], 0),
            [SAME],
        ),
        Claim(
            "Frozen features, same classes: logistic regression is ahead from 100 labels.",
            lr_leads_from(SAME, 100),
            [SAME],
            sizes=["full"],
        ),
        Claim(
            "Frozen features, new classes: naive Bayes is ahead at 20 labels.",
            nb_leads_at_few_labels(NEW, [20], 0),
            [NEW],
        ),
        Claim(
            "Frozen features, new classes: logistic regression is ahead from 50 labels.",
            lr_leads_from(NEW, 50),
            [NEW],
        ),
        *(
            Claim(
                f"Beyond the paper, {setting}: the lead at few labels is more than the unbalanced "
                "draws; it remains against logistic regression with balanced class weights.",
                nb_leads_at_few_labels(setting, sizes, margin, rival=BALANCED),
                [setting],
                sizes=["full"],
            )
            for setting, sizes, margin in (
                (CANCER, [4, 8, 16], 0.01),
                (SAME, [30, 50], 0),
                (NEW, [20], 0),
            )
        ),
        Claim(
            "Limit of the method: with two labels per class (same classes), naive Bayes without "
            "shrinkage loses to logistic regression and to the nearest centroid.",
            nb_loses_at_two_labels_per_class(SAME, 20),
            [SAME],
            sizes=["full"],
        ),
        Claim(
            "Limit of the method: with two labels per class (new classes), naive Bayes without "
            "shrinkage loses to logistic regression and to the nearest centroid.",
            nb_loses_at_two_labels_per_class(NEW, 10),
            [NEW],
            sizes=["full"],
        ),
        Claim(
            "Limit of the method: on raw pixels of digits naive Bayes is never ahead beyond noise.",
            nb_never_leads_beyond_noise,
            [PIXELS],
            sizes=["full"],
        ),
    ],
    figures=[
        Figure(
            "Test error against the number of labels: mean over seeds, with bands of one standard "
            "error. The dashed line is the size at which linear naive Bayes and logistic "
            "regression cross, the grey band its 95% bootstrap interval over seeds. Both axes are "
            "logarithmic.",
            draw_learning_curves,
            CURVES,
        ),
        Figure(
            "Simulation with two classes: the samples that each method needs to come within 0.01 "
            "of the Bayes error, against the number of features; both axes are logarithmic, so a "
            "straight line of slope one is linear growth.",
            draw_sample_complexities,
            [TWO_CLASSES],
        ),
    ],
)
