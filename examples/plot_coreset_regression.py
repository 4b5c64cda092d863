"""
=========================================================
Heavy-tailed regression on a coreset, and on uniform rows
=========================================================

How many of 10 000 rows does a robust regression need? The features are heavy-tailed and one of
them, a dummy, differs from zero in 16 rows only. A uniform subsample mostly loses these rows, so
that the coefficient of the dummy is arbitrary, and it sees few of the rows of large leverage. A
coreset of Lewis weights keeps both for certain, with a weight of one.
"""

# %%
# The data
# --------
# Least absolute deviations are fitted. The cost is the sum of absolute residuals on all rows.

import matplotlib.pyplot as plt
import numpy as np

from skreg.coreset import CoresetDisplay, CoresetEstimator, LpRegressor, SensitivitySampler
from skreg.pictures import STYLE, series_style

# sphinx_gallery_thumbnail_number = 2
plt.rcParams.update(STYLE)
SEED = 0
N_ROWS, N_FEATURES, N_RARE, N_SEEDS = 10_000, 8, 16, 8
SIZES = (100, 200, 400, 800)


def heavy_tailed_data(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    X *= np.abs(rng.standard_t(3, N_ROWS))[:, None]
    X[:, -1] = 0
    X[:N_RARE, -1] = 1
    beta = np.r_[rng.standard_normal(N_FEATURES - 1), 30.0]
    return X, X @ beta + 1 + rng.standard_t(3, N_ROWS)


# %%
# The scores of [X, 1, y] spread over orders of magnitude. Rows on the right are kept for certain;
# the distortion of all sums of absolute residuals falls with the size of the coreset.

X, y = heavy_tailed_data(SEED)
sampler = SensitivitySampler(p=1, n_samples=400, random_state=0).fit(X, y)
display = CoresetDisplay.from_estimator(sampler, X, y, n_repeats=3)

# %%
# Uniform rows and Lewis weights at the same sizes
# ------------------------------------------------
# The excess cost of a fit is its cost on all rows relative to the best one, minus one.

best = LpRegressor(p=1).fit(X, y).objective_
excess = {scores: np.empty((N_SEEDS, len(SIZES))) for scores in ("uniform", "lewis")}
dummy = {scores: np.empty((N_SEEDS, len(SIZES))) for scores in excess}
for scores in excess:
    for seed in range(N_SEEDS):
        for k, size in enumerate(SIZES):
            sampler = SensitivitySampler(p=1, scores=scores, n_samples=size, random_state=seed)
            model = CoresetEstimator(LpRegressor(p=1), sampler).fit(X, y)
            excess[scores][seed, k] = np.abs(y - model.predict(X)).sum() / best - 1
            dummy[scores][seed, k] = model.estimator_.coef_[-1]

names = {"uniform": "uniform rows", "lewis": "Lewis weights"}
figure, ax = plt.subplots()
print("rows kept      " + "".join(f"{size:>8d}" for size in SIZES))
for i, (scores, values) in enumerate(excess.items()):
    style = series_style(i)
    median = np.median(values, axis=0)
    ax.plot(SIZES, median, **style, linestyle=("--", "-")[i], label=names[scores])
    ax.fill_between(
        SIZES, *np.quantile(values, [0.25, 0.75], axis=0), color=style["color"], alpha=0.2, lw=0
    )
    print(f"{names[scores]:15s}" + "".join(f"{e:>8.2%}" for e in median))
ax.set(xscale="log", yscale="log", xlabel="rows kept (number, log scale)")
ax.set_ylabel("excess cost (log scale),\nmedian and quartiles over seeds")
ax.set_title(f"Least absolute deviations on a part of {N_ROWS:,} rows")
ax.set_xticks(SIZES, labels=[f"{size}" for size in SIZES])
ticks = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
ax.set_yticks(ticks, labels=[f"{tick:.1%}" for tick in ticks])
ax.minorticks_off()
figure.legend(loc="outside lower center", ncols=2)

# %%
# The coefficient of the rare dummy
# ---------------------------------
# It is 30 in truth and enters the loss through 16 rows. A sample without any of them leaves it at
# zero; the coreset has all of them at every size.

figure, ax = plt.subplots(figsize=(6.4, 3.2))
for i, (scores, values) in enumerate(dummy.items()):
    places = np.arange(len(SIZES)) + (i - 0.5) * 0.25
    ax.plot(
        np.repeat(places[None], N_SEEDS, axis=0), values, linestyle="", alpha=0.6, **series_style(i)
    )
    ax.plot([], [], linestyle="", **series_style(i), label=names[scores])
    print(
        f"{names[scores]:14s} coefficient of the dummy, {SIZES[2]} rows: "
        f"{values[:, 2].min():.1f} to {values[:, 2].max():.1f}"
    )
ax.axhline(30, color="0.4", linewidth=1)
ax.set_xticks(range(len(SIZES)), labels=[f"{size}" for size in SIZES])
ax.set_title("Estimates of a coefficient that is 30")
ax.set(xlabel="rows kept (number)", ylabel="coefficient, one mark per seed")
figure.legend(loc="outside lower center", ncols=2)
plt.show()

# %%
# Where to go next: the documentation of `skreg.coreset` has coresets that are merged from parts of
# the rows, and other losses.
