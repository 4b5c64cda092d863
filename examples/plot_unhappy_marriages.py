"""
=================================
Who rates a marriage "very poor"?
=================================

In a survey of 1974, which ships with statsmodels, 6366 women rated their marriage from "very good"
to "very poor". The last rating is rare: 99 of them gave it. A case study of such an outcome, from
effects and their standard errors to a decision: which effects are there, are they alike at every
rating, how well is the rare rating predicted, and from which probability on does it pay to act?
"""

# %%
# Data
# ----
# The ratings become an ordered categorical. Time spent in affairs is skewed, and taken by its
# logarithm. The rows are sorted by it: all folds below are shuffled.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import fair

from skreg.ordinal import (
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    RareReliabilityDisplay,
    cost_threshold,
    likelihood_ratio_test,
    out_of_fold_proba,
    ranked_probability_score,
)
from skreg.pictures import BLUE, STYLE, dots_with_intervals

# sphinx_gallery_thumbnail_number = 3
plt.rcParams.update(STYLE)
RATINGS = ["very good", "good", "fair", "poor", "very poor"]
N_SPLITS = 8
survey = fair.load_pandas().data
X = survey.drop(columns="rate_marriage").assign(affairs=np.log1p(survey["affairs"]))
rating = pd.Series(
    pd.Categorical.from_codes((5 - survey["rate_marriage"]).astype(int), RATINGS, ordered=True)
)
for name, share in rating.value_counts(normalize=True, sort=False).items():
    print(f"{name:10s} {share:.1%}")

# %%
# Effects, if they are alike at all ratings
# -----------------------------------------
# Proportional odds give each covariate one odds ratio. With direction="higher", one above 1 makes
# worse ratings more probable. The intervals are those of the profile of the likelihood.

odds = ProportionalOddsClassifier(class_order=RATINGS).fit(X, rating)
table = odds.summary(X, rating, interval="profile", direction="higher").loc[X.columns]
print(table[["coefficient", "standard_error", "p_value", "odds_ratio"]].round(3).to_string())

figure, ax = plt.subplots()
rows = np.arange(len(table))
ends = table[["odds_ratio_lower", "odds_ratio_upper"]].sub(table["odds_ratio"], axis=0).abs()
ax.errorbar(table["odds_ratio"], rows, xerr=ends.T, fmt="o", color=BLUE, capsize=3)
ax.axvline(1.0, color="0.4", linewidth=1)
ax.set(xscale="log", xlabel="odds ratio of a worse rating, per unit, with 95% profile interval")
ax.set_xticks([1.0, 1.5, 2.0, 2.5], ["1", "1.5", "2", "2.5"], minor=False)
ax.minorticks_off()
ax.set_yticks(rows, table.index)
ax.invert_yaxis()
ax.set_title("Effects under proportional odds")

# %%
# Are they alike?
# ---------------
# The likelihood-ratio test lets one covariate have an effect of its own at each boundary between
# ratings. Three of them do: what goes with "very poor" is not what goes with "less than very good".

test = likelihood_ratio_test(odds, X, rating)
print(test.round(4).to_string())
different = test.index[(test["p_value"] < 0.001) & (test.index != "all features")]
print("effects that differ between ratings:", ", ".join(different))

# %%
# PRESTO lets these effects differ and shrinks the differences. In the direction "higher" again, its
# coefficients of each boundary:

folds = StratifiedKFold(3, shuffle=True, random_state=0)
presto = PrestoClassifierCV(
    12, eps=1e-3, cv=folds, scoring="neg_log_loss", class_order=RATINGS
).fit(X, rating)
boundaries = [f"worse than {name}" for name in RATINGS[:-1]]
print(pd.DataFrame(-presto.coef_.T, index=X.columns, columns=boundaries).round(2).to_string())

# %%
# The rare rating, from few women or many
# ---------------------------------------
# Learn from 800 women, some 12 of them in a very poor marriage, or from 3000, and predict for all
# others. The log-loss of "very poor or not", compared to PRESTO's on the same women; above 0 is
# worse. Logistic regression of the rare rating against the rest lacks events where women are few.
# Proportional odds are wrong, which shows where there are many. PRESTO is at no place far from the
# better of the two.

methods = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=1000)),
    "proportional odds": ProportionalOddsClassifier(class_order=RATINGS),
    "PRESTO": presto,
}
figure, axes = plt.subplots(1, 2, figsize=(8.4, 2.8), sharey=True)
for n_women, ax in zip((800, 3000), axes, strict=True):
    losses = {name: [] for name in methods}
    splits = StratifiedShuffleSplit(N_SPLITS, train_size=n_women, random_state=0)
    for train, held_out in splits.split(X, rating):
        poor = (rating == RATINGS[-1]).to_numpy()
        for name, method in methods.items():
            target = poor[train] if name == "logistic" else rating.iloc[train]
            method.fit(X.iloc[train], target)
            column = list(method.classes_).index(True if name == "logistic" else RATINGS[-1])
            probability = method.predict_proba(X.iloc[held_out])[:, column]
            losses[name].append(log_loss(poor[held_out], probability))
    more = {
        name: np.subtract(losses[name], losses["PRESTO"])
        for name in ("logistic", "proportional odds")
    }
    dots_with_intervals(more, ax)
    ax.axvline(0, color="0.4", linewidth=1)
    ax.set(title=f"learned from {n_women} women", xlabel="log-loss, more than PRESTO's")
    for name, loss in losses.items():
        print(f"{n_women} women, {name:18s} log-loss {np.mean(loss):.4f}")
figure.suptitle(f"Mean of {N_SPLITS} splits and its 95% interval")

# %%
# Is the rare probability calibrated?
# -----------------------------------
# Each woman is predicted by a fit that has not seen her. Within the band of its colour, a curve is
# what calibrated predictions would give.

figure, ax = plt.subplots(figsize=(6.0, 4.8))
shuffled = StratifiedKFold(5, shuffle=True, random_state=1)
for name in ("proportional odds", "PRESTO"):
    proba = out_of_fold_proba(methods[name], X, rating, cv=shuffled)
    score = ranked_probability_score(rating, proba)
    print(f"{name:18s} ranked probability score {score:.4f}")
    column = sorted(RATINGS).index(RATINGS[-1])
    RareReliabilityDisplay.from_predictions(
        rating == RATINGS[-1], proba[:, column], name=name, ax=ax
    )
figure.suptitle("Predicted and observed rates of a very poor marriage")

# %%
# When to act
# -----------
# Say that an offer of counselling costs 1, and a very poor marriage without an offer 20. Calibrated
# probabilities need no search for a threshold: act from 1 / 21 on. The search does not find a
# better one on women whom it has not seen; for an event so rare, its own estimate is too good.

found = cost_threshold(presto, X, rating, miss_cost=20.0, cv=shuffled)
print(f"no offer: {found.cost_of_never:.3f} per woman; offers to all: {found.cost_of_always:.3f}")
print(f"offers from {found.bayes_threshold:.3f} on: {found.bayes_cost:.3f}")
print(
    f"offers from the threshold that was searched for, {found.threshold:.3f}: {found.cost:.3f} "
    f"({found.apparent_cost:.3f} on the women who chose it)"
)

figure, ax = plt.subplots()
inside = (found.thresholds > 0.002) & (found.thresholds < 0.5)
ax.plot(found.thresholds[inside], found.costs[inside], color=BLUE, label="cost, out of fold")
ax.axvline(found.bayes_threshold, color="0.4", linewidth=1, label="if calibrated: 1 / 21")
ax.axhline(found.cost_of_never, color="0.4", linewidth=1, linestyle="--", label="no offers")
ax.set(xscale="log", xlabel="offer where the probability is at least", ylabel="cost per woman")
ax.set_title("What decisions cost")
ax.legend(loc="lower left", bbox_to_anchor=(0.02, 0.08))
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_rare_ordered_events.py` tunes PRESTO in a pipeline;
# the guide on ordinal outcomes has the formulas, and `skreg.ordinal.bootstrap_summary` the spread
# of PRESTO's own coefficients.
