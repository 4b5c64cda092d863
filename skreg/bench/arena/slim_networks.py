"""Networks of handwritten digits that are to become smaller."""

from __future__ import annotations

from torch import nn


class DigitsCNN(nn.Sequential):
    """Three convolutions with normalization, 8 x 8 pixels to 2 x 2, the mean, a linear layer."""

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 64), n_outputs: int = 10) -> None:
        layers: list[nn.Module] = [nn.Unflatten(1, (1, 8, 8))]
        n_in = 1
        for width, stride in zip(widths, (1, 2, 2), strict=True):
            layers += [
                nn.Conv2d(n_in, width, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            n_in = width
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(n_in, n_outputs))
