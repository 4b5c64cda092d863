"""What the splitter and the scorer of a cross-validated estimator are told."""

import copy
from inspect import signature
from typing import Any

import numpy as np
from sklearn.model_selection import check_cv

from skreg._sklearn import MetadataRouter, MethodMapping, _routing_enabled, process_routing


def scorer_of_classes(scorer: Any, classes: np.ndarray) -> Any:
    """The scorer, told which classes there are where its function asks for them.

    A fold may lack a class, but the columns of probabilities are those of all. As
    `sklearn.linear_model.LogisticRegressionCV` does, `labels` are all classes, and of two classes
    the second is the positive one; what the scorer was made with stays.

    Parameters
    ----------
    scorer : callable
        Scorer of scikit-learn, or any function of (estimator, X, y), which is returned as it is.
    classes : ndarray of shape (n_classes,)
        Class labels.

    Returns
    -------
    callable
        Scorer.
    """
    function = getattr(scorer, "_score_func", None)
    if function is None:
        return scorer
    known = {"labels": classes}
    if len(classes) == 2:
        known["pos_label"] = classes[1]
    asked = {name: known[name] for name in known.keys() & signature(function).parameters.keys()}
    scorer = copy.copy(scorer)
    scorer._kwargs = {**asked, **scorer._kwargs}
    return scorer


def routed_to_folds(
    owner: Any, params: dict[str, Any], sample_weight: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters of an estimator's splitter and of its scorer.

    Parameters
    ----------
    owner : estimator
        Estimator whose `get_metadata_routing` returns a `router_of_folds`.
    params : dict
        What its fit was given besides X, y and weights.
    sample_weight : array-like or None
        Weights, which a scorer gets if it asks for them or if routing is not enabled.

    Returns
    -------
    splitting, scoring : dict
        Parameters.
    """
    if not _routing_enabled():
        return {}, {} if sample_weight is None else {"sample_weight": sample_weight}
    if sample_weight is not None:
        params = {**params, "sample_weight": sample_weight}
    if not params:
        return {}, {}
    routed = process_routing(owner, "fit", **params)
    return routed.splitter.split, routed.scorer.score if "scorer" in routed else {}


def router_of_folds(owner: Any, scorer: Any) -> MetadataRouter:
    """Metadata that the splitter ``owner.cv`` and a scorer ask for.

    Parameters
    ----------
    owner : estimator
        Estimator with the parameter `cv`.
    scorer : callable or None
        Scorer of scikit-learn, None if there is none that could ask.

    Returns
    -------
    MetadataRouter
        Router of scikit-learn.
    """
    router = MetadataRouter(owner=owner).add_self_request(owner)
    cv = owner.cv
    splits_are_given = not (cv is None or hasattr(cv, "split") or np.isscalar(cv))
    router.add(
        splitter=check_cv([] if splits_are_given else cv),  # an iterator is left for fit
        method_mapping=MethodMapping().add(caller="fit", callee="split"),
    )
    if scorer is not None:
        router.add(scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score"))
    return router
