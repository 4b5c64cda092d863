"""How regularizers take part when a net is initialized, and when its parameters change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import skorch
import torch
from torch import nn

from ._changes import check_fixed, snapshots
from ._composition import RegularizerParameters
from ._frozen_copy import bare
from ._needs import check_criterion, check_needs, check_scaling
from ._optimizer import innermost
from ._parametrizations import make_picklable
from ._regularizer import Regularizer
from ._training_state import add_states, carry_over

PRECISIONS = {None: None, "bfloat16": torch.bfloat16, "float16": torch.float16}


class BuiltWithRegularizers(RegularizerParameters, skorch.NeuralNet):
    """The part of a net that makes module, criterion and optimizer."""

    criterion_: Any
    optimizer_: Any
    n_samples_: int | None

    @property
    def regularizers_(self) -> list[tuple[str, Regularizer]]:
        """The pairs of name and regularizer in use."""
        return [(name, item) for name, item in self.regularizers or () if item is not None]

    def check_training_readiness(self) -> None:
        super().check_training_readiness()
        self.check_regularizers()
        check_needs(self.regularizers_, self.task_, type(self).__name__)
        if not isinstance(self.accumulation_steps, int) or self.accumulation_steps < 1:
            raise ValueError(
                f"accumulation_steps must be a positive integer, got {self.accumulation_steps!r}"
            )
        if self.mixed_precision not in PRECISIONS:
            raise ValueError(
                f"mixed_precision must be one of {list(PRECISIONS)}, got {self.mixed_precision!r}"
            )

    def initialize_history(self) -> None:
        super().initialize_history()
        self._steps = 0
        self.n_samples_ = 0
        self.finalized_: list[Regularizer] = []

    def initialize_module(self) -> Self:
        check_needs(self.regularizers_, self.task_, type(self).__name__)
        super().initialize_module()
        for _, regularizer in self.regularizers_:
            regularizer.initialize()
            regularizer.reparametrize(self, self.module_)
        make_picklable(self.module_)
        return self

    def initialize_criterion(self) -> Self:
        super().initialize_criterion()
        if self.criterion_ is self.criterion:
            self.criterion_ = copy.deepcopy(self.criterion)
        states = {}
        for name, regularizer in self.regularizers_:
            self.criterion_ = regularizer.criterion(self, self.criterion_)
            state = regularizer.state(self)
            if state is not None:
                states[name] = state
        if not isinstance(self.criterion_, nn.Module):
            self.criterion_ = FunctionCriterion(self.criterion_)
        check_criterion(self.regularizers_, self.criterion_, self.task_)
        add_states(self.criterion_, states)
        return self

    def initialize_optimizer(self, triggered_directly: bool | None = None) -> Self:
        super().initialize_optimizer(triggered_directly)
        self._wrap_optimizer()
        return self

    def _wrap_optimizer(self):
        for _, regularizer in self.regularizers_:
            self.optimizer_ = regularizer.optimizer(self, self.optimizer_)
        self.scaler_ = None
        if self.mixed_precision == "float16":
            check_scaling(self.regularizers_, self.optimizer_)
            self.scaler_ = torch.amp.GradScaler(self._device().type)
        self.built_ = snapshots(self.regularizers_)

    # what changed since then

    def take_in_changes(self) -> None:
        """Let regularizers act with the parameters that they have now, keeping what they know."""
        now = snapshots(self.regularizers_)
        if list(now.items()) == list(self.built_.items()):
            return
        self.check_training_readiness()
        check_fixed(self.built_, now)
        for _, regularizer in self.regularizers_:
            regularizer.initialize()
        old = bare(self.criterion_)
        self._initialize_criterion()
        carry_over(old, bare(self.criterion_))
        self.optimizer_ = innermost(self.optimizer_)
        self._wrap_optimizer()


class FunctionCriterion(nn.Module):
    """A criterion that is a function, as a module that can hold the regularizers' states."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, y_pred: Any, y: Any) -> torch.Tensor:
        """The loss."""
        return self.function(y_pred, y)
