"""What the scikit-learn estimators have in common: parameters, scaling, making the net."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from skorch.helper import predefined_split
from torch import nn

from skreg._sklearn import Interval, StrOptions, _check_sample_weight

from ..frame._changes import resumed
from ..frame._composition import RegularizerParameters
from ..frame._frozen_copy import bare
from ..frame._indexed import IndexedDataset
from ..frame._regularizer import NamedRegularizers
from ._changes import untouched_by_failure
from ._inputs import (
    n_rows,
    take,
)
from ._net_making import MakesNet
from ._numbering import Numbering, numbered
from ._preparation import PreparesData

NET_PREFIXES = (
    "callbacks",
    "compile",
    "criterion",
    "iterator_train",
    "iterator_valid",
    "module",
    "optimizer",
)


class DeepEstimator(RegularizerParameters, PreparesData, MakesNet):
    """What the classifier and the regressor have in common."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "module": [None, callable],
        "regularizers": [None, list, tuple],
        "criterion": [None, callable],
        "optimizer": [callable],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "accumulation_steps": [Interval(Integral, 1, None, closed="left")],
        "mixed_precision": [None, StrOptions({"bfloat16", "float16"})],
        "compile": ["boolean"],
        "standardize": ["boolean", StrOptions({"auto"})],
        "device": [str, torch.device],
        "dtype": [StrOptions({"float32", "float64"})],
        "callbacks": [None, list, tuple],
        "net_params": [None, dict],
        "warm_start": ["boolean"],
        "trainable": [None, list, tuple],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
    _numbering: Numbering
    _target_checks: ClassVar[dict[str, bool]] = {}  # for scikit-learn's `validate_data`
    _own_built_in: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module] | None = None,
        regularizers: NamedRegularizers | None = None,
        *,
        criterion: nn.Module | Callable[..., nn.Module] | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
        lr: float = 1e-3,
        max_epochs: int = 100,
        batch_size: int = 128,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        accumulation_steps: int = 1,
        mixed_precision: Literal["bfloat16", "float16"] | None = None,
        compile: bool = False,
        standardize: bool | Literal["auto"] = "auto",
        device: str | torch.device = "auto",
        dtype: Literal["float32", "float64"] = "float32",
        callbacks: Sequence[Any] | None = None,
        net_params: dict[str, Any] | None = None,
        warm_start: bool = False,
        trainable: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        self.module = module
        self.regularizers = regularizers
        self.criterion = criterion
        self.optimizer = optimizer
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.accumulation_steps = accumulation_steps
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.standardize = standardize
        self.device = device
        self.dtype = dtype
        self.callbacks = callbacks
        self.net_params = net_params
        self.warm_start = warm_start
        self.trainable = trainable
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Include those of the regularizers, and the entries of `net_params`.

        Returns
        -------
        dict
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep and isinstance(self.net_params, dict):
            params |= self.net_params
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name.

        Parameters
        ----------
        **params : dict
            Values. ``regularizers__NAME__PARAM`` sets a parameter of a regularizer. Names that
            begin with ``module__``, ``optimizer__``, ``criterion__``, ``iterator_train__``,
            ``iterator_valid__``, ``callbacks__`` or ``compile__`` go into `net_params`.

        Returns
        -------
        estimator
            This estimator.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        nested = {
            name: params.pop(name)
            for name in list(params)
            if "__" in name and name.partition("__")[0] in NET_PREFIXES
        }
        super().set_params(**params)
        if nested:
            self.net_params = {**(self.net_params or {}), **nested}
        return self

    @property
    def history_(self) -> Any:
        """Losses, scores and seconds by epoch, as a pandas DataFrame."""
        check_is_fitted(self)
        import pandas as pd

        epochs = [
            {key: value for key, value in epoch.items() if key != "batches"}
            for epoch in self.net_.history
        ]
        return pd.DataFrame(epochs).set_index("epoch") if epochs else pd.DataFrame()

    @property
    def n_iter_(self) -> int:
        """Number of epochs."""
        check_is_fitted(self)
        return len(self.net_.history)

    def _fit(self, X, y, sample_weight, sample_index, validation, *, epochs, reset):
        """Train on checked data: with a new net, or the one that is there."""
        n = n_rows(X)
        weight = _check_sample_weight(
            sample_weight, np.empty(n), dtype=np.float64, ensure_non_negative=True
        )
        former = None if reset else self._numbering
        repeats = epochs is None
        self._numbering = numbered(X, y, sample_index, former, may_repeat=repeats)
        rows, index = np.flatnonzero(weight), self._numbering.index
        if len(rows) < n:
            X, y = take(X, rows), y if y is None else y[rows]
            weight, index = weight[rows], index[rows]
        if reset:
            self._scale(X, y, weight)
            self._begin()
        with contextlib.ExitStack() as stack:
            if not reset:
                stack.enter_context(resumed(self.net_))
                stack.enter_context(untouched_by_failure(self.net_))
                self._go_on()
            dataset, targets = self._prepared(X, y)
            self._train(
                dataset,
                targets,
                validation,
                index=index,
                sample_weight=None if sample_weight is None else weight,
                epochs=self.max_epochs if epochs is None else epochs,
            )
        return self

    def _train(self, dataset, targets, validation, *, index, sample_weight, epochs):
        net = self.net_
        with (
            self._random_numbers() as shuffling,
            self._only_trainable(),
            self._arguments_of_the_call(shuffling, validation),
        ):
            try:
                net.partial_fit(
                    IndexedDataset(dataset, index=index),
                    targets,
                    sample_weight=sample_weight,
                    epochs=epochs,
                )
            except ValueError as error:
                if "more than 1 value per channel" not in str(error):
                    raise
                raise ValueError(
                    f"a batch of one sample came ({len(dataset)} samples in batches of "
                    f"{net.batch_size}), which batch normalization cannot normalize ({error}): "
                    "choose a batch_size that leaves no remainder of one, or set "
                    "net_params={'iterator_train__drop_last': True}"
                ) from error

    @contextlib.contextmanager
    def _arguments_of_the_call(self, shuffling, validation):
        """Arguments of the net that hold data or generators and must not outlive the call."""
        net = self.net_
        of_the_call = {"iterator_train__generator": shuffling}
        if validation is not None:
            dataset, _ = self._prepared(*validation)
            of_the_call["train_split"] = predefined_split(IndexedDataset(dataset))
        before = {name: vars(net)[name] for name in of_the_call if name in vars(net)}
        vars(net).update(of_the_call)
        try:
            yield
        finally:
            for name in of_the_call:
                vars(net).pop(name, None)
            vars(net).update(before)

    @contextlib.contextmanager
    def _only_trainable(self):
        """Freeze the parameters that none of the patterns names, during training."""
        frozen = []
        if self.trainable is not None:
            named = dict(bare(self.net_.module_).named_parameters())
            chosen = {
                name
                for name in named
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.trainable)
            }
            if not chosen:
                raise ValueError(
                    f"no parameter has a name like {list(self.trainable)} in trainable; the "
                    f"module has {', '.join(named)}"
                )
            frozen = [p for name, p in named.items() if name not in chosen and p.requires_grad]
        for parameter in frozen:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in frozen:
                parameter.requires_grad_(True)

    def _goes_on(self):
        return self.warm_start and hasattr(self, "net_")

    def _forbid_early_stopping(self):
        if self.early_stopping:
            raise ValueError("partial_fit makes one pass at a time: it needs early_stopping=False")
