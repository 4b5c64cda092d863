"""Views of a batch: its samples augmented, or mixed in pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

from ._batches import check_number


class Mixing(NamedTuple):
    """Pairs of samples of a batch, and how they are mixed.

    Attributes
    ----------
    share : Tensor of shape ()
        Weight of each sample; its partner has the rest.
    partner : Tensor of shape (n,)
        Position of the partner of each sample.
    kept : Tensor of shape (h, w), bool, or None
        Pixels that each image keeps while it takes the others from its partner (cutmix). None if
        inputs are mixed as everything else is (mixup).

    Examples
    --------
    >>> import torch
    >>> mixing = Mixing(torch.tensor(0.75), torch.tensor([1, 0]))
    >>> mixing.inputs(torch.tensor([[0.0, 4.0], [8.0, 0.0]]))
    tensor([[2., 3.],
            [6., 1.]])
    >>> mixing(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor([[0.7500, 0.2500],
            [0.2500, 0.7500]])
    """

    share: torch.Tensor
    partner: torch.Tensor
    kept: torch.Tensor | None = None

    def __call__(self, part):
        """Weighted mean of each row of a part of the batch and its partner's.

        Parameters
        ----------
        part : Tensor of shape (n, ...)
            Class probabilities, real targets, or what else belongs to the samples.

        Returns
        -------
        Tensor of shape (n, ...)
            The means.

        Raises
        ------
        ValueError
            If `part` is no tensor of floating-point numbers.
        """
        check_mixable(part)
        share = self.share.to(part.dtype)
        return share * part + (1 - share) * part[self.partner]

    def inputs(self, X: torch.Tensor) -> torch.Tensor:
        """Mix the inputs of the network.

        Parameters
        ----------
        X : Tensor of shape (n, ...)
            The inputs.

        Returns
        -------
        Tensor of shape (n, ...)
            Means of the pairs, or images with a box from the partner.

        Raises
        ------
        ValueError
            If `X` is no tensor of floating-point numbers.
        """
        if self.kept is None:
            return self(X)
        return torch.where(self.kept, X, X[self.partner])


def mixup(
    n: int,
    alpha: float,
    device: torch.device | None = None,
    *,
    fold: bool = False,
    weight: torch.Tensor | None = None,
) -> Mixing:
    """Draw partners and their common weight (Zhang et al. 2018).

    The share is l ~ Beta(alpha, alpha), one for the batch; each sample has a random partner.

    Parameters
    ----------
    n : int
        Number of samples.
    alpha : float
        Parameter of the beta distribution; zero leaves each sample as it is.
    device : torch.device, optional
        Where the batch is.
    fold : bool, default=False
        Take max(l, 1 - l), so that a sample weighs no less than its partner.
    weight : Tensor of shape (n,), optional
        Weights of the samples. Partners are then drawn in proportion to them: if the loss of a pair
        has the weight of its first sample, a whole-number weight is on average a sample given as
        often.

    Returns
    -------
    Mixing
        The pairs.

    Raises
    ------
    ValueError
        If `alpha` is negative.

    References
    ----------
    .. [1] H. Zhang, M. Cisse, Y. N. Dauphin, D. Lopez-Paz, "mixup: Beyond Empirical Risk
       Minimization", ICLR 2018.

    Examples
    --------
    >>> import torch
    >>> mixup(3, alpha=0.0)
    Mixing(share=tensor(1.), partner=tensor([0, 1, 2]), kept=None)
    """
    check_number("alpha", alpha, 0.0)
    if alpha == 0:
        return Mixing(torch.ones((), device=device), torch.arange(n, device=device))
    share = draw_share(alpha, device)
    if fold:
        share = torch.maximum(share, 1 - share)
    return Mixing(share, draw_partners(n, device, weight))


def cutmix(X: torch.Tensor, alpha: float, *, weight: torch.Tensor | None = None) -> Mixing:
    """Draw partners and a box that images take from theirs (Yun et al. 2019).

    The box has the share 1 - l of the image's area, l ~ Beta(alpha, alpha), and a random centre; it
    is cut off at the image's border. Labels are mixed by the area that is kept in fact.

    Parameters
    ----------
    X : Tensor of shape (n, channels, h, w)
        A batch of images.
    alpha : float
        Parameter of the beta distribution; zero leaves each image as it is.
    weight : Tensor of shape (n,), optional
        Weights of the samples, as for `mixup`.

    Returns
    -------
    Mixing
        The pairs and the box.

    Raises
    ------
    ValueError
        If `X` is no batch of images, or `alpha` is negative.

    References
    ----------
    .. [1] S. Yun, D. Han, S. J. Oh, S. Chun, J. Choe, Y. Yoo, "CutMix: Regularization Strategy to
       Train Strong Classifiers with Localizable Features", ICCV 2019.

    Examples
    --------
    >>> import torch
    >>> _ = torch.manual_seed(0)
    >>> images = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
    >>> mixing = cutmix(images, alpha=1.0)
    >>> bool(mixing.inputs(images)[0].mean() == (1 - mixing.share) * mixing.partner[0])
    True
    """
    if not isinstance(X, torch.Tensor) or X.ndim != 4:
        given = tuple(X.shape) if isinstance(X, torch.Tensor) else type(X).__name__
        raise ValueError(
            "cutmix needs images, a tensor of shape (n, channels, height, width), as it swaps a "
            f"box between them; got {given}. For tables and sequences, use mixup"
        )
    check_number("alpha", alpha, 0.0)
    if alpha == 0:
        return mixup(len(X), 0.0, X.device)
    side = (1 - draw_share(alpha, X.device)).sqrt()
    inside = draw_interval(X.shape[2], side)[:, None] & draw_interval(X.shape[3], side)
    return Mixing((~inside).float().mean(), draw_partners(len(X), X.device, weight), ~inside)


def views(
    X: Any,
    augment: Callable[..., Any] | None = None,
    n_views: int = 2,
    *,
    y: torch.Tensor | None = None,
) -> Any:
    """Random views of a batch, one after the other.

    Parameters
    ----------
    X : Tensor of shape (n, ...), or a dict, list or tuple of them
        The batch.
    augment : callable, optional
        ``augment(X)`` returns a random view of the batch, of as many samples; with `y`,
        ``augment(X, y)`` returns a view of both. None is the batch as it is.
    n_views : int, default=2
        Number of views.
    y : Tensor of shape (n, ...), optional
        Labels that change with the samples, such as masks of images that are turned.

    Returns
    -------
    Tensor of shape (n_views n, ...), or a dict, list or tuple of them
        The views: all samples of the first, then all of the second, and so on; with `y` a pair of
        them and their labels.

    Raises
    ------
    ValueError
        If a view has another number of samples than the batch.

    Examples
    --------
    >>> import torch
    >>> views(torch.tensor([1.0, 2.0]), augment=torch.neg)
    tensor([-1., -2., -1., -2.])
    >>> turn = lambda X, y: (X.flip(1), y.flip(1))
    >>> views(torch.tensor([[1.0, 2.0]]), turn, n_views=1, y=torch.tensor([[0, 1]]))
    (tensor([[2., 1.]]), tensor([[1, 0]]))
    """
    check_number("n_views", n_views, 1)
    batch = X if y is None else (X, y)
    given = (X,) if y is None else (X, y)
    drawn = [batch if augment is None else augment(*given) for _ in range(n_views)]
    for view in drawn:
        if y is not None and not (isinstance(view, tuple) and len(view) == 2):
            raise ValueError(
                f"augment(X, y) must return a pair of inputs and labels, got {type(view).__name__}"
            )
        for part in (view,) if y is None else view:
            if n_samples(part) != n_samples(X):
                raise ValueError(
                    f"augment must return a view of all {n_samples(X)} samples, got "
                    f"{n_samples(part)}"
                )
    return concatenated(drawn)


def draw_share(alpha, device):
    """A number from Beta(alpha, alpha), drawn on the device."""
    shape = torch.full((), float(alpha), device=device)
    return torch.distributions.Beta(shape, shape, validate_args=False).sample()


def draw_partners(n, device, weight):
    """A permutation, or with weights as many draws with replacement."""
    if weight is None or not n:
        return torch.randperm(n, device=device)
    # a batch whose weights are all zero has partners all the same
    positive = weight.clamp(min=torch.finfo(weight.dtype).tiny)
    return torch.multinomial(positive, n, replacement=True)


def draw_interval(length, share):
    """Which of `length` pixels lie in an interval of the given share around a random one."""
    half = (length * share).long() // 2
    offset = torch.arange(length, device=share.device)
    offset = offset - torch.randint(length, (), device=share.device)
    return (offset >= -half) & (offset < half)


def check_mixable(part):
    """Raise ValueError unless `part` is a tensor of floating-point numbers."""
    if isinstance(part, torch.Tensor) and part.is_floating_point():
        return
    given = part.dtype if isinstance(part, torch.Tensor) else type(part).__name__
    raise ValueError(
        f"only tensors of floating-point numbers can be mixed, got {given}; turn class numbers "
        "into probabilities first (skreg.deep.torch.as_probabilities), and mix no tokens"
    )


def n_samples(X):
    """Number of rows of a tensor, or of the first one in a dict, list or tuple."""
    if isinstance(X, Mapping):
        X = next(iter(X.values()))
    return n_samples(X[0]) if isinstance(X, list | tuple) else len(X)


def concatenated(parts):
    """Tensors one after the other, or dicts, lists and tuples of them key by key."""
    first = parts[0]
    if isinstance(first, Mapping):
        return {key: concatenated([part[key] for part in parts]) for key in first}
    if isinstance(first, list | tuple):
        return type(first)(map(concatenated, zip(*parts, strict=True)))
    return torch.cat(parts)
