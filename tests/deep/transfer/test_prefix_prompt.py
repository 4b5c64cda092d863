"""Prompts in attention, against torch's own attention."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skreg.deep.torch import OnePrompt, PrefixPrompt
from skreg.deep.transfer._prefix_prompt import PrefixedAttention, PrefixedSelfAttention

DIM, HEADS = 8, 2


class TimmAttention(nn.Module):
    """Attention with the names that timm has."""

    def __init__(self):
        super().__init__()
        self.num_heads = HEADS
        self.qkv, self.proj = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
        self.q_norm, self.k_norm = nn.LayerNorm(DIM // HEADS), nn.Identity()
        self.attn_drop, self.proj_drop = nn.Dropout(0.0), nn.Dropout(0.0)

    def forward(self, x):
        n, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        x = F.scaled_dot_product_attention(self.q_norm(q), self.k_norm(k), v)
        return self.proj_drop(self.proj(x.transpose(1, 2).reshape(n, tokens, DIM)))


class TimmBlocks(nn.Module):
    def __init__(self, n_layers=3):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.ModuleDict({"norm": nn.LayerNorm(DIM), "attn": TimmAttention()})
            for _ in range(n_layers)
        )

    def forward(self, x):
        for block in self.blocks:
            x = x + block["attn"](block["norm"](x))
        return x


def encoder(n_layers=3, **params):
    layer = nn.TransformerEncoderLayer(
        DIM, HEADS, dim_feedforward=16, batch_first=True, dropout=0.0, **params
    )
    return nn.TransformerEncoder(layer, n_layers, enable_nested_tensor=False)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def tokens():
    return torch.randn(4, 5, DIM)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_an_empty_prompt_leaves_attention_as_it_is(batch_first, bias):
    attention = nn.MultiheadAttention(DIM, HEADS, bias=bias, batch_first=batch_first)
    query, key = torch.randn(4, 5, DIM), torch.randn(4, 5, DIM)
    prefixed = PrefixedAttention(attention, PrefixPrompt(DIM, HEADS, 0))
    expected, _ = attention(query, key, key)
    torch.testing.assert_close(prefixed(query, key, key)[0], expected)


@pytest.mark.parametrize("length", [2, 6])
def test_a_prompt_is_tokens_that_are_keys_and_values_only(length):
    """With identity projections, prompts are the same as more tokens to attend to."""
    attention = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.eye(DIM).repeat(3, 1))
    prompt = PrefixPrompt(DIM, HEADS, length)
    assert ((prompt.keys >= 0) & (prompt.keys < 1)).all()
    query, key = tokens(), tokens()
    more = [
        torch.cat([part.expand(4, -1, -1), key], dim=1) for part in (prompt.keys, prompt.values)
    ]
    expected, _ = attention(query, *more)
    found, weights = PrefixedAttention(attention, prompt)(query, key, key, need_weights=False)
    torch.testing.assert_close(found, expected)
    assert found.shape == query.shape
    assert weights is None


@pytest.mark.parametrize("make", [encoder, TimmBlocks])
@pytest.mark.parametrize("grad", [True, False])
def test_one_prompt_in_networks_of_torch_and_timm(make, grad):
    plain = make().eval()
    x = tokens()
    with torch.set_grad_enabled(grad):
        expected = plain(x)
        empty = OnePrompt(DIM, 3, {0: 0, 1: 0, 2: 0}, HEADS).attach(copy.deepcopy(plain))
        torch.testing.assert_close(empty(x), expected)
        prompted = OnePrompt(DIM, 3, {0: 2, 2: 4}, HEADS).attach(copy.deepcopy(plain))
        assert prompted(x).shape == x.shape
        assert (prompted(x) - expected).abs().max() > 1e-4  # also where torch goes another way


@pytest.mark.parametrize("make", [encoder, TimmBlocks])
def test_prompts_alone_are_trained(make):
    network = make().requires_grad_(False)
    prompt = OnePrompt(DIM, 3, {0: 2, 2: 4}, HEADS)
    network = prompt.attach(network)
    trained = {name for name, p in network.named_parameters() if p.requires_grad}
    assert len(trained) == 4
    assert all(name.endswith(("prompt.keys", "prompt.values")) for name in trained)
    network(tokens()).pow(2).mean().backward()
    for part in prompt.prompts.values():
        assert part.keys.grad.abs().max() > 0
        assert part.values.grad.abs().max() > 0


@pytest.mark.parametrize("make", [encoder, TimmBlocks])
def test_prompts_survive_copies_and_checkpoints(make):
    network = OnePrompt(DIM, 3, {1: 4}, HEADS).attach(make()).eval()
    x = tokens()
    expected = network(x)
    other = OnePrompt(DIM, 3, {1: 4}, HEADS).attach(make()).eval()
    other.load_state_dict(network.state_dict())
    for same in (other, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(same(x), expected)
    torch.testing.assert_close(torch.compile(network, backend="eager")(x), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(x).float(), expected, rtol=0.1, atol=0.1)


def test_dropout_of_attention_acts_in_training_only():
    attention = nn.MultiheadAttention(DIM, HEADS, dropout=0.5, batch_first=True)
    prefixed, x = PrefixedAttention(attention, PrefixPrompt(DIM, HEADS, 2)), tokens()
    assert not torch.equal(prefixed(x, x, x)[0], prefixed(x, x, x)[0])
    prefixed.eval()
    assert torch.equal(prefixed(x, x, x)[0], prefixed(x, x, x)[0])
    timm = TimmAttention()
    timm.attn_drop.p = 0.5
    prefixed = PrefixedSelfAttention(timm, PrefixPrompt(DIM, HEADS, 2))
    assert not torch.equal(prefixed(x), prefixed(x))
    assert torch.equal(prefixed.eval()(x), prefixed(x))


def test_the_prompts_of_the_paper():
    prompt = OnePrompt(768, 12)
    assert sum(p.numel() for p in prompt.parameters()) == (10 + 10 + 40 + 40 + 40) * 768
    assert prompt.prompts["2"].keys.shape == (20, 768)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PrefixPrompt(8, 3, 2), "n_heads must divide dim, got n_heads=3 and dim=8"),
        (lambda: PrefixPrompt(8, 2, 3), "length must be even"),
        (lambda: PrefixPrompt(8, 2, -2), "length must be"),
        (lambda: PrefixPrompt(0, 2, 2), "dim must be"),
        (lambda: PrefixPrompt(8, 4, 2)(*torch.ones(2, 1, 2, 3, 4)), "is for 4 heads of width 2"),
        (lambda: OnePrompt(8, 3, {3: 2}, 2), "layers of lengths must be"),
        (lambda: OnePrompt(8, 2, {0: 2}, 2).attach(encoder(3)), "has 3 attention layers"),
        (
            lambda: [OnePrompt(8, 3, {0: 2}, 2).attach(net) for net in [encoder()] * 2],
            "has prompts already",
        ),
        (
            lambda: PrefixedAttention(
                nn.MultiheadAttention(8, 2, add_bias_kv=True), PrefixPrompt(8, 2, 2)
            ),
            "without bias_k",
        ),
        (
            lambda: PrefixedAttention(nn.MultiheadAttention(8, 2, kdim=4), PrefixPrompt(8, 2, 2)),
            "as wide as its queries",
        ),
        (lambda: attend(attn_mask=torch.zeros(5, 5)), "takes no masks"),
        (lambda: attend(key_padding_mask=torch.zeros(4, 5)), "takes no masks"),
        (lambda: attend(is_causal=True), "takes no masks"),
        (lambda: attend(torch.ones(5, 8)), "in batches"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def attend(x=None, **options):
    x = tokens() if x is None else x
    attention = nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    return PrefixedAttention(attention, PrefixPrompt(DIM, HEADS, 2))(x, x, x, **options)
