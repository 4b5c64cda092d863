"""Which channels of a layer's output are worth computing: scores and masks, sample by sample."""

import torch
from torch.nn import functional as F

from ..frame._batches import check_number, in_full_precision

DEAD = 1e-5  # shares and scores up to here are those of channels without activation
ROUNDING = 1e-5  # by which a cumulative share may exceed the mass


def activation_score(out: torch.Tensor, *, channels_last: bool = False) -> torch.Tensor:
    """Largest absolute activation of each channel, over all positions.

    Parameters
    ----------
    out : Tensor of shape (n, n_channels, ...), or (n, ..., n_channels)
        Output of a layer after its activation function.
    channels_last : bool, default=False
        Whether the channels are the last axis, as those of linear layers are.

    Returns
    -------
    Tensor of shape (n, n_channels)
        The scores, without gradient.

    Examples
    --------
    >>> import torch
    >>> activation_score(torch.tensor([[[1.0, -3.0], [0.0, 2.0]]]))
    tensor([[3., 2.]])
    """
    low, high = extremes(out.detach(), channels_last=channels_last)
    return torch.maximum(high, -low)


def extremes(
    out: torch.Tensor, *, channels_last: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest and largest value of each channel over all positions.

    Parameters
    ----------
    out : Tensor of shape (n, n_channels, ...), or (n, ..., n_channels)
        Output of a layer.
    channels_last : bool, default=False
        Whether the channels are the last axis.

    Returns
    -------
    low, high : Tensor of shape (n, n_channels), Tensor of shape (n, n_channels)
        The values.
    """
    positions = _positions(out, channels_last)
    if not positions:
        return out, out
    return out.amin(positions), out.amax(positions)  # faster than aminmax, on the CPU five times


def _positions(out, channels_last):
    """Axes that are neither samples nor channels."""
    return tuple(range(1, out.ndim - 1) if channels_last else range(2, out.ndim))


def mass_mask(
    scores: torch.Tensor, mass: float | torch.Tensor = 0.9, min_channels: int = 1
) -> torch.Tensor:
    """Keep the strongest channels as long as their scores together stay within a share of all.

    With p = a / sum(a) in falling order and its cumulative sum C, the channel of rank i is kept
    if C_i <= mass. A channel that alone exceeds the mass would thus be dropped, with all others:
    the `min_channels` strongest stay in any case, which the paper's rule does not ask for. A mass
    of one drops the channels without activation.

    Parameters
    ----------
    scores : Tensor of shape (n, n_channels)
        Scores that are not negative, see `activation_score`.
    mass : float, default=0.9
        Share of the sum of scores to keep, in (0, 1].
    min_channels : int, default=1
        Number of channels that stay, whatever their scores are.

    Returns
    -------
    Tensor of shape (n, n_channels), bool
        True for channels to keep.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import torch
    >>> mass_mask(torch.tensor([[5.0, 1.5, 3.0, 0.5]]), mass=0.8)
    tensor([[ True, False,  True, False]])
    """
    _check_scores(scores, min_channels)
    check_number("mass", mass, 0.0, 1.0, above=True)
    return mask_of_mass(scores, mass, min_channels)


def mask_of_mass(scores, mass, min_channels):
    """`mass_mask` of arguments that are known to be right; the mass may be on any device."""
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    total = ordered.sum(1, keepdim=True).clamp(min=torch.finfo(scores.dtype).tiny)
    share = ordered / total
    mass = torch.as_tensor(mass, device=scores.device)
    kept = torch.where(mass < 1.0, share.cumsum(1) - mass <= ROUNDING, share > DEAD)
    kept[:, :min_channels] = True
    return torch.zeros_like(kept).scatter(1, order, kept)


def topk_mask(scores: torch.Tensor, prune_ratio: float, min_channels: int = 1) -> torch.Tensor:
    """Drop a fixed share of the channels, the weakest ones, and those without activation.

    Parameters
    ----------
    scores : Tensor of shape (n, n_channels)
        Scores that are not negative, see `activation_score`.
    prune_ratio : float
        Share of the channels to drop, in [0, 1); their number is rounded down.
    min_channels : int, default=1
        Number of channels that stay, whatever their scores are.

    Returns
    -------
    Tensor of shape (n, n_channels), bool
        True for channels to keep.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import torch
    >>> topk_mask(torch.tensor([[5.0, 1.5, 3.0, 0.0]]), prune_ratio=0.5)
    tensor([[ True, False,  True, False]])
    """
    _check_scores(scores, min_channels)
    check_number("prune_ratio", prune_ratio, 0.0, 1.0, below=True)
    return mask_of_ratio(scores, prune_ratio, min_channels)


def mask_of_ratio(scores, prune_ratio, min_channels):
    """`topk_mask` of arguments that are known to be right."""
    n_channels = scores.shape[1]
    ordered, order = scores.sort(dim=1, descending=True, stable=True)
    kept = ordered > DEAD
    kept[:, n_channels - int(prune_ratio * n_channels) :] = False
    kept[:, :min_channels] = True
    return torch.zeros_like(kept).scatter(1, order, kept)


def strongest(scores: torch.Tensor, n: int) -> torch.Tensor:
    """Mask of the n channels with the largest scores.

    Parameters
    ----------
    scores : Tensor of shape (n_samples, n_channels)
        The scores.
    n : int
        How many; all if there are fewer.

    Returns
    -------
    Tensor of shape (n_samples, n_channels), bool
        The mask.
    """
    top = scores.topk(min(n, scores.shape[1]), dim=1).indices
    return torch.zeros_like(scores, dtype=torch.bool).scatter(1, top, True)


def _check_scores(scores, min_channels):
    if scores.ndim != 2 or not scores.is_floating_point():
        raise ValueError(
            "scores must be floating-point numbers of shape (n, n_channels), got "
            f"{scores.dtype} of shape {tuple(scores.shape)}"
        )
    check_whole("min_channels", min_channels, 0)


def check_whole(name, value, low):
    """Raise ValueError unless `value` is a whole number of at least `low`."""
    check_number(name, value, low)
    if value != int(value):
        raise ValueError(f"{name} must be a whole number, got {value!r}")


def pooled(x: torch.Tensor, pooling: str, *, channels_last: bool) -> torch.Tensor:
    """Mean or maximum of each channel over all positions.

    Parameters
    ----------
    x : Tensor of shape (n, n_channels, ...), or (n, ..., n_channels)
        Input of a layer.
    pooling : {"avg", "max"}
        Which.
    channels_last : bool
        Whether the channels are the last axis.

    Returns
    -------
    Tensor of shape (n, n_channels)
        The numbers.
    """
    positions = _positions(x, channels_last)
    if not positions:
        return x
    return x.mean(positions) if pooling == "avg" else x.amax(positions)


def over_positions(mask: torch.Tensor, out: torch.Tensor, *, channels_last: bool) -> torch.Tensor:
    """A mask of samples and channels in the form that multiplies an output.

    Parameters
    ----------
    mask : Tensor of shape (n, n_channels), bool
        The mask.
    out : Tensor of shape (n, n_channels, ...), or (n, ..., n_channels)
        The output.
    channels_last : bool
        Whether the channels are the last axis.

    Returns
    -------
    Tensor
        The mask as numbers of the output's type, with axes of length one for positions.
    """
    ones = (1,) * (out.ndim - 2)
    shape = (len(mask), *ones, mask.shape[1]) if channels_last else (*mask.shape, *ones)
    return mask.to(out.dtype).view(shape)


def gate_loss_of(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None):
    """Binary cross-entropy of one layer's gates: mean over samples, sum over channels."""
    logits = in_full_precision(logits)
    losses = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
    losses = losses.sum(1)
    return losses.mean() if weight is None else (weight * losses).mean()
