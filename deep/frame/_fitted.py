"""What a fitted estimator was trained with, found through Pipelines and searches."""

from typing import Any, TypeVar

from sklearn.utils.validation import check_is_fitted

from skreg._inside import fitted_inside

Kind = TypeVar("Kind")


def fitted_net(estimator: Any) -> tuple[Any, Any]:
    """The model that an estimator predicts with, and its net.

    Parameters
    ----------
    estimator : estimator or net
        A fitted model, or a Pipeline or search that holds one.

    Returns
    -------
    model : estimator or net
        The model, which holds the net or is it.
    net : skorch.NeuralNet
        Its net.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    """
    check_is_fitted(estimator)
    holders = (inner for inner in fitted_inside(estimator) if hasattr(inner, "net_"))
    model = next(holders, estimator)
    return model, getattr(model, "net_", model)


def trained_with(estimator: Any, kind: type[Kind]) -> tuple[Any, Kind]:
    """The model that an estimator predicts with, and its regularizer of some kind.

    Parameters
    ----------
    estimator : estimator or net
        A fitted model, or a Pipeline or search that holds one.
    kind : type
        Class of the regularizer.

    Returns
    -------
    model : estimator or net
        The model.
    regularizer : Regularizer
        The first of that class.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If there is none.
    """
    model, net = fitted_net(estimator)
    for _, regularizer in net.regularizers or ():
        if isinstance(regularizer, kind):
            return model, regularizer
    raise ValueError(
        f"{type(model).__name__} was trained without {kind.__name__}: there is nothing to draw"
    )
