"""
==============================================
Few labels or many: which linear probe to use?
==============================================

A network is trained, its last hidden layer is frozen, and now there is a new labelled sample on
which a linear classifier, a *probe*, is to be fitted. Nearly everyone takes logistic regression.
Zheng et al. (ICML 2023) argue that a linear naive Bayes classifier reaches its own limit with far
fewer labels, and that logistic regression has the better limit, so that the two curves cross.

Do they, on these data? This example looks at handwritten digits, first as raw pixels, then as
features of a small frozen network.
"""

# %%
# Two probes in a Pipeline
# ------------------------
# Both probes see features that are scaled to [0, 1]. The scaling hardly matters to naive Bayes, but
# it sets the strength of logistic regression's penalty. Naive Bayes gets a grid search over the
# shrinkage of its variances towards their mean: 0 takes them as estimated, 1 makes them all equal,
# which is the nearest-class-mean classifier. Logistic regression stays at C=1.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skreg.pictures import STYLE, dots_with_intervals
from skreg.probe import LinearNaiveBayes, ProbeLearningCurveDisplay, naive_bayes_report

# sphinx_gallery_thumbnail_number = 2
plt.rcParams.update(STYLE)
X, y = load_digits(return_X_y=True)
X_network, X_probe, y_network, y_probe = train_test_split(
    X, y, train_size=800, stratify=y, random_state=0
)
X_pool, X_test, y_pool, y_test = train_test_split(
    X_probe, y_probe, train_size=600, stratify=y_probe, random_state=0
)


naive_bayes = GridSearchCV(
    Pipeline([("scale", MinMaxScaler()), ("probe", LinearNaiveBayes())]),
    {"probe__shrinkage": [0, 0.1, 0.3, 1]},
    cv=StratifiedKFold(3, shuffle=True, random_state=0),
)
logistic = Pipeline([("scale", MinMaxScaler()), ("probe", LogisticRegression(max_iter=1000))])

# %%
# With few labels the result depends on which digits happened to be labelled, so that a single draw
# proves nothing. Both probes are fitted on the same six draws; what counts is the difference of
# their errors in each of them.

differences = {}
print("Raw pixels, tuned by cross-validation, six paired draws")
print(f"{'labels':>7} {'naive Bayes':>12} {'logistic':>9}  shrinkage chosen")
for n_labels in (30, 100, 400):
    errors, chosen = [], []
    for draw in range(6):
        X_few, _, y_few, _ = train_test_split(
            X_pool, y_pool, train_size=n_labels, stratify=y_pool, random_state=draw
        )
        fitted = [model.fit(X_few, y_few) for model in (naive_bayes, logistic)]
        errors.append([1 - model.score(X_test, y_test) for model in fitted])
        chosen.append(naive_bayes.best_params_["probe__shrinkage"])
    differences[f"{n_labels} labels"] = 100 * (np.array(errors) @ [1, -1])
    error = np.mean(errors, axis=0)
    print(
        f"{n_labels:>7} {error[0]:>12.3f} {error[1]:>9.3f}  "
        + ", ".join(f"{value:g}" for value in chosen)
    )

ax = dots_with_intervals(differences)
ax.axvline(0, color="0.4", linewidth=1)
ax.set_title("Raw pixels: naive Bayes less logistic regression")
ax.set_xlabel("difference of errors (percentage points), mean of 6 draws and 95% interval")

# %%
# To the left of zero naive Bayes would be ahead. On raw pixels it falls behind as labels come in.
# Neighbouring pixels are correlated, which naive Bayes ignores, and many hardly vary within a
# digit, which makes their estimated variances useless. The search answers by much shrinkage, often
# all of it.
#
# The report below puts numbers to this. The theory asks for variances away from zero, for signal
# (beta) in every feature and for noise (alpha) that dependence does not inflate: independent
# features have alpha = 2 beta.

print()
print(naive_bayes_report(X_pool, y_pool))

# %%
# Freeze a network
# ----------------
# The paper is about features of pretrained networks. A small network, trained on 800 *other*
# digits, stands in for one here; its 128 hidden units are the features.

network = MLPClassifier((128,), tol=1e-3, random_state=0).fit(X_network / 16, y_network)


def hidden_layer(X):
    """Activations of the hidden layer, max(0, x W + b)."""
    return np.maximum(0, X / 16 @ network.coefs_[0] + network.intercepts_[0])


Z_pool, Z_test = hidden_layer(X_pool), hidden_layer(X_test)
print()
print(naive_bayes_report(Z_pool, y_pool))

# %%
# Compare the two reports. The network has raised the signal per feature. It has also made the
# features more dependent: they carry what a much smaller number of uncorrelated ones would, and
# alpha is far above 2 beta. Naive Bayes will be much too sure of itself, which
# ``temperature="loo"`` would calibrate.
#
# Learning curves on paired subsets
# ---------------------------------
# The paper draws training subsets at random until every class occurs. All probes see the same
# subsets and test points. Two more probes join: logistic regression with balanced class weights,
# and linear discriminant analysis with a shrunk covariance, which models the correlations.

# LDA says so each time that a class has one label.
warnings.filterwarnings("ignore", message="Only one sample available")

display = ProbeLearningCurveDisplay.from_estimator(
    {
        "naive Bayes": LinearNaiveBayes(),
        "logistic": LogisticRegression(max_iter=1000),
        "logistic, balanced": LogisticRegression(max_iter=1000, class_weight="balanced"),
        "LDA, Ledoit-Wolf": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    },
    Z_pool,
    y_pool,
    Z_test,
    y_test,
    train_sizes=[20, 30, 50, 100, 200, 400],
    n_repeats=6,
    random_state=0,
)

print("\nFrozen features, mean error over six paired draws")
print(f"{'labels':>20}" + "".join(f"{size:>7}" for size in display.train_sizes))
for name, errors in display.errors.items():
    print(f"{name:>20}" + "".join(f"{error:>7.3f}" for error in errors.mean(axis=0)))
for name, crossover in display.crossover.items():
    low, high = crossover.confidence_interval
    when = "from the smallest size" if crossover.censored == "left" else f"at {crossover.size:.0f}"
    print(f"{name} is ahead of naive Bayes {when} on (95% interval {low:.0f} to {high:.0f})")
plt.show()

# %%
# There are the two regimes of the paper: naive Bayes leads logistic regression while labels are
# few, and then its curve flattens while the other keeps falling.
#
# Now look at the third curve. Random draws of few labels are unbalanced, some digits occur once and
# others five times, and a penalised logistic regression neglects the rare ones. Balanced class
# weights repair most of that, and with them the crossing comes sooner or naive Bayes leads
# nowhere. With ``sampling="per_class"``, where
# all draws are balanced, plain logistic regression does as well. On these data, then, the lead
# of naive Bayes is about unbalanced draws, not about fewer labels.
#
# What remains is its price: one pass over the data, no iterations, no penalty to choose, exact
# leave-one-out scores, and statistics that merge over machines. It is a baseline that costs next to
# nothing, not a winner that can be promised.
#
# Where to go next: `skreg.probe` has the other probes and the statistics that merge, and
# :ref:`sphx_glr_gallery_plot_coreset_regression.py` fits on few rows of many.
