"""skorch nets whose training step asks regularizers."""

from __future__ import annotations

import copy
import functools
from typing import ClassVar

import skorch
import torch
from skorch.dataset import unpack_data
from skorch.utils import TeeGenerator, to_tensor
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from ._composition import RegularizerParameters
from ._indexed import (
    INPUTS,
    WEIGHT,
    BatchReader,
    IndexedDataset,
    as_it_is,
    is_indexed,
)
from ._optimizer import needs_closure
from ._training_pass import LayerRecorder, TrainingPass, bare, is_labelled
from ._weights import normalized_weights, one_loss_per_sample, weighted_mean

PRECISIONS = {None: None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class RegularizedNet(RegularizerParameters):
    """What the two nets have in common; comes before skorch's class in theirs."""

    # pickled together with the module, criterion and optimizer, whose parts regularizers refer to
    cuda_dependent_attributes_: ClassVar[list[str]] = ["regularizers"]
    # the processes that train this net together; `AccelerateMixin` knows them
    process_group = None

    def __init__(self, *args, regularizers, accumulation_steps, mixed_precision, **kwargs):
        super().__init__(*args, **kwargs)
        self.regularizers = regularizers
        self.accumulation_steps = accumulation_steps
        self.mixed_precision = mixed_precision
        self.sample_weight_ = None
        self.pass_ = None

    @property
    def regularizers_(self):
        """The pairs of name and regularizer in use."""
        return [(name, item) for name, item in self.regularizers or () if item is not None]

    # what happens when the net is initialized

    def check_training_readiness(self):
        super().check_training_readiness()
        self.check_regularizers()
        if not isinstance(self.accumulation_steps, int) or self.accumulation_steps < 1:
            raise ValueError(
                f"accumulation_steps must be a positive integer, got {self.accumulation_steps!r}"
            )
        if self.mixed_precision not in PRECISIONS:
            raise ValueError(
                f"mixed_precision must be one of {list(PRECISIONS)}, got {self.mixed_precision!r}"
            )

    def initialize_module(self):
        super().initialize_module()
        for _, regularizer in self.regularizers_:
            regularizer.initialize()
            regularizer.reparametrize(self, self.module_)
        layers = {regularizer.layer for _, regularizer in self.regularizers_} - {None}
        self.recorders_ = {name: LayerRecorder(name) for name in layers}
        return self

    def initialize_criterion(self):
        super().initialize_criterion()
        if self.criterion_ is self.criterion:
            self.criterion_ = copy.deepcopy(self.criterion)
        states = nn.ModuleDict()
        for name, regularizer in self.regularizers_:
            self.criterion_ = regularizer.criterion(self, self.criterion_)
            state = regularizer.state(self)
            if state is not None:
                states[name] = state
        if states:
            self.criterion_.add_module("regularizers", states)
        return self

    def initialize_optimizer(self, triggered_directly=None):
        super().initialize_optimizer(triggered_directly)
        for _, regularizer in self.regularizers_:
            self.optimizer_ = regularizer.optimizer(self, self.optimizer_)
        self.scaler_ = None
        if self.mixed_precision == "float16":
            if needs_closure(self.optimizer_):
                raise ValueError(
                    f"{type(self.optimizer_).__name__} evaluates the loss several times in a step, "
                    "which the gradient scaling of mixed_precision='float16' does not allow; use "
                    "mixed_precision='bfloat16'"
                )
            self.scaler_ = torch.amp.GradScaler(self._device_type())
        return self

    # data

    def get_dataset(self, X, y=None):
        dataset = super().get_dataset(X, y)
        return dataset if isinstance(dataset, IterableDataset) else IndexedDataset(dataset)

    def get_split_datasets(self, X, y=None, **fit_params):
        dataset = self.get_dataset(X, y)
        if isinstance(dataset, IterableDataset):
            return self._unnumbered(dataset)
        if self.sample_weight_ is not None:
            weight = normalized_weights(self.sample_weight_, len(dataset))
            kind = next((p.dtype for p in self.module_.parameters()), torch.get_default_dtype())
            dataset.sample_weight = torch.as_tensor(weight, dtype=kind)
        self.n_samples_ = dataset.n_samples
        if not self.train_split:
            return dataset, None
        arguments = (dataset,) if y is None else (dataset, y)
        return self.train_split(*arguments, **fit_params)

    def _unnumbered(self, dataset):
        """A stream has no numbers, cannot be split, and brings no weights."""
        if self.sample_weight_ is not None or self.train_split:
            raise ValueError("an IterableDataset takes no sample_weight, and train_split=None")
        self.n_samples_ = None
        return dataset, None

    def get_iterator(self, dataset, training=False):
        iterator = self._iterator(dataset, training)
        if not training and isinstance(iterator, DataLoader) and iterator.generator is None:
            iterator.generator = torch.Generator()  # every pass draws a number, else torch's own
        return iterator

    def _iterator(self, dataset, training):
        prefix = "iterator_train" if training else "iterator_valid"
        loader, key = getattr(self, prefix), f"{prefix}__collate_fn"
        is_torchs = isinstance(loader, type) and issubclass(loader, DataLoader)
        if not (is_torchs and is_indexed(dataset)):
            return super().get_iterator(dataset, training=training)
        given = vars(self).get(key)
        setattr(self, key, as_it_is)
        try:
            return super().get_iterator(BatchReader(dataset, given), training=training)
        finally:
            setattr(self, key, given) if given is not None else delattr(self, key)

    # training

    def fit_loop(self, X, y=None, epochs=None, *, sample_weight=None, **kwargs):
        self.sample_weight_ = sample_weight
        module = bare(self.module_)
        handles = [recorder.attach(module) for recorder in self.recorders_.values()]
        try:
            return super().fit_loop(X, y, epochs, **kwargs)
        finally:
            for handle in handles:
                handle.remove()
            self.sample_weight_ = self.pass_ = None

    def notify(self, method_name, **kwargs):
        getattr(self, method_name)(self, **kwargs)
        for _, callback in (*self.regularizers_, *self.callbacks_):
            getattr(callback, method_name)(self, **kwargs)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if training:
            self.pending_, self.is_last_ = [], False
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

    def train_step(self, batch, **fit_params):
        """Step, or only add to the gradient until enough batches have come together.

        The gradient of a step is that of the mean loss over the samples of all its batches. An
        optimizer that evaluates the loss again goes through all of them.
        """
        self.pending_.append(TrainingPass(batch))
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
        return accumulator.get_step()

    def train_step_single(self, batch, **fit_params):
        self._set_training(True)
        Xi, yi = unpack_data(batch)
        y_pred = self.infer(Xi, **fit_params)
        loss = self.get_loss(y_pred, yi, X=Xi, training=True)
        total = loss if self.accumulation_steps == 1 else loss * len(self.pass_.batch.y)
        self._backward(total)
        return {"loss": loss, "y_pred": y_pred}

    def _backward(self, loss):
        (loss if self.scaler_ is None else self.scaler_.scale(loss)).backward()

    def _add_gradients(self, passes, from_zero, fit_params):
        """Gradients of the summed losses of the batches, added to what is there or to zero."""
        if from_zero:
            self._zero_grad_optimizer()
        for self.pass_ in passes:
            self.pass_.is_open = True
            step = self.train_step_single(self.pass_.raw, **fit_params)
            self.pass_.loss = step["loss"].detach()
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

    def infer(self, x, **fit_params):
        if self.pass_ is not None and self.pass_.is_open:
            self.pass_.prepare(self, x)
            x = self.pass_.batch.X
        elif is_labelled(x):
            x = x[INPUTS]
        if self.mixed_precision is None:
            return super().infer(x, **fit_params)
        with torch.autocast(self._device_type(), PRECISIONS[self.mixed_precision]):
            output = super().infer(x, **fit_params)
        return tuple(map(in_full, output)) if isinstance(output, tuple) else in_full(output)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        if self.pass_ is not None:
            y_true = self.pass_.find_targets(self)
        weight = X.get(WEIGHT) if is_labelled(X) else None
        if weight is None:
            loss = super().get_loss(y_pred, y_true, X=X, training=training)
        else:
            weight = to_tensor(weight, device=self.device)
            with one_loss_per_sample(self.criterion_):
                losses = super().get_loss(y_pred, y_true, X=X, training=training)
            loss = weighted_mean(losses, weight)
        return loss if self.pass_ is None else loss + self._penalties(y_pred)

    def _penalties(self, y_pred):
        features = {name: recorder.features for name, recorder in self.recorders_.items()}
        for recorder in self.recorders_.values():
            recorder.features = None
        terms = [
            regularizer.penalty(self, self.pass_.batch, y_pred, features.get(regularizer.layer))
            for _, regularizer in self.regularizers_
        ]
        return sum(term for term in terms if term is not None)

    def _device_type(self):
        return next(self.module_.parameters()).device.type


def in_full(output):
    """The output of the module in single precision, if it is in half precision."""
    return output.float() if output.dtype in (torch.float16, torch.bfloat16) else output


class RegularizedNetClassifier(RegularizedNet, skorch.NeuralNetClassifier):
    """skorch's classifier whose training step asks regularizers.

    Everything that skorch's class takes works here: callbacks, learning-rate schedules,
    checkpoints, ``module__WIDTH``, ``torch.compile`` by ``compile=True``.

    Parameters
    ----------
    module : type or torch.nn.Module
        The network; its output are logits of shape (n, n_classes).
    *args : tuple
        Positional arguments of `skorch.NeuralNetClassifier`.
    criterion : type, default=torch.nn.CrossEntropyLoss
        The loss. With sample weights it must return one loss for each sample when its attribute
        ``reduction`` is ``"none"``, as torch's losses do.
    regularizers : list of (str, Regularizer), default=None
        The regularizers by name, asked in this order; None in place of one leaves it out.
        ``set_params`` and grid searches reach ``regularizers__NAME__PARAM``.
    accumulation_steps : int, default=1
        Number of batches whose gradients come together in one step of the optimizer. The last
        step of an epoch takes the batches that are left.
    mixed_precision : {None, "bfloat16", "float16"}, default=None
        Type of ``torch.autocast`` in the forward pass; losses and penalties get the module's
        output in single precision. ``"float16"`` scales the gradients, which allows no optimizer
        that evaluates the loss more than once in a step.
    **kwargs : dict
        Keyword arguments of `skorch.NeuralNetClassifier`. ``predict_nonlinearity="auto"``, the
        default, is the criterion's ``predict_nonlinearity`` if it has one, otherwise skorch's
        rule for ``NLLLoss`` and the binary losses, and softmax for all others.

    Attributes
    ----------
    n_samples_ : int
        Number of training samples, known once training has begun.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import RegularizedNetClassifier, Regularizer
    >>> class SmallLogits(Regularizer):
    ...     def __init__(self, strength=0.1):
    ...         self.strength = strength
    ...
    ...     def penalty(self, net, batch, y_pred, features):
    ...         return self.strength * y_pred.square().mean()
    >>> X, y = load_iris(return_X_y=True)
    >>> _ = torch.manual_seed(0)
    >>> net = RegularizedNetClassifier(
    ...     torch.nn.Linear,
    ...     module__in_features=4,
    ...     module__out_features=3,
    ...     regularizers=[("small", SmallLogits())],
    ...     verbose=0,
    ... )
    >>> _ = net.fit(X.astype("float32"), y).set_params(regularizers__small__strength=1.0)
    """

    def __init__(
        self,
        module,
        *args,
        criterion=nn.CrossEntropyLoss,
        regularizers=None,
        accumulation_steps=1,
        mixed_precision=None,
        **kwargs,
    ):
        super().__init__(
            module,
            *args,
            criterion=criterion,
            regularizers=regularizers,
            accumulation_steps=accumulation_steps,
            mixed_precision=mixed_precision,
            **kwargs,
        )

    def _get_predict_nonlinearity(self):
        self.check_is_fitted()
        if self.predict_nonlinearity != "auto":
            return super()._get_predict_nonlinearity()
        criterion = bare(self.criterion_)
        if hasattr(criterion, "predict_nonlinearity"):
            return criterion.predict_nonlinearity
        if isinstance(criterion, nn.NLLLoss | nn.BCELoss | nn.BCEWithLogitsLoss):
            return super()._get_predict_nonlinearity()
        return functools.partial(torch.softmax, dim=-1)


class RegularizedNetRegressor(RegularizedNet, skorch.NeuralNetRegressor):
    """skorch's regressor whose training step asks regularizers.

    Parameters
    ----------
    module : type or torch.nn.Module
        The network; its output has the shape of the targets.
    *args : tuple
        Positional arguments of `skorch.NeuralNetRegressor`.
    criterion : type, default=torch.nn.MSELoss
        The loss, as for `RegularizedNetClassifier`.
    regularizers : list of (str, Regularizer), default=None
        As for `RegularizedNetClassifier`.
    accumulation_steps : int, default=1
        As for `RegularizedNetClassifier`.
    mixed_precision : {None, "bfloat16", "float16"}, default=None
        As for `RegularizedNetClassifier`.
    **kwargs : dict
        Keyword arguments of `skorch.NeuralNetRegressor`.

    Attributes
    ----------
    n_samples_ : int
        Number of training samples, known once training has begun.
    """

    def __init__(
        self,
        module,
        *args,
        criterion=nn.MSELoss,
        regularizers=None,
        accumulation_steps=1,
        mixed_precision=None,
        **kwargs,
    ):
        super().__init__(
            module,
            *args,
            criterion=criterion,
            regularizers=regularizers,
            accumulation_steps=accumulation_steps,
            mixed_precision=mixed_precision,
            **kwargs,
        )

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Loss of a batch; (n,) and (n, 1) are the same, and not broadcast to (n, n).

        Parameters
        ----------
        y_pred : Tensor
            Predictions.
        y_true : Tensor
            Targets.
        X : dict, default=None
            Inputs, indices and weights.
        training : bool, default=False
            Whether this is a training step.

        Returns
        -------
        Tensor of shape ()
            The loss.
        """
        tensors = isinstance(y_pred, torch.Tensor) and isinstance(y_true, torch.Tensor)
        if tensors and y_pred.numel() == y_true.numel():
            y_pred = y_pred.reshape(y_true.shape)
        return super().get_loss(y_pred, y_true, X=X, training=training)
