"""Labels of classes as numbers, and back."""

from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.utils.multiclass import check_classification_targets, unique_labels


def known_classes(y: Any, classes: Any, by: str) -> np.ndarray:
    """The sorted labels of a stream that begins.

    Raises
    ------
    ValueError
        If there are fewer than two.
    """
    check_classification_targets(y)
    found = unique_labels(y) if classes is None else unique_labels(classes)
    if len(found) < 2:
        raise ValueError(
            f"{by} needs at least two classes; got 1 class, {found[0]!r}. Give "
            "partial_fit all labels that may come as classes"
        )
    return found


def codes_of(y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Targets of the losses: -1 and 1 for two classes, numbers of classes for more.

    Raises
    ------
    ValueError
        If a label is none of the classes.
    """
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = np.unique(y[classes[codes] != y])
    if len(unknown):
        raise ValueError(
            f"y holds {unknown[:5].tolist()}, which are not among the classes with which the "
            f"stream began, {classes.tolist()[:10]}; give all of them to the first partial_fit"
        )
    codes = codes.astype(np.float64)
    return 2.0 * codes - 1.0 if len(classes) == 2 else codes


def labels_of(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Labels for decision values (n, n_outputs)."""
    if scores.shape[1] == 1:
        return classes[(scores[:, 0] > 0.0).astype(int)]
    return classes[scores.argmax(axis=1)]


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Probabilities of the log-loss for decision values (n, n_outputs)."""
    if scores.shape[1] == 1:
        return np.column_stack([expit(-scores[:, 0]), expit(scores[:, 0])])
    return softmax(scores, axis=1)


def said_before(method: str, scores: np.ndarray, classes: np.ndarray, loss: str) -> np.ndarray:
    """What a method of a classifier says for decision values (n, n_outputs).

    Raises
    ------
    ValueError
        If there is no such method for the loss.
    """
    if method == "predict":
        return labels_of(scores, classes)
    if method == "decision_function":
        return scores[:, 0] if scores.shape[1] == 1 else scores
    if method == "predict_proba" and loss == "log_loss":
        return probabilities(scores)
    raise ValueError(
        f"method must be 'predict', 'decision_function' or, for loss='log_loss', 'predict_proba'; "
        f"got {method!r} with loss={loss!r}"
    )
