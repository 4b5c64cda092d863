"""A network whose classes come one task at a time."""

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.utils.validation import validate_data
from torch import nn

from ._task_training import features_of
from ._virtual_outliers import EnergyMarginLoss, VirtualOutlierSynthesizer
from ._vor_logistic_head import ATTRIBUTES, PARAMETERS, VORLogisticHead


class ClassIncrementalClassifier(VORLogisticHead):
    __doc__ = (
        """Pretrained network whose classes come one task at a time, without old samples.

    `VORLogisticHead` on the features of a module. The module is frozen, or those of its parameters
    that require a gradient, such as the prompts of `skreg.deep.torch.OnePrompt` in an otherwise
    frozen transformer, are trained in the first phase of each task.

    Parameters
    ----------
    module : torch.nn.Module or callable
        From samples to features of shape (n, d): a pretrained network without its classifier, or
        what makes one without arguments. It is copied, and stays on its device. Give
        ``timm.create_model(NAME, pretrained=True, num_classes=0)``, or a network of torchvision
        whose last layer was set to ``torch.nn.Identity()``. The features must be
        standardised, as for `VORLogisticHead`: where the network does not do it, append
        ``torch.nn.BatchNorm1d(d, affine=False, momentum=None)`` that was shown some data, those of
        the first task for instance."""
        + PARAMETERS.format(max_epochs=(16, 4), lr="0.001", batch_size=128)
        + """    freeze_module : bool, default=True
        Whether the module is used in evaluation mode and without gradient. Otherwise its parameters
        with ``requires_grad`` are trained in the first phase, in training mode. The rows of earlier
        tasks do not follow a module that moves.

    Attributes
    ----------
    module_ : torch.nn.Module
        The module, in evaluation mode."""
        + ATTRIBUTES
        + """
    See Also
    --------
    VORLogisticHead : The same on features that are there.

    References
    ----------
    .. [1] W.-C. Huang, C.-F. Chen, H. Hsu, "OVOR: OnePrompt with Virtual Outlier Regularization for
       Rehearsal-Free Class-Incremental Learning", ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sklearn.datasets import load_digits
    >>> from skreg.deep import ClassIncrementalClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> module = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU())
    >>> model = ClassIncrementalClassifier(module, lr=0.01, random_state=0)
    >>> for task in ([0, 1, 2], [3, 4]):
    ...     chosen = np.isin(y, task)
    ...     model = model.partial_fit(X[chosen] / 16, y[chosen])
    >>> model.classes_
    array([0, 1, 2, 3, 4])
    """
    )

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **VORLogisticHead._parameter_constraints,
        "module": [callable],
        "freeze_module": ["boolean"],
    }

    def __init__(
        self,
        module: nn.Module | Callable[[], nn.Module],
        *,
        regularizer: EnergyMarginLoss | Literal["energy_margin"] | None = "energy_margin",
        synthesizer: (
            VirtualOutlierSynthesizer | Literal["boundary", "origin", "none"]
        ) = "boundary",
        max_epochs: tuple[int, int] = (16, 4),
        lr: float = 1e-3,
        schedule: Literal["cosine", "constant"] = "cosine",
        batch_size: int = 128,
        allow_repeated: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        freeze_module: bool = True,
    ) -> None:
        super().__init__(
            regularizer=regularizer,
            synthesizer=synthesizer,
            max_epochs=max_epochs,
            lr=lr,
            schedule=schedule,
            batch_size=batch_size,
            allow_repeated=allow_repeated,
            random_state=random_state,
            verbose=verbose,
        )
        self.module = module
        self.freeze_module = freeze_module

    def _checked_rows(self, X, *, reset, **labels):
        if isinstance(X, torch.Tensor):
            X = X.detach().cpu().numpy()
        kinds = [np.float64, np.float32]
        return validate_data(self, X, **labels, dtype=kinds, allow_nd=True, reset=reset)

    def _begin(self):
        super()._begin()
        given = self.module
        self.module_ = copy.deepcopy(given) if isinstance(given, nn.Module) else given()
        self.module_.eval()

    def _task_inputs(self, X):
        if self.freeze_module:
            return self._module_features(X), nn.Identity()
        self.module_ = copy.deepcopy(self.module_)  # a failure leaves the one that was there
        return torch.tensor(X), self.module_

    def _module_features(self, X):
        return features_of(self.module_, torch.tensor(X), self.batch_size)

    def _features(self, X):
        return self._module_features(X).cpu().numpy()
