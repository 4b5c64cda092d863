"""Masks in which confident predictions take the place of labels."""

from typing import Literal, NamedTuple

import torch

from ..frame._batches import check_choice, check_number

IGNORED = -100


class Correction(NamedTuple):
    """Masks after a correction.

    Attributes
    ----------
    labels : Tensor of shape (n, height, width)
        The new masks.
    n_changed : Tensor of shape (n,), int64
        Number of pixels of each that are new.
    """

    labels: torch.Tensor
    n_changed: torch.Tensor


def correct_labels(
    labels: torch.Tensor,
    probabilities: torch.Tensor,
    classes_on: torch.Tensor,
    *,
    tau: float = 0.8,
    tau_background: float | None = None,
    background: int | None = 0,
    class_constraint: bool = True,
    rule: Literal["both", "prediction"] = "both",
    max_change: float | None = None,
    ignore_index: int = IGNORED,
) -> Correction:
    """Replace labels of pixels by confident predictions, for classes that are to be corrected.

    With S the classes that are on and the background, q the predicted probabilities and c their
    most probable class, a pixel gets the label c if q_c is above the threshold, c is in S, and

    - its label is in S as well, and the image has a pixel of a class that is on (rule "both"), or
      whatever its label (rule "prediction");
    - c is the background or already in the mask (`class_constraint`); a mask of background alone
      says nothing, and is not constrained under the rule "prediction".

    Parameters
    ----------
    labels : Tensor of shape (n, height, width), int
        Masks of class numbers.
    probabilities : Tensor of shape (n, n_classes, height, width)
        Predictions.
    classes_on : Tensor of shape (n_classes,), bool
        Which classes are to be corrected; with none nothing changes.
    tau : float, default=0.8
        Threshold, in [0, 1]: a probability that the loss was trained with.
    tau_background : float, default=None
        Threshold of the background, None for `tau`.
    background : int or None, default=0
        Class number of the background, None if there is none.
    class_constraint : bool, default=True
        Whether images get no classes that they have not.
    rule : {"both", "prediction"}, default="both"
        Whose class must be in S.
    max_change : float, default=None
        Leave an image alone if more than this share of its pixels would change.
    ignore_index : int, default=-100
        Label of pixels to ignore, which stay ignored under the rule "both".

    Returns
    -------
    Correction
        New masks, and numbers of changed pixels. The given masks stay as they are.

    Raises
    ------
    ValueError
        If shapes do not fit, labels are no integers, or a number is out of its range.

    References
    ----------
    .. [1] S. Liu, K. Liu, W. Zhu, Y. Shen, C. Fernandez-Granda, "Adaptive Early-Learning
       Correction for Segmentation from Noisy Annotations", CVPR 2022.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import correct_labels
    >>> labels = torch.tensor([[[0, 0, 1]]])
    >>> probabilities = torch.tensor([[[[0.1, 0.4, 0.1]], [[0.9, 0.6, 0.9]]]])
    >>> correct_labels(labels, probabilities, torch.tensor([False, True])).labels
    tensor([[[1, 0, 1]]])
    """
    n_classes = _checked(labels, probabilities, classes_on)
    check_number("tau", tau, 0, 1)
    tau_background = tau if tau_background is None else tau_background
    check_number("tau_background", tau_background, 0, 1)
    check_choice("rule", rule, ("both", "prediction"))
    if background is not None:
        check_number("background", background, 0, n_classes - 1)
    if max_change is not None:
        check_number("max_change", max_change, 0, 1)
    confidence, predicted = probabilities.max(dim=1)
    threshold = torch.full((n_classes,), float(tau), device=labels.device)
    allowed = classes_on.clone()
    if background is not None:
        threshold[background] = float(tau_background)
        allowed[background] = True
    change = (confidence > threshold[predicted]) & allowed[predicted] & classes_on.any()
    valid = labels != ignore_index
    known = torch.where(valid, labels, 0).long()
    present = _present(known, valid, n_classes)
    foreground = classes_on.clone()
    if background is not None:
        foreground[background] = False
    if rule == "both":
        change &= valid & allowed[known]
        change &= (present & foreground).any(1)[:, None, None]
    if class_constraint:
        change &= (
            _constraint(present, background, rule)
            .gather(1, predicted.flatten(1))
            .view_as(predicted)
        )
    change &= predicted != labels
    if max_change is not None:
        share = change.flatten(1).sum(1) / valid.flatten(1).sum(1).clamp(min=1)
        change &= (share <= max_change)[:, None, None]
    new = torch.where(change, predicted.to(labels.dtype), labels)
    return Correction(new, change.flatten(1).sum(1))


def _present(known, valid, n_classes):
    """Which classes each mask has."""
    present = torch.zeros(len(known), n_classes, dtype=torch.int64, device=known.device)
    present.scatter_add_(1, known.flatten(1), valid.flatten(1).long())
    return present > 0


def _constraint(present, background, rule):
    """Which classes may come into each mask."""
    allowed = present.clone()
    if background is not None:
        if rule == "prediction":
            objects = present.clone()
            objects[:, background] = False
            allowed |= ~objects.any(1, keepdim=True)
        allowed[:, background] = True
    return allowed


def _checked(labels, probabilities, classes_on):
    if labels.ndim != 3 or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ValueError(
            "labels must be integers of shape (n, height, width), got "
            f"{labels.dtype} of shape {tuple(labels.shape)}"
        )
    n, height, width = labels.shape
    if probabilities.ndim != 4 or (n, height, width) != (
        len(probabilities), *probabilities.shape[2:],
    ):  # fmt: skip
        raise ValueError(
            f"probabilities must have shape ({n}, n_classes, {height}, {width}), got "
            f"{tuple(probabilities.shape)}"
        )
    n_classes = probabilities.shape[1]
    if classes_on.shape != (n_classes,) or classes_on.dtype != torch.bool:
        raise ValueError(
            f"classes_on must be bool of shape ({n_classes},), got {classes_on.dtype} of shape "
            f"{tuple(classes_on.shape)}"
        )
    return n_classes
