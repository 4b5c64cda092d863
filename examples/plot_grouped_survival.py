"""
===========================
In which year does it fail?
===========================

Pumps are inspected once a year. One that is found broken broke at some time in that year; one that
still works after four years broke in none of them. Such durations are ordered classes: year 1, ..,
year 4, later. By which factor does heat, load or a coating change the hazard, the rate at which
working pumps fail?
"""

# %%
# Data
# ----
# They are simulated, so that the truth is known: heat and load raise the hazard, a coating lowers
# it, each by a constant factor at any age. A pump that runs twice as many hours a day has twice the
# hazard: this factor is known, and not to be estimated. Days of failure are kept for comparison.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from statsmodels.duration.hazard_regression import PHReg

from skreg.ordinal import ProportionalOddsClassifier, likelihood_ratio_test, out_of_fold_proba
from skreg.pictures import MARKERS, PALETTE, STYLE

plt.rcParams.update(STYLE)
rng, n = np.random.default_rng(0), 1500
log_ratios = np.array([0.9, 0.4, -0.7])
X = pd.DataFrame({"hot": rng.random(n) < 0.4, "load": rng.normal(size=n)}, dtype=float)
X["coated"] = (rng.random(n) < 0.5).astype(float)
use = rng.uniform(2, 22, n)  # hours a day
hazard = use / 12 * np.exp(X @ log_ratios)
age = 5.0 * (rng.exponential(size=n) / hazard) ** (1 / 1.5)  # the hazard rises with age, too
year = np.minimum(np.ceil(age), 5).astype(int)  # 5: later than four years
print("pumps that failed in years 1 to 4, and later:", np.bincount(year)[1:])

# %%
# Why the complementary log-log link
# ----------------------------------
# With the hazard use * h0(t) * exp(x b), a pump survives the age t with the probability
# exp(-use * H0(t) * exp(x b)), where H0 sums h0 up to t. So P(year <= k) = 1 - exp(-exp(eta)) with
# eta = log H0(k) + x b + log(use): ordered classes with link="cloglog" and the offset log(use). The
# intercepts are log H0(k), one for each year, so that nothing is assumed of h0. In the direction
# "lower", that of earlier years, exp(coefficient) is the ratio of hazards.

offset = np.log(use / 12)
model = ProportionalOddsClassifier(link="cloglog").fit(X, year, offset=offset)
table = model.summary(X, year, offset=offset, interval="profile", direction="lower")
cox = PHReg(np.minimum(age, 4), X, status=age <= 4, offset=offset).fit()
ratios = np.exp(table.loc[X.columns, ["coefficient", "lower", "upper"]])
ratios = ratios.rename(columns={"coefficient": "hazard ratio"})
ratios["Cox, from days"], ratios["truth"] = np.exp(cox.params), np.exp(log_ratios)
table["error of Cox, from days"] = pd.Series(cox.bse, X.columns)
print(table[["coefficient", "standard_error", "error of Cox, from days"]].round(3).to_string())
print(ratios.round(2).to_string())

# %%
# Cox's regression, which saw the days, has errors that are hardly smaller.
#
# Which link?
# -----------
# That with the smaller log-loss on pumps that were not in the fit: cloglog. The hours matter more.
# Whether some ratio changes with age is asked by the test of equal coefficients at all boundaries.

folds = StratifiedKFold(10, shuffle=True, random_state=0)
losses = pd.DataFrame(index=["cloglog", "logit", "probit", "loglog"])
for column, known in (("with the hours", offset), ("without", None)):
    for link in losses.index:
        fit = ProportionalOddsClassifier(link=link)
        proba = out_of_fold_proba(fit, X, year, offset=known, cv=folds)
        losses.loc[link, column] = log_loss(year, proba)
print(losses.round(4).to_string())
print(likelihood_ratio_test(model, X, year, offset=offset).round(2).to_string())

# %%
# What survives
# -------------
# On the right, lines are the mean predictions of four groups, points the shares that do work.

figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.4), width_ratios=[1, 1.2])
rows, ratio = np.arange(len(ratios)), ratios["hazard ratio"]
ends = ratios[["lower", "upper"]].sub(ratio, axis=0).abs().T
left.plot(ratios["truth"], rows - 0.2, "v", color="black", label="truth")
left.errorbar(ratio, rows, xerr=ends, fmt="o", color=PALETTE[0], capsize=3, label="from years")
left.plot(ratios["Cox, from days"], rows + 0.2, "s", color=PALETTE[1], label="Cox, from days")
left.axvline(1.0, color="0.4", linewidth=1)
left.set(xscale="log", xlabel="hazard ratio, 95% profile interval", ylim=(2.7, -0.5))
left.set_xticks([0.5, 1, 2], ["0.5", "1", "2"], minor=False)
left.minorticks_off()
left.set_yticks(rows, ratios.index)
left.legend(loc="lower right")
alive = 1.0 - model.predict_cumulative_proba(X, offset=offset)
for i, ((hot, coated), group) in enumerate(X.groupby(["hot", "coated"]).groups.items()):
    name = f"{'hot' if hot else 'cool'}, {'coated' if coated else 'bare'}"
    right.plot(range(5), [1.0, *alive[group].mean(axis=0)], color=PALETTE[i], label=name)
    shares = [np.mean(year[group] > k) for k in range(5)]
    right.plot(range(5), shares, MARKERS[i], color=PALETTE[i])
right.set(xlabel="age in years", ylabel="share that works", ylim=(0, 1.02), xticks=range(5))
right.legend()
plt.show()

# %%
# When not to use it: if pumps leave unbroken in different years (only the last class may be open),
# if features change during the life, or if there are so many times that they need no classes. Cox's
# regression is made for all this.
#
# Where to go next: the guide on ordinal outcomes has the links and offsets. Effects that change
# with age are for `skreg.ordinal.PrestoClassifier`, as in
# :ref:`sphx_glr_gallery_plot_unhappy_marriages.py`.
