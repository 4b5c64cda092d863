"""Optimizers around other optimizers."""

import torch


class OptimizerWrapper(torch.optim.Optimizer):
    """An optimizer that changes how another one steps, and shares all else with it.

    Parameter groups, defaults and state are those of `base`, so that learning-rate schedulers,
    ``state_dict`` and ``zero_grad`` act on it, whichever of the two they are given. Tensors that a
    subclass keeps between steps go into ``self.state``.

    A subclass overrides ``step(closure)``. To compose with wrappers inside and outside it, it
    leaves the update to ``base.step`` and changes what the closure does, calling ``base.step``
    once. Two patterns::

        def step(self, closure=None):           # change the gradient
            if closure is None:
                self.project()
                return self.base.step()
            def projected():
                loss = closure()
                self.project()
                return loss
            return self.base.step(projected)

        def step(self, closure):                # look ahead, then step from here
            loss = closure()
            self.perturb()
            def gradient_there():
                closure()
                self.restore()
                return loss
            return self.base.step(gradient_there)

    Parameters
    ----------
    base : torch.optim.Optimizer
        The optimizer that makes the update.

    Raises
    ------
    TypeError
        If `base` is not an optimizer.

    Examples
    --------
    Clip each coordinate of the gradient, then let SGD step:

    >>> class ClippedValues(OptimizerWrapper):
    ...     def step(self, closure):
    ...         def clipped():
    ...             loss = closure()
    ...             for group in self.param_groups:
    ...                 torch.nn.utils.clip_grad_value_(group["params"], 1.0)
    ...             return loss
    ...         return self.base.step(clipped)
    >>> weight = torch.nn.Parameter(torch.tensor([10.0]))
    >>> optimizer = ClippedValues(torch.optim.SGD([weight], lr=0.5))
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (weight**2).sum()
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> weight.item()
    9.5
    """

    def __init__(self, base):
        if not isinstance(base, torch.optim.Optimizer):
            raise TypeError(f"base must be a torch.optim.Optimizer, got {type(base).__name__}")
        self.base = base

    @property
    def param_groups(self):
        """Parameter groups of the base optimizer."""
        return self.base.param_groups

    @property
    def defaults(self):
        """Defaults of the base optimizer."""
        return self.base.defaults

    @property
    def state(self):
        """State of the base optimizer, by parameter."""
        return self.base.state

    def step(self, closure=None):
        """Let the base optimizer step.

        Parameters
        ----------
        closure : callable, optional
            Clears the gradients, evaluates the loss, fills in the gradients, returns the loss.

        Returns
        -------
        Tensor or None
            The loss that the closure returned.
        """
        return self.base.step(closure)

    def zero_grad(self, set_to_none=True):
        """Clear the gradients.

        Parameters
        ----------
        set_to_none : bool, default=True
            Set them to None rather than to zero.
        """
        self.base.zero_grad(set_to_none=set_to_none)

    def add_param_group(self, param_group):
        """Add a parameter group to the base optimizer.

        Parameters
        ----------
        param_group : dict
            Its parameters and options.
        """
        self.base.add_param_group(param_group)

    def state_dict(self):
        """Return the state of the base optimizer.

        Returns
        -------
        dict
            The state and the parameter groups.
        """
        return self.base.state_dict()

    def load_state_dict(self, state_dict):
        """Load the state of the base optimizer.

        Parameters
        ----------
        state_dict : dict
            As returned by `state_dict`.
        """
        self.base.load_state_dict(state_dict)

    def __getstate__(self):
        return self.__dict__.copy()

    def __setstate__(self, state):
        self.__dict__.update(state)

    def __repr__(self):
        return f"{type(self).__name__}({self.base!r})"


def needs_closure(optimizer):
    """Whether the optimizer, or one inside it, evaluates the loss itself."""
    while isinstance(optimizer, OptimizerWrapper):
        if getattr(optimizer, "needs_closure", False):
            return True
        optimizer = optimizer.base
    return isinstance(optimizer, torch.optim.LBFGS)
