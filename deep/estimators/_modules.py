"""Networks that are used when none is given."""

import itertools
from typing import Any

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """``x + W2 dropout(relu(W1 norm(x)))``."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, 2 * width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the block."""
        return x + self.second(self.dropout(self.first(self.norm(x)).relu()))


class ResidualMLP(nn.Module):
    """Multilayer perceptron with residual blocks, for tables.

    Layers are normalised per sample, not per batch: what one sample contributes depends neither
    on its neighbours in the batch nor on its weight.

    Parameters
    ----------
    n_inputs : int
        Number of features.
    n_outputs : int
        Number of classes or targets.
    width : int, default=128
        Number of hidden units.
    n_blocks : int, default=2
        Number of residual blocks.
    dropout : float, default=0.0
        Share of units that are dropped inside the blocks.

    Examples
    --------
    >>> import torch
    >>> ResidualMLP(n_inputs=4, n_outputs=3)(torch.zeros(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        width: int = 128,
        n_blocks: int = 2,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Linear(n_inputs, width)
        self.blocks = nn.Sequential(*[ResidualBlock(width, dropout) for _ in range(n_blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Compute the outputs.

        Parameters
        ----------
        X : Tensor of shape (n, n_inputs)
            Features.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits or predicted targets.
        """
        return self.head(self.norm(self.blocks(self.embedding(X))).relu())


class MLPAutoencoder(nn.Module):
    """Two `ResidualMLP` with few numbers between them.

    Parameters
    ----------
    n_inputs : int
        Number of features.
    n_components : int
        Number of numbers in a code.
    width, n_blocks, dropout : int, int, float
        As for `ResidualMLP`.

    Examples
    --------
    >>> import torch
    >>> module = MLPAutoencoder(n_inputs=4, n_components=2)
    >>> module.encode(torch.zeros(5, 4)).shape, module(torch.zeros(5, 4)).shape
    (torch.Size([5, 2]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        n_inputs: int,
        n_components: int,
        width: Any = 128,
        n_blocks: Any = 1,
        dropout: Any = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = ResidualMLP(n_inputs, n_components, width, n_blocks, dropout)
        self.decoder = ResidualMLP(n_components, n_inputs, width, n_blocks, dropout)

    def encode(self, X: torch.Tensor) -> torch.Tensor:
        """Compute the codes.

        Parameters
        ----------
        X : Tensor of shape (n, n_inputs)
            Features.

        Returns
        -------
        Tensor of shape (n, n_components)
            Codes.
        """
        return self.encoder(X)

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Compute features from codes.

        Parameters
        ----------
        code : Tensor of shape (n, n_components)
            Codes.

        Returns
        -------
        Tensor of shape (n, n_inputs)
            Features.
        """
        return self.decoder(code)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Reconstruct the features.

        Parameters
        ----------
        X : Tensor of shape (n, n_inputs)
            Features.

        Returns
        -------
        Tensor of shape (n, n_inputs)
            What codes of `X` say about them.
        """
        return self.decode(self.encode(X))


class ConvolutionBlock(nn.Module):
    """``shortcut(x) + conv(relu(norm(conv(relu(norm(x))))))`` at half the resolution."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(min(8, n_in), n_in)
        self.first = nn.Conv2d(n_in, n_out, 3, stride=2, padding=1, bias=False)
        self.norm = nn.GroupNorm(8, n_out)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride=2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the block."""
        inner = self.first(self.norm_in(x).relu())
        return self.shortcut(x) + self.second(self.norm(inner).relu())


class SmallCNN(nn.Module):
    """Residual convolutional network for small images, normalised per sample.

    Parameters
    ----------
    n_inputs : int
        Number of channels.
    n_outputs : int
        Number of classes or targets.
    width : int, default=32
        Number of channels of the first layer, a multiple of eight; it doubles in each block.
    n_blocks : int, default=2
        Number of blocks, each of which halves the resolution.

    Raises
    ------
    ValueError
        If `width` is not a multiple of eight.

    Examples
    --------
    >>> import torch
    >>> SmallCNN(n_inputs=3, n_outputs=10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 32, n_blocks: int = 2) -> None:
        super().__init__()
        if width < 8 or width % 8:
            raise ValueError(f"width must be a multiple of eight, got {width}")
        self.stem = nn.Conv2d(n_inputs, width, 3, padding=1, bias=False)
        widths = [width * 2**block for block in range(n_blocks + 1)]
        self.blocks = nn.Sequential(
            *[ConvolutionBlock(n_in, n_out) for n_in, n_out in itertools.pairwise(widths)]
        )
        self.norm = nn.GroupNorm(8, widths[-1])
        self.head = nn.Linear(widths[-1], n_outputs)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Compute the outputs.

        Parameters
        ----------
        X : Tensor of shape (n, n_inputs, height, width)
            Images.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits or predicted targets.
        """
        features = self.norm(self.blocks(self.stem(X))).relu()
        return self.head(torch.mean(features, dim=(2, 3)))


class PlainBlock(nn.Module):
    """``relu(norm(conv(relu(norm(conv(x))))))`` at the same resolution."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n in (n_in, n_out):
            layers += [nn.Conv2d(n, n_out, 3, padding=1, bias=False), nn.GroupNorm(8, n_out)]
            layers += [nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the block."""
        return self.layers(x)


class SmallUNet(nn.Module):
    """U-Net for a class of each pixel of small images, normalised per sample.

    Images go down through `n_blocks` resolutions, each half of the one before, and up again;
    on the way up each resolution gets what it was on the way down (Ronneberger et al. 2015).
    Heights and widths may be any, of the size of two to the power `n_blocks` at least.

    Parameters
    ----------
    n_inputs : int
        Number of channels.
    n_outputs : int
        Number of classes.
    width : int, default=16
        Number of channels at full resolution, a multiple of eight; it doubles as that halves.
    n_blocks : int, default=2
        Number of times that the resolution halves.

    Raises
    ------
    ValueError
        If `width` is not a multiple of eight.

    Examples
    --------
    >>> import torch
    >>> SmallUNet(n_inputs=1, n_outputs=3)(torch.zeros(2, 1, 21, 24)).shape
    torch.Size([2, 3, 21, 24])
    """

    def __init__(self, n_inputs: int, n_outputs: int, width: int = 16, n_blocks: int = 2) -> None:
        super().__init__()
        if width < 8 or width % 8:
            raise ValueError(f"width must be a multiple of eight, got {width}")
        widths = [width * 2**block for block in range(n_blocks + 1)]
        self.stem = PlainBlock(n_inputs, width)
        self.down = nn.ModuleList(PlainBlock(a, b) for a, b in itertools.pairwise(widths))
        self.up = nn.ModuleList(
            PlainBlock(b + a, a) for a, b in reversed([*itertools.pairwise(widths)])
        )
        self.head = nn.Conv2d(width, n_outputs, 1)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Compute the outputs.

        Parameters
        ----------
        X : Tensor of shape (n, n_inputs, height, width)
            Images.

        Returns
        -------
        Tensor of shape (n, n_outputs, height, width)
            Logits of each pixel.
        """
        x = self.stem(X)
        levels = [x]
        for block in self.down:
            x = block(nn.functional.max_pool2d(x, 2, ceil_mode=True))
            levels.append(x)
        levels.pop()
        for block in self.up:
            across = levels.pop()
            x = nn.functional.interpolate(x, across.shape[2:], mode="bilinear")
            x = block(torch.cat([x, across], dim=1))
        return self.head(x)
