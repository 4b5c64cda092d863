"""The protocol of a regularizer: what a training step asks of it, and when."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import skorch.callbacks
import torch
from torch import nn


class Batch(NamedTuple):
    """One batch of training samples, on the net's device.

    Attributes
    ----------
    X : Tensor, or what the data set yields
        Inputs of the module, as changed by the regularizers' `inputs`.
    y : Tensor of shape (n,) or (n, n_targets)
        Labels as the data set holds them, before any regularizer's `targets`: class numbers
        0, ..., K - 1 (int64) or real targets.
    index : Tensor of shape (n,), int64, or None
        The stable number of each sample: its position in the data given to ``fit``, or what the
        caller gave as `sample_index`. Shuffling, ``torch.utils.data.Subset``, validation splits,
        several processes and resuming from a checkpoint leave it alone; rows of a later
        ``partial_fit`` get new numbers. None only for an ``IterableDataset``.
    sample_weight : Tensor of shape (n,) or None
        Weights scaled to mean one over all samples, or None if ``fit`` got none.
    first_pass : bool
        False when the optimizer evaluates the same batch again within one step, as
        sharpness-aware minimization does. Per-sample state is updated in the first pass only.
    step : int
        Number of optimizer steps made before this one. Batches whose gradients are accumulated
        and repeated passes belong to one step.
    progress : float
        Share of the planned training done before this step, in [0, 1). What is planned are the
        epochs of this call after those before, at least the net's `max_epochs`.
    extras : dict
        For regularizers, by name of their choice: what `inputs` or `targets` found out and
        `penalty` needs. It lives as long as the batch, through all passes of its step.
    targets : Tensor or None
        The targets that the loss of this batch takes, known from `losses` and `penalty` on.
    """

    X: Any
    y: torch.Tensor
    index: Any  # hides tuple.index, which a batch does not need
    sample_weight: torch.Tensor | None
    first_pass: bool
    step: int
    progress: float
    extras: dict
    targets: torch.Tensor | None = None


Net: TypeAlias = Any
"""A net of either kind; a hook of a subclass may name the one that it is for."""

TASKS = ("classification", "regression", "dense")


def overrides(regularizer, hook):
    """Whether a regularizer has a hook of its own."""
    return hook in vars(regularizer) or getattr(type(regularizer), hook) is not getattr(
        Regularizer, hook
    )


class Regularizer(skorch.callbacks.Callback):
    """Base class of regularizers: a skorch callback that may also take part in the step.

    Every method below is optional, and does nothing here. `RegularizedNetClassifier`,
    `RegularizedNetRegressor`, `DeepClassifier` and `DeepRegressor` ask their regularizers in the
    order of the list, each handed what the one before it returned::

        when                          asked
        ----------------------------  ------------------------------------------------------
        the net is initialized        initialize()                  (skorch's)
                                      reparametrize(net, module)
                                      criterion(net, criterion)
                                      state(net)
                                      optimizer(net, optimizer)
        ``fit`` begins, ends, epochs  on_train_begin(net, X, y), ...  (skorch's)
        each batch, once              inputs(net, batch, X), before the forward pass
                                      targets(net, batch, y), after the first forward pass
        each batch, in every pass     losses(net, batch, losses)
                                      penalty(net, batch, y_pred, features)
                                      on_grad_computed(net, ...)    (skorch's)
        each optimizer step, once     after_step(net, batch)
        training ends                 finalize(net, module), after all callbacks
        training goes on              resume(net, module), before all callbacks

    The loss of a pass is ``mean(losses(criterion(y_pred, targets))) + sum of penalties``.
    Validation and prediction ask nothing: they use the criterion and the module as they are.

    Rules of composition:

    - ``__init__`` only stores its arguments under their names; whatever else a regularizer sets
      on itself ends in an underscore, and is set afresh in `initialize`, `state` or later. Then
      ``get_params``, ``set_params``, ``sklearn.base.clone`` and grid searches over
      ``regularizers__NAME__PARAM`` work, and refitting starts anew.
    - `targets` gets either class numbers or, from the regularizer before, class probabilities
      (n, K), and may return either; `skreg.deep.torch.as_probabilities` turns both into
      probabilities. A criterion for classification must accept both, as
      ``torch.nn.CrossEntropyLoss`` does.
    - Tensors that must survive a checkpoint live in the module that `state` returns. The net
      keeps it as a submodule of the criterion, thus it moves to the device, is written and read
      by skorch's ``Checkpoint``, ``LoadInitState`` and ``save_params(f_criterion=...)``, and its
      parameters are trained. `skreg.deep.torch.SampleMemory` holds per-sample rows there.
    - Parameters that change after the first ``fit`` act when training goes on: the net then calls
      `initialize`, `criterion`, `state` and `optimizer` once more, with the tensors of the old
      state put into the new one and the same innermost optimizer. Parameters that are built into
      the module are named in `fixed`, and must not change.
    - Steps and progress are counted by the net: use ``batch.step`` and ``batch.progress``.
    - Nothing of a batch stays on the regularizer: ``batch.extras`` holds what a later hook needs.
    - No ``.item()`` or other synchronisation with the device in `inputs`, `targets`, `penalty`.

    Attributes
    ----------
    layer : str or None
        Name of the submodule (as in ``module.named_modules()``) whose output `penalty` gets as
        `features`; ``"penultimate"`` is the input of the last ``torch.nn.Linear``; None (the
        default) asks for no features. A subclass may make it a parameter of ``__init__``.
    layers : tuple of str
        Several such names; `penalty` then gets a dict of features by name.
    tasks : tuple of str
        What it is for, of ``"classification"``, ``"regression"`` and ``"dense"`` (a class for each
        pixel or position). Like all that follows, it is declared by the class or a property, and
        checked before the first step: what cannot be meant is refused.
    needs_index : bool
        Whether it needs the numbers of samples, thus no ``IterableDataset``.
    mixes_inputs : bool
        Whether its `inputs` makes mixtures of samples; by default, whether it has both `inputs`
        and `targets` of its own.
    beside_mixing : {"any", "before", "never"}
        Whether it works beside a regularizer that mixes samples: always, if it is asked before, or
        not, since it takes each prediction for that of one sample.
    softens_targets : bool
        Whether its `targets` returns class probabilities.
    reads_losses_of_criterion : bool
        Whether its `losses` takes what it gets for the losses of the criterion, and thus stands
        before all others that change them.
    reads_softmax : bool
        Whether it takes the softmax of the outputs for the class probabilities. Those of the
        criterion are ``net.probabilities(y_pred)``.
    repeats_passes : bool
        Whether its optimizer evaluates the loss several times in a step, which the scaling of
        gradients in half precision (float16) does not allow.
    looks_into_module : bool
        Whether it relies on the module being the user's, e.g. evaluates it at other weights.
    replaces_module, replaces_criterion, replaces_weights : bool
        Whether it puts another module or criterion in place of the user's, or other weights in
        place of the trained ones when training ends.
    fixed : tuple of str
        Parameters that cannot change once the net is initialized.

    Examples
    --------
    Label smoothing that acts on the targets, together with a penalty on confident predictions
    that remembers for each sample how its confidence was when it was last seen:

    >>> import torch
    >>> from skreg.deep import Regularizer
    >>> from skreg.deep.torch import SampleMemory, as_probabilities
    >>> class SteadyConfidence(Regularizer):
    ...     def __init__(self, smoothing=0.1, strength=1.0):
    ...         self.smoothing = smoothing
    ...         self.strength = strength
    ...
    ...     def state(self, net):
    ...         self.memory_ = SampleMemory()
    ...         return self.memory_
    ...
    ...     def targets(self, net, batch, y):
    ...         n_classes = net.n_outputs_
    ...         return torch.lerp(
    ...             as_probabilities(y, n_classes),
    ...             torch.full((), 1 / n_classes, device=y.device),
    ...             self.smoothing,
    ...         )
    ...
    ...     def penalty(self, net, batch, y_pred, features):
    ...         confidence = y_pred.softmax(1).amax(1, keepdim=True)
    ...         self.memory_.allocate(net.n_samples_, 1, like=confidence)
    ...         before, seen = self.memory_.read(batch.index), self.memory_.seen(batch.index)
    ...         if batch.first_pass:
    ...             self.memory_.write(batch.index, confidence.detach())
    ...         rise = (confidence - before).clamp(min=0).squeeze(1)
    ...         return self.strength * torch.where(seen, rise, 0.0).mean()
    """

    layer: str | None = None
    layers: tuple[str, ...] = ()
    tasks: tuple[str, ...] = TASKS
    needs_index = False
    beside_mixing = "any"
    softens_targets = False
    reads_losses_of_criterion = False
    reads_softmax = False
    repeats_passes = False
    looks_into_module = False
    replaces_module = False
    replaces_criterion = False
    replaces_weights = False
    fixed: tuple[str, ...] = ()

    def __repr__(self):
        """The parameters that are not the defaults, as of scikit-learn's estimators."""
        arguments = inspect.signature(type(self).__init__).parameters
        shown = {name: repr(value) for name, value in self.get_params(deep=False).items()}
        changed = (
            name
            for name, value in shown.items()
            if name not in arguments or value != repr(arguments[name].default)
        )
        return f"{type(self).__name__}({', '.join(f'{name}={shown[name]}' for name in changed)})"

    @property
    def mixes_inputs(self) -> bool:
        """Whether it is taken to mix samples."""
        return overrides(self, "inputs") and overrides(self, "targets")

    @property
    def wanted_layers(self) -> tuple[str, ...]:
        """Names of all layers that it looks at."""
        return (*(() if self.layer is None else (self.layer,)), *self.layers)

    def reparametrize(self, net: Net, module: nn.Module) -> None:
        """Change the module in place, before the optimizer is made from its parameters.

        Called when the net is initialized, on the CPU and before ``torch.compile``.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        module : torch.nn.Module
            Its module.
        """

    def criterion(self, net: Net, criterion: nn.Module) -> nn.Module:
        """Replace or wrap the criterion.

        The criterion is called as ``criterion(y_pred, y)`` and returns the mean loss. When
        ``fit`` gets sample weights, the net sets ``reduction = "none"`` on it and on all its
        submodules that have this attribute, for the duration of the call; it must then return
        one loss for each sample, of shape (n,) or (n, ...). A classification criterion may define
        ``predict_nonlinearity(y_pred)``, which turns the module's output into class
        probabilities; without it they are its softmax.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        criterion : torch.nn.Module
            The criterion so far.

        Returns
        -------
        torch.nn.Module
            The criterion to use.
        """
        return criterion

    def state(self, net: Net) -> nn.Module | None:
        """Make the module that holds tensors which belong in a checkpoint.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net. Its ``n_samples_`` is known from the first ``on_epoch_begin`` on.

        Returns
        -------
        torch.nn.Module or None
            The module; keep a reference to it in an attribute that ends in an underscore.
        """
        return None

    def optimizer(self, net: Net, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """Wrap the optimizer.

        The step is ``optimizer.step(closure)``, where each call of the closure clears the
        gradients, evaluates the loss of the batch at the present parameters, and fills in the
        gradients; it may be called several times. See `skreg.deep.torch.OptimizerWrapper`.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        optimizer : torch.optim.Optimizer
            The optimizer so far.

        Returns
        -------
        torch.optim.Optimizer
            The optimizer to use.
        """
        return optimizer

    def inputs(self, net: Net, batch: Batch, X: Any) -> Any:
        """Change the inputs of the module, e.g. to augment or to mix them.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The batch as the data set holds it.
        X : Tensor, or what the data set yields
            The inputs so far.

        Returns
        -------
        Tensor, or what the module accepts
            The inputs to use.
        """
        return X

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        """Change the targets. The loss treats the result as a constant.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The batch; ``batch.y`` are the labels as given.
        y : Tensor of shape (n,) or (n, n_classes) or (n, n_targets)
            The targets so far.

        Returns
        -------
        Tensor
            The targets to use.
        """
        return y

    def losses(self, net: Net, batch: Batch, losses: torch.Tensor) -> torch.Tensor:
        """Change the loss of each sample, e.g. to weight, to cut or to select them.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The batch; ``batch.targets`` are the targets of these losses.
        losses : Tensor of shape (n,)
            The losses so far, without sample weights.

        Returns
        -------
        Tensor of shape (n,)
            The losses to use; their mean, weighted by sample weights, is the loss of the batch.
        """
        return losses

    def penalty(self, net: Net, batch: Batch, y_pred: Any, features: Any) -> torch.Tensor | None:
        """Add a term to the loss; also the place to look at predictions.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The batch, with the targets of the loss.
        y_pred : Tensor, or what the module returns
            The module's output on ``batch.X``, with its graph.
        features : Tensor, dict of str to Tensor, or None
            The output of the layer named by `layer` in the same forward pass, or those of `layers`
            by name.

        Returns
        -------
        Tensor of shape () or None
            The term, including its strength; None adds nothing.
        """
        return None

    def after_step(self, net: Net, batch: Batch) -> None:
        """Look at the parameters after a step of the optimizer, or change them.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        batch : Batch
            The last batch of the step.
        """

    def finalize(self, net: Net, module: nn.Module) -> None:
        """Turn the trained module into the one to predict with, e.g. average or prune weights.

        Called when training ends, after all callbacks: the best weights are loaded by then.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        module : torch.nn.Module
            Its module, inside of ``torch.compile``.
        """

    def resume(self, net: Net, module: nn.Module) -> None:
        """Undo `finalize`, because training goes on.

        The optimizer knows the parameters of the module before `finalize`: they must be the same
        objects again.

        Parameters
        ----------
        net : RegularizedNetClassifier or RegularizedNetRegressor
            The net.
        module : torch.nn.Module
            Its module, inside of ``torch.compile``.
        """


NamedRegularizers: TypeAlias = Sequence[tuple[str, Regularizer | None]]
"""The regularizers of a net by name; None in place of one leaves it out."""
