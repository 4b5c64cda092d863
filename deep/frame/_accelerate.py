"""Several processes and devices, by Hugging Face's accelerate through skorch's mixin.

Needs the extra "accelerate": ``pip install 'skreg[accelerate]'``.
"""

import contextlib
import itertools
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import skorch.hf
import torch
from skorch.callbacks import EpochScoring, LRScheduler
from skorch.utils import to_device
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, IterableDataset, Subset

from ._memory import SampleMemory
from ._optimizer import needs_closure
from ._processes import gather_objects, of_first_process

PREFIXES = ("train", "valid")


class AccelerateMixin(skorch.hf.AccelerateMixin):
    """skorch's ``AccelerateMixin`` for nets with regularizers; comes first among the bases.

    Each process gets the whole data and works on its share of every batch. Common to all
    processes are, and equal to those of one process that sees the batches together:

    - the weights, and per-sample memories (`skreg.deep.torch.SampleMemory`), which are exchanged
      among the processes of this net only; of a sample that occurs twice, the last row stays;
    - all losses and other numbers that are recorded for batches, scores of skorch's
      ``EpochScoring`` whatever they compute, and thus what early stopping, schedules and
      checkpoints decide by them. They are exchanged once, at the end of each epoch;
    - the split into training and validation data, and the end of training: when a callback of one
      process stops it at the end of an epoch, it ends in all. A callback that goes by a number
      of its own process, a clock for example, comes last in the list of callbacks.

    Accelerate fills up the last training batches of an epoch with samples from its beginning.
    These count in the training loss and in scores on training data, as they do in training.
    Validation counts each sample once, unless the accelerator has ``dispatch_batches=True``.

    What still depends on a process's share of a batch:

    - batch normalisation, as with torch's ``DistributedDataParallel``: statistics are those of the
      share, the running ones those of the first process (``SyncBatchNorm`` is the remedy);
    - losses over pairs of samples, `ThresholdConsistentMargin` and `ConR`: a sample is paired with
      those of its share only, in two processes (n / 2) - 1 of the n - 1 others. After 20 epochs in
      two processes with shares of 32 samples, the weights differ from those of one process with
      batches of 64 by 8 to 43 % of their norm (margin loss, digits; it moves them by 60 to 69 %;
      accuracy differs by at most 0.4 points) and by 34 to 55 % (ConR, diabetes; it moves them by
      92 to 95 %). Give each process the batch size that the method would have alone;
    - random draws (dropout, noise, partners in mixup), which each process makes for its share. A
      training that is resumed from a checkpoint shuffles as if never interrupted, but draws anew.

    Optimizers that evaluate the loss several times in a step work unless gradients are scaled.
    The precision is that of the ``Accelerator``; batches are accumulated by
    ``accumulation_steps`` of the net. Every process must have whole copies of the module:
    DeepSpeed and FSDP, which cut it up, are refused.

    Parameters
    ----------
    *args : tuple
        Positional arguments of the net.
    accelerator : accelerate.Accelerator
        The accelerator.
    device : None
        Leave this to the accelerator.
    unwrap_after_train : bool, default=True
        Whether the fitted module predicts in its own precision and can be pickled; if False, it
        keeps the accelerator's precision.
    callbacks__print_log__sink : "auto" or callable, default="auto"
        What prints a line for each epoch; ``"auto"`` prints in the main process only.
    **kwargs : dict
        Keyword arguments of the net.

    Attributes
    ----------
    process_group : torch.distributed.ProcessGroup or None
        The processes that train this net together, None if it is one alone.

    Raises
    ------
    ValueError
        When training begins, if precision or accumulation are given to the wrong one of the two,
        gradients are scaled and the optimizer evaluates the loss several times, the processes
        have data of different sizes, or a schedule goes by the loss of single batches.
    RuntimeError
        If the training of several processes is interrupted within an epoch.

    Examples
    --------
    The script of ``accelerate launch --num_processes 2 script.py``:

    >>> import torch
    >>> from accelerate import Accelerator
    >>> from skreg.deep import AccelerateMixin, RegularizedNetClassifier
    >>> class AcceleratedNet(AccelerateMixin, RegularizedNetClassifier):
    ...     pass
    >>> net = AcceleratedNet(torch.nn.Linear, accelerator=Accelerator(cpu=True))
    """

    @property
    def process_group(self) -> torch.distributed.ProcessGroup | None:
        """The processes that train this net together, None if it is one alone."""
        return torch.distributed.group.WORLD if self.accelerator.num_processes > 1 else None

    # before training

    def check_training_readiness(self) -> None:
        """Check the arguments."""
        super().check_training_readiness()
        if self.mixed_precision is not None:
            raise ValueError("give mixed_precision to the Accelerator, not to the net")
        if self.accelerator.gradient_accumulation_steps > 1:
            raise ValueError(
                "give accumulation_steps to the net, not gradient_accumulation_steps to the "
                "Accelerator"
            )
        kind = self.accelerator.distributed_type.value
        if self.accelerator.num_processes > 1 and not kind.startswith("MULTI_"):
            raise ValueError(
                f"the accelerator has distributed_type {kind}; AccelerateMixin needs one in which "
                "every process has a whole copy of the module (MULTI_CPU, MULTI_GPU, ...)"
            )

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Training and validation data, the same in all processes.

        Parameters
        ----------
        X : array, Tensor, Dataset, or what skorch takes
            Inputs.
        y : array, default=None
            Targets.
        **fit_params : dict
            Further arguments of ``train_split``.

        Returns
        -------
        tuple of Dataset
            Training and validation data; the latter may be None.
        """
        parts = super().get_split_datasets(X, y, **fit_params)
        sizes = [
            None if part is None or isinstance(part, IterableDataset) else len(part)
            for part in parts
        ]
        of_all = gather_objects(sizes, self.process_group)
        if any(other != sizes for other in of_all):
            raise ValueError(
                f"the processes have data of different sizes (training, validation): {of_all}; "
                "give each process the whole data, which the accelerator deals out"
            )
        for part in parts:
            if isinstance(part, Subset):
                part.indices = of_first_process(part.indices, self.process_group)
        return parts

    # Modules, criteria and optimizers are wrapped by the accelerator only while an epoch of
    # training runs. Validation, callbacks, checkpoints, pickles and predictions see them bare.

    def _initialize_accelerator(self):
        if hasattr(self, "prepared_"):
            self._unwrap_accelerator()
        self.prepared_ = {}
        self._prepare_parts()
        return self

    def _prepare_parts(self):
        """Let the accelerator wrap the parts, unless it has done so and they are the same."""
        for name in (*self._modules, *self._criteria, *self._optimizers):
            part, known = getattr(self, f"{name}_"), self.prepared_.get(f"{name}_")
            if known is None or not known.is_of(part):
                if known is not None:
                    known.release(self.accelerator)
                self.prepared_[f"{name}_"] = Prepared(part, self.accelerator)

    @contextlib.contextmanager
    def _wrapped(self):
        self._prepare_parts()
        bare = {name: getattr(self, name) for name in self.prepared_}
        for name, prepared in self.prepared_.items():
            setattr(self, name, prepared.wrapper)
        try:
            yield
        finally:
            for name, part in bare.items():
                setattr(self, name, part)

    def _unwrap_accelerator(self):
        for prepared in self.prepared_.values():
            prepared.release(self.accelerator)
        self.prepared_ = {}

    def __getstate__(self):
        return {**super().__getstate__(), "prepared_": {}}

    # training

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **fit_params: Any) -> Any:
        """Train.

        Parameters
        ----------
        X : array, Tensor, Dataset, or what skorch takes
            Inputs.
        y : array, default=None
            Targets.
        epochs : int, default=None
            Number of epochs.
        **fit_params : dict
            Further arguments.

        Returns
        -------
        net
            This net.
        """
        if self.process_group is None:
            return super().fit_loop(X, y, epochs, **fit_params)
        for name, callback in self.callbacks_:
            if _decides_by_batch(callback):
                raise ValueError(
                    f"the schedule {name!r} goes by the loss of each batch, of which a process "
                    "sees its share only: use step_every='epoch'"
                )
        try:
            return super().fit_loop(X, y, epochs, **fit_params)
        except StoppedTogether:
            raise
        except KeyboardInterrupt as interrupt:
            raise RuntimeError(
                "training was interrupted in one process, in the middle of an epoch; the others "
                "cannot know. Stop all processes, or stop from a callback's on_epoch_end"
            ) from interrupt

    def run_single_epoch(
        self,
        iterator: DataLoader | None,
        training: bool,
        prefix: Literal["train", "valid"],
        step_fn: Callable[..., Any],
        **fit_params: Any,
    ) -> None:
        """Train, or validate, for an epoch.

        Parameters
        ----------
        iterator : DataLoader or None
            Yields the batches.
        training : bool
            Whether to train.
        prefix : {"train", "valid"}
            Begins the names of what is recorded.
        step_fn : callable
            Does a step.
        **fit_params : dict
            Further arguments of the step.
        """
        if training:
            with self._wrapped():
                super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)
            self._share_buffers()
        else:
            sampler = getattr(iterator, "batch_sampler", None)
            if sampler is not None and hasattr(sampler, "even_batches"):
                sampler.even_batches = False
            super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def _share_buffers(self):
        """Give all processes the buffers of the first, as each training pass does."""
        if self.process_group is None:
            return
        for name in self._modules:
            for part in getattr(self, f"{name}_").modules():
                if not isinstance(part, SampleMemory):  # the same already
                    for buffer in part.buffers(recurse=False):
                        of_first = buffer.contiguous()
                        torch.distributed.broadcast(of_first, 0, group=self.process_group)
                        buffer.copy_(of_first)

    def train_step_single(self, batch: tuple[Any, ...], **fit_params: Any) -> dict[str, Any]:
        """Loss and gradient of one batch, in the accelerator's precision.

        Parameters
        ----------
        batch : tuple
            The batch.
        **fit_params : dict
            Further arguments of the module.

        Returns
        -------
        dict
            The loss and the predictions.
        """
        with self.accelerator.autocast():
            return super(skorch.hf.AccelerateMixin, self).train_step_single(batch, **fit_params)

    def _backward(self, loss):
        self.accelerator.backward(loss)

    def _step_optimizer(self, step_fn):
        if self.accelerator.scaler is not None:
            super()._step_optimizer(step_fn)
        else:
            self.optimizer_.step(step_fn)

    # what the processes tell each other

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call a method of the net and of all callbacks.

        Parameters
        ----------
        method_name : str
            The method.
        **kwargs : dict
            Its arguments.
        """
        if self.process_group is None:
            super().notify(method_name, **kwargs)
        elif method_name == "on_epoch_end":
            self._share_epoch()
            self._stop_together(lambda: super(AccelerateMixin, self).notify(method_name, **kwargs))
        else:
            if method_name in ("on_train_begin", "on_epoch_begin"):
                self._give_memories(self.process_group)
            super().notify(method_name, **kwargs)
            if method_name == "on_train_end":
                self._give_memories(None)

    def _give_memories(self, group):
        for name in (*self._modules, *self._criteria):
            for part in getattr(self, f"{name}_").modules():
                if isinstance(part, SampleMemory):
                    part.process_group = group

    def _share_epoch(self):
        """Turn the records of this process's shares into those of whole batches."""
        records = self.history[-1]["batches"]
        scorings = [one for _, one in self.callbacks_ if self._keeps_predictions(one)]
        kept = {one.on_train: (stacked(one.y_trues_), stacked(one.y_preds_)) for one in scorings}
        own = [numbers(record) for record in records], kept
        all_records, all_kept = zip(*gather_objects(own, self.process_group), strict=True)
        for i, shares in enumerate(itertools.zip_longest(*all_records, fillvalue={})):
            if i == len(records):
                records.append({})
            records[i].update(whole_record(shares))
        for prefix in PREFIXES:
            if f"{prefix}_batch_count" in self.history[-1]:
                count = sum(f"{prefix}_batch_size" in record for record in records)
                self.history.record(f"{prefix}_batch_count", count)
        for one in scorings:
            one.y_trues_, one.y_preds_ = (
                in_turn(map(unstacked, lists))
                for lists in zip(*(kept[one.on_train] for kept in all_kept), strict=True)
            )

    def _keeps_predictions(self, callback):
        if not isinstance(callback, EpochScoring):
            return False
        return callback.use_caching if self.use_caching == "auto" else self.use_caching

    def _stop_together(self, notify):
        """Call `notify`; if it stops training in some process, stop it in all."""
        stop = None
        try:
            notify()
        except KeyboardInterrupt as interrupt:
            stop = interrupt
        stops = gather_objects(stop is not None, self.process_group)
        if any(stops):
            raise StoppedTogether(f"stopped by process {stops.index(True)}") from stop


class StoppedTogether(KeyboardInterrupt):
    """All processes stop training here. skorch takes it for the end of training."""


class Prepared:
    """A part of a net, and what the accelerator makes of it for training.

    Parameters
    ----------
    part : torch.nn.Module or torch.optim.Optimizer
        The part.
    accelerator : accelerate.Accelerator
        The accelerator.
    """

    def __init__(self, part: Any, accelerator: Any) -> None:
        self.part, self.trained = part, _trained(part)
        self.wrapper = part
        if isinstance(part, nn.Module):
            if accelerator.device_placement:
                part.to(accelerator.device)
            _without_precision(part, accelerator)
            _leave_memories_alone(part)
        elif accelerator.scaler is not None and needs_closure(part):
            raise ValueError(
                f"{type(part).__name__} evaluates the loss several times in a step, which the "
                "gradient scaling of mixed_precision='fp16' does not allow; use 'bf16'"
            )
        if self.trained:
            self.wrapper = accelerator.prepare(part)

    def is_of(self, part):
        """Whether this is of the part, which has the same trained parameters as before."""
        trained = _trained(part)
        return (
            part is self.part
            and len(trained) == len(self.trained)
            and all(a is b for a, b in zip(trained, self.trained, strict=True))
        )

    def release(self, accelerator) -> None:
        """Give the part back as it was, and let the wrapper go."""
        for known in (accelerator._models, accelerator._optimizers):
            known[:] = [one for one in known if one is not self.wrapper and one is not self.part]
        if isinstance(self.part, nn.Module):
            _without_precision(self.part, accelerator)


def _trained(part):
    if isinstance(part, nn.Module):
        return [p for p in part.parameters() if p.requires_grad]
    return [p for group in part.param_groups for p in group["params"]]


def _without_precision(module, accelerator):
    """Undo what the accelerator has done to the forward pass, and let it do so again."""
    accelerator.unwrap_model(module, keep_fp32_wrapper=False)
    vars(module).pop("_is_accelerate_prepared", None)


def _leave_memories_alone(module):
    """Keep DistributedDataParallel from sending whole memories in every pass."""
    names = [
        f"{path}.{name}" if path else name
        for path, part in module.named_modules()
        if isinstance(part, SampleMemory)
        for name, _ in part.named_buffers()
    ]
    if names:
        names += getattr(module, "_ddp_params_and_buffers_to_ignore", [])
        DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(module, names)


def _decides_by_batch(callback):
    return (
        isinstance(callback, LRScheduler)
        and callback.step_every == "batch"
        and callback.policy_ is ReduceLROnPlateau
    )


def numbers(record):
    """The part of a batch's record that can be averaged, and the batch's size."""
    return {
        key: value
        for key, value in record.items()
        if key.endswith("_batch_size")
        or (isinstance(value, Real) and not isinstance(value, Integral))
    }


def whole_record(shares):
    """Record of a batch from those of its shares: sizes summed, means weighted by size."""
    sizes = [
        next((size for key, size in share.items() if key.endswith("_batch_size")), 0)
        for share in shares
    ]
    whole = {}
    for key in dict.fromkeys(itertools.chain(*shares)):
        if key.endswith("_batch_size"):
            whole[key] = sum(sizes)
            continue
        pairs = [(share[key], n) for share, n in zip(shares, sizes, strict=True) if key in share]
        values = {value for value, _ in pairs}
        whole[key] = (  # what is the same everywhere, as a learning rate, stays so to the last bit
            values.pop()
            if len(values) == 1
            else sum(value * n for value, n in pairs) / sum(n for _, n in pairs)
        )
    return whole


class Stacked(NamedTuple):
    """Tensors of one kind, end to end: a pickle of many is ten times as slow."""

    whole: torch.Tensor
    sizes: list


@torch.no_grad()
def stacked(batches):
    """A list of batches on the CPU, as one if they are tensors of one kind."""
    tensors = all(isinstance(one, torch.Tensor) and one.ndim for one in batches)
    if tensors and len({(one.shape[1:], one.dtype) for one in batches}) == 1:
        return Stacked(torch.cat(batches).cpu(), [len(one) for one in batches])
    return to_device(batches, "cpu")


def unstacked(batches):
    """The list of batches again."""
    return batches.whole.split(batches.sizes) if isinstance(batches, Stacked) else batches


def in_turn(lists):
    """The first entries of all lists, then the second ones, and so on."""
    missing = object()
    rounds = itertools.zip_longest(*lists, fillvalue=missing)
    return [item for one in rounds for item in one if item is not missing]
