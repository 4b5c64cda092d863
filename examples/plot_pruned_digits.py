"""
================================================
A digits network at a third of its size and time
================================================

A network is often larger than its task needs. Which channels can go, and what does it cost? Those
that are to go are told so while the network still trains: their scaling factors are driven to zero,
all others learn on, and to cut them out then changes nothing. What is left is an ordinary, smaller
network, faster on any machine.
"""

# %%
# A trained network
# -----------------
# Three convolutions of 32, 64 and 64 channels, each with batch normalisation, on 500 handwritten
# digits.

import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import LRScheduler
from torch import nn

from skreg.deep import DeepClassifier
from skreg.deep.regularizers import MaskSparsity
from skreg.deep.torch import count_flops, count_parameters, prune_channels
from skreg.pictures import STYLE, series_style

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
torch.set_num_threads(1)
SEEDS, AMOUNTS, PRUNED = range(3), (0.3, 0.5, 0.75), 0.5

images, digits = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)


def convolutions():
    layers = [nn.Unflatten(1, (1, 8, 8))]
    for n_in, n_out, stride in [(1, 32, 1), (32, 64, 2), (64, 64, 2)]:
        conv = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(n_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def trained(network, epochs, lr, seed, *regularizers):
    """By SGD with momentum and a cosine schedule; a network that is given is copied first."""
    model = DeepClassifier(
        network,
        list(regularizers),
        optimizer=torch.optim.SGD,
        lr=lr,
        max_epochs=epochs,
        batch_size=64,
        callbacks=[LRScheduler("CosineAnnealingLR", T_max=epochs)],
        net_params={"optimizer__momentum": 0.9},
        random_state=seed,
    )
    return model.fit(X, y)


def pruned(model, masks):
    """The smaller network, fine-tuned for two epochs."""
    small = prune_channels(model.net_.module_, masks, X[:1])
    return trained(small, 2, 0.01, seed)


# %%
# From large to small
# -------------------
# `MaskSparsity` chooses the given share of the channels of each layer by their scaling factors and
# trains on; `prune_channels` cuts them out. Beside it the same channels are cut from a network that
# was trained on without being told. For each size and seed: parameters left, and accuracy.

curves = {"told which channels go": [], "not told": []}
for seed in SEEDS:
    X, X_test, y, y_test = train_test_split(
        images, digits, train_size=500, stratify=digits, random_state=seed
    )
    large = trained(convolutions, 8, 0.1, seed)
    network = large.net_.module_
    for points in curves.values():
        points.append([seed, 1.0, 100 * large.score(X_test, y_test)])
    unaware = trained(network, 5, 0.05, seed)
    for amount in AMOUNTS:
        aware = trained(network, 5, 0.05, seed, ("masked", MaskSparsity(amount)))
        masks = dict(aware.net_.regularizers)["masked"].prune_masks_
        for points, model in zip(curves.values(), (aware, unaware), strict=True):
            small = pruned(model, masks)
            left = count_parameters(small.net_.module_) / count_parameters(network)
            points.append([seed, left, 100 * small.score(X_test, y_test)])
            if amount == PRUNED and model is aware:
                smaller = small.net_.module_

# %%
# Size and accuracy
# -----------------
# Means over the seeds with the range from least to largest; the whole network is to the right.

figure, (ax, clock) = plt.subplots(1, 2, figsize=(8.5, 3.6), layout="constrained")
for i, (name, points) in enumerate(curves.items()):
    _, left, accuracy = np.array(points).reshape(len(SEEDS), -1, 3).transpose(2, 0, 1)
    middle = accuracy.mean(0)
    spread = [middle - accuracy.min(0), accuracy.max(0) - middle]
    ax.errorbar(100 * left.mean(0), middle, spread, label=name, capsize=3, **series_style(i))
    print(name, *(f"{100 * s:.0f} %: {a:.1f}" for s, a in zip(left.mean(0), middle, strict=True)))
ax.set(xlabel="parameters left (%)", ylabel="test accuracy (%)", xlim=(0, 104))
ax.set_title("Fine-tuned after the cut")
ax.legend()

# %%
# Time
# ----
# Operations are counted, time is measured: the least of many calls, of one thread, the networks in
# turns. For one image it falls little, since to call a layer costs more than what it computes; for
# many it comes closer to operations.


@torch.inference_mode()
def time_left(batch):
    times, inputs = {network: [], smaller: []}, torch.from_numpy(images[:batch])
    for _ in range(100):
        for module, seconds in times.items():
            start = time.process_time_ns()
            module.eval()(inputs)
            seconds.append(time.process_time_ns() - start)
    return min(times[smaller]) / min(times[network])


example = torch.from_numpy(images[:1])
shares = {
    "parameters": count_parameters(smaller) / count_parameters(network),
    "operations": count_flops(smaller, example) / count_flops(network, example),
    "time, 256 images": time_left(256),
    "time, one image": time_left(1),
}
clock.barh(list(shares), [100 * share for share in shares.values()], color=series_style(0)["color"])
clock.invert_yaxis()
clock.set(xlabel="left (%)", title=f"{PRUNED:.0%} of the channels cut", xlim=(0, 100))
for name, share in shares.items():
    print(f"{name}: {100 * share:.0f} % left")
plt.show()

# %%
# Where to go next: the guide's page on smaller networks says what else can go than channels.
