"""
==================================================================
From fitting to understanding: gradients orthogonal to the weights
==================================================================

Why does a network that knows all its training pairs know no other? A network that has fitted its
training data can lower the loss further by making its weights larger, which changes no prediction.
On addition modulo a prime it does just that. Without the gradient's component along the weights it
has nothing else to do than to learn addition.
"""

# %%
# A hand-written loop
# -------------------
# `OrthogonalGradient` wraps any optimizer of PyTorch, in any loop. The cosine of the weights and
# the direction of descent tells how much of a step only scales the weights up.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import OrthogonalGradient, weight_gradient_cosine
from skreg.pictures import STYLE

plt.rcParams.update(STYLE)
torch.set_num_threads(1)
MODULUS = 47
first, second = np.divmod(np.random.default_rng(0).permutation(MODULUS**2), MODULUS)
first, second = torch.from_numpy(first), torch.from_numpy(second)
X = torch.cat([F.one_hot(first, MODULUS), F.one_hot(second, MODULUS)], dim=1).float()
y = (first + second) % MODULUS
n_train = int(0.5 * len(y))


def train(wrap, epochs=150):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(2 * MODULUS, 200, bias=False), nn.ReLU(), nn.Linear(200, 200, bias=False),
        nn.ReLU(), nn.Linear(200, MODULUS, bias=False),
    )  # fmt: skip
    optimizer = wrap(torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.0))
    history = {"training": [], "test": [], "loss": [], "cosine": []}
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(X[:n_train]), y[:n_train])
        loss.backward()
        history["cosine"].append(weight_gradient_cosine(net.parameters()).item())
        optimizer.step()
        with torch.no_grad():
            hits = net(X).argmax(1) == y
        history["training"].append(hits[:n_train].float().mean().item())
        history["test"].append(hits[n_train:].float().mean().item())
        history["loss"].append(loss.item())
    return history


runs = {
    "AdamW": train(lambda optimizer: optimizer),
    "AdamW, orthogonal gradient": train(lambda base: OrthogonalGradient(base, rescale=False)),
}
for name, history in runs.items():
    print(
        f"{name:27s} training accuracy {history['training'][-1]:.2f}, "
        f"test accuracy {history['test'][-1]:.2f}, "
        f"training loss {history['loss'][-1]:.0e}"
    )

# %%
# What happens
# ------------
# Both fit the training pairs (dotted). Once the loss is small, descent of plain AdamW turns towards
# the weights again, and the loss falls for nothing. With the orthogonal gradient that direction, in
# which much of the gradient points, is taken out of every step. `DeepClassifier` takes the same
# tools as regularizers: `OrthogonalGradient`, `StableMax`, and `StabilityMonitor`, which writes
# such curves to `history_`.

for name, history in runs.items():
    cosines = ", ".join(f"{history['cosine'][epoch - 1]:.2f}" for epoch in (50, 100, 150))
    print(f"{name:27s} cosine of weights and descent after 50, 100, 150 epochs: {cosines}")

figure, axes = plt.subplots(3, 1, figsize=(6.4, 8), sharex=True)
for (name, history), colour, line in zip(runs.items(), ("C1", "C0"), ("--", "-"), strict=True):
    axes[0].plot(history["test"], color=colour, linestyle=line, label=name)
    axes[0].plot(history["training"], color=colour, linestyle=":")
    axes[1].semilogy(history["loss"], color=colour, linestyle=line)
    axes[2].plot(history["cosine"], color=colour, linestyle=line)
axes[0].set(title="Accuracy on other pairs (dotted: on training pairs)", ylabel="accuracy")
axes[1].set(title="Loss of the training pairs", ylabel="loss (nats, log scale)")
axes[2].set_title("How far descent points along the weights")
axes[2].set(xlabel="epoch", ylabel="cosine of weights and descent")
figure.legend(loc="outside lower center", ncols=2)
plt.show()

# %%
# Where to go next: :ref:`sphx_glr_gallery_plot_deep_estimators.py` shows how regularizers are given
# to an estimator.
