"""
===================================
Fine-tuning on few samples: DR-Tune
===================================

A network that was pretrained on clean digits learns noisy ones from eight of each class. Plain
fine-tuning needs the right learning rate for that, which few samples do not tell. DR-Tune's head
must also classify features of the network as it was, moved to where the features are now.
"""

# %%
# A pretrained network, and a new head
# ------------------------------------
# Any module whose last linear layer puts out the logits can be passed: weights of timm or
# torchvision are loaded into theirs, and the last layer is replaced, e.g. ``network.fc``.

import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import DRTune
from skreg.pictures import STYLE, series_style

plt.rcParams.update(STYLE)
torch.set_num_threads(1)
N_RUNS, RATES = 3, (0.01, 0.03, 0.1)


def task(seed):
    """A pretrained network with a new head; eight noisy digits of each class, others to test."""
    rng = np.random.default_rng(seed)
    X, y = load_digits(return_X_y=True)
    order = rng.permutation(len(X))
    X, y = X[order].astype("float32") / 16, y[order]
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
    )
    pretrained = DeepClassifier(
        network, lr=2e-3, max_epochs=8, batch_size=64, standardize=False, random_state=seed
    ).fit(X[:900], y[:900])
    network = pretrained.net_.module_
    network[-1] = nn.Linear(64, 10)
    nn.init.normal_(network[-1].weight, std=0.01)
    X, y = X[900:] + rng.normal(0, 0.3, X[900:].shape).astype("float32"), y[900:]
    few = np.concatenate([np.flatnonzero(y == c)[:8] for c in range(10)])
    rest = np.setdiff1d(np.arange(len(y)), few)
    return network, X[few], y[few], X[rest], y[rest]


# %%
# One regularizer
# ---------------
# The banks hold 64 rows and a step sees 16 samples, so that the head's rate is 1 + 64/16 times the
# one given, as a group of parameters in the optimizer. Plain fine-tuning gets the same rates, by
# DR-Tune of no strength.

METHODS = {
    "Plain": DRTune(64, lam=0.0, head_lr_multiplier=5.0),
    "DR-Tune": DRTune(64, rotation_every=1),
    "DR-Tune, not calibrated": DRTune(64, calibration="none"),
}
scores, models = {name: np.empty((N_RUNS, len(RATES))) for name in METHODS}, {}
for run in range(N_RUNS):
    network, X, y, X_test, y_test = task(run)
    for name, regularizer in METHODS.items():
        for i, rate in enumerate(RATES):
            model = DeepClassifier(
                copy.deepcopy(network),
                [("dr", regularizer)],
                optimizer=torch.optim.SGD,
                lr=rate,
                net_params={"optimizer__momentum": 0.9, "optimizer__nesterov": True},
                max_epochs=12,
                batch_size=16,
                standardize=False,
                random_state=run,
            )
            scores[name][run, i] = 100 * model.fit(X, y).score(X_test, y_test)
            models[name, rate] = model

# %%
# Steady over learning rates
# --------------------------

figure, ax = plt.subplots(figsize=(6.4, 3.8))
for index, (name, accuracy) in enumerate(scores.items()):
    style = series_style(index)
    ax.plot(RATES, accuracy.mean(0), label=name, **style)
    ax.fill_between(RATES, accuracy.min(0), accuracy.max(0), color=style["color"], alpha=0.15)
    print(f"{name}: {accuracy.mean(0).round(1)} % at rates {RATES}")
ax.set(xscale="log", xlabel="learning rate", ylabel="test accuracy (%)")
ax.set(title=f"80 noisy digits: mean and range of {N_RUNS} runs")
ax.set_xticks(RATES, labels=map(str, RATES))
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# On this toy task a plain network at its best rate does as well: what DR-Tune gives is that a rate
# too large does less harm. Part of it is that the normalized loss slows the layers before the head
# by 1 + K/B. ``skreg bench run dr-tune`` tells how much, with more seeds and rivals.
#
# What is in the banks after the last run, and how far the features have moved from the pretrained
# ones:

for rate in RATES:
    dr = dict(models["DR-Tune", rate].net_.regularizers)["dr"]
    cosine = torch.cosine_similarity(dr.bank_.downstream, dr.bank_.pretrained).mean()
    print(f"rate {rate}: {dr.bank_}, strength {dr.lambda_:g}, mean cosine {cosine:.2f}")

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_trust_region_fine_tuning.py` keeps what a pretrained
# network knew of other data.
