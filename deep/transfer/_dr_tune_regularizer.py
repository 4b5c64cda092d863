"""DR-Tune in the training step."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Literal, Self

import skorch.dataset
import skorch.utils
import torch
from torch import nn
from torch.utils.data import IterableDataset, Subset

from skreg._warnings import warn

from ..frame._batches import check_choice, check_number, check_range, in_full_precision
from ..frame._frozen_copy import FrozenCopy, bare
from ..frame._indexed import INPUTS, WEIGHT
from ..frame._parameter_groups import own_group
from ..frame._processes import gather_batches, mean_over_processes, of_first_process
from ..frame._regularizer import Batch, Net, Regularizer
from ..frame._training_pass import LayerRecorder, is_labelled, last_linear, recording
from ._dr_tune import (
    FeatureBank,
    SemanticCalibration,
    calibrated,
    check_class_numbers,
    check_features,
    check_strength,
    mean_length,
)

TOLERANCE = 2e-2  # of the largest output, in half precision
CALIBRATIONS: dict[str, dict[str, bool]] = {
    "full": {},
    "translation": {"rotation": False},
    "rotation": {"translation": False},
    "none": {},
}


class DRTune(Regularizer):
    """Fine-tunes a pretrained network whose head must also fit the features as they were.

    The module comes with pretrained weights and a new last linear layer, the head. What lies before
    it is free to move, while the head also classifies features of the pretrained network for up to
    `bank_size` training samples (Zhou et al. 2023). These are first rotated, and shifted class by
    class, to where the features are now. A frozen copy of the network, as it is when training
    begins, and the banks of features are part of checkpoints; predictions do without them.

    The loss is ``(cross entropy + lam * that of the bank) / (1 + lam)``, and the head has
    ``1 + lam`` times the learning rate of the net. Under SGD the layers before it thus move as in
    plain training at a rate that is ``1 + lam`` times smaller. Adam and its kin do not see the
    scale of a loss: with them these layers move at the full rate, which must be one for
    fine-tuning.

    Regularizers that soften targets act on the batch; ``criterion__label_smoothing`` acts on the
    bank as well. Whole-number sample weights are repetitions. Several processes fill the same
    banks together.

    Parameters
    ----------
    bank_size : int, default=2048
        Number of rows in the banks, K. If there are fewer training samples when training begins,
        the banks have as many rows as there are samples, and a warning says so.
    lam : float or "auto", default="auto"
        Strength of the bank's loss; "auto" is the number of rows over that of samples in a step.
    head_lr_multiplier : float or "auto", default="auto"
        Learning rate of the head over that of the other layers; "auto" is ``1 + lam``.
    calibration : {"full", "translation", "rotation", "none"}, default="full"
        What is done to the pretrained features.
    rotation_every : int, default=10
        Rotate in steps whose number is a multiple of this, and not at all in those between. The
        singular value decomposition of a matrix of n_features x n_features is what the method
        costs; with few features or little data, one is affordable.
    similarity : {"cosine", "dot"}, default="cosine"
        How the head's confidence in a row weights it in the centre of its class; see
        `skreg.deep.torch.SemanticCalibration`.

    Attributes
    ----------
    bank_ : skreg.deep.torch.FeatureBank
        The banks.
    bank_size_ : int
        Number of their rows.
    lambda_ : float
        The strength in use.
    pretrained_ : skreg.deep.torch.FrozenCopy
        The network before training.

    References
    ----------
    .. [1] N. Zhou, J. Chen, D. Huang, "DR-Tune: Improving Fine-tuning of Pretrained Visual Models
       by Distribution Regularization with Semantic Calibration", ICCV 2023.

    Examples
    --------
    A network that knows the digits 0 to 4 learns 5 to 9 from a few of each:

    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from skreg.deep import DeepClassifier, ResidualMLP
    >>> from skreg.deep.regularizers import DRTune
    >>> X, y = load_digits(return_X_y=True)
    >>> before = DeepClassifier(
    ...     ResidualMLP(64, 5, width=32), standardize=False, max_epochs=10, random_state=0
    ... ).fit(X[y < 5] / 16, y[y < 5])
    >>> network = before.net_.module_
    >>> _ = torch.manual_seed(0)
    >>> network.head = torch.nn.Linear(32, 5)
    >>> X, y = X[y >= 5] / 16, y[y >= 5]
    >>> model = DeepClassifier(
    ...     network,
    ...     [("dr", DRTune(bank_size=50))],
    ...     optimizer=torch.optim.SGD,
    ...     lr=0.05,
    ...     batch_size=16,
    ...     max_epochs=30,
    ...     standardize=False,
    ...     random_state=0,
    ... )
    >>> model.fit(X[:50], y[:50]).score(X[50:], y[50:]) > 0.8
    True
    >>> dict(model.net_.regularizers)["dr"].lambda_
    3.125
    """

    tasks = ("classification",)
    beside_mixing = "never"
    layer = "penultimate"
    fixed = ("bank_size",)

    def __init__(
        self,
        bank_size: int = 2048,
        lam: float | Literal["auto"] = "auto",
        head_lr_multiplier: float | Literal["auto"] = "auto",
        *,
        calibration: Literal["full", "translation", "rotation", "none"] = "full",
        rotation_every: int = 10,
        similarity: Literal["cosine", "dot"] = "cosine",
    ) -> None:
        self.bank_size = bank_size
        self.lam = lam
        self.head_lr_multiplier = head_lr_multiplier
        self.calibration = calibration
        self.rotation_every = rotation_every
        self.similarity = similarity

    def initialize(self) -> Self:
        check_number("bank_size", self.bank_size, 1)
        check_strength(self.lam)
        check_choice("calibration", self.calibration, CALIBRATIONS)
        if isinstance(self.head_lr_multiplier, str):
            check_choice("head_lr_multiplier", self.head_lr_multiplier, ("auto",))
        else:
            check_number("head_lr_multiplier", self.head_lr_multiplier, 0)
        parts = CALIBRATIONS[self.calibration]
        made = SemanticCalibration(
            rotation_every=self.rotation_every, similarity=self.similarity, **parts
        )
        self.calibrate_ = None if self.calibration == "none" else made
        return self

    def state(self, net: Net) -> nn.Module | None:
        """Make room for the frozen copy and the banks."""
        self.state_ = PretrainedState(bare(net.module_), self.bank_size)
        return self.state_

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Give the head a group of its own; its learning rate is known when training begins."""
        own_group(optimizer, last_linear(bare(net.module_)).parameters())
        return optimizer

    def on_train_begin(self, net: Net, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Set the size of the banks, and what follows from it, before schedules start."""
        n = net.n_training_samples(X, y)
        bank = self.state_.bank
        if n is not None and not bank.count:
            if n < self.bank_size:
                warn(
                    f"bank_size={self.bank_size} is more than the {n} training samples: the banks "
                    f"of DRTune have {n} rows"
                )
            bank.reset(min(n, self.bank_size), bank.dim)
        in_step = net.batch_size * net.accumulation_steps * n_processes(net.process_group)
        if n is not None:
            in_step = min(in_step, n) if in_step > 0 else n
        self.lambda_ = bank.size / in_step if self.lam == "auto" else float(self.lam)
        scale = self.head_lr_multiplier
        own_group(
            net.optimizer_,
            last_linear(bare(net.module_)).parameters(),
            lr_scale=1 + self.lambda_ if scale == "auto" else scale,
        )

    def on_epoch_begin(self, net: Net, dataset_train: Any = None, **kwargs: Any) -> None:
        """Take the network as the pretrained one and fill the banks, before the first step."""
        if self.state_.bank.count:
            return
        self.state_.network = FrozenCopy(net.module_)
        for X, y, weight in rows_of(net, dataset_train, self.bank_size_):
            features, outputs = self._pretrained(net, X)
            self._check(features, outputs, y)
            self._enqueue(net, features, features, y, weight)

    def losses(self, net: Net, batch: Batch, losses: torch.Tensor) -> torch.Tensor:
        """Divide them by ``1 + lam``."""
        return losses / (1 + self.lambda_)

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor:
        """Loss of the head on the bank as it was before this batch, in every pass of the step."""
        head, bank = last_linear(bare(net.module_)), self.state_.bank
        if batch.first_pass:
            scale = mean_length(features, batch.sample_weight)
            scale = mean_over_processes(scale, len(features), net.process_group)
            rows = calibrated(bank, self.calibrate_, head.weight.detach(), scale, batch.step)
            batch.extras[self] = rows, bank.labels, bank.shares
            before, _ = self._pretrained(net, batch.X)
            self._enqueue(net, features, before, batch.y, batch.sample_weight)
        rows, labels, share = batch.extras[self]
        of_bank = batch._replace(targets=labels, sample_weight=share)
        losses = net.sample_losses(head(rows), of_bank)
        return self.lambda_ / (1 + self.lambda_) * (share.to(losses) @ losses)

    def _pretrained(self, net, X):
        """Features and outputs of the pretrained network, in the precision of the net."""
        network, recorder = self.state_.network, LayerRecorder(self.layer)
        precision = net.mixed_precision and getattr(torch, net.mixed_precision)
        device = self.state_.bank.labels.device.type
        handle = recorder.attach(network.module)
        try:
            with recording([recorder]), torch.autocast(device, precision, enabled=bool(precision)):
                outputs = network(**X) if isinstance(X, Mapping) else network(X)
        finally:
            handle.remove()
        return recorder.take(), outputs

    def _check(self, features, outputs, y):
        """Raise ValueError unless features and labels belong to a linear head of classes."""
        head = last_linear(self.state_.network.module)
        check_features("inputs of the module's last linear layer", features, len(y), None)
        check_class_numbers(y)
        check_range("labels", y, head.out_features)
        told = head(features.to(head.weight.dtype))
        is_like = isinstance(outputs, torch.Tensor) and outputs.shape == told.shape
        largest = told.abs().amax()
        if not is_like or ((outputs - told).abs() > TOLERANCE * largest).any():
            raise ValueError(
                "DRTune needs a module that ends with its last linear layer, but its outputs are "
                f"not those of {head}: let the module return logits"
            )

    def _enqueue(self, net, downstream, pretrained, y, weight):
        """Put rows into the banks, those of all processes."""
        bank = self.state_.bank
        weight = torch.ones(len(y), device=y.device) if weight is None else weight
        parts = [
            part.detach().to(bank.weight) for part in (downstream, pretrained, weight[:, None])
        ]
        y, rows = gather_batches(y.long(), torch.cat(parts, 1), net.process_group)
        downstream, pretrained, weight = rows.split([bank.dim, bank.dim, 1], 1)
        bank.enqueue(downstream, pretrained, y, weight.squeeze(1))

    @property
    def bank_(self) -> FeatureBank:
        """The banks."""
        return self.state_.bank

    @property
    def bank_size_(self) -> int:
        """Number of rows of the banks."""
        return self.state_.bank.size

    @property
    def pretrained_(self) -> FrozenCopy:
        """The network before training."""
        return self.state_.network


class PretrainedState(nn.Module):
    """The network before training, and the banks of features, in a checkpoint.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    bank_size : int
        Number of rows of the banks.
    """

    def __init__(self, module: nn.Module, bank_size: int) -> None:
        super().__init__()
        head = last_linear(module)
        self.network = FrozenCopy(module)
        self.bank = FeatureBank(bank_size, head.in_features)
        self.bank.to(in_full_precision(head.weight.detach()))


def n_processes(group):
    """Number of processes that train together."""
    return 1 if group is None else torch.distributed.get_world_size(group)


def rows_of(net, dataset, n):
    """Batches (X, y, weight) of n random training samples, or of the first n of a stream."""
    if not isinstance(dataset, IterableDataset):
        with torch.random.fork_rng(devices=[]):  # training draws the same numbers as without
            order = torch.randperm(len(dataset))[:n].tolist()
        dataset = Subset(dataset, of_first_process(order, net.process_group))
    to_device = functools.partial(skorch.utils.to_tensor, device=net.device)
    seen = 0
    for batch in net.get_iterator(dataset, training=False):
        inputs, y = skorch.dataset.unpack_data(batch)
        labelled = inputs if is_labelled(inputs) else {INPUTS: inputs}
        weight = labelled.get(WEIGHT)
        if weight is not None:
            weight = to_device(weight)
        yield to_device(labelled[INPUTS]), to_device(y), weight
        seen += len(y)
        if seen >= n:
            return
