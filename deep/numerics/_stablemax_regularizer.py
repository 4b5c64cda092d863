"""StableMax in the training step."""

from torch import nn

from ..frame._regularizer import Net, Regularizer
from ._stablemax import StableMaxCrossEntropyLoss


class StableMax(Regularizer):
    """Replaces the softmax of the cross entropy by StableMax (Prieto et al. 2025).

    The criterion becomes `skreg.deep.torch.StableMaxCrossEntropyLoss` with the class weights and
    the label smoothing that it had, and class probabilities are those of StableMax.

    References
    ----------
    .. [1] L. Prieto, M. Barsbey, P. Mediano, T. Birdal, "Grokking at the Edge of Numerical
       Stability", ICLR 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import StableMax
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DeepClassifier(
    ...     regularizers=[("stable", StableMax())], max_epochs=20, random_state=0
    ... )
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    """

    tasks = ("classification", "dense")
    replaces_criterion = True

    def criterion(self, net: Net, criterion: nn.Module) -> nn.Module:
        """Replace the cross entropy.

        Raises
        ------
        TypeError
            If the criterion so far is no cross entropy.
        """
        if not isinstance(criterion, nn.CrossEntropyLoss):
            raise TypeError(
                "StableMax replaces torch.nn.CrossEntropyLoss, but the criterion is "
                f"{type(criterion).__name__}"
            )
        return StableMaxCrossEntropyLoss(
            criterion.weight,
            criterion.ignore_index,
            criterion.reduction,  # type: ignore[arg-type]  # torch says str
            criterion.label_smoothing,
        )
