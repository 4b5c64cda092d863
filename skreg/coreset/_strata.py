"""Subsets that are drawn from each class by itself."""

import numpy as np

from skreg.coreset._sampling import draw, mixed_scores


def quotas(sizes, shares, n_samples):
    """Numbers of rows of the classes, in proportion to shares: all of a class at most, or one.

    What is beyond the size of a class goes to the others; the largest fractions are rounded up.
    """
    wanted = np.zeros(len(sizes))
    open_classes = np.ones(len(sizes), dtype=bool)
    while open_classes.any():
        left = n_samples - sizes[~open_classes].sum()
        wanted[open_classes] = left * shares[open_classes] / shares[open_classes].sum()
        full = open_classes & (wanted >= sizes)
        if not full.any():
            break
        wanted[full] = sizes[full]
        open_classes &= ~full
    numbers = np.clip(np.floor(wanted).astype(int), 1, sizes)
    for k in np.argsort(np.floor(wanted) - wanted, kind="stable"):
        if numbers.sum() < n_samples and numbers[k] < sizes[k]:
            numbers[k] += 1
    return numbers


def draw_from_each_class(scores, classes, omega, floor, n_samples, method, stratify, seed):
    """As `draw`, with a number of rows for each class: by its share of the weight, or equal."""
    weight = np.ones(len(scores)) if omega is None else omega
    labels, position = np.unique(classes[weight > 0.0], return_inverse=True)
    sizes = np.bincount(position)
    proportional = np.bincount(position, weights=weight[weight > 0.0])
    shares = proportional if stratify == "proportional" else np.ones(len(labels))
    q, chosen, factors = np.zeros(len(scores)), [], []
    for k, number in enumerate(quotas(sizes, shares, n_samples)):
        rows = np.flatnonzero((classes == labels[k]) & (weight > 0.0))
        mixed = mixed_scores(scores[rows], floor, None if omega is None else omega[rows])
        if number > 1:
            heaviest = [np.argmax(mixed)]  # so that no class is lost
            q[rows], kept, factor = draw(mixed, number, method, seed + k, heaviest)
        else:  # one row that stands for all of its class, any of them
            q[rows], kept, factor = draw(mixed, number, "systematic", seed + k)
        chosen.append(rows[kept])
        factors.append(factor)
    kept = np.concatenate(chosen)
    order = np.argsort(kept)
    return q, kept[order], np.concatenate(factors)[order]
