"""Images with a box from another image in the training step."""

import torch

from ..frame._regularizer import TASKS, Batch, Net
from ..frame._views import cutmix
from ._mixup_regularizer import Mixup


class CutMix(Mixup):
    """Pastes a box of another image into each image of the batch (Yun et al. 2019).

    In each batch a share l ~ Beta(alpha, alpha) is drawn, a box of the share 1 - l of the image's
    area at a random place, and a random partner j of each image i. Image i takes the box from its
    partner. Targets are mixed as by `Mixup`, with the share of the area that was kept in fact;
    where they are images themselves, such as a class for each pixel, the box is pasted into them.

    Inputs are tensors of shape (n, channels, height, width). Sample weights act as in `Mixup`.

    Parameters
    ----------
    alpha : float, default=1.0
        Parameter of the beta distribution; zero leaves each image as it is. One, a uniform share,
        is the authors' choice.

    References
    ----------
    .. [1] S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to
       Train Strong Classifiers with Localizable Features", ICCV 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg.deep import DeepClassifier
    >>> from skreg.deep.regularizers import CutMix
    >>> images, y = load_digits(n_class=3, return_X_y=True)
    >>> images = images.reshape(-1, 1, 8, 8)
    >>> model = DeepClassifier(regularizers=[("cut", CutMix())], max_epochs=5, random_state=0)
    >>> model.fit(images, y).score(images, y) > 0.9
    True
    """

    tasks = TASKS

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def _draw(self, X, batch):
        return cutmix(X, self.alpha, weight=batch.sample_weight)

    def targets(self, net: Net, batch: Batch, y: torch.Tensor) -> torch.Tensor:
        """Mix the targets, or paste the box into them.

        Raises
        ------
        ValueError
            If targets are images of another size than the inputs.
        """
        kept = batch.extras[self].kept
        if y.ndim < 3 and net.task_ != "dense":
            return super().targets(net, batch, y)
        if kept is not None and y.shape[-2:] != kept.shape:
            raise ValueError(
                f"CutMix pastes boxes of images of size {tuple(kept.shape)} and needs targets of "
                f"the same size, got shape {tuple(y.shape)}"
            )
        return y if kept is None else batch.extras[self].inputs(y)
