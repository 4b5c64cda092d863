"""
==================================
A stream whose truth does not stay
==================================

Rows come one by one, each is classified before its label is known, and the coefficients behind
them turn, then jump, then return. Which learning rate is right for that? An ensemble of steps does
not have to know, and a certificate says after each round how much may have been lost.
"""

# %%
# Three kinds of drift, one after another
# ---------------------------------------
# For 450 rounds the coefficients turn in a plane, for 450 they jump to new places, and for 450
# two of these recur. Labels are drawn from the probabilities that they give.

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.linear_model import SGDClassifier

from skreg.online import DriftAdaptiveEnsemble, OptimisticOMDClassifier, RegretDisplay
from skreg.pictures import STYLE

plt.rcParams.update(STYLE)
SEED, N, D, STRENGTH = 0, 450, 5, 6.0

rng = np.random.default_rng(SEED)
angle = 2 * np.pi * np.arange(N) / N
turning = np.zeros((N, D))
turning[:, 0], turning[:, 1] = np.cos(angle), np.sin(angle)
places = rng.normal(size=(3, D))
places /= np.linalg.norm(places, axis=1, keepdims=True)
jumping = np.repeat(places, N // 3, axis=0)
recurring = places[np.arange(N) // 150 % 2]
coef = STRENGTH * np.concatenate([turning, jumping, recurring])
X = rng.normal(size=(3 * N, D))
X /= np.linalg.norm(X, axis=1, keepdims=True)


def labels(coef):
    return rng.random(len(coef)) < expit(np.sum(X[: len(coef)] * coef, axis=1))


y = labels(coef)

# %%
# Regret against what moves
# -------------------------
# Cumulative log-loss beyond that of the true coefficients: ours, SGD at three learning rates, the
# passive-aggressive rule, and online gradient descent with the step that theory has for this
# number of rounds. All rivals learn row by row.

params = {"radius": 10.0, "fit_intercept": False}
one = OptimisticOMDClassifier(**params)
rivals = {"one learner": one}
for step in (0.01, 0.1, 1.0):
    rivals[f"SGD, step {step:g}"] = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=step, penalty=None, fit_intercept=False
    )
rivals["passive-aggressive"] = SGDClassifier(
    loss="hinge", learning_rate="pa1", eta0=1.0, penalty=None, fit_intercept=False
)
rivals["OGD of theory"] = OptimisticOMDClassifier(
    step_size=20 / np.sqrt(3 * N), hint="none", **params
)
display = RegretDisplay.from_estimator(
    DriftAdaptiveEnsemble(one), X, y, rivals=rivals, comparators=coef
)
display.figure_.suptitle("Turning, jumping, recurring coefficients")
for panel in display.axes_:
    for boundary in (N, 2 * N):
        panel.axvline(boundary, color="0.8", linewidth=0.8, zorder=0)
for name, regret in display.regrets.items():
    print(f"{name:22s}: excess cumulative log-loss {regret[-1]:7.1f}")

# %%
# What is certified
# -----------------
# For coefficients that stay, the certificate bounds regret on every prefix of the stream.

n_still = 800
still = RegretDisplay.from_estimator(one, X[:n_still], labels(np.tile(coef[:1], (n_still, 1))))
still.figure_.suptitle("Coefficients that stay")
plt.show()

# %%
# Where to go next: the guide's page on learning from streams has the loop for streams longer than
# memory, and says when one tuned step is the better choice.
