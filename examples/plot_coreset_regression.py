"""
==========================================================
Heavy-tailed regression on a coreset, and on uniform rows
==========================================================

Least absolute deviations on 20 000 rows: the features are heavy-tailed and one of them, a dummy,
differs from zero in 16 rows only. A uniform subsample mostly loses these rows, so that the
coefficient of the dummy is arbitrary, and it sees few of the rows of large leverage. A coreset of
Lewis weights keeps both for certain, with a weight of one.

The script takes about half a minute. Cost is the sum of absolute residuals on all rows, relative to
the best fit.
"""

import matplotlib.pyplot as plt
import numpy as np

from skreg.coreset import CoresetDisplay, CoresetEstimator, LpRegressor, SensitivitySampler

N_ROWS, N_FEATURES, N_RARE, N_SEEDS = 20_000, 8, 16, 10
SIZES = (100, 200, 400, 800)


def heavy_tailed_data(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N_ROWS, N_FEATURES))
    X *= np.abs(rng.standard_t(3, N_ROWS))[:, None]
    X[:, -1] = 0
    X[:N_RARE, -1] = 1
    beta = np.r_[rng.standard_normal(N_FEATURES - 1), 30.0]
    return X, X @ beta + 1 + rng.standard_t(3, N_ROWS)


def excess_costs(X, y, best, scores):
    """Relative excess cost of fits on samples, shape (n_seeds, n_sizes)."""
    excess = np.empty((N_SEEDS, len(SIZES)))
    for seed in range(N_SEEDS):
        for k, size in enumerate(SIZES):
            sampler = SensitivitySampler(p=1, scores=scores, n_samples=size, random_state=seed)
            model = CoresetEstimator(LpRegressor(p=1), sampler).fit(X, y)
            excess[seed, k] = np.abs(y - model.predict(X)).sum() / best - 1
    return excess


# %%
# The scores of [X, 1, y] spread over nearly three orders of magnitude. Rows on the right are kept
# for certain; the distortion of all sums of absolute residuals falls with the size of the coreset.
X, y = heavy_tailed_data(0)
sampler = SensitivitySampler(p=1, n_samples=400, random_state=0).fit(X, y)
CoresetDisplay.from_estimator(sampler, X, y, n_repeats=3)

# %%
# Uniform rows and Lewis weights at the same sizes.
best = LpRegressor(p=1).fit(X, y).objective_
excess = {scores: excess_costs(X, y, best, scores) for scores in ("uniform", "lewis")}

figure, ax = plt.subplots(figsize=(5.6, 4), layout="constrained")
for (scores, values), color, marker in zip(
    excess.items(), ("#D55E00", "#0072B2"), "so", strict=True
):
    median = np.median(values, axis=0)
    ax.plot(SIZES, median, color=color, marker=marker, label=scores)
    ax.fill_between(
        SIZES, *np.quantile(values, [0.25, 0.75], axis=0), color=color, alpha=0.2, linewidth=0
    )
    print(f"{scores:8s}" + "".join(f"  m={m}: {e:.4f}" for m, e in zip(SIZES, median, strict=True)))
ax.set(
    xscale="log",
    yscale="log",
    xlabel="rows kept",
    ylabel="excess cost, median and quartiles over seeds",
    title="Least absolute deviations on a subset of 20 000 rows",
)
ax.set_xticks(SIZES, labels=[f"{size}" for size in SIZES])
ticks = [0.002, 0.005, 0.01, 0.02, 0.05]
ax.set_yticks(ticks, labels=[f"{tick:.1%}" for tick in ticks])
ax.minorticks_off()
ax.spines[["top", "right"]].set_visible(False)
ax.grid(color="0.92", linewidth=0.8)
ax.legend(frameon=False)

# %%
# The coefficient of the rare dummy is 30 in truth. It enters the loss through 16 rows.
for scores in ("uniform", "lewis"):
    sampler = SensitivitySampler(p=1, scores=scores, n_samples=400)
    fits = [
        CoresetEstimator(LpRegressor(p=1), sampler.set_params(random_state=seed)).fit(X, y)
        for seed in range(N_SEEDS)
    ]
    values = [fit.estimator_.coef_[-1] for fit in fits]
    print(f"{scores:8s}  coefficient of the dummy: {np.min(values):.1f} to {np.max(values):.1f}")

plt.show()
