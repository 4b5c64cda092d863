"""What skorch nets whose training step asks regularizers have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Literal, Self

import torch
from numpy.typing import ArrayLike
from skorch.callbacks import LRScheduler
from skorch.dataset import unpack_data
from skorch.utils import TeeGenerator, to_tensor

from ._changes import resumed
from ._frozen_copy import bare
from ._indexed import (
    INPUTS,
    WEIGHT,
)
from ._needs import check_layers
from ._net_answers import AnswersRegularizers
from ._net_building import PRECISIONS, BuiltWithRegularizers
from ._net_data import NumberedData
from ._parametrizations import make_picklable
from ._regularizer import NamedRegularizers, Regularizer, overrides
from ._training_pass import LayerRecorder, TrainingPass, is_labelled, recording
from ._training_state import FRAME
from ._weights import (
    divides_differently,
    one_loss_per_sample,
    sample_losses,
    weighted_mean,
)

ADVICE = (
    "Lower the learning rate, scale the inputs, or clip the gradients with "
    "skreg.deep.regularizers.GradientClipping"
)


# what belongs to a training that is under way, and into no pickle
TRANSIENT = (
    "hooks_",
    "pass_",
    "pending_",
    "sample_index_",
    "sample_weight_",
    "training_set_",
)
HOOKS = ("inputs", "targets", "losses", "penalty", "after_step")


class RegularizedNet(BuiltWithRegularizers, NumberedData, AnswersRegularizers):
    """What the two nets have in common; comes before skorch's class in theirs."""

    # pickled together with the module, criterion and optimizer, whose parts regularizers refer to
    cuda_dependent_attributes_: ClassVar[list[str]] = ["regularizers", "built_", "finalized_"]
    process_group: Any = None  # of torch.distributed; None: this process trains alone

    def __init__(
        self,
        *args: Any,
        regularizers: NamedRegularizers | None,
        accumulation_steps: int,
        mixed_precision: Literal["bfloat16", "float16"] | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.regularizers = regularizers
        self.accumulation_steps = accumulation_steps
        self.mixed_precision = mixed_precision
        self.recorders_ = {}
        self.n_outputs_ = None
        self.counts_from_zero_ = False
        for name in TRANSIENT:
            setattr(self, name, None)

    def __getstate__(self):
        if self.initialized_:  # what callbacks parametrized since then
            make_picklable(bare(self.module_))
        return super().__getstate__() | dict.fromkeys(TRANSIENT)

    def __repr__(self):
        shown = super().__repr__()
        if not self.regularizers:
            return shown
        return f"{shown.removesuffix(')')}  regularizers={list(self.regularizers)!r},\n)"

    @property
    def steps_(self) -> int:
        """Number of optimizer steps so far."""
        return self._steps

    # training

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> Self:
        self.counts_from_zero_ = True
        try:
            return super().fit(X, y, **fit_params)
        finally:
            self.counts_from_zero_ = False

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any) -> Self:
        if not self.initialized_:
            self.initialize()
        with resumed(self):
            self.take_in_changes()
            try:
                super().partial_fit(X, y, classes, **fit_params)
                self.check_weights()
                for _, regularizer in self.regularizers_:
                    if overrides(regularizer, "finalize"):
                        regularizer.finalize(self, bare(self.module_))
                        self.finalized_.append(regularizer)
            finally:
                self.training_set_ = None
        return self

    def fit_loop(
        self,
        X: Any,
        y: Any = None,
        epochs: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        sample_index: ArrayLike | None = None,
        **kwargs: Any,
    ) -> Self:
        self.sample_weight_, self.sample_index_ = sample_weight, sample_index
        going_on = len(self.history) + (self.max_epochs if epochs is None else epochs)
        self.planned_ = max(1, going_on, self.max_epochs)
        self.hooks_ = {
            hook: [r for _, r in self.regularizers_ if overrides(r, hook)] for hook in HOOKS
        }
        module = bare(self.module_)
        check_layers(self.regularizers_, module)
        layers = {layer for _, r in self.regularizers_ for layer in r.wanted_layers}
        self.recorders_ = {name: LayerRecorder(name) for name in sorted(layers)}
        handles = [recorder.attach(module) for recorder in self.recorders_.values()]
        try:
            return super().fit_loop(X, y, epochs, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
            for name in TRANSIENT:
                if name != "training_set_":  # which `finalize` may ask for
                    setattr(self, name, None)

    def notify(self, method_name: str, **kwargs: Any) -> None:
        getattr(self, method_name)(self, **kwargs)
        # a rate that changes with the steps waits for the batches that make up one step
        waits = method_name == "on_batch_end" and kwargs["training"] and bool(self.pending_)
        for _, callback in (*self.regularizers_, *self.callbacks_):
            if not (waits and isinstance(callback, LRScheduler)):
                getattr(callback, method_name)(self, **kwargs)
        if method_name == "on_train_begin":
            self._go_on_from_a_checkpoint()

    def _go_on_from_a_checkpoint(self):
        state = getattr(bare(self.criterion_), FRAME)
        if state.is_loaded:
            self._steps, self.n_samples_ = int(state.steps), int(state.n_samples)
            is_alone = self.process_group is None
            state.put_back(self._loader_generator(), self._device(), is_alone)

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, **kwargs: Any) -> None:
        super().on_epoch_begin(net, dataset_train=dataset_train, **kwargs)
        self.training_set_ = dataset_train

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        super().on_epoch_end(net, **kwargs)
        state = getattr(bare(self.criterion_), FRAME)
        state.note(self._steps, self.n_samples_, self._loader_generator(), self._device())

    def _loader_generator(self):
        return vars(self).get("iterator_train__generator")

    def run_single_epoch(
        self,
        iterator: Iterable[Any],
        training: bool,
        prefix: str,
        step_fn: Callable[..., Any],
        **fit_params: Any,
    ) -> None:
        if training:
            self.pending_: list[TrainingPass] = []
            self.is_last_ = False
            self.n_batches_ = length_or_none(iterator)
            self.batches_done_ = 0
            if self.accumulation_steps > 1:
                iterator = self._marking_the_last(iterator)
        super().run_single_epoch(iterator, training, prefix, step_fn, **fit_params)

    def _marking_the_last(self, iterator):
        """Yield the batches; `is_last_` tells whether the last one is out."""
        batches = iter(iterator)
        batch = next(batches, None)
        while batch is not None:
            following = next(batches, None)
            self.is_last_ = following is None
            yield batch
            batch = following

    def _progress(self):
        """Share of the planned training that is done."""
        within = self.batches_done_ / self.n_batches_ if self.n_batches_ else 0.0
        return min(1.0, (len(self.history) - 1 + within) / self.planned_)

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Step, or only add to the gradient until enough batches have come together.

        The gradient of a step is that of the mean loss over the samples of all its batches. An
        optimizer that evaluates the loss again goes through all of them.
        """
        if not self.pending_:
            self.progress_ = self._progress()
        self.batches_done_ += 1
        self.pending_.append(TrainingPass(batch, self._steps, self.progress_))
        if len(self.pending_) < self.accumulation_steps and not self.is_last_:
            return self._add_gradients(self.pending_[-1:], len(self.pending_) == 1, fit_params)
        passes, self.pending_ = self.pending_, []
        accumulator = self.get_train_step_accumulator()
        evaluations = 0

        def closure():
            nonlocal evaluations
            evaluations += 1
            todo = passes[-1:] if evaluations == 1 else passes
            step = self._add_gradients(todo, len(todo) == len(passes), fit_params)
            loss = self._average_gradients(passes)
            if self.scaler_ is not None:
                self.scaler_.unscale_(self.optimizer_)
            accumulator.store_step(step)
            self.notify(
                "on_grad_computed",
                named_parameters=TeeGenerator(self.get_all_learnable_params()),
                batch=batch,
                training=True,
            )
            return loss

        self._step_optimizer(closure)
        self._steps += 1
        for regularizer in self.hooks_["after_step"]:
            regularizer.after_step(self, passes[-1].batch)
        return accumulator.get_step()

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        self._set_training(True)
        Xi, yi = unpack_data(batch)
        y_pred = self.infer(Xi, **fit_params)
        loss = self.get_loss(y_pred, yi, X=Xi, training=True)
        self._require_finite(loss)
        total = loss if self.accumulation_steps == 1 else loss * len(self.pass_.batch.y)
        self._backward(total)
        return {"loss": loss, "y_pred": y_pred}

    def _backward(self, loss):
        (loss if self.scaler_ is None else self.scaler_.scale(loss)).backward()

    def _add_gradients(self, passes, from_zero, fit_params):
        """Gradients of the summed losses of the batches, added to what is there or to zero."""
        if from_zero:
            self._zero_grad_optimizer()
        try:
            for self.pass_ in passes:
                self.pass_.is_open = True
                step = self.train_step_single(self.pass_.raw, **fit_params)
                self.pass_.loss = step["loss"].detach()
        finally:
            self.pass_ = None
        return step

    def _average_gradients(self, passes):
        """Turn sums over samples into means; return the mean loss."""
        if self.accumulation_steps == 1:
            return passes[0].loss
        sizes = [len(one.batch.y) for one in passes]
        gradients = [p.grad for _, p in self.get_all_learnable_params() if p.grad is not None]
        torch._foreach_div_(gradients, sum(sizes))
        losses = [size * one.loss for size, one in zip(sizes, passes, strict=True)]
        return sum(losses) / sum(sizes)

    def _step_optimizer(self, step_fn):
        if self.scaler_ is None:
            super()._step_optimizer(step_fn)
            return
        step_fn()
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()

    # what is not a number

    def _require_finite(self, loss):
        """Raise ValueError if the loss is not finite, before the optimizer can spread that."""
        value = loss.item()  # skorch's history asks for it in any case
        if not math.isfinite(value):
            rates = sorted({group["lr"] for group in self.optimizer_.param_groups})
            raise ValueError(
                f"the training loss is {value} in epoch {len(self.history)}, step {self._steps}, "
                f"at learning rate {', '.join(f'{rate:g}' for rate in rates)}; the weights are "
                f"those before this step. {ADVICE}"
            )

    def check_weights(self) -> None:
        """Raise ValueError if a trained weight is not finite.

        Raises
        ------
        ValueError
            If one is not: a finite loss can have a gradient that is not.
        """
        for name, parameter in self.module_.named_parameters():
            if not torch.isfinite(parameter).all():
                raise ValueError(f"after training, weights of {name} are not finite. {ADVICE}")

    def infer(self, x: Any, **fit_params: Any) -> Any:
        if self.pass_ is not None and self.pass_.is_open:
            self.pass_.prepare(self, x)
            with recording(self.recorders_.values()):
                return self._infer(self.pass_.batch.X, **fit_params)
        return self._infer(x[INPUTS] if is_labelled(x) else x, **fit_params)

    def _infer(self, x, **fit_params):
        if self.mixed_precision is None:
            return super().infer(x, **fit_params)
        with torch.autocast(self._device().type, PRECISIONS[self.mixed_precision]):
            output = super().infer(x, **fit_params)
        return tuple(map(in_full, output)) if isinstance(output, tuple) else in_full(output)

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> torch.Tensor:
        if self.pass_ is None:
            changing: Sequence[Regularizer] = ()
            y_true = to_tensor(y_true, device=self.device)
        else:
            changing = self.hooks_["losses"]
            self.n_outputs_ = n_columns(y_pred)
            y_true = self.pass_.find_targets(self)
        weight = X.get(WEIGHT) if is_labelled(X) else None
        if weight is None and not changing and not divides_differently(self.criterion_, y_true):
            loss = super().get_loss(y_pred, y_true, X=X, training=training)
        else:
            weight = None if weight is None else to_tensor(weight, device=self.device)
            with one_loss_per_sample(self.criterion_):
                losses = super().get_loss(y_pred, y_true, X=X, training=training)
            losses = sample_losses(self.criterion_, losses, y_true, weight)
            for regularizer in changing:
                losses = regularizer.losses(self, self.pass_.batch, losses)
            loss = weighted_mean(losses, weight)
        return loss if self.pass_ is None else loss + self._penalties(y_pred)

    def _penalties(self, y_pred):
        features = {name: recorder.take() for name, recorder in self.recorders_.items()}
        terms = (
            regularizer.penalty(self, self.pass_.batch, y_pred, features_for(regularizer, features))
            for regularizer in self.hooks_["penalty"]
        )
        return sum(term for term in terms if term is not None)


def n_columns(outputs):
    """Length of the second axis, if there is one."""
    return outputs.shape[1] if isinstance(outputs, torch.Tensor) and outputs.ndim > 1 else None


def features_for(regularizer, features):
    """What `penalty` of a regularizer gets of the features that were recorded."""
    wanted = regularizer.wanted_layers
    if wanted == (regularizer.layer,):
        return features[regularizer.layer]
    return {name: features[name] for name in wanted} if wanted else None


def length_or_none(iterable):
    """Number of items, if it can be known."""
    try:
        return len(iterable)
    except TypeError:  # a loader of a stream has __len__ and raises
        return None


def in_full(output):
    """The output of the module in single precision, if it is in half precision."""
    return output.float() if output.dtype in (torch.float16, torch.bfloat16) else output
