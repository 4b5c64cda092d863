"""What the two scikit-learn estimators have in common: parameters, scaling, making the net."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
import threading
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import skorch.callbacks
import skorch.utils
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)
from skorch.dataset import Dataset, ValidSplit
from torch import nn

from ..frame._composition import RegularizerParameters
from ..frame._indexed import IndexedDataset
from ._modules import ResidualMLP, SmallCNN
from ._standardize import Standardization

ONE_AT_A_TIME = threading.Lock()

NET_PREFIXES = (
    "callbacks",
    "compile",
    "criterion",
    "iterator_train",
    "iterator_valid",
    "module",
    "optimizer",
)

PARAMETERS = """
    module : type or torch.nn.Module, default=None
        The network: a class (or any function that returns a module), or a module, which is copied
        and stays as it is. Arguments ``n_inputs`` and ``n_outputs`` of a class are filled in from
        the data if it has them. By default a `ResidualMLP` for tables and a `SmallCNN` for images
        of shape (n, channels, height, width) or (n, height, width).
    regularizers : list of (str, Regularizer), default=None
        The regularizers by name, asked in this order; None in place of one leaves it out. They are
        cloned in ``fit``. ``set_params`` and grid searches reach ``regularizers__NAME__PARAM``.
    criterion : type or torch.nn.Module, default=None
        The loss; by default {criterion}.
    optimizer : type, default=torch.optim.AdamW
        The optimizer.
    lr : float, default=1e-3
        Learning rate.
    max_epochs : int, default=100
        Number of passes over the data.
    batch_size : int, default=128
        Number of samples in a batch.
    early_stopping : bool, default=False
        Set `validation_fraction` of the data aside, stop when the loss on it has not improved for
        `n_iter_no_change` epochs, and keep the weights of the best epoch.
    validation_fraction : float, default=0.1
        Share of the data that early stopping sets aside.
    n_iter_no_change : int, default=10
        Number of epochs that early stopping waits.
    accumulation_steps : int, default=1
        Number of batches whose gradients come together in one step of the optimizer.
    mixed_precision : {{None, "bfloat16", "float16"}}, default=None
        Type of ``torch.autocast`` in the forward pass.
    compile : bool, default=False
        Compile the module with ``torch.compile``.
    standardize : bool or "auto", default="auto"
        Shift and scale the columns of tables and channels of images to mean zero and variance
        one; ``"auto"`` does so for the default network.{target}
    device : str or torch.device, default="auto"
        Where to compute; ``"auto"`` takes CUDA if it is there, otherwise the CPU.
    dtype : {{"float32", "float64"}}, default="float32"
        Type of inputs and weights.
    callbacks : list, default=None
        skorch callbacks, e.g. ``LRScheduler``, ``Checkpoint``, ``LoadInitState``; cloned in
        ``fit``.
    net_params : dict, default=None
        Further arguments of the net under skorch's names, e.g. ``{{"module__width": 64,
        "optimizer__weight_decay": 0.1}}``; ``set_params(module__width=64)`` adds to it.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last call.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, shuffling, dropout and the split for early stopping. An integer
        gives the same network again on the CPU; in several threads of one process only without
        dropout. torch's global generator is left alone.
    verbose : int, default=0
        1 prints a line for each epoch, 2 also shows a progress bar (needs tqdm).
"""

ATTRIBUTES = """
    net_ : {net}
        The fitted net.
    history_ : pandas.DataFrame
        Losses, scores and seconds, by epoch.
    n_iter_ : int
        Number of epochs.
    n_features_in_ : int
        Number of columns, or of channels.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if `X` has any.
"""


def build_module(factory, dtype, **kwargs):
    """Make the module, or copy it, with parameters of the given type."""
    if isinstance(factory, nn.Module):
        module = type(factory)(**kwargs) if kwargs else copy.deepcopy(factory)
    else:
        module = factory(**kwargs)
    return module.to(dtype=dtype)


def as_array(data):
    """The data as something that scikit-learn validates; tensors come from their device."""
    return data.detach().cpu().numpy() if isinstance(data, torch.Tensor) else data


def converted(values, dtype, name):
    """The values in another type, if they fit into it."""
    with np.errstate(over="ignore"):
        values = values.astype(dtype, copy=False)
    assert_all_finite(values, input_name=name)
    return values


def random_states(devices):
    """States of torch's generators on the CPU and on CUDA devices."""
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in devices)]


def set_random_states(states, devices):
    """Set what `random_states` returned, or the CPU's part of it."""
    torch.set_rng_state(states[0])
    for device, state in zip(devices, states[1:], strict=False):
        torch.cuda.set_rng_state(state, device)


class DeepEstimator(RegularizerParameters, BaseEstimator):
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
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        module=None,
        regularizers=None,
        *,
        criterion=None,
        optimizer=torch.optim.AdamW,
        lr=1e-3,
        max_epochs=100,
        batch_size=128,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        accumulation_steps=1,
        mixed_precision=None,
        compile=False,
        standardize="auto",
        device="auto",
        dtype="float32",
        callbacks=None,
        net_params=None,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
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
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep=True):
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

    def set_params(self, **params):
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
    def history_(self):
        """Losses, scores and seconds by epoch, as a pandas DataFrame."""
        check_is_fitted(self)
        import pandas as pd

        epochs = [
            {key: value for key, value in epoch.items() if key != "batches"}
            for epoch in self.net_.history
        ]
        return pd.DataFrame(epochs).set_index("epoch") if epochs else pd.DataFrame()

    @property
    def n_iter_(self):
        """Number of epochs."""
        check_is_fitted(self)
        return len(self.net_.history)

    def _fit(self, X, y, sample_weight, *, epochs, reset):
        """Train on validated arrays: with a new net, or the one that is there."""
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        rows = np.flatnonzero(weight)
        weight = weight[rows]
        X, y = (X, y) if len(rows) == len(X) else (X[rows], y[rows])
        if reset:
            self._shape_in = X.shape[1:]
        X = self._with_channels(X)
        if reset:
            self._scale(X, y, weight)
        X, y = self._inputs(X), self._targets(y)
        if reset:
            self._initialize_net(X)
        with self._random_numbers() as shuffling:
            self.net_.iterator_train__generator = shuffling
            try:
                self.net_.partial_fit(
                    IndexedDataset(Dataset(X, y), index=rows),
                    y,
                    sample_weight=None if sample_weight is None else weight,
                    epochs=epochs,
                )
            finally:
                del self.net_.iterator_train__generator
        return self

    def _scale(self, X, y, weight):
        wanted = self.module is None if self.standardize == "auto" else self.standardize
        self._input_scaling = Standardization(X, weight) if wanted else None

    def _inputs(self, X):
        """What the module gets."""
        if self._input_scaling is None:
            return converted(X, self.dtype, "X")
        return self._input_scaling.transform(X, self.dtype)

    def _with_channels(self, X):
        """Images without channels get one, if the default network takes them."""
        return X[:, None] if self.module is None and X.ndim == 3 else X

    def _raw_predictions(self, X):
        """What the net predicts."""
        check_is_fitted(self)
        X = validate_data(self, as_array(X), allow_nd=True, reset=False)
        if X.shape[1:] != self._shape_in:
            raise ValueError(f"X must have shape (n, {self._shape_in}), got {X.shape}")
        return self.net_.predict_proba(self._inputs(self._with_channels(X)))

    def _make_net(self, X):
        factory = self.module
        if factory is None:
            if X.ndim not in (2, 4):
                raise ValueError(
                    f"X of shape {X.shape} is neither a table (n, n_features) nor images "
                    "(n, channels, height, width) or (n, height, width): give a module"
                )
            factory = ResidualMLP if X.ndim == 2 else SmallCNN
        sizes = {"n_inputs": X.shape[1], "n_outputs": self._n_outputs}
        if isinstance(factory, nn.Module):
            sizes = {}
        else:
            accepted = inspect.signature(factory).parameters
            sizes = {name: size for name, size in sizes.items() if name in accepted}
        arguments = {
            "module": functools.partial(build_module, factory, getattr(torch, self.dtype), **sizes),
            "regularizers": clone(list(self.regularizers or ()), safe=False),
            "optimizer": self.optimizer,
            "lr": self.lr,
            "max_epochs": self.max_epochs,
            "batch_size": self.batch_size,
            "iterator_train__shuffle": True,
            "train_split": self._train_split() if self.early_stopping else None,
            "callbacks": self._net_callbacks(),
            "accumulation_steps": self.accumulation_steps,
            "mixed_precision": self.mixed_precision,
            "compile": self.compile,
            "device": self._device(),
            "verbose": int(self.verbose),
            **self._task_arguments(),
            **(self.net_params or {}),
        }
        if self.criterion is not None:
            arguments["criterion"] = self.criterion
        return self._net_class(**arguments)

    def _net_callbacks(self):
        callbacks = clone(list(self.callbacks or ()), safe=False)
        if self.early_stopping:
            callbacks.append(
                skorch.callbacks.EarlyStopping(
                    monitor="valid_loss",
                    patience=self.n_iter_no_change,
                    load_best=True,
                    sink=print if self.verbose else skorch.utils.noop,
                )
            )
        if self.verbose >= 2:
            callbacks.append(skorch.callbacks.ProgressBar())
        return callbacks

    def _train_split(self):
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        split = self._split_class(1, test_size=self.validation_fraction, random_state=seed)
        return ValidSplit(split, stratified=self._split_class is StratifiedShuffleSplit)

    def _device(self):
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

    def _initialize_net(self, X):
        """Make the net from the seed, one thread at a time: torch has one generator for all."""
        seed = check_random_state(self.random_state).randint(2**31 - 1)
        devices = self._cuda_devices()
        with ONE_AT_A_TIME, torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            self.net_ = self._make_net(X).initialize()
            self._rng_states = random_states(devices)
            self._shuffling_state = torch.Generator().manual_seed(seed).get_state()

    @contextlib.contextmanager
    def _random_numbers(self):
        """Go on with the random numbers of the last call, and restore torch's.

        Yields a generator for shuffling, which does not depend on what other threads draw.
        """
        devices = self._cuda_devices()
        shuffling = torch.Generator()
        shuffling.set_state(self._shuffling_state)
        with ONE_AT_A_TIME:
            before = random_states(devices)
            set_random_states(self._rng_states, devices)
        try:
            yield shuffling
        finally:
            with ONE_AT_A_TIME:
                self._rng_states = random_states(devices)
                set_random_states(before, devices)
            self._shuffling_state = shuffling.get_state()

    def _cuda_devices(self):
        device = torch.device(self._device())
        return [device] if device.type == "cuda" else []

    def _goes_on(self):
        return self.warm_start and hasattr(self, "net_")

    def _forbid_early_stopping(self):
        if self.early_stopping:
            raise ValueError("partial_fit makes one pass at a time: it needs early_stopping=False")
