"""
==========================================
Probabilities of a rare stage of a disease
==========================================

The diabetes data that ship with scikit-learn measure how far the disease progressed within a year.
Cut into four ordered stages, the last one has 23 of 442 patients. How well can its probability be
estimated? Logistic regression of the last stage against the rest sees 23 events. Proportional odds
see all stages, but force the same coefficients on all boundaries between them. PRESTO lets each
boundary depart from the one before it where the data insist.
"""

# %%
# A pipeline, tuned like any other
# --------------------------------
# Stages come as an ordered categorical, whose order the classifier takes. Sex is one-hot encoded,
# all else is passed on: PRESTO standardises by itself. The grid search tunes the strength of the
# penalty and its share of L1; a small `l1_ratio` lets coefficients differ between boundaries a
# little everywhere, a large one for a few features only.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg.datasets import load_ordinal_diabetes
from skreg.ordinal import (
    OrdinalProbabilityDisplay,
    PrestoClassifier,
    PrestoClassifierCV,
    PrestoPathDisplay,
    ProportionalOddsClassifier,
    RareReliabilityDisplay,
    calibration_error,
)
from skreg.pictures import STYLE, dots_with_intervals

# sphinx_gallery_thumbnail_number = 4
plt.rcParams.update(STYLE)
N_SPLITS = 10
diabetes = load_ordinal_diabetes(as_frame=True)
X, y = diabetes.data, diabetes.target
rare = y.cat.categories[-1]

model = GridSearchCV(
    Pipeline(
        [
            (
                "encode",
                make_column_transformer(
                    (OneHotEncoder(drop="if_binary"), ["sex"]), remainder="passthrough"
                ),
            ),
            ("presto", PrestoClassifier()),
        ]
    ),
    {"presto__alpha": np.geomspace(0.1, 0.003, 4), "presto__l1_ratio": [0.1, 1.0]},
    scoring="neg_log_loss",
    cv=StratifiedKFold(3, shuffle=True, random_state=0),
).fit(X, y)
for name, value in model.best_params_.items():
    print(f"chosen {name.removeprefix('presto__')}: {value:.3g}")
presto = model.best_estimator_["presto"]
print(f"rows with a repaired crossing: {presto.crossing_rate_:.1%}")
print(f"relative duality gap: {presto.dual_gap_:.1e}")

# %%
# Where boundaries separate
# -------------------------
# `PrestoClassifierCV` does the same for alpha alone, along a warm-started path, which is much
# faster than a grid search, and keeps the path for a picture. Features whose lines split violate
# proportional odds at the chosen alpha. If that were the smallest that was tried, a warning and the
# picture would say so.

path_model = PrestoClassifierCV(scoring="neg_log_loss").fit(X, y)
display = PrestoPathDisplay.from_estimator(path_model, max_features=8)
display.figure_.suptitle("Coefficients of the boundaries between stages")
violating = X.columns[path_model.violates_proportional_odds_]
print("features in the model:", ", ".join(path_model.selected_features_))
print("features that violate proportional odds:", ", ".join(violating) or "none")

# %%
# What the model says about one feature
# -------------------------------------
# The body mass index moves a typical patient through the stages. The rare stage is a thin band
# above, but has a panel of its own below.

display = OrdinalProbabilityDisplay.from_estimator(path_model, X, "bmi")
display.figure_.suptitle("Stages of the disease by body mass index")
display.axes_[0].set_xlabel("")
display.axes_[-1].set_xlabel("body mass index (centred and scaled)")

# %%
# Calibrated on held-out patients
# -------------------------------
# Ten random splits; the log-loss of "last stage or not" on the held-out patients. Lower is better.
# What counts is the difference to PRESTO on the same split. The splits share patients, so that the
# intervals are a guide only.

methods = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=1000)),
    "proportional odds": ProportionalOddsClassifier(),
    "PRESTO": PrestoClassifierCV(
        alphas=20, cv=StratifiedKFold(3, shuffle=True, random_state=0), scoring="neg_log_loss"
    ),
}
losses = {name: [] for name in methods}
pooled = {name: [] for name in methods}
events = []
for train, test in StratifiedShuffleSplit(N_SPLITS, test_size=0.3, random_state=0).split(X, y):
    event = (y.iloc[test] == rare).to_numpy()
    events.append(event)
    for name, method in methods.items():
        target = (y == rare).astype(int) if name == "logistic" else y
        method.fit(X.iloc[train], target.iloc[train])
        probability = method.predict_proba(X.iloc[test])[:, -1]
        losses[name].append(log_loss(event, probability))
        pooled[name].append(probability)

events = np.concatenate(events)
pooled = {name: np.concatenate(values) for name, values in pooled.items()}
for name, loss in losses.items():
    error = calibration_error(events, pooled[name])
    print(f"{name:18s} log-loss {np.mean(loss):.3f}   calibration error {error:.1e}")

more_than_presto = {
    name: np.subtract(losses[name], losses["PRESTO"]) for name in ("logistic", "proportional odds")
}
ax = dots_with_intervals(more_than_presto)
ax.axvline(0, color="0.4", linewidth=1)
ax.set_title("Log-loss of the rare stage, more than PRESTO's")
ax.set_xlabel(f"difference of log-loss (nats), mean of {N_SPLITS} splits and 95% interval")

# %%
# The difference to proportional odds is small on these data; what PRESTO gains is that one need not
# know in advance whether proportional odds hold.
#
# Calibration where it is rare
# ----------------------------
# The rate is an isotonic fit: a curve above the diagonal says that more patients fall ill than the
# method says, and one that leaves the picture below that nobody did. A shaded band, in the colour
# of its method, holds 95% of the curves that calibrated predictions would give. The pooled splits
# repeat patients, so that the bands are too narrow here.

figure, ax = plt.subplots(figsize=(6.4, 5.4))
figure.suptitle("Predicted and observed rates of the rare stage")
for name, probability in pooled.items():
    RareReliabilityDisplay.from_predictions(events, probability, name=name, ax=ax)
    lowest = np.argsort(probability)[: len(probability) // 2]
    print(
        f"{name:18s} the safer half: predicted {probability[lowest].mean():.2%}, "
        f"observed {events[lowest].mean():.2%}"
    )
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_naive_bayes_probe.py` is about few labels of
# unordered classes, and the documentation of `skreg.ordinal` says when proportional odds are
# enough.
