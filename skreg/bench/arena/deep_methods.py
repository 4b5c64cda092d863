"""What methods add to the plain training of a network, and the measure of networks so trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from skreg.bench.arena.deep_tasks import Split
from skreg.bench.arena.networks import one_thread
from skreg.deep import Regularizer

Recipe = Callable[[int, int], Any]
Scores = Callable[[Any, Split, int], dict[str, Any]]


class Method(NamedTuple):
    """What is added to plain training.

    Attributes
    ----------
    regularizers : tuple of callable
        They are made anew for each fit.
    net_params : mapping of str to object
        By skorch's names.
    sample_weight : callable or None
        Weights of the training samples by their targets.
    n_networks : int
        Networks that take turns, each of which gets the epochs of plain training.
    """

    regularizers: tuple[Callable[[], Regularizer], ...] = ()
    net_params: Mapping[str, Any] = {}
    sample_weight: Callable[[Any], Any] | None = None
    n_networks: int = 1


def with_regularizer(make: Callable[..., Regularizer], *args: Any, **params: Any) -> Method:
    """Plain training and one regularizer."""
    return Method((functools.partial(make, *args, **params),))


def with_smoothing(strength: float) -> Method:
    """Plain training on smoothed labels."""
    return Method(net_params={"criterion__label_smoothing": strength})


def with_decay(strength: float) -> Method:
    """Plain training with weight decay."""
    return Method(net_params={"optimizer__weight_decay": strength})


def fitted(model: Any, method: Method, X: Any, y: Any) -> Any:
    """The model of plain training, fitted with what a method adds, by one thread.

    Parameters
    ----------
    model : DeepClassifier or DeepRegressor
        Not fitted yet; changed. It may have regularizers that belong to plain training.
    method : Method
        What is added. Its regularizers have the names of their classes.
    X, y : array-like
        As of ``fit``.

    Returns
    -------
    DeepClassifier or DeepRegressor
        The model.
    """
    weights = None if method.sample_weight is None else method.sample_weight(y)
    added = [make() for make in method.regularizers]
    model.set_params(
        regularizers=[*(model.regularizers or ()), *((type(one).__name__, one) for one in added)],
        net_params={**(model.net_params or {}), **method.net_params},
    )
    with one_thread():
        return model.fit(X, y, weights)


def trained(recipe: Recipe, scores: Scores) -> Callable[..., Iterator[dict[str, Any]]]:
    """Make the `measure` of a setting: a network trained by each method, and its scores.

    Parameters
    ----------
    recipe : callable
        Plain training: ``recipe(epochs, seed)`` returns a model that is not fitted yet.
    scores : callable
        ``scores(model, task, seed)`` returns numbers by the names of the metrics.

    Returns
    -------
    callable
        ``measure((task, epochs), methods, seed)``, by one thread.
    """

    def measure(
        data: tuple[Split, int], methods: Mapping[str, Method], seed: int
    ) -> Iterator[dict[str, Any]]:
        task, epochs = data
        for name, method in methods.items():
            model = fitted(recipe(method.n_networks * epochs, seed), method, task.X, task.y)
            with one_thread():
                found = scores(model, task, seed)
            yield {"method": name, **found}

    return measure
