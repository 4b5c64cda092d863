"""Several processes and devices, by Hugging Face's accelerate through skorch's mixin.

Needs the extra "accelerate": ``pip install 'skreg[accelerate]'``.
"""

import skorch.hf

from ._optimizer import needs_closure


class AccelerateMixin(skorch.hf.AccelerateMixin):
    """skorch's ``AccelerateMixin`` for nets with regularizers; comes first among the bases.

    Each process works on its shard of a batch. Per-sample state is exchanged, thus it is the same
    in all processes, and the same as in one process that sees the batches together. Optimizers
    that evaluate the loss several times in a step work unless gradients are scaled. The precision
    is that of the ``Accelerator``; batches are accumulated by ``accumulation_steps`` of the net.

    Parameters
    ----------
    *args : tuple
        Positional arguments of the net.
    accelerator : accelerate.Accelerator
        The accelerator.
    device : None
        Leave this to the accelerator.
    unwrap_after_train : bool, default=True
        Whether the fitted module is the bare one, which can be pickled.
    callbacks__print_log__sink : "auto" or callable, default="auto"
        What prints a line for each epoch; ``"auto"`` prints in the main process only.
    **kwargs : dict
        Keyword arguments of the net.

    Raises
    ------
    ValueError
        When training begins, if precision or accumulation are given to the wrong one of the two,
        or gradients are scaled and the optimizer evaluates the loss several times.

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

    def check_training_readiness(self):
        """Check the arguments."""
        super().check_training_readiness()
        if self.mixed_precision is not None:
            raise ValueError("give mixed_precision to the Accelerator, not to the net")
        if self.accelerator.gradient_accumulation_steps > 1:
            raise ValueError(
                "give accumulation_steps to the net, not gradient_accumulation_steps to the "
                "Accelerator"
            )

    def initialize_optimizer(self, triggered_directly=None):
        """Make the optimizer.

        Parameters
        ----------
        triggered_directly : None
            Not used; skorch passes it.

        Returns
        -------
        net
            This net.
        """
        super().initialize_optimizer(triggered_directly)
        if self.accelerator.scaler is not None and needs_closure(self.optimizer_):
            raise ValueError(
                f"{type(self.optimizer_).__name__} evaluates the loss several times in a step, "
                "which the gradient scaling of mixed_precision='fp16' does not allow; use 'bf16'"
            )
        return self

    def _initialize_accelerator(self):
        """Leave criteria without parameters unwrapped: DistributedDataParallel rejects them."""
        every_criterion = self._criteria
        self._criteria = [name for name in every_criterion if any(self._parameters_of(name))]
        try:
            super()._initialize_accelerator()
        finally:
            self._criteria = every_criterion
        for name in every_criterion:
            getattr(self, name + "_").to(self.accelerator.device)
        return self

    def _parameters_of(self, name):
        return (p.requires_grad for p in getattr(self, name + "_").parameters())

    def train_step_single(self, batch, **fit_params):
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
