"""Optimizers around other optimizers."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch

from ._settings import settings

# what torch.optim.Optimizer.__init__ makes, and what a pickled optimizer leaves behind
HOOKS = tuple(
    f"_optimizer_{when}_hooks"
    for when in (
        "step_pre",
        "step_post",
        "state_dict_pre",
        "state_dict_post",
        "load_state_dict_pre",
        "load_state_dict_post",
    )
)


class OptimizerWrapper(torch.optim.Optimizer):
    """An optimizer that changes how another one steps, and shares all else with it.

    Parameter groups, defaults and state are those of `base`, so that learning-rate schedulers,
    ``state_dict`` and ``zero_grad`` act on it, whichever of the two they are given. Tensors that a
    subclass keeps between steps go into ``self.state``. Hooks belong to the optimizer that they are
    registered on. As torch's optimizers do, a pickled or deep-copied wrapper leaves hooks behind,
    and the ``step`` that a learning-rate scheduler has put on it.

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

    def __init__(self, base: torch.optim.Optimizer) -> None:
        require_optimizer(type(self), base)
        self.base = base
        self._start_without_hooks()

    def _start_without_hooks(self):
        for name in HOOKS:
            setattr(self, name, OrderedDict())
        self._patch_step_function()  # torch's: hooks and the profiler's label around `step`

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]  # the base holds it
        """Parameter groups of the base optimizer."""
        return self.base.param_groups

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]  # the base holds it
        """Defaults of the base optimizer."""
        return self.base.defaults

    @property
    def state(self) -> Any:  # type: ignore[override]  # the base holds it
        """State of the base optimizer, by parameter."""
        return self.base.state

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
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

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients.

        Parameters
        ----------
        set_to_none : bool, default=True
            Set them to None rather than to zero.
        """
        self.base.zero_grad(set_to_none=set_to_none)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group to the base optimizer.

        Parameters
        ----------
        param_group : dict
            Its parameters and options.
        """
        self.base.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base optimizer.

        Returns
        -------
        dict
            The state and the parameter groups.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        return self._hooked(self._optimizer_state_dict_post_hooks, self.base.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of the base optimizer.

        Parameters
        ----------
        state_dict : dict
            As returned by `state_dict`.
        """
        pre_hooks = self._optimizer_load_state_dict_pre_hooks
        self.base.load_state_dict(self._hooked(pre_hooks, state_dict.copy()))
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _hooked(self, hooks, state_dict):
        """The state after hooks that may replace it."""
        for hook in hooks.values():
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        return state_dict

    def __getstate__(self):
        left_behind = {"step", *HOOKS}
        return {name: value for name, value in vars(self).items() if name not in left_behind}

    def __setstate__(self, state):
        vars(self).update(state)
        self._start_without_hooks()

    def __repr__(self):
        own = settings(self)
        return f"{type(self).__name__}({self.base!r}{own and ', '}{own})"


def require_optimizer(wrapper, base):
    """Raise TypeError unless `base` is an optimizer that a class of wrappers can go around."""
    if not isinstance(base, torch.optim.Optimizer):
        is_class = isinstance(base, type)
        given = f"the class {base.__name__}" if is_class else type(base).__name__
        raise TypeError(
            f"base must be a torch.optim.Optimizer, got {given}: make the optimizer from the "
            f"parameters first, then wrap it, as in "
            f"{wrapper.__name__}(torch.optim.SGD(model.parameters(), lr=0.1))"
        )


def innermost(optimizer):
    """The optimizer inside of all wrappers."""
    while isinstance(optimizer, OptimizerWrapper):
        optimizer = optimizer.base
    return optimizer


def needs_closure(optimizer):
    """Whether the optimizer, or one inside it, evaluates the loss itself."""
    while isinstance(optimizer, OptimizerWrapper):
        if getattr(optimizer, "needs_closure", False):
            return True
        optimizer = optimizer.base
    return isinstance(optimizer, torch.optim.LBFGS)
