"""What the scikit-learn estimators have in common: parameters, scaling, making the net."""

from __future__ import annotations

import contextlib
import copy
import fnmatch
import functools
import inspect
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
import skorch.callbacks
import skorch.utils
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from skreg._sklearn import Interval, StrOptions, _check_sample_weight

from ..frame._changes import resumed, same
from ..frame._composition import RegularizerParameters
from ..frame._frozen_copy import bare
from ..frame._indexed import IndexedDataset
from ..frame._regularizer import NamedRegularizers
from ._changes import go_on, settings_of, untouched_by_failure
from ._devices import checked_device
from ._inputs import (
    Conversion,
    ConvertedDataset,
    check_parts,
    form_of,
    has_channels_last,
    is_one_array,
    n_rows,
    take,
    takes_tokens,
    unpacked,
)
from ._modules import ResidualMLP, SmallCNN
from ._numbering import Numbering, numbered
from ._random_numbers import going_on_from, seeded
from ._standardize import Standardization

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
        of shape (n, channels, height, width), (n, height, width, channels) with 1, 3 or 4
        channels, or (n, height, width).
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
        one; ``"auto"`` does so for the default network. Numbers are converted to `dtype`, but
        integers stay integers if the module has an ``Embedding`` or ``EmbeddingBag``, unless
        `standardize` is True.{target}
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
        Whether ``fit`` goes on from the weights of the last call, as ``partial_fit`` does.
        Parameters are as they are now: another learning rate, batch size, criterion, device,
        dtype, regularizer or callback acts; another optimizer begins without the state of the old
        one; what the network is built from (`module` and its arguments, `compile`,
        standardization) cannot change. A new `random_state` begins new random numbers.
    trainable : list of str, default=None
        Patterns like ``"head.*"`` of names of the module's parameters, as
        ``net_.module_.named_parameters()`` has them; the others are frozen during training, though
        batch normalization goes on to average. None trains all that the module does not freeze.
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


def finite(outputs):
    """The outputs of a network, unless there are some that are no numbers.

    Raises
    ------
    ValueError
        If they are not finite.
    """
    strange = np.flatnonzero(~np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1))
    if len(strange):
        raise ValueError(
            f"the network overflows for {len(strange)} of {len(outputs)} rows of X, the first of "
            f"which is row {strange[0]}: these inputs are too far from the training data"
        )
    return outputs


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

    def _checked(self, X, y, *, reset):
        """Inputs and targets; arrays as scikit-learn checks them."""
        if reset:
            self._is_default = self.module is None
        X, y = unpacked(X, y)
        if is_one_array(X):
            X = self._channels_first(X, reset=reset)
            X, y = self._checked_arrays(X, y, reset=reset)
        else:
            self._require_module(X)
            check_parts(X)
            y = self._checked_targets_alone(X, y, reset=reset)
        if reset:
            self._form = form_of(X)
        self._check_form(X)
        return X, y

    def _check_form(self, X):
        form = form_of(X)
        if form != self._form:
            raise ValueError(
                f"X must have shape (n, {self._form}), got {getattr(X, 'shape', f'(n, {form})')}"
            )

    def _checked_arrays(self, X, y, *, reset):
        return validate_data(self, X, y, allow_nd=True, reset=reset, **self._target_checks)

    def _checked_targets_alone(self, X, y, *, reset):
        """Targets of what scikit-learn does not validate."""
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but neither y was given nor do "
                "the samples of the data set come with targets"
            )
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
        check_consistent_length(np.empty(n_rows(X)), y)
        return y

    def _require_module(self, X):
        kind = f"a {type(X).__name__}"
        if self._is_default:
            raise ValueError(
                f"the default network takes tables and images as arrays, got {kind}: give a module"
            )
        if self.standardize is True:
            raise ValueError(f"standardize=True needs X as one array, got {kind}")

    def _channels_first(self, X, *, reset):
        """Images whose channels come last as torch has them, for the default network."""
        X = np.asarray(X) if isinstance(X, list | tuple) else X
        four_axes = self._is_default and getattr(X, "ndim", 0) == 4
        if reset:
            self._channels_last = four_axes and has_channels_last(X.shape)
        return np.moveaxis(X, 3, 1) if four_axes and self._channels_last else X

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

    # data

    def _checked_validation(self, X_val, y_val):
        """Own data for validation: those of ``fit``, or skorch's ``predefined_split``."""
        split = (self.net_params or {}).get("train_split")
        own = split.keywords.get("valid_ds") if isinstance(split, functools.partial) else None
        if X_val is None and y_val is not None:
            raise ValueError("y_val was given without X_val")
        if X_val is None and own is None:
            return None
        if X_val is not None and own is not None:
            raise ValueError(
                "X_val and a predefined_split in net_params['train_split'] are two sets of "
                "validation data: leave one out"
            )
        return self._checked(own if X_val is None else X_val, y_val, reset=False)

    def _prepared(self, X, y):
        """The data set for the net, and its targets once more."""
        if isinstance(X, torch.utils.data.Dataset):
            targets = self._targets(y, None)
            return ConvertedDataset(X, self._conversion(), targets), targets
        inputs = self._inputs(X)
        targets = self._targets(y, inputs)
        return Dataset(inputs, targets), targets

    def _scale(self, X, _y, weight):
        wanted = self._is_default if self.standardize == "auto" else self.standardize
        X = self._with_channels(X)
        self._input_scaling = Standardization(X, weight) if wanted else None

    def _inputs(self, X):
        """What the module gets."""
        if self._input_scaling is None:
            return self._conversion()(self._with_channels(X))
        with np.errstate(over="ignore"):
            inputs = self._input_scaling.transform(self._with_channels(X), self._dtype)
        return finite(inputs)

    def _conversion(self):
        return Conversion(self._dtype, takes_tokens(bare(self.net_.module_)))

    def _with_channels(self, X):
        """Images without channels get one, if the default network takes them."""
        return X[:, None] if self._is_default and getattr(X, "ndim", 0) == 3 else X

    def _asked(self, X):
        """What the net is asked about: checked and converted inputs."""
        check_is_fitted(self)
        X, _ = unpacked(X, ())
        if is_one_array(X):
            X = self._channels_first(X, reset=False)
            X = validate_data(self, X, allow_nd=True, reset=False)
        else:
            self._require_module(X)
            check_parts(X)
        self._check_form(X)
        if isinstance(X, torch.utils.data.Dataset):
            return ConvertedDataset(X, self._conversion())
        return self._inputs(X)

    def _raw_predictions(self, X):
        """What the net predicts."""
        X = self._asked(X)
        return finite(self.net_.predict_proba(X))

    # the net

    def _net_arguments(self):
        net_params = dict(self.net_params or {})
        arguments = {
            "module": functools.partial(
                build_module, self._factory(), getattr(torch, self.dtype), **self._sizes()
            ),
            "regularizers": clone(list(self.regularizers or ()), safe=False),
            "optimizer": self.optimizer,
            "lr": self.lr,
            "max_epochs": self.max_epochs,
            "batch_size": self.batch_size,
            "train_split": self._train_split() if self.early_stopping else None,
            "callbacks": self._net_callbacks(),
            "accumulation_steps": self.accumulation_steps,
            "mixed_precision": self.mixed_precision,
            "compile": self.compile,
            "device": str(checked_device(self.device)),
            "verbose": int(self.verbose),
            **self._task_arguments(),
        }
        if "iterator_train__sampler" not in net_params:
            arguments["iterator_train__shuffle"] = True
        if self.criterion is not None:
            arguments["criterion"] = self.criterion
        return {**arguments, **net_params}

    def _factory(self):
        if self.module is not None:
            return self.module
        if len(self._form) not in (1, 2, 3):
            raise ValueError(
                f"X of shape (n, {', '.join(map(str, self._form))}) is neither a table (n, "
                "n_features) nor images (n, channels, height, width) or (n, height, width): give "
                "a module"
            )
        return ResidualMLP if len(self._form) == 1 else SmallCNN

    def _sizes(self):
        """Arguments of the module that are known from the data, those that it has."""
        factory = self._factory()
        if isinstance(factory, nn.Module):
            return {}
        sizes = self._own_sizes()
        if isinstance(self._form, tuple) and self._form:
            one_channel = self.module is None and len(self._form) == 2
            sizes["n_inputs"] = 1 if one_channel else self._form[0]
        accepted = inspect.signature(factory).parameters
        return {name: size for name, size in sizes.items() if name in accepted}

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
        """Rows for early stopping, the same ones as long as the data are."""
        split = self._split_class(1, test_size=self.validation_fraction, random_state=self._seed)
        return ValidSplit(split, stratified=self._split_class is StratifiedShuffleSplit)

    def _settings(self):
        """A copy of all that the net was, or is to be, trained with, by name."""
        built_in = {
            name: getattr(self, name) for name in ("module", "standardize", *self._own_built_in)
        }
        return {**settings_of(self._net_class(**self._net_arguments())), **built_in}

    def _begin(self):
        """Make the net from the seed."""
        self._dtype = self.dtype
        seed = self._draw_seeds()
        with seeded(seed, self._cuda_devices(checked_device(self.device))) as states:
            self.net_ = self._net_class(**self._net_arguments()).initialize()
        self._rng_states = states
        self._net_settings = self._settings()

    def _go_on(self):
        """Let the parameters act as they are now on the net that is there."""
        if not same(self.random_state, self._seeded_by):
            with seeded(self._draw_seeds(), self._cuda_devices(self._device())) as states:
                self._rng_states = states
        settings, device = self._settings(), checked_device(self.device)
        go_on(self.net_, self._net_settings, settings, device, getattr(torch, self.dtype))
        for other in self._cuda_devices(device):
            if str(other) not in self._rng_states:
                generator = torch.Generator(other).manual_seed(self._seed)
                self._rng_states = {**self._rng_states, str(other): generator.get_state()}
        self._net_settings, self._dtype = settings, self.dtype

    # random numbers

    def _draw_seeds(self):
        """Seeds of shuffling and of the split for early stopping; returns that of all the rest."""
        draw = check_random_state(self.random_state)
        seed = draw.randint(2**31 - 1)
        self._seed = seed
        self._shuffling_state = torch.Generator().manual_seed(seed).get_state()
        self._seeded_by = self.random_state
        return seed

    @contextlib.contextmanager
    def _random_numbers(self):
        """Go on with the random numbers of the last call, and restore torch's.

        Yields a generator for shuffling, which does not depend on what other threads draw.
        """
        shuffling = torch.Generator()
        shuffling.set_state(self._shuffling_state)
        with going_on_from(self._rng_states, self._cuda_devices(self._device())) as states:
            yield shuffling
        self._rng_states, self._shuffling_state = states, shuffling.get_state()

    def _device(self):
        """Where the net is."""
        return torch.device(self.net_.device)

    def _cuda_devices(self, device):
        return [device] if device.type == "cuda" else []

    def _goes_on(self):
        return self.warm_start and hasattr(self, "net_")

    def _forbid_early_stopping(self):
        if self.early_stopping:
            raise ValueError("partial_fit makes one pass at a time: it needs early_stopping=False")
