"""
======================================
A hospital that no label has come from
======================================

Six hospitals record the same measurements, but differ in their patients, their devices and in whom
they call ill. A seventh has records and no labels. Does one model of all patients serve it, or a
model of the hospital that it resembles?
"""

# %%
# Simulated hospitals
# -------------------
# There are two kinds, with other patients and another rule: in clinics marker 0 speaks for the
# illness, in hospices against it. Each hospital has an offset and a rule of its own around those
# of its kind.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.domain import DomainSpecificClassifier, leave_one_domain_out_score
from skreg.pictures import STYLE, series_style

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
KINDS = {"clinic": (2.0, [2.0, 1.0, 0.0]), "hospice": (-2.0, [-2.0, 1.0, 0.0])}


def hospitals(seed, n=200):
    """Patients, diagnoses and names of six hospitals."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(6):
        kind = "clinic" if number < 3 else "hospice"
        level, rule = KINDS[kind]
        center = level + rng.normal(scale=0.5, size=3)
        rule = rule + rng.normal(scale=0.3, size=3)
        X = center + rng.normal(size=(n, 3))
        y = (X - center) @ rule + rng.logistic(size=n) > 0
        parts.append((X, y, np.full(n, f"{kind} {number % 3 + 1}")))
    return map(np.concatenate, zip(*parts, strict=True))


X, y, hospital = hospitals(seed=0)

# %%
# One hospital after the other without labels
# -------------------------------------------
# ``leave_one_domain_out_score`` fits on five hospitals and scores on the sixth. Heads chosen by
# similarity are compared with one model of all patients, with the mean of all heads, and with the
# choice of the most certain head.

scaler = StandardScaler()
models = {
    "one model": make_pipeline(StandardScaler(), LogisticRegression()),
    "mean of heads": DomainSpecificClassifier(featurizer=scaler, selection="uniform"),
    "most certain head": DomainSpecificClassifier(featurizer=scaler, selection="entropy"),
    "most similar hospital": DomainSpecificClassifier(featurizer=scaler),
}
scores = {
    name: leave_one_domain_out_score(model, X, y, domains=hospital)
    for name, model in models.items()
}
for name, found in scores.items():
    worst, score = found.worst
    print(f"{name:22s}: mean accuracy {found.mean:.2f}, worst {score:.2f} at {worst}")

figure, ax = plt.subplots(figsize=(6.4, 3.4))
for i, (name, found) in enumerate(scores.items()):
    places = np.arange(len(found.domains))
    ax.plot(found.scores, places, label=name, **series_style(i) | {"linestyle": "none"})
ax.axvline(0.5, color="0.4", linewidth=1)
ax.set(yticks=places, yticklabels=found.domains, xlabel="accuracy", title="Hospital held out")
ax.invert_yaxis()
figure.legend(loc="outside lower center", ncols=2)

# %%
# Which hospital is asked
# -----------------------
# The weights say whose head speaks for each patient of a new hospital; here for each hospital held
# out, the share of its patients that goes to each of the others.

names = np.unique(hospital)
share = np.full((len(names), len(names)), np.nan)
for i, name in enumerate(names):
    rest = hospital != name
    model = models["most similar hospital"].fit(X[rest], y[rest], domains=hospital[rest])
    share[i, names != name] = model.domain_weights(X[~rest])[:, :-1].mean(axis=0)

figure, ax = plt.subplots(figsize=(5.2, 4.2), layout="constrained")
picture = ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
ax.set(xticks=range(6), xticklabels=names, yticks=range(6), yticklabels=names)
ax.tick_params(axis="x", rotation=45)
ax.set(xlabel="head that is asked", ylabel="hospital held out", title="Share of patients")
ax.grid(False)
figure.colorbar(picture)
plt.show()

# %%
# Over several draws
# ------------------
# Means over ten simulations with intervals at 95 %.

gains = []
for seed in range(10):
    X, y, hospital = hospitals(seed)
    ours, pooled = (
        leave_one_domain_out_score(models[name], X, y, domains=hospital).mean
        for name in ("most similar hospital", "one model")
    )
    gains.append(ours - pooled)
half = 2.26 * np.std(gains, ddof=1) / np.sqrt(len(gains))  # Student's quantile, 9 degrees
print(f"gain over one model: {np.mean(gains):.2f} ± {half:.2f}")

# %%
# Where to go next: the guide's page on unseen domains says when one model is as good.
