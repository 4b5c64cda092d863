"""A class for each pixel with regularized networks, as a scikit-learn estimator."""

from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from torch import nn

from skreg._state import all_or_nothing
from skreg.metrics import intersection_over_union_score

from ..frame._nets import RegularizedNetSegmenter
from ..frame._regularizer import NamedRegularizers
from ._estimator import DeepEstimator
from ._inputs import as_array
from ._modules import SmallUNet
from ._parameters import ATTRIBUTES, PARAMETERS
from ._preparation import finite

IGNORED = -100  # what torch's losses leave out


class DeepSegmenter(DeepEstimator):
    __doc__ = (
        """Neural network that finds a class for each pixel of an image, with regularizers.

    Builds a `RegularizedNetSegmenter` in ``fit`` and keeps it in `net_`. Its score is the mean
    intersection over union. Images with weight zero take no part. Ctrl-C ends the training and
    keeps the network as it is.

    Parameters
    ----------"""
        + PARAMETERS.format(
            criterion="``torch.nn.CrossEntropyLoss``",
            target="""
    ignore_index : int or None, default=255
        Label of pixels that are left out of the loss and the score, such as borders of objects;
        the default is the one of most data sets. None leaves no pixel out.""",
        ).replace(
            "By default a `ResidualMLP` for tables and a `SmallCNN` for images\n"
            "        of shape (n, channels, height, width), (n, height, width, channels) with 1, "
            "3 or 4\n        channels, or (n, height, width).",
            "It returns logits of shape (n, n_outputs, height, width). By\n        default a "
            "`SmallUNet`, for images of shape (n, channels, height, width), (n, height, width,\n"
            "        channels) with 1, 3 or 4 channels, or (n, height, width).",
        )
        + """
    Attributes
    ----------"""
        + ATTRIBUTES.format(net="RegularizedNetSegmenter")
        + """    classes_ : ndarray of shape (n_classes,)
        The labels, without `ignore_index`.

    Notes
    -----
    scikit-learn's checks of estimators give tables and one label for each row: they do not apply
    to images and masks. Parameters, cloning, pickling, searches and cross-validation work as
    everywhere.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.deep import DeepSegmenter
    >>> rng = np.random.default_rng(0)
    >>> masks = rng.random((40, 1, 2, 2)).repeat(6, axis=2).repeat(6, axis=3)[:, 0] > 0.5
    >>> images = masks + rng.normal(0, 0.3, masks.shape)
    >>> model = DeepSegmenter(max_epochs=10, lr=0.01, random_state=0).fit(images, masks)
    >>> model.score(images, masks) > 0.9
    True
    """
    )

    _net_class = RegularizedNetSegmenter
    _split_class = ShuffleSplit
    _own_built_in = ("ignore_index",)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **DeepEstimator._parameter_constraints,
        "ignore_index": [Integral, None],
    }

    def __init__(
        self,
        module: nn.Module | Callable[..., nn.Module] | None = None,
        regularizers: NamedRegularizers | None = None,
        *,
        criterion: nn.Module | Callable[..., nn.Module] | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
        lr: float = 1e-3,
        max_epochs: int = 100,
        batch_size: int = 16,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        accumulation_steps: int = 1,
        mixed_precision: Literal["bfloat16", "float16"] | None = None,
        compile: bool = False,
        standardize: bool | Literal["auto"] = "auto",
        ignore_index: int | None = 255,
        device: str | torch.device = "auto",
        dtype: Literal["float32", "float64"] = "float32",
        callbacks: Sequence[Any] | None = None,
        net_params: dict[str, Any] | None = None,
        warm_start: bool = False,
        trainable: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            module,
            regularizers,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            accumulation_steps=accumulation_steps,
            mixed_precision=mixed_precision,
            compile=compile,
            standardize=standardize,
            device=device,
            dtype=dtype,
            callbacks=callbacks,
            net_params=net_params,
            warm_start=warm_start,
            trainable=trainable,
            random_state=random_state,
            verbose=verbose,
        )
        self.ignore_index = ignore_index

    @all_or_nothing
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, Tensor, dict of arrays, or torch Dataset
            Images of shape (n, channels, height, width), for the default network also (n, height,
            width, channels) or (n, height, width); or what `module` takes.
        y : array of shape (n, height, width), default=None
            Labels of the pixels: numbers or truth values. None only for a data set of pairs.
        sample_weight : array of shape (n,), default=None
            Weights of the images.
        sample_index : array of int of shape (n,), default=None
            Numbers under which regularizers remember the images, all different and none negative.
            By default images are numbered on from the largest number so far; a warm start on the
            very data of the last call keeps theirs.
        X_val, y_val : as `X` and `y`, default=None
            Data for the validation loss, and for early stopping if it is on, in place of a part of
            the training data.

        Returns
        -------
        DeepSegmenter
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, or one that was changed cannot
            act on a warm start.
        """
        self._validate_params()
        self.check_regularizers()
        reset = not self._goes_on()
        X, y = self._checked(X, y, reset=reset)
        validation = self._checked_validation(X_val, y_val)
        return self._fit(X, y, sample_weight, sample_index, validation, epochs=None, reset=reset)

    @all_or_nothing
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_index: ArrayLike | None = None,
    ) -> Self:
        """Make one pass over the data, going on from where the last call ended.

        Parameters
        ----------
        X : array, Tensor, dict of arrays, or torch Dataset
            Images, as for `fit`. The first call sets the sizes and scales.
        y : array of shape (n, height, width), default=None
            Labels of the pixels. None only for a data set of pairs.
        classes : array of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call unless they are all in `y`.
        sample_weight : array of shape (n,), default=None
            Weights of the images.
        sample_index : array of int of shape (n,), default=None
            As for `fit`; without it the images of each call are new ones.

        Returns
        -------
        DeepSegmenter
            The estimator.

        Raises
        ------
        ValueError
            If a parameter, the data or the weights are not valid, `early_stopping` is on, or a
            parameter that was changed cannot act on a network that is there.
        """
        self._validate_params()
        self._forbid_early_stopping()
        self.check_regularizers()
        reset = not hasattr(self, "net_")
        X, y = self._checked(X, y, reset=reset, classes=classes)
        validation = self._checked_validation(None, None)
        return self._fit(X, y, sample_weight, sample_index, validation, epochs=1, reset=reset)

    # data

    def _checked(self, X, y, *, reset, classes=None):
        X, y = super()._checked(X, y, reset=reset)
        if y.ndim < 2:
            raise ValueError(
                f"y must hold a label for each pixel, of shape (n, height, width), got {y.shape}; "
                "for one label of each image, use DeepClassifier"
            )
        if self._is_default and len(self._form) not in (2, 3):
            raise ValueError(
                f"X of shape {X.shape} are no images (n, channels, height, width), (n, height, "
                "width, channels) or (n, height, width): give a module"
            )
        if self._is_default and y.shape[1:] != self._image_size(X):
            raise ValueError(
                f"masks y of {y.shape[1:]} pixels do not fit images of {self._image_size(X)}"
            )
        check_classification_targets(y.reshape(-1))
        labels = np.unique(y[self._is_meant(y)])
        if reset:
            self.classes_ = labels if classes is None else np.unique(classes)
            if not len(self.classes_):
                raise ValueError(f"all pixels of y have the label ignore_index={self.ignore_index}")
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise ValueError(f"y has labels {unknown.tolist()} that are not among the classes")
        return X, y

    def _checked_arrays(self, X, y, *, reset):
        return validate_data(self, X, allow_nd=True, reset=reset), self._checked_masks(X, y)

    def _checked_targets_alone(self, X, y, *, reset):
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):
                self.__dict__.pop(name, None)
        return self._checked_masks(X, y)

    def _checked_masks(self, X, y):
        if y is None:
            raise ValueError(
                "DeepSegmenter requires y to be passed, but neither y was given nor do the samples "
                "of the data set come with targets"
            )
        y = check_array(y, ensure_2d=False, allow_nd=True, dtype=None, input_name="y")
        check_consistent_length(np.empty(len(y)), X if hasattr(X, "__len__") else y)
        return y

    def _image_size(self, X):
        return X.shape[2:] if X.ndim == 4 else X.shape[1:]

    def _is_meant(self, y):
        """Pixels that are not to be ignored."""
        if self.ignore_index is None or y.dtype.kind not in "iuf":
            return np.ones(y.shape, dtype=bool)
        return y != self.ignore_index

    def _targets(self, y, _inputs):
        meant = self._is_meant(y)
        return np.where(meant, np.searchsorted(self.classes_, y), IGNORED)

    # the network

    def _factory(self):
        return SmallUNet if self.module is None else self.module

    def _own_sizes(self):
        return {"n_outputs": len(self.classes_)}

    def _task_arguments(self):
        return {"classes": np.arange(len(self.classes_))}

    def _train(self, dataset, targets, validation, **arguments):
        try:
            super()._train(dataset, targets, validation, **arguments)
        except (RuntimeError, IndexError) as error:
            wanted = (len(self.classes_), *targets.shape[1:])
            outputs = next(iter(self.net_.forward_iter(dataset)))
            if tuple(outputs.shape[1:]) == wanted:
                raise
            raise ValueError(
                f"the module must return logits of shape (n, {', '.join(map(str, wanted))}) for "
                f"masks of shape {targets.shape}, got (n, "
                f"{', '.join(map(str, outputs.shape[1:]))})"
            ) from error

    # answers

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities of the pixels.

        Parameters
        ----------
        X : array, Tensor, dict of arrays, or torch Dataset
            Images, as for `fit`.

        Returns
        -------
        ndarray of shape (n, n_classes, height, width)
            Probabilities, in the order of `classes_`.
        """
        return self._raw_predictions(X)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels of the pixels.

        Parameters
        ----------
        X : array, Tensor, dict of arrays, or torch Dataset
            Images, as for `fit`.

        Returns
        -------
        ndarray of shape (n, height, width)
            Labels. Probabilities are held for one batch at a time.
        """
        return np.concatenate([self.classes_[best] for best in self._best_of_batches(X)])

    def _best_of_batches(self, X) -> Iterator[np.ndarray]:
        for outputs in self.net_.forward_iter(self._asked(X)):
            finite(as_array(outputs))
            yield as_array(self.net_.probabilities(outputs).argmax(1))

    def score(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Mean intersection over union of the classes, without pixels to ignore.

        Parameters
        ----------
        X : array, Tensor, dict of arrays, or torch Dataset
            Images, as for `fit`.
        y : array of shape (n, height, width)
            True labels of the pixels.
        sample_weight : array of shape (n,), default=None
            Weights of the images.

        Returns
        -------
        float
            `skreg.metrics.intersection_over_union_score` of `predict`.
        """
        return intersection_over_union_score(
            as_array(y),
            self.predict(X),
            ignore_index=self.ignore_index,
            sample_weight=sample_weight,
        )
