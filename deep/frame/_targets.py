"""Class numbers and class probabilities as targets."""

import torch


def as_probabilities(y: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Turn targets of either kind into class probabilities.

    Parameters
    ----------
    y : Tensor of shape (n,) or (n, n_classes)
        Class numbers, or class probabilities, which are returned as they are.
    n_classes : int
        Number of classes.

    Returns
    -------
    Tensor of shape (n, n_classes)
        One-hot rows in the default floating-point type, or `y` itself.

    Raises
    ------
    ValueError
        If `y` is neither a vector of integers nor a matrix with `n_classes` columns.

    Examples
    --------
    >>> as_probabilities(torch.tensor([1, 0]), n_classes=2)
    tensor([[0., 1.],
            [1., 0.]])
    """
    if y.ndim == 2 and y.shape[1] == n_classes and y.is_floating_point():
        return y
    if y.ndim == 1 and not y.is_floating_point():
        one_hot = torch.nn.functional.one_hot(y.long(), n_classes)
        return one_hot.to(torch.get_default_dtype())
    raise ValueError(
        f"targets must be class numbers of shape (n,) or probabilities of shape (n, {n_classes}), "
        f"got {y.dtype} of shape {tuple(y.shape)}"
    )
