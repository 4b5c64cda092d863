"""
================================
Companded weights (experimental)
================================

What happens to the weights of a network when none of them may grow beyond a bound? Each weight is a
bounded function of a free variable, w = a arctan(v / b): large weights slow down, small ones leave
zero quickly. The formula is a reconstruction in the spirit of the paper that proposed the Weight
Compander (Cakaj et al. 2023), not the paper's own; skreg says so in a warning.
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
from skreg.pictures import PALETTE, STYLE

# sphinx_gallery_thumbnail_number = 2
plt.rcParams.update(STYLE)
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
# The accuracy is about the same: what changes is the weights.
#
# The function, and the weights of the middle layer
# -------------------------------------------------

psi = models["companded"].net_.module_[2].parametrizations.weight[0]
bound = float(psi.bound)
v = torch.linspace(-0.4, 0.4, 201)
figure, ax = plt.subplots(figsize=(6.4, 3.6))
ax.plot(v, v, color=PALETTE[1], linestyle="--", label="plain")
ax.plot(v, psi(v).detach(), color=PALETTE[0], label="companded")
for sign in (-1, 1):
    ax.axhline(sign * bound, color="0.4", linewidth=0.8)
ax.annotate("bound", (-0.4, bound), (0, 3), textcoords="offset points", color="0.3")
ax.set_title("The weight as a function of the free variable")
ax.set(xlabel="free variable v", ylabel="weight w", ylim=(-1.3 * bound, 1.3 * bound))
figure.legend(loc="outside lower center", ncols=2)

figure, ax = plt.subplots(figsize=(6.4, 3.6))
widest = 1.05 * max(np.abs(values).max() for values in weights.values())
bins = np.linspace(-widest, widest, 81)
for (name, values), colour, line in zip(
    weights.items(), (PALETTE[1], PALETTE[0]), ("--", "-"), strict=True
):
    ax.hist(values, bins, histtype="step", color=colour, linestyle=line, linewidth=1.6)
    ax.plot([], [], color=colour, linestyle=line, label=name)
ax.set_title("Weights of the middle layer after training")
ax.set(xlabel="weight", ylabel="number of weights")
figure.legend(loc="outside lower center", ncols=2)

# %%
# For export
# ----------
# The weights become plain parameters; predictions stay.

before = models["companded"].predict_proba(X_test)
remove_weight_compander(models["companded"].net_.module_)
change = np.abs(models["companded"].predict_proba(X_test) - before).max()
print(f"largest change of a probability on removal: {change:.0e}")
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_orthogonal_convolutions.py` constrains the weights
# of convolutions, on a theory that is published in full.
