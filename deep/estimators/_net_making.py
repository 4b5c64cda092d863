"""From the parameters of an estimator to its net, and its random numbers."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect

import skorch.callbacks
import skorch.utils
import torch
from sklearn.base import clone
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state
from skorch.dataset import ValidSplit
from torch import nn

from skreg._estimator import Estimator

from ..frame._changes import same
from ._changes import go_on, settings_of
from ._devices import checked_device
from ._modules import ResidualMLP, SmallCNN
from ._random_numbers import going_on_from, seeded


def build_module(factory, dtype, **kwargs):
    """Make the module, or copy it, with parameters of the given type."""
    if isinstance(factory, nn.Module):
        module = type(factory)(**kwargs) if kwargs else copy.deepcopy(factory)
    else:
        module = factory(**kwargs)
    return module.to(dtype=dtype)


class MakesNet(Estimator):
    """The part of an estimator that makes the net, or lets it go on with other parameters."""

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
