"""Adaptive early-learning correction of masks in the training step."""

from typing import Any, Literal, Self

import numpy as np
import torch
from torch import nn

from ..frame._batches import check_choice, check_number
from ..frame._memory import SampleMemory
from ..frame._processes import mean_over_processes
from ..frame._regularizer import Batch, Net, Regularizer
from ._label_correction import IGNORED, correct_labels
from ._memorization_onset import Onset, memorization_onset
from ._multiscale import check_scales, multiscale_consistency, resized


class ADELE(Regularizer):
    """Corrects training masks class by class, when their errors begin to be learned.

    Adaptive early-learning correction (Liu et al. 2022), for masks that are wrong in a systematic
    way. After each epoch the intersection over union between predictions and training masks is
    noted for each class; a class whose curve has levelled off, as
    `skreg.deep.torch.memorization_onset` tells, is on from then. Pixels of classes that are on get
    the predicted label where the network is confident and disagrees, by
    `skreg.deep.torch.correct_labels`; training goes on with the new masks. Cross entropies and a
    consistency at several scales make the predictions better.

    Correction makes masks worse if the network is worse than they are: trained for too short a
    time, or on masks that are nearly right. Look at `label_changes_`.

    Parameters
    ----------
    r : float, default=0.9
        Share of its first slope that a curve must lose, in (0, 1); less begins earlier.
    tau : float, default=0.8
        Confidence that a new label needs. Where a share e of the objects is wrong, the network that
        has learned as much as can be known is 1 - e sure: take `tau` below that.
    tau_background : float, default=None
        Confidence that the background needs, None for `tau`.
    background : int or None, default=0
        Place of the background in the classes, None if there is none.
    rule : {"both", "prediction"}, default="both"
        Whether the class of a pixel and the predicted one must both be on, or the predicted one.
    class_constraint : bool, default=True
        Whether images get no classes that their mask has not.
    max_change : float, default=None
        Leave an image alone if more than this share of its pixels would change.
    every : int, default=1
        Number of epochs between corrections; a class that comes on is corrected at once.
    restart : bool, default=False
        Whether each correction starts from the given masks, not from the ones so far.
    reference : {"given", "corrected"}, default="given"
        Masks that predictions are compared with in the curves.
    min_points : int, default=4
        Number of epochs before a curve is looked at.
    scales : tuple of float or None, default=(0.7, 1.0, 1.5)
        Scales of the consistency, 1.0 among them; each costs a pass. None trains at one scale.
    lam : float, default=1.0
        Strength of the consistency.
    rho : float, default=0.8
        Confidence that an image needs to count in it.
    predict_scales : tuple of float, default=(1.0,)
        Scales whose mean logits correct the masks.

    Attributes
    ----------
    corrected_labels_ : ndarray of shape (n_samples, height, width)
        Masks as they are now, of places in the classes, -100 where ignored; the given masks if
        there was no correction.
    onset_epoch_ : ndarray of shape (n_classes,), int64
        Epoch after which each class came on, -1 for those that did not.
    iou_history_ : ndarray of shape (n_epochs, n_classes)
        The curves; nan for a class that is in no mask and no prediction.
    label_changes_ : ndarray of shape (n_epochs,), int64
        Number of pixels that got another label after each epoch.

    References
    ----------
    .. [1] S. Liu, K. Liu, W. Zhu, Y. Shen, C. Fernandez-Granda, "Adaptive Early-Learning
       Correction for Segmentation from Noisy Annotations", CVPR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.deep import DeepSegmenter
    >>> from skreg.deep.regularizers import ADELE
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.random((40, 2, 2)).repeat(6, axis=1).repeat(6, axis=2) > 0.5
    >>> images = truth + rng.normal(0, 0.3, truth.shape)
    >>> masks = truth & (rng.random((40, 2, 2)).repeat(6, axis=1).repeat(6, axis=2) > 0.2)
    >>> adele = ADELE(tau=0.6, rule="prediction", class_constraint=False, scales=None)
    >>> model = DeepSegmenter(
    ...     regularizers=[("adele", adele)], max_epochs=20, lr=0.01, random_state=0
    ... ).fit(images, masks)
    >>> fitted = dict(model.net_.regularizers)["adele"]
    >>> int(np.sum(masks != truth)) > 2 * int(np.sum(fitted.corrected_labels_ != truth))
    True
    """

    tasks = ("dense",)
    needs_index = True
    beside_mixing = "never"

    def __init__(
        self,
        r: float = 0.9,
        tau: float = 0.8,
        *,
        tau_background: float | None = None,
        background: int | None = 0,
        rule: Literal["both", "prediction"] = "both",
        class_constraint: bool = True,
        max_change: float | None = None,
        every: int = 1,
        restart: bool = False,
        reference: Literal["given", "corrected"] = "given",
        min_points: int = 4,
        scales: tuple[float, ...] | None = (0.7, 1.0, 1.5),
        lam: float = 1.0,
        rho: float = 0.8,
        predict_scales: tuple[float, ...] = (1.0,),
    ) -> None:
        self.r = r
        self.tau = tau
        self.tau_background = tau_background
        self.background = background
        self.rule = rule
        self.class_constraint = class_constraint
        self.max_change = max_change
        self.every = every
        self.restart = restart
        self.reference = reference
        self.min_points = min_points
        self.scales = scales
        self.lam = lam
        self.rho = rho
        self.predict_scales = predict_scales

    def initialize(self) -> Self:
        check_number("r", self.r, 0, 1, above=True, below=True)
        check_number("tau", self.tau, 0, 1)
        check_number("every", self.every, 1)
        check_number("min_points", self.min_points, 3)
        check_number("lam", self.lam, 0)
        check_number("rho", self.rho, 0)
        check_choice("reference", self.reference, ("given", "corrected"))
        check_choice("rule", self.rule, ("both", "prediction"))
        check_scales(self.predict_scales, "predict_scales")
        if self.scales is not None:
            check_scales(self.scales)
            if 1.0 not in self.scales:
                raise ValueError(f"scales must contain 1.0, got {self.scales!r}")
        return self

    def state(self, net: Net) -> nn.Module | None:
        """Make the memories of masks, curves, onsets and changes."""
        self.given_, self.masks_ = (SampleMemory(dtype=torch.int16) for _ in range(2))
        self.curves_ = SampleMemory(dtype=torch.float64)
        self.onsets_, self.changes_ = (SampleMemory(dtype=torch.int64) for _ in range(2))
        memories = {"given": self.given_, "masks": self.masks_, "curves": self.curves_}
        return nn.ModuleDict({**memories, "onsets": self.onsets_, "changes": self.changes_})

    # training

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        """Begin to count."""
        self.confusion_: torch.Tensor | None = None

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        """Corrected masks in place of the given ones."""
        self.given_.allocate(net.n_samples_, tuple(y.shape[1:]), like=y)
        self.given_.write(batch.index, batch.y)
        if not self.masks_.n_samples:
            return y
        return self._masks_of(batch.index, y)

    def _masks_of(self, index, y):
        """Masks as they are now; those of samples that are new are the given ones."""
        if not self.masks_.n_samples:
            return y
        self.masks_.allocate(max(self.given_.n_samples, self.masks_.n_samples), tuple(y.shape[1:]))
        seen = self.masks_.seen(index)[:, None, None]
        return torch.where(seen, self.masks_.read(index).to(y.dtype), y)

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """Count how predictions agree with masks, and add the losses at other scales."""
        if batch.first_pass:
            self._count(y_pred, batch.y if self.reference == "given" else batch.targets)
        if self.scales is None:
            return None
        size = (y_pred.shape[2], y_pred.shape[3])
        others = [
            resized(net.forward_again(resized(batch.X, scale)), size)
            for scale in self.scales
            if scale != 1.0
        ]
        term = self.lam * multiscale_consistency([y_pred, *others], self.rho)
        for logits in others:
            term = term + net.sample_losses(logits, batch)
        weight = batch.sample_weight
        return term.mean() if weight is None else term.mul(weight.to(term.dtype)).mean()

    @torch.no_grad()
    def _count(self, y_pred, reference):
        n_classes, valid = y_pred.shape[1], reference != IGNORED
        pairs = reference[valid] * n_classes + y_pred.argmax(1)[valid]
        counts = torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes)
        self.confusion_ = counts if self.confusion_ is None else self.confusion_ + counts

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        """Note the curves, decide which classes are on, and correct their masks."""
        if self.confusion_ is None:
            return
        epoch, n_classes = len(net.history), len(self.confusion_)
        counts = mean_over_processes(self.confusion_.double(), 1, net.process_group)
        self._note(self.curves_, epoch - 1, _intersections_over_unions(counts))
        self.onsets_.allocate(n_classes, (), like=self.confusion_)
        new = self._new_onsets(n_classes)
        for number in new:
            self._note(self.onsets_, number, torch.tensor(epoch))
        on = self.onsets_.seen(torch.arange(n_classes))
        if new or (on.any() and epoch - self._last_correction() >= self.every):
            self._note(self.changes_, epoch - 1, torch.tensor(self._correct(net, on)))
        else:
            self.changes_.allocate(epoch, ())

    def _last_correction(self):
        """Epoch of the latest correction."""
        return int(self.changes_.written.nonzero().max()) + 1

    def _note(self, memory, row, value):
        """Write one row of a memory."""
        value = value.to(memory.values.device)
        memory.allocate(max(row + 1, memory.n_samples), tuple(value.shape))
        memory.write(torch.tensor([row], device=value.device), value[None])

    def _new_onsets(self, n_classes):
        """Classes that come on now."""
        off = ~self.onsets_.seen(torch.arange(n_classes))
        return [
            number
            for number in range(n_classes)
            if off[number] and number != self.background and self.onset(number).is_on
        ]

    def onset(self, number: int, epoch: int | None = None) -> Onset:
        """The fit to the curve of a class, and whether it has levelled off.

        Parameters
        ----------
        number : int
            Place of the class in the classes.
        epoch : int, default=None
            How many epochs to look at; all so far if None.

        Returns
        -------
        Onset
            What `skreg.deep.torch.memorization_onset` says.
        """
        curve = np.nan_to_num(self.iou_history_[:epoch, number])
        return memorization_onset(curve, self.r, min_points=self.min_points)

    def _correct(self, net, on):
        """Correct the masks of all training samples; returns the number of pixels that change."""
        n_changed = 0
        on = on.to(self.given_.values.device)
        with net.evaluating():
            for X, y, index in net.training_batches():
                logits = torch.stack(
                    [
                        resized(net.forward_again(resized(X, scale)), tuple(y.shape[1:]))
                        if scale != 1.0
                        else net.forward_again(X)
                        for scale in self.predict_scales
                    ]
                ).mean(0)
                before = self._masks_of(index, y)
                new, _ = correct_labels(
                    y if self.restart else before,
                    net.probabilities(logits),
                    on,
                    tau=self.tau,
                    tau_background=self.tau_background,
                    background=self.background,
                    class_constraint=self.class_constraint,
                    rule=self.rule,
                    max_change=self.max_change,
                )
                self.masks_.allocate(net.n_samples_, tuple(y.shape[1:]), like=y)
                self.masks_.write(index, new)
                n_changed += int((new != before).sum())
        return n_changed

    # what was found

    @property
    def corrected_labels_(self) -> np.ndarray:
        """Masks as they are now."""
        given = self.given_.values
        index = torch.arange(len(given), device=given.device)
        return self._masks_of(index, given).cpu().numpy().astype(np.int64)

    @property
    def onset_epoch_(self) -> np.ndarray:
        """Epoch after which each class came on."""
        epochs = torch.where(self.onsets_.written, self.onsets_.values, -1)
        return epochs.cpu().numpy()

    @property
    def iou_history_(self) -> np.ndarray:
        """The curves."""
        return self.curves_.values.cpu().numpy()

    @property
    def label_changes_(self) -> np.ndarray:
        """Number of pixels that changed after each epoch."""
        return self.changes_.values.cpu().numpy()


def _intersections_over_unions(counts):
    """Of each class, from a confusion matrix; nan for classes that are nowhere."""
    both = counts.diagonal()
    return both / (counts.sum(0) + counts.sum(1) - both)
