"""
Companded weights (experimental)
================================

Each weight is a bounded function of a free variable, w = a arctan(v / b): large weights slow down,
small ones leave zero quickly. The formula is a reconstruction in the spirit of the paper that
proposed the Weight Compander (Cakaj et al. 2023), not the paper's own; skreg says so in a warning.
"""

# %%
# Two networks from the same initial weights
# ------------------------------------------

import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import WeightCompander
from skreg.deep.torch import ExperimentalWarning, remove_weight_compander, weight_statistics

warnings.simplefilter("ignore", ExperimentalWarning)
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(
    X.astype("float32") / 16, y, train_size=200, stratify=y, random_state=0
)


def perceptron():
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


regularizers = {
    "plain": None,
    "companded": [("compander", WeightCompander(ratio=2.0, width=4.0))],
}
weights, models = {}, {}
for name, chosen in regularizers.items():
    models[name] = DeepClassifier(
        perceptron,
        chosen,
        optimizer=torch.optim.SGD,
        lr=0.05,
        batch_size=50,
        max_epochs=80,
        standardize=False,
        random_state=0,
        net_params={"optimizer__momentum": 0.9, "optimizer__weight_decay": 5e-4},
    ).fit(X, y)
    module = models[name].net_.module_
    weights[name] = module[2].weight.detach().flatten().numpy()
    middle = weight_statistics(module)[1]
    print(
        f"{name:10s} accuracy {models[name].score(X_test, y_test):.3f}   "
        f"largest weight {middle.largest:.3f}   below 0.01 {middle.share_near_zero:.1%}"
    )

# %%
# The weights of the middle layer, and the function
# -------------------------------------------------

psi = models["companded"].net_.module_[2].parametrizations.weight[0]
v = torch.linspace(-0.4, 0.4, 201)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
axes[0].plot(v, psi(v).detach(), color="#0072B2")
axes[0].plot(v, v, color="0.6", linewidth=1, linestyle="--")
for sign in (-1, 1):
    axes[0].axhline(sign * float(psi.bound), color="0.3", linewidth=0.8)
axes[0].set(xlabel="free variable v", ylabel="weight w", ylim=(-0.25, 0.25))
bins = np.linspace(-0.2, 0.2, 81)
for (name, values), color in zip(weights.items(), ("#D55E00", "#0072B2"), strict=True):
    axes[1].hist(values, bins, histtype="step", label=name, color=color)
axes[1].set(xlabel="weight of the middle layer", ylabel="count")
axes[1].set_xticks([-0.2, -0.1, 0, 0.1, 0.2])
axes[1].legend(frameon=False)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)

# %%
# For export, the weights become plain parameters; predictions stay.

before = models["companded"].predict_proba(X_test)
remove_weight_compander(models["companded"].net_.module_)
change = np.abs(models["companded"].predict_proba(X_test) - before).max()
print(f"largest change of a probability on removal: {change:.0e}")
plt.show()
