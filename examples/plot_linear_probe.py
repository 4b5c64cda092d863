"""
============================================
One linear probe for every number of labels?
============================================

Naive Bayes is good with a handful of labels, logistic regression with plenty, and linear
discriminant analysis somewhere between. Who has to say beforehand which one it will be? A
`LinearProbe` holds a family that reaches from nearest centroid over naive Bayes to discriminant
analysis, and a logistic regression beside it; it leaves every labelled row out of each member, in
closed form, and averages the members by how likely they find the rows that they did not see.

This example asks what that buys on the features of a frozen network, and what is in the average.
"""

# %%
# Features and draws
# ------------------
# A small network learns 800 digits and is frozen; its 128 hidden units are the features of all
# others. Labels are drawn six times at each size, and all probes see the same draws.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.pictures import STYLE, dots_with_intervals
from skreg.probe import LinearNaiveBayes, LinearProbe

plt.rcParams.update(STYLE)
SIZES, N_DRAWS = (30, 100, 300), 6

X, y = load_digits(return_X_y=True)
X_network, X, y_network, y = train_test_split(X, y, train_size=800, stratify=y, random_state=0)
network = MLPClassifier((128,), tol=1e-3, random_state=0).fit(X_network / 16, y_network)
Z = np.maximum(0, X / 16 @ network.coefs_[0] + network.intercepts_[0])
Z_pool, Z_test, y_pool, y_test = train_test_split(Z, y, test_size=500, stratify=y, random_state=0)

# %%
# The rivals get what a careful user would give them: naive Bayes a shrinkage and a temperature by
# leave-one-out, discriminant analysis the shrinkage of Ledoit and Wolf, logistic regression a
# strength chosen by log-loss on three folds.


def logistic():
    chosen = LogisticRegressionCV(
        Cs=np.logspace(-3, 1, 5), cv=3, scoring="neg_log_loss", l1_ratios=(0,),
        use_legacy_attributes=False,
    )  # fmt: skip
    return make_pipeline(StandardScaler(), chosen)


probes = {
    "LinearProbe": LinearProbe,
    "naive Bayes": lambda: LinearNaiveBayes(shrinkage="loo", temperature="loo"),
    "LDA, Ledoit-Wolf": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "logistic, cross-validated": logistic,
}

losses: dict = {size: {name: [] for name in probes} for size in SIZES}
errors: dict = {size: {name: [] for name in probes} for size in SIZES}
averages: dict = {size: [] for size in SIZES}
warnings.filterwarnings("ignore", message=".*failed to converge")  # on folds of few rows
for size in SIZES:
    for draw in range(N_DRAWS):
        Z_few, _, y_few, _ = train_test_split(
            Z_pool, y_pool, train_size=size, stratify=y_pool, random_state=draw
        )
        for name, make in probes.items():
            probe = make().fit(Z_few, y_few)
            p = probe.predict_proba(Z_test)
            losses[size][name].append(log_loss(y_test, p))
            errors[size][name].append(np.mean(p.argmax(axis=1) != y_test))
            if name == "LinearProbe":
                averages[size].append(probe)

for title, table in (("log-loss", losses), ("error", errors)):
    print(f"Mean test {title} over {N_DRAWS} draws")
    print(f"{'labels':>26}" + "".join(f"{size:>8}" for size in SIZES))
    for name in probes:
        print(f"{name:>26}" + "".join(f"{np.mean(table[size][name]):>8.3f}" for size in SIZES))

# %%
# Which probe at which number of labels?
# --------------------------------------
# What counts is the ratio on the same draw, in doublings: at 1 a rival's log-loss is twice that of
# the average, left of 0 the rival is ahead.

figure, axes = plt.subplots(1, len(SIZES), figsize=(10, 2.6), sharey=True)
for ax, size in zip(axes, SIZES, strict=True):
    logs = {name: np.log2(values) for name, values in losses[size].items()}
    ours = logs.pop("LinearProbe")
    dots_with_intervals({name: values - ours for name, values in logs.items()}, ax)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set_title(f"{size} labels")
figure.supxlabel("log2 of test log-loss over that of LinearProbe, mean of 6 draws and 95% interval")

# %%
# No rival is good at every size. Naive Bayes is level with 30 labels and then stands still. Ledoit
# and Wolf's discriminant analysis is nearly as often right as the others, but much too confident
# while labels are few. Logistic regression comes nearest: level with 30 and 100 labels, within the
# intervals, and behind at 300. It fits 16 models where the average takes one pass.
#
# What is in the average?
# -----------------------
# Each panel shows the weights of the closed forms at one number of labels, summed over the three
# ways to scale columns and averaged over draws, in the same colours. Shrinkage 1 is naive Bayes or
# nearest centroid, 0.001 nearly plain discriminant analysis; the sharpness multiplies all scores.

SHRINKAGES = (1, 0.8, 0.5, 0.25, 0.1, 0.03, 0.01, 0.001)
SHARPNESSES = ("1/32", "1/16", "1/8", "1/4", "1/2", "1", "2", "4")
tables = {
    size: np.mean([probe.closed_form_weights_.sum(axis=0) for probe in averages[size]], axis=0)
    for size in SIZES
}
# a root scale, so that many small weights are seen beside a large one
shades = PowerNorm(0.5, vmin=0, vmax=max(map(np.max, tables.values())))
figure, axes = plt.subplots(1, len(SIZES), figsize=(10, 3.6), sharey=True)
print("\nWhere the weight is, mean over draws")
print(f"{'labels':>7} {'closed forms':>13} {'logistic':>9} {'class frequencies':>18}  members")
for ax, size in zip(axes, SIZES, strict=True):
    closed = tables[size]
    by_logistic = np.mean([probe.logistic_weight_ for probe in averages[size]])
    members = np.mean(
        [
            np.count_nonzero(probe.closed_form_weights_) + (probe.logistic_weight_ > 0)
            for probe in averages[size]
        ]
    )
    rest = max(1 - closed.sum() - by_logistic, 0.0)
    print(f"{size:>7} {closed.sum():>13.2f} {by_logistic:>9.2f} {rest:>18.2f} {members:>8.0f}")
    image = ax.imshow(closed, cmap="viridis", norm=shades, aspect="auto")
    ax.grid(visible=False)
    ax.set_xticks(range(len(SHARPNESSES)), SHARPNESSES, rotation=90)
    ax.set_yticks(range(len(SHRINKAGES)), [f"{rho:g}" for rho in SHRINKAGES])
    ax.set_title(f"{size} labels: closed forms {closed.sum():.0%}")
axes[0].set_ylabel("shrinkage")
figure.supxlabel("sharpness")
figure.colorbar(image, ax=axes, label="mean weight in the average")
plt.show()

# %%
# With 30 labels the weight is at full shrinkage, on naive Bayes and nearest centroid, partly very
# timid and partly bold, whose average is modest where they disagree. With more labels it moves to
# covariances: half shrunk at 100, hardly shrunk at 300. Nothing had to be chosen.
#
# When not to use it: an average of linear classifiers is not linear, so that there is no ``coef_``;
# ``average=False`` takes the best member alone, at some cost in calibration.
#
# Where to go next: :ref:`sphx_glr_gallery_plot_naive_bayes_probe.py` compares single probes, and
# ``quadratic=True`` adds members for classes that differ in spread.
