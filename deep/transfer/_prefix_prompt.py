"""Prompts in front of the keys and values of attention (Huang et al. 2024)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..frame._batches import check_number
from ..frame._settings import settings

# those of the paper for a ViT-B: numbers of prompt vectors by layer
LENGTHS: Mapping[int, int] = MappingProxyType({0: 10, 1: 10, 2: 40, 3: 40, 4: 40})
MASKS = ("attn_mask", "key_padding_mask")


class PrefixPrompt(nn.Module):
    """Learned keys and values in front of those of an attention layer.

    Queries stay as they are, and so does the length of the sequence. The prompt vectors are not
    projected.

    Parameters
    ----------
    dim : int
        Width of the layer.
    n_heads : int
        Number of its heads, a divisor of `dim`.
    length : int
        Number of prompt vectors, an even number: one half are keys, the other values.

    Attributes
    ----------
    keys, values : Parameter of shape (length / 2, dim)
        The prompt vectors, uniform between zero and one at the beginning.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    .. [1] W.-C. Huang, C.-F. Chen, H. Hsu, "OVOR: OnePrompt with Virtual Outlier Regularization for
       Rehearsal-Free Class-Incremental Learning", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import PrefixPrompt
    >>> prompt = PrefixPrompt(dim=8, n_heads=2, length=6)
    >>> keys, values = prompt(torch.zeros(5, 2, 10, 4), torch.zeros(5, 2, 10, 4))
    >>> keys.shape
    torch.Size([5, 2, 13, 4])
    """

    extra_repr = settings

    def __init__(self, dim: int, n_heads: int, length: int) -> None:
        super().__init__()
        check_number("dim", dim, 1)
        check_number("n_heads", n_heads, 1)
        check_number("length", length, 0)
        if dim % n_heads:
            raise ValueError(f"n_heads must divide dim, got n_heads={n_heads} and dim={dim}")
        if length % 2:
            raise ValueError(f"length must be even, half keys and half values, got {length}")
        self.dim, self.n_heads, self.length = dim, n_heads, length
        self.keys = nn.Parameter(torch.rand(length // 2, dim))
        self.values = nn.Parameter(torch.rand(length // 2, dim))

    def forward(
        self, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the prompt in front of the keys and values of a batch.

        Parameters
        ----------
        keys, values : Tensor of shape (n, n_heads, n_tokens, dim / n_heads)
            What the layer has projected.

        Returns
        -------
        tuple of two Tensors of shape (n, n_heads, length / 2 + n_tokens, dim / n_heads)
            Keys and values.

        Raises
        ------
        ValueError
            If the heads are others.
        """
        if keys.shape[1::2] != (self.n_heads, self.dim // self.n_heads):
            raise ValueError(
                f"the prompt is for {self.n_heads} heads of width {self.dim // self.n_heads}, got "
                f"keys of shape {tuple(keys.shape)}: make it with the dim and n_heads of the layer"
            )
        return self._before(self.keys, keys), self._before(self.values, values)

    def _before(self, prompt, tokens):
        heads = prompt.to(tokens.dtype).unflatten(1, (self.n_heads, -1)).transpose(0, 1)
        return torch.cat([heads.expand(len(tokens), -1, -1, -1), tokens], dim=2)


class PrefixedAttention(nn.Module):
    """``torch.nn.MultiheadAttention`` with a prompt in front of its keys and values.

    It takes the place of the layer, is called as it is, and returns None in place of the weights of
    attention.

    Parameters
    ----------
    attention : torch.nn.MultiheadAttention
        The layer; keys and values as wide as queries, without `bias_k` and `add_zero_attn`.
    prompt : PrefixPrompt
        The prompt.

    Raises
    ------
    ValueError
        If the layer is another one.
    """

    _qkv_same_embed_dim = False  # keeps torch's encoder layers from their way around this forward

    def __init__(self, attention: nn.MultiheadAttention, prompt: PrefixPrompt) -> None:
        super().__init__()
        if (
            not attention._qkv_same_embed_dim
            or attention.bias_k is not None
            or attention.add_zero_attn
        ):
            raise ValueError(
                "a prompt needs attention whose keys and values are as wide as its queries, "
                f"without bias_k and add_zero_attn, got {attention}"
            )
        self.attention, self.prompt = attention, prompt

    @property
    def batch_first(self) -> bool:
        """Whether samples come before tokens, as in the layer."""
        return self.attention.batch_first

    @property
    def in_proj_bias(self) -> Any:
        """As in the layer, for those who look."""
        return self.attention.in_proj_bias

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        **options: Any,
    ) -> tuple[torch.Tensor, None]:
        """Output of the layer.

        Parameters
        ----------
        query, key, value : Tensor of shape (n, n_tokens, dim), or (n_tokens, n, dim)
            As of the layer, in batches.
        **options
            As of the layer. Masks are refused, and what is asked of the weights is not read.

        Returns
        -------
        tuple of Tensor and None
            The output, of the shape of `query`.

        Raises
        ------
        ValueError
            If there is a mask, or no batch.
        """
        if any(options.get(name) is not None for name in MASKS) or options.get("is_causal"):
            raise ValueError(
                "attention with a prompt takes no masks: they have no column for the prompt"
            )
        if query.ndim != 3:
            raise ValueError(f"tokens must come in batches, got shape {tuple(query.shape)}")
        if self.batch_first:
            return self._attend(query, key, value), None
        out = self._attend(*(part.transpose(0, 1) for part in (query, key, value)))
        return out.transpose(0, 1), None

    def _attend(self, *tokens):
        layer = self.attention
        biases = (None,) * 3 if layer.in_proj_bias is None else layer.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(part, weight, bias).unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
            for part, weight, bias in zip(
                tokens, layer.in_proj_weight.chunk(3), biases, strict=True
            )
        )
        k, v = self.prompt(k, v)
        dropout = layer.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        return layer.out_proj(attended.transpose(1, 2).flatten(2))


class PrefixedSelfAttention(nn.Module):
    """Self-attention as timm has it, with a prompt in front of its keys and values.

    Parameters
    ----------
    attention : Module
        A layer with `qkv`, `proj` and `num_heads`, and perhaps `q_norm`, `k_norm`, `attn_drop`,
        `norm` and `proj_drop`.
    prompt : PrefixPrompt
        The prompt.
    """

    def __init__(self, attention: nn.Module, prompt: PrefixPrompt) -> None:
        super().__init__()
        self.attention, self.prompt = attention, prompt

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the layer.

        Parameters
        ----------
        x : Tensor of shape (n, n_tokens, dim)
            Tokens.

        Returns
        -------
        Tensor of shape (n, n_tokens, dim)
            The output.
        """
        layer: Any = self.attention
        parts = layer.qkv(x).unflatten(2, (3, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        q, k = self._maybe("q_norm", q), self._maybe("k_norm", k)
        k, v = self.prompt(k, v)
        dropout = getattr(getattr(layer, "attn_drop", None), "p", 0.0) if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
        attended = self._maybe("norm", attended.transpose(1, 2).flatten(2))
        return self._maybe("proj_drop", layer.proj(attended))

    def _maybe(self, name, x):
        part = getattr(self.attention, name, None)
        return x if part is None else part(x)


class OnePrompt(nn.Module):
    """One set of prefix prompts for a vision transformer, the same for all tasks.

    Nothing is selected, which spares the pass that chooses prompts from a pool. The transformer is
    frozen, by ``requires_grad_(False)`` before `attach`; the prompts are trained.

    Parameters
    ----------
    dim : int
        Width of the transformer.
    n_layers : int
        Number of its attention layers.
    lengths : mapping of int to int, default={0: 10, 1: 10, 2: 40, 3: 40, 4: 40}
        Number of prompt vectors by layer, keys and values together.
    n_heads : int, default=12
        Number of heads, by default that of a ViT-B.

    Attributes
    ----------
    prompts : ModuleDict
        A `PrefixPrompt` for each layer that has one, by the layer's number.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or a layer is not there.

    References
    ----------
    .. [1] W.-C. Huang, C.-F. Chen, H. Hsu, "OVOR: OnePrompt with Virtual Outlier Regularization for
       Rehearsal-Free Class-Incremental Learning", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skreg.deep.torch import OnePrompt
    >>> block = torch.nn.TransformerEncoderLayer(8, nhead=2, batch_first=True)
    >>> encoder = torch.nn.TransformerEncoder(block, 3, enable_nested_tensor=False)
    >>> prompt = OnePrompt(8, n_layers=3, lengths={0: 2, 1: 4}, n_heads=2)
    >>> encoder = prompt.attach(encoder.requires_grad_(False))
    >>> sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    48
    >>> encoder(torch.zeros(5, 7, 8)).shape
    torch.Size([5, 7, 8])
    """

    def __init__(
        self,
        dim: int,
        n_layers: int,
        lengths: Mapping[int, int] = LENGTHS,
        n_heads: int = 12,
    ) -> None:
        super().__init__()
        check_number("n_layers", n_layers, 1)
        for layer in lengths:
            check_number("layers of lengths", layer, 0, n_layers, below=True)
        self.n_layers = n_layers
        self.prompts = nn.ModuleDict(
            {str(layer): PrefixPrompt(dim, n_heads, length) for layer, length in lengths.items()}
        )

    def attach(self, module: nn.Module) -> nn.Module:
        """Put the prompts into a transformer, in place.

        Parameters
        ----------
        module : Module
            A network whose attention layers are ``torch.nn.MultiheadAttention``, as in torch and
            torchvision, or have `qkv`, `proj` and `num_heads`, as in timm.

        Returns
        -------
        Module
            The network; its ``state_dict`` and parameters have the prompts as well.

        Raises
        ------
        ValueError
            If it has another number of such layers, or prompts already.
        """
        found = [
            (name, part) for name, part in module.named_modules() if name and _is_attention(part)
        ]
        if any(isinstance(part, PrefixPrompt) for part in module.modules()):
            raise ValueError("the network has prompts already")
        if len(found) != self.n_layers:
            raise ValueError(
                f"n_layers={self.n_layers}, but the network has {len(found)} attention layers"
            )
        for layer, prompt in self.prompts.items():
            name, attention = found[int(layer)]
            kind: Any = PrefixedSelfAttention
            if isinstance(attention, nn.MultiheadAttention):
                kind = PrefixedAttention
            path, _, own_name = name.rpartition(".")
            prefixed = kind(attention, prompt).train(attention.training)
            setattr(module.get_submodule(path), own_name, prefixed)
        return module


def _is_attention(part):
    return isinstance(part, nn.MultiheadAttention) or all(
        hasattr(part, name) for name in ("qkv", "proj", "num_heads")
    )
