"""
========================
Digits that come in turn
========================

New classes arrive, and the samples of the old ones are gone. A head that is trained on each task's
classes alone tells these apart, but its logits for different tasks have never been compared. Which
task wins at a new sample? Virtual outlier regularization gives each task's logits a common scale,
without a single sample of another task.
"""

# %%
# Features of a frozen network
# ----------------------------
# Here they are random combinations of pixels; a pretrained network without its last layer is the
# usual case, for which there is ``ClassIncrementalClassifier``. Two digits make a task.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skreg.deep import TaskAccuracyDisplay, VORLogisticHead
from skreg.pictures import STYLE

# sphinx_gallery_thumbnail_number = 1
plt.rcParams.update(STYLE)
SEED = 0

rng = np.random.default_rng(SEED)
pixels, y = load_digits(return_X_y=True)
X = np.maximum(pixels / 16 @ rng.normal(size=(64, 256)) / 8 + rng.normal(size=256), 0)
X, X_test, y, y_test = train_test_split(X, y, train_size=1000, stratify=y, random_state=SEED)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)

# %%
# With and without the regularizer
# --------------------------------
# ``fit`` takes the task of each sample and learns one task after the other; ``partial_fit`` takes
# one task in a call. ``synthesizer="none"`` leaves the outliers out, and asks of each task's own
# features only that they have low energy: in our benchmark no outliers were better than that.

heads = {
    "Cross entropy alone": VORLogisticHead(regularizer=None, random_state=SEED),
    "Low energy for own features": VORLogisticHead(synthesizer="none", random_state=SEED),
}
figure, axes = plt.subplots(1, 2, figsize=(9.6, 4.0), layout="constrained")
for ax, (name, head) in zip(axes, heads.items(), strict=True):
    head.fit(X, y, task=y // 2, X_val=X_test, y_val=y_test)
    TaskAccuracyDisplay.from_estimator(head, ax=ax, name=name)
    print(f"{name}: mean accuracy {head.average_accuracy_:.3f}, forgetting {head.forgetting_:.3f}")

# %%
# Each row shows the accuracies after one more task. The rows of the head that belong to a task are
# never touched again, in both heads; what is forgotten is lost to rivals that came later, and that
# is less where all logits have one scale.

# %%
# The scale of the logits
# -----------------------
# The largest logit of the true task and of all other tasks, at test digits:

figure, axes = plt.subplots(1, 2, figsize=(9.6, 3.4), layout="constrained", sharey=True)
for ax, (name, head) in zip(axes, heads.items(), strict=True):
    logits = head.decision_function(X_test).reshape(len(X_test), 5, 2).max(axis=2)
    own = np.arange(5) == (y_test // 2)[:, None]
    bins = np.linspace(0, 25, 51)
    ax.hist(logits[own], bins, density=True, alpha=0.7, label="true task")
    best_other = np.where(own, -np.inf, logits).max(axis=1)
    ax.hist(best_other, bins, density=True, alpha=0.7, label="best of the other tasks")
    ax.set(title=name, xlabel="Largest logit")
axes[0].legend()
axes[0].set_ylabel("Density")

# %%
# Where samples are nearly normal within classes, linear discriminants whose sums grow with each
# task are a strong rival, and need no training: try them first.
#
# Where to go next: few samples for a pretrained network,
# :ref:`sphx_glr_gallery_plot_few_noisy_digits.py`; rivals with error bars by
# ``skreg bench run ovor``.
